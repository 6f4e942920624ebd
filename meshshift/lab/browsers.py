"""Clients that keep cookies: people with browsers, as far as a mesh can tell.

A browser sends one request at a time, brings the cookies that it was given, and goes after some visits; another one
comes in its place, without any.  Only names and values of cookies are kept: the load has one host and outlives none.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(slots=True)
class Browser:
    """One of a crowd; `number` tells it from all others of a load.  `lines` is the request without cookies."""

    number: int
    cohort: str
    host: str
    lines: bytes
    crowd: Crowd
    cookies: dict[str, str] = field(default_factory=dict)
    visits: int = 0
    sent: str = ""

    @property
    def head(self) -> bytes:
        """The next request; what it brings is `sent` from then on."""
        self.sent = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        cookie = f"cookie: {self.sent}\r\n" if self.sent else ""
        return self.lines + cookie.encode("latin-1") + b"\r\n"

    def answered(self, set_cookies: Iterable[str]) -> None:
        """Keep what the answer to the request sets, and be ready for the next one, or go."""
        for each in set_cookies:
            name, _, value = each.partition(";")[0].partition("=")
            self.cookies[name.strip()] = value.strip()
        self.visits += 1
        self.crowd.back(self)


class Crowd:
    """The browsers of a cohort: `size` of them, each replaced after so many `visits` (0: never).

    When all of them wait for an answer, one more comes: the load is open.
    """

    def __init__(self, cohort: str, host: str, lines: bytes, size: int, visits: int, numbers: Iterable[int]) -> None:
        """`numbers` gives each browser its own."""
        self._template = (cohort, host, lines)
        self._visits = visits
        self._numbers = iter(numbers)
        self._idle = deque(self._new() for _ in range(size))

    def take(self) -> Browser:
        """The one that has waited longest, a new one if none is idle."""
        return self._idle.popleft() if self._idle else self._new()

    def back(self, browser: Browser) -> None:
        """It has its answer."""
        gone = self._visits and browser.visits >= self._visits
        self._idle.append(self._new() if gone else browser)

    def _new(self) -> Browser:
        return Browser(next(self._numbers), *self._template, self)
