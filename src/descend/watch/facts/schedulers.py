"""The learning-rate schedulers of a program: their settings, when they were stepped, and what became of the rate.

Told as the fact ``scheduler`` when the program ends, for each: ``class``, ``optimizer`` (the number of its fact), ``settings`` (its numbers), ``calls``,
``first_step``, ``last_step``, ``every_step`` (calls that came one step after the call before), ``same_step`` (in the same step), ``early`` (calls before
the first update), ``started`` (the rate before the first call), ``after_early`` (after the calls before the first update), ``highest``, ``ended``;
its place is the line of the last call.
"""

import weakref
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from torch.optim import Optimizer

from descend.watch.facts.moments import Collector, Telling
from descend.watch.facts.optimizers import Optimizers
from descend.watch.places import NOWHERE, Place

_MOST = 64  # schedulers
_ITEMS = 20  # milestones


@dataclass(slots=True, eq=False)
class _Plan:
    scheduler: weakref.ref[Any]
    kind: str
    optimizer: int
    settings: dict[str, Any] = field(default_factory=dict)
    place: Place = NOWHERE
    calls: int = 0
    first_step: int = 0
    last_step: int = 0
    every_step: int = 0
    same_step: int = 0
    early: int = 0
    started: float = 0.0
    after_early: float = 0.0
    highest: float = 0.0
    ended: float = 0.0


class Schedulers(Collector):
    """Counts the calls of each scheduler; told of every call, so it does little."""

    def __init__(self, tell: Telling) -> None:
        super().__init__(tell)
        self._plans: dict[int, _Plan] = {}
        self._optimizers = Optimizers.of(tell)

    def scheduler_stepped(
        self, scheduler: Any, step: int, before: float, after: float, frame: FrameType | None
    ) -> None:
        plan = self._plans.get(id(scheduler))
        if plan is None or plan.scheduler() is not scheduler:
            plan = self._begin(scheduler, step, before)
            if plan is None:
                return
        else:
            gap = step - plan.last_step
            plan.every_step += gap == 1
            plan.same_step += gap == 0
        plan.calls += 1
        plan.last_step = step
        plan.highest = max(plan.highest, before, after)
        plan.ended = after
        if step == 1:
            optimizer = getattr(scheduler, "optimizer", None)
            if isinstance(optimizer, Optimizer) and not self._optimizers.has_stepped(optimizer):
                plan.early += 1
                plan.after_early = after
        if plan.calls <= 2 or plan.place is NOWHERE:
            plan.place = self.tell.place(frame)

    def finished(self, step: int) -> None:
        for plan in self._plans.values():
            names = (
                "calls",
                "first_step",
                "last_step",
                "every_step",
                "same_step",
                "early",
                "started",
                "after_early",
                "highest",
                "ended",
            )
            values = {name: getattr(plan, name) for name in names}
            settings = {"class": plan.kind, "optimizer": plan.optimizer, "settings": plan.settings}
            self.tell.fact(plan.first_step, "scheduler", {**settings, **values}, plan.place)

    def _begin(self, scheduler: Any, step: int, before: float) -> _Plan | None:
        if len(self._plans) >= _MOST:
            return None
        optimizer = getattr(scheduler, "optimizer", None)
        number = self._optimizers.number(optimizer) if isinstance(optimizer, Optimizer) else 0
        plan = _Plan(weakref.ref(scheduler), type(scheduler).__name__, number, _settings(scheduler))
        plan.first_step, plan.started, plan.highest = step, before, before
        if id(scheduler) in self._plans:
            self._plans[-len(self._plans)] = self._plans[id(scheduler)]
        self._plans[id(scheduler)] = plan
        return plan


def _settings(scheduler: Any) -> dict[str, Any]:
    """Its plain numbers and milestones, as it was made; what it keeps for itself left out."""
    found: dict[str, Any] = {}
    for name, value in vars(scheduler).items():
        if name.startswith("_") or name in ("last_epoch", "verbose"):
            continue
        if isinstance(value, bool | int | float | str):
            found[name] = value
        elif name == "milestones":
            found[name] = sorted(value)[:_ITEMS]
    return found
