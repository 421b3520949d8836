"""Which rows of which tensor a batch is: read off the indexing that made it, in steps whose operations are heard."""

import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from descend.watch.quiet import quiet

_TAKING = frozenset(["getitem", "index_select", "narrow", "split", "chunk", "tensor_split", "unbind"])
_MOST = 4_096


@dataclass(frozen=True, slots=True)
class Origin:
    """Rows ``start`` to ``stop`` of ``rows``; "in order", or in the order of a list of row numbers ("listed")."""

    source: weakref.ref[Tensor]
    how: str  # "slice", "listed": a part of a longer list of row numbers, "chosen": row numbers of any kind
    start: int
    stop: int
    rows: int  # that there are to take from
    altered: bool = False  # something was computed from them since
    numbers: Tensor | None = None  # of the rows, where they were chosen one by one


class Origins:
    """Follows rows from the tensor they were taken from to where they are used. Keeps no tensor alive."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Tensor], Origin]] = {}

    def of(self, tensor: Tensor) -> Origin | None:
        """Where a tensor's rows come from, as far as that was heard."""
        reference, origin = self._known.get(id(tensor), (None, None))
        return origin if reference is not None and reference() is tensor else None

    def heard(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> None:
        """An operation was run."""
        first = args[0] if args else None
        if not isinstance(first, Tensor) or first.requires_grad or not first.ndim:
            return
        origin = self.of(first)
        if name in _TAKING:
            for made, taken in self._taken(name, first, args, kwargs, output):
                self._keep(made, taken if origin is None else _of_both(origin, taken))
            return
        if origin is None:  # arguments in another order: 255 - x
            origin = next((found for each in args[1:3] if isinstance(each, Tensor) and (found := self.of(each))), None)
        if origin is None or not isinstance(output, Tensor) or output is first or not output.ndim:
            return
        if len(output) == origin.stop - origin.start and not output.requires_grad:
            self._keep(output, replace(origin, altered=True))

    def _taken(
        self, name: str, source: Tensor, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
    ) -> Iterator[tuple[Tensor, Origin]]:
        reference, count = weakref.ref(source), len(source)
        if name in ("split", "chunk", "tensor_split"):
            if kwargs.get("dim", args[2] if len(args) > 2 else 0) == 0 and isinstance(output, list | tuple):
                start = 0
                for each in output:
                    yield each, Origin(reference, "slice", start, start + len(each), count)
                    start += len(each)
            return
        if not isinstance(output, Tensor) or not output.ndim:
            return
        if name == "narrow":
            dimension, begun = kwargs.get("dim", args[1] if len(args) > 1 else 1), args[2] if len(args) > 2 else None
            if dimension == 0 and isinstance(begun, int):
                yield output, Origin(reference, "slice", begun, begun + len(output), count)
            return
        index = _index_in(name, source, args)
        if isinstance(index, slice):
            start, stop, stride = index.indices(count)
            if stride == 1 and stop > start:
                yield output, Origin(reference, "slice", start, stop, count)
        elif isinstance(index, Tensor | np.ndarray | list) and len(output):
            start, stop, listed = self._part_of(index, len(output))
            how = "listed" if listed == count and listed > len(output) else "chosen"
            yield output, Origin(reference, how, start, stop, count, numbers=_numbers(index, count, len(output)))

    def _part_of(self, index: Any, count: int) -> tuple[int, int, int]:
        """Which part of a longer list of row numbers these are, and how long that is."""
        if isinstance(index, Tensor) and index.ndim == 1 and not index.is_floating_point():
            origin = self.of(index)
            if origin is not None and origin.how == "slice" and not origin.altered:
                return origin.start, origin.stop, origin.rows
        if isinstance(index, np.ndarray) and index.ndim == 1 and isinstance(index.base, np.ndarray):
            whole = index.base
            if whole.ndim == 1 and whole.dtype == index.dtype and index.strides == whole.strides == (index.itemsize,):
                start = (index.ctypes.data - whole.ctypes.data) // index.itemsize
                return start, start + len(index), len(whole)
        return 0, count, 0

    def _keep(self, tensor: Tensor, origin: Origin) -> None:
        if len(self._known) >= _MOST:
            self._known = {key: each for key, each in self._known.items() if each[0]() is not None}
            if len(self._known) >= _MOST:
                self._known.clear()
        self._known[id(tensor)] = (weakref.ref(tensor), origin)


def _index_in(name: str, source: Tensor, args: tuple[Any, ...]) -> Any:
    """What chooses rows; None where something else is chosen as well."""
    if name == "index_select":
        return args[2] if len(args) > 2 and args[1] == 0 else None
    index = args[1] if len(args) > 1 else None
    if not isinstance(index, tuple) or not index:
        return index
    others_whole = len(index) <= source.ndim and all(isinstance(each, slice) for each in index[1:])
    return index[0] if others_whole else None


def _numbers(index: Any, count: int, rows: int) -> Tensor | None:
    """The row numbers that an index chooses, a copy."""
    if rows > _MOST or (isinstance(index, list) and not all(isinstance(each, int) for each in index)):
        return None
    with quiet():
        numbers = torch.as_tensor(index).detach().cpu()
        if numbers.ndim != 1 or numbers.is_floating_point() or numbers.is_complex():
            return None
        if numbers.dtype == torch.bool:
            return numbers.nonzero().flatten()
        return torch.where(numbers < 0, numbers + count, numbers).long()


def _of_both(own: Origin, taken: Origin) -> Origin:
    """Of rows taken from a tensor that was itself taken from another."""
    if taken.how == "slice" and (taken.start, taken.stop) == (0, taken.rows):
        return replace(own, altered=True)  # other columns of the same rows
    if own.how in ("listed", "chosen") and taken.how == "slice" and taken.rows == own.stop - own.start == own.rows:
        part = own.numbers[taken.start : taken.stop] if own.numbers is not None else None
        return replace(taken, source=own.source, how="listed", numbers=part)  # all rows in another order, part by part
    return taken
