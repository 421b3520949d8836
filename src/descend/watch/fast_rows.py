"""Many rows of a data set at once: the bits that reading them one by one and collating them gives.

Nothing is read ahead and nothing is kept: a batch is gathered from the data set's own memory when it is asked for. So whatever
the script writes into its data, between epochs or within one, is in the next batch, as it is when rows are read one by one.
"""

import copy
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import default_collate

Indices: TypeAlias = Sequence[Any] | np.ndarray[Any, Any] | Tensor

_WHOLE_NUMBERS = frozenset({int, np.int32, np.int64})


class Rows(ABC):
    """Rows that can be gathered: each is a tuple, and a batch is a list of one tensor for each place in it."""

    kinds: tuple[str, ...]  # what stands at each place of a row: "tensor" or "number"; they are collated differently
    nbytes: int  # what a copy needs

    @abstractmethod
    def gather(self, rows: list[int]) -> list[Tensor]:
        """The collated batch of these rows, in new memory. Rows that cannot be gathered raise what indexing raises."""

    @abstractmethod
    def copied(self) -> "Rows":
        """The same rows in memory of their own, as a worker process has them: later changes do not reach them."""


class Normalisation(Protocol):
    """torchvision's Normalize, as far as it matters here."""

    mean: Any
    std: Any


class Normalise(Protocol):
    """torchvision's own function: the batch less the means, divided by the deviations, in place."""

    def __call__(self, tensor: Tensor, mean: Any, std: Any, inplace: bool) -> Tensor: ...


def whole_numbers(indices: object) -> list[int] | None:
    """Row numbers as a list of int, or None for what else may stand in brackets: True, slices, masks, names …"""
    if isinstance(indices, Tensor | np.ndarray):
        is_list = indices.ndim == 1 and str(indices.dtype).removeprefix("torch.") in {"int32", "int64"}
        return indices.tolist() if is_list else None
    if not isinstance(indices, list | tuple):
        return None
    types = set(map(type, indices))
    if types == {int}:
        return list(indices)
    if types <= _WHOLE_NUMBERS or (types == {Tensor} and all(i.ndim == 0 and i.dtype == torch.int64 for i in indices)):
        return [int(index) for index in indices]
    return None


class TensorRows(Rows):
    """A TensorDataset: row i holds element i of each tensor."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._tensors = tuple(tensors)
        self.kinds = ("tensor",) * len(self._tensors)
        self.nbytes = sum(map(_bytes, self._tensors))

    def gather(self, rows: list[int]) -> list[Tensor]:
        index = _index(rows)
        return [tensor.index_select(0, index) for tensor in self._tensors]

    def copied(self) -> Rows:
        return TensorRows([_copied(tensor) for tensor in self._tensors])


class SubsetRows(Rows):
    """Some rows of another set: row i is row ``indices[i]`` of the whole."""

    def __init__(self, whole: Rows, indices: Indices) -> None:
        self._whole, self._indices = whole, indices
        self.kinds = whole.kinds
        self.nbytes = whole.nbytes + _bytes(indices)

    def gather(self, rows: list[int]) -> list[Tensor]:
        indices = self._indices
        chosen = whole_numbers([indices[row] for row in rows])
        if chosen is None:
            raise TypeError("the indices are not all row numbers")
        return self._whole.gather(chosen)

    def copied(self) -> Rows:
        return SubsetRows(self._whole.copied(), _copied(self._indices))


class ConcatRows(Rows):
    """Several sets, one after the other; ``ends[i]`` is how many rows there are up to the end of part i."""

    def __init__(self, parts: Sequence[Rows], ends: Sequence[int]) -> None:
        self._parts, self._ends = parts, ends
        self.kinds = parts[0].kinds
        self.nbytes = sum(part.nbytes for part in parts)

    def gather(self, rows: list[int]) -> list[Tensor]:
        if min(rows) < 0:
            raise IndexError("rows are not counted from the end here")
        at: dict[int, list[int]] = {}  # part → which rows of the batch it has
        for place, row in enumerate(rows):
            at.setdefault(bisect_right(self._ends, row), []).append(place)
        begins = [0, *self._ends]
        gathered = [self._parts[part].gather([rows[i] - begins[part] for i in places]) for part, places in at.items()]
        if len(gathered) == 1:
            return gathered[0]
        order = [place for places in at.values() for place in places]
        back = _index(sorted(range(len(rows)), key=order.__getitem__))
        return [_joined(column).index_select(0, back) for column in zip(*gathered, strict=True)]

    def copied(self) -> Rows:
        return ConcatRows([part.copied() for part in self._parts], tuple(self._ends))


class PictureRows(Rows):
    """torchvision's MNIST and CIFAR families: pictures of bytes made floats by ToTensor, then any number of Normalize."""

    kinds = ("tensor", "number")

    def __init__(
        self, pictures: Any, targets: Indices, normalisations: Sequence[Normalisation], normalise: Normalise
    ) -> None:
        self._pictures, self._targets = pictures, targets
        self._normalisations, self._normalise = normalisations, normalise
        self.nbytes = _bytes(pictures) + _bytes(targets)

    def gather(self, rows: list[int]) -> list[Tensor]:
        # ToTensor's own order: bytes to the default float type, then divided. Each float is rounded the same in a batch.
        pictures, labels = self._read(rows)
        batch = pictures.to(torch.get_default_dtype(), memory_format=torch.contiguous_format).div_(255)
        for each in self._normalisations:
            batch = self._normalise(batch, each.mean, each.std, inplace=True)
        return [batch, labels]

    def copied(self) -> Rows:
        steps = copy.deepcopy(tuple(self._normalisations))
        return type(self)(_copied(self._pictures), _copied(self._targets), steps, self._normalise)

    @abstractmethod
    def _read(self, rows: list[int]) -> tuple[Tensor, Tensor]:
        """The pictures as bytes, (B, C, H, W), and the collated targets, (B,)."""


class MnistRows(PictureRows):
    """MNIST and its kin: a tensor of grey pictures (N, H, W); targets are read with int()."""

    def _read(self, rows: list[int]) -> tuple[Tensor, Tensor]:
        index = _index(rows)
        pictures: Tensor = self._pictures.index_select(0, index).unsqueeze(1)
        targets = self._targets
        if isinstance(targets, Tensor) and targets.dtype == torch.int64 and targets.ndim == 1:
            return pictures, targets.index_select(0, index)
        return pictures, default_collate([int(targets[row]) for row in rows])


class CifarRows(PictureRows):
    """CIFAR10 and CIFAR100: an array of coloured pictures (N, H, W, 3); targets are handed out as they are."""

    def _read(self, rows: list[int]) -> tuple[Tensor, Tensor]:
        # The array is a view of (N, 3, H, W): in that order whole pictures are copied. A tensor would need write access.
        pictures = torch.from_numpy(self._pictures.transpose(0, 3, 1, 2).take(rows, axis=0))
        return pictures, default_collate([self._targets[row] for row in rows])


def _index(rows: list[int]) -> Tensor:
    return torch.from_numpy(
        np.array(rows, dtype=np.int64)
    )  # half the time of torch.tensor, and on the CPU whatever is set


def _joined(parts: Sequence[Tensor]) -> Tensor:
    if len({(part.dtype, part.shape[1:]) for part in parts}) > 1:
        raise TypeError("parts of different types or shapes")  # collating them may still work, in a way of its own
    return torch.cat(list(parts))


def _copied(values: Any) -> Any:
    if isinstance(values, Tensor):
        # What is shared with workers they see change, as this process does.
        return values if values.is_shared() else values.clone()  # type: ignore[no-untyped-call]
    return values.copy() if isinstance(values, list | np.ndarray) else values


def _bytes(values: object) -> int:
    if isinstance(values, Tensor):
        return values.numel() * values.element_size()
    if isinstance(values, np.ndarray):
        return values.nbytes
    return 8 * len(values) if isinstance(values, list) else 0
