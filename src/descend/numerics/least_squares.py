"""Linear least squares: the curvature of its loss, and the learning rates under which gradient descent settles."""

import torch
from torch import Tensor


def curvature(features: Tensor, outputs: int = 1, *, bias: bool = True) -> Tensor:
    """Eigenvalues, ascending, of the Hessian of mean (ŷ − y)² for ŷ = x·Wᵀ + b.

    features: (N, in). Gives (in + 1,) float64 with ``bias``, else (in,). The mean is over N·outputs values, so the Hessian of
    each output is 2/(N·outputs)·XᵀX with a column of ones for the bias; it depends on neither the targets nor the weights.
    """
    x = features.double()  # (N, in)
    if bias:
        x = torch.cat([x, x.new_ones(len(x), 1)], dim=1)  # (N, in + 1)
    hessian = 2 / (len(x) * outputs) * (x.t() @ x)
    eigenvalues: Tensor = torch.linalg.eigvalsh(hessian)
    return eigenvalues.clamp(min=0)


def largest_stable_rate(features: Tensor, outputs: int = 1, *, bias: bool = True) -> float:
    """2/λmax: full-batch gradient descent falls below this learning rate, and grows without end above it."""
    return float(2 / curvature(features, outputs, bias=bias)[-1])
