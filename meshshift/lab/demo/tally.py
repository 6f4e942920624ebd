"""Who answered how often, and which requests nobody answered: counted by the client and, independently, by Envoy.

*Failed because of shifting* is every answer that the app did not give itself.  The app's own errors are the price of
its version; a request that finds no cluster (NC), no endpoint (UH), no route (NR), or a connection that breaks is the
price of the way it was shifted, and that price has to be zero.  Two records that were made apart have to agree on it:
Envoy's access log and the client's own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from meshshift.lab.access_log import ROUTING_FLAGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshshift.lab.access_log import AccessLog
    from meshshift.lab.load import Load, Response

_CLIENT_LEFT = "DC"
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests of a stretch of time.

    By the client: `sent` (answered or given up), `answered` and `failed` (5xx) by the version that answered
    (`Act.who`), `unanswered` (the connection failed), `foreign` (answered by something else than the app), `met`
    (answered, by the cohort that asked and the version), `moved` (answered by another version than the same browser's
    request before, although it brought a cookie of this act; by both versions).  By Envoy: `logged`, `misrouted` by
    flag (NC, NR, UH), `broken` (any other failure that is not the app's answer).
    """

    sent: int = 0
    answered: Mapping[str, int] = field(default_factory=dict)
    failed: Mapping[str, int] = field(default_factory=dict)
    unanswered: int = 0
    foreign: int = 0
    logged: int = 0
    misrouted: Mapping[str, int] = field(default_factory=dict)
    broken: int = 0
    met: Mapping[tuple[str, str], int] = field(default_factory=dict)
    moved: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def failed_by_app(self) -> int:
        """Errors that the app answered with."""
        return sum(self.failed.values())

    @property
    def lost_to_client(self) -> int:
        """Requests that the client got no answer of the app to."""
        return self.unanswered + self.foreign

    @property
    def lost_in_mesh(self) -> int:
        """Requests that Envoy has no answer of the app to."""
        return sum(self.misrouted.values()) + self.broken

    @property
    def lost(self) -> int:
        """Failed because of shifting, by the worse of the two records."""
        return max(self.lost_to_client, self.lost_in_mesh)

    @property
    def accounted(self) -> bool:
        """Whether Envoy logged every request, apart perhaps from those that could not reach it."""
        return self.sent - self.unanswered <= self.logged <= self.sent

    def since(self, earlier: Traffic) -> Traffic:
        """What was added after `earlier`."""
        return Traffic(
            self.sent - earlier.sent,
            _difference(self.answered, earlier.answered),
            _difference(self.failed, earlier.failed),
            self.unanswered - earlier.unanswered,
            self.foreign - earlier.foreign,
            self.logged - earlier.logged,
            _difference(self.misrouted, earlier.misrouted),
            self.broken - earlier.broken,
            _difference(self.met, earlier.met),
            _difference(self.moved, earlier.moved),
        )


NO_TRAFFIC = Traffic()


class Tally:
    """Counts a load's answers from its first one on.

    With `several` services a version goes by its service's name and its own.
    """

    def __init__(self, load: Load, access_log: AccessLog, *, several: bool = False) -> None:
        self._access_log = access_log
        self._several = several
        self._met: Counter[tuple[str, str]] = Counter()
        self._moved: Counter[tuple[str, str]] = Counter()
        self._latest: dict[int, str] = {}
        self._brought: set[str] = set()
        self._expired: frozenset[str] = frozenset()
        self._answered: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._sent = self._unanswered = self._foreign = 0
        for response in load.responses:
            self._take(response)
        load.listeners.append(self._take)

    def now(self) -> Traffic:
        """Everything so far."""
        broken = sum(count for key, count in self._access_log.counts().items() if _is_broken(*key))
        return Traffic(
            self._sent,
            dict(self._answered),
            dict(self._failed),
            self._unanswered,
            self._foreign,
            self._access_log.total,
            self._access_log.mistaken(),
            broken,
            dict(self._met),
            dict(self._moved),
        )

    def expire_cookies(self) -> None:
        """Cookies that were brought so far keep nobody anywhere any more."""
        self._expired = frozenset(self._brought)

    def _take(self, response: Response) -> None:
        self._sent += 1
        if not response.status:
            self._unanswered += 1
        elif not response.version:
            self._foreign += 1
        else:
            service = response.host.partition(".")[0]
            who = f"{service} {response.version}" if self._several else response.version
            self._answered[who] += 1
            self._met[response.cohort, who] += 1
            if response.browser:
                self._follow(response, who)
            if response.status >= 500:
                self._failed[who] += 1

    def _follow(self, response: Response, who: str) -> None:
        before = self._latest.get(response.browser, who)
        self._latest[response.browser] = who
        self._brought.add(response.cookie)
        if before != who and response.cookie not in {"", *self._expired}:
            self._moved[before, who] += 1


def _is_broken(code: int, flags: str, subset: str) -> bool:
    """Whether Envoy failed for another reason than the routing; `subset` does not matter."""
    present = set(flags.split(",")) - {"-", _CLIENT_LEFT}
    return bool(present) and not present & ROUTING_FLAGS and (code == 0 or code >= 500)


def _difference(later: Mapping[Key, int], earlier: Mapping[Key, int]) -> dict[Key, int]:
    return {key: count - earlier.get(key, 0) for key, count in later.items()}
