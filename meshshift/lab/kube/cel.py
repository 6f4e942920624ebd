"""CEL rules of a CustomResourceDefinition (`x-kubernetes-validations`).

Rules are compiled once, when the definition is accepted; a rule that does not parse is refused there, as the real
server refuses it. On a write they run only after the structural checks passed, on values that changed; rules that
mention `oldSelf` (transition rules) run only where there is an old value. The interpreter is cel-python, which is
dynamically typed: a misspelt field name fails when the rule runs, not when the definition is created. Nor is the cost
of a rule estimated: a real server refuses rules over lists and strings without `maxItems` and `maxLength`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import celpy
from celpy.celparser import CELParseError
from celpy.evaluation import CELEvalError

from meshshift.lab.kube.cel_values import FUNCTIONS, to_cel
from meshshift.lab.kube.documents import json_type
from meshshift.lab.kube.errors import OMITTED, FieldError, duplicate, forbidden_field, invalid_value, required
from meshshift.lab.kube.schema import child_path
from meshshift.lab.kube.validation import ABSENT, entry_key, list_keys

if TYPE_CHECKING:
    from meshshift.lab.kube.documents import Document

OLD_SELF = re.compile(r"\boldSelf\b")
MISSING_KEY = re.compile(r"no such member in mapping: '(.*)'")


class RuleError(ValueError):
    """A rule that is no valid CEL expression."""


@cache
def _environment() -> celpy.Environment:
    return celpy.Environment()


def _program(source: str) -> celpy.Runner:
    environment = _environment()
    try:
        return environment.program(environment.compile(source), functions=FUNCTIONS)
    except CELParseError as error:
        raise RuleError(str(error.args[0]) if error.args else str(error)) from error


@dataclass(frozen=True, slots=True)
class Rule:
    """One compiled rule."""

    source: str
    message: str
    reason: str
    field_path: str
    transition: bool
    program: celpy.Runner
    message_program: celpy.Runner | None

    def broken(self, current: Any, old: Any, value: Any, path: str) -> FieldError | None:
        """Run the rule; return what it says if it does not hold."""
        activation = {"self": current} if old is None else {"self": current, "oldSelf": old}
        try:
            holds = bool(self.program.evaluate(activation))
        except CELEvalError as error:
            cause = MISSING_KEY.sub(r"no such key: \1", str(error.args[0]) if error.args else str(error))
            detail = f"{cause} evaluating rule: {self.message or self.source}"
            return invalid_value(path or "<nil>", json_type(value), detail)
        return None if holds else self._error(self._text(activation), value, path)

    def _text(self, activation: dict[str, Any]) -> str:
        if self.message_program is not None:
            try:
                return str(self.message_program.evaluate(activation))
            except CELEvalError:
                return self.message or f"failed rule: {self.source}"
        return self.message or f"failed rule: {self.source}"

    def _error(self, text: str, value: Any, path: str) -> FieldError:
        where = f"{path}{self.field_path}".removeprefix(".") or "<nil>"
        rejected = OMITTED if isinstance(value, (dict, list)) else value
        if self.reason == "FieldValueForbidden":
            return forbidden_field(where, text)
        if self.reason == "FieldValueRequired":
            return required(where, text)
        if self.reason == "FieldValueDuplicate":
            return duplicate(where, rejected)
        return invalid_value(where, rejected, text)


@dataclass(slots=True)
class RuleTree:
    """The rules of a schema, and those of the values inside it."""

    schema: Document
    rules: list[Rule] = field(default_factory=list)
    properties: dict[str, RuleTree] = field(default_factory=dict)
    extra: RuleTree | None = None
    items: RuleTree | None = None


def compile_rules(schema: Document) -> RuleTree | None:
    """Compile every rule in a schema.

    Returns:
        The tree of rules, or None if there are none.

    Raises:
        RuleError: a rule does not parse.
    """
    tree = RuleTree(schema, [_rule(entry) for entry in schema.get("x-kubernetes-validations", ())])
    for key, inner in schema.get("properties", {}).items():
        found = compile_rules(inner)
        if found:
            tree.properties[key] = found
    if isinstance(schema.get("additionalProperties"), dict):
        tree.extra = compile_rules(schema["additionalProperties"])
    if isinstance(schema.get("items"), dict):
        tree.items = compile_rules(schema["items"])
    return tree if tree.rules or tree.properties or tree.extra or tree.items else None


def _rule(entry: Document) -> Rule:
    source = entry["rule"]
    message_source = entry.get("messageExpression")
    return Rule(
        source=source,
        message=entry.get("message", "").strip(),
        reason=entry.get("reason", "FieldValueInvalid"),
        field_path=entry.get("fieldPath", ""),
        transition=bool(OLD_SELF.search(source)),
        program=_program(source),
        message_program=_program(message_source) if message_source else None,
    )


def check_rules(value: Any, tree: RuleTree, old: Any = ABSENT, path: str = "") -> list[FieldError]:
    """Run all rules that apply to a value and to what is inside it.

    Args:
        value: the new value; structurally valid.
        tree: the compiled rules.
        old: the value it replaces, `ABSENT` on creation.
        path: the field path to name in errors.
    """
    if value is None:
        return []
    errors = _own_rules(value, tree, old, path)
    if isinstance(value, dict):
        errors += _in_object(value, tree, old, path)
    elif isinstance(value, list) and tree.items is not None:
        keys = list_keys(tree.schema)
        before = {entry_key(item, keys): item for item in old} if keys and isinstance(old, list) else {}
        for index, item in enumerate(value):
            correlated = before.get(entry_key(item, keys), ABSENT) if keys else ABSENT
            errors += check_rules(item, tree.items, correlated, f"{path}[{index}]")
    return errors


def _own_rules(value: Any, tree: RuleTree, old: Any, path: str) -> list[FieldError]:
    same = old is not ABSENT and old == value
    due = [rule for rule in tree.rules if (old is not ABSENT if rule.transition else not same)]
    if not due:
        return []
    current = to_cel(_visible(value, path), tree.schema)
    before = to_cel(_visible(old, path), tree.schema) if old is not ABSENT else None
    return [error for rule in due if (error := rule.broken(current, before, value, path))]


def _visible(value: Any, path: str) -> Any:
    """Of the root's metadata, rules may read the name alone."""
    if path or not isinstance(value, dict):
        return value
    shown = {key: item for key, item in value.get("metadata", {}).items() if key in {"name", "generateName"}}
    return {**value, "metadata": shown}


def _in_object(value: Document, tree: RuleTree, old: Any, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    before = old if isinstance(old, dict) else {}
    for key, item in value.items():
        inner = tree.properties.get(key)
        if inner is not None:
            errors += check_rules(item, inner, before.get(key, ABSENT), child_path(path, key))
        elif tree.extra is not None:
            errors += check_rules(item, tree.extra, before.get(key, ABSENT), f"{path}[{key}]")
    return errors
