"""Which data sets are known so well that their rows may be gathered, and a test of each before it is trusted.

Known are TensorDataset, torchvision's MNIST and CIFAR families with ToTensor and Normalize, and Subset (random_split makes
them) and ConcatDataset of such. torchvision is never imported here: only a script that did can have its data sets.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset, Subset, TensorDataset, default_collate

from descend.watch.fast_rows import (
    CifarRows,
    ConcatRows,
    MnistRows,
    Normalisation,
    Normalise,
    Rows,
    SubsetRows,
    TensorRows,
)

_SEQUENCES = (list, tuple, range, np.ndarray, Tensor)
# What a subclass may not have of its own: its rows could then be others than those of the class it comes from.
_READING = frozenset(
    {"__getitem__", "__getitems__", "__getattr__", "__getattribute__", "tensors", "dataset", "indices", "datasets"}
    | {"cumulative_sizes", "data", "targets", "transform", "target_transform"}
)


class NotReplaced(Exception):
    """Why a loader stays as it is: plain words that follow its name."""


class Source:
    """A data set whose rows may be gathered: ``rows``, and whether the script has changed what they were found to be."""

    def __init__(self, dataset: Dataset[Any], *, compare: bool = True) -> None:
        """Look the data set over, and read a few rows both ways; the latter only to ``compare``.

        Raises:
            NotReplaced: something about it is not known well enough, or the two ways differ.
        """
        self._attributes: list[tuple[object, str, object]] = []
        self._lists: list[tuple[Sequence[object], tuple[object, ...]]] = []
        self.rows = self._rows_of(dataset)
        if compare:
            _compare(dataset, self.rows)

    def changed(self) -> bool:
        """Whether data, a transform … were exchanged. Values written into the data in place are no change: rows are live."""
        for owner, name, value in self._attributes:
            if getattr(owner, name, None) is not value:
                return True
        return any(
            len(now) != len(then) or any(a is not b for a, b in zip(now, then, strict=True))
            for now, then in self._lists
        )

    def _read(self, owner: object, name: str) -> Any:
        value = getattr(owner, name)
        self._attributes.append((owner, name, value))
        return value

    def _read_list(self, owner: object, name: str) -> tuple[Any, ...]:
        values = self._read(owner, name)
        if type(values) not in {list, tuple}:
            raise NotReplaced(f"{name} of its {type(owner).__name__} is a {type(values).__name__}, not a list")
        self._lists.append((values, tuple(values)))
        return tuple(values)

    def _rows_of(self, dataset: object) -> Rows:
        vision = {
            _from_torchvision("datasets.mnist", "MNIST"): self._mnist,
            _from_torchvision("datasets.cifar", "CIFAR10"): self._cifar,
        }
        known: dict[type, Callable[[Any], Rows]] = {
            TensorDataset: self._tensors,
            Subset: self._subset,
            ConcatDataset: self._concat,
            **{cls: read for cls, read in vision.items() if cls is not None},
        }
        for cls in type(dataset).__mro__:
            if cls in known:
                _check_class(dataset, cls)
                return known[cls](dataset)
        name = type(dataset).__name__
        raise NotReplaced(f"what its data set {name} does to read a row is known to {name} alone")

    def _tensors(self, dataset: TensorDataset) -> Rows:
        tensors = self._read_list(dataset, "tensors")
        for number, tensor in enumerate(tensors, 1):
            if not _is_plain(tensor):
                raise NotReplaced(f"tensor {number} of its TensorDataset is not a plain CPU tensor without gradient")
            self._read(tensor, "requires_grad")
        return TensorRows(tensors)

    def _subset(self, dataset: Subset[Any]) -> Rows:
        indices = self._read(dataset, "indices")
        if type(indices) not in _SEQUENCES:
            raise NotReplaced(f"the indices of its Subset are a {type(indices).__name__}, not a list")
        return SubsetRows(self._rows_of(self._read(dataset, "dataset")), indices)

    def _concat(self, dataset: ConcatDataset[Any]) -> Rows:
        parts = [self._rows_of(part) for part in self._read_list(dataset, "datasets")]
        if len({part.kinds for part in parts}) > 1:
            raise NotReplaced("the parts of its ConcatDataset have rows of different kinds")
        return ConcatRows(parts, self._read_list(dataset, "cumulative_sizes"))

    def _mnist(self, dataset: Any) -> Rows:
        pictures, targets = self._pictures(dataset)
        if not _is_plain(pictures) or pictures.dtype != torch.uint8 or pictures.ndim != 3:
            raise NotReplaced(f"data of its {type(dataset).__name__} is not a tensor of grey pictures in bytes")
        return MnistRows(pictures, targets, *self._steps(dataset))

    def _cifar(self, dataset: Any) -> Rows:
        pictures, targets = self._pictures(dataset)
        is_array = type(pictures) is np.ndarray and pictures.dtype == np.uint8
        if not is_array or pictures.ndim != 4 or pictures.shape[3] != 3:
            raise NotReplaced(f"data of its {type(dataset).__name__} is not an array of coloured pictures in bytes")
        return CifarRows(pictures, targets, *self._steps(dataset))

    def _pictures(self, dataset: object) -> tuple[Any, Any]:
        if self._read(dataset, "target_transform") is not None:
            raise NotReplaced("it has a target_transform, a function of the script")
        targets = self._read(dataset, "targets")
        if type(targets) not in _SEQUENCES or (isinstance(targets, Tensor) and not _is_plain(targets)):
            raise NotReplaced(f"targets of its {type(dataset).__name__} are a {type(targets).__name__}, not a list")
        return self._read(dataset, "data"), targets

    def _steps(self, dataset: object) -> tuple[list[Normalisation], Normalise]:
        """What happens to a picture after ToTensor, and torchvision's function that does it."""
        steps = self._flat(self._read(dataset, "transform"))
        to_tensor, normalise = (_from_torchvision("transforms.transforms", name) for name in ("ToTensor", "Normalize"))
        for number, step in enumerate(steps):
            wanted = normalise if number else to_tensor
            if step is None or wanted is None or type(step) is not wanted or _is_altered(step):
                raise NotReplaced(_why_not(step))
        return steps[1:], _from_torchvision("transforms.functional", "normalize")

    def _flat(self, transform: Any) -> list[Any]:
        if type(transform) is not _from_torchvision("transforms.transforms", "Compose"):
            return [transform]
        return [step for each in self._read_list(transform, "transforms") for step in self._flat(each)]


def _from_torchvision(module: str, name: str) -> Any:
    return getattr(sys.modules.get(f"torchvision.{module}"), name, None)


def _is_altered(step: object) -> bool:
    return any(vars(step).get(name) for name in ("forward", "_forward_hooks", "_forward_pre_hooks"))


def _why_not(step: object) -> str:
    if step is None:
        return "it has no transform that makes tensors of its pictures"
    name = type(step).__name__ if not hasattr(step, "__name__") else step.__name__
    return f"its transform {name} may be random or do anything: ToTensor, then Normalize, are known to be neither"


def _check_class(dataset: object, known: type) -> None:
    """``dataset`` reads its rows as the class ``known`` does, and that class reads them as it was published."""
    name = type(dataset).__name__
    above = type(dataset).__mro__
    for cls in above[: above.index(known)]:
        own = sorted(_READING & vars(cls).keys())
        if own:
            raise NotReplaced(f"its data set {name} has {own[0]} of its own")
    reads = vars(known)["__getitem__"]
    if (reads.__module__, reads.__qualname__) != (known.__module__, f"{known.__name__}.__getitem__"):
        raise NotReplaced(f"the script has put another __getitem__ into {known.__name__}")
    if "__getitems__" in vars(dataset):
        raise NotReplaced(f"its data set {name} has __getitems__ of its own")


def _is_plain(tensor: object) -> TypeGuard[Tensor]:
    """Dense, on the CPU, no subclass, no gradient to follow, no conjugate still to be taken."""
    return (
        type(tensor) is Tensor
        and tensor.layout == torch.strided
        and tensor.device.type == "cpu"
        and not (tensor.requires_grad or tensor.is_quantized or tensor.is_nested or tensor.is_conj() or tensor.is_neg())
    )


def _compare(dataset: Any, rows: Rows) -> None:
    """Reads a few rows as the loader would, one by one, and gathers them: everything about the batches must be the same.

    Nothing of the script runs here and nothing random: only classes that are known get this far.
    """
    count = len(dataset)
    if not count:
        raise NotReplaced("its data set is empty")
    for numbers in ([0], sorted({0, count // 3, count // 2, count - 1})):
        try:
            one_by_one = default_collate([dataset[number] for number in numbers])
            at_once = rows.gather(numbers)
        except Exception as error:  # the loader itself will say it better, in its own words and place
            raise NotReplaced(f"rows of its data set cannot be read: {error}") from error
        if type(one_by_one) is not list or len(one_by_one) != len(at_once) or not all(map(_same, one_by_one, at_once)):
            raise NotReplaced("rows gathered at once are not bit for bit those read one by one")


def _same(a: object, b: Tensor) -> bool:
    if type(a) is not Tensor or (a.dtype, a.shape, a.stride()) != (b.dtype, b.shape, b.stride()):
        return False
    return torch.equal(a.contiguous().view(torch.uint8), b.contiguous().view(torch.uint8))  # NaN is like itself here
