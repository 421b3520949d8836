"""What is said of a watched script afterwards: one JSON object, put together from the events that its observer told."""

import math
import re
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, Protocol

from descend.record.events import (
    LOOK,
    OTHER_THREADS,
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
    SourcesSeen,
    StepsDone,
    Unseen,
    ValueRead,
)
from descend.record.schema import RECORD_NAME
from descend.record.summarise import finite
from descend.watch.losses import loss_report
from descend.watch.moved import Movements
from descend.watch.spent import Phases

Report = dict[str, Any]

_MOST_EVALUATIONS = 1000
_MOST_LOOKS = 20
_MOST_TRAININGS = 100
_SMALL_CURVE = 60
_PLACED = re.compile(r"(.+):(\d+): (.+)")
_NUMBERED = re.compile(r"(.+)-(\d{1,9})")


class Replacement(Protocol):
    """What ``--fast`` says of itself."""

    @property
    def replaced(self) -> Sequence[str]:
        """Loaders that were replaced."""

    @property
    def kept(self) -> Sequence[tuple[str, str]]:
        """Loaders left as they are, each with the reason."""


class WatchCollector:
    """Listens to a watched script and keeps what the report needs: of 200,000 steps a few megabytes."""

    def __init__(self) -> None:
        self._losses, self._seconds_each, self._rows = array("d"), array("d"), 0
        self._epoch_numbers, self._epoch_starts = array("q"), array("q")  # one entry for each time the number changed
        self._rates: dict[str, Any] = {"first": None, "last": None, "changes": 0}
        self._evaluation_seconds = 0.0
        self._sources: dict[str, str] = {}
        self._started: RunStarted | None = None
        self.movements = Movements()
        self._phases, self._parameters = Phases(), self.movements.parameters
        self._batches: dict[tuple[str, tuple[int, ...], str, str], int] = {}
        self._evaluations: list[Evaluation] = []
        self._looks: list[dict[str, Any]] = []
        self._counts: Counter[str] = Counter()
        self._unseen: Counter[Unseen] = Counter()
        self._handlers: Mapping[type, Callable[[Any], None]] = {
            RunStarted: self._on_started,
            SourcesSeen: lambda event: self._sources.update(event.sources),
            StepsDone: self._on_steps,
            PhaseTimes: self._phases.add,
            ParametersSeen: lambda event: self._parameters.appear(event.step, event.rows),
            ParameterNorms: lambda event: self._parameters.step(event.step, event.rows),
            Snapshot: self.movements.add,
            BatchSeen: self._on_batch,
            Evaluation: self._on_evaluation,
            Message: self._on_message,
            Printed: lambda _: self._counts.update(["printed"]),
            ValueRead: lambda _: self._counts.update(["reads"]),
            Unseen: lambda event: self._unseen.update([event]),
        }

    def __call__(self, event: Event) -> None:
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def build(
        self,
        status: str,
        *,
        folder: Path | None,
        seconds: float,
        cost: float,
        message: str | None = None,
        exit_status: int = 0,
        fast: Replacement | None = None,
        script: Sequence[str] = (),
        not_kept: str | None = None,
    ) -> Report:
        """The report of a script that has ended; numbers that are not finite are None.

        status: finished, interrupted or failed, and ``message`` says why; a training that ended on a loss that is no finite number
        is diverged. folder: the run folder; None when nothing could be kept, with the reason in ``not_kept``. seconds: of the
        whole script; cost: those of them spent on watching. script: what would be typed after ``descend run``, for the command line
        alone.
        """
        steps = len(self._losses)
        if status == "finished" and steps and not math.isfinite(self._losses[-1]):
            status = "diverged"
        trainings = self._trainings(steps)
        longest = max(trainings, key=lambda training: float(training["seconds"]), default=None)
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
            "epochs": trainings[0]["epochs"] if len(trainings) == 1 else None,
            "loss": loss_report(self._losses, self._epochs(1, steps) if len(trainings) == 1 else []),
            "trainings": trainings,
            "lr": dict(self._rates),
            "batches": self._first_batches(),
            **self._where_time_went(longest),
            "parameters": self.movements.rows(steps),
            "evaluations": [_evaluation_row(each) for each in self._evaluations],
            "evaluations_left_out": self._counts["evaluations"] - len(self._evaluations),
            "looks": {"count": self._counts["looks"], "places": self._looks},
            "printed": self._counts["printed"],
            "printed_loss": None,  # told by the checks, which look at all that was printed
            "reads": self._counts["reads"],
            "kept": {"sampled": len(self._phases.steps), "snapshots": self.movements.snapshots},
            "cost": {"seconds": cost, "share": cost / seconds if seconds > 0 else None},
            "unseen": [_unseen_row(each, times) for each, times in self._unseen.items()],
            "fast": fast
            and {"replaced": list(fast.replaced), "kept": [{"loader": each, "why": why} for each, why in fast.kept]},
            "seconds": self._seconds(seconds, trainings),
            "examples_per_second": self._rows / training
            if (training := sum(self._seconds_each)) and self._rows
            else None,
            "findings": [],
            "checked": [],
            "unchecked": [],
        }
        cleaned: Report = finite(report)
        return cleaned

    def _on_started(self, event: RunStarted) -> None:
        self._started = event
        self._sources.update(event.sources)

    def _on_steps(self, event: StepsDone) -> None:
        for step, epoch in enumerate(event.epochs or (event.epoch,), len(self._losses) + 1):
            if not self._epoch_numbers or self._epoch_numbers[-1] != epoch:
                self._epoch_numbers.append(epoch)
                self._epoch_starts.append(step)
        self._losses.extend(event.losses)
        for rate, _ in groupby(event.rates):
            if rate != self._rates["last"] and math.isfinite(rate):
                self._rates["changes"] += self._rates["last"] is not None
                self._rates["last"] = rate
                if self._rates["first"] is None:
                    self._rates["first"] = rate
        self._seconds_each.extend(each if math.isfinite(each) else 0.0 for each in event.seconds)
        self._rows += sum(event.rows)

    def _on_batch(self, event: BatchSeen) -> None:
        if event.evaluation == 0:
            self._batches.setdefault((event.name, event.shape, event.dtype, event.device), event.step)

    def _on_evaluation(self, event: Evaluation) -> None:
        self._counts["evaluations"] += 1
        self._evaluation_seconds += event.seconds
        if len(self._evaluations) < _MOST_EVALUATIONS:
            self._evaluations.append(event)

    def _on_message(self, event: Message) -> None:
        if event.kind == LOOK:
            self._counts["looks"] += 1
            if len(self._looks) < _MOST_LOOKS:
                found = _PLACED.fullmatch(event.text)
                file, line, text = found.groups() if found else (None, None, event.text)
                self._looks.append({"text": text, "file": file, "line": int(line) if line else None})

    def _epochs(self, first: int, last: int) -> list[int]:
        """The number of steps in each epoch between; empty where epochs are not known (their number is 0 then).

        A loop without autograd says nothing of epochs.
        """
        if self._parameters.by_hand(first, last):
            return []
        ends = [*self._epoch_starts[1:], len(self._losses) + 1][: len(self._epoch_starts)]
        spans = [
            (number, min(end, last + 1) - max(start, first))
            for number, start, end in zip(self._epoch_numbers, self._epoch_starts, ends, strict=True)
            if end > first and start <= last
        ]
        return [steps for _, steps in spans] if all(number > 0 for number, _ in spans) else []

    def _epoch_count(self, first: int, last: int) -> int:
        numbers = [
            number
            for number, start, end in zip(
                self._epoch_numbers, self._epoch_starts, [*self._epoch_starts[1:], last + 1], strict=True
            )
            if end > first and start <= last
        ]
        return max(numbers) - min(numbers) + 1

    def _trainings(self, steps: int) -> list[dict[str, Any]]:
        at_once = any(each.what == OTHER_THREADS for each in self._unseen)  # then their steps have no borders
        beginnings = [1] if at_once and steps else self._parameters.beginnings(steps)
        spans = [(first, after - 1) for first, after in pairwise([*beginnings, steps + 1])]
        if len(spans) > _MOST_TRAININGS:
            spans = [*spans[: _MOST_TRAININGS // 2], *spans[-_MOST_TRAININGS // 2 :]]
        return [self._training(first, last) for first, last in spans]

    def _training(self, first: int, last: int) -> dict[str, Any]:
        losses, epochs = self._losses[first - 1 : last], self._epochs(first, last)
        file, line, last_line = self._phases.extent(first, last) or (None, None, None)
        return {
            "first_step": first,
            "steps": len(losses),
            "epochs": self._epoch_count(first, last) if epochs else None,
            "seconds": sum(self._seconds_each[first - 1 : last]),
            "loss": loss_report(losses, epochs, first_step=first, points=_SMALL_CURVE),
            "parameters": self._parameters.names_in(first, last),
            "turns": [
                {
                    "parameters": list(turn.names),
                    "first": self._losses[turn.first_step - 1],
                    "last": self._losses[turn.last_step - 1],
                    "last_step": turn.last_step,
                }
                for turn in self._parameters.turns(first, last)
                if turn.last_step <= len(self._losses)
            ],
            "file": file,
            "line": line,
            "last_line": last_line,
        }

    def _first_batches(self) -> list[dict[str, Any]]:
        earliest = min(self._batches.values(), default=0)
        return [
            {"name": name, "shape": list(shape), "dtype": dtype, "device": device}
            for (name, shape, dtype, device), step in self._batches.items()
            if step == earliest
        ]

    def _where_time_went(self, training: Mapping[str, Any] | None) -> dict[str, Any]:
        """The phases of the training that took the longest, the step it begins with, and how many of its steps were timed."""
        if training is None:
            first, last, average = 1, 0, None
        else:
            first, last = training["first_step"], training["first_step"] + training["steps"] - 1
            average = training["seconds"] / training["steps"]
        return {
            "phases": self._phases.rows(self._sources, first, last),
            "phases_from": first if training else None,
            "phase_steps": len(self._phases.timed(first, last)),
            "phase_average": average or None,
        }

    def _seconds(self, total: float, trainings: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
        spent, steps = sum(self._seconds_each), len(self._losses)
        epochs = trainings[0]["epochs"] if len(trainings) == 1 else None
        return {
            "total": total,
            "training": spent,
            "per_epoch": spent / epochs if epochs and epochs < steps else None,  # of one step it is the time of a step
            "per_step": spent / steps if steps else None,
            "evaluation": self._evaluation_seconds,
        }


def _evaluation_row(event: Evaluation) -> dict[str, Any]:
    file, line = _known(event.place)
    return {
        "number": event.number,
        "after_step": event.step,
        "passes": event.passes,
        "seconds": event.seconds,
        "gradients": event.gradients,
        "training_mode": list(event.training_mode),
        "file": file,
        "line": line,
    }


def _unseen_row(event: Unseen, times: int) -> dict[str, Any]:
    file, line = _known(event.place)
    return {"what": event.what, "why": event.why, "file": file, "line": line, "times": times}


def _known(place: tuple[str, int] | None) -> tuple[str, int] | tuple[None, None]:
    """The place, or nothing where there was no line of the user's own."""
    return place if place and place[0] else (None, None)


def _run_before(folder: Path) -> str | None:
    """The newest earlier run of the same name, to compare this one with: of train-4 it is train-3."""
    named = _NUMBERED.fullmatch(folder.name)
    if named is None:
        return None
    try:
        others = [_NUMBERED.fullmatch(entry.parent.name) for entry in folder.parent.glob(f"*/{RECORD_NAME}")]
    except OSError:
        return None
    earlier = [int(other[2]) for other in others if other and other[1] == named[1] and int(other[2]) < int(named[2])]
    return f"{named[1]}-{max(earlier)}" if earlier else None
