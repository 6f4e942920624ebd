"""The JSONPath of `additionalPrinterColumns`: fields, escaped dots, quoted keys, indexes, `[*]` and `[?(@.x=="y")]`."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = re.compile(
    r"""\.(?P<field>(?:\\.|[^.\[\\])+)"""
    r"""|\[\?\(@(?P<filter>[^=!<>]+?)\s*(?P<operator>==|!=)\s*(?P<literal>"[^"]*"|'[^']*'|[^)]+)\)\]"""
    r"""|\[(?P<quoted>'[^']*'|"[^"]*")\]"""
    r"""|\[(?P<index>-?\d+|\*)\]"""
)


@cache
def compile_path(path: str) -> Callable[[Any], list[Any]]:
    """Return a function from a document to the values that the path selects.

    Raises:
        ValueError: the path uses something that printer columns do not allow.
    """
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    text = text if not text or text[0] in ".[" else "." + text
    steps: list[Callable[[list[Any]], list[Any]]] = []
    place = 0
    while place < len(text):
        found = TOKEN.match(text, place)
        if found is None:
            raise ValueError(f"JSONPath {path!r} cannot be read from {text[place:]!r} on")
        steps.append(_step(found))
        place = found.end()

    def select(document: Any) -> list[Any]:
        values = [document]
        for step in steps:
            values = step(values)
        return values

    return select


def _step(found: re.Match[str]) -> Callable[[list[Any]], list[Any]]:
    if found["filter"]:
        return _filter(found["filter"], found["operator"], found["literal"].strip().strip("'\""))
    if found["index"]:
        return _index(found["index"])
    key = found["quoted"][1:-1] if found["quoted"] else re.sub(r"\\(.)", r"\1", found["field"])
    return lambda values: [value[key] for value in values if isinstance(value, dict) and key in value]


def _index(text: str) -> Callable[[list[Any]], list[Any]]:
    if text == "*":
        return lambda values: [item for value in values for item in _items(value)]
    index = int(text)
    return lambda values: [
        value[index] for value in values if isinstance(value, list) and -len(value) <= index < len(value)
    ]


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _filter(path: str, operator: str, literal: str) -> Callable[[list[Any]], list[Any]]:
    select = compile_path(path)

    def holds(item: Any) -> bool:
        found = any(_text(value) == literal for value in select(item))
        return found if operator == "==" else not found

    return lambda values: [item for value in values for item in _items(value) if holds(item)]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
