import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descend.record.summarise import finite, shares, thinned

numbers = st.floats(-1e6, 1e6)


@given(st.lists(numbers, max_size=300), st.integers(3, 40))
def test_a_thinned_curve_keeps_its_ends_and_its_mean(values: list[float], most: int) -> None:
    curve = thinned(values, most)
    assert len(curve) == min(len(values), most)
    assert curve[:1] == values[:1]
    assert curve[-1:] == values[-1:]
    if len(values) <= most:
        assert curve == values
    else:
        assert min(values) - 1e-6 <= min(curve)
        assert max(curve) <= max(values) + 1e-6


def test_every_value_lies_in_one_stretch() -> None:
    curve = thinned(range(1002), 102)
    assert curve[1:3] == [5.5, 15.5]
    assert sum(curve[1:-1]) * 10 == sum(range(1, 1001))


def test_shares() -> None:
    assert shares({"data": 3.0, "forward": 1.0}) == {"data": 0.75, "forward": 0.25}
    assert shares({"data": 0.0}) is None
    assert shares({}) is None


def test_numbers_that_json_has_no_word_for_become_none() -> None:
    value = {"a": [1.5, math.nan, {"b": -math.inf}], "c": "nan", "d": 2, "e": True}
    assert finite(value) == {"a": [1.5, None, {"b": None}], "c": "nan", "d": 2, "e": True}
    json.dumps(finite(value), allow_nan=False)
    with pytest.raises(ValueError, match="not JSON compliant"):
        json.dumps(value, allow_nan=False)
