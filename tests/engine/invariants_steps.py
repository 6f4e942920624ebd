"""What has to hold of steps that are more than weights, whatever goes wrong: header routes, mirrors and gates.

A header route is known by its name, a mirror by its destination, so both can be looked for in what our own writes left
behind.  A gate is open once the persisted run says so, which it does only after a yes.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshshift.core.mesh.cohorts import is_inserted
from meshshift.core.mesh.documents import Target
from meshshift.core.run import Phase
from meshshift.core.spec import Gate
from tests.engine.history import CANARY, STABLE, Document, History, ends, name_of, run_of

REVIEWS = Target("reviews", "bookinfo", STABLE, CANARY)


def put_in(document: Document) -> Iterator[str]:
    """The header routes and mirrors of the shift that stand in a VirtualService."""
    for each in document["spec"]["http"] if document else ():
        if is_inserted(each.get("name"), REVIEWS):
            yield each["name"]
        yield from ("a mirror" for mirror in each.get("mirrors", []) if name_of(mirror) == CANARY)


def nothing_put_in_is_left_at_an_end(history: History) -> list[str]:
    """When an end is told, or the object goes, our last write has left no header route and no mirror."""
    left = ((write, sorted(put_in(last))) for write, last in ends(history))
    return [f"{write.at}: {write.call} with {names} left" for write, names in left if names]


def nothing_is_put_in_without_a_run_that_goes_forward(history: History) -> list[str]:
    """A write of a run that has turned back, or of none at all, adds no header route and no mirror."""
    found = []
    for write in history.writes:
        if write.call != "patch VirtualService":
            continue
        run, more = run_of(write.shift), set(put_in(write.after)) - set(put_in(write.before))
        if more and (run is None or run.phase is not Phase.PROGRESSING):
            found.append(f"{write.at}: {sorted(more)} put in while {run.phase if run else 'no run is there'}")
    return found


def no_gate_is_passed_before_it_has_opened(history: History) -> list[str]:
    """A run goes on from a gate only after its yes was persisted, unless a person carries it over."""
    if any(order.startswith("promote") for _, order in history.orders):
        return []
    found = []
    for write in history.writes:
        if write.call != "status":
            continue
        before, after = run_of(write.before), run_of(write.after)
        if before is None or after is None or before.id != after.id or not isinstance(before.current, Gate):
            continue
        opened = before.gate is not None and before.gate.opened
        if after.step > before.step and after.phase is Phase.PROGRESSING and not opened:
            found.append(f"{write.at}: step {before.step} became {after.step} past a gate that says {before.gate}")
    return found
