import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descend.show import numbers

SPACE = numbers.NO_BREAK


def spaced(text: str) -> str:
    return text.replace(SPACE, " ")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (2.305123, "2.3051"),
        (7326.7341, "7,326.7341"),
        (0.0, "0.0000"),
        (-2.1, "-2.1000"),
        (0.00049, "4.900e-04"),
        (1e12, "1.000e+12"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (float("nan"), "nan"),
        (None, "–"),
    ],
)
def test_losses_have_four_decimals_unless_these_would_show_nothing(value: float | None, written: str) -> None:
    assert numbers.loss(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (7326.73, "7,326.7"),
        (412.0172, "412.02"),
        (25.6868, "25.687"),
        (2.24051, "2.2405"),
        (0.0219, "0.0219"),
        (3e-7, "3.000e-07"),
    ],
)
def test_numbers_in_a_sentence_have_five_digits(value: float, written: str) -> None:
    assert numbers.short(value) == written


@pytest.mark.parametrize(
    ("share", "decimals", "most", "written"),
    [
        (0.97714, 1, None, "97.7 %"),
        (0.97714, 2, None, "97.71 %"),
        (1.0, 1, None, "100.0 %"),
        (0.0, 1, None, "0.0 %"),
        (0.9999, 1, None, "> 99.9 %"),
        (0.9999, 1, 3, "99.99 %"),
        (0.0001, 1, None, "< 0.1 %"),
        (0.00001, 1, 3, "0.001 %"),
        (0.999999999, 1, 3, "> 99.999 %"),
        (float("nan"), 1, None, "nan"),
        (None, 1, None, "–"),
    ],
)
def test_percentages(share: float | None, decimals: int, most: int | None, written: str) -> None:
    assert spaced(numbers.percent(share, decimals, most=most)) == written


@given(st.floats(min_value=0, max_value=1, exclude_min=True, exclude_max=True), st.integers(0, 3))
def test_no_share_between_is_written_as_nothing_or_everything(share: float, decimals: int) -> None:
    text = spaced(numbers.percent(share, decimals, most=decimals + 2))
    assert text[0] in "<>" or 0 < float(text.removesuffix(" %")) < 100


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0.0 ms"),
        (3e-8, "<1 µs"),
        (0.00004, "40 µs"),
        (0.0000996, "0.1 ms"),
        (0.0004, "0.4 ms"),
        (0.012, "12 ms"),
        (0.0996, "0.10 s"),
        (0.494, "0.49 s"),
        (6.31, "6.3 s"),
        (14.2, "14 s"),
        (125.0, "2 min 05 s"),
        (3569.6, "59 min 30 s"),
        (3600.0, "1 h 00 min"),
        (7390.0, "2 h 03 min"),
        (float("inf"), "inf"),
        (None, "–"),
    ],
)
def test_durations(value: float | None, written: str) -> None:
    assert spaced(numbers.seconds(value)) == written


@given(st.floats(min_value=0, max_value=1e7))
def test_no_duration_is_written_with_sixty_of_anything(value: float) -> None:
    text = spaced(numbers.seconds(value))
    assert not re.search(r"(?<![\d.])60 s", text)
    assert "60 min" not in text


@pytest.mark.parametrize(
    ("value", "written"), [(119522.3, "120,000"), (1234.0, "1,230"), (3.14159, "3.14"), (0.0, "–")]
)
def test_speeds_have_three_digits(value: float, written: str) -> None:
    assert numbers.rate(value) == written


def test_small_words() -> None:
    assert spaced(numbers.plural(1, "epoch")) == "1 epoch"
    assert spaced(numbers.plural(2000, "epoch")) == "2,000 epochs"
    assert numbers.setting(0.001) == "0.001"
    assert numbers.setting(1e-8) == "1e-08"
    assert numbers.setting(5) == "5"
    assert numbers.count(60000) == "60,000"
