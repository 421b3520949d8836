"""Probabilities as bars, with the scores (logits) they come from beside them."""

import math
from collections.abc import Sequence

from rich.text import Text

from descend.show.colours import ACCENT, MUTED, STRONG
from descend.show.layout import Cell, Look, columns, muted, shorten
from descend.show.numbers import count, percent

_MOST_ROWS = 10
_NAME_WIDTH = 20


def bar(share: float, width: int, look: Look = "blocks") -> str:
    """A bar for a share in 0..1, exact to an eighth of a character; any share above 0 leaves a trace."""
    if not math.isfinite(share):
        return ""
    share = min(max(share, 0.0), 1.0)
    if look == "ascii":
        return "#" * (max(1, round(share * width)) if share > 0 else 0)
    eighths = max(1, round(share * width * 8)) if share > 0 else 0
    whole, rest = divmod(eighths, 8)
    return "█" * whole + " ▏▎▍▌▋▊▉"[rest].strip()


def probability_bars(
    names: Sequence[str],
    probabilities: Sequence[float],
    logits: Sequence[float] | None,
    width: int,
    *,
    look: Look = "blocks",
    indent: str = "",
) -> list[Text]:
    """A line a class: name, bar, probability, logit; the most probable is set off.

    Up to ten classes stand in their own order; of more, the ten most probable, and one line that says what the rest share.
    """
    order = sorted(range(len(names)), key=lambda index: -probabilities[index])
    shown = sorted(order[:_MOST_ROWS]) if len(names) <= _MOST_ROWS else order[:_MOST_ROWS]
    labels = [shorten(names[index], _NAME_WIDTH) for index in shown]
    room = width - len(indent) - max(map(len, labels)) - 2 - 10 - (12 if logits else 0)
    length = max(8, min(40, room))
    rows: list[list[Cell]] = [[muted(""), "", muted("probability")]]
    if logits:
        rows[0].append(muted("logit"))
    for index, label in zip(shown, labels, strict=True):
        best = index == order[0]
        row: list[Cell] = [
            Text(label, style=STRONG if best else ""),
            Text(bar(probabilities[index], length, look), style=ACCENT if best else MUTED),
            Text(percent(probabilities[index]), style=STRONG if best else ""),
        ]
        if logits:
            row.append(muted(f"{logits[index]:.2f}"))
        rows.append(row)
    lines = columns(rows, "rlrr" if logits else "rlr", gap=2, indent=indent)
    left_out = order[_MOST_ROWS:]
    if left_out:
        rest = sum(probabilities[index] for index in left_out)
        lines.append(Text(indent).append(f"the other {count(len(left_out))} share {percent(rest)}", style=MUTED))
    return lines
