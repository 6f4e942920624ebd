"""Who hears of the engine's decisions: the log, and several listeners at once.

The log tells each turn once, with the one reason that the status and the Events show.  The daily course of a shift
(waiting, settling, weights that arrive as intended) is there for whoever turns on `debug`.  Telemetry that fails is a
warning when it begins and every ten minutes while it lasts or comes back, not at each look.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from meshshift.adapters.logs import fields
from meshshift.adapters.turns import TurnFilter
from meshshift.core.decision import QUIET, Kind
from meshshift.core.enrolment.view import Tell
from meshshift.engine.report import WARNINGS

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshshift.core.decision import Decision
    from meshshift.core.enrolment.view import Act
    from meshshift.core.notices import Turn
    from meshshift.core.observation import Observation
    from meshshift.engine.ports import Document, Journal, Key

TELEMETRY_TROUBLES = frozenset({"TelemetryUnavailable", "TelemetryUnusable", "TelemetryStale", "NoTraffic"})
REMIND = 600.0
"""Seconds until a telemetry trouble of the same shift is told again."""

_decisions = logging.getLogger("meshshift.decisions")
_journals = logging.getLogger("meshshift.journals")
_services = logging.getLogger("meshshift.services")


class DecisionLog:
    """The engine's journal as log records of the logger `meshshift.decisions`."""

    def __init__(self) -> None:
        self._turns = TurnFilter()
        self._told: dict[Key, dict[str, float]] = {}

    def decided(self, key: Key, shift: Document, observation: Observation | None, decision: Decision) -> None:
        """Tell a decision that is new, at a level that says whether a person should look."""
        new = self._turns.is_new(key, observation, decision)
        if observation is not None and decision.reason in TELEMETRY_TROUBLES:
            new = self._is_due(key, decision.reason, observation.now)
        if new:
            run = decision.run
            _decisions.log(
                _level(decision),
                decision.message,
                extra=fields(
                    namespace=key[0],
                    name=key[1],
                    kind=str(decision.kind),
                    reason=str(decision.reason),
                    phase=str(decision.phase),
                    weight=run.desired if run else None,
                    run=run.id if run else None,
                ),
            )

    def wrote(self, kind: str, result: str) -> None:
        """A write that failed also ends the pass, and whoever runs the pass tells that with all there is to know."""
        _decisions.debug("a write to a %s: %s", kind, result, extra=fields(kind=kind, result=result))

    def turned(self, key: Key, shift: Document, turn: Turn, *, new: bool) -> None:
        """The decision was told already; this is its Event."""
        if new:
            where = fields(namespace=key[0], name=key[1], reason=turn.reason)
            _decisions.debug("recorded as Event: %s", turn.message, extra=where)

    def forgot(self, key: Key) -> None:
        """The shift is gone."""
        self._turns.forget(key)
        self._told.pop(key, None)

    def _is_due(self, key: Key, reason: str, now: float) -> bool:
        told = self._told.setdefault(key, {})
        if now - told.get(reason, -REMIND) < REMIND:
            return False
        told[reason] = now
        return True


class ActLog:
    """What is done for Services, as log records of the logger `meshshift.services`, each new act once."""

    def __init__(self) -> None:
        self._last: dict[Key, tuple[str, str]] = {}

    def acted(self, key: Key, act: Act) -> None:
        """Tell an act that is new, at a level that says whether a person should look."""
        said = act.reason, act.message
        level = logging.DEBUG if act.tell is Tell.NOBODY and not act.edits else logging.INFO
        if act.reason != "Settling" and self._last.get(key) != said:
            self._last[key] = said
            where = fields(namespace=key[0], name=key[1], kind="Service", reason=act.reason)
            _services.log(logging.WARNING if act.tell is Tell.WARNING else level, act.message, extra=where)

    def forgot(self, key: Key) -> None:
        """The Service is gone, or has nothing to do with this controller."""
        self._last.pop(key, None)


class Journals:
    """Several journals as one.

    A listener that fails is logged and passed over: the pass that is being told of may be the one that takes traffic
    away from a bad canary.
    """

    def __init__(self, *listeners: Journal) -> None:
        self._listeners = listeners

    def decided(self, key: Key, shift: Document, observation: Observation | None, decision: Decision) -> None:
        """A decision was made and its state persisted."""
        self._tell(lambda listener: listener.decided(key, shift, observation, decision))

    def wrote(self, kind: str, result: str) -> None:
        """A write to the mesh was tried."""
        self._tell(lambda listener: listener.wrote(kind, result))

    def turned(self, key: Key, shift: Document, turn: Turn, *, new: bool) -> None:
        """The shift took a turn worth an Event."""
        self._tell(lambda listener: listener.turned(key, shift, turn, new=new))

    def forgot(self, key: Key) -> None:
        """The shift is gone."""
        self._tell(lambda listener: listener.forgot(key))

    def _tell(self, what: Callable[[Journal], None]) -> None:
        for listener in self._listeners:
            try:
                what(listener)
            except Exception:  # noqa: BLE001 -- see above
                _journals.exception("%s failed; the engine goes on without it", type(listener).__name__)


def _level(decision: Decision) -> int:
    if decision.reason in TELEMETRY_TROUBLES:
        return logging.WARNING
    if decision.reason in QUIET or decision.kind is Kind.RESTORE:
        return logging.DEBUG
    stuck = decision.stalled and decision.kind is Kind.HOLD
    return logging.WARNING if stuck or decision.reason in WARNINGS else logging.INFO
