"""Whole-number weights: how a route's weight is shared, and who gains from rounding.

Istio's weights are whole numbers that need not add up to 100; the share of a destination is its weight over the sum.
Rounding always costs the canary, never the users on stable: a step of 5 % gives the canary at most 5 %.
"""

from collections.abc import Sequence


def split(total: int, percent: int) -> tuple[int, int]:
    """Share `total` between (stable, canary) so that the canary gets `percent` of it, rounded down.

    `total` is a weight ≥ 0, `percent` is whole, 0 to 100.  Raises ValueError outside of these ranges.
    """
    if total < 0:
        raise ValueError(f"total is {total}; a weight is 0 or more")
    if not 0 <= percent <= 100:
        raise ValueError(f"percent is {percent}; it must be from 0 to 100")
    canary = total * percent // 100
    return total - canary, canary


def normalise(weights: Sequence[int], total: int = 100) -> tuple[int, ...]:
    """The same shares as `weights`, as whole numbers that add up to `total` (largest remainder, ties to the first).

    Weights that already add up to `total` come back unchanged, and no result is a whole unit away from its exact share.
    Raises ValueError when a weight is negative or all are 0: then there is no share to keep.
    """
    whole = sum(weights)
    if any(weight < 0 for weight in weights) or whole <= 0:
        raise ValueError(f"weights are {list(weights)}; they must be 0 or more, and one of them more")
    floors = [weight * total // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: -(weights[i] * total % whole))
    for i in by_remainder[: total - sum(floors)]:
        floors[i] += 1
    return tuple(floors)
