"""Is one iteration of a loop a training step by hand? Judged by what was computed from what.

A training step by hand computes a number, the loss, from parameters and data, and moves the parameters by amounts that come from
the same intermediate results: w − η·∂L/∂w and the loss both come from the prediction. What only looks alike has no such pair: a
running mean moves by something that does not come from itself, a random walk by noise, a power iteration replaces its vector.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

from torch import Tensor

from descend.watch.identity import Makers, changed_in_place, tensors_in
from descend.watch.recording import ABOUT_TENSORS

_MOST = 10_000  # operations in one iteration: beyond that it holds a whole epoch
_DEEPEST = 50  # steps from a new value back to the old one

_ADDS = frozenset(
    [
        "add",
        "add_",
        "sub",
        "sub_",
        "rsub",
        "addcdiv",
        "addcdiv_",
        "addcmul",
        "addcmul_",
        "addmm",
        "addmm_",
        "addmv_",
        "addr",
        "addr_",
        "subtract",
        "subtract_",
        "_foreach_add_",
        "_foreach_sub_",
        "_foreach_addcdiv_",
    ]
)
_SCALES = frozenset({"mul", "mul_", "_foreach_mul_"})
_KEEPS = frozenset(
    [
        "data",
        "detach",
        "clone",
        "view",
        "reshape",
        "flatten",
        "squeeze",
        "unsqueeze",
        "t",
        "T",
        "mT",
        "mH",
        "transpose",
        "permute",
        "contiguous",
        "to",
        "float",
        "double",
        "requires_grad_",
        "expand",
        "clamp",
        "clamp_",
        "nan_to_num",
        "getitem",
        "select",
        "unbind",
        "stack",
        "cat",
        "copy_",
        "setitem",
        "data.set",
        "item",
        "tensor",
        "as_tensor",
    ]
)
_LAST_COUNTS = frozenset({"copy_", "setitem", "data.set"})  # the old content is gone; the new one is the last input
_NUMBERS = frozenset({"item", "float", "tolist"})


@dataclass(frozen=True, slots=True)
class _Operation:
    name: str
    inputs: tuple[int, ...]
    alone: bool  # its other arguments are plain numbers
    data: bool  # it may stand for examples: it was there before, or was drawn from nothing and has several numbers


class Flow:
    """What was computed from what since it began to listen. Equal computations of equal things count as one."""

    def __init__(self) -> None:
        self.operations: list[_Operation] = []
        self.ancestors: list[int] = []  # bit n of the number is set where operation n has a part in it, itself included
        self.autograd = False  # a backward pass ran, or a gradient that one had left was read
        self.too_long = False
        self._makers = Makers()
        self._equal: dict[Any, int] = {}
        self._numbers: list[tuple[Any, int]] = []  # plain numbers that were read from tensors

    def heard(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any, frame: FrameType) -> None:  # noqa: ARG002
        """Keep one operation."""
        if self.too_long or name in ABOUT_TENSORS:
            return
        if name in ("backward", "grad"):
            self.autograd = self.autograd or output is not None or name == "backward"
            return
        written = changed_in_place(name, args, kwargs, output)
        made = list(tensors_in(output))
        if name in _NUMBERS and args and isinstance(args[0], Tensor):
            self._numbers.append((output, self.node(args[0])))
        if not made and not written:
            return
        self.too_long = len(self.operations) >= _MOST
        if len(written) > 1:
            self._each_of_many(name, written, args, kwargs)
            return
        inputs = tuple(self.node(tensor) for tensor in tensors_in((args, kwargs), 4))
        number = self._add(name, inputs, args, kwargs, written, made)
        for tensor in written:
            self._makers.wrote(tensor, number)
        for tensor in made:
            self._makers.made(tensor, number)

    def node(self, tensor: Tensor) -> int:
        """The operation that made what the tensor holds now; what was there before counts as one."""
        known = self._makers.of(tensor)
        if known is None:
            known = self._append(_Operation("", (), alone=False, data=True))
            self._makers.made(tensor, known)
        return known

    def node_of_number(self, value: object) -> int | None:
        """The operation whose result was read as this plain number."""
        return next((node for number, node in reversed(self._numbers) if number is value), None)

    @property
    def read_as_numbers(self) -> frozenset[int]:
        """The operations whose results were read as plain numbers."""
        return frozenset(node for _, node in self._numbers)

    def _each_of_many(self, name: str, written: list[Tensor], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """``_foreach_sub_(parameters, gradients)``: each from those at the same place."""
        lists = [list(tensors_in(each)) for each in (*args[1:], *kwargs.values())]
        for position, tensor in enumerate(written):
            others = [each[position] for each in lists if len(each) == len(written)]
            others += [each[0] for each in lists if len(each) == 1 != len(written)]
            inputs = (self.node(tensor), *(self.node(other) for other in others))
            self._makers.wrote(tensor, self._append(_Operation(name, inputs, alone=len(inputs) == 1, data=False)))

    def _add(
        self,
        name: str,
        inputs: tuple[int, ...],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        written: list[Tensor],
        made: list[Tensor],
    ) -> int:
        data = not inputs and any(tensor.numel() > 1 for tensor in made)
        operation = _Operation(name, inputs, alone=len(inputs) == 1, data=data)
        if written or not inputs:
            return self._append(operation)
        key = (name, inputs, _others(args), _others(tuple(kwargs.items())))
        known = self._equal.get(key)
        if known is None:
            known = self._equal[key] = self._append(operation)
        return known

    def _append(self, operation: _Operation) -> int:
        number = len(self.operations)
        ancestors = 1 << number
        for each in operation.inputs:
            ancestors |= self.ancestors[each]
        self.operations.append(operation)
        self.ancestors.append(ancestors)
        return number


@dataclass(frozen=True, slots=True)
class Update:
    """A variable's new value that is its old one plus something."""

    path: str
    start: int
    end: int
    added: tuple[int, ...]  # the operations that made what was added
    scaled: bool  # the old value was multiplied by a number first


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an iteration was."""

    parameters: tuple[str, ...] = ()
    loss: str = ""  # the variable that holds it; "" where it could not be told
    sure: bool = False  # the variable is called what losses are called
    candidates: tuple[str, ...] = ()


def judge(flow: Flow, starts: Mapping[str, int], ends: Mapping[str, int], losses: Mapping[str, int | None]) -> Verdict:
    """``starts`` and ``ends``: what made each float tensor variable at the beginning and at the end. ``losses``: what made
    each variable with one number, None where that is not known (``loss = total.item() / n``)."""
    updates = list(_updates(flow, starts, ends))
    accepted: dict[str, tuple[str, ...]] = {}
    nodes: dict[str, int] = {}
    for path, node in losses.items():
        own = starts.get(path)
        for each in flow.read_as_numbers if node is None else (node,):
            moved = _moved_with(flow, updates, each)
            if moved and (own is None or not flow.ancestors[each] >> own & 1):
                accepted[path], nodes[path] = moved, each
                break
    chosen = _choose(flow, nodes)
    if chosen:
        sure = _rank(chosen) < len(_RANKS)
        if sure or not any(flow.ancestors[nodes[chosen]] >> each.end & 1 for each in updates):
            return Verdict(accepted[chosen], chosen, sure, tuple(accepted))
        return Verdict(candidates=tuple(accepted))  # computed after the update, and not called a loss
    every = dict.fromkeys(name for names in accepted.values() for name in names)
    return Verdict(tuple(every), "", any(_rank(path) < len(_RANKS) for path in accepted), tuple(accepted))


def _updates(flow: Flow, starts: Mapping[str, int], ends: Mapping[str, int]) -> Iterator[Update]:
    for path, start in starts.items():
        end = ends.get(path, start)
        if end == start or not flow.ancestors[end] >> start & 1:
            continue
        added = _added(flow, end, start, _DEEPEST)
        if added is not None and added[0]:
            yield Update(path, start, end, tuple(added[0]), added[1])


def _added(flow: Flow, node: int, start: int, deepest: int) -> tuple[list[int], bool] | None:
    """What was added on the way from ``start`` to ``node``, and whether it was scaled; None where it is another kind of way."""
    if node == start:
        return [], False
    operation = flow.operations[node]
    adds, keeps = operation.name in _ADDS, operation.name in _KEEPS
    scales = operation.name in _SCALES and operation.alone
    if not deepest or not (adds or keeps or scales) or not flow.ancestors[node] >> start & 1:
        return None
    ways = operation.inputs[1:] if operation.name in _LAST_COUNTS else operation.inputs
    for way in ways:
        found = _added(flow, way, start, deepest - 1)
        if found is not None:
            others = [each for each in operation.inputs if each != way] if adds else []
            return [*found[0], *others], found[1] or scales
    return None


def _moved_with(flow: Flow, updates: list[Update], loss: int) -> tuple[str, ...]:
    """The parameters, if ``loss`` is the loss that they were moved for; else nothing."""
    ancestors = flow.ancestors
    used = [each for each in updates if ancestors[loss] >> each.start & 1 and not ancestors[each.end] >> loss & 1]
    if any(ancestors[each.end] >> loss & 1 for each in updates if ancestors[loss] >> each.start & 1):
        return ()
    used = [each for each in used if not each.scaled or not _feeds_another(flow, each, used)]
    starts, data = 0, 0
    for each in used:
        starts |= 1 << each.start
    for number, operation in enumerate(flow.operations):
        if operation.data and not starts >> number & 1:
            data |= 1 << number
    moved, all_from = [], 0
    for each in used:
        came_from = 0
        for number in each.added:
            came_from |= ancestors[number]
        all_from |= came_from
        if any(
            flow.operations[number].inputs and ancestors[number] & starts and ancestors[number] & data
            for number in _bits(came_from & ancestors[loss])
        ):
            moved.append(each.path)
    # A gradient comes from all examples that the loss comes from. A running mean inside a network does not come from the targets.
    return tuple(moved) if not ancestors[loss] & data & ~all_from else ()


def _feeds_another(flow: Flow, update: Update, others: list[Update]) -> bool:
    """Momentum: its new value moves a parameter."""
    return any(other is not update and flow.ancestors[other.end] >> update.end & 1 for other in others)


_RANKS = (
    re.compile(r"(loss|cost|objective|j)$", re.IGNORECASE),
    re.compile(r"loss|cost|objective", re.IGNORECASE),
    re.compile(r"mse|sse|nll|cross_?entropy|xent|bce|likelihood|risk|residual|err|^l$|^mae$|rmse", re.IGNORECASE),
)


def _rank(path: str) -> int:
    """0 for what only losses are called; the number of ranks for what tells nothing."""
    name = path.rpartition(".")[2]
    return next((rank for rank, pattern in enumerate(_RANKS) if pattern.search(name)), len(_RANKS))


def _choose(flow: Flow, candidates: Mapping[str, int]) -> str:
    """The one that is the loss; "" where several may be."""
    if not candidates:
        return ""
    best = min(map(_rank, candidates))
    named = {path: node for path, node in candidates.items() if _rank(path) == best}
    if best == len(_RANKS) and len(named) > 1:
        return ""
    values = {path: _without_views(flow, node) for path, node in named.items()}
    if len(set(values.values())) == 1:
        return min(named, key=len)
    # ``loss = data_loss + penalty``: the others are its parts.
    for path, node in values.items():
        if all(flow.ancestors[node] >> other & 1 for other in values.values()):
            return path
    return ""


def _without_views(flow: Flow, node: int) -> int:
    operation = flow.operations[node]
    while operation.name in _KEEPS and len(operation.inputs) == 1:
        node = operation.inputs[0]
        operation = flow.operations[node]
    return node


def _bits(number: int) -> Iterator[int]:
    """The places of the bits that are set, the last first."""
    while number:
        top = number.bit_length() - 1
        yield top
        number ^= 1 << top


def _others(values: Any) -> Any:
    """Arguments that are no tensors, to tell two calls apart."""
    if isinstance(values, Tensor):
        return None
    if isinstance(values, list | tuple):
        return tuple(_others(each) for each in values)
    if isinstance(values, bool | int | float | str | None):
        return (type(values).__name__, values)
    return repr(values) if isinstance(values, slice) else id(values)
