"""The words that the mesh modules share."""

import jsonpatch
from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.mesh.documents import ObjectRef, Target, member, operation, pointer, ref_of, shown


@given(st.lists(st.text(max_size=6) | st.text("~/01", max_size=4), min_size=1, max_size=4))
def test_a_pointer_leads_to_the_member_whatever_its_name(steps: list[str]) -> None:
    document: object = "here"
    for step in reversed(steps):
        document = {step: document}
    assert jsonpatch.JsonPointer(pointer(*steps)).resolve(document) == "here"


def test_a_pointer_escapes_tilde_before_slash() -> None:
    assert pointer("a/b", "c~d", "~1", 0) == "/a~1b/c~0d/~01/0"


def test_an_operation_does_not_change_with_the_document() -> None:
    destination = {"host": "reviews", "port": {"number": 80}}
    test = operation("test", "/x", destination)
    destination["port"]["number"] = 81  # type: ignore[index]
    assert test["value"] == {"host": "reviews", "port": {"number": 80}}


def test_a_member_of_anything_but_an_object_is_none() -> None:
    assert member({"a": {"b": 1}}, "a", "b") == 1
    for parent in (None, 7, "a", ["a"], {"a": "b"}):
        assert member(parent, "a", "b") is None


def test_a_nameless_document_equals_no_real_object() -> None:
    assert ref_of({"metadata": {"name": 5}}, "VirtualService") == ObjectRef("VirtualService", "", "")
    assert str(ObjectRef("VirtualService", "bookinfo", "reviews")) == "VirtualService bookinfo/reviews"


def test_a_hostile_value_is_cut_short_in_a_message() -> None:
    assert len(shown("x" * 10_000)) == 60
    assert shown("ab\n") == r'"ab\n"'


def test_a_target_knows_its_mesh_host() -> None:
    assert Target("reviews", "bookinfo", "v1", "v2", "corp.example").host == "reviews.bookinfo.svc.corp.example"
