"""Every line of a script with what it did in the run, and what it is for."""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from descend.explain.annotate.meaning import SEVERAL, meaning_of
from descend.explain.annotate.names import Names
from descend.explain.annotate.program import Program, expressions, lines_of, programs_of
from descend.explain.annotate.spent import Spent, spent_by
from descend.explain.annotate.times import SOMETIMES, Loop, Times, is_conditional, loops_around
from descend.explain.glossary.words import Level
from descend.record.graph import Operation, operation_from
from descend.record.reader import Reader

_FEW = 4  # values that are shown
_HEADERS = (ast.For, ast.While, ast.If, ast.With, ast.FunctionDef, ast.ClassDef)


@dataclass(slots=True)
class Line:
    """One line of a file."""

    number: int
    text: str
    times: int | None = None  # how often it ran, where that is known; of a loop, how often its body did
    seconds: float | None = None  # of its phase in a typical step, where this line took most of that
    share: float | None = None  # of the time of a step, likewise
    phase: str = ""
    shapes: list[str] = field(default_factory=list)
    values: str = ""  # when it was first looked at
    step: int | None = None  # in which that was
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
    unread: bool  # its text is not Python throughout, so that its lines have no meanings


def annotate(reader: Reader, level: Level) -> Iterator[Annotated]:
    """Annotate every file of a run from its record, with the texts that were run."""
    spent = spent_by(reader)
    for program in programs_of(reader.sources()):
        lines = {
            start + number: Line(number, text)
            for file, start in program.starts.items()
            for number, text in enumerate(lines_of(program.files[file]), 1)
        }
        names = Names(program)
        loops = _training_loops(program, spent)
        made = _from_operations(lines, program, reader)
        _from_phases(lines, program, spent, loops)
        _meanings(lines, program, names, loops, made, level)
        if reader.status == "finished" and program.is_whole:
            turns = _turns(program, spent, loops) | _evaluated(program, reader, names)
            own = any(Path(file).name == reader.info.title for file in program.files) or len(program.files) > 1
            counted = Times(program.tree, names, turns, _printed(program, reader), functions=own)
            for number, times in counted.of.items():
                if lines[number].meaning or lines[number].shapes or lines[number].phase:
                    lines[number].times = times
            for statement in (node for node in ast.walk(program.tree) if isinstance(node, ast.Assign | ast.Expr)):
                for call in _parts(statement) if _is_plain(statement) else ():
                    lines[call.lineno].times = lines[statement.lineno].times
        for file, text in program.files.items():
            first = program.starts[file] + 1
            page = [lines[number] for number in range(first, first + len(lines_of(text)))]
            yield Annotated(file, page, file in program.unread)


def _training_loops(program: Program, spent: Sequence[Spent]) -> dict[int, Loop]:
    """The loop that takes the steps of each training, by the training's place."""
    found: dict[int, Loop] = {}
    for place, training in enumerate(spent):
        rows = [program.line(*where) for phase, where in training.places.items() if phase in ("backward", "update")]
        loops = [loops_around(program.tree, row) for row in rows if row is not None]
        inner = {each[-1].lineno: each[-1] for each in loops if each}
        if len(inner) == 1 and all(loops):
            found[place] = next(iter(inner.values()))
    return found


def _turns(program: Program, spent: Sequence[Spent], loops: Mapping[int, Loop]) -> dict[Loop, int]:
    """How often the loops that take steps went round."""
    turns: Counter[Loop] = Counter()
    for place, loop in loops.items():
        turns[loop] += spent[place].steps
    uneven = {
        loop
        for place, loop in loops.items()
        for where in spent[place].places.values()
        if (line := program.line(*where)) is not None
        and loop in loops_around(program.tree, line)
        and is_conditional(loop, line)
    }
    return {loop: count for loop, count in turns.items() if loop not in uneven}


def _evaluated(program: Program, reader: Reader, names: Names) -> dict[Loop, int]:
    """How often loops went round that only call the model, once a turn, and do nothing else with it."""
    passes: Counter[Loop] = Counter()
    for row in reader.evaluations():
        line = program.line(row.file, row.line)
        around = loops_around(program.tree, line) if line is not None else []
        if around:
            calls = [node for node in ast.walk(around[-1]) if isinstance(node, ast.Call) and _is_model(node, names)]
            if len(calls) == 1 and not is_conditional(around[-1], calls[0].lineno):
                passes[around[-1]] += row.passes
    return dict(passes)


def _is_model(call: ast.Call, names: Names) -> bool:
    maker = names.maker(call.func)
    return maker is not None and isinstance(names.own.get(maker[0]), ast.ClassDef)


def _printed(program: Program, reader: Reader) -> dict[int, int]:
    """How often lines printed that print one line at a time; nothing where the record keeps only some of what was printed."""
    rows = reader.printed()
    if rows and rows[-1].number != len(rows):
        return {}
    counted = Counter(line for row in rows if (line := program.line(row.file, row.line)) is not None)
    single = {
        node.lineno
        for node in ast.walk(program.tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "print"
        and all(isinstance(each, ast.Constant | ast.JoinedStr) for each in node.value.args)
        and not node.value.keywords
        and not any("\n" in str(each.value) for each in ast.walk(node.value) if isinstance(each, ast.Constant))
    }
    return {line: times for line, times in counted.items() if line in single}


def _from_phases(
    lines: Mapping[int, Line], program: Program, spent: Sequence[Spent], loops: Mapping[int, Loop]
) -> None:
    """Phase, and share of the time, of the lines that took most of a phase; and the phase of the lines that go on with it."""
    for place, training in enumerate(spent):
        timed: dict[int, str] = {}
        for phase, where in training.places.items():
            number = program.line(*where)
            if number is not None and number in lines:
                line = lines[number]
                timed[number] = phase
                share = training.shares.get(phase)
                if not line.phase or (share is not None and share > (line.share or 0.0)):
                    line.phase, line.share = phase, share
                    line.seconds = None if share is None else training.seconds[phase]
        _in_functions(lines, program, timed)
        if place in loops:
            _go_on(lines, loops[place], timed)


def _go_on(lines: Mapping[int, Line], loop: Loop, timed: Mapping[int, str]) -> None:
    """Lines of the loop between two that were timed belong to the phase of the first, where they compute."""
    unsure = {
        inner.lineno
        for each in ast.walk(loop)
        if isinstance(each, ast.If | ast.Try)
        for inner in ast.walk(each)
        if isinstance(inner, ast.stmt)
    }
    for node in ast.walk(loop):
        if not isinstance(node, ast.Assign | ast.AugAssign | ast.Expr) or node.lineno in unsure:
            continue
        line = lines[node.lineno]
        before = [number for number in timed if loop.lineno <= number < node.lineno]
        computes = isinstance(node, ast.AugAssign) or bool(line.shapes) or _is_sum(node)
        if before and not line.phase and computes:
            line.phase = timed[max(before)]


def _is_sum(node: ast.stmt) -> bool:
    return isinstance(getattr(node, "value", None), ast.BinOp)


def _in_functions(lines: Mapping[int, Line], program: Program, timed: Mapping[int, str]) -> None:
    """Lines of a function behind one that was timed belong to its phase, and those of a model's forward to the forward pass."""
    for node in ast.walk(program.tree):
        if not isinstance(node, ast.FunctionDef):
            continue
        for inner in node.body:
            before = [number for number in timed if node.lineno < number < inner.lineno]
            phase = timed[max(before)] if before else "forward" if node.name == "forward" else ""
            line = lines[inner.lineno]
            if isinstance(inner, ast.Assign | ast.AugAssign | ast.Return) and line.shapes and not line.phase:
                line.phase = phase


def _from_operations(lines: Mapping[int, Line], program: Program, reader: Reader) -> dict[int, list[str]]:
    """Shapes and first values of what the lines computed last; gives the shapes of all that each line computed."""
    every: dict[int, list[str]] = {}
    for step in reader.operation_steps():
        found: defaultdict[int, list[Operation]] = defaultdict(list)
        for row in reader.operations(step):
            operation = operation_from(step, row)
            number = program.line(operation.file, operation.line)
            if number is not None and number in lines and operation.shapes:
                found[number].append(operation)
        for number, operations in found.items():
            if number not in every:
                every[number] = list(dict.fromkeys(str(shape) for each in operations for shape in each.shapes))
                lines[number].shapes = [str(shape) for shape in operations[-1].shapes][:2]
                lines[number].values = _values(operations[-1])
                lines[number].step = step
    return every


def _values(operation: Operation) -> str:
    if operation.values is not None:
        numbers = _flat(operation.values)
        if 0 < len(numbers) <= _FEW:
            return ", ".join("nan" if each is None else f"{each:.4g}" for each in numbers)
    least, most = operation.range
    if not (isfinite(least) and isfinite(most)) or not operation.shape:
        return ""
    return f"all {least:.3g}" if least == most else f"{least:.3g} … {most:.3g}"


def _flat(values: Any) -> list[Any]:
    return [each for one in values for each in _flat(one)] if isinstance(values, list) else [values]


def _meanings(
    lines: Mapping[int, Line],
    program: Program,
    names: Names,
    loops: Mapping[int, Loop],
    made: Mapping[int, list[str]],
    level: Level,
) -> None:
    """The sentence of each statement, at the line where it begins."""
    in_loops = {node.lineno for loop in loops.values() for node in ast.walk(loop) if isinstance(node, ast.stmt)}
    untracked = {
        inner.lineno
        for node in ast.walk(program.tree)
        if isinstance(node, ast.With) and any(_is_untracked(each) for each in node.items)
        for each in node.body
        for inner in ast.walk(each)
        if isinstance(inner, ast.stmt)
    }
    # Functions take part in steps as well; an object is set up in __init__.
    in_step = in_loops | {
        inner.lineno
        for node in ast.walk(program.tree)
        if isinstance(node, ast.FunctionDef) and node.name != "__init__"
        for inner in node.body
    }
    statements = [node for node in ast.walk(program.tree) if isinstance(node, ast.stmt)]
    for node in sorted(statements, key=lambda each: (each.lineno, each.col_offset)):
        line = lines[node.lineno]
        _of_parts(lines, node, names, made, level)
        if line.meaning:
            continue
        found = meaning_of(node, names, level, line.phase)
        if found is None:
            continue
        line.meaning, line.name = found.text, found.name
        if not line.phase and node.lineno not in untracked - in_loops and (node.lineno in in_step or not found.makes):
            line.phase = found.phase or ""
        if found.makes:
            line.values = ""
            line.shapes = made.get(node.lineno, [])[:4]
        if (
            found.name == SEVERAL
            or found.name in names.own
            or found.name.startswith("class ")
            or isinstance(node, ast.For | ast.While)
        ):
            line.shapes, line.values, line.step = (
                [],
                "",
                None,
            )  # what it gave stands at the function's own lines; of several there is no telling


def _parts(statement: ast.stmt) -> Iterator[ast.Call]:
    """Calls within a statement that stand first on a line of their own, as the layers of a Sequential do."""
    seen = {statement.lineno}
    for each in expressions(statement):
        if isinstance(each, ast.Call) and each.lineno not in seen:
            seen.add(each.lineno)
            yield each


def _is_plain(statement: ast.stmt) -> bool:
    """Whether all that stands in a statement is done once when it runs."""
    return not any(isinstance(each, SOMETIMES) for each in expressions(statement))


def _of_parts(
    lines: Mapping[int, Line], statement: ast.stmt, names: Names, made: Mapping[int, list[str]], level: Level
) -> None:
    for call in _parts(statement):
        line = lines[call.lineno]
        found = None if line.meaning else meaning_of(ast.Expr(call), names, level, line.phase)
        if found is not None:
            line.meaning, line.name = found.text, found.name
            if found.makes:
                line.shapes, line.values = made.get(call.lineno, [])[:4], ""


def _is_untracked(item: ast.withitem) -> bool:
    return ast.unparse(item.context_expr).endswith(("no_grad()", "inference_mode()"))
