"""Units of hidden layers: how often each is at work, and whether all of a layer compute the same.

As ``facts`` of an operation that is an activation: ``rows``; ``units``: how many; ``active``: of each unit (of at most 256, evenly
spaced), in how many rows its output is not zero (of a ReLU) or not at its limit (of a tanh or sigmoid); ``limited``: the share of all
outputs that are at their limit (of a tanh or sigmoid).

As the fact ``looked_at_units``, when the program ends and has taken no step, for each ReLU of its backward passes: ``units``, ``rows`` and
``dead``: how many units gave zero for all rows.

And as the fact ``alike``, when the program ends, for every matrix of parameters whose rows (or columns) were all equal when it was first
looked at: ``name``, ``shape``, ``axis`` (0: the rows were equal, 1: the columns), ``steps``: how many looks they stayed equal, ``still``: whether
they were at the last look, ``first``: the value of its first number; ``moved``: whether it ever changed; ``set_to``: "one number" where all numbers were equal.
"""

import weakref
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from descend.watch.facts.moments import Collector, Telling
from descend.watch.facts.walk import kind_of, nodes_of, saved
from descend.watch.places import Place

_SHOWN = 256
_LOOKS = 8  # layers of backward passes before the first step
_LOOKED_AT = 4_000_000  # numbers of an activation that are counted
_RELU = frozenset(["relu", "relu_", "relu6", "threshold", "threshold_"])
_LIMITED = {"tanh": (-1.0, 1.0), "tanh_": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "sigmoid_": (0.0, 1.0)}
_AT_LIMIT = 0.005  # of the distance between both limits: the slope there is below 2 % of the steepest
_CLAMPS = frozenset(["clamp", "clamp_", "clamp_min", "clamp_min_", "clip"])


class Units(Collector):
    """Counts active units of activations, and follows matrices that begin with equal rows."""

    def __init__(self, tell: Telling) -> None:
        super().__init__(tell)
        self._known: set[int] = set()
        self._alike: dict[int, _Alike] = {}
        self._looks: list[tuple[dict[str, int], Place]] = []

    def operation(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
    ) -> Mapping[str, Any] | None:
        limits = _LIMITED.get(name)
        if limits is None and not _cuts_at_zero(name, args, kwargs):
            return None
        if type(output) is not Tensor or output.ndim < 2 or not output.numel() or not output.is_floating_point():
            return None
        if output.numel() > _LOOKED_AT or output.device.type == "meta":
            return None
        values = output.detach()
        axis = 1 if values.ndim == 4 else values.ndim - 1
        others = [each for each in range(values.ndim) if each != axis]
        units = values.shape[axis]
        found: dict[str, Any] = {"units": units, "rows": values.numel() // max(1, units)}
        if limits is None:
            active = values != 0
        else:
            margin = _AT_LIMIT * (limits[1] - limits[0])
            active = (values > limits[0] + margin) & (values < limits[1] - margin)
            found["limited"] = 1 - active.float().mean()
        counts = active.sum(dim=others)
        return {**found, "active": counts[:: max(1, -(-units // _SHOWN))]}

    def step_done(self, step: int, leaves: Sequence[Tensor]) -> None:
        for each in leaves:
            if id(each) not in self._known:
                self._known.add(id(each))
                for axis in _equal_axes(each):
                    self._alike[id(each)] = _Alike(each, axis, step, self.tell.names.name_of(each))
                    break
            elif (known := self._alike.get(id(each))) is not None and known.tensor() is each:
                known.look(each)

    def backward_begins(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        if step > 1 or len(self._looks) >= _LOOKS:
            return
        for node in nodes_of(loss):
            given = saved(node, "result") if kind_of(node) == "Relu" else None
            if given is not None and given.ndim > 1:
                flat = given.detach().reshape(-1, given.shape[-1])
                dead = int((flat == 0).all(dim=0).sum())
                values = {"units": flat.shape[1], "rows": len(flat), "dead": dead}
                self._looks.append((values, self.tell.place(frame)))

    def finished(self, step: int) -> None:
        if not step:
            for values, place in self._looks:
                self.tell.fact(0, "looked_at_units", values, place)
        for known in self._alike.values():
            self.tell.fact(known.step, "alike", known.as_json())


class _Alike:
    """A matrix that began with equal rows or columns."""

    def __init__(self, tensor: Tensor, axis: int, step: int, name: str) -> None:
        self.tensor = weakref.ref(tensor)
        self.axis, self.step, self.name = axis, step, name
        self.shape = tuple(tensor.shape)
        self.value = float(tensor.detach().reshape(-1)[0])
        self.one_number = bool((tensor.detach() == self.value).all())
        self.start = tensor.detach().reshape(-1)[:64].clone()
        self.looks = 1
        self.still, self.moved = True, False

    def look(self, tensor: Tensor) -> None:
        self.moved = self.moved or not torch.equal(self.start, tensor.detach().reshape(-1)[:64])
        if self.still:
            self.still = self.axis in _equal_axes(tensor)
            self.looks += self.still

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "shape": list(self.shape),
            "axis": self.axis,
            "steps": self.looks,
            "still": self.still,
            "first": self.value,
            "one_number": self.one_number,
            "moved": self.moved,
        }


def _equal_axes(tensor: Tensor) -> list[int]:
    """The axes along which all slices of a matrix (or of kernels) are equal."""
    if type(tensor) not in (Tensor, torch.nn.Parameter) or tensor.ndim < 2 or tensor.layout is not torch.strided:
        return []
    values = tensor.detach()
    found = []
    for axis in (0, 1):
        if values.shape[axis] < 2 or values.shape[1 - axis] < 1:
            continue
        first = values.narrow(axis, 0, 1)
        if torch.equal(values.narrow(axis, 1, 1), first) and bool((values == first).all()):
            found.append(axis)
    return found


def _cuts_at_zero(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    if name in _RELU:
        return True
    if name not in _CLAMPS:
        return False
    least = kwargs.get("min", args[1] if len(args) > 1 else None)
    return isinstance(least, int | float) and least == 0 and len(args) < 3 and kwargs.get("max") is None
