"""How users say which requests a header route takes: headers and cookies, as text that is equal, begins so, or matches.

Envoy refuses a whole route configuration for one regular expression that it cannot read, and everybody's later changes
with it; so an expression is read here first, and what RE2 does not have is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, StrictStr
from pydantic_core import PydanticCustomError

from meshshift.api.wire import COOKIE_NAME, HEADER_NAME, IndicatorName, Percent, Rule, WireModel
from meshshift.core.mesh.cohorts import Cohort, StringMatch

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_CONDITIONS = 8
_NOT_IN_RE2 = re.compile(r"\(\?(?:[=!>]|<[=!]|P=|\()|\\[1-9]|[*+?}]\+")
"""Lookaround, back references, conditionals, atomic groups, possessive quantifiers (github.com/google/re2, Syntax)."""


def _readable(expression: str) -> str:
    strange = _NOT_IN_RE2.search(expression)
    if strange:
        reason = f"{strange.group()} is not in RE2; write it without lookaround and back references"
        raise PydanticCustomError("duration", "{reason}", {"reason": reason})
    try:
        re.compile(expression)
    except (re.error, OverflowError) as error:
        reason = f"not a regular expression ({error}); write e.g. ^beta-[0-9]+$"
        raise PydanticCustomError("duration", "{reason}", {"reason": reason}) from None
    return expression


MatchText = Annotated[StrictStr, Field(min_length=1, max_length=256)]
Expression = Annotated[StrictStr, Field(min_length=1, max_length=256), AfterValidator(_readable)]
HeaderName = Annotated[StrictStr, Field(max_length=128, pattern=HEADER_NAME)]
CookieName = Annotated[StrictStr, Field(max_length=128, pattern=COOKIE_NAME)]


class StringMatchModel(WireModel):
    """A condition on a text: exactly one of its fields."""

    exact: MatchText | None = Field(None, description="The whole text.")
    prefix: MatchText | None = Field(None, description="What the text begins with.")
    regex: Expression | None = Field(None, description="An RE2 expression that matches all of the text.")

    RULES = (
        Rule(
            'a condition takes exactly one of exact, prefix and regex; write e.g. {exact: "true"}',
            lambda match: sum(each is not None for each in (match.exact, match.prefix, match.regex)) == 1,
            cel="[has(self.exact), has(self.prefix), has(self.regex)].exists_one(each, each)",
            about=("exact", "prefix", "regex"),
        ),
    )


class HeaderMatchModel(WireModel):
    """Conditions that all have to hold."""

    headers: dict[HeaderName, StringMatchModel] | None = Field(
        None,
        min_length=1,
        max_length=MAX_CONDITIONS,
        description="Conditions on headers, by their names in lower case.",
    )
    cookies: dict[CookieName, StringMatchModel] | None = Field(
        None, min_length=1, max_length=1, description="A condition on one cookie's value, by the cookie's name."
    )

    RULES = (
        Rule(
            'conditions on headers or cookies are needed; write e.g. headers: {x-canary: {exact: "true"}}',
            lambda match: match.headers is not None or match.cookies is not None,
            cel="has(self.headers) || has(self.cookies)",
            about=("headers", "cookies"),
        ),
        Rule(
            "cookies are conditions on the header cookie already; write one or the other",
            lambda match: match.cookies is None or "cookie" not in (match.headers or {}),
            cel="!has(self.cookies) || !has(self.headers) || !('cookie' in self.headers)",
            at="cookies",
            about=("headers", "cookies"),
        ),
    )


class SetHeaderRouteModel(WireModel):
    """Requests of a cohort get the canary from here on, whatever the weight; until the end, or until taken away."""

    name: IndicatorName = Field(description="Name of the cohort; the route is named after it.")
    match: tuple[HeaderMatchModel, ...] | None = Field(
        None,
        min_length=1,
        max_length=MAX_CONDITIONS,
        description="Which requests: those that meet one of these. Without it, the cohort's route is taken away.",
    )


class SetMirrorModel(WireModel):
    """The canary gets copies of requests from here on; nobody gets its answers."""

    percentage: Percent = Field(description="Percent of the requests that are copied; 0 ends it.")


def cohort_of(name: str, match: Iterable[HeaderMatchModel] | None) -> Cohort:
    """The cohort in core's words; without conditions, the one that is taken away."""
    return Cohort(name, tuple(_alternative(each) for each in match or ()))


def _alternative(model: HeaderMatchModel) -> tuple[tuple[str, StringMatch], ...]:
    headers = [(name, _match(each)) for name, each in (model.headers or {}).items()]
    cookies = [("cookie", _cookie(name, _match(each))) for name, each in (model.cookies or {}).items()]
    return (*headers, *cookies)


def _match(model: StringMatchModel) -> StringMatch:
    if model.exact is not None:
        return StringMatch("exact", model.exact)
    if model.prefix is not None:
        return StringMatch("prefix", model.prefix)
    return StringMatch("regex", model.regex or "")


def _cookie(name: str, match: StringMatch) -> StringMatch:
    """The whole Cookie header that holds such a cookie, which browsers send as `a=1; b=2` (RFC 6265, 4.2.1)."""
    value = match.value if match.kind == "regex" else re.escape(match.value)
    rest = "[^;]*" if match.kind == "prefix" else ""
    return StringMatch("regex", f"(.*;\\s*)?{re.escape(name)}=({value}){rest}(;.*)?")
