"""The learning rate of an update written by hand, worked out from what it did."""

import math
from collections.abc import Iterable, Sequence

from torch import Tensor

from descend.watch.quiet import quiet

_ROUNDING = {2: 2e-2, 4: 1e-6, 8: 1e-14}  # of a value, by bytes of its type: what an update may be off by


def plain_rate(
    changes: Sequence[Tensor], gradients: Sequence[Tensor], values: Sequence[Tensor], *, before: float = math.nan
) -> float:
    """η where every change is −η · gradient, as in plain gradient descent; NaN where it is anything else.

    Near a minimum the changes are small beside the values, and η comes out less exactly: it is that of ``before`` where rounding may be
    all that they differ by.
    """
    with quiet():
        downhill = length = error = 0.0
        doubles = [(change.double(), gradient.double()) for change, gradient in zip(changes, gradients, strict=True)]
        for change, gradient in doubles:
            downhill -= float((change * gradient).sum())
            length += float((gradient * gradient).sum())
        if length == 0 or not math.isfinite(length) or downhill <= 0:
            return math.nan
        rate = downhill / length
        moved = rounding = 0.0
        for (change, gradient), value in zip(doubles, values, strict=True):
            error += float((change + rate * gradient).square().sum())
            moved += float(change.square().sum())
            rounding += (float(value.double().norm()) * _ROUNDING.get(value.element_size(), 1e-6)) ** 2
        told_apart = moved > 1e4 * rounding  # a smaller move is mostly rounding and says little about η
        if not told_apart or error > 1e-6 * moved + rounding:
            return math.nan
        return before if abs(before - rate) <= rate * math.sqrt(rounding / moved) else rate


def as_written(rate: float, numbers: Iterable[float]) -> float:
    """The user's own number that ``rate`` is a rounded copy of, where there is one."""
    close = [number for number in numbers if abs(number - rate) <= 2e-3 * abs(rate)]
    return min(close, key=lambda number: abs(number - rate)) if close else rate
