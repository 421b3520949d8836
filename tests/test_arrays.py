"""from_arrays: against numpy's and torch's own conversions, what it leaves alone, and the words of every refusal."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from descend.data.arrays import from_arrays
from descend.data.dataset import Dataset
from descend.errors import DataError

X = np.arange(12, dtype=np.float32).reshape(6, 2)
Y = np.array([0, 1, 2, 0, 1, 2])


def build(features: object = X, targets: object = Y, **options: Any) -> Dataset:
    return from_arrays(features, targets, **options)


def message(features: object = X, targets: object = Y, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        from_arrays(features, targets, **options)
    assert caught.value.help
    return str(caught.value)


# What it makes of good input


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f4", "f8", "i1", "u2", "i8", "u8", "?"])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_every_real_type_becomes_float32(dtype: str, as_tensor: bool) -> None:
    values = np.array([[1, 0], [0, 1], [1, 1]]).astype(dtype)
    given_as: object = torch.from_numpy(values) if as_tensor and dtype != ">f4" else values
    features = build(given_as, [0, 1, 1]).train.features
    assert features.dtype == torch.float32
    assert features.tolist() == [[1, 0], [0, 1], [1, 1]]


def test_bfloat16_and_nested_lists_and_lists_of_tensors() -> None:
    assert build(torch.ones(2, 3, dtype=torch.bfloat16), [0, 1]).train.features.tolist() == [[1, 1, 1], [1, 1, 1]]
    assert build([[1, 2.5], [3, 4]], [0, 1]).train.features.tolist() == [[1, 2.5], [3, 4]]
    assert build([torch.ones(3), torch.zeros(3)], [0, 1]).feature_shape == (3,)
    assert build([torch.tensor(1.0), torch.tensor(2.0)], [0, 1]).feature_shape == (1,)


@given(
    arrays_of.arrays(
        np.float64,
        arrays_of.array_shapes(min_dims=1, max_dims=4, max_side=5),
        elements=st.floats(-1e30, 1e30),
    )
)
def test_features_equal_torchs_own_conversion(values: np.ndarray) -> None:
    expected = torch.from_numpy(values).float()
    expected = expected.unsqueeze(1) if expected.ndim == 1 else expected
    dataset = build(values, np.zeros(len(values)))
    assert torch.equal(dataset.train.features, expected)
    assert dataset.train.targets.shape == (len(values), 1)


@pytest.mark.parametrize("turn", [lambda x: x, torch.from_numpy], ids=["numpy", "torch"])
def test_float32_features_and_int64_labels_are_used_where_they_lie(turn: Any) -> None:
    x, y = X.copy(), Y.astype(np.int64)
    dataset = build(turn(x), turn(y))
    assert dataset.train.features.data_ptr() == x.ctypes.data
    assert dataset.train.targets.data_ptr() == y.ctypes.data


def test_a_read_only_array_is_copied_without_a_warning() -> None:
    x = X.copy()
    x.flags.writeable = False
    dataset = build(x)
    assert dataset.train.features.data_ptr() != x.ctypes.data
    np.testing.assert_array_equal(dataset.train.features.numpy(), x)


def test_reversed_strided_and_gradient_carrying_input() -> None:
    assert build(X[::-1, ::-1]).train.features.tolist() == X[::-1, ::-1].tolist()
    weights = torch.tensor(X, requires_grad=True)
    assert not build(weights).train.features.requires_grad
    assert weights.requires_grad


@pytest.mark.parametrize("bad", [False, True])
def test_the_callers_arrays_stay_as_they_are(bad: bool) -> None:
    x, y = X.astype(np.float64), Y.copy()
    if bad:
        x[2, 1] = np.nan
    kept_x, kept_y = x.copy(), y.copy()
    if bad:
        message(x, y)
    else:
        build(x, y)
    np.testing.assert_array_equal(x, kept_x)
    np.testing.assert_array_equal(y, kept_y)


def test_classes_are_counted_from_the_training_rows() -> None:
    dataset = build(X, Y, test=(X[:1], [1]))
    assert dataset.task == "classes"
    assert dataset.target_names == ("0", "1", "2")
    assert dataset.outputs == 3
    assert dataset.train.targets.dtype == torch.int64
    assert dataset.title == "6 rows to learn from, 1 to be examined on: x1, x2 → 3 classes"


@pytest.mark.parametrize("targets", [[True, False], np.array([[1], [0]]), torch.tensor([1, 0], dtype=torch.uint8)])
def test_booleans_and_one_column_are_class_ids_too(targets: object) -> None:
    dataset = build([1.0, 2.0], targets)
    assert dataset.train.targets.tolist() == [1, 0]
    assert dataset.title == "2 rows: x → 2 classes"


def test_floats_are_values_and_task_overrules() -> None:
    values = build([1.0, 2.0], [0.5, 1.5])
    assert (values.task, values.target_names, values.outputs) == ("values", ("y",), 1)
    assert values.train.targets.tolist() == [[0.5], [1.5]]
    assert build([1.0, 2.0], [3, 5], task="values").train.targets.tolist() == [[3.0], [5.0]]
    assert build([1.0, 2.0], [0.0, 1.0], task="classes").train.targets.tolist() == [0, 1]
    assert build([1.0, 2.0], [[1.0, 2.0], [3.0, 4.0]]).target_names == ("y1", "y2")


def test_names_titles_and_preparation() -> None:
    dataset = build(X, Y, feature_names=["length", "width"], target_names=["setosa", "versicolor", "virginica"])
    assert dataset.title == "6 rows: length, width → setosa, versicolor, virginica"
    assert dataset.preparation == {"kind": "columns", "names": ["length", "width"]}
    assert build(np.ones((2, 20)), [0, 1]).title == "2 rows: 20 columns → 2 classes"
    assert build(np.ones((1, 1)), [0.5]).title == "1 row: x → y"
    assert build([1.0, 2.0], [0, 1], feature_names="hours").feature_names == ("hours",)
    assert build(X, Y, name="iris").name == "iris"


def test_images_have_no_columns() -> None:
    dataset = build(np.zeros((4, 1, 28, 28)), [0, 1, 0, 1])
    assert dataset.feature_names == ()
    assert dataset.title == "4 rows: 1×28×28 → 2 classes"
    assert dataset.preparation == {"kind": "array", "shape": [1, 28, 28]}


def test_more_target_names_than_classes_seen() -> None:
    assert build(X, Y, target_names=["a", "b", "c", "d"], test=(X[:1], [3])).outputs == 4


def test_a_note_where_floats_look_like_classes() -> None:
    (note,) = build(X, Y.astype(np.float32)).notes
    assert (
        note
        == (
            "the targets are whole numbers from 0 to 2 kept as floats, so they are learned as amounts; "
            "for classes give integers or task='classes'"
        )
        or len(Y) <= 4
    )
    assert build(X, Y.astype(np.float32), task="values").notes == ()
    assert build(X, [75.0, 80, 90, 94, 98, 99]).notes == ()


def test_a_note_on_whole_numbers_that_float32_merges() -> None:
    (note,) = build(np.array([16_777_217, 1]), [0, 1]).notes
    assert note == "the features reach 16,777,217: above 16,777,216 float32 merges neighbouring whole numbers"


# What it refuses, and in which words


def test_different_lengths() -> None:
    assert message(X, Y[:5]) == (
        "6 rows of features and 5 targets\n  help: give one target for every row, in the same order"
    )
    assert "2 rows of test features and 1 test targets" in message(test=(X[:2], Y[:1]))


@pytest.mark.parametrize(
    ("features", "shape"), [([], "(0,)"), (np.zeros((0, 3)), "(0, 3)"), (np.zeros((3, 0)), "(3, 0)")]
)
def test_empty(features: object, shape: str) -> None:
    text = message(features, [])
    assert f"the features are empty: shape {shape}" in text
    assert "help: give at least one row with one value" in text


def test_nan_and_infinity_are_counted_and_the_first_is_shown() -> None:
    x = X.copy()
    x[2, 1], x[4, 0], x[5, 0] = np.nan, np.inf, np.nan
    assert message(x, Y, feature_names=["hours", "slept"]) == (
        "the features hold 3 values that no model can learn from: 2 NaN (missing) and 1 infinite\n"
        "  where: first in features, row 2, column 1 ('slept'): nan\n"
        "  help: leave those rows out or fill them in; numpy.isfinite(array) shows where they are"
    )


def test_nan_elsewhere() -> None:
    assert "the test features hold 1 value that no model can learn from: 1 NaN" in message(test=([[1, np.nan]], [0]))
    text = message(X, [1.0, 2, 3, -np.inf, 5, 6])
    assert "the targets hold 1 value that no model can learn from: 1 infinite" in text
    assert "first in targets, row 3, column 0 ('y'): -inf" in text
    images = np.zeros((2, 1, 4, 4))
    images[1, 0, 2, 3] = np.nan
    assert "first in features, row 1, position (0, 2, 3): nan" in message(images, [0, 1])


@given(st.integers(0, 5), st.integers(0, 1), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_not_one_such_value_gets_through(row: int, column: int, value: float) -> None:
    x = X.copy()
    x[row, column] = value
    assert f"row {row}, column {column} ('x{column + 1}'): {value}" in message(x)


def test_what_a_masked_array_hides_is_missing() -> None:
    text = message(np.ma.masked_array(X, mask=X == 3))
    assert "1 NaN (missing)" in text
    assert "row 1, column 1" in text
    assert build(np.ma.masked_array(X)).train.features.tolist() == X.tolist()


def test_numbers_too_large_for_float32() -> None:
    x = X.astype(np.float64)
    x[3, 0] = 1e300
    assert message(x) == (
        "the features hold 1 value too large for float32 (3.4e38)\n"
        "  where: features, row 3, column 0 ('x1'): 1e+300\n"
        "  help: scale that column down, for example divide it by its largest value"
    )


def test_labels_below_zero() -> None:
    text = message(X, [0, 1, 2, -1, 1, 2])
    assert "class ids are counted from 0, but the targets hold -1\n  where: targets, row 3" in text
    assert "help: names, ids = numpy.unique(targets, return_inverse=True) counts from 0" in text
    assert "but the test targets hold -2" in message(test=(X[:2], [0, -2]))


def test_labels_beyond_the_classes() -> None:
    assert message(test=(X[:2], [0, 3])) == (
        "the test targets hold the class id 3, but there are 3 classes, 0 to 2\n"
        "  where: test targets, row 1\n"
        "  help: a test set can only hold classes that the training rows have shown"
    )
    text = message(X, Y, target_names=["a", "b"])
    assert "the targets hold the class id 2, but there are 2 classes, 0 to 1\n  where: targets, row 2" in text
    assert "help: give target_names a name for every class" in text


def test_ids_with_gaps_that_would_make_a_giant_model() -> None:
    text = message(X, [0, 1, 2, 0, 1, 94_301])
    assert "the largest class id is 94,301: that would be 94,302 classes for 6 rows\n  where: targets, row 5" in text
    assert "more than two billion classes" in message(X, np.array([0, 1, 2, 0, 1, 2**63], dtype=np.uint64))


def test_one_class_only() -> None:
    assert "every target is class 0: there is nothing to tell apart" in message(X, [0] * 6)
    assert "target_names holds one class, 'a': there is nothing" in message(X, [0] * 6, target_names=["a"])


def test_class_ids_that_are_no_whole_numbers() -> None:
    text = message([1, 2, 3], [0.0, 1.5, 1.0], task="classes")
    assert "class ids are whole numbers from 0, but the targets hold 1.5\n  where: targets, row 1" in text
    assert "help: task='values' predicts numbers" in text
    assert "the targets hold nan" in message([1, 2, 3], [0.0, 1.0, np.nan], task="classes")


def test_class_ids_in_several_columns() -> None:
    text = message(X[:3], np.eye(3, dtype=int))
    assert "the targets have shape (3, 3), class ids need one per row: (3,)" in text
    assert "help: from one column a class: targets.argmax(1)" in text


def test_values_of_another_form() -> None:
    assert "the targets have shape (6, 2, 1), values to predict need (6, 2)" in message(X, np.ones((6, 2, 1)))
    text = message(X, np.ones((6, 2)), test=(X[:2], np.ones(2)))
    assert "the test targets have shape (2,), values to predict need (2, 2)" in text


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (["a", "b"], "the targets hold text, not numbers\n  where: targets, row 0: 'a'"),
        ([b"a", b"b"], "the targets hold bytes, not numbers"),
        (
            [Decimal(1), Decimal(2)],
            "the targets hold Python objects, not numbers\n  where: targets, row 0: Decimal('1')",
        ),
    ],
)
def test_targets_that_are_no_numbers(targets: object, words: str) -> None:
    text = message([1, 2], targets)
    assert words in text
    assert "help: names, ids = numpy.unique(targets, return_inverse=True)" in text
    assert "target_names=names.astype(str)" in text


def test_features_that_are_no_numbers() -> None:
    text = message([[1.0, "red"], [2.0, "blue"]], [0, 1])
    assert "the features hold text, not numbers\n  where: features, row 0, column 1: 'red'" in text
    assert "help: turn every column into numbers first, for example with array.astype('float32')" in text
    assert "where: features, row 0, column 0: '1.5'" in message([["1.5", "2"]], [0])
    mixed = np.array([[1, 2.5], [3, "red"]], dtype=object)
    assert "where: features, row 1, column 1: 'red'" in message(mixed, [0, 1])
    dates = message(np.array(["2024-01-01"], dtype="M8[D]"), [0])
    assert "the features hold dates, not numbers\n  where: features, row 0: 2024-01-01" in dates
    assert "help: (dates - dates.min()) / numpy.timedelta64(1, 'D') counts days" in dates
    durations = message(np.array([5], dtype="m8[s]"), [0])
    assert "the features hold durations, not numbers" in durations
    assert "help: durations / numpy.timedelta64(1, 's') counts seconds" in durations
    records = message(np.zeros(2, dtype=[("a", "f4")]), [0, 1])
    assert "the features hold records, not numbers" in records
    assert "help: numpy.lib.recfunctions.structured_to_unstructured(array)" in records


@pytest.mark.parametrize("targets", [[1, None], ["a", None]])
def test_none_is_a_missing_value(targets: object) -> None:
    assert message([1, 2], targets) == (
        "the targets have a missing value, None\n  where: targets, row 1\n  help: leave those rows out or fill them in"
    )


def test_the_advice_on_text_and_odd_ids_works() -> None:
    for labels in (["cat", "dog", "cat"], [-1, 1, -1], [10, 2_000_000, 10]):
        assert "numpy.unique(targets, return_inverse=True)" in message([1, 2, 3], labels)
        names, ids = np.unique(labels, return_inverse=True)
        dataset = build([1, 2, 3], ids, target_names=names.astype(str))
        assert dataset.target_names == tuple(str(name) for name in names)
        assert all(type(name) is str for name in dataset.target_names)
        assert dataset.train.targets.tolist() == [0, 1, 0]


@pytest.mark.parametrize("values", [np.array([1 + 2j]), torch.tensor([1 + 2j])])
def test_complex_numbers(values: object) -> None:
    text = message(values, [0])
    assert "the features are complex numbers (complex" in text
    assert "help: give real and imaginary part as two columns" in text


def test_ragged_rows() -> None:
    assert message([[1, 2], [3, 4], [5]], [0, 1, 1]) == (
        "the rows of the features have different lengths: row 0 has 2 values, row 2 has 1 value\n"
        "  help: give every row the same number of values"
    )
    assert "row 0 has 2 values, row 1 has 3 values" in message([torch.ones(2), torch.ones(3)], [0, 1])
    assert "row 0 has 2 values, row 1 has no values" in message([[1, 2], 3], [0, 1])


def test_no_rows_at_all() -> None:
    assert "the features are the float 3.5, not rows of numbers" in message(3.5)
    assert "the targets are a tensor of shape (), not rows of numbers" in message(X, torch.tensor(1))
    assert "the features are a dict, not rows of numbers" in message({"a": 1})
    assert message("table.csv") == (
        "the features are the str 'table.csv', not rows of numbers\n"
        "  help: give a numpy array, a tensor or nested lists of numbers"
    )


def test_a_value_that_would_fill_the_screen_is_cut() -> None:
    text = message([["a" * 500]], [0])
    assert len(text) < 250
    assert "aaa …" in text


def test_sparse_tensors() -> None:
    text = message(torch.eye(2).to_sparse(), [0, 1])
    assert "the features are a sparse or quantized tensor\n  help: tensor.to_dense() or tensor.dequantize()" in text


def test_a_test_set_of_another_form() -> None:
    assert "test must be a pair of features and targets, not a tuple of 3" in message(test=(X, Y, Y))
    assert "test must be a pair of features and targets, not an array of shape (6, 2)" in message(test=X)
    text = message(test=(np.ones((2, 3)), [0, 1]))
    assert "the test features have 3 columns, the features 2" in text
    assert "help: prepare both in the same way, with the same columns in the same order" in text
    text = message(test=(np.ones((2, 1, 3)), [0, 1]))
    assert "one row of the test features has shape (1, 3), of the features (2,)" in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"feature_names": ["a"]}, "1 feature_names for 2 columns of features"),
        ({"feature_names": ["a", "a"]}, "feature_names holds 'a' twice"),
        ({"feature_names": ["a", 3]}, "feature_names must be text, but name 1 is the int 3"),
        ({"feature_names": []}, "feature_names is empty"),
        ({"targets": np.ones(6), "target_names": ["a", "b"]}, "2 target_names for 1 column of targets"),
        ({"features": np.ones((6, 2, 2)), "feature_names": ["a"]}, "one example has the shape (2, 2)"),
        ({"task": "class"}, "task must be 'classes' or 'values', not 'class' (did you mean 'classes'?)"),
    ],
)
def test_names_and_task(options: Mapping[str, Any], words: str) -> None:
    assert words in message(**options)
