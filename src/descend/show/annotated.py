"""A script beside what its lines did and what they are for."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from descend.show import numbers
from descend.show.colours import MUTED, PHASE_COLOURS, STRONG, WARNING
from descend.show.findings import safe_code
from descend.show.layout import prose, put, safe

_WIDE = 110  # columns from which the notes stand beside the lines
_TIMES = 7
_SECONDS = 8


def annotated(files: Sequence[Mapping[str, Any]], notes: Sequence[str], console: Console) -> None:
    """Print each file, line by line."""
    width = min(console.width, 160)
    for note in notes:
        put(console, *prose(safe(note), width, style=WARNING))
    for file in files:
        put(console, "", Text(safe(file["file"]), style=STRONG))
        for line in file["lines"]:
            put(console, *_line(line, width))


def _line(line: Mapping[str, Any], width: int) -> list[Text]:
    """The line with how often it ran and its time before it; below or beside it, what it did and what it is for."""
    start = Text(f"{line['number']:>4} ", style=MUTED)
    times = f"×{line['times']:,}" if line.get("times") else ""
    seconds = numbers.seconds(line["seconds"]) if line.get("seconds") else ""
    start.append(f"{times:>{_TIMES}} {seconds:>{_SECONDS}} ", style=MUTED)
    start.append("│ ", style=PHASE_COLOURS.get(str(line.get("phase") or ""), MUTED))
    margin = start.cell_len
    code = safe_code(str(line["text"]))
    notes = _notes(line)
    if not notes:
        return [start.append(code[: max(1, width - margin)])]
    wide = width >= _WIDE
    room = (width - margin) // 2 if wide else width - margin
    first = start.append(code if not wide or len(code) <= room else f"{code[: room - 1]}…")
    if wide:
        beside = [each for note in notes for each in prose(note, width - margin - room - 2, style=MUTED)]
        first.append(" " * (margin + room + 2 - first.cell_len)).append_text(beside[0])
        return [first, *(_continued(margin, line, " " * (room + 2), each) for each in beside[1:])]
    below = [each for note in notes for each in prose(note, width - margin - 4, style=MUTED)]
    return [first, *(_continued(margin, line, "    ", each) for each in below)]


def _continued(margin: int, line: Mapping[str, Any], space: str, text: Text) -> Text:
    bar = Text(" " * (margin - 2)).append("│ ", style=PHASE_COLOURS.get(str(line.get("phase") or ""), MUTED))
    return bar.append(space).append_text(text)


def _notes(line: Mapping[str, Any]) -> list[str]:
    """What it is for, then what it gave here."""
    meaning = safe(line.get("meaning") or "")
    shapes = ", ".join(line.get("shapes") or ())
    gave = f"here {shapes}" if shapes else ""
    if line.get("values"):
        gave = f"{gave}: {line['values']}" if gave else f"here {line['values']}"
    share = line.get("share")
    if share and share >= 0.005:
        gave = f"{gave}{' · ' if gave else ''}{numbers.percent(min(share, 1.0), 0)} of a step"
    return [note for note in (meaning, safe(gave)) if note]
