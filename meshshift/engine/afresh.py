"""Reading one object afresh: after a Conflict or NotFound the caches are behind, and no watch may speak for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshshift.engine.failures import NotFound

if TYPE_CHECKING:
    from meshshift.core.mesh.documents import ObjectRef
    from meshshift.engine.ports import Cluster
    from meshshift.engine.world import World


async def read_afresh(ref: ObjectRef, world: World, cluster: Cluster) -> None:
    """The cache says of the object what the API server says now; what has no cache (a Scale) is read when needed."""
    table = world.tables.get(ref.kind)
    if table is None:
        return
    try:
        table.put(await cluster.read(ref))
    except NotFound:
        if document := table.get((ref.namespace, ref.name)):
            table.drop(document)
