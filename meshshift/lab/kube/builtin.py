"""The built-in kinds that the lab serves, as one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshshift.lab.kube import columns, defaults, events, semantics
from meshshift.lab.kube.definitions import definition, definition_name
from meshshift.lab.kube.kinds import ALL_VERBS, Kind, Scale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.errors import FieldError

RBAC = "rbac.authorization.k8s.io"
CRD_GROUP = "apiextensions.k8s.io"
CRD_BUCKET = (CRD_GROUP, "customresourcedefinitions")
NAMESPACES = ("", "namespaces")
PODS = ("", "pods")


def _kind(
    api_version: str,
    kind: str,
    plural: str,
    short_names: str = "",
    *,
    model: str = "",
    namespaced: bool = True,
    categories: tuple[str, ...] = (),
    status: bool = False,
    scale: Scale | None = None,
    generation: bool = False,
    create_on_update: bool = False,
    fill: Callable[[Document], None] | None = None,
    allocate: Callable[[Document], None] | None = None,
    immutable: tuple[str, ...] = (),
    check: Callable[[Document, Document | None], Iterator[FieldError]] | None = None,
    verbs: tuple[str, ...] = ALL_VERBS,
) -> Kind:
    group, _, version = api_version.rpartition("/")
    model = model or f"{version[0].upper()}{version[1:]}{kind}"
    return Kind(
        group,
        version,
        kind,
        plural,
        definition(model),
        namespaced=namespaced,
        short_names=tuple(short_names.split()),
        categories=categories,
        status=status,
        scale=scale,
        generation=generation,
        create_on_update=create_on_update,
        columns=columns.built_in(kind),
        defaults=fill,
        allocate=allocate,
        immutable=immutable,
        check=check,
        definition=definition_name(model),
        verbs=verbs,
    )


def _workload(kind: str, plural: str, short: str, fill: Callable[[Document], None], scale: Scale | None = None) -> Kind:
    return _kind(
        "apps/v1",
        kind,
        plural,
        short,
        status=True,
        generation=True,
        categories=("all",),
        fill=fill,
        scale=scale,
        immutable=("spec.selector",),
        check=semantics.workload,
    )


def _review(api_version: str, kind: str, namespaced: bool = False) -> Kind:
    return _kind(api_version, kind, kind.lower() + "s", namespaced=namespaced, verbs=("create",))


def _events() -> list[Kind]:
    common: dict[str, Any] = {"create_on_update": True, "check": semantics.event}
    core = _kind("v1", "Event", "events", "ev", model="CoreV1Event", **common)
    modern = _kind("events.k8s.io/v1", "Event", "events", "ev", model="EventsV1Event", **common)
    return [core, events.sharing_storage(modern, core)]


def built_in_kinds() -> list[Kind]:
    """Return every built-in kind, the core group first."""
    by_selector = Scale(selector=".spec.selector")
    return [
        _kind("v1", "Namespace", "namespaces", "ns", namespaced=False, status=True, fill=defaults.namespace),
        _kind("v1", "Node", "nodes", "no", namespaced=False, status=True),
        _kind(
            "v1",
            "Pod",
            "pods",
            "po",
            categories=("all",),
            status=True,
            generation=True,
            fill=defaults.pod,
            check=semantics.pod,
        ),
        _kind(
            "v1",
            "Service",
            "services",
            "svc",
            categories=("all",),
            status=True,
            create_on_update=True,
            fill=defaults.service,
            allocate=defaults.cluster_address,
            check=semantics.service,
        ),
        _kind("v1", "ConfigMap", "configmaps", "cm", check=semantics.config_map),
        _kind("v1", "Secret", "secrets", fill=defaults.secret, immutable=("type",)),
        _kind("v1", "ServiceAccount", "serviceaccounts", "sa"),
        _kind("v1", "Endpoints", "endpoints", "ep", create_on_update=True),
        *_events(),
        _workload("Deployment", "deployments", "deploy", defaults.deployment, by_selector),
        _workload("ReplicaSet", "replicasets", "rs", defaults.replica_set, by_selector),
        _workload("StatefulSet", "statefulsets", "sts", defaults.stateful_set, by_selector),
        _workload("DaemonSet", "daemonsets", "ds", defaults.daemon_set),
        _kind(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            "endpointslices",
            generation=True,
            fill=defaults.endpoint_slice,
            immutable=("addressType",),
            check=semantics.endpoint_slice,
        ),
        _kind("coordination.k8s.io/v1", "Lease", "leases", create_on_update=True, check=semantics.lease),
        _kind(f"{RBAC}/v1", "Role", "roles"),
        _kind(f"{RBAC}/v1", "RoleBinding", "rolebindings", immutable=("roleRef",)),
        _kind(f"{RBAC}/v1", "ClusterRole", "clusterroles", namespaced=False),
        _kind(f"{RBAC}/v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False, immutable=("roleRef",)),
        _kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", status=True),
        _kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb", status=True, generation=True),
        _kind(
            f"{CRD_GROUP}/v1",
            "CustomResourceDefinition",
            "customresourcedefinitions",
            "crd crds",
            namespaced=False,
            status=True,
            generation=True,
            categories=("api-extensions",),
            fill=defaults.custom_resource_definition,
        ),
        _review("authentication.k8s.io/v1", "SelfSubjectReview"),
        _review("authentication.k8s.io/v1", "TokenReview"),
        _review("authorization.k8s.io/v1", "SelfSubjectAccessReview"),
        _review("authorization.k8s.io/v1", "SelfSubjectRulesReview"),
        _review("authorization.k8s.io/v1", "SubjectAccessReview"),
        _review("authorization.k8s.io/v1", "LocalSubjectAccessReview", namespaced=True),
    ]
