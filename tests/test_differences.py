"""Central differences against derivatives that are known, and what they say at kinks."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from descend.numerics.differences import differences


def one(function, x):
    return differences(function, torch.tensor(x, dtype=torch.float64), [()])[0]


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (lambda x: x**2, lambda x: 2 * x),
        (lambda x: x**5 - 3 * x, lambda x: 5 * x**4 - 3),
        (torch.exp, math.exp),
        (torch.sin, math.cos),
        (torch.tanh, lambda x: 1 - math.tanh(x) ** 2),
        (lambda x: 1 / (x * x + 1), lambda x: -2 * x / (x * x + 1) ** 2),
    ],
)
@given(x=st.floats(-5, 5))
def test_smooth_functions(function, slope, x):
    found = one(function, x)
    size = max(abs(slope(x)), float(function(torch.tensor(x).double()).abs()), 1e-3)
    assert abs(found.value - slope(x)) <= 1e-9 * size
    assert found.error <= 1e-7 * size
    assert not found.kink


@given(exponent=st.integers(-2, 9), sign=st.sampled_from([1, -1]))
def test_the_step_follows_the_magnitude(exponent, sign):
    x = sign * 1.7 * 10.0**exponent
    found = one(lambda value: (value * 10.0**-exponent) ** 3, x)
    assert found.value == pytest.approx(3 * 1.7**2 * 10.0**-exponent, rel=1e-9)
    assert found.step <= 0.02 * abs(x)


@given(seed=st.integers(0, 2**20), rows=st.integers(1, 5), columns=st.integers(1, 4))
def test_entries_of_a_tensor_against_autograd(seed, rows, columns):
    torch.manual_seed(seed)
    x, a = torch.randn(rows, columns).double(), torch.randn(columns, 3).double()

    def loss(value):
        return torch.tanh(value @ a).square().sum()

    leaf = x.clone().requires_grad_()
    loss(leaf).backward()
    kept = x.clone()
    entries = [(i, j) for i in range(rows) for j in range(columns)]
    found = differences(loss, x, entries)
    assert torch.equal(x, kept)
    ours = torch.tensor([each.value for each in found], dtype=torch.float64).reshape(rows, columns)
    torch.testing.assert_close(ours, leaf.grad, rtol=1e-8, atol=1e-11)
    assert all(
        abs(each.value - float(leaf.grad[at])) <= 10 * each.error + 1e-13
        for each, at in zip(found, entries, strict=True)
    )


@given(slope=st.floats(-3, 3), other=st.floats(-3, 3), x=st.floats(-2, 2))
def test_a_kink_is_seen_where_it_is(slope, other, x):
    found = one(lambda value: torch.where(value > x, slope * (value - x), other * (value - x)) + value**2, x)
    if abs(slope - other) > 1e-3 * max(1, abs(slope)):
        assert found.kink
        assert found.right == pytest.approx(slope + 2 * x, abs=1e-4 * max(1, abs(x)))
        assert found.left == pytest.approx(other + 2 * x, abs=1e-4 * max(1, abs(x)))


@given(distance=st.floats(1e-4, 1.0), side=st.sampled_from([1, -1]))
def test_a_kink_nearby_is_stepped_under(distance, side):
    found = one(lambda value: torch.relu(value - 1 + side * distance) + value**2, 1.0)
    assert not found.kink
    assert found.value == pytest.approx(2 + (side > 0), abs=1e-7)


def test_a_jump_has_no_derivative_either():
    assert one(lambda value: (value > 1).double() + value, 1.0).kink


def test_a_function_that_does_not_depend_on_it():
    found = one(lambda _: torch.tensor(7.0).double(), 3.0)
    assert (found.value, found.kink) == (0.0, False)


def test_zero_is_an_entry_like_others():
    x = torch.zeros(2, 2).double()
    found = differences(lambda value: (3 * value + value**3).sum(), x, [(0, 1)])[0]
    assert found.value == pytest.approx(3, rel=1e-10)


def test_what_is_not_finite_is_told():
    found = one(torch.log, -1.0)
    assert math.isnan(found.value)
    assert found.error == math.inf


def test_a_float32_tensor_is_taken_in_float64():
    found = differences(lambda value: value.square().sum(), torch.tensor([0.1, 0.2]), [(1,)])[0]
    assert found.value == pytest.approx(2 * float(torch.tensor(0.2)), rel=1e-11)


def test_an_entry_that_is_not_finite():
    assert math.isnan(one(lambda value: value * 2, float("inf")).value)
