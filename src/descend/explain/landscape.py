"""The landscape that a step goes down: exact for linear least squares, its steepest curvature for any other model."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from descend.explain.recorded import RecordedStep
from descend.explain.replay import Replay
from descend.numerics.landscape import Landscape, epochs_needed

_VALUES = 8  # eigenvalues that are listed
_MOST_COLUMNS = 200


def landscape_of(recorded: RecordedStep, found: Replay) -> dict[str, Any] | None:
    """Eigenvalues, condition, largest stable rate, epochs needed; None where the model is not linear least squares in full batches."""
    parts = _linear(recorded, found)
    if parts is None:
        return None
    x, y, weight, bias = parts
    land = Landscape.of(x.numpy(), y.numpy(), bias=bias is not None)
    start = torch.cat([weight, bias.reshape(1, -1)]) if bias is not None else weight
    lr = recorded.lr
    values = [float(each) for each in land.eigenvalues]
    said: dict[str, Any] = {
        "rows": len(x),
        "features": x.shape[1],
        "directions": len(values),
        "eigenvalues": values if len(values) <= _VALUES else [*values[: _VALUES // 2], *values[-_VALUES // 2 :]],
        "condition": land.condition,
        "largest_stable_lr": land.largest_stable_rate,
        "lr": None if math.isnan(lr) else lr,
        "floor": land.floor,
    }
    if (
        not math.isnan(lr)
        and (recorded.optimizers or recorded.by_hand is not None)
        and all(is_plain(each.kind, each.settings) for each in recorded.optimizers)
    ):
        descent = land.descent(start.numpy(), lr)
        said["stable"] = descent.is_stable
        if descent.is_stable:
            needed = epochs_needed(land, start.numpy(), lr)
            said |= {"close": needed.loss, "epochs_now": needed.now, "epochs_standardised": needed.standardised}
            said["standardised_lr"] = needed.standardised_rate
        else:
            said["growth"] = descent.growth
    return said


def is_plain(kind: str, settings: Mapping[str, Any]) -> bool:
    """Whether an optimizer is plain gradient descent."""
    return kind in ("", "SGD") and not settings.get("momentum") and not settings.get("weight_decay")


def _linear(recorded: RecordedStep, found: Replay) -> tuple[Tensor, Tensor, Tensor, Tensor | None] | None:
    """Rows, targets, weights (features, outputs) and bias where the loss is the mean squared error of one linear map."""
    if len(found.losses) != 1:
        return None
    products = [
        one
        for index, one in found.worked.items()
        if one.operation.name in ("matmul", "linear", "addmm", "mm", "mul") and index in found.followed
    ]
    named = [name for name in found.gradients if name in recorded.parameters]
    if not products or not 1 <= len(named) <= 2:
        return None
    first = products[0]
    places = [n for n, each in enumerate(first.operation.inputs) if each in named]
    if not places:
        return None
    weight = first.inputs[places[0]]
    rows = next((each for n, each in enumerate(first.inputs) if n not in places and each.ndim <= 2), None)
    name = first.operation.inputs[places[0]]
    y = recorded.tensors.get("batch.y")
    if rows is None or y is None:
        return None
    x = rows.reshape(len(rows), -1) if rows.ndim else rows.reshape(1, 1)
    weight = (
        (weight.T if first.operation.name == "linear" else weight).reshape(x.shape[1], -1)
        if weight.numel() % x.shape[1] == 0
        else weight
    )
    other = [each for each in named if each != name]
    bias = found.leaves[other[0]] if other else None
    y = y.double().reshape(len(y), -1)
    if x.shape[1] > _MOST_COLUMNS or len(y) != len(x) or weight.shape != (x.shape[1], y.shape[1]):
        return None
    if bias is not None and bias.numel() != y.shape[1]:
        return None
    output = x @ weight + (bias.reshape(1, -1) if bias is not None else 0)
    loss = float((output - y).square().mean())
    return (x, y, weight, bias) if math.isclose(loss, found.loss, rel_tol=1e-6) else None
