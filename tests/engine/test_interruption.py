"""Safety under interruption: the process dies at every single call of every story, before it is carried out and after.

Each story is first told without interruption to learn how many calls it makes and how it ends.  Then it is told once
for every call and both moments (before it is carried out, and after it was but before anybody was told), and has to
come to the same end with every invariant holding in between.  Who dies after a call dies before the next one if no time
passes between the two: the world is the same, and what the process knew is lost.  That is told once.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.faults import play
from tests.engine.faults_schedule import undisturbed
from tests.engine.faults_world import Disturbed
from tests.engine.simulation import Killed
from tests.engine.stories import (
    BACK,
    BASELINE_ADDED,
    BASELINED,
    CARED,
    CHECKED,
    COHORTS,
    CREATED,
    GATED,
    LABELS,
    RED_BLACK,
    STICKY,
    THERE,
    Story,
    beside,
    bookinfo,
    both,
    canary_named,
    delete,
    failing,
    failing_query,
    gated,
    give_back_baseline,
    give_back_rule,
    lose,
    lose_baseline,
    lose_pod,
    ready,
    reapply,
    rest,
    retarget,
    say,
    scaled,
    senseless,
    set_weights,
    shared,
    unreachable,
    with_fresh_pods,
    without_control,
    without_objects,
    without_subset,
)
from tests.engine.stories_policies import (
    GOVERNED,
    break_policy,
    edit_policy,
    edit_shift,
    give_policy,
    lose_policy,
    name_another,
)

PAUSED = {"onFailure": "Pause"}


def story(name: str, end: str, *script: tuple[float, Any], arrange: Any = bookinfo, **spec: Any) -> Story:
    """A story with one end that is right."""
    return Story(name, frozenset({end}), spec, arrange, script)


failing_beside = both(bookinfo, failing)
"""A canary that fails where stable does not."""

STORIES = (
    story("promotion", THERE),
    story("promotion beside others", THERE, arrange=shared),
    story("failure limit", BACK, arrange=both(bookinfo, failing_query), analysis=CHECKED),
    story("rollback", BACK, arrange=both(shared, failing)),
    story("rollback of an unreachable canary", BACK, arrange=both(bookinfo, unreachable)),
    story("rollback of an added subset", BACK, arrange=both(without_subset, failing), canary=LABELS),
    story("creation", THERE, arrange=without_objects, **CREATED),
    story("held regression", "Paused:RegressionProven", arrange=both(bookinfo, failing), **PAUSED),
    story("held regression, aborted", BACK, (60.0, say("abort")), arrange=both(bookinfo, failing), **PAUSED),
    story(
        "held regression, resumed",
        BACK,
        (60.0, say("resume")),
        (120.0, say("abort")),
        arrange=both(bookinfo, failing),
        **PAUSED,
    ),
    story("gates that wait, fail and open", THERE, arrange=both(bookinfo, gated(425, 503, 200)), strategy=GATED),
    story("a gate that refuses", BACK, arrange=both(bookinfo, gated(425, 403)), strategy=GATED),
    story(
        "a gate that refuses, held, resumed",
        THERE,
        (60.0, gated(200)),
        (61.0, say("resume")),
        arrange=both(bookinfo, gated(403)),
        strategy=GATED,
        **PAUSED,
    ),
    story("abort", BACK, (40.0, say("abort"))),
    story("retry", THERE, (40.0, say("abort")), (90.0, say("retry"))),
    story("restart", THERE, (40.0, say("restart"))),
    story("pause and resume", THERE, (20.0, say("pause")), (50.0, say("resume"))),
    story("promote", THERE, (20.0, say("promote"))),
    story("promote-full", THERE, (20.0, say("promote-full"))),
    story("deletion", "gone@0", (40.0, delete)),
    story(
        "deletion of an added subset", "gone@0", (12.0, delete), arrange=both(without_subset, failing), canary=LABELS
    ),
    story("retarget", THERE, (40.0, retarget)),
    story("senseless edit, put right", THERE, (40.0, senseless), (70.0, canary_named("v2"))),
    story("senseless edit, aborted", BACK, (40.0, senseless), (50.0, say("abort")), (90.0, canary_named("v2"))),
    story("lost pods", BACK, (40.0, lose_pod)),
    story("late pods", THERE, (30.0, ready(True)), arrange=both(bookinfo, ready(False))),
    story("edit by hand", "Paused:Drifted", (40.0, set_weights(60, 40))),
    story("edit by hand, resumed", THERE, (40.0, set_weights(60, 40)), (70.0, say("resume"))),
    story("lost route", "Progressing:NoVirtualService", (40.0, lose("VirtualService"))),
    story("cohort and mirror", THERE, **COHORTS),
    story("cohort and mirror, aborted", BACK, (20.0, say("abort")), **COHORTS),
    story("cohort and mirror, deleted", "gone@0", (20.0, delete), **COHORTS),
    story("cohort and mirror, left", "gone@25", (15.0, delete), onDelete="Leave", **COHORTS),
    story("cohort and mirror, failing", BACK, (5.0, failing), **COHORTS),
    story("cohort and mirror, lost pods", BACK, (20.0, lose_pod), **COHORTS),
    story("cohort and mirror, retargeted", THERE, (20.0, retarget), **COHORTS),
    story("red and black", THERE, **RED_BLACK),
    story("red and black, aborted at the preview", BACK, (5.0, say("abort")), **RED_BLACK),
    story("red and black, failing after the flip", BACK, (35.0, failing), **RED_BLACK),
    story("sticky", THERE, **STICKY),
    story("sticky, failing", BACK, (25.0, failing), **STICKY),
    story("sticky, aborted", BACK, (25.0, say("abort")), **STICKY),
    story("sticky, deleted", "gone@0", (25.0, delete), **STICKY),
    story("sticky, left", "gone@20", (12.0, delete), onDelete="Leave", **STICKY),
    story("sticky, applied again and enforced", THERE, (25.0, reapply), onDrift="Enforce", **STICKY),
    story("baseline", THERE, arrange=beside(shared), **BASELINED),
    story("baseline, failing", BACK, arrange=beside(failing_beside), **BASELINED),
    story("baseline, lost", "Pending@0", (40.0, lose_baseline), arrange=beside(), **BASELINED),
    story(
        "baseline, lost and returned",
        THERE,
        (40.0, lose_baseline),
        (60.0, give_back_baseline),
        arrange=beside(),
        **BASELINED,
    ),
    story("baseline, added", THERE, arrange=with_fresh_pods, **BASELINE_ADDED),
    story("baseline, added, aborted", BACK, (40.0, say("abort")), arrange=with_fresh_pods, **BASELINE_ADDED),
    story("baseline, added, deleted", "gone@0", (40.0, delete), arrange=with_fresh_pods, **BASELINE_ADDED),
    story("baseline, enforced", THERE, (40.0, without_control), arrange=beside(), onDrift="Enforce", **BASELINED),
    story("baseline, adopted", THERE, (40.0, set_weights(60, 40)), arrange=beside(), onDrift="Adopt", **BASELINED),
    story("enforced", THERE, (40.0, set_weights(60, 40)), onDrift="Enforce"),
    story("adopted", THERE, (40.0, set_weights(60, 40)), onDrift="Adopt"),
    story("undo", BACK, (150.0, say("undo"))),
    story("replicas", BACK, (190.0, say("undo")), (330.0, rest), arrange=scaled, scale=CARED),
    story("replicas, aborted", BACK, (50.0, say("abort")), (170.0, rest), arrange=scaled, scale=CARED),
    story("policy that comes late", THERE, (30.0, give_policy), **GOVERNED),
    story("edited policy", THERE, (30.0, edit_policy), arrange=both(bookinfo, give_policy), **GOVERNED),
    story("another policy", THERE, (30.0, name_another), arrange=both(bookinfo, give_policy), **GOVERNED),
    story("lost policy", THERE, (30.0, lose_policy), arrange=both(bookinfo, give_policy), **GOVERNED),
    story(
        "lost policy, edited shift",
        THERE,
        (30.0, lose_policy),
        (31.0, edit_shift),
        (60.0, give_policy),
        arrange=both(bookinfo, give_policy),
        **GOVERNED,
    ),
    story(
        "broken policy, bad canary", BACK, (20.0, break_policy), arrange=both(shared, give_policy, failing), **GOVERNED
    ),
    story("lost rule", THERE, (20.0, lose("DestinationRule")), (40.0, give_back_rule)),
)


class Calm(Disturbed):
    """A world in which nothing goes wrong, and that notes when each call was made."""

    def __init__(self, story: Story) -> None:
        self.instants: list[float] = []
        super().__init__(undisturbed(story))

    def _fault(self, call: str, moment: str) -> None:
        if moment == "before":
            self.instants.append(self.now)

    def victims(self, moment: str) -> list[int]:
        """The calls, by number, at which the process is to die."""
        calls = range(1, len(self.instants) + 1)
        if moment == "before":
            return list(calls)
        following = [*self.instants[1:], None]
        return [call for call in calls if following[call - 1] != self.instants[call - 1]]


class Struck(Disturbed):
    """A world in which nothing goes wrong but that the process dies once, at one call."""

    def __init__(self, story: Story, victim: int, moment: str) -> None:
        self.victim, self.moment = victim, moment
        self.struck = ""
        super().__init__(undisturbed(story))

    def _fault(self, call: str, moment: str) -> None:
        if not self.struck and len(self.mesh.calls) == self.victim and moment == self.moment:
            self.struck = call
            raise Killed


def end_of(world: Disturbed) -> dict[str, Any]:
    """The end as users see it: everything but versions and times."""
    specs = {
        kind: document["spec"]
        for (kind, _, _), document in world.mesh.objects.items()
        if kind in {"VirtualService", "DestinationRule"}
    }
    replicas = {
        name: document["spec"]["replicas"]
        for (kind, _, name), document in world.mesh.objects.items()
        if kind == "Deployment"
    }
    return {"specs": specs, "replicas": replicas, "phase": world.phase, "reason": world.status.get("reason")}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_dying_at_any_call_comes_to_the_same_end(story: Story, moment: str) -> None:
    calm = Calm(story)
    _, undisturbed_result = play(undisturbed(story), calm)
    assert undisturbed_result.broken == {}
    assert len(calm.instants) == len(calm.mesh.calls) > 5
    for victim in calm.victims(moment):
        world, result = play(undisturbed(story), Struck(story, victim, moment))
        struck = f"killed {moment} call {victim}: {world.struck}"  # type: ignore[attr-defined]
        assert result.broken == {}, struck
        assert end_of(world) == end_of(calm), struck


def test_the_process_is_killed_where_it_was_to_be() -> None:
    for moment in ("before", "after"):
        world = Struck(STORIES[0], 2, moment)
        play(undisturbed(STORIES[0]), world)
        assert world.struck == "status"
