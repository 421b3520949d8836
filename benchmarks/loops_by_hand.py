"""The least that PyTorch's kernels can do the work of the table with: a step derived by hand for exactly one model.

Nothing is allocated, checked, shown or recorded, and no other model can be trained with it. It is the yardstick for what
descend spends around its own kernels.
"""

from collections.abc import Callable, Sequence

import torch
from loops import order, table_model
from rows import table
from timing import Measured
from torch import Tensor

Step = Callable[[Tensor, Tensor], None]  # takes the rows of a batch (B,) and where its loss goes ()
BATCH = 1024


def table_by_hand(kind: str, epochs: int, rows: int | None) -> Measured:
    """The table on one thread, with one flat tensor of values, one of gradients, and every buffer made beforehand."""
    torch.set_num_threads(1)
    features, values = (torch.from_numpy(array) for array in table(kind, rows))
    initial = [parameter.detach() for parameter in table_model(kind).parameters()]
    flat = torch.cat([parameter.flatten() for parameter in initial])  # (n,)
    gradient = torch.zeros_like(flat)
    shapes = [parameter.shape for parameter in initial]
    make = _linear_step if kind == "linear" else _two_layer_step
    parts = order(len(features), 1).split(BATCH)
    steps = {
        size: make(features, values, _cut(flat, shapes), _cut(gradient, shapes), size)
        for size in {len(part) for part in parts}
    }
    update = _descent(flat, gradient) if kind == "linear" else _adam(flat, gradient)
    losses = torch.zeros(epochs, len(parts))
    measured = Measured()
    for epoch in range(epochs):
        with measured.epoch():
            chosen = order(len(features), epoch + 1).split(BATCH)
            for batch, loss in zip(chosen, losses[epoch].unbind(), strict=True):
                steps[len(batch)](batch, loss)
                update()
    measured.losses, measured.score = losses[0].tolist(), losses[-1].mean().item()
    return measured


def _linear_step(
    features: Tensor, values: Tensor, parameters: Sequence[Tensor], gradients: Sequence[Tensor], size: int
) -> Step:
    weight, bias = parameters  # (1, 20), (1,)
    weight_gradient, bias_gradient = gradients
    x, y, error = torch.empty(size, features.shape[1]), torch.empty(size, 1), torch.empty(size, 1)
    column, error_row, error_flat = weight.t(), error.t(), error.view(-1)

    def step(batch: Tensor, loss: Tensor) -> None:
        torch.index_select(features, 0, batch, out=x)
        torch.index_select(values, 0, batch, out=y)
        torch.addmm(bias, x, column, out=error).sub_(y)  # ŷ − y                              (B, 1)
        torch.dot(error_flat, error_flat, out=loss).div_(size)  # L = Σ (ŷ − y)² / B          ()
        error.mul_(2 / size)  # ∂L/∂ŷ                                                         (B, 1)
        torch.mm(error_row, x, out=weight_gradient)
        torch.sum(error, 0, out=bias_gradient)

    return step


def _two_layer_step(
    features: Tensor, values: Tensor, parameters: Sequence[Tensor], gradients: Sequence[Tensor], size: int
) -> Step:
    weight, bias, weight_out, bias_out = parameters  # (64, 20), (64,), (1, 64), (1,)
    weight_gradient, bias_gradient, weight_out_gradient, bias_out_gradient = gradients
    x, y, error = torch.empty(size, features.shape[1]), torch.empty(size, 1), torch.empty(size, 1)
    hidden, back = torch.empty(size, len(bias)), torch.empty(size, len(bias))
    column, column_out = weight.t(), weight_out.t()
    error_row, error_flat, back_rows = error.t(), error.view(-1), back.t()
    relu_backward = torch.ops.aten.threshold_backward.grad_input

    def step(batch: Tensor, loss: Tensor) -> None:
        torch.index_select(features, 0, batch, out=x)
        torch.index_select(values, 0, batch, out=y)
        torch.addmm(bias, x, column, out=hidden).relu_()  # h = max(0, x·Wᵀ + b)              (B, 64)
        torch.addmm(bias_out, hidden, column_out, out=error).sub_(y)  # ŷ − y                 (B, 1)
        torch.dot(error_flat, error_flat, out=loss).div_(size)  # L = Σ (ŷ − y)² / B          ()
        error.mul_(2 / size)  # ∂L/∂ŷ                                                         (B, 1)
        torch.mm(error_row, hidden, out=weight_out_gradient)
        torch.sum(error, 0, out=bias_out_gradient)
        torch.mm(error, weight_out, out=back)  # ∂L/∂h                                        (B, 64)
        relu_backward(back, hidden, 0, grad_input=back)  # where h > 0, else 0
        torch.mm(back_rows, x, out=weight_gradient)
        torch.sum(back, 0, out=bias_gradient)

    return step


def _descent(flat: Tensor, gradient: Tensor) -> Callable[[], object]:
    return lambda: flat.add_(gradient, alpha=-0.01)


def _adam(flat: Tensor, gradient: Tensor) -> Callable[[], None]:
    steps = torch.zeros(())
    tensors = [[flat], [gradient], [torch.zeros_like(flat)], [torch.zeros_like(flat)], [], [steps]]
    settings = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}

    def update() -> None:
        steps.add_(1)
        torch._fused_adam_(*tensors, amsgrad=False, maximize=False, **settings)

    return update


def _cut(flat: Tensor, shapes: Sequence[torch.Size]) -> list[Tensor]:
    parts = flat.split([shape.numel() for shape in shapes])
    return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]
