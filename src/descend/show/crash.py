"""The panel below the traceback of an error of PyTorch's: the line, its variables, what was expected, the fix as code."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from rich.console import Console
from rich.text import Text

from descend.show.colours import ACCENT, BAD, GOOD, STRONG, WARNING
from descend.show.layout import INDENT, WIDEST, Cell, columns, labelled, muted, prose, put, safe, shorten

_LABELS = len("expected")
_MARGIN = len(INDENT) + _LABELS + 3
_MOST_ROWS = 7
_MOST_CODE = 5  # lines of a fix
_MOST_PROSE = 3  # lines of what was expected, and of why
_NAME_WIDTH = 28

Crash = Mapping[str, Any]


def crash_panel(crash: Crash, console: Console) -> None:
    """Print what an error means at its line; ``crash`` is what ``explain_error`` gives."""
    width = min(console.width, WIDEST)
    title = prose(safe(crash["title"]), width, style=BAD if crash["kind"] != "unknown" else WARNING)
    room = width - _MARGIN
    rows = [
        ("line", _line(crash, room)),
        ("expected", _said(crash.get("expected"), room)),
        ("here", _said(crash.get("because"), room)),
        ("fix", _fix(crash)),
        ("more", _more(crash, room)),
    ]
    put(console, "", *title[:_MOST_PROSE], "")
    put(console, *labelled([each for each in rows[:1] if each[1]], least=_LABELS))
    variables = _variables(crash, width)
    if variables:
        put(console, "", *variables, "")
    put(console, *labelled([each for each in rows[1:] if each[1]], least=_LABELS))


def _line(crash: Crash, room: int) -> list[Text]:
    name, function = safe(PurePath(str(crash["file"])).name), safe(crash.get("function") or "")
    place = f"{name}:{crash['line']}" + (f" in {function}" if function not in ("", "<module>") else "")
    source = safe(crash.get("source") or "")
    lines = [muted(shorten(place, room))]
    return [Text(_cut(source, room), style=STRONG), *lines] if source else lines


def _variables(crash: Crash, width: int) -> list[Text]:
    """A row for each variable, those that have a shape in a table; then what stands in the others."""
    every: Sequence[Mapping[str, Any]] = crash.get("variables") or ()
    shown = every[:_MOST_ROWS]
    longest = max([len("variable"), *(len(_name(each)) for each in shown)])
    lines = _table([each for each in shown if each.get("shape") is not None], longest, width)
    others = [each for each in shown if each.get("shape") is None]
    if others:
        room = width - longest - len(INDENT) - 3
        for each in others:
            line = each.get("came_from_line")
            note = safe(each.get("note") or "") + (f" (line {line})" if line else "")
            lines.append(Text(INDENT).append(_name(each).ljust(longest + 3), style=ACCENT).append(_cut(note, room)))
    left = len(every) - len(shown)
    return [*lines, muted(f"{INDENT}and {left} more")] if left > 0 else lines


def _table(shown: Sequence[Mapping[str, Any]], longest: int, width: int) -> list[Text]:
    """Of tensors name, shape, dtype, device, whether they need a gradient, and the line that they come from."""
    if not shown:
        return []
    table: list[list[Cell]] = [
        [
            Text(_name(each).ljust(longest), style=ACCENT),
            Text(str(tuple(each["shape"])), style=STRONG),
            safe(each.get("dtype") or ""),
            safe(each.get("device") or ""),
            "yes" if each.get("requires_grad") else "",
            str(each.get("came_from_line") or ""),
            muted(safe(each.get("note") or "")),
        ]
        for each in shown
    ]
    titles = ["variable", "shape", "dtype", "device", "gradient", "line", ""]
    keep = [column for column in range(len(titles)) if column < 2 or any(str(row[column]) for row in table)]
    if {each.get("device") for each in shown} == {"cpu"}:
        keep.remove(3)
    for left_out in ((), (6,), (4, 6), (4, 5, 6), (2, 4, 5, 6)):
        kept = [column for column in keep if column not in left_out]
        head: list[Cell] = [muted(titles[column]) for column in kept]
        lines = columns([head, *([row[c] for c in kept] for row in table)], "".join("llllrrl"[c] for c in kept))
        if max(line.cell_len for line in lines) <= width:
            break
    return lines


def _name(variable: Mapping[str, Any]) -> str:
    return shorten(safe(variable["name"]), _NAME_WIDTH)


def _said(text: object, room: int) -> list[Text]:
    if not text:
        return []
    lines = prose(safe(text), room)
    if len(lines) > _MOST_PROSE:
        lines[_MOST_PROSE - 1].append(" …")
    return [Text(_cut(line.plain, room)) for line in lines[:_MOST_PROSE]]


def _fix(crash: Crash) -> list[Text]:
    """The lines of code, and which lines of the file they take the place of where that is not the one that failed."""
    code = textwrap.dedent("\n".join(str(line) for line in crash.get("fix") or ())).splitlines()
    if not code:
        return []
    lines = [Text(safe(line), style=GOOD) for line in code[:_MOST_CODE]]  # whole: it is there to be copied
    if len(code) > _MOST_CODE:
        lines.append(muted(f"… {len(code) - _MOST_CODE} more"))
    at = crash.get("fix_at") or {}
    if at and (at["file"], at["first"], at["last"]) != (crash["file"], crash["line"], crash["line"]):
        name = "" if at["file"] == crash["file"] else f" of {safe(PurePath(at['file']).name)}"
        which = f"line {at['first']}" if at["first"] == at["last"] else f"lines {at['first']}–{at['last']}"
        lines.append(muted(f"in the place of {which}{name}"))
    return lines


def _more(crash: Crash, room: int) -> list[Text]:
    url = safe(crash.get("url") or "")
    return [muted(url)] if url and len(url) <= room else []


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"
