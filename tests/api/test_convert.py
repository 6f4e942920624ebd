from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshshift.api.convert import InvalidSpec, spec_from_wire, spec_hash, wire_spec_with_defaults
from meshshift.core.checks import Check, Query
from meshshift.core.indicator import Indicator, JudgeSettings, Latency, SuccessRate
from meshshift.core.mesh.routes import VirtualServiceSelector
from meshshift.core.spec import (
    Analysis,
    CreatePolicy,
    Method,
    OnDelete,
    OnFailure,
    OnInconclusive,
    Pause,
    Scale,
    SetWeight,
    ShiftSpec,
    Strategy,
    Subset,
)
from tests.api.samples import VALID, load, minimal, sample_files


def test_every_default_is_the_designs() -> None:
    assert spec_from_wire(minimal(), namespace="bookinfo") == ShiftSpec(
        service="reviews",
        stable=Subset("v1"),
        canary=Subset("v2"),
        steps=tuple(SetWeight(weight) for weight in (5, 10, 25, 50, 100)),
        min_step=60,
        analysis=Analysis(
            judge=JudgeSettings(
                false_rollback=0.01,
                false_promotion=0.05,
                tolerance=0.25,
                harm_budget=0.005,
                spare_requests=5,
                interval=15,
            ),
            indicators=(Indicator("success-rate", 0.5, SuccessRate()), Indicator("latency", 0.5, Latency())),
            warmup=60,
            step_timeout=1800,
            on_inconclusive=OnInconclusive.HOLD,
        ),
        virtual_services=(),
        destination_rule=None,
        create=CreatePolicy.NEVER,
        on_failure=OnFailure.ROLLBACK,
        on_delete=OnDelete.RESTORE,
        paused=False,
    )


def test_everything_that_can_be_written_arrives() -> None:
    spec = spec_from_wire(load(sample_files(VALID)[0].with_name("everything.yaml")), namespace="bookinfo")
    assert spec == ShiftSpec(
        service="reviews",
        stable=Subset("v1", {"version": "v1"}),
        canary=Subset("v2", {"version": "v2"}),
        steps=(SetWeight(5), Pause(120), SetWeight(50), Pause(None), SetWeight(100)),
        min_step=90,
        analysis=Analysis(
            judge=JudgeSettings(
                false_rollback=0.001,
                false_promotion=0.1,
                tolerance=0.5,
                harm_budget=0.01,
                spare_requests=0,
                interval=30,
            ),
            indicators=(
                Indicator("success-rate", 0.6, SuccessRate(0.995)),
                Indicator("latency", 0.2, Latency(0.5, 0.99)),
                Indicator("tail", 0.2, Latency(2.0)),
            ),
            warmup=0,
            step_timeout=3600,
            on_inconclusive=OnInconclusive.ADVANCE,
        ),
        virtual_services=(
            VirtualServiceSelector("bookinfo", "reviews", ("default", "mobile")),
            VirtualServiceSelector("istio-ingress", "gateway"),
        ),
        destination_rule="reviews",
        create=CreatePolicy.IF_MISSING,
        on_failure=OnFailure.PAUSE,
        on_delete=OnDelete.LEAVE,
        paused=True,
        scale=Scale("reviews-v2", "reviews-v1", down_delay=1800, least=2, keep=1),
    )


def test_a_query_is_checked_beside_the_evidence_and_takes_no_share_of_it() -> None:
    query = {"promql": "sum(x)", "min": -1, "max": 0.5}
    indicators = [{"name": "errors", "successRate": {"objective": 99}}, {"name": "checkout", "query": query}]
    analysis = spec_from_wire(minimal(analysis={"indicators": indicators}), namespace="bookinfo").analysis
    assert analysis.method is Method.SEQUENTIAL
    assert analysis.indicators == (Indicator("errors", 1.0, SuccessRate(0.99)),)
    assert analysis.checks == (Check("checkout", 3, Query("sum(x)", -1, 0.5)),)


def test_method_threshold_checks_every_indicator() -> None:
    analysis = spec_from_wire(load(VALID / "threshold.yaml"), namespace="bookinfo").analysis
    assert analysis.method is Method.THRESHOLD
    assert [(check.name, check.failure_limit) for check in analysis.checks] == [
        ("success-rate", 5),
        ("latency", 3),
        ("orders", 3),
    ]
    assert [check.measure for check in analysis.checks[:2]] == [SuccessRate(0.995), Latency(0.5, 0.99)]
    assert [indicator.name for indicator in analysis.indicators] == ["success-rate", "latency"]


def test_the_default_limit_is_kept_with_a_run_and_does_not_tell_specs_apart() -> None:
    query = {"name": "checkout", "query": {"promql": "sum(x)", "max": 1}}
    errors = {"name": "errors", "successRate": {}}
    written = minimal(analysis={"indicators": [errors, query | {"failureLimit": 3}]})
    unwritten = minimal(analysis={"indicators": [errors, query]})
    kept = wire_spec_with_defaults(unwritten)["analysis"]["indicators"]
    assert [each.get("failureLimit") for each in kept] == [None, 3]
    assert spec_hash(written) == spec_hash(unwritten)
    other = minimal(analysis={"indicators": [errors, query | {"failureLimit": 4}]})
    assert spec_hash(other) != spec_hash(unwritten)


def test_a_ramp_becomes_steps_that_end_at_100() -> None:
    spec = spec_from_wire(
        minimal(strategy={"canary": {"ramp": {"start": 1, "factor": 2, "max": 50}}}), namespace="bookinfo"
    )
    assert [step.percent for step in spec.steps if isinstance(step, SetWeight)] == [1, 2, 4, 8, 16, 32, 50, 100]


def test_a_rolling_shift_is_a_linear_ramp_that_ends_at_100() -> None:
    spec = spec_from_wire(minimal(strategy={"rolling": {"every": "30s", "by": 40}}), namespace="bookinfo")
    assert [step.percent for step in spec.steps if isinstance(step, SetWeight)] == [40, 80, 100]
    assert (spec.strategy, spec.min_step) == (Strategy.ROLLING, 30.0)
    kept = wire_spec_with_defaults(minimal(strategy={"rolling": {}}))
    assert kept["strategy"] == {"rolling": {"every": "1m", "by": 10}}


@pytest.mark.parametrize("path", sample_files(VALID), ids=lambda path: path.stem)
def test_the_spec_kept_with_a_run_means_the_same(path: Any) -> None:
    spec = load(path)
    kept = json.loads(json.dumps(wire_spec_with_defaults(spec), allow_nan=False))
    assert spec_from_wire(kept, namespace="bookinfo") == spec_from_wire(spec, namespace="bookinfo")
    assert wire_spec_with_defaults(kept) == kept
    assert spec_hash(kept) == spec_hash(spec)


@pytest.mark.parametrize(
    "fields",
    [
        {"paused": True},
        {"create": "Never"},
        {"analysis": {"interval": "15000ms", "warmup": "60s", "confidence": "99%", "harmBudget": 0.50}},
        {"analysis": {"indicators": [{"name": "success-rate", "successRate": {}}, {"name": "latency", "latency": {}}]}},
        {"strategy": {"canary": {"steps": [{"setWeight": weight} for weight in (5, 10, 25, 50, 100)]}}},
        {"strategy": {"canary": {"minStepDuration": "60s"}}},
        {"destinationRule": None},
    ],
)
def test_pausing_and_writing_out_a_default_start_no_new_run(fields: dict[str, Any]) -> None:
    assert spec_hash(minimal(**fields)) == spec_hash(minimal())


@pytest.mark.parametrize(
    "fields",
    [
        {"canary": {"subset": "v3"}},
        {"analysis": {"confidence": 99.5}},
        {"strategy": {"canary": {"steps": [{"setWeight": 5}]}}},
        {"onFailure": "Pause"},
    ],
)
def test_any_other_edit_starts_a_new_run(fields: dict[str, Any]) -> None:
    assert spec_hash(minimal(**fields)) != spec_hash(minimal())


def test_an_upgrade_does_not_restart_finished_shifts() -> None:
    """If this hash must change, every shift in every cluster runs again on upgrade: that is a breaking release."""
    assert spec_hash(minimal()) == "c521069437246ca4"


def test_a_broken_rule_is_not_hidden_by_a_typo_elsewhere() -> None:
    spec = minimal(canary={"subset": "v1"}, analysis={"warmup": "soon", "interval": "1ms"})
    with pytest.raises(InvalidSpec) as caught:
        spec_from_wire(spec, namespace="bookinfo")
    fields = [error.field for error in caught.value.errors]
    assert fields == ["spec.analysis.warmup", "spec.analysis.interval", "spec.canary.subset"]


def test_a_rule_is_not_judged_on_a_field_that_is_broken() -> None:
    spec = minimal(strategy={"canary": {"minStepDuration": "29m"}}, analysis={"stepTimeout": "never"})
    with pytest.raises(InvalidSpec) as caught:
        spec_from_wire(spec, namespace="bookinfo")
    assert [error.field for error in caught.value.errors] == ["spec.analysis.stepTimeout"]


def test_the_message_is_one_short_line_however_much_is_wrong() -> None:
    with pytest.raises(InvalidSpec) as caught:
        spec_from_wire({f"field{index}": "x" * 10**6 for index in range(200)}, namespace="bookinfo")
    assert len(caught.value.errors) > 200
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 2500


_EXTREMES: dict[str, Any] = {
    "400 digits": 10**400,
    "5000 digits": -(10**5000),
    "nan": float("nan"),
    "inf": float("inf"),
    "1e308": 1e308,
    "megabyte": "x" * 10**6,
    "surrogate": "\ud800",
}


def _extreme(name: str) -> Any:
    return _EXTREMES[name]


_HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(sorted(_EXTREMES)).map(_extreme),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["15s", "99.5%", "v1", "NaN", "1e9", "Never", ""]),
)
_KEYS = st.one_of(
    st.sampled_from(
        [
            *("service", "stable", "canary", "strategy", "analysis", "virtualServices", "subset", "labels", "steps"),
            *("ramp", "setWeight", "pause", "duration", "indicators", "name", "share", "successRate", "latency"),
            *("objective", "threshold", "interval", "confidence", "harmBudget", "start", "by", "factor", "max"),
            *("create", "paused", "redBlack", "destinationRule", "routes", "minStepDuration"),
        ]
    ),
    st.text(max_size=8),
    st.just("k" * 10**5),
    st.integers(),
    st.just("\ud800"),
)


@st.composite
def _mutations(draw: st.DrawFn) -> Any:
    """A sound spec with a hostile value put somewhere into it."""
    spec = json.loads(json.dumps(draw(st.sampled_from(_SOUND))))
    node: Any = spec
    for _ in range(draw(st.integers(0, 6))):
        inner = list(node.values()) if isinstance(node, dict) else node
        nested = [each for each in inner if isinstance(each, dict | list) and each]
        if not nested:
            break
        node = draw(st.sampled_from(nested))
    value = draw(_HOSTILE | st.dictionaries(_KEYS, _HOSTILE, max_size=2) | st.lists(_HOSTILE, max_size=2))
    if isinstance(node, list):
        node[draw(st.integers(0, len(node) - 1))] = value
    else:
        node[draw(st.sampled_from(list(node)) | _KEYS)] = value
    return spec


_SOUND = [load(path) for path in sample_files(VALID)]


@pytest.mark.parametrize("place", ["service", "stable", "strategy", "analysis", "virtualServices", "paused", "other"])
@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"analysis": inner}], ids=["lists", "objects"])
def test_ten_thousand_levels_are_refused_like_anything_else(place: str, wrap: Any) -> None:
    deep: Any = 1
    for _ in range(10_000):
        deep = wrap(deep)
    assert _refusal(minimal(**{place: deep})) is not None


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(_mutations() | st.recursive(_HOSTILE, lambda inner: st.lists(inner) | st.dictionaries(_KEYS, inner)))
def test_whatever_is_written_gives_a_spec_or_a_readable_refusal(spec: Any) -> None:
    refusal = _refusal(spec)
    if refusal is None:
        json.dumps(wire_spec_with_defaults(spec), allow_nan=False)
        assert len(spec_hash(spec)) == 16
    else:
        assert refusal.errors
        assert str(refusal).isprintable()
        assert len(str(refusal)) < 5000


def _refusal(spec: Any) -> InvalidSpec | None:
    try:
        spec_from_wire(spec, namespace="bookinfo")
    except InvalidSpec as refusal:
        return refusal
    return None
