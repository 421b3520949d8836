"""Tensors whose sizes a view or a reshape has exchanged without moving their numbers, and which reading of them fits the targets.

Told of each such tensor and each target that it met, as the fact ``exchanged``: ``before`` and ``after``, its shapes; ``axis`` of ``before`` that
has as many elements as there are rows now; ``how`` ("reshape", "view", … or "" where it was not heard); ``x`` and ``y``, the variables;
``altered``: something was computed from it, number by number, before it was fitted; and what readings.py says of both readings. Its place
is the line of the reshape, where it was heard.
"""

import sys
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Subset

from descend.watch.facts.least_squares import squares_of
from descend.watch.facts.moments import Collector, Telling
from descend.watch.facts.origins import Origins
from descend.watch.facts.readings import floors
from descend.watch.facts.walk import nodes_of, saved
from descend.watch.graph import is_leaf
from descend.watch.identity import tensors_in
from descend.watch.places import NOWHERE, Place
from descend.watch.variables import variables_of

_CHANGES = frozenset(["view", "reshape", "view_as", "reshape_as", "unflatten"])
_NUMBER_BY_NUMBER = frozenset(
    [
        "add",
        "add_",
        "sub",
        "sub_",
        "mul",
        "mul_",
        "truediv",
        "div",
        "div_",
        "pow",
        "sqrt",
        "abs",
        "log",
        "log1p",
        "clamp",
        "nan_to_num",
        "float",
        "double",
        "half",
        "to",
        "type",
        "clone",
        "contiguous",
        "detach",
        "cpu",
        "cuda",
        "requires_grad_",
    ]
)
_TAKES_ROWS = frozenset(["getitem", "index_select", "narrow", "split", "chunk", "tensor_split", "unbind"])
_COMPARES = frozenset(
    [
        "sub",
        "rsub",
        "mul",
        "eq",
        "getitem",
        "gather",
        "mse_loss",
        "l1_loss",
        "smooth_l1_loss",
        "huber_loss",
        "cross_entropy",
        "nll_loss",
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
    ]
)
"""Operations in which what was computed from the data meets what it should be."""
_SAVED_TARGETS = (
    "MseLoss",
    "SmoothL1Loss",
    "HuberLoss",
    "NllLoss",
    "BinaryCrossEntropy",
    "BinaryCrossEntropyWithLogits",
)
_Naming = Callable[[Tensor], str]
_SWAPS = 8  # that are followed
_TARGETS = 4  # of one of them
_FOLLOWED = 4_096  # tensors
_LOOKS = 8  # sets of parameters whose graphs are looked into
_DEEPEST = 6  # sets inside sets


@dataclass(eq=False)
class _Exchange:
    """A tensor whose sizes were exchanged."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    axis: int
    how: str
    place: Place
    tensors: list[weakref.ref[Tensor]] = field(
        default_factory=list
    )  # it, and what was computed from it number by number
    targets: list[weakref.ref[Tensor]] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.after[0]

    def tensor(self) -> tuple[Tensor | None, bool]:
        """The tensor itself, where it is still there, else what was computed from it; and whether it is that."""
        for place, each in enumerate(self.tensors):
            tensor = each()
            if tensor is not None:
                return tensor, place > 0
        return None, False

    def knows(self, target: Tensor) -> bool:
        return any(each() is target for each in self.targets)


@dataclass(slots=True)
class _Followed:
    """A tensor that was computed from such a one."""

    tensor: weakref.ref[Tensor]
    exchange: _Exchange
    rows: int  # how many of the examples it has
    aligned: bool  # it has the same shape, and each number comes from the one at its place


class Layouts(Collector):
    """Hears of views and reshapes that exchange sizes, and follows what is computed from them until it meets a target."""

    def __init__(self, tell: Telling) -> None:
        super().__init__(tell)
        self._step = 0
        self._exchanges: list[_Exchange] = []
        self._followed: dict[int, _Followed] = {}
        self._origins = Origins()
        self._heard = False  # operations of this step were heard
        self._looked_into: set[tuple[int, ...]] = set()
        self._sets: dict[
            int, weakref.ref[Any]
        ] = {}  # by identity: a set may be equal to another in its own way, or to none
        self._later: list[tuple[_Exchange, weakref.ref[Tensor]]] = []  # on a device: nothing is read back inside a step

    def operation(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
    ) -> Mapping[str, Any] | None:
        self._heard = True
        if name in _CHANGES and args and isinstance(output, Tensor) and not output.requires_grad:
            self._changed(name, args[0], output)
        if self._exchanges:
            self._origins.heard(name, args, kwargs, output)
            self._follow(name, args, kwargs, output)
        return None

    def loader_begins(self, loader: Any, step: int, frame: FrameType | None) -> None:
        dataset = getattr(loader, "dataset", None)
        for _ in range(_DEEPEST):
            if type(dataset) is not Subset:
                break
            dataset = dataset.dataset
        try:
            known = self._sets.get(id(dataset))
            if known is not None and known() is dataset:
                return
            self._sets[id(dataset)] = weakref.ref(dataset)
            inside = list(tensors_in(list(vars(dataset).values()), 2))
        except TypeError:  # has no attributes, or cannot be referred to weakly
            return
        for x in inside:
            exchange = self._exchange_of(x)
            for y in inside if exchange is not None else ():
                if exchange is not None and y is not x and self._exchange_of(y) is not exchange:
                    self._met(exchange, y, self._names_in(frame))

    def backward_begins(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        self._step = step
        heard, self._heard = self._heard, False
        key = tuple(map(id, leaves))
        if heard or key in self._looked_into or len(self._looked_into) >= _LOOKS or not isinstance(loss, Tensor):
            return
        self._looked_into.add(key)
        self._look_into(loss, frame)

    def hand_step(self, batch: Mapping[str, Tensor], step: int, place: Place) -> None:
        self._step, self._heard = step, False
        for x in batch.values():
            exchange = self._exchange_of(x)
            for y in batch.values() if exchange is not None else ():
                if exchange is not None and y is not x:
                    self._met(
                        exchange, y, lambda tensor: next((name for name, each in batch.items() if each is tensor), "")
                    )

    def step_done(self, step: int, leaves: Sequence[Tensor]) -> None:
        self._step = step

    def finished(self, step: int) -> None:
        for exchange, reference in self._later:
            target = reference()
            if target is not None:
                self._fit(exchange, target, _nameless)

    def _changed(self, name: str, given: Any, output: Tensor) -> None:
        if not isinstance(given, Tensor) or len(self._exchanges) >= _SWAPS:
            return
        axis, before = exchanged_axis(tuple(given.shape), tuple(output.shape)), tuple(given.shape)
        base = given._base  # noqa: SLF001 - what it is a view of has no public name
        if axis is None and base is not None and _in_one_piece(base, given):  # flattened in between
            axis, before = exchanged_axis(tuple(base.shape), tuple(output.shape)), tuple(base.shape)
        if axis is not None:
            self._add(_Exchange(before, tuple(output.shape), axis, name, self.tell.place(sys._getframe(1))), output)

    def _add(self, exchange: _Exchange, tensor: Tensor) -> _Exchange:
        self._exchanges.append(exchange)
        self._keep(tensor, exchange, exchange.rows, aligned=True)
        return exchange

    def _keep(self, tensor: Tensor, exchange: _Exchange, rows: int, *, aligned: bool) -> None:
        if len(self._followed) >= _FOLLOWED:
            self._followed = {key: each for key, each in self._followed.items() if each.tensor() is not None}
            if len(self._followed) >= _FOLLOWED:
                return
        self._followed[id(tensor)] = _Followed(weakref.ref(tensor), exchange, rows, aligned)
        if aligned and len(exchange.tensors) < _TARGETS:
            exchange.tensors.append(weakref.ref(tensor))

    def _known(self, tensor: Tensor) -> _Followed | None:
        found = self._followed.get(id(tensor))
        return found if found is not None and found.tensor() is tensor else None

    def _exchange_of(self, tensor: Tensor) -> _Exchange | None:
        """How the sizes of a whole set of rows were exchanged: as it was heard, or as the tensor that it is a view of shows."""
        known = self._known(tensor)
        if known is not None:
            return known.exchange if known.aligned else None
        base = tensor._base  # noqa: SLF001 - see above
        if base is None or tensor.requires_grad or not _in_one_piece(base, tensor) or len(self._exchanges) >= _SWAPS:
            return None
        axis = exchanged_axis(tuple(base.shape), tuple(tensor.shape))
        if axis is None:
            return None
        return self._add(_Exchange(tuple(base.shape), tuple(tensor.shape), axis, "", NOWHERE), tensor)

    def _follow(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> None:
        given = list(tensors_in((args, kwargs), 4))
        known = next((found for each in given if (found := self._known(each)) is not None), None)
        if known is None:
            return
        if name in _COMPARES:
            for each in given:
                if self._known(each) is None and (target := self._whole(each, known)) is not None:
                    self._met(known.exchange, target, self._names_in(sys._getframe(1)))
        for made in tensors_in(output):
            if not made.ndim or (made.requires_grad and is_leaf(made)):
                continue
            if name in _TAKES_ROWS and known.tensor() is given[0]:
                if made.ndim == given[0].ndim or len(made) == known.rows:  # a column of all rows is one too
                    self._keep(made, known.exchange, len(made), aligned=False)
            elif known.rows in made.shape and self._known(made) is None:
                aligned = known.aligned and name in _NUMBER_BY_NUMBER and tuple(made.shape) == known.exchange.after
                self._keep(made, known.exchange, known.rows, aligned=aligned)

    def _whole(self, tensor: Tensor, met: _Followed) -> Tensor | None:
        """The targets of all rows, where ``tensor`` is as long as what it met: itself, or what its rows were taken from."""
        if tensor.requires_grad or not tensor.ndim or len(tensor) != met.rows:
            return None
        for _ in range(3):
            if len(tensor) == met.exchange.rows:
                return tensor
            origin = self._origins.of(tensor)
            source = origin.source() if origin is not None else None
            if source is None or self._known(source) is not None:
                return None
            tensor = source
        return None

    def _met(self, exchange: _Exchange, target: Tensor, name: _Naming) -> None:
        if target.requires_grad or not target.ndim or len(target) != exchange.rows or exchange.knows(target):
            return
        if len(exchange.targets) >= _TARGETS or not _is_plain(target):
            return
        exchange.targets.append(weakref.ref(target))
        x, _ = exchange.tensor()
        if x is None or x.device.type == "cpu":
            self._fit(exchange, target, name)
        else:
            self._later.append((exchange, weakref.ref(target)))

    def _fit(self, exchange: _Exchange, target: Tensor, name: _Naming) -> None:
        x, altered = exchange.tensor()
        if x is None or not _is_plain(x):
            return
        values = floors(x, exchange.before, exchange.axis, target)
        told = {
            "before": list(exchange.before),
            "after": list(exchange.after),
            "axis": exchange.axis,
            "how": exchange.how,
            "x": name(x),
            "y": name(target),
            "altered": altered,
        }
        place = exchange.place if exchange.place != NOWHERE else None
        self.tell.fact(max(1, self._step), "exchanged", told | values, place)

    def _names_in(self, frame: FrameType | None) -> _Naming:
        return lambda tensor: self.tell.names.variable_of(tensor, frame)

    def _look_into(self, loss: Tensor, frame: FrameType | None) -> None:
        """Operations were not heard: the graph of the loss still knows the data and the targets."""
        nodes = nodes_of(loss)
        for tensor in _data_in(nodes):
            exchange = self._exchange_of(tensor)
            if exchange is None:
                continue
            target = next((found for node in nodes if (found := _target_saved(node)) is not None), None)
            if target is None:
                squares = squares_of(loss)
                target = _variable_like(squares.y, frame) if squares is not None else None
            if target is not None:
                self._met(exchange, target, self._names_in(frame))


def exchanged_axis(before: tuple[int, ...], after: tuple[int, ...]) -> int | None:
    """The axis of ``before`` that has as many elements as ``after`` has rows, where its numbers are rows no more; None where all is well.

    (2, 5) read as (5, 2) gives 1. Rows that are groups of whole rows of before are well: (64, 5) as (32, 2, 5).
    """
    if len(before) < 2 or len(after) < 2 or before[0] == after[0] or after[0] < 2:
        return None
    axes = [axis for axis, size in enumerate(before) if size == after[0]]
    if len(axes) != 1 or before[0] < 2:
        return None
    exchanged = sorted(size for size in before if size > 1) == sorted(size for size in after if size > 1)
    return axes[0] if exchanged or before[0] % after[0] else None


def _nameless(_tensor: Tensor) -> str:
    return ""


def _in_one_piece(base: Tensor, view: Tensor) -> bool:
    """Whether a view holds all numbers of what it is a view of, in their order."""
    if view.layout is not torch.strided or base.layout is not torch.strided:
        return False
    return view.numel() == base.numel() and view.is_contiguous() and base.is_contiguous()


def _is_plain(tensor: Tensor) -> bool:
    return (
        type(tensor) is Tensor
        and tensor.layout is torch.strided
        and not tensor.is_complex()
        and not tensor.is_quantized
        and tensor.device.type != "meta"
    )


def _data_in(nodes: Sequence[Any]) -> Iterator[Tensor]:
    """Tensors without a graph that products were computed from, each once."""
    seen: set[int] = set()
    for node in nodes:
        for name in ("self", "mat1", "mat2", "input", "other", "vec"):
            tensor = saved(node, name)
            if tensor is not None and not tensor.requires_grad and tensor.ndim > 1 and id(tensor) not in seen:
                seen.add(id(tensor))
                yield tensor


def _target_saved(node: Any) -> Tensor | None:
    """The target of a loss that keeps it."""
    name = type(node).__name__
    return saved(node, "target") if name.startswith(_SAVED_TARGETS) else None


def _variable_like(y: Tensor, frame: FrameType | None) -> Tensor:
    """The variable that holds these targets, which were computed back from a loss; else the targets themselves."""
    variables = variables_of(frame) if frame is not None else {}
    value: Tensor
    for value in variables.values():
        alike = type(value) is Tensor and not value.requires_grad and value.is_floating_point() and value.ndim
        if (
            alike
            and value.numel() == y.numel()
            and torch.allclose(value.double().cpu().reshape(y.shape), y, 1e-4, 1e-5)
        ):
            return value
    return y
