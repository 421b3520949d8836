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
