"""What the quick ways through a step need, kept close together in memory."""

import math
from threading import get_ident
from typing import TYPE_CHECKING, Any

from descend.watch.backward import Backward, Site
from descend.watch.batches import LoaderPass

if TYPE_CHECKING:
    from types import CodeType

    from torch import nn
    from torch.optim import Optimizer

    from descend.watch.observer import Observer


class Counted:
    """The part of an observer that every step touches."""

    __slots__ = ("alone", "backward_calls", "done", "last_flush", "lock", "sparing_until", "step", "threaded")

    alone: "Calm | None"  # the tracker of the one thread that has done something so far, if there is only one


class Calm:
    """The part of a tracker that every step touches.

    Between two steps the user's program has filled the processor's caches with its own data, so that each place in memory that is
    touched costs more than what is done there. Slots stand side by side; an instance's dictionary is three places for each name.
    """

    __slots__ = (
        "calm",
        "depth",
        "epoch",
        "last_rows",
        "line",
        "line_at",
        "line_code",
        "line_tells_epochs",
        "loader",
        "next_candidate",
        "observer",
        "optimizer",
        "pending",
        "plain",
        "quick_passes",
        "rate",
        "rows",
        "scaled",
        "sites",
        "spare",
        "started",
        "thread",
    )

    def __init__(self, observer: "Observer") -> None:
        self.observer = observer
        self.thread = get_ident()
        self.calm = False  # nothing is open or looked at: the quick ways may be gone
        self.depth = 0  # above 0 inside a module, a loader or a backward pass: what happens there is a part of it
        self.plain = True  # neither a module nor a loader has been used in this step
        self.pending: list[Backward] = []
        self.spare: Backward | None = None  # made by a quick backward pass; the next may use it again
        self.quick_passes: list[
            tuple[nn.Module, bool]
        ] = []  # called since the last step, and in which mode; no more is known
        self.optimizer: Optimizer | None = None  # that has stepped last
        self.rate = math.nan
        self.rows = self.last_rows = 0
        self.started: float | None = None
        self.loader: LoaderPass | None = None  # the pass over a loader that the batch came from
        self.scaled: tuple[Any, Any] | None = None  # what a GradScaler returned, and what it was given
        self.sites: dict[tuple[int, int], Site] = {}
        self.line: Site | None = None  # of the last backward pass that went the quick way, and where it stands
        self.line_code: CodeType | None = None
        self.line_at = 0
        self.line_tells_epochs = False  # a variable there may count them
        self.epoch = 0
        self.next_candidate = 0  # the next step that may be looked at
