"""Browsers in the simulated mesh: they keep the cookies that they are given, and remember who answered.

They read the VirtualService as Envoy would: routes in their order, the first whose condition on the cookie holds, then
one of its destinations by weight.  Whatever a destination adds as `set-cookie` replaces the cookie of that name.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]


@dataclass
class Client:
    """One browser: its cookies, and who answered since it got one of the run under way, with what was the case then."""

    cookies: dict[str, str] = field(default_factory=dict)
    met: list[tuple[str, str]] = field(default_factory=list)
    moved: list[tuple[str, str, str]] = field(default_factory=list)
    run: str = ""

    @property
    def header(self) -> str:
        """The Cookie header; empty if there is no cookie."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    @property
    def changes(self) -> list[tuple[str, str, str]]:
        """From which version to which it was moved, in which case; being drawn by another run is no move."""
        answers = zip(self.met, self.met[1:], strict=False)
        return [*self.moved, *((old, new, case) for (old, _), (new, case) in answers if old != new)]


class Clients:
    """Browsers that each send one request at a time, drawn by a seed so that a test is the same every time."""

    def __init__(self, count: int, seed: int = 1) -> None:
        self.all = [Client() for _ in range(count)]
        self._chance = random.Random(seed)  # noqa: S311 - a test case, no secret

    def send(self, service: Document, case: str = "", run: str = "") -> None:
        """Everybody sends one request, answered as the VirtualService says.

        `case` is remembered with the answer; `run` is the run under way.
        """
        for client in self.all:
            self.ask(client, service, case, run)

    def ask(self, client: Client, service: Document, case: str = "", run: str = "") -> None:
        """One request of one client."""
        destination = self._destination(service, client.header)
        added = destination.get("headers", {}).get("response", {}).get("add", {}).get("set-cookie", "")
        name, _, value = added.partition(";")[0].partition("=")
        if name:
            if client.run != run:
                client.moved, client.met, client.run = client.changes, [], run
            client.cookies[name] = value
        if client.cookies and client.run == run:
            client.met.append((destination["destination"]["subset"], case))

    def on(self, version: str) -> list[Client]:
        """Those with a cookie that were answered by a version last."""
        return [client for client in self.all if client.met and client.met[-1][0] == version]

    def _destination(self, service: Document, cookie: str) -> Document:
        for route in service["spec"]["http"]:
            if "route" in route and _takes(route, cookie):
                entries = route["route"]
                if len(entries) == 1:
                    return dict(entries[0])
                return dict(self._chance.choices(entries, [each.get("weight", 0) for each in entries])[0])
        raise AssertionError("no route takes the request")


def _takes(route: Document, cookie: str) -> bool:
    """Does a request without other headers, with this Cookie header, go by the route?"""
    matches = [each.get("headers", {}) for each in route.get("match", [])]
    return not matches or any(
        set(headers) == {"cookie"} and re.fullmatch(headers["cookie"]["regex"], cookie) is not None
        for headers in matches
    )
