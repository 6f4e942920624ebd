"""Where a subcommand takes its TrafficShift from: a file that somebody saved, or the cluster."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from kubernetes.aio.config import ConfigException, list_kube_config_contexts

from meshshift.adapters.kube import SHIFT_POLICIES, TRAFFIC_SHIFTS, KubeClient
from meshshift.api.policies import Policy, policy_name
from meshshift.cli.flags import CLUSTER, Option
from meshshift.cli.manifests import read_manifests
from meshshift.cli.policies import policies_in
from meshshift.core.mesh.documents import shown
from meshshift.engine.failures import ApiFailure, NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from meshshift.adapters.kube import Document

SOURCE: tuple[Option, ...] = (
    click.argument("name", required=False),
    click.option("-n", "--namespace", help="Namespace of the TrafficShift; default: that of the kubeconfig's context."),
    click.option(
        "-f",
        "--filename",
        type=click.Path(exists=True, dir_okay=False, allow_dash=True),
        help="Take it from a file (a manifest, or saved by kubectl get -o yaml); - reads standard input.",
    ),
    *CLUSTER,
)
"""The flags that say which TrafficShift is meant."""


@dataclass(frozen=True, slots=True)
class Source:
    """The values of these flags."""

    name: str | None
    namespace: str | None
    filename: str | None
    kubeconfig: Path | None
    context: str | None

    def load(self) -> Document:
        """The TrafficShift; raises ClickException with what to do if there is none."""
        return self.load_whole()[0]

    def load_whole(self) -> tuple[Document, dict[tuple[str, str], Policy]]:
        """The TrafficShift and the policies that come with it; raises ClickException if there is no such shift.

        A cluster is asked for the policy that the shift names; a file has those it has.
        """
        if (self.name is None) == (self.filename is None):
            got = "both were given" if self.name else "neither was given"
            raise click.UsageError(f"give the name of a TrafficShift or --filename, one of them: {got}")
        return self._from_file(self.filename) if self.filename else asyncio.run(self._from_cluster(str(self.name)))

    def _from_file(self, filename: str) -> tuple[Document, dict[tuple[str, str], Policy]]:
        manifests = read_manifests([filename], "default", {TRAFFIC_SHIFTS.kind, SHIFT_POLICIES.kind})
        shifts = [each for each in manifests if each.ref.kind == TRAFFIC_SHIFTS.kind]
        if len(shifts) != 1:
            fix = "save one with kubectl get trafficshift NAME -o yaml"
            raise click.ClickException(f"{filename} holds {len(shifts)} TrafficShifts where one is needed; {fix}")
        shift = shifts[0].document
        for name in ("spec", "status"):
            if not isinstance(shift.get(name) or {}, dict):
                fix = f"write an object, as kubectl get trafficshift {shifts[0].ref.name} -o yaml does"
                raise click.ClickException(f"{filename}: {shifts[0].ref}: {name} is {shown(shift[name])}; {fix}")
        policies = {key: each for key, each in policies_in(manifests).items() if key[0] == shifts[0].ref.namespace}
        if self.namespace:
            shift["metadata"]["namespace"] = self.namespace
            policies = {(self.namespace, name): each for (_, name), each in policies.items()}
        return shift, policies

    async def _from_cluster(self, name: str) -> tuple[Document, dict[tuple[str, str], Policy]]:
        try:
            namespace = self.namespace or self._context_namespace()
            async with await KubeClient.connect(self.kubeconfig, self.context) as client:
                shift = await client.get(TRAFFIC_SHIFTS, namespace, name)
                return shift, await _named(client, shift)
        except ConfigException as error:
            fix = "give --kubeconfig, or a saved TrafficShift with --filename"
            raise click.ClickException(f"no cluster to connect to: {error}; {fix}") from error
        except NotFound as error:
            fix = "kubectl get trafficshifts --all-namespaces lists those there are"
            raise click.ClickException(f"there is no TrafficShift {name} in namespace {namespace}; {fix}") from error
        except ApiFailure as error:
            raise click.ClickException(f"TrafficShift {name} cannot be read: {error}") from error

    def _context_namespace(self) -> str:
        """What kubectl would take: the namespace of the context, else `default`."""
        try:
            contexts, active = list_kube_config_contexts(str(self.kubeconfig) if self.kubeconfig else None)
        except ConfigException:
            return "default"
        chosen = next((each for each in contexts if each["name"] == self.context), active)
        return str(chosen["context"].get("namespace") or "default")


async def _named(client: KubeClient, shift: Document) -> dict[tuple[str, str], Policy]:
    """The policy that a shift names, if it names one that is there."""
    namespace, name = shift["metadata"]["namespace"], policy_name(shift.get("spec"))
    if name is None:
        return {}
    try:
        document = await client.get(SHIFT_POLICIES, namespace, name)
    except NotFound:
        return {}
    return {(namespace, name): Policy(name, document.get("spec"))}
