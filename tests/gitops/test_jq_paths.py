"""The jq paths of the page name what it says they name."""

from __future__ import annotations

from typing import Any

import jq

from tests.gitops.page import blocks

EXPRESSIONS = [
    each for rule in blocks("Argo CD")[0]["spec"]["ignoreDifferences"] for each in rule.get("jqPathExpressions", ())
]


def test_they_take_routes_mirrors_and_cohorts_out_and_leave_the_rest() -> None:
    document: dict[str, Any] = {
        "spec": {
            "http": [
                {"name": "meshshift/bookinfo/reviews/testers", "route": [{"weight": 100}]},
                {"name": "default", "timeout": "3s", "route": [{"weight": 75}, {"weight": 25}], "mirrors": [{}]},
                {"redirect": {"uri": "/"}},
            ],
            "tls": [{"match": [{"sniHosts": ["a"]}], "route": [{"weight": 1}]}],
            "tcp": [{"route": [{"weight": 3}]}, {}],
        }
    }
    for expression in EXPRESSIONS:
        document = jq.compile(f"del({expression})").input_value(document).first()
    assert document["spec"] == {
        "http": [{"name": "default", "timeout": "3s"}, {"redirect": {"uri": "/"}}],
        "tls": [{"match": [{"sniHosts": ["a"]}]}],
        "tcp": [{}, {}],
    }
