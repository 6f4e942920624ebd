"""Giving up the ownership of what was written: ours alone, on the version that was read."""

from copy import deepcopy
from typing import Any

import jsonpatch
import pytest

from meshshift.core.mesh.writers import give_back
from tests.core.mesh.sample_documents import applied, to, virtual_service

OURS = {"manager": "meshshift", "fieldsV1": {"f:spec": {"f:http": {}}}}
THEIRS = {"manager": "argocd-controller", "fieldsV1": {"f:spec": {"f:hosts": {}}}}
LABELS = {"manager": "meshshift", "fieldsV1": {"f:metadata": {"f:labels": {}}}}


def owned(*entries: Any) -> dict[str, Any]:
    document = virtual_service({"route": [to("v1", 100), to("v2", 0)]})
    document["metadata"]["managedFields"] = list(entries)
    return document


def given_back(document: dict[str, Any]) -> Any:
    patch = give_back(document, "VirtualService")
    assert patch is not None
    return applied(document, (patch,))["metadata"]["managedFields"]


def test_only_our_entry_for_the_spec_is_dropped() -> None:
    assert given_back(owned(THEIRS, OURS, LABELS, OURS)) == [THEIRS, LABELS]
    assert give_back(owned(THEIRS, LABELS), "VirtualService") is None


def test_the_last_entry_leaves_an_empty_one() -> None:
    assert given_back(owned(OURS)) == [{}]


def test_giving_back_tests_the_version_that_was_read() -> None:
    document = owned(THEIRS, OURS)
    patch = give_back(document, "VirtualService")
    assert patch is not None
    moved = deepcopy(document)
    moved["metadata"]["resourceVersion"] = "2"
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        applied(moved, (patch,))
