"""Rules about VirtualServices: what their authors meant, and what Istio will do."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from meshshift.core.lint.findings import Finding, ManifestSet, error, place, warning
from meshshift.core.mesh.documents import member, shown
from meshshift.core.mesh.subsets import subset_labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshshift.core.mesh.documents import Document
    from meshshift.core.mesh.virtual_service import Route

_WHOLE = 100


def malformed(manifests: ManifestSet) -> Iterator[Finding]:
    """Fields that cannot be read."""
    for service, _ in manifests.read:
        for defect in service.defects:
            yield error("malformed", service.ref, defect.message)


def unknown_subset(manifests: ManifestSet) -> Iterator[Finding]:
    """A destination or mirror in a subset that no DestinationRule has: 503 with the flag NC (no cluster).

    A destination with weight 0 beside others is not sent to the proxies, so it fails nothing.
    """
    for service, route in manifests.routes:
        for where, host, subset in _sent_to(route):
            if subset is not None and not _has_subset(manifests, host, subset):
                yield error(
                    "unknown-subset",
                    service.ref,
                    f"{place(route)}.{where} sends to subset {shown(subset)} of {host}, which no DestinationRule of "
                    "the set has: requests will fail with 503 (NC); add the subset, or correct its name",
                )


def weights_sum(manifests: ManifestSet) -> Iterator[Finding]:
    """Weights of several destinations that do not add up to 100, as Istio's own validation once asked."""
    for service, route in manifests.routes:
        if len(route.destinations) < 2:
            continue
        whole = sum(each.weight for each in route.destinations)
        if whole == 0:
            fix = "no destination gets anything; give one of them a weight from 1 to 100"
            yield error("weights-sum", service.ref, f"{place(route)}: the weights are all 0, {fix}")
        elif whole != _WHOLE:
            yield warning(
                "weights-sum",
                service.ref,
                f"{place(route)}: the weights add up to {whole}, so a weight is not a percentage; make them add up "
                f"to {_WHOLE}",
            )


def ignored_weight(manifests: ManifestSet) -> Iterator[Finding]:
    """The weight of an only destination: it gets everything, whatever is written."""
    for service, route in manifests.routes:
        if len(route.destinations) != 1:
            continue
        weight = route.destinations[0].document.get("weight")
        if weight is not None and weight != _WHOLE:
            yield warning(
                "ignored-weight",
                service.ref,
                f"{place(route)}: the only destination has the weight {weight}, which is ignored: it gets all the "
                "traffic; add the other destination, or take the weight out",
            )


def mirrors_everything(manifests: ManifestSet) -> Iterator[Finding]:
    """A mirror without a percentage copies every request."""
    for service, route, entry in manifests.http_routes:
        for where in _unlimited(entry):
            yield warning(
                "mirrors-everything",
                service.ref,
                f"{place(route)}.{where} has no percentage, so 100 % of the requests are copied; set "
                f"{'mirrorPercentage' if where == 'mirror' else f'{where}.percentage'}.value",
            )


def ports_differ(manifests: ManifestSet) -> Iterator[Finding]:
    """Subsets of one host on different ports: who shifts the weight moves requests between the ports, too."""
    for service, route in manifests.routes:
        ports: dict[str, dict[str, str]] = defaultdict(dict)
        for each in route.destinations:
            if each.subset is not None:
                port = member(each.document, "destination", "port", "number")
                ports[each.host][each.subset] = "no port" if port is None else f"port {port}"
        for host, by_subset in ports.items():
            if len(set(by_subset.values())) > 1:
                listed = ", ".join(f"{shown(subset)} on {port}" for subset, port in by_subset.items())
                yield warning(
                    "ports-differ",
                    service.ref,
                    f"{place(route)} sends to the subsets of {host} on different ports ({listed}), so that a shift of "
                    "weight is a change of the port, too; give all of them the same destination.port.number",
                )


def _sent_to(route: Route) -> Iterator[tuple[str, str, str | None]]:
    for each in route.destinations:
        if each.weight:
            yield f"route[{each.index}]", each.host, each.subset
    for mirror in route.mirrors:
        yield mirror.place, mirror.host, mirror.subset


def _has_subset(manifests: ManifestSet, host: str, subset: str) -> bool:
    return any(subset_labels(rule, subset) is not None for rule in manifests.rules_over(host))


def _unlimited(entry: Document) -> Iterator[str]:
    if entry.get("mirror") and entry.get("mirrorPercentage") is None and entry.get("mirrorPercent") is None:
        yield "mirror"
    listed: Any = entry.get("mirrors")
    for index, each in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(each, dict) and each.get("percentage") is None:
            yield f"mirrors[{index}]"
