"""One route that shares traffic between stable, canary and perhaps a baseline, and what its weights say.

Weights are read as shares: they need not add up to 100.  They are written as parts of 100, so a route *says* a
percentage either when its share is exactly that, or when its whole numbers are the ones that a write would put there.
With a baseline it says the percentage only if all three weights are right.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from meshshift.core.mesh.control import Shares, share
from meshshift.core.mesh.documents import Document, ObjectRef, Target, shown
from meshshift.core.mesh.virtual_service import Destination, Protocol
from meshshift.core.mesh.weights import normalise


@dataclass(frozen=True, slots=True)
class WeightedRoute:
    """A route as it stands in the document it was found in.

    `find_routes` promises: stable or canary is on it, each subset at most once, and not all at weight 0.
    """

    owner: ObjectRef
    resource_version: str
    index: int
    name: str | None
    target: Target
    destinations: tuple[Destination, ...]
    protocol: Protocol = "http"
    """The weights of `tls` and `tcp` act on connections."""
    document: Document = field(default_factory=dict, hash=False, repr=False)
    """The whole route as it is written."""
    within: tuple[tuple[str, Document], ...] = field(default=(), hash=False, repr=False)
    """Of a delegate's route: the matches of the entries that delegate to it, each with its place; else empty."""

    def __str__(self) -> str:
        return f"{self.owner} route {shown(self.name) if self.name else f'{self.protocol}[{self.index}]'}"

    @property
    def path(self) -> tuple[str | int, ...]:
        """The steps to the list of its destinations in the document."""
        return "spec", self.protocol, self.index, "route"

    @property
    def pair(self) -> tuple[Destination, ...]:
        """The entries of the stable and the canary subset, in the order of the document."""
        return tuple(each for each in self.destinations if is_pair(each, self.target))

    @property
    def model(self) -> Destination:
        """The entry of ours that an added one is made like: stable's, if it is there."""
        return next((each for each in self.pair if each.subset == self.target.stable), self.pair[0])

    @property
    def ours(self) -> tuple[Destination, ...]:
        """The pair's entries and the baseline's, in the order of the document."""
        return tuple(each for each in self.destinations if is_ours(each, self.target))

    @property
    def foreign(self) -> tuple[Destination, ...]:
        """The destinations that are not ours to shift."""
        return tuple(each for each in self.destinations if not is_ours(each, self.target))

    @property
    def stable(self) -> int:
        """The weight of the stable subset; 0 when the route does not have it."""
        return self._weight_of(self.target.stable)

    @property
    def canary(self) -> int:
        """The weight of the canary subset; 0 when the route does not have it."""
        return self._weight_of(self.target.canary)

    @property
    def shares(self) -> Shares:
        """The weights of all that is ours; 0 for a subset that the route does not have."""
        return Shares(self.stable, self.canary, self._weight_of(self.target.baseline) if self.target.baseline else 0)

    @property
    def others(self) -> int:
        """The weight of everybody else on the route."""
        return sum(each.weight for each in self.foreign)

    @property
    def has_stable(self) -> bool:
        """The stable subset is on the route, with any weight."""
        return any(each.subset == self.target.stable for each in self.pair)

    @property
    def has_canary(self) -> bool:
        """The canary subset is on the route, with any weight."""
        return any(each.subset == self.target.canary for each in self.pair)

    @property
    def percent(self) -> Fraction:
        """How much of our traffic goes to the canary: exact, 0 to 100."""
        return Fraction(100 * self.canary, self.shares.total)

    @property
    def baseline_percent(self) -> Fraction:
        """How much of our traffic goes to the baseline: exact, 0 to 100."""
        return Fraction(100 * self.shares.baseline, self.shares.total)

    @property
    def said(self) -> str:
        """What the canary and the baseline have, for a message: `v2 20% and v1-baseline 20%`."""
        canary = f"{self.target.canary} {float(self.percent):g}%"
        beside = f" and {self.target.baseline} {float(self.baseline_percent):g}%"
        return canary if self.target.baseline is None else canary + beside

    @property
    def parts(self) -> tuple[int, ...]:
        """The route as parts of 100: what is ours together, then each of `foreign`."""
        return normalise((self.shares.total, *(each.weight for each in self.foreign)))

    def at(self, percent: int) -> Shares:
        """The weights that a write would put there for `percent`, 0 to 100."""
        return share(self.parts[0], percent, controlled=self.target.baseline is not None)

    def raised_by(self, percent: int) -> bool:
        """Would writing `percent` give canary or baseline more than they have?"""
        have, wanted = self.shares, self.at(percent)
        whole = have.total
        more = (wanted.canary * whole, have.canary), (wanted.baseline * whole, have.baseline)
        return any(new > old * wanted.total for new, old in more)

    def _weight_of(self, subset: str) -> int:
        return sum(each.weight for each in self.ours if each.subset == subset)


def is_pair(destination: Destination, target: Target) -> bool:
    """Is it one of the two destinations that the target shares its traffic between?"""
    return destination.host == target.host and destination.subset in (target.stable, target.canary)


def is_ours(destination: Destination, target: Target) -> bool:
    """Is it one of the pair, or the baseline beside it?"""
    beside = target.baseline is not None and (destination.host, destination.subset) == (target.host, target.baseline)
    return beside or is_pair(destination, target)


def is_at(route: WeightedRoute, percent: int) -> bool:
    """Does the route already say `percent`, so that writing it would change nobody's traffic?"""
    if _leaves_no_control(route, percent):
        return False
    if route.shares.like(share(100, percent, controlled=route.target.baseline is not None)):
        return True
    wanted = route.at(percent)
    # Rounding a step down to no canary at all is a route too small for the step, not a step that was taken.
    return _is_whole(route) and wanted.canary > 0 and route.shares == wanted


def gives_canary(route: WeightedRoute, percent: int) -> bool:
    """Does the canary have `percent`, whatever stable and baseline make of the rest?"""
    canary = route.at(percent).canary
    return route.percent == percent or (_is_whole(route) and canary > 0 and route.canary == canary)


def too_small(route: WeightedRoute, percent: int) -> bool:
    """Would rounding leave the canary, or the baseline that it is compared with, nothing of this step?"""
    return (percent > 0 and not route.at(percent).canary) or _leaves_no_control(route, percent)


def _leaves_no_control(route: WeightedRoute, percent: int) -> bool:
    return route.target.baseline is not None and 0 < percent < 100 and not route.at(percent).baseline


def _is_whole(route: WeightedRoute) -> bool:
    return route.shares.total + route.others == 100


def at_percent(routes: Iterable[WeightedRoute], percent: int) -> bool:
    """Do all routes already say `percent`?  It holds exactly when `weight_patches` has nothing to write."""
    return all(is_at(route, percent) for route in routes)


def observed_percent(routes: Iterable[WeightedRoute]) -> tuple[Fraction, ...]:
    """The canary's shares that the mesh says, ascending, each once; more than one means that the routes disagree."""
    return tuple(sorted({route.percent for route in routes}))


def smallest_percent(route: WeightedRoute) -> int:
    """The smallest step, 1 to 100, that leaves the canary any weight on this route."""
    return -(-100 // route.parts[0])
