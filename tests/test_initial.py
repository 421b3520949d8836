"""Initial values against the tensors that a script without modules draws for itself."""

import math

import pytest
import torch
from torch import nn

from descend.errors import ModelError
from descend.models.architecture import Architecture
from descend.models.build import build
from descend.models.initial import WAYS, build_initialised, initialise


def test_the_scores_begin_with_the_published_numbers():
    torch.manual_seed(42)
    layer = build_initialised(Architecture("linear", (1,), 1), "normal")[0]
    assert round(layer.weight.item(), 4) == 0.3367
    assert round(layer.bias.item(), 4) == 0.1288


def test_two_features_begin_with_the_published_numbers():
    torch.manual_seed(42)
    layer = build_initialised(Architecture("linear", (2,), 1), "normal")[0]
    assert [round(value, 4) for value in (*layer.weight.flatten().tolist(), layer.bias.item())] == [
        0.3367,
        0.1288,
        0.2345,
    ]


def test_normal_draws_each_weight_as_in_by_out_and_then_its_bias():
    torch.manual_seed(7)
    first, first_bias, second, second_bias = (
        torch.randn(20, 8),
        torch.randn(8),
        torch.randn(8, 3),
        torch.randn(3),
    )
    torch.manual_seed(7)
    module = build_initialised(Architecture("mlp", (20,), 3, (8,)), "normal")
    assert torch.equal(module[0].weight, first.t())
    assert torch.equal(module[0].bias, first_bias)
    assert torch.equal(module[2].weight, second.t())
    assert torch.equal(module[2].bias, second_bias)


def test_xavier_is_the_bare_tensor_script_of_softmax_regression():
    torch.manual_seed(0)
    weights = torch.randn(784, 10) / math.sqrt(784)
    torch.manual_seed(0)
    layer = build_initialised(Architecture("softmax", (1, 28, 28), 10), "xavier")[1]
    assert torch.equal(layer.weight, weights.t())
    assert layer.weight.is_contiguous()
    assert not layer.bias.any()


def test_default_is_what_pytorch_draws():
    torch.manual_seed(3)
    plain = nn.Linear(5, 2)
    torch.manual_seed(3)
    assert torch.equal(build_initialised(Architecture("linear", (5,), 2), "default")[0].weight, plain.weight)


def test_zeros_are_zeros_and_draw_nothing():
    state = torch.get_rng_state()
    module = build_initialised(Architecture("mlp", (5,), 2, (4,)), "zeros")
    assert not any(parameter.any() for parameter in module.parameters())
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("how", WAYS)
def test_initial_values_leave_the_parameters_trainable(how):
    module = build(Architecture("mlp", (5,), 2, (4,)))
    before = list(module.parameters())
    initialise(module, how)
    after = list(module.parameters())
    assert all(one is other and one.requires_grad and one.is_leaf for one, other in zip(before, after, strict=True))


def test_a_layer_without_bias_is_initialised_too():
    module = nn.Sequential(nn.Linear(3, 2, bias=False))
    torch.manual_seed(1)
    initialise(module, "normal")
    torch.manual_seed(1)
    assert torch.equal(module[0].weight, torch.randn(3, 2).t())


def test_other_layers_keep_the_default():
    initialise(build(Architecture("cnn", (1, 8, 8), 3)), "default")


@pytest.mark.parametrize("how", ["normal", "xavier", "zeros"])
def test_other_layers_are_named_and_left_alone(how):
    module = build(Architecture("cnn", (1, 8, 8), 3))
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(ModelError) as caught:
        initialise(module, how)
    assert caught.value.what == f"initial values '{how}' are defined for linear layers, and this model has a Conv2d"
    assert caught.value.where == "layer 'conv1'"
    assert "initial 'default'" in caught.value.help
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_parameter_of_the_model_itself_is_named():
    module = nn.Sequential(nn.Linear(2, 1))
    module.register_parameter("scale", nn.Parameter(torch.ones(1)))
    with pytest.raises(ModelError) as caught:
        initialise(module, "normal")
    assert caught.value.where == "parameter 'scale' of the model itself"


def test_an_unknown_way_is_refused_with_the_nearest_word():
    with pytest.raises(ModelError) as caught:
        initialise(nn.Linear(1, 1), "zeroes")
    assert caught.value.what == "unknown initial values 'zeroes' (did you mean 'zeros'?)"
    assert caught.value.help == "choose one of default, normal, xavier, zeros"
