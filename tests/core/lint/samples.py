"""Manifests for the rules: the ones of a sound set, each to be changed where a rule looks."""

from typing import Any

from meshshift.core.lint.findings import Finding, ManifestSet, Rule, Severity, Shift
from meshshift.core.mesh.documents import Document, ObjectRef
from meshshift.core.planning import with_version
from meshshift.core.spec import SetWeight, ShiftSpec, Subset
from tests.core.mesh.sample_documents import to
from tests.core.test_planning import spec

__all__ = ["only", "reviews_rule", "routed", "said", "shift", "shift_spec", "sound", "to"]

SERVICE = ObjectRef("Service", "bookinfo", "reviews")


def shift_spec(**more: Any) -> ShiftSpec:
    """From v1 to v2, whose labels are not known."""
    return spec(SetWeight(50), **{"canary": Subset("v2"), **more})


def shift(**more: Any) -> Shift:
    return Shift(ObjectRef("TrafficShift", "bookinfo", "reviews"), shift_spec(**more))


def routed(*http: dict[str, Any], name: str = "reviews", namespace: str = "bookinfo", **more: Any) -> Document:
    """A VirtualService; `metadata` adds to its metadata, everything else to its spec."""
    metadata = {"name": name, "namespace": namespace, **more.pop("metadata", {})}
    return with_version({"metadata": metadata, "spec": {"hosts": ["reviews"], "http": list(http), **more}})


def reviews_rule(*subsets: str, namespace: str = "bookinfo", **more: Any) -> Document:
    host = "reviews.bookinfo.svc.cluster.local"
    listed = [{"name": name, "labels": {"version": name}} for name in subsets]
    metadata = {"name": "reviews", "namespace": namespace}
    return with_version({"metadata": metadata, "spec": {"host": host, "subsets": listed, **more}})


def sound(**changes: Any) -> ManifestSet:
    """A set that no rule has anything to say about, unless it is changed."""
    parts: dict[str, Any] = {
        "shifts": (shift(),),
        "virtual_services": (routed({"name": "default", "route": [to("v1", 100), to("v2", 0)]}),),
        "destination_rules": (reviews_rule("v1", "v2"),),
        "services": frozenset({SERVICE}),
    }
    return ManifestSet(**{**parts, **changes})


def only(rule: Rule, manifests: ManifestSet) -> Finding:
    """The one finding of a rule."""
    (finding,) = rule(manifests)
    return finding


def said(rule: Rule, manifests: ManifestSet) -> tuple[Severity, str, str]:
    """Severity, object and message of the one finding of a rule."""
    finding = only(rule, manifests)
    return finding.severity, str(finding.about), finding.message
