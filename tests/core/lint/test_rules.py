from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.lint.rules import lint
from meshshift.core.mesh.documents import Document
from meshshift.core.planning import with_version
from tests.core.lint.samples import sound
from tests.core.mesh.sample_documents import json_values, virtual_services


def stored(spec: Any) -> Document:
    return with_version({"metadata": {"name": "reviews", "namespace": "bookinfo"}, "spec": spec})


specs = json_values | st.dictionaries(
    st.sampled_from(("http", "tcp", "hosts", "host", "gateways", "subsets", "trafficPolicy", "exportTo")), json_values
)


def test_a_sound_set_has_no_findings() -> None:
    assert lint(sound()) == ()


@given(virtual_services())
def test_every_finding_is_one_line_about_an_object_of_the_set(document: Document) -> None:
    for finding in lint(sound(virtual_services=(document,))):
        assert finding.about.name in {"reviews", "shop"}
        assert finding.message == finding.message.strip() != ""
        assert "\n" not in finding.message


@given(specs, specs)
def test_no_document_makes_a_rule_raise(service: Any, rule: Any) -> None:
    lint(sound(virtual_services=(stored(service),), destination_rules=(stored(rule),)))
