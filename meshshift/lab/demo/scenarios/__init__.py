"""All scenarios by name.  A new one is a small module with a `SCENARIO`, and a line here."""

from __future__ import annotations

from meshshift.lab.demo.scenarios import (
    annotated,
    baseline,
    demo,
    errors,
    feature_flag,
    gate,
    good,
    group,
    in_place,
    mirror,
    notifications,
    outage,
    preview,
    red_black,
    rolling,
    slow,
    sticky,
)

_MODULES = (
    demo,
    good,
    errors,
    slow,
    outage,
    red_black,
    rolling,
    preview,
    feature_flag,
    mirror,
    gate,
    notifications,
    group,
    sticky,
    baseline,
    annotated,
    in_place,
)
SCENARIOS = {module.SCENARIO.name: module.SCENARIO for module in _MODULES}
"""In the order in which `--help` lists them; the first is the default."""
