"""The built-in models against stacks written out in plain PyTorch, and which of them gradients by hand cover."""

import math
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from descend.errors import ModelError
from descend.models.architecture import ACTIVATIONS, KINDS, Architecture
from descend.models.build import build, layers_of, parameter_count, skeleton
from descend.models.evaluating import evaluating

IMAGE = (1, 28, 28)

architectures = st.builds(
    Architecture,
    kind=st.sampled_from(KINDS),
    feature_shape=st.tuples(st.integers(1, 3), st.integers(4, 9), st.integers(4, 9)),
    outputs=st.integers(1, 5),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
    activation=st.sampled_from(ACTIVATIONS),
)


def equal(one: nn.Module, other: nn.Module) -> bool:
    ones, others = one.state_dict(), other.state_dict()
    return ones.keys() == others.keys() and all(torch.equal(ones[name], others[name]) for name in ones)


@pytest.mark.parametrize(
    ("architecture", "plain"),
    [
        (Architecture("linear", (2,), 1), lambda: nn.Sequential(nn.Linear(2, 1))),
        (Architecture("softmax", IMAGE, 10), lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10))),
        (
            Architecture("mlp", IMAGE, 10, (128,)),
            lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)),
        ),
        (
            Architecture("mlp", (3,), 2, (5, 4), "tanh"),
            lambda: nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2)),
        ),
        (
            Architecture("mlp", (3,), 2, (5,), "sigmoid"),
            lambda: nn.Sequential(nn.Linear(3, 5), nn.Sigmoid(), nn.Linear(5, 2)),
        ),
        (
            Architecture("cnn", IMAGE, 10),
            lambda: nn.Sequential(
                nn.Conv2d(1, 16, 3, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(16, 32, 3, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Flatten(),
                nn.Linear(32 * 7 * 7, 10),
            ),
        ),
    ],
)
def test_a_built_in_model_is_the_plain_stack_with_the_same_values(architecture, plain):
    torch.manual_seed(0)
    built = build(architecture)
    torch.manual_seed(0)
    expected = plain()
    assert all(torch.equal(a, b) for a, b in zip(built.parameters(), expected.parameters(), strict=True))
    assert [type(layer) for layer in built] == [type(layer) for layer in expected]
    features = torch.randn(3, *architecture.feature_shape)
    assert torch.equal(built(features), expected(features))


@given(architectures)
def test_a_model_gives_one_row_of_outputs_an_example(architecture):
    module = build(architecture)
    assert module(torch.zeros(2, *architecture.feature_shape)).shape == (2, architecture.outputs)


@given(architectures)
def test_a_skeleton_has_the_same_shapes_and_draws_nothing(architecture):
    state = torch.get_rng_state()
    outline = skeleton(architecture)
    assert torch.equal(torch.get_rng_state(), state)
    shapes = {name: value.shape for name, value in build(architecture).state_dict().items()}
    assert {name: value.shape for name, value in outline.state_dict().items()} == shapes
    assert all(parameter.is_meta for parameter in outline.parameters())


@given(architectures)
def test_an_architecture_survives_json(architecture):
    assert Architecture.from_json(architecture.to_json()) == architecture


@pytest.mark.parametrize(
    ("architecture", "line"),
    [
        (Architecture("mlp", IMAGE, 10, (128,)), "mlp 784 → 128 → relu → 10 (101,770 parameters)"),
        (Architecture("mlp", (4,), 3, (8, 6), "tanh"), "mlp 4 → 8 → tanh → 6 → tanh → 3 (115 parameters)"),
        (Architecture("softmax", IMAGE, 10), "softmax 784 → 10 (7,850 parameters)"),
        (Architecture("linear", (1,), 1), "linear 1 → 1 (2 parameters)"),
        (
            Architecture("cnn", IMAGE, 10),
            "cnn 1×28×28 → conv 16 → relu → pool → conv 32 → relu → pool → 10 (20,490 parameters)",
        ),
    ],
)
def test_a_model_is_described_in_one_line(architecture, line):
    assert architecture.describe(parameter_count(build(architecture))) == line


def test_a_model_of_the_users_is_described_by_its_name_and_file():
    assert Architecture("nets/net.py:Net", IMAGE, 10).describe(1) == "Net (net.py) 1×28×28 → 10 (1 parameter)"


def test_a_shared_parameter_counts_once():
    layer = nn.Linear(3, 3)
    assert parameter_count(nn.Sequential(layer, nn.ReLU(), layer)) == 12


def refused(call, *arguments, **settings) -> ModelError:
    with pytest.raises(ModelError) as caught:
        call(*arguments, **settings)
    assert caught.value.help
    return caught.value


def test_an_unknown_model_is_refused_with_the_nearest_name():
    error = refused(Architecture, "mpl", (2,), 1)
    assert error.what == "unknown model 'mpl' (did you mean 'mlp'?)"
    assert "path/to/file.py:ClassName" in error.help


def test_a_name_with_control_characters_is_no_model():
    assert "unknown model 'a\\x1b[2Jb.py:Net'" in refused(Architecture, "a\x1b[2Jb.py:Net", (2,), 1).what


def test_an_mlp_needs_a_hidden_layer():
    assert "at least one hidden layer" in refused(Architecture, "mlp", (2,), 1).what


@pytest.mark.parametrize("size", [0, -3, 2.5, True, 2**31])
def test_a_hidden_layer_needs_a_whole_number_of_units(size):
    error = refused(Architecture, "mlp", (2,), 1, (4, size))
    assert error.what == f"a hidden layer cannot have {size!r} units"
    assert error.where == "sizes"


def test_a_thousand_hidden_layers_are_enough():
    assert refused(Architecture, "mlp", (2,), 1, (1,) * 1001).what.startswith("1,001 hidden layers")


def test_an_unknown_activation_is_refused_with_the_nearest_name():
    assert refused(Architecture, "mlp", (2,), 1, (4,), "rel").what == "unknown activation 'rel' (did you mean 'relu'?)"


@pytest.mark.parametrize("shape", [(), (0,), (3, 0)])
def test_features_need_a_shape(shape):
    assert f"features of the shape {shape}" in refused(Architecture, "linear", shape, 1).what


def test_a_model_needs_an_output():
    assert refused(Architecture, "linear", (2,), 0).what == "a model cannot have 0 outputs"


def test_a_cnn_needs_images():
    error = refused(build, Architecture("cnn", (28, 28), 10))
    assert "cnn needs images (channels, height, width)" in error.what
    assert "(28, 28)" in error.what
    assert "(1, 28, 28)" in error.help


def test_a_cnn_needs_images_that_can_be_halved_twice():
    assert "3×8 is too small" in refused(build, Architecture("cnn", (1, 3, 8), 10)).what


def test_a_model_larger_than_the_memory_is_refused_before_anything_is_made():
    error = refused(build, Architecture("mlp", (2**20,), 10, (2**26,)))
    assert "the parameters of this mlp need 262,146.8 GB of memory, and this machine has" in error.what


def test_a_model_of_uncountable_parameters_is_refused():
    error = refused(build, Architecture("mlp", (2**31 - 1,), 1, (2**31 - 1,) * 2))
    assert "more parameters than can be counted" in error.what


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": 3}, "'kind' has to be text, not 3"),
        ({"feature_shape": [2, "x"]}, "'feature_shape' has to be a list of whole numbers from 1"),
        ({"feature_shape": []}, "features of the shape ()"),
        ({"sizes": "128"}, "'sizes' has to be a list of whole numbers from 1, not '128'"),
        ({"outputs": 1.0}, "'outputs' has to be a whole number from 1, not 1.0"),
        ({"activation": None}, "'activation' has to be text, not None"),
        ({"kind": "transformer"}, "unknown model 'transformer'"),
    ],
)
def test_an_architecture_that_does_not_fit_is_not_read(change, words):
    values = Architecture("mlp", (2,), 1, (4,)).to_json() | change
    assert words in refused(Architecture.from_json, values).what


def test_an_architecture_has_to_be_an_object():
    assert "has to be an object" in refused(Architecture.from_json, ["mlp"]).what


def test_describing_an_architecture_needs_no_torch():
    code = "import sys, descend.models.architecture; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Which stacks gradients by hand cover


def linear(inputs: int = 3, outputs: int = 3) -> nn.Linear:
    return nn.Linear(inputs, outputs)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_layer_of_an_mlp_is_found_in_order(activation):
    module = build(Architecture("mlp", IMAGE, 10, (8, 6), activation))
    assert layers_of(module) == list(module)


def test_nested_stacks_are_flattened():
    first, middle, last = linear(), nn.Sequential(nn.Tanh(), nn.Sequential(linear(3, 2))), nn.Identity()
    assert layers_of(nn.Sequential(first, middle, last)) == [first, middle[0], middle[1][0], last]


def test_a_single_linear_layer_is_a_stack_of_one():
    layer = linear()
    assert layers_of(layer) == [layer]


def test_a_linear_without_bias_is_covered():
    assert layers_of(nn.Sequential(nn.Linear(3, 3, bias=False), nn.ReLU(), linear())) is not None


def test_parameters_that_are_neighbours_in_one_flat_tensor_are_covered():
    module = nn.Sequential(linear(), nn.ReLU(), linear())
    flat, start = torch.zeros(24), 0
    for parameter in module.parameters():
        parameter.data = flat[start : start + parameter.numel()].view(parameter.shape)
        start += parameter.numel()
    assert layers_of(module) is not None


def frozen() -> nn.Module:
    module = nn.Sequential(linear(), nn.ReLU(), linear())
    module[0].weight.requires_grad_(False)
    return module


def used_twice() -> nn.Module:
    layer = linear()
    return nn.Sequential(layer, nn.ReLU(), layer)


def tied() -> nn.Module:
    module = nn.Sequential(linear(), nn.ReLU(), linear())
    module[2].weight = module[0].weight
    return module


def in_shared_memory() -> nn.Module:
    module = nn.Sequential(linear(), nn.ReLU(), linear())
    module[2].weight.data = module[0].weight.data
    return module


def transposed() -> nn.Module:
    module = nn.Sequential(linear())
    module[0].weight.data = module[0].weight.data.t()
    return module


def with_layer_hook() -> nn.Module:
    module = nn.Sequential(linear())
    module[0].register_forward_hook(lambda *_: None)
    return module


def with_gradient_hook() -> nn.Module:
    module = nn.Sequential(linear())
    module[0].weight.register_hook(lambda gradient: gradient * 2)
    return module


def with_accumulate_hook() -> nn.Module:
    module = nn.Sequential(linear())
    module[0].weight.register_post_accumulate_grad_hook(lambda _: None)
    return module


def with_other_forward() -> nn.Module:
    module = nn.Sequential(linear())
    module[0].forward = lambda x: x * 2
    return module


def parametrized() -> nn.Module:
    return nn.Sequential(nn.utils.parametrizations.weight_norm(linear()))


def with_more_parameters() -> nn.Module:
    module = nn.Sequential(linear())
    module.register_parameter("scale", nn.Parameter(torch.ones(1)))
    return module


class Doubling(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


@pytest.mark.parametrize(
    "make",
    [
        frozen,
        used_twice,
        tied,
        in_shared_memory,
        transposed,
        with_layer_hook,
        with_gradient_hook,
        with_accumulate_hook,
        with_other_forward,
        parametrized,
        with_more_parameters,
        lambda: build(Architecture("cnn", IMAGE, 10)),
        lambda: nn.Sequential(Doubling(3, 3)),
        lambda: nn.Sequential(linear(), nn.GELU(), linear()),
        lambda: nn.Sequential(linear(), nn.Dropout(), linear()),
        lambda: nn.Sequential(nn.Flatten(0), linear()),
        lambda: nn.Sequential(linear(), nn.Flatten(), linear()),
        lambda: nn.Sequential(nn.ReLU(), linear()),
        lambda: nn.Sequential(linear(), nn.ReLU(), nn.Sigmoid(), linear()),
        lambda: nn.Sequential(linear(3, 4), linear(3, 4)),
        lambda: nn.Sequential(linear().double()),
        lambda: nn.Sequential(nn.Flatten()),
        nn.Sequential,
    ],
)
def test_what_gradients_by_hand_do_not_cover(make):
    assert layers_of(make()) is None


def test_evaluating_gives_every_layer_its_own_mode_back():
    module = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2))
    module[1].eval()
    with evaluating(module):
        assert not module[0].training
        assert not torch.is_grad_enabled()
    assert [layer.training for layer in module.modules()] == [True, True, False]


def test_evaluating_gives_the_modes_back_after_an_error():
    module = nn.Linear(2, 2)
    with pytest.raises(RuntimeError), evaluating(module):
        module(torch.zeros(1, 3))
    assert module.training
    assert torch.is_grad_enabled()


def test_inputs_are_the_numbers_of_one_example():
    assert Architecture("linear", IMAGE, 10).inputs == math.prod(IMAGE) == 784
