"""The moments of a training that facts are collected at, and who is told of them.

A collector answers to the moments that it overrides. Most come in steps that are looked at closely only: the first twenty, and a few
of every tenfold. What it does there must change nothing of the user's: no random number, no graph, no tensor that is written
to or kept alive (weak references are fine). What it measures stays small: a few milliseconds in all of the first twenty steps.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from threading import get_ident
from types import FrameType
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from descend.record.events import OTHER_THREADS, Fact, Listener, Unseen
from descend.watch.names import Names
from descend.watch.places import Place, Places
from descend.watch.quiet import quiet

_MOST = 2_000  # facts of one kind

_clock = time.perf_counter


class Telling:
    """What a collector tells its facts through, and asks for names and places."""

    def __init__(self, emit: Listener, names: Names, places: Places) -> None:
        self._emit = emit
        self.names = names
        self.places = places
        self._told: Counter[str] = Counter()

    def fact(self, step: int, kind: str, values: Mapping[str, Any], place: Place | None = None) -> None:
        """Tell a fact of ``step``; ``values`` are JSON values. Of one kind 2,000 are kept."""
        self._told[kind] += 1
        if self._told[kind] <= _MOST:
            self._emit(Fact(step, kind, values, place))

    def place(self, frame: FrameType | None) -> Place:
        """File and line of the user's code that a frame belongs to, or was called from."""
        return self.places.place(frame)


class Collector:
    """Hears of the moments of a training; a subclass overrides those that it needs.

    ``step`` is the step that runs, counted from 1; in the moments between steps, the one that comes.
    """

    def __init__(self, tell: Telling) -> None:
        self.tell = tell

    def optimizer_made(self, optimizer: Optimizer, frame: FrameType | None) -> None:
        """At any time: its constructor has run."""

    def scheduler_stepped(
        self, scheduler: Any, step: int, before: float, after: float, frame: FrameType | None
    ) -> None:
        """At any time: the learning rate of its optimizer's first group before and after."""

    def clipped(self, parameters: Sequence[Tensor], most: float, how: str, step: int, frame: FrameType | None) -> None:
        """At any time: gradients were clipped by "norm" or by "value"."""

    def unscaled(self, optimizer: Optimizer, step: int, frame: FrameType | None) -> None:
        """At any time: ``GradScaler.unscale_``."""

    def scaled(self, loss: Any, scaled: Any, step: int) -> None:
        """In a step that is looked at: ``GradScaler.scale`` has made ``scaled`` of ``loss``."""

    def loader_begins(self, loader: Any, step: int, frame: FrameType | None) -> None:
        """At any time: a ``DataLoader`` is asked for a new pass over its rows."""

    def loader_made(self, loader: Any, frame: FrameType | None) -> None:
        """At any time: the constructor of a ``DataLoader`` has run."""

    def pass_trained(self, loader: Any, step: int) -> None:
        """At any time: the first step is over that took its batch from this pass over a ``DataLoader``."""

    def batch(self, batch: Any, step: int, loader: Any, frame: FrameType | None) -> None:
        """In a step that is looked at: a loader gave its next batch. ``loader`` is the DataLoader, where it is known."""

    def operation(
        self,
        name: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        output: Any,
    ) -> Mapping[str, Any] | None:
        """In a step whose operations are recorded: what is worth keeping of one, as ``facts`` of its row."""
        return None

    def module_called(self, module: nn.Module, output: Any, step: int) -> None:
        """In a step that is looked at: a module, or one inside another, has returned."""

    def root_called(
        self, module: nn.Module, inputs: Sequence[Tensor], output: Any, step: int, frame: FrameType | None
    ) -> None:
        """In a step that is looked at: a module with parameters was called by the user's code and has returned."""

    def backward_begins(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        """In a step that is looked at. ``leaves``: what the graph of the loss ends in. Gradients are those from before."""

    def backward_ends(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        """In a step that is looked at. Gradients are there; the graph may be gone."""

    def update_begins(self, optimizer: Optimizer, step: int, frame: FrameType | None) -> None:
        """In a step that is looked at: ``optimizer.step()`` begins."""

    def update_ends(self, optimizer: Optimizer, step: int, frame: FrameType | None) -> None:
        """In a step that is looked at: ``optimizer.step()`` is over."""

    def zeroed(self, parameters: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        """In a step that is looked at: ``zero_grad`` is about to throw these parameters' gradients away."""

    def step_done(self, step: int, leaves: Sequence[Tensor]) -> None:
        """A step that was looked at is over, updated and all. ``leaves``: the parameters of its backward passes."""

    def hand_step(self, batch: Mapping[str, Tensor], step: int, place: Place) -> None:
        """A step of a loop without autograd that was looked at is over. ``batch``: what it was given, by variable."""

    def evaluated(
        self, module: nn.Module, inputs: Sequence[Tensor], output: Any, number: int, step: int, place: Place
    ) -> None:
        """One of the first passes of evaluation ``number`` (told when the pass is known to be one; ``output`` may be None)."""

    def not_finite(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        """The first loss that is no finite number, before its backward pass."""

    def finished(self, step: int) -> None:
        """The program is over, or is watched no longer. ``step``: how many steps it has taken."""


class Moments:
    """Tells all collectors of each moment, with no mode of anybody's on. A collector that fails is let go of, and that is said.

    ``collectors`` makes them, at the first moment that is told: a program that trains nothing need not wait for them. They follow
    the thread that trains first: what several do at once has no order.
    """

    def __init__(
        self, emit: Listener, collectors: Callable[[], Sequence[Collector]], clock: Callable[[], float] = _clock
    ) -> None:
        self._emit = emit
        self._clock = clock
        self._make = collectors
        self._by_moment: dict[str, list[Collector]] = {}
        self._thread = 0  # that trained first
        self._others_train = False

    @property
    def are_told(self) -> bool:
        """Whether a moment has been told."""
        return bool(self._by_moment)

    def make_collectors(self) -> None:
        """Make them now, unless they are there. Never raises an Exception: without them the program goes on."""
        if not self._by_moment:
            collectors: Sequence[Collector] = ()
            try:
                with quiet():
                    collectors = self._make()
            except Exception as error:  # noqa: BLE001 - whatever it is
                self._emit(Unseen("what the checks need", f"it cannot be measured: {type(error).__name__}: {error}"))
            self._by_moment = {
                moment: [each for each in collectors if getattr(type(each), moment) is not getattr(Collector, moment)]
                for moment in vars(Collector)
                if not moment.startswith("_")
            }

    def tell(self, moment: str, *values: Any) -> float:
        """Tell the collectors that answer to ``moment``; gives the seconds that it took, making them apart."""
        if not self._is_followed(moment):
            return 0.0
        self.make_collectors()
        started = self._clock()
        answering = self._by_moment[moment]
        if answering:
            with quiet():
                for each in tuple(answering):
                    try:
                        getattr(each, moment)(*values)
                    except Exception as error:  # noqa: BLE001 - the user's step goes on, whatever could not be measured
                        self._let_go(each, error)
        return self._clock() - started

    def _is_followed(self, moment: str) -> bool:
        """Whether what happens here is in the thread that trained first, or comes before any training."""
        thread = get_ident()
        if not self._thread and moment == "backward_begins":
            self._thread = thread
        if self._thread in (0, thread) or moment == "finished":
            return True
        if moment == "backward_begins" and not self._others_train:
            self._others_train = True
            self._emit(Unseen(OTHER_THREADS, "the checks follow the thread that trained first"))
        return False

    def of_operation(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
    ) -> dict[str, Any] | None:
        """What the collectors keep of one operation; called with no mode on."""
        found: dict[str, Any] = {}
        self.make_collectors()
        for each in tuple(self._by_moment["operation"]):
            try:
                found.update(each.operation(name, args, kwargs, output) or {})
            except Exception as error:  # noqa: BLE001 - see above
                self._let_go(each, error)
        return found or None

    def _let_go(self, collector: Collector, error: Exception) -> None:
        for answering in self._by_moment.values():
            if collector in answering:
                answering.remove(collector)
        self._emit(Unseen(f"what {type(collector).__name__} measures", f"it failed: {type(error).__name__}: {error}"))
