"""Rates as people write them: a number of percent (99.5) or a string with the sign (99.5%).

A schema cannot say "number or string" the obvious way: Kubernetes forbids types inside `anyOf`, and
`x-kubernetes-int-or-string` has no room for fractions.  A node without a type that preserves unknown fields can still
carry `minimum`, `maximum` (which bind numbers only) and `pattern` (which binds strings only), so the API server
refuses every wrong number and every wrong string; a list or an object in its place is refused here, by the conversion.
docs/adr/0003-number-or-string.md has the experiments.
"""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

PERCENT_PATTERN = r"^[0-9]{1,4}(\.[0-9]{1,6})?%$"
HINT = 'write percent as a number (99.5) or as a string with its sign ("99.5%")'


def parse_percent(value: object) -> float:
    """Percent in a number or a string such as `99.5%`; raises ValueError for anything else, NaN and infinity."""
    if isinstance(value, str):
        if len(value) > 16 or not re.fullmatch(PERCENT_PATTERN[1:-1], value, re.ASCII):
            raise ValueError(f"not a percentage; {HINT}")
        return float(value[:-1])
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"not a percentage; {HINT}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"not a finite number; {HINT}")
    return number


def _validate(value: object) -> float:
    try:
        return parse_percent(value)
    except ValueError as error:
        raise PydanticCustomError("percent", "{reason}", {"reason": str(error)}) from None


def _schema(low: int, high: int) -> WithJsonSchema:
    """Numbers from `low` to `high`, whole because the API server's message rounds them; strings by shape only."""
    return WithJsonSchema(
        {
            "x-kubernetes-preserve-unknown-fields": True,
            "minimum": low,
            "maximum": high,
            "maxLength": 16,
            "pattern": PERCENT_PATTERN,
        }
    )


Rate = Annotated[float, Field(gt=0, lt=100), BeforeValidator(_validate), _schema(0, 100)]
Confidence = Annotated[float, Field(ge=50, lt=100), BeforeValidator(_validate), _schema(50, 100)]
Tolerance = Annotated[float, Field(ge=0, le=1000), BeforeValidator(_validate), _schema(0, 1000)]
