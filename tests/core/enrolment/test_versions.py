"""Who the versions behind a Service are, and which subset is theirs."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from meshshift.core.enrolment.versions import Behind, Version, subset_name, subset_of, versions_of

LABEL_VALUES = st.from_regex(r"[A-Za-z0-9]([-._A-Za-z0-9]{0,20}[A-Za-z0-9])?", fullmatch=True)


def pod(
    version: str = "", *, ready: bool = True, created: str = "2026-01-01T00:00:00Z", **labels: str
) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in labels.items()}
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": created}
    own = {"version": version} if version else {}
    return {
        "metadata": {"name": "pod", "labels": {"app": "reviews", **own, **named}, "creationTimestamp": created},
        "status": {"phase": "Running", "conditions": [condition]},
    }


def test_the_recommended_label_counts_before_the_short_one() -> None:
    both = pod("v1")
    both["metadata"]["labels"]["app.kubernetes.io/version"] = "1.2"
    found = versions_of([both, pod("v1")])
    assert [(each.name, dict(each.labels)) for each in found.versions] == [
        ("1.2", {"app.kubernetes.io/version": "1.2"}),
        ("v1", {"version": "v1"}),
    ]


def test_several_workloads_with_one_version_are_one_version() -> None:
    (found,) = versions_of([pod("v1", pod_template_hash="a"), pod("v1", pod_template_hash="b")]).versions
    assert (found.pods, found.ready, sorted(found.templates)) == (2, 2, ["a", "b"])


def test_stateful_sets_and_bare_replica_sets_have_fingerprints_too() -> None:
    owned = pod("v3")
    owned["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "reviews-v3-x", "controller": True}]
    found = versions_of([pod("v2", controller_revision_hash="r7"), owned, pod("v4")])
    assert [each.templates for each in found.versions] == [{"r7"}, {"reviews-v3-x"}, frozenset()]


def test_pods_that_are_over_do_not_count_and_terminating_ones_are_there_but_not_ready() -> None:
    evicted, leaving = pod("v1"), pod("v2")
    evicted["status"]["phase"] = "Failed"
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    (found,) = versions_of([evicted, leaving]).versions
    assert (found.name, found.pods, found.ready) == ("v2", 1, 0)


def test_only_ready_pods_without_a_version_are_counted() -> None:
    assert versions_of([pod(), pod(ready=False)]).nameless == 1


def test_a_version_is_as_old_as_its_oldest_pod() -> None:
    early, late = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    old, new = versions_of([pod("v1", created=late), pod("v1", created=early), pod("v2", created=late)]).versions
    assert (old.since, new.is_newer_than(old), old.is_newer_than(new)) == (early, True, False)


def test_a_subset_is_a_versions_if_it_selects_all_of_its_pods_and_no_others() -> None:
    behind = versions_of([pod("v1", track="stable"), pod("v1"), pod("v2")])
    v1 = behind.versions[0]
    assert subset_of(v1, behind, [("part", {"track": "stable"}), ("all", {"app": "reviews"}), ("none", {})]) is None
    assert subset_of(v1, behind, [("old", {"version": "v1"})]) == "old"


def behind_of(*values: str) -> Behind:
    return Behind(
        tuple(
            Version(each, {"version": each}, frozenset(), 1, 1, "", frozenset({frozenset({("version", each)})}))
            for each in values
        )
    )


def name_in(behind: Behind, value: str, taken: tuple[str, ...] = ()) -> str:
    version = behind.named(value)
    assert version is not None
    return subset_name(version, behind, taken)


def test_names_stay_readable() -> None:
    assert [name_in(behind_of(each), each) for each in ("v1", "1.2.0", "V2_rc.1")] == ["v1", "1-2-0", "v2-rc-1"]


@given(st.sets(LABEL_VALUES, min_size=1, max_size=6), st.sets(LABEL_VALUES.map(str.lower), max_size=4))
def test_subset_names_are_valid_distinct_and_free(values: set[str], taken: set[str]) -> None:
    behind = behind_of(*sorted(values))
    found = [name_in(behind, each, tuple(taken)) for each in sorted(values)]
    assert len(set(found)) == len(found)
    assert all(re.fullmatch("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", each) for each in found)
    assert not set(found) & taken
