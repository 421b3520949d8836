"""The optimizers of a program: what they were made with, what they hold, and what of it was ever trained.

Told as the fact ``optimizer`` when the program ends: ``number`` (from 1, in the order they were made), ``class``, ``lr``, ``settings``,
``parameters`` (names of those that have one), ``held`` (how many tensors), ``reached`` (how many of them a backward pass of a step that
was looked at ended in), ``steps`` (updates seen in steps that were looked at), ``first_step`` and ``last_step`` of those; its place is
where it was made. And as the fact ``leaf``, for every trainable tensor that a backward pass ended in and that no optimizer holds:
``name``, ``shape``, ``steps``, ``moved`` (whether its values ever changed), ``last_step``.
"""

import weakref
from collections.abc import Sequence
from types import FrameType
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from descend.watch.facts.moments import Collector, Telling
from descend.watch.places import Place


class _Known:
    """One optimizer, as long as it lives and after."""

    def __init__(self, number: int, optimizer: Optimizer, place: Place) -> None:
        self.number, self.place = number, place
        self.kind = type(optimizer).__name__
        self.optimizer = weakref.ref(optimizer)
        self.steps: list[int] = []
        self.values: dict[str, Any] = {}


class _Leaf:
    """A tensor that backward passes end in."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = weakref.ref(tensor)
        self.steps: list[int] = []
        self.name = ""
        self.shape = tuple(tensor.shape)
        self.first: Tensor | None = tensor.detach().reshape(-1)[:_LOOKED_AT].clone()
        self.moved = False
        self.held = False


_LOOKED_AT = 64  # numbers of a leaf that are compared


class Optimizers(Collector):
    """Numbers optimizers in the order they are made, and follows what they hold."""

    _by_telling: ClassVar["weakref.WeakKeyDictionary[Telling, Optimizers]"] = weakref.WeakKeyDictionary()

    def __init__(self, tell: Telling) -> None:
        super().__init__(tell)
        self._known: dict[int, _Known] = {}
        self._leaves: dict[int, _Leaf] = {}
        self._by_telling[tell] = self

    @classmethod
    def of(cls, tell: Telling) -> "Optimizers":
        """The one of this program."""
        return cls._by_telling.get(tell) or cls(tell)

    def number(self, optimizer: Optimizer) -> int:
        """From 1, in the order they were made or first seen."""
        return self._of(optimizer, None).number

    def optimizer_made(self, optimizer: Optimizer, frame: FrameType | None) -> None:
        self._of(optimizer, frame)

    def backward_begins(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        for each in leaves:
            known = self._leaves.get(id(each))
            if known is None or known.tensor() is not each:
                known = self._leaves[id(each)] = _Leaf(each)
            if not known.steps or known.steps[-1] != step:
                known.steps.append(step)
            known.name = known.name or self.tell.names.name_of(each)
        if any(not each.values for each in self._known.values()):
            self._look()  # an optimizer that never steps may be gone when the program ends

    def update_begins(self, optimizer: Optimizer, step: int, frame: FrameType | None) -> None:
        self._of(optimizer, frame).steps.append(step)

    def step_done(self, step: int, leaves: Sequence[Tensor]) -> None:
        self._look()

    def finished(self, step: int) -> None:
        self._look()
        for known in sorted(self._known.values(), key=lambda each: each.number):
            steps = known.steps
            times = {
                "steps": len(steps),
                "first_step": steps[0] if steps else 0,
                "last_step": steps[-1] if steps else 0,
            }
            self.tell.fact(
                step, "optimizer", {"number": known.number, "class": known.kind, **known.values, **times}, known.place
            )
        for leaf in self._leaves.values():
            if not leaf.held:
                values = {
                    "name": leaf.name,
                    "shape": list(leaf.shape),
                    "steps": len(leaf.steps),
                    "moved": leaf.moved,
                    "last_step": leaf.steps[-1],
                }
                self.tell.fact(leaf.steps[0], "leaf", values)

    def _of(self, optimizer: Optimizer, frame: FrameType | None) -> _Known:
        known = self._known.get(id(optimizer))
        if known is None or known.optimizer() is not optimizer:
            known = _Known(len(self._known) + 1, optimizer, self.tell.place(frame))
            self._known[id(optimizer) if id(optimizer) not in self._known else -known.number] = known
        return known

    def _look(self) -> None:
        """What each optimizer holds now, and which leaves have moved."""
        held: set[int] = set()
        for known in self._known.values():
            optimizer = known.optimizer()
            if optimizer is None:
                continue
            tensors = [each for group in optimizer.param_groups for each in group["params"]]
            held.update(map(id, tensors))
            names = [name for each in tensors if (name := self.tell.names.name_of(each))]
            reached = sum(1 for each in tensors if (leaf := self._leaves.get(id(each))) and leaf.tensor() is each)
            group = optimizer.param_groups[0] if optimizer.param_groups else {}
            settings = {
                name: value for name, value in group.items() if isinstance(value, bool | int | float | str | None)
            }
            known.values = {
                "lr": settings.get("lr"),
                "settings": settings,
                "parameters": names,
                "held": len(tensors),
                "reached": reached,
            }
        for key, leaf in self._leaves.items():
            tensor = leaf.tensor()
            leaf.held |= key in held
            if tensor is not None and leaf.first is not None:
                now = tensor.detach().reshape(-1)[:_LOOKED_AT]
                if not torch.equal(now, leaf.first):
                    leaf.moved, leaf.first = True, None
