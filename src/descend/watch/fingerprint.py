"""A hash of each row of a batch, to know rows again by: the same numbers give the same hash in every batch."""

from functools import lru_cache

import torch
from torch import Tensor

from descend.watch.quiet import quiet

ROWS = 64  # rows of a batch that are hashed
_COLUMNS = 4096  # numbers of a row that are hashed; of longer rows, evenly spaced ones
_SIXTY_THREE_BITS = 2**63 - 1
_WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def row_hashes(batch: Tensor) -> Tensor | None:
    """The hashes of the first rows, still on the batch's device: (rows,) int64. None where rows have no bytes to read."""
    if batch.ndim == 0 or batch.numel() == 0 or batch.layout != torch.strided or batch.is_quantized:
        return None
    with quiet():
        rows = batch.detach()[:ROWS]
        rows = torch.view_as_real(rows.resolve_conj()) if rows.is_complex() else rows
        word = _WORDS.get(rows.element_size())
        if word is None:
            return None
        rows = rows.reshape(len(rows), -1)  # (rows, columns)
        if rows.shape[1] > _COLUMNS:
            rows = rows[:, :: -(-rows.shape[1] // _COLUMNS)]
        words = rows.contiguous().view(word).to(torch.int64)
        hashes = ((words + 1) * _weights(rows.shape[1]).to(words.device)).sum(1)  # wraps around, as hashes do
        return (hashes ^ (hashes >> 29)) & _SIXTY_THREE_BITS


def fingerprints(batch: Tensor) -> tuple[int, ...]:
    """The hashes of the first rows, 63 bits each."""
    hashes = row_hashes(batch)
    return () if hashes is None else tuple(hashes.tolist())


@lru_cache(maxsize=32)
def _weights(count: int) -> Tensor:
    """An odd number for each column, mixed as in splitmix64 (Steele, Lea and Flood, 2014)."""
    number = torch.arange(1, count + 1, dtype=torch.int64) * -7046029254386353131
    number = (number ^ ((number >> 30) & (2**34 - 1))) * -4658895280553007687
    number = (number ^ ((number >> 27) & (2**37 - 1))) * -7723592293110705685
    return (number ^ ((number >> 31) & (2**33 - 1))) | 1
