"""Gradients that are too small for half precision.

Told as the fact ``underflow`` in steps that are looked at and whose graph computes in float16: ``numbers``: how many gradients;
``zero``: the share that is exactly zero; ``tiny``: the share of the others that is below the smallest normal number of float16, 6.1e-5, where
digits are lost; ``least``: the smallest that is not zero; ``half``: how many parameters are float16 themselves; ``worst``: the name of the
parameter with most zeros, and its share ``worst_zero``; ``parameters``: name, ``zero`` and ``tiny`` of each of the first 64.
"""

from collections.abc import Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from descend.watch.facts.moments import Collector, Telling
from descend.watch.facts.walk import kind_of, nodes_of, saved

_NORMAL = 2.0**-14  # the smallest number of float16 that has all its digits
_LOOKS = 20
_SHOWN = 64


class Precision(Collector):
    """Counts zeros among the gradients of steps that compute in float16."""

    def __init__(self, tell: Telling) -> None:
        super().__init__(tell)
        self._is_half = False
        self._looked = 0
        self._waiting: list[tuple[str, Tensor]] = []

    def backward_begins(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        if self._looked >= _LOOKS:
            self._is_half = False
            return
        self._looked += 1
        self._is_half = any(each.dtype is torch.float16 for each in leaves) or _computes_in_half(loss)

    def backward_ends(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        if not self._is_half:
            return
        self._waiting = []
        for each in leaves:
            gradient = each.grad
            if gradient is None or gradient.layout is not torch.strided or not gradient.numel():
                continue
            size = gradient.detach().float().abs()
            zero = size == 0
            tiny = (size < _NORMAL) & ~zero
            least = torch.where(zero, torch.inf, size).min()
            counts = torch.stack([zero.sum().float(), tiny.sum().float(), least, size.new_tensor(float(size.numel()))])
            self._waiting.append((self.tell.names.name_of(each), counts.cpu()))
        self._half = sum(each.dtype is torch.float16 for each in leaves)

    def step_done(self, step: int, leaves: Sequence[Tensor]) -> None:
        if not self._waiting:
            return
        rows = [(name, *counts.tolist()) for name, counts in self._waiting]
        self._waiting = []
        numbers = sum(row[4] for row in rows)
        zero, tiny = sum(row[1] for row in rows), sum(row[2] for row in rows)
        worst = max(rows, key=lambda row: row[1] / row[4])
        self.tell.fact(
            step,
            "underflow",
            {
                "numbers": int(numbers),
                "zero": zero / numbers,
                "tiny": tiny / max(1.0, numbers - zero),
                "least": min(row[3] for row in rows),
                "half": self._half,
                "worst": worst[0],
                "worst_zero": worst[1] / worst[4],
                "parameters": [[row[0], row[1] / row[4], row[2] / max(1.0, row[4] - row[1])] for row in rows[:_SHOWN]],
            },
        )


def _computes_in_half(loss: Any) -> bool:
    """Whether the graph turns tensors to float16 and back, as autocast does."""
    for node in nodes_of(loss):
        if kind_of(node) in ("Addmm", "Mm", "Bmm", "Convolution", "Mv"):
            for name in ("mat1", "mat2", "self", "input", "weight", "vec"):
                found = saved(node, name)
                if found is not None:
                    return found.dtype is torch.float16
    return False
