"""The text of a program as one tree: a script is one file, a notebook the cells that were run, in their order."""

import ast
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_CELL = re.compile(r"^(?:(.*) )?cell (\d+)$")


@dataclass(frozen=True, slots=True)
class Program:
    """Files that share their names. Lines are counted through all of them: ``starts`` says how many stand before each file."""

    files: Mapping[str, str]
    starts: Mapping[str, int]
    tree: ast.Module
    unread: tuple[str, ...]  # files whose text is not Python throughout

    @property
    def is_notebook(self) -> bool:
        """Whether its files are cells."""
        return any(_CELL.match(file) for file in self.files)

    @property
    def is_whole(self) -> bool:
        """Whether it was run from its first line to its last; of cells in an open notebook nobody knows how often each was run."""
        return len(self.files) == 1 or not any(file.startswith("cell ") for file in self.files)

    def line(self, file: str | None, number: int | None) -> int | None:
        """The number of a line, counted through all files; None for a line of another program."""
        start = self.starts.get(file or "")
        return None if start is None or not number else start + number

    def told(self, line: int) -> str:
        """The place of a line in words: line 7, or of a notebook line 7 of cell 2."""
        file, start = max(
            ((file, start) for file, start in self.starts.items() if start < line), key=lambda each: each[1]
        )
        cell = _CELL.match(file)
        return f"line {line - start} of cell {cell[2]}" if cell else f"line {line - start}"


def programs_of(sources: Mapping[str, str]) -> Iterator[Program]:
    """Every script of its own, and the cells of a notebook together."""
    together: dict[str, dict[str, str]] = {}
    for file in sorted(sources, key=_place):
        cell = _CELL.match(file)
        together.setdefault(cell[1] or "" if cell else file, {})[file] = sources[file]
    for files in together.values():
        yield _program(files)


def _place(file: str) -> tuple[str, int]:
    cell = _CELL.match(file)
    return (cell[1] or "", int(cell[2])) if cell else (file, 0)


def _program(files: Mapping[str, str]) -> Program:
    starts: dict[str, int] = {}
    unread: list[str] = []
    whole = ast.Module(body=[], type_ignores=[])
    before = 0
    for file, text in files.items():
        starts[file] = before
        tree = _tree(text)
        if tree is None:
            unread.append(file)
        else:
            whole.body += ast.increment_lineno(tree, before).body
        before += len(lines_of(text))
    return Program(files, starts, whole, tuple(unread))


def _tree(text: str) -> ast.Module | None:
    """The tree of a file or cell; lines that only a notebook understands are left out."""
    plain = "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines_of(text))
    try:
        return ast.parse(plain)
    except (SyntaxError, ValueError, RecursionError):
        return None


def lines_of(text: str) -> list[str]:
    """The lines as Python counts them; a form feed begins none."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def expressions(statement: ast.AST) -> Iterator[ast.expr]:
    """The expressions of a statement from the outside in; of a loop, a function or a class only those of its first line."""
    waiting: deque[ast.AST] = deque([statement])
    while waiting:
        node = waiting.popleft()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt | ast.excepthandler):
                continue
            if isinstance(child, ast.expr):
                yield child
            waiting.append(child)
