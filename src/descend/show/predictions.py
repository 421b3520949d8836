"""What a model says of new examples, and how good it is on many."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from descend.show import numbers
from descend.show.bars import probability_bars
from descend.show.colours import BAD, MUTED, STRONG
from descend.show.digit import Pixels, digit
from descend.show.layout import INDENT, WIDEST, Cell, columns, facts, look_of, muted, prose, put, safe, shorten
from descend.show.metrics import PARTS, name_of, scalar_names, value_of, written

_CLOSE_CALL = 0.2  # of probability between the first and the second class
_LEAST_FOR_BARS = 44
_NAME_WIDTH = 12
_MOST_PAIRS = 10
_GAP = "    "


def class_prediction(
    console: Console,
    source: str,
    names: Sequence[str],
    probabilities: Sequence[float],
    logits: Sequence[float] | None = None,
    *,
    pixels: Pixels | None = None,
    said: Sequence[str] = (),
) -> None:
    """Print what one example is taken for: the class, a bar for each probability and the logit it comes from.

    pixels: the image as the model sees it, values in 0..1. said: what was done to the file to make it so.
    """
    names, width = [safe(name) for name in names], min(console.width, WIDEST)
    put(console, *prose(f"{safe(source)}: {_verdict(names, probabilities)}", width, style=STRONG))
    if said:
        put(console, *facts([muted(safe(text)) for text in said], width, indent=INDENT))
    look = look_of(console)
    picture = [] if pixels is None else [Text(INDENT).append_text(line) for line in digit(pixels, look)]
    taken = max((line.cell_len for line in picture), default=0)
    if picture and width - taken - len(_GAP) < _LEAST_FOR_BARS:
        bars = probability_bars(names, probabilities, logits, width, look=look, indent=INDENT)
        put(console, "", *picture, "", *bars)
        return
    left = len(_GAP) + taken if picture else len(INDENT)
    bars = probability_bars(names, probabilities, logits, width - left, look=look)
    down = max(0, (len(picture) - len(bars)) // 2)
    put(console, "")
    for number in range(max(len(picture), len(bars) + down)):
        line = picture[number].copy() if number < len(picture) else Text()
        if down <= number < down + len(bars):
            line.append(" " * (left - line.cell_len)).append_text(bars[number - down])
        put(console, line)


def table_prediction(
    console: Console,
    feature_names: Sequence[str],
    rows: Sequence[Sequence[float]],
    target_names: Sequence[str],
    predictions: Sequence[Sequence[float | str]],
) -> None:
    """Print a line an example: its features, and the values (or the names of classes) that are predicted for it."""
    heading: list[Cell] = [muted(safe(name)) for name in feature_names]
    heading += [Text(safe(name), style=STRONG) for name in target_names]
    table: list[list[Cell]] = [heading]
    for features, values in zip(rows, predictions, strict=True):
        cells: list[Cell] = [muted(numbers.setting(value)) for value in features]
        table.append([*cells, *(safe(value) if isinstance(value, str) else numbers.loss(value) for value in values)])
    put(console, *columns(table, "r" * len(heading)))


def evaluation(
    console: Console, model: str, rows: int, part: str, metrics: Mapping[str, Any], names: Sequence[str]
) -> None:
    """Print every metric of a model on ``rows`` rows, and for classes what was taken for what."""
    width = min(console.width, WIDEST)
    noun = "row" if rows == 1 else "rows"
    put(
        console,
        Text(safe(model), style=STRONG).append(f" on {rows:,} {safe(PARTS.get(part, part))} {noun}", style="default"),
        "",
    )
    table: list[list[Cell]] = [
        [muted(name_of(name)), Text(written(name, value_of(metrics, name)), style=STRONG)]
        for name in scalar_names(metrics)
    ]
    put(console, *columns(table, "lr"))
    confusion = metrics.get("confusion")
    if confusion:
        put(console, "", *confusion_table(confusion, [safe(name) for name in names], width))


def confusion_table(confusion: Sequence[Sequence[int]], names: Sequence[str], width: int) -> list[Text]:
    """Counts of (what it is, what was said); where that is too wide, the pairs most often confused.

    The last column is the share of each class that was recognised (its recall).
    """
    labels = [shorten(name, _NAME_WIDTH) for name in names]
    most = max(
        (count for row, counts in enumerate(confusion) for said, count in enumerate(counts) if said != row), default=0
    )
    cell = max(len(str(count)) for counts in confusion for count in counts)
    table: list[list[Cell]] = [[muted("is"), *(Text(label, style=MUTED) for label in labels), muted("found")]]
    for index, (label, counts) in enumerate(zip(labels, confusion, strict=True)):
        total = sum(counts)
        cells = [_count(count, width=cell, diagonal=said == index, most=most) for said, count in enumerate(counts)]
        found = numbers.percent(counts[index] / total, 1, most=3) if total else numbers.MISSING
        table.append([Text(label, style=MUTED), *cells, found])
    align = "r" * (len(labels) + 2)
    for rows, gap in ((table, 2), (table, 1), ([row[:-1] for row in table], 1)):
        lines = columns(rows, align[: len(rows[0])], gap=gap)
        if max(line.cell_len for line in lines) <= width:
            caption = f"{INDENT}rows: what it is · columns: what was said"
            return [muted(caption), *lines]
    return _pairs(confusion, labels)


def _verdict(names: Sequence[str], probabilities: Sequence[float]) -> str:
    order = sorted(range(len(names)), key=lambda index: -probabilities[index])
    first = f"{names[order[0]]} ({numbers.percent(probabilities[order[0]], 1, most=3)})"
    if len(order) > 1 and probabilities[order[0]] - probabilities[order[1]] < _CLOSE_CALL:
        return f"hard to tell, {first} or {names[order[1]]} ({numbers.percent(probabilities[order[1]], 1, most=3)})"
    return first


def _count(count: int, *, width: int, diagonal: bool, most: int) -> Text:
    if count == 0:
        return muted("·".rjust(width))
    return Text(f"{count:>{width}}", style=STRONG if diagonal else BAD if 2 * count > most else "")


def _pairs(confusion: Sequence[Sequence[int]], names: Sequence[str]) -> list[Text]:
    """The largest counts off the diagonal, one a line."""
    wrong = [
        (count, row, said)
        for row, counts in enumerate(confusion)
        for said, count in enumerate(counts)
        if said != row and count
    ]
    wrong.sort(reverse=True)
    if not wrong:
        return [muted(f"{INDENT}every row was recognised")]
    heading: list[Cell] = [muted("is"), muted("said"), muted("rows")]
    table: list[list[Cell]] = [
        [names[row], names[said], numbers.count(count)] for count, row, said in wrong[:_MOST_PAIRS]
    ]
    lines = columns([heading, *table], "llr")
    left_out = sum(count for count, _, _ in wrong[_MOST_PAIRS:])
    return [*lines, *([muted(f"{INDENT}{left_out:,} further mistakes")] if left_out else [])]
