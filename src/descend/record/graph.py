"""The operations of one recorded step, and what fed what."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import nan, prod
from typing import Any

VIEWS = frozenset(
    [
        "view",
        "reshape",
        "flatten",
        "squeeze",
        "unsqueeze",
        "transpose",
        "t",
        "T",
        "mT",
        "permute",
        "movedim",
        "swapaxes",
        "contiguous",
        "clone",
        "detach",
        "to",
        "float",
        "double",
        "type_as",
        "expand",
        "expand_as",
        "view_as",
        "reshape_as",
        "alias",
        "requires_grad_",
        "identity",
    ]
)
"""Operations that pass the same numbers on in another form."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: what was computed, from what, where, and what came out."""

    step: int
    index: int
    name: str  # as people know it: linear, mul, sub_, cross_entropy
    module: str  # name of the module it belongs to, or ""
    file: str
    line: int
    inputs: tuple[int | str, ...]  # indices of earlier operations; names of parameters and of tensors from outside
    input_shapes: tuple[tuple[int, ...], ...]
    input_dtypes: tuple[str, ...]
    input_tracked: tuple[bool, ...]  # whether autograd follows each
    shapes: tuple[tuple[int, ...], ...]  # of each output
    dtype: str
    tracked: bool  # whether autograd follows what came out
    constants: Mapping[str, Any] = field(default_factory=dict)  # by position or name
    facts: Mapping[str, Any] = field(default_factory=dict)
    input_parts: tuple[
        int, ...
    ] = ()  # of each input, which output of its operation it is; empty where all are first ones
    values: Any = None  # all of a small output: a number or nested lists, None in place of NaN
    least: float = nan
    mean: float = nan
    most: float = nan
    std: float = nan

    @property
    def shape(self) -> tuple[int, ...]:
        """Of its first output; () where it has none."""
        return self.shapes[0] if self.shapes else ()

    @property
    def size(self) -> int:
        """How many numbers the first output has."""
        return prod(self.shape)

    @property
    def range(self) -> tuple[float, float]:
        """The least and the largest number of the output; NaN where they are not known."""
        if self.values is None:
            return self.least, self.most
        numbers = [each for each in _flat(self.values) if isinstance(each, int | float)]
        return (min(numbers), max(numbers)) if numbers else (nan, nan)

    @property
    def numbers(self) -> Any:
        """All of a small output, as ``values`` has it, with NaN where that has None."""
        return _with_nan(self.values)

    def part(self, position: int) -> int:
        """Which output of its operation the input at ``position`` is, counted from 0."""
        return self.input_parts[position] if position < len(self.input_parts) else 0

    def constant(self, position: int, name: str, default: Any = None) -> Any:
        """A plain argument, given by position or by name."""
        return self.constants.get(name, self.constants.get(str(position), default))


class StepGraph:
    """All operations of one step in order."""

    def __init__(self, step: int, operations: Sequence[Operation]) -> None:
        self.step = step
        self.operations = tuple(operations)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def __len__(self) -> int:
        return len(self.operations)

    def named(self, *names: str) -> list[Operation]:
        """Those of these names."""
        return [each for each in self.operations if each.name in names]

    def inputs_of(self, operation: Operation) -> list[Operation | str]:
        """What it was given: the operation that made each tensor, or the name of a tensor from outside."""
        return [self.operations[each] if isinstance(each, int) else each for each in operation.inputs]

    def maker(self, operation: Operation, position: int = 0, through: frozenset[str] = VIEWS) -> Operation | str | None:
        """What made the tensor at ``position`` of its inputs, looking through operations that only pass numbers on."""
        if position >= len(operation.inputs):
            return None
        found: Operation | str = self.inputs_of(operation)[position]
        while isinstance(found, Operation) and found.name in through and found.inputs:
            found = self.inputs_of(found)[0]
        return found

    def users_of(self, operation: Operation) -> list[Operation]:
        """The operations that were given what it made."""
        return [self.operations[each] for each in self._users.get(operation.index, ())]

    def ancestors(self, operation: Operation) -> list[Operation]:
        """All operations that it was computed from, the latest first; without itself."""
        found: set[int] = set()
        waiting = [each for each in operation.inputs if isinstance(each, int)]
        while waiting:
            index = waiting.pop()
            if index not in found:
                found.add(index)
                waiting += [each for each in self.operations[index].inputs if isinstance(each, int)]
        return [self.operations[index] for index in sorted(found, reverse=True)]

    def outside(self, operation: Operation) -> list[str]:
        """The names of the tensors from outside that it was computed from, parameters and data; "outside.0" … where nameless."""
        names = [
            each for one in [operation, *self.ancestors(operation)] for each in one.inputs if isinstance(each, str)
        ]
        return list(dict.fromkeys(names))

    def find(self, operation: Operation, wanted: Callable[[Operation], bool]) -> Operation | None:
        """The nearest of its ancestors that is ``wanted``."""
        return next((each for each in self.ancestors(operation) if wanted(each)), None)

    @cached_property
    def losses(self) -> list[Operation]:
        """What ``backward`` was called on, in order."""
        made = [self.maker(each, 0, frozenset()) for each in self.operations if each.name == "backward"]
        return [each for each in made if isinstance(each, Operation)]

    @cached_property
    def forward(self) -> list[Operation]:
        """The operations that the losses were computed from, with the losses themselves; in order."""
        found = {each.index for loss in self.losses for each in (loss, *self.ancestors(loss))}
        return [self.operations[index] for index in sorted(found)]

    @cached_property
    def _users(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for each in self.operations:
            for given in dict.fromkeys(each.inputs):
                if isinstance(given, int):
                    found.setdefault(given, []).append(each.index)
        return found


def operation_from(step: int, row: Mapping[str, Any]) -> Operation:
    """An operation from the JSON object that the record holds."""

    def number(key: str) -> float:
        value = row.get(key)
        return nan if value is None else float(value)

    return Operation(
        step=step,
        index=int(row["index"]),
        name=str(row["name"]),
        module=str(row["module"]),
        file=str(row["file"]),
        line=int(row["line"]),
        inputs=tuple(each if isinstance(each, int) else str(each) for each in row["inputs"]),
        input_shapes=tuple(tuple(map(int, shape)) for shape in row.get("input_shapes", ())),
        input_dtypes=tuple(map(str, row.get("input_dtypes", ()))),
        input_tracked=tuple(map(bool, row.get("input_tracked", ()))),
        shapes=tuple(tuple(map(int, shape)) for shape in row["shapes"]),
        dtype=str(row["dtype"]),
        tracked=bool(row.get("tracked", False)),
        constants=row.get("constants", {}),
        facts=row.get("facts", {}),
        input_parts=tuple(map(int, row.get("input_parts", ()))),
        values=row.get("values"),
        least=number("least"),
        mean=number("mean"),
        most=number("most"),
        std=number("std"),
    )


def _with_nan(values: Any) -> Any:
    if isinstance(values, list):
        return [_with_nan(each) for each in values]
    return nan if values is None else float(values)


def _flat(values: Any) -> Iterator[Any]:
    if isinstance(values, list):
        for each in values:
            yield from _flat(each)
    else:
        yield values
