"""The tensors that a step or an evaluation begins with."""

import weakref
from collections.abc import Mapping
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from descend.record.events import BatchSeen
from descend.watch.fingerprint import row_hashes
from descend.watch.names import Names
from descend.watch.quiet import quiet

_shape = torch._C.TensorBase.shape.__get__  # type: ignore[attr-defined] # a class of the user's may have one of its own
_size = torch._C.TensorBase.size
_MOST = 8  # tensors of one batch


def tensors_in(batch: Any) -> list[Tensor]:
    """The tensors of what a loader returned, or of a call's arguments: lists and mappings are looked into."""
    found: list[Tensor] = []
    waiting = [batch]
    while waiting and len(found) < _MOST:
        item = waiting.pop(0)
        if isinstance(item, Tensor):
            found.append(item)
        elif isinstance(item, Mapping):
            waiting[:0] = list(item.values())[:_MOST]
        elif isinstance(item, (list, tuple)):
            waiting[:0] = list(item)[:_MOST]
    return found


def rows_in(batch: Any) -> int:
    """How many examples a batch has: the length of its first tensor; 0 when it has none, or when PyTorch traces and sizes are tensors."""
    if (type(batch) is list or type(batch) is tuple) and batch and type(batch[0]) is Tensor:
        first = batch[0]
    else:
        found = tensors_in(batch)
        if not found:
            return 0
        first = found[0]
    try:
        shape = _shape(first)
        rows = shape[0] if shape else 1
    except RuntimeError:  # a nested tensor, whose rows are of different shapes
        rows = _size(first, 0)
    return rows if type(rows) is int else 0


class LoaderPass:
    """One iteration over a data loader; an epoch once it has been trained on."""

    __slots__ = ("iterator", "loader", "trained")

    def __init__(self, iterator: Any, loader: Any = None) -> None:
        self.trained = False
        self.iterator: weakref.ref[Any] = weakref.ref(iterator)
        self.loader = weakref.ref(loader) if loader is not None else None


class Batch:
    """The tensors of one step, hashed when they are seen (a step may change them) and named when its backward begins."""

    def __init__(self, *, copy: bool = False) -> None:
        self.tensors: list[Tensor] = []
        self._copy = copy
        self._copies: list[Tensor] = []
        self._hashes: list[Tensor | None] = []
        self._names: list[str] = []
        self._guesses: list[Tensor] = []
        self.whole = False  # a loader gave it: there is nothing to guess

    def clear(self) -> None:
        """Another batch takes its place."""
        self.tensors, self._copies, self._hashes, self._names = [], [], [], []

    def guess(self, tensors: list[Tensor]) -> None:
        """Tensors that entered a step without a loader; those that a variable holds are its batch."""
        for tensor in tensors:
            known = any(tensor is other for other in self._guesses)
            if not known and not tensor.requires_grad and tensor.ndim and len(self._guesses) < _MOST:
                self._guesses.append(tensor)

    def see(self, tensors: list[Tensor]) -> None:
        for tensor in tensors:
            if type(tensor) in (Tensor, torch.nn.Parameter) and tensor.ndim and len(self.tensors) < _MOST:
                if any(tensor is known for known in self.tensors):
                    continue
                self.tensors.append(tensor)
                self._hashes.append(row_hashes(tensor))
                self._names.append("")
                if self._copy:
                    with quiet():
                        self._copies.append(tensor.detach().to("cpu", copy=True))

    def name(self, names: Names, frame: FrameType | None) -> None:
        """Find the variables that hold the tensors now."""
        if self._guesses and not self.whole:
            self.see([tensor for tensor in self._guesses if names.variable_of(tensor, frame)])
        self._guesses.clear()
        if "" in self._names:
            self._names = [
                known or names.variable_of(tensor, frame)
                for known, tensor in zip(self._names, self.tensors, strict=True)
            ]

    def events(self, step: int, evaluation: int = 0) -> list[BatchSeen]:
        return [
            BatchSeen(
                step,
                name,
                tuple(tensor.shape),
                str(tensor.dtype).removeprefix("torch."),
                str(tensor.device),
                () if hashes is None else tuple(hashes.tolist()),
                evaluation,
            )
            for name, tensor, hashes in zip(self._names, self.tensors, self._hashes, strict=True)
        ]

    def copies(self) -> dict[str, Tensor]:
        """``batch.x``, ``batch.y`` and, after them, ``batch.2`` …"""
        keys = ("x", "y", *map(str, range(2, _MOST)))
        return {f"batch.{key}": copy for key, copy in zip(keys, self._copies, strict=False)}
