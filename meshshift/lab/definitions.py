"""The custom resources that the lab needs, installed into whatever API server it was given."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from meshshift.adapters.kube import CRDS
from meshshift.api.crd import custom_resource_definition
from meshshift.api.policy_crd import policy_definition
from meshshift.engine.failures import Conflict, NotFound, Transient
from meshshift.lab.client import UnknownKindError
from meshshift.lab.kube.istio import istio_definitions

if TYPE_CHECKING:
    from meshshift.adapters.kube import Document
    from meshshift.lab.client import LabClient

_TIMEOUT = 10.0


async def install_definitions(client: LabClient) -> None:
    """Serve Istio's kinds and meshshift's, if this API server does not yet, and wait until it does."""
    definitions = [*istio_definitions(), custom_resource_definition(), policy_definition()]
    for definition in definitions:
        try:
            client.created.append((CRDS, await client.create(CRDS, None, definition)))
        except Conflict:
            continue
    async with asyncio.timeout(_TIMEOUT):
        for definition in definitions:
            await _await_served(client, definition)


async def _await_served(client: LabClient, definition: Document) -> None:
    """Wait until the kind is discovered and listed; in between a real server answers 429 for a moment."""
    spec = definition["spec"]
    sample = {"apiVersion": f"{spec['group']}/{spec['versions'][0]['name']}", "kind": spec["names"]["kind"]}
    while True:
        try:
            await client.list(await client.resource_of(sample))
        except (UnknownKindError, NotFound, Transient):
            await asyncio.sleep(0.05)
        else:
            return
