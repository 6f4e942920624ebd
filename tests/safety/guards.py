"""Every guard that is known, by what it protects: the list behind the table of docs/safety.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.safety.guards_baseline import BASELINE
from tests.safety.guards_drift import DELETION, OTHERS
from tests.safety.guards_engine import API, CACHES, INTERRUPTION
from tests.safety.guards_enrolled import ADOPTED, SHIFTED
from tests.safety.guards_in_place import IN_PLACE
from tests.safety.guards_input import INPUT
from tests.safety.guards_judge import JUDGING
from tests.safety.guards_mesh import BREAKING, PATCHES, SHAPES
from tests.safety.guards_policies import POLICIES
from tests.safety.guards_rules import RULES
from tests.safety.guards_scale import SCALING
from tests.safety.guards_sticky import STICKY
from tests.safety.guards_telemetry import ANSWERS, COUNTERS

if TYPE_CHECKING:
    from tests.safety.guard import Guard

AREAS: dict[str, tuple[Guard, ...]] = {
    "The ordered rules": RULES,
    "Guarded patches": PATCHES,
    "Make before break": BREAKING,
    "Replica care": SCALING,
    "Shapes of routes and rules": SHAPES,
    "Sticky users": STICKY,
    "The baseline": BASELINE,
    "Other writers and people": OTHERS,
    "Deletion and commands": DELETION,
    "One Deployment in place": IN_PLACE,
    "Policies": POLICIES,
    "Services that opt in": ADOPTED,
    "Versions behind a Service": SHIFTED,
    "Interruption": INTERRUPTION,
    "Caches and watches": CACHES,
    "Errors of the API": API,
    "Counters": COUNTERS,
    "Answers of Prometheus": ANSWERS,
    "The judge": JUDGING,
    "Input": INPUT,
}
GUARDS: tuple[Guard, ...] = tuple(guard for guards in AREAS.values() for guard in guards)
