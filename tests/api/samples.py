"""Specs used by several tests: the smallest one, and the samples under tests/data/api and tests/data/invalid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_DATA = Path(__file__).parents[1] / "data"
VALID, INVALID = _DATA / "api" / "valid", _DATA / "invalid" / "spec"


def minimal(**fields: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "service": "reviews",
        "stable": {"subset": "v1"},
        "canary": {"subset": "v2"},
        "strategy": {"canary": {}},
    }
    return spec | fields


def load(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def sample_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.yaml"))


POLICIES_TAKEN: tuple[dict[str, Any], ...] = (
    {},
    {"analysis": {"stepTimeout": "10s"}},
    {"analysis": {"indicators": [{"name": "own", "query": {"promql": "up", "max": 1}}]}},
    {"strategy": {"canary": {"minStepDuration": "2h"}}},
)
"""Specs of ShiftPolicies that a shift may complete."""
POLICIES_REFUSED: tuple[dict[str, Any], ...] = (
    {"strategy": {}},
    {"strategy": {"canary": {"minStepDuration": "2h"}}, "analysis": {"stepTimeout": "1h"}},
    {"strategy": {"rolling": {"every": "2h"}}, "analysis": {"stepTimeout": "1h"}},
    {"analysis": {"interval": "1ms"}},
    {"analysis": {"interval": "1m", "stepTimeout": "10s"}},
)
"""Specs of ShiftPolicies that no shift can mend."""
