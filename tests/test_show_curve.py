import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descend.show.curve import Scale, curve, plot, scale_of

NAN, INF = math.nan, math.inf


def test_a_falling_line_falls() -> None:
    assert curve([3, 2, 1, 0], 2) == "⣷⣄"
    assert curve([0, 1, 2, 3], 2) == "⣠⣾"


def test_two_lines_draw_the_curve_itself() -> None:
    assert curve([0.0, 7.0], 4, 2) == "  ⡠⠊\n⡠⠊  "


def test_steep_curves_have_no_holes() -> None:
    rows = curve([10, 10, 0, 0], 2, 2).split("\n")
    dots = [[ord(character) - 0x2800 if character != " " else 0 for character in row] for row in rows]
    assert [row[1].bit_count() for row in dots] == [3, 5]  # the whole height of the third column, and the end


def test_a_single_value_is_one_mark() -> None:
    assert len(curve([2.0], 20)) == 1
    assert len(curve([2.0], 20, look="ascii")) == 1


def test_constants_are_flat() -> None:
    assert len(set(curve([1.5] * 9, 10))) == 1


@pytest.mark.parametrize("values", [[], [NAN], [NAN, NAN], [-INF], [INF]])
def test_nothing_finite_is_nothing_drawn(values: list[float]) -> None:
    assert curve(values, 10) == ""
    assert plot(values, 40) == []


def test_gaps_are_left_for_what_is_not_a_number() -> None:
    drawn = curve([1.0, 1.0, NAN, NAN, NAN, NAN, 1.0, 1.0], 4)
    assert drawn[1:3] == "  "
    assert drawn[0] != " " != drawn[3]


def test_infinity_lies_at_the_top() -> None:
    assert Scale(0, 1, logarithmic=False).place(INF) == 1.0
    assert math.isnan(Scale(0, 1, logarithmic=False).place(-INF))


def test_the_smallest_and_the_largest_floats_have_places() -> None:
    tiny, huge = 5e-324, 1.7e308
    assert Scale(tiny, huge, logarithmic=True).place(huge) == 1.0
    assert Scale(-huge, huge, logarithmic=False).place(0.0) == 0.5
    assert Scale(0.0, tiny, logarithmic=False).place(tiny) == 0.5


def test_more_than_two_decades_make_the_scale_logarithmic() -> None:
    assert scale_of([1.0, 100.0]) == Scale(1.0, 100.0, logarithmic=False)
    assert scale_of([1.0, 101.0]) == Scale(1.0, 101.0, logarithmic=True)
    assert scale_of([-1.0, 1e6]) == Scale(-1.0, 1e6, logarithmic=False)
    assert Scale(1.0, 10_000.0, logarithmic=True).place(100.0) == pytest.approx(0.5)
    assert Scale(1.0, 10_000.0, logarithmic=True).place(-5.0) == 0.0


def test_the_plot_says_its_ends_and_its_scale() -> None:
    lines = [line.plain for line in plot([7326.7, 100.0, 2.2405], 60, 4, ends=("step 1", "step 2,000"))]
    assert len(lines) == 5
    assert lines[0].startswith("  7,326.7  ⠉")
    assert lines[3].startswith("   2.2405  ")
    assert lines[4].split() == ["step", "1", "·", "log", "scale", "step", "2,000"]
    assert all(len(line) <= 60 for line in lines)


def test_the_plot_counts_what_is_not_finite() -> None:
    assert "2 of 4 losses are not finite" in plot([1.0, 2.0, INF, NAN], 60)[-1].plain


def test_what_does_not_fit_below_the_plot_is_left_out() -> None:
    lines = [line.plain for line in plot([2.0, 1.0, NAN], 30, ends=("loss of a long name", "step 3"))]
    assert lines[-1] == "          loss of a long name"
    assert max(map(len, lines)) <= 30


def test_half_the_share_takes_half_the_width() -> None:
    whole = max(len(line.plain) for line in plot([2.0, 1.0], 60))
    half = max(len(line.plain) for line in plot([2.0, 1.0], 60, share=0.5))
    assert whole - half == pytest.approx((60 - 10) / 2, abs=1)


def test_ascii_alone() -> None:
    assert curve([5, 4, 3, 2, 1, 0], 6, look="ascii") == "#*=-._"
    assert curve([2, 1, 0], 3, 3, look="ascii") == "*  \n * \n  *"


numbers = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(numbers, max_size=300), st.integers(1, 90), st.integers(1, 6), st.sampled_from(["blocks", "ascii"]))
def test_whatever_the_values_the_drawing_fits(values: list[float], width: int, height: int, look: str) -> None:
    drawn = curve(values, width, height, look=look)  # type: ignore[arg-type]
    if any(math.isfinite(value) for value in values):
        rows = drawn.split("\n")
        assert len(rows) == height
        assert all(len(row) <= width for row in rows)
        # a mark is left, except where infinities and gaps fall on the few columns there are
        assert drawn.strip() or not all(math.isfinite(value) for value in values)
    else:
        assert drawn == ""


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40), st.integers(2, 40))
def test_the_first_value_and_the_last_are_drawn_at_their_heights(values: list[float], width: int) -> None:
    scale = scale_of(values)
    assert scale is not None
    drawn = curve(values, max(width, len(values)), 1)
    for character, value, column in ((drawn[0], values[0], 0x47), (drawn[-1], values[-1], 0xB8)):
        filled = ((ord(character) - 0x2800) & column).bit_count()
        assert filled == min(3, round(scale.place(value) * 3)) + 1
