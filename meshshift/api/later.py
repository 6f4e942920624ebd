"""Fields of the design that this version does not act upon: declared, so that they can be refused.

An API server drops fields that a schema does not know, silently unless the client asks for strict validation.  A user
who writes `redBlack` and gets a canary would be right to complain, so each such field is in the schema, with a rule
that refuses it and says what to write in its place.  The type is the one it will have: a rule sees typed fields only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

NOT_YET = "not supported by this version of meshshift"


@dataclass(frozen=True, slots=True)
class LaterField:
    """A field `name` of the object at `parent` (`[]` stands for any index); `fix` says what to write now."""

    parent: str
    name: str
    type: str
    fix: str

    @property
    def path(self) -> str:
        """Where the field is."""
        return f"{self.parent}.{self.name}"

    @property
    def message(self) -> str:
        """Field and fix in one sentence."""
        return f"{self.path} is {NOT_YET}; {self.fix}"

    def to_schema(self) -> dict[str, Any]:
        """A node that keeps the field where the rule can see that it is there."""
        description = f"Not supported by this version; {self.fix}."
        if self.type == "object":
            return {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "description": description}
        return {"type": self.type, "description": description}

    def to_validation(self) -> dict[str, str]:
        """The rule that refuses it, as an item of `x-kubernetes-validations`."""
        return {"rule": f"!has(self.{self.name})", "message": self.message}


LATER_FIELDS = (LaterField("spec", "scale", "object", "remove it and scale the workloads yourself"),)


def later_fields(parent: str) -> tuple[LaterField, ...]:
    """The fields to come of the object at `parent`."""
    return tuple(field for field in LATER_FIELDS if field.parent == parent)
