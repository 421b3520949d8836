"""Operations with several outputs: ``split``, ``chunk``, ``unbind``, recurrent layers, attention layers.

All outputs of such an operation are kept in one row of numbers, one after the other; who takes one of them takes its part of the
row, and gives its gradient back to that part.
"""

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import _VF, Tensor
from torch.nn import functional

from descend.explain.formulas.arguments import NotCovered
from descend.record.graph import Operation

_RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")
_ATTENTION = "multi_head_attention_forward"
_ATTENTION_TENSORS = 7  # query, key, value, two weights with their biases
_PIECES = frozenset({"split", "chunk", "unbind", "tensor_split", "split_with_sizes"})
_WITH_PARTS = frozenset({*_PIECES, *_RECURRENT, _ATTENTION})

PIECES_TEXT = "y₁, y₂, … = x cut into pieces"
PIECES_DERIVATIVE = "∂L/∂x = ∂L/∂y₁, ∂L/∂y₂, … put together again"

_Function = Callable[[Operation, Sequence[Tensor]], Sequence[Tensor]]


def has_parts(operation: Operation) -> bool:
    """Whether all its outputs are computed, in one row."""
    return operation.name in _WITH_PARTS


def part_of(operation: Operation, row: Tensor, part: int) -> Tensor:
    """Output number ``part``, counted from 0. Raises NotCovered where only the first is computed."""
    if not has_parts(operation):
        if part:
            raise NotCovered(f"of the outputs of {operation.name} only the first is computed here")
        return row
    start = sum(prod(shape) for shape in operation.shapes[:part])
    return row[start : start + prod(operation.shapes[part])].view(operation.shapes[part])


def in_its_part(operation: Operation, row: Tensor, part: int, gradient: Tensor) -> Tensor:
    """The gradient by the whole row, from that by output number ``part``."""
    if not has_parts(operation):
        return gradient
    start = sum(prod(shape) for shape in operation.shapes[:part])
    whole = torch.zeros_like(row)
    whole[start : start + gradient.numel()] = gradient.flatten()
    return whole


def is_cut(operation: Operation) -> bool:
    """Whether its outputs are pieces of its input, whose derivative needs no autograd."""
    return operation.name in _PIECES


def put_together(operation: Operation, x: Tensor, gradient: Tensor) -> Tensor:
    """The gradient by what was cut into pieces: each of its entries lies in one of them, and gets the gradient from there."""
    numbered = torch.arange(x.numel(), dtype=torch.float64).view(x.shape)
    sources = all_outputs(operation, [numbered]).long()
    return torch.zeros(x.numel(), dtype=torch.float64).index_add_(0, sources, gradient).view(x.shape)


def all_outputs(operation: Operation, inputs: Sequence[Tensor]) -> Tensor:
    """All outputs in one row, by PyTorch's own function in float64."""
    name = operation.name
    try:
        outputs = _FUNCTIONS[name](operation, inputs)
    except (RuntimeError, TypeError, ValueError, IndexError, AssertionError) as error:
        raise NotCovered(f"{name} cannot be computed once more: {error}") from error
    if [tuple(each.shape) for each in outputs] != list(operation.shapes):
        raise NotCovered(f"{name} cannot be computed once more: its outputs have other shapes")
    return torch.cat([each.flatten() for each in outputs])


def _pieces(operation: Operation, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    given = {key if not key.isdigit() else int(key): value for key, value in operation.constants.items()}
    places = [given[place] for place in sorted(key for key in given if isinstance(key, int))]
    named = {str(key): value for key, value in given.items() if not isinstance(key, int)}
    name = "split" if operation.name == "split_with_sizes" else operation.name
    pieces: Sequence[Tensor] = getattr(inputs[0], name)(*places, **named)
    return pieces


def _recurrent(operation: Operation, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    name, constant = operation.name, operation.constant
    biases, layers, dropout = constant(3, "has_biases"), constant(4, "num_layers"), constant(5, "dropout")
    if not isinstance(biases, bool):
        raise NotCovered(f"{name} of packed sequences can be computed neither by a closed form nor by a known function")
    if dropout and layers > 1 and constant(6, "train"):
        raise NotCovered(f"which entries the dropout of {name} left out was not kept with this step")
    states = 2 if name == "lstm" else 1
    first, state, weights = inputs[0], tuple(inputs[1 : 1 + states]), list(inputs[1 + states :])
    settings = (biases, layers, 0.0, False, constant(7, "bidirectional"), constant(8, "batch_first"))
    function = getattr(_VF, name)
    outputs: Sequence[Tensor] = function(first, state if name == "lstm" else state[0], weights, *settings)
    return outputs


def _attention(operation: Operation, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    constant = operation.constant
    if len(inputs) != _ATTENTION_TENSORS:
        raise NotCovered(f"{_ATTENTION} with masks, without biases or with further ones cannot be computed once more")
    if constant(10, "dropout_p") and constant(13, "training", True):
        raise NotCovered(f"which weights the dropout of {_ATTENTION} left out was not kept with this step")
    q, k, v, weight, bias, out_weight, out_bias = inputs
    output, weights = functional.multi_head_attention_forward(
        q,
        k,
        v,
        int(constant(3, "embed_dim_to_check")),
        int(constant(4, "num_heads")),
        weight,
        bias,
        None,
        None,
        bool(constant(9, "add_zero_attn", False)),
        0.0,
        out_weight,
        out_bias,
        need_weights=bool(constant(15, "need_weights", True)),
        average_attn_weights=bool(constant(21, "average_attn_weights", True)),
    )
    return [output] if weights is None else [output, weights]


_FUNCTIONS: dict[str, _Function] = {
    **dict.fromkeys(_PIECES, _pieces),
    **dict.fromkeys(_RECURRENT, _recurrent),
    _ATTENTION: _attention,
}
