"""The table of epochs, which the live view and the summary share."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from descend.record.events import EpochDone
from descend.show import numbers
from descend.show.colours import MUTED
from descend.show.layout import Cell, columns, muted
from descend.show.metrics import Metrics, name_of, value_of, written

_SHOWN_METRICS = ("loss", "accuracy", "rmse", "r2")


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One line of the table; epoch 0 is the untrained model."""

    epoch: int
    loss: float | None
    unseen: Metrics | None  # of the test rows, or else of the validation rows
    seconds: float | None
    lr: float | None = None


def unseen_part(metrics: Mapping[str, Any]) -> str | None:
    """Which rows, apart from those learned from, there are metrics of: test before validation."""
    return next((part for part in ("test", "validation") if metrics.get(part)), None)


def row_of_event(event: EpochDone) -> EpochRow:
    """The table's line for an epoch that was just finished."""
    part = unseen_part(event.metrics)
    return EpochRow(
        event.epoch,
        value_of(event.metrics.get("train"), "loss"),
        event.metrics[part] if part else None,
        event.seconds if event.epoch else None,
    )


def rows_of_report(report: Mapping[str, Any]) -> list[EpochRow]:
    """The table's lines from a report: the untrained model first, where it was measured."""
    part = report.get("unseen")
    before = report.get("before") or {}
    rows = []
    if before.get("train") or (part and before.get(part)):
        rows.append(EpochRow(0, value_of(before.get("train"), "loss"), before.get(part) if part else None, None))
    rows.extend(
        EpochRow(
            epoch["epoch"],
            value_of(epoch, "loss"),
            epoch.get(part) if part else None,
            value_of(epoch, "seconds"),
            value_of(epoch, "lr"),
        )
        for epoch in report.get("epochs") or ()
    )
    return rows


def round_step(epochs: int, most: int) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50 … of which no more than ``most`` multiples lie in 1..epochs."""
    step = 1
    while epochs // step > most:
        step = _next_round(step)
    return step


def chosen(rows: Sequence[EpochRow], most: int, also: Collection[int] = ()) -> list[EpochRow]:
    """The untrained model, the first epoch, the last one, and round numbers between, at most ``most``; and those in ``also``."""
    trained = [row for row in rows if row.epoch > 0]
    if len(trained) <= most:
        return list(rows)
    step = round_step(trained[-1].epoch, most - 2)
    wanted = {0, trained[0].epoch, trained[-1].epoch, *also}
    return [row for row in rows if row.epoch in wanted or row.epoch % step == 0]


def epoch_table(
    rows: Sequence[EpochRow],
    part: str | None,
    *,
    width: int,
    outputs: int | None = None,
    notes: Mapping[int, str] | None = None,
) -> list[Text]:
    """Lines of the table, the heading first. ``outputs``: number of classes, where the loss of guessing is ln of it."""
    metrics = [name for name in _SHOWN_METRICS if any(value_of(row.unseen, name) is not None for row in rows)]
    rates = [row.lr for row in rows if row.lr is not None]
    with_rate = len(set(rates)) > 1
    heading = [
        "epoch",
        "loss",
        *(f"{part} {name_of(name)}" for name in metrics),
        *(["lr"] if with_rate else []),
        "time",
    ]
    table: list[list[Cell]] = [[muted(title) for title in heading]]
    for row in rows:
        cells: list[Cell] = ["before" if row.epoch == 0 else numbers.count(row.epoch), numbers.loss(row.loss)]
        cells += [written(name, value_of(row.unseen, name)) for name in metrics]
        if with_rate:
            cells.append("" if row.lr is None else f"{row.lr:.3g}")
        cells.append(muted(numbers.seconds(row.seconds) if row.seconds is not None else ""))
        table.append(cells)
    lines = columns(table, "r" * len(heading))
    for row, line in zip(rows, lines[1:], strict=True):
        note = (notes or {}).get(row.epoch) or _guessing(row, outputs)
        if note and line.cell_len + 3 + len(note) <= width:
            line.append(f"   {note}", style=MUTED)
    return lines


def _guessing(row: EpochRow, outputs: int | None) -> str:
    """Beside the untrained model: the loss of giving every class the same probability, where that is what it does."""
    if row.epoch != 0 or outputs is None or outputs < 2 or row.loss is None:
        return ""
    expected = math.log(outputs)
    return f"guessing: ln {outputs} = {expected:.4f}" if math.isclose(row.loss, expected, rel_tol=0.05) else ""


def _next_round(step: int) -> int:
    return step * 5 // 2 if str(step).startswith("2") else step * 2
