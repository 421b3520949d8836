"""What is trained, by whom, and what should come out: the jobs, their contenders and their targets. Imports no tensors."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

HERE = Path(__file__).resolve().parent
Measure = Literal["seconds", "wall", "peak_mb"]
MEASURES: Mapping[Measure, str] = {
    "seconds": "seconds per epoch",
    "wall": "wall from process start",
    "peak_mb": "peak memory",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A figure to reach: a measure of one contender, divided by that of another where one is named."""

    measure: Measure
    of: str
    over: str | None
    bound: float
    at_least: bool

    @property
    def text(self) -> str:
        """``seconds per epoch, dataloader ÷ descend``"""
        return f"{MEASURES[self.measure]}, {self.of}" + (f" ÷ {self.over}" if self.over else "")

    @property
    def bound_text(self) -> str:
        """``at least 9``"""
        unit = "" if self.over else {"seconds": " s", "wall": " s", "peak_mb": " MB"}[self.measure]
        return f"{'at least' if self.at_least else 'at most'} {self.bound:g}{unit}"

    def is_met(self, value: float) -> bool:
        """Whether this value reaches it."""
        return value >= self.bound if self.at_least else value <= self.bound


@dataclass(frozen=True, slots=True)
class Job:
    """One thing to do, and everybody who does it. ``contenders``: name → what it is, in words."""

    key: str
    title: str
    contenders: Mapping[str, str]
    targets: tuple[Target, ...]
    epochs: int = 0
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of contenders that are not in contender.py

    def command(self, contender: str, *, threads: int = 1, rows: int | None = None) -> list[str]:
        """What is started for this contender; ``rows`` cuts the data short, ``threads`` is for the plain PyTorch loops."""
        if contender in self.commands and (rows is None or not self.epochs):
            return [sys.executable, *self.commands[contender]]
        command = [sys.executable, str(HERE / "contender.py"), self.key, contender, str(self.epochs)]
        return [*command, "--threads", str(threads), *([] if rows is None else ["--rows", str(rows)])]


_DESCEND = "descend, with progress, record and metrics"
_DATALOADER = "DataLoader loop, as tutorials write it"
_VECTORISED = "vectorised loop: autograd, fused optimizer"
_BY_HAND = "step derived by hand for this model alone"
_JAX = "JAX, an epoch in one compiled program"


def _table_job(key: str, title: str) -> Job:
    return Job(
        key=key,
        title=title,
        contenders={
            "descend": _DESCEND,
            "by hand": _BY_HAND,
            "vectorised": _VECTORISED,
            "dataloader": _DATALOADER,
            "jax": _JAX,
        },
        targets=(Target("seconds", "descend", "by hand", 1.2, at_least=False),),
        epochs=2,
    )


JOBS: Mapping[str, tuple[Job, ...]] = {
    "A": (
        Job(
            key="A",
            title="MNIST, 784 → 128 → 10, Adam 0.001, batch 64, 3 epochs",
            contenders={
                "descend": _DESCEND,
                "dataloader": _DATALOADER,
                "vectorised": _VECTORISED,
                "jax": _JAX,
            },
            targets=(
                Target("seconds", "dataloader", "descend", 9, at_least=True),
                Target("seconds", "vectorised", "descend", 1.6, at_least=True),
                Target("wall", "dataloader", "descend", 5, at_least=True),
                Target("peak_mb", "descend", None, 550, at_least=False),
            ),
            epochs=3,
            commands={"descend": ("-m", "descend", "train", "mnist", "--epochs", "3", "--json")},
        ),
    ),
    "C": (
        Job(
            key="C",
            title="MNIST, softmax regression, lr 0.5, batch 64 in order, 2 epochs",
            contenders={"descend": _DESCEND, "tutorial": "tutorial loop: bare tensors, autograd", "jax": _JAX},
            targets=(Target("seconds", "descend", "tutorial", 0.6, at_least=False),),
            epochs=2,
            commands={"descend": ("-m", "descend", "train", "mnist-softmax", "--epochs", "2", "--json")},
        ),
    ),
    "D": (
        _table_job("D-linear", "2,000,000 × 20 table, linear, SGD 0.01, batch 1024, 2 epochs"),
        _table_job("D-two-layer", "2,000,000 × 20 table, 20 → 64 → 1, Adam 0.001, batch 1024, 2 epochs"),
    ),
    "start": (
        Job(
            key="start",
            title="from process start to its end",
            contenders={
                "help": "descend --help",
                "scores": "descend train scores (2,000 epochs)",
                "import torch": "python -c 'import torch', for comparison",
            },
            targets=(
                Target("wall", "help", None, 0.3, at_least=False),
                Target("wall", "scores", None, 2.5, at_least=False),
            ),
            commands={
                "help": ("-m", "descend", "--help"),
                "scores": ("-m", "descend", "train", "scores", "--json"),
                "import torch": ("-c", "import torch"),
            },
        ),
    ),
}
