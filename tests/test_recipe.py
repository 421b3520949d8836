"""The recipe: what each setting may be, what is said when it is not, and how settings are read from text."""

import dataclasses
import json
import math
import tomllib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descend.errors import RecipeError, UsageError
from descend.train.recipe import SETTINGS, Recipe, check_settings, parse_assignment, read_recipe, shown

WRONG = [
    ("data", 3, "data = 3: expected a word"),
    ("layout", "", "layout = : expected a word"),
    ("validation", 1, "validation = 1: expected a number at least 0 and below 1"),
    ("validation", -0.1, "validation = -0.1: expected a number at least 0 and below 1"),
    ("validation", "10%", "validation = 10%: expected a number at least 0 and below 1"),
    ("model", None, "model = none: expected a word"),
    ("sizes", [128, 0], "sizes = [128, 0]: expected the widths of the hidden layers, such as [128] or [256, 64]"),
    ("sizes", "128", "sizes = 128: expected the widths of the hidden layers, such as [128] or [256, 64]"),
    ("sizes", True, "sizes = true: expected the widths of the hidden layers, such as [128] or [256, 64]"),
    ("sizes", 1_000_001, "sizes = 1000001: expected the widths of the hidden layers, such as [128] or [256, 64]"),
    ("activation", "rely", "activation = rely: expected one of relu, tanh, sigmoid (did you mean 'relu'?)"),
    ("initial", "xaver", "initial = xaver: expected one of default, normal, xavier, zeros (did you mean 'xavier'?)"),
    (
        "loss",
        "crossentropy",
        (
            "loss = crossentropy: expected one of mse, mae, huber, cross-entropy, nll, binary-cross-entropy"
            " (did you mean 'cross-entropy'?)"
        ),
    ),
    ("optimizer", "Adan", "optimizer = Adan: expected one of sgd, adam, adamw (did you mean 'adam'?)"),
    ("optimizer", 7, "optimizer = 7: expected one of sgd, adam, adamw"),
    ("lr", 0, "lr = 0: expected a number above 0"),
    ("lr", -0.01, "lr = -0.01: expected a number above 0"),
    ("lr", math.nan, "lr = nan: expected a number above 0"),
    ("lr", math.inf, "lr = inf: expected a number above 0"),
    ("lr", True, "lr = true: expected a number above 0"),
    ("lr", "0.1", "lr = 0.1: expected a number above 0"),
    ("lr", {"a": 1}, "lr = {'a': 1}: expected a number above 0"),
    ("momentum", 1, "momentum = 1: expected a number at least 0 and below 1"),
    ("nesterov", 1, "nesterov = 1: expected true or false"),
    ("beta1", 1.5, "beta1 = 1.5: expected a number at least 0 and below 1"),
    ("beta2", -1, "beta2 = -1: expected a number at least 0 and below 1"),
    ("epsilon", 0.0, "epsilon = 0: expected a number above 0"),
    ("weight_decay", -1, "weight_decay = -1: expected a number at least 0"),
    (
        "schedule",
        "cosin",
        "schedule = cosin: expected one of constant, cosine, one-cycle, step, plateau (did you mean 'cosine'?)",
    ),
    ("schedule_every", 0, "schedule_every = 0: expected a whole number from 1 up"),
    ("schedule_factor", 1, "schedule_factor = 1: expected a number above 0 and below 1"),
    ("clip", 0, "clip = 0: expected a number above 0, or none"),
    ("clip", "off", "clip = off: expected a number above 0, or none"),
    ("batch_size", 0, "batch_size = 0: expected a whole number from 1 up, or all"),
    ("batch_size", "al", "batch_size = al: expected a whole number from 1 up, or all"),
    ("batch_size", 2.5, "batch_size = 2.5: expected a whole number from 1 up, or all"),
    ("accumulate", 0, "accumulate = 0: expected a whole number from 1 up"),
    ("shuffle", "yes", "shuffle = yes: expected true or false"),
    ("epochs", 0, "epochs = 0: expected a whole number from 1 to 10,000,000"),
    ("epochs", 10_000_001, "epochs = 10000001: expected a whole number from 1 to 10,000,000"),
    ("epochs", True, "epochs = true: expected a whole number from 1 to 10,000,000"),
    ("early_stopping", 0, "early_stopping = 0: expected a whole number from 1 up, or none"),
    ("seed", -1, "seed = -1: expected a whole number from 0 to 4,294,967,295"),
    ("seed", 2**32, "seed = 4294967296: expected a whole number from 0 to 4,294,967,295"),
    ("gradients", "byhand", "gradients = byhand: expected one of auto, autograd, by-hand (did you mean 'by-hand'?)"),
    ("device", "gpu", "device = gpu: expected one of auto, cuda, mps, cpu (did you mean 'cpu'?)"),
    ("threads", 0, "threads = 0: expected a whole number from 1 to 1,024, or none"),
    ("threads", 2000, "threads = 2000: expected a whole number from 1 to 1,024, or none"),
]


@pytest.mark.parametrize(("key", "value", "line"), WRONG)
def test_a_wrong_setting_has_its_line(key, value, line):
    assert check_settings({key: value}) == ({}, [line])


def test_every_setting_has_a_wrong_value_above():
    assert {key for key, _, _ in WRONG} == set(SETTINGS)


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("batchsize", "there is no setting 'batchsize' (did you mean 'batch_size'?)"),
        ("Momentum", "there is no setting 'Momentum' (did you mean 'momentum'?)"),
        ("learning_speed", "there is no setting 'learning_speed'"),
        (7, "there is no setting '7'"),
        (None, "there is no setting 'none'"),
    ],
)
def test_an_unknown_setting_has_its_line(key, line):
    assert check_settings({key: 1}) == ({}, [line])


def test_each_wrong_setting_is_told_and_the_right_ones_are_kept():
    values, problems = check_settings({"lr": 0, "epochs": 3, "colour": "red", "sizes": [4]})
    assert values == {"epochs": 3, "sizes": (4,)}
    assert problems == ["lr = 0: expected a number above 0", "there is no setting 'colour'"]


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("sizes", 128, (128,)),
        ("sizes", [256, 64], (256, 64)),
        ("sizes", [], ()),
        ("batch_size", "all", "all"),
        ("batch_size", 1e3, 1000),
        ("epochs", 2.0, 2),
        ("clip", "none", None),
        ("clip", None, None),
        ("clip", 1, 1.0),
        ("early_stopping", "none", None),
        ("lr", 1, 1.0),
        ("lr", Fraction(1, 4), 0.25),
        ("lr", np.float32(0.5), 0.5),
        ("seed", np.int64(7), 7),
        ("sizes", [np.int64(7)], (7,)),
        ("model", "net.py:Net", "net.py:Net"),
    ],
)
def test_what_is_meant_is_kept_in_its_own_type(key, value, kept):
    values, problems = check_settings({key: value})
    assert problems == []
    assert values == {key: kept}
    assert type(values[key]) is type(kept)
    json.dumps(values)


@pytest.mark.parametrize(
    "value", [10**400, -(10**400), 16**5000, Fraction(10**400), [10**5000], np.zeros(3)], ids="abcdef"
)
@pytest.mark.parametrize("key", sorted(SETTINGS))
def test_numbers_beyond_all_bounds_are_no_crash(key, value):
    values, problems = check_settings({key: value})
    assert len(values) + len(problems) == 1
    if problems:
        assert problems[0].startswith(f"{key} = ")
        assert ": expected " in problems[0]
        assert len(problems[0]) < 500


def test_a_recipe_is_frozen_and_survives_json():
    recipe = Recipe(sizes=(32, 16), clip=0.5, batch_size="all")
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.lr = 3.0
    assert Recipe.from_json(json.loads(json.dumps(recipe.as_json()))) == recipe


def test_a_recipe_that_was_changed_by_hand_is_refused():
    with pytest.raises(RecipeError) as caught:
        Recipe.from_json({**Recipe().as_json(), "lr": "fast", "colour": 3})
    assert caught.value.problems == ("lr = fast: expected a number above 0", "there is no setting 'colour'")
    assert caught.value.help == "the recipe was changed by hand, or written by a newer descend"


def test_every_setting_says_what_it_means():
    for name, field in SETTINGS.items():
        assert field.metadata["meaning"], name
        assert field.metadata["check"](field.default) == field.default, name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "true"),
        (0.001, "0.001"),
        (1e-8, "1e-08"),
        (1.0, "1"),
        (0.0012345678, "0.0012345678"),
        (0.9999999, "0.9999999"),
        (1 / 3, "0.3333333333333333"),
        ((256, 64), "[256, 64]"),
        ((), "[]"),
        ("all", "all"),
        (10_000, "10000"),
        ("x" * 300, "x" * 199 + "…"),
    ],
)
def test_values_are_shown_as_a_person_would_write_them(value, text):
    assert shown(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_shown_with_all_their_digits(value):
    assert float(shown(value)) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clip=1.0", ("clip", 1.0)),
        ("clip = 1", ("clip", 1)),
        ("batch-size=64", ("batch_size", 64)),
        ("batch_size=all", ("batch_size", "all")),
        ("sizes=[256, 64]", ("sizes", [256, 64])),
        ("nesterov=true", ("nesterov", True)),
        ("clip=none", ("clip", "none")),
        ("lr=1e-3", ("lr", 1e-3)),
        ("lr=.5", ("lr", 0.5)),
        ("lr=1.", ("lr", 1.0)),
        ("seed=007", ("seed", 7)),
        ('model="net.py:Net"', ("model", "net.py:Net")),
        ("model=net.py:Net", ("model", "net.py:Net")),
        ("model=C:\\nets\\net.py:Net", ("model", "C:\\nets\\net.py:Net")),
        ("model=a=b.py:Net", ("model", "a=b.py:Net")),
        ("lr=1\nmomentum=2", ("lr", "1\nmomentum=2")),
    ],
)
def test_assignments(text, expected):
    key, value = parse_assignment(text)
    assert (key, value) == expected
    assert type(value) is type(expected[1])


@pytest.mark.parametrize("text", ["clip", "=3", "clip=", " = ", "", "="])
def test_what_is_no_assignment(text):
    with pytest.raises(RecipeError) as caught:
        parse_assignment(text)
    assert caught.value.what == f"'{text}' is not a setting"
    assert caught.value.help == "write --set key=value, for example --set clip=1.0"


@pytest.mark.parametrize(
    "value",
    ["9" * 5000, "-" + "9" * 5000, "0x" + "f" * 5000, "[" * 50_000, "1e999", "{a=" * 9000],
    ids=["digits", "negative", "hex", "brackets", "infinity", "braces"],
)
def test_assignments_beyond_all_bounds_are_no_crash(value):
    key, read = parse_assignment(f"accumulate={value}")
    values, problems = check_settings({key: read})
    assert len(values) + len(problems) == 1


@given(st.text() | st.text(alphabet="=[]{}\"'.,_0123456789abcdefinux#\n \\-+:TZ").map(lambda text: f"lr={text}"))
@settings(max_examples=300)
def test_any_text_is_an_assignment_or_refused_in_words(text):
    try:
        key, value = parse_assignment(text)
    except RecipeError as error:
        assert "is not a setting" in error.what
    else:
        assert key
        check_settings({key: value})


def test_a_toml_recipe(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('model = "mlp"\nsizes = [64, 32]  # two layers\nlr = 0.01\nbatch_size = "all"\n', encoding="utf-8")
    assert read_recipe(path) == {"model": "mlp", "sizes": [64, 32], "lr": 0.01, "batch_size": "all"}


def test_a_recipe_from_an_editor_that_marks_its_files(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbflr = 0.01\r\n")
    assert read_recipe(path) == {"lr": 0.01}


def test_a_toml_recipe_with_wrong_keys_has_all_its_problems():
    read = tomllib.loads("batch-size = 64\n[train]\nlr = 1\n")
    assert check_settings(read)[1] == [
        "there is no setting 'batch-size' (did you mean 'batch_size'?)",
        "there is no setting 'train'",
    ]


def test_there_is_no_such_recipe(tmp_path):
    with pytest.raises(UsageError) as caught:
        read_recipe(tmp_path / "none.toml")
    assert caught.value.what == f"there is no recipe '{tmp_path / 'none.toml'}'"
    assert caught.value.help == "give the path of a TOML file"


@pytest.mark.parametrize(
    ("content", "where"), [("lr = \n", "line 1"), ("lr = 0.1\nlr 3\n", "line 2"), ("lr = 1\nlr = 2\n", "line 2")]
)
def test_a_recipe_that_is_not_toml_names_the_line(tmp_path, content, where):
    path = tmp_path / "mine.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_recipe(path)
    assert caught.value.what.startswith("the recipe is not TOML: ")
    assert where in caught.value.what
    assert caught.value.where == str(path)
    assert caught.value.help == 'write a line for each setting: lr = 0.01, model = "mlp"'


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfel\x00r\x00", b"lr = " + b"9" * 5000, b"lr = " + b"[" * 50_000],
    ids=["UTF-16", "digits", "brackets"],
)
def test_a_recipe_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_recipe(path)
    assert caught.value.what.startswith(f"the recipe '{path}' cannot be read: ")
    assert caught.value.help == "give a TOML file in UTF-8"


def test_a_folder_is_no_recipe(tmp_path):
    with pytest.raises(UsageError) as caught:
        read_recipe(tmp_path)
    assert caught.value.what.startswith(f"the recipe '{tmp_path}' cannot be read: ")


@given(st.binary(max_size=60) | st.text(alphabet="=[]{}\"'.,_01ae#\n \\-+:T", max_size=60).map(str.encode))
@settings(max_examples=300)
def test_any_file_is_a_recipe_or_refused_in_words(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    try:
        check_settings(read_recipe(path))
    except UsageError as error:
        assert "recipe" in error.what
        assert error.help
