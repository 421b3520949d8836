"""What losses are given: scores or probabilities on one side, class ids or numbers on the other.

As ``facts`` of an operation that is a loss, and of a difference between something learned and something given:

    low, high    least and largest number of each column of the prediction (of at most 64, evenly spaced); equal where all rows are
    rows         of the prediction; ``columns``: how many there are
    sums         least and largest sum of a row; ``log_sums``: least and largest logarithm of the sum of a row's exponentials
    target       least and largest number of the target; ``target_columns``: how many numbers a row of it has
    beyond       the shares of the target's numbers that are below -1, below 0 and above 1
    whole        whether all numbers of the target are whole
    counts       how often 0, 1 … 63 is in the target; ``counted``: of how many numbers (at most 2,048, evenly spaced)
    target_sums  least and largest sum of a row, of a target that has a column for each class

Of ``getitem``: ``index``, the least and largest of the positions that are picked out of something learned. Of a product with something
learned: ``differ``, whether the first eight rows of the data differ at all.

And as the fact ``all_zero`` for a step that is looked at in which every backward pass gave gradients that are exactly zero: ``leaves``, how many.
"""

from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from descend.watch.facts.moments import Collector, Telling
from descend.watch.places import Place

_COLUMNS = 64
_COUNTED = 2_048  # numbers of a target
_NUMBERS = 1_000_000  # of a prediction that are looked at; of more, evenly spaced rows
_BY_CLASS = frozenset(["cross_entropy", "nll_loss", "kl_div"])
_BY_NUMBER = frozenset(
    [
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
        "multilabel_soft_margin_loss",
        "soft_margin_loss",
        "hinge_embedding_loss",
        "mse_loss",
        "l1_loss",
        "smooth_l1_loss",
        "huber_loss",
        "poisson_nll_loss",
    ]
)
_OF_TWO = frozenset(["margin_ranking_loss", "cosine_embedding_loss"])  # the target comes third
_PRODUCTS = frozenset(
    [
        "linear",
        "matmul",
        "mm",
        "addmm",
        "bmm",
        "mv",
        "mul",
        "einsum",
        "embedding",
        "embedding_bag",
        "conv1d",
        "conv2d",
        "conv3d",
        "add",
        "lstm",
        "gru",
        "rnn_tanh",
        "rnn_relu",
        "layer_norm",
        "batch_norm",
    ]
)
_CHOICES = frozenset(["log_softmax", "softmax", "log", "logsigmoid"])  # of losses that are written out


class Losses(Collector):
    """Sums up what each loss of a recorded step is given."""

    def operation(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
    ) -> Mapping[str, Any] | None:
        if name in _BY_CLASS or name in _BY_NUMBER or name in _OF_TWO:
            return _of_loss(name, args, kwargs)
        if name == "sub":
            return _of_difference(args, output)
        if name in _CHOICES:
            given = args[0] if args else kwargs.get("input")
            return _columns(given) if _is_plain(given) and given.requires_grad else None
        if name == "getitem":
            return _of_index(args)
        return _of_product(args, kwargs) if name in _PRODUCTS else None

    def __init__(self, tell: Telling) -> None:
        super().__init__(tell)
        self._zero: list[tuple[int, Place]] = []  # of the backward passes of the step that runs
        self._other = False  # one of them gave a gradient that is not zero, or that cannot be looked at

    def backward_ends(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        gradients = [each.grad for each in leaves if each.grad is not None]
        known = bool(gradients) and all(each.layout is torch.strided for each in gradients)
        # The last layer's bias is the likeliest to have one.
        if known and not any(bool(each.any()) for each in reversed(gradients)):
            self._zero.append((len(gradients), self.tell.place(frame)))
        else:
            self._other = True

    def step_done(self, step: int, leaves: Sequence[Tensor]) -> None:
        if self._zero and not self._other:
            self.tell.fact(step, "all_zero", {"leaves": sum(each for each, _ in self._zero)}, self._zero[0][1])
        self._zero, self._other = [], False


def _of_loss(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any] | None:
    given = args[0] if args else kwargs.get("input", kwargs.get("input1"))
    position = 2 if name in _OF_TWO else 1
    target = args[position] if len(args) > position else kwargs.get("target")
    if not _is_plain(given) or not given.requires_grad:
        return None
    axis = 1 if name in ("cross_entropy", "nll_loss") and given.ndim > 2 else -1
    found = _columns(given, axis)
    if name in _BY_CLASS:
        found |= _sums(given, axis, logarithms=name != "cross_entropy")
    if _is_plain(target):
        found |= _target(target)
        if name in _BY_CLASS and target.shape == given.shape and target.is_floating_point():
            found["target_sums"] = _ends(_sampled(target.detach(), axis).sum(-1))
    return found


def _of_difference(args: tuple[Any, ...], output: Any) -> dict[str, Any] | None:
    """Of ``prediction - target`` and ``target - prediction``, with as many numbers on either side."""
    if len(args) < 2 or not _is_plain(args[0]) or not _is_plain(args[1]) or not _is_plain(output):
        return None
    first, second = args[:2]
    if not output.requires_grad or first.requires_grad == second.requires_grad or first.numel() != second.numel():
        return None
    given, target = (first, second) if first.requires_grad else (second, first)
    return _columns(given) | _target(target) if given.numel() > 1 else None


def _of_index(args: tuple[Any, ...]) -> dict[str, Any] | None:
    """Of ``scores[rows, labels]``: class ids below zero count from the end, and nothing says so."""
    if len(args) < 2 or not isinstance(args[0], Tensor) or not args[0].requires_grad or not isinstance(args[1], tuple):
        return None
    chosen = args[1][-1] if args[1] else None
    if not _is_plain(chosen) or chosen.is_floating_point() or chosen.dtype is torch.bool:
        return None
    return {"index": _ends(chosen), "width": args[0].shape[len(args[1]) - 1]}


def _of_product(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any] | None:
    tensors = [each for each in (*args, *kwargs.values()) if _is_plain(each)]
    data = next((each for each in tensors if not each.requires_grad and each.ndim and len(each) > 1), None)
    if data is None or len(tensors) < 2 or not any(each.requires_grad for each in tensors):
        return None
    return {"differ": (data[1:8] != data[:1]).any()}


def _columns(given: Tensor, axis: int = -1) -> dict[str, Any]:
    """Least and largest number of each column."""
    if given.ndim == 0:
        return {"low": given.detach().reshape(1), "high": given.detach().reshape(1), "rows": 1, "columns": 1}
    width = given.shape[axis] if given.ndim > 1 else 1
    values = _sampled(given.detach(), axis) if given.ndim > 1 else given.detach().reshape(-1, 1)
    low, high = values.amin(0), values.amax(0)
    every = -(-width // _COLUMNS)
    found = {"low": low[::every], "high": high[::every], "rows": given.numel() // max(1, width), "columns": width}
    return found if every == 1 else found | {"range": torch.stack((low.min(), high.max()))}


def _sums(given: Tensor, axis: int, *, logarithms: bool) -> dict[str, Any]:
    values = _sampled(given.detach(), axis)
    if values.dtype in (torch.float16, torch.bfloat16):
        values = values.float()
    found = {"sums": _ends(values.sum(-1))}
    return found | {"log_sums": _ends(values.logsumexp(-1))} if logarithms else found


def _target(target: Tensor) -> dict[str, Any]:
    flat = target.detach().reshape(-1)
    columns = target.numel() // len(target) if target.ndim else 1
    found: dict[str, Any] = {"target": _ends(flat), "target_columns": columns}
    flat = flat[:: max(1, -(-len(flat) // _COUNTED))]
    if flat.is_floating_point():
        found["beyond"] = torch.stack((flat < -1, flat < 0, flat > 1)).float().mean(1)
        wide = flat if flat.device.type == "mps" else flat.double()  # which has no double precision
        found["target_spread"] = torch.stack((wide.mean(), wide.std(unbiased=False)))
    found["whole"] = (flat == flat.round()).all() if flat.is_floating_point() else True
    if flat.is_cpu and not found["whole"]:  # of another device nothing is read back yet
        return found
    return found | {"counts": _counts(flat), "counted": len(flat)}


def _counts(numbers: Tensor) -> Tensor:
    """How often 0, 1 … 63 is among them."""
    if numbers.is_cpu:
        places = numbers.long().clamp(-1, _COLUMNS) + 1
        return places.bincount(minlength=_COLUMNS + 2)[1:-1]
    kinds = torch.arange(_COLUMNS, dtype=numbers.dtype, device=numbers.device)
    return (numbers.unsqueeze(1) == kinds).sum(0)  # counts without waiting for the device


def _sampled(values: Tensor, axis: int) -> Tensor:
    """(rows, columns): all of it, or evenly spaced rows of what is large."""
    if values.ndim > 2 and axis != -1:
        values = values.movedim(axis, -1)
    flat = values.reshape(-1, values.shape[-1]) if values.ndim else values.reshape(1, 1)
    return flat[:: max(1, flat.numel() // _NUMBERS)]


def _ends(values: Tensor) -> Tensor:
    return torch.stack(torch.aminmax(values))


def _is_plain(value: Any) -> TypeGuard[Tensor]:
    return (
        type(value) in (Tensor, nn.Parameter)
        and value.layout is torch.strided
        and value.numel() > 0
        and not value.is_complex()
        and not value.is_quantized
        and value.device.type != "meta"
    )
