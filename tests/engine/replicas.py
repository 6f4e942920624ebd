"""Deployments of reviews in simulated time: what their controller and the kubelets do with a number of replicas."""

from __future__ import annotations

from typing import Any

from tests.engine.simulation import Document, Mesh, Simulation, bookinfo, pod, shift

SCALE = {"canary": "reviews-v2", "stable": "reviews-v1", "scaleDownDelay": "2m"}
FULL = 4
STARTUP = 4.0
"""Seconds from a pod's creation until it is ready; of each further one of a Deployment a second more."""


def deployment(version: str, replicas: int) -> Document:
    """The Deployment of a version of reviews."""
    labels = {"app": "reviews", "version": version}
    return {
        "kind": "Deployment",
        "metadata": {"name": f"reviews-{version}"},
        "spec": {"replicas": replicas, "template": {"metadata": {"labels": labels}}},
    }


def deploy(mesh: Mesh, now: float) -> None:
    """What the Deployment controller and the kubelets do in a second: pods come, become ready after a while, and go."""
    for (kind, _, name), document in list(mesh.objects.items()):
        if kind == "Deployment":
            _pods(mesh, now, name.removeprefix("reviews-"), document)


def _pods(mesh: Mesh, now: float, version: str, document: Document) -> None:
    wanted = int(document["spec"]["replicas"])
    present = [
        each
        for (kind, _, _), each in list(mesh.objects.items())
        if kind == "Pod" and each["metadata"]["labels"]["version"] == version
    ]
    for number in range(len(present), wanted):
        fresh = pod(version, ready=False, number=number)
        fresh["metadata"]["annotations"] = {"created": str(now)}
        mesh.put(fresh)
    for each in present[wanted:]:
        mesh.remove("Pod", each["metadata"]["name"])
    for number, each in enumerate(present[:wanted]):
        created = each["metadata"].get("annotations", {}).get("created")
        if (
            created
            and now - float(created) >= STARTUP + number
            and each["status"]["conditions"][0]["status"] == "False"
        ):
            grown = pod(version, number=number, since=now)
            mesh.put({**grown, "metadata": {**grown["metadata"], "annotations": {}}})
    ready = sum(each["status"]["conditions"][0]["status"] == "True" for each in present[:wanted])
    status = {"observedGeneration": document["metadata"]["generation"], "readyReplicas": ready}
    if document.get("status") != status:
        mesh.put({**document, "status": status})


def deployed(simulation: Simulation, canary: int = 0) -> None:
    """v1 with four replicas and v2 with some, none of them if not told otherwise."""
    simulation.controller = deploy
    simulation.mesh.put(deployment("v1", FULL))
    simulation.mesh.put(deployment("v2", canary))
    if not canary:
        simulation.mesh.remove("Pod", "reviews-v2-0")
    for second in range(8):
        deploy(simulation.mesh, simulation.now + second)


def arranged(*, canary: int = 0, scale: dict[str, Any] | None = None, **spec: Any) -> Simulation:
    """A shift that cares for the replicas of both."""
    simulation = bookinfo()
    deployed(simulation, canary)
    simulation.mesh.put(shift(scale=scale or SCALE, **spec))
    return simulation
