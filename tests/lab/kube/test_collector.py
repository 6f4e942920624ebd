"""What kube-controller-manager makes of deletions, done by the lab's server itself: owners, orphans, namespaces.

These are no contract tests: an API server without controllers leaves what is owned, and keeps every namespace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.lab.kube.test_deletion import delete_with, owned_by

if TYPE_CHECKING:
    from tests.lab.kube.client import Api


async def test_what_an_object_owns_goes_with_it(cluster: Api) -> None:
    owner = await cluster.config_map("owner")
    child = await cluster.config_map("child", ownerReferences=owned_by(owner))
    await cluster.config_map("grandchild", ownerReferences=owned_by(child))
    await cluster.delete(cluster.config_maps("owner"))
    assert await cluster.gone(cluster.config_maps(), "child")
    assert await cluster.gone(cluster.config_maps(), "grandchild")


async def test_another_owner_keeps_it_alive(cluster: Api) -> None:
    first, second = await cluster.config_map("first"), await cluster.config_map("second")
    await cluster.config_map("child", ownerReferences=owned_by(first) + owned_by(second))
    await cluster.delete(cluster.config_maps("first"))
    await cluster.until(
        cluster.config_maps(), "child", lambda one: one is not None and len(one["metadata"]["ownerReferences"]) == 1
    )
    await cluster.delete(cluster.config_maps("second"))
    assert await cluster.gone(cluster.config_maps(), "child")


async def test_orphans_lose_their_owner_and_stay(cluster: Api) -> None:
    owner = await cluster.config_map("owner")
    await cluster.config_map("child", ownerReferences=owned_by(owner))
    await delete_with(cluster, cluster.config_maps("owner"), {"propagationPolicy": "Orphan"})
    assert await cluster.gone(cluster.config_maps(), "owner")
    assert "ownerReferences" not in (await cluster.get(cluster.config_maps("child")))["metadata"]


async def test_a_foreground_deletion_waits_for_what_is_owned(cluster: Api) -> None:
    owner = await cluster.config_map("owner")
    await cluster.config_map(
        "child", finalizers=["example.com/hold"], ownerReferences=owned_by(owner, blockOwnerDeletion=True)
    )
    await delete_with(cluster, cluster.config_maps("owner"), {"propagationPolicy": "Foreground"})
    held = await cluster.get(cluster.config_maps("owner"))
    assert held["metadata"]["finalizers"] == ["foregroundDeletion"]
    await cluster.until(
        cluster.config_maps(), "child", lambda one: one is not None and "deletionTimestamp" in one["metadata"]
    )
    await cluster.patch(cluster.config_maps("child"), {"metadata": {"finalizers": None}})
    assert await cluster.gone(cluster.config_maps(), "owner")


async def test_a_namespace_takes_its_content_along(cluster: Api) -> None:
    await cluster.config_map("a")
    await cluster.delete(f"/api/v1/namespaces/{cluster.namespace}")
    assert await cluster.gone("/api/v1/namespaces", cluster.namespace)
    assert await cluster.names("/api/v1/configmaps", fieldSelector=f"metadata.namespace={cluster.namespace}") == []


async def test_a_namespace_waits_for_finalizers(cluster: Api) -> None:
    await cluster.config_map("a", finalizers=["example.com/hold"])
    await cluster.delete(f"/api/v1/namespaces/{cluster.namespace}")
    assert await cluster.get(cluster.config_maps("a"))
    await cluster.patch(cluster.config_maps("a"), {"metadata": {"finalizers": None}})
    assert await cluster.gone("/api/v1/namespaces", cluster.namespace)


async def test_an_object_whose_owners_do_not_exist_is_collected(cluster: Api) -> None:
    owner = await cluster.config_map("owner")
    await cluster.delete(cluster.config_maps("owner"))
    await cluster.config_map("late", ownerReferences=owned_by(owner))
    assert await cluster.gone(cluster.config_maps(), "late")


async def test_a_foreground_deletion_with_nothing_owned_is_immediate(cluster: Api) -> None:
    await cluster.config_map("owner")
    await delete_with(cluster, cluster.config_maps("owner"), {"propagationPolicy": "Foreground"})
    assert await cluster.gone(cluster.config_maps(), "owner")
