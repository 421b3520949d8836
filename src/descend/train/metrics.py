"""How good a model is: loss and metrics over many rows, exact however the rows fall into batches."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from descend.data.dataset import Examples
from descend.models.evaluating import evaluating
from descend.train.losses import Loss

ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Mistake:
    """One row that the model got wrong: its index, what was said with which probability, and what it is."""

    index: int
    said: int
    share: float
    truth: int


def evaluate(module: nn.Module, examples: Examples, loss: Loss) -> dict[str, Any]:
    """Loss and metrics of ``module`` over all rows, in evaluation mode and without gradients.

    Classes: loss, accuracy, log_loss (natural logarithm), macro_f1 (mean F1 of the classes that occur), confusion
    (classes × classes, rows are the truth). Values: loss, rmse, mae (in the target's unit) and r2 (None where a target column
    is constant). With several target columns each of the three is the mean of the columns' own figures, as scikit-learn has it.
    """
    classes = not examples.targets.is_floating_point()
    return _evaluate_classes(module, examples, loss) if classes else _evaluate_values(module, examples, loss)


def outputs_in_parts(module: nn.Module, features: Tensor) -> list[Tensor]:
    """The model's outputs for all rows, some thousand rows at a time, in evaluation mode; every layer's mode is put back."""
    with evaluating(module):
        copied = may_change_its_input(module)
        outputs: Tensor | None = None
        for start in range(0, len(features), ROWS_AT_ONCE):
            part = features[start : start + ROWS_AT_ONCE]
            output = module(part.clone() if copied else part)
            if outputs is None:
                # One tensor for all: many small ones that stay would keep the memory between them from being used again.
                outputs = output.new_empty(len(features), *output.shape[1:])
            outputs[start : start + len(output)] = output
    assert outputs is not None
    return list(torch.split(outputs, ROWS_AT_ONCE))


def may_change_its_input(module: nn.Module) -> bool:
    """Whether a layer works in place, or is of a class that PyTorch did not write and so may do anything."""
    return any(
        getattr(layer, "inplace", False) or not type(layer).__module__.startswith("torch.nn.")
        for layer in module.modules()
    )


def scalars(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics without the confusion matrix, which is no number."""
    return {name: value for name, value in metrics.items() if name != "confusion"}


def log_probabilities(output: Tensor) -> Tensor:
    """Log-probabilities (B, classes) of logits (B, classes), or of one logit (B, 1) for the second of two classes."""
    if output.shape[1] == 1:
        return nn.functional.logsigmoid(torch.cat([-output, output], dim=1))
    return nn.functional.log_softmax(output, dim=1)


def _evaluate_classes(module: nn.Module, examples: Examples, loss: Loss) -> dict[str, Any]:
    total = log_loss = 0.0
    counts: Tensor | None = None
    parts = outputs_in_parts(module, examples.features)
    for output, y in zip(parts, torch.split(examples.targets, ROWS_AT_ONCE), strict=True):
        log_p = log_probabilities(output.double())  # (B, classes)
        classes = log_p.shape[1]
        total += float(loss.sum(output, loss.prepare(y)))
        log_loss -= float(log_p.gather(1, y.unsqueeze(1)).sum())
        found = torch.bincount(y * classes + log_p.argmax(1), minlength=classes * classes)
        counts = found if counts is None else counts + found
    assert counts is not None
    confusion = counts.view(classes, classes).cpu()
    rows = len(examples)
    return {
        "loss": total / rows,
        "accuracy": int(confusion.trace()) / rows,
        "log_loss": log_loss / rows,
        "macro_f1": macro_f1(confusion),
        "confusion": confusion.tolist(),
    }


def macro_f1(confusion: Tensor) -> float:
    """Mean over the classes that occur of 2·hits / (2·hits + false alarms + misses); confusion (classes, classes)."""
    hits = confusion.diagonal().double()
    present = confusion.sum(0) + confusion.sum(1)  # said + true, for each class
    occurs = present > 0
    return float((2 * hits[occurs] / present[occurs]).mean())


def _evaluate_values(module: nn.Module, examples: Examples, loss: Loss) -> dict[str, Any]:
    total = 0.0
    targets = examples.targets.double()  # (N, T)
    squares, absolutes = targets.new_zeros(targets.shape[1]), targets.new_zeros(targets.shape[1])  # (T,)
    parts = outputs_in_parts(module, examples.features)
    for output, y in zip(parts, torch.split(examples.targets, ROWS_AT_ONCE), strict=True):
        error = output.double() - y.double()  # (B, T)
        total += float(loss.sum(output, y))
        squares += error.square().sum(0)
        absolutes += error.abs().sum(0)
    rows = len(examples)
    spread = (targets - targets.mean(0)).square().sum(0)  # (T,)
    return {
        "loss": total / rows,
        "rmse": float((squares / rows).sqrt().mean()),
        "mae": float((absolutes / rows).mean()),
        "r2": float((1 - squares / spread).mean()) if bool((spread > 0).all()) else None,
    }


def worst_mistakes(module: nn.Module, examples: Examples, most: int = 3) -> list[Mistake]:
    """The rows the model got wrong with the highest probability, the surest first; of equally sure ones the earlier."""
    output = torch.cat(outputs_in_parts(module, examples.features)).double()
    share, said = log_probabilities(output).exp().max(1)  # (N,), (N,)
    wrong = ((said != examples.targets) & (share > 0)).nonzero().flatten()  # NaN is no probability to be sure with
    surest = wrong[share[wrong].sort(descending=True, stable=True).indices[:most]]
    columns = [column[surest].tolist() for column in (said, share, examples.targets)]
    return [Mistake(*row) for row in zip(surest.tolist(), *columns, strict=True)]


def confused_pairs(confusion: list[list[int]], most: int = 3) -> list[tuple[int, int, int]]:
    """The pairs of classes taken for one another most often: (lower, higher, how often), most often first."""
    size = len(confusion)
    pairs = [
        (lower, higher, confusion[lower][higher] + confusion[higher][lower])
        for lower in range(size)
        for higher in range(lower + 1, size)
    ]
    return sorted((pair for pair in pairs if pair[2]), key=lambda pair: -pair[2])[:most]
