"""What a shift would write, step by step, worked out from documents alone.

A plan is not a second opinion: the preparation is played by the controller's own rules, in a world where every pod is
ready and everything settles at once, and the weights come from the function that the controller writes them with.  What
the controller would hold for, a plan is refused for, in the same words.

Only the version guard of a patch is treated differently.  A manifest was never stored, so it has no version that could
be tested; and once a patch has been written, the version after it is not known until the API server has said it.
Guards of such versions are left out of the operations; all other tests stay.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from meshshift.core.decision import Creation, Decision, Kind
from meshshift.core.mesh.cohorts import extra_patches, joined
from meshshift.core.mesh.documents import (
    ObjectRef,
    Patch,
    Problem,
    Reason,
    operation,
    resource_version,
    unmoved,
)
from meshshift.core.mesh.route_edits import weight_patches
from meshshift.core.mesh.stickiness import Cookies
from meshshift.core.mesh_view import Documents, read_mesh
from meshshift.core.observation import Endpoints, MeshView, Observation, Timing
from meshshift.core.rules import decide
from meshshift.core.spec import CreatePolicy, SetWeight
from meshshift.core.steps import describe, extras_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from meshshift.core.mesh.cohorts import Extras
    from meshshift.core.mesh.documents import Document, PatchOperation
    from meshshift.core.mesh.routes import SkippedRoute
    from meshshift.core.run import Run
    from meshshift.core.spec import ShiftSpec

    Apply = Callable[[Document, tuple[PatchOperation, ...]], Document]
    Mesh = Mapping[ObjectRef, Document]

UNREAD = "unread"
"""Stands where a version is needed and none is known; API servers count versions in digits."""

PREPARATION = "preparation"
CLEARING = "header routes and mirrors go"
CLEARING_COOKIES = "header routes, mirrors and cookies go"
_MESH_KINDS = ("VirtualService", "DestinationRule")
_MOST_DECISIONS = 16
_CREATABLE = {Reason.NO_VIRTUAL_SERVICE, Reason.NO_DESTINATION_RULE}


@dataclass(frozen=True, slots=True)
class PlannedEdit:
    """One object before and after; `before` is None for an object that is created, by adding the whole document."""

    target: ObjectRef
    operations: tuple[PatchOperation, ...]
    before: Document | None
    after: Document


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """What one step writes; number 0 is the preparation, then the spec's steps from 1.

    A pause writes nothing.  Where header routes, mirrors or cookies were put in, one more at the end takes them out.
    """

    number: int
    title: str
    edits: tuple[PlannedEdit, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All steps in order.  `skipped` are routes that stay as they are; `note` says why there are no steps, if so."""

    steps: tuple[PlannedStep, ...]
    skipped: tuple[SkippedRoute, ...] = ()
    note: str = ""


def plan(
    spec: ShiftSpec,
    namespace: str,
    documents: Iterable[Document],
    apply: Apply,
    cluster_domain: str = "cluster.local",
) -> Plan | tuple[str, ...]:
    """The plan of a shift that lives in `namespace`, or everything that would keep the controller from carrying it out.

    `documents` are VirtualServices and DestinationRules with `kind` and `metadata.namespace`; those without a
    `metadata.resourceVersion` count as manifests.  `apply` carries out a JSON Patch on a copy.
    """
    mesh = {_ref(each): each for each in map(with_version, documents)}
    spec = replace(spec, paused=False, scale=None)
    course = _Course(spec, namespace, cluster_domain, apply, mesh)
    edits, stop = course.prepare()
    if stop.kind is Kind.HOLD:
        return _obstacles(course.view(), spec, stop.message)
    if stop.kind is Kind.END:
        return Plan((), note=stop.message)
    steps = [PlannedStep(0, PREPARATION, edits)]
    problems: list[str] = []
    for number, step in enumerate(spec.steps, start=1):
        extras = course.extras_at(number)
        written = course.set_weight(step.percent, extras) if isinstance(step, SetWeight) else course.set_extras(extras)
        if isinstance(written, Problem):
            problems.append(written.message)
        else:
            steps.append(PlannedStep(number, describe(step), written))
    written = course.set_extras(extras_at(spec.steps, -1))
    if written and not isinstance(written, Problem):
        title = CLEARING_COOKIES if spec.stickiness else CLEARING
        steps.append(PlannedStep(len(spec.steps) + 1, title, written))
    routes = course.view().routes
    skipped = () if isinstance(routes, Problem) else routes.skipped
    return tuple(dict.fromkeys(problems)) or Plan(tuple(steps), skipped)


def mesh_view(spec: ShiftSpec, namespace: str, mesh: Mesh, cluster_domain: str) -> MeshView:
    """What the documents say of the shift's pair, each of which has to have a version (`with_version`)."""
    target = spec.target(namespace, cluster_domain)
    documents = Documents(*([mesh[ref] for ref in sorted(mesh) if ref.kind == kind] for kind in _MESH_KINDS))
    return read_mesh(spec, target, documents, begun=False)


def with_version(document: Document) -> Document:
    """The document with a version to be read by; itself if it has one."""
    if resource_version(document):
        return document
    return {**document, "metadata": {**document["metadata"], "resourceVersion": UNREAD}}


class _Course:
    """The mesh as it becomes, edit by edit."""

    def __init__(self, spec: ShiftSpec, namespace: str, cluster_domain: str, apply: Apply, mesh: Mesh) -> None:
        self._spec = spec
        self._namespace = namespace
        self._cluster_domain = cluster_domain
        self._apply = apply
        self._mesh = dict(mesh)

    def view(self) -> MeshView:
        """What the mesh says now."""
        return mesh_view(self._spec, self._namespace, self._mesh, self._cluster_domain)

    def prepare(self) -> tuple[tuple[PlannedEdit, ...], Decision]:
        """Everything before the first weight, and the decision at which the preparation came to rest."""
        edits: list[PlannedEdit] = []
        run: Run | None = None
        for _ in range(_MOST_DECISIONS):
            decision = decide(_observation(self._spec, self.view(), run))
            if decision.kind is not Kind.PREPARE:
                return tuple(edits), decision
            run = decision.run
            edits += [self._write(edit) for edit in decision.edits]
        raise AssertionError("the preparation does not come to rest")

    def extras_at(self, number: int) -> Extras:
        """What is in force at a step, counted from 1, besides the weight."""
        begun = self._spec.steps[:number]
        weighted = any(isinstance(step, SetWeight) and step.percent for step in begun)
        sticky = Cookies(self._spec.stickiness, "") if self._spec.stickiness and weighted else None
        return replace(extras_at(self._spec.steps, number - 1), cookies=sticky)

    def set_weight(self, percent: int, extras: Extras) -> tuple[PlannedEdit, ...] | Problem:
        """The edits that give the canary `percent` (0 to 100) of the traffic, and bring what comes with it."""
        view = self.view()
        if isinstance(view.routes, Problem):
            return view.routes
        routes = view.routes.routes
        weights = weight_patches(routes, percent)
        others = extra_patches(routes, view.routes.inserted, extras, view.target, percent)
        if isinstance(weights, Problem):
            return weights
        if isinstance(others, Problem):
            return others
        return tuple(map(self._write, joined(weights, others)))

    def set_extras(self, extras: Extras) -> tuple[PlannedEdit, ...] | Problem:
        """The edits that put in the header routes and mirrors in force, and take out those that are not."""
        view = self.view()
        if isinstance(view.routes, Problem):
            return view.routes
        patches = extra_patches(view.routes.routes, view.routes.inserted, extras, view.target)
        return patches if isinstance(patches, Problem) else tuple(map(self._write, patches))

    def _write(self, edit: Patch | Creation) -> PlannedEdit:
        if isinstance(edit, Creation):
            ref = _ref(edit.document)
            self._mesh[ref] = with_version(edit.document)
            return PlannedEdit(ref, (operation("add", "", edit.document),), None, edit.document)
        before = self._mesh[edit.target]
        after = self._apply(before, edit.operations)
        self._mesh[edit.target] = {**after, "metadata": {**after["metadata"], "resourceVersion": UNREAD}}
        operations = tuple(each for each in edit.operations if each != unmoved(UNREAD))
        return PlannedEdit(edit.target, operations, _unversioned(before), _unversioned(after))


def _observation(spec: ShiftSpec, mesh: MeshView, run: Run | None) -> Observation:
    """A look at a world that is only waiting for this shift."""
    return Observation(
        now=0.0,
        timing=Timing(settle=0.0),
        spec=spec,
        spec_hash="",
        fresh_id="",
        deleted_since=None,
        command=None,
        run=run,
        service_exists=True,
        mesh=mesh,
        endpoints=Endpoints(stable_ready=1, canary_ready=1, canary_ready_since=0.0, baseline_ready=1),
    )


def _obstacles(view: MeshView, spec: ShiftSpec, message: str) -> tuple[str, ...]:
    """All that is in the way at once; the controller says the first and, once that is mended, the next."""
    creating = spec.create is CreatePolicy.IF_MISSING
    found = [
        each.message
        for each in (view.routes, view.rule)
        if isinstance(each, Problem) and not (creating and each.reason in _CREATABLE)
    ]
    return tuple(dict.fromkeys([*found, message]))


def _ref(document: Document) -> ObjectRef:
    metadata = document["metadata"]
    return ObjectRef(document["kind"], metadata["namespace"], metadata["name"])


def _unversioned(document: Document) -> Document:
    """A copy to be shown, without a version that is only our placeholder."""
    shown = deepcopy(document)
    if resource_version(shown) == UNREAD:
        del shown["metadata"]["resourceVersion"]
    return shown
