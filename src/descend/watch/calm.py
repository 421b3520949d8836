"""What the quick ways through a step need, kept close together in memory, and the end of a step that nobody looks at."""

import math
import time
from typing import TYPE_CHECKING, Any

from descend.watch.backward import Backward, Site
from descend.watch.batches import LoaderPass

if TYPE_CHECKING:
    from types import CodeType

    from torch import Tensor, nn

    from descend.watch.observer import Observer
    from descend.watch.tracker import Tracker


BY_OPTIMIZER, BY_HAND = 2, 3  # so many steps after the last that was counted a step is prepared; see Steps.prepare
_clock = time.perf_counter


def _nobody() -> None:
    """What a weak reference to an object says that is gone."""


class Counted:
    """The part of an observer that every step touches."""

    __slots__ = ("backward_calls", "broken", "done", "flush_at", "lock", "only", "sparing_until", "step", "threaded")

    only: "Tracker | None"  # the tracker of the one thread that there is, if the program has not started another


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
        "last_optimizer",
        "last_rows",
        "line",
        "line_at",
        "line_code",
        "line_depth",
        "line_tells_epochs",
        "loader",
        "loss",
        "next_candidate",
        "observer",
        "plain",
        "quick_passes",
        "quick_site",
        "reach",
        "rows",
        "scaled",
        "sites",
        "started",
        "version",
        "witness",
    )

    def __init__(self, observer: "Observer") -> None:
        self.observer = observer
        self.calm = False  # nothing is open or looked at: the quick ways may be gone
        self.depth = 0  # above 0 inside a module, a loader or a backward pass: what happens there is a part of it
        self.plain = True  # neither a module nor a loader has been used in this step
        self.quick_site: Site | None = None  # where the pass ran that went the quick way and waits for its update
        self.loss: float | Tensor = math.nan  # of that pass
        # Of that pass: a leaf that is updated by hand, and its version before the update.
        self.witness: Tensor | None = None
        self.version = 0
        self.gradient: Tensor | None = None  # of the witness, and its version, before the pass
        self.gradient_version = 0
        self._pending: list[Backward] = []
        # Called since the last step, and in which mode; no more is known of them.
        self.quick_passes: list[tuple[nn.Module, bool]] = []
        self.known_optimizers: dict[int, Any] = {}  # by id, that have stepped and live
        self.last_optimizer: Any = _nobody  # of them the last that came to be known: a weak reference
        self.rows = self.last_rows = 0  # of this step's batch, as far as is known, and of the last that was
        self.started: float | None = None
        self.loader: LoaderPass | None = None  # the pass over a loader that the batch came from
        self.scaled: tuple[Any, Any] | None = None  # what a GradScaler returned, and what it was given
        self.sites: dict[tuple[int, int], Site] = {}
        self.line: Site | None = None  # of the last backward pass, if its way is known, and where it stands
        self.line_code: CodeType | None = None
        self.line_at = 0
        self.line_depth = 1  # frames above the function around the backward pass
        self.line_tells_epochs = False  # a variable there may count them
        self.epoch = 0
        self.next_candidate = 0  # the next step that may be looked at
        self.reach = BY_HAND

    @property
    def pending(self) -> list[Backward]:
        """The backward passes that wait for their update. One that went the quick way joins the others when they are asked for."""
        site = self.quick_site
        if site is not None:
            one = Backward(self.loss, site)
            if site.way != "optimizer":
                one.witness, one.version = self.witness, self.version
            self._pending.append(one)
            self.forget()
        return self._pending

    @pending.setter
    def pending(self, passes: list[Backward]) -> None:
        self.forget()
        self._pending = passes

    def begins_quickly(self) -> bool:
        """A batch is asked for, or a module called, while a pass waits: a step whose update by hand has come is ended.

        False, and nothing is done, where it is not so simple.
        """
        site = self.quick_site
        if site is None:
            return self._pending[-1].site.way == "optimizer"
        return site.way == "optimizer" or self.close_by_hand()

    def joins_those_that_wait(self) -> bool:
        """Whether a backward pass whose update an optimizer makes may begin while another waits: not for an update by hand."""
        return self.pending[-1].site.way == "optimizer"

    def forget(self) -> None:
        """No pass that went the quick way waits: nothing of the program's is held any longer."""
        self.quick_site = self.witness = self.gradient = None

    def close_by_hand(self) -> bool:
        """End the step of the quick pass that waits for an update by hand; False, and nothing is done, if it has not come."""
        site, witness = self.quick_site, self.witness
        moved = witness is not None and witness._version != self.version and not self._pending
        self.reach = BY_HAND
        if site is None or not moved or not self.close_quickly(_clock(), site.rate):
            return False
        self.forget()
        return True

    def begins_by_hand(self, site: Site) -> bool:
        """A backward pass whose update comes by hand begins: the step before is ended if its update has come.

        False, and nothing has ended, where it is not so simple.
        """
        if self.quick_site is site or self._adopt(site):
            witness = self.witness
            if not self.close_by_hand():
                return False
        elif self.quick_site is None and not self._pending and site.way == "version" and site.witness is not None:
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
        witness, before = self.witness, self.gradient
        self.gradient = None
        if witness is None:
            return False
        gradient = witness.grad
        return gradient is not before or (gradient is not None and gradient._version != self.gradient_version)

    def _adopt(self, site: Site) -> bool:
        """Let the only pass in the list be one that went the quick way: what else is known of it was for a step that is looked at."""
        pending = self._pending
        if self.quick_site is not None or len(pending) != 1:
            return False
        one = pending[0]
        if one.site is not site or site.way != "version" or one.witness is None:
            return False
        self.loss, self.witness, self.version, self.quick_site = one.loss, one.witness, one.version, site
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
        loader = self.loader
        if loader is not None and not loader.trained:
            return False
        rows = self.rows
        if rows:
            self.last_rows = rows
            self.rows = 0
        else:
            rows = self.last_rows
        done = (self.loss, rate, at - self.started, rows, self.epoch)  # type: ignore[operator] # it has, while it is calm
        if observer.threaded:
            with observer.lock:
                observer.step += 1
                observer.done.append(done)
        else:
            observer.step = step + 1
            observer.done.append(done)
        self.quick_site = None
        self.plain = True
        self.scaled = None
        self.started = at
        if at > observer.flush_at:
            observer.flush()
        return True
