"""The e-value of one tick: how strongly do these counts speak against a margin?

A *margin* is a straight line in the plane of the two arms' failure rates, ``p_c = relative * p_s + absolute``.  It
cuts the plane in two; the *null* is the half that does not hold the alternative.  An alternative above the line
therefore asks "is the canary worse than tolerated?", one below it asks "can it be shown to be no worse than this?".
There is one formula for both, so rolling back and advancing cannot disagree about arithmetic.

Safety.  The e-value is the likelihood ratio of the alternative to its projection onto the line, both taken as Poisson
counts.  Whatever 0/1 outcomes arrive, independent or each bounded given the past, with tick-average rates m in the
null, ``E[(q/p)^f] = prod(1 + m_i (q/p - 1)) <= exp(n m (q/p - 1))`` and hence ``ln E[e] <= n_c (q_c/p - 1)(m_c - p) +
n_s (q_s/x - 1)(m_s - x) <= 0``, because (p, x) minimises a convex divergence over a convex set. Only averages over
the tick enter, so shared outages, seasons and moving weights need no assumption.  By Ville's inequality the running
product then exceeds 1/a with probability at most a, however often it is looked at.

Sources: Ramdas, Grünwald, Vovk, Shafer 2023 (e-processes); Turner, Ly, Grünwald 2024 (projection for two samples).
"""

from dataclasses import dataclass
from math import log, sqrt

MOST_REQUESTS = 2.0**53
"""Requests one arm may count: beyond this a float no longer holds every whole number."""

RAREST = 1e-15
"""Rates below this are taken as this.

Less than ten expected events among MOST_REQUESTS, and every logarithm stays finite.
"""

_LEAST_REQUESTS = 1e-9
_STEEPEST = 1e6


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests of one arm in one window, and how many of them were bad.

    Both are in requests; fractions are allowed.  Raises ValueError unless ``0 <= bad <= total <= 2**53``, which
    refuses NaN as well.
    """

    total: float
    bad: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.bad <= self.total <= MOST_REQUESTS:
            raise ValueError(f"Counts(total={self.total}, bad={self.bad}): need 0 <= bad <= total <= 2**53 requests")

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.total + other.total, self.bad + other.bad)

    @property
    def rate(self) -> float:
        """Bad requests as a fraction 0..1; 0 for an arm without requests."""
        return self.bad / self.total if self.total > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Rates:
    """A pair of failure rates, as fractions: the alternative a bet is placed on.

    Must be chosen from data older than the counts it is tested on.  Above 1 is legal, if pointless: such an
    alternative only loses.
    """

    canary: float
    stable: float


@dataclass(frozen=True, slots=True)
class Margin:
    """The line ``p_c = relative * p_s + absolute``; both parts as fractions.

    ``relative`` is 0 (an absolute objective, the stable arm does not matter) or 1e-6..1e6, ``absolute`` is 0..1e6.
    Raises ValueError otherwise.
    """

    relative: float
    absolute: float

    def __post_init__(self) -> None:
        if not (self.relative == 0.0 or 1.0 / _STEEPEST <= self.relative <= _STEEPEST):
            raise ValueError(f"Margin.relative is {self.relative}: use 0 or a factor between 1e-6 and 1e6")
        if not 0.0 <= self.absolute <= _STEEPEST:
            raise ValueError(f"Margin.absolute is {self.absolute}: use a fraction of requests, 0 or more")

    def at(self, stable: float) -> float:
        """The canary rate on the line above a stable rate."""
        return self.relative * stable + self.absolute


def log_e_value(canary: Counts, stable: Counts, alternative: Rates, margin: Margin) -> float:
    """Natural logarithm of the e-value of one window's counts against the half-plane on the far side of `margin`.

    0 (no evidence either way) when an arm that matters has no requests, and when the alternative lies on the margin:
    then null and alternative touch and nothing can tell them apart.  Always finite.  The sign says which way the
    counts speak; at 10**12 requests rounding amounts to about 1e-3.
    """
    n_c, n_s = canary.total, stable.total
    if n_c < _LEAST_REQUESTS or (n_s < _LEAST_REQUESTS and margin.relative > 0.0):
        return 0.0
    q_c, q_s = max(alternative.canary, RAREST), max(alternative.stable, RAREST)
    # Raising a rate to RAREST may carry it across the line, where it would speak against the wrong half-plane.
    if (alternative.canary - margin.at(alternative.stable)) * (q_c - margin.at(q_s)) <= 0.0:
        return 0.0
    x = _projected_stable_rate(n_c, n_s, q_c, q_s, margin)
    p = max(margin.at(x), RAREST)
    return canary.bad * log(q_c / p) - n_c * (q_c - p) + stable.bad * log(q_s / x) - n_s * (q_s - x)


def _projected_stable_rate(n_c: float, n_s: float, q_c: float, q_s: float, margin: Margin) -> float:
    """The stable rate of the point on the line that is nearest in Poisson divergence.

    It is the positive root of ``a x**2 + b x - c = 0``, the derivative of ``n_c D(q_c | rho x + delta) + n_s D(q_s |
    x)`` with ``D(q | p) = q ln(q / p) - q + p``, written so that neither sign of b subtracts nearly equal numbers.
    """
    rho, delta = margin.relative, margin.absolute
    if rho == 0.0:
        return q_s
    a = rho * (rho * n_c + n_s)
    b = rho * n_c * (delta - q_c) + n_s * (delta - rho * q_s)
    c = n_s * q_s * delta
    root = sqrt(b * b + 4.0 * a * c)
    return 2.0 * c / (b + root) if b > 0.0 else (root - b) / (2.0 * a)
