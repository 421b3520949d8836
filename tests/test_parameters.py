"""One flat tensor of values, one of gradients, and the model's parameters as views of them."""

import copy

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from descend.train.parameters import ALIGNMENT, FlatParameters


def test_the_models_parameters_become_views():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    before = copy.deepcopy(module.state_dict())
    flat = FlatParameters(module)
    assert list(flat.value) == list(flat.gradient) == [name for name, _ in module.named_parameters()]
    for name, parameter in module.named_parameters():
        assert torch.equal(parameter, before[name])
        assert flat.value[name].data_ptr() == parameter.data_ptr()
        assert flat.value[name].shape == flat.gradient[name].shape == parameter.shape
        assert isinstance(parameter, nn.Parameter)
    flat.values.fill_(3.0)
    assert all(bool((parameter == 3).all()) for parameter in module.parameters())
    with torch.no_grad():
        module[0].bias.zero_()
    assert not flat.value["0.bias"].any()


def test_loading_weights_keeps_the_views():
    module = nn.Linear(3, 2)
    flat = FlatParameters(module)
    module.load_state_dict({"weight": torch.ones(2, 3), "bias": torch.full((2,), 2.0)})
    assert torch.equal(flat.value["weight"], torch.ones(2, 3))
    assert float(flat.values.sum()) == 6 + 4


@given(st.lists(st.lists(st.integers(1, 7), max_size=3), min_size=1, max_size=6))
def test_views_never_overlap_and_begin_where_torchs_own_tensors_would(shapes):
    module = nn.ParameterList([nn.Parameter(torch.randn(shape)) for shape in shapes])
    flat = FlatParameters(module)
    count = torch.zeros_like(flat.values)
    for view in flat.views(count).values():
        assert view.storage_offset() % ALIGNMENT == 0
        assert view.is_contiguous()
        view.add_(1)
    assert count.max() == 1
    assert int(count.sum()) == sum(parameter.numel() for parameter in module)
    assert not flat.values[count == 0].any()
    assert not flat.gradients.any()
    assert flat.values.data_ptr() % 64 == 0


def test_values_that_do_not_lie_in_one_piece_are_taken_in_their_order():
    module = nn.Linear(4, 3)
    turned = torch.randn(4, 3).t()
    module.weight = nn.Parameter(turned)
    flat = FlatParameters(module)
    assert torch.equal(flat.value["weight"], turned)
    assert torch.equal(module.weight, turned)


def test_a_shared_parameter_has_one_place():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    module = nn.Sequential(first, second)
    flat = FlatParameters(module)
    assert list(flat.value) == ["0.weight", "0.bias", "1.bias"]
    assert second.weight is first.weight
    assert second.weight.data_ptr() == flat.value["0.weight"].data_ptr()


def test_frozen_parameters_are_left_alone():
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    module[0].weight.requires_grad_(False)
    address = module[0].weight.data_ptr()
    flat = FlatParameters(module)
    assert list(flat.value) == ["0.bias", "1.weight", "1.bias"]
    assert module[0].weight.data_ptr() == address


def test_a_flat_tensor_of_ones_own_is_cut_in_the_same_way():
    module = nn.Linear(2, 2)
    flat = FlatParameters(module)
    other = torch.arange(float(flat.values.numel()))
    views = flat.views(other)
    assert torch.equal(views["weight"], torch.tensor([[0.0, 1.0], [2.0, 3.0]]))
    assert torch.equal(views["bias"], torch.tensor([16.0, 17.0]))
    assert torch.equal(views["bias"], flat.view(other, "bias"))
