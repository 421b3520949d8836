"""Gradients by hand against autograd, bit for bit, and against central differences in float64."""

import copy
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from descend.data.dataset import Examples
from descend.models.build import layers_of
from descend.train import by_hand
from descend.train.engine import ByHand
from descend.train.losses import LOSSES
from descend.train.parameters import FlatParameters

ACTIVATIONS = {"none": None, "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
Gradients = dict[str, Tensor]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def stack(widths, activation="relu", *, bias=True):
    layers = []
    for inputs, outputs in pairwise(widths):
        layers.append(nn.Linear(inputs, outputs, bias=bias))
        if ACTIVATIONS[activation]:
            layers.append(ACTIVATIONS[activation]())
    if ACTIVATIONS[activation]:
        layers.pop()
    return nn.Sequential(*layers)


def targets_for(loss, rows, outputs):
    return torch.randn(rows, outputs) if loss == "mse" else torch.randint(outputs, (rows,))


def engine_for(module, x, y, loss, *, accumulate=False):
    layers = layers_of(module)
    assert by_hand.covers(layers, loss)
    return ByHand(module, Examples(x, y), LOSSES[loss], FlatParameters(module), layers, accumulate=accumulate)


def by_hand_step(engine, rows) -> tuple[float, Gradients]:
    with torch.no_grad():
        x, y = engine.fetch(rows)
        loss = engine.loss(engine.forward(x), y)
        engine.backward(loss, 1.0)
    return float(loss), {name: value.clone() for name, value in engine.parameters.gradient.items()}


def autograd_step(module, x, y, loss) -> tuple[float, Gradients]:
    module.zero_grad()
    mean = LOSSES[loss].mean(module(x), y)
    mean.backward()
    return float(mean.detach()), {name: value.grad for name, value in module.named_parameters()}


def assert_bit_equal(ours: Gradients, theirs: Gradients):
    assert ours.keys() == theirs.keys()
    for name, gradient in ours.items():
        assert torch.equal(gradient, theirs[name]), (name, (gradient - theirs[name]).abs().max())


def assert_close(ours: Gradients, theirs: Gradients, loss: float):
    """Each within 1e-6 of the largest entry of all gradients; where the rows' terms cancel, of their usual size √loss."""
    largest = max(float(value.abs().max()) for value in theirs.values())
    for name, gradient in ours.items():
        assert float((gradient - theirs[name]).abs().max()) <= 1e-6 * max(largest, loss**0.5), name


def assert_same(ours: Gradients, theirs: Gradients, loss: float, rows: int, hidden: list[int]):
    """Bit-equal; but where ∂L/∂x is a single number, autograd adds its products in another order than anywhere else."""
    if rows == 1 and 1 in hidden:
        assert_close(ours, theirs, loss)
    else:
        assert_bit_equal(ours, theirs)


widths = st.lists(st.integers(1, 40), min_size=2, max_size=4)


@given(
    widths=widths,
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    bias=st.booleans(),
    loss=st.sampled_from(["cross-entropy", "nll"]),
    rows=st.integers(1, 70),
    seed=st.integers(0, 2**20),
)
@settings(max_examples=80)
def test_gradients_of_classes_are_autograds_bit_for_bit(widths, activation, bias, loss, rows, seed):
    torch.manual_seed(seed)
    module = stack(widths, activation, bias=bias)
    x, y = torch.randn(rows, widths[0]), targets_for(loss, rows, widths[-1])
    their_loss, theirs = autograd_step(copy.deepcopy(module), x, y, loss)
    our_loss, ours = by_hand_step(engine_for(module, x, y, loss), slice(0, rows))
    assert our_loss == their_loss
    assert_same(ours, theirs, our_loss, rows, widths[1:-1])


@given(
    widths=widths,
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    bias=st.booleans(),
    power=st.integers(0, 6),
    outputs=st.sampled_from([1, 2, 4]),
    seed=st.integers(0, 2**20),
)
@settings(max_examples=50)
def test_gradients_of_mse_are_bit_equal_where_two_over_n_is_a_power_of_two(
    widths, activation, bias, power, outputs, seed
):
    torch.manual_seed(seed)
    module = stack([*widths, outputs], activation, bias=bias)
    rows = 2**power
    x, y = torch.randn(rows, widths[0]), targets_for("mse", rows, outputs)
    their_loss, theirs = autograd_step(copy.deepcopy(module), x, y, "mse")
    our_loss, ours = by_hand_step(engine_for(module, x, y, "mse"), slice(0, rows))
    assert our_loss == their_loss
    assert_same(ours, theirs, our_loss, rows, widths[1:])


@given(
    widths=widths,
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    bias=st.booleans(),
    rows=st.integers(1, 70),
    seed=st.integers(0, 2**20),
)
@settings(max_examples=50)
def test_gradients_of_mse_are_autograds_but_for_rounding(widths, activation, bias, rows, seed):
    torch.manual_seed(seed)
    module = stack(widths, activation, bias=bias)
    x, y = torch.randn(rows, widths[0]), targets_for("mse", rows, widths[-1])
    their_loss, theirs = autograd_step(copy.deepcopy(module), x, y, "mse")
    our_loss, ours = by_hand_step(engine_for(module, x, y, "mse"), slice(0, rows))
    assert our_loss == their_loss
    assert_close(ours, theirs, our_loss)


@pytest.mark.parametrize("loss", ["mse", "cross-entropy", "nll"])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("bias", [True, False])
def test_gradients_are_central_differences_of_the_loss(loss, activation, bias):
    torch.manual_seed(3)
    module = stack([3, 4, 4, 3], activation, bias=bias)
    x, y = torch.randn(7, 3), targets_for(loss, 7, 3)
    _, ours = by_hand_step(engine_for(module, x, y, loss), slice(0, 7))
    exact = copy.deepcopy(module).double()
    exact_y = y.double() if loss == "mse" else y
    step = 1e-6
    for name, parameter in exact.named_parameters():
        flat = parameter.data.view(-1)
        for entry in range(flat.numel()):
            middle = flat[entry].item()
            sides = []
            for value in (middle + step, middle - step):
                flat[entry] = value
                sides.append(float(LOSSES[loss].mean(exact(x.double()), exact_y).detach()))
            flat[entry] = middle
            difference = (sides[0] - sides[1]) / (2 * step)
            assert ours[name].view(-1)[entry].item() == pytest.approx(difference, rel=1e-4, abs=1e-6), (name, entry)


@pytest.mark.parametrize("loss", ["mse", "cross-entropy", "nll"])
def test_batches_may_change_their_size_and_come_back(loss):
    torch.manual_seed(1)
    module = stack([5, 8, 4])
    x, y = torch.randn(64, 5), targets_for(loss, 64, 4)
    twin = copy.deepcopy(module)
    engine = engine_for(module, x, y, loss)
    for size in (16, 1, 64, 16, 7, 1, 16):
        for rows in (slice(0, size), torch.randperm(64)[:size]):
            their_loss, theirs = autograd_step(twin, x[rows], y[rows], loss)
            our_loss, ours = by_hand_step(engine, rows)
            assert our_loss == their_loss
            assert_close(ours, theirs, our_loss)


def test_one_row_of_one_feature():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(1, 1))
    x, y = torch.tensor([[3.0]]), torch.tensor([[5.0]])
    w, b = module[0].weight.item(), module[0].bias.item()
    loss, gradients = by_hand_step(engine_for(module, x, y, "mse"), slice(0, 1))
    error = w * 3 + b - 5
    assert loss == pytest.approx(error**2, rel=1e-6)
    assert gradients["0.weight"].item() == pytest.approx(2 * error * 3, rel=1e-6)
    assert gradients["0.bias"].item() == pytest.approx(2 * error, rel=1e-6)


def test_the_first_batch_does_not_colour_the_next():
    """Buffers are used again: nothing of an earlier batch, however large its numbers, may stay in them."""
    torch.manual_seed(0)
    module = stack([4, 6, 3], "relu")
    x, y = torch.randn(8, 4), torch.randint(3, (8,))
    x[:4] *= 1e6
    twin = copy.deepcopy(module)
    engine = engine_for(module, x, y, "cross-entropy")
    by_hand_step(engine, slice(0, 4))
    _, ours = by_hand_step(engine, slice(4, 8))
    _, theirs = autograd_step(twin, x[4:], y[4:], "cross-entropy")
    assert_bit_equal(ours, theirs)


def test_the_examples_are_never_written():
    torch.manual_seed(0)
    module = stack([4, 6, 3], "tanh")
    x, y = torch.randn(8, 4), torch.randint(3, (8,))
    kept_x, kept_y = x.clone(), y.clone()
    engine = engine_for(module, x, y, "cross-entropy")
    for rows in (slice(0, 8), slice(2, 5), torch.tensor([7, 0, 0])):
        by_hand_step(engine, rows)
    assert torch.equal(x, kept_x)
    assert torch.equal(y, kept_y)


def test_huge_logits_stay_finite():
    module = nn.Sequential(nn.Linear(2, 3))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1e20, 0.0], [0.0, 1e20], [-1e20, -1e20]]))
    x, y = torch.tensor([[1.0, 2.0], [3.0, 0.5]]), torch.tensor([0, 0])
    their_loss, theirs = autograd_step(copy.deepcopy(module), x, y, "nll")
    our_loss, ours = by_hand_step(engine_for(module, x, y, "nll"), slice(0, 2))
    assert our_loss == their_loss == pytest.approx(0.5e20)
    assert_bit_equal(ours, theirs)


def test_images_are_flattened_and_identities_passed_through():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Identity(), nn.Flatten(), nn.Sequential(nn.Linear(12, 5), nn.Identity(), nn.ReLU()), nn.Linear(5, 3)
    )
    x, y = torch.randn(9, 1, 3, 4), torch.randint(3, (9,))
    _, theirs = autograd_step(copy.deepcopy(module), x, y, "cross-entropy")
    _, ours = by_hand_step(engine_for(module, x, y, "cross-entropy"), slice(0, 9))
    assert_bit_equal(ours, theirs)


def test_a_dead_relu_gives_no_gradient_and_zero_counts_as_dead():
    module = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1.0], [0.0]]))
        module[0].bias.copy_(torch.tensor([-10.0, 0.0]))  # z = -9 and exactly 0
        module[2].weight.fill_(1.0)
    _, ours = by_hand_step(engine_for(module, torch.ones(1, 1), torch.ones(1, 1) * 9, "mse"), slice(0, 1))
    assert not ours["0.weight"].any()
    assert not ours["0.bias"].any()
    assert not ours["2.weight"].any()
    assert ours["2.bias"].item() != 0


def test_what_is_covered():
    linear, relu = nn.Linear(2, 2), nn.ReLU()
    for loss in ("mse", "cross-entropy", "nll"):
        assert by_hand.covers([linear], loss)
        assert by_hand.covers([linear, relu, nn.Linear(2, 2)], loss)
        assert not by_hand.covers([linear, relu], loss)
        assert not by_hand.covers([], loss)
        assert not by_hand.covers(None, loss)
    for loss in LOSSES.keys() - {"mse", "cross-entropy", "nll"}:
        assert not by_hand.covers([linear], loss)


def test_the_published_step_through_a_dead_unit():
    """manual_seed(0), Linear(3, 2) → ReLU → Linear(2, 1) on [1, 2, 3], target 10: loss 104.11864, one hidden unit dead."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
    x, y = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[10.0]])
    hidden = module[:2](x)
    assert int((hidden == 0).sum()) == 1
    _, theirs = autograd_step(copy.deepcopy(module), x, y, "mse")
    loss, ours = by_hand_step(engine_for(module, x, y, "mse"), slice(0, 1))
    assert loss == pytest.approx(104.11864, rel=1e-6)
    assert module(x).item() == pytest.approx(-0.2039, abs=5e-5)
    assert_bit_equal(ours, theirs)
