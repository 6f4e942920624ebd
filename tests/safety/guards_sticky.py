"""Sticky users: who stays, who is let go, and what could not be given back."""

from __future__ import annotations

from tests.safety.guard import Guard, at

COOKIES = "meshshift/core/mesh/stickiness.py"
COHORTS = "meshshift/core/mesh/cohorts.py"
PROGRESSING = "meshshift/core/progressing.py"
RUN = "meshshift/core/run.py"


def _sticky(*names: str) -> tuple[str, ...]:
    return at("engine/test_sticky.py", *names)


def _cookie(*names: str) -> tuple[str, ...]:
    return at("core/mesh/test_stickiness.py", *names)


STICKY = (
    Guard(
        "sticky-with-the-weight",
        "Cookies come in the write that gives the first weight, neither before nor behind it.",
        PROGRESSING,
        "    if run.extras.cookies and not at_percent(look.routes, run.desired):\n        return None\n",
        "",
        _sticky("cookies_and_their_routes_come_with_the_first_weight_in_one_write"),
    ),
    Guard(
        "sticky-not-before-a-weight",
        "Before the first weight nobody is kept on stable.",
        RUN,
        "if progressing and self.desired else asked",
        "if progressing else asked",
        _sticky("cookies_and_their_routes_come_with_the_first_weight_in_one_write"),
    ),
    Guard(
        "sticky-until-the-end",
        "Nobody changes version before the end of the run is decided, at 100 % as little as before.",
        RUN,
        "if progressing and self.desired else asked",
        "if progressing and 0 < self.desired < 100 else asked",
        _sticky("nobody_changes_version_until_the_run_ends_and_then_everybody_has_the_canary"),
    ),
    Guard(
        "sticky-end-settles",
        "A promotion is not over before the proxies have had time to let go of stable's users.",
        PROGRESSING,
        "        restless = replace(run, settle_until=None) if run.phase is Phase.PROMOTING else None\n",
        "        restless = None\n",
        _sticky("the_end_settles_after_the_cookies_are_gone"),
    ),
    Guard(
        "sticky-way-back",
        "The write that takes the canary's weight leaves nobody on it.",
        "meshshift/core/restoring.py",
        "    edits = joined(edits, extras)\n",
        "    edits = edits or extras\n",
        _sticky("a_rollback_takes_everybody_off_the_canary_in_the_write_that_takes_its_weight"),
    ),
    Guard(
        "sticky-of-this-run",
        "A cookie of an earlier run keeps nobody anywhere.",
        COOKIES,
        "hashlib.sha256(f'{self.run}/{side}'.encode())",
        "hashlib.sha256(f'{side}'.encode())",
        _sticky("a_cookie_of_an_earlier_run_pins_nobody"),
    ),
    Guard(
        "sticky-whole-cookie",
        "A cookie is believed only under its whole name and with its whole value.",
        COOKIES,
        '(.*;\\\\s*)?{re.escape(self.wish.cookie)}={self.value(side)}(;.*)?"',
        '.*{self.wish.cookie}={self.value(side)}.*"',
        _cookie("a_cookie_is_known_anywhere_in_the_header"),
    ),
    Guard(
        "sticky-no-renewal",
        "A route that a cookie leads to hands out none, and neither does one for a header cohort.",
        COHORTS,
        'for name, value in bare(entry).items() if name != "weight"',
        'for name, value in entry.items() if name != "weight"',
        _sticky("cookies_and_their_routes_come_with_the_first_weight_in_one_write"),
    ),
    Guard(
        "sticky-own-header",
        "A cookie that a route sets on a subset already is never replaced.",
        COOKIES,
        '    if any(_names_it(member(document, "headers", "response", kind)) for kind in ("add", "set")):\n',
        "    if False:\n",
        _cookie("what_cannot_be_sticky_is_a_problem_and_nothing_is_written"),
    ),
    Guard(
        "sticky-overruled",
        "A route whose own operations would take the cookie away is refused.",
        COOKIES,
        "    return _overruled(route) or next(",
        "    return next(",
        _cookie("what_cannot_be_sticky_is_a_problem_and_nothing_is_written"),
    ),
    Guard(
        "sticky-restorable",
        "Headers that could not be restored to the letter are refused.",
        COOKIES,
        "        if found is not None and not (isinstance(found, dict) and found):\n",
        "        if False:\n",
        _cookie("what_cannot_be_sticky_is_a_problem_and_nothing_is_written"),
    ),
    Guard(
        "sticky-alone",
        "Sticky users take no share from destinations that are not shifted.",
        COOKIES,
        "    if route.others:\n",
        "    if False:\n",
        _cookie("what_cannot_be_sticky_is_a_problem_and_nothing_is_written"),
    ),
    Guard(
        "sticky-http",
        "Routes without cookies are not taken for sticky.",
        COOKIES,
        '    if route.protocol != "http":\n',
        "    if False:\n",
        _cookie("a_tcp_route_cannot_be_sticky"),
    ),
    Guard(
        "sticky-refused-first",
        "Routes that cannot be sticky are told of before anything is written.",
        "meshshift/core/preparing.py",
        "(_already_there, unfit, _unsticky, _add_subsets, _too_few, _unready, _unlearned)",
        "(_already_there, unfit, _add_subsets, _too_few, _unready, _unlearned)",
        at(
            "engine/test_bad_input.py",
            "it_is_told_in_full_and_the_mesh_is_untouched[sticky-third-destination]",
            "it_is_told_in_full_and_the_mesh_is_untouched[sticky-set-cookie-taken]",
        ),
    ),
    Guard(
        "sticky-unmoved",
        "A cookie is only written to, or taken from, the destination that it is meant for.",
        COOKIES,
        '    operations = [operation("test", pointer(*path, "destination"), entry.document["destination"])]\n',
        "    operations: list[PatchOperation] = []\n",
        _cookie("a_cookie_is_written_and_taken_out_only_where_it_is_meant_to_be"),
    ),
    Guard(
        "sticky-way-back-without-entry",
        "A cookie on stable alone, which somebody else's edit may leave, does not close the way back.",
        "meshshift/core/mesh/flaws.py",
        "bare(model.document).keys()",
        "model.document.keys()",
        _cookie("a_canary_entry_that_somebody_took_out_mid_way_is_no_obstacle"),
    ),
    Guard(
        "sticky-lack",
        "Users who stay on stable are not held against the canary as requests that it lost.",
        "meshshift/core/rules.py",
        "        share = run.deficit.sticky(weight) if run.cookies else weight\n",
        "        share = weight\n",
        _sticky("users_who_stay_on_stable_are_no_lack_of_the_canary"),
    ),
    Guard(
        "leavings-of-a-rival",
        "A shift that has ended takes nothing out that another shift of the service has put in.",
        "meshshift/core/rules.py",
        "    if isinstance(routes, Problem) or look.seen.rival is not None:\n",
        "    if isinstance(routes, Problem):\n",
        _sticky("a_record_that_ended_leaves_the_routes_of_the_next_run_alone"),
    ),
)
