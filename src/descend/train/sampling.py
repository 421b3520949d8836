"""What is measured only now and then: phase times, norms of every parameter, and whole steps kept as snapshots."""

import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from descend.record.events import Listener, ParameterNorms, PhaseTimes, Snapshot
from descend.train.engine import Engine
from descend.train.parameters import FlatParameters

if TYPE_CHECKING:
    from descend.train.operations import HeardStep

BATCH_BYTES = 4_000_000  # of a snapshot's batch; a full batch can be the whole data set

Batches = Sequence[tuple[Tensor | slice, float]]


def is_sampled(step: int) -> bool:
    """Every step up to 100, then 90 of every tenfold."""
    return step < 100 or step % (_power_of_ten(step) // 10) == 0


def is_snapshot(step: int) -> bool:
    """Steps 1, 10, 100, 1,000 …"""
    return step == _power_of_ten(step)


def _power_of_ten(step: int) -> int:
    """1, 10, 100 …: the largest that is not above ``step``."""
    return int(f"1{'0' * (len(str(step)) - 1)}")


class Room:
    """Where a probe keeps the values before a step, the gradients and the change, made once for all probes of a training."""

    def __init__(self, parameters: FlatParameters) -> None:
        self.flats = torch.zeros(
            3, len(parameters.values), dtype=parameters.values.dtype, device=parameters.values.device
        )
        self.before, self.gradients, self.change = self.flats.unbind()  # (n,) each
        self.views = [view for flat in self.flats.unbind() for view in parameters.views(flat).values()]


class Probe:
    """The ``tick`` of one sampled step: it reads the clock when a phase is over, and looks at the parameters in between.

    What it costs itself is kept in ``cost`` (seconds) and counted in no phase. Work is waited for at each tick, so that the time
    of a GPU falls into the phase that caused it; only sampled steps wait.
    """

    def __init__(
        self,
        engine: Engine,
        room: Room,
        step: int,
        epoch: int,
        batches: Batches,
        *,
        snapshot: bool,
        model_file: str = "",
    ) -> None:
        """snapshot: the step is kept in full. model_file: of a model of the user's, whose operations are then kept as well."""
        started = time.perf_counter()
        self.engine, self.room, self.step, self.epoch = engine, room, step, epoch
        self.seconds: dict[str, float] = {}
        self.places: dict[str, tuple[str, int]] = {}
        room.before.copy_(engine.parameters.values)
        self.norms: tuple[tuple[str, float, float, float], ...] = ()
        self.note = ""
        self.heard: HeardStep | None = None
        if snapshot and model_file:
            from descend.train import operations  # only models of the user's own need it

            self.heard = operations.HeardStep(engine, step, len(batches), model_file)
        self.kept = self._before_step(batches) if snapshot else None
        self.gpu = room.before.device.type
        self.last = time.perf_counter()  # where the phase now running began
        self.cost = self.last - started

    def __call__(self, phase: str) -> None:
        """``phase`` is over."""
        self._wait()
        now = time.perf_counter()
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self.last
        if phase not in self.places:
            frame = sys._getframe(1)
            self.places[phase] = (frame.f_code.co_filename, frame.f_lineno - 1)  # the line above the tick did the work
        if phase == "backward":
            self.room.gradients.copy_(self.engine.parameters.gradients)
        if self.heard is not None:
            self.heard.over(phase)
        self.last = time.perf_counter()
        self.cost += self.last - now

    def measure(self) -> bool:
        """Look at what the step did; False when the loss, a gradient or a value is not finite any more."""
        started = time.perf_counter()
        parameters = self.engine.parameters
        torch.sub(parameters.values, self.room.before, out=self.room.change)
        norms = torch._foreach_norm(self.room.views)
        loss = self.engine.losses[self.engine.filled - 1]
        *flat_numbers, last_loss = torch.stack([*norms, loss]).tolist()  # one device read for all of them
        count = len(parameters.value)
        numbers = zip(*(flat_numbers[kind * count : (kind + 1) * count] for kind in range(3)), strict=True)
        self.norms = tuple((name, *row) for name, row in zip(parameters.value, numbers, strict=True))
        if self.kept is not None:
            self.kept = self._after_step(self.kept)
        self.cost += time.perf_counter() - started
        return all(math.isfinite(number) for number in (*flat_numbers, last_loss))

    def tell(self, emit: Listener) -> None:
        """Tell what was seen."""
        if self.heard is None or self.step == 1:  # to be listened to makes a phase longer than it is
            emit(PhaseTimes(self.step, self.seconds, self.places))
        emit(ParameterNorms(self.step, self.norms))
        if self.kept is not None:
            emit(Snapshot(self.step, self.epoch, self.kept, self.note))
        for event in self.heard.events if self.heard is not None else ():
            emit(event)

    def close(self) -> None:
        """Listen no more, also where the step failed."""
        if self.heard is not None:
            self.heard.close()

    def _wait(self) -> None:
        if self.gpu == "cuda":
            torch.cuda.synchronize()
        elif self.gpu == "mps":
            torch.mps.synchronize()

    def _before_step(self, batches: Batches) -> dict[str, Tensor]:
        """The batch, the optimizer's state and what each layer of a plain stack puts out for it."""
        engine = self.engine
        x, y = (torch.cat(part) for part in zip(*(_rows_of(engine, rows) for rows, _ in batches), strict=True))
        if self.heard is not None and engine.name == "by-hand":
            self.heard.by_module(x, y)
        most = max(1, BATCH_BYTES // (x[0].numel() * x.element_size()))
        if len(x) > most:
            self.note = f"of the batch, the first {most:,} of {len(x):,} rows"
            x, y = x[:most], y[:most]
        kept = {"batch.x": x, "batch.y": y, **_named("state_before", engine.optimizer.state, engine)}
        if engine.name == "by-hand":
            for name, layer in engine.module.named_children():
                x = layer(x)
                kept[f"output.{name}"] = x
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in kept.items()}

    def _after_step(self, kept: dict[str, Tensor]) -> dict[str, Tensor]:
        engine = self.engine
        parameters = engine.parameters
        after: dict[str, Tensor] = {
            "loss": engine.losses[engine.filled - 1],
            **_named("state_after", engine.optimizer.state, engine),
        }
        for prefix, flat in (
            ("before", self.room.before),
            ("gradient", self.room.gradients),
            ("after", parameters.values),
        ):
            after |= {f"{prefix}.{name}": view for name, view in parameters.views(flat).items()}
        after |= self.heard.outside if self.heard is not None else {}
        return kept | {name: tensor.detach().to("cpu", copy=True) for name, tensor in after.items()}


def _rows_of(engine: Engine, rows: Tensor | slice) -> tuple[Tensor, Tensor]:
    return engine.features[rows], engine.targets[rows]


def _named(prefix: str, state: Mapping[str, Tensor], engine: Engine) -> dict[str, Tensor]:
    """The optimizer's state by kind and parameter: ``state_before.mean.output.weight``; counters without a parameter."""
    named: dict[str, Tensor] = {}
    for kind, tensor in state.items():
        if tensor.ndim == 0:
            named[f"{prefix}.{kind}"] = tensor
        else:
            named |= {f"{prefix}.{kind}.{name}": view for name, view in engine.parameters.views(tensor).items()}
    return named
