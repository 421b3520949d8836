"""The door for Python programs: the public names, `train` with every kind of data, and what a `Run` gives back."""

import importlib
import inspect
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import nn

import descend
from descend import asking
from descend import run as door
from descend.data import builtin
from descend.errors import DataError, ModelError, RecipeError, RecordError, UsageError
from descend.models.folder import save
from descend.train import pause as pause_room

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(40, 3)).astype(np.float32)
VALUES = FEATURES @ np.array([1.0, -2.0, 0.5], dtype=np.float32) + 0.25
CLASSES = (VALUES > 0).astype(np.int64)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def train(data, **settings):
    return descend.train(data, progress=False, **{"epochs": 3, **settings})


def weights(run):
    return {name: value.clone() for name, value in run.model().module.state_dict().items()}


def same_bits(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_the_public_names_are_these_and_no_others():
    names = ["Dataset", "DescendError", "Diverged", "Examples", "Model", "Recipe", "RecipeError", "Run", "UsageError"]
    names += ["evaluate", "load", "train", "watch"]
    assert sorted(descend.__all__) == names
    assert dir(descend) == sorted([*names, "__version__"])
    assert all(getattr(descend, name).__name__ == name for name in names)
    assert [name for name in vars(descend.Run) if not name.startswith("_")] == [
        *("name", "report", "metrics", "recipe", "losses", "record", "model", "script", "explain")
    ]
    called = {function: list(inspect.signature(getattr(descend, function)).parameters) for function in names[-4:]}
    assert called == {
        "evaluate": ["model", "data", "code", "runs"],
        "load": ["path", "code", "runs"],
        "train": [
            "data",
            "test",
            "feature_names",
            "target_names",
            "task",
            "recipe",
            "name",
            "runs",
            "progress",
            "pause",
            "settings",
        ],
        "watch": ["name", "runs", "fast"],
    }
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = descend.nope


def test_train_is_the_function_whatever_was_imported_before():
    room = importlib.import_module("descend.train")
    importlib.import_module("descend.train.recipe")
    assert inspect.ismodule(room)
    assert descend.train is door.train
    code = "from descend import Recipe, train; from descend.train import recipe; import descend; assert descend.train is train"
    subprocess.run([sys.executable, "-c", f"{code}; assert callable(train)"], check=True)


def test_importing_the_package_does_not_import_torch():
    code = "import sys, descend; descend.Recipe, descend.UsageError, descend.__version__; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


@pytest.mark.parametrize(
    "kind", [np.asarray, torch.as_tensor, lambda array: array.tolist()], ids=["numpy", "torch", "list"]
)
@pytest.mark.parametrize("targets", [VALUES, CLASSES], ids=["values", "classes"])
def test_arrays_tensors_and_lists_give_the_same_bits(kind, targets):
    plain = train((FEATURES, targets), seed=3)
    other = train((kind(FEATURES), kind(targets)), seed=3)
    assert plain.name == "arrays-1"
    assert other.name == "arrays-2"
    assert same_bits(weights(plain), weights(other))
    assert plain.losses == other.losses


def test_the_arrays_of_the_caller_are_not_changed():
    features, targets = FEATURES.copy(), VALUES.copy()
    train((features, targets), schedule="cosine", batch_size=7)
    np.testing.assert_array_equal(features, FEATURES)
    np.testing.assert_array_equal(targets, VALUES)


def test_a_model_that_works_in_place_does_not_change_the_arrays_of_the_caller():
    Path("net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Linear):\n"
        "    def __init__(self):\n"
        "        super().__init__(3, 1)\n"
        "    def forward(self, x):\n"
        "        return super().forward(x.mul_(0.5))\n"
    )
    features = FEATURES.copy()
    train((features, VALUES), model="net.py:Net")
    np.testing.assert_array_equal(features, FEATURES)


def test_metrics_of_every_part():
    run = train((FEATURES, CLASSES), test=(FEATURES[:9], CLASSES[:9]), validation=0.25, feature_names=["a", "b", "c"])
    assert run.report["rows"] == {"train": 30, "validation": 10, "test": 9}
    assert run.report["feature_names"] == ["a", "b", "c"]
    assert run.report["unseen"] == "test"
    assert {part: sum(map(sum, metrics["confusion"])) for part, metrics in run.metrics.items()} == run.report["rows"]
    said = run.model().predict(torch.from_numpy(FEATURES[:9])).numpy()
    assert run.metrics["test"]["accuracy"] == (said == CLASSES[:9]).mean()


def test_a_linear_model_finds_the_least_squares_solution():
    run = train((FEATURES, VALUES), model="linear", optimizer="sgd", lr=0.2, batch_size="all", epochs=300)
    found = {row["name"]: row["values"] for row in run.report["parameters"]}
    assert found["output.weight"] == pytest.approx([1.0, -2.0, 0.5], abs=1e-4)
    assert found["output.bias"] == pytest.approx([0.25], abs=1e-4)
    assert run.metrics["train"]["r2"] == pytest.approx(1)


def test_settings_come_on_top_of_a_recipe_of_any_kind():
    Path("r.toml").write_text('lr = 0.001\nepochs = 2\ndata = "line"\n')
    first = train("scores", recipe="r.toml", epochs=1)
    assert (first.recipe.lr, first.recipe.epochs, first.recipe.data) == (0.001, 1, "scores")
    again = descend.train("scores", recipe=first.recipe, progress=False)
    assert again.recipe == first.recipe
    assert again.losses == first.losses
    mapped = descend.train("scores", recipe={"lr": 0.001, "data": "mnist"}, epochs=np.int64(1), progress=False)
    assert mapped.recipe == first.recipe
    with pytest.raises(RecipeError, match="recipe is of the type int"):
        train("scores", recipe=3)


def test_a_run_shows_its_summary_and_gives_back_its_parts():
    run = train("scores", epochs=20, name="mine")
    assert repr(run) == "Run('runs/mine')"
    assert "Loss fell from 7,326.7 to 723.24." in str(run)
    console = Console(file=io.StringIO(), width=80)
    console.print(run)
    assert "Loss fell from 7,326.7 to 723.24." in console.file.getvalue()
    assert run.losses[0] == pytest.approx(7326.7265625)
    assert len(run.losses) == run.report["steps"] == 20
    assert run.metrics["train"]["rmse"] == run.report["train"]["rmse"]
    with run.record() as record:
        assert record.info.recipe == run.recipe.as_json()
    assert descend.Run("runs/mine").report == run.report


def test_a_run_without_an_end_has_no_report():
    folder = Path("runs/unfinished")
    folder.mkdir(parents=True)
    writer = door.Writer(folder)
    with pytest.raises(RecordError, match="has no report: it is still running"):
        _ = descend.Run(folder).report
    writer.close()
    with pytest.raises(RecordError, match="has no report: it died"):
        _ = descend.Run(folder).report
    with pytest.raises(ModelError, match="left no model: it died"):
        descend.load(folder)


def test_load_takes_a_run_its_name_last_or_a_model_folder():
    run = train("scores")
    ways = ["last", "scores-1", run.path, run.path / "model", "runs/scores-1"]
    assert all(same_bits(descend.load(way).module.state_dict(), weights(run)) for way in ways)
    train("scores", runs="elsewhere", epochs=1)
    assert not same_bits(descend.load("last", runs="elsewhere").module.state_dict(), weights(run))


def test_evaluate_repeats_what_was_reported():
    scores, line = train("scores"), train("line", seed=5)
    for run in (scores, line):
        found = descend.evaluate(run.path)
        assert found.pop("part") == "train"
        assert found.pop("rows") == run.report["rows"]["train"]
        assert found == run.metrics["train"]
    values = builtin.load("scores").train
    assert (
        descend.evaluate(scores.model(), (values.features, values.targets))["loss"] == scores.metrics["train"]["loss"]
    )


def test_evaluate_leaves_the_random_numbers_alone():
    run = train("line")
    torch.manual_seed(1)
    before = torch.get_rng_state()
    descend.evaluate(run.path)
    descend.load(run.path)
    assert torch.equal(torch.get_rng_state(), before)


def test_evaluate_says_what_does_not_fit(tmp_path):
    run = train((FEATURES, CLASSES))
    model = run.model()
    for data, said in (
        (None, "was trained on 'arrays', which is none of the built-in sets"),
        ((FEATURES[:, :2], CLASSES), r"examples of shape \(2,\) do not fit the model, which takes \(3,\)"),
        ((FEATURES, CLASSES + 1), "hold the class id 2, but there are 2 classes"),
        ((FEATURES, CLASSES, CLASSES), "data is not a pair"),
        ("mnist", "data is not a pair"),
    ):
        with pytest.raises(DataError, match=said) as caught:
            descend.evaluate(model, data)
        assert caught.value.help
    two = train((FEATURES, VALUES)).model()
    with pytest.raises(DataError, match="2 target columns do not fit the model, which predicts y"):
        descend.evaluate(two, (FEATURES, np.stack([VALUES, VALUES], axis=1)))


def test_a_model_folder_with_odd_words_in_its_recipe_is_refused(tmp_path):
    model = train("scores").model()
    facts = model.description
    for recipe, loss, said in (
        ({"data": "mnist"}, "mse", "'mnist' holds classes, and the model predicts values"),
        ({"data": ["scores"], "seed": "x"}, "mse", "which is none of the built-in sets"),
        ({"data": "scores-two", "layout": "odd"}, "mse", "has no layout 'odd'"),
        ({"data": "scores-two", "seed": -4}, "mse", r"examples of shape \(2,\) do not fit"),
        ({"data": "scores"}, "hinge", "the loss 'hinge', which this descend does not know"),
    ):
        changed = type(facts)(
            *(facts.architecture, facts.preparation, facts.task, facts.feature_names, facts.target_names, loss, recipe)
        )
        save(tmp_path / "odd", model.module, changed)
        with pytest.raises(UsageError, match=said):
            descend.evaluate(tmp_path / "odd")


def test_values_are_predicted_in_the_units_of_the_table():
    model = train("scores-two", epochs=50).model()
    prediction = asking.predict_values(model, ["slept=7,8", "hours=5,9"])
    assert prediction["features"] == ["hours", "slept"]
    assert prediction["rows"] == [[5.0, 7.0], [9.0, 8.0]]
    by_torch = nn.functional.linear(torch.tensor(prediction["rows"]), *model.module.state_dict().values())
    assert torch.equal(torch.tensor(prediction["predictions"]), by_torch)
    names = train((FEATURES, CLASSES), target_names=["low", "high"], epochs=60, lr=0.05).model()
    assert asking.predict_values(names, ["x1=9,-9", "x2=-9,9", "x3=0,0"])["predictions"] == [["high"], ["low"]]


def test_progress_goes_to_stderr_or_to_a_console_or_nowhere(capsys):
    descend.train("scores", epochs=1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "epoch 1/1" in captured.err
    console = Console(file=io.StringIO())
    descend.train("scores", epochs=1, progress=console)
    assert "epoch 1/1" in console.file.getvalue()
    descend.train("scores", epochs=1, progress=False)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_a_pause_opens_the_debugger_inside_the_step(monkeypatch):
    seen = []

    def stand_in(frame, away):
        here = frame.f_locals
        parameters = here["engine"].parameters
        gradient = parameters.gradient["output.bias"].clone()
        seen.append(
            (frame.f_code.co_name, frame.f_code.co_filename, here["x"].clone(), here["output"].clone(), gradient)
        )

    monkeypatch.setattr(door, "open_debugger", stand_in)
    console = Console(file=io.StringIO(), width=100)
    run = descend.train("scores", epochs=5, pause=3, progress=console)
    ((name, file, x, output, gradient),) = seen
    assert (name, Path(file).name) == ("step", "step.py")
    assert x.tolist() == [[2.0], [4.0], [6.0], [8.0], [10.0]]
    error = output - builtin.load("scores").train.targets
    assert gradient.item() == pytest.approx(2 * error.mean().item(), rel=1e-5)
    text = console.file.getvalue()
    assert "paused in step 3, between backward and update" in text
    assert "loss 823.0471 · learning rate 0.01" in text
    with run.record() as record:
        assert [(each.step, each.kind) for each in record.messages()] == [(3, "pause")]
    plain = descend.train("scores", epochs=5, progress=False)
    assert same_bits(weights(run), weights(plain))
    assert run.losses == plain.losses


def test_time_in_the_debugger_is_no_time_of_the_training(monkeypatch):
    """A person who stays for a thousand seconds, said and not waited for: the step is that much shorter than the clock says."""
    monkeypatch.setattr(door, "open_debugger", lambda frame, away: away(1000.0))
    run = descend.train("scores", epochs=5, pause=3, progress=False)
    with run.record() as record:
        seconds = record.steps().seconds
    assert [each < -900 for each in seconds] == [False, False, True, False, False]
    assert run.report["seconds"]["training"] < -900


def test_each_stop_of_the_debugger_is_timed(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\nn\nc\n"))
    monkeypatch.setattr(pause_room, "find_spec", lambda name: None)
    told = []

    def stopped():
        pause_room.open_debugger(sys._getframe(), told.append)
        first = 1
        second = first + 1
        return second + 1

    assert stopped() == 3
    assert len(told) == 3
    assert min(told) >= 0
    assert "second = first + 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("typed", "status", "steps"),
    [("p float(loss)\nc\n", "finished", 5), ("q\n", "interrupted", 2), ("", "interrupted", 2)],
)
def test_the_real_debugger_goes_on_or_ends_the_training(monkeypatch, capsys, typed, status, steps):
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    monkeypatch.setattr(pause_room, "find_spec", lambda name: None)  # IPython reads no such stdin
    run = descend.train("scores", epochs=5, pause=3)
    captured = capsys.readouterr()
    assert "step.py" in captured.out
    assert ("823.047" in captured.out) == ("loss" in typed)
    assert run.report["status"] == status
    assert run.report["steps"] == len(run.losses) == steps
    assert same_bits(weights(run), weights(descend.train("scores", epochs=steps, progress=False)))


@pytest.mark.parametrize("pause", [0, -1, "3", 2.0])
def test_a_step_that_is_none_cannot_be_paused_in(tmp_path, pause):
    with pytest.raises(UsageError, match=f"there is no step {pause} to pause in"):
        train("scores", pause=pause)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "cannot learn from a NoneType"),
        ([FEATURES, VALUES], "cannot learn from a list"),
        ((FEATURES,), "data is a tuple of 1"),
        ((FEATURES, VALUES, VALUES), "data is a tuple of 3"),
        (Path("scores"), "cannot learn from a PosixPath"),
        ("mnits", r"there is no built-in set 'mnits' \(did you mean 'mnist'\?\)"),
    ],
)
def test_data_that_is_none(tmp_path, data, said):
    with pytest.raises(DataError, match=said) as caught:
        train(data)
    assert caught.value.help
    assert list(tmp_path.iterdir()) == []


def test_arguments_for_arrays_are_refused_beside_a_name():
    with pytest.raises(DataError, match="test and task can only be given beside arrays"):
        train("scores", test=(FEATURES, VALUES), task="values")
