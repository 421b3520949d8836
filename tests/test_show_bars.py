import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descend.show.bars import bar, probability_bars


def shown(lines: list) -> list[str]:  # type: ignore[type-arg]
    return [line.plain.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


@pytest.mark.parametrize(
    ("share", "drawn"),
    [(0.0, ""), (1.0, "████"), (0.5, "██"), (0.5 + 1 / 32, "██▏"), (1e-9, "▏"), (2.0, "████"), (math.nan, "")],
)
def test_bars_are_exact_to_an_eighth(share: float, drawn: str) -> None:
    assert bar(share, 4) == drawn


def test_ascii_bars() -> None:
    assert [bar(share, 4, "ascii") for share in (0.0, 1e-9, 0.5, 1.0)] == ["", "#", "##", "####"]


@given(st.floats(0, 1), st.integers(1, 60))
def test_no_bar_is_longer_than_its_room(share: float, width: int) -> None:
    assert len(bar(share, width)) <= width


def test_classes_keep_their_order_and_the_best_is_set_off() -> None:
    lines = probability_bars(["cat", "dog"], [0.25, 0.75], [0.1, 1.2], 40)
    assert shown(lines) == [
        "                 probability  logit",
        "cat  ███▎             25.0 %   0.10",
        "dog  █████████▊       75.0 %   1.20",
    ]
    assert any(span.style == "bold" for span in lines[2].spans)
    assert not any(span.style == "bold" for span in lines[1].spans)


def test_of_many_classes_the_ten_best_and_what_the_rest_share() -> None:
    probabilities = [0.5, *[0.04] * 10, *[0.01] * 10]
    lines = shown(probability_bars([str(index) for index in range(21)], probabilities, None, 60))
    assert len(lines) == 12
    assert lines[-1] == "the other 11 share 14.0 %"


@pytest.mark.parametrize("width", [46, 60, 80, 120])
def test_bars_fit(width: int) -> None:
    lines = probability_bars([str(index) for index in range(10)], [0.1] * 10, [-12.34] * 10, width)
    assert max(line.cell_len for line in lines) <= width
