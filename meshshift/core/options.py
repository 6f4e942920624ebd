"""What a person can do now: the commands that would not be refused, and what each would bring about.

The commands themselves are carried out in `meshshift.core.commands`; a test holds the two together, so that nothing is
offered that would be refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshshift.core.observation import CommandName
from meshshift.core.run import Hold, Phase
from meshshift.core.spec import SetWeight
from meshshift.core.steps import FULL, describe

if TYPE_CHECKING:
    from meshshift.core.run import Run

STRANGE = frozenset({"Drifted", "DriftFight", "WeightsMidWay"})
"""Reasons of a hold because somebody else wrote the weights."""


@dataclass(frozen=True, slots=True)
class Option:
    """A command and what it would do."""

    command: CommandName
    effect: str


def options(run: Run, reason: str, *, paused: bool) -> tuple[Option, ...]:
    """The commands that make sense for a run whose status says `reason`; `paused` is whether `spec.paused` holds it."""
    stable, canary = run.spec.stable.name, run.spec.canary.name
    if run.phase in {Phase.ROLLED_BACK, Phase.FAILED}:
        return (Option(CommandName.RETRY, "begin again with fresh evidence"),)
    if run.phase is Phase.SUCCEEDED:
        return (Option(CommandName.UNDO, f"give {stable} all the traffic back, if its pods are still there"),)
    if run.phase is Phase.ROLLING_BACK:
        return ()
    abort = Option(CommandName.ABORT, f"give {stable} all the traffic back")
    if run.phase is Phase.PROMOTING:
        return (abort,)
    found = [*_resume(run, reason), abort]
    if run.phase is not Phase.PENDING or reason not in STRANGE:
        found.append(Option(CommandName.RESTART, f"give {stable} all the traffic back and begin again"))
    if run.hold is Hold.REGRESSION or reason in STRANGE or paused:
        # A promotion would be taken note of, but these holds come before it.
        return tuple(found)
    if run.hold is None:
        found.append(Option(CommandName.PAUSE, "stay here; a proven regression still rolls back"))
    if run.upcoming is not None:
        found.append(Option(CommandName.PROMOTE, f"go on without the proof: {describe(run.upcoming)}"))
        found.append(Option(CommandName.PROMOTE_FULL, f"give {canary} {FULL}% without any proof"))
    elif not isinstance(run.current, SetWeight):
        found.append(Option(CommandName.PROMOTE, f"end the shift here, with {canary} at {run.desired}%"))
    return tuple(found)


def _resume(run: Run, reason: str) -> list[Option]:
    if run.hold is Hold.REGRESSION:
        return [Option(CommandName.RESUME, "go on from here with fresh evidence")]
    if reason in STRANGE:
        began = run.phase is not Phase.PENDING
        return [Option(CommandName.RESUME, f"set {run.desired}% again and go on" if began else "begin from there")]
    if run.hold is Hold.GATE:
        return [Option(CommandName.RESUME, "ask the gate again")]
    if run.hold is Hold.PERSON:
        return [Option(CommandName.RESUME, "go on")]
    return []
