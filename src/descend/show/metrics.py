"""Names and number formats of metrics, and the table that sets them side by side before and after a training."""

import math
from collections.abc import Mapping
from typing import Any

from rich.text import Text

from descend.show import numbers
from descend.show.colours import STRONG
from descend.show.layout import Cell, columns, muted

Metrics = Mapping[str, Any]
PARTS: Mapping[str, str] = {"train": "training", "validation": "validation", "test": "test"}
_NAMES: Mapping[str, str] = {
    "loss": "loss",
    "accuracy": "accuracy",
    "log_loss": "log-loss",
    "macro_f1": "macro-F1",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
}


def name_of(metric: str) -> str:
    """How a metric is called: ``macro_f1`` → macro-F1."""
    return _NAMES.get(metric, metric.replace("_", " "))


def written(metric: str, value: float | None) -> str:
    """A metric's value at the precision of a table."""
    return numbers.percent(value, 2) if metric == "accuracy" else numbers.loss(value)


def value_of(metrics: Metrics | None, name: str) -> float | None:
    """A number among metrics that may be missing altogether."""
    value = metrics.get(name) if metrics else None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def scalar_names(*several: Metrics | None) -> list[str]:
    """Names of all metrics that are numbers, in the usual order; a log-loss that only repeats the loss is left out."""
    found = [name for metrics in several if metrics for name in metrics if value_of(metrics, name) is not None]
    known = [name for name in _NAMES if name in found]
    names = known + [name for name in dict.fromkeys(found) if name not in known]
    return [name for name in names if name != "log_loss" or not all(map(_log_loss_is_loss, several))]


def before_and_after(
    before: Mapping[str, Metrics | None], after: Mapping[str, Metrics | None], width: int
) -> list[Text]:
    """Every metric of each part of the data, before training and after it: a line a part, or a line a metric where that is too wide."""
    parts = {part: scalar_names(before.get(part), after.get(part)) for part in PARTS if after.get(part)}
    names = [name for name in scalar_names(*after.values()) if any(name in known for known in parts.values())]
    if not names:
        return []
    rows: list[list[Cell]] = [[muted("before → after"), *(muted(name_of(name)) for name in names)]]
    for part, known in parts.items():
        first, last = before.get(part), after.get(part)
        cells = [_change(name, first, last) if name in known else Text() for name in names]
        rows.append([muted(PARTS[part]), *cells])
    across = columns(rows, "l" + "r" * len(names))
    if max(line.cell_len for line in across) <= width:
        return across
    down: list[list[Cell]] = [["", muted("before"), muted("after")]]
    for part, known in parts.items():
        for name in known:
            start, end = value_of(before.get(part), name), value_of(after.get(part), name)
            title = muted(f"{PARTS[part]} {name_of(name)}")
            down.append([title, written(name, start), Text(written(name, end), style=STRONG)])
    return columns(down, "lrr")


def _change(name: str, first: Metrics | None, last: Metrics | None) -> Text:
    start, end = value_of(first, name), value_of(last, name)
    text = Text() if start is None else Text(f"{written(name, start)} → ")
    return text.append(written(name, end), style=STRONG)


def _log_loss_is_loss(metrics: Metrics | None) -> bool:
    log_loss, loss = value_of(metrics, "log_loss"), value_of(metrics, "loss")
    return log_loss is None or (loss is not None and math.isclose(log_loss, loss, rel_tol=1e-4, abs_tol=1e-5))
