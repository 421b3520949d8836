"""Central differences: the derivative of a function at chosen entries from its values alone, with an estimate of the error.

Ridders' method (C. J. F. Ridders, Advances in Engineering Software 4, 1982): central differences at ever smaller steps, carried on
to step 0 by Richardson's extrapolation; the best entry of the table is taken, and how far its neighbours are from it is the error.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_LARGEST_STEP = 1e-2  # as a share of the entry's magnitude
_SHRINK = 2.0
_LEVELS = 13  # down to 2.4e-6: below that rounding is all there is
_LEAST_LEVELS = 4
_SMALLEST_MAGNITUDE = 1e-3  # weights all smaller than that still act on inputs of ordinary size
_SAME = 0.1  # of a kink: how far two estimates of it may differ
_GOOD_ENOUGH = 1e-10  # relative error at which no smaller step is tried
_NOISE = 64 * 2.0**-52  # what rounding may do to a value of the function, as a share of it


@dataclass(frozen=True)
class Difference:
    """The derivative by one entry."""

    value: float
    error: float
    """How far from the derivative the value may be, estimated."""
    step: float
    """The largest step that the value was made from."""
    kink: bool
    """Whether the slopes from the left and from the right stay apart however small the step: there is no derivative here."""
    left: float
    right: float
    """The slopes from either side at the smallest step."""
    evaluations: int


def differences(
    function: Callable[[Tensor], Tensor | float], at: Tensor, entries: Sequence[tuple[int, ...]]
) -> list[Difference]:
    """The derivatives of a scalar ``function`` by single entries of ``at``.

    function: from a float64 tensor of the shape of ``at`` to one number, itself computed in float64 and the same at every call.
    entries: their indices; ``()`` for a tensor of one number. ``at`` is not changed. Values that are not finite give ``nan``.
    """
    x = at.detach().to(torch.float64, copy=True)
    typical = float(x.square().mean().sqrt()) if x.numel() else 0.0
    with torch.no_grad():
        here = float(function(x))
        return [_difference(function, x, entry, here, typical) for entry in entries]


def _difference(
    function: Callable[[Tensor], Tensor | float], x: Tensor, entry: tuple[int, ...], here: float, typical: float
) -> Difference:
    start = float(x[entry])
    magnitude = max(abs(start), typical, _SMALLEST_MAGNITUDE)
    if not math.isfinite(magnitude):
        return Difference(math.nan, math.inf, 0.0, kink=False, left=math.nan, right=math.nan, evaluations=0)

    def at(value: float) -> float:
        x[entry] = value
        return float(function(x))

    table = _Table(here)
    try:
        for level in range(_LEVELS):
            above = start + _LARGEST_STEP * magnitude / _SHRINK**level
            below = 2 * start - above
            # The step as it is after rounding: what was really added.
            table.add(at(above), at(below), above - start, start - below)
            if table.is_settled():
                break
    finally:
        x[entry] = start
    return table.result()


class _Table:
    """Ridders' table, a row for each step; and the slopes from either side."""

    def __init__(self, here: float) -> None:
        self.here, self.row = here, list[float]()
        self.best, self.error, self.step = math.nan, math.inf, 0.0
        self.gaps: list[
            tuple[float, float, bool]
        ] = []  # step, right slope less left slope, whether that is above the noise
        self.left = self.right = math.nan
        self.size = abs(here)

    def add(self, above: float, below: float, up: float, down: float) -> None:
        """The values of the function at one step to either side."""
        self.right, self.left = (above - self.here) / up, (self.here - below) / down
        self.size = max(abs(above), abs(below), abs(self.here))
        noise = self.noise(up)
        self.gaps.append((up, self.right - self.left, abs(self.right - self.left) > 4 * noise))
        row = [(above - below) / (up + down)]
        for order, earlier in enumerate(self.row, 1):
            factor = _SHRINK ** (2 * order)
            row.append((factor * row[-1] - earlier) / (factor - 1))
            error = max(abs(row[-1] - row[-2]), abs(row[-1] - earlier), noise)
            if error < self.error:
                self.best, self.error, self.step = row[-1], error, up * _SHRINK**order
        self.row = row

    def noise(self, step: float) -> float:
        """What rounding may do to a slope over this step."""
        return _NOISE * self.size / step

    def is_settled(self) -> bool:
        """Whether smaller steps could only make it worse."""
        if len(self.gaps) < _LEAST_LEVELS or self.has_kink():
            return False
        return self.error <= _GOOD_ENOUGH * max(abs(self.best), self.noise(1.0))

    def has_kink(self) -> bool:
        """A smooth function's slopes from both sides meet in proportion to the step; at a kink they stay apart.

        Where the function bends as well, it is what the gap comes to at a step of 0 that tells: the same from every pair of steps.
        """
        if len(self.gaps) < _LEAST_LEVELS:
            return False
        (wide, first, _), (middle, second, _), (narrow, last, clear) = self.gaps[-3:]
        if clear and abs(last) > abs(first) * math.sqrt(narrow / wide) and last * first > 0:
            return True
        before = (wide * second - middle * first) / (wide - middle)
        now = (middle * last - narrow * second) / (middle - narrow)
        noise = 4 * (middle * self.noise(narrow) + narrow * self.noise(middle)) / (middle - narrow)
        return abs(now) > 4 * noise and abs(now - before) < _SAME * abs(now)

    def result(self) -> Difference:
        kink = self.has_kink()
        best, error = self.best, self.error
        if not math.isfinite(self.here) or not math.isfinite(best):
            best, error = math.nan, math.inf
        return Difference(best, error, self.step, kink, self.left, self.right, 2 * len(self.gaps) + 1)
