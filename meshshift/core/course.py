"""The course of one indicator through a run: from its measure to the questions asked, and what they say together.

Rolling back may rest on the mean of the questions' evidence, for the mean of e-processes is one.  Advancing must rest
on the weakest proof: a canary that is beyond the budget at one latency boundary must not pass because it is quick at
another, and asking all of them needs no correction.
"""

from dataclasses import dataclass, replace
from math import inf, log

from meshshift.core.alarm import Alarm, Proofs
from meshshift.core.baseline import Baseline
from meshshift.core.boundaries import ENOUGH, PLENTY, Histogram, around
from meshshift.core.evidence import Counts, Rates, log_e_value
from meshshift.core.indicator import Indicator, JudgeSettings, SuccessRate
from meshshift.core.question import Question, rung_margin, suspicious
from meshshift.core.telemetry import Tick


@dataclass(frozen=True, slots=True)
class Course:
    """All that is known for one indicator.

    `questions` is empty until a latency's boundaries are known; `learning` holds stable's histogram until then and
    None afterwards, so that the state stays bounded.
    """

    indicator: Indicator
    questions: tuple[Question, ...] = ()
    learning: Histogram | None = None

    @classmethod
    def begin(cls, indicator: Indicator) -> "Course":
        """Nothing known yet."""
        if isinstance(indicator.measure, SuccessRate):
            objective = Alarm() if indicator.measure.objective is not None else None
            return cls(indicator, (Question(None, alarm=Alarm(), objective=objective, proofs=Proofs()),))
        return cls(indicator, learning=Histogram())

    def warm(self, tick: Tick) -> "Course":
        """Learn from a window before the run."""
        if self.learning is None:
            return replace(self, questions=tuple(question.learn(tick) for question in self.questions))
        return self._gather(tick)._open(PLENTY)

    def see(self, tick: Tick, settings: JudgeSettings, warming_up: bool) -> "Course":
        """Judge a tick.  Boundaries are chosen from what came before it.

        Until there is enough, it only adds to that.
        """
        ready = self._open(ENOUGH)
        if ready.learning is not None:
            return ready._gather(tick)
        far = self.indicator.far(settings)
        objective = self.indicator.measure.objective
        allowed_bad = None if objective is None else 1.0 - objective
        questions = tuple(question.see(tick, settings, far, allowed_bad, warming_up) for question in ready.questions)
        return replace(ready, questions=questions)

    def evidence(self, settings: JudgeSettings) -> float:
        """The indicator's E for rolling back; 1 while there is nothing to ask."""
        far = self.indicator.far(settings)
        heard = [question.evidence(far) for question in self.questions if question.alarm]
        return sum(heard) / len(heard) if heard else 1.0

    @property
    def loudest(self) -> Question | None:
        """The question that speaks most strongly against the canary: the one to show."""
        return max((question for question in self.questions if question.alarm), key=_suspicion_of, default=None)

    def objective_disproven(self, settings: JudgeSettings) -> bool:
        """Whether the canary is shown to miss its absolute objective, as firmly as a rollback would need.

        Whoever else misses it.
        """
        far = self.indicator.far(settings)
        return any(question.objective is not None and question.objective.value >= far for question in self.questions)

    def calm(self, settings: JudgeSettings) -> bool:
        """No alarm under way, which is where suspicion begins, and the objective not disproven."""
        under_way = self.evidence(settings) >= suspicious(self.indicator.far(settings))
        return not under_way and not self.objective_disproven(settings)

    def proof(self, rung: int) -> float:
        """The weakest proof among the questions; 0 while there is none to ask, so that nothing advances unproven."""
        return min((question.proofs.value(rung) for question in self.questions if question.proofs), default=0.0)

    def requests_needed(self, rung: int, beside: float, settings: JudgeSettings) -> float:
        """Expected canary requests until the rung is proven, should the canary be as good as its control.

        `beside` is how many requests the control gets for each of the canary's.  Inf if that cannot be had.
        """
        asked = [question for question in self.questions if question.proofs]
        if not asked:
            return inf
        return max(_requests_needed(question, rung, beside, settings) for question in asked)

    @property
    def dispersion(self) -> float:
        """The largest clump size among the questions."""
        return max((question.baseline.dispersion for question in self.questions), default=1.0)

    def _gather(self, tick: Tick) -> "Course":
        return replace(self, learning=(self.learning or Histogram()).add(tick.stable))

    def _open(self, requests: float) -> "Course":
        """Choose the latency boundaries once they can be chosen, from what has been gathered."""
        if self.learning is None or isinstance(self.indicator.measure, SuccessRate) or not self.learning.slow:
            return self
        threshold, objective = self.indicator.measure.threshold, self.indicator.measure.objective
        if threshold is None:
            if self.learning.timed < requests:
                return self
            opened = [Question(boundary, alarm=Alarm(), proofs=Proofs()) for boundary in self.learning.tail()]
        else:
            opened = _enclosing(threshold, objective is not None, self.learning)
        seen, slow = self.learning.timed, dict(self.learning.slow)
        informed = (
            replace(question, baseline=Baseline(seen, slow.get(question.boundary or 0.0, 0.0))) for question in opened
        )
        return Course(self.indicator, tuple(informed), None)


def _enclosing(threshold: float, with_objective: bool, histogram: Histogram) -> list[Question]:
    """Rolling back asks at the boundary not below the threshold, advancing at the one not above it.

    Often they are the same.
    """
    below, above = around(threshold, [boundary for boundary, _ in histogram.slow])
    questions = []
    if above is not None:
        objective = Alarm() if with_objective else None
        questions.append(
            Question(above, alarm=Alarm(), objective=objective, proofs=Proofs() if above == below else None)
        )
    if below is not None and below != above:
        questions.append(Question(below, proofs=Proofs()))
    return questions


def _suspicion_of(question: Question) -> float:
    return question.suspicion


def _requests_needed(question: Question, rung: int, beside: float, settings: JudgeSettings) -> float:
    """Nats missing over nats gained per canary request, with the control's requests beside it."""
    value = question.proofs.value(rung) if question.proofs else 0.0
    if value * settings.false_promotion >= 1.0:
        return 0.0
    rate = question.baseline.rate
    canary, stable = Counts(1.0, rate), Counts(beside, rate * beside)
    gain = log_e_value(canary, stable, Rates(rate, rate), rung_margin(settings, rung)) / question.baseline.dispersion
    return log(1.0 / (settings.false_promotion * value)) / gain if gain > 0.0 and value > 0.0 else inf
