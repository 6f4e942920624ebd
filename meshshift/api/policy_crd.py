"""The CustomResourceDefinition of ShiftPolicy, cut out of the schema of TrafficShift: the same fields, the same rules.

A policy has no status: what came of it is said by the TrafficShifts that name it.
"""

from __future__ import annotations

from typing import Any

from meshshift.api.crd import GROUP, VERSION, Schema, column, definition, described_spec_schema, spec_schema
from meshshift.api.models import POLICY_FIELDS, SpecModel
from meshshift.api.policies import KIND

PLURAL = "shiftpolicies"
POLICY_COLUMNS = (
    column("Method", ".spec.analysis.method", about="How the canary is judged"),
    column("Interval", ".spec.analysis.interval", about="Time between two looks at the telemetry"),
    column("OnFailure", ".spec.onFailure", about="What a failure does"),
    column("OnDrift", ".spec.onDrift", wide=True, about="What weights do that somebody else writes"),
    column("Age", ".metadata.creationTimestamp", "date", about="Since when the ShiftPolicy exists"),
)


def policy_spec_schema() -> Schema:
    """The structural schema of a ShiftPolicy's `spec`, as the API server gets it."""
    return _cut(spec_schema())


def described_policy_spec_schema() -> Schema:
    """The structural schema of a ShiftPolicy's `spec` with every default, as the reference shows them."""
    return _cut(described_spec_schema())


def _cut(shift: Schema) -> Schema:
    """The fields of a policy, and the rules that are about nothing else."""
    read = {rule.message: {name.split(".")[0] for name in rule.about} for rule in SpecModel.RULES}
    rules = [
        rule
        for rule in shift["x-kubernetes-validations"]
        if read.get(rule["message"], {"policyRef"}) <= set(POLICY_FIELDS) and "policyRef" not in rule["rule"]
    ]
    return {
        "type": "object",
        "description": "What TrafficShifts that name this policy leave out.",
        "properties": {name: shift["properties"][name] for name in POLICY_FIELDS},
        "x-kubernetes-validations": rules,
    }


def policy_definition() -> dict[str, Any]:
    """The manifest, as `kubectl apply` takes it."""
    schema: Schema = {
        "type": "object",
        "description": "A ShiftPolicy says once how several TrafficShifts of its namespace move and are judged.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"{GROUP}/{VERSION}"},
            "kind": {"type": "string", "description": KIND},
            "metadata": {"type": "object"},
            "spec": policy_spec_schema(),
        },
    }
    return definition(KIND, PLURAL, ("shiftpol",), schema, POLICY_COLUMNS, {})
