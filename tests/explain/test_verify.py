"""What the witnesses say: agreement in digits, kinks, doubt, and disagreement, which is never hidden."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from descend.explain.formulas.arguments import NotCovered
from descend.explain.formulas.library import formula_of
from descend.explain.verify import compare, compare_all, worst_kink
from descend.numerics.differences import Difference, differences


def difference(value, *, error=1e-10, kink=False, left=0.0, right=0.0):
    return Difference(value, error, 0.01, kink, left, right, 9)


def test_the_story_of_a_line_through_five_points():
    """∂L/∂w of the scores, by float32 autograd, by its closed form and by differences."""
    x, y = torch.tensor([[2.0], [4.0], [6.0], [8.0], [10.0]]), torch.tensor([[75.0], [80.0], [90.0], [94.0], [98.0]])
    w, b = torch.tensor([[0.3367]], requires_grad=True), torch.tensor([0.1288], requires_grad=True)
    prediction = torch.nn.functional.linear(x, w, b)
    torch.nn.functional.mse_loss(prediction, y).backward()
    linear, loss = formula_of("linear"), formula_of("mse_loss")
    first = linear.bind([x, w, b], {})
    said = linear.forward(first)
    second = loss.bind([said, y], {"reduction": "mean"})
    upstream, _ = loss.backward(torch.ones(()), second, loss.forward(second))
    _, closed, _ = linear.backward(upstream, first, said)
    found = differences(lambda v: ((x.double() @ v.T + b.detach().double() - y) ** 2).mean(), w, [(0, 0)])[0]
    verdict = compare(float(w.grad), float(closed), found)
    assert verdict.agrees
    assert float(closed) == pytest.approx(-1065.6, abs=0.05)
    assert verdict.digits >= 6
    assert verdict.line() == f"closed form ✓ differences ✓ (agree to {verdict.digits} digits)"


@given(digits=st.integers(0, 3), value=st.floats(1, 100), sign=st.sampled_from([1, -1]))
def test_a_disagreement_is_never_hidden(digits, value, sign):
    wrong = value * (1 + sign * 3 * 10.0 ** -(digits + 1))
    verdict = compare(value, wrong, difference(value))
    assert verdict.agrees is False
    assert verdict.line().startswith("they disagree: shown ")
    assert "closed form ✗ gives " in verdict.line()
    other = compare(value, value, difference(wrong))
    assert other.agrees is False
    assert "differences ✗ gives " in other.line()


def test_the_words_of_a_disagreement():
    verdict = compare(2.0, 3.0, difference(2.0))
    assert verdict.line() == "they disagree: shown 2 · closed form ✗ gives 3 differences ✓"
    assert verdict.digits == 0


@pytest.mark.parametrize(("off", "digits"), [(2e-6, 5), (9e-6, 5), (1.1e-8, 7), (0.0, 15)])
def test_digits_are_counted_from_the_largest_entry(off, digits):
    assert compare(1.0, 1.0 + off, None).digits == digits
    assert compare(0.001, 0.001 + 1000 * off, None, largest=1000.0).digits == digits


def test_float64_has_to_agree_better():
    assert compare(1.0, 1.0 + 1e-6, None, dtype=torch.float32).agrees is True
    assert compare(1.0, 1.0 + 1e-6, None, dtype=torch.float64).agrees is False


def test_an_operation_without_a_closed_form_keeps_the_other_witness():
    verdict = compare(2.0, NotCovered("einsum has no closed form here"), difference(2.0))
    assert verdict.agrees is True
    assert verdict.line().startswith("closed form – (einsum has no closed form here) differences ✓ (agree to ")
    assert compare(2.0, None, difference(2.0)).line().startswith("closed form – (there is none) differences ✓")


def test_nothing_to_ask():
    verdict = compare(2.0, None, None)
    assert verdict.agrees is None
    assert verdict.line() == (
        "closed form – (there is none)"
        " differences – (not taken: the loss takes too long to be computed again and again)"
    )


def test_a_kink_is_noted():
    found = differences(lambda x: torch.relu(x).sum(), torch.zeros(2), [(0,)])[0]
    verdict = compare(0.0, 0.0, found, kink_of="relu", largest=1.0)
    assert verdict.agrees is True
    assert verdict.line() == (
        "closed form ✓ differences – (an entry sits at a kink of relu: differences do not apply, "
        "the slopes from both sides are 0 and 1) (agree to 15 digits)"
    )
    assert "an entry sits at a kink: differences do not apply" in compare(0.0, 0.0, found).line()


def test_a_kink_does_not_excuse_everything():
    verdict = compare(5.0, None, difference(0.5, kink=True, left=0.0, right=1.0), kink_of="relu")
    assert verdict.agrees is False
    assert verdict.line().endswith(
        "differences ✗ (outside of what a kink allows: the slopes from both sides are 0 and 1)"
    )


def test_doubt_is_no_agreement():
    verdict = compare(2.0, None, difference(2.1, error=0.5))
    assert verdict.agrees is None
    assert verdict.line().endswith("differences – (2.1 ± 0.5: too uncertain to say)")


def test_a_loss_that_is_not_finite():
    assert "the loss is not finite around here" in compare(2.0, 2.0, difference(math.nan, error=math.inf)).line()
    assert compare(math.nan, math.nan, None).agrees is True
    assert compare(math.nan, 2.0, None).agrees is False
    assert compare(math.inf, -math.inf, None).agrees is False


def test_zero_agrees_with_zero():
    assert compare(0.0, 0.0, difference(0.0, error=0.0)).digits == 15


def test_a_whole_gradient():
    shown = torch.tensor([[1.0, 2.0], [3.0, -1000.0]])
    closed = shown.double()
    assert compare_all(shown, closed).agrees
    closed[1, 0] += 0.5
    found = compare_all(shown, closed)
    assert (found.worst, found.digits, found.agrees) == ((1, 0), 3, False)
    assert found.off == pytest.approx(0.5 / 1000)


def test_a_whole_gradient_with_numbers_that_are_none():
    shown = torch.tensor([math.nan, 1.0])
    assert compare_all(shown, shown.double()).agrees
    assert not compare_all(shown, torch.tensor([0.0, 1.0]).double()).agrees
    assert compare_all(torch.zeros(0), torch.zeros(0).double()).agrees
    assert compare_all(torch.zeros(2), torch.zeros(2).double()).digits == 15


def test_the_nearest_kink_is_named():
    margins = [("linear", None), ("relu", 1e-9), ("abs", 1e-3)]
    assert worst_kink(margins, 1e-6) == "relu"
    assert worst_kink(margins, 1e-12) == ""


def test_rounding_is_not_held_against_a_gradient_that_is_nothing():
    """A bias before batch normalisation: its gradient is 0, and float32 gives some 1e-9."""
    assert compare(3e-9, 1e-18, difference(0.0, error=1e-15)).agrees is False
    assert compare(3e-9, 1e-18, difference(0.0, error=1e-15), beside=0.5).agrees is True
    assert compare(0.2, 0.0, None, beside=0.5).agrees is False
    shown, closed = torch.tensor([3e-9, -2e-9]), torch.tensor([1e-18, 0.0]).double()
    assert not compare_all(shown, closed).agrees
    assert compare_all(shown, closed, beside=0.5).agrees
    assert not compare_all(torch.tensor([0.2, 0.0]), closed, beside=0.5).agrees


def test_kinks_within_the_step_blur_the_differences():
    taken = Difference(-0.005840, 1e-9, 1e-3, kink=False, left=-0.00584, right=-0.00584, evaluations=20)
    verdict = compare(-0.005836, -0.005836, taken, kink_of="relu")
    assert verdict.agrees is True
    assert verdict.line() == (
        "closed form ✓ differences – (−0.00584: blurred by kinks of relu that lie within the step) (agree to 15 digits)"
    )
    assert compare(-0.005836, -0.005836, taken).agrees is False, "without a kink it is a disagreement"
    far = Difference(-0.0060, 1e-9, 1e-3, kink=False, left=-0.006, right=-0.006, evaluations=20)
    assert compare(-0.005836, -0.005836, far, kink_of="relu").agrees is False, "kinks do not explain as much"
