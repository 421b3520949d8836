"""Many rows of a known data set at once: the bits that reading them one by one and collating them gives.

Nothing is read ahead and nothing is kept: a batch is gathered from the data set's own memory when it is asked for, so what the
script changes in its data, in place or by assignment, is in the next batch, as it would be without us. Known are TensorDataset,
torchvision's MNIST and CIFAR families with ToTensor and Normalize, and Subset and ConcatDataset of such. torchvision is never
imported: only a script that has imported it can have its data sets.
"""

import sys
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset, Subset, TensorDataset, default_collate

_WHOLE_NUMBERS = frozenset({int, np.int32, np.int64})
_SEQUENCES = (list, tuple, range, np.ndarray, Tensor)
# What a subclass may not have of its own: its rows would then not be those of the class it comes from.
_READING = frozenset(
    {"__getitem__", "__getitems__", "__getattr__", "__getattribute__"}
    | {"tensors", "dataset", "indices", "datasets", "cumulative_sizes"}
    | {"data", "targets", "transform", "target_transform"}
)


class NotReplaced(Exception):
    """Why a loader stays as it is, in plain words that follow the loader's name."""


class Rows(ABC):
    """A data set whose rows can be gathered: each is a tuple, and a batch is a list of one tensor per place in it."""

    kinds: tuple[str, ...]  # what stands at each place of one row: "tensor" or "number"; they are collated differently
    nbytes: int  # what a copy of it needs

    @abstractmethod
    def gather(self, rows: list[int]) -> list[Tensor]:
        """The collated batch of these rows, in new memory. What cannot be gathered raises an error of any usual class."""

    @abstractmethod
    def changed(self) -> bool:
        """Whether the data set has got other data, another transform … since, so that it has to be looked at anew."""

    @abstractmethod
    def copied(self) -> "Rows":
        """The same rows in memory of their own: what the script changes later does not reach them (nor does it a worker)."""


def rows_of(dataset: object) -> Rows:
    """The rows of a known data set.

    Raises:
        NotReplaced: the data set, or something in it, is not known well enough.
    """
    for cls in type(dataset).__mro__:
        read = _readers().get(cls)
        if read is not None:
            _check_class(dataset, cls)
            return read(dataset)
    name = type(dataset).__name__
    raise NotReplaced(f"its data set {name} is not one of PyTorch's: only {name} itself knows what its rows are")


def whole_numbers(indices: object) -> list[int] | None:
    """Row numbers as a list of int; None for anything else that can stand in brackets (True, slices, masks, names …)."""
    if type(indices) is Tensor or type(indices) is np.ndarray:
        return indices.tolist() if indices.ndim == 1 and str(indices.dtype).endswith(("int32", "int64")) else None
    if not isinstance(indices, list | tuple):
        return None
    types = set(map(type, indices))
    if types == {int} and type(indices) is list:
        return indices
    if types <= _WHOLE_NUMBERS or (types == {Tensor} and all(i.ndim == 0 and i.dtype == torch.int64 for i in indices)):
        return [int(index) for index in indices]
    return None


def _readers() -> dict[type, Callable[[Any], Rows]]:
    readers: dict[type, Callable[[Any], Rows]] = {
        TensorDataset: _TensorRows.of,
        Subset: _SubsetRows.of,
        ConcatDataset: _ConcatRows.of,
    }
    for module, name, read in (("mnist", "MNIST", _MnistRows.of), ("cifar", "CIFAR10", _CifarRows.of)):
        cls = getattr(sys.modules.get(f"torchvision.datasets.{module}"), name, None)
        if cls is not None:
            readers[cls] = read
    return readers


def _check_class(dataset: object, known: type) -> None:
    """``dataset`` reads its rows as ``known`` does, and ``known`` as it was published."""
    own = [cls for cls in type(dataset).__mro__ if issubclass(cls, known)]
    for cls in own[: own.index(known)]:
        changed = sorted(_READING & vars(cls).keys())
        if changed:
            raise NotReplaced(f"its data set {type(dataset).__name__} has a {changed[0]} of its own")
    reads = getattr(known, "__getitem__")  # noqa: B009 - an arbitrary class has none, for the checker of types
    if reads.__module__ != known.__module__ or reads.__qualname__ != f"{known.__name__}.__getitem__":
        raise NotReplaced(f"the script has put another __getitem__ into {known.__name__}")
    if "__getitems__" in vars(dataset):
        raise NotReplaced(f"its data set {type(dataset).__name__} has a __getitems__ of its own")


def _plain(tensor: object) -> TypeGuard[Tensor]:
    """A dense tensor on the CPU, nothing more: no subclass, no gradient to follow, no conjugate that is yet to be made."""
    return (
        type(tensor) is Tensor
        and tensor.layout == torch.strided
        and tensor.device.type == "cpu"
        and not (tensor.requires_grad or tensor.is_quantized or tensor.is_nested or tensor.is_conj() or tensor.is_neg())
    )


def _copy[Values](values: Values) -> Values:
    if isinstance(values, Tensor):
        return values if values.is_shared() else values.clone()  # workers see shared memory change, as does this process
    return values.copy() if isinstance(values, list | np.ndarray) else values


def _bytes(values: object) -> int:
    if isinstance(values, Tensor):
        return values.numel() * values.element_size()
    return values.nbytes if isinstance(values, np.ndarray) else 8 * len(values) if isinstance(values, list) else 0


class _TensorRows(Rows):
    def __init__(self, tensors: Sequence[Tensor], dataset: TensorDataset | None) -> None:
        self._tensors, self._dataset = tuple(tensors), dataset
        self.kinds = ("tensor",) * len(self._tensors)
        self.nbytes = sum(map(_bytes, self._tensors))

    @classmethod
    def of(cls, dataset: TensorDataset) -> "_TensorRows":
        for number, tensor in enumerate(dataset.tensors, 1):
            if not _plain(tensor):
                raise NotReplaced(f"tensor {number} of its TensorDataset is not a plain one on the CPU without gradients")
        return cls(dataset.tensors, dataset)

    def gather(self, rows: list[int]) -> list[Tensor]:
        index = torch.tensor(rows, dtype=torch.int64, device="cpu")
        return [tensor.index_select(0, index) for tensor in self._tensors]

    def changed(self) -> bool:
        return self._dataset is not None and (
            not _same(self._dataset.tensors, self._tensors) or any(tensor.requires_grad for tensor in self._tensors)
        )

    def copied(self) -> Rows:
        return _TensorRows([_copy(tensor) for tensor in self._tensors], None)


class _SubsetRows(Rows):
    def __init__(self, whole: Rows, indices: Sequence[int], dataset: Subset[Any] | None) -> None:
        self._whole, self._indices, self._dataset = whole, indices, dataset
        self.kinds = whole.kinds
        self.nbytes = whole.nbytes + _bytes(indices)

    @classmethod
    def of(cls, dataset: Subset[Any]) -> "_SubsetRows":
        if type(dataset.indices) not in _SEQUENCES:
            raise NotReplaced(f"the indices of its Subset are a {type(dataset.indices).__name__}, not a list")
        return cls(rows_of(dataset.dataset), dataset.indices, dataset)

    def gather(self, rows: list[int]) -> list[Tensor]:
        indices = self._indices
        chosen = whole_numbers([indices[row] for row in rows])
        if chosen is None:
            raise TypeError("a Subset's indices are not all row numbers")
        return self._whole.gather(chosen)

    def changed(self) -> bool:
        dataset = self._dataset
        return dataset is not None and (dataset.indices is not self._indices or self._whole.changed() or self._moved(dataset))

    def _moved(self, dataset: Subset[Any]) -> bool:
        return not self._whole_is(dataset.dataset)

    def copied(self) -> Rows:
        return _SubsetRows(self._whole.copied(), _copy(self._indices), None)
