"""The step, by hand and by autograd, against the plain PyTorch loop that anybody would write."""

import copy
import functools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from descend.data.builtin import load
from descend.data.dataset import Examples
from descend.models.build import layers_of
from descend.train.engine import LOSSES_KEPT, Autograd
from descend.train.fresh import new_engine
from descend.train.prepare import permutation
from descend.train.recipe import Recipe
from descend.train.step import step

ROWS = 6437  # not a multiple of 64: the last batch is smaller
MNIST = Recipe(optimizer="adam", lr=0.001, loss="cross-entropy", batch_size=64, epochs=1, seed=3)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@functools.cache
def digits():
    train = load("mnist").train
    return Examples(train.features[:ROWS], train.targets[:ROWS])


def two_layers():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def engine_for(gradients, module, examples, recipe):
    module.train()
    return new_engine(recipe, module, layers_of(module) if gradients == "by-hand" else None, examples)


def epoch(engine, recipe, number=1, *, order=None):
    """Losses of one epoch of steps, each over ``recipe.accumulate`` batches."""
    rows = len(engine.features)
    order = permutation(rows, recipe.seed, number) if order is None else order
    parts = order.split(recipe.batch_size)
    losses = []
    with torch.set_grad_enabled(isinstance(engine, Autograd)):
        for start in range(0, len(parts), recipe.accumulate):
            together = parts[start : start + recipe.accumulate]
            size = sum(len(part) for part in together)
            batches = [(part, len(part) / size) for part in together]
            step(engine, batches, recipe.lr, recipe.clip, lambda phase: None, None)
            if engine.full:
                losses += engine.take_losses()
    return losses + engine.take_losses()


def plain_epoch(module, examples, optimizer, recipe, number=1, loss_of=F.cross_entropy, clip=None):
    """The loop that anybody would write."""
    losses = []
    for rows in permutation(len(examples), recipe.seed, number).split(recipe.batch_size):
        x, y = examples.features[rows], examples.targets[rows]
        loss = loss_of(module(x), y)
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(module.parameters(), clip)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def assert_equal_weights(one, other):
    for (name, ours), theirs in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), name


@functools.cache
def plain_mnist():
    module = two_layers()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.001, fused=True)
    return plain_epoch(module, digits(), optimizer, MNIST), module


@pytest.mark.parametrize("gradients", ["by-hand", "autograd"])
def test_the_first_epoch_on_digits_is_the_plain_loop_bit_for_bit(gradients):
    module = two_layers()
    engine = engine_for(gradients, module, digits(), MNIST)
    assert engine.name == gradients
    losses, plain = plain_mnist()
    assert epoch(engine, MNIST) == losses
    assert len(losses) == 101
    assert losses[-1] < losses[0] / 2
    assert_equal_weights(module, plain)


@pytest.mark.parametrize("gradients", ["by-hand", "autograd"])
@pytest.mark.parametrize("loss", ["cross-entropy", "nll"])
def test_softmax_regression_in_order_is_bare_tensors_bit_for_bit(gradients, loss):
    """Batches in the order of the rows are slices, and plain gradient steps are `w -= lr * w.grad`."""
    recipe = Recipe(optimizer="sgd", lr=0.5, loss=loss, batch_size=64)
    examples = Examples(digits().features[:1000], digits().targets[:1000])
    torch.manual_seed(1)
    module = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    w, b = (value.detach().clone().requires_grad_() for value in module.parameters())
    engine = engine_for(gradients, module, examples, recipe)
    losses = []
    for start in range(0, 1000, 64):
        rows = slice(start, min(start + 64, 1000))
        with torch.set_grad_enabled(gradients == "autograd"):
            step(engine, [(rows, 1.0)], recipe.lr, None, lambda phase: None, None)
        with torch.enable_grad():
            mean = F.nll_loss(
                F.log_softmax(F.linear(examples.features[rows].flatten(1), w, b), 1), examples.targets[rows]
            )
            mean.backward()
        losses.append(mean.item())
        with torch.no_grad():
            for value in (w, b):
                value.sub_(recipe.lr * value.grad)
                value.grad = None
    assert engine.take_losses() == losses
    assert torch.equal(module[1].weight, w)
    assert torch.equal(module[1].bias, b)


@pytest.mark.parametrize("gradients", ["by-hand", "autograd"])
def test_values_by_mse_are_the_plain_loop(gradients):
    torch.manual_seed(2)
    x = torch.randn(300, 5)
    examples = Examples(x, torch.stack([x.sum(1), x[:, 0] ** 2], dim=1))
    recipe = Recipe(optimizer="adam", lr=0.01, loss="mse", batch_size=50)
    module = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 2))
    twin = copy.deepcopy(module)
    losses = epoch(engine_for(gradients, module, examples, recipe), recipe)
    theirs = plain_epoch(
        twin, examples, torch.optim.Adam(twin.parameters(), lr=0.01, fused=True), recipe, 1, F.mse_loss
    )
    assert losses == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("gradients", ["by-hand", "autograd"])
@pytest.mark.parametrize("loss", ["cross-entropy", "mse"])
def test_accumulated_batches_are_one_large_batch(gradients, loss):
    """Also where the last group is smaller than the others, and its last batch smaller than that."""
    torch.manual_seed(4)
    x = torch.randn(250, 6)
    y = torch.randint(3, (250,)) if loss == "cross-entropy" else torch.randn(250, 3)
    together = Recipe(optimizer="sgd", momentum=0.9, lr=0.05, loss=loss, batch_size=80)
    parts = Recipe(optimizer="sgd", momentum=0.9, lr=0.05, loss=loss, batch_size=20, accumulate=4)
    module = nn.Sequential(nn.Linear(6, 8), nn.Sigmoid(), nn.Linear(8, 3))
    twin = copy.deepcopy(module)
    one, many = (
        engine_for("autograd", twin, Examples(x, y), together),
        engine_for(gradients, module, Examples(x, y), parts),
    )
    for number in (1, 2):
        assert epoch(many, parts, number) == pytest.approx(epoch(one, together, number), rel=1e-6)
    for ours, theirs in zip(module.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_step_of_one_batch_may_stand_among_accumulated_ones():
    """50 rows in batches of 20, two a step: the second step has a single batch of 10."""
    torch.manual_seed(5)
    examples = Examples(torch.randn(50, 4), torch.randint(3, (50,)))
    recipe = Recipe(optimizer="sgd", lr=0.1, loss="cross-entropy", batch_size=20, accumulate=2)
    module = nn.Sequential(nn.Linear(4, 3))
    twin = copy.deepcopy(module)
    losses = epoch(engine_for("by-hand", module, examples, recipe), recipe)
    large = Recipe(optimizer="sgd", lr=0.1, loss="cross-entropy", batch_size=40)
    assert losses == pytest.approx(epoch(engine_for("autograd", twin, examples, large), large), rel=1e-6)


@pytest.mark.parametrize("gradients", ["by-hand", "autograd"])
@pytest.mark.parametrize("limit", [1e-3, 0.1, 1e6])
def test_clipping_is_torchs(gradients, limit):
    torch.manual_seed(6)
    examples = Examples(torch.randn(64, 4) * 5, torch.randint(3, (64,)))
    recipe = Recipe(loss="cross-entropy", clip=limit)
    module = nn.Sequential(nn.Linear(4, 7), nn.ReLU(), nn.Linear(7, 3))
    twin = copy.deepcopy(module)
    engine = engine_for(gradients, module, examples, recipe)
    with torch.set_grad_enabled(gradients == "autograd"):
        x, y = engine.fetch(slice(0, 64))
        engine.backward(engine.loss(engine.forward(x), y), 1.0)
    F.cross_entropy(twin(examples.features), examples.targets).backward()
    norm = float(nn.utils.clip_grad_norm_(twin.parameters(), limit))
    engine.clip(limit)
    for name, parameter in twin.named_parameters():
        torch.testing.assert_close(engine.parameters.gradient[name], parameter.grad, rtol=1e-6, atol=1e-9)
    clipped = float(torch.linalg.vector_norm(engine.parameters.gradients))
    assert clipped == pytest.approx(min(norm, limit), rel=1e-4)


def test_a_clipped_training_is_the_plain_clipped_loop():
    examples = Examples(digits().features[:512], digits().targets[:512])
    recipe = Recipe(optimizer="adam", lr=0.01, loss="cross-entropy", batch_size=64, clip=0.5)
    module, twin = two_layers(), two_layers()
    losses = epoch(engine_for("by-hand", module, examples, recipe), recipe)
    optimizer = torch.optim.Adam(twin.parameters(), lr=0.01, fused=True)
    assert losses == pytest.approx(plain_epoch(twin, examples, optimizer, recipe, clip=0.5), rel=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_batch_norm_and_dropout_are_the_plain_loop_bit_for_bit(optimizer):
    """Same random numbers, same running means, same weights: nothing is drawn or passed forward in between."""
    torch.manual_seed(7)
    examples = Examples(torch.randn(300, 1, 6, 6), torch.randint(4, (300,)))
    recipe = Recipe(optimizer=optimizer, lr=0.01, weight_decay=0.1, loss="cross-entropy", batch_size=64)
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(64, 4)
    )
    assert layers_of(module) is None
    twin = copy.deepcopy(module).train()
    engine = engine_for("autograd", module, examples, recipe)
    kind = torch.optim.Adam if optimizer == "adam" else torch.optim.AdamW
    theirs = kind(twin.parameters(), lr=0.01, weight_decay=0.1, fused=True)
    for number in (1, 2):
        torch.manual_seed(number)
        losses = epoch(engine, recipe, number)
        torch.manual_seed(number)
        assert losses == plain_epoch(twin, examples, theirs, recipe, number)
    assert_equal_weights(module, twin)


def test_frozen_parameters_stay():
    torch.manual_seed(8)
    examples = Examples(torch.randn(100, 4), torch.randint(3, (100,)))
    recipe = Recipe(optimizer="adamw", weight_decay=0.5, lr=0.01, loss="cross-entropy", batch_size=10)
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    module[0].requires_grad_(requires_grad=False)
    twin = copy.deepcopy(module)
    before = copy.deepcopy(module.state_dict())
    losses = epoch(engine_for("autograd", module, examples, recipe), recipe)
    moving = [parameter for parameter in twin.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(moving, lr=0.01, weight_decay=0.5, fused=True)
    assert losses == plain_epoch(twin, examples, optimizer, recipe)
    assert_equal_weights(module, twin)
    assert torch.equal(module[0].weight, before["0.weight"])
    assert not torch.equal(module[2].weight, before["2.weight"])


class Partly(nn.Module):
    """Has a layer that nothing passes through."""

    def __init__(self):
        super().__init__()
        self.unused, self.used = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.used(x)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_parameters_that_are_used_nowhere_stay(optimizer):
    torch.manual_seed(9)
    examples = Examples(torch.randn(100, 4), torch.randint(3, (100,)))
    momentum = 0.9 if optimizer == "sgd" else 0.0
    recipe = Recipe(optimizer=optimizer, momentum=momentum, lr=0.1, loss="cross-entropy", batch_size=10, clip=0.5)
    module = Partly()
    before = copy.deepcopy(module.state_dict())
    epoch(engine_for("autograd", module, examples, recipe), recipe)
    assert torch.equal(module.unused.weight, before["unused.weight"])
    assert torch.equal(module.unused.bias, before["unused.bias"])
    assert not torch.equal(module.used.weight, before["used.weight"])


def test_a_shared_parameter_gets_both_gradients():
    torch.manual_seed(10)
    examples = Examples(torch.randn(60, 4), torch.randn(60, 4))
    recipe = Recipe(optimizer="adam", lr=0.01, loss="mse", batch_size=16)
    module = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    module[2].weight = module[0].weight
    assert layers_of(module) is None
    twin = copy.deepcopy(module)
    losses = epoch(engine_for("autograd", module, examples, recipe), recipe)
    theirs = torch.optim.Adam(twin.parameters(), lr=0.01, fused=True)
    assert losses == plain_epoch(twin, examples, theirs, recipe, 1, F.mse_loss)
    assert_equal_weights(module, twin)


@pytest.mark.parametrize("gradients", ["by-hand", "autograd"])
def test_the_whole_table_as_one_batch_is_the_published_training(gradients):
    """Scores from hours studied: loss 412.0172 at epoch 100 and 2.2405 at 2,000, w = 3.007255792617798."""
    examples = load("scores").train
    recipe = Recipe(optimizer="sgd", lr=0.01, loss="mse", batch_size="all")
    torch.manual_seed(42)
    module = nn.Sequential(nn.Linear(1, 1))
    with torch.no_grad():
        torch.manual_seed(42)
        module[0].weight.copy_(torch.randn(1, 1))
        module[0].bias.copy_(torch.randn(1))
    engine = engine_for(gradients, module, examples, recipe)
    with torch.set_grad_enabled(gradients == "autograd"):
        for _ in range(2000):
            step(engine, [(slice(0, 5), 1.0)], recipe.lr, None, lambda phase: None, None)
    losses = engine.take_losses()
    assert [round(losses[epoch - 1], 4) for epoch in (100, 1000, 2000)] == [412.0172, 2.8962, 2.2405]
    assert module[0].weight.item() == 3.007255792617798
    assert module[0].bias.item() == pytest.approx(69.3470, abs=5e-5)


@pytest.mark.parametrize("gradients", ["by-hand", "autograd"])
def test_losses_wait_until_they_are_taken(gradients):
    torch.manual_seed(11)
    examples = Examples(torch.randn(8, 2), torch.randn(8, 1))
    recipe = Recipe(optimizer="sgd", lr=0.01, loss="mse", batch_size=4, accumulate=2)
    engine = engine_for(gradients, nn.Sequential(nn.Linear(2, 1)), examples, recipe)
    assert engine.take_losses() == []
    first = epoch(engine, recipe, order=torch.arange(8))
    assert len(first) == 1
    assert engine.take_losses() == []
    engine.filled = LOSSES_KEPT - 1
    with torch.set_grad_enabled(gradients == "autograd"):
        step(engine, [(slice(0, 8), 1.0)], 0.0, None, lambda phase: None, None)
        assert engine.full
        assert len(engine.take_losses()) == LOSSES_KEPT
        step(engine, [(slice(0, 4), 0.5), (slice(4, 8), 0.5)], 0.0, None, lambda phase: None, None)
        step(engine, [(slice(0, 8), 1.0)], 0.0, None, lambda phase: None, None)
    parts, whole = engine.take_losses()
    assert parts == pytest.approx(whole, rel=1e-6)


def test_a_step_tells_its_phases_in_order_and_opens_the_pause_before_the_update():
    torch.manual_seed(12)
    examples = Examples(torch.randn(8, 2), torch.randn(8, 1))
    recipe = Recipe(optimizer="sgd", lr=0.1, loss="mse")
    module = nn.Sequential(nn.Linear(2, 1))
    engine = engine_for("by-hand", module, examples, recipe)
    before, told = module[0].weight.clone(), []

    def pause():
        told.append("pause")
        assert torch.equal(module[0].weight, before)
        assert engine.parameters.gradients.any()

    step(engine, [(slice(0, 8), 1.0)], 0.1, None, told.append, pause)
    assert told == ["data", "forward", "loss", "backward", "pause", "update", "zero"]
    assert not torch.equal(module[0].weight, before)
    del told[:]
    step(engine, [(slice(0, 4), 0.5), (slice(4, 8), 0.5)], 0.1, None, told.append, None)
    assert told == ["data", "forward", "loss", "backward"] * 2 + ["update", "zero"]


@pytest.mark.parametrize("gradients", ["by-hand", "autograd"])
def test_the_examples_are_never_written(gradients):
    torch.manual_seed(13)
    examples = Examples(torch.randn(20, 1, 2, 2), torch.randint(3, (20,)))
    x, y = examples.features.clone(), examples.targets.clone()
    recipe = Recipe(optimizer="adam", loss="cross-entropy", batch_size=6)
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    engine = engine_for(gradients, module, examples, recipe)
    epoch(engine, recipe)
    with torch.set_grad_enabled(gradients == "autograd"):
        step(engine, [(slice(0, 20), 1.0)], 0.1, None, lambda phase: None, None)
    assert torch.equal(examples.features, x)
    assert torch.equal(examples.targets, y)


@pytest.mark.parametrize("loss", ["mae", "huber", "binary-cross-entropy"])
def test_losses_without_a_closed_form_go_through_autograd(loss):
    torch.manual_seed(14)
    classes = loss == "binary-cross-entropy"
    targets = torch.randint(2, (90,)) if classes else torch.randn(90, 1)
    examples = Examples(torch.randn(90, 3), targets)
    recipe = Recipe(optimizer="adam", lr=0.01, loss=loss, batch_size=32)
    module = nn.Sequential(nn.Linear(3, 1))
    twin = copy.deepcopy(module)
    functions = {
        "mae": F.l1_loss,
        "huber": F.huber_loss,
        "binary-cross-entropy": lambda z, y: F.binary_cross_entropy_with_logits(z[:, 0], y.float()),
    }
    losses = epoch(engine_for("autograd", module, examples, recipe), recipe)
    theirs = torch.optim.Adam(twin.parameters(), lr=0.01, fused=True)
    assert losses == pytest.approx(plain_epoch(twin, examples, theirs, recipe, 1, functions[loss]), rel=1e-6)
