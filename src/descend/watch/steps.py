"""The steps of one thread: which backward passes are steps, when a step is over, and what is told of it then."""

import math
import sys
import time
from collections.abc import Sequence
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from descend.watch.backward import Backward, Site
from descend.watch.budget import FULL, SHARE, is_recorded, is_sampled, is_snapshot, next_candidate
from descend.watch.calm import BY_HAND, BY_OPTIMIZER, Calm
from descend.watch.detail import Detail, optimizer_parameters
from descend.watch.graph import loss_of
from descend.watch.marks import Marks
from descend.watch.passes import Pass, Passes
from descend.watch.places import NOWHERE
from descend.watch.quiet import hidden, modes_are_on

if TYPE_CHECKING:
    from descend.watch.observer import Observer

LEARNED = 3  # backward passes of a line until it is known how its parameters are updated
FLUSH = 0.25  # seconds after which steps are told
_MOST_WAITING = 1_000  # backward passes that may wait for an update
_LIVE_LOCALS = sys.version_info >= (3, 13)  # before that, reading a function's variables keeps them alive
_clock = time.perf_counter
_item = torch._C.TensorBase.item


class Steps(Calm):
    """A step is over when, after an update, the next batch, forward or backward pass begins.

    An optimizer tells of its update. One written by hand is found by what it did to the leaves of the backward pass before.
    """

    def __init__(self, observer: "Observer", *, recorded: bool) -> None:
        super().__init__(observer)
        self.recorded = recorded  # its operations are told too: of the thread that the observer was started in
        self.updated = False  # an optimizer has stepped since the last step was over
        self.optimizing = False
        self.passes = Passes(observer.names, observer.evaluated, lambda: observer.share() < SHARE)
        self.waiting = self.passes.waiting
        self.detail: Detail | None = None
        self.rate = math.nan
        self.has_optimizer = False  # one has stepped
        self.learning = 0  # steps that are still to be looked at, because something new was seen
        self.last_loss: float | Tensor = math.nan
        self.optimizers: dict[int, Optimizer] = {}  # that have stepped in this step
        self.marks = Marks(self)
        self._epoch_variable: object = None
        self._recording = False
        self.deaf = False  # nobody listens to operations because a loader or an optimizer is at work
        self.prepare()

    @hidden
    def boundary(self) -> None:
        """Something of a next step may begin: the step before is over if its update has come."""
        if self.updated:
            self.close(_clock())
        elif self.pending and not self.optimizing and self.pending[-1].site.way != "optimizer":
            self.settle(None, None)

    def settle(self, site: Site | None, leaves: Sequence[Tensor] | None) -> None:
        """Find out whether an update by hand has come. ``site`` and ``leaves`` are of the backward pass that begins, if one does."""
        detail = self.detail
        if detail is None and len(self.pending) == 1 and (way := self.pending[0].was_updated(None)):
            self.pending[0].site.way = way
            self.close(_clock())
            return
        kept = detail.parameters if detail is not None else None
        changed = []
        replaced: dict[int, Tensor | None] = {}
        for one in self.pending:
            way = one.was_updated(kept)
            if not way and site is one.site:
                if kept is not None and leaves is not None:
                    if kept.was_replaced(one.leaves, leaves):
                        way = "rebound"
                        replaced = {id(old): new for old, new in zip(one.leaves, leaves, strict=True)}
                elif site.way == "rebound":
                    way = "rebound"
            if way:
                one.site.way = way
                changed.append(one)
        if not changed:
            if len(self.pending) > _MOST_WAITING:
                self.look(self.pending[0])
            return
        for one in [one for one in self.pending if one not in changed and not one.shares_leaves(changed)]:
            self.look(one)
        self.close(_clock(), replaced)

    def close(self, at: float, replaced: dict[int, Tensor | None] | None = None) -> None:  # noqa: C901 - at every step
        """The step is over."""
        observer = self.observer
        pending, detail, optimizers = self.pending, self.detail, self.optimizers
        self.reach = BY_OPTIMIZER if optimizers else BY_HAND
        if optimizers:
            if len(pending) > 1:
                pending = self._used(pending, optimizers)
            self.optimizers = {}
        else:
            self.rate = self._rate_by_hand(pending[-1], detail, replaced or {})
        loss = pending[0].loss
        if len(pending) > 1 and not pending[0].site.closure:
            # What was cleared before the update is in none of its gradients; where all was, the last stands for the step.
            loss = sum(one.loss for one in pending if not one.thrown or one is pending[-1])
        self.last_loss = loss
        seconds = at - self.started if self.started is not None else 0.0
        whole = seconds
        if detail is not None:
            seconds = max(0.0, seconds - detail.cost)
        loader = self.loader
        if loader is not None and not loader.trained:
            loader.trained = True
            self.epoch += 1
            observer.tell("pass_trained", loader.loader() if loader.loader is not None else None, observer.step + 1)
        if self.rows:
            self.last_rows = self.rows
            self.rows = 0
        step = observer.count(self.epoch, loss, self.rate, seconds, self.last_rows, at)
        self.pending = []
        self.updated = self.optimizing = False
        self.plain = True
        self.scaled = None
        self.waiting.clear()
        self.started = at
        if detail is None and seconds:
            (observer.looks.prepared if self.marks.entered else observer.looks.unwatched)(seconds)
        if detail is None and self._nothing_to_prepare(step + 1):
            observer.spent += _clock() - at
            self.calm = not (self.marks.entered or self.passes.is_open)
            return  # nothing is to be prepared for the next step, nor for the one after it
        if detail is not None:
            observer.tell_detail(detail, step, self.epoch, loss, pending, replaced or {})
            self.started = _clock()
        self.prepare(after=step)
        if detail is None:
            observer.spent += _clock() - at
        elif step > FULL and not detail.late:
            observer.looks.looked(whole + _clock() - at, detail.cost)
        if replaced and detail is not None and self.detail is not None and not detail.timeline.in_tail:
            self.detail.timeline = (
                detail.timeline.continued()
            )  # its forward pass ran before its predecessor was known to be over

    def finish(self) -> None:
        """The program is over: what is open is told."""
        if self.updated:
            self.close(_clock())
        elif self.pending:
            self.settle(None, None)
            if self.pending and self.pending[-1].site.way == "rebound":
                self.close(_clock(), {id(leaf): None for leaf in self.pending[-1].leaves})
        for one in list(self.pending):
            self.look(one)
        self.passes_slowly(None)
        self.passes.all_to_evaluation(sys._getframe())
        self.observer.tell_evaluation(self.passes)
        if self._recording and self.observer.recorder is not None:
            self.observer.recorder.end_step(self.observer.step + 1)
            self._recording = False
        self.marks.wanted = False
        self.marks.follow()

    def look(self, one: Backward) -> None:
        """Gradients that no update has used."""
        self.pending.remove(one)
        one.site.looks += 1
        self.observer.tell_look(one.site)

    def _nothing_to_prepare(self, coming: int) -> bool:
        """Whether the coming step is not to be looked at, nor heard because the one after it is."""
        if self._recording or self.learning or self.marks.wanted:
            return False
        last = coming + self.reach - BY_OPTIMIZER
        if last >= self.next_candidate:
            if is_sampled(coming, self.observer.share) or self._heard_for_the_next(coming):
                return False
            self.next_candidate = next_candidate(last)
        return True

    def _heard_for_the_next(self, coming: int) -> bool:
        """Whether the coming step's operations are to be heard: an update by hand tells only so where the next step begins."""
        return self.reach == BY_HAND and is_sampled(coming + 1, self.observer.share)

    def prepare(self, after: int = 0) -> None:
        """Get ready for the next step, before anything of it has begun."""
        observer = self.observer
        coming = observer.step + 1
        sampled = is_sampled(coming, observer.share) or self.learning > 0
        self.detail = None
        if sampled:
            self.new_detail(self.started)
            self.learning = max(0, self.learning - 1)
        self.next_candidate = next_candidate(coming)
        marks = self.marks
        marks.step_begins(wanted=sampled or self._heard_for_the_next(coming))
        recorder = observer.recorder
        if recorder is not None and self.recorded and (self._recording or is_recorded(coming)):
            marks.leave()
            if self._recording:
                recorder.end_step(after)
            self._recording = is_recorded(coming)
            if self._recording:
                recorder.begin_step(coming)
        marks.follow()
        self._resume()
        observer.look_closely()

    def _resume(self) -> None:
        """The time from here on belongs to the step that is watched in detail, where one is."""
        if self.detail is not None:
            self.detail.timeline.resume()

    def passes_slowly(self, frame: FrameType | None) -> None:
        """The passes that were only noted turn out to need a closer look: a batch, or another kind of pass, follows them."""
        if self.quick_passes:
            place = self.observer.places.place(frame)
            started = self.started or _clock()
            for module, training in self.quick_passes:
                one = Pass(module, True, place, started)
                one.closely = self.passes.closely(place, self.observer.step)
                if one.closely and training == module.training:  # as it is now; else nothing is known of its layers
                    one.look = self.passes.look(module, place, self.observer.step, self.observer.places)
                one.training, one.noted = training, True
                self.waiting.append(one)
            self.quick_passes.clear()
            self.calm = False

    def stepped_by_hand(self, step: int) -> None:
        """A loop without autograd has told a step: what was seen since the one before belongs to none that is told from here."""
        if not self.pending:
            nothing_seen = self.detail is None and self.started is None
            if not (nothing_seen and self._nothing_to_prepare(step + 1)):
                self.detail = self.started = None
                self.calm = False
                self.prepare(after=step)

    def new_detail(self, started: float | None, *, late: bool = False) -> None:
        """Look at the step that begins or, if ``late``, at what is left of the one that runs, and at the next ones too."""
        observer = self.observer
        coming = observer.step + 1
        self.detail = Detail(
            observer.names,
            observer.places,
            observer.moments,
            started,
            step=coming,
            snapshot=is_snapshot(coming),
            thorough=is_recorded(coming),
            late=late,
        )
        if late:
            self.learning = max(self.learning, LEARNED - 1)
        self.calm = False
        observer.look_closely()

    def site_of(self, frame: FrameType | None) -> Site:
        key = (id(frame.f_code), frame.f_lasti) if frame is not None else (0, 0)
        site = self.sites.get(key)
        if site is None:
            place = self.observer.places.place_in(frame) if frame is not None else NOWHERE
            site = self.sites[key] = Site(place)
        return site

    def loss_of(self, tensors: Any, weights: Any) -> float | Tensor:
        """The loss as a number; of a device other than the CPU a tensor, which nobody waits for."""
        if self.scaled is not None and tensors is self.scaled[0]:
            tensors = self.scaled[1]
        if type(tensors) is Tensor and weights is None and tensors.is_cpu and not modes_are_on():
            try:
                return float(_item(tensors))
            except (RuntimeError, TypeError):
                pass  # more than one number, a complex one, or one that torch.func.vmap has batched
        return loss_of(tensors, weights)

    def count_epochs(self, frame: FrameType) -> None:
        """Where no loader tells the epoch, a variable of that name does: each of its values is one."""
        if frame.f_code.co_name == "<module>":
            value = frame.f_globals.get("epoch")
        elif _LIVE_LOCALS:
            value = frame.f_locals.get("epoch")
        else:
            return
        if value is not self._epoch_variable and type(value) is int:
            self._epoch_variable = value
            self.epoch += 1
            self.line_tells_epochs = True

    def _used(self, pending: list[Backward], optimizers: dict[int, Optimizer]) -> list[Backward]:
        """The backward passes whose gradients the optimizers took; the others were looks, or a step inside the step."""
        own = {id(one) for optimizer in optimizers.values() for one in optimizer_parameters(optimizer)}
        used = [one for one in pending if not one.leaves or any(id(leaf) in own for leaf in one.leaves)]
        direct = [one for one in used if not one.returned] or used
        for one in pending:
            if one not in used and not one.returned:
                self.look(one)
        return direct or pending

    def _rate_by_hand(self, one: Backward, detail: Detail | None, replaced: dict[int, Tensor | None]) -> float:
        if detail is not None and one.leaves:
            after = [replaced.get(id(leaf), leaf) for leaf in one.leaves]
            if all(tensor is not None for tensor in after):
                rate = detail.rate(one.leaves, [tensor for tensor in after if tensor is not None], one.site.rate)
                if math.isfinite(rate):
                    one.site.rate = rate
        return one.site.rate


def names_epochs(code: CodeType) -> bool:
    """Whether ``count_epochs`` could find a variable in a frame of this code. (One of a file's may be there without being named.)"""
    if code.co_name == "<module>":
        return "epoch" in code.co_names
    return _LIVE_LOCALS and "epoch" in (*code.co_varnames, *code.co_cellvars, *code.co_freevars)
