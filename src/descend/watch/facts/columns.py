"""What some rows of data are like: their columns, rows that come twice, empty ones, and numbers that are none."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

COLUMNS = 1_024  # that are looked at; of wider rows, evenly spaced ones
_TOLD = 64  # columns whose numbers are told one by one
_LISTED = 20
_FEW = 12  # different values of a column, up to which they are counted as kinds of something


def flat(rows: Tensor) -> Tensor:
    """(rows, columns) as 64-bit floats; of rows wider than 1,024 numbers evenly spaced ones."""
    wide = rows.detach().reshape(len(rows), -1)
    if wide.shape[1] > COLUMNS:
        wide = wide[:, :: -(-wide.shape[1] // COLUMNS)]
    return wide.to("cpu", torch.float64)


def hashes_of(x: Tensor) -> Tensor:
    """A number for each row of 32-bit floats (rows, columns), the same for the same numbers: (rows,)."""
    words = (x + 0.0).contiguous().view(torch.int32).long()  # -0 is 0
    weights = torch.arange(1, x.shape[1] + 1) * -7046029254386353131
    weights = (weights ^ (weights >> 29)) * -4658895280553007687 | 1  # odd, and unlike each other
    hashes = ((words + 1) * weights).sum(1)
    return hashes ^ (hashes >> 31)


def describe(rows: Tensor) -> dict[str, Any]:
    """The numbers of a sample of rows, as JSON values; ``centre``, ``spread``, ``least`` and ``most`` are of each column."""
    x = flat(rows)  # (n, columns)
    finite = torch.isfinite(x)
    found: dict[str, Any] = {
        "looked_at": len(x),
        "shape": list(rows.shape[1:]),
        "dtype": str(rows.dtype).removeprefix("torch."),
        "columns": x.shape[1],
        "not_finite": int((~finite).sum()),
        "not_finite_rows": int((~finite).any(1).sum()),
    }
    good = x[finite.all(1)]
    if len(good) < 2 or not x.shape[1]:
        return found
    low, high = good.min(0).values, good.max(0).values
    found |= {
        "least": float(low.min()),
        "most": float(high.max()),
        "mean": float(good.mean()),
        "std": float(good.std()),
    }
    found |= _constant(low, high)
    found |= _twice(good, low != high)
    found |= _empty(good, rows)
    if x.shape[1] <= _TOLD:
        quantiles = torch.quantile(good, torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64), 0)
        found["centre"] = quantiles[1].tolist()
        found["spread"] = (quantiles[2] - quantiles[0]).tolist()
        found["low"], found["high"] = low.tolist(), high.tolist()
        found["kinds"] = [_kinds(good[:, each]) for each in range(x.shape[1])]
    return found


def describe_labels(labels: Tensor) -> dict[str, Any]:
    """What targets are like, in their order: classes with their counts, or numbers."""
    y = labels.detach().cpu()
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    found: dict[str, Any] = {"rows": len(y), "shape": list(y.shape[1:])}
    if y.ndim != 1 or not len(y):
        return found
    numbers = y.double()
    if not bool(torch.isfinite(numbers).all()):
        return found | {"not_finite": int((~torch.isfinite(numbers)).sum())}
    values, counts = numbers.unique(return_counts=True)  # type: ignore[no-untyped-call]
    runs = 1 + int((numbers[1:] != numbers[:-1]).sum())
    whole = bool((values == values.round()).all())
    found |= {"different": len(values), "runs": runs, "least": float(values[0]), "most": float(values[-1])}
    if whole and len(values) <= max(2, min(1_000, len(y) // 4)):
        largest = int(counts.argmax())
        shares = counts.double() / len(y)
        found["classes"] = [[int(value), int(count)] for value, count in zip(values[:50], counts[:50], strict=True)]
        found["commonest"] = [int(values[largest]), int(counts[largest])]
        found["entropy"] = float(-(shares * shares.log()).sum())
        # Of a random order: every place but the first begins a new run unless its label is the one before it.
        found["runs_if_mixed"] = float(1 + (len(y) - 1) * (1 - (shares**2).sum()))
    else:
        found["variance"] = float(numbers.var(unbiased=False))
        found["rising"] = bool((numbers[1:] >= numbers[:-1]).all())
        found["falling"] = bool((numbers[1:] <= numbers[:-1]).all())
    return found


def series_in(rows: Tensor) -> str:
    """Whether neighbouring rows are alike as in a series over time: "windows" that overlap, "slow" values, or ""."""
    x = flat(rows)
    x = x[torch.isfinite(x).all(1)]
    if len(x) < 16 or x.shape[1] < 1:
        return ""
    for shift in range(1, min(x.shape[1], 9)):
        if x.shape[1] - shift >= 2 and _overlaps(x, shift):
            return "windows"
    x = (x - x.mean(0)) / x.std(0).clamp_min(1e-12)
    near = (x[1:] - x[:-1]).square().mean()
    far = (x - x.flip(0)).square().mean()
    return "slow" if bool(near < 0.25 * far) else ""


def _overlaps(x: Tensor, shift: int) -> bool:
    moves = x[1:, :-shift] == x[:-1, shift:]
    return bool(moves.double().mean() > 0.95) and bool((x[1:] != x[:-1]).any())


def _constant(low: Tensor, high: Tensor) -> dict[str, Any]:
    still = (low == high).nonzero().flatten()
    listed = [[int(each), float(low[each])] for each in still[:_LISTED]]
    return {"constant": listed, "constant_count": len(still)}


def _twice(x: Tensor, moving: Tensor) -> dict[str, Any]:
    """Columns that are the same as an earlier one, and rows that are the same as another."""
    kinds, of_rows, counts = hashes_of(x.float()).unique(return_inverse=True, return_counts=True)  # type: ignore[no-untyped-call]
    again = len(x) - len(kinds)
    found: dict[str, Any] = {"rows_again": again, "different_rows": len(kinds)}
    if again:
        place = int(counts.argmax())
        found["commonest_row"] = [int((of_rows == place).nonzero()[0]), int(counts[place])]
    if x.shape[1] < 2:
        return found
    first: dict[int, int] = {}
    pairs = []
    for column, kind in enumerate(hashes_of(x.T.float()).tolist()):
        if kind in first and bool(moving[column]):
            pairs.append([first[kind], column])
        first.setdefault(kind, column)
    return found | {"same": pairs[:_LISTED], "same_count": len(pairs)}


def _empty(x: Tensor, rows: Tensor) -> dict[str, Any]:
    """Rows that hold one number only, over and over."""
    if x.shape[1] < 2:
        return {}
    blank = (x == x[:, :1]).all(1)
    found: dict[str, Any] = {"blank": int(blank.sum()), "image": rows.ndim >= 3}
    if found["blank"]:
        found["blank_value"] = float(x[blank][0, 0])
        found["blank_at"] = int(blank.nonzero()[0])
    zero = x == 0
    found["zeros"] = float(zero.double().mean())
    ends = zero.flip(1).int().cumprod(1).sum(1)  # zeros that a row ends in
    starts = zero.int().cumprod(1).sum(1)
    found["padded"] = bool((torch.maximum(ends, starts) > 0).double().mean() > 0.3)
    return found


def _kinds(column: Tensor) -> int:
    """How many different values a column has, where they are few; else 0."""
    count = len(column.unique())  # type: ignore[no-untyped-call]
    return count if count <= _FEW else 0


def scale_of(described: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Centre and spread of each column that is told one by one."""
    return list(zip(described.get("centre", ()), described.get("spread", ()), strict=False))
