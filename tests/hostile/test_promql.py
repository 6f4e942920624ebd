"""Names that try to be PromQL: whatever a Service, a label or a pod's owner is called, a query asks what it asked."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshshift.adapters import promql
from meshshift.core.pods import arm_of
from meshshift.core.template import Facts, render
from meshshift.engine.ports import ServiceId
from tests.engine.simulation import Simulation, bookinfo, pod, shift

INJECTION = 'v2"} or vector(1) or up{a="'
HOSTILE = (
    *(INJECTION, "v2'} or up #", "v2`} or up", "a\\", 'a\\"', "a\nb", "{{canary}}", "{{", "}}", "a|b", ".*", "(a+)+$"),
    *("[", "a{1000}", "^", "$", "\\x41", "\\", "\u202e", "\x00", "ü", "a b", "#", "]", "1e9", "-", ""),
)
_LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"')


def matchers(selector: str) -> dict[str, tuple[str, str]]:
    """Label, operator and value of each matcher of `{…}`; fails unless the text is matchers and nothing else."""
    inside = selector.removeprefix("{").removesuffix("}")
    assert selector == f"{{{inside}}}"
    found = {}
    place = 0
    pattern = re.compile(rf"([a-z_]+)(=~|=)({_LITERAL.pattern})(?:,|$)")
    while place < len(inside):
        match = pattern.match(inside, place)
        assert match, inside[place:]
        found[match[1]] = match[2], unquoted(match[3])
        place = match.end()
    return found


def unquoted(literal: str) -> str:
    """The value of a string in double quotes, by the rules of Go for the escapes that are written."""
    return re.sub(r"\\(.)", lambda found: {"n": "\n"}.get(found[1], found[1]), literal[1:-1])


NAMES = st.text() | st.sampled_from(HOSTILE)


@given(namespace=NAMES, name=NAMES)
@example(namespace=INJECTION, name="a\\")
def test_one_service_is_asked_for_by_its_exact_name(namespace: str, name: str) -> None:
    asked = matchers(promql.selector([ServiceId(namespace, name)], "source"))
    assert asked == {
        "reporter": ("=", "source"),
        promql.NAMESPACE_LABEL: ("=", namespace),
        promql.NAME_LABEL: ("=", name),
    }


@given(names=st.sets(NAMES, min_size=2, max_size=5))
def test_several_are_asked_for_by_an_expression_that_matches_them_and_nothing_else(names: set[str]) -> None:
    asked = matchers(promql.selector([ServiceId("bookinfo", name) for name in names], None))
    operator, expression = asked[promql.NAME_LABEL]
    assert operator == "=~"
    for name in (*names, *HOSTILE, "reviews"):
        assert bool(re.fullmatch(expression, name, re.DOTALL)) == (name in names)


@pytest.mark.parametrize("hostile", HOSTILE, ids=ascii)
@pytest.mark.parametrize("where", ["owner", "workload-label", "pod"])
def test_a_pods_names_stay_values_in_a_users_query(where: str, hostile: str) -> None:
    document = pod("v2")
    if where == "owner":
        document["metadata"]["ownerReferences"] = [{"kind": "Deployment", "name": hostile, "controller": True}]
    elif where == "workload-label":
        document["metadata"]["labels"]["service.istio.io/workload-name"] = hostile
    else:
        document["metadata"] |= {"name": hostile, "ownerReferences": []}
    workloads = arm_of([document]).workloads
    if not workloads:
        return
    facts = Facts("v2", "v1", workloads, frozenset({"reviews-v1"}), "reviews", "bookinfo", "reviews", 15.0)
    asked = render('sum(rate(errors{w=~"{{canaryWorkload}}",v="{{canary}}"}[1m]))', facts)
    strings = _LITERAL.findall(asked)
    assert len(strings) == 2
    assert asked == f"sum(rate(errors{{w=~{strings[0]},v={strings[1]}}}[1m]))"


def test_the_controller_asks_the_same_question_whatever_the_pods_are_called() -> None:
    simulation: Simulation = bookinfo()
    canary = pod("v2")
    canary["metadata"]["ownerReferences"] = [{"kind": "Deployment", "name": INJECTION, "controller": True}]
    simulation.mesh.put(canary)
    check = {"name": "own", "query": {"promql": 'sum(errors{w=~"{{canaryWorkload}}"})', "max": 1}}
    errors = {"name": "errors", "successRate": {}}
    simulation.mesh.put(shift(analysis={"interval": "5s", "warmup": "0s", "indicators": [errors, check]}))
    simulation.run(120, until=lambda s: bool(s.asked))
    asked = {text for text, _ in simulation.asked}
    assert asked
    for text in asked:
        (string,) = _LITERAL.findall(text)
        assert text == f"sum(errors{{w=~{string}}})"
