"""Optimizers against those of ``torch.optim``, over many steps."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from descend.train.fresh import new_optimizer
from descend.train.optimizers import SGD, Adam
from descend.train.parameters import FlatParameters
from descend.train.recipe import Recipe

RATES = [0.1, 0.01, 0.05, 0.003]  # a rate that changes, as a schedule makes it
shapes = st.lists(st.lists(st.integers(1, 9), min_size=0, max_size=3), min_size=1, max_size=4)
shares = st.floats(0, 0.99, allow_subnormal=False)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def module_of(given_shapes):
    module = nn.Module()
    for number, shape in enumerate(given_shapes):
        module.register_parameter(f"p{number}", nn.Parameter(torch.randn(shape)))
    return module


def race(module, make_ours, make_theirs, steps=20, size=1.0):
    """Both with the same gradients; gives the two modules' parameters by name."""
    twin = copy.deepcopy(module)
    parameters = FlatParameters(module)
    ours, theirs = make_ours(parameters), make_theirs(twin.parameters())
    for step in range(steps):
        lr = RATES[step % len(RATES)]
        for name, parameter in twin.named_parameters():
            parameter.grad = torch.randn_like(parameter) * size
            parameters.gradient[name].copy_(parameter.grad)
        theirs.param_groups[0]["lr"] = lr
        theirs.step()
        ours.update(lr)
    return dict(module.named_parameters()), dict(twin.named_parameters()), parameters


def assert_bit_equal(ours, theirs):
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name


@given(
    given_shapes=shapes,
    beta1=shares,
    beta2=shares,
    epsilon=st.sampled_from([1e-8, 1e-3, 1.0]),
    weight_decay=st.sampled_from([0.0, 1e-4, 0.5]),
    decoupled=st.booleans(),
    size=st.sampled_from([1e-6, 1.0, 1e4]),
    seed=st.integers(0, 2**20),
)
@settings(max_examples=60)
def test_adam_and_adamw_are_torchs_fused_ones_bit_for_bit(
    given_shapes, beta1, beta2, epsilon, weight_decay, decoupled, size, seed
):
    torch.manual_seed(seed)
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    ours, theirs, _ = race(
        module_of(given_shapes),
        lambda parameters: Adam(
            parameters, beta1=beta1, beta2=beta2, epsilon=epsilon, weight_decay=weight_decay, decoupled=decoupled
        ),
        lambda values: kind(values, lr=1.0, betas=(beta1, beta2), eps=epsilon, weight_decay=weight_decay, fused=True),
        size=size,
    )
    assert_bit_equal(ours, theirs)


@given(
    given_shapes=shapes,
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
    nesterov=st.booleans(),
    weight_decay=st.sampled_from([0.0, 1e-4, 0.5]),
    seed=st.integers(0, 2**20),
)
@settings(max_examples=60)
def test_sgd_is_torchs_but_for_one_rounding(given_shapes, momentum, nesterov, weight_decay, seed):
    nesterov = nesterov and momentum > 0
    torch.manual_seed(seed)
    ours, theirs, _ = race(
        module_of(given_shapes),
        lambda parameters: SGD(parameters, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay),
        lambda values: torch.optim.SGD(values, lr=1.0, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay),
    )
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=2e-6, atol=2e-6)


def test_plain_sgd_is_a_hand_written_update_bit_for_bit():
    torch.manual_seed(0)
    module = module_of([(7, 5), (5,)])
    twin = [parameter.detach().clone() for parameter in module.parameters()]
    parameters = FlatParameters(module)
    optimizer = SGD(parameters)
    for step in range(50):
        lr = RATES[step % len(RATES)]
        for value, gradient in zip(twin, parameters.gradient.values(), strict=True):
            gradient.normal_()
            value.sub_(lr * gradient)
        optimizer.update(lr)
    for value, parameter in zip(twin, module.parameters(), strict=True):
        assert torch.equal(value, parameter)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_the_recipes_settings_arrive(optimizer):
    """Each setting of a recipe changes what its optimizer does, as it does in torch.optim."""
    settings_of = {
        "sgd": {"momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
        "adam": {"beta1": 0.7, "beta2": 0.8, "epsilon": 0.01, "weight_decay": 0.1},
        "adamw": {"beta1": 0.7, "beta2": 0.8, "epsilon": 0.01, "weight_decay": 0.1},
    }[optimizer]
    theirs_of = {
        "sgd": lambda values: torch.optim.SGD(values, momentum=0.8, nesterov=True, weight_decay=0.1),
        "adam": lambda values: torch.optim.Adam(values, betas=(0.7, 0.8), eps=0.01, weight_decay=0.1, fused=True),
        "adamw": lambda values: torch.optim.AdamW(values, betas=(0.7, 0.8), eps=0.01, weight_decay=0.1, fused=True),
    }[optimizer]
    recipe = Recipe(optimizer=optimizer, **settings_of)
    torch.manual_seed(1)
    module = module_of([(4, 3)])
    ours, theirs, _ = race(module, lambda parameters: new_optimizer(recipe, parameters), theirs_of)
    torch.testing.assert_close(ours["p0"], theirs["p0"], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(optimizer="sgd", momentum=0.9, nesterov=True, weight_decay=0.1),
        Recipe(optimizer="adam", weight_decay=0.1),
        Recipe(optimizer="adamw", weight_decay=0.1),
    ],
)
def test_what_is_remembered_is_flat_and_enough_to_go_on(recipe):
    torch.manual_seed(2)
    first, second = FlatParameters(module_of([(3, 3), (2,)])), FlatParameters(module_of([(3, 3), (2,)]))
    one = new_optimizer(recipe, first)
    for _ in range(3):
        first.gradients.normal_()
        one.update(0.1)
    assert all(tensor.ndim == 0 or tensor.shape == first.values.shape for tensor in one.state.values())
    second.values.copy_(first.values)
    other = new_optimizer(recipe, second)
    for name, tensor in one.state.items():
        other.state[name].copy_(tensor)
    first.gradients.normal_()
    second.gradients.copy_(first.gradients)
    one.update(0.1)
    other.update(0.1)
    for name, value in first.value.items():
        assert torch.equal(value, second.value[name])


def test_plain_sgd_remembers_nothing():
    assert SGD(FlatParameters(module_of([(2,)]))).state == {}


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_the_padding_between_parameters_stays_zero(optimizer):
    recipe = Recipe(optimizer=optimizer, weight_decay=0.1, momentum=0.9 if optimizer == "sgd" else 0.0)
    torch.manual_seed(3)
    _, _, parameters = race(
        module_of([(3,), (17,), ()]),
        lambda flat: new_optimizer(recipe, flat),
        lambda values: torch.optim.SGD(values, lr=1.0),
    )
    padding = torch.ones_like(parameters.values)
    for view in parameters.views(padding).values():
        view.zero_()
    assert int(padding.sum()) == 13 + 15 + 15
    assert not (parameters.values * padding).any()
