"""How a step's move and its gradient lie to those of the step before: whether steps overshoot, and how curved the loss is on the way.

Told as the fact ``motion`` in steps that are looked at and follow another one of the same parameters: ``cosine`` between this gradient
and the one before; ``ahead``: the cosine between the move in between and this gradient (below 0 the loss still falls that way, above
0 the step went past the lowest point); ``before``: the same with the gradient that the move began with; ``curvature``: the change of the
gradient along the move for each unit of it; ``move``, ``gradient``, ``gradient_before`` and ``value``: Euclidean norms; ``parameter``:
the name of the first. Of large models evenly spaced numbers are compared; ``share`` says how many of all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from descend.watch.facts.moments import Collector, Telling

_NUMBERS = 16_384  # of all parameters together that are compared
_SETS = 8


@dataclass(eq=False)
class _At:
    """Where one set of parameters is."""

    step: int
    value: Tensor
    gradient: Tensor | None = None
    told: Tensor | None = None  # what is to be read when the step is over


class Motion(Collector):
    """Compares gradients and values of a set of parameters from one looked-at step to the next."""

    def __init__(self, tell: Telling) -> None:
        super().__init__(tell)
        self._at: dict[tuple[int, ...], _At] = {}
        self._before: dict[tuple[int, ...], _At] = {}

    def backward_begins(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        key = tuple(map(id, leaves))
        known = self._at.get(key)
        if known is not None and known.step == step:
            return  # another backward pass of the same step
        if (known is None and len(self._at) >= _SETS) or not _are_plain(leaves):
            return
        if known is not None and known.step == step - 1 and known.gradient is not None:
            self._before[key] = known
        self._at[key] = _At(step, _sampled(leaves))

    def backward_ends(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        key = tuple(map(id, leaves))
        now = self._at.get(key)
        gradients = [each.grad for each in leaves]
        if (
            now is None
            or now.step != step
            or any(each is None or each.layout is not torch.strided for each in gradients)
        ):
            return
        now.gradient = _sampled([each for each in gradients if each is not None])
        before = self._before.get(key)
        if before is None or before.gradient is None or before.step != step - 1:
            return
        if before.gradient.shape != now.gradient.shape:
            return
        move = now.value - before.value
        change = now.gradient - before.gradient
        pairs = (
            (now.gradient, before.gradient),
            (move, now.gradient),
            (move, before.gradient),
            (move, change),
            (move, move),
            (now.gradient, now.gradient),
            (before.gradient, before.gradient),
            (now.value, now.value),
        )
        now.told = torch.stack([torch.dot(one, other) for one, other in pairs])

    def step_done(self, step: int, leaves: Sequence[Tensor]) -> None:
        for key, now in self._at.items():
            if now.step == step and now.told is not None:
                numbers, now.told = now.told.tolist(), None
                used = [each for each in leaves if id(each) in key]
                self._tell(step, numbers, used, now)
        if len(self._before) > _SETS:
            self._before.clear()

    def _tell(self, step: int, numbers: Sequence[float], leaves: Sequence[Tensor], now: _At) -> None:
        both, ahead, behind, bend, move, gradient, earlier, value = numbers
        count = sum(each.numel() for each in leaves)
        self.tell.fact(
            step,
            "motion",
            {
                "parameter": self.tell.names.name_of(leaves[0]) if leaves else "",
                "cosine": _ratio(both, gradient, earlier),
                "ahead": _ratio(ahead, move, gradient),
                "before": _ratio(behind, move, earlier),
                "curvature": bend / move if move > 0 else None,
                "move": move**0.5,
                "gradient": gradient**0.5,
                "gradient_before": earlier**0.5,
                "value": value**0.5,
                "share": min(1.0, now.value.numel() / count) if count else 1.0,
            },
        )


def _ratio(product: float, first: float, second: float) -> float | None:
    """The cosine from a product and two squared lengths."""
    size = (first * second) ** 0.5
    return product / size if 0 < size < float("inf") else None


def _are_plain(leaves: Sequence[Tensor]) -> bool:
    return (
        bool(leaves)
        and all(
            type(each) in (Tensor, torch.nn.Parameter) and each.is_floating_point() and each.layout is torch.strided
            for each in leaves
        )
        and len({each.device for each in leaves}) == 1
    )


def _sampled(tensors: Sequence[Tensor]) -> Tensor:
    """All numbers, or evenly spaced ones, in a row of their own."""
    every = max(1, -(-sum(each.numel() for each in tensors) // _NUMBERS))
    return torch.cat([each.detach().reshape(-1)[::every].float() for each in tensors])
