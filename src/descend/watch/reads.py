"""What the program says and reads: lines it writes, numbers it takes out of tensors, processes it starts."""

import math
import sys
from collections import Counter
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data._utils.worker import _worker_loop

from descend.record.events import Fact, Printed, Unseen, ValueRead
from descend.watch.places import Place
from descend.watch.quiet import hidden

if TYPE_CHECKING:
    from descend.watch.observer import Observer

_getframe = sys._getframe
_PER_STEP = 20  # lines, and numbers, of one step that are told
_LINES = 20_000  # of one run that are told
MOST_TEXT = 2_000  # characters of one line that are told
_PLACES = 16  # lines of one evaluation whose numbers are summed up


class Reads:
    """Tells what the user's own lines print and read; of what happens ten times over in one step only the first."""

    def __init__(self, observer: "Observer") -> None:
        self.observer = observer
        self._lines = 0
        self._step = -1
        self._in_step: Counter[str] = Counter()
        self._evaluation: dict[Place, _Line] = {}  # what was read since it began

    def printed(self, text: str, place: Place) -> None:
        if self._lines < _LINES and self._may_tell("printed"):
            self._lines += 1
            self.observer.flush()
            self.observer.emit(Printed(self._now(), text[:MOST_TEXT], place))

    @hidden
    def read(self, tensor: Tensor, how: str, value: Any, place: Place) -> None:
        """A number that left a tensor; of a list of numbers only a single one is told."""
        while isinstance(value, list) and len(value) == 1:
            value = value[0]
        if not isinstance(value, (int, float)):
            return
        number = float(value)
        self._sum_up(number, place)
        if self._may_tell("read"):
            name = self.observer.names.name_of(tensor)
            if not name and tensor.ndim == 0 and self._is_loss(number):
                name = "loss"
            self.observer.emit(ValueRead(self._now(), how, number, name, place))

    def started_process(self, process: BaseProcess, place: Place) -> None:
        if getattr(process, "_target", None) is not _worker_loop:  # a loader's workers do no training
            self.observer.emit(
                Unseen(f"the process {process.name}", "processes that the program starts are not followed", place)
            )

    def of_evaluation(self, number: int, step: int) -> list[Fact]:
        """What was read from line to line in the evaluation that is over."""
        lines, self._evaluation = self._evaluation, {}
        rows = [each.as_json(place) for place, each in lines.items()]
        return [Fact(step, "figures", {"number": number, "lines": rows})] if rows else []

    def forget(self) -> None:
        """What was read so far belongs to a step."""
        self._evaluation.clear()

    def _sum_up(self, number: float, place: Place) -> None:
        tracker = self.observer.tracker()
        if tracker is None or not (tracker.passes.is_open or tracker.waiting) or tracker.pending:
            return
        line = self._evaluation.get(place)
        if line is None:
            if len(self._evaluation) >= _PLACES:
                return
            line = self._evaluation[place] = _Line()
        line.add(number, tracker.rows)

    def _now(self) -> int:
        """The step that is running, once its gradients are there; else the last one."""
        tracker = self.observer.tracker()
        return self.observer.step + (1 if tracker is not None and tracker.pending else 0)

    def _may_tell(self, kind: str) -> bool:
        step = self.observer.step
        if step != self._step:
            self._step = step
            self._in_step.clear()
        self._in_step[kind] += 1
        return self._in_step[kind] <= _PER_STEP

    def _is_loss(self, number: float) -> bool:
        tracker = self.observer.tracker()
        losses = [tracker.last_loss, *(one.loss for one in tracker.pending)] if tracker is not None else []
        losses += [done[0] for done in self.observer.done[-1:]]
        return any(
            isinstance(loss, float) and (loss == number or (math.isnan(loss) and math.isnan(number))) for loss in losses
        )


class _Line:
    """The numbers that one line read in an evaluation, summed up."""

    def __init__(self) -> None:
        self.count = 0
        self.total = self.weighted = self.last = 0.0
        self.rows = self.first_rows = self.last_rows = 0  # of the batches, where they are known

    def add(self, number: float, rows: int) -> None:
        if not self.count:
            self.first_rows = rows
        self.count += 1
        self.last = number
        self.total += number
        self.weighted += number * rows
        self.rows += rows
        self.last_rows = rows

    def as_json(self, place: Place) -> dict[str, Any]:
        sums = {"count": self.count, "total": self.total, "weighted": self.weighted, "last": self.last}
        rows = {"rows": self.rows, "first_rows": self.first_rows, "last_rows": self.last_rows}
        return {"file": place[0], "line": place[1], **sums, **rows}


def reading(how: str) -> Callable[["Observer", Any], Callable[[Tensor], Any]]:
    """A method of tensors that returns their numbers to Python."""

    def make(observer: "Observer", original: Any) -> Callable[[Tensor], Any]:
        def read(self: Tensor) -> Any:
            value = original(self)
            frame = _getframe().f_back
            if frame is not None and observer.active and observer.places.is_own(frame.f_code.co_filename):
                place = observer.places.place_in(frame)
                observer.safely(lambda: observer.reads.read(self, how, value, place))
            return value

        read.__name__ = original.__name__
        read.__qualname__ = f"Tensor.{original.__name__}"
        read.__doc__ = original.__doc__
        return read

    return make


def starting(observer: "Observer", original: Callable[[BaseProcess], None]) -> Callable[[BaseProcess], None]:
    """``Process.start``"""

    def start(self: BaseProcess) -> None:
        frame = _getframe(1)
        observer.safely(lambda: observer.reads.started_process(self, observer.places.place(frame)))
        original(self)

    return start


READERS = (
    (torch.Tensor, "item", "item"),
    (torch.Tensor, "tolist", "tolist"),
    (torch.Tensor, "__float__", "float"),
    (torch.Tensor, "__int__", "int"),
)
