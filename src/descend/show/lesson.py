"""A lesson in the terminal: its sentences, its code and what the code printed, questions, and guesses beside answers."""

import re
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from descend.show.colours import ACCENT, GOOD, MUTED, STRONG, WARNING
from descend.show.layout import INDENT, columns, muted, prose, put, safe

_WIDEST = 84
_INLINE = re.compile(r"(`[^`]+`|\*\*[^*]+\*\*)")
_ITEM = re.compile(r"(- |\d\. )")
_NUMBERED = re.compile(r"\d\. ")

Row = tuple[str, str, int, str]  # name, one line, minutes, where it was left


def lesson_list(console: Console, rows: Sequence[Row]) -> None:
    """The lessons, a line each; where that is too narrow, two."""
    lines = columns(
        [
            [Text(name, style=STRONG), about, muted(f"{minutes} min"), Text(left, style=ACCENT)]
            for name, about, minutes, left in rows
        ],
        "llrl",
        indent="",
    )
    if max(line.cell_len for line in lines) > console.width:
        lines = []
        for name, about, minutes, left in rows:
            head = Text(name, style=STRONG).append(f" · {minutes} min", style=MUTED)
            lines.append(head.append(f" · {left}" if left else "", style=ACCENT))
            lines.extend(prose(about, console.width, indent=INDENT))
    put(console, *lines, "", muted("descend learn NAME begins one"))


def heading(console: Console, lesson: str, part: str, number: int, of: int) -> None:
    """The head of a part."""
    place = f"{lesson} · {number} of {of}"
    put(console, "", *prose(place, _width(console), style=MUTED))
    if part != lesson:
        put(console, *prose(part, _width(console), style=STRONG))


def prose_block(console: Console, text: str) -> None:
    """A paragraph, or a list of items."""
    items: list[list[str]] = []
    for line in text.splitlines():
        if not items or _begins_item(line, items[-1][0]):
            items.append([line])
        else:
            items[-1].append(line.strip())
    put(console, "")
    for item in items:
        joined = " ".join(item)
        mark = found[0] if (found := _ITEM.match(joined)) else ""
        put(console, *_wrapped(console, joined.removeprefix(mark), "· " if mark == "- " else mark))


def _begins_item(line: str, last: str) -> bool:
    """Whether a line of a paragraph or list is another item, and not words after a line break that happen to begin with a number."""
    return line.startswith(("- ", "1. ")) or bool(_NUMBERED.match(line) and _NUMBERED.match(last))


def verbatim(console: Console, text: str) -> None:
    """A formula, as it stands."""
    put(console, "", *(Text(INDENT + line, style=STRONG) for line in text.splitlines()))


def code(console: Console, source: str, language: str) -> None:
    """What is run now."""
    sign = "$ " if language == "sh" else ""
    bar = Text("│ ", style=ACCENT)
    lines = [piece for line in source.splitlines() for piece in _folded(sign + line, console.width - len(bar))]
    put(console, "", *(bar + Text(line, style=ACCENT) for line in lines))


def printed(console: Console, output: str) -> None:
    """What came out."""
    if output:
        lines = [safe(line) for line in output.rstrip("\n").splitlines()]
        put(console, *(Text(INDENT + piece) for line in lines for piece in _folded(line, console.width - len(INDENT))))


def waiting(console: Console) -> None:
    """Said before a command that takes some seconds."""
    put(console, muted(f"{INDENT}running…"))


def question(console: Console, text: str, choices: Sequence[str]) -> None:
    """A question, with the words to choose from."""
    put(console, "", *_wrapped(console, text + (f" ({' / '.join(choices)})" if choices else ""), "? ", style=STRONG))


def comparison(console: Console, words: str, *, right: bool, guessed: bool) -> None:
    """A guess beside the answer."""
    style = GOOD if right else WARNING if guessed else STRONG
    put(console, *_wrapped(console, safe(words), "→ ", style=style))


def remark(console: Console, words: str) -> None:
    """Something about the walk, not of the lesson."""
    put(console, *prose(safe(words), _width(console), style=MUTED))


def left(console: Console, name: str, *, kept: bool) -> None:
    """The reader went before the end."""
    put(console, "")
    again = f"descend learn {name}"
    remark(console, f"{again} goes on from here; {again} --restart begins anew." if kept else f"{again} begins anew.")


def finished(console: Console, title: str) -> None:
    """The end was reached."""
    put(console, "")
    remark(console, f"That was {title}. descend learn lists the other lessons.")


def _wrapped(console: Console, text: str, mark: str, *, style: str = "") -> list[Text]:
    """Text with its ``code`` and **words** marked, wrapped; a mark stands before its first line."""
    marked = Text(style=style)
    for piece in _INLINE.split(text):
        if piece.startswith("`"):
            marked.append(piece.strip("`"), style=ACCENT)
        else:
            marked.append(
                piece.strip("*") if piece.startswith("**") else piece, style=STRONG if piece[:2] == "**" else ""
            )
    lines = marked.wrap(console, _width(console) - len(mark))
    margin = " " * len(mark)
    return [Text(margin if number else mark, style=style) + line for number, line in enumerate(lines)]


def _folded(line: str, room: int) -> list[str]:
    """A line of code or output broken at spaces where the terminal is too narrow; what goes on is set in."""
    margin = " " * (len(line) - len(line.lstrip()) + 4)
    pieces = []
    while len(line) > room and (cut := line.rfind(" ", len(margin) + 1, room + 1)) > 0:
        pieces.append(line[:cut].rstrip())
        line = margin + line[cut:].lstrip()
    return [*pieces, line]


def _width(console: Console) -> int:
    return min(console.width, _WIDEST)
