"""Rows that two sets have in common: to the last bit, or nearly."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from descend.watch.facts.columns import hashes_of
from descend.watch.facts.sets import Rows, numbers_in, spread_out

KEYS = 32  # numbers of a row that it is first known again by
ROWS = 50_000  # of a set
_NUMBERS = 1_000_000
_VERIFIED = 64  # pairs of rows that are compared whole
_ASKED = 128  # rows whose nearest row is looked for
_AMONG = 6_000
_CLOSE = 0.05  # of the distance to the next row but one
_FEW = 20  # different values, up to which a column is one of kinds


def key_columns(sample: Tensor, most: int = KEYS) -> Tensor:
    """The columns that tell rows apart best, by how many different values they have in a sample (n, columns)."""
    if sample.shape[1] <= most:
        return torch.arange(sample.shape[1])
    candidates = torch.arange(0, sample.shape[1], max(1, sample.shape[1] // 512))
    ordered = sample[:, candidates].sort(0).values
    different = (ordered[1:] != ordered[:-1]).sum(0)
    return candidates[different.argsort(descending=True, stable=True)[:most]].sort().values


def keys_of(rows: Sequence[Rows], columns: Tensor) -> Tensor:
    """(rows, columns) of all parts of a set, a copy; evenly spaced rows where there are very many."""
    count = sum(map(len, rows))
    most = min(ROWS, _NUMBERS // max(1, len(columns)))
    found = []
    for part in rows:
        at = spread_out(len(part), max(1, most * len(part) // count)) if count > most else None
        found.append(part.columns(columns, at).float())
    return torch.cat(found).nan_to_num(nan=-1.25e37)


def compare(one: Tensor, other: Tensor) -> dict[str, Any]:
    """How many rows of ``other`` are in ``one`` too, both as keys (rows, columns) of the same columns.

    ``same``: equal in all keys; ``pairs``: some of them; ``expected``: how many would be if columns were independent; ``again``: how many rows of
    ``one`` come twice in it; ``near`` of ``asked``: rows of ``other`` whose nearest row of ``one`` is closer than a twentieth of the
    distance to the next one but is not equal.
    """
    own, order = hashes_of(one).sort(stable=True)
    theirs = hashes_of(other)
    place = torch.searchsorted(own, theirs).clamp_max(len(own) - 1)
    match = torch.where(own[place] == theirs, order[place], -1)
    same = (match >= 0).nonzero().flatten()
    some = one[spread_out(len(one), 2_000)].sort(0).values
    different = 1 + (some[1:] != some[:-1]).sum(0)
    found: dict[str, Any] = {
        "rows": len(other),
        "of": len(one),
        "same": len(same),
        "again": int((own[1:] == own[:-1]).sum()),
        "expected": len(other) * min(1.0, len(one) * _chance(one)),
        "kinds": int(different.max()) <= _FEW,
        "pairs": [[int(match[each]), int(each)] for each in same[:_VERIFIED]],
    }
    rest = other[match < 0]
    return found | (_nearly(one, rest) if len(rest) >= 8 and not found["kinds"] else {})


def equal_rows(one: Sequence[Rows], other: Sequence[Rows], pairs: Sequence[Sequence[int]]) -> int:
    """How many of these pairs of rows are equal in every number."""
    same = 0
    for a, b in pairs:
        x, y = _row(one, a), _row(other, b)
        same += int(x is not None and y is not None and bool(torch.equal(x, y)))
    return same


def is_cheap(rows: Sequence[Rows], columns: int, seconds: float) -> bool:
    """Whether taking keys is done in so many seconds: some 5 ns a number, and a miss of the cache for each of wide rows."""
    count = min(ROWS, sum(map(len, rows)))
    return count * columns * (5e-9 if numbers_in(rows[0]) <= 64 * len(rows[0]) else 2e-8) < seconds


def _row(rows: Sequence[Rows], number: int) -> Tensor | None:
    for part in rows:
        if number < len(part):
            return part.take(torch.tensor([number])).x[0].cpu()
        number -= len(part)
    return None


def _chance(x: Tensor) -> float:
    """That two rows are equal by chance, were its columns independent."""
    some = x[spread_out(len(x), 1_000)]
    logarithm = 0.0
    for column in some.T:
        counts = Counter(column.tolist())
        logarithm += math.log(sum((count / len(some)) ** 2 for count in counts.values()))
        if logarithm < -60:
            return 0.0
    return math.exp(logarithm)


def _nearly(one: Tensor, other: Tensor) -> dict[str, Any]:
    """Rows of ``other`` that are all but a row of ``one``, beside rows of ``one`` that are all but another of it."""
    among = one[spread_out(len(one), _AMONG)]
    deviation, mean = torch.std_mean(among, 0)
    moving = (deviation > 0) & torch.isfinite(deviation)
    if int(moving.sum()) < 3:
        return {}
    among = ((among - mean) / deviation)[:, moving]
    asked = ((other[spread_out(len(other), _ASKED)] - mean) / deviation)[:, moving]
    own = spread_out(len(among), _ASKED)
    near, distance, typical = _closeness(asked, among, None)
    usual, _, _ = _closeness(among[own], among, own)
    return {
        "asked": len(asked),
        "near": int(near.sum()),
        "usual": float(usual.double().mean()),
        "distance": float(distance[near].median()) if bool(near.any()) else None,
        "typical": float(typical.median()),
    }


def _closeness(asked: Tensor, among: Tensor, own: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Of each row: whether its nearest is far nearer than the next, the distance to the nearest, and to the next."""
    distances = torch.cdist(asked, among, compute_mode="donot_use_mm_for_euclid_dist")
    if own is not None:
        distances[torch.arange(len(own)), own] = math.inf
    two = distances.topk(2, 1, largest=False).values
    close = (two[:, 0] <= _CLOSE * two[:, 1]) & (two[:, 1] > 0)
    return close, two[:, 0], two[:, 1]
