"""A script beside what its lines did and what they are for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.text import Text

from descend.show import numbers
from descend.show.colours import MUTED, PHASE_COLOURS, STRONG, WARNING
from descend.show.findings import safe_code
from descend.show.layout import facts, prose, put, safe

_WIDE = 110  # columns from which the notes stand beside the lines
_MOST = 160
_FITS = 8  # times the width in characters: a part of a line so long does not fit, but for signs that take no room
_INDENT = "    "
_LEGEND = (
    "×: how often a line ran; of a loop, how often it went round. %: the share of a step's time that its phase takes. "
    "gives: shape and values when it was first looked at."
)


@dataclass(frozen=True, slots=True)
class _Page:
    """How the lines of one file are laid out."""

    width: int
    numbers: int  # columns of the line's number
    times: int  # columns of how often it ran

    @property
    def margin(self) -> int:
        return self.numbers + self.times + 3

    @property
    def code(self) -> int:
        """Columns of the code: of a wide page the left half."""
        return (self.width - self.margin) // 2 if self.width >= _WIDE else self.width - self.margin


def annotated(files: Sequence[Mapping[str, Any]], notes: Sequence[str], console: Console) -> None:
    """Print each file, line by line."""
    width = min(console.width, _MOST)
    for note in notes:
        put(console, *prose(safe(note), width, style=WARNING))
    put(console, *prose(_LEGEND, width, style=MUTED))
    for file in files:
        lines = file["lines"]
        page = _Page(
            width,
            max([2, *(len(str(line["number"])) for line in lines)]),
            max([0, *(cell_len(_times(line)) + 1 for line in lines if line.get("times"))]),
        )
        put(console, "", Text(safe(file["file"]), style=STRONG))
        for line in lines:
            put(console, *_line(line, page))


def _line(line: Mapping[str, Any], page: _Page) -> list[Text]:
    """The line with how often it ran before it; below or beside it what it is for and what it did."""
    code = _code(safe_code(str(line["text"])), page.code)
    notes = _notes(line, page)
    if page.width < _WIDE:
        rows = [*code, *(Text(_INDENT).append_text(note) for note in notes)]
    else:
        rows = [
            left if right is None else left + Text(" " * (page.code + 2 - left.cell_len)) + right
            for left, right in (
                (code[at] if at < len(code) else Text(), notes[at] if at < len(notes) else None)
                for at in range(max(len(code), len(notes)))
            )
        ]
    return [_margin(line, page, first=at == 0).append_text(row) for at, row in enumerate(rows)]


def _margin(line: Mapping[str, Any], page: _Page, *, first: bool) -> Text:
    number, times = (str(line["number"]), _times(line)) if first else ("", "")
    before = Text(f"{number:>{page.numbers}}{' ' * (page.times - cell_len(times))}{times} ", style=MUTED)
    return before.append("│ ", style=PHASE_COLOURS.get(str(line.get("phase") or ""), MUTED))


def _times(line: Mapping[str, Any]) -> str:
    return f"×{line['times']:,}" if line.get("times") else ""


def _code(code: str, width: int) -> list[Text]:
    """A line of code, broken where it is too long for the page; the rest stands further in."""
    if not _is_longer(code, width):
        return [Text(code)]
    inner = " " * min(len(code) - len(code.lstrip()) + 8, max(0, width - 20))
    rows, rest = [], code
    while _is_longer(rest, width):
        cut = _break(rest, width)
        rows.append(Text(rest[:cut].rstrip()))
        rest = inner + rest[cut:].lstrip()
    return [*rows, Text(rest)]


def _is_longer(code: str, width: int) -> bool:
    """Than a page is wide; told by the beginning, as a line may be a table of a million numbers."""
    return cell_len(code[: _FITS * width]) > width


def _break(code: str, width: int) -> int:
    """Where a line of code is broken: at a space, else behind a bracket, comma or dot, else where the page ends."""
    start = len(code) - len(code.lstrip()) + 1
    most = len(chop_cells(code[: _FITS * width], width)[0])
    space = code.rfind(" ", start, most + 1)
    mark = max(code.rfind(each, start, most) for each in "([,.")
    return space if space > 0 else mark + 1 if mark > 0 else max(most, start)


def _notes(line: Mapping[str, Any], page: _Page) -> list[Text]:
    """What it is for, then what it did here."""
    room = page.width - page.margin - (page.code + 2 if page.width >= _WIDE else len(_INDENT))
    meaning = safe(line.get("meaning") or "")
    return [
        *(prose(meaning, room, style=MUTED) if meaning else []),
        *facts([Text(each, style=MUTED) for each in _did(line)], room),
    ]


def _did(line: Mapping[str, Any]) -> list[str]:
    found = []
    phase, share = line.get("phase"), line.get("share")
    if phase:
        found.append(
            f"{safe(phase)} {numbers.percent(min(share, 1.0), 0)}" if share and share >= 0.005 else safe(phase)
        )
    shapes = [shape for shape in line.get("shapes") or () if shape != "()"]
    gave = ", ".join(shapes)
    if line.get("values"):
        gave = f"{gave}: {line['values']}" if gave else str(line["values"])
    if gave:
        later = f" in step {line['step']:,}" if (line.get("step") or 0) > 1 else ""
        found.append(safe(f"gives {gave}{later}"))
    return found
