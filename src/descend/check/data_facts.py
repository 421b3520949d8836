"""What a record says about the data: its loaders, its sets of rows, and what each step was given."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Place
from descend.record.rows import BatchRow, FactRow

Values = Mapping[str, Any]

_TAKING = frozenset(["getitem", "index_select", "narrow", "split", "chunk"])
_RECURRENT = frozenset(["LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"])


@dataclass(frozen=True, slots=True)
class Loader:
    """A DataLoader, and where it was made."""

    values: Values
    file: str
    line: int

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def place(self, evidence: Evidence) -> Place | None:
        """The line that makes it."""
        return evidence.place(self.file, self.line)


def loaders(evidence: Evidence) -> dict[int, Loader]:
    """By number."""
    return {row.values["number"]: Loader(row.values, row.file or "", row.line or 0) for row in evidence.facts("loader")}


def sets(evidence: Evidence, *roles: str) -> list[Values]:
    """The sets of these roles."""
    return [row.values for row in evidence.facts("set") if row.values["role"] in roles]


def given(evidence: Evidence) -> list[FactRow]:
    """What each step that was looked at was given. Raises CannotCheck where there is none."""
    rows = evidence.facts("given")
    if not rows:
        raise CannotCheck("no step was taken" if not len(evidence.steps) else "what the steps were given was not seen")
    return rows


def name_of(evidence: Evidence, one: Values) -> str:
    """What the script calls a set: the variable that holds it or its loader; "" where it has no name."""
    if one["variable"]:
        return str(one["variable"])
    loader = loaders(evidence).get(one["loader"])
    if loader is not None:
        return assigned_on(evidence, loader.file, loader.line)
    numbers = set(one.get("evaluations") or ())
    return next((row.name for row in evidence.batches if row.evaluation in numbers and row.name), "")


def assigned_on(evidence: Evidence, file: str, line: int) -> str:
    """The variable that the statement on a line assigns to."""
    statement = evidence.statement(file, line)
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return ast.unparse(targets[0]) if targets and isinstance(targets[0], ast.Name | ast.Attribute) else ""


def place_of_set(evidence: Evidence, one: Values) -> Place | None:
    """Where a set enters the program: the line of its loader, or of the evaluation that is given it."""
    loader = loaders(evidence).get(one["loader"])
    if loader is not None:
        return loader.place(evidence)
    line = one.get("line")
    return evidence.place(line[0], line[1]) if line else None


def place_of_variable(evidence: Evidence, name: str) -> Place | None:
    """The line that first assigns to a variable."""
    for file in evidence.sources if name else ():
        tree = evidence.tree(file)
        for node in ast.walk(tree) if tree is not None else ():
            if isinstance(node, ast.Assign) and any(
                isinstance(each, ast.Name) and each.id == name for target in node.targets for each in ast.walk(target)
            ):
                return evidence.place(file, node.lineno)
    return None


def call_on(evidence: Evidence, place: Place | None) -> ast.Call | None:
    """The call of ``DataLoader`` on a line; where a class of the user's makes it, the outermost call."""
    if place is None:
        return None
    calls = evidence.calls_on(place.file, place.line)
    named = [each for each in calls if ast.unparse(each.func).endswith("DataLoader") and each.lineno == place.line]
    return next(iter(named or calls), None)


def with_keyword(call: ast.Call | None, name: str, value: str) -> str:
    """The call as code with one keyword set; "" without a call."""
    if call is None:
        return ""
    kept = [each for each in call.keywords if each.arg != name]
    words_given = [ast.unparse(each) for each in call.args]
    words_given += [
        f"{each.arg}={ast.unparse(each.value)}" if each.arg else f"**{ast.unparse(each.value)}" for each in kept
    ]
    return f"{ast.unparse(call.func)}({', '.join([*words_given, f'{name}={value}'])})"


def place_of_batch(evidence: Evidence, row: FactRow) -> Place | None:
    """The line that takes the rows of a step out of their tensor; where it was not heard, the line of its backward pass."""
    size = (row.values["rows"], row.values["of"])
    for step in dict.fromkeys((row.step, 1)):  # before the first step rows may be cut into all of their batches
        found = [
            operation
            for operation in (evidence.graph(step) if step in evidence.operation_steps else ())
            if operation.name in _TAKING and operation.shape and operation.input_shapes and operation.input_shapes[0]
            if (operation.shape[0], operation.input_shapes[0][0]) == size
        ]
        numbers = [each for each in found if each.input_dtypes[0].startswith("int") and len(each.shape) == 1]
        if row.values["how"] == "listed" and numbers:
            return words.place_of(evidence, numbers[0])  # where the list of row numbers is cut
        rows = [each for each in found if each not in numbers] or found
        if rows:
            return words.place_of(evidence, rows[-1] if step == 1 else rows[0])
    return evidence.place(row.file, row.line)


def is_recurrent(evidence: Evidence) -> bool:
    """Whether the model keeps a state from one part of a sequence to the next."""
    return any(row.class_name in _RECURRENT for row in evidence.calls)


def firsts(evidence: Evidence) -> dict[int, BatchRow]:
    """Of each training step that was looked at, the first tensor it began with, whose rows have fingerprints."""
    found: dict[int, BatchRow] = {}
    for row in evidence.batches:
        if not row.evaluation and row.fingerprints:
            found.setdefault(row.step, row)
    return found


def is_given_none(evidence: Evidence, step: int) -> bool:
    """Whether what the model was given in a step is seen to hold numbers that are NaN or infinite: that is D404."""
    whole = (row for row in evidence.facts("broken_batch") if row.step == step and not row.values["parameters"])
    if any(each[5] for row in whole for each in row.values["inputs"]):
        return True
    return any(row.step == step and sum(row.values["not_finite"]) for row in evidence.facts("given"))


def impurity(counts: Sequence[Sequence[int]]) -> float:
    """That two rows drawn from these have different labels."""
    every = sum(count for _, count in counts)
    return 1 - sum((count / every) ** 2 for _, count in counts) if every else 0.0


def period(positions: Sequence[tuple[int, int]], stride: int) -> int:
    """After how many steps an order begins anew, from steps and where in the order each began; 0 where that is not seen."""
    found = 0
    begun = positions[0][0] - positions[0][1] // stride
    for step, start in positions:
        found = gcd(found, step - begun - start // stride)
    return found


def accumulates(evidence: Evidence) -> bool:
    """Whether an update follows several backward passes."""
    return any(
        sum(each["what"] == "backward" for each in row.values["happened"]) > 1 for row in evidence.facts("order")
    )
