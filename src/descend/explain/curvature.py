"""The steepest curvature of a step's loss, where autograd cannot be asked: from gradients by closed forms.

A product of the Hessian with a direction v is the central difference (g(θ + εv) − g(θ − εv))/2ε of closed-form gradients in float64.
The largest eigenvalue comes from such products by Lanczos' method with full reorthogonalisation (G. Golub and C. Van Loan, Matrix
Computations, chapter 10), which needs far fewer of them than power iteration, and cannot mistake the most negative one for it.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from descend.explain.formulas.arguments import NotCovered
from descend.explain.replay import Replay

_STEP = 1e-8  # of θ's size: kinks are rarely as near, and rounding is still far below it
_TOLERANCE = 1e-3  # the residual, as a share of the eigenvalue
_MOST_PRODUCTS = 60
_MOST_NUMBERS = 2_000_000  # of all parameters: the directions are kept


@dataclass(frozen=True, slots=True)
class Curvature:
    """The largest eigenvalue of the Hessian."""

    value: float
    residual: float  # some eigenvalue is no further than this from the value
    products: int  # with the Hessian
    converged: bool


def top_curvature(
    found: Replay, parameters: Sequence[str], seconds: float, clock: Callable[[], float] = time.monotonic
) -> Curvature | str:
    """The largest eigenvalue of the Hessian by ``parameters``, or why it was not worked out. Takes about ``seconds`` at most."""
    names = [name for name in parameters if name in found.gradients and name in found.leaves]
    numbers = sum(found.leaves[name].numel() for name in names)
    if not names:
        return "the loss depends on no parameter whose values were kept"
    if numbers > _MOST_NUMBERS:
        return f"there are {numbers:,} parameters, and it is worked out for at most {_MOST_NUMBERS:,}"
    ends = clock() + seconds
    theta = torch.cat([found.leaves[name].flatten() for name in names])
    width = _STEP * max(1.0, float(theta.norm()))

    def gradient(at: Tensor) -> Tensor:
        parts = torch.split(at, [found.leaves[name].numel() for name in names])
        values = {name: part.view_as(found.leaves[name]) for name, part in zip(names, parts, strict=True)}
        gradients = found.gradients_with(values)
        return torch.cat([gradients[name].flatten() for name in names])

    def times(direction: Tensor) -> Tensor:
        return (gradient(theta + width * direction) - gradient(theta - width * direction)) / (2 * width)

    try:
        return _lanczos(times, numbers, lambda: clock() > ends)
    except NotCovered as error:
        return error.what


def _lanczos(times: Callable[[Tensor], Tensor], size: int, is_late: Callable[[], bool]) -> Curvature | str:
    """The largest eigenvalue of a symmetric matrix from its products."""
    start = torch.randn(size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    basis = [start / start.norm()]
    diagonal: list[float] = []
    beside: list[float] = []
    value = residual = math.nan
    for count in range(1, min(size, _MOST_PRODUCTS) + 1):
        product = times(basis[-1])
        if not bool(torch.isfinite(product).all()):
            return "the gradients around here are not finite"
        diagonal.append(float(product @ basis[-1]))
        for _ in range(2):  # twice is enough to be orthogonal to rounding
            for each in basis:
                product = product - (product @ each) * each
        length = float(product.norm())
        values, vectors = torch.linalg.eigh(_tridiagonal(diagonal, beside))
        value, residual = float(values[-1]), length * abs(float(vectors[-1, -1]))
        if residual <= _TOLERANCE * abs(value) or count == size or length <= 1e-12 * float(values.abs().max()):
            return Curvature(value, residual, count, converged=True)
        if is_late():
            break
        beside.append(length)
        basis.append(product / length)
    return Curvature(value, residual, count, converged=False)


def _tridiagonal(diagonal: Sequence[float], beside: Sequence[float]) -> Tensor:
    matrix = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    if beside:
        other = torch.tensor(beside, dtype=torch.float64)
        matrix = matrix + torch.diag(other, 1) + torch.diag(other, -1)
    return matrix
