"""All that the rules may look at: the record of one run, read once and only as far as somebody asks."""

import ast
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from descend.check.finding import CannotCheck, Place
from descend.check.graph import StepGraph, operation_from
from descend.record.events import LOOK
from descend.record.reader import Reader
from descend.record.rows import (
    BatchRow,
    CallRow,
    EpochRow,
    EvaluationRow,
    FactRow,
    MessageRow,
    NormRow,
    ParameterRow,
    PhaseRow,
    PrintedRow,
    ReadRow,
    RunInfo,
    SnapshotRow,
    Steps,
    UnseenRow,
)


class Evidence:
    """The record of one run. Everything is read when it is first asked for, and kept."""

    def __init__(self, reader: Reader, report: Mapping[str, Any] | None = None) -> None:
        self._reader = reader
        self._report = report
        self._graphs: dict[int, StepGraph] = {}

    @cached_property
    def info(self) -> RunInfo:
        """The run as a whole."""
        return self._reader.info

    @cached_property
    def report(self) -> Mapping[str, Any]:
        """What the run came to; empty while it runs."""
        return self._report or self.info.report or {}

    @cached_property
    def steps(self) -> Steps:
        """Every step, as columns."""
        return self._reader.steps()

    @cached_property
    def norms(self) -> list[NormRow]:
        """Of every parameter at every sampled step."""
        return self._reader.norms()

    @cached_property
    def norms_by_parameter(self) -> dict[str, list[NormRow]]:
        """The same, by parameter, in the order of the steps."""
        found: dict[str, list[NormRow]] = {}
        for row in self.norms:
            found.setdefault(row.parameter, []).append(row)
        return found

    @cached_property
    def phases(self) -> list[PhaseRow]:
        """Where the time of sampled steps went."""
        return self._reader.phases()

    @cached_property
    def epochs(self) -> list[EpochRow]:
        """The epochs of a ``train`` run."""
        return self._reader.epochs()

    @cached_property
    def parameters(self) -> list[ParameterRow]:
        """Parameters of a watched script, in the order it used them."""
        return self._reader.parameters()

    @cached_property
    def batches(self) -> list[BatchRow]:
        """Tensors that sampled steps and evaluations began with."""
        return self._reader.batches()

    @cached_property
    def calls(self) -> list[CallRow]:
        """Modules called in sampled steps."""
        return self._reader.calls()

    @cached_property
    def evaluations(self) -> list[EvaluationRow]:
        """Forward passes that no backward followed."""
        return self._reader.evaluations()

    @cached_property
    def printed(self) -> list[PrintedRow]:
        """Lines that the script printed."""
        return self._reader.printed()

    @cached_property
    def reads(self) -> list[ReadRow]:
        """Numbers that the script took out of tensors."""
        return self._reader.reads()

    @cached_property
    def looks(self) -> list[MessageRow]:
        """Backward passes that no update followed."""
        return [row for row in self._reader.messages() if row.kind == LOOK]

    @cached_property
    def unseen(self) -> list[UnseenRow]:
        """What could not be watched."""
        return self._reader.unseen()

    @cached_property
    def snapshots(self) -> list[SnapshotRow]:
        """Steps kept in full."""
        return self._reader.snapshots()

    @cached_property
    def sources(self) -> dict[str, str]:
        """The text of every file whose lines are referred to."""
        return self._reader.sources()

    @cached_property
    def _facts(self) -> dict[str, list[FactRow]]:
        found: dict[str, list[FactRow]] = {}
        for row in self._reader.facts():
            found.setdefault(row.kind, []).append(row)
        return found

    def facts(self, kind: str) -> list[FactRow]:
        """What was measured of this kind, in the order it came."""
        return self._facts.get(kind, [])

    @cached_property
    def operation_steps(self) -> list[int]:
        """The steps whose operations were kept."""
        return self._reader.operation_steps()

    def graph(self, step: int) -> StepGraph:
        """The operations of a step whose operations were kept."""
        if step not in self._graphs:
            rows = self._reader.operations(step)
            self._graphs[step] = StepGraph(step, [operation_from(step, row) for row in rows])
        return self._graphs[step]

    def graphs(self, most: int = 20) -> list[StepGraph]:
        """The first ``most`` steps whose operations were kept. Raises CannotCheck where there are none."""
        steps = self.operation_steps[:most]
        if not steps:
            raise CannotCheck(self.why_no_operations())
        return [self.graph(step) for step in steps]

    def why_no_operations(self) -> str:
        """Why no operation was recorded."""
        why = next((row.why for row in self.unseen if row.what == "operations"), "")
        if why:
            return f"the operations of its steps were not seen ({why})"
        return "no step was taken" if not len(self.steps) else "the operations of its steps were not recorded"

    def arrays(self, step: int) -> dict[str, Any]:
        """The tensors of a snapshot as NumPy arrays, by name; without importing PyTorch."""
        return self._reader.arrays(step)

    def place(self, file: str | None, line: int | None) -> Place | None:
        """A line with its text; None where there is none."""
        if not file or not line:
            return None
        return Place(file, line, self.line_of(file, line).strip())

    def line_of(self, file: str, line: int) -> str:
        """The text of a line as it was run; "" where it is not known."""
        lines = self._lines.get(file)
        if lines is None:
            lines = self._lines[file] = self.sources.get(file, "").splitlines()
        return lines[line - 1] if 0 < line <= len(lines) else ""

    @cached_property
    def _lines(self) -> dict[str, list[str]]:
        return {}

    def tree(self, file: str) -> ast.Module | None:
        """The syntax tree of a file; None where its text is not known or is no plain Python."""
        if file not in self._trees:
            try:
                self._trees[file] = ast.parse(self.sources[file]) if file in self.sources else None
            except (SyntaxError, ValueError):  # a cell with magics
                self._trees[file] = None
        return self._trees[file]

    @cached_property
    def _trees(self) -> dict[str, ast.Module | None]:
        return {}

    def statement(self, file: str, line: int) -> ast.stmt | None:
        """The innermost statement that stands on a line."""
        tree = self.tree(file)
        found = [
            node
            for node in (ast.walk(tree) if tree is not None else ())
            if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or node.lineno)
        ]
        return max(found, key=lambda node: node.lineno, default=None)

    def calls_on(self, file: str, line: int) -> Sequence[ast.Call]:
        """The calls in the statement on a line, the outermost first."""
        statement = self.statement(file, line)
        return [node for node in ast.walk(statement) if isinstance(node, ast.Call)] if statement is not None else []
