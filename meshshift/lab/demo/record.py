"""What is seen of one act while it is played: its shift's statuses, the traffic meanwhile, what stands in the mesh.

Everything here comes from outside the controller: from watches on the API server and from the requests themselves.
"""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from meshshift.api.status import StatusModel
from meshshift.core.mesh.cohorts import OWNER
from meshshift.lab.demo.course import DECIDED, Course, Sight, is_over
from meshshift.lab.demo.frame import Frame
from meshshift.lab.demo.story import NAMESPACE
from meshshift.lab.watching import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshshift.adapters.kube import Document
    from meshshift.api.status import HistoryEntry
    from meshshift.lab.demo.story import Act
    from meshshift.lab.demo.tally import Tally, Traffic
    from meshshift.lab.receiver import Asked, Receiver

_STARTED = "Started"
"""The reason of the first turn of each run."""


class Record:
    """One act, from the instant at which its shift or its version is applied; give it what the watches bring."""

    def __init__(self, act: Act, number: int, tally: Tally, receiver: Receiver, earlier: Record | None) -> None:
        """`number` counts scenes from 1; `earlier` is the act before it of the same service."""
        self.act = act
        self.number = number
        self.aside = ""
        self.copies = 0
        self.outage: tuple[float, float] | None = None
        self._tally = tally
        self._receiver = receiver
        self._skipped = len(receiver.asked), len(receiver.told)
        tally.expire_cookies()
        self._before = tally.now()
        self._unweighted: Traffic | None = None
        self._undecided: Traffic | None = None
        self._began = time.time()
        self._generation = 0
        self._awaits_run = False
        self._earlier: tuple[HistoryEntry, ...] = earlier.history if earlier else ()
        self._before_it = earlier
        self._sights: list[Sight] = []
        self._meanwhile = StatusModel.from_wire(None)
        self._put_in: tuple[str, ...] = ()
        self._there: tuple[str, ...] = ()

    @property
    def history(self) -> tuple[HistoryEntry, ...]:
        """The turns that the status tells of, those of earlier acts too."""
        return self._sights[-1].status.history if self._sights else self._earlier

    @property
    def run(self) -> str | None:
        """The run that the status tells of."""
        return self._sights[-1].status.run_id if self._sights else None

    @property
    def elapsed(self) -> float:
        """Seconds since the shift was applied."""
        return time.time() - self._began

    @property
    def weight(self) -> int:
        """What the canary is meant to have now, in percent."""
        weights = self._sights[-1].status.weights if self._sights else None
        return weights.desired if weights else 0

    @property
    def unweighted(self) -> bool:
        """Whether the canary never was meant to have any weight so far."""
        return self._unweighted is None

    @property
    def all_told(self) -> bool:
        """Whether the receiver was told of as many turns as the act expects."""
        return len(self._told()) >= len(self.act.expected.told)

    def applied(self, generation: int) -> None:
        """From this generation of the shift on its statuses are about this act."""
        self._generation = generation

    def awaited(self) -> None:
        """The next run of the shift is this act's: somebody else edits its spec, who knows when."""
        self._awaits_run = True
        self._meanwhile = self._before_run(StatusModel.from_wire(None))

    def saw_shift(self, shift: Document, exists: bool) -> None:
        """A change of any shift."""
        if not exists or key_of(shift) != (NAMESPACE, self.act.service):
            return
        status = StatusModel.from_wire(shift.get("status"))
        if self._is_own(status) and not (self._sights and is_over(self.act, self._sights[-1].status)):
            self._sights.append(Sight(self.elapsed, status))
            if self.weight and self._unweighted is None:
                self._unweighted = self._tally.now()
            if status.phase in DECIDED and self._undecided is None:
                self._undecided = self._tally.now()
        elif self._awaits_run and not self._sights:
            self._meanwhile = self._before_run(status)

    def _before_run(self, status: StatusModel) -> StatusModel:
        """What is told until the act's own run begins: how the one before goes on, and nothing of its evidence."""
        return StatusModel(message=f"{self.act.canary.name} is not shifted yet", history=status.history)

    def _is_own(self, status: StatusModel) -> bool:
        if self._awaits_run:
            return status.run_id not in {None, self._before_it.run if self._before_it else None}
        return bool(self._generation) and status.observed_generation == self._generation

    def saw_virtual_service(self, document: Document, exists: bool) -> None:
        """A change of any VirtualService; the one of the service has its name."""
        if key_of(document) == (NAMESPACE, self.act.service):
            self._there = tuple(_put_in(document)) if exists else ()
            self._put_in = tuple(dict.fromkeys([*self._put_in, *self._there]))

    def course(self) -> Course:
        """What was seen so far."""
        now = self._tally.now()
        return Course(
            self.act,
            tuple(self._sights),
            now.since(self._before),
            self.outage,
            (self._unweighted or now).since(self._before),
            self._put_in,
            self._there,
            self._asked(),
            self._told(),
            self.copies,
            (self._undecided or now).since(self._before),
            self._sights[0].at if self._awaits_run and self._sights else 0.0,
        )

    def _asked(self) -> tuple[Asked, ...]:
        """The questions of this act's gates, timed from its beginning."""
        asked = self._receiver.asked[self._skipped[0] :]
        return tuple(replace(one, time=one.time - self._began) for one in asked if one.service == self.act.service)

    def _told(self) -> tuple[str, ...]:
        """The turns of this act that the receiver was told of."""
        mine = (self.act.service, self.act.canary.name)
        bodies = [one.body for one in self._receiver.told[self._skipped[1] :]]
        return tuple(body["transition"] for body in bodies if (body.get("service"), body.get("canary")) == mine)

    def frame(self, of: int, per_second: float) -> Frame:
        """This moment, for a display."""
        status = self._sights[-1].status if self._sights else self._meanwhile
        status = status.model_copy(update={"history": self._named(status.history)})
        return Frame(
            self.act,
            self.number,
            of,
            self._began,
            self.elapsed,
            status,
            self._tally.now(),
            per_second,
            self.aside,
            self._earlier,
        )

    def _named(self, history: tuple[HistoryEntry, ...]) -> tuple[HistoryEntry, ...]:
        """The history, in which turns of the act before that come late say whose they are."""
        if self._before_it is None or not self._awaits_run:
            return history
        fresh = [entry for entry in history if entry not in self._earlier]
        late = tuple(takewhile(lambda entry: entry.reason != _STARTED, fresh))
        who = self._before_it.act.who
        return tuple(
            entry.model_copy(update={"message": f"{who}: {entry.message}"}) if entry in late else entry
            for entry in history
        )


def _put_in(document: Document) -> Iterator[str]:
    """What a shift has put into a VirtualService of the sample, which has neither such routes nor mirrors itself."""
    for http in document["spec"].get("http") or ():
        name = http.get("name") or ""
        if name.startswith(f"{OWNER}/"):
            yield f"route {name}"
        if http.get("mirrors"):
            yield "mirror"
