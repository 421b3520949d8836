"""What is said of a watched script afterwards: one JSON object, put together from the events that its observer told."""

import linecache
import math
import re
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from descend.record.events import (
    PHASES,
    BatchSeen,
    Evaluation,
    Event,
    Message,
    ParameterNorms,
    ParametersSeen,
    PhaseTimes,
    Printed,
    RunStarted,
    Snapshot,
    StepsDone,
    Unseen,
    ValueRead,
)
from descend.record.schema import RECORD_NAME
from descend.record.summarise import FEW_VALUES, finite, shares
from descend.watch.losses import loss_report
from descend.watch.trainings import Parameters, SeenParameter

if TYPE_CHECKING:
    from torch import Tensor

Report = dict[str, Any]
Place = tuple[str, int]

LOOK = "look"  # kind of the message that tells of a backward pass with no update after it
_WARM_UP = 1  # the first step allocates what all later ones use
_IN_FULL = 20  # the first steps are watched in so much detail that they take longer than later ones
_MOST_EVALUATIONS = 1000
_MOST_LOOKS = 20
_MOST_TRAININGS = 100
_SMALL_CURVE = 60
_PRINTED_KEPT = 40
_NUMBER = re.compile(r"(?<![\w.])-?\d+\.(\d+)(?:[eE][-+]?\d+)?")
_NUMBERED = re.compile(r"(.+)-(\d{1,9})")


class Replacement(Protocol):
    """What ``--fast`` says of itself: loaders replaced, and loaders left as they are with the reason."""

    replaced: list[str]
    kept: list[tuple[str, str]]


class WatchCollector:
    """Listens to a watched script and keeps what the report needs: of 200,000 steps a few megabytes."""

    def __init__(self) -> None:
        self.losses = array("d")
        self._started: RunStarted | None = None
        self._epochs: list[tuple[int, int]] = []  # (first step, number), one for each time the number changed
        self._rates: list[tuple[int, float]] = []  # (first step, learning rate), one for each change
        self._seconds, self._rows = 0.0, 0
        self._phases = {early: Counter[tuple[str, Place | None]]() for early in (True, False)}
        self._phase_steps = {early: Counter[str]() for early in (True, False)}
        self._lines: list[tuple[int, str, int, int]] = []  # (first step, file, lowest line, highest), one for each change
        self._parameters = Parameters()
        self._snapshots: list[int] = []
        self._before: dict[str, tuple[int, Tensor]] = {}  # the first that was kept of each parameter's name …
        self._after: dict[str, tuple[int, Tensor]] = {}  # … and the last
        self._sampled: set[int] = set()
        self._batches: dict[tuple[str, tuple[int, ...], str, str], int] = {}
        self._evaluations: list[Evaluation] = []
        self._evaluation_seconds = 0.0
        self._evaluations_left_out = 0
        self._looks: list[Message] = []
        self._look_count = 0
        self._printed: deque[Printed] = deque(maxlen=_PRINTED_KEPT)
        self._printed_count = self._read_count = 0
        self._unseen: Counter[Unseen] = Counter()

    def __call__(self, event: Event) -> None:
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def build(
        self,
        status: str,
        *,
        folder: Path | None,
        seconds: float,
        cost: float,
        message: str | None = None,
        exit_status: int = 0,
        values: "Mapping[str, Tensor] | None" = None,
        fast: Replacement | None = None,
        script: Sequence[str] = (),
        not_kept: str | None = None,
    ) -> Report:
        """The report of a script that has ended; numbers that are not finite are None.

        status: finished, interrupted or failed; a training whose last loss is not finite is diverged. ``message`` says why it
        failed. folder: the run folder, None when nothing could be kept, with the reason in ``not_kept``. seconds: of the whole
        script; cost: those of them spent on watching. values: the parameters that still live, by name, as they are now. script:
        what would be typed after ``descend run``.
        """
        steps = len(self.losses)
        whole = loss_report(self.losses, self._epoch_lengths(1, steps))
        if status == "finished" and steps and not math.isfinite(self.losses[-1]):
            status = "diverged"
        report = {
            "run": folder.name if folder else None,
            "path": str(folder) if folder else None,
            "not_kept": not_kept,
            "kind": "run",
            "title": self._started.title if self._started else "",
            "script": list(script),
            "previous": _run_before(folder) if folder else None,
            "status": status,
            "message": message,
            "exit_status": exit_status,
            "steps": steps,
            "epochs": self._epoch_count(1, steps),
            "loss": whole,
            "trainings": self._trainings(steps),
            "rates": [rate for _, rate in self._rates],
            "batches": self._first_batches(),
            "phases": self._phase_rows(),
            "parameters": [self._parameter(each, values or {}) for each in self._parameters.seen],
            "evaluations": [_evaluation(each) for each in self._evaluations],
            "evaluations_left_out": self._evaluations_left_out,
            "looks": {"count": self._look_count, "texts": [each.text for each in self._looks]},
            "printed": self._printed_count,
            "printed_loss": self._printed_loss(),
            "reads": self._read_count,
            "kept": {"sampled": len(self._sampled), "snapshots": self._snapshots},
            "cost": {"seconds": cost, "share": cost / seconds if seconds > 0 else None},
            "unseen": [_unseen(each, times) for each, times in self._unseen.items()],
            "fast": None if fast is None else {"replaced": list(fast.replaced), "kept": [list(row) for row in fast.kept]},
            "seconds": self._time(seconds),
            "examples_per_second": self._rows / self._seconds if self._seconds > 0 and self._rows else None,
            "findings": [],
            "checked": [],
            "unchecked": [],
        }
        cleaned: Report = finite(report)
        return cleaned

    def _on_started(self, event: RunStarted) -> None:
        self._started = event

    def _on_steps(self, event: StepsDone) -> None:
        first = len(self.losses) + 1
        self.losses.extend(event.losses)
        if not self._epochs or self._epochs[-1][1] != event.epoch:
            self._epochs.append((first, event.epoch))
        for step, rate in enumerate(event.rates, first):
            if not math.isnan(rate) and (not self._rates or self._rates[-1][1] != rate):
                self._rates.append((step, rate))
        self._seconds += sum(each for each in event.seconds if math.isfinite(each))
        self._rows += sum(event.rows)

    def _on_phases(self, event: PhaseTimes) -> None:
        self._sampled.add(event.step)
        if event.step > _WARM_UP:
            early = event.step <= _IN_FULL
            for phase, seconds in event.seconds.items():
                self._phases[early][phase, event.places.get(phase)] += seconds  # type: ignore[assignment]
                self._phase_steps[early][phase] += 1
        if not event.places:
            return
        (file, _), _ = Counter(place[0] for place in event.places.values()).most_common(1)[0], None
        lines = [line for own, line in event.places.values() if own == file]
        extent = (file, min(lines), max(lines))
        if not self._lines or self._lines[-1][1:] != extent:
            self._lines.append((event.step, *extent))

    def _on_norms(self, event: ParameterNorms) -> None:
        self._sampled.add(event.step)
        self._parameters.step(event.step, event.rows)
