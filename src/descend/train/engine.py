"""How a step is executed: the same seven parts, with gradients by closed forms or by autograd."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from descend.data.dataset import Examples
from descend.train.by_hand import Stack
from descend.train.losses import Loss
from descend.train.optimizers import Optimizer
from descend.train.parameters import FlatParameters

LOSSES_KEPT = 4096  # how many losses wait on the device before somebody has to read them


class Engine(ABC):
    """What both ways share: data in memory, one flat tensor of values, one of gradients, and losses kept on the device."""

    name: str

    def __init__(self, module: nn.Module, examples: Examples, loss: Loss, parameters: FlatParameters) -> None:
        self.module, self.parameters = module, parameters
        self.loss_function = loss
        self.features, self.targets = examples.features, loss.prepare(examples.targets)
        self.optimizer: Optimizer
        self.losses = torch.zeros(LOSSES_KEPT, dtype=torch.float32, device=examples.features.device)
        self._slots = self.losses.unbind()
        self.filled = 0

    def fetch(self, rows: Tensor | slice) -> tuple[Tensor, Tensor]:
        """The batch of these rows: features (B, …) and targets (B,) or (B, T), a copy that the model may change in place."""
        if isinstance(rows, slice):
            return self.features[rows].clone(), self.targets[rows]
        return self.features.index_select(0, rows), self.targets.index_select(0, rows)

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """The model's output (B, outputs)."""

    @abstractmethod
    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        """The mean loss of the batch, ()."""

    @abstractmethod
    def backward(self, loss: Tensor, share: float) -> None:
        """Add ``share`` times the gradient of ``loss`` to every gradient."""

    @abstractmethod
    def zero(self) -> None:
        """Make the gradients ready for the next step."""

    def log(self, loss: Tensor, share: float) -> None:
        """Keep the loss of this batch (), on the device."""
        slot = self._slots[self.filled]
        if share == 1.0:
            slot.copy_(loss)
        else:
            slot.add_(loss, alpha=share)

    def clip(self, limit: float) -> None:
        """Scale all gradients so that their common Euclidean norm is at most ``limit``; as ``clip_grad_norm_`` does."""
        gradients = self.parameters.gradients
        gradients.mul_((limit / (torch.linalg.vector_norm(gradients) + 1e-6)).clamp(max=1.0))

    def update(self, lr: float) -> None:
        """One update of every value."""
        self.optimizer.update(lr)
        self.filled += 1

    def take_losses(self) -> list[float]:
        """The losses of the steps since the last call. This waits for the device."""
        taken: list[float] = self.losses[: self.filled].tolist()
        self.losses[: self.filled] = 0.0
        self.filled = 0
        return taken

    @property
    def full(self) -> bool:
        """True when the losses must be taken before the next step."""
        return self.filled == LOSSES_KEPT


class Autograd(Engine):
    """Gradients by PyTorch's autograd, for any module and any loss."""

    name = "autograd"

    def __init__(self, module: nn.Module, examples: Examples, loss: Loss, parameters: FlatParameters) -> None:
        super().__init__(module, examples, loss, parameters)
        for name, parameter in module.named_parameters():
            if name in parameters.gradient:
                parameter.grad = parameters.gradient[name]

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.module(x)
        return output

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        return self.loss_function.mean(output, y)

    def backward(self, loss: Tensor, share: float) -> None:
        (loss if share == 1.0 else loss * share).backward()  # type: ignore[no-untyped-call]

    def log(self, loss: Tensor, share: float) -> None:
        super().log(loss.detach(), share)

    def update(self, lr: float) -> None:
        with torch.no_grad():
            super().update(lr)

    def zero(self) -> None:
        self.parameters.gradients.zero_()


class ByHand(Engine):
    """Gradients by the closed forms of ``by_hand``, for stacks of layers it covers; every buffer is allocated once."""

    name = "by-hand"

    def __init__(
        self,
        module: nn.Module,
        examples: Examples,
        loss: Loss,
        parameters: FlatParameters,
        layers: Sequence[nn.Module],
        *,
        accumulate: bool,
    ) -> None:
        flat = Examples(examples.features.flatten(1), examples.targets)
        super().__init__(module, flat, loss, parameters)
        self.layers, self.accumulate = layers, accumulate
        self.fresh = torch.zeros_like(parameters.gradients) if accumulate else parameters.gradients
        self._by_tensor: Mapping[int, Tensor] = {
            id(parameter): parameters.view(self.fresh, name)
            for name, parameter in module.named_parameters()
            if name in parameters.gradient
        }
        self._stacks: dict[int, Stack] = {}
        # Numbers are gathered several times faster than rows of one number.
        self._numbers = self.targets.flatten() if self.targets.shape[1:] == (1,) else self.targets
        self._buffers: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        self._stack: Stack

    def fetch(self, rows: Tensor | slice) -> tuple[Tensor, Tensor]:
        if isinstance(rows, slice):
            return self.features[rows], self.targets[rows]
        size = len(rows)
        if size not in self._buffers:
            x = self.features.new_empty(size, *self.features.shape[1:])
            y = self.targets.new_empty(size, *self.targets.shape[1:])
            self._buffers[size] = (x, y, y.view(size, *self._numbers.shape[1:]))
        x, y, numbers = self._buffers[size]
        torch.index_select(self.features, 0, rows, out=x)
        torch.index_select(self._numbers, 0, rows, out=numbers)
        return x, y

    def forward(self, x: Tensor) -> Tensor:
        size = len(x)
        if size not in self._stacks:
            self._stacks[size] = Stack(self.layers, self.loss_function.name, self._by_tensor, size)
        self._stack = self._stacks[size]
        return self._stack.forward(x)

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        return self._stack.loss.forward(output, y)

    def backward(self, loss: Tensor, share: float) -> None:  # noqa: ARG002 - the closed forms start at the output
        self._stack.backward()
        if self._stack.loss.scale is not None:
            self.fresh.mul_(self._stack.loss.scale)
        if self.accumulate:
            self.parameters.gradients.add_(self.fresh, alpha=share)

    def zero(self) -> None:
        if self.accumulate:  # otherwise the next backward overwrites every gradient
            self.parameters.gradients.zero_()
