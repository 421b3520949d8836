"""How well data fit their targets in two readings: with the rows as a reshape made them, and as a transposition would have made them."""

from typing import Any

import torch
from torch import Tensor

from descend.watch.facts.sets import spread_out

_ROWS = 2_000  # that are looked at; of more, evenly spaced ones
_COLUMNS = 32  # of wider rows, evenly spaced ones of those that are not constant
_WIDE = 256  # columns among which these are looked for
_OUTPUTS = 64
_CLASSES = 50
_FREE = 2  # rows that are left over, at the least, when every column and the bias have taken one


def floors(x: Tensor, before: tuple[int, ...], axis: int, y: Tensor) -> dict[str, Any]:
    """Fit ``y`` linearly to both readings of ``x`` in float64, with a bias.

    ``x`` (N, …) has the numbers of a tensor of the shape ``before``, in their order, whose ``axis`` has N elements. As JSON values:
    ``rows`` and ``columns`` that were used, of ``of_columns``; ``outputs``; ``classes``: how many, where the targets are labels, as
    indicators; ``spread``: the mean of squares about the mean of the targets; ``floor`` and ``transposed``: the least mean of squares that
    a linear model can reach with either reading, None where there are too few rows or some numbers are none.
    """
    chosen = spread_out(len(x), _ROWS)
    wanted, classes = _targets(y, chosen)
    given = x.detach()
    reshaped = _table(given, chosen)
    transposed = _table(given.reshape(before).movedim(axis, 0), chosen)
    most = min(_COLUMNS, max(len(chosen) // 4, min(reshaped.shape[1], len(chosen) - 1 - _FREE)))
    count = min(most, _moving(reshaped), _moving(transposed))
    found: dict[str, Any] = {
        "rows": len(chosen),
        "columns": count,
        "of_columns": x[:1].numel(),
        "outputs": wanted.shape[1],
        "classes": classes,
        "spread": None,
        "floor": None,
        "transposed": None,
    }
    if count < 1 or len(chosen) < count + 1 + _FREE:
        return found
    tables = reshaped, transposed, wanted
    if not all(bool(torch.isfinite(each).all()) for each in tables):
        return found
    wanted = wanted - wanted.mean(0)
    return found | {
        "spread": float(wanted.square().mean()),
        "floor": _left_over(_some(reshaped, count), wanted),
        "transposed": _left_over(_some(transposed, count), wanted),
    }


def _table(rows: Tensor, chosen: Tensor) -> Tensor:
    """(n, columns) in float64; of wide rows evenly spaced columns."""
    taken = rows.index_select(0, chosen.to(rows.device)).reshape(len(chosen), -1)
    return taken[:, :: -(-taken.shape[1] // _WIDE)].to("cpu", torch.float64)


def _targets(y: Tensor, chosen: Tensor) -> tuple[Tensor, int]:
    """(n, outputs) in float64, and how many classes there are where they are labels."""
    rows = y.detach().index_select(0, chosen.to(y.device)).reshape(len(chosen), -1).cpu()
    if not rows.is_floating_point() and rows.dtype != torch.bool and rows.shape[1] == 1:
        values, places = torch.unique(rows[:, 0], return_inverse=True)
        if 2 <= len(values) <= min(_CLASSES, max(2, len(rows) // 3)):
            return torch.nn.functional.one_hot(places, len(values)).double(), len(values)
    return rows[:, :_OUTPUTS].double(), 0


def _moving(table: Tensor) -> int:
    """How many of the columns are not constant."""
    return int((table != table[:1]).any(0).sum())


def _some(table: Tensor, count: int) -> Tensor:
    """``count`` of the columns that are not constant, evenly spaced, about their means and of one scale."""
    moving = (table != table[:1]).any(0).nonzero().flatten()
    taken = table[:, moving[spread_out(len(moving), count)]]
    taken = taken - taken.mean(0)
    return taken / taken.abs().amax(0)


def _left_over(columns: Tensor, wanted: Tensor) -> float:
    """The mean of squares that remains of the targets."""
    # By singular values: columns that depend on each other count once.
    left, sizes, _ = torch.linalg.svd(columns, full_matrices=False)
    left = left[:, sizes > 1e-10 * sizes[0]]
    return float((wanted - left @ (left.T @ wanted)).square().mean())
