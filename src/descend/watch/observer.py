"""Watches a hand-written training loop from inside its own process, and tells its steps as events."""

import math
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from descend.record.events import Event, Listener, Message, ParameterNorms, ParametersSeen, PhaseTimes, StepsDone, Unseen
from descend.watch.backward import Backward, Site
from descend.watch.batches import LoaderPass
from descend.watch.budget import is_sampled
from descend.watch.detail import Detail
from descend.watch.hooks import Hooks
from descend.watch.kept import KeptParameters
from descend.watch.names import Names
from descend.watch.passes import Passes
from descend.watch.places import Place, Places
from descend.watch.quiet import quiet
from descend.watch.tracker import Tracker

_FLUSH = 0.25  # seconds after which steps are told
_MOST_STEPS = 4096  # that are told at once
_LOOKS = 3  # of one line that are told


class Recorder(Protocol):
    """Who tells the operations of a step one by one."""

    def begin_step(self, step: int) -> None: ...

    def end_step(self, step: int) -> None: ...


class Local(threading.local):
    """A tracker for each thread, made when the thread first does something that is watched."""

    def __init__(self, observer: "Observer") -> None:
        self.tracker = observer.new_tracker()


class Observer:
    """Tells the steps of the loops that run between ``start`` and ``stop`` to ``emit``.

    ``own`` answers whether a file is the user's. Results are not changed by a bit: no random number is drawn, no tensor of the
    user's is written to, no graph is kept alive. A fault of our own ends the watching, not the program.
    """

    def __init__(
        self, emit: Listener, *, own: Callable[[str], bool], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.emit = emit
        self.places = Places(own)
        self.names = Names(self.places)
        self.step = 0
        self.backward_calls = 0
        self.active = False
        self.compiles = False  # torch.compile has been used: function modes would be compiled too
        self.recorder: Recorder | None = None
        self.local: Local | None = None
        self.trackers: list[Tracker] = []
        self.passes_of_loaders: weakref.WeakKeyDictionary[Any, LoaderPass] = weakref.WeakKeyDictionary()
        self._clock = clock
        self._lock = threading.RLock()
        self._hooks = Hooks(self)
        self._evaluations = 0
        self._measured = 0.0
        self._quick_steps = 0
        self._quick_cost = 0.0
        self._began = clock()
        self._last_flush = self._began
        self._forget_steps()

    @property
    def cost_seconds(self) -> float:
        """Time spent in our own code: measured at sampled steps, worked out from a calibration for all others."""
        return self._measured + self._quick_steps * self._quick_cost

    def share(self) -> float:
        """Our part of the time since the start."""
        elapsed = self._clock() - self._began
        return self.cost_seconds / elapsed if elapsed > 0 else 0.0

    def start(self) -> None:
        """Install the hooks. The calling thread is the one whose operations are recorded."""
        self._began = self._last_flush = self._clock()
        self.active = True
        self.local = Local(self)
        self._hooks.install()
        self._quick_cost = self._hooks.cost()

    def stop(self) -> None:
        """Remove the hooks and tell what is still open. Never raises."""
        if not self.active:
            return
        self.safely(self._finish)
        self.active = False
        self._hooks.remove()
        self.safely(self.flush)
        self.local = None

    def hand_step(
        self,
        loss: float | None,
        parameters: Mapping[str, Tensor],
        place: Place,
        seconds: float,
        before: Mapping[str, Tensor],
    ) -> None:
        """One step of a loop without autograd: parameters by name, as they are now and as they were ``before``."""
        at = self._clock()
        step = self.count(1, math.nan if loss is None else loss, math.nan, seconds, 0, at)
        self.names.adopt(parameters)
        if new := self.names.tell(parameters.values()):
            self.emit(ParametersSeen(step, tuple(new)))
        if is_sampled(step, self.share()):
            self.flush()
            kept = KeptParameters()
            old = {name: before[name].detach() for name in parameters if name in before}
            kept.keep(old.values())
            rows = kept.rows([(name, tensor, parameters[name]) for name, tensor in old.items()])
            self.emit(PhaseTimes(step, {"update": seconds}, {"update": place}))
            self.emit(ParameterNorms(step, tuple(rows)))
        tracker = self.local.tracker if self.local is not None else None
        if tracker is not None and not tracker.pending:
            tracker.forget()
            tracker.prepare(after=step)
        self._measured += self._clock() - at

    def name_of(self, tensor: Tensor) -> str:
        """The name of a parameter; "" for any other tensor."""
        return self.names.name_of(tensor)

    def new_tracker(self) -> Tracker:
        tracker = Tracker(self, recorded=not self.trackers)
        self.trackers.append(tracker)
        return tracker

    def count(self, epoch: int, loss: float | Tensor, rate: float, seconds: float, rows: int, at: float) -> int:
        """One more step; returns its number."""
        with self._lock:
            if epoch != self._epoch:
                self.flush()
                self._epoch = epoch
            self.step += 1
            self._losses.append(loss)
            self._rates.append(rate)
            self._seconds.append(seconds)
            self._rows.append(rows)
            self._quick_steps += 1
            if at - self._last_flush > _FLUSH or len(self._losses) >= _MOST_STEPS:
                self.flush()
            return self.step

    def loader_begins(self, iterator: Any) -> None:
        """A loader was asked for a new pass over its rows."""
        self.passes_of_loaders[iterator] = LoaderPass()

    def compiler_used(self) -> None:
        """From now on no function mode of ours is entered."""
        self.compiles = True
        for tracker in self.trackers:
            tracker.marks.leave()

    def flush(self) -> None:
        """Tell the steps that are done and not told yet."""
        with self._lock:
            count = len(self._losses)
            if count:
                first = self.step - count + 1
                losses = _numbers(self._losses)
                event = StepsDone(first, self._epoch, losses, self._rates, self._seconds, self._rows)
                self._forget_steps()
                self.emit(event)
            self._last_flush = self._clock()

    def tell_detail(
        self,
        detail: Detail,
        step: int,
        epoch: int,
        loss: float | Tensor,
        counted: Sequence[Backward],
        replaced: dict[int, Tensor | None],
    ) -> None:
        """Tell what was seen of a sampled step."""
        self.flush()
        for event in detail.events(step, epoch, float(loss), counted, replaced):
            self.emit(event)
        self._measured += detail.cost

    def tell_evaluation(self, passes: Passes) -> None:
        make = passes.take()
        if make is not None:
            self._evaluations += 1
            self.flush()
            for event in make(self._evaluations, self.step):
                self.emit(event)

    def tell_look(self, site: Site) -> None:
        """Gradients were computed and nothing was updated with them: no fault, and no step."""
        if site.looks <= _LOOKS:
            file, line = site.place
            self._tell_later(Message(self.step, "look", f"{file}:{line}: gradients were computed; no update followed"))

    def safely(self, action: Callable[[], None]) -> None:
        """Run something of our own; a fault in it ends the watching."""
        try:
            action()
        except Exception as error:  # noqa: BLE001 - whatever it is, the user's program goes on
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """Stop watching, and say why."""
        if self.active:
            self.active = False
            self.emit(Unseen("everything after this step", f"the observer failed: {type(error).__name__}: {error}"))

    def place_of_caller(self) -> Place:
        return self.places.place(sys._getframe(2))

    def _tell_later(self, event: Event) -> None:
        self.flush()
        self.emit(event)

    def _finish(self) -> None:
        for tracker in self.trackers:
            tracker.finish()

    def _forget_steps(self) -> None:
        self._losses: list[float | Tensor] = []
        self._rates: list[float] = []
        self._seconds: list[float] = []
        self._rows: list[int] = []
        self._epoch = getattr(self, "_epoch", 1)


def _numbers(losses: list[float | Tensor]) -> list[float]:
    """Losses as plain numbers; those that still are on a device are read all at once."""
    waiting = [loss for loss in losses if isinstance(loss, Tensor)]
    if not waiting:
        return losses  # type: ignore[return-value]
    with quiet():
        read = iter(torch.stack([loss.double().cpu() for loss in waiting]).tolist())
    return [next(read) if isinstance(loss, Tensor) else loss for loss in losses]
