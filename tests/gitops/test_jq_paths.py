"""The small evaluator of jq paths says what jq says of the expressions of the page, and refuses all others."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from tests.gitops.jq_paths import JqError, deleted
from tests.gitops.page import blocks

EXPRESSIONS = [
    each for rule in blocks("Argo CD")[0]["spec"]["ignoreDifferences"] for each in rule.get("jqPathExpressions", ())
]
DOCUMENTS: list[dict[str, Any]] = [
    {"spec": {}},
    {"spec": {"http": [{"redirect": {"uri": "/"}}, {"name": "a", "route": [{"weight": 1}], "mirrors": [{}]}]}},
    {"spec": {"http": [{"name": "meshshift/b/r/t", "route": []}, {"name": "meshshift"}, {"name": "meshshift/x"}]}},
    {"spec": {"tls": [{"route": [1]}], "tcp": [{"route": [{"weight": 3}]}, {}]}},
]


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_it_agrees_with_jq(expression: str, document: dict[str, Any]) -> None:
    told = subprocess.run(
        ["jq", "-c", f"del({expression})"], input=json.dumps(document), capture_output=True, text=True, check=True
    )
    assert deleted(expression, document) == json.loads(told.stdout)


def test_the_expressions_of_the_page_take_routes_mirrors_and_cohorts_out() -> None:
    document: dict[str, Any] = {
        "spec": {
            "http": [
                {"name": "meshshift/bookinfo/reviews/testers", "route": [{"weight": 100}]},
                {"name": "default", "timeout": "3s", "route": [{"weight": 75}, {"weight": 25}], "mirrors": [{}]},
            ]
        }
    }
    for expression in EXPRESSIONS:
        document = deleted(expression, document)
    assert document == {"spec": {"http": [{"name": "default", "timeout": "3s"}]}}


@pytest.mark.parametrize("expression", [".spec | keys", ".spec.http[0]", '.spec | select(.a == "b")', "..", ".http[]"])
def test_what_is_not_in_the_grammar_or_fails_is_refused(expression: str) -> None:
    with pytest.raises(JqError):
        deleted(expression, {"spec": {}, "http": None})
