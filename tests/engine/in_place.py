"""A Service with one Deployment that is updated in place, in simulated time, with a Deployment controller beside it.

The Deployment controller is the lab's: its arithmetic and its status.  Pods become ready a few seconds after they were
created, and what users see follows subsets and labels as Envoy would read them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from meshshift.core.in_place.deployments import COPY
from meshshift.core.pods import ready_since, workload
from meshshift.lab.replica_sets import HASH_LABEL, template_hash
from meshshift.lab.rollout import Generation, plan
from meshshift.lab.rollout_status import deployment_status, desired_replicas
from tests.engine.enrolment import Enrolling, service
from tests.engine.simulation import NAMESPACE, Behaviour, Document, copied

STARTUP = 3.0
"""Seconds from a pod's creation to its readiness."""
NEVER = "v6"
"""The tag whose pods never become ready."""


class InPlace(Enrolling):
    """The Service `reviews`, the Deployment `reviews`, and what makes pods of it."""

    def __init__(self, **options: Any) -> None:
        self.behaviours: dict[str, Behaviour] = {}
        self.wanted: dict[tuple[str, str], int] = {}
        self.created: dict[str, float] = {}
        self.templates: dict[tuple[str, str], Document] = {}
        self.made = 0
        self.created_services = 0
        self.deleted_at = 0
        self.routed = 0.0
        self.proven: set[str] = set()
        self.loses = False
        self.held = False
        self.resumed: list[str] = []
        super().__init__(**options)
        self.mesh.told = self._hear

    def _hear(self, _: str, document: Document) -> None:
        """Remember what the Deployment had as its template whenever it was resumed."""
        if (document["kind"], document["metadata"]["name"]) == ("Deployment", "reviews"):
            paused = bool(document["spec"].get("paused"))
            if self.held and not paused:
                self.resumed.append(self.tag(document["spec"]["template"]))
            self.held = paused

    def restart(self) -> None:
        super().restart()
        self.world.watches_deployments = True

    def _second(self) -> None:
        self.run_deployments()
        self.collect()
        super()._second()

    # The Deployment controller, the garbage collector and the kubelet.

    def run_deployments(self) -> None:
        """One look at every Deployment."""
        present = {key[2]: each for key, each in self.mesh.objects.items() if key[0] == "Deployment"}
        uids = {each["metadata"]["uid"] for each in present.values()}
        for name, document in present.items():
            owners = document["metadata"].get("ownerReferences") or []
            if owners and not any(owner["uid"] in uids for owner in owners):
                self.mesh.remove("Deployment", name)
            else:
                self._roll(name, document)
        for name, pod in self.pods().items():
            if pod["metadata"]["labels"].get("run") not in {
                key[2] for key in self.mesh.objects if key[0] == "Deployment"
            }:
                self.mesh.remove("Pod", name)
            elif not ready_since(pod) and self.now >= self.created[name] + STARTUP and self.tag(pod) != NEVER:
                self.mesh.put(_ready(pod, self.now))

    def collect(self) -> None:
        """One look of the garbage collector at what the Service owns: with its owner an object goes."""
        owner = self.mesh.peek("Service", "reviews").get("metadata", {}).get("uid")
        for (kind, _, name), document in list(self.mesh.objects.items()):
            owners = [each for each in document["metadata"].get("ownerReferences") or [] if each["kind"] == "Service"]
            if not owners or owner in {each["uid"] for each in owners}:
                continue
            if not document["metadata"].get("finalizers"):
                self.mesh.remove(kind, name)
            elif not document["metadata"].get("deletionTimestamp"):
                self.delete()

    def _roll(self, name: str, document: Document) -> None:
        template, spec = document["spec"]["template"], document["spec"]
        new = template_hash(template)
        known = [key for key in self.wanted if key[0] == name]
        if (name, new) not in known and not spec.get("paused"):
            self.wanted[name, new] = 0
            known.append((name, new))
        current = self._generation((name, new)) if (name, new) in known else None
        old = [self._generation(key) for key in known if key[1] != new]
        count = desired_replicas(document)
        for each, number in plan(
            count, spec.get("strategy") or {}, current, old, paused=bool(spec.get("paused"))
        ).items():
            key = next(key for key in known if "-".join(key) == each)
            self.wanted[key] = number
            self._size(key, number, document if key[1] == new else None)
        current = self._generation((name, new)) if (name, new) in known else None
        old = [self._generation(key) for key in known if key[1] != new]
        status = deployment_status(document, current, old, datetime.fromtimestamp(self.now, UTC))
        if status != document.get("status"):
            self.mesh.put({**self.mesh.get("Deployment", name), "status": status})

    def _size(self, key: tuple[str, str], number: int, document: Document | None) -> None:
        pods = self._of(key)
        for name in sorted(pods, key=lambda name: (ready_since(pods[name]) is None, self.created[name]))[number:]:
            self.mesh.remove("Pod", name)
        if document is not None:
            self.templates[key] = copied(document["spec"]["template"])
        for _ in range(number - len(pods)):
            self.made += 1
            name = f"{'-'.join(key)}-{self.made}"
            self.created[name] = self.now
            self.mesh.put(_pod(name, key, self.templates[key]))

    def _of(self, key: tuple[str, str]) -> dict[str, Document]:
        found = self.pods().items()
        return {
            name: pod for name, pod in found if _labels(pod)["run"] == key[0] and _labels(pod)[HASH_LABEL] == key[1]
        }

    def _generation(self, key: tuple[str, str]) -> Generation:
        pods = self._of(key).values()
        ready = sum(ready_since(pod) is not None for pod in pods)
        return Generation("-".join(key), self.wanted[key], len(pods), ready, ready)

    # The mesh.

    def shares(self) -> dict[str, float]:
        """Nobody is called by the name of a Service that is gone."""
        return super().shares() if self.mesh.peek("Service", "reviews") else {}

    def pods(self) -> dict[str, Document]:
        return {key[2]: each for key, each in self.mesh.objects.items() if key[0] == "Pod"}

    @staticmethod
    def tag(pod: Document) -> str:
        return str(pod["spec"]["containers"][0]["image"]).rpartition(":")[2]

    def _behind(self, subset: str | None) -> dict[str, float]:
        rule = self.mesh.peek("DestinationRule", "reviews")
        subsets = {each["name"]: each["labels"] for each in rule["spec"].get("subsets", [])} if rule else {}
        if subset is not None and subset not in subsets:
            return {"lost": 1.0}
        wanted = {"app": "reviews", **(subsets[subset] if subset is not None else {})}.items()
        found = [
            f"{workload(pod)}|{self.tag(pod)}"
            for pod in self.pods().values()
            if ready_since(pod) is not None and wanted <= _labels(pod).items()
        ]
        for each in found:
            self.traffic.versions[each] = self.behaviours.get(each.partition("|")[2], Behaviour())
        return {each: found.count(each) / len(found) for each in found} or {"lost": 1.0}

    def destination(self, version: str) -> dict[str, str]:
        """Who answered, by the workload's own name, and the tag of its image."""
        owner, _, tag = version.partition("|")
        return {"destination_workload": owner, "tag": tag}

    # What tests do and ask.

    def set_image(self, tag: str, *, failing: float | None = None) -> None:
        """kubectl set image."""
        if failing is not None:
            self.behaviours[tag] = Behaviour(failing=failing)

        def change(document: Document) -> None:
            document["spec"]["template"]["spec"]["containers"][0]["image"] = f"meshshift/sample:{tag}"

        self.mesh.edit("Deployment", "reviews", change)

    def scale(self, replicas: int) -> None:
        """kubectl scale, or a HorizontalPodAutoscaler."""
        self.mesh.edit("Deployment", "reviews", lambda document: document["spec"].update(replicas=replicas))

    def resume_by_hand(self) -> None:
        """kubectl rollout resume."""
        self.held = False
        self.mesh.edit("Deployment", "reviews", lambda document: document["spec"].update(paused=False))

    def delete_service(self) -> None:
        """kubectl delete service."""
        self.deleted_at = len(self.mesh.calls)
        self.mesh.remove("Service", "reviews")

    def keep_mesh(self, *kinds: str) -> None:
        """The VirtualService and the DestinationRule are somebody's own, and stay without the Service."""
        for kind in kinds or ("VirtualService", "DestinationRule"):
            self.mesh.edit(kind, "reviews", lambda each: each["metadata"].pop("ownerReferences", None), spec=False)

    def create_service(self, annotations: dict[str, str] | None = None) -> None:
        """A Service of the same name, another object."""
        self.created_services += 1
        document = service(annotations)
        document["metadata"]["uid"] += f"-{self.created_services}"
        self.mesh.put(document)

    def delete_copy(self) -> None:
        """kubectl delete deployment, of the copy."""
        for each in self.copies():
            self.mesh.remove("Deployment", each)

    def copies(self) -> list[str]:
        """The names of the copies that there are."""
        return [key[2] for key, each in self.mesh.objects.items() if key[0] == "Deployment" and _labels(each).get(COPY)]

    def of_copy(self) -> list[Document]:
        """The pods that the service's shift was about."""
        labels = self.mesh.peek("TrafficShift", "reviews")["spec"]["canary"]["labels"].items()
        return [pod for pod in self.pods().values() if labels <= _labels(pod).items()]

    def tags(self) -> dict[str, float]:
        """Which versions get the traffic, whoever runs them."""
        out: dict[str, float] = {}
        for who, share in self.shares().items():
            tag = who.partition("|")[2] or who
            out[tag] = round(out.get(tag, 0.0) + share, 6)
        return out

    def runs(self) -> dict[str, int]:
        """The versions that the original's pods have."""
        tags = [self.tag(pod) for pod in self.pods().values() if _labels(pod)["run"] == "reviews"]
        return {tag: tags.count(tag) for tag in set(tags)}

    @property
    def original(self) -> Document:
        """The Deployment."""
        return self.mesh.peek("Deployment", "reviews")

    @property
    def held_for(self) -> str:
        """The Service that the Deployment says it is paused for."""
        return str((self.original["metadata"].get("annotations") or {}).get("meshshift.io/paused-for", ""))

    @property
    def rejected(self) -> str:
        """What the Deployment says of a rejected template."""
        return str((self.original["metadata"].get("annotations") or {}).get("meshshift.io/rejected", ""))

    def at_rest(self, tag: str, replicas: int = 2) -> bool:
        """Does the Deployment itself serve this version, paused, with nothing beside it?"""
        paused = bool(self.original["spec"].get("paused"))
        whole = self.subset("stable") == {"app": "reviews"}
        return paused and whole and self.runs() == {tag: replicas} and self.tags() == {tag: 1.0} and not self.copies()

    def subset(self, name: str) -> dict[str, str] | None:
        """The labels of a subset."""
        rule = self.mesh.peek("DestinationRule", "reviews")
        found = {each["name"]: each["labels"] for each in rule["spec"].get("subsets", [])} if rule else {}
        return found.get(name)


def deployment(tag: str = "v1", replicas: int = 2) -> Document:
    """The Deployment."""
    labels = {"app": "reviews"}
    container = {"name": "app", "image": f"meshshift/sample:{tag}"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "reviews", "namespace": NAMESPACE, "uid": "uid-deployment-reviews"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def running(**options: Any) -> InPlace:
    """The Service and its Deployment at v1, nothing of Istio, and half a minute of traffic."""
    simulation = InPlace(**options)
    simulation.mesh.put(service())
    simulation.mesh.put(deployment())
    for _ in range(30):
        simulation.now += 1.0
        simulation.run_deployments()
        if any(ready_since(pod) for pod in simulation.pods().values()):
            simulation.traffic.flow(simulation.now, 1.0, simulation.shares())
    return simulation


def _labels(document: Document) -> dict[str, str]:
    labels: dict[str, str] = document["metadata"].get("labels") or {}
    return labels


def _pod(name: str, key: tuple[str, str], template: Document) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {**_labels(template), HASH_LABEL: key[1], "run": key[0]},
            "ownerReferences": [
                {"kind": "ReplicaSet", "name": "-".join(key), "controller": True, "uid": "-".join(key)}
            ],
        },
        "spec": copied(template["spec"]),
        "status": {"phase": "Running", "conditions": []},
    }


def _ready(pod: Document, now: float) -> Document:
    at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": at}]
    return {**pod, "status": {"phase": "Running", "conditions": conditions}}
