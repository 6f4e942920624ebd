"""Through a real Prometheus: backfilled history for what must be exact, live scrapes for what stops.

Backfilled series have a sample every 15 s from ten minutes before T to two minutes after; every service is one story.
"""

import asyncio
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from meshshift.adapters.prometheus import PrometheusTelemetry
from meshshift.adapters.prometheus_http import PrometheusSettings
from meshshift.core.checks import Error, Fail, Pass, Query, Result, judge_answer
from meshshift.core.evidence import Counts
from meshshift.core.telemetry import Arm, NoData, Snapshot, Tick, difference
from meshshift.core.template import Facts, render
from meshshift.engine.ports import QueryError, ServiceId
from meshshift.lab.prometheus import Prometheus, PrometheusError

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="module")]

T = float(int(time.time()) // 60 * 60 - 4 * 3600)
CANARY, STABLE = Arm(frozenset({"v2"})), Arm(frozenset({"v1"}))

Story = Callable[[int], float | None]
"""The counter's value k scrapes after T (k may be negative); None while it is not there."""


def growing(by: float, start: float = 1000.0) -> Story:
    return lambda k: start + by * k


def labelled(service: str, **labels: str) -> str:
    defaults = {
        "pod": "gateway-0",
        "reporter": "source",
        "destination_service_name": service,
        "destination_service_namespace": "shop",
        "destination_workload": "v2",
        "response_code": "200",
        "response_flags": "-",
        "grpc_response_status": "",
    }
    return "{" + ",".join(f'{name}="{value}"' for name, value in (defaults | labels).items()) + "}"


REQUESTS: list[tuple[str, Story]] = [
    (labelled("plain"), growing(10)),
    (labelled("plain", response_code="503", response_flags="UF,URX"), growing(2)),
    (labelled("plain", destination_workload="v1"), growing(90, 5000)),
    (labelled("restart"), lambda k: 1000.0 + 10 * k if k < 1 else 7.0),
    (labelled("late-failure"), growing(10)),
    (labelled("late-failure", response_code="500"), lambda k: 4.0 if k >= 1 else None),
    (labelled("rediscovered"), growing(10)),
    (labelled("rediscovered", pod="gateway-1"), lambda k: 1e6 + k if k >= 1 else None),
    (labelled("gap"), lambda k: None if -8 < k < 1 else 1000.0 + k),
    (labelled("gap", pod="gateway-1"), growing(5)),
    (labelled("gone"), lambda k: 1000.0 if k < -4 else None),
    (labelled("gone", destination_workload="v1"), growing(30)),
    (labelled("hang-up"), growing(10)),
    (labelled("hang-up", response_code="0", response_flags="DC"), growing(5)),
    *((labelled("grpc", grpc_response_status=str(status)), growing(1)) for status in range(17)),
    (labelled("stopped"), lambda k: 1000.0 + k if k < -4 else None),
    (labelled("two-reporters"), growing(10)),
    (labelled("two-reporters", reporter="destination", pod="v2-0"), growing(13)),
    (labelled("ambient", reporter="destination", pod="v2-0"), growing(13)),
    (labelled("ambient", reporter="waypoint", pod="waypoint-0"), growing(11)),
    (labelled("unhealthy", response_code="503", destination_workload="unknown"), growing(6)),
    (labelled("timed"), growing(100)),
]
BUCKETS: list[tuple[str, Story]] = [
    (labelled("timed", pod=pod, le=le), growing(by, 100_000))
    for pod, spelling in (("gateway-0", "{}"), ("gateway-1", "{}.0"))
    for le, by in ((spelling.format(250), 40), (spelling.format(500), 45), ("+Inf", 50))
]


def history() -> str:
    lines = []
    for metric, stories in (
        ("istio_requests_total", REQUESTS),
        ("istio_request_duration_milliseconds_bucket", BUCKETS),
    ):
        for labels, story in stories:
            values = ((k, story(k)) for k in range(-40, 9))
            lines += [f"{metric}{labels} {value} {T + 15 * k:.0f}" for k, value in values if value is not None]
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Prometheus directory with the history in it."""
    if not shutil.which("promtool"):
        pytest.skip("no promtool on PATH: install Prometheus with its tools")
    directory = tmp_path_factory.mktemp("prometheus")
    (directory / "history.om").write_text(history())
    backfill = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "history.om", "data"]
    subprocess.run(backfill, check=True, capture_output=True, cwd=directory)
    return directory


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prometheus(directory: Path) -> AsyncIterator[Prometheus]:
    server = Prometheus(directory)
    try:
        await server.__aenter__()
    except PrometheusError as error:
        pytest.skip(str(error))
    yield server
    await server.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def source(prometheus: Prometheus) -> AsyncIterator[PrometheusTelemetry]:
    async with PrometheusTelemetry(PrometheusSettings(prometheus.url, timeout=5.0, scrape_interval=1.0)) as telemetry:
        yield telemetry


async def snapshot(source: PrometheusTelemetry, name: str, at: float) -> Snapshot:
    service = ServiceId("shop", name)
    found = await source.snapshots([service], at)
    assert not isinstance(found, QueryError), found
    return found[service]


async def between(source: PrometheusTelemetry, name: str, start: float = 1.0, end: float = 16.0) -> Tick | NoData:
    before, after = await snapshot(source, name, T + start), await snapshot(source, name, T + end)
    found = difference(before, after, CANARY, STABLE)
    assert isinstance(found, Tick | NoData), found
    return found


async def tick(source: PrometheusTelemetry, name: str) -> Tick:
    found = await between(source, name)
    assert isinstance(found, Tick), found
    return found


async def test_the_window_holds_exactly_what_was_counted_in_it(source: PrometheusTelemetry) -> None:
    found = await tick(source, "plain")
    assert found.canary.counts() == Counts(12, 2)
    assert found.stable.counts() == Counts(90, 0)


async def test_a_pinned_instant_always_answers_the_same(source: PrometheusTelemetry, prometheus: Prometheus) -> None:
    before = await snapshot(source, "plain", T)
    async with PrometheusTelemetry(PrometheusSettings(prometheus.url)) as another:
        assert await snapshot(another, "plain", T) == before
        moved = await snapshot(another, "plain", T - 0.001)
    assert before.newest == T
    assert moved.newest == T - 15


async def test_a_restart_counts_from_zero(source: PrometheusTelemetry) -> None:
    assert (await tick(source, "restart")).canary.total == 7


async def test_the_first_failures_are_not_lost(source: PrometheusTelemetry) -> None:
    assert (await tick(source, "late-failure")).canary.counts() == Counts(14, 4)


async def test_the_past_of_a_proxy_found_late_is_not_counted(source: PrometheusTelemetry) -> None:
    assert (await tick(source, "rediscovered")).canary.total == 10


async def test_a_series_that_comes_back_after_failed_scrapes_counts_what_it_grew(source: PrometheusTelemetry) -> None:
    assert (await tick(source, "gap")).canary.total == 9 + 5


async def test_a_vanished_series_is_held(source: PrometheusTelemetry) -> None:
    found = await tick(source, "gone")
    assert (found.canary.total, found.stable.total) == (0, 30)


async def test_a_client_that_left_is_neither_good_nor_bad(source: PrometheusTelemetry) -> None:
    found = await tick(source, "hang-up")
    assert (found.canary.counts(), found.canary.unclassified) == (Counts(10, 0), 5)


async def test_seven_of_seventeen_grpc_statuses_are_failures(source: PrometheusTelemetry) -> None:
    assert (await tick(source, "grpc")).canary.counts() == Counts(17, 7)


async def test_failures_without_an_upstream_do_not_vanish(source: PrometheusTelemetry) -> None:
    assert (await tick(source, "unhealthy")).unattributed.counts() == Counts(6, 6)


async def test_both_spellings_of_a_boundary_add_up(source: PrometheusTelemetry) -> None:
    found = await tick(source, "timed")
    assert found.canary.timed == 100
    assert [(slow.boundary, slow.count) for slow in found.canary.slow] == [(0.25, 20), (0.5, 10)]


@pytest.mark.parametrize(("service", "requests"), [("two-reporters", 10), ("ambient", 11)])
async def test_reporters_are_never_summed(source: PrometheusTelemetry, service: str, requests: float) -> None:
    assert (await tick(source, service)).canary.total == requests


async def test_series_that_are_scraped_no_more_are_no_fresh_data(source: PrometheusTelemetry) -> None:
    found = await between(source, "stopped")
    assert isinstance(found, NoData)
    assert "91 s old" in found.reason


async def test_a_service_nobody_called_is_no_data(source: PrometheusTelemetry) -> None:
    found = await between(source, "absent")
    assert isinstance(found, NoData)
    assert "no series" in found.reason


async def test_hostile_names_are_only_names(source: PrometheusTelemetry) -> None:
    services = [ServiceId("shop", name) for name in ("plain", ".*", 'x"} or vector(1) #', "a\\", "(", "a\nb")]
    found = await source.snapshots(services, T)
    assert not isinstance(found, QueryError), found
    assert [len(found[service].requests) for service in services] == [3, 0, 0, 0, 0, 0]


BY_WORKLOAD = 'istio_requests_total{destination_service_name="plain",destination_workload=~"{{canaryWorkload}}"}'


def facts(canary: str = "v2", *workloads: str) -> Facts:
    names = frozenset(workloads or {"v2"})
    return Facts(canary, "v1", names, frozenset({"v1"}), "plain", "shop", "plain.shop.svc.cluster.local", 60.0)


async def checked(source: PrometheusTelemetry, promql: str, given: Facts | None = None) -> Result:
    answer = await source.query(render(promql, given or facts()), T)
    return (
        Error(answer.message) if isinstance(answer, QueryError) else judge_answer(Query(promql, maximum=1500), answer)
    )


@pytest.mark.parametrize(
    ("promql", "result"),
    [
        (f"sum({BY_WORKLOAD})", Fail(2000.0, 1500.0)),
        (f"max({BY_WORKLOAD})", Pass(1000.0)),
        (f"scalar(max({BY_WORKLOAD}))", Pass(1000.0)),
        ("sum(increase(istio_requests_total{destination_service_name='{{service}}'}[{{interval}}])) * 0", Pass(0.0)),
        ("sum(absent_metric) or vector(0)", Pass(0.0)),
    ],
)
async def test_a_query_of_ones_own_gives_a_number(source: PrometheusTelemetry, promql: str, result: Result) -> None:
    assert await checked(source, promql) == result


@pytest.mark.parametrize(
    ("promql", "kind", "word"),
    [
        ("sum(absent_metric)", NoData, "nothing matches"),
        ("vector(0) / vector(0)", NoData, "nan"),
        ("vector(1) / vector(0)", NoData, "inf"),
        (BY_WORKLOAD, Error, "gives 2 series"),
        ("sum(x", Error, "parse error"),
        ("x[1m]", Error, "resultType matrix"),
        ("'text'", Error, "resultType string"),
    ],
)
async def test_what_is_no_number_is_told_apart_from_a_failure(
    source: PrometheusTelemetry, promql: str, kind: type[NoData | Error], word: str
) -> None:
    found = await checked(source, promql)
    assert isinstance(found, kind), found
    assert word in found.reason


@pytest.mark.parametrize("quote", ["'", '"', "`"])
@pytest.mark.parametrize("name", ['v2"} or vector(1) #', "v2'} or vector(1) #", "a\\", "v2|v1", ".*", "é\n", "v2`"])
async def test_hostile_names_in_a_query_match_nothing_and_break_nothing(
    source: PrometheusTelemetry, name: str, quote: str
) -> None:
    """Not even the expression `.*` may match; a raw string knows no escapes, so there a name may be refused at most."""
    promql = f"sum(istio_requests_total{{destination_workload=~{quote}{{{{canaryWorkload}}}}{quote}}})"
    found = await checked(source, promql, facts("v2", name))
    assert isinstance(found, NoData) or (quote == "`" and isinstance(found, Error)), found
    exact = f"sum(istio_requests_total{{destination_workload={quote}{{{{canary}}}}{quote}}})"
    assert isinstance(await checked(source, exact, facts(name)), NoData)


async def test_a_name_with_an_odd_character_still_matches_itself(source: PrometheusTelemetry) -> None:
    promql = 'sum(label_replace(vector(7), "w", "{{canary}}", "", "")) by (w)'
    answer = await source.query(render(promql, facts('a"\\é\n$$')), T)
    assert not isinstance(answer, QueryError), answer
    assert dict(answer[0].labels)["w"] == 'a"\\é\n$'


class Exporter:
    """A proxy's metrics on loopback; `scraped` is set by every scrape."""

    def __init__(self) -> None:
        self.count = 0.0
        self.scraped = asyncio.Event()

    async def serve(self, _: web.Request) -> web.Response:
        self.scraped.set()
        return web.Response(text=f"istio_requests_total{labelled('live')} {self.count}\n")


@pytest_asyncio.fixture(loop_scope="module")
async def exporter(prometheus: Prometheus) -> AsyncIterator[Exporter]:
    exporter, app = Exporter(), web.Application()
    app.router.add_get("/metrics", exporter.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    prometheus.scrape("exporter", f"{host}:{port}")
    yield exporter
    prometheus.forget("exporter")
    await runner.cleanup()


async def until(source: PrometheusTelemetry, holds: Callable[[Snapshot], bool]) -> Snapshot:
    """The first snapshot of the live service, taken now and then, for which something holds."""
    async with asyncio.timeout(30):
        while True:
            found = await source.snapshots([ServiceId("shop", "live")], time.time())
            if not isinstance(found, QueryError) and holds(found[ServiceId("shop", "live")]):
                return found[ServiceId("shop", "live")]
            await asyncio.sleep(0.2)


async def test_when_the_exporter_goes_its_counters_are_held_but_not_fresh(
    source: PrometheusTelemetry, exporter: Exporter, prometheus: Prometheus
) -> None:
    exporter.count = 5
    before = await until(source, lambda one: bool(one.requests) and bool(one.newest))
    exporter.count = 8
    after = await until(source, lambda one: any(series.value == 8 for series in one.requests))
    counted = difference(before, after, CANARY, STABLE)
    assert isinstance(counted, Tick)
    assert counted.canary.total == 3
    prometheus.forget("exporter")
    gone = await until(source, lambda one: one.newest == 0)
    assert gone.requests == after.requests
    silent = difference(after, gone, CANARY, STABLE)
    assert isinstance(silent, NoData)
    assert "no sample is live" in silent.reason


async def test_an_outage_of_prometheus_is_an_error_and_then_over(
    source: PrometheusTelemetry, prometheus: Prometheus
) -> None:
    impatient = PrometheusTelemetry(PrometheusSettings(prometheus.url, timeout=0.3))
    services = [ServiceId("shop", "plain")]
    prometheus.freeze()
    frozen = await impatient.snapshots(services, T)
    prometheus.thaw()
    assert isinstance(frozen, QueryError)
    assert frozen.reason == "PrometheusTimeout"
    await prometheus.stop()
    stopped = await source.snapshots(services, T)
    await prometheus.start()
    assert isinstance(stopped, QueryError)
    assert stopped.reason == "PrometheusUnreachable"
    assert (await snapshot(source, "plain", T)).requests
    await impatient.aclose()


async def test_a_label_that_removes_every_series_is_named(source: PrometheusTelemetry) -> None:
    said = await source.silence(ServiceId("shop", "nobody"), T + 60)
    assert "the label destination_service_name removes every series: 'nobody' is asked for" in said
