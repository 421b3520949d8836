"""The optimizers of a program: what they were made with, what they hold, and what of it was ever trained.

Told as the fact ``optimizer`` when the program ends: ``number`` (from 1, in the order they were made), ``class``, ``lr``, ``settings``
(of the first group of parameters; where there are several, ``groups`` holds those of each), ``parameters`` (names of those that have one), ``held`` (how many tensors), ``reached`` (how many of them a backward pass of a step that
was looked at ended in), ``moved`` (how many of them were ever changed), ``frozen`` (how many want no gradient), ``unreached`` (of those that
no backward pass ended in and that want a gradient: ``name``, ``shape``, ``moved``, and ``in_model``: whether a module that was called has
it), ``steps`` (updates seen in steps that were looked at), ``first_step`` and ``last_step`` of those; its place is where it was made.
And as the fact ``leaf``, for every trainable tensor that a backward pass ended in and that no optimizer holds: ``name``, ``shape``,
``steps``, ``moved`` (whether its values ever changed), ``last_step``, ``parameter`` (whether it is an ``nn.Parameter``), ``in_model``, ``loss``: whether it
is the loss itself.
And as the fact ``unfrozen``, for every parameter of a called module that wanted no gradient at first, has one now, has never moved, and is in
no optimizer: ``name``, ``shape``, ``steps`` (how many of those
that were looked at had a backward pass that ended in it) and ``passes`` (how many have added to its gradient since that was cleared).
"""

import weakref
from collections.abc import Iterable, Mapping, Sequence
from types import FrameType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from descend.watch.facts.moments import Collector, Telling
from descend.watch.places import Place

_LOOKED_AT = 64  # numbers of a tensor that are compared
_MOST_GONE = 200  # leaves that are told though they are gone
_MOST_UNREACHED = 100  # tensors of one optimizer


class _Known:
    """One optimizer, as long as it lives and after."""

    def __init__(self, number: int, optimizer: Optimizer, place: Place) -> None:
        self.number, self.place = number, place
        self.kind = type(optimizer).__name__
        self.optimizer = weakref.ref(optimizer)
        self.steps: list[int] = []
        self.values: dict[str, Any] = {}


class _Followed:
    """A tensor that an optimizer holds or that backward passes end in."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = weakref.ref(tensor)
        self.steps: list[int] = []  # whose backward passes ended in it
        self.name = ""
        self.shape = tuple(tensor.shape)
        self.is_parameter = isinstance(tensor, nn.Parameter)
        self.is_loss = False
        self.moved = False
        self.held = False
        self.given = False  # it had a gradient at an update, wherever that came from
        self.in_model = False
        self.passes = 0  # at least so many have added to its gradient since that was cleared
        self._first: Tensor | None = _some(tensor)
        self._version = tensor._version

    def look(self, tensor: Tensor) -> None:
        """Note whether it has been changed."""
        if not self.moved and (tensor._version != self._version or not torch.equal(_some(tensor), self._first_values)):
            self.moved, self._first = True, None

    @property
    def _first_values(self) -> Tensor:
        assert self._first is not None
        return self._first


class Optimizers(Collector):
    """Numbers optimizers in the order they are made, and follows what they hold."""

    _by_telling: ClassVar["weakref.WeakKeyDictionary[Telling, Optimizers]"] = weakref.WeakKeyDictionary()

    def __init__(self, tell: Telling) -> None:
        super().__init__(tell)
        self._known: dict[int, _Known] = {}
        self._followed: dict[int, _Followed] = {}
        self._gone: list[_Followed] = []
        self._in_models: set[int] = set()
        self._frozen: dict[
            int, _Followed
        ] = {}  # parameters of called modules that wanted no gradient when they were first seen
        self._by_telling[tell] = self

    @classmethod
    def of(cls, tell: Telling) -> "Optimizers":
        """The one of this program."""
        return cls._by_telling.get(tell) or cls(tell)

    def number(self, optimizer: Optimizer) -> int:
        """From 1, in the order they were made or first seen."""
        return self._of(optimizer, None).number

    def has_stepped(self, optimizer: Optimizer) -> bool:
        """Whether an update of it was seen."""
        return bool(self._of(optimizer, None).steps)

    def in_models(self, parameters: Sequence[Tensor]) -> None:
        """These belong to a module that was called."""
        self._in_models.update(map(id, parameters))

    def frozen(self, parameters: Iterable[tuple[str, Tensor]]) -> None:
        """These, with their names, belong to a module that was called, and want no gradient."""
        for name, each in parameters:
            known = self._frozen.get(id(each))
            if known is None or known.tensor() is not each:
                known = self._frozen[id(each)] = _Followed(each)
                known.name = name

    def about(self, tensor: Tensor) -> tuple[bool, bool, bool]:
        """Whether an optimizer holds it, whether a backward pass ended in it, and whether it was ever changed."""
        known = self._followed.get(id(tensor))
        if known is None or known.tensor() is not tensor:
            return False, False, False
        known.look(tensor)
        return known.held, bool(known.steps) or known.given, known.moved

    def optimizer_made(self, optimizer: Optimizer, frame: FrameType | None) -> None:
        self._of(optimizer, frame)

    def backward_begins(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        for each in leaves:
            known = self._follow(each)
            known.is_loss |= each is loss
            if not known.steps or known.steps[-1] != step:
                known.steps.append(step)
            known.name = known.name or self.tell.names.name_of(each)
        if any(not each.values for each in self._known.values()):
            self._look()  # an optimizer that never steps may be gone when the program ends

    def update_begins(self, optimizer: Optimizer, step: int, frame: FrameType | None) -> None:
        self._of(optimizer, frame).steps.append(step)
        for each in (each for group in optimizer.param_groups for each in group["params"]):
            if each.grad is not None:
                self._follow(each).given = True

    def step_done(self, step: int, leaves: Sequence[Tensor]) -> None:
        self._look(step, leaves)

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
        for leaf in [*self._gone, *self._followed.values()]:
            if leaf.steps and not leaf.held:
                values = {
                    "name": leaf.name,
                    "shape": list(leaf.shape),
                    "steps": len(leaf.steps),
                    "moved": leaf.moved,
                    "last_step": leaf.steps[-1],
                    "parameter": leaf.is_parameter,
                    "in_model": leaf.in_model,
                    "loss": leaf.is_loss,
                }
                self.tell.fact(leaf.steps[0], "leaf", values)

        for one in self._frozen.values():
            if one.passes and not (one.held or one.moved):
                values = {"name": one.name, "shape": list(one.shape), "steps": len(one.steps), "passes": one.passes}
                self.tell.fact(step, "unfrozen", values)

    def _of(self, optimizer: Optimizer, frame: FrameType | None) -> _Known:
        known = self._known.get(id(optimizer))
        if known is None or known.optimizer() is not optimizer:
            known = _Known(len(self._known) + 1, optimizer, self.tell.place(frame))
            if id(optimizer) in self._known:  # of one that is gone
                self._known[-known.number] = self._known[id(optimizer)]
            self._known[id(optimizer)] = known
        return known

    def _follow(self, tensor: Tensor) -> _Followed:
        known = self._followed.get(id(tensor))
        if known is None or known.tensor() is not tensor:
            if known is not None and len(self._gone) < _MOST_GONE:
                self._gone.append(known)
            known = self._followed[id(tensor)] = _Followed(tensor)
        return known

    def _look(self, step: int = 0, leaves: Sequence[Tensor] = ()) -> None:
        """What each optimizer holds now, and what has moved; after ``step``, whose gradients went to ``leaves``."""
        reached = set(map(id, leaves))
        held: dict[int, list[Tensor]] = {}
        for known in self._known.values():
            optimizer = known.optimizer()
            if optimizer is not None:
                held[known.number] = [each for group in optimizer.param_groups for each in group["params"]]
                for each in held[known.number]:
                    self._follow(each).held = True
        for key, one in self._followed.items():
            tensor = one.tensor()
            if tensor is not None:
                one.look(tensor)
                one.in_model = key in self._in_models
        for key, one in self._frozen.items():
            tensor = one.tensor()
            if tensor is not None and not tensor.requires_grad:
                one.passes = 0
            elif tensor is not None:
                one.look(tensor)
                one.passes = tensor.grad._version + 1 if tensor.grad is not None else 0
                if id(tensor) in reached:
                    one.steps.append(step)
                one.held = key in self._followed and self._followed[key].held
                one.name = self.tell.names.name_of(tensor) or one.name
        for known in self._known.values():
            optimizer = known.optimizer()
            if optimizer is not None:
                known.values = self._values(optimizer, held[known.number])

    def _values(self, optimizer: Optimizer, tensors: Sequence[Tensor]) -> dict[str, Any]:
        groups = [_settings(group) for group in optimizer.param_groups]
        settings = groups[0] if groups else {}
        name_of = self.tell.names.name_of
        each = [(tensor, self._followed[id(tensor)]) for tensor in tensors]
        unreached = [(tensor, one) for tensor, one in each if not (one.steps or one.given) and tensor.requires_grad]
        return {
            "lr": settings.get("lr"),
            "settings": settings,
            "groups": [
                {"settings": of_group, "parameters": [name for each in group["params"] if (name := name_of(each))]}
                for of_group, group in zip(groups, optimizer.param_groups, strict=True)
            ]
            if len(groups) > 1
            else [],
            "parameters": [name for tensor in tensors if (name := name_of(tensor))],
            "held": len(tensors),
            "reached": sum(bool(one.steps) or one.given for _, one in each),
            "moved": sum(one.moved for _, one in each),
            "frozen": sum(not tensor.requires_grad for tensor in tensors),
            "unreached": [
                {
                    "name": name_of(tensor),
                    "shape": list(one.shape),
                    "moved": one.moved,
                    "in_model": one.in_model,
                }
                for tensor, one in unreached[:_MOST_UNREACHED]
            ],
        }


def _some(tensor: Tensor) -> Tensor:
    """A copy of a few numbers, from all over it."""
    value = tensor.detach()
    if value.layout is not torch.strided or type(value) is not Tensor:
        return torch.zeros(0)
    if value.is_contiguous():
        flat = value.view(-1)
        return flat[:: max(1, flat.numel() // _LOOKED_AT)].clone()
    return value[:1].reshape(-1)[:_LOOKED_AT].clone()


def _settings(group: Mapping[str, Any]) -> dict[str, Any]:
    """The plain settings of a group: numbers, words, and pairs of numbers such as betas."""
    found = {name: list(value) if isinstance(value, tuple) else value for name, value in group.items()}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, bool | int | float | str | None)
        or (name != "params" and isinstance(value, list) and all(isinstance(each, int | float) for each in value))
    }
