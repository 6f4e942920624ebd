"""The product beside its peers: steady canaries, and things that happen during a shift."""

from dataclasses import replace

from bench.oracle import NAME as ORACLE
from bench.report import TRAFFIC, Section, Size, Summaries, cell, percent, table, traffic_heads
from bench.rules import PEERS, PRODUCT
from bench.runs import Case
from bench.shifts import Rule
from bench.worlds import Incident, World

STABLE = 0.005
"""Failure rate of the service in these tables."""

EQUAL = "like stable (0.5 %)"
CANARIES = {
    EQUAL: STABLE,
    "twice stable (1 %), within the harm budget": 2.0 * STABLE,
    "five times stable (2.5 %)": 5.0 * STABLE,
    "+1 point (1.5 %)": STABLE + 0.01,
    "+5 points (5.5 %)": STABLE + 0.05,
    "50 %": 0.5,
}

INCIDENTS: dict[str, tuple[str, World]] = {
    "shared incident: both arms fail 20 % for 2 min": (
        "promote",
        World(0.0, STABLE, STABLE, incidents=(Incident(2, 8, canary=0.2, stable=0.2),)),
    ),
    "shared incident, canary 5 points worse": (
        "back",
        World(0.0, STABLE, STABLE + 0.05, incidents=(Incident(2, 8, canary=0.25, stable=0.2),)),
    ),
    "blip: the canary fails 30 % in one window": (
        "promote",
        World(0.0, STABLE, STABLE, incidents=(Incident(2, canary=0.3),)),
    ),
    "blips: 30 % in one window every 4 min": (
        "back",
        World(0.0, STABLE, STABLE, incidents=(Incident(2, canary=0.3, every=16),)),
    ),
    "blip, then +5 points from 2½ min on": (
        "back",
        World(0.0, STABLE, STABLE + 0.05, late=10, incidents=(Incident(2, canary=0.3),)),
    ),
    "failures in clumps of 5": ("promote", World(0.0, STABLE, STABLE, clump=5)),
    "failures in clumps of 20": ("promote", World(0.0, STABLE, STABLE, clump=20)),
    "all failures come to one of two callers": (
        "promote",
        World(0.0, STABLE, STABLE, lopsided=1.0),
    ),
    "all failures come to one of two callers, +5 points": ("back", World(0.0, STABLE, STABLE + 0.05, lopsided=1.0)),
    "late +1 point, from 25 % weight on": ("back", World(0.0, STABLE, STABLE + 0.01, late_weight=0.25)),
    "late +5 points, from 25 % weight on": ("back", World(0.0, STABLE, STABLE + 0.05, late_weight=0.25)),
    "late +1 point, from 3 min on": ("back", World(0.0, STABLE, STABLE + 0.01, late=12)),
    "service at the line: both arms 1 %": ("promote", World(0.0, 0.01, 0.01)),
}

_RULES: tuple[Rule | None, ...] = (PRODUCT, *PEERS, None)


def steady(size: Size) -> Section:
    """Canaries that are the same throughout."""
    cases = tuple(
        Case(name_of(canary, rps, rule), World(rps, STABLE, rate), _runs(size, canary, rps, rule), rule)
        for canary, rate in CANARIES.items()
        for rps in TRAFFIC
        for rule in _RULES
    )
    return Section(cases, _steady)


def incidents(size: Size) -> Section:
    """Things that happen on the way."""
    cases = tuple(
        Case(name_of(what, rps, rule), _at(world, rps), size.runs if rule is PRODUCT else size.peers, rule)
        for what, (_, world) in INCIDENTS.items()
        for rps in TRAFFIC[1:]
        for rule in _RULES[:-1]
    )
    return Section(cases, _incidents)


def name_of(what: str, rps: float, rule: Rule | None) -> str:
    """The case of one cell."""
    return f"{what} at {rps:.0f} rps: {rule.name if rule else ORACLE}"


def _at(world: World, rps: float) -> World:
    return replace(world, rps=rps)


def _runs(size: Size, canary: str, rps: float, rule: Rule | None) -> int:
    if rule is not PRODUCT:
        return size.peers
    return size.many if canary == EQUAL and rps >= TRAFFIC[1] else size.runs


def _steady(found: Summaries) -> str:
    parts = []
    for canary in CANARIES:
        rows = [
            [rule.name if rule else ORACLE, *(cell(found[name_of(canary, rps, rule)]) for rps in TRAFFIC)]
            for rule in _RULES
        ]
        parts.append(f"### Canary {canary}\n\n" + table(["rule", *traffic_heads()], rows))
    return "\n".join([*parts, _lost(found)])


def _lost(found: Summaries) -> str:
    """Where another rule is as good at stopping the bad canary, and users see fewer failures meanwhile."""
    rows = []
    for canary in tuple(CANARIES)[2:]:
        for rps in TRAFFIC:
            ours = found[name_of(canary, rps, PRODUCT)]
            for rule in _RULES[1:]:
                theirs = found[name_of(canary, rps, rule)]
                stops = theirs.rolled_back / theirs.runs >= min(0.95, ours.rolled_back / ours.runs - 0.02)
                if stops and theirs.failed < ours.failed:
                    rows.append([canary, f"{rps:.0f}", rule.name if rule else ORACLE, cell(theirs), cell(ours)])
    text = (
        "### Where another rule does better\n\nBad canaries that it stops as surely (or in 95 % of shifts), with fewer "
        "failed requests.  Look at the same rule in the other tables too: what it does to good canaries, and to mild "
        "regressions, is the price.\n\n"
    )
    return text + table(["canary", "rps", "rule", "there", PRODUCT.name], rows)


def _incidents(found: Summaries) -> str:
    parts = []
    for what, (wanted, _) in INCIDENTS.items():
        rows = []
        for rule in _RULES[:-1]:
            summaries = [found[name_of(what, rps, rule)] for rps in TRAFFIC[1:]]
            wrong = (one.rolled_back if wanted == "promote" else one.promoted for one in summaries)
            runs = sum(one.runs for one in summaries)
            name = rule.name if rule else ORACLE
            rows.append([name, *(cell(one) for one in summaries), percent(sum(wrong), runs)])
        good = "promoted" if wanted == "promote" else "rolled back"
        heads = ["rule", *traffic_heads()[1:], "wrong"]
        parts.append(f"### {what[0].upper()}{what[1:]}\n\nTo be {good}.\n\n" + table(heads, rows))
    return "\n".join(parts)
