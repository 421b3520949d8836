"""Whole data sets where they lie in memory: the tensors behind a loader or in a variable, as rows that can be looked at.

Only classes that hand their rows out as they are count: PyTorch's TensorDataset, Subset and ConcatDataset. A class of the user's may do
anything to a row, and is never asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, RandomSampler, SequentialSampler, Subset, TensorDataset

_DEEPEST = 6  # sets inside sets


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of two tensors that belong together; used at once and not kept, as it holds the user's memory."""

    x: Tensor  # (rows, …)
    y: Tensor | None  # (rows, …)
    chosen: Tensor | None = None  # which rows of x, in their order; None: all of them

    def __len__(self) -> int:
        return len(self.x) if self.chosen is None else len(self.chosen)

    def take(self, at: Tensor) -> "Rows":
        """The rows at some places, as copies."""
        rows = at if self.chosen is None else self.chosen[at]
        return Rows(_taken(self.x, rows), None if self.y is None else _taken(self.y, rows))

    def labels(self) -> Tensor | None:
        """The targets of all rows in their order."""
        return self.y if self.y is None or self.chosen is None else _taken(self.y, self.chosen)

    def columns(self, at: Tensor, rows: Tensor | None = None) -> Tensor:
        """(rows, columns): of each row, or of those at some places, the numbers at some places, when it is laid out flat."""
        flat = self.x.detach().reshape(len(self.x), -1)
        places = at.to(flat.device)
        chosen = rows if self.chosen is None or rows is None else self.chosen[rows]
        chosen = self.chosen if chosen is None else chosen
        if chosen is None:
            return flat.index_select(1, places).cpu()
        return flat[chosen.to(flat.device)[:, None], places].cpu()  # one by one: whole rows may be a hundred megabytes


def rows_of(dataset: Any, depth: int = 0) -> list[Rows]:
    """The rows behind a data set, part by part; none where they cannot be known without running code of the user's."""
    kind = type(dataset)
    if depth > _DEEPEST:
        return []
    if kind is TensorDataset:
        tensors = [each for each in dataset.tensors if _is_plain(each)]
        return [Rows(tensors[0], tensors[1] if len(tensors) > 1 else None)] if tensors and len(tensors[0]) else []
    if kind is Subset:
        return _subset(dataset, depth)
    if kind is ConcatDataset:
        parts = [rows_of(each, depth + 1) for each in dataset.datasets]
        return [row for part in parts for row in part] if all(parts) else []
    return []


def order_of(loader: Any) -> str:
    """In which order a loader hands out its rows: "in order", "shuffled", "with replacement", "own" or "unknown"."""
    if not isinstance(loader, DataLoader):
        return "unknown"
    batches = getattr(loader, "batch_sampler", None)
    if batches is not None and type(batches).__module__ != "torch.utils.data.sampler":
        return "own"
    sampler = loader.sampler
    if type(sampler) is SequentialSampler:
        return "in order"
    if type(sampler) is RandomSampler:
        return "with replacement" if sampler.replacement else "shuffled"
    return "unknown" if type(sampler).__name__ == "_InfiniteConstantSampler" else "own"


def spread_out(count: int, most: int) -> Tensor:
    """At most ``most`` of the places 0 … ``count`` - 1, evenly spaced, the first and the last among them."""
    if count <= most:
        return torch.arange(count)
    return torch.linspace(0, count - 1, most, dtype=torch.float64).round().long().unique()  # type: ignore[no-any-return, no-untyped-call]


def numbers_in(rows: Rows) -> int:
    """How many numbers its rows hold."""
    return len(rows) * max(1, rows.x[:1].numel())


def _subset(dataset: Subset[Any], depth: int) -> list[Rows]:
    whole = rows_of(dataset.dataset, depth + 1)
    chosen = _as_numbers(dataset.indices)
    if len(whole) != 1 or chosen is None or not len(chosen):
        return []
    inner = whole[0]
    if int(chosen.max()) >= len(inner) or int(chosen.min()) < -len(inner):
        return []
    chosen = torch.where(chosen < 0, chosen + len(inner), chosen)
    return [Rows(inner.x, inner.y, chosen if inner.chosen is None else inner.chosen[chosen])]


def _as_numbers(indices: Sequence[int] | Any) -> Tensor | None:
    if isinstance(indices, range):
        return torch.arange(indices.start, indices.stop, indices.step)
    if isinstance(indices, Tensor):
        return indices.long().cpu() if indices.ndim == 1 and not indices.is_floating_point() else None
    if isinstance(indices, np.ndarray):
        return torch.from_numpy(indices.astype(np.int64)) if indices.ndim == 1 and indices.dtype.kind in "iu" else None
    if type(indices) in (list, tuple) and indices and isinstance(indices[0], int | np.integer):
        numbers = np.asarray(indices)
        return torch.from_numpy(numbers.astype(np.int64)) if numbers.ndim == 1 and numbers.dtype.kind in "iu" else None
    return None


def _is_plain(tensor: Any) -> bool:
    return (
        type(tensor) is Tensor
        and tensor.layout is torch.strided
        and tensor.ndim > 0
        and not tensor.is_complex()
        and not tensor.is_quantized
        and tensor.device.type != "meta"
    )


def _taken(tensor: Tensor, rows: Tensor) -> Tensor:
    return tensor.detach().index_select(0, rows.to(tensor.device))
