"""What training makes small: each loss as PyTorch writes it, and as one number a row for exact evaluation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss of a model's output and the targets.

    function(output, targets, reduction=...) takes output (B, outputs) and targets as ``prepare`` leaves them.
    """

    name: str
    formula: str
    function: Callable[..., Tensor]
    prepare: Callable[[Tensor], Tensor] = lambda targets: targets

    def outputs(self, wanted: int) -> int:
        """Width of the model's last layer for so many classes or values."""
        return 1 if self.name == "binary-cross-entropy" else wanted

    def mean(self, output: Tensor, targets: Tensor) -> Tensor:
        """The mean over a batch, shape ()."""
        return self.function(output, targets)

    def sum(self, output: Tensor, targets: Tensor) -> Tensor:
        """The sum over the rows, in float64, shape (): exact means over batches of unequal size come from it."""
        each = self.function(output, targets, reduction="none").double()  # (B,) or (B, T)
        return each.mean(dim=1).sum() if each.ndim > 1 else each.sum()


def _log_softmax_nll(logits: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
    return F.nll_loss(F.log_softmax(logits, dim=1), targets, reduction=reduction)


def _column(targets: Tensor) -> Tensor:
    return targets.unsqueeze(1).float()  # (B,) class ids → (B, 1) of 0.0 and 1.0


LOSSES: Mapping[str, Loss] = {
    loss.name: loss
    for loss in (
        Loss("mse", "mean (ŷ − y)²", F.mse_loss),
        Loss("mae", "mean |ŷ − y|", F.l1_loss),
        Loss("huber", "mean of (ŷ − y)²/2 where |ŷ − y| ≤ 1, else |ŷ − y| − 1/2", F.huber_loss),
        Loss("cross-entropy", "−mean log softmax(z)[y]", F.cross_entropy),
        Loss("nll", "log-softmax, then −mean log p[y]", _log_softmax_nll),
        Loss(
            "binary-cross-entropy",
            "−mean (y·log σ(z) + (1 − y)·log(1 − σ(z)))",
            F.binary_cross_entropy_with_logits,
            _column,
        ),
    )
}
