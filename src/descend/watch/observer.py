"""Watches a hand-written training loop from inside its own process, and tells its steps as events."""

import math
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Any, Protocol

import torch
from torch import Tensor

from descend.record.events import (
    BY_AN_OPTIMIZER,
    EVERYTHING_AFTER,
    LOOK,
    Event,
    Listener,
    Message,
    ParameterNorms,
    ParametersSeen,
    StepsDone,
    Unseen,
)
from descend.watch.backward import Backward, Site
from descend.watch.batches import LoaderPass
from descend.watch.budget import SHARE, is_snapshot, next_candidate
from descend.watch.calm import Counted
from descend.watch.cost import Looks, pace_of_python, quick_cost
from descend.watch.detail import Detail
from descend.watch.facts.moments import Collector, Moments, Telling
from descend.watch.hooks import Hooks
from descend.watch.kept import KeptParameters
from descend.watch.names import Names
from descend.watch.passes import Passes
from descend.watch.places import Place, Places
from descend.watch.quiet import quiet
from descend.watch.reads import Reads
from descend.watch.steps import FLUSH
from descend.watch.threads import only_one
from descend.watch.tracker import Tracker
from descend.watch.uncompiled import leave_uncompiled

_MOST_STEPS = 4096  # that are told at once
_BLIND = 1_000_000  # as if inside that many calls
_LOOKS = 3  # of one line that are told
_NEW_OPTIMIZERS = 60  # that are looked at whatever it costs; one that is made under watch is met twice


class Recorder(Protocol):
    """Who tells the operations of a step one by one."""

    def begin_step(self, step: int) -> None: ...

    def end_step(self, step: int) -> None: ...

    def outside(self) -> dict[str, Tensor]: ...

    def mute(self, muted: bool) -> None: ...

    def close(self) -> None: ...


class Local(threading.local):
    """A tracker for each thread, made when the thread first does something that is watched."""

    def __init__(self, observer: "Observer") -> None:
        self.tracker = observer.new_tracker()


class Observer(Counted):
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
        self.moments = Moments(emit, self._make_collectors)
        self.step = 0
        self.backward_calls = 0
        self.updates_alone = 0  # of optimizers, that no backward pass came before
        self.active = False
        self.compiles = False  # torch.compile has been used: function modes would be compiled too
        self.recorder: Recorder | None = None
        self.local: Local | None = None
        self.only: Tracker | None = None
        self.timed_beside: list[
            Callable[[float], None]
        ] = []  # who else has to leave out time in which the program stood still
        self._several = False  # the program has, or had, more than one thread
        self.trackers: list[Tracker] = []
        self.passes_of_loaders: weakref.WeakKeyDictionary[Any, LoaderPass] = weakref.WeakKeyDictionary()
        self._clock = clock
        self.lock = threading.RLock()
        self.threaded = False  # more than one thread trains
        self.hooks = Hooks(self)
        self.reads = Reads(self)
        self._evaluations = 0
        self._new_optimizers = 0
        self._inside = 0.0  # measured at steps that are looked at
        self.looks = Looks()
        self._pace = pace_of_python()
        self._beside = 0.0  # measured in those who collect facts, outside of steps that are looked at
        self.broken = False  # a loss was no finite number
        self.spent = 0.0  # measured at steps that nobody looked at, and in loops without autograd
        self._began = clock()
        self.flush_at = self._began + FLUSH
        self.sparing_until = self._began  # by the clock: until then watching will have cost too much for another look
        self.done: list[
            tuple[Any, float, float, int, int]
        ] = []  # loss, rate, seconds, rows, epoch of steps not told yet

    @property
    def cost_seconds(self) -> float:
        """Time spent in our own code: measured, and what calling it costs added from its usual value."""
        return self._inside * self.looks.factor + self._beside + self.spent + self.backward_calls * self._quick_cost()

    def _quick_cost(self) -> float:
        """Of one backward pass and what belongs to it, at steps that nobody looks at."""
        seconds = (self._clock() - self._began) / max(1, self.backward_calls)
        return self._pace * quick_cost(
            module=self.hooks.has_roots,
            optimizer=any(one.has_optimizer for one in self.trackers),
            loader=any(one.loader is not None for one in self.trackers),
            step_seconds=seconds,
        )

    def share(self) -> float:
        """Our part of the time since the start; and it is noted until when that is too much."""
        elapsed, cost = self._clock() - self._began, self.cost_seconds
        self.sparing_until = self._began + cost / SHARE
        return cost / elapsed if elapsed > 0 else 0.0

    def has_time_for_another_optimizer(self) -> bool:
        """Whether a look at what a new one trains may be taken: at the first ones always, a program may make one for each step."""
        self._new_optimizers += 1
        return self._new_optimizers <= _NEW_OPTIMIZERS or self.share() < SHARE

    def heeded(self, candidate: int, at: float) -> int:
        """The next step that may be looked at: this one, or the one after it if watching has cost too much ``at`` this time."""
        return next_candidate(candidate) if at < self.sparing_until and not is_snapshot(candidate) else candidate

    def start(self) -> None:
        """Install the hooks. The calling thread is the one whose operations are recorded."""
        self._began = self._clock()
        self.flush_at = self._began + FLUSH
        self.active = True
        self._several = not only_one()
        self.local = Local(self)
        self.hooks.install()

    def stop(self) -> None:
        """Remove the hooks and tell what is still open. Never raises."""
        tracker = self.tracker()
        if tracker is None:
            return
        if self.active:
            self.safely(self._finish)
        if self.active:
            self.be_blind()
        tracker.marks.wanted = False
        self.safely(tracker.marks.follow)
        self.safely(self.hooks.remove)
        self.safely(self.flush)
        self.local = None

    def hand_step(
        self,
        loss: float | None,
        parameters: Mapping[str, Tensor],
        seconds: float,
        before: Mapping[str, Tensor],
    ) -> None:
        """One step of a loop without autograd: parameters by name, as they are now and as they were ``before``.

        Both are empty where nobody looked at the step.
        """
        step = self.count(0, math.nan if loss is None else loss, math.nan, seconds, 0, self._clock())
        if parameters:
            self.names.adopt(parameters)
            if new := self.names.tell(parameters.values()):
                self.emit(ParametersSeen(step, tuple(new)))
        if before:
            self.flush()
            kept = KeptParameters()
            old = {name: before[name].detach() for name in parameters if name in before}
            kept.keep(old.values())
            rows = kept.rows([(name, tensor, parameters[name]) for name, tensor in old.items()])
            self.emit(ParameterNorms(step, tuple(rows)))
        tracker = self.tracker()
        if tracker is not None:
            tracker.stepped_by_hand(step)

    def name_of(self, tensor: Tensor) -> str:
        """The name of a parameter; "" for any other tensor."""
        return self.names.name_of(tensor)

    def tracker(self) -> Tracker | None:
        """The calling thread's, while it watches."""
        return self.local.tracker if self.local is not None else None

    def leave_out(self, seconds: float) -> None:
        """The calling thread's program stood still for so long, in the midst of a step: that is no part of the step's time."""
        self._began += seconds
        tracker = self.tracker()
        if tracker is not None and tracker.started is not None:
            tracker.started += seconds
            if tracker.detail is not None:
                tracker.detail.timeline.resume()
        for each in self.timed_beside:
            each(seconds)

    def thread_begins(self) -> None:
        """The program starts another thread: from now on each call has to find its own tracker."""
        self._several = True
        self.only = None

    def new_tracker(self) -> Tracker:
        tracker = Tracker(self, recorded=not self.trackers)
        if not self.active:
            tracker.depth = _BLIND
        self.trackers.append(tracker)
        self.threaded = len(self.trackers) > 1
        self.only = None if self.threaded or self._several else tracker
        self.look_closely()
        return tracker

    def count(self, epoch: int, loss: float | Tensor, rate: float, seconds: float, rows: int, at: float) -> int:
        """One more step; returns its number."""
        with self.lock:
            self.step += 1
            self.done.append((loss, rate, seconds, rows, epoch))
            if at > self.flush_at or len(self.done) >= _MOST_STEPS:
                self.flush()
            return self.step

    def loader_begins(self, iterator: Any, loader: Any) -> None:
        """A loader was asked for a new pass over its rows."""
        self.passes_of_loaders[iterator] = LoaderPass(iterator, loader)

    def tell(self, moment: str, *values: Any) -> None:
        """Tell those who collect facts of a moment that may come at any time."""
        self._beside += self.moments.tell(moment, *values)

    def not_finite(self, loss: Any, leaves: Callable[[], Sequence[Tensor]], frame: FrameType | None) -> None:
        """A loss is no finite number: of the first one it is told what can be known of it."""
        if not self.broken:
            self.broken = True
            self.tell("not_finite", loss, leaves(), self.step + 1, frame)

    def evaluated(self, module: Any, inputs: Sequence[Tensor], output: Any, place: Place) -> None:
        """One of the first passes of the evaluation that is open now."""
        self.tell("evaluated", module, inputs, output, self._evaluations + 1, self.step, place)

    def compiler_used(self) -> None:
        """From now on no function mode of ours is entered."""
        self.moments.make_collectors()  # else they would come when the compiler has been told already
        leave_uncompiled()
        self.compiles = True
        if self.recorder is not None:  # its hooks on all modules would make the compiler warn
            self.recorder.close()
            self.recorder = None
        for tracker in self.trackers:
            tracker.marks.leave()

    def flush(self) -> None:
        """Tell the steps that are done and not told yet."""
        with self.lock:
            done = self.done
            if done:
                self.done = []
                losses, rates, seconds, rows, epochs = (list(column) for column in zip(*done, strict=True))
                several = epochs if epochs.count(epochs[-1]) < len(epochs) else ()
                first = self.step - len(done) + 1
                self.emit(StepsDone(first, epochs[-1], _numbers(losses), rates, seconds, rows, several))
            self.flush_at = self._clock() + FLUSH

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
        outside = self.recorder.outside() if self.recorder is not None and detail.snapshot else {}
        for event in detail.events(step, epoch, float(loss), counted, replaced, outside):
            self.emit(event)
        detail.tell("step_done", step, [leaf for one in counted for leaf in one.leaves])
        self._inside += detail.cost

    def tell_evaluation(self, passes: Passes) -> None:
        make = passes.take()
        if make is not None:
            self._evaluations += 1
            self.flush()
            for event in [*make(self._evaluations, self.step), *self.reads.of_evaluation(self._evaluations, self.step)]:
                self.emit(event)

    def tell_look(self, site: Site) -> None:
        """Gradients were computed and nothing was updated with them: no fault, and no step."""
        if site.looks <= _LOOKS:
            file, line = site.place
            self._tell_later(Message(self.step, LOOK, f"{file}:{line}: gradients were computed; no update followed"))

    def safely(self, action: Callable[[], None]) -> None:
        """Run something of our own; a fault in it ends the watching."""
        try:
            action()
        except Exception as error:  # noqa: BLE001 - whatever it is, the user's program goes on
            self.give_up(error)

    def give_up(self, error: Exception) -> None:
        """Stop watching, and say why."""
        if self.active:
            self.be_blind()
            self.emit(Unseen(EVERYTHING_AFTER, f"the observer failed: {type(error).__name__}: {error}"))

    def be_blind(self) -> None:
        """Let everything pass unseen from now on."""
        self.active = False
        for tracker in self.trackers:
            tracker.depth += _BLIND

    def look_closely(self) -> None:
        """Wrap as much as the steps that run now in any thread need."""
        self.hooks.look_closely(
            any(one.detail is not None or one.marks.wanted or one.marks.entered for one in self.trackers)
        )

    def place_of_caller(self) -> Place:
        return self.places.place(sys._getframe(2))

    def _tell_later(self, event: Event) -> None:
        self.flush()
        self.emit(event)

    def _finish(self) -> None:
        for tracker in self.trackers:
            tracker.finish()
        if self.updates_alone and not self.step:
            many = f"{self.updates_alone:,} update{'s' * (self.updates_alone > 1)} {BY_AN_OPTIMIZER}"
            self.emit(Unseen(many, "no backward pass had computed the gradients"))
        if self.moments.are_told:
            self.tell("finished", self.step)

    def _make_collectors(self) -> list[Collector]:
        began = self._clock()
        from descend.watch.facts.collectors import all_collectors  # a sixth of all that is imported

        made = all_collectors(Telling(self.emit, self.names, self.places))
        spent = self._clock() - began
        self._beside += spent
        tracker = self.tracker()
        if tracker is not None and tracker.started is not None:
            tracker.started += spent  # it came in the midst of a step, and is none of its time
        return made


def _numbers(losses: list[float | Tensor]) -> list[float]:
    """Losses as plain numbers; those that still are on a device are read all at once."""
    waiting = [loss for loss in losses if isinstance(loss, Tensor)]
    if not waiting:
        return losses  # type: ignore[return-value]
    with quiet():
        read = iter(torch.stack([loss.double().cpu() for loss in waiting]).tolist())
    return [next(read) if isinstance(loss, Tensor) else loss for loss in losses]
