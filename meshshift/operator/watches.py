"""kopf's watches, which only feed the caches and put keys on the queue.

Only `on.event` is used: it keeps no bookkeeping on the users' objects, neither annotations nor finalizers, and runs no
task per object.  What an object concerns is looked up in the caches before and after the change, so a route that moves
from one service to another wakes the shifts of both.
"""

from __future__ import annotations

import datetime
import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import kopf

from meshshift.adapters.kube import (
    DEPLOYMENTS,
    DESTINATION_RULES,
    PODS,
    REQUEST_TIMEOUT,
    SERVICES,
    SHIFT_POLICIES,
    TRAFFIC_SHIFTS,
    VIRTUAL_SERVICES,
    KubeClient,
    Resource,
)
from meshshift.engine.world import Key, Table, World, group_of, is_older, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from meshshift.engine.queue import WorkQueue

Document = dict[str, Any]
WATCHED = (SHIFT_POLICIES, TRAFFIC_SHIFTS, VIRTUAL_SERVICES, DESTINATION_RULES, SERVICES, PODS)
SILENCE = 70.0
"""Seconds without a word, bookmarks included, after which a stream counts as dead and is opened anew."""
_CREDENTIALS_FOR = datetime.timedelta(minutes=5)


class Listener(Protocol):
    """Who is told how the watches do: own metrics."""

    def heard(self, resource: str) -> None:
        """A watch or a list told of an object of this kind (plural name), or a list that there is none."""
        ...

    def missed(self, resource: str, changes: int) -> None:
        """So many changes that a list had brought were not told of by a watch until the next list."""
        ...


class Hearer(Protocol):
    """Who wakes what else a change concerns: Services that have opted in."""

    def changed(
        self, resource: Resource, before: Document | None, after: Document | None, hosts: frozenset[str]
    ) -> None:
        """An object was `before` and is `after`; it spoke of, or speaks of, `hosts`."""
        ...


class Deaf:
    """A listener that does not listen."""

    def heard(self, resource: str) -> None:
        """Nothing."""

    def missed(self, resource: str, changes: int) -> None:
        """Nothing."""

    def changed(
        self, resource: Resource, before: Document | None, after: Document | None, hosts: frozenset[str]
    ) -> None:
        """Nothing."""


@dataclass
class Feed:
    """Takes what a watch or a list says into the caches and wakes the shifts, and the Services, that it concerns."""

    world: World
    queue: WorkQueue[Key]
    listener: Listener = field(default_factory=Deaf)
    services: Hearer = field(default_factory=Deaf)
    _unconfirmed: dict[str, set[Key]] = field(default_factory=lambda: defaultdict(set))
    _listed: dict[tuple[str, str], set[Key]] = field(default_factory=lambda: defaultdict(set))

    def take(self, resource: Resource, document: Document, *, gone: bool) -> None:
        """One object as it is now, or as it was when it went; what is known already (an own write) wakes nobody."""
        self.listener.heard(resource.plural)
        self._unconfirmed[resource.plural].discard(key_of(document))
        self._take(resource, document, gone=gone)

    def is_listed_again(self, resource: Resource, document: Document) -> bool:
        """Is this, of what a watch lists before it begins, the first object that it had listed before?"""
        key = key_of(document)
        before = self._listed[resource.plural, key[0]]
        again = key in before
        if again:
            before.clear()
        before.add(key)
        return again

    def replace(self, resource: Resource, documents: list[Document], version: str) -> None:
        """A fresh list as of `version`: take every object of it, and let those go that it no longer has."""
        plural = resource.plural
        self.listener.heard(plural)
        if missed := self._unconfirmed.pop(plural, None):
            self.listener.missed(plural, len(missed))
        present = {key_of(document) for document in documents}
        as_of = {"metadata": {"resourceVersion": version}}
        apart: dict[str, Table] = {PODS.plural: self.world.pods, SHIFT_POLICIES.plural: self.world.policies}
        known = list((apart.get(plural) or self.world.tables[resource.kind]).objects.values())
        gone = [each for each in known if key_of(each) not in present and not is_older(as_of, each)]
        news = [each for each in documents if self._take(resource, each, gone=False)]
        news += [each for each in gone if self._take(resource, each, gone=True)]
        self._unconfirmed[plural].update(map(key_of, news))

    def _take(self, resource: Resource, document: Document, *, gone: bool) -> bool:
        """Take it over and wake whom it concerns; False if it was known."""
        if resource is PODS:
            return self._pod(document, gone=gone)
        if resource is SHIFT_POLICIES:
            return self._policy(document, gone=gone)
        table, key = self.world.tables[resource.kind], key_of(document)
        if resource is TRAFFIC_SHIFTS and (group := group_of(document)):
            # How far one has come matters to the others, also where the news is this process's own.
            self._wake(other for other in self.world.shifts_of_group(key[0], group) if other != key)
        known = table.get(key)
        before = table.hosts(key)
        news = self._keep(table, document, gone=gone)
        hosts = before | table.hosts(key)
        if news or resource is TRAFFIC_SHIFTS:
            # How far a shift has come matters to its Service, also where the news is this process's own.
            self.services.changed(resource, known, table.get(key), hosts)
        if news:
            self._wake([key] if resource is TRAFFIC_SHIFTS else self.world.shifts_on(hosts))
        return news

    def _pod(self, document: Document, *, gone: bool) -> bool:
        """Wake the shifts in the pod's namespace, if the change is one that endpoints are judged by."""
        key = key_of(document)
        before = self.world.pods.get(key)
        kept = self._keep(self.world.pods, document, gone=gone)
        after = self.world.pods.get(key)
        if _essence(before) != _essence(after):
            self._wake(self.world.shifts_in(key[0]))
            self.services.changed(PODS, before, after, frozenset())
        return kept

    def _policy(self, document: Document, *, gone: bool) -> bool:
        """Wake the shifts and the Services that name the policy."""
        kept = self._keep(self.world.policies, document, gone=gone)
        if kept:
            self._wake(self.world.shifts_of_policy(key_of(document)))
            self.services.changed(SHIFT_POLICIES, None, document, frozenset())
        return kept

    def _wake(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self.queue.add(key)

    @staticmethod
    def _keep(table: Table, document: Document, *, gone: bool) -> bool:
        """Take over what is said; False if it was known.

        The deletion of an object that was created again since (an own write is known before its event) is old news.
        """
        known = table.get(key_of(document))
        if gone:
            if known is not None and is_older(document, known):
                return False
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


def watched(world: World) -> tuple[Resource, ...]:
    """The kinds that are watched."""
    return (*WATCHED, DEPLOYMENTS) if world.watches_deployments else WATCHED


def registry(feed: Feed, client: KubeClient, relist: Callable[[Resource], None]) -> kopf.OperatorRegistry:
    """The handlers, in a registry of their own; `relist` is asked for a kind whose watch had to begin anew."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def login(**_: Any) -> kopf.ConnectionInfo:
        return await credentials(client)

    for resource in watched(feed.world):
        _watch(handlers, feed, resource, relist)
    return handlers


def _watch(handlers: kopf.OperatorRegistry, feed: Feed, resource: Resource, relist: Callable[[Resource], None]) -> None:
    @kopf.on.event(resource.group, resource.version, resource.plural, registry=handlers, id=resource.plural)
    async def changed(event: kopf.RawEvent, **_: Any) -> None:
        document = dict(event["object"])
        if event["type"] is None and feed.is_listed_again(resource, document):
            relist(resource)
        feed.take(resource, document, gone=event["type"] == "DELETED")


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


class _Patience:
    """Seconds between kopf's attempts at one request, without end: an outage of the API server ends no process."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((1.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0), itertools.repeat(20.0))


def quiet_settings(silence: float = SILENCE) -> kopf.OperatorSettings:
    """kopf without its Events on users' objects and without its peering, bounded in all it waits for.

    `silence` is how many seconds a stream may say nothing, not even a bookmark.
    """
    settings = kopf.OperatorSettings()
    settings.networking.connect_timeout = REQUEST_TIMEOUT
    settings.networking.request_timeout = 3 * REQUEST_TIMEOUT
    settings.networking.error_backoffs = _Patience()
    settings.watching.inactivity_timeout = silence
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    return settings
