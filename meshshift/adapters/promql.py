"""The three questions asked of Prometheus, as text.

Counters are summed by everything that tells series apart later, and by the proxy that reports them, so that the
restart of one proxy shows as a drop instead of hiding in a sum.  `last_over_time` holds a series for a while after
its last scrape: one failed scrape would otherwise make it vanish and come back as new, with its whole past for this
minute's traffic. Reporters are never summed: the client's and the server's proxy count the same request.
"""

from collections.abc import Iterable, Sequence

from meshshift.engine.ports import ServiceId

REQUESTS = "istio_requests_total"
BUCKETS = "istio_request_duration_milliseconds_bucket"

NAMESPACE_LABEL, NAME_LABEL, REPORTER_LABEL = "destination_service_namespace", "destination_service_name", "reporter"

_SERVICE = (NAMESPACE_LABEL, NAME_LABEL)
_PROXY = ("pod", "instance")
_DESTINATION = ("destination_workload", "destination_canonical_revision", "destination_version")
_ANSWER = ("response_code", "grpc_response_status")

_QUOTED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_LITERAL = str.maketrans({char: f"\\{char}" for char in "\\.+*?()|[]{}^$"})


def selector(services: Sequence[ServiceId], reporter: str | None) -> str:
    """Matchers for traffic to these services; several namespaces may bring in namesakes, which the reader drops.

    Values are quoted, and literal inside regular expressions, whatever they contain.
    """
    reported = "" if reporter is None else f"{REPORTER_LABEL}={_quote(reporter)},"
    namespaces = _one_of(NAMESPACE_LABEL, (service.namespace for service in services))
    return f"{{{reported}{namespaces},{_one_of(NAME_LABEL, (service.name for service in services))}}}"


def requests(services: Sequence[ServiceId], reporter: str, hold: float) -> str:
    """Requests by answer; `hold` seconds is how long a series outlives its last scrape."""
    labels = (*_PROXY, *_SERVICE, *_DESTINATION, *_ANSWER, "response_flags")
    return _summed(labels, f"{REQUESTS}{selector(services, reporter)}", hold)


def durations(services: Sequence[ServiceId], reporter: str, hold: float) -> str:
    """Cumulative buckets of the request durations, by answer."""
    return _summed(
        (*_PROXY, *_SERVICE, *_DESTINATION, *_ANSWER, "le"), f"{BUCKETS}{selector(services, reporter)}", hold
    )


def freshness(services: Sequence[ServiceId], reporter: str | None) -> str:
    """When each service's newest live sample was scraped, by reporter.

    Which of them exist, and whether they still do.
    """
    return f"max by ({', '.join((REPORTER_LABEL, *_SERVICE))}) (timestamp({REQUESTS}{selector(services, reporter)}))"


def inventory() -> str:
    """Which services have series at all, under which reporters."""
    return f"count by ({', '.join((REPORTER_LABEL, *_SERVICE))}) ({REQUESTS})"


def _summed(labels: Iterable[str], series: str, hold: float) -> str:
    return f"sum by ({', '.join(labels)}) (last_over_time({series}[{hold * 1000:.0f}ms]))"


def _one_of(label: str, values: Iterable[str]) -> str:
    distinct = sorted(set(values))
    if len(distinct) == 1:
        return f"{label}={_quote(distinct[0])}"
    return f"{label}=~{_quote('|'.join(value.translate(_LITERAL) for value in distinct))}"


def _quote(value: str) -> str:
    return f'"{value.translate(_QUOTED)}"'
