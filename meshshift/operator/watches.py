"""kopf's watches, which only feed the caches and put keys on the queue.

Only `on.event` is used: it keeps no bookkeeping on the users' objects, neither annotations nor finalizers, and runs no
task per object.  What an object concerns is looked up in the caches before and after the change, so a route that moves
from one service to another wakes the shifts of both.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import kopf

from meshshift.adapters.kube import (
    DESTINATION_RULES,
    PODS,
    SERVICES,
    TRAFFIC_SHIFTS,
    VIRTUAL_SERVICES,
    KubeClient,
    Resource,
)
from meshshift.engine.world import HostTable, Key, Table, World, is_older, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from meshshift.engine.queue import WorkQueue

Document = dict[str, Any]
WATCHED = (TRAFFIC_SHIFTS, VIRTUAL_SERVICES, DESTINATION_RULES, SERVICES, PODS)
_CREDENTIALS_FOR = datetime.timedelta(minutes=5)


@dataclass
class Feed:
    """Takes what a watch or a list says into the caches and wakes the shifts that it concerns."""

    world: World
    queue: WorkQueue[Key]
    seen: Callable[[str], None] = field(default=lambda plural: None)

    def take(self, resource: Resource, document: Document, *, gone: bool) -> None:
        """One object as it is now, or as it was when it went; what is known already (an own write) wakes nobody."""
        self.seen(resource.plural)
        if resource is PODS:
            self._wake(self._pod(document, gone=gone))
            return
        table, key = self._table(resource), key_of(document)
        before = table.hosts(key) if isinstance(table, HostTable) else frozenset()
        if not self._keep(table, document, gone=gone):
            return
        if resource is TRAFFIC_SHIFTS:
            self._wake([key])
        elif isinstance(table, HostTable):
            self._wake(self.world.shifts_on(before | table.hosts(key)))
        else:
            self._wake(self.world.shifts_on([f"{key[1]}.{key[0]}.svc.{self.world.cluster_domain}"]))

    def replace(self, resource: Resource, documents: list[Document], version: str) -> None:
        """A fresh list as of `version`: take every object of it, and let those go that it no longer has."""
        present = {key_of(document) for document in documents}
        for document in documents:
            self.take(resource, document, gone=False)
        as_of = {"metadata": {"resourceVersion": version}}
        for known in list(self._table(resource).objects.values()):
            if key_of(known) not in present and not is_older(as_of, known):
                self.take(resource, known, gone=True)

    def _pod(self, document: Document, *, gone: bool) -> list[Key]:
        """The shifts in the pod's namespace, if the change is one that endpoints are judged by."""
        key = key_of(document)
        before = _essence(self.world.pods.get(key))
        self._keep(self.world.pods, document, gone=gone)
        return self.world.shifts_in(key[0]) if before != _essence(self.world.pods.get(key)) else []

    def _table(self, resource: Resource) -> Table:
        world = self.world
        tables: dict[str, Table] = {
            TRAFFIC_SHIFTS.plural: world.shifts,
            SERVICES.plural: world.services,
            PODS.plural: world.pods,
            VIRTUAL_SERVICES.plural: world.virtual_services,
            DESTINATION_RULES.plural: world.destination_rules,
        }
        return tables[resource.plural]

    def _wake(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self.queue.add(key)

    @staticmethod
    def _keep(table: Table, document: Document, *, gone: bool) -> bool:
        """Take over what is said; False if it was known."""
        known = table.get(key_of(document))
        if gone:
            table.drop(document)
            return known is not None
        version = document["metadata"].get("resourceVersion")
        if known is not None and version and known["metadata"].get("resourceVersion") == version:
            return False
        return table.put(document)


def _essence(pod: Document | None) -> object:
    """What endpoints are judged by, without the version that moves with every change."""
    if pod is None:
        return None
    return pod["status"], {name: value for name, value in pod["metadata"].items() if name != "resourceVersion"}


async def relist(client: KubeClient, feed: Feed, namespaces: tuple[str, ...]) -> None:
    """Read everything that is watched afresh; before this has succeeded once, nothing may be decided."""
    for resource in WATCHED:
        lists = [await client.list(resource, namespace) for namespace in namespaces or (None,)]
        oldest = min((version for _, version in lists), key=lambda version: (len(version), version))
        feed.replace(resource, [document for documents, _ in lists for document in documents], oldest)


def registry(feed: Feed, client: KubeClient) -> kopf.OperatorRegistry:
    """The handlers, in a registry of their own."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return await credentials(client)

    for resource in WATCHED:
        _watch(handlers, feed, resource)
    return handlers


def _watch(handlers: kopf.OperatorRegistry, feed: Feed, resource: Resource) -> None:
    @kopf.on.event(resource.group, resource.version, resource.plural, registry=handlers, id=resource.plural)
    async def changed(event: kopf.RawEvent, **_: Any) -> None:
        feed.take(resource, dict(event["object"]), gone=event["type"] == "DELETED")


async def credentials(client: KubeClient) -> kopf.ConnectionInfo:
    """The official client's credentials for kopf's own connections; asked for again every few minutes (rotation)."""
    configuration = client.configuration
    token = await configuration.get_api_key_with_prefix("BearerToken")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        token=token.removeprefix("Bearer ") if token else None,
        username=configuration.username or None,
        password=configuration.password or None,
        expiration=datetime.datetime.now(datetime.UTC) + _CREDENTIALS_FOR,
    )


def quiet_settings() -> kopf.OperatorSettings:
    """kopf without its Events on users' objects and without its peering."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    return settings
