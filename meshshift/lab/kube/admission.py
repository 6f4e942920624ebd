"""Is the object acceptable? Unknown fields, structure, names, rules: in the order and words of the API server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from meshshift.lab.kube import errors
from meshshift.lab.kube.cel import RuleTree, check_rules, compile_rules
from meshshift.lab.kube.documents import at, name_of
from meshshift.lab.kube.errors import FieldError, StatusError, invalid_value
from meshshift.lab.kube.naming import check_metadata
from meshshift.lab.kube.schema import fill_defaults, prune
from meshshift.lab.kube.structural import check_definition
from meshshift.lab.kube.validation import ABSENT, validate

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.kinds import Kind
    from meshshift.lab.kube.lifecycle import Options

# These leave CEL nothing sound to look at.
BLOCKING = {
    "FieldValueRequired",
    "FieldValueTypeInvalid",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueNotSupported",
}
GO_TYPES = {"integer": "int64", "string": "string", "boolean": "bool", "number": "float64"}


class _Rules:
    """Compiled rules of a kind, found by identity: a changed definition makes new kinds."""

    def __init__(self) -> None:
        self._trees: dict[int, tuple[Kind, RuleTree | None]] = {}

    def of(self, kind: Kind) -> RuleTree | None:
        known = self._trees.get(id(kind))
        if known is None or known[0] is not kind:
            known = self._trees[id(kind)] = (kind, compile_rules(kind.schema))
        return known[1]


_rules = _Rules()


def decode(document: Document, kind: Kind, options: Options) -> None:
    """Prune unknown fields and nulls in place, and fill in defaults.

    Raises:
        StatusError: 400 for an unknown field under strict validation (422 in a JSON or merge patch), and for a value of
            the wrong type in a built-in kind.
    """
    unknown = prune(document, kind.schema)
    if kind.custom:
        unknown.sort()
    if unknown and options.validation == "Strict":
        raise _strict_error(unknown, document, kind, options)
    if options.validation == "Warn":
        options.warnings += [f'unknown field "{path}"' for path in unknown]
    if not kind.custom:
        _refuse_wrong_types(document, kind)
    if kind.defaulting:
        fill_defaults(document, kind.defaulting)


def _strict_error(unknown: list[str], document: Document, kind: Kind, options: Options) -> StatusError:
    listed = ", ".join(f'unknown field "{path}"' for path in unknown)
    text = f"strict decoding error: {listed}"
    if options.patching:
        return errors.invalid("", "", "", [invalid_value("patch", json.dumps(document, separators=(",", ":")), text)])
    return errors.bad_request(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {text}')


def _refuse_wrong_types(document: Document, kind: Kind) -> None:
    """Refuse what Go could not decode into the kind's struct."""
    for error in validate(document, kind.schema):
        if error.reason == "FieldValueTypeInvalid":
            wanted = error.body.partition("must be of type ")[2].partition(":")[0]
            actual = error.body.rpartition(": ")[2].strip('"')
            raise errors.bad_request(
                f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: json: cannot unmarshal '
                f"{actual} into Go struct field {kind.kind}.{error.field} of type {GO_TYPES.get(wanted, wanted)}"
            )


def admit(document: Document, live: Document | None, kind: Kind, more: list[FieldError] | None = None) -> None:
    """Judge an object that is about to be stored.

    Args:
        document: the object, pruned and with defaults.
        live: the object it replaces, None on creation.
        kind: its kind.
        more: what else was found to be wrong.

    Raises:
        StatusError: 422, naming everything that is wrong.
    """
    found = [*check_metadata(document, kind), *(more or ())]
    found += _structure(document, live, kind)
    if kind.kind == "CustomResourceDefinition" and not kind.custom and not found:
        found += check_definition(document)
    if kind.check and not found:
        found += kind.check(document, live)
    if kind.custom:
        found += _ruled(document, live, kind, found)
    if found:
        raise errors.invalid(kind.kind, kind.group, name_of(document), found)


def _structure(document: Document, live: Document | None, kind: Kind) -> list[FieldError]:
    if kind.custom:
        return validate(document, kind.schema, "", ABSENT if live is None else live)
    # A built-in kind's status may be as incomplete as its owner likes.
    shown = {key: value for key, value in document.items() if key != "status"}
    before = ABSENT if live is None else {key: value for key, value in live.items() if key in shown}
    return validate(shown, kind.schema, "", before)


def _ruled(document: Document, live: Document | None, kind: Kind, found: list[FieldError]) -> list[FieldError]:
    tree = _rules.of(kind)
    if tree is None:
        return []
    if any(error.reason in BLOCKING for error in found):
        return [invalid_value("<nil>", None, errors.SOME_RULES_NOT_CHECKED)]
    return check_rules(document, tree, ABSENT if live is None else live)


def check_identity(document: Document, kind: Kind, name: str, namespace: str) -> None:
    """Refuse a body that says it is something else than the request's path does.

    Raises:
        StatusError: 400, naming both.
    """
    body_version, body_kind = document.get("apiVersion"), document.get("kind")
    if not body_kind:
        raise errors.bad_request("Object 'Kind' is missing in the body")
    if body_version != kind.api_version:
        raise errors.bad_request(
            f"the API version in the data ({body_version}) does not match the expected API version ({kind.api_version})"
        )
    if body_kind != kind.kind:
        raise errors.bad_request(f"the kind in the data ({body_kind}) does not match the expected kind ({kind.kind})")
    actual = at(document, "metadata", "name")
    if name and actual and actual != name:
        raise errors.bad_request(f"the name of the object ({actual}) does not match the name on the URL ({name})")
    given = at(document, "metadata", "namespace")
    if given and given != namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
