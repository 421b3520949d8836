"""Lines of text laid out to a width: prose, lists of short facts, columns. No line ends in spaces, no text is read as markup."""

import contextlib
import os
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from descend.show.colours import MUTED
from descend.show.numbers import NO_BREAK

Look = Literal["grey", "blocks", "ascii"]
Cell = str | Text
SEPARATOR = " · "
INDENT = "  "
READABLE_WIDTH = 100
WIDEST = 120
_PLAIN: Any = {"highlight": False, "markup": False, "emoji": False, "force_jupyter": False}
# One character for one, so that columns and colours stay where they are.
_ASCII = str.maketrans("·–→×…━╸²█│", "-->x~==2#|")


def open_console(*, stderr: bool = False) -> Console:
    """A console for these views: no markup, no emoji codes, no guessing of colours for numbers.

    Characters that the stream's encoding lacks are replaced, never raised. In a notebook it writes text as ``print`` does, in colours:
    rich would show each line as a page of its own.
    """
    stream = sys.stderr if stderr else sys.stdout
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None and not (stream.encoding or "").lower().startswith("utf"):
        reconfigure(errors="replace")
    if type(stream).__module__.startswith("ipykernel."):
        return _Console(stderr=stderr, force_terminal=False, color_system="truecolor", width=READABLE_WIDTH, **_PLAIN)
    return _Console(stderr=stderr, **_PLAIN)


def page_console(page: TextIO, **settings: Any) -> Console:
    """A console like those of :func:`open_console` that writes to ``page``."""
    return Console(file=page, width=READABLE_WIDTH, **_PLAIN, **settings)


class _Console(Console):
    """A console whose reader may leave, as with ``| head``: a training outlasts its audience."""

    def on_broken_pipe(self) -> None:
        """What is still to be shown goes nowhere, and nothing is raised."""
        self.quiet = True
        with contextlib.suppress(OSError, ValueError):  # a stream without a file needs nothing
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.file.fileno())
            os.close(nowhere)


def look_of(console: Console) -> Look:
    """How pictures can be drawn here: with grey levels, with block characters, or with ASCII alone."""
    if console.options.ascii_only:
        return "ascii"
    return "grey" if not console.no_color and console.color_system in ("truecolor", "256") else "blocks"


def safe(text: object) -> str:
    """Text from a file or a stranger's record: control and direction-changing characters are made visible."""
    return "".join(
        character
        if character == NO_BREAK or unicodedata.category(character) not in ("Cc", "Cf", "Zl", "Zp")
        else "\N{REPLACEMENT CHARACTER}"
        for character in str(text).replace("\n", " ").replace("\t", " ")
    )


def put(console: Console, *lines: Cell) -> None:
    """Print each line as it is."""
    for line in lines:
        text = printable(Text(line) if isinstance(line, str) else line, ascii_only=console.options.ascii_only)
        console.print(text, no_wrap=True, overflow="ignore", crop=False, soft_wrap=True)


def printable(line: Text, *, ascii_only: bool = False) -> Text:
    """The line as it leaves: no spaces at its end, plain spaces inside, and only ASCII where that is all there is."""
    text = line.copy()
    text.plain = text.plain.replace(NO_BREAK, " ")
    if ascii_only:
        text.plain = text.plain.translate(_ASCII)
    text.rstrip()
    return text


def prose(text: str, width: int, *, indent: str = "", style: str = "") -> list[Text]:
    """Sentences wrapped to a readable width; a number is never torn from its unit."""
    wrapped = textwrap.wrap(
        text,
        width=max(20, min(width, READABLE_WIDTH)),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [Text(line, style=style) for line in wrapped]


def facts(parts: Iterable[Cell], width: int, *, indent: str = "", style: str = "") -> list[Text]:
    """Short facts joined by ``·``; a line is broken between facts, and inside one only where it is longer than a line."""
    lines: list[Text] = []
    for part in parts:
        fact = Text(part, style=style) if isinstance(part, str) else part
        if lines and lines[-1].cell_len + len(SEPARATOR) + fact.cell_len <= width:
            lines[-1].append(SEPARATOR, style=MUTED).append_text(fact)
        elif fact.cell_len + len(indent) <= width or fact.spans:
            lines.append(Text(indent).append_text(fact))
        else:
            lines.extend(prose(fact.plain, width, indent=indent, style=style))
    return lines


def labelled(rows: Sequence[tuple[str, Sequence[Text]]], *, indent: str = INDENT, least: int = 0) -> list[Text]:
    """Muted labels on the left, lines on the right."""
    width = max([least, *(cell_len(label) for label, _ in rows)])
    lines: list[Text] = []
    for label, content in rows:
        for number, line in enumerate(content):
            head = label if number == 0 else ""
            lines.append(Text(indent).append(head.ljust(width + 3), style=MUTED).append_text(line))
    return lines


def columns(rows: Sequence[Sequence[Cell]], align: str, *, gap: int = 3, indent: str = INDENT) -> list[Text]:
    """Rows of cells in columns as wide as their widest cell. ``align`` holds ``l`` or ``r`` for each column."""
    table = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    widths = [max((row[index].cell_len for row in table if index < len(row)), default=0) for index in range(len(align))]
    lines: list[Text] = []
    for row in table:
        line = Text(indent)
        for index, cell in enumerate(row):
            if index:
                line.append(" " * gap)
            padding = " " * (widths[index] - cell.cell_len)
            line.append(padding if align[index] == "r" else "").append_text(cell)
            if align[index] == "l" and index < len(row) - 1:
                line.append(padding)
        line.rstrip()
        lines.append(line)
    return lines


def muted(text: str) -> Text:
    """Text that stands back."""
    return Text(text, style=MUTED)


def shorten(text: str, width: int) -> str:
    """Cut to a width, the middle left out: both ends of a path or name tell something."""
    if cell_len(text) <= width or width < 5:
        return text
    keep = width - 1
    return f"{text[: keep - keep // 2]}…{text[len(text) - keep // 2 :]}"
