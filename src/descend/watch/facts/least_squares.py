"""Recognises a loss that is a linear least-squares problem, from its graph, and reduces it to what decides how it is solved."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from descend.watch.facts.walk import inputs_of, kind_of, leaf_of, saved
from descend.watch.operation_values import lies_in_rows

_WORK = 4_000_000  # multiplications of the decomposition; of more rows, evenly spaced ones
_COLUMNS = 48
_TO_ONE_NUMBER = frozenset(["Mean", "Sum", "Div", "Mul", "View", "Squeeze", "Alias"])
_SAME_NUMBERS = frozenset(
    ["Squeeze", "Unsqueeze", "View", "UnsafeView", "ReshapeAlias", "Clone", "Alias", "Neg", "T", "Expand"]
)


@dataclass(eq=False)
class Squares:
    """scale · mean((columns · θ − y)²)."""

    parameters: list[Tensor]
    columns: Tensor  # (N, p) float64, with a column of ones last where there is a bias
    bias: bool
    start: Tensor  # θ (p, k)
    y: Tensor  # (N, k)
    loss: float
    scale: float

    def same_data(self, other: "Squares") -> bool:
        """Whether it is the same problem: equal columns and, but for rounding, equal targets."""
        return torch.equal(self.columns, other.columns) and torch.allclose(self.y, other.y, rtol=1e-3, atol=1e-5)

    def as_json(self) -> dict[str, Any]:
        """All but the names of the parameters."""
        both = torch.cat([self.columns, self.y], dim=1)
        used = both[:: max(1, both.shape[0] * both.shape[1] ** 2 // _WORK)]
        triangle = torch.linalg.qr(used, mode="r").R if len(used) > used.shape[1] else used
        return {
            "rows": len(both),
            "rows_used": len(used),
            "outputs": self.y.shape[1],
            "bias": self.bias,
            "triangle": triangle.tolist(),
            "start": self.start.tolist(),
            "scale": self.scale,
            "loss": self.loss,
        }


def squares_of(loss: Tensor) -> Squares | None:
    """The problem, where the loss is one: data times parameters, less targets, squared, summed or averaged, and nothing else."""
    residual, node, sign = _residual(loss.grad_fn)
    if residual is None or node is None or not residual.numel():
        return None
    terms: list[_Term] = []
    if not _gather(node, sign, terms) or not terms:
        return None
    residual = residual.detach().to("cpu", torch.float64)
    return _put_together(terms, residual, float(loss.detach().double().cpu()))


@dataclass
class _Term:
    """A part of the prediction: data times a parameter, or a parameter alone."""

    parameter: Tensor
    sign: float
    data: Tensor | None  # (N, d)
    turned: bool = False


def _residual(node: Any) -> tuple[Tensor | None, Any, float]:
    """What is squared, the node that made it, and the sign with which the prediction stands in it."""
    for _ in range(6):
        if node is None:
            break
        kind, made = kind_of(node), inputs_of(node)
        if kind == "MseLoss":
            prediction, target = saved(node, "self"), saved(node, "target")
            if prediction is None or target is None or prediction.shape != target.shape or None not in made[:2]:
                break
            return prediction - target, made[0] or made[1], 1.0 if made[1] is None else -1.0
        if kind == "Pow" and getattr(node, "_saved_exponent", 0) == 2:
            return saved(node, "self"), made[0], 1.0
        if kind == "Mul" and len(made) == 2 and made[0] is not None and made[0] is made[1]:
            return saved(node, "self"), made[0], 1.0
        followed = [each for each in made if each is not None]
        if kind not in _TO_ONE_NUMBER or len(followed) != 1:
            break
        if kind == "Mul" and len(made) == 2:
            factor = saved(node, "other") if made[0] is not None else saved(node, "self")
            if factor is not None and factor.numel() != 1:
                break
        node = followed[0]
    return None, None, 1.0


def _gather(node: Any, sign: float, terms: list[_Term]) -> bool:
    """Collect the terms of a sum; False where there is anything else."""
    waiting = [(node, sign)]
    while waiting:
        if len(waiting) + len(terms) > _COLUMNS:
            return False
        node, sign = waiting.pop()
        kind, made = kind_of(node), inputs_of(node)
        if hasattr(node, "variable"):
            terms.append(_Term(node.variable, sign, None))
        elif kind in ("Add", "Sub"):
            if getattr(node, "_saved_alpha", 1) != 1:
                return False
            signs = (sign, -sign if kind == "Sub" else sign)
            waiting += [(each, side) for each, side in zip(made, signs, strict=False) if each is not None]
        elif kind == "Rsub":
            waiting.append((made[0], -sign))
        elif kind in _SAME_NUMBERS:
            waiting.append((made[0], -sign if kind == "Neg" else sign))
        elif not _add_product(node, kind, made, sign, terms):
            return False
    return True


def _add_product(node: Any, kind: str, made: Sequence[Any], sign: float, terms: list[_Term]) -> bool:
    if kind == "Addmm":
        if made[0] is not None:
            bias, _ = leaf_of(made[0])
            if bias is None:
                return False
            terms.append(_Term(bias, sign, None))
        made, names = made[1:], ("mat1", "mat2")
    elif kind in ("Mm", "Mv", "Mul"):
        names = ("self", {"Mm": "mat2", "Mv": "vec", "Mul": "other"}[kind])
    else:
        return False
    if (made[0] is None) == (made[1] is None):
        return False
    data = saved(node, names[0] if made[0] is None else names[1])
    parameter, turned = leaf_of(made[1] if made[0] is None else made[0])
    if data is None or parameter is None:
        return False
    if kind == "Mul":
        if parameter.numel() != 1 or data.numel() < 2:
            return False
        data = data.reshape(-1, 1)
    elif made[1] is None:  # W·xᵀ
        data, turned = data.transpose(-1, -2), not turned
    if data.ndim != 2:
        return False
    terms.append(_Term(parameter, sign, data, turned))
    return True


def _put_together(terms: Sequence[_Term], residual: Tensor, loss: float) -> Squares | None:
    products = [each for each in terms if each.data is not None]
    if not products or len({id(each.parameter) for each in terms}) < len(terms):
        return None
    first = products[0].data
    assert first is not None
    if not all(each.data is None or lies_in_rows(each.data) for each in products):
        return None
    rows, outputs = len(first), residual.numel() // max(1, len(first))
    if rows * outputs != residual.numel():
        return None
    columns: list[Tensor] = []
    start: list[Tensor] = []
    for each in products:
        assert each.data is not None
        value = each.parameter.detach().to("cpu", torch.float64)
        value = value.t() if each.turned and value.ndim == 2 else value
        if len(each.data) != rows or value.numel() != each.data.shape[1] * outputs:
            return None
        columns.append(each.sign * each.data.detach().to("cpu", torch.float64))
        start.append(value.reshape(-1, outputs))
    biases = [each for each in terms if each.data is None]
    if len(biases) > 1 or any(each.parameter.numel() != outputs for each in biases):
        return None
    for each in biases:
        columns.append(torch.full((rows, 1), each.sign, dtype=torch.float64))
        start.append(each.parameter.detach().to("cpu", torch.float64).reshape(1, outputs))
    table, theta = torch.cat(columns, dim=1), torch.cat(start)
    if table.shape[1] > _COLUMNS or not bool(torch.isfinite(table).all()):
        return None
    prediction = table @ theta
    y = prediction - _as_table(residual, rows, outputs)
    mean = float(residual.square().mean())
    return Squares(
        [each.parameter for each in terms], table, bool(biases), theta, y, loss, loss / mean if mean else 1.0
    )


def _as_table(residual: Tensor, rows: int, outputs: int) -> Tensor:
    return (
        residual.t() if residual.shape == (outputs, rows) and outputs != 1 != rows else residual.reshape(rows, outputs)
    )
