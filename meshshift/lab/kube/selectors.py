"""Label and field selectors of lists, watches and collection deletes.

Labels: `a=b`, `a==b`, `a!=b`, `a`, `!a`, `a in (b,c)`, `a notin (b,c)`. Fields: `=`, `==` and `!=` on the paths that
the API server indexes; any other path is a bad request, as it is there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from meshshift.lab.kube.documents import at
from meshshift.lab.kube.errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.kinds import Kind

SET = re.compile(r"(?P<key>[^\s!=,()]+)\s+(?P<operator>in|notin)\s*\((?P<values>[^)]*)\)")
EQUALITY = re.compile(r"(?P<key>[^\s!=,()]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[^\s,()=!]*)")
EXISTENCE = re.compile(r"(?P<not>!?)\s*(?P<key>[^\s!=,()]+)")

EVERYWHERE = ("metadata.name", "metadata.namespace")
INVOLVED = tuple(
    f"involvedObject.{field}"
    for field in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
)
SELECTABLE: dict[str, tuple[str, ...]] = {
    "Event": (*INVOLVED, "reason", "reportingComponent", "source", "type"),
    "Pod": ("spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "status.phase", "status.podIP"),
    "Secret": ("type",),
    "Namespace": ("status.phase",),
    "ReplicaSet": ("status.replicas",),
}


def _labels_of(document: Document) -> Document:
    labels: Document = at(document, "metadata", "labels") or {}
    return labels


def _split(text: str) -> list[str]:
    return [part.strip() for part in re.split(r",(?![^(]*\))", text) if part.strip()]


def label_selector(text: str) -> Callable[[Document], bool] | None:
    """Compile a label selector; None if it selects everything.

    Raises:
        StatusError: 400, if the selector cannot be read.
    """
    requirements = [_requirement(part) for part in _split(text)]
    if not requirements:
        return None
    return lambda document: all(holds(_labels_of(document)) for holds in requirements)


def _requirement(part: str) -> Callable[[Document], bool]:
    if found := SET.fullmatch(part):
        key, wanted = found["key"], {value.strip() for value in found["values"].split(",")}
        if found["operator"] == "in":
            return lambda labels: key in labels and labels[key] in wanted
        return lambda labels: key not in labels or labels[key] not in wanted
    if found := EQUALITY.fullmatch(part):
        key, value = found["key"], found["value"]
        if found["operator"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := EXISTENCE.fullmatch(part):
        key, absent = found["key"], bool(found["not"])
        return lambda labels: (key in labels) != absent
    raise bad_request(
        f"unable to parse requirement: found {part!r}, expected a label selector such as a=b or a in (b,c)"
    )


def field_selector(text: str, kind: Kind) -> Callable[[Document], bool] | None:
    """Compile a field selector for a kind; None if it selects everything.

    Raises:
        StatusError: 400, if it names a field that cannot be selected by.
    """
    allowed = {*EVERYWHERE, *SELECTABLE.get(kind.kind, ()), *(path.lstrip(".") for path in kind.selectable)}
    tests: list[Callable[[Document], bool]] = []
    for part in _split(text):
        found = EQUALITY.fullmatch(part)
        if found is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        field = found["key"]
        if field not in allowed:
            raise bad_request(_not_selectable(field, kind))
        tests.append(_field_test(field, found["operator"] != "!=", found["value"]))
    if not tests:
        return None
    return lambda document: all(test(document) for test in tests)


def _not_selectable(field: str, kind: Kind) -> str:
    if kind.custom or kind.kind in SELECTABLE:
        return f"field label not supported: {field}"
    return f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def _field_test(field: str, equal: bool, value: str) -> Callable[[Document], bool]:
    path = field.split(".")
    if field == "source":
        path = ["source", "component"]
    return lambda document: (_text(at(document, *path)) == value) == equal


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def both(
    first: Callable[[Document], bool] | None, second: Callable[[Document], bool] | None
) -> Callable[[Document], bool] | None:
    """Combine two selectors; None means everything."""
    if first is None or second is None:
        return first or second
    return lambda document: first(document) and second(document)
