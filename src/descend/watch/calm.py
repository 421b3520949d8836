"""What the quick ways through a step need, kept close together in memory, and the end of a step that nobody looks at."""

import math
import time
from threading import get_ident
from typing import TYPE_CHECKING, Any

from descend.watch.backward import Backward, Site
from descend.watch.batches import LoaderPass

if TYPE_CHECKING:
    from types import CodeType

    from torch import Tensor, nn

    from descend.watch.observer import Observer


_clock = time.perf_counter


class Counted:
    """The part of an observer that every step touches."""

    __slots__ = ("alone", "backward_calls", "broken", "done", "flush_at", "lock", "sparing_until", "step", "threaded")

    alone: "Calm | None"  # the tracker of the one thread that has done something so far, if there is only one


class Calm:
    """The part of a tracker that every step touches.

    Between two steps the user's program has filled the processor's caches with its own data, so that each place in memory that is
    touched costs more than what is done there. Slots stand side by side; an instance's dictionary is three places for each name.
    """

    __slots__ = (
        "_pending",
        "calm",
        "depth",
        "epoch",
        "gradient",
        "gradient_version",
        "known_optimizers",
        "line",
        "line_at",
        "line_code",
        "line_tells_epochs",
        "line_up",
        "loader",
        "loss",
        "next_candidate",
        "observer",
        "plain",
        "quick_passes",
        "reach",
        "rows",
        "scaled",
        "sites",
        "started",
        "thread",
        "version",
        "waiting",
        "waits",
        "witness",
    )

    def __init__(self, observer: "Observer") -> None:
        self.observer = observer
        self.thread = get_ident()
        self.calm = False  # nothing is open or looked at: the quick ways may be gone
        self.depth = 0  # above 0 inside a module, a loader or a backward pass: what happens there is a part of it
        self.plain = True  # neither a module nor a loader has been used in this step
        self.waits: Site | None = (
            None  # the line of the last backward pass that went the quick way and waits for its update
        )
        self.loss: float | Tensor = math.nan  # of that pass
        self.witness: Tensor | None = (
            None  # of that pass: a leaf that is updated by hand, and its version before the update
        )
        self.version = 0
        self.gradient: Tensor | None = None  # of the witness, and its version, before the pass
        self.gradient_version = 0
        self._pending: list[Backward] = []
        self.quick_passes: list[
            tuple[nn.Module, bool]
        ] = []  # called since the last step, and in which mode; no more is known
        self.waiting: list[Any] = []  # passes of which more is known, and not yet of what they are a part
        self.known_optimizers: dict[int, Any] = {}  # by id, that have stepped and live
        self.rows = 0  # of this step's batch, as far as is known
        self.started: float | None = None
        self.loader: LoaderPass | None = None  # the pass over a loader that the batch came from
        self.scaled: tuple[Any, Any] | None = None  # what a GradScaler returned, and what it was given
        self.sites: dict[tuple[int, int], Site] = {}
        self.line: Site | None = None  # of the last backward pass that went the quick way, and where it stands
        self.line_code: CodeType | None = None
        self.line_at = 0
        self.line_up = 1  # so far up from the wrapper of the backward pass
        self.line_tells_epochs = False  # a variable there may count them
        self.epoch = 0
        self.next_candidate = 0  # the next step that may be looked at
        self.reach = 3  # so many steps after the last one to be counted it is prepared; 2 where an optimizer tells that a step is over

    @property
    def pending(self) -> list[Backward]:
        """The backward passes that wait for their update. One that went the quick way joins the others when they are asked for."""
        site = self.waits
        if site is not None:
            self.waits = None
            one = Backward(self.loss, site)
            if site.way != "optimizer":
                one.witness, one.version = self.witness, self.version
            self._pending.append(one)
        return self._pending

    @pending.setter
    def pending(self, passes: list[Backward]) -> None:
        self.waits = None
        self._pending = passes

    def has_moved(self) -> bool:
        """Whether the update by hand after the pass that waits has come."""
        witness = self.witness
        return not self._pending and witness is not None and witness._version != self.version

    def begins_by_hand(self, site: Site) -> bool:
        """A backward pass whose update comes by hand begins: the step before is ended if its update has come.

        False, and nothing is done, where it is not so simple.
        """
        waits = self.waits is site or self._adopt(site)
        if waits:
            if not (self.has_moved() and self.close_quickly(_clock(), site.rate)):
                return False
            witness = self.witness
        elif self.waits is None and not self._pending and site.way == "version" and site.witness is not None:
            witness = site.witness()  # the step before was ended when this one's batch was asked for
        else:
            return False
        if witness is None:
            return False
        self.witness, self.version = witness, witness._version
        self.gradient = gradient = witness.grad
        if gradient is not None:
            self.gradient_version = gradient._version
        return True

    def reached(self) -> bool:
        """Whether the pass that began has reached the leaf that its line's passes have reached so far."""
        witness = self.witness
        assert witness is not None
        before, self.gradient = self.gradient, None  # nothing of the program's is kept longer than it must be
        gradient = witness.grad
        return gradient is not before or (gradient is not None and gradient._version != self.gradient_version)

    def _adopt(self, site: Site) -> bool:
        """Let the only pass in the list be one that went the quick way."""
        pending = self._pending
        if self.waits is not None or len(pending) != 1:
            return False
        one = pending[0]
        if one.site is not site or site.way != "version" or one.witness is None:
            return False
        self.loss, self.witness, self.version, self.waits = one.loss, one.witness, one.version, site
        pending.clear()
        return True

    def close_quickly(self, at: float, rate: float) -> bool:
        """End the step of the one backward pass that waits; False, and nothing is done, where something is due after it.

        To be called while it is calm.
        """
        observer = self.observer
        step = observer.step
        if step + self.reach >= self.next_candidate:
            self.next_candidate = observer.heeded(self.next_candidate, at)
            if step + self.reach >= self.next_candidate:
                return False
        self.waits = None
        if observer.threaded:
            with observer.lock:
                observer.step += 1
                observer.done.append((self.loss, rate, at - self.started, self.rows, self.epoch))  # type: ignore[operator]
        else:
            observer.step = step + 1
            observer.done.append((self.loss, rate, at - self.started, self.rows, self.epoch))  # type: ignore[operator]
        self.rows = 0
        self.plain = True
        self.started = at
        if at > observer.flush_at:
            observer.flush()
        return True
