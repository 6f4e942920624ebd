"""The product alone, where its settings and its several indicators matter: plans, deployments, latency, objectives."""

from bench.beside import CANARIES, STABLE
from bench.latency import LIKE_STABLE, Shape
from bench.report import TRAFFIC, Section, Size, Summaries, cell, table, traffic_heads
from bench.rules import PEERS, Product
from bench.runs import Case
from bench.shifts import PLANS
from bench.worlds import World
from meshshift.core.judge import Indicator, JudgeSettings, Latency, SuccessRate

_BASELINES = (0.001, 0.005, 0.01)
_CANARIES = {0.0: "like stable", 0.01: "+1 point", 0.05: "+5 points"}
_BUSY = TRAFFIC[1:]

_DEPLOYED = Product(warmup=60.0)
_PAIR = (Indicator("success-rate", 0.5, SuccessRate()), Indicator("latency", 0.5, Latency()))
_THRESHOLD = (
    Indicator("success-rate", 0.5, SuccessRate()),
    Indicator("latency", 0.5, Latency(threshold=0.3, objective=0.99)),
)
_OBJECTIVE = Product(indicators=(Indicator("success-rate", 1.0, SuccessRate(objective=0.99)),))

_SHAPES = {
    "like stable": (LIKE_STABLE, STABLE),
    "all requests 1.3 times slower": (Shape(1.3), STABLE),
    "all requests twice as slow": (Shape(2.0), STABLE),
    "one in 50 ten times slower": (Shape(10.0, 0.02), STABLE),
    "as quick, +5 points failing": (LIKE_STABLE, STABLE + 0.05),
    "twice as slow, +1 point failing": (Shape(2.0), STABLE + 0.01),
}

_SERVICES = {
    "both arms 3 % (objective missed by both)": (0.03, 0.03),
    "canary 3 %, stable 0.5 %": (0.005, 0.03),
    "canary 6 %, stable 3 % (both miss, canary worse)": (0.03, 0.06),
    "canary 0.8 %, stable 0.1 % (worse, within objective)": (0.001, 0.008),
    "canary 0.5 %, stable 0.5 %": (0.005, 0.005),
}


def plans(size: Size) -> Section:
    """Plans and baselines, and one peer at the same good canary."""
    rules = (Product(), PEERS[1])
    cases = tuple(
        Case(_plan_name(plan, base, extra, rps, rule.name), World(rps, base, base + extra), size.runs, rule, weights)
        for plan, weights in PLANS.items()
        for base in _BASELINES
        for extra in _CANARIES
        for rps in _BUSY
        for rule in rules
    )

    def render(found: Summaries) -> str:
        rows = [
            [plan, f"{100 * base:g} %", _CANARIES[extra], rule.name]
            + [cell(found[_plan_name(plan, base, extra, rps, rule.name)]) for rps in _BUSY]
            for plan in PLANS
            for base in _BASELINES
            for extra in _CANARIES
            for rule in rules
        ]
        return table(["plan", "stable fails", "canary", "rule", *traffic_heads()[1:]], rows)

    return Section(cases, render)


def deployed(size: Size) -> Section:
    """Telemetry read a scrape late, and a canary whose pods have just become ready."""
    variants = {"at once": (Product(), 0), "read 15 s late": (Product(), 1), "and 60 s warm-up": (_DEPLOYED, 1)}
    cases = tuple(
        Case(f"deployed, {how}: {canary} at {rps:.0f} rps", World(rps, STABLE, rate), size.runs, rule, lag=lag)
        for how, (rule, lag) in variants.items()
        for canary, rate in CANARIES.items()
        for rps in _BUSY
    )

    def render(found: Summaries) -> str:
        rows = [
            [canary, how, *(cell(found[f"deployed, {how}: {canary} at {rps:.0f} rps"]) for rps in _BUSY)]
            for canary in CANARIES
            for how in variants
        ]
        return table(["canary", "telemetry", *traffic_heads()[1:]], rows)

    return Section(cases, render)


def latency(size: Size) -> Section:
    """The default pair of indicators, and a threshold with an objective, on bucketed data."""
    rules = {
        "default pair": Product("pair", JudgeSettings(), _PAIR),
        "99 % within 300 ms": Product("threshold", JudgeSettings(), _THRESHOLD),
    }
    cases = tuple(
        Case(f"{how}: {what} at {rps:.0f} rps", World(rps, STABLE, rate, latency=shape), size.runs // 2, rule)
        for what, (shape, rate) in _SHAPES.items()
        for rps in _BUSY
        for how, rule in rules.items()
    )

    def render(found: Summaries) -> str:
        rows = [
            [what, how, *(cell(found[f"{how}: {what} at {rps:.0f} rps"]) for rps in _BUSY)]
            for what in _SHAPES
            for how in rules
        ]
        return table(["canary", "indicators", *traffic_heads()[1:]], rows)

    return Section(cases, render)


def objective(size: Size) -> Section:
    """An absolute objective of 99 % beside the comparison."""
    cases = tuple(
        Case(f"objective: {what} at {rps:.0f} rps", World(rps, stable, canary), size.runs, _OBJECTIVE)
        for what, (stable, canary) in _SERVICES.items()
        for rps in _BUSY
    )

    def render(found: Summaries) -> str:
        rows = [[what, *(cell(found[f"objective: {what} at {rps:.0f} rps"]) for rps in _BUSY)] for what in _SERVICES]
        return table(["service", *traffic_heads()[1:]], rows)

    return Section(cases, render)


def _plan_name(plan: str, base: float, extra: float, rps: float, rule: str) -> str:
    return f"plan {plan}, stable {base}, canary +{extra}, {rps:.0f} rps: {rule}"
