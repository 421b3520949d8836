"""What is told of the steps, in which order, and the exact mean of an epoch's losses."""

import math

import pytest
import torch

from descend.record.events import EpochDone, StepsDone
from descend.train.log import StepLog


class Losses:
    """Stands for an engine whose losses wait to be taken."""

    def __init__(self):
        self.waiting = []

    def take_losses(self):
        taken, self.waiting = self.waiting, []
        return taken


@pytest.fixture
def made():
    engine, told = Losses(), []
    return engine, StepLog(engine, told.append), told


def take_steps(engine, log, losses, rows, rate=0.1):
    for loss, count in zip(losses, rows, strict=True):
        engine.waiting.append(loss)
        log.step(rate, 0.5, count)


def test_the_mean_of_an_epoch_is_over_its_rows(made):
    engine, log, told = made
    log.start_epoch(1)
    take_steps(engine, log, [4.0, 1.0], [64, 16])
    log.end_epoch(1.0, {"test": {"loss": 9.0}})
    assert log.flush() == (4.0 * 64 + 1.0 * 16) / 80
    steps, epoch = told
    assert steps == StepsDone(1, 1, [4.0, 1.0], [0.1, 0.1], [0.5, 0.5], [64, 16])
    assert epoch == EpochDone(1, 2, 1.0, {"train": {"loss": 3.4}, "test": {"loss": 9.0}})


def test_looks_in_the_middle_of_epochs_change_nothing(made):
    """Three epochs of unequal steps, looked at here and there: same steps, same means, in the same order."""
    torch.manual_seed(0)
    looks = [{(1, 0), (1, 2), (2, 0)}, set(), {(3, 4)}]
    results = []
    for look_at in looks:
        engine, told = Losses(), []
        log = StepLog(engine, told.append)
        for number, count in ((1, 3), (2, 1), (3, 5)):
            log.start_epoch(number)
            for step in range(count):
                take_steps(engine, log, [float(number * 10 + step)], [step + 1])
                if (number, step) in look_at:
                    log.flush()
            log.end_epoch(float(number), {})
        log.flush()
        steps = [
            (event.first + place, event.epoch, event.losses[place], event.rows[place])
            for event in told
            if isinstance(event, StepsDone)
            for place in range(len(event.losses))
        ]
        epochs = [event for event in told if isinstance(event, EpochDone)]
        results.append((steps, epochs))
        assert log.told == 9
        assert log.first_bad is None
    assert results[0] == results[1] == results[2]
    steps, epochs = results[0]
    assert [step for step, *_ in steps] == list(range(1, 10))
    assert [(event.epoch, event.step) for event in epochs] == [(1, 3), (2, 4), (3, 9)]
    means = [event.metrics["train"]["loss"] for event in epochs]
    assert means == [(10 * 1 + 11 * 2 + 12 * 3) / 6, 20, (30 * 1 + 31 * 2 + 32 * 3 + 33 * 4 + 34 * 5) / 15]


def test_nothing_to_tell(made):
    _, log, told = made
    assert log.flush() is None
    log.start_epoch(1)
    assert log.flush() is None
    assert told == []


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_the_telling_ends_at_the_first_loss_that_is_not_finite(made, bad):
    engine, log, told = made
    log.start_epoch(1)
    take_steps(engine, log, [1.0, 2.0], [8, 8])
    log.flush()
    take_steps(engine, log, [3.0, bad, 5.0, math.nan], [8, 8, 8, 8])
    log.end_epoch(1.0, {})
    assert log.flush() is None
    assert log.first_bad == 4
    assert log.told == 4
    assert [event.first for event in told] == [1, 3]
    assert told[1].losses[0] == 3.0
    assert len(told[1].losses) == len(told[1].rates) == len(told[1].seconds) == len(told[1].rows) == 2


def test_huge_losses_are_finite(made):
    engine, log, _ = made
    log.start_epoch(1)
    take_steps(engine, log, [3e38] * 4000, [64] * 4000)
    assert log.flush() == pytest.approx(3e38)
    assert log.first_bad is None
