"""What keeps a route from being written at any percentage; asked before anything is touched.

A destination may carry `headers` to set or remove.  When the canary has to be added to a route whose stable destination
has them, neither answer is safe: a copy may label the canary's requests as stable's (`x-version: v1`), and leaving them
out may take away what the application needs.  That is a Problem until a person has written the canary's entry.
"""

from meshshift.core.mesh.documents import Problem, Reason, shown
from meshshift.core.mesh.stickiness import bare
from meshshift.core.mesh.weighted_route import WeightedRoute


def flaw(route: WeightedRoute) -> Problem | None:
    """What keeps a route from being written at any percentage."""
    return _ambiguity(route) or _lost_share(route) or _headers_of_stable(route)


def _ambiguity(route: WeightedRoute) -> Problem | None:
    if not route.resource_version:
        return Problem(
            Reason.MALFORMED,
            f"{route.owner}: metadata.resourceVersion is missing; read the object from the API server, so that an edit "
            "can tell whether it has changed",
        )
    subsets = [each.subset for each in route.ours]
    twice = next((subset for subset in subsets if subsets.count(subset) > 1), None)
    if twice is None:
        return None
    return Problem(
        Reason.DUPLICATE_DESTINATION,
        f"{route} sends to subset {shown(twice)} of {route.target.host} more than once; join these entries into one",
    )


def _lost_share(route: WeightedRoute) -> Problem | None:
    share = route.shares.total
    if not share:
        return no_weight(route)
    weights = (share, *(each.weight for each in route.foreign))
    if all(part or not weight for part, weight in zip(route.parts, weights, strict=True)):
        return None
    return Problem(
        Reason.WEIGHT_TOO_SMALL,
        f"{route} has weights that add up to {sum(weights)}, and {min(filter(None, weights))} of them is less than one "
        "part of 100; make its weights add up to 100",
    )


def _headers_of_stable(route: WeightedRoute) -> Problem | None:
    present = {each.subset for each in route.ours}
    target = route.target
    missing = next((each for each in (target.canary, target.stable, target.baseline) if each not in present), None)
    model = route.model
    if missing is None or not bare(model.document).keys() - {"destination", "weight"}:
        return None
    return Problem(
        Reason.DESTINATION_HEADERS,
        f"{route} sets {shown('headers')} on subset {shown(model.subset)}, and whether subset {shown(missing)} "
        f"needs them cannot be known; add a destination for subset {shown(missing)} with weight 0 and its own headers",
    )


def no_weight(route: WeightedRoute) -> Problem:
    """The pair has no traffic that could be shared."""
    return Problem(
        Reason.NO_WEIGHT,
        f"{route} gives the subsets of {route.target.host} the weight 0; give one of them a weight from 1 to 100",
    )
