"""How Flux' kustomize-controller reconciles one object, as its source says (v1.9: fluxcd/pkg ssa/manager_apply.go).

Every interval it dry-runs a server-side apply of what Git says, as `kustomize-controller` and with force, and compares
the outcome with the live object; what `spec.ignore` names is taken out of both first.  Where nothing else differs it
writes nothing.  Where something does, it applies what Git says with the live value of each ignored path that differs in
its place ("adopt"): by a JSON Patch `replace`, which fails where Git has nothing at that path.

Left out, because it does not happen here: a path that another *Apply* manager owns is taken out of what is applied (the
controller writes by patches, which are Updates), and what `kubectl` wrote is taken over.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from meshshift.lab.kube.apply import apply
from meshshift.lab.kube.managed import Author
from tests.gitops.merging import (
    MISSING,
    SCHEMA,
    VERSION,
    Document,
    Request,
    content,
    is_meant,
    looked_up,
    replaced,
    without,
)

MANAGER = "kustomize-controller"


@dataclass(frozen=True)
class Flux:
    """A Kustomization's `spec.ignore`; without it, what Flux does by default."""

    ignores: tuple[dict[str, Any], ...] = ()

    def request(self, git: Document, live: Document) -> Request | None:
        """What a reconciliation sends for this object; None where it finds no drift.

        Raises KeyError where an ignored path is not in Git's document, which is where Flux' apply fails.
        """
        kind, name = git["kind"], git["metadata"]["name"]
        if not live:
            return Request("apply", kind, name, deepcopy(git), MANAGER)
        predicted = apply(live, git, SCHEMA, Author(MANAGER, VERSION, "", ""), force=True)
        paths = [path for rule in self.ignores if is_meant(rule.get("target", {}), git) for path in rule["paths"]]
        if _content(live, paths) == _content(predicted, paths):
            return None
        body = deepcopy(git)
        for path in paths:
            found, there = looked_up(live, path), looked_up(predicted, path)
            if found != there:
                body = replaced(body, path, None if found is MISSING else found)
        return Request("apply", kind, name, body, MANAGER)


def _content(document: Document, ignored: list[str]) -> Document:
    for path in ignored:
        document = without(document, path)
    return content(document)
