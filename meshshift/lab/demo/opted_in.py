"""A Service that has opted in, and what its owner does: annotate it once, then apply new versions and nothing else.

No TrafficShift is written here, no VirtualService and no DestinationRule: whatever becomes of them is the controller's
doing.  What is claimed about the beginning and the end of it is read from the API server.
"""

from __future__ import annotations

import asyncio
import copy
import time
from typing import TYPE_CHECKING

import yaml

from meshshift.adapters.kube import DEPLOYMENTS, SERVICES
from meshshift.api.annotations import PREFIX
from meshshift.core.run import Phase
from meshshift.lab.demo.checks import Check
from meshshift.lab.demo.frame import listed
from meshshift.lab.demo.story import NAME, NAMESPACE
from meshshift.lab.images import SAMPLE_IMAGE, image_environment
from meshshift.lab.rollout_status import rolled_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshshift.lab.demo.course import Course
    from meshshift.lab.demo.frame import Display
    from meshshift.lab.demo.story import Act, OptIn, Version
    from meshshift.lab.lab import Lab
    from meshshift.lab.sample import Document

FIRST = "v1"
"""The version that serves at first."""
_ADOPTED_WITHIN = 30.0
_RESTS_WITHIN = 60.0
_LOOK_EVERY = 0.2
_KEY = (NAMESPACE, NAME)
_BY_ISTIO = {"VirtualService", "DestinationRule"}


def mesh_before(documents: Sequence[Document], opt_in: OptIn | None) -> list[Document]:
    """The sample mesh as it is before its Service opts in: without VirtualServices and DestinationRules.

    In place, v1 is the image of a Deployment that has the Service's name.
    """
    if opt_in is None:
        return list(documents)
    plain = [document for document in documents if document["kind"] not in _BY_ISTIO]
    if not opt_in.in_place:
        return plain
    return [_one_deployment(document) if document["kind"] == "Deployment" else document for document in plain]


def policy(opt_in: OptIn) -> str:
    """The ShiftPolicy that the annotations name."""
    return f"""\
apiVersion: meshshift.io/v1alpha1
kind: ShiftPolicy
metadata: {{name: {opt_in.annotations["policy"]}, namespace: {NAMESPACE}}}
spec: {opt_in.policy}
"""


def opening(opt_in: OptIn) -> str:
    """What a person would type once."""
    said = "".join(f" \\\n  {PREFIX}{name}={value}" for name, value in opt_in.annotations.items())
    return f"kubectl apply -f - <<EOF\n{policy(opt_in)}EOF\nkubectl -n {NAMESPACE} annotate service {NAME}{said}"


async def deploy(lab: Lab, service: str, version: Version) -> None:
    """Apply the version's own Deployment."""
    await lab.deploy(
        version.name,
        service=service,
        replicas=version.replicas,
        error_rate=version.error_rate,
        latency_ms=version.latency_ms,
        latency_p99_ms=version.latency_p99_ms,
        environment={"COLD_REQUESTS": str(version.cold_requests)},
    )


class OptedIn:
    """The owner of the Service."""

    def __init__(self, lab: Lab, display: Display, opt_in: OptIn) -> None:
        self._lab = lab
        self._display = display
        self._opt_in = opt_in

    async def adopt(self) -> Check:
        """Annotate the Service and wait until all its traffic is in the mesh's routes."""
        deployment = NAME if self._opt_in.in_place else f"{NAME}-{FIRST}"
        self._display.say(
            f"\nat first there are service {NAME} and deployment {deployment}, and neither a VirtualService nor a "
            f"DestinationRule; the service opts in, once:\n\n{opening(self._opt_in)}\n"
        )
        before = self._routed_already()
        await self._lab.apply(yaml.safe_load(policy(self._opt_in)))
        annotations = {f"{PREFIX}{name}": value for name, value in self._opt_in.annotations.items()}
        await self._lab.client.patch(SERVICES, *_KEY, {"metadata": {"annotations": annotations}}, kind="merge")
        claim = f"{NAME} is adopted, from neither a VirtualService nor a DestinationRule"
        adopted = await self._claim(claim, FIRST, "adopted", _ADOPTED_WITHIN)
        return Check(claim, adopted.holds and not before, ", ".join(before) or adopted.seen)

    def command(self, act: Act) -> str:
        """What a person would type for a new version."""
        version = act.canary.name
        if self._opt_in.in_place:
            return f"kubectl -n {NAMESPACE} set image deployment/{NAME} app={image_of(act.canary)}"
        return f"kubectl apply -f {NAME}-{version}.yaml    # a deployment whose pods have the label version: {version}"

    async def bring(self, act: Act) -> None:
        """Apply a new version."""
        if not self._opt_in.in_place:
            await deploy(self._lab, act.service, act.canary)
            return
        image = {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image_of(act.canary)}
        await self._lab.client.patch(DEPLOYMENTS, *_KEY, [image], kind="json")

    async def rest(self, course: Course) -> Sequence[Check]:
        """After a promotion: wait until the new version is where the old one was, and nothing is left to do."""
        if course.last.phase is not Phase.SUCCEEDED:
            return ()
        version = course.act.canary.name
        if self._opt_in.in_place:
            self._display.say(f"{version} is proven: its copy serves while deployment {NAME} rolls it out")
        claim = f"{version} has taken the place of {course.act.stable}"
        return (await self._claim(claim, version, f"{version} is in its place", _RESTS_WITHIN),)

    async def _claim(self, claim: str, version: str, words: str, patience: float) -> Check:
        """Wait until the version is all there is, and say in `words` that it is."""
        began = time.monotonic()
        while not (holds := self._is_alone(version)) and time.monotonic() - began < patience:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_EVERY)
        waited = time.monotonic() - began
        after = f"not within {patience:g} s: " if not holds else f"{waited:.0f} s later: " if waited > 1 else ""
        self._display.say(f"{after}{words}, {self._seen()}")
        return Check(claim, holds, self._seen())

    def _is_alone(self, version: str) -> bool:
        """Whether the routes send everything to the version, and no other pods wait to become it."""
        if not self._opt_in.in_place:
            return self._weights() == {version: 100} and version in self._subsets()
        deployments = self._deployments()
        own = deployments.get(NAME)
        return (
            own is not None
            and self._weights() == {"stable": 100}
            and self._subsets().get("stable") == own["spec"]["selector"]["matchLabels"]
            and list(deployments) == [NAME]
            and _image(own) == f"{SAMPLE_IMAGE}:{version}"
            and bool(own["spec"].get("paused"))
            and rolled_out(own)
        )

    def _seen(self) -> str:
        """Where the traffic goes, and in place what is there to take it."""
        routes = listed([f"{weight}% to subset {subset}" for subset, weight in self._weights().items()] or ["nothing"])
        subsets = listed([*self._subsets()] or ["none"])
        told = f"VirtualService {NAME} sends {routes}, DestinationRule {NAME} names {subsets}"
        if not self._opt_in.in_place:
            return told
        return ", ".join([told, *(_in_words(name, one) for name, one in sorted(self._deployments().items()))])

    def _weights(self) -> dict[str, int]:
        """The subsets that get anything, in percent; empty if there is no VirtualService."""
        document = self._lab.state.virtual_services.objects.get(_KEY)
        routes = document["spec"]["http"][0]["route"] if document else []
        weights = {one["destination"].get("subset", "of all pods"): one.get("weight", 100) for one in routes}
        return {subset: weight for subset, weight in weights.items() if weight}

    def _subsets(self) -> dict[str, dict[str, str]]:
        rule = self._lab.state.destination_rules.objects.get(_KEY)
        return {one["name"]: one.get("labels", {}) for one in rule["spec"].get("subsets", ())} if rule else {}

    def _deployments(self) -> dict[str, Document]:
        found = self._lab.state.deployments.objects.items()
        return {name: document for (namespace, name), document in found if namespace == NAMESPACE}

    def _routed_already(self) -> list[str]:
        state = self._lab.state
        kinds = {"VirtualService": state.virtual_services, "DestinationRule": state.destination_rules}
        return [f"there was a {kind}" for kind, watched in kinds.items() if _KEY in watched.objects]


def image_of(version: Version) -> str:
    """The image that behaves as the version does (`images`)."""
    return f"{SAMPLE_IMAGE}:{version.name}"


def _in_words(name: str, deployment: Document) -> str:
    paused = "paused " if deployment["spec"].get("paused") else ""
    return f"deployment {name} is {paused}at {_image(deployment).rpartition(':')[2]}"


def _image(deployment: Document) -> str:
    image: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def _one_deployment(document: Document) -> Document:
    """The Deployment of v1 under the Service's name, its version said by nothing but the image."""
    made = copy.deepcopy(document)
    labels = {"app": NAME}
    made["metadata"] |= {"name": NAME, "labels": labels}
    made["spec"]["selector"] = {"matchLabels": labels}
    made["spec"]["template"]["metadata"]["labels"] = labels
    container = made["spec"]["template"]["spec"]["containers"][0]
    container["image"] = f"{SAMPLE_IMAGE}:{FIRST}"
    brought = image_environment(container["image"])
    container["env"] = [one for one in container["env"] if one["name"] not in brought]
    return made
