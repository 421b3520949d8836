"""What is said of a watched script afterwards: one JSON object, put together from the events that its observer told."""

import math
import re
from array import array
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from descend.record.events import (
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
from descend.record.summarise import FEW_VALUES, finite
from descend.watch.losses import loss_report
from descend.watch.spent import Phases
from descend.watch.trainings import Parameters, SeenParameter

if TYPE_CHECKING:
    from torch import Tensor

Report = dict[str, Any]

LOOK = "look"  # the kind of the message that tells of a backward pass with no update after it
_MOST_EVALUATIONS = 1000
_MOST_LOOKS = 20
_MOST_TRAININGS = 100
_SMALL_CURVE = 60
_PRINTED_KEPT = 40
_MOST_BYTES = 32 * 2**20  # of parameters as they were in their first steps
_NUMBER = re.compile(r"(?<![\w.])-?\d+\.(\d+)(?![\w.])")
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
        self._losses, self._rows = array("d"), 0
        self._epoch_numbers, self._epoch_starts = array("q"), array("q")  # one entry for each time the number changed
        self._rates: dict[str, Any] = {"first": None, "last": None, "changes": 0}
        self._step_seconds = self._evaluation_seconds = 0.0
        self._started: RunStarted | None = None
        self._phases, self._parameters = Phases(), Parameters()
        self._snapshots: list[int] = []
        self._before: dict[tuple[str, int], Tensor] = {}  # by name and step, of the first step of each parameter
        self._before_bytes = 0
        self._after: dict[str, tuple[int, Tensor]] = {}  # the last that a snapshot held
        self._batches: dict[tuple[str, tuple[int, ...], str, str], int] = {}
        self._evaluations: list[Evaluation] = []
        self._looks: list[dict[str, Any]] = []
        self._printed: deque[Printed] = deque(maxlen=_PRINTED_KEPT)
        self._counts: Counter[str] = Counter()
        self._unseen: Counter[Unseen] = Counter()
        self._handlers: Mapping[type, Callable[[Any], None]] = {
            RunStarted: self._on_started,
            StepsDone: self._on_steps,
            PhaseTimes: self._phases.add,
            ParametersSeen: lambda event: self._parameters.appear(event.step, event.rows),
            ParameterNorms: lambda event: self._parameters.step(event.step, event.rows),
            Snapshot: self._on_snapshot,
            BatchSeen: self._on_batch,
            Evaluation: self._on_evaluation,
            Message: self._on_message,
            Printed: self._on_printed,
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
        values: "Mapping[str, Tensor] | None" = None,
        fast: Replacement | None = None,
        script: Sequence[str] = (),
        not_kept: str | None = None,
    ) -> Report:
        """The report of a script that has ended; numbers that are not finite are None.

        status: finished, interrupted or failed, and ``message`` says why; a training that ended on a loss that is no finite number
        is diverged. folder: the run folder; None when nothing could be kept, with the reason in ``not_kept``. seconds: of the
        whole script; cost: those of them spent on watching. values: the parameters that still live, by name, as they are now.
        script: what would be typed after ``descend run``, for the command line alone.
        """
        steps = len(self._losses)
        if status == "finished" and steps and not math.isfinite(self._losses[-1]):
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
            "epochs": len(self._epochs(1, steps)) or None,
            "loss": loss_report(self._losses, self._epochs(1, steps)),
            "trainings": self._trainings(steps),
            "lr": dict(self._rates),
            "batches": self._first_batches(),
            "phases": self._phases.rows(self._started.sources if self._started else {}),
            "phase_steps": self._phases.timed,
            "parameters": [self._parameter(each, values or {}) for each in self._parameters.seen],
            "evaluations": [_evaluation_row(each) for each in self._evaluations],
            "evaluations_left_out": self._counts["evaluations"] - len(self._evaluations),
            "looks": {"count": self._counts["looks"], "places": self._looks},
            "printed": self._counts["printed"],
            "printed_loss": self._printed_loss(steps),
            "reads": self._counts["reads"],
            "kept": {"sampled": len(self._phases.steps), "snapshots": self._snapshots},
            "cost": {"seconds": cost, "share": cost / seconds if seconds > 0 else None},
            "unseen": [_unseen_row(each, times) for each, times in self._unseen.items()],
            "fast": fast
            and {"replaced": list(fast.replaced), "kept": [{"loader": each, "why": why} for each, why in fast.kept]},
            "seconds": self._seconds(seconds, steps),
            "examples_per_second": self._rows / self._step_seconds if self._step_seconds and self._rows else None,
            "findings": [],
            "checked": [],
            "unchecked": [],
        }
        cleaned: Report = finite(report)
        return cleaned

    def _on_started(self, event: RunStarted) -> None:
        self._started = event

    def _on_steps(self, event: StepsDone) -> None:
        if not self._epoch_numbers or self._epoch_numbers[-1] != event.epoch:
            self._epoch_numbers.append(event.epoch)
            self._epoch_starts.append(len(self._losses) + 1)
        self._losses.extend(event.losses)
        for rate in event.rates:
            if rate != self._rates["last"] and math.isfinite(rate):
                self._rates["changes"] += self._rates["last"] is not None
                self._rates["last"] = rate
                if self._rates["first"] is None:
                    self._rates["first"] = rate
        self._step_seconds += sum(filter(math.isfinite, event.seconds))
        self._rows += sum(event.rows)

    def _on_snapshot(self, event: Snapshot) -> None:
        # Nothing is worked out here, in the middle of a step: the tensors are kept, for the snapshot owns them.
        self._snapshots.append(event.step)
        for name, tensor in event.tensors.items():
            kind, _, parameter = name.partition(".")
            if kind == "before" and self._parameters.is_first(parameter, event.step):
                self._before_bytes += tensor.nbytes
                if self._before_bytes <= _MOST_BYTES:
                    self._before[parameter, event.step] = tensor
            elif kind == "after":
                self._after[parameter] = (event.step, tensor)

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

    def _on_printed(self, event: Printed) -> None:
        self._counts["printed"] += 1
        self._printed.append(event)

    def _epochs(self, first: int, last: int) -> list[int]:
        """The number of steps in each epoch between; empty where epochs are not known (their number is 0 then)."""
        ends = [*self._epoch_starts[1:], len(self._losses) + 1][: len(self._epoch_starts)]
        spans = [
            (number, min(end, last + 1) - max(start, first))
            for number, start, end in zip(self._epoch_numbers, self._epoch_starts, ends, strict=True)
            if end > first and start <= last
        ]
        return [steps for _, steps in spans] if all(number > 0 for number, _ in spans) else []

    def _trainings(self, steps: int) -> list[dict[str, Any]]:
        beginnings = self._parameters.beginnings(steps)
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
            "epochs": len(epochs) or None,
            "loss": loss_report(losses, epochs, first_step=first, points=_SMALL_CURVE),
            "parameters": [each.name for each in self._parameters.between(first, last)],
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

    def _parameter(self, parameter: SeenParameter, values: "Mapping[str, Tensor]") -> dict[str, Any]:
        """How far a parameter moved: exactly where its values at both ends are known, else whether it did."""
        row: dict[str, Any] = {
            "name": parameter.name,
            "shape": list(parameter.shape),
            "how": parameter.how,
            "step": parameter.step,
            "norm": parameter.start_norm,
            "moved": parameter.changed,
            "until": None,  # the step up to which it is known how far it moved, where that is not the end
        }
        before, after, row["until"] = self._ends(parameter, values)
        if after is not None and after.numel() <= FEW_VALUES:
            row["values"] = _numbers(after)
        if before is not None and before.numel() <= FEW_VALUES:
            row["values_before"] = _numbers(before)
        if before is not None and after is not None:
            row["moved"] = (
                math.dist(_numbers(before), _numbers(after))
                if after.numel() <= FEW_VALUES
                else float((after.detach().cpu().double() - before.double()).norm())
            )
        return row

    def _ends(
        self, parameter: SeenParameter, values: "Mapping[str, Tensor]"
    ) -> "tuple[Tensor | None, Tensor | None, int | None]":
        """The parameter before its first step, the newest known, and the step of the latter where it is not the end."""
        before = self._before.get((parameter.name, parameter.step))
        if not self._parameters.latest(parameter):
            return before, None, None
        now = values.get(parameter.name)
        if now is not None and tuple(now.shape) == parameter.shape:
            return before, now, None
        step, after = self._after.get(parameter.name, (0, None))
        if after is None or step < parameter.step or tuple(after.shape) != parameter.shape:
            return before, None, None
        return before, after, step if step < len(self._losses) else None

    def _printed_loss(self, steps: int) -> dict[str, Any] | None:
        """The loss that the script prints at the end of an epoch, where it is the last batch's and not the epoch's mean."""
        epochs = self._epochs(1, steps)
        ends, last = {}, 0
        for length in epochs:
            last += length
            ends[last] = length
        found = None
        for line in self._printed:
            length = ends.get(line.step, 0)
            if length < 2:
                continue
            loss = self._losses[line.step - 1]
            mean = sum(self._losses[line.step - length : line.step]) / length
            for number in _NUMBER.finditer(line.text):
                places = len(number[1])
                if number[0] == f"{loss:.{places}f}" != f"{mean:.{places}f}":
                    file, row = _known(line.place)
                    found = {"text": number[0], "step": line.step, "mean": mean, "file": file, "line": row}
        return found

    def _seconds(self, total: float, steps: int) -> dict[str, float | None]:
        lengths = self._epochs(1, steps)
        epochs = len(lengths) if max(lengths, default=0) > 1 else 0  # of epochs of one step it is the time of a step
        return {
            "total": total,
            "training": self._step_seconds,
            "per_epoch": self._step_seconds / epochs if epochs else None,
            "per_step": self._step_seconds / steps if steps else None,
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


def _numbers(tensor: "Tensor") -> list[float]:
    return [float(each) for each in tensor.detach().flatten().tolist()]


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
