"""The forms in which people write an update: what ``autograd.grad`` is given, and where the new numbers are put."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad_and_value
from torch.nn import functional as F

from descend.record.events import Evaluation, Message, ParametersSeen


def rows():
    x = torch.randn(24, 3)
    return x, x @ torch.randn(3, 1)


def small():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def by_generator():
    x, y = rows()
    model, losses = small(), []
    for _ in range(60):
        loss = F.mse_loss(model(x), y)
        gradients = torch.autograd.grad(loss, model.parameters())
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                parameter.sub_(0.1 * gradient)
        losses.append(loss.item())
    return {"losses": losses, **model.state_dict()}


def by_view_of_a_dictionary():
    x, y = rows()
    model, losses = small(), []
    named = dict(model.named_parameters())
    for _ in range(60):
        loss = F.mse_loss(model(x), y)
        gradients = torch.autograd.grad(
            outputs=iter([loss]), inputs=named.values(), grad_outputs=map(torch.ones_like, [loss])
        )
        with torch.no_grad():
            torch._foreach_add_(list(named.values()), gradients, alpha=-0.1)
        losses.append(loss.item())
    return {"losses": losses, **model.state_dict()}


@pytest.mark.parametrize("program", [by_generator, by_view_of_a_dictionary])
def test_gradients_of_what_is_no_list_are_those_of_a_training(watch, program):
    seen = watch(program)
    assert seen.losses == seen.result["losses"]
    assert seen.names == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert seen.rates == pytest.approx([0.1] * 60, rel=1e-3)
    assert not seen.all(Evaluation)


def backward_with_iterators():
    x, y = rows()
    model, losses = small(), []
    for _ in range(40):
        loss = F.mse_loss(model(x), y)
        torch.autograd.backward(iter([loss, 0.5 * loss]), iter([torch.ones(()), torch.tensor(2.0)]))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.sub_(0.05 * parameter.grad)
                parameter.grad = None
        losses.append(loss.item())
    return {"losses": losses, **model.state_dict()}


def test_the_weights_of_losses_may_be_handed_over_one_by_one(watch):
    seen = watch(backward_with_iterators)
    assert seen.losses == pytest.approx([2 * loss for loss in seen.result["losses"]], rel=1e-6)


def rebound_with_a_graph():
    x, y = rows()
    w, b = torch.randn(3, 1, requires_grad=True), torch.zeros(1, requires_grad=True)
    losses, norms = [], []
    for _ in range(60):
        answer = x @ w + b
        loss = ((answer - y) ** 2).mean()
        loss.backward()
        norms.append(w.grad.norm().item())
        w = (w - 0.1 * w.grad).detach().requires_grad_()
        b = (b - 0.1 * b.grad).detach().requires_grad_()
        losses.append(loss.item())
    return {"losses": losses, "norms": norms, "w": w, "b": b}


def test_an_update_that_builds_a_graph_is_no_forward_pass(watch):
    seen = watch(rebound_with_a_graph)
    assert seen.losses == seen.result["losses"]
    for step in (3, 8, 15):
        places = seen.phases(step).places
        assert places["forward"] == seen.line("answer = x @ w")
        assert places["loss"] == seen.line("loss = ((answer")
        assert places["update"] == seen.line("w = (w - 0.1"), "and not the line that looks at gradients"


def rebound_under_a_mode_of_its_own():
    x, y = rows()
    seen = []

    class Counting(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append(getattr(func, "__name__", str(func)))
            return func(*args, **(kwargs or {}))

    w, losses = torch.randn(3, 1, requires_grad=True), []
    with Counting():
        for _ in range(30):
            loss = ((x @ w - y) ** 2).mean()
            loss.backward()
            w = (w - 0.1 * w.grad).detach().requires_grad_()
            losses.append(loss.item())
    return {"losses": losses, "w": w, "seen": [len(seen)], "names": sorted(set(seen))}


def test_a_mode_of_the_users_sees_nothing_of_ours(watch):
    seen = watch(rebound_under_a_mode_of_its_own)
    assert seen.losses == seen.result["losses"]


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(3, 1))

    def forward(self, x):
        return x @ self.w


def parameters_of_a_module_made_anew():
    x, y = rows()
    model, losses = Line(), []
    for _ in range(40):
        loss = F.mse_loss(model(x), y)
        loss.backward()
        model.w = nn.Parameter(model.w.detach() - 0.1 * model.w.grad)
        losses.append(loss.item())
    return {"losses": losses, "w": model.w}


def test_a_module_whose_updates_put_new_parameters_in_place_has_as_many_as_before(watch):
    seen = watch(parameters_of_a_module_made_anew)
    assert seen.losses == seen.result["losses"]
    assert [row for event in seen.all(ParametersSeen) for row in event.rows] == [("w", (3, 1), "module")]
    assert seen.rates == pytest.approx([0.1] * 40, rel=1e-3)
    assert seen.phases(5).places["update"] == seen.line("model.w = nn.Parameter")


def models_made_anew():
    x, y = rows()
    losses = []
    for _ in range(3):
        model = Line()
        for _ in range(15):
            loss = F.mse_loss(model(x), y)
            loss.backward()
            model.w.data -= 0.1 * model.w.grad
            model.w.grad = None
            losses.append(loss.item())
    return {"losses": losses}


def test_a_new_model_has_parameters_of_its_own(watch):
    seen = watch(models_made_anew)
    assert seen.losses == seen.result["losses"]
    assert [event.step for event in seen.all(ParametersSeen)] == [1, 16, 31]


def learning_to_learn():
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    losses = []
    for _ in range(30):
        whole = 0
        for _ in range(2):
            x, y = rows()
            parameters = dict(model.named_parameters())
            loss = F.mse_loss(functional_call(model, parameters, x[:12]), y[:12])
            gradients = torch.autograd.grad(loss, parameters.values(), create_graph=True)
            fast = {name: p - 0.1 * g for (name, p), g in zip(parameters.items(), gradients, strict=True)}
            whole = whole + F.mse_loss(functional_call(model, fast, x[12:]), y[12:])
        optimizer.zero_grad()
        whole.backward()
        optimizer.step()
        losses.append(whole.item())
    return {"losses": losses, **model.state_dict()}


def test_passes_with_parameters_that_were_computed_belong_to_the_step(watch):
    seen = watch(learning_to_learn)
    assert seen.losses == seen.result["losses"]
    assert not seen.all(Evaluation)
    assert not seen.all(Message), "gradients that are part of the loss are no look"


def functions_without_state():
    x, y = rows()
    model, losses = small(), []
    parameters = {name: each.detach() for name, each in model.named_parameters()}

    def loss_of(parameters, x, y):
        return F.mse_loss(functional_call(model, parameters, (x,)), y)

    for _ in range(30):
        gradients, loss = grad_and_value(loss_of)(parameters, x, y)
        parameters = {name: each - 0.1 * gradients[name] for name, each in parameters.items()}
        losses.append(loss.item())
    return {"losses": losses, **parameters}


def test_a_transformed_loss_is_given_rows_as_any_other(watch):
    seen = watch(functions_without_state)
    assert seen.losses == seen.result["losses"]
    assert not seen.all(Evaluation)
