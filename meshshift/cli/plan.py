"""`meshshift plan`: what a shift would write to the mesh, step by step, from manifests alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import jsonpatch

from meshshift.api.convert import spec_from_wire
from meshshift.api.errors import InvalidSpec
from meshshift.cli.flags import output_format, with_options
from meshshift.cli.manifests import MANIFESTS, Manifest, read_manifests, repeated
from meshshift.cli.plan_text import as_diff, as_entries, as_yaml
from meshshift.cli.policies import policies_in, whole_spec
from meshshift.core.plain_text import one_line
from meshshift.core.planning import Plan
from meshshift.core.planning import plan as planned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshshift.core.mesh.documents import Document, PatchOperation

_MESH_KINDS = ("VirtualService", "DestinationRule")
OUTPUT = output_format("Diffs for people, or JSON Patches as JSON or YAML.", "diff", "json", "yaml")


@click.command()
@with_options((*MANIFESTS, OUTPUT))
def plan(filenames: Sequence[str], namespace: str, cluster_domain: str, output: str) -> None:
    """Show what each step of the TrafficShifts in the files would write, without a cluster.

    The files also hold the VirtualServices and DestinationRules, and the ShiftPolicies that the shifts name; other
    kinds are passed over. Step 0 is the
    preparation, then come the steps of the spec. If a shift could not be carried out, everything that is wrong is said,
    nothing is planned, and the exit code is 1.
    """
    manifests = [
        each
        for each in read_manifests(filenames, namespace)
        if each.ref.kind in ("TrafficShift", "ShiftPolicy", *_MESH_KINDS)
    ]
    plans: list[tuple[Manifest, Plan]] = []
    wrong = list(repeated(manifests).values())
    for shift in (each for each in manifests if each.ref.kind == "TrafficShift"):
        found = _plan(shift, manifests, cluster_domain)
        if isinstance(found, Plan):
            plans.append((shift, found))
        else:
            wrong += [f"{shift.ref}: {message}" for message in found]
    if not plans and not wrong:
        wrong = [f"there is no TrafficShift in {', '.join(filenames)}; give its manifest with -f, too"]
    if wrong:
        for message in wrong:
            click.echo(one_line(f"Error: {message}"), err=True)
        raise SystemExit(1)
    for _, each in plans:
        for skipped in each.skipped:
            click.echo(one_line(f"Note: {skipped.why.message}"), err=True)
    click.echo(_rendered(plans, output), nl=False)


def _plan(shift: Manifest, manifests: Sequence[Manifest], cluster_domain: str) -> Plan | tuple[str, ...]:
    try:
        spec = spec_from_wire(whole_spec(shift.document, policies_in(manifests)), namespace=shift.ref.namespace)
    except InvalidSpec as invalid:
        return tuple(map(str, invalid.errors))
    mesh = [each.document for each in manifests if each.ref.kind in _MESH_KINDS]
    return planned(spec, shift.ref.namespace, mesh, _applied, cluster_domain)


def _applied(document: Document, operations: tuple[PatchOperation, ...]) -> Document:
    after: Document = jsonpatch.apply_patch(document, [dict(each) for each in operations])
    return after


def _rendered(plans: Sequence[tuple[Manifest, Plan]], output: str) -> str:
    if output == "diff":
        return "\n".join(as_diff(shift.ref, each) for shift, each in plans)
    entries = [entry for shift, each in plans for entry in _entries(shift, each, several=len(plans) > 1)]
    return json.dumps(entries, indent=2, allow_nan=False) + "\n" if output == "json" else as_yaml(entries)


def _entries(shift: Manifest, each: Plan, *, several: bool) -> list[dict[str, Any]]:
    """The entries of one shift, which say whose they are as soon as there are several."""
    whose = {"shift": {"namespace": shift.ref.namespace, "name": shift.ref.name}} if several else {}
    return [{**whose, **entry} for entry in as_entries(each)]
