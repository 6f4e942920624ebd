"""A plan as JSON Patches for machines, and as diffs for people."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import yaml

from meshshift.cli.layout import page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshshift.core.mesh.documents import Document, ObjectRef
    from meshshift.core.planning import Plan, PlannedEdit, PlannedStep


def as_entries(plan: Plan) -> list[dict[str, Any]]:
    """One entry for each object that a step writes: the step's number, the object, and the JSON Patch (RFC 6902)."""
    return [
        {
            "step": step.number,
            "target": {"kind": edit.target.kind, "namespace": edit.target.namespace, "name": edit.target.name},
            "patch": [dict(operation) for operation in edit.operations],
        }
        for step in plan.steps
        for edit in step.edits
    ]


def as_diff(shift: ObjectRef, plan: Plan) -> str:
    """The whole plan: a heading for each step, and under it the unified diff of each object that it writes."""
    lines = [f"{shift}: {plan.note or _count(len(plan.steps) - 1)}"]
    for step in plan.steps:
        lines += ["", *_step(step)]
    return page([lines]) + "\n"


def as_yaml(value: Any) -> str:
    """Block style, in the order of the document."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10**6)


def _step(step: PlannedStep) -> Iterator[str]:
    yield f"step {step.number}: {step.title}" + ("" if step.edits else " (nothing to write)")
    for edit in step.edits:
        yield from _diff(edit)


def _diff(edit: PlannedEdit) -> Iterator[str]:
    name = f"{edit.target.kind}/{edit.target.namespace}/{edit.target.name}"
    before = "/dev/null" if edit.before is None else f"a/{name}"
    return difflib.unified_diff(_lines(edit.before), _lines(edit.after), before, f"b/{name}", lineterm="")


def _lines(document: Document | None) -> list[str]:
    return [] if document is None else as_yaml(document).splitlines()


def _count(steps: int) -> str:
    return "1 step" if steps == 1 else f"{steps} steps"
