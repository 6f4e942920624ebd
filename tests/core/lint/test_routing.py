from __future__ import annotations

from typing import Any

import pytest

from meshshift.core.lint import routing
from meshshift.core.lint.findings import Severity
from tests.core.lint.samples import only, reviews_rule, routed, said, sound, to


def one(entry: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"virtual_services": (routed(entry, **more),)}


def test_what_cannot_be_read_is_an_error() -> None:
    finding = only(routing.malformed, sound(**one({"route": "v1"})))
    assert (finding.severity, finding.message) == (
        Severity.ERROR,
        'spec.http[0].route is "v1"; write a list of destinations',
    )
    assert not list(routing.malformed(sound()))


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ({"route": [to("v3")]}, "http[0].route[0]"),
        ({"name": "rest", "route": [to("v1", 99), to("v3", 1)]}, 'http[0] "rest".route[1]'),
        ({"route": [to("v1")], "mirror": {"host": "reviews", "subset": "v3"}}, "http[0].mirror"),
        (
            {"route": [to("v1")], "mirrors": [{"destination": {"host": "reviews", "subset": "v3"}}]},
            "http[0].mirrors[0]",
        ),
    ],
)
def test_a_subset_that_no_rule_has_answers_503(entry: dict[str, Any], place: str) -> None:
    severity, about, message = said(routing.unknown_subset, sound(**one(entry)))
    assert (severity, about) == (Severity.ERROR, "VirtualService bookinfo/reviews")
    assert message.startswith(f'{place} sends to subset "v3" of reviews.bookinfo.svc.cluster.local, which no Dest')


def test_a_subset_without_traffic_fails_nothing() -> None:
    assert not list(routing.unknown_subset(sound(**one({"route": [to("v1", 100), to("v3", 0)]}))))


def test_a_subset_of_another_hosts_rule_is_not_this_hosts() -> None:
    rule = reviews_rule("v1")
    rule["spec"]["host"] = "ratings"
    assert only(routing.unknown_subset, sound(destination_rules=(rule,), **one({"route": [to("v1")]}))).rule


def test_a_wildcard_may_give_the_subset() -> None:
    wildcard = reviews_rule("v1", host="*.bookinfo.svc.cluster.local")
    assert not list(routing.unknown_subset(sound(destination_rules=(wildcard,), **one({"route": [to("v1")]}))))


def test_a_rule_for_a_few_clients_gives_nobody_else_its_subsets() -> None:
    rule = reviews_rule("v1", workloadSelector={"matchLabels": {"app": "frontend"}})
    assert only(routing.unknown_subset, sound(destination_rules=(rule,), **one({"route": [to("v1")]}))).rule


def test_connections_to_an_unknown_subset_fail_as_well() -> None:
    (document,) = one({"route": [to("v1")]}, tcp=[{"route": [to("v3")]}])["virtual_services"]
    assert only(routing.unknown_subset, sound(virtual_services=(document,))).message.startswith("tcp[0].route[0]")


@pytest.mark.parametrize(
    ("weights", "severity", "says"),
    [((1, 2), Severity.WARNING, "add up to 3"), ((0, 0), Severity.ERROR, "are all 0")],
)
def test_weights_are_meant_to_add_up(weights: tuple[int, int], severity: Severity, says: str) -> None:
    entry = {"route": [to("v1", weights[0]), to("v2", weights[1])]}
    finding = only(routing.weights_sum, sound(**one(entry)))
    assert finding.severity is severity
    assert says in finding.message


def test_weights_that_add_up_are_fine() -> None:
    assert not list(routing.weights_sum(sound(**one({"route": [to("v1", 90), to("v2", 10)]}))))


def test_the_weight_of_an_only_destination_is_ignored() -> None:
    severity, _, message = said(routing.ignored_weight, sound(**one({"route": [to("v1", 10)]})))
    assert severity is Severity.WARNING
    assert "http[0]: the only destination has the weight 10, which is ignored" in message


@pytest.mark.parametrize("weight", [None, 100])
def test_an_only_destination_may_say_that_it_has_all(weight: int | None) -> None:
    assert not list(routing.ignored_weight(sound(**one({"route": [to("v1", weight)]}))))


MIRROR = {"host": "reviews", "subset": "v2"}


@pytest.mark.parametrize(
    ("mirrors", "fix"),
    [
        ({"mirror": MIRROR}, "set mirrorPercentage.value"),
        ({"mirrors": [{"destination": MIRROR}]}, "set mirrors[0].percentage.value"),
    ],
)
def test_a_mirror_without_a_percentage_copies_everything(mirrors: dict[str, Any], fix: str) -> None:
    severity, _, message = said(routing.mirrors_everything, sound(**one({"route": [to("v1")], **mirrors})))
    assert severity is Severity.WARNING
    assert "100 % of the requests are copied" in message
    assert message.endswith(fix)


@pytest.mark.parametrize(
    "mirrors",
    [
        {"mirror": MIRROR, "mirrorPercentage": {"value": 5}},
        {"mirror": MIRROR, "mirrorPercent": 0},
        {"mirrors": [{"destination": MIRROR, "percentage": {"value": 5}}]},
    ],
)
def test_a_mirror_with_a_percentage_is_fine(mirrors: dict[str, Any]) -> None:
    assert not list(routing.mirrors_everything(sound(**one({"route": [to("v1")], **mirrors}))))


def ported(*ports: int | None) -> dict[str, Any]:
    route = {"route": [to("v1", 100), to("v2", 0)]}
    for entry, port in zip(route["route"], ports, strict=True):
        if port is not None:
            entry["destination"]["port"] = {"number": port}
    return route


@pytest.mark.parametrize(
    ("ports", "says"), [((1, 2), '"v1" on port 1, "v2" on port 2'), ((1, None), '"v2" on no port')]
)
def test_subsets_on_different_ports_are_told(ports: tuple[int | None, ...], says: str) -> None:
    severity, _, message = said(routing.ports_differ, sound(**one(ported(*ports))))
    assert severity is Severity.WARNING
    assert says in message
    assert not list(routing.ports_differ(sound(**one(ported(1, 1)))))
