"""The ground that the wire models stand on: strict objects, named text types, and rules that are said once.

A rule has a CEL form, which the generated CRD carries so that `kubectl apply` is refused, and a Python form, which the
controller applies again: it may meet objects that were stored under an older CRD.  Both forms share one message, and a
test evaluates both over the same samples.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StrictInt,
    StrictStr,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticCustomError

from meshshift.api.durations import DURATION_PATTERN, MAX_DURATION_LENGTH, format_duration, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

RULES_BROKEN = "rules_broken"
MAX_NAME = 253
MAX_HEADER_VALUE = 4096
SERVICE_NAME = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_SUBSET_NAME = "^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$"
OBJECT_NAME = "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"
_OBJECT_REFERENCE = "^([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"
_LABEL_KEY = "^([a-z0-9]([-.a-z0-9]*[a-z0-9])?/)?[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$"
_LABEL_VALUE = "^([A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?)?$"
_ENTRY_NAME = "^[-._a-zA-Z0-9]+$"
_HEADER_NAME = "^[A-Za-z0-9]([-_A-Za-z0-9]*[A-Za-z0-9])?$"
HEADER_VALUE = "^[!-~]([ -~]*[!-~])?$"
URL = r"^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?][!-~]*)?$"

HEADER_NAME = "^[a-z0-9][a-z0-9_-]*$"
COOKIE_NAME = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"

PATTERN_HINTS = {
    HEADER_NAME: "use a header's name in lower-case letters, digits, '-' and '_'",
    COOKIE_NAME: "use a cookie's name: letters, digits, '-', '_' and '.'",
    SERVICE_NAME: "use lower-case letters, digits and '-', at most 63 of them",
    _SUBSET_NAME: "use letters, digits and '-', as in the DestinationRule's subsets[].name",
    OBJECT_NAME: "use lower-case letters, digits, '-' and '.'",
    _OBJECT_REFERENCE: "write name or namespace/name in lower-case letters, digits, '-' and '.'",
    _LABEL_KEY: "use a label key such as version or app.kubernetes.io/version",
    _LABEL_VALUE: "use letters, digits, '-', '_' and '.', at most 63 of them",
    _ENTRY_NAME: "use the name of an entry in the Secret's data: letters, digits, '-', '_' and '.'",
    _HEADER_NAME: "use letters, digits and '-', such as Authorization",
    HEADER_VALUE: "use printable ASCII characters without spaces around them",
    URL: "write http:// or https:// and a host, without user and password, such as https://hooks.example.com/path",
}


def is_object_name(value: object) -> bool:
    """Can Kubernetes have an object of that name?"""
    return isinstance(value, str) and len(value) <= MAX_NAME and re.fullmatch(OBJECT_NAME[1:-1], value) is not None


def _canonical_duration(text: str) -> str:
    try:
        return format_duration(parse_duration(text))
    except ValueError as error:
        raise PydanticCustomError("duration", "{reason}", {"reason": str(error)}) from None


ServiceName = Annotated[StrictStr, Field(min_length=1, max_length=63)]
IndicatorName = Annotated[StrictStr, Field(max_length=63, pattern=SERVICE_NAME)]
SubsetName = Annotated[StrictStr, Field(max_length=63, pattern=_SUBSET_NAME)]
ObjectName = Annotated[StrictStr, Field(max_length=MAX_NAME, pattern=OBJECT_NAME)]
ObjectReference = Annotated[StrictStr, Field(max_length=317, pattern=_OBJECT_REFERENCE)]
RouteName = Annotated[StrictStr, Field(min_length=1, max_length=253)]
LabelKey = Annotated[StrictStr, Field(max_length=317, pattern=_LABEL_KEY)]
LabelValue = Annotated[StrictStr, Field(max_length=63, pattern=_LABEL_VALUE)]
SecretEntry = Annotated[StrictStr, Field(max_length=MAX_NAME, pattern=_ENTRY_NAME)]
HeaderName = Annotated[StrictStr, Field(max_length=63, pattern=_HEADER_NAME)]
HeaderValue = Annotated[StrictStr, Field(max_length=MAX_HEADER_VALUE, pattern=HEADER_VALUE)]
Percent = Annotated[StrictInt, Field(ge=0, le=100)]
PositivePercent = Annotated[StrictInt, Field(ge=1, le=100)]
Duration = Annotated[
    StrictStr,
    Field(max_length=MAX_DURATION_LENGTH, pattern=DURATION_PATTERN),
    AfterValidator(_canonical_duration),
]


class Rule:
    """What must hold among the fields of one object, in CEL for the API server and in Python for the controller.

    `cel` is None where the schema cannot see the values (untyped nodes).  `at` is the field to blame, relative to the
    object and dotted; `about` names the fields it reads, so that it is skipped when one of them is broken already.
    """

    __slots__ = ("about", "at", "cel", "holds", "message")

    def __init__(
        self, message: str, holds: Callable[[Any], bool], *, cel: str | None, at: str = "", about: tuple[str, ...] = ()
    ) -> None:
        self.message = message
        self.holds = holds
        self.cel = cel
        self.at = at
        self.about = about or ((at,) if at else ())

    def to_validation(self) -> dict[str, str]:
        """The rule as an item of `x-kubernetes-validations`."""
        place = {"fieldPath": f".{self.at}"} if self.at else {}
        return {"rule": self.cel or "true", "message": self.message, **place}


class WireModel(BaseModel):
    """A strict object of the wire format: camelCase, unknown fields refused, null the same as absent, RULES held."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, allow_inf_nan=False)

    RULES: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        """Kubernetes drops nulls before it applies defaults; so do we."""
        return {key: value for key, value in data.items() if value is not None} if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _holds_its_rules(self) -> Self:
        broken = [rule for rule in self.RULES if not rule.holds(self)]
        if broken:
            wire = self.model_dump(mode="json", by_alias=True, exclude_none=True)
            raise PydanticCustomError(RULES_BROKEN, "a rule is broken", {"rules": broken, "object": wire})
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Add the rules to the schema that the CRD is generated from."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        rules = [rule.to_validation() for rule in cls.RULES if rule.cel is not None]
        if rules:
            schema["x-kubernetes-validations"] = rules
        return schema
