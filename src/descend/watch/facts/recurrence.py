"""States that recurrent layers are given: whether they are zero, and whether what they were given goes on from where the last call ended.

As ``facts`` of an operation ``lstm``, ``gru``, ``rnn_tanh`` … or of one cell: ``length``: elements in each sequence; ``state``: the largest
size of a number in the state that it began with, 0 for zeros; ``jump``: how far the first elements are from the last ones of the call
before; ``within``: how far neighbours are from one another; ``apart``: how far the first elements of sequences are from one another;
``whole``: the input is of whole numbers or of zeros and ones only.
And of a product with a parameter whose other side has no graph: ``zeros``: whether that is all zeros.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from descend.watch.facts.moments import Collector, Telling
from descend.watch.operation_values import lies_in_rows

_FEW = 64  # numbers
_LAYERS = frozenset(["lstm", "gru", "rnn_tanh", "rnn_relu"])
_CELLS = frozenset(["lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"])
_PRODUCTS = frozenset(["linear", "matmul", "mm", "mv", "addmm"])


class Recurrence(Collector):
    """Looks at the state of recurrent layers, and keeps a copy of the last elements of their input."""

    def __init__(self, tell: Telling) -> None:
        super().__init__(tell)
        self._last: Tensor | None = None

    def operation(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
    ) -> Mapping[str, Any] | None:
        if name in _LAYERS:
            return self._layer(args)
        if name in _CELLS and len(args) > 1:
            return {"length": 1, "state": _largest(args[1])}
        if name in _PRODUCTS and len(args) > 1:
            sides = [each for each in args[:3] if isinstance(each, Tensor)][-2:] if name == "addmm" else args[:2]
            given, weight = sides if len(sides) == 2 else (None, None)
            if not isinstance(weight, Tensor) or not isinstance(given, Tensor) or not weight.requires_grad:
                return None
            if not given.requires_grad and given.is_floating_point() and lies_in_rows(given) and given.numel():
                return {"zeros": _is_zero(given.detach())}
        return None

    def _layer(self, args: tuple[Any, ...]) -> Mapping[str, Any] | None:
        given = args[0] if args else None
        if (
            not isinstance(given, Tensor)
            or given.ndim != 3
            or not lies_in_rows(given)
            or len(args) < 9
            or not isinstance(args[1], Tensor | tuple | list)
        ):
            return None  # packed sequences: their lengths tell where each begins
        batch_first = bool(args[8])
        values = given.detach().float() if batch_first else given.detach().float().transpose(0, 1)  # (N, T, D)
        found: dict[str, Any] = {"length": values.shape[1], "sequences": values.shape[0], "state": _largest(args[1])}
        last, self._last = self._last, values[:, -1].clone()
        if last is not None and last.shape == values[:, 0].shape and not given.requires_grad:
            found["jump"] = (values[:, 0] - last).abs().mean()
            if values.shape[1] > 1:
                found["within"] = (values[:, 1:] - values[:, :-1]).abs().mean()
            if len(values) > 1:
                found["apart"] = (values[1:, 0] - values[:-1, 0]).abs().mean()
            found["whole"] = (values == values.round()).all()
        return found


def _is_zero(values: Tensor) -> Tensor | bool:
    """Whether all are zero. On the CPU a few of them answer nearly always; elsewhere nothing is read back here."""
    if values.is_cpu and bool(values.reshape(-1)[:: max(1, values.numel() // _FEW)].any()):
        return False
    return values.any().logical_not()


def _largest(state: Any) -> Tensor | None:
    """The largest size of a number in a state."""
    tensors = [state] if isinstance(state, Tensor) else list(state) if isinstance(state, tuple | list) else []
    sizes = [each.detach().abs().max().float() for each in tensors if isinstance(each, Tensor) and each.numel()]
    return torch.stack(sizes).max() if sizes else None
