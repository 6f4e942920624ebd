"""A mesh in simulated time: objects with versions, traffic that follows the weights, counters as Prometheus has them.

The engine runs unchanged against it.  Every call to the API can be interrupted before or after it is carried out, which
is how the tests replay a process that dies, a server that answers 409 or 500, and an answer that gets lost.
"""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import jsonpatch

from meshshift.api.status import rfc3339
from meshshift.core.decision import Decision, Removal
from meshshift.core.gate_call import Answered, Question, Reply
from meshshift.core.mesh.documents import ObjectRef, Patch
from meshshift.core.notices import Turn
from meshshift.core.observation import Observation, Timing
from meshshift.core.telemetry import Series, Snapshot
from meshshift.engine.failures import ApiFailure, Conflict, NotFound
from meshshift.engine.ports import QueryError, ServiceId
from meshshift.engine.reconcile import Reconciler
from meshshift.engine.world import World

Document = dict[str, Any]
Json = TypeVar("Json")
NAMESPACE = "bookinfo"
HOST = "reviews.bookinfo.svc.cluster.local"
START = 1_700_000_000.0
KEY = (NAMESPACE, "reviews")
COMMAND = "meshshift.io/command"
RUNNER = asyncio.Runner()


def copied(value: Json) -> Json:
    """A deep copy of plain JSON, several times as fast as `copy.deepcopy`."""
    copy: Any = value
    if isinstance(value, dict):
        copy = {name: copied(member) for name, member in value.items()}
    elif isinstance(value, list):
        copy = [copied(member) for member in value]
    return cast("Json", copy)


class Killed(BaseException):
    """The process dies here: no `except Exception` may see it."""


@dataclass
class Behaviour:
    """How one version answers: the shares of requests that fail, are slower than 500 ms, and reach nobody."""

    failing: float = 0.001
    slow: float = 0.005
    unreachable: float = 0.0


@dataclass
class Traffic:
    """Counters that follow the weights; `readings` are (instant, {(version, code or le): count})."""

    rps: float = 200.0
    versions: dict[str, Behaviour] = field(default_factory=dict)
    counts: dict[tuple[str, str], float] = field(default_factory=dict)
    readings: list[tuple[float, dict[tuple[str, str], float]]] = field(default_factory=list)

    def flow(self, now: float, seconds: float, shares: Mapping[str, float]) -> None:
        """Let `seconds` of traffic pass; failures are spread evenly, so a run is the same every time."""
        for version, share in shares.items():
            behaviour = self.versions.setdefault(version, Behaviour())
            sent = self.rps * seconds * share
            requests = sent * (1 - behaviour.unreachable)
            self.counts["unknown", "503"] = self.counts.get(("unknown", "503"), 0.0) + sent - requests
            for name, part in (
                ("200", 1 - behaviour.failing),
                ("500", behaviour.failing),
                ("le=500", 1 - behaviour.slow),
                ("le=+Inf", 1.0),
            ):
                self.counts[version, name] = self.counts.get((version, name), 0.0) + requests * part
        self.readings.append((now, dict(self.counts)))

    def at(self, instant: float) -> dict[tuple[str, str], float]:
        """The counters as scraped last before `instant`."""
        index = bisect.bisect_right(self.readings, instant, key=lambda reading: reading[0])
        return self.readings[index - 1][1] if index else {}


@dataclass
class Mesh:
    """The API server: objects with versions, finalizers and status; watches reach `world` with the next step."""

    objects: dict[tuple[str, str, str], Document] = field(default_factory=dict)
    version: int = 100
    told: Callable[[str, Document], None] = field(default=lambda kind, document: None)
    calls: list[str] = field(default_factory=list)
    events: dict[str, tuple[str, str]] = field(default_factory=dict)
    interrupt: Callable[[str, int, str], None] = field(default=lambda call, number, moment: None)

    def put(self, document: Document) -> Document:
        """Create or replace, as a user would."""
        stored = copied(document)
        metadata = stored["metadata"]
        metadata.setdefault("namespace", NAMESPACE)
        metadata.setdefault("uid", f"uid-{metadata['name']}")
        metadata.setdefault("generation", 1)
        self.version += 1
        metadata["resourceVersion"] = str(self.version)
        self.objects[self._key(stored)] = stored
        self.told("MODIFIED", stored)
        return copied(stored)

    def get(self, kind: str, name: str) -> Document:
        """The object; raises NotFound."""
        try:
            return copied(self.objects[kind, NAMESPACE, name])
        except KeyError:
            raise NotFound(f"{kind} {name} not found") from None

    def peek(self, kind: str, name: str) -> Document:
        """The object itself, to be looked at only; empty if there is none."""
        return self.objects.get((kind, NAMESPACE, name), {})

    def edit(self, kind: str, name: str, change: Callable[[Document], None], *, spec: bool = True) -> Document:
        """What a person does with kubectl edit."""
        document = self.get(kind, name)
        change(document)
        if spec:
            document["metadata"]["generation"] = int(document["metadata"].get("generation", 1)) + 1
        return self.put(document)

    def remove(self, kind: str, name: str) -> None:
        """kubectl delete of an object without finalizers."""
        self._gone(self.objects[kind, NAMESPACE, name])

    def _gone(self, document: Document) -> None:
        """The last that watches hear of an object carries the version of its deletion."""
        del self.objects[self._key(document)]
        self.version += 1
        last = {**document, "metadata": {**document["metadata"], "resourceVersion": str(self.version)}}
        self.told("DELETED", last)

    def _patched(self, call: str, kind: str, name: str, operations: Sequence[Mapping[str, Any]]) -> Document:
        self.moment(call, "before")
        document = self.get(kind, name)
        try:
            changed = jsonpatch.apply_patch(document, copied(list(operations)), in_place=True)
        except (jsonpatch.JsonPatchTestFailed, jsonpatch.JsonPatchConflict) as error:
            raise Conflict(f"the server rejected our request: {error}") from error
        if changed.get("spec") != self.objects[kind, NAMESPACE, name].get("spec"):
            changed["metadata"]["generation"] = int(changed["metadata"].get("generation", 1)) + 1
        if COMMAND in _annotations(changed) and COMMAND not in _annotations(self.objects[kind, NAMESPACE, name]):
            changed["metadata"]["managedFields"] = [annotated_by("meshshift", COMMAND)]
        gone = changed["metadata"].get("deletionTimestamp") and not changed["metadata"].get("finalizers")
        stored = self.put(changed)
        if gone:
            self._gone(stored)
        self.moment(call, "after")
        return stored

    def moment(self, call: str, moment: str) -> None:
        """A call is `before` or `after` being carried out: here it can be interrupted."""
        if moment == "before":
            self.calls.append(call)
        self.interrupt(call, len(self.calls), moment)

    @staticmethod
    def _key(document: Document) -> tuple[str, str, str]:
        metadata = document["metadata"]
        return document["kind"], metadata.get("namespace", NAMESPACE), metadata["name"]

    # The engine's port.

    async def read(self, ref: ObjectRef) -> Document:
        self.moment(f"read {ref.kind}", "before")
        found = self.get(ref.kind, ref.name)
        self.moment(f"read {ref.kind}", "after")
        return found

    async def write_status(self, shift: Document, status: Mapping[str, Any]) -> Document:
        return self._patched(
            "status",
            "TrafficShift",
            shift["metadata"]["name"],
            [_version(shift), {"op": "add", "path": "/status", "value": copied(dict(status))}],
        )

    async def add_finalizer(self, shift: Document) -> Document:
        value = [*(shift["metadata"].get("finalizers") or []), "meshshift.io/traffic"]
        operation = {"op": "add", "path": "/metadata/finalizers", "value": value}
        return self._patched("finalizer", "TrafficShift", shift["metadata"]["name"], [_version(shift), operation])

    async def remove_finalizer(self, shift: Document) -> None:
        self._patched(
            "release", "TrafficShift", shift["metadata"]["name"], [{"op": "remove", "path": "/metadata/finalizers/0"}]
        )

    async def remove_command(self, shift: Document, text: str) -> Document:
        path = "/metadata/annotations/meshshift.io~1command"
        operations = [{"op": "test", "path": path, "value": text}, {"op": "remove", "path": path}]
        return self._patched("command", "TrafficShift", shift["metadata"]["name"], operations)

    async def patch(self, patch: Patch) -> Document:
        kind, name = patch.target.kind, patch.target.name
        if kind == "Scale":
            return self._patched(f"patch Deployment {name}", "Deployment", name, patch.operations)
        return self._patched(f"patch {kind}", kind, name, patch.operations)

    async def autoscalers(self, namespace: str) -> list[Document]:
        self.moment("autoscalers", "before")
        found = [copied(each) for (kind, _, _), each in self.objects.items() if kind == "HorizontalPodAutoscaler"]
        self.moment("autoscalers", "after")
        return found

    async def create(self, document: Document) -> Document:
        self.moment(f"create {document['kind']}", "before")
        if self._key(document) in self.objects:
            raise Conflict("already exists")
        stored = self.put(document)
        self.moment(f"create {document['kind']}", "after")
        return stored

    async def delete(self, removal: Removal) -> None:
        ref = removal.target
        self.moment(f"delete {ref.kind}", "before")
        found = self.objects.get((ref.kind, ref.namespace, ref.name))
        if found is not None and found["metadata"]["uid"] != removal.uid:
            raise Conflict(f"{ref} is another one by now")
        if found is not None:
            self._gone(found)
        self.moment(f"delete {ref.kind}", "after")

    async def emit(self, shift: Document, *, name: str, warning: bool, reason: str, message: str, at: str) -> bool:
        self.moment("event", "before")
        new = name not in self.events
        if new:
            self.events[name] = reason, message
            event = {"kind": "Event", "metadata": {"name": name}, "reason": reason, "message": message}
            event["involvedObject"] = {"kind": shift.get("kind", "TrafficShift"), "name": shift["metadata"]["name"]}
            self.told("ADDED", {**event, "firstTimestamp": at})
        self.moment("event", "after")
        return new


def _annotations(document: Document) -> Document:
    return document["metadata"].get("annotations") or {}


def annotated_by(manager: str, annotation: str, seconds: int = 0) -> Document:
    """An entry of managedFields: who wrote an annotation."""
    return {
        "manager": manager,
        "operation": "Update",
        "time": f"2026-01-01T00:00:{seconds:02d}Z",
        "fieldsV1": {"f:metadata": {"f:annotations": {f"f:{annotation}": {}}}},
    }


def _version(document: Document) -> dict[str, Any]:
    return {"op": "test", "path": "/metadata/resourceVersion", "value": document["metadata"]["resourceVersion"]}


class Silent:
    """A journal that keeps the decisions."""

    def __init__(self) -> None:
        self.decisions: list[Decision] = []

    def decided(
        self, key: tuple[str, str], shift: Document, observation: Observation | None, decision: Decision
    ) -> None:
        self.decisions.append(decision)

    def wrote(self, kind: str, result: str) -> None: ...

    def turned(self, key: tuple[str, str], shift: Document, turn: Turn, *, new: bool) -> None: ...

    def forgot(self, key: tuple[str, str]) -> None: ...


class Gates:
    """Every gate: `answer` says what it replies to a question, None while it makes one wait for that.

    A question counts as a call, so that the process can die at it.
    """

    def __init__(self, mesh: Mesh | None = None) -> None:
        self.mesh = mesh or Mesh()
        self.answer: Callable[[Question], Reply | None] = lambda question: Answered(200)
        self.asked: list[Question] = []

    async def ask(self, key: tuple[str, str], question: Question) -> Reply | None:
        self.mesh.moment("gate", "before")
        self.asked.append(question)
        self.mesh.moment("gate", "after")
        return self.answer(question)

    def forget(self, key: tuple[str, str]) -> None: ...


class Simulation:
    """The engine, the mesh and the traffic, one simulated second at a time."""

    api_server: type[Mesh] = Mesh

    def __init__(self, *, interval: float = 5.0, settle: float = 2.0, lag: float = 1.0) -> None:
        self.now = START
        self.mesh = self.api_server()
        self.traffic = Traffic()
        self.timing = Timing(settle=settle, lag=lag)
        self.interval = interval
        self.prometheus: QueryError | None = None
        self.answer: Callable[[Simulation, float], tuple[Series, ...] | QueryError] = lambda simulation, at: ()
        self.asked: list[tuple[str, float]] = []
        self.gates = Gates(self.mesh)
        self.controller: Callable[[Mesh, float], None] = lambda mesh, now: None
        self.watches = True
        self.checks: list[Callable[[Simulation], None]] = []
        self.restart()

    def restart(self) -> None:
        """A new process: everything in memory is gone."""
        self.world = World()
        self.journal = Silent()
        self.reconciler = Reconciler(
            self.world, self.mesh, self, self.journal, self.timing, self.gates, clock=lambda: self.now
        )
        self.due: float = 0.0
        self.known = 0
        self.sync()

    def sync(self) -> None:
        """What the watches bring: if anything changed, the shift is due."""
        if self.known == self.mesh.version:
            return
        self.known, self.due = self.mesh.version, 0.0
        tables = {
            "TrafficShift": self.world.shifts,
            "ShiftPolicy": self.world.policies,
            "Service": self.world.services,
            "Pod": self.world.pods,
            "VirtualService": self.world.virtual_services,
            "DestinationRule": self.world.destination_rules,
            "Deployment": self.world.deployments,
        }
        for (kind, _, _), document in self.mesh.objects.items():
            if kind in tables:
                tables[kind].put(copied(document))
        for kind, table in tables.items():
            for key, document in list(table.objects.items()):
                if (kind, *key) not in self.mesh.objects:
                    table.drop(document)

    async def silence(self, service: ServiceId, at: float) -> str:
        """The telemetry port."""
        return "nobody calls it"

    def destination(self, version: str) -> dict[str, str]:
        """The labels that say who answered."""
        return {"destination_workload": "unknown" if version == "unknown" else f"reviews-{version}"}

    async def snapshots(self, services: Sequence[ServiceId], at: float) -> Mapping[ServiceId, Snapshot] | QueryError:
        """The telemetry port."""
        if self.prometheus is not None:
            return self.prometheus
        requests, durations = [], []
        for (version, name), value in self.traffic.at(at).items():
            labels = {"pod": "client-0", "response_code": "200", **self.destination(version)}
            if name.startswith("le="):
                durations.append(Series.of({**labels, "le": name.removeprefix("le=")}, value))
            else:
                requests.append(Series.of({**labels, "response_code": name}, value))
        newest = at if self.traffic.readings else 0.0
        return {
            services[0]: Snapshot(at, tuple(requests), tuple(durations), newest=newest, asked="istio_requests_total")
        }

    async def query(self, promql: str, at: float) -> tuple[Series, ...] | QueryError:
        """The telemetry port, for users' queries."""
        self.asked.append((promql, at))
        return self.prometheus or self.answer(self, at)

    def shares(self) -> dict[str, float]:
        """Where traffic goes, as Envoy would read the VirtualService."""
        service = self.mesh.peek("VirtualService", "reviews")
        if not service:
            return {}
        destinations = service["spec"]["http"][-1]["route"]
        weights = [each.get("weight", 0) for each in destinations] if len(destinations) > 1 else [1]
        total = sum(weights) or 1
        return {
            each["destination"]["subset"]: weight / total
            for each, weight in zip(destinations, weights, strict=True)
            if weight and "subset" in each["destination"]
        }

    def run(self, seconds: float, *, until: Callable[[Simulation], bool] | None = None) -> None:
        """Let time pass; the engine is asked whenever it said it wants to be."""
        end = self.now + seconds
        while self.now < end and not (until and until(self)):
            self._second()

    def _second(self) -> None:
        self.now += 1.0
        self.traffic.flow(self.now, 1.0, self.shares())
        self.controller(self.mesh, self.now)
        if self.watches:
            self.sync()
        if self.now >= self.due:
            self.reconcile()
        for check in self.checks:
            check(self)

    def reconcile(self) -> None:
        """Passes until the engine wants to wait; a failure is tried again in the next second."""
        for _ in range(50):
            try:
                again = RUNNER.run(self.reconciler.reconcile(KEY))
            except ApiFailure:
                return
            except Killed:
                self.restart()
                return
            for check in self.checks:
                check(self)
            if again is None or again > 0:
                self.due = self.now + (again or 0.0)
                return
        raise AssertionError(f"no rest: {self.status.get('reason')} {self.status.get('message')}")

    # What tests ask and do.

    @property
    def status(self) -> Document:
        """The shift's status, to be looked at only; empty if there is none."""
        status: Document = self.mesh.peek("TrafficShift", "reviews").get("status") or {}
        return status

    @property
    def phase(self) -> str:
        """The phase, empty if there is none yet."""
        return str(self.status.get("phase", ""))

    @property
    def weight(self) -> float:
        """The canary's percent as Envoy has it."""
        return round(100 * self.shares().get("v2", 0.0), 6)

    def reasons(self) -> list[str]:
        """The reasons in the history, in order."""
        return [entry["reason"] for entry in self.status.get("history", [])]

    def command(self, text: str) -> None:
        """kubectl annotate."""

        def change(shift: Document) -> None:
            shift["metadata"].setdefault("annotations", {})["meshshift.io/command"] = text
            seconds = int(self.now) % 60
            shift["metadata"]["managedFields"] = [annotated_by("kubectl-annotate", COMMAND, seconds)]

        self.mesh.edit("TrafficShift", "reviews", change, spec=False)

    def delete(self) -> None:
        """kubectl delete."""
        self.mesh.edit(
            "TrafficShift",
            "reviews",
            lambda shift: shift["metadata"].update(deletionTimestamp=rfc3339(self.now)),
            spec=False,
        )

    @property
    def exists(self) -> bool:
        """Is the TrafficShift still there?"""
        return ("TrafficShift", NAMESPACE, "reviews") in self.mesh.objects


def shift(**spec: Any) -> Document:
    """A TrafficShift of reviews from v1 to v2 that asks for little patience."""
    canary = {"steps": [{"setWeight": 5}, {"setWeight": 25}, {"setWeight": 50}], "minStepDuration": "10s"}
    base: Document = {
        "service": "reviews",
        "stable": {"subset": "v1"},
        "canary": {"subset": "v2"},
        "strategy": {"canary": canary},
        "analysis": {"interval": "5s", "warmup": "0s"},
    }
    return {
        "apiVersion": "meshshift.io/v1alpha1",
        "kind": "TrafficShift",
        "metadata": {"name": "reviews"},
        "spec": base | spec,
    }


def pod(version: str, *, ready: bool = True, number: int = 0, since: float | None = None) -> Document:
    """A pod of reviews; `since` is when it became ready, long ago if None."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"reviews-{version}-{number}",
            "labels": {"app": "reviews", "version": version, "pod-template-hash": "abc"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": f"reviews-{version}-abc", "controller": True}],
        },
        "status": {
            "phase": "Running",
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True" if ready else "False",
                    "lastTransitionTime": "2023-11-14T22:13:20Z" if since is None else rfc3339(since),
                }
            ],
        },
    }


def policy(name: str = "careful", **spec: Any) -> Document:
    """A ShiftPolicy."""
    version = "meshshift.io/v1alpha1"
    return {"apiVersion": version, "kind": "ShiftPolicy", "metadata": {"name": name}, "spec": spec}


def governed(name: str = "careful", **spec: Any) -> Document:
    """A TrafficShift of reviews that leaves to a policy how it moves and how it is judged."""
    document = shift(policyRef={"name": name}, **spec)
    for name_of in {"strategy", "analysis"} - spec.keys():
        del document["spec"][name_of]
    return document


def bookinfo(**options: Any) -> Simulation:
    """reviews with v1 serving and v2 ready, subsets and a route in place."""
    simulation = Simulation(**options)
    mesh = simulation.mesh
    mesh.put({"kind": "Service", "metadata": {"name": "reviews"}, "spec": {"selector": {"app": "reviews"}}})
    mesh.put(pod("v1"))
    mesh.put(pod("v2"))
    mesh.put(rule("v1", "v2"))
    mesh.put(route({"v1": 100, "v2": 0}))
    for _ in range(30):
        simulation.now += 1.0
        simulation.traffic.flow(simulation.now, 1.0, {"v1": 1.0})
    return simulation


def rule(*versions: str) -> Document:
    """The DestinationRule with these subsets."""
    subsets = [{"name": version, "labels": {"version": version}} for version in versions]
    return {"kind": "DestinationRule", "metadata": {"name": "reviews"}, "spec": {"host": "reviews", "subsets": subsets}}


def route(weights: Mapping[str, int | None]) -> Document:
    """The VirtualService with these weights; None leaves the weight out."""
    destinations = [
        {"destination": {"host": "reviews", "subset": version}} | ({} if weight is None else {"weight": weight})
        for version, weight in weights.items()
    ]
    spec = {"hosts": ["reviews"], "http": [{"name": "default", "route": destinations}]}
    return {"kind": "VirtualService", "metadata": {"name": "reviews"}, "spec": spec}


def failing_call(call: str, failure: Exception, holds: Callable[[], bool]) -> Callable[[str, int, str], None]:
    """An interruption of all calls of one kind, while it holds."""

    def interrupt(name: str, number: int, moment: str) -> None:
        if name == call and moment == "before" and holds():
            raise failure

    return interrupt
