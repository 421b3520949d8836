"""The learning rate of an update written by hand, worked out from what it did."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from descend.watch.quiet import quiet

_ROUNDING = {2: 2e-2, 4: 1e-6, 8: 1e-14}  # of a value, by bytes of its type: what an update may be off by


def plain_rate(changes: Sequence[Tensor], gradients: Sequence[Tensor], values: Sequence[Tensor]) -> float:
    """η where every change is −η · gradient, as in plain gradient descent; NaN where it is anything else."""
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
        return rate if told_apart and error <= 1e-6 * moved + rounding else math.nan


def off_by(gradients: Sequence[Tensor], values: Sequence[Tensor]) -> float:
    """How far η may be from what ``plain_rate`` finds, because the new values were rounded.

    Near a minimum that is much: the changes have few digits beside those of the values. It is u · Σ |value · gradient| / Σ gradient²,
    where u, half the distance from 1 to the next number, bounds the relative error of each value.
    """
    with quiet():
        rounded = length = 0.0
        for gradient, value in zip(gradients, values, strict=True):
            unit = torch.finfo(value.dtype).eps / 2
            rounded += unit * float((value.double() * gradient.double()).abs().sum())
            length += float(gradient.double().square().sum())
        return rounded / length if length else math.inf


def as_written(rate: float, numbers: Iterable[float]) -> float:
    """The user's own number that ``rate`` is a rounded copy of, where there is one."""
    close = [number for number in numbers if abs(number - rate) <= 2e-3 * abs(rate)]
    return min(close, key=lambda number: abs(number - rate)) if close else rate
