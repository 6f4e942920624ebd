"""How Argo CD compares and syncs one object, as its source says (v3.5: controller/sync.go, util/argo, gitops-engine).

- The comparison (`OutOfSync`, which is what self-heal acts on) removes what `ignoreDifferences` names from the live and
  the desired object, and asks what a sync would change of the rest.
- A sync applies *every* object of the application, in sync or not.  Client-side it sends what `kubectl apply` sends: a
  merge patch for custom kinds, in which a list is written whole.  With `ServerSideApply=true` it applies as
  `argocd-controller`, with force.
- `RespectIgnoreDifferences=true` copies what is ignored from the live object into the desired one before that (function
  normalizeTargetResources).  The copy is a merge patch as well: where something *inside* a list is ignored, the whole
  list is the live one (argo-cd issue 17694).  Since v3.5 a field of which nothing was ignored in the *desired* object
  gets its desired value back (restoreNonIgnoredFields, argo-cd pull request 27136).
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import jq

from meshshift.lab.kube.apply import apply
from meshshift.lab.kube.managed import Author
from meshshift.lab.kube.patch import merge_patch
from tests.gitops.merging import (
    SCHEMA,
    VERSION,
    Document,
    Request,
    content,
    is_meant,
    merge_difference,
    three_way,
    without,
)

MANAGER = "argocd-controller"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
TRACKING = "argocd.argoproj.io/tracking-id"


@dataclass(frozen=True)
class ArgoCD:
    """An Application's `ignoreDifferences` and sync options; `restores` is what v3.5 added."""

    ignores: tuple[dict[str, Any], ...] = ()
    respects: bool = False
    server_side: bool = False
    restores: bool = True

    def is_synced(self, git: Document, live: Document) -> bool:
        """Would the application be shown as Synced as far as this object goes?"""
        target, found = self._normalised_both(_tracked(git), live)
        if self.server_side:
            author = Author(MANAGER, VERSION, "", "")
            predicted = apply({**found, "metadata": deepcopy(live["metadata"])}, target, SCHEMA, author, force=True)
        else:
            last = _last_applied(live)
            original = self._normalised(last) if last else target
            predicted = merge_patch(found, three_way(original, target, _within(original, found)))
        return content(_plain(predicted)) == content(found)

    def request(self, git: Document, live: Document) -> Request | None:
        """What a sync sends for this object; None where it has nothing to change."""
        target = _tracked(git)
        if self.respects and live:
            target = self._with_live_values(target, live)
        kind, name = git["kind"], git["metadata"]["name"]
        if self.server_side:
            return Request("apply", kind, name, target, MANAGER)
        target = _annotated(target, LAST_APPLIED, json.dumps(target, sort_keys=True))
        if not live:
            return Request("create", kind, name, target, MANAGER)
        patch = three_way(_last_applied(live), target, live)
        return Request("merge", kind, name, patch, MANAGER) if patch else None

    def _normalised_both(self, target: Document, live: Document) -> tuple[Document, Document]:
        """The desired and the live object without what is ignored (diff/normalize.go)."""
        plain = _plain(live)
        for rule in self.ignores:
            managers = rule.get("managedFieldsManagers", ())
            for entry in live["metadata"].get("managedFields", ()) if is_meant(rule, target) else ():
                if entry["manager"] in managers:
                    target, plain = _without_owned(target, plain, entry["fieldsV1"].get("f:spec", {}))
        return self._normalised(target), self._normalised(plain)

    def _normalised(self, document: Document) -> Document:
        """Without what is ignored; an expression that fails is left out (diff_normalizer.go)."""
        for rule in self.ignores:
            if not is_meant(rule, document):
                continue
            for pointer in rule.get("jsonPointers", ()):
                document = without(document, pointer)
            for expression in rule.get("jqPathExpressions", ()):
                try:
                    document = jq.compile(f"del({expression})").input_value(document).first()
                except ValueError:
                    continue
        return document

    def _with_live_values(self, target: Document, live: Document) -> Document:
        normalised, normalised_live = self._normalised_both(target, live)
        patched = merge_patch(normalised, merge_difference(normalised_live, _plain(live)))
        if self.restores:
            _restore(patched, target, normalised, normalised_live)
        return patched


def _without_owned(target: Document, live: Document, owned: Document) -> tuple[Document, Document]:
    """Both without the fields of the spec that a trusted manager owns and that differ (managed_fields.go)."""
    for name in (field.removeprefix("f:") for field in owned):
        if target["spec"].get(name) != live["spec"].get(name):
            target, live = (without(each, f"/spec/{name}") for each in (target, live))
    return target, live


def _restore(patched: Document, original: Document, normalised: Document, normalised_live: Document) -> None:
    """restoreNonIgnoredFields: what the normaliser left alone keeps the desired value; live-only fields go."""
    for key, wanted in original.items():
        inner = (patched.get(key), wanted, normalised.get(key))
        if all(isinstance(each, dict) for each in inner):
            below = normalised_live.get(key)
            _restore(patched[key], wanted, normalised[key], below if isinstance(below, dict) else {})
        elif key in normalised and normalised[key] == wanted:
            patched[key] = deepcopy(wanted)
    for key in [key for key in patched if key not in original and key in normalised_live]:
        del patched[key]


def _within(original: Any, live: Any) -> Any:
    """What the live object has of the fields that were applied: others count as defaults (RemoveMapFields).

    Entries at the end of a list that was applied shorter stay, so that they are seen.
    """
    if isinstance(original, dict) and isinstance(live, dict):
        return {key: _within(value, live[key]) for key, value in original.items() if key in live}
    if isinstance(original, list) and isinstance(live, list):
        shared = len(original)
        return [*map(_within, original, live), *live[shared:]]
    return live


def _plain(live: Document) -> Document:
    """The live object without its status, what the API server keeps, and the annotation of `kubectl apply`."""
    document = deepcopy(live)
    metadata = document["metadata"]
    document.pop("status", None)
    for key in ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp"):
        metadata.pop(key, None)
    (metadata.get("annotations") or {}).pop(LAST_APPLIED, None)
    return document


def _tracked(git: Document) -> Document:
    """What Git says, with the annotation by which Argo CD knows what is its own."""
    metadata = git["metadata"]
    kind = f"{VERSION.partition('/')[0]}/{git['kind']}"
    return _annotated(git, TRACKING, f"reviews:{kind}:{metadata['namespace']}/{metadata['name']}")


def _annotated(document: Document, name: str, value: str) -> Document:
    annotations = {**(document["metadata"].get("annotations") or {}), name: value}
    return {**deepcopy(document), "metadata": {**deepcopy(document["metadata"]), "annotations": annotations}}


def _last_applied(live: Document) -> Document:
    text = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    found: Document = json.loads(text) if text else {}
    return found
