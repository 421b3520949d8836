"""Which operations of a step are shown one by one, and which are summed up: a big model has to fit a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

Operation = Mapping[str, Any]

_MOST = 16  # that are shown one by one
_MOST_NAMED = 3  # in the line of a group
_MOST_GROUPS = 24


@dataclass(frozen=True, slots=True)
class Shown:
    """One operation, or several that are summed up in a line."""

    operations: tuple[Operation, ...]
    module: str = ""  # of a group

    @property
    def count(self) -> int:
        return len(self.operations)

    @property
    def last(self) -> Operation:
        """The one whose output goes on."""
        return self.operations[-1]

    @property
    def inputs(self) -> Sequence[str]:
        """What the first was given."""
        return self.operations[0].get("inputs") or ()

    @property
    def name(self) -> str:
        """``fc1 · linear``, ``mse_loss``, or ``layer1 · 7 operations``."""
        if self.count == 1:
            name, module = str(self.last["name"]), str(self.last["module"])
            return f"{module} · {name}" if module else name
        names = list(dict.fromkeys(str(each["name"]) for each in self.operations))
        named = f"{', '.join(names[:_MOST_NAMED])}{' …' if len(names) > _MOST_NAMED else ''}"
        return f"{self.module} · {self.count} operations" if self.module else f"{self.count} operations: {named}"


def shown_operations(operations: Sequence[Operation]) -> list[Shown]:
    """The operations of a forward pass as they are shown: what prepares the data in one line, and many by their modules."""
    before = [each for each in operations if not each.get("followed")]
    after = [each for each in operations if each.get("followed")]
    prepared = [Shown((each,)) for each in before] if len(before) <= 2 else [Shown(tuple(before))]
    if len(after) <= _MOST:
        return [*prepared, *(Shown((each,)) for each in after)]
    deepest = max(str(each["module"]).count(".") for each in after) + 1
    for depth in range(deepest, 0, -1):
        groups = _grouped(after, depth)
        if len(groups) <= _MOST_GROUPS and len(groups) < len(after):
            break
    if len(groups) > _MOST_GROUPS:
        ends = _MOST_GROUPS // 2
        middle = [each for group in groups[ends:-ends] for each in group.operations]
        groups = [*groups[:ends], Shown(tuple(middle)), *groups[-ends:]]
    return [*prepared, *groups]


def _grouped(operations: Sequence[Operation], depth: int) -> list[Shown]:
    """Neighbours of one module, down to this depth of names."""

    def module(each: Operation) -> str:
        return ".".join(str(each["module"]).split(".")[:depth])

    found: list[Shown] = []
    for name, group in groupby(operations, module):
        members = tuple(group)
        found += [Shown(members, name)] if name else [Shown((each,)) for each in members]
    return found
