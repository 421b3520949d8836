"""In which order a step clears, fills, clips and uses its gradients, and whether any were left from the step before.

Told as the fact ``order`` once for each step that is looked at. ``happened`` lists what came, in order; each has ``what``, ``file``
and ``line``:

    zero      ``parameters``: how many; ``cleared``: how many of them had a gradient that was not zero
    backward  ``loss``; ``leaves``: how many; ``full``: how many had a gradient that was not zero before it; ``kept``: of how many of
              those it was, to the bit, the one that the last update had used; ``graph``: a number that is the same when the same
              graph is walked again, higher for a newer one, and -1 for a loss that has no graph; ``scale``: by which a GradScaler has
              multiplied the loss; ``factor``: what the loss was multiplied with last, the scale apart; ``reduced``: how it became one
              number, "mean", "sum" or ""; ``norm``: of the gradients after it, where it is scaled or not the first since the last update;
              and where the graph was walked ``stale``: names of the leaves that have been updated since it was made, ``copied``: of those
              the ones that only a copy was made of
    clip      ``how``, ``most``, ``norm``: of all gradients it was given, before it; ``parameters``, ``missing``: with no gradient,
              ``zero``: with a gradient of zeros, ``used``: with the gradient that the last update has used already
    unscale
    update    ``optimizer``: the number of its fact; ``parameters``, ``missing``: with no gradient, ``zero``: with a gradient of zeros,
              ``kept``: with a gradient that holds what the last update had used already, not cleared since; ``norm``: of all
              gradients; ``scales``: whether the optimizer itself divides by the scale
    scheduler ``before``, ``after``: the learning rate
    more      the step has more than 400 of these, and the next are left out

What came after the last step that was told, and never became one, is told as the fact ``unfinished`` in the same form.

For an update by hand, which no call tells of, ``update`` comes last with no ``line``.
"""

import weakref
from collections.abc import Iterable, Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from descend.watch.facts.graphs import ages_of, factor_of, number_of
from descend.watch.facts.moments import Collector, Telling
from descend.watch.facts.optimizers import Optimizers

_MOST = 400  # moments of one step
_WALKS = 6  # graphs that are walked although nothing in them is old


class Order(Collector):
    """Follows the gradients of the parameters through the steps that are looked at."""

    def __init__(self, tell: Telling) -> None:
        super().__init__(tell)
        self._happened: list[dict[str, Any]] = []
        self._step = 0
        self._used: dict[
            int, Tensor
        ] = {}  # norm of each gradient when the last update was over, by identity of its parameter
        self._left: dict[int, Tensor] = {}  # whether it was there still, to the bit, when the next backward began
        self._before: dict[int, Tensor] = {}  # its norm then
        self._since_update = 0  # backward passes
        self._newest = -1  # number of the newest graph
        self._updated_at: dict[int, int] = {}  # what that was when a parameter was updated last, by its identity
        self._walks = _WALKS
        self._scaled: tuple[weakref.ref[Tensor], Tensor] | None = None
        self._optimizers = Optimizers.of(tell)

    def scaled(self, loss: Any, scaled: Any, step: int) -> None:
        if isinstance(loss, Tensor) and isinstance(scaled, Tensor) and scaled is not loss and loss.numel() == 1:
            self._scaled = (weakref.ref(scaled), scaled.detach() / loss.detach())

    def zeroed(self, parameters: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        self._at(step)
        norms = _norms(parameters)
        for each in parameters:
            self._used.pop(id(each), None)
            self._left.pop(id(each), None)
        self._add("zero", step, frame, parameters=len(parameters), cleared=_count_nonzero(norms.values()))

    def backward_begins(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        self._at(step)
        norms = _norms(leaves)
        kept = []
        self._before = {}
        for leaf in leaves:
            key, norm = id(leaf), norms.get(id(leaf))
            if norm is None:
                self._left.pop(key, None)
                continue
            if key in self._left:
                self._left[key] = (norm != 0) & self._left[key]  # cleared by hand since
            elif key in self._used:
                self._left[key] = (norm == self._used[key]) & (norm != 0)
                self._before[key] = norm
            if key in self._left:
                kept.append(self._left[key])
        single = isinstance(loss, Tensor) and loss.numel() == 1
        scale = self._scaled[1] if self._scaled is not None and self._scaled[0]() is loss else None
        factor, reduced = factor_of(loss, skip=scale is not None) if single else (1.0, "")
        self._add(
            "backward",
            step,
            frame,
            loss=loss.detach() if single else None,
            leaves=len(leaves),
            full=_count_nonzero(norms.values()),
            kept=_count(kept),
            graph=number_of(loss),
            scale=1.0 if scale is None else scale,
            factor=factor,
            reduced=reduced,
            **self._ages(loss),
        )

    def backward_ends(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        self._since_update += 1
        is_scaled = self._scaled is not None and self._scaled[0]() is loss
        if self._since_update == 1 and not self._before and not is_scaled:
            return
        norms = _norms(leaves)
        for key, before in self._before.items():
            # Gradients that were returned, as torch.autograd.grad does, add to nothing.
            if key in norms and key in self._left:
                self._left[key] = (norms[key] != before) & self._left[key]
        if (self._since_update > 1 or is_scaled) and self._happened and self._happened[-1]["what"] == "backward":
            self._happened[-1]["norm"] = _total(norms.values())

    def _ages(self, loss: Any) -> dict[str, Any]:
        """What of the graph is out of date: looked at in the first backward passes, and on as long as there is such a thing."""
        number = number_of(loss)
        self._newest = max(self._newest, number)
        if self._walks <= 0 or number < 0 or not self._updated_at:
            return {}
        self._walks -= 1
        found = ages_of(loss, self._updated_at)
        if found is None:
            return {}
        if found.stale:
            self._walks += 1
        name_of = self.tell.names.name_of
        return {"stale": [name_of(each) for each in found.stale], "copied": [name_of(each) for each in found.copied]}

    def clipped(self, parameters: Sequence[Tensor], most: float, how: str, step: int, frame: FrameType | None) -> None:
        self._at(step)
        norms = _norms(parameters)
        self._add(
            "clip",
            step,
            frame,
            how=how,
            most=most,
            norm=_total(norms.values()),
            parameters=len(parameters),
            missing=len(parameters) - len(norms),
            zero=_count(norm == 0 for norm in norms.values()),
            used=_count(norm == self._used[key] for key, norm in norms.items() if key in self._used),
        )

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

    def finished(self, step: int) -> None:
        if self._happened:
            self.tell.fact(step + 1, "unfinished", {"happened": [_read(each) for each in self._happened]})

    def _update(
        self, step: int, frame: FrameType | None, parameters: Sequence[Tensor], optimizer: Optimizer | None
    ) -> None:
        self._at(step)
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
            norm=_total(norms.values()),
            scales=getattr(optimizer, "grad_scale", None) is not None,
        )
        self._since_update = 0

    def _remember(self, parameters: Sequence[Tensor]) -> None:
        norms = _norms(parameters)
        self._updated_at.update(dict.fromkeys(norms, self._newest))
        for each in parameters:
            self._used.pop(id(each), None)
            self._left.pop(id(each), None)
        self._used |= norms

    def _at(self, step: int) -> None:
        """What comes belongs to this step."""
        if step != self._step:  # steps in between were not looked at: what is known of gradients is out of date
            if step != self._step + 1:
                self._used.clear()
                self._left.clear()
                self._before = {}
            self._happened = []
            self._step = step

    def _add(self, what: str, step: int, frame: FrameType | None, **values: Any) -> None:
        self._at(step)
        if len(self._happened) >= _MOST:
            if len(self._happened) == _MOST:
                self._happened.append({"what": "more", "file": "", "line": 0})
            return
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


def _total(norms: Iterable[Tensor]) -> Any:
    """The norm of all of them together."""
    every = [norm.double().cpu() for norm in norms]
    return torch.linalg.vector_norm(torch.stack(every)) if every else 0.0


def _count_nonzero(norms: Iterable[Tensor]) -> Any:
    return _count(norm != 0 for norm in norms)


def _count(answers: Iterable[Any]) -> Any:
    """How many are true: tensors are read later, when nobody waits."""
    every = [each for each in answers if isinstance(each, Tensor)]
    return torch.stack([each.cpu() for each in every]).sum() if every else 0


def _read(happened: dict[str, Any]) -> dict[str, Any]:
    return {key: value.item() if isinstance(value, Tensor) else value for key, value in happened.items()}
