"""What a reader of a record hands out: plain Python values with names."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What a record says about its run as a whole. ``name`` is the name of the run folder as it is called now."""

    name: str
    path: Path  # the run folder
    kind: str = ""  # "train", or "run" for a watched script; empty until the run has said what it is
    title: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    choices: list[dict[str, Any]] = field(default_factory=list)
    environment: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    parameters: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    epochs: int | None = None  # planned
    steps_per_epoch: int | None = None  # planned
    started: datetime | None = None  # UTC
    ended: datetime | None = None  # UTC
    status: str = "running"  # running, died, damaged, or what the run ended with: finished, stopped early, …
    report: dict[str, Any] | None = None
    damage: str = ""  # why the record cannot be read, when status is "damaged"


@dataclass(frozen=True, slots=True)
class Steps:
    """Every step, as columns of equal length. A loss that was not a number is NaN."""

    step: list[int]
    epoch: list[int]
    loss: list[float]
    rate: list[float]  # learning rate
    seconds: list[float]  # wall time
    rows: list[int]  # examples

    def __len__(self) -> int:
        return len(self.step)


class PhaseRow(NamedTuple):
    """Seconds of one phase of one sampled step, and the line that did it."""

    step: int
    phase: str
    seconds: float
    file: str | None
    line: int | None


class NormRow(NamedTuple):
    """Euclidean norms of one parameter at one sampled step: its value before, its gradient, its update."""

    step: int
    parameter: str
    value: float
    gradient: float
    change: float


class EpochRow(NamedTuple):
    """One pass over the training rows; ``metrics`` is set ("train", "validation", "test") → name → value."""

    epoch: int
    step: int
    seconds: float
    metrics: dict[str, dict[str, float]]


class SnapshotRow(NamedTuple):
    """A step that was kept in full; ``file`` lies in the run folder."""

    step: int
    epoch: int
    file: str
    bytes: int
    sha256: str
    note: str


class MessageRow(NamedTuple):
    """Something that was worth a line."""

    step: int
    kind: str
    text: str
    time: datetime


class ParameterRow(NamedTuple):
    """A parameter of a watched script, in the step that first used it."""

    step: int
    name: str
    shape: tuple[int, ...]
    how: str  # found through: "module", "variable" or "loop"


class BatchRow(NamedTuple):
    """A tensor that a sampled step or an evaluation began with."""

    step: int
    evaluation: int  # number of the evaluation, or 0 for a training step
    name: str  # of the variable that holds it, or ""
    shape: tuple[int, ...]
    dtype: str
    device: str
    fingerprints: tuple[int, ...]  # a hash of each of the first rows


class CallRow(NamedTuple):
    """A module that was called in a sampled step."""

    step: int
    module: str
    class_name: str
    training: bool  # its mode
    times: int


class EvaluationRow(NamedTuple):
    """Forward passes that no backward followed."""

    number: int  # counted from 1
    step: int  # the last training step before it
    passes: int
    seconds: float
    gradients: bool  # whether a graph was built
    training_mode: tuple[str, ...]  # modules that stood in training mode
    file: str | None
    line: int | None


class PrintedRow(NamedTuple):
    """A line that the script printed; ``number`` counts all lines, also those that the record does not keep."""

    number: int
    step: int
    text: str
    characters: int  # of the whole line: more than ``text`` has when it was cut
    file: str | None
    line: int | None


class ReadRow(NamedTuple):
    """A number that the script took out of a tensor; ``number`` counts all reads, also those that the record does not keep."""

    number: int
    step: int
    how: str
    value: float
    tensor: str
    file: str | None
    line: int | None


class FactRow(NamedTuple):
    """Something that was measured for the checks."""

    step: int  # that it belongs to; 0 before the first
    kind: str
    values: dict[str, Any]
    file: str | None
    line: int | None


class UnseenRow(NamedTuple):
    """Something that could not be watched, and why."""

    what: str
    why: str
    file: str | None
    line: int | None
