"""Make docs/assets/train-mnist.svg from real output: runs ``descend train mnist`` in a pseudo-terminal and draws what is on it at the end.

Usage: python scripts/picture.py [--rows N] [-o FILE] [COMMAND …]   (``descend train mnist`` where no command is given)

Linux and macOS. The picture names only fonts that a reader may have; it loads nothing.
"""

import argparse
import fcntl
import os
import pty
import re
import shutil
import struct
import sys
import tempfile
import termios
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

WIDTH = 100
ROOT = Path(__file__).parent.parent
THEME = TerminalTheme(
    (24, 26, 31),
    (215, 218, 224),
    [
        (40, 44, 52),
        (224, 108, 117),
        (152, 195, 121),
        (229, 192, 123),
        (97, 175, 239),
        (198, 120, 221),
        (86, 182, 194),
        (171, 178, 191),
    ],
    [
        (110, 118, 135),
        (240, 128, 137),
        (172, 215, 141),
        (245, 212, 143),
        (127, 195, 249),
        (218, 150, 241),
        (116, 202, 214),
        (255, 255, 255),
    ],
)
SVG = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, 'Cascadia Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace;
  font-size: {char_height}px; line-height: {line_height}px; white-space: pre;
}}
.{unique_id}-title {{ font-size: 15px; font-family: system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def run_in_terminal(command: Sequence[str], folder: Path) -> str:
    """Everything that the command writes to a terminal of WIDTH columns, control sequences included."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", COLUMNS=str(WIDTH), LINES="60")
        os.environ.pop("NO_COLOR", None)
        os.environ.pop("DESCEND_RUNS", None)
        try:
            os.execvp(command[0], command)
        finally:
            os._exit(127)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, WIDTH, 0, 0))
    pieces = []
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux says so when the other side is gone
            break
        if not piece:
            break
        pieces.append(piece)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    text = b"".join(pieces).decode("utf-8")
    if status != 0:
        sys.exit(f"{' '.join(command)} ended with exit status {status}:\n{text}")
    return text


def screen(output: str) -> list[str]:
    """The lines that stand on the terminal at the end, colours kept.

    Knows what rich's live views use: return, new line, cursor up, erase the line. Colours are closed at the end of each piece.
    """
    lines = [""]
    row = 0
    for part in re.split(r"(\r\n|\r|\n|\x1b\[\??\d*[A-HJKhl])", output):
        if part in ("\n", "\r\n"):
            row += 1
            if row == len(lines):
                lines.append("")
        elif match := re.fullmatch(r"\x1b\[(\d*)A", part):
            row = max(0, row - int(match[1] or 1))
        elif re.fullmatch(r"\x1b\[[02]?K", part):
            lines[row] = ""
        elif part and part != "\r" and not re.fullmatch(r"\x1b\[\??\d*[A-HJKhl]", part):
            lines[row] += part
    return lines


def draw(lines: Sequence[str], title: str) -> str:
    """The lines as an SVG picture of a terminal."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(
            record=True, width=WIDTH, file=nowhere, force_terminal=True, color_system="truecolor", legacy_windows=False
        )
        for line in lines:
            console.print(Text.from_ansi(line), overflow="crop", no_wrap=True)
        return console.export_svg(title=title, theme=THEME, code_format=SVG, unique_id="descend")


def main() -> None:
    """Run, draw, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "assets" / "train-mnist.svg")
    parser.add_argument("--rows", type=int, default=0, help="keep only the first N rows")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()

    command = given.command or ["descend", "train", "mnist"]
    beside = Path(sys.executable).parent / command[0]
    program = str(beside) if beside.exists() else shutil.which(command[0]) or command[0]
    with tempfile.TemporaryDirectory() as folder:
        output = run_in_terminal([program, *command[1:]], Path(folder))
    lines = [f"\x1b[1;32m$\x1b[0m \x1b[1m{' '.join(command)}\x1b[0m", *screen(output)]
    while lines and not lines[-1].strip():
        lines.pop()
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(draw(lines[: given.rows or None], " ".join(command)), encoding="utf-8")
    print(f"{given.output}: {given.output.stat().st_size / 1024:.0f} KiB, {len(lines)} rows")


if __name__ == "__main__":
    main()
