"""One instant query over HTTP: samples, or a `QueryError` that says what went wrong.  Nothing is raised.

An answer with warnings is an error: it is how Thanos, Cortex and remote read say that part of the data is missing,
and a missing part of one arm would look like a difference between the arms.
"""

import asyncio
import json
import ssl
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import httpx

from meshshift.adapters.clocks import RECENT, TOLERANCE, seconds_apart
from meshshift.engine.ports import QueryError

Reporter = Literal["auto", "source", "waypoint", "destination"]

LONGEST_ANSWER = 256 * 2**20
"""Bytes of one answer, unpacked; a chunk of services with a thousand series each stays below."""

_PARALLEL = 4
_SHOWN = 300


class QueryObserver(Protocol):
    """Who is told about queries: own metrics."""

    def observed(self, kind: str, seconds: float, outcome: str) -> None:
        """A query of a kind took so long and ended as "ok" or with a QueryError's reason."""
        ...


@dataclass(frozen=True, slots=True)
class PrometheusSettings:
    """How Prometheus is reached.  Raises ValueError for what cannot work.

    - `url`: with its path prefix, if any.
    - `bearer_token_file`: read again whenever it changes; excludes `basic_auth` (user, password).
    - `ca_file`: PEM bundle that replaces the system's.
    - `timeout`: seconds for one query, all told.
    - `reporter`: whose counters count; "auto" takes the first that exists for a service of source, waypoint,
      destination.
    - `scrape_interval`: seconds between scrapes of the proxies; a series is held for ten of them, at least 5 minutes.
    """

    url: str
    bearer_token_file: Path | None = None
    basic_auth: tuple[str, str] | None = field(default=None, repr=False)
    ca_file: Path | None = None
    timeout: float = 10.0
    reporter: Reporter = "auto"
    scrape_interval: float = 15.0

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url is {self.url!r}: use http:// or https:// and the address of Prometheus")
        if self.bearer_token_file and self.basic_auth:
            raise ValueError("bearer_token_file and basic_auth are both set: keep one of them")
        for name in ("timeout", "scrape_interval"):
            if not 0.0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}: use seconds, like 10")

    @property
    def hold(self) -> float:
        """Seconds for which a series outlives its last scrape."""
        return max(300.0, 10.0 * self.scrape_interval)


@dataclass(frozen=True, slots=True)
class Sample:
    """One element of an instant vector; the value may be NaN or infinite."""

    labels: dict[str, str]
    value: float


class PrometheusHttp:
    """Instant queries against one Prometheus, a few at a time."""

    def __init__(
        self,
        settings: PrometheusSettings,
        observer: QueryObserver | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`transport` replaces the network, for tests."""
        self._settings = settings
        self._observer = observer
        self._places = asyncio.Semaphore(_PARALLEL)
        self._client = httpx.AsyncClient(
            auth=_auth(settings),
            verify=ssl.create_default_context(cafile=settings.ca_file) if settings.ca_file else True,
            timeout=settings.timeout,
            transport=transport,
        )

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()

    async def query(self, kind: str, promql: str, at: float) -> list[Sample] | QueryError:
        """The instant vector of a query at a unix time, a scalar as a vector of one.

        `kind` names the query for the observer.
        """
        async with self._places:
            start = time.perf_counter()
            result = await self._ask(promql, at)
            outcome = result.reason if isinstance(result, QueryError) else "ok"
            if self._observer:
                self._observer.observed(kind, time.perf_counter() - start, outcome)
            return result

    async def _ask(self, promql: str, at: float) -> list[Sample] | QueryError:
        form = {"query": promql, "time": f"{at:.3f}", "timeout": f"{self._settings.timeout * 1000:.0f}ms"}
        address = f"{self._settings.url.rstrip('/')}/api/v1/query"
        asked = time.time()
        try:
            async with asyncio.timeout(self._settings.timeout):
                async with self._client.stream("POST", address, data=form) as response:
                    apart = seconds_apart(response.headers.get("Date"), asked, time.time())
                    body = await _bounded(response)
        except (TimeoutError, httpx.TimeoutException):
            message = f"Prometheus at {self._settings.url} did not answer within {self._settings.timeout:g} s"
            return QueryError("PrometheusTimeout", message, promql)
        except httpx.HTTPError as error:
            message = f"Prometheus at {self._settings.url} cannot be reached: {error or type(error).__name__}"
            return QueryError("PrometheusUnreachable", message, promql)
        except OSError as error:
            message = f"the token file {self._settings.bearer_token_file} cannot be read: {error.strerror}"
            return QueryError("TokenUnreadable", message, promql)
        if body is None:
            message = (
                f"Prometheus answered with more than {LONGEST_ANSWER // 2**20} MiB: check the url, or ask for less"
            )
            return QueryError("BadAnswer", message, promql)
        found = _read(response.status_code, body, promql)
        if abs(apart) > TOLERANCE and at > asked - RECENT and not isinstance(found, QueryError):
            return QueryError("ClocksApart", self._disagreement(apart), promql)
        return found

    def _disagreement(self, apart: float) -> str:
        where = "ahead of" if apart > 0 else "behind"
        fix = "its samples would be taken for those of another moment; set both clocks by NTP"
        return f"the clock of Prometheus at {self._settings.url} is {abs(apart):.0f} s {where} this controller's: {fix}"


async def _bounded(response: httpx.Response) -> bytes | None:
    """The body, None if it is longer than any answer should be; the rest of that is not read."""
    parts, length = [], 0
    async for part in response.aiter_bytes():
        parts.append(part)
        length += len(part)
        if length > LONGEST_ANSWER:
            return None
    return b"".join(parts)


class _TokenFile(httpx.Auth):
    """A bearer token from a file that is rotated under us."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._token = ""
        self._seen: tuple[int, int] | None = None

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        state = self._path.stat()
        if self._seen != (state.st_mtime_ns, state.st_ino):
            self._token = self._path.read_text().strip()
            self._seen = (state.st_mtime_ns, state.st_ino)
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def _auth(settings: PrometheusSettings) -> httpx.Auth | None:
    if settings.bearer_token_file:
        return _TokenFile(settings.bearer_token_file)
    return httpx.BasicAuth(*settings.basic_auth) if settings.basic_auth else None


def _read(status: int, body: bytes, promql: str) -> list[Sample] | QueryError:
    """Samples of a proper and complete answer."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    text = body[:_SHOWN].decode(errors="replace")
    if isinstance(answer, dict) and answer.get("status") == "error":
        message = f"Prometheus refused the query: {str(answer.get('error'))[:_SHOWN]}"
        return QueryError("QueryFailed", message, promql)
    if status != httpx.codes.OK:
        message = f"Prometheus answered with HTTP status {status}: {text}"
        return QueryError("PrometheusHttpStatus", message, promql)
    if not isinstance(answer, dict) or answer.get("status") != "success":
        message = f"Prometheus did not answer with its JSON but with {text!r}: check the url"
        return QueryError("BadAnswer", message, promql)
    if answer.get("warnings"):
        message = f"Prometheus answered in part: {_joined(answer['warnings'])[:_SHOWN]}"
        return QueryError("PartialAnswer", message, promql)
    return _vector(answer.get("data"), promql)


def _joined(warnings: object) -> str:
    return "; ".join(map(str, warnings)) if isinstance(warnings, list) else str(warnings)


def _vector(data: Any, promql: str) -> list[Sample] | QueryError:
    try:
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        if data["resultType"] != "vector":
            raise ValueError(f"resultType {data['resultType']}")
        return [Sample(_labels(one["metric"]), float(one["value"][1])) for one in data["result"]]
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        message = f"Prometheus did not answer with an instant vector: {repr(error)[:_SHOWN]}"
        return QueryError("BadAnswer", message, promql)


def _labels(metric: Any) -> dict[str, str]:
    if not isinstance(metric, dict) or not all(isinstance(value, str) for value in metric.values()):
        raise TypeError("labels that are not text")
    return metric
