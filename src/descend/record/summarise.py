"""What a report says of many numbers: a curve of few points, shares of a whole, values that JSON has a word for.

Shared by all who put a report together, so that the same losses give the same curve however they were made.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

CURVE_POINTS = 200
FEW_VALUES = 4  # a parameter of at most so many numbers is shown in full


def thinned(values: Sequence[float], most: int = CURVE_POINTS) -> list[float]:
    """At most ``most`` values that show the same curve: means of equal stretches, and the first and last as they are."""
    count = len(values)
    if count <= most:
        return list(values)
    edges = [1 + (count - 2) * part // (most - 2) for part in range(most - 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    return [values[0], *means, values[-1]]


def shares(parts: Mapping[str, float]) -> dict[str, float] | None:
    """Each part's share of the whole; None when the whole is nothing."""
    total = sum(parts.values())
    return {name: part / total for name, part in parts.items()} if total else None


def finite(value: Any) -> Any:
    """The same JSON value with None in place of numbers that are not finite, which JSON has no word for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [finite(each) for each in value]
    return value
