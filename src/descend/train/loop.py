"""The loop around the step: epochs, evaluation, the best weights, stopping, and what is told to the listeners when."""

import bdb
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from descend.data.dataset import Examples
from descend.record.events import EpochDone, Listener, Message
from descend.train.engine import Engine
from descend.train.log import StepLog
from descend.train.losses import Loss
from descend.train.metrics import evaluate, scalars
from descend.train.prepare import permutation
from descend.train.recipe import MODELS, Recipe
from descend.train.sampling import Batches, Probe, Room, is_sampled, is_snapshot
from descend.train.schedule import Schedule
from descend.train.step import step

if TYPE_CHECKING:
    from descend.train.pause import Away

SECONDS_BETWEEN_LOOKS = 0.25  # how often losses are read from the device, and so how often a live view can change


@dataclass(slots=True)
class Parts:
    """The three parts of the examples, on the device."""

    train: Examples
    validation: Examples | None
    test: Examples | None

    def __iter__(self) -> Iterator[tuple[str, Examples | None]]:
        yield from (("train", self.train), ("validation", self.validation), ("test", self.test))


@dataclass(slots=True)
class Good:
    """A point of the training at which every loss so far was finite."""

    values: Tensor
    state: dict[str, Tensor]
    random: Tensor
    step: int  # steps taken


@dataclass(slots=True)
class Progress:
    """Where a training stands."""

    step: int = 0  # steps taken
    epoch: int = 0  # epochs begun
    status: str = "finished"
    best_loss: float = math.inf  # on the validation rows
    best_epoch: int | None = None
    waited: int = 0  # epochs since the best
    training_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    sampling_seconds: float = 0.0
    before: dict[str, dict[str, Any]] = field(default_factory=dict)  # metrics of the untrained model, by part


class Loop:
    """One training, from the untrained model to the last epoch."""

    def __init__(
        self,
        recipe: Recipe,
        module: nn.Module,
        engine: Engine,
        parts: Parts,
        loss: Loss,
        emit: Listener,
    ) -> None:
        self.recipe, self.module, self.engine, self.parts, self.loss_function = recipe, module, engine, parts, loss
        self.emit = emit
        self.model_file = "" if recipe.model in MODELS else recipe.model.rpartition(":")[0]
        self.should_stop: Callable[[], bool] = lambda: False  # somebody asked to end here
        self.pause_at: int | None = None
        self.pause: Callable[[int, float, Away], None] | None = None
        self.rows = len(parts.train)
        self.batch_size = self.rows if recipe.batch_size == "all" else min(int(recipe.batch_size), self.rows)
        self.rows_a_step = min(self.batch_size * recipe.accumulate, self.rows)
        self.steps_per_epoch = -(-self.rows // self.rows_a_step)
        self.schedule = Schedule(recipe, self.steps_per_epoch)
        self.log = StepLog(engine, emit)
        self.room = Room(engine.parameters)
        self.progress = Progress()
        self.best: dict[str, Tensor] | None = None
        self.look_at = 0.0
        self.start = engine.parameters.values.clone()  # where everything began
        self.good = self.mark_good()
        self.examples_seen = 0
        self.away_seconds = 0.0  # spent in a debugger
        self.probe: Probe | None = None  # of the last step that was looked at

    def run(self) -> Progress:
        """Train. Stops early when asked to, when validation stopped improving, or when a loss is not finite any more."""
        progress = self.progress
        progress.before = {name: self.timed_evaluation(part) for name, part in self.parts if part is not None}
        self.emit(EpochDone(0, 0, 0.0, {name: scalars(metrics) for name, metrics in progress.before.items()}))
        for epoch in range(1, self.recipe.epochs + 1):
            progress.epoch = epoch
            try:
                self.train_epoch(epoch)
            except bdb.BdbQuit:  # `q` in the debugger: what was done until then is kept
                progress.step = self.log.told + self.engine.filled
                progress.status = "interrupted"
            if progress.status != "finished":
                break
        if progress.status != "diverged":
            self.look()
        return progress

    def train_epoch(self, epoch: int) -> None:
        """Every row once; then evaluation."""
        recipe, progress, schedule, log, engine = self.recipe, self.progress, self.schedule, self.log, self.engine
        log.start_epoch(epoch)
        started = before = time.perf_counter()
        sampled_before = progress.sampling_seconds
        away = away_before = self.away_seconds
        rows_left = self.rows
        for batches in self.batches(epoch):
            progress.step = number = progress.step + 1
            lr = schedule.rate(number)
            probe, tick, healthy = None, _no_tick, True
            if is_sampled(number):
                kept = is_snapshot(number)
                probe = tick = Probe(
                    engine, self.room, number, epoch, batches, snapshot=kept, model_file=self.model_file
                )
                self.probe = probe
            try:
                step(engine, batches, lr, recipe.clip, tick, self.pauser(number, lr, probe))
            finally:
                if probe is not None:
                    probe.close()
            if probe is not None:
                healthy = probe.measure()
                progress.sampling_seconds += probe.cost
                before += probe.cost
            before += self.away_seconds - away
            away = self.away_seconds
            now = time.perf_counter()
            rows = min(self.rows_a_step, rows_left)
            log.step(lr, now - before, rows)
            before = now
            rows_left -= rows
            if now > self.look_at or engine.full or not healthy:
                self.look()
                before = time.perf_counter()
            if probe is not None and (log.first_bad is None or number <= log.first_bad):
                probe.tell(self.emit)
            if self.should_stop():
                progress.status = "interrupted"
            if progress.status != "finished":
                break
        seconds = time.perf_counter() - started - (progress.sampling_seconds - sampled_before)
        seconds -= self.away_seconds - away_before
        progress.training_seconds += seconds
        self.examples_seen += self.rows - rows_left
        if progress.status == "finished":
            self.end_epoch(epoch, seconds)

    def pauser(self, number: int, lr: float, probe: Probe | None) -> Callable[[], None] | None:
        """What the step calls when a person wants to look around in this one; their time is not the training's."""
        pause = self.pause
        if pause is None or number != self.pause_at:
            return None

        def away(seconds: float) -> None:
            self.away_seconds += seconds
            if self.probe is not None:  # not the paused step's: a person may go on line by line, into another
                self.probe.last += seconds

        def look_around() -> None:
            started = time.perf_counter()
            pause(number, lr, away)
            seconds = time.perf_counter() - started  # calling nothing of ours from here: the debugger would stop in it
            self.away_seconds += seconds
            if probe is not None:
                probe.last += seconds

        return look_around

    def end_epoch(self, epoch: int, seconds: float) -> None:
        """Evaluate, keep the best weights, let the schedule and early stopping see how it went."""
        others = {name: part for name, part in self.parts if part is not None and name != "train"}
        metrics = {name: self.timed_evaluation(part) for name, part in others.items()}
        self.log.end_epoch(seconds, {name: scalars(each) for name, each in metrics.items()})
        if not metrics and not self.schedule.needs_losses:
            return
        mean = self.look()
        if self.progress.status != "finished" or mean is None:
            return
        judged = float(metrics["validation"]["loss"]) if "validation" in metrics else mean
        if self.schedule.after_epoch(judged):
            rate = self.schedule.rate(self.progress.step + 1)
            self.emit(
                Message(self.progress.step, "learning rate", f"loss stands still: learning rate lowered to {rate:g}")
            )
        if "validation" in metrics:
            self.judge(epoch, judged)

    def judge(self, epoch: int, loss: float) -> None:
        """Keep these weights if no epoch did better on the validation rows; stop when that was long ago."""
        progress = self.progress
        if loss < progress.best_loss:
            progress.best_loss, progress.best_epoch, progress.waited = loss, epoch, 0
            self.best = {name: value.clone() for name, value in self.module.state_dict().items()}
            return
        progress.waited += 1
        patience = self.recipe.early_stopping
        if patience is not None and progress.waited >= patience:
            progress.status = "stopped early"
            kept = (
                "no epoch had a finite one" if progress.best_epoch is None else f"epoch {progress.best_epoch} is kept"
            )
            text = f"validation loss has not fallen for {progress.waited} epochs: stopped, {kept}"
            self.emit(Message(progress.step, "stopped early", text))

    def batches(self, epoch: int) -> Iterator[Batches]:
        """What each step of the epoch looks at: rows in a new order drawn from (seed, epoch), or in the order they have."""
        if self.recipe.shuffle:
            order = permutation(self.rows, self.recipe.seed, epoch).to(self.engine.features.device)
            parts: list[Tensor | slice] = list(torch.split(order, self.batch_size))
        else:
            starts = range(0, self.rows, self.batch_size)
            parts = [slice(start, min(start + self.batch_size, self.rows)) for start in starts]
        if self.recipe.accumulate == 1:
            for rows in parts:
                yield ((rows, 1.0),)
            return
        sizes = [rows.stop - rows.start if isinstance(rows, slice) else len(rows) for rows in parts]
        for start in range(0, len(parts), self.recipe.accumulate):
            chosen = slice(start, start + self.recipe.accumulate)
            together = sum(sizes[chosen])
            yield [(rows, size / together) for rows, size in zip(parts[chosen], sizes[chosen], strict=True)]

    def look(self) -> float | None:
        """Read the losses that wait on the device and tell them; a loss that is not finite ends the training."""
        mean = self.log.flush()
        self.look_at = time.perf_counter() + SECONDS_BETWEEN_LOOKS
        if self.log.first_bad is not None:
            self.progress.status, self.progress.step = "diverged", self.log.first_bad
        else:
            self.good = self.mark_good()
        return mean

    def mark_good(self) -> Good:
        """This point, to come back to when a later loss is not finite."""
        engine = self.engine
        state = {name: tensor.clone() for name, tensor in engine.optimizer.state.items()}
        return Good(engine.parameters.values.clone(), state, torch.get_rng_state(), self.progress.step)

    def timed_evaluation(self, examples: Examples) -> dict[str, Any]:
        """Metrics of these examples; the time does not count as training."""
        started = time.perf_counter()
        metrics = evaluate(self.module, examples, self.loss_function)
        self.progress.evaluation_seconds += time.perf_counter() - started
        return metrics


def _no_tick(phase: str) -> None:
    """Nobody listens in most steps."""
