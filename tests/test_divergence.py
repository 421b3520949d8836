"""A loss that is not finite: the training stops there, says why, and names a rate that holds."""

import math
import re
from itertools import pairwise

import numpy as np
import pytest
import torch

import descend
from descend.errors import Diverged
from descend.record.reader import Reader

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(40, 3)).astype(np.float32)
VALUES = FEATURES.sum(1)
TRIED = r"--lr (\S+) was tried from the same start: over (\d+) steps its loss went from (\S+) to (\S+)"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def train(data="scores", **settings):
    return descend.train(data, progress=False, **settings)


def diverging(data="scores", **settings):
    with pytest.raises(Diverged) as caught:
        train(data, **settings)
    return caught.value


def largest_rate_of_scores():
    """2 / λmax of the Hessian of the mean squared error, 2/N · XᵀX with a column of ones."""
    design = np.stack([[2, 4, 6, 8, 10], np.ones(5)], axis=1)
    return 2 / np.linalg.eigvalsh(2 / 5 * design.T @ design).max()


def test_the_message_names_the_step_the_parameter_and_the_rate():
    error = diverging(lr=5)
    assert error.what == (
        "the loss stopped being a finite number at step 8, with learning rate 5; "
        "output.weight would have been the first parameter to go, at step 15"
    )
    assert error.where == "epoch 8, step 8"
    limit = largest_rate_of_scores()
    assert error.help == f"--lr 0.02 is stable: the limit for these rows is 2/λmax = {limit:.4g}, whatever the seed"
    assert error.exit_status == 1


def test_the_parameter_and_its_step_are_those_of_a_plain_loop():
    weight, bias = torch.randn(1, 1, generator=torch.manual_seed(42)), torch.randn(1, generator=torch.default_generator)
    x, y = torch.tensor([[2.0], [4], [6], [8], [10]]), torch.tensor([[75.0], [80], [90], [94], [98]])
    for step in range(1, 16):
        error = x @ weight + bias - y
        finite = bool(torch.isfinite((error**2).mean()))
        assert finite == (step < 8)
        assert torch.isfinite(weight).all()
        assert torch.isfinite(bias).all()
        weight = weight - 5 * 2 / 5 * (x * error).sum(0, keepdim=True)
        bias = bias - 5 * 2 / 5 * error.sum(0)
    assert not torch.isfinite(weight).all()


@pytest.mark.parametrize("lr", [0.023, 0.03, 1, 1e6, 1e30])
def test_the_limit_that_is_named_divides_what_holds_from_what_does_not(lr):
    error = diverging(lr=lr)
    rate = float(re.match(r"--lr (\S+) is stable", error.help)[1])
    assert 0.85 * largest_rate_of_scores() < rate < largest_rate_of_scores()
    for seed in (0, 1):
        losses = train(lr=rate, epochs=2000, seed=seed).losses
        assert losses[-1] < 3
        assert all(later <= earlier * 1.0001 for earlier, later in pairwise(losses[10:]))


@pytest.mark.parametrize(
    ("data", "settings"),
    [
        ("scores", {"lr": 0.5, "momentum": 0.9}),
        ("scores", {"lr": 0.05, "weight_decay": 0.1}),
        ("scores", {"lr": 0.05, "batch_size": 2}),
        ("scores", {"lr": 1e30, "optimizer": "adam"}),
        ("scores", {"lr": 2.0, "gradients": "autograd", "loss": "mse", "schedule": "cosine", "momentum": 0.5}),
        ((FEATURES, VALUES), {"lr": 1e4, "optimizer": "sgd", "model": "mlp", "sizes": [8]}),
        ((FEATURES, VALUES), {"lr": 1e4, "optimizer": "sgd", "batch_size": 8, "accumulate": 2}),
        ((FEATURES, (VALUES > 0).astype(int)), {"lr": 1e38, "optimizer": "sgd", "epochs": 40}),
    ],
)
def test_a_rate_that_was_tried_does_what_is_said_of_it(data, settings):
    error = diverging(data, **settings)
    rate, steps, first, last = re.match(TRIED, error.help).groups()
    assert float(rate) < settings["lr"]
    again = train(data, **{**settings, "lr": float(rate), "schedule": "constant", "epochs": int(steps)})
    assert again.losses[0] == pytest.approx(float(first), rel=1e-3)
    assert again.losses[int(steps) - 1] == pytest.approx(float(last), rel=1e-3)
    assert float(last) <= float(first)


@pytest.mark.parametrize(
    "settings",
    [
        {"lr": 5},
        {"lr": 0.03},
        {"lr": 0.5, "batch_size": 2},
        {"lr": 0.05, "validation": 0.2},
        {"lr": 0.025},
    ],
)
def test_nothing_is_recorded_after_the_step(settings):
    error = diverging(**settings)
    report = error.report
    bad = report["steps"]
    assert report["status"] == "diverged"
    assert report["message"] == error.what
    assert report["model"] is report["train"] is report["losses"]["last"] is None
    with Reader(report["path"]) as record:
        assert record.status == "diverged"
        assert record.info.report == report
        steps = record.steps()
        assert steps.step == list(range(1, bad + 1))
        assert [math.isfinite(loss) for loss in steps.loss] == [True] * (bad - 1) + [False]
        assert max(row.step for row in record.phases()) <= bad
        assert max(row.step for row in record.norms()) <= bad
        assert max(row.step for row in record.snapshots()) <= bad
        assert max(row.step for row in record.epochs()) < bad
    assert f"step {bad}" in error.where


def test_a_training_that_diverges_is_the_same_up_to_there():
    error = diverging(lr=0.03)
    steps = error.report["steps"]
    with Reader(error.report["path"]) as record:
        losses = record.steps().loss
    assert losses[:-1] == train(lr=0.03, epochs=steps - 1).losses


@pytest.mark.parametrize(
    ("features", "values", "said"),
    [
        (FEATURES * 1e30, VALUES, "the features reach 2.33e+30: scale them first"),
        (FEATURES, VALUES * 1e30, "the targets reach 3.79e+30: scale them first"),
    ],
)
def test_numbers_too_large_to_begin_with_are_not_blamed_on_the_rate(features, values, said):
    error = diverging((features, values), epochs=2)
    assert (
        error.what
        == "the loss is not a finite number at step 1, before anything was learned: no learning rate could help"
    )
    assert error.where == "epoch 1, step 1"
    assert error.help.startswith(said)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return self.layer(x) / 0", "look in the model for a division by zero or a logarithm of zero"),
        ("return self.layer(x)", "layer.weight begins with values that are not finite"),
    ],
)
def test_a_model_that_is_not_finite_to_begin_with_is_not_blamed_on_the_rate(tmp_path, body, said):
    broken = "nn.init.constant_(self.layer.weight, float('nan'))" if "/" not in body else "pass"
    tmp_path.joinpath("net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        f"        self.layer = nn.Linear(1, 1)\n        {broken}\n"
        f"    def forward(self, x):\n        {body}\n"
    )
    error = diverging("scores", model="net.py:Net")
    assert "before anything was learned" in error.what
    assert error.help.startswith(said)
