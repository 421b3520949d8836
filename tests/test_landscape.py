"""The exact trajectory against iterating, the published figures, and what standardising brings."""

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from descend.data.builtin import load
from descend.numerics.landscape import Landscape, epochs_needed
from descend.numerics.least_squares import curvature, largest_stable_rate


def built_in(name, layout="rows"):
    examples = load(name, layout=layout).train
    return Landscape.of(examples.features, examples.targets)


def iterated(landscape, start, lr, epochs):
    """Plain gradient descent, one epoch after another; the parameters after each."""
    theta = np.array(start, dtype=np.float64).reshape(landscape.x.shape[1], -1)
    for _ in range(epochs):
        theta = theta - lr * 2 / landscape.y.size * landscape.x.T @ (landscape.x @ theta - landscape.y)
    return theta


SCORES = built_in("scores")
SCORES_START = [0.33669036626815796, 0.12880940735340118]
TWO_START = [0.33669036626815796, 0.12880940735340118, 0.2344624549150467]


@pytest.mark.parametrize(
    ("layout", "eigenvalues", "limit", "condition", "floor"),
    [
        ("reshape", [0.1026, 5.090, 192.507], 0.010389, 1876, 27.4162),
        ("rows", [0.00832, 6.230, 191.462], 0.010446, 23021, 1.3084),
    ],
)
def test_the_published_figures(layout, eigenvalues, limit, condition, floor):
    found = built_in("scores-two", layout)
    assert [float(f"{value:.4g}") for value in found.eigenvalues] == pytest.approx(eigenvalues, rel=5e-4)
    assert found.largest_stable_rate == pytest.approx(limit, abs=5e-7)
    assert found.condition == pytest.approx(condition, abs=0.5)
    assert found.floor == pytest.approx(floor, abs=5e-5)


def test_the_published_minimum():
    found = built_in("scores-two", "rows")
    assert found.minimum[:, 0] == pytest.approx([2.4484, 2.4516, 54.8129], abs=5e-5)


def test_the_published_losses_without_a_step():
    """The loss of epoch 100 is printed before its update."""
    path = SCORES.descent(SCORES_START, 0.01)
    assert path.loss(0) == pytest.approx(7326.73, abs=0.01)
    published = [412.0172, 202.6555, 100.2602, 50.1801, 25.6868, 13.7074, 7.8486, 4.9831, 3.5816, 2.8962]
    assert [path.loss(epoch - 1) for epoch in range(100, 1001, 100)] == pytest.approx(published, abs=1e-3)
    assert path.parameters(2000)[:, 0] == pytest.approx([3.00726, 69.3470], abs=1e-4)
    two = built_in("scores-two", "reshape").descent(TWO_START, 0.01)
    assert [two.loss(epoch - 1) for epoch in (100, 500, 1000, 2000, 3000)] == pytest.approx(
        [186.2492, 97.2796, 52.4427, 30.6277, 27.8283], rel=1e-4
    )


@pytest.mark.parametrize(("name", "layout"), [("scores", "rows"), ("scores-two", "rows"), ("scores-two", "reshape")])
@pytest.mark.parametrize("share", [0.1, 0.96])
def test_ten_thousand_epochs_are_those_of_iterating(name, layout, share):
    found = built_in(name, layout)
    lr = share * found.largest_stable_rate
    start = TWO_START[-found.x.shape[1] :]
    theirs = iterated(found, start, lr, 10_000)
    path = found.descent(start, lr)
    np.testing.assert_allclose(path.parameters(10_000), theirs, rtol=1e-9)
    assert path.loss(10_000) == pytest.approx(found.loss(theirs), rel=1e-9)


@given(
    rows=st.integers(1, 8),
    columns=st.integers(1, 4),
    outputs=st.integers(1, 3),
    bias=st.booleans(),
    share=st.floats(0.05, 1.3),
    epochs=st.integers(0, 40),
    seed=st.integers(0, 2**20),
)
@settings(max_examples=60)
def test_any_epoch_of_any_landscape(rows, columns, outputs, bias, share, epochs, seed):
    random = np.random.default_rng(seed)
    found = Landscape.of(random.normal(size=(rows, columns)), random.normal(size=(rows, outputs)), bias=bias)
    start = random.normal(size=(found.x.shape[1], outputs))
    lr = share * found.largest_stable_rate
    theirs = iterated(found, start, lr, epochs)
    path = found.descent(start, lr)
    np.testing.assert_allclose(path.parameters(epochs), theirs, rtol=1e-7, atol=1e-9 * np.abs(theirs).max())
    assert path.loss(epochs) == pytest.approx(found.loss(theirs), rel=1e-7, abs=1e-10)


@given(rows=st.integers(1, 8), columns=st.integers(1, 4), outputs=st.integers(1, 3), seed=st.integers(0, 2**20))
def test_curvature_is_that_of_the_other_way_to_it(rows, columns, outputs, seed):
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, columns))
    found = Landscape.of(x, random.normal(size=(rows, outputs)))
    theirs = curvature(torch.from_numpy(x), outputs).numpy()
    assert found.eigenvalues.shape == theirs.shape
    np.testing.assert_allclose(found.eigenvalues, theirs, rtol=1e-8, atol=1e-12 * theirs.max())
    assert found.largest_stable_rate == pytest.approx(largest_stable_rate(torch.from_numpy(x), outputs))


@given(rows=st.integers(1, 8), columns=st.integers(1, 4), seed=st.integers(0, 2**20))
def test_the_minimum_is_that_of_numpy(rows, columns, seed):
    random = np.random.default_rng(seed)
    found = Landscape.of(random.normal(size=(rows, columns)), random.normal(size=rows))
    theirs = np.linalg.lstsq(found.x, found.y, rcond=None)[0]
    np.testing.assert_allclose(found.minimum, theirs, rtol=1e-6, atol=1e-8)
    assert found.floor == pytest.approx(found.loss(theirs), abs=1e-12)


def test_a_million_epochs_and_more():
    path = built_in("scores-two", "rows").descent(TWO_START, 0.01)
    assert path.loss(10**6) == pytest.approx(1.3084, abs=5e-5)
    assert path.loss(10**15) == pytest.approx(built_in("scores-two", "rows").floor, rel=1e-12)


def test_above_the_limit_the_growth_is_told():
    lr = 1.05 * SCORES.largest_stable_rate
    path = SCORES.descent(SCORES_START, lr)
    assert not path.is_stable
    assert path.growth == pytest.approx(1.1)
    assert path.excess(201) / path.excess(200) == pytest.approx(1.1**2)
    assert path.loss(10**6) == math.inf
    assert path.epochs_until(0.1) is None
    assert SCORES.descent(SCORES_START, 0.01).growth < 1


def test_epochs_needed_are_the_first_that_do():
    path = built_in("scores-two", "rows").descent(TWO_START, 0.01)
    needed = path.epochs_until(0.01)
    assert path.excess(needed) <= 0.01 < path.excess(needed - 1)
    assert path.epochs_until(1e9) == 0
    assert path.epochs_until(0) is None
    assert SCORES.descent(SCORES.minimum, 0.01).epochs_until(1e-12) == 0


def test_standardising_needs_fewer_epochs_for_the_same_loss():
    two = built_in("scores-two", "rows")
    scaled = two.standardised()
    assert scaled.floor == pytest.approx(two.floor)
    assert scaled.eigenvalues[-1] <= 2 * 2 + 1e-9
    needed = epochs_needed(two, TWO_START, 0.01)
    assert needed.loss == pytest.approx(1.01 * two.floor)
    assert needed.standardised < 100
    assert needed.now > 10_000
    assert needed.standardised_rate == pytest.approx(2 / (scaled.eigenvalues[0] + scaled.eigenvalues[-1]))
    for path, epochs in (
        (two.descent(TWO_START, 0.01), needed.now),
        (scaled.descent(TWO_START, needed.standardised_rate), needed.standardised),
    ):
        assert path.loss(epochs) <= needed.loss < path.loss(epochs - 1)


def test_rows_on_a_line_need_epochs_too():
    line = Landscape.of([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0])
    needed = epochs_needed(line, [0.0, 0.0], 0.1)
    assert line.floor == pytest.approx(0, abs=1e-25)
    assert needed.loss == pytest.approx(1e-6 * line.loss([0.0, 0.0]))
    assert line.descent([0.0, 0.0], 0.1).loss(needed.now) <= needed.loss
    assert epochs_needed(line, [0.0, 0.0], 10.0).now is None


def test_one_feature_standardised_has_the_same_curvature_everywhere():
    assert SCORES.standardised().condition == pytest.approx(1)


def test_features_that_say_nothing():
    flat = Landscape.of(np.zeros((3, 2)), [1.0, 2.0, 3.0], bias=False)
    assert (flat.largest_stable_rate, flat.condition, flat.best_rate) == (math.inf, math.inf, math.inf)
    path = flat.descent([1.0, 2.0], 0.1)
    assert path.parameters(100)[:, 0].tolist() == [1.0, 2.0]
    assert path.growth == 0
    constant = Landscape.of([[5.0], [5.0]], [1.0, 2.0]).standardised()
    assert constant.x[:, 0].tolist() == [0.0, 0.0]


@given(lr=st.floats(1e-4, 1.0), share=st.floats(1e-6, 0.5))
def test_the_loss_never_grows_below_the_limit(lr, share):
    path = SCORES.descent(SCORES_START, lr * SCORES.largest_stable_rate * 0.999)
    needed = path.epochs_until(share * path.excess(0))
    assume(needed is not None)
    assert path.excess(needed) <= share * path.excess(0)
    assert needed == 0 or path.excess(needed - 1) > share * path.excess(0)


@given(seed=st.integers(0, 2**20), other=st.floats(0.1, 1.9))
def test_the_best_rate_makes_the_slowest_direction_fastest(seed, other):
    random = np.random.default_rng(seed)
    found = Landscape.of(random.normal(size=(6, 2)), random.normal(size=6))
    start = random.normal(size=3)
    best = found.descent(start, found.best_rate).growth
    assert best <= found.descent(start, other * found.best_rate).growth + 1e-12
    assert best == pytest.approx((found.condition - 1) / (found.condition + 1))
