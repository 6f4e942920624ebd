"""Does a delegate's route fit into the entry of the root that delegates to it?

Every match of the delegate has to lie within one of the root's; if one of them does not, Istio leaves the whole route
out (`mergeHTTPMatchRequests`, `hasConflict` and `stringMatchConflict` in Istio's `pilot/pkg/model/virtualservice.go`).
Documents are not to be trusted: what is not of the expected kind counts as not written.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from meshshift.core.mesh.documents import Document, member

_STRINGS = ("uri", "scheme", "method", "authority")
_MAPS = ("headers", "withoutHeaders", "queryParams")


def fits(root: Sequence[Document], delegate: Sequence[Document]) -> bool:
    """Do the matches of a delegate's route all lie within one of the root's?  No match at all takes everything."""
    if not root or not delegate:
        return True
    return all(any(not contradict(outer, inner) for outer in root) for inner in delegate)


def contradict(outer: Document, inner: Document) -> bool:
    """Does `inner` take what `outer` does not (or may it, as with two regular expressions)?"""
    if any(_strings_contradict(member(outer, name), member(inner, name)) for name in _STRINGS):
        return True
    for name in _MAPS:
        known = _entries(outer, name)
        if any(_strings_contradict(known.get(key), value) for key, value in _entries(inner, name).items()):
            return True
    return _callers_contradict(outer, inner)


def _callers_contradict(outer: Document, inner: Document) -> bool:
    if bool(member(outer, "ignoreUriCase")) != bool(member(inner, "ignoreUriCase")):
        return True
    ports = [each for each in (member(outer, "port"), member(inner, "port")) if each]
    if len(ports) == 2 and ports[0] != ports[1]:
        return True
    namespace = member(outer, "sourceNamespace")
    if namespace and namespace != member(inner, "sourceNamespace"):
        return True
    labels = _entries(outer, "sourceLabels")
    if any(labels.get(key, value) != value for key, value in _entries(inner, "sourceLabels").items()):
        return True
    gateways, named = (member(each, "gateways") for each in (outer, inner))
    if not (isinstance(gateways, list) and isinstance(named, list) and gateways):
        return False
    return any(each not in gateways for each in named)


def _strings_contradict(outer: Any, inner: Any) -> bool:
    """Whether something, or it is not known that nothing, that `inner` matches is not matched by `outer`."""
    if not isinstance(outer, dict) or not isinstance(inner, dict):
        return False
    if outer.get("regex") or inner.get("regex"):
        return True
    if outer.get("exact"):
        return bool(inner.get("exact") != outer["exact"])
    wanted = str(inner.get("prefix") or inner.get("exact") or "")
    return not (outer.get("prefix") and wanted and wanted.startswith(str(outer["prefix"])))


def _entries(parent: Document, name: str) -> Mapping[str, Any]:
    value = member(parent, name)
    return value if isinstance(value, dict) else {}
