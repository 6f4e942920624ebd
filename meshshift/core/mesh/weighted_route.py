"""One route that shares traffic between stable and canary, and what its weights say.

Weights are read as shares: they need not add up to 100.  They are written as parts of 100, so a route *says* a
percentage either when its share is exactly that, or when its whole numbers are the ones that a write would put there.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from meshshift.core.mesh.documents import Document, ObjectRef, Target, shown
from meshshift.core.mesh.virtual_service import Destination, Protocol
from meshshift.core.mesh.weights import normalise, split


@dataclass(frozen=True, slots=True)
class WeightedRoute:
    """A route as it stands in the document it was found in.

    `find_routes` promises: at least one of the two subsets is on it, each at most once, and not both at weight 0.
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
    def foreign(self) -> tuple[Destination, ...]:
        """The destinations that are not ours to shift."""
        return tuple(each for each in self.destinations if not is_pair(each, self.target))

    @property
    def stable(self) -> int:
        """The weight of the stable subset; 0 when the route does not have it."""
        return sum(each.weight for each in self.pair if each.subset == self.target.stable)

    @property
    def canary(self) -> int:
        """The weight of the canary subset; 0 when the route does not have it."""
        return sum(each.weight for each in self.pair if each.subset == self.target.canary)

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
        """How much of the pair's traffic goes to the canary: exact, 0 to 100."""
        return Fraction(100 * self.canary, self.stable + self.canary)

    @property
    def parts(self) -> tuple[int, ...]:
        """The route as parts of 100: the pair together, then each of `foreign`."""
        return normalise((self.stable + self.canary, *(each.weight for each in self.foreign)))


def is_pair(destination: Destination, target: Target) -> bool:
    """Is it one of the two destinations that the target shares its traffic between?"""
    return destination.host == target.host and destination.subset in (target.stable, target.canary)


def is_at(route: WeightedRoute, percent: int) -> bool:
    """Does the route already say `percent`, so that writing it would change nobody's traffic?"""
    if route.percent == percent:
        return True
    whole = route.stable + route.canary + route.others
    stable, canary = split(route.parts[0], percent)
    # Rounding a step down to no canary at all is a route too small for the step, not a step that was taken.
    return whole == 100 and canary > 0 and (route.stable, route.canary) == (stable, canary)


def at_percent(routes: Iterable[WeightedRoute], percent: int) -> bool:
    """Do all routes already say `percent`?  It holds exactly when `weight_patches` has nothing to write."""
    return all(is_at(route, percent) for route in routes)


def observed_percent(routes: Iterable[WeightedRoute]) -> tuple[Fraction, ...]:
    """The canary's shares that the mesh says, ascending, each once; more than one means that the routes disagree."""
    return tuple(sorted({route.percent for route in routes}))


def smallest_percent(route: WeightedRoute) -> int:
    """The smallest step, 1 to 100, that leaves the canary any weight on this route."""
    return -(-100 // route.parts[0])
