"""Every line of a script with what it did in the run, and what it is for."""

import ast
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Any

from descend.explain.annotate.meaning import Meaning, Names, meaning_of
from descend.explain.glossary.words import Level
from descend.record.graph import Operation, operation_from
from descend.record.reader import Reader

_STEPS = 3  # whose operations are looked at: the first three that were recorded
_FEW = 4  # values that are shown


@dataclass(slots=True)
class Line:
    """One line that does something."""

    number: int
    text: str
    times: int | None = None  # how often it ran, where that is known
    seconds: float | None = None  # of a step, where its phase was timed there
    share: float | None = None  # of the time of a step
    phase: str = ""
    shapes: list[str] = field(default_factory=list)
    values: str = ""
    meaning: str = ""
    name: str = ""  # that the meaning is of

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {slot: getattr(self, slot) for slot in self.__slots__}


@dataclass(frozen=True, slots=True)
class Annotated:
    """One file with its lines."""

    file: str
    lines: list[Line]
    changed: bool  # the file on disk has another text now


def annotate(reader: Reader, file: str, text: str, level: Level, *, changed: bool = False) -> Annotated:
    """Annotate one file of a run from its record. ``text``: as it was run. Lines that a notebook's magics make unreadable have no meaning."""
    lines = {number: Line(number, line) for number, line in enumerate(text.splitlines(), 1)}
    _from_phases(lines, reader, file)
    _from_operations(lines, reader, file)
    tree = _tree(text)
    if tree is not None:
        _meanings(lines, tree, level)
        _times(lines, tree, reader, file)
    return Annotated(file, list(lines.values()), changed)


def _tree(text: str) -> ast.Module | None:
    plain = "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in text.splitlines())
    try:
        return ast.parse(plain)
    except (SyntaxError, ValueError):
        return None


def _from_phases(lines: Mapping[int, Line], reader: Reader, file: str) -> None:
    """Time and phase of the lines that sampled steps name."""
    seconds: defaultdict[tuple[int, str], list[float]] = defaultdict(list)
    whole: defaultdict[int, float] = defaultdict(float)
    for row in reader.phases():
        if row.step > 1:
            whole[row.step] += row.seconds
            if row.file == file and row.line:
                seconds[row.line, row.phase].append(row.seconds)
    typical = sorted(whole.values())[len(whole) // 2] if whole else 0.0
    for (number, phase), times in seconds.items():
        line = lines.get(number)
        middle = sorted(times)[len(times) // 2]
        if line is not None and (line.seconds is None or middle > line.seconds):
            line.seconds, line.phase = middle, phase
            line.share = middle / typical if typical else None


def _from_operations(lines: Mapping[int, Line], reader: Reader, file: str) -> None:
    """Shapes and first values of what the lines computed."""
    for step in reader.operation_steps()[:_STEPS]:
        for row in reader.operations(step):
            operation = operation_from(step, row)
            line = lines.get(operation.line)
            if line is None or operation.file != file or not operation.shapes:
                continue
            if step == reader.operation_steps()[0] or not line.shapes:
                line.shapes = [str(shape) for shape in operation.shapes][:2]  # of the last operation on the line
                line.values = _values(operation)


def _values(operation: Operation) -> str:
    if operation.values is not None:
        numbers = _flat(operation.values)
        if 0 < len(numbers) <= _FEW:
            return ", ".join("nan" if each is None else f"{each:.4g}" for each in numbers)
    least, most = operation.range
    return f"{least:.3g} … {most:.3g}" if not isnan(least) and operation.shape else ""


def _flat(values: Any) -> list[Any]:
    return [each for one in values for each in _flat(one)] if isinstance(values, list) else [values]


def _meanings(lines: Mapping[int, Line], tree: ast.Module, level: Level) -> None:
    names = Names(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt) or node.lineno not in lines:
            continue
        found = _meaning(node, names, level)
        line = lines[node.lineno]
        if found is not None and not line.meaning:
            line.meaning, line.name = found.text, found.name
            line.phase = line.phase or (found.phase or "")


def _meaning(node: ast.stmt, names: Names, level: Level) -> Meaning | None:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return None  # a docstring
    return meaning_of(node, names, level)


def _times(lines: Mapping[int, Line], tree: ast.Module, reader: Reader, file: str) -> None:
    """How often lines ran: those of the loop that takes the steps as often as there were steps, those of a loop around it once an epoch."""
    steps = reader.steps()
    count, epochs = len(steps), len({epoch for epoch in steps.epoch if epoch > 0})
    backward = {
        row.line for row in reader.phases() if row.file == file and row.phase in ("backward", "update") and row.line
    }
    if not count or not backward:
        return
    loops = _loops_around(tree, min(backward), max(backward))
    if not loops:
        return
    inner = loops[-1]
    outer = loops[-2] if len(loops) > 1 else None
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and node.lineno in lines:
            line = lines[node.lineno]
            if _inside(node, inner) or node is inner:
                line.times = count
            elif (
                outer is not None and _inside(node, outer) and not _in_other_loop(node, outer, inner)
            ) or node is outer:
                line.times = epochs or None


def _loops_around(tree: ast.Module, first: int, last: int) -> list[ast.For | ast.While]:
    """The loops that hold both lines, the outermost first."""
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.For | ast.While) and node.lineno < first and last <= (node.end_lineno or node.lineno)
    ]
    return sorted(found, key=lambda node: node.lineno)


def _inside(node: ast.stmt, loop: ast.stmt) -> bool:
    return loop.lineno < node.lineno <= (loop.end_lineno or loop.lineno)


def _in_other_loop(node: ast.stmt, outer: ast.stmt, inner: ast.stmt) -> bool:
    """Whether a loop that is not the one that takes the steps stands around it, within the outer one."""
    others: Sequence[ast.stmt] = [
        each
        for each in ast.walk(outer)
        if isinstance(each, ast.For | ast.While) and each is not outer and each is not inner
    ]
    return any(_inside(node, each) for each in others)
