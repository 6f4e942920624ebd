"""A simulated cluster in which a GitOps tool re-applies what Git says while a shift is under way.

The API server keeps managedFields as the lab's does, and takes the writes of the tools: create, merge patch,
server-side apply.  Everything else is the eyewitness's world of the fault schedules, so that the same invariants hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Protocol

from meshshift.api.status import rfc3339
from meshshift.core.mesh.writers import MANAGER
from meshshift.lab.kube.managed import Author, record_update
from tests.engine.faults import Result, play
from tests.engine.faults_schedule import Schedule, undisturbed
from tests.engine.faults_world import Disturbed
from tests.engine.simulation import NAMESPACE, START, Mesh, route, rule
from tests.engine.stories import Act, Story, bookinfo
from tests.gitops.merging import SCHEMA, VERSION, Document, Request, carried_out

KINDS = ("VirtualService", "DestinationRule")


class Tool(Protocol):
    """What a tool sends for one object of Git; None if it leaves it alone."""

    def request(self, git: Document, live: Document) -> Request | None:
        """The write, given what the API server holds (empty: nothing)."""


class ApiServer(Mesh):
    """A mesh whose objects of Istio's kinds carry managedFields."""

    writer = "kubectl-edit"

    def put(self, document: Document) -> Document:
        """Create or replace as `writer`."""
        if document["kind"] not in KINDS:
            return super().put(document)
        stored = {"apiVersion": VERSION, **deepcopy(document)}
        old = self.objects.get(self._key(document))
        author = Author(self.writer, VERSION, "", rfc3339(START + self.version))
        record_update(old, stored, SCHEMA, author)
        return super().put(stored)

    def _patched(self, call: str, kind: str, name: str, operations: Sequence[Mapping[str, Any]]) -> Document:
        self.writer = MANAGER
        try:
            return super()._patched(call, kind, name, operations)
        finally:
            self.writer = ApiServer.writer

    def carry_out(self, request: Request) -> None:
        """The write of a tool."""
        live = self.peek(request.kind, request.name)
        after = carried_out(request, live, rfc3339(START + self.version))
        if _told(after) == _told(live):
            return
        if request.verb == "apply":
            super().put(after)
            return
        self.writer = request.manager
        try:
            self.put(after)
        finally:
            self.writer = ApiServer.writer


def _told(document: Document) -> Document:
    return {key: value for key, value in document.items() if key != "status"}


def manifest(document: Document, **spec: Any) -> Document:
    """A document as it stands in Git, its spec with these fields."""
    metadata = {"namespace": NAMESPACE, **document["metadata"]}
    return {"apiVersion": VERSION, "kind": document["kind"], "metadata": metadata, "spec": document["spec"] | spec}


PAIR = manifest(route({"v1": 100, "v2": 0}))
SINGLE = manifest(route({"v1": None}))
RULE = manifest(rule("v1", "v2"))


@dataclass
class Git:
    """What Git holds; `sent` are the writes of the tool that follows it, the first creation aside."""

    documents: list[Document] = field(default_factory=lambda: [PAIR, RULE])
    sent: list[Request] = field(default_factory=list)

    def commit(self, *documents: Document) -> Act:
        """The act of committing these documents in place of the ones of their kinds."""

        def act(simulation: Any) -> None:
            kinds = {each["kind"] for each in documents}
            self.documents = [each for each in self.documents if each["kind"] not in kinds] + list(documents)

        return act

    def synced(self, tool: Tool) -> Act:
        """The act of a tool that goes through everything in Git."""

        def act(simulation: Any) -> None:
            for document in self.documents:
                live = deepcopy(simulation.mesh.peek(document["kind"], "reviews"))
                request = tool.request(document, live)
                if request is not None:
                    self.sent += [request] if live else []
                    simulation.mesh.carry_out(request)

        return act

    def arranged(self, tool: Tool, *others: Act) -> Act:
        """The world as the tool has created it."""

        def act(simulation: Any) -> None:
            bookinfo(simulation)
            for kind in KINDS:
                simulation.mesh.remove(kind, "reviews")
            self.synced(tool)(simulation)
            for other in others:
                other(simulation)

        return act


class Cluster(Disturbed):
    """The eyewitness's world with that API server."""

    api_server = ApiServer


def every(seconds: float, act: Act, *, since: float = 1.0, until: float = 300.0) -> tuple[tuple[float, Act], ...]:
    """The act again and again."""
    count = int((until - since) / seconds)
    return tuple((since + seconds * number, act) for number in range(count + 1))


def told(story: Story, world: Callable[[Schedule], Cluster] = Cluster) -> tuple[Cluster, Result]:
    """Let a story happen and look at how it went."""
    schedule = undisturbed(story)
    cluster = world(schedule)
    _, result = play(schedule, cluster)
    return cluster, result


def course_of(cluster: Disturbed) -> list[tuple[float, float]]:
    """The canary's percents, as Envoy had them one after the other, and the seconds after which it had each."""
    seen = [(sight.at - cluster.begun, sight.percent) for sight in cluster.history.sights if sight.percent is not None]
    return [each for before, each in zip([(0.0, -1.0), *seen], seen, strict=False) if each[1] != before[1]]


def weights_of(cluster: Disturbed) -> list[float]:
    """The canary's percents, as Envoy had them one after the other."""
    return [percent for _, percent in course_of(cluster)]
