"""What a person should know about an indicator beside its numbers."""

from meshshift.core.boundaries import ENOUGH
from meshshift.core.course import Course
from meshshift.core.indicator import JudgeSettings, Latency
from meshshift.core.question import Question


def explain(course: Course, settings: JudgeSettings, several_proxies: bool) -> str:
    """Remarks joined by "; ", empty if there is nothing to add."""
    alert = course.indicator.far(settings) ** (1.0 / 3.0)
    remarks = [
        _latency(course),
        *(_objective(question, alert) for question in course.questions),
        _clumps(course, several_proxies),
    ]
    return "; ".join(remark for remark in remarks if remark)


def _latency(course: Course) -> str:
    """Which boundaries are looked at, or why none is."""
    measure = course.indicator.measure
    if not isinstance(measure, Latency):
        return ""
    if course.learning is not None:
        if measure.threshold is not None or not course.learning.slow:
            return "no latency histogram seen yet"
        return f"learning stable's latency: {course.learning.timed:.0f} of {ENOUGH:.0f} requests"
    if measure.threshold is not None and not any(question.alarm for question in course.questions):
        return f"threshold {_duration(measure.threshold)} is above the largest histogram boundary: lower it"
    if measure.threshold is not None and not any(question.proofs for question in course.questions):
        return f"threshold {_duration(measure.threshold)} is below the smallest histogram boundary: raise it"
    boundaries = [question.boundary for question in course.questions if question.boundary is not None]
    return f"failed or slower than {', '.join(_duration(boundary) for boundary in boundaries)}"


def _objective(question: Question, alert: float) -> str:
    """Why the evidence is capped by the milder of the two comparisons."""
    if question.objective is None or question.alarm is None:
        return ""
    missed, worse = question.objective.value >= alert, question.alarm.value >= alert
    if missed and not worse:
        return "the objective is missed, but the canary is not shown to be worse than stable: not blamed for it"
    if worse and not missed:
        return "worse than stable, but the objective is not shown to be missed: not rolled back for it"
    return ""


def _clumps(course: Course, several_proxies: bool) -> str:
    if course.dispersion > 1.0:
        return f"failures come in clumps of about {course.dispersion:.1f}, each counted as one"
    if not several_proxies and course.questions:
        return "only one proxy reports: clumps of failures cannot be recognised"
    return ""


def _duration(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1.0 else f"{seconds * 1000.0:g} ms"
