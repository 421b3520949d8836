"""The steps between two looks at the device: kept as plain numbers, then told to the listeners all at once."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from descend.record.events import EpochDone, Listener, StepsDone
from descend.train.engine import Engine


@dataclass(slots=True)
class _Epoch:
    """The part of one epoch that has not been told yet."""

    number: int
    rates: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    ended_after: float | None = None  # seconds of training, once the epoch is over
    metrics: Mapping[str, Any] = field(default_factory=dict)  # of the other parts of the data


class StepLog:
    """Collects steps; ``flush`` reads their losses from the device once and emits them in order."""

    def __init__(self, engine: Engine, emit: Listener, told: int = 0) -> None:
        self.engine, self.emit = engine, emit
        self.told = told  # steps told so far
        self.first_bad: int | None = None  # the first step whose loss is not finite
        self._epochs: list[_Epoch] = []
        self._sum = self._rows = 0.0  # of the epoch that is being told

    def start_epoch(self, number: int) -> None:
        """The next steps belong to this epoch."""
        self._epochs.append(_Epoch(number))

    def step(self, rate: float, seconds: float, rows: int) -> None:
        """A step has been taken; its loss waits on the device."""
        epoch = self._epochs[-1]
        epoch.rates.append(rate)
        epoch.seconds.append(seconds)
        epoch.rows.append(rows)

    def end_epoch(self, seconds: float, metrics: Mapping[str, Any]) -> None:
        """The epoch is over; it is told with the next ``flush``."""
        self._epochs[-1].ended_after, self._epochs[-1].metrics = seconds, metrics

    def flush(self) -> float | None:
        """Tell everything up to here, or up to the first loss that is not finite, which ends the telling.

        Gives the mean loss over the rows of the epoch told last, None where there is none.
        """
        losses = self.engine.take_losses()
        start, mean = 0, None
        for epoch in self._epochs:
            count = len(epoch.rates)
            if count:
                self._tell(epoch, losses[start : start + count])
                start += count
                if self.first_bad is not None:  # what came after it means nothing
                    return None
            mean = self._sum / self._rows if self._rows else None
            if epoch.ended_after is not None:
                metrics = {"train": {"loss": mean}, **epoch.metrics}
                self.emit(EpochDone(epoch.number, self.told, epoch.ended_after, metrics))
                self._sum = self._rows = 0.0
        open_epochs = [epoch for epoch in self._epochs if epoch.ended_after is None]
        self._epochs = [_Epoch(epoch.number) for epoch in open_epochs]
        return mean

    def _tell(self, epoch: _Epoch, losses: list[float]) -> None:
        if not math.isfinite(sum(losses)):  # a sum of finite float32 losses is finite
            count = next(place for place, loss in enumerate(losses, 1) if not math.isfinite(loss))
            losses, epoch.rows = losses[:count], epoch.rows[:count]
            epoch.rates, epoch.seconds = epoch.rates[:count], epoch.seconds[:count]
            self.first_bad = self.told + count
        self.emit(StepsDone(self.told + 1, epoch.number, losses, epoch.rates, epoch.seconds, epoch.rows))
        self.told += len(losses)
        self._sum += sum(loss * rows for loss, rows in zip(losses, epoch.rows, strict=True))
        self._rows += sum(epoch.rows)
