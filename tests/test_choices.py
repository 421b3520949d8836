"""From what was given to a whole recipe: published values, reasons, and every clash in its own words."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descend.data.catalogue import CATALOGUE, SetInfo
from descend.errors import RecipeError, UsageError
from descend.train.choices import Machine, choose
from descend.train.recipe import (
    ACTIVATIONS,
    DEVICES,
    GRADIENTS,
    INITIAL_VALUES,
    LOSSES_OF_CLASSES,
    LOSSES_OF_VALUES,
    MODELS,
    OPTIMIZERS,
    SCHEDULES,
    SETTINGS,
    Recipe,
)

CPU = Machine(cuda=False, mps=False, cores=2)


def arrays(**others):
    facts = {
        "name": "arrays",
        "line": "",
        "task": "classes",
        "feature_shape": (4,),
        "outputs": 3,
        "train_rows": 1000,
        "test_rows": 0,
        "layouts": (),
        "published": {},
    }
    return SetInfo(**{**facts, **others})


VALUES = arrays(task="values", outputs=1)
TWO_CLASSES = arrays(outputs=2)
SETS = [*CATALOGUE.values(), arrays(), VALUES, TWO_CLASSES, arrays(train_rows=7), arrays(feature_shape=(3, 8, 8))]


def of(name, **given_settings):
    """The recipe and the choices by key."""
    info = CATALOGUE[name] if isinstance(name, str) else name
    recipe, choices = choose(given_settings, info, CPU)
    return recipe, {choice.key: choice for choice in choices}


def problems_of(name, **given_settings):
    with pytest.raises(RecipeError) as caught:
        of(name, **given_settings)
    assert caught.value.help == "descend train --help lists the flags; docs/recipe.md every setting"
    return list(caught.value.problems)


PUBLISHED = {  # figures.md, numbers 3, 1, 2, 4 and 4 with two features
    "mnist": {
        "model": "mlp",
        "sizes": (128,),
        "activation": "relu",
        "initial": "default",
        "loss": "cross-entropy",
        "optimizer": "adam",
        "lr": 0.001,
        "batch_size": 64,
        "epochs": 10,
        "shuffle": True,
        "seed": 0,
    },
    "mnist-softmax": {
        "model": "softmax",
        "sizes": (),
        "initial": "xavier",
        "loss": "nll",
        "optimizer": "sgd",
        "lr": 0.5,
        "batch_size": 64,
        "epochs": 2,
        "shuffle": False,
    },
    "line": {"epochs": 200},
    "scores": {"epochs": 2000, "seed": 42},
    "scores-two": {"epochs": 5000, "seed": 42, "layout": "rows"},
}
FULL_BATCH = {
    "model": "linear",
    "sizes": (),
    "initial": "normal",
    "loss": "mse",
    "optimizer": "sgd",
    "lr": 0.01,
    "batch_size": "all",
    "shuffle": False,
}
PLAIN = {
    "validation": 0.0,
    "momentum": 0.0,
    "nesterov": False,
    "beta1": 0.9,
    "beta2": 0.999,
    "epsilon": 1e-8,
    "weight_decay": 0.0,
    "schedule": "constant",
    "clip": None,
    "accumulate": 1,
    "early_stopping": None,
    "gradients": "auto",
    "device": "cpu",
}


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_a_set_without_flags_has_its_published_settings(name):
    recipe, choices = of(name)
    full_batch = {} if name.startswith("mnist") else FULL_BATCH
    for key, value in {"data": name, **PLAIN, **full_batch, **PUBLISHED[name]}.items():
        assert getattr(recipe, key) == value, key
    for key in CATALOGUE[name].published.keys() - {"shuffle"}:
        assert choices[key].by == "published", key
        assert choices[key].reason == f"published for {name}"


@pytest.mark.parametrize("info", SETS, ids=lambda info: f"{info.name}-{info.task}-{info.train_rows}")
def test_every_setting_has_one_choice_with_a_reason(info):
    recipe, choices = choose({"epochs": 3}, info, CPU)
    assert [choice.key for choice in choices] == list(SETTINGS)
    for choice in choices:
        assert choice.reason
        assert choice.by in ("you", "published", "chosen")
        assert getattr(recipe, choice.key) == choice.value
    assert {choice.key for choice in choices if choice.by == "you"} == {"data", "epochs"}
    json.dumps([choice.as_json() for choice in choices])


def test_what_was_given_wins_and_is_said_to_be_yours():
    recipe, choices = of("mnist", lr=0.5, sizes=32, clip="none")
    assert (recipe.lr, recipe.sizes, recipe.clip) == (0.5, (32,), None)
    for key in ("lr", "sizes", "clip"):
        assert (choices[key].by, choices[key].reason) == ("you", "you said so")
    assert choices["sizes"].as_json() == {"key": "sizes", "value": [32], "reason": "you said so", "by": "you"}


@pytest.mark.parametrize(("optimizer", "lr"), [("sgd", 0.01), ("adam", 0.001), ("adamw", 0.001)])
@pytest.mark.parametrize("info", [CATALOGUE["mnist"], CATALOGUE["mnist-softmax"], CATALOGUE["scores"], arrays()])
def test_another_optimizer_has_its_own_usual_rate(info, optimizer, lr):
    recipe, choices = of(info, optimizer=optimizer)
    if info.published.get("optimizer") == optimizer:
        assert choices["lr"].by == "published"
        assert recipe.lr == info.published["lr"]
    else:
        assert recipe.lr == lr
        assert choices["lr"].reason == f"the usual rate of {optimizer}"
        assert choices["lr"].by == "chosen"


def test_a_given_rate_stays_with_another_optimizer():
    assert of("mnist", optimizer="sgd", lr=0.3)[0].lr == 0.3


@pytest.mark.parametrize(
    ("info", "loss"), [(arrays(), "cross-entropy"), (VALUES, "mse"), (TWO_CLASSES, "cross-entropy")]
)
def test_ones_own_rows_get_a_sensible_recipe(info, loss):
    recipe, _ = of(info)
    assert recipe.loss == loss
    assert (recipe.model, recipe.sizes, recipe.activation) == ("mlp", (64,), "relu")
    assert (recipe.optimizer, recipe.lr, recipe.batch_size, recipe.epochs, recipe.shuffle) == (
        "adam",
        0.001,
        64,
        10,
        True,
    )


def test_few_rows_are_taken_all_at_once():
    recipe, choices = of(arrays(train_rows=64))
    assert (recipe.batch_size, recipe.shuffle, recipe.epochs) == ("all", False, 200)
    assert choices["batch_size"].reason == "few rows: all at once"
    assert choices["shuffle"].reason == "one batch holds every row"
    assert of(arrays(train_rows=65))[0].batch_size == 64


def test_another_model_does_not_keep_what_was_published_for_the_first():
    """Initial values drawn for one layer are wrong for many, and not defined for convolutions."""
    for model in ("mlp", "cnn", "net.py:Net"):
        recipe, choices = of("mnist-softmax", model=model)
        assert recipe.initial == "default"
        assert choices["initial"].by == "chosen"
    assert of("mnist-softmax")[0].initial == "xavier"
    assert of("scores", model="mlp")[0].initial == "default"
    assert of("mnist", model="linear")[0].sizes == ()
    assert of("mnist", model="cnn")[0].sizes == ()
    assert of("mnist-softmax", model="mlp")[0].sizes == (128,)


def test_batches_decide_whether_rows_are_shuffled():
    assert of("mnist", batch_size=128)[0].shuffle is True
    assert of("mnist-softmax", batch_size=128)[0].shuffle is False  # in order, as published
    assert of("scores", batch_size=2)[0].shuffle is True
    assert of("mnist", batch_size="all")[0].shuffle is False
    assert of("scores", batch_size=2, shuffle=False)[0].shuffle is False


@pytest.mark.parametrize(
    ("machine", "device", "reason"),
    [
        (CPU, "cpu", "no GPU is here"),
        (Machine(cuda=True, mps=False, cores=2), "cuda", "a CUDA GPU is here"),
        (Machine(cuda=False, mps=True, cores=2), "mps", "an Apple GPU is here"),
    ],
)
@pytest.mark.parametrize("asked", [{}, {"device": "auto"}])
def test_the_device_is_chosen_and_said(machine, device, reason, asked):
    recipe, choices = choose(asked, arrays(), machine)
    assert recipe.device == device
    assert [(each.value, each.reason) for each in choices if each.key == "device"] == [(device, reason)]


def test_a_cpu_can_be_asked_for_where_a_gpu_is():
    assert choose({"device": "cpu"}, arrays(), Machine(cuda=True, mps=False, cores=2))[0].device == "cpu"


NO_MODEL = "linear, softmax, mlp, cnn; for a class of your own write path/to/file.py:ClassName"


@pytest.mark.parametrize(
    ("info", "given_settings", "lines"),
    [
        ("mnist", {"momentum": 0.9}, ["momentum belongs to optimizer sgd, and optimizer is adam"]),
        ("mnist", {"nesterov": True}, ["nesterov belongs to optimizer sgd, and optimizer is adam"]),
        ("scores", {"beta1": 0.5}, ["beta1 belongs to optimizer adam and adamw, and optimizer is sgd"]),
        ("scores", {"epsilon": 1e-6}, ["epsilon belongs to optimizer adam and adamw, and optimizer is sgd"]),
        ("scores", {"sizes": [3]}, ["sizes belongs to model mlp, and model is linear"]),
        ("mnist", {"model": "cnn", "activation": "tanh"}, ["activation belongs to model mlp, and model is cnn"]),
        (
            "mnist",
            {"schedule_every": 3},
            ["schedule_every belongs to schedule step and plateau, and schedule is constant"],
        ),
        (
            "mnist",
            {"schedule": "cosine", "schedule_factor": 0.5},
            ["schedule_factor belongs to schedule step and plateau, and schedule is cosine"],
        ),
        ("scores", {"nesterov": True}, ["nesterov needs momentum: set momentum, for example 0.9"]),
        ("mnist", {"early_stopping": 3}, ["early_stopping needs rows to choose by: set validation, for example 0.1"]),
        ("scores", {"validation": 0.05}, ["validation = 0.05 of 5 rows leaves one of the two parts empty"]),
        ("scores", {"validation": 0.95}, ["validation = 0.95 of 5 rows leaves one of the two parts empty"]),
        ("mnist", {"validation": 1e-9}, ["validation = 1e-09 of 60,000 rows leaves one of the two parts empty"]),
        ("mnist", {"layout": "reshape"}, ["layout = reshape: mnist has rows"]),
        (
            "scores-two",
            {"layout": "reshap"},
            ["layout = reshap: scores-two has rows and reshape (did you mean 'reshape'?)"],
        ),
        (arrays(), {"layout": "columns"}, ["layout = columns: arrays has rows"]),
        (
            "scores",
            {"accumulate": 2},
            ["accumulate needs batches, and batch_size is all: set a batch_size or leave accumulate at 1"],
        ),
        (
            "scores",
            {"shuffle": True},
            ["shuffle changes nothing when batch_size is all: leave it out, or set a batch_size"],
        ),
        (
            "mnist",
            {"device": "cuda"},
            ["device = cuda: this machine or this build of PyTorch has none; leave device out to have one chosen"],
        ),
        (
            "mnist",
            {"device": "mps"},
            ["device = mps: this machine or this build of PyTorch has none; leave device out to have one chosen"],
        ),
        ("mnist", {"model": "mpl"}, [f"there is no model 'mpl' (did you mean 'mlp'?): {NO_MODEL}"]),
        ("mnist", {"model": "net.py"}, [f"there is no model 'net.py': {NO_MODEL}"]),
        (
            "scores",
            {"model": "softmax"},
            ["model softmax tells classes apart, and scores has values to predict: use linear or mlp"],
        ),
        ("scores", {"model": "cnn"}, ["model cnn looks at images, and scores has columns: use linear or mlp"]),
        ("mnist", {"sizes": []}, ["model mlp needs a hidden layer: set sizes, for example [128], or use linear"]),
        (
            "mnist",
            {"loss": "mse"},
            ["loss mse does not fit mnist, which has classes to tell apart: use cross-entropy or nll"],
        ),
        (
            TWO_CLASSES,
            {"loss": "mae"},
            [
                (
                    "loss mae does not fit arrays, which has classes to tell apart: "
                    "use cross-entropy or nll or binary-cross-entropy"
                )
            ],
        ),
        (
            "scores",
            {"loss": "nll"},
            ["loss nll does not fit scores, which has values to predict: use mse or mae or huber"],
        ),
        (
            VALUES,
            {"loss": "binary-cross-entropy"},
            ["loss binary-cross-entropy does not fit arrays, which has values to predict: use mse or mae or huber"],
        ),
        (
            "mnist",
            {"loss": "binary-cross-entropy"},
            ["loss binary-cross-entropy is for 2 classes, and mnist has 10: use cross-entropy"],
        ),
    ],
)
def test_settings_that_cannot_stand_together(info, given_settings, lines):
    assert problems_of(info, **given_settings) == lines


@pytest.mark.parametrize(
    ("info", "given_settings"),
    [
        ("mnist", {"optimizer": "sgd", "momentum": 0.9, "nesterov": True}),
        ("mnist", {"momentum": 0.0, "nesterov": False}),
        ("scores", {"beta1": 0.9, "sizes": []}),
        ("mnist", {"validation": 0.1, "early_stopping": 3}),
        ("scores", {"validation": 0.2}),
        ("scores-two", {"layout": "reshape"}),
        ("mnist", {"schedule": "plateau", "schedule_every": 3, "schedule_factor": 0.5}),
        ("scores", {"batch_size": 2, "accumulate": 2, "shuffle": True}),
        ("mnist", {"model": "path/to/net.py:Net"}),
        (TWO_CLASSES, {"loss": "binary-cross-entropy"}),
        (arrays(), {"model": "linear", "loss": "nll"}),
    ],
)
def test_settings_that_can(info, given_settings):
    recipe, _ = of(info, **given_settings)
    for key, value in given_settings.items():
        assert getattr(recipe, key) == (tuple(value) if isinstance(value, list) else value)


def test_all_problems_are_told_at_once():
    with pytest.raises(RecipeError) as caught:
        of("scores", lr=0, modle="mlp", loss="nll", layout="reshape", early_stopping=2)
    assert caught.value.what == (
        "5 settings are wrong:\n"
        "  1. lr = 0: expected a number above 0\n"
        "  2. there is no setting 'modle' (did you mean 'model'?)\n"
        "  3. early_stopping needs rows to choose by: set validation, for example 0.1\n"
        "  4. layout = reshape: scores has rows\n"
        "  5. loss nll does not fit scores, which has values to predict: use mse or mae or huber"
    )


@pytest.mark.parametrize(
    ("given_settings", "line"),
    [
        (
            {"optimizer": "sdg", "momentum": 0.9},
            "optimizer = sdg: expected one of sgd, adam, adamw (did you mean 'sgd'?)",
        ),
        ({"validation": "10%", "early_stopping": 3}, "validation = 10%: expected a number at least 0 and below 1"),
        ({"model": "mpl", "sizes": [32]}, f"there is no model 'mpl' (did you mean 'mlp'?): {NO_MODEL}"),
        (
            {"schedule": "setp", "schedule_every": 3},
            "schedule = setp: expected one of constant, cosine, one-cycle, step, plateau (did you mean 'step'?)",
        ),
    ],
)
def test_a_wrong_setting_is_not_blamed_on_its_neighbours(given_settings, line):
    """`optimizer=sdg momentum=0.9` is one mistake: that adam has no momentum is nobody's concern."""
    assert problems_of("mnist", **given_settings) == [line]


WORDS = {
    "activation": ACTIVATIONS,
    "initial": INITIAL_VALUES,
    "loss": (*LOSSES_OF_VALUES, *LOSSES_OF_CLASSES),
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "gradients": GRADIENTS,
    "device": DEVICES,
    "model": (*MODELS, "net.py:Net"),
    "batch_size": ("all",),
    "layout": ("rows", "reshape"),
}
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
plausible = st.one_of(
    st.sampled_from([word for words in WORDS.values() for word in words]),
    st.sampled_from([0, 1, 2, 64, 0.1, 0.9, 1e-8, True, False, None, "none", [16], [16, 8]]),
)


@given(
    given_settings=st.dictionaries(
        st.sampled_from(sorted(SETTINGS)) | st.text(max_size=10), plausible | anything, max_size=8
    ),
    info=st.sampled_from(SETS),
)
@settings(max_examples=250)
def test_any_settings_give_a_recipe_or_all_their_problems(given_settings, info):
    try:
        recipe, choices = choose(given_settings, info, CPU)
    except RecipeError as error:
        assert error.problems
        assert all(problem and "Traceback" not in problem for problem in error.problems)
        assert isinstance(error, UsageError)
        assert len(set(error.problems)) == len(error.problems)
        return
    assert given_settings.keys() <= SETTINGS.keys()
    assert [choice.key for choice in choices] == list(SETTINGS)
    again, _ = choose({**recipe.as_json()}, info, CPU)
    assert again == recipe


@given(data=st.data(), info=st.sampled_from(SETS))
@settings(max_examples=100)
def test_a_recipe_given_back_is_the_same_recipe(data, info):
    """Each word alone, on every set: what was chosen around it can be given again and gives itself."""
    key = data.draw(st.sampled_from(sorted(WORDS)))
    value = data.draw(st.sampled_from(WORDS[key]))
    try:
        recipe, _ = choose({key: value}, info, CPU)
    except RecipeError:
        return
    again, choices = choose(json.loads(json.dumps(recipe.as_json())), info, CPU)
    assert again == recipe
    assert all(choice.by == "you" for choice in choices)
    assert dataclasses.asdict(Recipe.from_json(recipe.as_json())) == dataclasses.asdict(recipe)
