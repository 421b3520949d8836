"""How a gradient becomes a new value: gradient descent with momentum, Adam and AdamW.

The arithmetic is that of ``torch.optim`` (Adam's is its fused kernel, bit for bit); constructing an optimizer of ``torch.optim``
would import a compiler that costs a second at every start.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from descend.train.parameters import FlatParameters


class Optimizer(Protocol):
    """Changes a model's values in place from its gradients; ``state`` is all it remembers between steps, each flat (n,)."""

    state: dict[str, Tensor]

    def update(self, lr: float) -> None:
        """One update with the learning rate ``lr``."""


class SGD:
    """Gradient descent: θ ← θ − lr·g, with optional momentum (Polyak 1964; Nesterov's form as in Sutskever et al. 2013)."""

    def __init__(
        self, parameters: FlatParameters, *, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0
    ) -> None:
        self.values, self.gradients = parameters.values, parameters.gradients
        self.momentum, self.nesterov, self.weight_decay = momentum, nesterov, weight_decay
        self.change = torch.empty_like(self.values)
        self.lr, self.rate = 0.0, self.values.new_zeros(())  # as a tensor too: kernels take those sooner
        self.state: dict[str, Tensor] = {"velocity": torch.zeros_like(self.values)} if momentum else {}

    def update(self, lr: float) -> None:
        """One update with the learning rate ``lr``."""
        gradients = self.gradients
        if self.weight_decay:
            gradients = gradients.add(self.values, alpha=self.weight_decay)  # g ← g + λ·θ
        if self.momentum:
            velocity = self.state["velocity"].mul_(self.momentum).add_(gradients)  # v ← μ·v + g
            gradients = gradients.add(velocity, alpha=self.momentum) if self.nesterov else velocity  # g + μ·v, or v
        if lr != self.lr:
            self.lr = lr
            self.rate.fill_(lr)
        torch.mul(gradients, self.rate, out=self.change)
        self.values.sub_(self.change)  # θ ← θ − lr·g, rounded twice as `w -= lr * w.grad` is


class Adam:
    """Adam (Kingma & Ba 2015); with ``decoupled`` weight decay it is AdamW (Loshchilov & Hutter 2019).

    m ← β₁·m + (1−β₁)·g;  v ← β₂·v + (1−β₂)·g²;  θ ← θ − lr · (m / (1−β₁ᵗ)) / (√(v / (1−β₂ᵗ)) + ε)

    The kernel gets one tensor a parameter, not the flat one: it rounds the last few elements of each tensor in another way,
    and so the bits stay those of ``torch.optim.Adam(fused=True)``.
    """

    def __init__(
        self,
        parameters: FlatParameters,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled: bool = False,
    ) -> None:
        flat = parameters.values
        steps = torch.zeros((), dtype=torch.float32, device=flat.device)
        self.state: dict[str, Tensor] = {
            "mean": torch.zeros_like(flat),
            "square": torch.zeros_like(flat),
            "steps": steps,
        }
        means, squares = (list(parameters.views(self.state[name]).values()) for name in ("mean", "square"))
        values, gradients = list(parameters.value.values()), list(parameters.gradient.values())
        self.tensors: tuple[list[Tensor], ...] = (values, gradients, means, squares, [], [steps] * len(values))
        self.settings = {"beta1": beta1, "beta2": beta2, "eps": epsilon, "weight_decay": weight_decay}
        self.kernel: Callable[..., None] = torch._fused_adamw_ if decoupled else torch._fused_adam_

    def update(self, lr: float) -> None:
        """One update with the learning rate ``lr``."""
        self.state["steps"].add_(1)  # t
        self.kernel(*self.tensors, lr=lr, amsgrad=False, maximize=False, **self.settings)
