"""The list of guards says what is there; that their tests miss them is for `make mutants` to see."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from meshshift.core.rules import RULES
from tests.safety.guard import Guard
from tests.safety.guards import GUARDS
from tests.safety.page import PAGE, renewed

ROOT = Path(__file__).parents[2]
each_guard = pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)


@cache
def functions_in(file: str) -> frozenset[str]:
    """The names of the test functions in a file."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(each.name for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))


@each_guard
def test_the_guard_stands_there_once_and_what_is_left_without_it_is_python(guard: Guard) -> None:
    whole = (ROOT / guard.file).read_text(encoding="utf-8")
    without = guard.taken_out_of(whole)
    assert ast.dump(ast.parse(without)) != ast.dump(ast.parse(whole))


@each_guard
def test_its_tests_are_there(guard: Guard) -> None:
    assert guard.tests
    for test in guard.tests:
        file, _, name = test.partition("::")
        assert name.partition("[")[0] in functions_in(file), test


@each_guard
def test_its_promise_is_a_sentence(guard: Guard) -> None:
    assert re.fullmatch(r"[A-Za-z][^|\n]{10,118}[.]", guard.promise)


def test_names_are_unique_and_can_be_typed() -> None:
    names = [guard.name for guard in GUARDS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*|order-[a-z-]+", name) for name in names)


def test_a_guard_that_does_not_stand_there_once_is_an_error() -> None:
    guard = Guard("twice", "It is not found twice.", "x.py", "a", "b", ("tests/x.py::test_x",))
    assert guard.taken_out_of("cac") == "cbc"
    for text in ("c", "aa"):
        with pytest.raises(ValueError, match="twice: its code stands"):
            guard.taken_out_of(text)


def test_every_rule_but_the_last_is_taken_out() -> None:
    names = {guard.name for guard in GUARDS}
    assert {f"rule-{rule.__name__.replace('_', '-')}" for rule in RULES[:-1]} <= names


def test_the_page_is_current() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page) == page, "run python -m tests.safety.page"
