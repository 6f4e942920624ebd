"""Every metric of the controller's own, declared once, for the collectors, their help texts and the reference page.

Names follow Prometheus' rules: base units (seconds, ratios from 0 to 1), counters end in `_total`.  Evidence is the
exception by nature: it is a power of ten, and only its logarithm fits on a graph.

What may label a series is bounded.  Series about a shift carry its namespace and name and go when the shift goes.
Counters never go, so they carry only words from the program's own vocabulary (kinds, reasons, results), never the
name of anybody's object.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from meshshift.core.decision import Kind
from meshshift.core.run import Phase


class MetricType(StrEnum):
    """How Prometheus treats the samples."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Label:
    """A label; `values` are all it can take, empty where that depends on users or on later rules."""

    name: str
    meaning: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.  `unit` is empty for plain numbers; `buckets` are a histogram's upper bounds in that unit."""

    name: str
    type: MetricType
    meaning: str
    labels: tuple[Label, ...] = ()
    unit: str = ""
    buckets: tuple[float, ...] = ()

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names of the labels, in the order in which values are given."""
        return tuple(label.name for label in self.labels)


@dataclass(frozen=True, slots=True)
class Section:
    """Metrics that belong together on the reference page, and what there is to know about all of them."""

    title: str
    about: str
    metrics: tuple[Metric, ...]


OUTCOMES = (Phase.SUCCEEDED, Phase.ROLLED_BACK, Phase.FAILED, "Superseded", "Deleted")
"""How a run can end: in one of the final phases, by a changed spec, or with its TrafficShift."""

_SHIFT = (Label("namespace", "The TrafficShift's namespace."), Label("name", "Its name."))
_SUBSET = Label("subset", "Name of the subset in the DestinationRule.")
_INDICATOR = Label("indicator", "Name of the indicator, as in `spec.analysis.indicators`.")
_CLAIM = Label("claim", "`worse` speaks for a rollback, `not-worse` for the next weight.", ("worse", "not-worse"))
_KIND = Label("kind", "What is being done.", tuple(Kind))
_REASON = Label("reason", "Why, in CamelCase: the word that the conditions, Events and log lines show.")

SHIFT_INFO = Metric(
    "meshshift_shift_info",
    MetricType.GAUGE,
    "Always 1; what a shift is about: join it to other series by namespace and name.",
    (
        *_SHIFT,
        Label("service", "The Service whose traffic is shifted."),
        Label("strategy", "How the traffic moves; empty while the spec cannot be understood."),
        Label("stable", "Subset that the traffic comes from."),
        Label("canary", "Subset that it is to go to."),
    ),
)
SHIFT_PHASE = Metric(
    "meshshift_shift_phase",
    MetricType.GAUGE,
    "1 for the phase that a shift is in, 0 for all others.",
    (*_SHIFT, Label("phase", "As in `status.phase`.", tuple(Phase))),
)
SHIFT_DECISION = Metric(
    "meshshift_shift_decision_info",
    MetricType.GAUGE,
    "Always 1; the labels tell the latest decision about a shift.",
    (*_SHIFT, _KIND, _REASON),
)
SHIFT_STEP = Metric(
    "meshshift_shift_step",
    MetricType.GAUGE,
    "The step that is under way, counted from 1; 0 before the first. Absent before the first run.",
    _SHIFT,
)
SHIFT_STEPS = Metric(
    "meshshift_shift_steps",
    MetricType.GAUGE,
    "How many steps the run has.",
    _SHIFT,
)
SHIFT_WEIGHT = Metric(
    "meshshift_shift_weight_ratio",
    MetricType.GAUGE,
    "A subset's part of the traffic that stable, canary and baseline share, 0 to 1.",
    (
        *_SHIFT,
        _SUBSET,
        Label(
            "source",
            "`desired`: asked of the mesh. `observed`: said by the VirtualServices; absent while routes disagree or "
            "cannot be read. `measured`: counted by the proxies in the newest window; absent unless the canary is "
            "being judged.",
            ("desired", "observed", "measured"),
        ),
    ),
    unit="ratio",
)
LAST_TELEMETRY = Metric(
    "meshshift_last_telemetry_timestamp_seconds",
    MetricType.GAUGE,
    "The unix time up to which a shift's telemetry has been dealt with. Present only while the canary is being judged, "
    "so its age alone tells that Prometheus is silent.",
    _SHIFT,
    unit="seconds",
)
BAD_RATIO = Metric(
    "meshshift_indicator_bad_ratio",
    MetricType.GAUGE,
    "Bad requests of a subset as part of all that the indicator has judged in this run, 0 to 1; absent before the "
    "first.",
    (*_SHIFT, _INDICATOR, _SUBSET),
    unit="ratio",
)
REQUESTS = Metric(
    "meshshift_indicator_requests",
    MetricType.GAUGE,
    "Requests of a subset that the indicator has judged in this run.",
    (*_SHIFT, _INDICATOR, _SUBSET),
)
REQUESTS_NEEDED = Metric(
    "meshshift_indicator_requests_needed",
    MetricType.GAUGE,
    "About how many more canary requests the indicator needs to allow the next weight; +Inf if no number will do.",
    (*_SHIFT, _INDICATOR),
)
EVIDENCE = Metric(
    "meshshift_evidence_log10",
    MetricType.GAUGE,
    "Evidence for a claim about the canary, as log10; `not-worse` is absent while the next weight needs no proof.",
    (*_SHIFT, _INDICATOR, _CLAIM),
    unit="log10",
)
EVIDENCE_BAR = Metric(
    "meshshift_evidence_bar_log10",
    MetricType.GAUGE,
    "The evidence at which the claim counts as proven by this indicator alone, as log10.",
    (*_SHIFT, _INDICATOR, _CLAIM),
    unit="log10",
)

CHECK_VALUE = Metric(
    "meshshift_check_value",
    MetricType.GAUGE,
    "The latest number of a check: what its query gave, or percent of the canary's requests that were good; absent "
    "before the first.",
    (*_SHIFT, _INDICATOR),
)
CHECK_FAILURES = Metric(
    "meshshift_check_failures",
    MetricType.GAUGE,
    "Failed checks of this run.",
    (*_SHIFT, _INDICATOR),
)
CHECK_FAILURE_LIMIT = Metric(
    "meshshift_check_failure_limit",
    MetricType.GAUGE,
    "The number of failed checks that ends the run.",
    (*_SHIFT, _INDICATOR),
)

DECISIONS = Metric(
    "meshshift_decisions_total",
    MetricType.COUNTER,
    "Decisions that differ in kind, reason, run or weight from the shift's previous one, and carried out commands.",
    (_KIND, _REASON),
)
ROLLBACKS = Metric(
    "meshshift_rollbacks_total",
    MetricType.COUNTER,
    "Runs that turned back to stable.",
    (
        Label(
            "reason",
            "Why, in CamelCase.",
            (
                "RegressionProven",
                "WorseThanBefore",
                "FailureLimitReached",
                "GateRefused",
                "GateFailed",
                "CanaryLost",
                "SubsetLost",
                "SubsetChanged",
                "BaselineLost",
                "GroupRolledBack",
                "StepTimeout",
                "DriftAdopted",
                "Aborted",
                "Restarted",
                "Undone",
                "SpecChanged",
                "Deleted",
            ),
        ),
    ),
)
SHIFT_DURATION = Metric(
    "meshshift_shift_duration_seconds",
    MetricType.HISTOGRAM,
    "From the start of a run to its end.",
    (
        Label(
            "outcome",
            "`Succeeded`, `RolledBack`, `Failed`: the final phase. `Superseded` by a new run of a changed spec. "
            "`Deleted` before it ended.",
            OUTCOMES,
        ),
    ),
    unit="seconds",
    buckets=(30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400, 604800),
)

RECONCILE_DURATION = Metric(
    "meshshift_reconcile_duration_seconds",
    MetricType.HISTOGRAM,
    "One pass for one shift: observe, decide, act.",
    unit="seconds",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
RECONCILE_ERRORS = Metric(
    "meshshift_reconcile_errors_total",
    MetricType.COUNTER,
    "Passes that did not come to their end; each is repeated.",
    (
        Label(
            "kind",
            "`conflict`: an object was not as believed, or gone. `transient`: no answer, throttled, or a server error. "
            "`refused`: the API server will not do it, often for want of permission. `bug`: anything else.",
            ("conflict", "transient", "refused", "bug"),
        ),
    ),
)
MESH_WRITES = Metric(
    "meshshift_mesh_writes_total",
    MetricType.COUNTER,
    "Writes to Istio's objects that were tried.",
    (
        Label("kind", "Kind of the object.", ("VirtualService", "DestinationRule", "Scale")),
        Label(
            "result",
            "`ok`: written. `conflict`: somebody else wrote first. `refused`: not allowed or not valid. `failed`: no "
            "answer, or a server error.",
            ("ok", "conflict", "refused", "failed"),
        ),
    ),
)
SETTLE = Metric(
    "meshshift_settle_seconds",
    MetricType.GAUGE,
    "How long an edit of the mesh is given at present to reach every proxy: `--settle`, or the 99th percentile of "
    "istiod's pilot_proxy_convergence_time over ten minutes where that is longer (at most 60 s).",
    unit="seconds",
)
QUEUE_DEPTH = Metric(
    "meshshift_queue_depth",
    MetricType.GAUGE,
    "Shifts in the work queue, due now or scheduled for later. Whether work keeps up is told by the queue's latency.",
)
QUEUE_LATENCY = Metric(
    "meshshift_queue_latency_seconds",
    MetricType.HISTOGRAM,
    "How long after it was due a shift's pass began.",
    unit="seconds",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
LEADER = Metric(
    "meshshift_leader",
    MetricType.GAUGE,
    "1 if this replica is the one that works, 0 if it stands by.",
)
WATCH_LAST_EVENT = Metric(
    "meshshift_watch_last_event_timestamp_seconds",
    MetricType.GAUGE,
    "The unix time at which a watch, or a list, last told of a resource. Everything is listed every 5 minutes "
    "(`--resync`), so twice that without a word is worth an alert: "
    "`time() - meshshift_watch_last_event_timestamp_seconds > 660`.",
    (Label("resource", "Plural name of the watched resource."),),
    unit="seconds",
)
WATCH_MISSED = Metric(
    "meshshift_watch_missed_total",
    MetricType.COUNTER,
    "Changes that a list brought and no watch told of until the next list: the watch is silent, or loses events, and "
    "the caches were wrong for up to `--resync`. Worth an alert: `increase(meshshift_watch_missed_total[15m]) > 0`.",
    (Label("resource", "Plural name of the watched resource."),),
)
BUILD_INFO = Metric(
    "meshshift_build_info",
    MetricType.GAUGE,
    "Always 1; which release this is.",
    (Label("version", "The release."),),
)

QUERY_DURATION = Metric(
    "meshshift_prometheus_query_duration_seconds",
    MetricType.HISTOGRAM,
    "One query to Prometheus, whether it was answered or not.",
    (Label("kind", "What was asked for."),),
    unit="seconds",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
QUERY_ERRORS = Metric(
    "meshshift_prometheus_query_errors_total",
    MetricType.COUNTER,
    "Queries that were not answered, or not properly. The shifts that asked are held, never rolled back for it.",
    (_REASON,),
)

NOTIFICATIONS = Metric(
    "meshshift_notifications_total",
    MetricType.COUNTER,
    "Notifications that came to their end. Worth an alert: "
    '`increase(meshshift_notifications_total{result!="delivered"}[1h]) > 0`.',
    (
        Label("kind", "Its field in `spec.notifications[]`.", ("slack", "webhook", "cloudEvents")),
        Label(
            "result",
            "`delivered`: answered with 2xx. `failed`: not so after all attempts; an Event NotificationFailed of the "
            "TrafficShift says why. `dropped`: given up for newer ones, because too many were waiting.",
            ("delivered", "failed", "dropped"),
        ),
    ),
)

GATE_REPLIES = Metric(
    "meshshift_gate_replies_total",
    MetricType.COUNTER,
    "What the gates of canary steps replied. Worth an alert: "
    '`increase(meshshift_gate_replies_total{reply="Failed"}[1h]) > 0`.',
    (
        Label(
            "reply",
            "`Open`: 2xx. `Wait`: 409 or 425. `Refused`: another answer. `Failed`: none, or 408, 429 or 5xx.",
            ("Open", "Wait", "Refused", "Failed"),
        ),
    ),
)

SECTIONS = (
    Section(
        "Shifts",
        "One set per TrafficShift, gone with it. A shift that ended keeps its set as a record of its last run. After a "
        "change of the spec, series of the former service or subsets are gone with the next pass.",
        (SHIFT_INFO, SHIFT_PHASE, SHIFT_DECISION, SHIFT_STEP, SHIFT_STEPS, SHIFT_WEIGHT, LAST_TELEMETRY),
    ),
    Section(
        "Evidence",
        "What a run has shown so far, from its first judged request on: the numbers that decisions rest on. For the "
        "present minute look at Istio's own metrics. After the run has ended its last values stay, so that a graph "
        "shows which bar was crossed; a restart of the controller drops those (`status.evidence` keeps them). Before "
        "the canary is given traffic there are none.",
        (BAD_RATIO, REQUESTS, REQUESTS_NEEDED, EVIDENCE, EVIDENCE_BAR),
    ),
    Section(
        "Checks",
        "Of query indicators, and of every indicator with method Threshold. What gave no number counts nowhere: it "
        "holds the shift, as the latest decision says.",
        (CHECK_VALUE, CHECK_FAILURES, CHECK_FAILURE_LIMIT),
    ),
    Section(
        "Decisions",
        "A decision that repeats itself at every look counts once: a shift that waits for an hour is not activity. "
        "What a restarted controller finds already decided is not counted again (except for specs that cannot be "
        "understood, once per start). Rollbacks and durations are counted by the process that makes the turn, in the "
        "pass that makes it: never twice, and not at all if it dies in that instant.",
        (DECISIONS, ROLLBACKS, SHIFT_DURATION),
    ),
    Section(
        "Controller",
        "How the controller itself is doing. Standby replicas export these, too; `meshshift_leader` tells them apart.",
        (
            BUILD_INFO,
            LEADER,
            QUEUE_DEPTH,
            QUEUE_LATENCY,
            RECONCILE_DURATION,
            RECONCILE_ERRORS,
            MESH_WRITES,
            SETTLE,
            WATCH_LAST_EVENT,
            WATCH_MISSED,
        ),
    ),
    Section(
        "Notifications",
        "What `spec.notifications` asks for. A notification that waits, or is being repeated, is counted at its end.",
        (NOTIFICATIONS,),
    ),
    Section("Gates", "What the steps `gate` asked for, by attempts.", (GATE_REPLIES,)),
    Section("Prometheus", "How the source of the telemetry is doing.", (QUERY_DURATION, QUERY_ERRORS)),
)

CATALOG = tuple(metric for section in SECTIONS for metric in section.metrics)
