"""The script that `descend eject` writes does what the run did: every loss of both is compared bit for bit."""

import ast
import io
import os
import runpy
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import descend
from descend.record.reader import Reader
from descend.train.recipe import ACTIVATIONS, INITIAL_VALUES

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(157, 7)).astype(np.float32)
ONE = X @ RANDOM.normal(size=7).astype(np.float32) + 0.3
TWO = np.stack([ONE, ONE**2], axis=1)
CLASSES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
YES_OR_NO = (X[:, 0] > 0).astype(int)
IMAGES = RANDOM.uniform(size=(60, 2, 9, 8)).astype(np.float32)
DIGITS = np.arange(60) % 3
DATA = {
    "one": (X, ONE),
    "two": (X, TWO),
    "classes": (X, CLASSES),
    "yes": (X, YES_OR_NO),
    "images": (IMAGES, DIGITS),
    "few": (X[:12, :2], ONE[:12]),
}
TEST_ROWS = {name: (x[:9], y[:9]) for name, (x, y) in DATA.items()}

NETS = """
import torch
from torch import nn
torch.randn(3)  # draws of the file itself count for nothing


class Net(nn.Module):
    def __init__(self, in_features, num_classes, width=16):
        super().__init__()
        self.a, self.norm = nn.Linear(in_features, width), nn.BatchNorm1d(width)
        self.drop, self.b = nn.Dropout(0.2), nn.Linear(width, num_classes)
        self.unused = nn.Linear(3, 3)

    def forward(self, x):
        return self.b(self.drop(torch.relu(self.norm(self.a(x.mul_(0.5))))))


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.LazyLinear(8), nn.LazyLinear(3)

    def forward(self, x):
        return self.b(torch.tanh(self.a(x)))


class Child(Net):
    pass


class Noisy(nn.Module):
    def __init__(self, *, n_in, n_out=3):
        super().__init__()
        self.a = nn.Linear(n_in, n_out)

    def forward(self, x):
        return nn.functional.dropout(self.a(x), 0.3)  # also when it is examined


def stack(n_in, n_out, /):
    return nn.Sequential(nn.Linear(n_in, 9), nn.Tanh(), nn.Linear(9, n_out))


flat = nn.Sequential(nn.Flatten(), nn.Linear(784, 8), nn.ReLU(), nn.Linear(8, 10))


class Flat(nn.Sequential):
    def __init__(self, n_in, n_out):
        super().__init__(nn.Flatten(), nn.Linear(n_in, 9), nn.ReLU(), nn.Linear(9, n_out))


made = nn.Sequential(nn.Linear(7, 5), nn.Dropout(0.1), nn.GELU(), nn.Linear(5, 3))
"""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(NETS)


def train(data, **options):
    return descend.train(data, progress=False, **{"epochs": 3, "threads": 1, **options})


def run_script(path):
    """The script's variables at its end, and what it printed; the interpreter is left as it was."""
    threads, folders, printed = torch.get_num_threads(), list(sys.path), io.StringIO()
    try:
        with redirect_stdout(printed), pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", [str(path)])
            return runpy.run_path(str(path), run_name="__main__"), printed.getvalue()
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(False)
        sys.path[:] = folders
        sys.modules.pop("nets", None)


def assert_repeats(run):
    """The run's script gives its losses bit for bit, and in the end its metrics; it is short and needs PyTorch alone."""
    text = run.script()
    Path("script.py").write_text(text, encoding="utf-8")
    variables, printed = run_script("script.py")
    assert variables["losses"] == run.losses
    assert_plain(text)
    for part, word in (("train", "training"), ("validation", "validation"), ("test", "test")):
        metrics = run.metrics[part]
        if metrics is not None:
            figure = f"accuracy {metrics['accuracy']:.2%}" if "accuracy" in metrics else f"RMSE {metrics['rmse']:.4f}"
            assert f"after    {word} loss {metrics['loss']:.4f}   {figure}" in printed.splitlines()
    return text


def assert_plain(text):
    lines = text.splitlines()
    assert len(lines) < 120
    assert [line for line in lines if len(line) > 120 and str(Path.cwd()) not in line] == []
    assert "\n\n\n\n" not in text
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.partition(".")[0])
    assert names <= {"gzip", "itertools", "math", "pathlib", "sys", "torch", "nets"}


# The built-in sets


@pytest.mark.parametrize("name", ["line", "scores", "scores-two"])
def test_the_tables_are_repeated_from_the_first_step_to_the_last(name):
    run = descend.train(name, progress=False)
    text = assert_repeats(run)
    assert len(run.losses) in (200, 2000, 5000)
    assert "backward(" not in text  # a line fits on paper: its two gradients are written out


def test_the_published_fault_is_repeated_too():
    text = assert_repeats(train("scores-two", layout="reshape", epochs=50))
    assert "reshape(5, 2)" in text


@pytest.mark.parametrize("name", ["mnist", "mnist-softmax"])
def test_mnist_is_repeated(name):
    assert_repeats(train(name, epochs=1))


def test_mnist_may_lie_in_another_folder():
    Path("script.py").write_text(train("mnist", epochs=1, batch_size=5000).script())
    done = subprocess.run([sys.executable, "script.py", "nowhere"], capture_output=True, text=True, check=False)
    assert "nowhere/train-images-idx3-ubyte.gz" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adam", "lr": 1.0},
        {"initial": "default"},
        {"initial": "zeros"},
        {"initial": "xavier", "gradients": "autograd"},
        {"model": "mlp", "initial": "normal"},
        {"momentum": 0.5},
        {"model": "nets.py:stack"},
    ],
    ids=str,
)
def test_other_settings_on_a_set_that_is_drawn_at_random(options):
    assert_repeats(train("line", epochs=20, seed=3, **options))


# Arrays

OPTIMIZERS = [
    {"optimizer": "sgd", "lr": 0.05},
    {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9},
    {"optimizer": "sgd", "lr": 0.05, "weight_decay": 0.01},
    {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    {"optimizer": "adam", "beta1": 0.8, "epsilon": 1e-6},
    {"optimizer": "adam", "weight_decay": 0.01},
    {"optimizer": "adamw"},
    {"optimizer": "adamw", "weight_decay": 0.1, "beta2": 0.99},
]


@pytest.mark.parametrize("options", OPTIMIZERS, ids=str)
@pytest.mark.parametrize(("data", "gradients"), [("two", "by-hand"), ("one", "autograd"), ("classes", "by-hand")])
def test_every_optimizer(options, data, gradients):
    assert_repeats(train(DATA[data], model="mlp", gradients=gradients, batch_size=20, **options))


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle", "step", "plateau"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("validation", [0.0, 0.2])
def test_every_schedule(schedule, optimizer, validation):
    every = {"schedule_every": 1, "schedule_factor": 0.3} if schedule in ("step", "plateau") else {}
    rates = {"schedule": schedule, "optimizer": optimizer, "lr": 3.0, "validation": validation, "epochs": 12}
    run = train(DATA["classes"], **rates, **every, batch_size=50)
    with run.record() as record:
        assert len(set(record.steps().rate)) > 1
    assert_repeats(run)


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ("two", {"loss": "mse"}),
        ("two", {"loss": "mae"}),
        ("one", {"loss": "huber"}),
        ("classes", {"loss": "nll", "model": "softmax"}),
        ("yes", {"loss": "binary-cross-entropy", "validation": 0.2}),
        ("images", {"model": "cnn", "optimizer": "adamw", "schedule": "one-cycle"}),
        ("images", {"model": "cnn", "shuffle": False, "batch_size": 33}),
        ("images", {"model": "softmax", "initial": "xavier", "shuffle": False}),
        ("images", {"model": "mlp", "sizes": [33, 17], "activation": "tanh", "clip": 0.1}),
        ("two", {"sizes": [5, 6, 7, 8, 9], "initial": "xavier", "gradients": "autograd"}),
        ("images", {"model": "mlp", "sizes": [5, 6, 7, 8], "initial": "normal"}),
        ("few", {"batch_size": "all", "epochs": 300}),
        ("few", {"model": "linear", "initial": "normal", "optimizer": "sgd", "lr": 0.01, "batch_size": 5}),
    ],
    ids=str,
)
def test_every_loss_and_model(data, options):
    assert_repeats(train(DATA[data], test=TEST_ROWS[data], **options))


@pytest.mark.parametrize("gradients", ["by-hand", "autograd"])
@pytest.mark.parametrize("data", ["two", "classes"])
@pytest.mark.parametrize(
    "options",
    [
        {"clip": 0.5, "optimizer": "sgd", "momentum": 0.9, "lr": 0.1},
        {"accumulate": 4, "batch_size": 10},
        {"accumulate": 3, "batch_size": 20, "shuffle": False, "optimizer": "sgd", "lr": 0.1, "clip": 1.0},
        {"shuffle": False, "batch_size": 7, "sizes": [33, 17], "activation": "sigmoid"},
        {"batch_size": "all", "epochs": 45},
        {"validation": 0.3, "early_stopping": 2, "epochs": 60, "lr": 0.1},
        {"threads": 2, "batch_size": 100, "sizes": [300]},
    ],
    ids=str,
)
def test_what_else_a_recipe_can_ask_for(gradients, data, options):
    run = train(DATA[data], gradients=gradients, **options)
    if "early_stopping" in options:
        assert run.report["best_epoch"] < len(run.report["epochs"]) < 60
    assert_repeats(run)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_recipe_is_repeated(data):
    drawn = {
        "model": data.draw(st.sampled_from(["linear", "mlp"])),
        "initial": data.draw(st.sampled_from(INITIAL_VALUES)),
        "gradients": data.draw(st.sampled_from(["by-hand", "autograd"])),
        "clip": data.draw(st.sampled_from([None, 0.1])),
        "validation": data.draw(st.sampled_from([0.0, 0.25])),
        "seed": data.draw(st.integers(0, 2**32 - 1)),
        "schedule": data.draw(st.sampled_from(["constant", "cosine", "one-cycle", "step", "plateau"])),
        **data.draw(st.sampled_from(OPTIMIZERS)),
    }
    if drawn["model"] == "mlp":
        drawn["activation"] = data.draw(st.sampled_from(ACTIVATIONS))
        drawn["sizes"] = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=3))
    if data.draw(st.booleans()):
        drawn["batch_size"] = "all"
    else:
        drawn["batch_size"] = data.draw(st.integers(1, 200).filter(lambda rows: rows > 8))
        drawn["shuffle"] = data.draw(st.booleans())
        drawn["accumulate"] = data.draw(st.integers(1, 3))
    try:
        run = train(DATA[data.draw(st.sampled_from(["one", "two", "classes", "few"]))], **drawn)
    except descend.Diverged:
        return
    assert_repeats(run)


# Models of the user's


@pytest.mark.parametrize("name", ["Net", "Lazy", "Child", "Noisy", "stack", "made"])
@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "sgd", "momentum": 0.5, "weight_decay": 0.1, "lr": 0.05},
        {"optimizer": "adam", "weight_decay": 0.1, "accumulate": 2, "clip": 1.0},
        {"batch_size": "all", "optimizer": "sgd", "lr": 0.1},
        {"shuffle": False, "validation": 0.2, "early_stopping": 2, "test": TEST_ROWS["classes"]},
    ],
    ids=str,
)
def test_a_model_from_a_file(name, options):
    text = assert_repeats(train(DATA["classes"], model=f"nets.py:{name}", **options))
    assert f"from nets import {name}" in text


def test_initial_values_of_a_model_from_a_file():
    assert_repeats(train(DATA["classes"], model="nets.py:stack", initial="xavier"))


FULLEST = {"accumulate": 3, "clip": 1.0, "validation": 0.2, "early_stopping": 2}
NESTEROV = {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}


@pytest.mark.parametrize("data", ["classes", "images"])
@pytest.mark.parametrize(
    "options",
    [
        {"model": "nets.py:Net", "schedule": "plateau", **NESTEROV},
        {"model": "nets.py:Flat", "initial": "normal", "schedule": "one-cycle", "epochs": 45, **NESTEROV},
        {"initial": "normal", "schedule": "one-cycle", "optimizer": "adamw", "weight_decay": 0.1, "sizes": [8] * 4},
    ],
    ids=["Net", "Flat", "deep"],
)
def test_the_fullest_script_is_still_short(options, data):
    if options.get("model") == "nets.py:Net" and data == "images":
        pytest.skip("it takes rows of columns")
    assert_repeats(train(DATA[data], **FULLEST, test=TEST_ROWS[data], batch_size=12, shuffle=False, **options))


def test_the_fullest_script_of_all_is_repeated_with_its_lines_drawn_together():
    """MNIST takes a function to be read, and a module ready made with lazy layers the most lines to be made."""
    most = {**FULLEST, **NESTEROV, "schedule": "one-cycle", "epochs": 2, "batch_size": 20_000}
    run = train("mnist", model="nets.py:flat", initial="normal", loss="nll", gradients="by-hand", **most)
    text = assert_repeats(run)
    assert "seed, epochs, batch_size, highest_rate = 0, 2, 20000, 0.05" in text
    assert "\n\n\n" not in text


@pytest.mark.parametrize(
    "options",
    [{"clip": None, "accumulate": 1}, {"initial": "xavier", "schedule": "step", "schedule_every": 40}],
    ids=str,
)
def test_rows_are_read_from_the_file_where_writing_them_out_would_be_too_long(options):
    full = {**FULLEST, **NESTEROV, "epochs": 100, "early_stopping": 99, "batch_size": 3}
    text = assert_repeats(train((X[:12, :2], ONE[:12]), **{**full, **options}))
    assert ("torch.frombuffer(content" in text) == ("schedule" in options)


# In a process of its own


def test_the_script_runs_alone_and_under_descend_run(tmp_path):
    run = train(DATA["classes"], test=TEST_ROWS["classes"], epochs=2)
    run.script("two.py")
    environment = {**os.environ, "COLUMNS": "100"}
    alone = subprocess.run(
        [sys.executable, "-I", "-W", "error", "two.py"], capture_output=True, text=True, check=True, env=environment
    )
    assert "import descend" not in Path("two.py").read_text()
    watched = subprocess.run(
        [sys.executable, "-m", "descend", "run", "two.py"], capture_output=True, text=True, check=True, env=environment
    )
    assert watched.stdout == alone.stdout
    with Reader("runs/two-1") as record:
        assert record.steps().loss == run.losses
