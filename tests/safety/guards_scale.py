"""Replica care: pods before weight, and no pods taken from what is used."""

from __future__ import annotations

from tests.safety.guard import Guard, at

CAPACITY = "meshshift/core/capacity.py"
LOWERING = "meshshift/core/lowering.py"
WORKLOADS = "meshshift/core/workloads.py"


def _replicas(*names: str) -> tuple[str, ...]:
    return at("engine/test_replicas.py", *names)


SCALING = (
    Guard(
        "replicas-before-weight",
        "No weight is given before the replicas that it needs are ready.",
        CAPACITY,
        "    if ready >= count:\n        return _lacking_beside",
        "    if ready >= 0:\n        return _lacking_beside",
        _replicas("each_weight_comes_after_its_replicas_and_the_old_version_goes_in_the_end"),
    ),
    Guard(
        "replicas-of-the-baseline",
        "A baseline has the pods for its share before it gets it.",
        CAPACITY,
        "    if ready >= count or run.spec.baseline is None:\n",
        "    if True:\n",
        _replicas("a_baseline_has_the_pods_for_its_share_before_it_gets_it"),
    ),
    Guard(
        "replicas-before-undo",
        "An undo leads no traffic back before the old version is as large as it was.",
        CAPACITY,
        "    if ready >= min(count, stable.replicas) and ready > 0:\n",
        "    if ready > 0:\n",
        _replicas("an_undo_brings_the_old_version_up_before_traffic_goes_back"),
    ),
    Guard(
        "canary-not-scaled-down",
        "Under way the canary is only ever given replicas.",
        CAPACITY,
        "    if canary.replicas < count:\n",
        "    if canary.replicas != count:\n",
        _replicas("what_the_canary_has_already_is_not_taken_from_it"),
    ),
    Guard(
        "scale-other-deployment",
        "A Deployment whose pods the subset does not select is not touched.",
        CAPACITY,
        "    if unfit is not None:\n",
        "    if False:\n",
        _replicas("a_deployment_that_the_subset_does_not_select_is_not_touched"),
    ),
    Guard(
        "scale-autoscaler",
        "What an autoscaler sets is not written.",
        CAPACITY,
        "        if canary.autoscaler is not None:\n",
        "        if False:\n",
        _replicas("an_autoscaler_of_the_canary_is_not_fought"),
    ),
    Guard(
        "scale-down-delay",
        "A version keeps its replicas for scaleDownDelay after the end.",
        LOWERING,
        "    if look.seen.now < due:\n",
        "    if False:\n",
        _replicas("each_weight_comes_after_its_replicas_and_the_old_version_goes_in_the_end"),
    ),
    Guard(
        "scale-down-unused",
        "While anything in the mesh sends to a version, or another shift needs it, it is not scaled down.",
        LOWERING,
        "    used = _used(found) or _traffic(found)",
        "    used = _traffic(found)",
        _replicas("every_doubt_keeps_the_old_version"),
    ),
    Guard(
        "scale-down-without-traffic",
        "A version that got a request in the last minute is not scaled down.",
        LOWERING,
        "        case Tick() if reading.stable.total + reading.stable.unclassified > 0:\n",
        "        case Tick() if False:\n",
        _replicas("every_doubt_keeps_the_old_version"),
    ),
    Guard(
        "scale-down-awake",
        "Silent telemetry is no proof that nobody calls a version.",
        LOWERING,
        '    return "" if awake else',
        '    return "" if True else',
        _replicas("every_doubt_keeps_the_old_version"),
    ),
    Guard(
        "scale-down-blind",
        "While Prometheus cannot be read nothing is scaled down.",
        LOWERING,
        "            return reading.message\n",
        '            return ""\n',
        _replicas("every_doubt_keeps_the_old_version"),
    ),
    Guard(
        "scale-unreadable",
        "Deployments that cannot be read hold an increase, and never keep traffic from going back.",
        "meshshift/engine/survey.py",
        "    except ApiFailure as failure:\n        return _unreadable(",
        "    except ZeroDivisionError as failure:\n        return _unreadable(",
        _replicas("traffic_goes_back_although_the_deployments_cannot_be_read[read Deployment]"),
    ),
    Guard(
        "scale-guarded",
        "Replicas are written only as long as the Deployment is the version that was read.",
        WORKLOADS,
        "(unmoved(self.version), operation(",
        "(operation(",
        at("core/test_workloads.py", "the_scale_is_written_only_to_the_version_that_was_read"),
    ),
    Guard(
        "scale-of-latest-generation",
        "Pods of an older number of replicas do not count for the new one.",
        WORKLOADS,
        '"readyReplicas")) if seen else 0',
        '"readyReplicas"))',
        at("core/test_workloads.py", "ready_pods_count_once_the_latest_number_was_seen"),
    ),
)
