"""Who still sends traffic to a subset: the question to ask before the subset is taken away.

A route to a subset that no DestinationRule has answers 503 (flag NC), and so does a mirror, unseen.  A subset therefore
goes last: first the weights, header routes, mirrors and TCP routes, then time for the proxies to hear of it, then the
subset.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from meshshift.core.mesh.documents import Document, ObjectRef, Target
from meshshift.core.mesh.virtual_service import read_virtual_service


@dataclass(frozen=True, slots=True)
class Reference:
    """A field of a VirtualService that sends requests, connections or copies of them to the subset."""

    owner: ObjectRef
    place: str

    def __str__(self) -> str:
        return f"{self.owner} {self.place}"


def references(virtual_services: Iterable[Document], target: Target, subset: str) -> tuple[Reference, ...]:
    """Every place that sends to `subset` of the target's host, whichever protocol and whoever wrote it.

    A destination with weight 0 beside others is none: Istio leaves it out of what the proxies are told.
    """
    found: list[Reference] = []
    for document in virtual_services:
        service = read_virtual_service(document, target.cluster_domain)
        for route in service.routes:
            sending = [(f"route[{each.index}]", each.host, each.subset) for each in route.destinations if each.weight]
            copying = [(each.place, each.host, each.subset) for each in route.mirrors]
            found += [
                Reference(service.ref, f"spec.{route.protocol}[{route.index}].{place}")
                for place, *sent_to in (*sending, *copying)
                if sent_to == [target.host, subset]
            ]
    return tuple(found)
