"""Watches: a resource's changes as a stream of JSON lines.

A watch starts from a version (then it replays history, or fails with 410 if that has been forgotten), or from the
objects as they are. Selectors turn changes into what the watcher should see: an object that stops matching is DELETED,
one that starts matching is ADDED. Bookmarks tell an idle watcher how far it is, so it can resume cheaply.
"""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshshift.lab.kube import errors
from meshshift.lab.kube.lists import selector_of
from meshshift.lab.kube.requests import is_true, number_of
from meshshift.lab.kube.tables import partial, table
from meshshift.lab.kube.views import view

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from meshshift.lab.kube.documents import Document
    from meshshift.lab.kube.kinds import Kind
    from meshshift.lab.kube.requests import Form
    from meshshift.lab.kube.storage import Change, Subscription
    from meshshift.lab.kube.store import Store

INITIAL_END = "k8s.io/initial-events-end"
SHORTEST_DEFAULT = 1800.0


@dataclass(slots=True)
class WatchRequest:
    """What a watcher asks for.

    Attributes:
        since: the version to resume from; 0 to start from the objects as they are.
        initial: whether to send those objects first.
        mark_initial_end: whether a bookmark is to tell where they end.
        bookmarks: whether to send bookmarks.
        seconds: how long the watch lasts.
        included: what the rows of a table carry.
    """

    kind: Kind
    namespace: str
    matches: Callable[[Document], bool] | None
    since: int
    initial: bool
    mark_initial_end: bool
    bookmarks: bool
    seconds: float
    form: Form
    included: str


def watch_request(kind: Kind, namespace: str, query: Mapping[str, str], form: Form) -> WatchRequest:
    """Read the parameters of a watch.

    Raises:
        StatusError: 400 or 422, for parameters that do not go together.
    """
    bookmarks = is_true(query.get("allowWatchBookmarks"))
    send_initial = is_true(query.get("sendInitialEvents"))
    if send_initial and (query.get("resourceVersionMatch") != "NotOlderThan" or not bookmarks):
        detail = (
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan and allowWatchBookmarks to true"
        )
        problem = errors.forbidden_field("resourceVersionMatch", detail)
        raise errors.invalid("ListOptions", "meta.k8s.io", "", [problem])
    since = number_of(query, "resourceVersion")
    asked = number_of(query, "timeoutSeconds")
    return WatchRequest(
        kind=kind,
        namespace=namespace,
        matches=selector_of(query, kind),
        since=since,
        initial=send_initial or (since == 0 and "sendInitialEvents" not in query),
        mark_initial_end=send_initial,
        bookmarks=bookmarks,
        seconds=float(asked) if asked else SHORTEST_DEFAULT * (1 + random.random()),
        form=form,
        included=query.get("includeObject", "Metadata"),
    )


class Watcher:
    """One running watch: an async iterator over the lines to send."""

    def __init__(self, store: Store, request: WatchRequest, subscription: Subscription, interval: float) -> None:
        self._store = store
        self._request = request
        self._subscription = subscription
        self._interval = interval
        self._headers = True

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """Yield the events, encoded; ends with the watch's time, or when the subscription is closed.

        A version that has been forgotten (410) or lies in the future (504) is told as an ERROR event, as the real
        server's watch cache does.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._request.seconds
        try:
            first = self._first_lines()
        except errors.StatusError as error:
            yield _encoded("ERROR", error.status())
            return
        for line in first:
            yield line
        next_bookmark = loop.time() + self._interval
        while not self._subscription.overflowed:
            while self._subscription.changes:
                change = self._line(self._subscription.changes.popleft())
                if change:
                    yield change
            now = loop.time()
            if self._subscription.closed or now >= deadline:
                return
            if self._request.bookmarks and now >= next_bookmark:
                yield self._bookmark()
                next_bookmark = now + self._interval
            await self._subscription.wait(min(deadline, next_bookmark) - now)

    def _first_lines(self) -> list[bytes]:
        """Return what comes before the live changes, as of the moment the subscription begins."""
        request, storage = self._request, self._store.storage
        # What was queued since the subscription began is in the list or the history read below.
        self._subscription.changes.clear()
        if request.since > storage.revision:
            raise errors.too_large_version(request.since, storage.revision)
        if not request.initial:
            history = storage.since(request.kind.bucket, request.since) if request.since else ()
            return [line for change in history if (line := self._line(change))]
        stored = storage.list(request.kind.bucket, request.namespace)
        lines = [
            self._event("ADDED", view(request.kind, one))
            for _, one in stored
            if request.matches is None or request.matches(one)
        ]
        if request.mark_initial_end:
            lines.append(self._bookmark({INITIAL_END: "true"}))
        return lines

    def _line(self, change: Change) -> bytes | None:
        request = self._request
        if request.namespace and change.key[0] != request.namespace:
            return None
        event = change.type
        if request.matches is not None:
            was = change.previous is not None and request.matches(change.previous)
            now = change.type != "DELETED" and request.matches(change.object)
            if not was and not now:
                return None
            event = "MODIFIED" if was and now else "ADDED" if now else "DELETED"
        if request.form == "table":
            return self._event(event, self._shown(change, event))
        # Many watchers send the same bytes: encode them once.
        key = f"{event} {request.form} {request.kind.api_version}"
        if key not in change.encoded:
            change.encoded[key] = self._event(event, self._shown(change, event))
        return change.encoded[key]

    def _shown(self, change: Change, event: str) -> Document:
        document = change.object
        if event == "DELETED" and change.type == "MODIFIED" and change.previous is not None:
            version = change.object["metadata"]["resourceVersion"]
            document = {**change.previous, "metadata": {**change.previous["metadata"], "resourceVersion": version}}
        return view(self._request.kind, document)

    def _event(self, event: str, document: Document) -> bytes:
        form = self._request.form
        if form == "table":
            meta = {"resourceVersion": document["metadata"]["resourceVersion"]}
            document = table([document], self._request.kind, meta, self._request.included, self._headers)
            self._headers = False
        elif form == "partial":
            document = partial(document)
        return _encoded(event, document)

    def _bookmark(self, annotations: dict[str, str] | None = None) -> bytes:
        meta: Document = {"resourceVersion": str(self._store.storage.revision), "creationTimestamp": None}
        if annotations:
            meta["annotations"] = annotations
        kind = self._request.kind
        document: Document = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}
        if self._request.form == "table":
            document = table([], kind, meta, headers=False)
        elif self._request.form == "partial":
            document = partial(document)
        return _encoded("BOOKMARK", document)


def _encoded(event: str, document: Document) -> bytes:
    return json.dumps({"type": event, "object": document}, separators=(",", ":")).encode() + b"\n"
