"""What docs/how-to/gitops.md tells people to copy, read from the page, so that page and tests cannot drift apart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from tests.gitops.argo_cd import ArgoCD
from tests.gitops.flux import Flux

Rules = tuple[dict[str, Any], ...]
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "gitops.md"


def blocks(heading: str) -> list[dict[str, Any]]:
    """The YAML examples under a heading, before the next one."""
    text = PAGE.read_text("utf-8")
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"{PAGE.name} has no heading {heading!r}"
    examples = re.findall(r"^```yaml\n(.*?)^```", found[1], re.DOTALL | re.MULTILINE)
    return [document for each in examples for document in yaml.safe_load_all(each)]


def argo_cd(*, restores: bool = True, more: Rules = (), **changes: bool) -> ArgoCD:
    """Argo CD with the rules and the sync options of the page, `more` rules, and `changes` to the options."""
    spec = blocks("Argo CD")[0]["spec"]
    options = spec["syncPolicy"]["syncOptions"]
    asked = {"respects": "RespectIgnoreDifferences=true" in options, "server_side": "ServerSideApply=true" in options}
    return ArgoCD(ignores=(*spec["ignoreDifferences"], *more), restores=restores, **asked | changes)


def flux(heading: str = "Flux", more: Rules = ()) -> Flux:
    """Flux with the ignore rules under a heading of the page, and `more` of them."""
    return Flux(ignores=(*blocks(heading)[0]["spec"]["ignore"], *more))


def with_subsets() -> dict[str, ArgoCD | Flux]:
    """All tools with the rules for a DestinationRule of Git that does not name the canary's subset."""
    for_argo_cd, for_flux = blocks("If Git does not name the canary's subset")
    more = tuple(for_argo_cd["spec"]["ignoreDifferences"])
    return {
        "Argo CD": argo_cd(more=more),
        "Argo CD, server-side": argo_cd(more=more, server_side=True),
        "Flux": flux(more=tuple(for_flux["spec"]["ignore"])),
    }


def health_check() -> str:
    """The Lua text that tells Argo CD whether a TrafficShift is healthy."""
    return str(blocks("Health")[0]["data"]["resource.customizations.health.meshshift.io_TrafficShift"])
