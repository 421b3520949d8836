"""Each loss against its formula written out in float64, and its exact sum over batches of unequal size."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from descend.train.losses import LOSSES
from descend.train.recipe import LOSSES_OF_CLASSES, LOSSES_OF_VALUES

WRITTEN_OUT = {
    "mse": lambda said, y: ((said - y) ** 2).mean(),
    "mae": lambda said, y: (said - y).abs().mean(),
    "huber": lambda said, y: torch.where((said - y).abs() <= 1, (said - y) ** 2 / 2, (said - y).abs() - 0.5).mean(),
    "cross-entropy": lambda z, y: -(z.exp() / z.exp().sum(1, keepdim=True))[range(len(y)), y].log().mean(),
    "nll": lambda z, y: -(z.exp() / z.exp().sum(1, keepdim=True))[range(len(y)), y].log().mean(),
    "binary-cross-entropy": lambda z, y: (
        -(y * torch.sigmoid(z[:, 0]).log() + (1 - y) * (1 - torch.sigmoid(z[:, 0])).log()).mean()
    ),
}


def batch_for(name, rows):
    if name in LOSSES_OF_VALUES:
        return torch.randn(rows, 3) * 2, torch.randn(rows, 3)
    if name == "binary-cross-entropy":
        return torch.randn(rows, 1), torch.randint(2, (rows,))
    return torch.randn(rows, 4), torch.randint(4, (rows,))


def test_the_recipes_words_are_the_losses():
    assert set(LOSSES) == {*LOSSES_OF_VALUES, *LOSSES_OF_CLASSES}
    assert all(loss.name == name and loss.formula for name, loss in LOSSES.items())


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_the_mean_is_the_formula(name):
    torch.manual_seed(0)
    loss = LOSSES[name]
    output, targets = batch_for(name, 50)
    mean = loss.mean(output, loss.prepare(targets))
    assert mean.shape == ()
    assert float(mean) == pytest.approx(
        float(WRITTEN_OUT[name](output.double(), targets.double() if output.shape[1] != 4 else targets)), rel=1e-6
    )


@pytest.mark.parametrize("name", sorted(LOSSES))
@settings(max_examples=20)
@given(sizes=st.lists(st.integers(1, 20), min_size=1, max_size=5), seed=st.integers(0, 1000))
def test_sums_over_uneven_batches_give_the_mean_of_all_rows(name, sizes, seed):
    torch.manual_seed(seed)
    loss = LOSSES[name]
    output, targets = batch_for(name, sum(sizes))
    y = loss.prepare(targets)
    total = sum(float(loss.sum(a, b)) for a, b in zip(output.split(sizes), y.split(sizes), strict=True))
    assert loss.sum(output, y).dtype == torch.float64
    assert total / sum(sizes) == pytest.approx(
        float(loss.mean(output.double(), y if y.dtype == torch.int64 else y.double())), rel=1e-6
    )


def test_nll_after_log_softmax_is_cross_entropy_bit_for_bit():
    output, targets = torch.randn(30, 5) * 10, torch.randint(5, (30,))
    assert torch.equal(LOSSES["nll"].mean(output, targets), LOSSES["cross-entropy"].mean(output, targets))
    assert torch.equal(LOSSES["nll"].mean(output, targets), F.cross_entropy(output, targets))


def test_two_classes_by_binary_cross_entropy_need_one_output():
    assert LOSSES["binary-cross-entropy"].outputs(2) == 1
    assert LOSSES["cross-entropy"].outputs(2) == 2
    assert LOSSES["mse"].outputs(3) == 3
    assert LOSSES["binary-cross-entropy"].prepare(torch.tensor([0, 1])).tolist() == [[0.0], [1.0]]
