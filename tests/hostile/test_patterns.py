"""Regular expressions of ours on text that is made to explode them, with a limit on the processor's time.

The API server runs the CRD's patterns with RE2, which is linear; the controller runs some of them with Python's engine,
which is not.  What would take exponential time is killed, and the test fails.
"""

from __future__ import annotations

import multiprocessing
import re
import resource
from typing import TYPE_CHECKING, Any

import pytest

from meshshift.api.crd import spec_schema
from meshshift.api.durations import parse_duration
from meshshift.api.percentages import parse_percent
from meshshift.api.wire import is_object_name
from meshshift.core.plain_text import one_line
from meshshift.core.template import Facts, is_sound, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROCESSOR_SECONDS = 4
LENGTH = 20_000
SPITEFUL = tuple(
    (piece * LENGTH)[:LENGTH] + end
    for piece in (
        "a",
        "1",
        "1.",
        "1s",
        "1ms",
        "1m",
        "-",
        ".",
        "a-",
        "a.",
        "{",
        "{{",
        "{{ ",
        "{{canary}}",
        "a/",
        "%",
        "_",
    )
    for end in ("", "!", "\n", "{{", "{", "}", "%", "/", "-")
)


def patterns(node: dict[str, Any]) -> Iterator[str]:
    """Every pattern of a schema."""
    if "pattern" in node:
        yield node["pattern"]
    for child in node.get("properties", {}).values():
        yield from patterns(child)
    for below in ("items", "additionalProperties"):
        if isinstance(node.get(below), dict):
            yield from patterns(node[below])


def _quietly(function: Callable[[str], object], text: str) -> None:
    try:
        function(text)
    except ValueError:
        return


def _run(function: Callable[[str], object]) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    for text in SPITEFUL:
        _quietly(function, text)


def in_time(function: Callable[[str], object]) -> bool:
    """Does it come back from every spiteful text?"""
    process = multiprocessing.get_context("fork").Process(target=_run, args=(function,))
    process.start()
    process.join()
    return process.exitcode == 0


PATTERNS = sorted(set(patterns(spec_schema())))


def test_there_are_patterns() -> None:
    assert len(PATTERNS) >= 6


def test_what_explodes_is_noticed() -> None:
    assert not in_time(lambda text: re.fullmatch(r"(a|a)*b", text))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_of_the_crd_is_harmless_in_any_engine(pattern: str) -> None:
    assert in_time(lambda text: re.search(pattern, text))


FACTS = Facts("v2", "v1", frozenset({"a"}), frozenset({"b"}), "reviews", "bookinfo", "reviews", 15.0)


@pytest.mark.parametrize(
    "function",
    [parse_duration, parse_percent, is_object_name, one_line, is_sound, lambda text: render(text, FACTS)],
    ids=["duration", "percent", "name", "one-line", "template", "rendering"],
)
def test_a_reader_of_text_is_harmless(function: Callable[[str], object]) -> None:
    assert in_time(function)
