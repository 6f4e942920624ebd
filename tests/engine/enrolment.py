"""A Service that opts in, in simulated time: its pods come and go, and both loop bodies work as in one process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from meshshift.api.status import rfc3339
from meshshift.core.enrolment.view import Act
from meshshift.core.pods import ready_since
from meshshift.engine.enrolling import Enroller
from meshshift.engine.failures import ApiFailure
from tests.engine.simulation import KEY, NAMESPACE, RUNNER, Behaviour, Document, Killed, Simulation

UID = "uid-service-reviews"
POLICY = {"strategy": "canary", "steps": "5,25,50", "step-duration": "10s"}


class Acts:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.forgotten = 0

    def acted(self, key: tuple[str, str], act: Act) -> None:
        if not self.acts or self.acts[-1] != act:
            self.acts.append(act)

    def forgot(self, key: tuple[str, str]) -> None:
        self.forgotten += 1


class Enrolling(Simulation):
    """The Service `reviews`, whatever is around it, and both loop bodies; `enrolling` tells whose call it is."""

    enrolling = False

    def restart(self) -> None:
        """A new process: everything in memory is gone, of both."""
        self.acts = Acts()
        super().restart()
        self.enroller = Enroller(
            self.world, self.mesh, lambda: self.timing, self.acts, lambda key: None, clock=lambda: self.now
        )
        self.service_due = 0.0

    def sync(self) -> None:
        """Whatever changed wakes the Service, too."""
        if self.known != self.mesh.version:
            self.service_due = 0.0
        super().sync()

    def reconcile(self) -> None:
        """Both loop bodies, each when it is due."""
        if self.exists and self.now >= self.due:
            super().reconcile()
        if self.now >= self.service_due:
            self.enrol()

    def _second(self) -> None:
        self.now += 1.0
        self.traffic.flow(self.now, 1.0, self.shares())
        if self.watches:
            self.sync()
        self.reconcile()
        for check in self.checks:
            check(self)

    def enrol(self) -> None:
        """Passes over the Service until it wants to wait; a failure is tried again in the next second."""
        for _ in range(50):
            try:
                self.enrolling = True
                again = RUNNER.run(self.enroller.reconcile(KEY))
            except ApiFailure:
                return
            except Killed:
                self.restart()
                return
            finally:
                self.enrolling = False
            for check in self.checks:
                check(self)
            if again is None or again > 0:
                self.service_due = self.now + (3600.0 if again is None else again)
                return
        raise AssertionError(f"no rest: {self.acts.acts[-3:]}")

    def shares(self) -> dict[str, float]:
        """Without a VirtualService, or a subset, every ready pod gets as much as the others."""
        weights: dict[str, float] = {}
        service = self.mesh.peek("VirtualService", "reviews")
        spread: list[Document] = [{"destination": {"host": "reviews"}}]
        route: list[Document] = service["spec"]["http"][-1]["route"] if service else spread
        total = sum(each.get("weight", 0) for each in route) if len(route) > 1 else 1
        for each in route:
            part = (each.get("weight", 0) if len(route) > 1 else 1) / (total or 1)
            for version, share in self._behind(each["destination"].get("subset")).items():
                if part:
                    weights[version] = weights.get(version, 0.0) + part * share
        return weights

    def _behind(self, subset: str | None) -> dict[str, float]:
        """Who answers for a subset; `lost` where it is not there or has no ready pod, which users see as 503."""
        rule = self.mesh.peek("DestinationRule", "reviews")
        subsets = {each["name"]: each["labels"] for each in rule["spec"].get("subsets", [])} if rule else {}
        if subset is not None and subset not in subsets:
            return {"lost": 1.0}
        wanted = subsets[subset] if subset is not None else {}
        versions = [
            pod["metadata"]["labels"].get("version", "nameless")
            for (kind, _, _), pod in self.mesh.objects.items()
            if kind == "Pod" and ready_since(pod) is not None and wanted.items() <= pod["metadata"]["labels"].items()
        ]
        return {each: versions.count(each) / len(versions) for each in versions} or {"lost": 1.0}

    # What tests do and ask.

    def wait_for(self, condition: Callable[[], bool], seconds: float = 900.0) -> None:
        """Let time pass until it holds; AssertionError that says where things stand if it does not come to hold."""
        self.run(seconds, until=lambda _: condition())
        assert condition(), (self.phase, self.status.get("message"), self.shares(), self.acts.acts[-2:])

    def annotate(self, **annotations: str | None) -> None:
        """kubectl annotate: None takes an annotation off; underscores stand for dashes."""

        def change(service: Document) -> None:
            present = service["metadata"].setdefault("annotations", {})
            for name, value in annotations.items():
                key = f"meshshift.io/{name.replace('_', '-')}"
                if value is None:
                    present.pop(key, None)
                else:
                    present[key] = value

        self.mesh.edit("Service", "reviews", change, spec=False)

    def opt_in(self, **annotations: str) -> None:
        """With small, quick steps."""
        self.annotate(**{"strategy": "canary", "steps": "5,25,50", "step_duration": "10s", **annotations})

    def deploy(
        self, version: str, *, template: str = "abc", ready: bool = True, pods: int = 1, **behaviour: float
    ) -> None:
        """kubectl apply of a Deployment: the pods of another template go."""
        if behaviour:
            self.traffic.versions[version] = Behaviour(**behaviour)
        self.remove(version)
        for number in range(pods):
            self.mesh.put(pod(version, number, template=template, ready=ready, created=self.now))

    def remove(self, version: str) -> None:
        """kubectl delete of a Deployment."""
        for kind, _, name in list(self.mesh.objects):
            if kind == "Pod" and name.startswith(f"reviews-{version}-"):
                self.mesh.remove("Pod", name)

    def subsets(self) -> list[str]:
        """The subsets in the DestinationRule."""
        rule = self.mesh.peek("DestinationRule", "reviews")
        return [each["name"] for each in rule["spec"].get("subsets", [])] if rule else []

    def weights(self) -> dict[str, int | None]:
        """The destinations of the route, by subset."""
        service = self.mesh.peek("VirtualService", "reviews")
        route = service["spec"]["http"][-1]["route"] if service else []
        return {each["destination"].get("subset", ""): each.get("weight") for each in route}

    def serves(self, version: str) -> bool:
        """Does the version get all traffic, and nothing else happen?"""
        ended = not self.exists or self.phase in {"Succeeded", "RolledBack"}
        return ended and self.shares() == {version: 1.0} and bool(self.weights())

    @property
    def reason(self) -> str:
        """Why the last pass over the Service did what it did."""
        return self.acts.acts[-1].reason if self.acts.acts else ""


def pod(version: str, number: int, *, template: str, ready: bool, created: float) -> Document:
    """A pod of `reviews`."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"reviews-{version}-{template}-{number}",
            "labels": {"app": "reviews", "version": version, "pod-template-hash": template},
            "ownerReferences": [{"kind": "ReplicaSet", "name": f"reviews-{version}-{template}", "controller": True}],
            "creationTimestamp": rfc3339(created),
        },
        "status": {
            "phase": "Running",
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True" if ready else "False",
                    "lastTransitionTime": "2023-11-14T22:13:20Z",
                }
            ],
        },
    }


def service(annotations: Mapping[str, str] | None = None, **spec: Any) -> Document:
    """The Service."""
    metadata: Document = {"name": "reviews", "namespace": NAMESPACE, "uid": UID}
    if annotations:
        metadata["annotations"] = dict(annotations)
    ports = [{"name": "http", "port": 9080}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"selector": {"app": "reviews"}, "ports": ports, **spec},
    }


def bare(simulation: Enrolling | None = None, **options: Any) -> Enrolling:
    """The Service with v1 behind it, and nothing of Istio."""
    simulation = simulation or Enrolling(**options)
    simulation.mesh.put(service())
    simulation.deploy("v1", template="one")
    for _ in range(30):
        simulation.now += 1.0
        simulation.traffic.flow(simulation.now, 1.0, {"v1": 1.0})
    return simulation
