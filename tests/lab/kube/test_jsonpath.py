"""The JSONPath of printer columns."""

from __future__ import annotations

from typing import Any

import pytest

from meshshift.lab.kube.jsonpath import compile_path

DOCUMENT: dict[str, Any] = {
    "spec": {"hosts": ["a", "b"], "steps": [{"weight": 5}, {"weight": 50}], "on": True},
    "metadata": {"annotations": {"example.com/owner": "me"}},
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Stalled", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".spec.on", [True]),
        ("{.spec.hosts}", [["a", "b"]]),
        (".spec.hosts[0]", ["a"]),
        (".spec.hosts[-1]", ["b"]),
        (".spec.hosts[9]", []),
        (".spec.steps[*].weight", [5, 50]),
        (r".metadata.annotations.example\.com/owner", ["me"]),
        (".metadata.annotations['example.com/owner']", ["me"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        ('.status.conditions[?(@.type!="Ready")].status', ["False"]),
        (".status.nothing.here", []),
    ],
)
def test_a_path_selects(path: str, expected: list[Any]) -> None:
    assert compile_path(path)(DOCUMENT) == expected


def test_a_path_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be read from"):
        compile_path(".spec[?(")
