"""How likely chance alone makes something as striking as what was seen."""

import math
from itertools import accumulate

_STEPS = 4_000  # of the integral


def smaller_by_chance(ratio: float, a: float, b: float) -> float:
    """The chance that the first of two independent numbers from the same Beta(a, b) distribution is at most ``ratio`` times the second.

    What k columns that say nothing leave of the variance of n targets has this distribution, with a = (n - k - 1) / 2 and b = k / 2
    (for normal errors; Cochran 1934). So it tells how often one of two such fits is that much better than the other. By midpoints.
    """
    if ratio <= 0:
        return 0.0
    # Substituting u = sin² makes the density finite at both ends.
    angles = [(each + 0.5) * math.pi / 2 / _STEPS for each in range(_STEPS)]
    logs = [(2 * a - 1) * math.log(math.sin(each)) + (2 * b - 1) * math.log(math.cos(each)) for each in angles]
    most = max(logs)
    weights = [math.exp(each - most) for each in logs]
    below = [0.0, *accumulate(weights)]
    found = 0.0
    for angle, weight in zip(angles, weights, strict=True):
        limit = min(1.0, math.sqrt(ratio) * math.sin(angle))
        place = math.asin(limit) * 2 / math.pi * _STEPS
        whole = min(int(place), _STEPS - 1)
        found += weight * (below[whole] + (place - whole) * weights[whole])
    return min(1.0, found / below[-1] ** 2)
