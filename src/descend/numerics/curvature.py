"""Curvature of any loss: products of its Hessian with a direction, and the largest eigenvalue from them.

The product is Pearlmutter's (B. A. Pearlmutter, Neural Computation 6, 1994): the gradient of the gradient's part along the
direction. The Hessian itself, the square of all parameters in size, is never made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import torch
from torch import Tensor

Direction = tuple[Tensor, ...]


class Hessian:
    """The Hessian of a loss at the parameters as they are now.

    loss: a tensor of one number with a graph to all of ``parameters`` (the graph of the gradient is kept as long as this object).
    Ways of computing a loss that autograd cannot differentiate twice raise PyTorch's own ``RuntimeError``.
    """

    def __init__(self, loss: Tensor, parameters: Sequence[Tensor]) -> None:
        self.parameters = tuple(parameters)
        gradients = torch.autograd.grad(loss, self.parameters, create_graph=True, materialize_grads=True)
        self.gradients = tuple(gradients)

    def times(self, direction: Sequence[Tensor]) -> Direction:
        """H·v, in the shapes of the parameters, for a direction v in the same shapes."""
        along = sum(
            ((gradient * part).sum() for gradient, part in zip(self.gradients, direction, strict=True)),
            start=self.gradients[0].new_zeros(()),
        )
        if not along.requires_grad:  # the gradient is the same everywhere
            return tuple(torch.zeros_like(parameter) for parameter in self.parameters)
        found = torch.autograd.grad(along, self.parameters, retain_graph=True, materialize_grads=True)
        return tuple(part.detach() for part in found)


@dataclass(frozen=True)
class TopEigenvalue:
    """The largest eigenvalue of a Hessian, with what is known of its error."""

    value: float
    vector: Direction
    """Its direction, of length 1, in the shapes of the parameters."""
    residual: float
    """‖H·v − value·v‖: some eigenvalue is no further than this from the value."""
    iterations: int
    """How many products with the Hessian it took."""
    converged: bool
    """Whether the residual came under the tolerance before the iterations ran out."""

    @property
    def largest_stable_rate(self) -> float:
        """2/λmax: near here plain gradient descent falls below this learning rate; infinite where nothing curves upwards."""
        return 2 / self.value if self.value > 0 else float("inf")


def top_eigenvalue(
    loss: Tensor,
    parameters: Sequence[Tensor],
    *,
    tolerance: float = 1e-6,
    iterations: int = 1000,
    seed: int = 0,
) -> TopEigenvalue:
    """The largest (most positive) eigenvalue of the loss's Hessian by power iteration.

    tolerance: the residual as a share of the largest eigenvalue in size. The first direction is drawn with ``seed`` from a
    generator of its own. Power iteration finds the eigenvalue that is largest in size; where that is negative, a second one on
    H − λ·I, all of whose eigenvalues are positive, finds the largest.
    """
    hessian = Hessian(loss, parameters)
    generator = torch.Generator().manual_seed(seed)
    start = _unit(
        tuple(torch.randn(each.shape, generator=generator, dtype=each.dtype).to(each.device) for each in parameters)
    )
    first = _power(hessian, start, 0.0, tolerance, iterations)
    if first.value >= 0:
        return first
    second = _power(hessian, start, -first.value, tolerance, max(1, iterations - first.iterations))
    count = first.iterations + second.iterations
    return TopEigenvalue(second.value, second.vector, second.residual, count, second.converged)


def _power(hessian: Hessian, direction: Direction, shift: float, tolerance: float, iterations: int) -> TopEigenvalue:
    """Power iteration on H + shift·I; the value is that of H."""
    value, residual = 0.0, float("inf")
    for iteration in range(1, iterations + 1):
        product = hessian.times(direction)
        value = _dot(product, direction)
        residual = _length(tuple(p - value * d for p, d in zip(product, direction, strict=True)))
        if residual <= tolerance * max(abs(value), abs(shift)):
            return TopEigenvalue(value, direction, residual, iteration, converged=True)
        direction_ahead = tuple(p + shift * d for p, d in zip(product, direction, strict=True))
        if _length(direction_ahead) == 0 or not torch.isfinite(torch.tensor(value)):
            break
        direction = _unit(direction_ahead)
    return TopEigenvalue(value, direction, residual, iteration, converged=False)


def _dot(a: Direction, b: Direction) -> float:
    return sum(float((x * y).sum()) for x, y in zip(a, b, strict=True))


def _length(direction: Direction) -> float:
    """By the largest part first: squares of very small numbers would vanish, and of very large ones overflow."""
    largest = max((float(part.abs().max()) for part in direction if part.numel()), default=0.0)
    if largest == 0 or not isfinite(largest):
        return largest
    scaled = tuple(part / largest for part in direction)
    return float(largest * _dot(scaled, scaled) ** 0.5)


def _unit(direction: Direction) -> Direction:
    length = _length(direction)
    return tuple(part / length for part in direction)
