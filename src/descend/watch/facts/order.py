"""In which order a step clears, fills, clips and uses its gradients, and whether any were left from the step before.

Told as the fact ``order`` once for each step that is looked at. ``happened`` lists what came, in order; each has ``what``, ``file``
and ``line``:

    zero      ``parameters``: how many; ``cleared``: how many of them had a gradient that was not zero
    backward  ``loss``; ``leaves``: how many; ``full``: how many had a gradient that was not zero before it; ``kept``: of how many of
              those it was, to the bit, the one that the last update had used; ``graph``: a number that is the same when the same
              graph is walked again
    clip      ``how``, ``most``, ``norm``: of all gradients it was given, before it
    unscale
    update    ``optimizer``: the number of its fact; ``parameters``, ``missing``: with no gradient, ``zero``: with a gradient of zeros,
              ``kept``: with a gradient that holds what the last update had used already, not cleared since
    scheduler ``before``, ``after``: the learning rate

For an update by hand, which no call tells of, ``update`` comes last with no ``line``.
"""

from collections.abc import Iterable, Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from descend.watch.facts.moments import Collector, Telling
from descend.watch.facts.optimizers import Optimizers


class Order(Collector):
    """Follows the gradients of the parameters through the steps that are looked at."""

    def __init__(self, tell: Telling) -> None:
        super().__init__(tell)
        self._happened: list[dict[str, Any]] = []
        self._step = 0
        self._used: dict[
            int, Tensor
        ] = {}  # norm of each gradient when the last update was over, by identity of its parameter
        self._left: dict[
            int, bool | Tensor
        ] = {}  # whether it was there still, to the bit, when the next backward began
        self._backwards = 0
        self._updated = False
        self._optimizers = Optimizers.of(tell)

    def zeroed(self, parameters: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        norms = _norms(parameters)
        self._add("zero", step, frame, parameters=len(parameters), cleared=_count_nonzero(norms.values()))

    def backward_begins(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        norms = _norms(leaves)
        kept = []
        for key, norm in norms.items():
            if key in self._used and key not in self._left:
                self._left[key] = (norm == self._used[key]) & (norm != 0)
            if key in self._left:
                kept.append(self._left[key])
        self._add(
            "backward",
            step,
            frame,
            loss=loss.detach() if isinstance(loss, Tensor) and loss.numel() == 1 else None,
            leaves=len(leaves),
            full=_count_nonzero(norms.values()),
            kept=_count(kept),
            graph=id(loss.grad_fn) if isinstance(loss, Tensor) and loss.grad_fn is not None else 0,
        )

    def clipped(self, parameters: Sequence[Tensor], most: float, how: str, step: int, frame: FrameType | None) -> None:
        norms = list(_norms(parameters).values())
        total = torch.linalg.vector_norm(torch.stack([norm.cpu() for norm in norms])) if norms else 0.0
        self._add("clip", step, frame, how=how, most=most, norm=total)

    def unscaled(self, optimizer: Optimizer, step: int, frame: FrameType | None) -> None:
        self._add("unscale", step, frame)

    def scheduler_stepped(
        self, scheduler: Any, step: int, before: float, after: float, frame: FrameType | None
    ) -> None:
        self._add("scheduler", step, frame, before=before, after=after)

    def update_begins(self, optimizer: Optimizer, step: int, frame: FrameType | None) -> None:
        self._update(step, frame, [each for group in optimizer.param_groups for each in group["params"]], optimizer)

    def update_ends(self, optimizer: Optimizer, step: int, frame: FrameType | None) -> None:
        self._remember([each for group in optimizer.param_groups for each in group["params"]])

    def step_done(self, step: int, leaves: Sequence[Tensor]) -> None:
        if not any(each["what"] == "update" for each in self._happened):
            self._update(step, None, leaves, None)
            self._remember(leaves)
        happened = [_read(each) for each in self._happened]
        self._happened = []
        self.tell.fact(step, "order", {"happened": happened})

    def _update(
        self, step: int, frame: FrameType | None, parameters: Sequence[Tensor], optimizer: Optimizer | None
    ) -> None:
        norms = _norms(parameters)
        self._add(
            "update",
            step,
            frame,
            optimizer=0 if optimizer is None else self._optimizers.number(optimizer),
            parameters=len(parameters),
            missing=len(parameters) - len(norms),
            zero=_count(norm == 0 for norm in norms.values()),
            kept=_count(self._left[key] for key in norms if key in self._left),
        )

    def _remember(self, parameters: Sequence[Tensor]) -> None:
        norms = _norms(parameters)
        for each in parameters:
            self._used.pop(id(each), None)
            self._left.pop(id(each), None)
        self._used |= norms

    def _add(self, what: str, step: int, frame: FrameType | None, **values: Any) -> None:
        if step != self._step:  # steps in between were not looked at: what is known of gradients is out of date
            if step != self._step + 1:
                self._used.clear()
                self._left.clear()
            self._happened = []
            self._step = step
        file, line = self.tell.place(frame) if frame is not None else ("", 0)
        self._happened.append({"what": what, "file": file, "line": line, **values})


def _norms(parameters: Iterable[Tensor]) -> dict[int, Tensor]:
    """The norm of each gradient that is there, still on its device, by identity of the parameter."""
    found = {}
    for each in parameters:
        gradient = each.grad
        if gradient is not None and gradient.layout is torch.strided and type(gradient) is Tensor:
            found[id(each)] = gradient
    if not found:
        return {}
    return dict(zip(found, torch._foreach_norm(list(found.values())), strict=True))


def _count_nonzero(norms: Iterable[Tensor]) -> Any:
    return _count(norm != 0 for norm in norms)


def _count(answers: Iterable[Any]) -> Any:
    """How many are true: tensors are read later, when nobody waits."""
    every = [each for each in answers if isinstance(each, Tensor)]
    return torch.stack([each.cpu() for each in every]).sum() if every else 0


def _read(happened: dict[str, Any]) -> dict[str, Any]:
    return {key: value.item() if isinstance(value, Tensor) else value for key, value in happened.items()}
