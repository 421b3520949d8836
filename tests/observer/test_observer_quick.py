"""The quick ways: steps that nobody looks at are told as exactly as all others. What they cost is estimated."""

import weakref

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as some
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from descend.record.events import Evaluation, PhaseTimes, StepsDone, Unseen
from descend.watch.cost import Looks, pace_of_python, quick_cost
from descend.watch.observer import Observer
from descend.watch.pause import Pause
from descend.watch.tracker import Tracker


def rows_of(n: int) -> TensorDataset:
    x = torch.randn(n, 4)
    return TensorDataset(x, x.sum(1, keepdim=True))


def by_hand_from_a_loader():
    weight, losses = torch.zeros(4, 1, requires_grad=True), []
    for _ in range(4):
        for x, y in DataLoader(rows_of(100), batch_size=8):
            loss = ((x @ weight - y) ** 2).mean()
            loss.backward()
            with torch.no_grad():
                weight -= 0.05 * weight.grad
                weight.grad.zero_()
            losses.append(loss.item())
    return {"losses": losses, "weight": weight}


def from_a_loader():
    model, losses = nn.Linear(4, 1), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
    loader = DataLoader(rows_of(100), batch_size=8, shuffle=True)
    rates = []
    for _ in range(4):
        for x, y in loader:
            loss = F.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    return {"losses": losses, "rates": rates, **model.state_dict()}


@pytest.mark.parametrize("program", [by_hand_from_a_loader, from_a_loader])
def test_every_batch_of_a_loader_is_told_with_its_rows_and_epoch(watch, program):
    seen = watch(program)
    assert seen.losses == seen.result["losses"]
    assert seen.rows == [*[8] * 12, 4] * 4
    assert seen.epochs == [epoch for epoch in range(1, 5) for _ in range(13)]
    assert seen.rates == pytest.approx(seen.result.get("rates", [0.05] * 52))


def weighted():
    weight, losses = torch.ones(3, requires_grad=True), []
    optimizer = torch.optim.SGD([weight], lr=0.1)
    for _ in range(60):
        loss = (weight**2).sum()
        torch.autograd.backward(loss, grad_tensors=torch.tensor(0.5))
        optimizer.step()
        optimizer.zero_grad()
        losses.append(0.5 * loss.item())
    return {"losses": losses}


def test_a_weighted_loss_is_told_weighted_at_every_step(watch):
    seen = watch(weighted)
    assert seen.losses == pytest.approx(seen.result["losses"])


def examined_carelessly():
    model, losses = nn.Linear(4, 1), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    x, y = torch.randn(30, 4), torch.randn(30, 1)
    for step in range(90):
        loss = F.mse_loss(model(x[:20]), y[:20])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 30 == 25:
            with torch.no_grad():  # and no eval()
                F.mse_loss(model(x[20:]), y[20:])
                F.mse_loss(model(x[10:20]), y[10:20])
    return {"losses": losses}


def examined_from_a_loader():
    model, losses = nn.Linear(4, 1), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    loader, held_out = DataLoader(rows_of(120), batch_size=4), DataLoader(rows_of(8), batch_size=4)
    for _ in range(3):
        for x, y in loader:
            loss = F.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        for x, _y in held_out:
            model(x)  # neither no_grad nor eval()
    return {"losses": losses}


@pytest.mark.parametrize(
    ("program", "steps", "gradients"),
    [(examined_carelessly, [26, 56, 86], False), (examined_from_a_loader, [30, 60, 90], True)],
)
def test_evaluations_between_quick_steps_are_told(watch, program, steps, gradients):
    seen = watch(program)
    assert seen.losses == seen.result["losses"]
    assert [(one.step, one.passes, one.gradients) for one in seen.all(Evaluation)] == [
        (step, 2, gradients) for step in steps
    ]


def two_lines():
    weight, losses = torch.ones(2, requires_grad=True), []
    optimizer = torch.optim.SGD([weight], lr=0.01)
    for step in range(120):
        optimizer.zero_grad()
        if step % 3 == 0:
            loss = (weight**2).sum()
            loss.backward()
        else:
            loss = (weight - 1).abs().sum()
            torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "weight": weight}


def test_backward_passes_of_two_lines_in_turn(watch):
    seen = watch(two_lines)
    assert seen.losses == seen.result["losses"]
    assert seen.rates == pytest.approx([0.01] * 120)


def with_a_function_of_its_own():
    weight, losses, calls = torch.ones(2, requires_grad=True), [], []
    theirs = torch.autograd.backward

    def backward(*args, **kwargs):
        calls.append(len(args))
        theirs(*args, **kwargs)

    torch.autograd.backward = backward
    try:
        for _ in range(50):
            loss = (weight**2).sum()
            loss.backward()
            with torch.no_grad():
                weight -= 0.1 * weight.grad
                weight.grad = None
            losses.append(loss.item())
    finally:
        torch.autograd.backward = theirs
    return {"losses": losses, "calls": calls}


def test_a_programs_own_backward_is_called_as_ever(watch):
    seen = watch(with_a_function_of_its_own)
    assert seen.losses == seen.result["losses"]


def accumulated():
    model, losses = nn.Linear(4, 1), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(50):
        for _ in range(3):
            x = torch.randn(6, 4)
            loss = F.mse_loss(model(x), x.sum(1, keepdim=True))
            (loss / 3).backward()
            losses.append(loss.item())
        optimizer.step()
        optimizer.zero_grad()
    return {"losses": losses, **model.state_dict()}


def two_optimizers():
    generator, discriminator, losses = nn.Linear(2, 3), nn.Linear(3, 1), []
    first = torch.optim.SGD(generator.parameters(), lr=0.01)
    second = torch.optim.SGD(discriminator.parameters(), lr=0.02)
    for step in range(60):
        made = generator(torch.randn(5 + step % 2, 2))
        loss = discriminator(made.detach()).square().mean()
        second.zero_grad()
        loss.backward()
        second.step()
        losses.append(loss.item())
        loss = -discriminator(made).mean()
        first.zero_grad()
        loss.backward()
        first.step()
        losses.append(loss.item())
    return {"losses": losses}


def optimizers_one_after_another():
    losses = []
    for fold in range(4):
        model = nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1 / (fold + 1))
        for _ in range(40):
            loss = model(torch.ones(2, 3)).square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        del model, optimizer
    return {"losses": losses}


def parameters_made_anew():
    losses = []
    for _ in range(3):
        weight = torch.ones(2, requires_grad=True)
        for _ in range(40):
            loss = (weight**2).sum()
            loss.backward()
            with torch.no_grad():
                weight -= 0.1 * weight.grad
                weight.grad = None
            losses.append(loss.item())
    return {"losses": losses}


def scaled():
    weight, losses = torch.ones(2, requires_grad=True), []
    optimizer = torch.optim.SGD([weight], lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    for _ in range(60):
        loss = (weight**2).sum()
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    return {"losses": losses}


def two_loaders():
    model, losses = nn.Linear(4, 1), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(2):
        others = DataLoader(TensorDataset(torch.randn(400, 4)), batch_size=8)
        for (x, y), (z,) in zip(DataLoader(rows_of(200), batch_size=4), others, strict=True):
            loss = F.mse_loss(model(x), y) + 0.1 * model(z).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return {"losses": losses}


def workers_that_stay():
    model, losses = nn.Linear(4, 1), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    loader = DataLoader(rows_of(120), batch_size=4, num_workers=1, persistent_workers=True)
    for _ in range(3):
        for x, y in loader:
            loss = F.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return {"losses": losses}


def by_hand_with_a_module():
    model, losses = nn.Linear(4, 1), []
    for step in range(90):
        x = torch.randn(3 + step % 5, 4)
        loss = F.mse_loss(model(input=x), x.sum(1, keepdim=True))
        loss.backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.sub_(0.05 * parameter.grad)
                parameter.grad = None
        losses.append(loss.item())
    return {"losses": losses}


def by_hand_and_by_an_optimizer():
    one, other, losses = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True), []
    optimizer = torch.optim.SGD([other], lr=0.01)
    for _ in range(50):
        loss = (one**2).sum()
        loss.backward()
        with torch.no_grad():
            one -= 0.01 * one.grad
            one.grad = None
        losses.append(loss.item())
        loss = (other**2).sum()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return {"losses": losses}


def scaled_twice():
    weight, losses = torch.ones(2, requires_grad=True), []
    optimizer = torch.optim.SGD([weight], lr=0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for _ in range(60):
        loss = (weight**2).sum()
        large = scaler.scale(loss)
        large.backward(retain_graph=True)
        large.backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        losses.append(loss.item())
    return {"losses": losses}


@pytest.mark.parametrize(
    ("program", "often"),
    [
        (accumulated, 0.7),
        (by_hand_and_by_an_optimizer, 0.7),
        (by_hand_from_a_loader, 0.7),
        (by_hand_with_a_module, 0.5),
        (examined_carelessly, 0.7),
        (examined_from_a_loader, 0.7),
        (from_a_loader, 0.7),
        (optimizers_one_after_another, 0.7),
        (parameters_made_anew, 0.7),
        (scaled, 0.7),
        (scaled_twice, 0.9),  # of its steps; there are two passes in each
        (two_lines, 0.7),
        (two_loaders, 0.5),
        (two_optimizers, 0.7),
        (workers_that_stay, 0.5),
    ],
)
def test_the_quick_ways_tell_what_the_slow_ways_tell(watch, monkeypatch, program, often):
    slowly = []

    def before_backward(tracker: Tracker, *args, **kwargs):
        slowly.append(tracker)
        return usual(tracker, *args, **kwargs)

    usual = Tracker.before_backward
    monkeypatch.setattr(Tracker, "before_backward", before_backward)
    monkeypatch.setattr(Observer, "share", lambda _: 0.5)
    quick = watch(program)
    assert len(slowly) < often * len(quick.result["losses"]), "most backward passes went the quick way"
    monkeypatch.setattr(Tracker, "calm", property(lambda _: False, lambda _tracker, _calm: None))
    slowly.clear()
    slow = watch(program)
    assert len(slowly) >= len(slow.result["losses"])
    assert quick.losses == slow.losses
    assert quick.rates == pytest.approx(slow.rates, nan_ok=True)
    assert quick.rows == slow.rows
    assert quick.epochs == slow.epochs

    def evaluations(seen):
        return [(one.step, one.passes, one.gradients, one.training_mode, one.place) for one in seen.all(Evaluation)]

    assert evaluations(quick) == evaluations(slow)


def a_leaf_that_goes():
    weight = torch.ones(2, requires_grad=True)
    for _ in range(60):
        loss = (weight**2).sum()
        loss.backward()
        with torch.no_grad():
            weight -= 0.1 * weight.grad
            weight.grad.zero_()
    gone, gradient = weakref.ref(weight), weakref.ref(weight.grad)
    del weight, loss
    other = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([other], lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        (other**2).sum().backward()
        optimizer.step()
    return {"gone": gone() is None and gradient() is None}


def test_nothing_of_a_step_is_held_when_others_have_come(watch):
    assert watch(a_leaf_that_goes).result["gone"]


def traced():
    model, losses = nn.Linear(4, 1), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for step in range(60):
        x = torch.randn(5, 4)
        loss = model(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step == 40:
            torch.jit.trace(model, torch.randn(7, 4))
    return {"losses": losses}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_model_that_is_traced_between_steps(watch):
    seen = watch(traced)
    assert seen.losses == seen.result["losses"]
    assert all(type(rows) is int for rows in seen.rows)


def a_line_that_leaves_a_leaf_out():
    weight, bias, losses = torch.ones(3, requires_grad=True), torch.ones(1, requires_grad=True), []
    for step in range(60):
        loss = (weight**2).sum() if step == 45 else (weight**2).sum() + (bias**2).sum()
        loss.backward()
        with torch.no_grad():
            for each in (weight, bias):
                if each.grad is not None:
                    each.sub_(0.01 * each.grad)
                    each.grad = None
        losses.append(loss.item())
    return {"losses": losses}


def test_a_pass_that_leaves_the_smallest_leaf_out(watch):
    seen = watch(a_line_that_leaves_a_leaf_out)
    assert seen.losses == seen.result["losses"]


def test_an_observer_that_has_given_up_within_a_pass_stays_blind(watch, monkeypatch):
    def program():
        weight = torch.ones(2, requires_grad=True)
        optimizer = torch.optim.SGD([weight], lr=0.01)
        for step in range(80):
            loss = (weight**2).sum()
            if step == 50:
                loss.register_hook(give_up)
            loss.backward()
            optimizer.step()

    def give_up(_gradient):
        for observer in observers:
            observer.give_up(OSError("no"))

    observers = []
    start = Observer.start
    monkeypatch.setattr(Observer, "start", lambda one: (observers.append(one), start(one)))
    seen = watch(program, unseen=True)
    assert [event.why for event in seen.all(Unseen)] == ["the observer failed: OSError: no"]
    assert len(seen.losses) == 50


class Odd(dict):
    """Rows in a mapping that will not be looked through."""

    def values(self):
        raise OSError("not these")


def odd_inputs():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2))

        def forward(self, rows):
            return (self.weight * rows["x"]).sum()

    model, losses = Model(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for step in range(60):
        rows = Odd(x=torch.ones(2)) if step == 50 else {"x": torch.ones(2)}
        loss = model(rows)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses}


def test_a_fault_of_ours_at_a_modules_call_is_told_and_is_not_the_programs(watch):
    seen = watch(odd_inputs, unseen=True)
    assert [event.why for event in seen.all(Unseen)] == ["the observer failed: OSError: not these"]
    assert seen.losses == seen.result["losses"][:50]


def many_steps():
    weight, losses = torch.ones(2, requires_grad=True), []
    for _ in range(150):
        loss = (weight**2).sum()
        loss.backward()
        with torch.no_grad():
            weight -= 0.01 * weight.grad
            weight.grad.zero_()
        losses.append(loss.item())
    return {"losses": losses}


@pytest.mark.parametrize(
    ("share", "sampled"), [(0.5, [*range(1, 21), 100]), (0.0, [*range(1, 21), *range(30, 151, 10)])]
)
def test_what_watching_has_cost_decides_which_steps_are_looked_at(watch, monkeypatch, share, sampled):
    monkeypatch.setattr(Observer, "share", lambda _: share)
    seen = watch(many_steps)
    assert seen.losses == seen.result["losses"]
    assert [phases.step for phases in seen.all(PhaseTimes)] == sampled


@given(some.booleans(), some.booleans(), some.booleans(), some.floats(0, 10), some.floats(0, 10))
def test_what_a_quick_step_costs_grows_with_the_step_up_to_a_millisecond(module, optimizer, loader, one, other):
    calls = {"module": module, "optimizer": optimizer, "loader": loader}
    shorter, longer = (quick_cost(**calls, step_seconds=seconds) for seconds in sorted((one, other)))
    assert 0 < shorter <= longer <= quick_cost(module=True, optimizer=True, loader=True, step_seconds=1e-3)


def test_the_pace_of_python_is_a_number_to_multiply_by():
    assert 0.01 < pace_of_python() < 1_000


def test_every_backward_pass_adds_to_the_cost():
    observer = Observer(lambda _: None, own=lambda _: False, clock=lambda: 0.0)
    assert observer.cost_seconds == 0
    observer.backward_calls = 10
    once = observer.cost_seconds
    observer.backward_calls = 20
    assert 0 < once < observer.cost_seconds == pytest.approx(2 * once)


def test_looks_cost_what_steps_are_longer_by():
    looks = Looks()
    assert looks.factor == 3, "before there is anything to compare with"
    looks.unwatched(0.010)
    for _ in range(3):
        looks.prepared(0.012)
        looks.looked(0.018, 0.002)
    assert looks.factor == pytest.approx(5)  # (2 + 8) / 2


@pytest.mark.parametrize(("seconds", "factor"), [(0.001, 1), (10.0, 8)])
def test_single_odd_steps_do_not_make_looks_cheap_or_dear(seconds, factor):
    looks = Looks()
    looks.unwatched(0.010)
    for _ in range(3):
        looks.looked(seconds, 0.002)
    assert looks.factor == factor


def test_time_in_which_the_program_stood_still_is_no_time_of_its_steps():
    """A person who stays for a thousand seconds, said and not waited for: a step that nobody looks at is that much shorter."""
    events = []
    observer = Observer(events.append, own=lambda name: name == __file__)
    pauser = Pause(50, lambda frame, step, loss, away: away(1000.0)).on(observer)
    observer.start()
    pauser.start()
    try:
        x, y, model = torch.randn(20, 3), torch.randn(20, 1), torch.nn.Linear(3, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(60):
            loss = (model(x) - y).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    finally:
        pauser.stop()
        observer.stop()
    seconds = [each for event in events if isinstance(event, StepsDone) for each in event.seconds]
    assert [number for number, each in enumerate(seconds, 1) if each < -900] == [50]
