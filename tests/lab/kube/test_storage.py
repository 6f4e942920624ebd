"""The versioned storage: every earlier version can be read back as long as it is remembered."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshshift.lab.kube.errors import StatusError
from meshshift.lab.kube.storage import Storage

BUCKET = ("", "things")
names = st.sampled_from(["a", "b", "c"])
steps = st.lists(st.tuples(st.sampled_from(["put", "delete"]), names), max_size=30)


def document(name: str, number: int) -> dict[str, Any]:
    return {"metadata": {"uid": name, "name": name}, "n": number}


def play(storage: Storage, script: list[tuple[str, str]]) -> dict[int, dict[str, int]]:
    """Carry out a script; return what was stored at each version."""
    states: dict[int, dict[str, int]] = {storage.revision: {}}
    for number, (action, name) in enumerate(script):
        key = ("", name)
        if action == "put":
            storage.put(BUCKET, key, document(name, number))
        elif storage.get(BUCKET, key) is not None:
            storage.delete(BUCKET, key)
        states[storage.revision] = {key[1]: one["n"] for key, one in storage.list(BUCKET)}
    return states


@given(steps)
def test_every_remembered_version_can_be_listed(script: list[tuple[str, str]]) -> None:
    storage = Storage(history=100)
    for revision, state in play(storage, script).items():
        assert {key[1]: one["n"] for key, one in storage.list_as_of(BUCKET, "", revision)} == state


@given(steps)
def test_replaying_history_arrives_at_the_present(script: list[tuple[str, str]]) -> None:
    storage = Storage(history=100)
    states = play(storage, script)
    for revision, state in states.items():
        for change in storage.since(BUCKET, revision):
            if change.type == "DELETED":
                assert state.pop(change.key[1]) is not None
            else:
                assert (change.type == "ADDED") == (change.key[1] not in state)
                state[change.key[1]] = change.object["n"]
        assert state == {key[1]: one["n"] for key, one in storage.list(BUCKET)}


@given(steps, st.integers(min_value=1, max_value=5))
def test_a_forgotten_version_is_refused_never_answered_wrongly(script: list[tuple[str, str]], history: int) -> None:
    storage = Storage(history=history)
    for revision, state in play(storage, script).items():
        with contextlib.suppress(StatusError):
            found = storage.list_as_of(BUCKET, "", revision)
            assert {key[1]: one["n"] for key, one in found} == state


def test_a_version_before_the_history_is_gone() -> None:
    storage = Storage(history=1)
    for number in range(3):
        storage.put(BUCKET, ("", "a"), document("a", number))
    with pytest.raises(StatusError) as refused:
        storage.list_as_of(BUCKET, "", 1)
    assert refused.value.code == 410


def test_dependents_follow_the_owner_references() -> None:
    storage = Storage(history=10)
    child = {"metadata": {"uid": "c", "name": "c", "ownerReferences": [{"uid": "o"}]}}
    storage.put(BUCKET, ("", "c"), child)
    assert storage.dependents("o") == [(BUCKET, ("", "c"))]
    storage.put(BUCKET, ("", "c"), {"metadata": {"uid": "c", "name": "c"}})
    assert storage.dependents("o") == []


def test_a_stored_version_is_never_changed_by_a_later_write() -> None:
    storage = Storage(history=10)
    first = storage.put(BUCKET, ("", "a"), document("a", 1))
    before = str(first)
    storage.put(BUCKET, ("", "a"), document("a", 2))
    storage.delete(BUCKET, ("", "a"))
    assert str(first) == before


async def test_a_full_queue_closes_the_subscription() -> None:
    storage = Storage(history=10, queue_limit=2)
    subscription = storage.subscribe(BUCKET)
    for number in range(3):
        storage.put(BUCKET, ("", "a"), document("a", number))
    assert subscription.overflowed
    assert subscription.closed


@pytest.mark.parametrize("seconds", [0.001])
async def test_waiting_ends_without_a_change(seconds: float) -> None:
    subscription = Storage(history=10).subscribe(BUCKET)
    await subscription.wait(seconds)
    assert not subscription.changes
