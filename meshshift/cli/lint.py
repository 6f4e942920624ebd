"""`meshshift lint`: what would go wrong with a set of manifests, before any of them is applied."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from meshshift.api.convert import spec_from_wire
from meshshift.api.errors import InvalidSpec
from meshshift.cli.flags import output_format, with_options
from meshshift.cli.manifests import MANIFESTS, Manifest, read_manifests, repeated
from meshshift.cli.policies import policies_in, unnamed, whole_spec
from meshshift.core.lint.findings import Finding, ManifestSet, Severity, Shift, error
from meshshift.core.lint.rules import lint as linted
from meshshift.core.plain_text import one_line
from meshshift.core.planning import with_version

if TYPE_CHECKING:
    from collections.abc import Sequence

OUTPUT = output_format("A line for each finding, or JSON.", "text", "json")


@click.command()
@with_options((*MANIFESTS, OUTPUT))
def lint(filenames: Sequence[str], namespace: str, cluster_domain: str, output: str) -> None:
    """Check TrafficShifts, ShiftPolicies, VirtualServices, DestinationRules and Services, without a cluster.

    Each finding is a line `FILE: KIND NAMESPACE/NAME: SEVERITY: MESSAGE`. The exit code is 1 if there is an error, and
    0 if there are only warnings.
    """
    manifests = read_manifests(filenames, namespace)
    findings = _findings(manifests, cluster_domain)
    files = {manifest.ref: manifest.file for manifest in manifests}
    if output == "json":
        click.echo(json.dumps([_entry(files[each.about], each) for each in findings], indent=2))
    else:
        for each in findings:
            click.echo(one_line(f"{files[each.about]}: {each.about}: {each.severity}: {each.message}"))
    if any(each.severity is Severity.ERROR for each in findings):
        raise SystemExit(1)


def _findings(manifests: Sequence[Manifest], cluster_domain: str) -> list[Finding]:
    """What is wrong with the files' objects by themselves, then what the rules find in the set of them."""
    found = [error("repeated", ref, message) for ref, message in repeated(manifests).items()]
    found += [
        error("invalid-spec", ref, str(each)) for ref, wrong in unnamed(manifests).items() for each in wrong.errors
    ]
    policies = policies_in(manifests)
    shifts: list[Shift] = []
    for ref, document in {each.ref: each.document for each in manifests if each.ref.kind == "TrafficShift"}.items():
        try:
            shifts.append(Shift(ref, spec_from_wire(whole_spec(document, policies), namespace=ref.namespace)))
        except InvalidSpec as invalid:
            found += [error("invalid-spec", ref, str(each)) for each in invalid.errors]
    by_ref = {each.ref: with_version(each.document) for each in manifests}
    rules = linted(
        ManifestSet(
            shifts=tuple(shifts),
            virtual_services=tuple(document for ref, document in by_ref.items() if ref.kind == "VirtualService"),
            destination_rules=tuple(document for ref, document in by_ref.items() if ref.kind == "DestinationRule"),
            services=frozenset(ref for ref in by_ref if ref.kind == "Service"),
            cluster_domain=cluster_domain,
        )
    )
    return [*found, *rules]


def _entry(file: str, finding: Finding) -> dict[str, str]:
    return {
        "file": file,
        "kind": finding.about.kind,
        "namespace": finding.about.namespace,
        "name": finding.about.name,
        "severity": finding.severity.value,
        "rule": finding.rule,
        "message": finding.message,
    }
