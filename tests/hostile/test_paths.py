"""Names that are paths: none reaches another object, in a URL or in a JSON Patch."""

from __future__ import annotations

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.adapters.kube import DESTINATION_RULES, PODS, TRAFFIC_SHIFTS, VIRTUAL_SERVICES
from meshshift.core.mesh.documents import operation, pointer
from meshshift.core.mesh.subsets import add_subset_patch, remove_subset_patch
from meshshift.engine.failures import Refused

HOSTILE = (
    *("..", ".", "../pods", "a/b", "a/../b", "/", "//", "%2e%2e", "a%2fb", "%", "a?watch=true", "a#b", "a;b", "a b"),
    *("a\nb", "a\r\nHost: b", "\0", "\\", "..\\b", "~", "~1", "-rf", "@", "a\u202eb", "a\u200bb", "ü", "\ud800", "-"),
    *("a" * 254, "a" * 10**6, " ", "*", "$(a)", "`a`", "{name}", "[1]", "'", '"'),
)


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:20]))
@pytest.mark.parametrize("resource", [VIRTUAL_SERVICES, DESTINATION_RULES, TRAFFIC_SHIFTS, PODS], ids=lambda r: r.kind)
def test_no_name_leaves_its_segment(resource: object, name: str) -> None:
    for namespace, own in (("bookinfo", name), (name, "reviews")):
        with pytest.raises(Refused, match="not a valid Kubernetes object name; use lower-case") as caught:
            resource.path(namespace, own)  # type: ignore[attr-defined]
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 500


@given(namespace=st.text(min_size=1), name=st.text(min_size=1))
def test_a_path_has_its_segments_or_is_none(namespace: str, name: str) -> None:
    try:
        path = VIRTUAL_SERVICES.path(namespace, name)
    except Refused:
        return
    assert path.isascii()
    assert path == f"/apis/networking.istio.io/v1/namespaces/{namespace}/virtualservices/{name}"
    assert len(path.split("/")) == 8


@given(steps=st.lists(st.text() | st.sampled_from(["~", "/", "~1", "~0", "-", "..", ""]), min_size=1, max_size=4))
def test_a_pointer_walks_exactly_its_steps(steps: list[str]) -> None:
    document: object = "found"
    for step in reversed(steps):
        document = {step: document}
    changed = jsonpatch.apply_patch(document, [operation("test", pointer(*steps), "found")])
    assert changed == document


@given(
    names=st.lists(st.text(min_size=1) | st.sampled_from(HOSTILE), min_size=1, max_size=4, unique=True),
    labels=st.dictionaries(st.text() | st.sampled_from(HOSTILE), st.text(), max_size=3),
)
def test_subsets_of_any_name_are_added_and_removed_alone(names: list[str], labels: dict[str, str]) -> None:
    present = [{"name": name, "labels": {"version": "v1"}} for name in names[1:]]
    rule = {
        "metadata": {"name": "reviews", "namespace": "bookinfo", "resourceVersion": "1"},
        "spec": {"host": "reviews", "subsets": present},
    }
    added = add_subset_patch(rule, names[0], labels)
    with_subset = jsonpatch.apply_patch(rule, list(added.operations))  # type: ignore[union-attr]
    assert with_subset["spec"]["subsets"] == [*present, {"name": names[0], "labels": labels}]
    removed = remove_subset_patch(with_subset, names[0])
    assert removed is not None
    assert jsonpatch.apply_patch(with_subset, list(removed.operations)) == rule
