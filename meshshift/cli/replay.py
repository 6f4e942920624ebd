"""`meshshift replay`: what the controller would have decided about a rollout that Prometheus remembers."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from meshshift.adapters.prometheus import PrometheusTelemetry
from meshshift.api.errors import InvalidSpec
from meshshift.cli.explain import OUTPUT
from meshshift.cli.flags import PROMETHEUS, Option, with_options
from meshshift.cli.parameters import INSTANT
from meshshift.cli.policies import whole_spec
from meshshift.cli.replay_text import Replayed, as_json, render
from meshshift.cli.source import SOURCE, Source
from meshshift.cli.variants import variants
from meshshift.core.observation import Timing
from meshshift.core.telemetry import Arm, Arms
from meshshift.engine.explanation import explain
from meshshift.engine.ports import ServiceId
from meshshift.engine.replay import Period, TelemetryLost, workloads
from meshshift.engine.replay import replay as replayed
from meshshift.operator.settings import Settings, prometheus_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshshift.adapters.prometheus_http import PrometheusSettings
    from meshshift.cli.variants import Variant
    from meshshift.engine.explanation import Explanation

_ARM_FLAGS: tuple[Option, ...] = tuple(
    click.option(
        f"--{arm}-{kind}",
        f"{arm}_{plural}",
        multiple=True,
        help=f"A {words} of the {arm} arm, as telemetry names it; may be repeated{default}.",
    )
    for kind, plural, words, default in (
        ("workload", "workloads", "workload", "; default: SERVICE-SUBSET"),
        ("revision", "revisions", "canonical revision", ""),
    )
    for arm in ("canary", "stable", "baseline")
)
OPTIONS: tuple[Option, ...] = (
    *SOURCE,
    click.option("--start", type=INSTANT, help="When to begin: RFC 3339 or -2h; default: when the recorded run did."),
    click.option("--end", type=INSTANT, help="When to stop; default: when the recorded run ended, else now."),
    click.option("--canary-ready", type=INSTANT, help="Since when the canary's pods were ready; default: the start."),
    *_ARM_FLAGS,
    click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="PATH=VALUE",
        help="Try another setting, e.g. analysis.confidence=99.9 (a path into spec); may be repeated.",
    ),
    click.option(
        "--compare",
        "groups",
        multiple=True,
        metavar="PATH=VALUE ...",
        help="Show the verdict with these settings beside the others; may be repeated.",
    ),
    click.option("--method", help="Short for --set analysis.method=..."),
    OUTPUT,
    *PROMETHEUS,
)


@dataclass(frozen=True, slots=True)
class _Question:
    """What is to be replayed, and where its telemetry comes from."""

    tried: tuple[Variant, ...]
    service: ServiceId
    arms: Arms
    period: Period
    prometheus: PrometheusSettings


@click.command()
@with_options(OPTIONS)
def replay(**flags: Any) -> None:
    """Judge a rollout of the past by the raw counters that Prometheus kept of it.

    The plan of the TrafficShift NAME (or of a manifest, -f) is played through the time from --start to --end by the
    controller's own rules, reading at the same instants what the controller would have read. Nothing is written
    anywhere. Try other settings with --set, and compare some with --compare.
    """
    take = {key: flags.pop(key) for key in ("name", "namespace", "filename", "kubeconfig", "context")}
    output, method, assignments = flags.pop("output"), flags.pop("method"), flags.pop("assignments")
    chosen = (*assignments, *([f"analysis.method={method}"] if method else []))
    shift, policies = Source(**take).load_whole()
    found = explain(shift)
    try:
        wire = whole_spec(shift, policies, take["filename"] or "the cluster")
    except InvalidSpec as error:
        raise click.ClickException(str(error)) from error
    tried = variants(wire, found.namespace, chosen, flags.pop("groups"))
    start, end, ready = flags.pop("start"), flags.pop("end"), flags.pop("canary_ready")
    period = _period(found, start, end, ready)
    names = {key: tuple(flags.pop(key)) for key in list(flags) if key.endswith(("_workloads", "_revisions"))}
    spec = tried[0].spec
    arms = Arms(
        _arm(names, "canary", f"{spec.service}-{spec.canary.name}"),
        _arm(names, "stable", f"{spec.service}-{spec.stable.name}"),
        _arm(names, "baseline", f"{spec.service}-{spec.baseline.name}") if spec.baseline else None,
    )
    try:
        prometheus = prometheus_settings(Settings(**flags))
        service = ServiceId(found.namespace, spec.service)
        results = asyncio.run(_replay(_Question(tried, service, arms, period, prometheus)))
    except (OSError, ValueError, TelemetryLost) as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(as_json(results), indent=2, allow_nan=False) if output == "json" else render(results))


async def _replay(question: _Question) -> Replayed:
    timing = Timing(lag=question.prometheus.scrape_interval)
    service, arms, period = question.service, question.arms, question.period
    async with PrometheusTelemetry(question.prometheus) as telemetry:
        recordings = await asyncio.gather(
            *(
                replayed(each.spec, service, arms, telemetry, timing, period, progress)
                for each, progress in zip(question.tried, _progress(question), strict=True)
            )
        )
        silent = not all(sum(getattr(each, arm) for each in recordings[0].measured) for arm in ("canary", "stable"))
        seen = await workloads(service, telemetry, period) if silent else ()
    return Replayed(service, arms, period, question.tried, tuple(recordings), seen)


def _progress(question: _Question) -> list[Callable[[float], None]]:
    """On a terminal, how far the first of the replays is; the others are about as far."""
    period = question.period

    def show(at: float) -> None:
        share = min(1.0, (at - period.start) / max(period.end - period.start, 1.0))
        click.echo(f"\r{share:4.0%} of the period read\r", nl=False, err=True)

    def silent(at: float) -> None: ...

    first = show if sys.stderr.isatty() else silent
    return [first, *(silent for _ in question.tried[1:])]


def _arm(names: dict[str, tuple[str, ...]], arm: str, default: str) -> Arm:
    """What the flags say of an arm; the default workload only if they say nothing."""
    named, revisions = names[f"{arm}_workloads"], names[f"{arm}_revisions"]
    return Arm(frozenset(named or ([] if revisions else [default])), frozenset(revisions))


def _period(found: Explanation, start: float | None, end: float | None, ready: float | None) -> Period:
    """The time asked for, or that of the recorded run."""
    run, now = found.run, time.time()
    if start is None and run is None:
        raise click.UsageError(
            "--start is missing, and there is no recorded run to take it from; give e.g. --start=-2h"
        )
    recorded = _recorded(found)
    began = start if start is not None else next((at for at, weight in recorded if weight), run.started if run else now)
    until = min(end if end is not None else (run.ended if run and run.ended else now), now)
    if until <= began:
        raise click.UsageError(f"--end is {until:.0f}, not later than --start {began:.0f} (unix seconds); swap them")
    return Period(began, until, began if ready is None else ready, recorded)


def _recorded(found: Explanation) -> tuple[tuple[float, int], ...]:
    """The weights that the run really set, as far as its history reaches."""
    if found.run is None:
        return ()
    entries = (
        (datetime.fromisoformat(entry.at).timestamp(), entry.weight)
        for entry in found.status.history
        if entry.weight is not None
    )
    weights: list[tuple[float, int]] = []
    for at, weight in entries:
        if at >= int(found.run.started) and (not weights or weights[-1][1] != weight):
            weights.append((at, weight))
    return tuple(weights)
