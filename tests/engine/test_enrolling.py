"""Services that opt in: adopted without a change, new versions shifted in by themselves, released as they are."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.engine.enrolment import UID, Enrolling, bare, service
from tests.engine.simulation import Document, Simulation, route, rule, shift


def never_elsewhere(simulation: Simulation) -> None:
    assert simulation.shares() == {"v1": 1.0}, simulation.now


def opted_in(**annotations: str) -> Enrolling:
    simulation = bare()
    simulation.opt_in(**annotations)
    simulation.wait_for(lambda: simulation.reason == "Serving")
    assert simulation.weights() == {"v1": 100}
    return simulation


def promoted(*versions: str) -> Enrolling:
    """Each of the versions has come, and the last one serves."""
    simulation = opted_in()
    for version in versions:
        simulation.deploy(version, template=version)
        simulation.wait_for(lambda version=version: simulation.serves(version))  # type: ignore[misc]
    return simulation


# Opting in.


def test_what_is_missing_is_created_and_nobody_gets_other_pods() -> None:
    simulation = bare()
    simulation.checks.append(never_elsewhere)
    simulation.opt_in()
    simulation.run(60)
    assert simulation.subsets() == ["v1"]
    assert simulation.weights() == {"v1": 100}
    assert simulation.mesh.calls == ["create DestinationRule", "create VirtualService"]
    for kind in ("DestinationRule", "VirtualService"):
        owner = simulation.mesh.get(kind, "reviews")["metadata"]["ownerReferences"]
        assert [(each["kind"], each["uid"]) for each in owner] == [("Service", UID)]


def test_the_rule_has_settled_before_the_route_names_its_subset() -> None:
    simulation = bare(settle=7.0)
    simulation.opt_in()
    simulation.wait_for(lambda: bool(simulation.subsets()))
    created = simulation.now
    simulation.wait_for(lambda: bool(simulation.weights()))
    assert simulation.now - created >= 7.0


def test_what_is_there_already_is_taken_as_it_is() -> None:
    simulation = bare()
    simulation.mesh.put(rule("v1", "v2"))
    simulation.mesh.put(route({"v1": 100}))
    simulation.opt_in()
    simulation.run(60)
    assert (simulation.mesh.calls, simulation.reason) == ([], "Serving")


def test_a_route_to_all_pods_gets_the_subset_of_the_only_version() -> None:
    simulation = bare()
    simulation.checks.append(never_elsewhere)
    plain = route({"v1": None})
    plain["spec"]["http"][0] |= {"timeout": "3s", "route": [{"destination": {"host": "reviews"}}]}
    simulation.mesh.put(plain)
    simulation.opt_in()
    simulation.run(60)
    assert simulation.mesh.calls == ["create DestinationRule", "patch VirtualService"]
    http = simulation.mesh.get("VirtualService", "reviews")["spec"]["http"]
    plain["spec"]["http"][0]["route"][0]["destination"]["subset"] = "v1"
    assert http == plain["spec"]["http"]


def test_a_rule_without_the_subset_gets_it_and_keeps_the_rest() -> None:
    simulation = bare()
    simulation.checks.append(never_elsewhere)
    simulation.mesh.put(rule("other") | {"spec": {"host": "reviews", "trafficPolicy": {"tls": {"mode": "SIMPLE"}}}})
    simulation.opt_in()
    simulation.run(60)
    assert simulation.mesh.calls == ["patch DestinationRule", "create VirtualService"]
    spec = simulation.mesh.get("DestinationRule", "reviews")["spec"]
    assert (spec["trafficPolicy"], simulation.subsets()) == ({"tls": {"mode": "SIMPLE"}}, ["v1"])


def test_callers_in_the_mesh_get_a_route_where_there_is_one_at_a_gateway_only() -> None:
    simulation = bare()
    public = route({"v1": None})
    destination = {"destination": {"host": "reviews.bookinfo.svc.cluster.local"}}
    public["spec"] = {"hosts": ["reviews.example.com"], "gateways": ["public"], "http": [{"route": [destination]}]}
    simulation.mesh.put(public)
    simulation.opt_in()
    simulation.run(60)
    assert simulation.mesh.calls == ["create DestinationRule", "patch VirtualService", "create VirtualService"]
    mesh, gateway = (simulation.mesh.get("VirtualService", name)["spec"] for name in ("reviews-mesh", "reviews"))
    assert mesh["hosts"] == ["reviews.bookinfo.svc.cluster.local"]
    assert [each["http"][0]["route"][0]["destination"]["subset"] for each in (mesh, gateway)] == ["v1", "v1"]
    assert simulation.reason == "Serving"


def events(simulation: Enrolling) -> list[tuple[str, str]]:
    return list(simulation.mesh.events.values())


def held(simulation: Enrolling, reason: str, *words: str) -> None:
    """Nothing is written, and one Event says why."""
    simulation.opt_in()
    simulation.run(120)
    assert [call for call in simulation.mesh.calls if call != "event"] == []
    assert [each for each, _ in events(simulation)] == [reason]
    assert all(word in events(simulation)[0][1] for word in words), events(simulation)


def test_two_versions_by_pod_count_wait_for_a_word_and_then_one_has_all() -> None:
    simulation = bare()
    simulation.deploy("v2", template="two", pods=3)
    held(simulation, "SeveralServe", "v1 (1 ready pods), v2 (3 ready pods)", "meshshift.io/stable")
    simulation.annotate(stable="v1", paused="true")
    simulation.wait_for(lambda: simulation.shares() == {"v1": 1.0})
    simulation.annotate(paused=None)
    simulation.wait_for(lambda: simulation.serves("v2"))


def test_two_versions_by_weight_wait_for_a_word_too() -> None:
    simulation = bare()
    simulation.deploy("v2", template="two")
    simulation.mesh.put(rule("v1", "v2"))
    simulation.mesh.put(route({"v1": 80, "v2": 20}))
    held(simulation, "SeveralServe", "v1 (80), v2 (20)")
    simulation.annotate(stable="v1")
    simulation.wait_for(lambda: simulation.status.get("reason") == "WeightsMidWay")
    assert simulation.weights() == {"v1": 80, "v2": 20}


def wild_service() -> Document:
    document = route({"v1": None})
    document["metadata"]["name"] = "everything"
    document["spec"] = {
        "hosts": ["*.bookinfo.svc.cluster.local"],
        "http": [{"route": [{"destination": {"host": "x"}}]}],
    }
    return document


def wide_rule(**metadata: str) -> Document:
    spec = {"host": "*.local", "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}
    return {"kind": "DestinationRule", "metadata": {"name": "wide", **metadata}, "spec": spec}


@pytest.mark.parametrize(
    ("document", "reason", "word"),
    [
        (wide_rule(), "WildcardDestinationRule", "bookinfo/wide"),
        (wide_rule(namespace="istio-system"), "WildcardDestinationRule", "istio-system/wide"),
        (
            rule()
            | {
                "metadata": {"name": "theirs", "namespace": "callers"},
                "spec": {"host": "reviews.bookinfo.svc.cluster.local", "subsets": []},
            },
            "SubsetHidden",
            "callers/theirs",
        ),
    ],
    ids=["a wildcard beside it", "a mesh-wide policy", "a rule of the callers"],
)
def test_what_would_be_replaced_or_hide_the_subset_is_told_and_left(document: Document, reason: str, word: str) -> None:
    simulation = bare()
    simulation.mesh.put(document)
    held(simulation, reason, word)


def test_a_version_said_by_two_labels_is_told() -> None:
    simulation = bare()
    simulation.deploy("v2", template="two")
    other = {"app": "reviews", "app.kubernetes.io/version": "v1", "version": "x"}
    simulation.mesh.edit("Pod", "reviews-v2-two-0", lambda each: each["metadata"].update(labels=other))
    held(simulation, "VersionLabelsDiffer", "v1")


def test_traffic_that_follows_a_subset_of_several_versions_is_told() -> None:
    simulation = bare()
    simulation.deploy("v2", template="two")
    wide = rule("v1")
    wide["spec"]["subsets"][0]["labels"] = {"app": "reviews"}
    simulation.mesh.put(wide)
    simulation.mesh.put(route({"v1": 100}))
    held(simulation, "SubsetTooWide", "v1, v2")


def test_traffic_to_a_subset_that_is_not_there_is_told() -> None:
    simulation = bare()
    simulation.mesh.put(rule("v9"))
    simulation.mesh.put(route({"v1": 100}))
    held(simulation, "SubsetNotFound", '"v1"')


def test_a_version_that_serves_without_a_ready_pod_is_no_stable_to_judge_beside() -> None:
    simulation = opted_in()
    simulation.deploy("v1", template="one", ready=False)
    simulation.run(5)
    simulation.deploy("v2", template="two")
    simulation.run(60)
    assert (simulation.exists, simulation.reason) == (False, "StableNotReady")


def test_a_virtual_service_by_wildcard_is_not_taken_over_from() -> None:
    simulation = bare()
    simulation.mesh.put(rule("v1"))
    simulation.mesh.put(wild_service())
    held(simulation, "WildcardVirtualService", "bookinfo/everything")


def test_pods_without_a_version_are_told() -> None:
    simulation = bare()
    simulation.deploy("v2", template="two")
    simulation.mesh.edit("Pod", "reviews-v2-two-0", lambda each: each["metadata"]["labels"].pop("version"))
    held(simulation, "NoVersionLabel", "app.kubernetes.io/version")


def test_bad_values_are_told_once_with_value_and_allowed_ones_and_again_when_they_change() -> None:
    simulation = bare()
    simulation.annotate(strategy="canary", steps="5,200")
    simulation.run(700)
    assert [call for call in simulation.mesh.calls if call != "event"] == []
    assert len(events(simulation)) == 1
    assert 'meshshift.io/steps: "5,200"' in events(simulation)[0][1]
    assert '"5,25,50"' in events(simulation)[0][1]
    simulation.annotate(strategy="canari")
    simulation.run(60)
    assert len(events(simulation)) == 2
    assert "write canary, red-black, rolling or off" in events(simulation)[1][1]
    simulation.annotate(strategy="canary")
    simulation.run(60)
    assert len(events(simulation)) == 3, "the first mistake has come back"
    simulation.restart()
    simulation.run(60)
    assert len(events(simulation)) == 3, "a new process says nothing again"


def test_hosts_and_gateways_come_with_what_is_created_and_follow_the_annotations() -> None:
    simulation = opted_in(hosts="reviews.example.com", gateways="istio-system/public")

    def exposed() -> Document:
        spec: Document = simulation.mesh.get("VirtualService", "reviews")["spec"]
        return {name: spec.get(name) for name in ("hosts", "gateways")}

    host = "reviews.bookinfo.svc.cluster.local"
    assert exposed() == {"hosts": [host, "reviews.example.com"], "gateways": ["mesh", "istio-system/public"]}
    simulation.annotate(hosts="a.example.com, b.example.com")
    simulation.run(5)
    assert exposed()["hosts"] == [host, "a.example.com", "b.example.com"]
    simulation.annotate(hosts=None, gateways=None)
    simulation.run(5)
    assert exposed() == {"hosts": [host], "gateways": None}


# New versions.


def test_a_good_version_that_appears_is_shifted_in_and_serves() -> None:
    simulation = promoted("v2")
    assert "lost" not in simulation.traffic.versions
    owner = simulation.mesh.get("TrafficShift", "reviews")["metadata"]["ownerReferences"]
    assert [each["uid"] for each in owner] == [UID]


def test_good_bad_and_good_again_while_the_bad_one_is_taken_back() -> None:
    simulation = promoted("v2")
    simulation.deploy("v3", template="three", failing=0.4)
    simulation.wait_for(lambda: simulation.phase == "RollingBack")
    simulation.deploy("v4", template="four")
    simulation.wait_for(lambda: simulation.serves("v4"))
    simulation.run(600)
    assert simulation.serves("v4"), "v3 is not tried again"
    assert "lost" not in simulation.traffic.versions


def shifts_begun(simulation: Enrolling) -> int:
    return sum(each.reason in {"Starting", "Retargeted"} for each in simulation.acts.acts)


def rejected() -> Enrolling:
    """v2 was bad."""
    simulation = opted_in()
    simulation.deploy("v2", template="bad", failing=0.4)
    simulation.wait_for(lambda: simulation.phase == "RolledBack")
    return simulation


def test_a_rejected_version_is_tried_again_only_with_another_template() -> None:
    simulation = rejected()
    simulation.remove("v2")
    simulation.run(60)
    simulation.deploy("v2", template="bad")
    simulation.run(400)
    assert simulation.serves("v1")
    assert simulation.phase == "RolledBack"
    simulation.deploy("v2", template="mended", failing=0.001)
    simulation.wait_for(lambda: simulation.serves("v2"))


def test_annotations_that_change_on_the_way_back_begin_nothing_anew() -> None:
    simulation = opted_in()
    simulation.deploy("v2", template="bad", failing=0.4)
    simulation.wait_for(lambda: simulation.phase == "RollingBack")
    run = simulation.status["runId"]
    simulation.annotate(steps="1,2,3")
    simulation.run(300)
    assert (simulation.phase, simulation.status["runId"]) == ("RolledBack", run)


def fates(simulation: Enrolling) -> dict[str, str]:
    annotations = simulation.mesh.get("TrafficShift", "reviews")["metadata"]["annotations"]
    return {name: each["fate"] for name, each in json.loads(annotations["meshshift.io/versions"]).items()}


def test_one_that_gave_way_before_it_began_is_not_taken_for_rejected() -> None:
    simulation = opted_in()
    simulation.deploy("v2", template="bad", failing=0.4)
    simulation.wait_for(lambda: simulation.phase == "RollingBack")
    simulation.deploy("v3", template="three")
    simulation.run(1)
    assert simulation.phase == "RollingBack"
    simulation.deploy("v4", template="four")
    simulation.run(2)
    assert fates(simulation) == {"v1": "former", "v2": "rejected", "v3": "superseded"}
    simulation.wait_for(lambda: simulation.serves("v4"))


def test_one_under_way_that_gives_way_may_come_again_with_another_template() -> None:
    simulation = opted_in()
    simulation.deploy("v2", template="two")
    simulation.wait_for(lambda: simulation.shares().get("v2", 0.0) > 0.0)
    simulation.deploy("v3", template="three", failing=0.4)
    simulation.wait_for(lambda: simulation.shares().get("v3", 0.0) > 0.0)
    simulation.wait_for(lambda: simulation.phase == "RolledBack")
    simulation.run(100)
    assert simulation.serves("v1"), "v2 gave way to v3"
    simulation.deploy("v2", template="mended")
    simulation.wait_for(lambda: simulation.serves("v2"))


def test_what_was_rejected_stays_rejected_after_another_version_and_a_restart() -> None:
    simulation = rejected()
    simulation.deploy("v3", template="three")
    simulation.wait_for(lambda: simulation.serves("v3"))
    simulation.remove("v2")
    simulation.run(60)
    simulation.restart()
    simulation.deploy("v2", template="bad")
    simulation.run(400)
    assert simulation.serves("v3")


def test_a_newer_version_takes_the_place_of_one_under_way() -> None:
    simulation = opted_in()
    simulation.deploy("v2", template="two")
    simulation.wait_for(lambda: simulation.shares().get("v2", 0.0) > 0.0)
    simulation.run(5)
    simulation.deploy("v3", template="three")
    simulation.wait_for(lambda: simulation.serves("v3"))
    simulation.run(600)
    assert simulation.serves("v3"), "v2 was superseded"


def test_a_version_that_vanishes_before_it_got_traffic_is_withdrawn_and_may_come_back() -> None:
    simulation = opted_in()
    simulation.traffic.rps = 0.0
    simulation.deploy("v2", template="two")
    simulation.wait_for(lambda: "v2" in simulation.subsets())
    simulation.run(20)
    simulation.remove("v2")
    simulation.wait_for(lambda: simulation.phase == "RolledBack" and simulation.subsets() == ["v1"])
    simulation.traffic.rps = 200.0
    simulation.run(30)
    simulation.deploy("v2", template="two")
    simulation.wait_for(lambda: simulation.serves("v2"))


def test_a_version_that_has_gone_leaves_the_routes_first_and_the_rule_after_that_settled() -> None:
    simulation = promoted("v2")
    assert simulation.weights() == {"v1": 0, "v2": 100}
    simulation.remove("v1")
    simulation.wait_for(lambda: simulation.weights() == {"v2": 100})
    assert simulation.subsets() == ["v1", "v2"]
    since = simulation.now
    simulation.wait_for(lambda: simulation.subsets() == ["v2"])
    assert simulation.now - since >= simulation.timing.settle


def test_a_subset_that_somebody_sends_to_stays_and_so_does_one_whose_pods_are_starting() -> None:
    simulation = promoted("v2")
    testers = {"name": "testers", "match": [{"headers": {"x-old": {"exact": "true"}}}]}
    theirs = {**testers, "route": [{"destination": {"host": "reviews", "subset": "v1"}}]}
    simulation.mesh.edit("VirtualService", "reviews", lambda each: each["spec"]["http"].insert(0, theirs))
    simulation.remove("v1")
    simulation.run(60)
    assert simulation.subsets() == ["v1", "v2"]
    simulation.mesh.edit("VirtualService", "reviews", lambda each: each["spec"]["http"].pop(0))
    simulation.deploy("v1", template="one", ready=False)
    simulation.run(60)
    assert simulation.subsets() == ["v1", "v2"]


def test_subsets_that_somebody_declared_stay() -> None:
    simulation = bare()
    simulation.mesh.put(rule("v1", "v9"))
    simulation.mesh.put(route({"v1": 100}))
    simulation.opt_in()
    simulation.deploy("v2", template="two")
    simulation.wait_for(lambda: simulation.serves("v2"))
    simulation.remove("v1")
    simulation.deploy("v3", template="three")
    simulation.wait_for(lambda: simulation.serves("v3"))
    simulation.remove("v2")
    simulation.run(60)
    assert simulation.subsets() == ["v1", "v9", "v3"], "only v2 was added by a shift"


def test_an_older_version_that_lies_there_is_not_shifted_to() -> None:
    simulation = Enrolling()
    simulation.mesh.put(service())
    simulation.deploy("v0", template="zero")
    simulation.run(60)
    simulation.deploy("v1", template="one")
    simulation.mesh.put(rule("v0", "v1"))
    simulation.mesh.put(route({"v1": 100}))
    simulation.opt_in()
    simulation.run(400)
    assert not simulation.exists
    simulation.deploy("v2", template="two")
    simulation.wait_for(lambda: simulation.serves("v2"))
    simulation.deploy("v0", template="zero")
    simulation.deploy("v1", template="one")
    simulation.run(400)
    assert simulation.serves("v2"), "their pods came anew, their templates did not"


def test_restarting_an_old_deployment_is_no_release_but_deploying_it_again_is_one() -> None:
    simulation = promoted("v2")
    simulation.deploy("v1", template="restarted")
    simulation.run(400)
    assert simulation.serves("v2")
    simulation.remove("v1")
    simulation.wait_for(lambda: simulation.subsets() == ["v2"])
    simulation.deploy("v3", template="three")
    simulation.wait_for(lambda: simulation.serves("v3"))
    simulation.deploy("v1", template="one")
    simulation.wait_for(lambda: simulation.serves("v1"))


def test_a_shift_that_is_deleted_gives_its_traffic_back_before_anything_else_happens() -> None:
    simulation = opted_in()
    simulation.deploy("v2", template="two")
    simulation.wait_for(lambda: simulation.shares().get("v2", 0.0) > 0.2)
    simulation.delete()
    simulation.wait_for(lambda: simulation.shares() == {"v1": 1.0})
    simulation.wait_for(lambda: simulation.serves("v2"))
    reasons = {reason for reason, _ in events(simulation)}
    assert not reasons & {"NameTaken", "SeveralServe"}, "nothing was in anybody's way"


def test_who_served_last_serves_again_when_the_route_is_lost() -> None:
    simulation = promoted("v2")
    simulation.mesh.remove("VirtualService", "reviews")
    simulation.wait_for(lambda: simulation.weights() == {"v2": 100})


def test_undone_by_a_person_it_stays_undone() -> None:
    simulation = promoted("v2")
    simulation.command("undo")
    simulation.wait_for(lambda: simulation.phase == "RolledBack")
    simulation.run(400)
    assert simulation.serves("v1")


def test_annotations_that_change_begin_a_run_anew_but_never_one_that_has_ended() -> None:
    simulation = rejected()
    run = simulation.status["runId"]
    simulation.annotate(steps="1,2,3")
    simulation.run(300)
    assert simulation.status["runId"] == run
    simulation.deploy("v3", template="three")
    simulation.wait_for(lambda: simulation.shares().get("v3") == pytest.approx(0.01))
    run = simulation.status["runId"]
    simulation.annotate(steps="20,50")
    simulation.wait_for(lambda: simulation.shares().get("v3") == pytest.approx(0.2))
    assert simulation.status["runId"] != run


def test_while_paused_nothing_begins_and_what_is_under_way_is_held() -> None:
    simulation = opted_in(paused="true")
    simulation.deploy("v2", template="two")
    simulation.run(200)
    assert (simulation.exists, simulation.reason) == (False, "Paused")
    simulation.annotate(paused=None)
    simulation.wait_for(lambda: simulation.shares().get("v2") == pytest.approx(0.05))
    simulation.annotate(paused="true")
    simulation.run(300)
    assert simulation.phase == "Paused"
    assert simulation.shares()["v2"] == pytest.approx(0.05)
    simulation.annotate(paused=None)
    simulation.wait_for(lambda: simulation.serves("v2"))


def test_a_newer_version_waits_while_the_last_one_settles_at_all_the_traffic() -> None:
    simulation = opted_in()
    simulation.deploy("v2", template="two")
    simulation.wait_for(lambda: simulation.phase == "Promoting")
    simulation.deploy("v3", template="three")
    simulation.wait_for(lambda: simulation.shares().get("v3", 0.0) > 0.0)
    assert "v1" not in simulation.shares(), "v2 serves by then"


def policy(**strategy: Document) -> Document:
    metadata = {"name": "careful", "namespace": "bookinfo"}
    spec: Document = {"analysis": {"interval": "5s", "warmup": "0s"}, **({"strategy": strategy} if strategy else {})}
    return {"kind": "ShiftPolicy", "metadata": metadata, "spec": spec}


def test_a_policy_that_is_not_there_is_told_and_nothing_begins_without_it() -> None:
    simulation = opted_in(policy="careful")
    simulation.deploy("v2", template="two")
    simulation.run(60)
    assert (simulation.exists, simulation.reason) == (False, "PolicyNotFound")
    simulation.mesh.put(policy())
    simulation.wait_for(lambda: simulation.serves("v2"))


@pytest.mark.parametrize(
    ("strategy", "annotations", "first"),
    [
        ({"canary": {"steps": [{"setWeight": 7}]}}, {"steps": None, "step_duration": None}, 7),
        ({"canary": {"steps": [{"setWeight": 7}]}}, {"steps": "9"}, 9),
        ({"rolling": {"by": 20}}, {"steps": None, "step_duration": None}, 5),
        ({}, {"steps": None, "step_duration": None}, 5),
    ],
    ids=["its strategy", "steps win", "a strategy of another kind", "no strategy"],
)
def test_a_policys_strategy_counts_where_the_annotations_leave_it_open(
    strategy: Document, annotations: dict[str, str | None], first: int
) -> None:
    simulation = opted_in(policy="careful")
    simulation.mesh.put(policy(**strategy))
    simulation.annotate(**annotations)
    simulation.deploy("v2", template="two")
    simulation.wait_for(lambda: simulation.shares().get("v2", 0.0) > 0)
    assert simulation.shares()["v2"] == pytest.approx(first / 100)


def test_a_policy_that_changes_mid_way_is_for_the_next_version() -> None:
    simulation = opted_in(policy="careful")
    simulation.annotate(steps=None, step_duration=None)
    simulation.mesh.put(policy(canary={"steps": [{"setWeight": 7}], "minStepDuration": "60s"}))
    simulation.deploy("v2", template="two")
    simulation.wait_for(lambda: simulation.shares().get("v2") == pytest.approx(0.07))
    run = simulation.status["runId"]
    for changed in (policy(rolling={}), policy(), policy(canary={"steps": [{"setWeight": 3}]})):
        simulation.mesh.put(changed)
        simulation.run(10)
    simulation.wait_for(lambda: simulation.serves("v2"))
    assert simulation.status["runId"] == run
    simulation.deploy("v3", template="three")
    simulation.wait_for(lambda: simulation.shares().get("v3") == pytest.approx(0.03))


def test_at_rest_no_field_of_anybodys_objects_is_ours() -> None:
    def written(by: str) -> Document:
        return {"manager": by, "operation": "Update", "fieldsV1": {"f:spec": {}}}

    simulation = bare()
    for document in (rule("v1"), route({"v1": 100})):
        document["metadata"]["managedFields"] = [written("kubectl"), written("meshshift")]
        simulation.mesh.put(document)
    simulation.opt_in()
    simulation.run(30)
    for kind in ("DestinationRule", "VirtualService"):
        assert simulation.mesh.get(kind, "reviews")["metadata"]["managedFields"] == [written("kubectl")]


# Others.


def test_another_shift_of_the_service_goes_first() -> None:
    simulation = opted_in()
    other = shift(canary={"subset": "v2", "labels": {"version": "v2"}}, paused=True)
    other["metadata"]["name"] = "by-hand"
    simulation.mesh.put(other)
    simulation.deploy("v2", template="two")
    simulation.run(60)
    assert not simulation.exists
    assert ("AnotherShift", "TrafficShift bookinfo/by-hand shifts this service and is not its own: it goes first") in (
        events(simulation)
    )
    simulation.mesh.remove("TrafficShift", "by-hand")
    simulation.wait_for(lambda: simulation.serves("v2"))


def test_a_shift_by_its_name_that_is_somebodys_is_left_alone() -> None:
    simulation = opted_in()
    simulation.mesh.put(shift() | {"status": {"phase": "Succeeded"}})
    before = simulation.mesh.get("TrafficShift", "reviews")["spec"]
    simulation.deploy("v2", template="two")
    for _ in range(30):
        simulation.now += 1
        simulation.sync()
        simulation.enrol()
    assert simulation.mesh.get("TrafficShift", "reviews")["spec"] == before
    assert simulation.reason == "NameTaken"


# Releasing.


def owners(simulation: Enrolling) -> list[str]:
    kinds = ("VirtualService", "DestinationRule", "TrafficShift")
    return [kind for kind in kinds if simulation.mesh.peek(kind, "reviews").get("metadata", {}).get("ownerReferences")]


def off(simulation: Enrolling) -> None:
    simulation.annotate(strategy="off")


def removed(simulation: Enrolling) -> None:
    simulation.annotate(strategy=None)


@pytest.mark.parametrize("leave", [off, removed])
def test_a_released_service_owns_nothing_and_serves_as_it_was(leave: Callable[[Enrolling], None]) -> None:
    simulation = promoted("v2")
    assert owners(simulation) == ["VirtualService", "DestinationRule", "TrafficShift"]
    simulation.checks.append(lambda s: None if s.shares() == {"v2": 1.0} else pytest.fail(str(s.shares())))
    leave(simulation)
    simulation.run(30)
    assert owners(simulation) == []
    simulation.deploy("v3", template="three")
    simulation.run(300)
    assert simulation.weights() == {"v1": 0, "v2": 100}


def test_one_released_while_no_controller_ran_is_released_when_one_does() -> None:
    simulation = promoted("v2")
    simulation.annotate(strategy=None)
    simulation.restart()
    simulation.run(30)
    assert owners(simulation) == []


def test_released_mid_way_the_shift_goes_on_and_opting_in_takes_it_back() -> None:
    simulation = opted_in()
    simulation.deploy("v2", template="two")
    simulation.wait_for(lambda: simulation.shares().get("v2", 0.0) > 0.0)
    run = simulation.status["runId"]
    simulation.annotate(strategy=None)
    simulation.run(10)
    assert (owners(simulation), simulation.status["runId"]) == ([], run)
    simulation.annotate(strategy="canary")
    simulation.run(5)
    assert owners(simulation) == ["TrafficShift"], "what was left to its users stays theirs"
    simulation.wait_for(lambda: simulation.serves("v2"))
    assert simulation.status["runId"] == run


def test_opting_in_and_out_a_hundred_times_moves_nobody() -> None:
    simulation = bare()
    simulation.checks.append(never_elsewhere)
    for _ in range(100):
        simulation.opt_in()
        simulation.run(3)
        simulation.annotate(strategy=None)
        simulation.run(1)
    assert simulation.mesh.calls.count("create VirtualService") == 1


def test_with_the_service_goes_everything_that_was_made_for_it() -> None:
    simulation = opted_in()
    simulation.deploy("v2", template="two")
    simulation.wait_for(lambda: simulation.shares().get("v2", 0.0) > 0.0)
    simulation.mesh.remove("Service", "reviews")
    for kind in ("VirtualService", "DestinationRule"):
        simulation.mesh.remove(kind, "reviews")
    simulation.delete()
    simulation.wait_for(lambda: not simulation.exists, 30)
    simulation.run(30)
    assert simulation.weights() == {}, "nothing comes back"
