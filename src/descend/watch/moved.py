"""How far the parameters of a watched script moved, from what is known of their values."""

import math
from typing import TYPE_CHECKING, Any, Protocol

from descend.record.events import Snapshot
from descend.record.summarise import FEW_VALUES
from descend.watch.trainings import Parameters, SeenParameter

if TYPE_CHECKING:
    from torch import Tensor

_MOST_BYTES = 32 * 2**20  # of parameters as they were in their first steps


class Ends(Protocol):
    """What is known of the parameters' values beside the events: before their first step, and when all has ended."""

    def first(self, name: str, step: int) -> "Tensor | None":
        """Of the parameter that this step used first."""

    def last(self, name: str, until: int | None = None) -> "Tensor | None":
        """Of the newest parameter of this name; of the one before the step ``until``, when another took the name."""

    def named_in(self, name: str, step: int) -> bool:
        """Whether a tensor was given the name right before this step."""


class Movements:
    """Keeps what snapshots hold of parameters. ``ends`` knows more, and may be set once it is there."""

    def __init__(self) -> None:
        self.ends: Ends | None = None
        self.parameters = Parameters(self._named_in)
        self.snapshots: list[int] = []
        self._before: dict[tuple[str, int], Tensor] = {}  # by name and step, of the first step of each parameter
        self._before_bytes = 0
        self._after: dict[str, tuple[int, Tensor]] = {}  # the last that a snapshot held

    def add(self, event: Snapshot) -> None:
        """Keep the values. Nothing is worked out here, in the middle of a step: the snapshot owns its tensors."""
        self.snapshots.append(event.step)
        for name, tensor in event.tensors.items():
            kind, _, parameter = name.partition(".")
            if kind == "before" and self.parameters.is_first(parameter, event.step):
                self._before_bytes += tensor.nbytes
                if self._before_bytes <= _MOST_BYTES:
                    self._before[parameter, event.step] = tensor
            elif kind == "after":
                self._after[parameter] = (event.step, tensor)

    def rows(self, steps: int) -> list[dict[str, Any]]:
        """Each parameter after ``steps`` steps: how far it moved where its values at both ends are known, else whether it did."""
        return [self._row(parameter, steps) for parameter in self.parameters.seen]

    def _row(self, parameter: SeenParameter, steps: int) -> dict[str, Any]:
        before, after, until = self._values(parameter, steps)
        row: dict[str, Any] = {
            "name": parameter.name,
            "shape": list(parameter.shape),
            "how": parameter.how,
            "step": parameter.step,
            "norm": parameter.start_norm,
            "moved": parameter.changed,
            "until": until,  # the step up to which it is known how far it moved, where that is not the end
        }
        if after is not None and after.numel() <= FEW_VALUES:
            row["values"] = _numbers(after)
        if before is not None and before.numel() <= FEW_VALUES:
            row["values_before"] = _numbers(before)
        if before is not None and after is not None:
            row["moved"] = (
                math.dist(_numbers(before), _numbers(after))
                if after.numel() <= FEW_VALUES
                else float((after.detach().cpu().double() - before.double()).norm())
            )
        return row

    def _values(self, parameter: SeenParameter, steps: int) -> "tuple[Tensor | None, Tensor | None, int | None]":
        """The parameter before its first step, the newest known, and the step of the latter where it is not the end."""
        name, ends = parameter.name, self.ends
        first = ends.first(name, parameter.step) if ends is not None else None
        before = first if _fits(first, parameter) else self._before.get((name, parameter.step))
        successor = self.parameters.successor(parameter)
        until = successor.step if successor is not None else None
        now = ends.last(name, until) if ends is not None else None
        if _fits(now, parameter):
            return before, now, None
        if successor is not None:
            return before, None, None
        step, after = self._after.get(name, (0, None))
        if step < parameter.step or not _fits(after, parameter):
            return before, None, None
        return before, after, step if step < steps else None

    def _named_in(self, name: str, step: int) -> bool:
        return self.ends is not None and self.ends.named_in(name, step)


def _fits(value: "Tensor | None", parameter: SeenParameter) -> bool:
    return value is not None and tuple(value.shape) == parameter.shape


def _numbers(tensor: "Tensor") -> list[float]:
    return [float(each) for each in tensor.detach().flatten().tolist()]
