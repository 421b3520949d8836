"""Curvature and stable rates against the published figures, against autograd's Hessian, and by walking down the hill."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from descend.data.builtin import load
from descend.numerics.least_squares import curvature, largest_stable_rate


@pytest.mark.parametrize(
    ("name", "layout", "eigenvalues", "limit", "condition"),
    [
        ("scores-two", "reshape", [0.1026, 5.090, 192.507], 0.010389, 1876),
        ("scores-two", "rows", [0.00832, 6.230, 191.462], 0.010446, 23021),
    ],
)
def test_the_published_figures_of_two_features(name, layout, eigenvalues, limit, condition):
    features = load(name, layout=layout).train.features
    found = curvature(features)
    assert found.dtype == torch.float64
    assert [float(f"{value:.4g}") for value in found.tolist()] == pytest.approx(eigenvalues, rel=5e-4)
    assert largest_stable_rate(features) == pytest.approx(limit, abs=5e-7)
    assert float(found[-1] / found[0]) == pytest.approx(condition, abs=0.5)
    assert 0.01 / largest_stable_rate(features) == pytest.approx(0.96, abs=0.005)


def test_the_limit_of_one_feature():
    assert largest_stable_rate(load("scores").train.features) == pytest.approx(0.0223, abs=5e-5)


@given(
    rows=st.integers(1, 12),
    columns=st.integers(1, 4),
    outputs=st.integers(1, 3),
    bias=st.booleans(),
    seed=st.integers(0, 2**20),
)
@settings(max_examples=40)
def test_eigenvalues_are_those_of_autograds_hessian(rows, columns, outputs, bias, seed):
    torch.manual_seed(seed)
    x, y = torch.randn(rows, columns).double(), torch.randn(rows, outputs).double()
    width = columns + 1 if bias else columns

    def loss(flat):
        weights = flat.view(outputs, width)
        said = x @ weights[:, :columns].t() + (weights[:, columns] if bias else 0)
        return ((said - y) ** 2).mean()

    hessian = torch.autograd.functional.hessian(loss, torch.randn(outputs * width).double())
    theirs = torch.linalg.eigvalsh(hessian)
    ours = curvature(x.float(), outputs, bias=bias)
    assert ours.shape == (width,)
    repeated = ours.repeat_interleave(outputs)  # each output has the same curvature
    torch.testing.assert_close(repeated, theirs.clamp(min=0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "layout"), [("scores", "rows"), ("scores-two", "rows"), ("scores-two", "reshape")])
@pytest.mark.parametrize("bias", [True, False])
def test_below_the_limit_the_loss_falls_and_above_it_grows(name, layout, bias):
    examples = load(name, layout=layout).train
    x, y = examples.features.double(), examples.targets.double()
    if bias:
        x = torch.cat([x, x.new_ones(len(x), 1)], dim=1)
    limit = largest_stable_rate(examples.features, bias=bias)
    floor = float((x @ torch.linalg.lstsq(x, y).solution - y).square().mean())

    def walk(lr):
        """How far above the floor the loss is, before and after many steps."""
        w = torch.ones(x.shape[1], 1).double()
        above = []
        for _ in range(3000):
            error = x @ w - y
            above.append(float(error.square().mean()) - floor)
            w -= lr * 2 / len(x) * (x.t() @ error)
        return above

    falls, grows = walk(0.999 * limit), walk(1.001 * limit)
    assert all(after <= before * (1 + 1e-9) for before, after in pairwise(falls))
    assert falls[-1] < falls[0]
    assert grows[-1] > 10 * grows[-1001] > 100 * grows[-2001]


def test_rows_that_say_nothing_allow_any_rate():
    assert largest_stable_rate(torch.zeros(3, 2), bias=False) == float("inf")
    assert curvature(torch.zeros(3, 2)).tolist() == [0.0, 0.0, 2.0]
