"""Why there is no series for a service: which label of the selector removed it.

A new installation's most frequent trouble is telemetry that is there but labelled otherwise than expected, and the
least helpful answer to it is "no data".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """One combination of labels that `istio_requests_total` has."""

    reporter: str
    namespace: str
    name: str


def diagnose(namespace: str, name: str, reporter: str | None, seen: Iterable[Seen]) -> str:
    """What keeps the service's series from being found; `reporter` is the configured one, None if any will do."""
    known = tuple(seen)
    if not known:
        return "Prometheus has no istio_requests_total at all: let it scrape Istio's proxies (see istio/prometheus)"
    ours = [each for each in known if (each.namespace, each.name) == (namespace, name)]
    if ours and reporter is not None and all(each.reporter != reporter for each in ours):
        reporters = _listed(each.reporter for each in ours)
        return (
            f"the label reporter removes every series: {reporter!r} is asked for, there is {reporters}; set --reporter"
        )
    if ours:
        return "there were series before, and none now: the service has had no traffic lately"
    namesakes = [each.namespace for each in known if each.name == name]
    if namesakes:
        return (
            f"the label destination_service_namespace removes every series: {namespace!r} is asked for, "
            f"there is {_listed(namesakes)}"
        )
    neighbours = [each.name for each in known if each.namespace == namespace]
    if neighbours:
        return (
            f"the label destination_service_name removes every series: {name!r} is asked for, in namespace {namespace} "
            f"there is {_listed(neighbours)}; the service has had no traffic, or its callers have no sidecar"
        )
    return f"no service of namespace {namespace} has any series: its callers have no sidecar, or there is no traffic"


def _listed(values: Iterable[str]) -> str:
    distinct = sorted(set(values))
    more = f" and {len(distinct) - SHOWN} more" if len(distinct) > SHOWN else ""
    return ", ".join(repr(value) for value in distinct[:SHOWN]) + more
