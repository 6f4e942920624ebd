"""How users ask for sticky sessions: the name of a cookie, and for how long browsers keep it."""

from __future__ import annotations

from pydantic import Field

from meshshift.api.cohorts import CookieName  # noqa: TC001 -- pydantic reads annotations at run time
from meshshift.api.durations import parse_duration
from meshshift.api.wire import Duration, Rule, WireModel
from meshshift.core.mesh.stickiness import Stickiness

DEFAULT_MAX_AGE = "24h"


class StickinessModel(WireModel):
    """A user stays on the version first met, by a cookie, until the run ends."""

    cookie: CookieName = Field(
        min_length=1,
        description="Name of the cookie; a name of its own for each service behind one host, or they overwrite each "
        "other's.",
    )
    max_age: Duration = Field(
        DEFAULT_MAX_AGE,
        description="How long browsers keep the cookie, counted from the first answer, in whole seconds. A user whose "
        "cookie has expired is drawn anew, so let it outlast the run.",
    )

    RULES = (
        Rule(
            "maxAge must be at least 1s; write e.g. 24h",
            lambda model: parse_duration(model.max_age) >= 1,
            cel="duration(self.maxAge) >= duration('1s')",
            at="maxAge",
        ),
    )


def stickiness_of(model: StickinessModel | None) -> Stickiness | None:
    """The wish in core's words; a fraction of a second is left out."""
    return None if model is None else Stickiness(model.cookie, int(parse_duration(model.max_age)))
