"""Loops of raw tensors: parameters are variables, updates are written by hand."""
# ruff: noqa: N806 - people call their weights W

import math

import pytest
import torch

from descend.record.events import BatchSeen, Message, ParametersSeen, PhaseTimes


def line_with_autograd():
    x = torch.randn(10, 1)
    y = 2 * x + 1 + 0.1 * torch.randn(10, 1)
    W = torch.randn(1, 1, requires_grad=True)
    b = torch.randn(1, requires_grad=True)
    losses = []
    gradients = []
    learning_rate = 0.05
    for _ in range(120):
        y_hat = x @ W + b
        loss = torch.mean((y_hat - y) ** 2)
        losses.append(loss.item())
        loss.backward()
        gradients.append((W.detach().clone(), W.grad.clone()))
        with torch.no_grad():
            W -= learning_rate * W.grad
            b -= learning_rate * b.grad
        W.grad.zero_()
        b.grad.zero_()
    return {"losses": losses, "W": W, "b": b, "gradients": gradients}


def test_steps_losses_rates_and_names_of_a_raw_loop(watch):
    seen = watch(line_with_autograd)
    assert seen.losses == seen.result["losses"]
    assert seen.rates == pytest.approx([0.05] * 120, abs=1e-12)
    assert seen.all(ParametersSeen)[0].rows == (("W", (1, 1), "variable"), ("b", (1,), "variable"))
    assert seen.names == ["W", "b"]
    assert seen.rows[:20] == [10] * 20
    assert all(seconds > 0 for event in seen.events if hasattr(event, "rates") for seconds in event.seconds)


def test_norms_are_those_computed_by_hand(watch):
    seen = watch(line_with_autograd)
    for step in (1, 2, 10, 20, 100):
        before, gradient = seen.result["gradients"][step - 1]
        value, length, change = seen.norms(step)["W"]
        assert value == pytest.approx(before.norm().item(), rel=1e-6)
        assert length == pytest.approx(gradient.norm().item(), rel=1e-6)
        assert change == pytest.approx(0.05 * gradient.norm().item(), rel=1e-3, abs=1e-6)


def test_phases_of_a_raw_loop_stand_on_their_lines(watch):
    seen = watch(line_with_autograd)
    for step in (1, 2, 5, 20, 100):
        phases = seen.phases(step)
        assert phases.places["forward"] == seen.line("y_hat = x @ W")
        assert phases.places["loss"] == seen.line("torch.mean")
        assert phases.places["backward"] == seen.line("loss.backward()")
        assert phases.places["update"] == seen.line("W -= ")
        assert phases.places["zero"] == seen.line("W.grad.zero_()")
        assert all(seconds >= 0 for seconds in phases.seconds.values())
        assert set(phases.seconds) >= {"forward", "loss", "backward", "update", "zero"}


def test_batch_and_snapshot_of_a_raw_loop(watch):
    seen = watch(line_with_autograd)
    batches = [event for event in seen.all(BatchSeen) if event.step == 2]
    assert [(event.name, event.shape, event.dtype) for event in batches] == [
        ("x", (10, 1), "float32"),
        ("y", (10, 1), "float32"),
    ]
    assert len(batches[0].fingerprints) == 10
    assert batches[0].fingerprints == next(e for e in seen.all(BatchSeen) if e.step == 3).fingerprints
    for step in (1, 10):
        tensors = seen.snapshot(step)
        before, gradient = seen.result["gradients"][step - 1]
        assert torch.equal(tensors["before.W"], before)
        assert torch.equal(tensors["gradient.W"], gradient)
        assert torch.equal(tensors["after.W"], seen.result["gradients"][step][0])
        assert tensors["loss"].item() == seen.result["losses"][step - 1]


def test_sampled_steps_are_the_first_twenty_and_then_rarer(watch):
    seen = watch(line_with_autograd)
    sampled = [event.step for event in seen.all(PhaseTimes)]
    assert sampled[:20] == list(range(1, 21))
    assert 100 in sampled
    assert set(sampled[20:]) <= set(range(30, 121, 10))


def two_losses_one_look():
    W = torch.randn(3, requires_grad=True)
    x = torch.randn(5, 3)
    (x @ W).pow(2).mean().backward()  # a look
    first = W.grad.clone()
    W = torch.randn(3, requires_grad=True)
    losses = []
    for _ in range(5):
        loss = (x @ W).pow(2).mean()
        loss.backward()
        losses.append(loss.item())
        W.data -= 0.1 * W.grad
        W.grad = None
    return {"losses": losses, "W": W, "first": first}


def test_a_lone_backward_is_a_look_and_no_step(watch):
    seen = watch(two_losses_one_look)
    assert seen.losses == seen.result["losses"]
    assert [event.kind for event in seen.all(Message)] == ["look"]
    file, line = seen.line("# a look")
    assert f"{file}:{line}:" in seen.all(Message)[0].text
    assert seen.names == ["W"]
    assert seen.rates == pytest.approx([0.1] * 5, rel=1e-5)
    assert seen.phases(2).places["update"] == seen.line("W.data -=")
    assert seen.phases(2).places["zero"] == seen.line("W.grad = None")


def only_looks():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    (x**2 + 3).mean().backward()
    layer = torch.nn.Linear(2, 1)
    out = layer(x.detach())
    layer.zero_grad()
    out.sum().backward()
    return {"x": x.grad, "w": layer.weight.grad}


def test_a_program_that_only_looks_at_gradients_has_no_steps(watch):
    seen = watch(only_looks)
    assert seen.losses == []
    assert len(seen.all(Message)) == 2


def data_updates_for_long():
    W = torch.randn(4, requires_grad=True)
    x = torch.randn(6, 4)
    losses = []
    for _ in range(150):
        loss = (x @ W - 1).pow(2).mean()
        losses.append(loss.item())
        loss.backward()
        W.data = W.data - 0.01 * W.grad
        W.grad = None
    return {"losses": losses, "W": W}


def test_updates_through_data_are_seen_at_every_step(watch):
    seen = watch(data_updates_for_long)
    assert seen.losses == seen.result["losses"]


def rebound_leaves():
    w = torch.randn(4, requires_grad=True)
    x = torch.randn(6, 4)
    losses = []
    for _ in range(120):
        loss = (x @ w - 1).pow(2).mean()
        (gradient,) = torch.autograd.grad(loss, [w])
        losses.append(loss.item())
        w = (w - 0.1 * gradient).detach().requires_grad_()
    return {"losses": losses, "w": w}


def test_new_leaves_in_the_place_of_old_ones_are_an_update(watch):
    seen = watch(rebound_leaves)
    assert seen.losses == seen.result["losses"]
    assert seen.names == ["w"]
    assert seen.rates == pytest.approx([0.1] * 120, rel=1e-3)
    assert all(math.isfinite(number) for number in seen.norms(5)["w"])
    assert seen.phases(5).places["backward"] == seen.line("torch.autograd.grad")


def grad_and_in_place_updates():
    w = torch.randn(4, requires_grad=True)
    b = torch.zeros(1, requires_grad=True)
    x = torch.randn(6, 4)
    losses = []
    for _ in range(130):
        loss = (x @ w + b - 1).pow(2).mean()
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, [w, b])
        with torch.no_grad():
            for parameter, gradient in zip([w, b], gradients, strict=True):
                parameter.sub_(0.1 * gradient)
    return {"losses": losses, "w": w}


def test_autograd_grad_with_updates_by_hand(watch):
    seen = watch(grad_and_in_place_updates)
    assert seen.losses == seen.result["losses"]
    assert seen.names == ["w", "b"]
    assert seen.rates == pytest.approx([0.1] * 130, rel=1e-3)


def accumulation_by_hand():
    w = torch.randn(4, requires_grad=True)
    losses = []
    for i in range(160):
        x = torch.randn(6, 4)
        loss = (x @ w - 1).pow(2).mean()
        losses.append(loss.item())
        loss.backward()
        if i % 4 == 3:
            with torch.no_grad():
                w -= 0.01 * w.grad
            w.grad = None
    return {"losses": losses, "w": w}


def test_accumulated_gradients_without_an_optimizer_are_one_step(watch):
    seen = watch(accumulation_by_hand)
    each = seen.result["losses"]
    assert seen.losses == pytest.approx([sum(each[i : i + 4]) for i in range(0, 160, 4)])


def lists_and_dictionaries():
    parameters = {"w1": torch.randn(4, 3, requires_grad=True), "w2": torch.randn(3, 1, requires_grad=True)}
    biases = [torch.zeros(3, requires_grad=True), torch.zeros(1, requires_grad=True)]
    x = torch.randn(8, 4)
    losses = []
    for _ in range(5):
        hidden = torch.tanh(x @ parameters["w1"] + biases[0])
        loss = (hidden @ parameters["w2"] + biases[1]).pow(2).mean()
        losses.append(loss.item())
        loss.backward()
        with torch.no_grad():
            for parameter in [*parameters.values(), *biases]:
                parameter.sub_(0.1 * parameter.grad)
                parameter.grad = None
    return {"losses": losses, **parameters}


def test_parameters_in_lists_and_dictionaries_have_names(watch):
    seen = watch(lists_and_dictionaries)
    assert sorted(seen.names) == ["biases[0]", "biases[1]", "w1", "w2"]
    assert seen.losses == seen.result["losses"]


def three_loops_one_after_another():
    losses = []
    for features in (1, 2, 3):
        x = torch.randn(5, features)
        w = torch.randn(features, 1, requires_grad=True)
        for _ in range(70):
            loss = (x @ w - 1).pow(2).mean()
            losses.append(loss.item())
            loss.backward()
            with torch.no_grad():
                w -= 0.01 * w.grad
                w.grad.zero_()
    return {"losses": losses, "w": w}


def test_every_loop_of_a_program_is_seen(watch):
    seen = watch(three_loops_one_after_another)
    assert seen.losses == seen.result["losses"]
    shapes = [shape for event in seen.all(ParametersSeen) for _, shape, _ in event.rows]
    assert shapes == [(1, 1), (2, 1), (3, 1)]


def plain_tensors_and_an_optimizer():
    w = torch.randn(4, requires_grad=True)
    x = torch.randn(6, 4)
    optimizer = torch.optim.SGD([w], lr=0.1)
    losses = []
    for _ in range(40):
        loss = (x @ w - 1).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses, "w": w}


def test_plain_tensors_with_an_optimizer(watch):
    seen = watch(plain_tensors_and_an_optimizer)
    assert seen.losses == seen.result["losses"]
    assert seen.names == ["w"]
    phases = seen.phases(5)
    assert phases.places["forward"] == phases.places["loss"] == seen.line("loss = (x @ w - 1)")
    assert phases.places["update"] == seen.line("optimizer.step()")
    assert phases.places["zero"] == seen.line("optimizer.zero_grad()")
