"""Gradients by hand: the closed form of every derivative in a stack of layers, with its formula beside the line.

L is the loss of a batch of B rows. Each layer receives the gradient of L by its output and gives back the gradient of L by its
input: that is the chain rule, one layer at a time. Nothing is allocated after the first batch of a size: every result goes
into a tensor that stands ready (``out=``), which is why these formulas are also the fast way to train.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

_aten = torch.ops.aten


class Layer(Protocol):
    """From the input to the output, and from the gradient by the output to the gradient by the input."""

    def forward(self, x: Tensor) -> Tensor: ...
    def backward(self, gradient: Tensor) -> Tensor: ...


class Loss(Protocol):
    """From the output and the targets to L, and to the gradient of L by the output, still to be multiplied by ``scale``."""

    scale: Tensor | None  # (); nothing to multiply by where it is None

    def forward(self, output: Tensor, y: Tensor) -> Tensor: ...
    def backward(self) -> Tensor: ...


class Linear:
    """z = x·Wᵀ + b      x (B, in) · W (out, in) · b (out,) · z (B, out)"""

    def __init__(self, layer: nn.Linear, gradients: Sequence[Tensor], rows: int, *, first: bool) -> None:
        self.W, self.W_T = layer.weight.detach(), layer.weight.detach().t()
        self.b: Tensor | None = None if layer.bias is None else layer.bias.detach()
        self.dW, self.db = gradients[0], gradients[-1]
        self.z = self.W.new_empty(rows, layer.out_features)
        self.dx = None if first else self.W.new_empty(rows, layer.in_features)  # nobody asks for ∂L/∂data

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        if self.b is None:
            return torch.mm(x, self.W_T, out=self.z)
        return torch.addmm(self.b, x, self.W_T, out=self.z)  # z = x·Wᵀ + b                  (B, out)

    def backward(self, dz: Tensor) -> Tensor:
        torch.mm(dz.t(), self.x, out=self.dW)  # ∂L/∂W = (∂L/∂z)ᵀ·x                          (out, in)
        if self.b is not None:
            torch.sum(dz, 0, out=self.db)  # ∂L/∂b = Σ over the rows of ∂L/∂z                (out,)
        if self.dx is None:
            return dz
        return torch.mm(dz, self.W, out=self.dx)  # ∂L/∂x = ∂L/∂z·W                          (B, in)


class ReLU:
    """h = max(0, z)"""

    def forward(self, z: Tensor) -> Tensor:
        self.h = z.relu_()  # in place: z is not needed again, the sign of h says enough      (B, n)
        return self.h

    def backward(self, dh: Tensor) -> Tensor:
        _aten.threshold_backward.grad_input(dh, self.h, 0, grad_input=dh)  # ∂L/∂z = ∂L/∂h where h > 0, else 0
        return dh


class Tanh:
    """h = tanh(z)"""

    def forward(self, z: Tensor) -> Tensor:
        self.h = z.tanh_()  # (B, n)
        return self.h

    def backward(self, dh: Tensor) -> Tensor:
        _aten.tanh_backward.grad_input(dh, self.h, grad_input=dh)  # ∂L/∂z = ∂L/∂h·(1 − h²)
        return dh


class Sigmoid:
    """h = 1 / (1 + e⁻ᶻ)"""

    def forward(self, z: Tensor) -> Tensor:
        self.h = z.sigmoid_()  # (B, n)
        return self.h

    def backward(self, dh: Tensor) -> Tensor:
        _aten.sigmoid_backward.grad_input(dh, self.h, grad_input=dh)  # ∂L/∂z = ∂L/∂h·h·(1 − h)
        return dh


class MeanSquaredError:
    """L = Σ (ŷ − y)² / n      over the n = B·T values of a batch; ŷ, y (B, T)

    The factor 2/n of its derivative is applied once at the end, to the sums: ∂L/∂w = (2/n)·Σ (ŷ − y)·∂ŷ/∂w, as on paper.
    """

    def __init__(self, like: Tensor) -> None:
        self.error, self.square = torch.empty_like(like), torch.empty_like(like)
        self.squares = self.square.view(-1)
        self.sum, self.loss, self.n = like.new_zeros(()), like.new_zeros(()), like.new_tensor(like.numel())
        self.scale: Tensor | None = like.new_tensor(2 / like.numel())  # as a tensor: kernels take those sooner

    def forward(self, prediction: Tensor, y: Tensor) -> Tensor:
        torch.sub(prediction, y, out=self.error)  # ŷ − y                                      (B, T)
        torch.mul(self.error, self.error, out=self.square)  # (ŷ − y)²                         (B, T)
        torch.sum(self.squares, 0, out=self.sum)  # Σ (ŷ − y)²                                 ()
        return torch.div(self.sum, self.n, out=self.loss)  # L = Σ (ŷ − y)² / n                ()

    def backward(self) -> Tensor:
        return self.error  # ∂L/∂ŷ = (2/n)·(ŷ − y), without its factor                         (B, T)


class CrossEntropy:
    """L = −Σ log softmax(z)[y] / B      z (B, classes), y (B,) class ids; the same as log-softmax followed by NLL"""

    def __init__(self, like: Tensor) -> None:
        self.log_p, self.dz = torch.empty_like(like), torch.empty_like(like)
        self.one = like.new_ones(())
        self.scale: Tensor | None = None

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        self.y = y
        torch._log_softmax(z, 1, False, out=self.log_p)  # log p = z − log Σ eᶻ                (B, classes)
        loss: Tensor
        loss, self.weight = _aten.nll_loss_forward(self.log_p, y, None, 1, -100)
        return loss  # L = −Σ log p[y] / B                                                     ()

    def backward(self) -> Tensor:
        # ∂L/∂log p = −onehot(y)/B, and from it ∂L/∂z = (softmax(z) − onehot(y))/B                   (B, classes)
        d = _aten.nll_loss_backward(self.one, self.log_p, self.y, None, 1, -100, self.weight)
        return torch._log_softmax_backward_data(d, self.log_p, 1, d.dtype, out=self.dz)


ACTIVATIONS: Mapping[type[nn.Module], Callable[[], Layer]] = {nn.ReLU: ReLU, nn.Tanh: Tanh, nn.Sigmoid: Sigmoid}
LOSSES: Mapping[str, Callable[[Tensor], Loss]] = {
    "mse": MeanSquaredError,
    "cross-entropy": CrossEntropy,
    "nll": CrossEntropy,
}


def covers(layers: Sequence[nn.Module] | None, loss: str) -> bool:
    """Whether the closed forms above reach every gradient of these layers under this loss."""
    if not layers:
        return False
    return loss in LOSSES and isinstance(layers[-1], nn.Linear)


class Stack:
    """Layers one after another and the loss at their end, with buffers for batches of ``rows`` rows."""

    def __init__(self, layers: Sequence[nn.Module], loss: str, gradients: Mapping[int, Tensor], rows: int) -> None:
        self.layers: list[Layer] = []
        for layer in layers:
            if isinstance(layer, nn.Linear):
                places = [gradients[id(parameter)] for parameter in layer.parameters()]
                first = not any(isinstance(each, Linear) for each in self.layers)
                self.layers.append(Linear(layer, places, rows, first=first))
            elif type(layer) in ACTIVATIONS:
                self.layers.append(ACTIVATIONS[type(layer)]())
        last = self.layers[-1]
        assert isinstance(last, Linear)
        self.loss = LOSSES[loss](last.z)
        self._backward = [layer.backward for layer in reversed(self.layers)]

    def forward(self, x: Tensor) -> Tensor:
        """The output (B, outputs) for x (B, in)."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self) -> None:
        """Every gradient, from the loss back to the first layer; to be multiplied by ``loss.scale``."""
        gradient = self.loss.backward()
        for backward in self._backward:
            gradient = backward(gradient)
