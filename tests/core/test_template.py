from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshshift.core.template import VARIABLES, Facts, Unknown, is_sound, render

FACTS = Facts(
    canary="v2",
    stable="v1",
    canary_workloads=frozenset({"reviews-v2"}),
    stable_workloads=frozenset({"reviews-v1", "reviews-v1.b"}),
    service="reviews",
    namespace="bookinfo",
    host="reviews.bookinfo.svc.cluster.local",
    interval=15.0,
)


def with_facts(**changes: object) -> Facts:
    values = {name: getattr(FACTS, name) for name in Facts.__dataclass_fields__}
    return Facts(**{**values, **changes})


@pytest.mark.parametrize(
    ("template", "promql"),
    [
        ('x{v="{{canary}}"}', 'x{v="v2"}'),
        ('x{v="{{ stable }}"}', 'x{v="v1"}'),
        ('x{w=~"{{canaryWorkload}}"}', 'x{w=~"(reviews-v2)"}'),
        ('x{w=~"{{stableWorkload}}"}', 'x{w=~"(reviews-v1|reviews-v1[.]b)"}'),
        ('x{s="{{service}}.{{namespace}}"}', 'x{s="reviews.bookinfo"}'),
        ("x{h='{{host}}'}[{{interval}}]", "x{h='reviews.bookinfo.svc.cluster.local'}[15s]"),
        ("x{} - {a}", "x{} - {a}"),
    ],
)
def test_variables_are_replaced_and_all_else_is_the_users(template: str, promql: str) -> None:
    assert is_sound(template)
    assert render(template, FACTS) == promql


@pytest.mark.parametrize(
    ("baseline", "promql"),
    [("", 'x{v="v1",w=~"(reviews-v1|reviews-v1[.]b)"}'), ("v1-baseline", 'x{v="v1-baseline",w=~"(fresh)"}')],
)
def test_the_control_is_whom_the_canary_is_compared_with(baseline: str, promql: str) -> None:
    facts = with_facts(baseline=baseline, baseline_workloads=frozenset({"fresh"}))
    assert render('x{v="{{control}}",w=~"{{controlWorkload}}"}', facts) == promql


def test_a_baseline_without_pods_is_not_replaced_by_stable() -> None:
    with pytest.raises(Unknown, match="the baseline subset has no pods"):
        render('x{w=~"{{controlWorkload}}"}', with_facts(baseline="v1-baseline"))


def test_an_interval_is_a_duration_that_prometheus_reads() -> None:
    assert render("{{interval}}", with_facts(interval=90.0)) == "90s"
    assert render("{{interval}}", with_facts(interval=1.5)) == "1500ms"


@pytest.mark.parametrize("template", ["{{version}}", "{{canary}", "{{", "{{{canary}}}", "{{canary }x}", "x{{Canary}}"])
def test_what_looks_like_a_variable_and_is_none_is_not_sound(template: str) -> None:
    assert not is_sound(template)


def test_a_subset_without_pods_has_no_expression_rather_than_one_that_matches_anything() -> None:
    with pytest.raises(Unknown, match="the canary subset has no pods"):
        render('x{w=~"{{canaryWorkload}}"}', with_facts(canary_workloads=frozenset()))


def unquoted(promql: str, quote: str) -> str:
    """What PromQL reads in the one string of `x=<string>`, by the rules of strutil.Unquote; fails if it is not one."""
    inside = promql.removeprefix(f"x={quote}").removesuffix(quote)
    assert promql == f"x={quote}{inside}{quote}"
    assert quote not in inside
    assert "\n" not in inside
    escapes = re.compile(r"\\(?:x([0-9a-f]{2})|U([0-9a-f]{8})|(\\))")
    assert "\\" not in escapes.sub("", inside)
    return escapes.sub(lambda found: "\\" if found[3] else chr(int(found[1] or found[2], 16)), inside)


@example(value='"} or up{x="', quote='"')
@example(value="'", quote="'")
@example(value="two\nlines", quote='"')
@example(value="\\", quote='"')
@given(value=st.text(min_size=1), quote=st.sampled_from(["'", '"']))
def test_no_value_can_leave_its_string_and_every_value_arrives(value: str, quote: str) -> None:
    promql = render(f"x={quote}{{{{canary}}}}{quote}", with_facts(canary=value))
    assert unquoted(promql, quote) == value


@example(value="`")
@given(value=st.text(min_size=1))
def test_no_value_can_leave_a_raw_string(value: str) -> None:
    promql = render("x=`{{canary}}{{canaryWorkload}}`", with_facts(canary=value, canary_workloads=frozenset({value})))
    assert promql.count("`") == 2


@example(names=frozenset({"a.b", "a|b", ".*"}), quote='"')
@given(names=st.frozensets(st.text(min_size=1), min_size=1, max_size=3), quote=st.sampled_from(["'", '"']))
def test_an_alternation_matches_exactly_the_names(names: frozenset[str], quote: str) -> None:
    promql = render(f"x={quote}{{{{canaryWorkload}}}}{quote}", with_facts(canary_workloads=names))
    expression = re.sub(r"\\x\{([0-9a-f]+)\}", lambda found: re.escape(chr(int(found[1], 16))), unquoted(promql, quote))
    for name in names:
        assert re.fullmatch(expression, name)
        assert re.fullmatch(expression, name + "x") is None or name + "x" in names


def test_every_variable_has_a_meaning_and_a_value() -> None:
    assert all(VARIABLES.values())
    template = " ".join(f"{{{{{name}}}}}" for name in VARIABLES)
    assert "{{" not in render(template, FACTS)
