"""Whose request was it, and was it the server's fault?  What Istio's labels say about one series.

A request is *failed* when its code is 5xx (connect failures UF, no healthy upstream UH and no cluster NC are 503 in
Istio), or when its code is 200 and its gRPC status is one that the server is to blame for.  Code 0 means that the
client left: neither good nor bad.

An arm is recognised by the workload; without a healthy upstream Istio reports workload "unknown" with canonical
revision "latest", which is its word for "no label", so such traffic is kept apart rather than given to an arm.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

GRPC_FAILURES = frozenset({"2", "4", "8", "12", "13", "14", "15"})
"""UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS."""

Destination = Literal["canary", "stable", "baseline", "unattributed", "other"]

_SILENT = frozenset({"", "unknown"})
_NO_REVISION = "latest"


@dataclass(frozen=True, slots=True)
class Arm:
    """How the traffic of one arm is recognised: names of workloads, and of revisions (canonical or version)."""

    workloads: frozenset[str] = frozenset()
    revisions: frozenset[str] = frozenset()

    def without(self, other: "Arm") -> "Arm":
        """What tells this arm from the other."""
        return Arm(self.workloads - other.workloads, self.revisions - other.revisions)

    def joined(self, other: "Arm") -> "Arm":
        """Both arms as one."""
        return Arm(self.workloads | other.workloads, self.revisions | other.revisions)


@dataclass(frozen=True, slots=True)
class Arms:
    """How the traffic of the subsets is recognised; `baseline` is None where the canary is compared with stable."""

    canary: Arm
    stable: Arm
    baseline: Arm | None = None


def is_failed(labels: Mapping[str, str]) -> bool:
    """Whether the server is to blame for the answer."""
    code = labels.get("response_code", "")
    return code.startswith("5") or (code == "200" and labels.get("grpc_response_status", "") in GRPC_FAILURES)


def is_unclassified(labels: Mapping[str, str]) -> bool:
    """Whether the client left before there was an answer."""
    return labels.get("response_code") == "0"


def answered_by(labels: Mapping[str, str], arms: Arms) -> Destination:
    """Which arm answered, the baseline included.

    It runs stable's version, so first it is asked whether it was either of the two, and then what tells the baseline
    from stable: a series that says no more than the version counts as stable's, with which nothing is compared.
    """
    if arms.baseline is None:
        return destination(labels, arms.canary, arms.stable)
    found = destination(labels, arms.canary, arms.stable.joined(arms.baseline))
    if found != "stable":
        return found
    own, others = arms.baseline.without(arms.stable), arms.stable.without(arms.baseline)
    return "baseline" if destination(labels, own, others) == "canary" else "stable"


def destination(labels: Mapping[str, str], canary: Arm, stable: Arm) -> Destination:
    """Which arm answered, by workload, else by revision; "unattributed" if Istio does not know, "other" if neither."""
    workload = labels.get("destination_workload", "")
    in_canary, in_stable = workload in canary.workloads, workload in stable.workloads
    if in_canary != in_stable:
        return "canary" if in_canary else "stable"
    silent = workload in _SILENT
    if silent or in_canary or not (canary.workloads and stable.workloads):
        for name in ("destination_canonical_revision", "destination_version"):
            revision = labels.get(name, "")
            if revision in _SILENT or (silent and revision == _NO_REVISION):
                continue
            in_canary, in_stable = revision in canary.revisions, revision in stable.revisions
            if in_canary != in_stable:
                return "canary" if in_canary else "stable"
    return "unattributed" if silent else "other"
