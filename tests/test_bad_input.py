"""Whatever is thrown at it: one clear message that says what to do, the right exit status, and nothing half-written."""

import contextlib
import errno
import io
import json
import os
import shutil
import string
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

import descend
from descend import run as door
from descend.cli import main
from descend.data import builtin
from descend.errors import DescendError, StorageError
from descend.models.architecture import Architecture
from descend.models.build import build
from descend.models.description import ModelDescription
from descend.models.folder import save
from descend.train.recipe import SETTINGS

EVERYTHING = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
BELOW = "from torch import nn\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        "
NET = BELOW + "self.layer = nn.Linear(1, 1)\n    def forward(self, x):\n        return self.layer(x)\n"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a run of a table and the model of a digit reader."""
    base = tmp_path_factory.mktemp("trained")
    descend.train("scores", epochs=3, progress=False, runs=str(base / "runs"))
    architecture = Architecture("softmax", (1, 28, 28), 10)
    digits = ModelDescription(
        architecture, {"kind": "digit"}, "classes", (), tuple("0123456789"), "nll", {"data": "mnist"}
    )
    save(base / "reader", build(architecture), digits)
    return base


def command(*words):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(word) for word in words])
    return status, out.getvalue(), err.getvalue()


def check_message(status, out, err, *, json_too=False):
    """Wrong use: nothing but the message, which says what happened and what to do."""
    assert status == 2
    assert err.startswith("descend: ")
    assert "\n  help: " in err
    assert "Traceback" not in err
    if json_too:
        assert json.loads(out)["error"]["help"]
    else:
        assert out == ""


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mnits"], "there is no built-in set 'mnits' (did you mean 'mnist'?)"),
        (["scores", "--model", "mpl"], "there is no model 'mpl' (did you mean 'mlp'?)"),
        (["scores", "--set", "epoch=3"], "there is no setting 'epoch' (did you mean 'epochs'?)"),
        (["scores", "--set", "clip"], "'clip' is not a setting"),
        (["scores", "--epochs", "0"], "epochs = 0: expected a whole number from 1 to 10,000,000"),
        (["scores", "--lr", "nan"], "lr = nan: expected a number above 0"),
        (["scores", "--seed", "-1"], "seed = -1: expected a whole number from 0 to 4,294,967,295"),
        (["scores", "--batch-size", "some"], "batch_size = some: expected a whole number from 1 up, or all"),
        (["scores", "--layout", "reshape"], "layout = reshape: scores has rows"),
        (["scores", "--loss", "nll"], "loss nll does not fit scores, which has values to predict"),
        (["scores", "--gradients", "by-hand", "--loss", "huber"], "gradients = by-hand covers stacks of linear, relu"),
        (["scores", "--recipe", "no.toml"], "there is no recipe 'no.toml'"),
        (["scores", "--recipe", "bad.toml"], "the recipe is not TOML: "),
        (["scores", "--model", "no.py:Net"], "there is no file no.py (did you mean 'net.py'?)"),
        (["scores", "--model", "net.py"], "for a class of your own write path/to/file.py:ClassName"),
        (["scores", "--model", "net.py:Nett"], "net.py has no class 'Nett'"),
        (["scores-two", "--model", "net.py:Net"], "the model cannot take features of the shape (4, 2)"),
        (
            ["mnist", "--model", "wide.py:Net", "--dry-run"],
            "for features (4, 1, 28, 28) it gives (4, 3), and cross-entropy",
        ),
        (["scores", "--model", "raises.py:Net"], "Net in raises.py cannot be made: RuntimeError: no"),
        (["scores", "--model", "broken.py:Net"], "broken.py is not valid Python"),
        (["scores", "--name", "taken"], "a run called 'taken' exists already"),
        (["scores", "--name", "../up"], "'../up' cannot be the name of a run"),
        (["scores", "--name", "last"], "a run cannot be called 'last'"),
        (["scores", "--runs", "net.py"], "the folder for the run cannot be made or written to: not a directory"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(tmp_path, words, said):
    Path("net.py").write_text(NET)
    Path("wide.py").write_text(NET.replace("Linear(1, 1)", "Linear(784, 3)").replace("layer(x)", "layer(x.flatten(1))"))
    Path("raises.py").write_text(BELOW + "raise RuntimeError('no')\n")
    Path("broken.py").write_text("class Net(:\n")
    Path("bad.toml").write_text("lr = = 3")
    Path("runs/taken").mkdir(parents=True)
    before = files(tmp_path)
    status, out, err = command("train", *words)
    check_message(status, out, err)
    assert said in err
    assert files(tmp_path) == before
    check_message(*command("train", *words, "--json"), json_too=True)


def test_all_mistakes_of_a_recipe_are_told_at_once():
    Path("r.toml").write_text('lr = -1\noptimiser = "adam"\nsizes = "wide"\nschedule = "cosin"\nnesterov = true\n')
    status, out, err = command("train", "scores", "--recipe", "r.toml", "--set", "clip=0", "--epochs", "x")
    check_message(status, out, err)
    for said in (
        "7 settings are wrong:",
        "lr = -1: expected a number above 0",
        "there is no setting 'optimiser' (did you mean 'optimizer'?)",
        "sizes = wide: expected the widths of the hidden layers",
        "schedule = cosin: expected one of constant, cosine, one-cycle, step, plateau (did you mean 'cosine'?)",
        "nesterov needs momentum",
        "clip = 0: expected a number above 0, or none",
        "epochs = x: expected a whole number from 1 to 10,000,000",
    ):
        assert said in err


def test_files_of_mnist_that_are_cut_short_are_named(monkeypatch, tmp_path):
    folder = tmp_path / "mnist"
    shutil.copytree(builtin._MNIST, folder)
    monkeypatch.setattr(builtin, "_MNIST", folder)
    cut = folder / "t10k-labels-idx1-ubyte.gz"
    cut.write_bytes(cut.read_bytes()[:2000])
    status, out, err = command("train", "mnist")
    check_message(status, out, err)
    assert "t10k-labels-idx1-ubyte.gz" in err
    cut.unlink()
    check_message(*command("train", "mnist"))
    assert files(tmp_path) == sorted(["mnist", *(f"mnist/{path.name}" for path in folder.iterdir())])


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_a_disk_that_refuses_is_told_before_the_training(monkeypatch, tmp_path, code):
    def refuse(*arguments, **options):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "mkdir", refuse)
    status, out, err = command("train", "scores")
    check_message(status, out, err)
    assert f"cannot be made or written to: {os.strerror(code).lower()}" in err
    assert "--runs DIR" in err
    assert files(tmp_path) == []


def test_a_disk_that_fills_up_on_the_way_leaves_the_model(monkeypatch):
    features, targets = np.ones((300, 100), np.float32), np.arange(300) % 2
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (130000, 130000)); from descend.cli import main; "
    limited = [sys.executable, "-c", code + "sys.exit(main(sys.argv[1:]))"]
    done = subprocess.run(
        [*limited, "train", "mnist-softmax", "--epochs", "1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert (
        "descend: cannot write step-1.safetensors: file too large; the training went on: its model is kept in"
        in done.stderr
    )
    assert "help: a limit on file sizes is in force there (ulimit -f): raise it" in done.stderr
    assert descend.load("runs/mnist-softmax-1/model").description.metrics["test"]["accuracy"] > 0.85

    def refuse(*arguments, **options):
        raise StorageError("cannot write model: no space left on device", help="free some space there")

    monkeypatch.setattr("descend.models.folder.write_atomically", refuse)
    with pytest.raises(StorageError, match="cannot write model: no space left on device"):
        descend.train((features, targets), epochs=1, progress=False)
    with descend.Run("runs/arrays-1").record() as record:
        assert record.status == "failed"
        assert len(record.steps().step) == 5
    assert files(Path("runs/arrays-1")) == [
        "data.safetensors",
        "record.sqlite",
        "tensors",
        "tensors/step-1.safetensors",
    ]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "model.json").unlink(), "has no model.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "has no model.safetensors"),
        (lambda folder: (folder / "model.json").write_text("{"), "model.json is not valid JSON"),
        (lambda folder: os.truncate(folder / "model.safetensors", 40), "its SHA-256 differs"),
        (lambda folder: edit(folder, format=99), "the model was saved by a newer descend"),
        (lambda folder: edit(folder, target_names=["a", "b"]), "2 target_names for 1 outputs"),
        (lambda folder: edit(folder, task="poetry"), "'task' has to be one of classes, values"),
    ],
)
def test_a_damaged_model_folder_is_told_apart(trained, tmp_path, damage, said):
    folder = tmp_path / "model"
    shutil.copytree(trained / "runs/scores-1/model", folder)
    damage(folder)
    for words in (["evaluate", folder], ["predict", folder, "--values", "hours=1"]):
        status, out, err = command(*words)
        check_message(status, out, err)
        assert said in err
        check_message(*command(*words, "--json"), json_too=True)


def edit(folder, **changes):
    path = folder / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no.png"], "there is no image 'no.png'"),
        (["."], "is a folder, not an image"),
        (["text.png"], "text.png is not an image that can be read"),
        (["cut.png"], "cut.png is a damaged image"),
        ([], "this model reads pictures"),
    ],
)
def test_a_picture_that_is_none(trained, words, said):
    Path("text.png").write_text("hello")
    Image.effect_noise((64, 64), 50).save("cut.png")
    os.truncate("cut.png", 900)
    status, out, err = command("predict", trained / "reader", *words)
    check_message(status, out, err)
    assert said in err


def test_a_model_of_arrays_says_how_it_is_asked():
    images = np.random.default_rng(0).random((8, 4, 4))
    descend.train((images, np.arange(8) % 2), epochs=1, progress=False)
    status, out, err = command("predict", "last", "--values", "x=1")
    check_message(status, out, err)
    assert "this model takes arrays of shape (4, 4), which cannot be typed here" in err


SCALARS = st.one_of(
    *(st.none(), st.booleans(), st.integers(-3, 300), st.integers(), st.floats(), st.text(max_size=8)),
    st.sampled_from(
        [word for field in SETTINGS.values() for word in field.metadata["meaning"].replace(",", "").split()]
    ),
)
VALUES = SCALARS | st.lists(st.integers(-1, 60), max_size=3) | st.lists(SCALARS, max_size=2)
RECIPES = st.dictionaries(st.sampled_from(sorted(SETTINGS)) | st.text(max_size=8), VALUES, max_size=5)


@EVERYTHING
@given(RECIPES)
def test_any_recipe_gives_a_plan_or_one_message(recipe):
    try:
        door.planned_training("scores", recipe=recipe)
    except DescendError as error:
        assert error.exit_status == 2
        assert error.what
        assert error.help


@settings(EVERYTHING, max_examples=60)
@given(RECIPES, st.sampled_from(["scores", "scores-two", "line"]))
@example({"model": "mlp", "sizes": [3], "initial": "zeros", "validation": 0.5}, "line")
@example({"lr": 1e300, "optimizer": "adam"}, "scores")
@example({"lr": 1e-300, "clip": 1e-300, "epsilon": 1e-300}, "scores")
@example({"beta1": 0.0, "beta2": 0.0, "optimizer": "adamw", "weight_decay": 1e300}, "scores")
def test_any_recipe_trains_or_gives_one_message(recipe, name):
    with tempfile.TemporaryDirectory() as folder:
        try:
            run = descend.train(name, recipe=recipe, epochs=3, runs=folder, progress=False)
            assert len(run.losses) >= 3
            str(run)
        except DescendError as error:
            assert error.what
            assert error.help
            assert error.exit_status == 1 or not list(Path(folder).iterdir())


TYPED = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.builds(
    "{}={}".format, st.sampled_from(sorted(SETTINGS)), st.text(string.printable, max_size=8) | SCALARS.map(str)
)


@EVERYTHING
@given(st.lists(TYPED, max_size=3), st.booleans())
@example(["lr=" + "9" * 5000], False)
@example(["sizes=" + "[" * 2000], True)
@example(["seed=1e400"], True)
def test_anything_may_be_typed_after_set(texts, as_json):
    words = [word for text in texts for word in ("--set", text)]
    status, out, err = command("train", "scores", "--dry-run", *words, *(["--json"] if as_json else []))
    if status:
        check_message(status, out, err, json_too=as_json)
    else:
        assert "batch_size" in out


@EVERYTHING
@given(
    st.binary(max_size=60) | st.lists(TYPED, max_size=4).map(lambda lines: "\n".join(lines).encode("utf-8", "replace"))
)
@example(b"\xef\xbb\xbflr = 0.1")
@example(b"[lr]\nx = 1")
@example(b"sizes = " + b"[" * 3000)
def test_any_file_may_be_given_as_a_recipe(data):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "r.toml")
        file.write_bytes(data)
        status, out, err = command("train", "scores", "--recipe", file, "--dry-run")
        if status:
            check_message(status, out, err)


@EVERYTHING
@given(st.data())
def test_any_change_to_a_model_folder_gives_an_answer_or_one_message(trained, data):
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base, "model")
        shutil.copytree(trained / "runs/scores-1/model", folder)
        if data.draw(st.booleans()):
            file = folder / data.draw(st.sampled_from(["model.json", "model.safetensors"]))
            content = bytearray(file.read_bytes())
            for _ in range(data.draw(st.integers(1, 3))):
                content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
            file.write_bytes(
                content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
            )
        else:
            facts = json.loads((folder / "model.json").read_text())
            inner = data.draw(st.sampled_from([facts, facts["architecture"], facts["recipe"], facts["preparation"]]))
            inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(VALUES)
            (folder / "model.json").write_text(json.dumps(facts))
        for words in (["evaluate", folder], ["predict", folder, "--values", "hours=1"]):
            status, out, err = command(*words)
            if status:
                check_message(status, out, err)


@EVERYTHING
@given(
    st.binary(max_size=80),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"P5 9 9 255\n", b"GIF89a"]),
)
def test_any_file_may_be_given_as_a_digit(trained, data, head):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "digit.png")
        file.write_bytes(head + data)
        status, out, err = command("predict", trained / "reader", file)
        if status:
            check_message(status, out, err)


@settings(EVERYTHING, max_examples=40)
@given(st.data())
def test_any_bytes_may_stand_in_a_record(trained, data):
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base, "run")
        folder.mkdir()
        content = bytearray((trained / "runs/scores-1/record.sqlite").read_bytes())
        for _ in range(data.draw(st.integers(0, 6))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        cut = data.draw(st.integers(0, len(content)))
        (folder / "record.sqlite").write_bytes(content[:cut] if data.draw(st.booleans()) else content)
        assert command("runs", "--runs", base)[0] == 0
        for words in (["runs", "run", trained / "runs/scores-1", "--runs", base], ["evaluate", "last", "--runs", base]):
            status, out, err = command(*words)
            if status:
                check_message(status, out, err)


NUMBERS = st.floats(width=32) | st.integers(-3, 5)
ROWS = st.lists(NUMBERS | st.lists(NUMBERS, max_size=2) | st.text(max_size=2) | st.none(), max_size=6)


@settings(EVERYTHING, max_examples=60)
@given(ROWS, ROWS, st.sampled_from([list, tuple, np.array, lambda rows: np.array(rows, dtype=object), torch.tensor]))
def test_any_lists_are_learned_from_or_refused_with_one_message(features, targets, kind):
    with tempfile.TemporaryDirectory() as folder:
        try:
            pair = kind(features), kind(targets)
        except (ValueError, TypeError, RuntimeError, OverflowError):  # numpy and torch refuse them themselves
            return
        try:
            descend.train(pair, epochs=2, runs=folder, progress=False)
        except DescendError as error:
            assert error.what
            assert error.help
