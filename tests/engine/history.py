"""What an eyewitness at the API server has seen, and how to read it.

A `History` is what the mesh said in every second and after every change (`Sight`), and every write of the controller
with the object before and after it (`Write`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from meshshift.core.run import Run
from meshshift.engine.checkpoint import decode

Document = dict[str, Any]
STABLE, CANARY, BASELINE = "v1", "v2", "v1-baseline"
ENDS = {"Succeeded", "RolledBack"}
OURS = frozenset({STABLE, CANARY, BASELINE})


@dataclass(frozen=True, slots=True)
class Sight:
    """The world at the unix time `at`.

    `percent` is the canary's part of our traffic, None without a route.  `subset`: is the canary's in the
    DestinationRule?  `ready` counts the canary's ready pods.  `replicas` are those that each version's Deployment is
    asked for, of versions that have one.  `baseline` is the baseline's part, and the other two are as for the canary.
    """

    at: float
    percent: float | None
    subset: bool
    ready: int
    replicas: Mapping[str, int] = field(default_factory=dict)
    baseline: float = 0.0
    baseline_subset: bool = False
    baseline_ready: int = 0


@dataclass(frozen=True, slots=True)
class Write:
    """One write of the controller that was carried out.

    `shift` is the TrafficShift as stored then (empty once it is gone).  `as_of` is the instant at which the caches that
    it was decided on were complete, by kind.  `blind`: the last reading of Prometheus had failed ("unreadable"), or
    had brought nothing ("empty").  `known` is the version of the object that the caches held when the pass began.
    """

    at: float
    call: str
    before: Document
    after: Document
    shift: Document = field(default_factory=dict)
    as_of: Mapping[str, float] = field(default_factory=dict)
    blind: str = ""
    known: str = ""


@dataclass
class History:
    """Everything that was seen, in order; `orders` are people's commands, `events` what was told as Events."""

    settle: float = 2.0
    sights: list[Sight] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    orders: list[tuple[float, str]] = field(default_factory=list)
    events: list[tuple[str, str, str]] = field(default_factory=list)
    last: Document = field(default_factory=dict)

    def seen(self, since: float, until: float) -> Iterator[Sight]:
        """What was true at some instant of a span: the last sight before it counts as well."""
        before = None
        for sight in self.sights:
            if sight.at > until:
                break
            if sight.at < since:
                before = sight
                continue
            if before is not None:
                yield before
                before = None
            yield sight
        if before is not None:
            yield before


def routes(document: Document) -> list[Document]:
    """The destinations of the one route."""
    found: list[Document] = document["spec"]["http"][-1]["route"] if document else []
    return found


def weights(document: Document) -> dict[str, int]:
    """Weights by subset, by host where there is none; a single destination has everything."""
    found = routes(document)
    if len(found) == 1 and "weight" not in found[0]:
        return {name_of(found[0]): 100}
    return {name_of(each): each.get("weight", 0) for each in found}


def percent(document: Document, subset: str = CANARY) -> float | None:
    """The part of our traffic that a subset has, None without a route."""
    found = weights(document)
    whole = sum(found.get(each, 0) for each in OURS)
    return 100 * found.get(subset, 0) / whole if whole else None


def name_of(destination: Document) -> str:
    """The subset of a destination, its host if it has none."""
    return str(destination["destination"].get("subset") or destination["destination"]["host"])


@lru_cache(maxsize=4096)
def _run(checkpoint: str) -> Run:
    return decode(checkpoint, "bookinfo").run


def run_of(shift: Document) -> Run | None:
    """The run as persisted in the shift."""
    checkpoint = (shift.get("status") or {}).get("checkpoint")
    return _run(checkpoint) if checkpoint else None


def ends(history: History) -> Iterator[tuple[Write, Document]]:
    """Each write that tells an end, or lets the object go, with the VirtualService as we wrote it last."""
    last: Document = {}
    for write in history.writes:
        if write.call == "patch VirtualService":
            last = write.after
        if write.call == "release" or (write.call == "status" and write.after["status"].get("phase") in ENDS):
            yield write, last


def raises(history: History) -> Iterator[tuple[Write, float, float]]:
    """Our writes that give the canary more than it had."""
    for write in history.writes:
        if write.call == "patch VirtualService":
            before, after = percent(write.before), percent(write.after)
            if after is not None and after > (before or 0.0):
                yield write, before or 0.0, after
