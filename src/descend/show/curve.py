"""Curves in characters: braille dots, two across and four down in each character, or ASCII where nothing else can be shown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from descend.show.colours import ACCENT, MUTED
from descend.show.layout import INDENT, SEPARATOR, Look, shorten
from descend.show.numbers import short

# Bits of the braille dots of a character, from the bottom row to the top one, for its left and its right column.
_DOTS = ((0x40, 0x04, 0x02, 0x01), (0x80, 0x20, 0x10, 0x08))
_ASCII_LEVELS = "_.-=*#"
_DECADES_FOR_LOGARITHM = 2


@dataclass(frozen=True, slots=True)
class Scale:
    """What the bottom and the top of a drawing stand for."""

    low: float
    high: float
    logarithmic: bool

    def place(self, value: float) -> float:
        """Height of a value in 0..1; +inf lies at the top; not a number has no height (nan)."""
        if math.isnan(value) or value == -math.inf:
            return math.nan
        if value == math.inf:
            return 1.0
        if self.logarithmic:
            if value <= 0:
                return 0.0
            # differences of logarithms, because the quotient of two finite floats can overflow
            height = (math.log(value) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        else:
            span = self.high / 2 - self.low / 2  # halves, because the difference of two finite floats can overflow
            if span == 0:
                return 0.5
            height = (value / 2 - self.low / 2) / span
        return min(max(height, 0.0), 1.0)


def scale_of(values: Sequence[float]) -> Scale | None:
    """The scale that shows all finite values, logarithmic when they are positive and span more than two decades."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return None
    low, high = min(finite), max(finite)
    logarithmic = low > 0 and math.log10(high) - math.log10(low) > _DECADES_FOR_LOGARITHM
    return Scale(low, high, logarithmic)


def curve(
    values: Sequence[float], width: int, height: int = 1, *, scale: Scale | None = None, look: Look = "blocks"
) -> str:
    """``height`` lines of ``width`` characters or fewer that draw the values from left to right.

    One line alone is filled below the curve; more lines show the curve itself. A single value is one mark. Gaps are left where
    a value is not a number; infinity lies at the top. The empty string is returned where there is nothing to draw.
    """
    scale = scale or scale_of(values)
    if scale is None or width < 1 or height < 1:
        return ""
    per_column, levels = (1, len(_ASCII_LEVELS) if height == 1 else height) if look == "ascii" else (2, 4 * height)
    heights = _resample([scale.place(value) for value in values], per_column * width if len(values) > 1 else 1)
    marks = [None if math.isnan(value) else min(levels - 1, round(value * (levels - 1))) for value in heights]
    if look == "ascii":
        return _ascii(marks, height)
    return _braille(marks, height)


def plot(
    values: Sequence[float],
    width: int,
    height: int = 5,
    *,
    ends: tuple[str, str] = ("", ""),
    scale: Scale | None = None,
    share: float = 1.0,
    look: Look = "blocks",
    colour: str = ACCENT,
    indent: str = INDENT,
    noun: str = "losses",
) -> list[Text]:
    """A curve with its highest and lowest value at the left and what its two ends are below it; a logarithmic scale is said.

    share: part of the width that the curve takes, so that two curves can have steps of the same width. noun: what the values are
    called where some are not finite.
    """
    scale = scale or scale_of(values)
    if scale is None:
        return []
    top, bottom = short(scale.high), short(scale.low)
    margin = max(cell_len(top), cell_len(bottom))
    space = width - len(indent) - margin - 2
    drawn = curve(values, max(2, round(space * share)), height, scale=scale, look=look).split("\n")
    lines: list[Text] = []
    for number, line in enumerate(drawn):
        label = top if number == 0 else bottom if number == len(drawn) - 1 and top != bottom else ""
        lines.append(Text(indent).append(label.rjust(margin) + "  ", style=MUTED).append(line.rstrip(), style=colour))
    missing = sum(not math.isfinite(value) for value in values)
    notes = ["log scale"] if scale.logarithmic else []
    if missing:
        notes.append(f"{missing} of {len(values):,} {noun} {'is' if missing == 1 else 'are'} not finite")
    caption = _caption(ends, notes, max(map(cell_len, drawn)), space)
    if caption:
        lines.append(Text(indent + " " * (margin + 2)).append(caption, style=MUTED))
    return lines


def _caption(ends: tuple[str, str], notes: list[str], width: int, most: int) -> str:
    """What the curve's left end is, its notes, and below its right end what that is, where there is room for it."""
    first, last = ends
    parts = [part for part in (first, *notes) if part]
    while len(parts) > 1 and cell_len(SEPARATOR.join(parts)) > most:
        parts.pop()
    left = shorten(SEPARATOR.join(parts), most)
    if not last or cell_len(left) + 2 + cell_len(last) > most:
        return left
    return left + " " * max(2, width - cell_len(left) - cell_len(last)) + last


def _resample(heights: Sequence[float], columns: int) -> list[float]:
    """As many heights as there are columns: means of neighbours, or straight lines between the few there are."""
    n = len(heights)
    if n >= columns:
        buckets = (heights[index * n // columns : (index + 1) * n // columns] for index in range(columns))
        known = ([value for value in bucket if not math.isnan(value)] for bucket in buckets)
        return [sum(bucket) / len(bucket) if bucket else math.nan for bucket in known]
    resampled = []
    for index in range(columns):
        position = index * (n - 1) / (columns - 1)
        left = min(int(position), n - 2)
        share = position - left
        before, after = heights[left], heights[left + 1]
        nearest = after if share > 0.5 else before
        missing = math.isnan(before) or math.isnan(after)
        resampled.append(nearest if missing else before + share * (after - before))
    return resampled


def _braille(marks: Sequence[int | None], height: int) -> str:
    cells = [[0] * ((len(marks) + 1) // 2) for _ in range(height)]
    previous: int | None = None
    for index, mark in enumerate(marks):
        if mark is not None:
            low, high = (0, mark) if height == 1 else _stroke(previous, mark)
            for level in range(low, high + 1):
                cells[height - 1 - level // 4][index // 2] |= _DOTS[index % 2][level % 4]
        previous = mark
    return "\n".join("".join(chr(0x2800 + cell) if cell else " " for cell in row) for row in cells)


def _stroke(previous: int | None, mark: int) -> tuple[int, int]:
    """The levels that join a mark to the one before it, so that a steep curve has no holes."""
    if previous is None or abs(previous - mark) <= 1:
        return mark, mark
    return (mark, previous - 1) if previous > mark else (previous + 1, mark)


def _ascii(marks: Sequence[int | None], height: int) -> str:
    if height == 1:
        return "".join(" " if mark is None else _ASCII_LEVELS[mark] for mark in marks)
    rows = [["*" if mark == level else " " for mark in marks] for level in reversed(range(height))]
    return "\n".join("".join(row) for row in rows)
