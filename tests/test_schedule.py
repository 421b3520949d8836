"""Learning rates against PyTorch's schedulers, every step."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from descend.train.recipe import SCHEDULES, Recipe
from descend.train.schedule import Schedule

lengths = {"epochs": st.integers(1, 12), "steps_per_epoch": st.integers(1, 9)}
rates = st.floats(1e-6, 10.0)


def torch_optimizer(lr):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def rate_of(optimizer):
    optimizer.step()  # PyTorch warns when a scheduler steps before its optimizer
    return optimizer.param_groups[0]["lr"]


def ours(schedule, epochs, steps_per_epoch, **others):
    return Schedule(Recipe(schedule=schedule, epochs=epochs, **others), steps_per_epoch)


@given(lr=rates, **lengths)
def test_constant(lr, epochs, steps_per_epoch):
    schedule = ours("constant", epochs, steps_per_epoch, lr=lr)
    assert {schedule.rate(step) for step in range(1, epochs * steps_per_epoch + 1)} == {lr}


@given(lr=rates, **lengths)
def test_cosine_falls_step_by_step_to_nearly_zero(lr, epochs, steps_per_epoch):
    schedule, steps = ours("cosine", epochs, steps_per_epoch, lr=lr), epochs * steps_per_epoch
    optimizer = torch_optimizer(lr)
    theirs = lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    for step in range(1, steps + 1):
        assert schedule.rate(step) == pytest.approx(rate_of(optimizer), rel=1e-9, abs=1e-12 * lr)
        theirs.step()


@given(lr=rates, **lengths)
@settings(max_examples=100)
def test_one_cycle(lr, epochs, steps_per_epoch):
    schedule, steps = ours("one-cycle", epochs, steps_per_epoch, lr=lr), epochs * steps_per_epoch
    optimizer = torch_optimizer(lr)
    theirs = lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=steps, cycle_momentum=False)
    for step in range(1, steps + 1):
        assert schedule.rate(step) == pytest.approx(rate_of(optimizer), rel=1e-9, abs=1e-15)
        if step < steps:
            theirs.step()


@given(lr=rates, every=st.integers(1, 5), factor=st.floats(0.01, 0.99), **lengths)
def test_step_drops_every_so_many_epochs(lr, every, factor, epochs, steps_per_epoch):
    schedule = ours("step", epochs, steps_per_epoch, lr=lr, schedule_every=every, schedule_factor=factor)
    optimizer = torch_optimizer(lr)
    theirs = lr_scheduler.StepLR(optimizer, step_size=every, gamma=factor)
    for epoch in range(epochs):
        rate = rate_of(optimizer)
        for step in range(epoch * steps_per_epoch + 1, (epoch + 1) * steps_per_epoch + 1):
            assert schedule.rate(step) == pytest.approx(rate, rel=1e-9)
        theirs.step()


losses = st.lists(
    st.sampled_from([math.inf, math.nan, 2.0, 1.0, 1.0 - 1e-4, 1.0 - 2e-4, 0.5, 0.0, -1.0]), min_size=1, max_size=40
)


@given(lr=rates, every=st.integers(1, 4), factor=st.floats(0.01, 0.99), heard=losses)
@settings(max_examples=150)
def test_plateau_lowers_the_rate_when_the_loss_stands_still(lr, every, factor, heard):
    schedule = ours("plateau", len(heard), 3, lr=lr, schedule_every=every, schedule_factor=factor)
    optimizer = torch_optimizer(lr)
    theirs = lr_scheduler.ReduceLROnPlateau(optimizer, factor=factor, patience=every)
    for epoch, loss in enumerate(heard):
        before = schedule.rate(3 * epoch + 1)
        assert {schedule.rate(3 * epoch + number) for number in (1, 2, 3)} == {before}
        assert before == pytest.approx(rate_of(optimizer), rel=1e-9)
        theirs.step(loss)
        lowered = schedule.after_epoch(loss)
        assert lowered == (schedule.rate(3 * epoch + 4) < before)
    assert schedule.rate(3 * len(heard) + 1) == pytest.approx(rate_of(optimizer), rel=1e-9)


def test_plateau_waits_as_many_epochs_as_it_is_told():
    schedule = ours("plateau", 10, 1, lr=1.0, schedule_every=2, schedule_factor=0.5)
    assert [schedule.after_epoch(1.0) for _ in range(7)] == [False, False, False, True, False, False, True]
    assert schedule.rate(8) == 0.25


def test_plateau_never_reaches_zero():
    schedule = ours("plateau", 10, 1, lr=0.1, schedule_every=1)
    lowered = sum(schedule.after_epoch(1.0) for _ in range(1000))
    assert lowered == 7
    assert schedule.rate(1001) == pytest.approx(1e-8)


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize(("epochs", "steps_per_epoch"), [(1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (10, 1)])
def test_the_shortest_trainings_have_a_rate_for_each_step(kind, epochs, steps_per_epoch):
    schedule = ours(kind, epochs, steps_per_epoch, lr=0.1)
    for step in range(1, epochs * steps_per_epoch + 1):
        assert 0 < schedule.rate(step) <= 0.1
        if step % steps_per_epoch == 0:
            schedule.after_epoch(1.0)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_only_plateau_listens_to_losses(kind):
    schedule = ours(kind, 100, 1, schedule_every=1)
    assert schedule.needs_losses == (kind == "plateau")
    assert any(schedule.after_epoch(1.0) for _ in range(10)) == (kind == "plateau")


def test_a_state_goes_on_where_it_was_taken():
    first = ours("plateau", 20, 1, lr=1.0, schedule_every=2)
    for loss in (1.0, 1.0, 1.0, 1.0, 0.5, 0.6):
        first.after_epoch(loss)
    second = ours("plateau", 20, 1, lr=1.0, schedule_every=2)
    second.restore(first.state())
    told = [0.6, 0.6, 0.4, 0.6, 0.6, 0.6]
    assert [first.after_epoch(loss) for loss in told] == [second.after_epoch(loss) for loss in told]
    assert first.rate(13) == second.rate(13) < 0.1
