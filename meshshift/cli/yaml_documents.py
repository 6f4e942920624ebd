"""YAML documents of a file that anybody may have written, read as `kubectl` reads them: what results is JSON.

A timestamp therefore stays the text that it is.  A file may also be meant to do harm, or just be the wrong one, so what
is read is bounded: in length, and in what its aliases and merge keys unfold to (a "billion laughs" is a few lines that
stand for gigabytes).  A key that stands twice in one object is refused: one of the two values would silently not count.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click
import yaml

from meshshift.core.plain_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_FILE = 64 * 2**20
"""Characters of one file."""

UNFOLDED = 64 * 2**20
"""Characters and values of one document, with every alias written out."""

_UNREADABLE = (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError)
"""A value that does not fit its explicit tag (`!!int []`) makes PyYAML raise whatever it stumbles over."""

_MERGE = "tag:yaml.org,2002:merge"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


def yaml_documents(file: str) -> list[object]:
    """All documents of the file (`-` is standard input); raises ClickException that names it and what is wrong."""
    try:
        with click.open_file(file, encoding="utf-8-sig") as stream:
            content = stream.read(LONGEST_FILE + 1)
        if len(content) > LONGEST_FILE:
            raise click.ClickException(f"{file} has more than {LONGEST_FILE:,} characters; give the manifests alone")
        documents = _parsed(content)
        for document in documents:
            _refuse_to_unfold(document, {})
    except OSError as error:
        raise click.ClickException(f"{file} cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise click.ClickException(f"{file} is not YAML that can be read: it is nested too deeply") from error
    except _UNREADABLE as error:
        told = "\n".join(map(one_line, str(error).splitlines()))
        raise click.ClickException(f"{file} is not YAML: {told}") from error
    return documents


def _parsed(content: str) -> list[object]:
    """JSON goes first, for PyYAML takes it only while it has no tabs."""
    try:
        return [json.loads(content, object_pairs_hook=_each_once)]
    except json.JSONDecodeError:
        return list(yaml.load_all(content, Loader=_Loader))


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(each for each in names if names.count(each) > 1)!r} stands twice; leave one")
    return document


def _refuse_to_unfold(value: object, known: dict[int, float]) -> float:
    """How large the value is with its aliases written out; ValueError beyond the bound, or if it contains itself."""
    if not isinstance(value, dict | list | tuple):
        return 1.0 + (len(value) if isinstance(value, str | bytes) else 0)
    if id(value) not in known:
        known[id(value)] = float("inf")
        known[id(value)] = 1.0 + sum(_refuse_to_unfold(child, known) for child in _children(value))
    if known[id(value)] > UNFOLDED:
        raise ValueError(f"its aliases unfold to more than {UNFOLDED:,} characters; write it without them")
    return known[id(value)]


def _children(value: dict[Any, Any] | list[Any] | tuple[Any, ...]) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.keys()
        yield from value.values()
    else:
        yield from value


class _Loader(yaml.SafeLoader):
    """Safe, without YAML's own timestamps, strict about keys, and bounded in what merge keys unfold to."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Unfold what is merged before the mapping that it is merged into, so that the size is known beforehand."""
        merged = [each for key, value in node.value if key.tag == _MERGE for each in _mappings(value)]
        for each in merged:
            self.flatten_mapping(each)
        if sum(len(each.value) for each in merged) > UNFOLDED // 1024:
            raise yaml.constructor.ConstructorError(None, None, "merge keys unfold to too much", node.start_mark)
        super().flatten_mapping(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that is written twice."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if (key.tag, key.value) in seen:
                    problem = f"the key {key.value!r} stands twice; leave one"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


def _mappings(value: yaml.Node) -> list[yaml.MappingNode]:
    listed = value.value if isinstance(value, yaml.SequenceNode) else [value]
    return [each for each in listed if isinstance(each, yaml.MappingNode)]


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
