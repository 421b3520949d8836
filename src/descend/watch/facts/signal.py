"""Whether anything can be learnt: probes that need no training, on a sample of rows.

The nearest neighbours, least squares, and least squares on the products of any two columns.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from descend.watch.facts.columns import flat

ROWS = 400
_COLUMNS = 64  # of which least squares makes its prediction
_NEIGHBOURS = 5
_FOLDS = 5
_FEWEST = 60
_RIDGE = 0.1  # on products of columns: small beside what one of some twenty columns weighs in the sum


def probe(x: Tensor, y: Tensor) -> dict[str, Any]:
    """How well each probe foretells the targets of rows that it has not seen, beside the best constant answer.

    For classes ``neighbours``, ``linear`` and ``products`` are shares of right answers, for numbers the share of the variance that is explained; ``chance``
    is what a constant answer reaches, and ``error`` two standard errors of such a share. Empty where there are too few rows.
    """
    inputs, targets = flat(x)[:ROWS], y.detach().cpu()[:ROWS]
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim != 1:
        return {}
    values = targets.double()
    good = torch.isfinite(inputs).all(1) & torch.isfinite(values)
    inputs, values = inputs[good], values[good]
    inputs = inputs[:, inputs.std(0) > 0] if len(inputs) > 1 else inputs
    if len(inputs) < _FEWEST or not inputs.shape[1] or len(values.unique()) < 2:  # type: ignore[no-untyped-call]
        return {}
    inputs = (inputs - inputs.mean(0)) / inputs.std(0)
    kinds, classes = values.unique(return_inverse=True)  # type: ignore[no-untyped-call]
    is_class = bool((kinds == kinds.round()).all()) and len(kinds) <= len(values) // 5
    n = len(values)
    found: dict[str, Any] = {"rows": n, "classes": len(kinds) if is_class else 0}
    if is_class:
        wanted = torch.nn.functional.one_hot(classes).double()
        chance = float(wanted.mean(0).max())
        error = 2 * math.sqrt(chance * (1 - chance) / n)

        def reached(made: Tensor) -> float:
            return float((made.argmax(1) == classes).double().mean())

    else:
        wanted = ((values - values.mean()) / values.std()).unsqueeze(1)
        chance, error = 0.0, 2 / math.sqrt(n)

        def reached(made: Tensor) -> float:
            return 1 - float((made - wanted).square().mean())

    shares = {name: reached(made(inputs, wanted)) for name, made in _PROBES.items()}
    return found | {"chance": chance, "error": error} | shares


def _neighbours(x: Tensor, wanted: Tensor) -> Tensor:
    """The mean of what the five nearest other rows have."""
    squares = x.square().sum(1)
    distance = squares[:, None] + squares[None, :] - 2 * x @ x.T
    distance.fill_diagonal_(math.inf)
    nearest = distance.topk(_NEIGHBOURS, 1, largest=False).indices
    return wanted[nearest].mean(1)


def _linear(x: Tensor, wanted: Tensor) -> Tensor:
    """Ridge regression, each fifth of the rows foretold from the others."""
    x = _fewer(x)
    x = torch.cat((x, torch.ones(len(x), 1, dtype=x.dtype)), 1)
    made = torch.empty_like(wanted)
    for rest, own in _folds(len(x)):
        system = x[rest].T @ x[rest] + torch.eye(x.shape[1], dtype=x.dtype)
        made[own] = x[own] @ torch.linalg.solve(system, x[rest].T @ wanted[rest])
    return made


def _products(x: Tensor, wanted: Tensor) -> Tensor:
    """Ridge regression on the columns and the products of any two of them, likewise; through the rows' inner products."""
    x = _fewer(x)
    kernel = (1 + x @ x.T / x.shape[1]).square()
    made = torch.empty_like(wanted)
    for rest, own in _folds(len(x)):
        mean = wanted[rest].mean(0)
        system = kernel[rest][:, rest] + _RIDGE * torch.eye(int(rest.sum()), dtype=x.dtype)
        made[own] = mean + kernel[own][:, rest] @ torch.linalg.solve(system, wanted[rest] - mean)
    return made


def _fewer(x: Tensor) -> Tensor:
    """Some of the columns, where there are many."""
    return x[:, :: -(-x.shape[1] // _COLUMNS)] if x.shape[1] > _COLUMNS else x


def _folds(rows: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Which rows are the others, and which are foretold: five times."""
    fold = torch.arange(rows) % _FOLDS
    for each in range(_FOLDS):
        yield fold != each, fold == each


_PROBES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "neighbours": _neighbours,
    "linear": _linear,
    "products": _products,
}
