"""How hard the machine works for a training: threads, processor time beside the time that passed, loaders that ``--fast`` knows.

Told as the fact ``pace`` when the program ends: ``threads``, ``cores``, ``seconds`` and ``cpu_seconds`` between the end of the first step
that was looked at and that of the last, ``first_step``, ``last_step``. And as the fact ``fast`` when a loader is first gone through:
``file`` and ``line`` (where it was made), ``dataset`` (its class), ``batch_size``, ``workers``, ``why`` (``--fast`` would leave it as it is; empty where it would not); its place is the
line that goes through it.
"""

import os
import time
import weakref
from collections.abc import Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from descend.watch.facts.moments import Collector, Telling
from descend.watch.fast import why_not_replaced
from descend.watch.places import NOWHERE, Place

_MOST = 16  # loaders


class Pace(Collector):
    """Notes the clocks at steps that are looked at."""

    def __init__(self, tell: Telling) -> None:
        super().__init__(tell)
        self._loaders: weakref.WeakSet[Any] = weakref.WeakSet()
        self._made: weakref.WeakKeyDictionary[Any, Place] = weakref.WeakKeyDictionary()
        self._told = 0
        self._first: tuple[int, float, float] | None = None
        self._last: tuple[int, float, float] | None = None

    def loader_made(self, loader: Any, frame: FrameType | None) -> None:
        if type(loader) is DataLoader:
            self._made[loader] = self.tell.place(frame)

    def loader_begins(self, loader: Any, step: int, frame: FrameType | None) -> None:
        if self._told < _MOST and type(loader) is DataLoader and loader not in self._loaders:
            self._told += 1
            self._loaders.add(loader)
            file, line = self._made.get(loader, NOWHERE)
            values = {
                "file": file,
                "line": line,
                "dataset": type(loader.dataset).__name__,
                "batch_size": loader.batch_size if isinstance(loader.batch_size, int) else 0,
                "workers": loader.num_workers,
                "why": why_not_replaced(loader),
            }
            self.tell.fact(max(0, step - 1), "fast", values, self.tell.place(frame))

    def step_done(self, step: int, leaves: Sequence[Tensor]) -> None:
        now = (step, time.perf_counter(), time.process_time())
        self._first = self._first or now
        self._last = now

    def finished(self, step: int) -> None:
        if self._first is not None and self._last is not None and self._last[0] > self._first[0]:
            values = {
                "threads": torch.get_num_threads(),
                "cores": _processors(),
                "seconds": self._last[1] - self._first[1],
                "cpu_seconds": self._last[2] - self._first[2],
                "first_step": self._first[0],
                "last_step": self._last[0],
            }
            self.tell.fact(step, "pace", values)


def _processors() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
