"""Numbers, text and JSON in a record, with SQLite and the standard library as oracles."""

import json
import math
import sqlite3
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descend.record.values import from_blob, from_json, from_time, to_blob, to_json, to_number, to_text, to_time

texts = st.text(st.characters(exclude_categories=[]), max_size=20) | st.sampled_from(["NaN", "Infinity", '"NaN"', "\\"])
numbers = st.floats(allow_nan=False) | st.integers()
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_json_values_come_back_as_they_went(value: object) -> None:
    assert from_json(to_json(value)) == value


@given(values)
def test_sqlite_takes_every_text_for_json_and_keeps_it(value: object) -> None:
    connection = sqlite3.connect(":memory:")
    written = to_json(value)
    assert connection.execute("SELECT json_valid(?1), ?1", (written,)).fetchone() == (1, written)
    connection.close()


def test_a_number_that_is_none_becomes_null_and_infinity_stays() -> None:
    written = to_json({"a": math.nan, "b": [math.inf, -math.inf], "NaN": "NaN", "c": 'say "Infinity"'})
    assert written == '{"a":null,"b":[1e999,-1e999],"NaN":"NaN","c":"say \\"Infinity\\""}'
    assert from_json(written)["b"] == [math.inf, -math.inf]
    assert json.loads(written, parse_constant=pytest.fail)  # no constant that JSON does not have


def test_mappings_paths_tuples_and_sets_are_written_as_json_has_them() -> None:
    value = {"a": MappingProxyType({"b": (1, 2)}), "c": Path("x/y"), "d": {"q", "p"}}
    assert to_json(value) == '{"a":{"b":[1,2]},"c":"x/y","d":["p","q"]}'


def test_what_is_no_json_value_is_named() -> None:
    with pytest.raises(TypeError, match=r"complex is not a JSON value: 1j"):
        to_json({"a": 1j})


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_can_be_stored(text: str) -> None:
    stored = to_text(text)
    connection = sqlite3.connect(":memory:")
    assert connection.execute("SELECT ?", (stored,)).fetchone() == (stored,)
    connection.close()
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert stored == text


def test_a_file_name_that_is_no_utf_8_is_spelt_out() -> None:
    assert to_text(b"caf\xe9.py".decode("utf-8", "surrogateescape")) == "caf\\udce9.py"


def test_null_is_nan_and_the_rest_is_itself() -> None:
    assert math.isnan(to_number(None))
    assert to_number(-math.inf) == -math.inf
    assert to_number(3) == 3.0


@given(st.lists(st.integers(0, 4_000_000_000_000), min_size=2, max_size=2))
def test_times_sort_as_text_and_come_back_to_the_millisecond(milliseconds: list[int]) -> None:
    first, second = sorted(milliseconds)
    assert to_time(first / 1000) <= to_time(second / 1000)
    assert abs(from_time(to_time(first / 1000)).timestamp() * 1000 - first) <= 1.001


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_whole_numbers_come_back_from_eight_bytes_each(numbers: list[int]) -> None:
    blob = to_blob(numbers)
    assert from_blob(blob) == tuple(numbers)
    assert blob == b"".join(number.to_bytes(8, "little", signed=True) for number in numbers)


def test_a_blob_that_was_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="9 bytes are no row of numbers of 8 bytes"):
        from_blob(bytes(9))
