"""The client's side of HTTP/1.1 as far as the load needs it: one request at a time on a connection that stays open."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

Token = TypeVar("Token")


class Owner(Protocol[Token]):
    """Whoever opened the connection; `token` is what it gave along with the request."""

    def available(self, connection: Connection[Token]) -> None:
        """The connection can take a request."""

    def lost(self, connection: Connection[Token]) -> None:
        """The connection is gone."""

    def finish(
        self, token: Token, status: int, version: str, pod: str, error: str = "", cookies: Sequence[str] = ()
    ) -> None:
        """The request has been answered, or (status 0) never will be, because of `error`.

        `cookies` are the values of its `Set-Cookie` headers.
        """


class Connection(asyncio.Protocol, Generic[Token]):
    """One keep-alive connection with at most one request on it."""

    def __init__(self, owner: Owner[Token]) -> None:
        self._owner = owner
        self._buffer = b""
        self._token: Token | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tell the owner that the connection is ready."""
        self._transport = transport  # type: ignore[assignment]
        self._owner.available(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner, and finish the request that was on its way."""
        self._owner.lost(self)
        if self._token is not None:
            token, self._token = self._token, None
            self._owner.finish(token, 0, "", "", f"connection lost: {exc or 'closed by the server'}")

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def send(self, token: Token, head: bytes) -> None:
        """Send a request; the owner calls this only when the connection is available."""
        self._token = token
        if self._transport is not None:
            self._transport.write(head)

    def data_received(self, data: bytes) -> None:
        """Collect an answer and hand it to the owner when it is complete."""
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = self._buffer[:head_end]
        body_end = _body_end(head, self._buffer, head_end + 4)
        if body_end is None:
            return
        self._buffer = self._buffer[body_end:]
        token, self._token = self._token, None
        if token is not None:
            version, pod = _header(head, b"x-version"), _header(head, b"x-pod")
            self._owner.finish(token, int(head[9:12]), version, pod, cookies=_cookies(head))
        if _header(head, b"connection").lower() == "close":
            self.close()
        else:
            self._owner.available(self)


def _header(head: bytes, name: bytes) -> str:
    start = head.lower().find(b"\r\n" + name + b":")
    if start < 0:
        return ""
    end = head.find(b"\r\n", start + 2)
    line = head[start + 2 : end if end >= 0 else len(head)]
    return line.partition(b":")[2].strip().decode("latin-1")


def _cookies(head: bytes) -> list[str]:
    if b"set-cookie" not in head.lower():
        return []
    lines = (line.partition(b":") for line in head.split(b"\r\n"))
    return [value.strip().decode("latin-1") for name, _, value in lines if name.lower() == b"set-cookie"]


def _body_end(head: bytes, buffer: bytes, start: int) -> int | None:
    """Where the answer ends in the buffer, or None while it is not complete."""
    if _header(head, b"transfer-encoding").lower() == "chunked":
        end = buffer.find(b"0\r\n\r\n", start)
        return end + 5 if end >= 0 else None
    end = start + int(_header(head, b"content-length") or 0)
    return end if len(buffer) >= end else None
