"""One attempt to post to an address that a user gave: an answer, or what went wrong in words that hold no address.

The addresses come from whoever may write a TrafficShift, and the controller stands where they might not: so it posts
and does nothing else, follows no redirect, reads no more of the answer than it was asked to, and connects neither to
its own pod nor to link-local addresses, where clouds keep the credentials of their machines.  Only whoever installs the
controller can open networks of these, for a receiver that runs beside it.  Names are resolved in threads of their own:
the default ones are also Prometheus', and a name server that hangs must not be in the way of telemetry.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from meshshift import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from meshshift.core.notices import Request

TIMEOUT = 10.0
"""Seconds for one attempt, from resolving the name to the status of the answer."""
LONGEST_RETRY_AFTER = 120.0
_RESOLVERS = 4
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an attempt failed; `passing` if another may succeed, not before `after` seconds have passed."""

    message: str
    passing: bool = True
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, the header Retry-After, and the beginning of the body."""

    status: int
    retry_after: str
    body: bytes


class NotAllowed(OSError):
    """Nothing may be posted there."""


def is_allowed(address: str, opened: Sequence[Network] = ()) -> bool:
    """May anything be posted to this IP address?

    Not to this pod, nor to a link-local, multicast or unspecified one, unless it is in one of the `opened` networks.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    plain = (found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None) or found
    own = plain.is_loopback or plain.is_link_local or plain.is_unspecified or plain.is_multicast
    return not own or any(plain in network for network in opened)


class Poster:
    """Posts; an async context manager."""

    def __init__(self, *, timeout: float = TIMEOUT, allows: Callable[[str], bool] = is_allowed) -> None:
        self._timeout = timeout
        self._allows = allows

    async def __aenter__(self) -> Self:
        self._resolver = _Resolver(self._allows)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=self._resolver, limit=0, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"meshshift/{__version__}"},
            auto_decompress=False,
            trust_env=True,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        await self._resolver.close()

    async def post(self, url: str, request: Request, headers: Mapping[str, str]) -> Trouble | None:
        """One attempt to tell something.  None if answered with 2xx."""
        answer = await self.exchange(url, request, headers, timeout=self._timeout)
        return answer if isinstance(answer, Trouble) else _judged(answer)

    async def exchange(
        self, url: str, request: Request, headers: Mapping[str, str], *, timeout: float, most: int = 0
    ) -> Answer | Trouble:
        """What is answered within `timeout` seconds, with the first `most` bytes of its body.

        A proxy of the environment (HTTPS_PROXY, NO_PROXY) is used; redirects are not followed.
        """
        try:
            target = URL(url, encoded=True)
            self._check(target.host or "")
            async with self._session.post(
                target,
                data=request.body,
                headers={**headers, **request.headers},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as response:
                body = await _first(response.content, most)
                return Answer(response.status, response.headers.get("Retry-After", ""), body)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _explained(error, timeout)

    def _check(self, host: str) -> None:
        """Refuse addresses that need no resolving; aiohttp takes for one whatever has only digits and dots."""
        is_address = ":" in host or host.replace(".", "").isdigit()
        if is_address and not self._allows(host):
            raise NotAllowed


class _Resolver(AbstractResolver):
    """Resolves in threads of its own, and leaves out what is not allowed."""

    def __init__(self, allows: Callable[[str], bool]) -> None:
        self._allows = allows
        self._threads = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="notifier-dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host that are allowed; raises NotAllowed if there are only others."""
        ask = partial(socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        allowed = [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=kind,
                proto=protocol,
                flags=_NUMERIC,
            )
            for kind, _, protocol, _, address in found
            if self._allows(str(address[0]))
        ]
        if found and not allowed:
            raise NotAllowed
        return allowed

    async def close(self) -> None:
        """Wait for nobody: a name server may hang."""
        self._threads.shutdown(wait=False, cancel_futures=True)


async def _first(content: aiohttp.StreamReader, most: int) -> bytes:
    """The first bytes of a body, `most` of them if there are as many."""
    body = b""
    while len(body) < most and (chunk := await content.read(most - len(body))):
        body += chunk
    return body


def _explained(error: Exception, timeout: float) -> Trouble:
    """Libraries put the address into their messages, so none of those is passed on."""
    match error:
        case NotAllowed() | aiohttp.ClientConnectorError(os_error=NotAllowed()):
            return Trouble("the address is the controller's own or a link-local one: not allowed", passing=False)
        case TimeoutError():
            return Trouble(f"no answer within {timeout:g} s")
        case aiohttp.ClientConnectorDNSError():
            return Trouble("the name of the host does not resolve")
        case aiohttp.ClientSSLError():
            return Trouble("no TLS connection: the certificate is not trusted, or TLS is not spoken there")
        case aiohttp.ClientConnectorError():
            return Trouble(f"no connection: {error.os_error.strerror or type(error.os_error).__name__}")
        case aiohttp.InvalidURL() | ValueError():
            return Trouble("the address is not a valid URL", passing=False)
    return Trouble(f"the connection broke: {type(error).__name__}")


def _judged(answer: Answer) -> Trouble | None:
    status = answer.status
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return Trouble(f"answered {status}, and redirects are not followed: write the final address", passing=False)
    passing = status in {408, 425, 429} or status >= 500
    return Trouble(f"answered {status}", passing, _seconds(answer.retry_after))


def _seconds(retry_after: str) -> float:
    """What Retry-After asks for in seconds, within reason; a date is not understood."""
    digits = retry_after.strip()
    return min(float(digits), LONGEST_RETRY_AFTER) if digits.isdecimal() and len(digits) < 9 else 0.0
