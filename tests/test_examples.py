"""Every file in examples/ runs; those that repeat a published training repeat it to the letter."""

import itertools
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch

import descend
from descend.cli import main
from descend.data import builtin
from descend.data.catalogue import CATALOGUE
from descend.train import prepare
from descend.train.choices import Machine
from descend.train.recipe import SETTINGS, check_settings, read_recipe

EXAMPLES = Path(__file__).parent.parent / "examples"
RECIPES = sorted(EXAMPLES.glob("*.toml"))
PROGRAMS = ["layers.py", "own_arrays.py"]
SHORTENED = {"two_layers": "1", "softmax_regression": "1", "scores_two": "200"}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(prepare, "this_machine", lambda: Machine(cuda=False, mps=False, cores=1))


def trained(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    """The report of ``descend train`` with these arguments."""
    assert main(["train", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_no_example_is_forgotten_here() -> None:
    found = {path.name for path in EXAMPLES.iterdir() if path.is_file()}
    assert found == {path.name for path in RECIPES} | {*PROGRAMS, "skip_net.py"}
    assert {tomllib.loads(path.read_text(encoding="utf-8"))["data"] for path in RECIPES} == set(CATALOGUE)


@pytest.mark.parametrize("recipe", [path for path in RECIPES if path.stem != "cnn"], ids=lambda path: path.stem)
def test_a_recipe_trains(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shorter = ["--epochs", SHORTENED[recipe.stem]] if recipe.stem in SHORTENED else []
    report = trained(["--recipe", str(recipe), *shorter], capsys)
    assert report["status"] == "finished"
    assert report["train"]["loss"] < report["before"]["train"]["loss"] / 5
    assert (Path(report["model"]) / "model.safetensors").is_file()


@pytest.mark.parametrize("recipe", [path for path in RECIPES if path.stem != "cnn"], ids=lambda path: path.stem)
def test_a_recipe_of_a_published_training_is_what_the_set_does_without_flags(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = read_recipe(recipe)
    assert main(["train", "--recipe", str(recipe), "--dry-run", "--json"]) == 0
    from_recipe = json.loads(capsys.readouterr().out)["recipe"]
    assert main(["train", settings["data"], "--dry-run", "--json"]) == 0
    assert from_recipe == json.loads(capsys.readouterr().out)["recipe"]
    # Nothing of what makes the training is left unsaid in the file.
    assert set(CATALOGUE[settings["data"]].published) - {"shuffle", "activation"} <= set(settings)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_begins_with_a_comment_that_says_how_to_run_it(recipe: Path) -> None:
    lines = recipe.read_text(encoding="utf-8").splitlines()
    comment = list(itertools.takewhile(lambda line: line.startswith("#"), lines))
    assert 2 <= len(comment) <= 4
    assert comment[0].endswith(f": descend train --recipe examples/{recipe.name}")


def test_what_the_comments_propose_to_try_can_be_tried(capsys: pytest.CaptureFixture[str]) -> None:
    proposed = [
        ("softmax_regression", "shuffle=true"),
        ("softmax_regression", "model=mlp"),
        ("line", "epochs=2000"),
        ("two_layers", "sizes=[256, 64]"),
        ("scores", "gradients=autograd"),
        ("scores_two", "lr=0.0105"),
    ]
    for name, setting in proposed:
        text = (EXAMPLES / f"{name}.toml").read_text(encoding="utf-8")
        key, value = setting.split("=")
        assert f"{key} = {value}" in text or f'{key} = "{value}"' in text
        assert main(["train", "--recipe", str(EXAMPLES / f"{name}.toml"), "--set", setting, "--dry-run"]) == 0
    assert main(["train", "--recipe", str(EXAMPLES / "scores_two.toml"), "--lr", "0.0105", "--json"]) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["status"] == "diverged"


def test_the_convolutional_recipe_trains_on_some_of_the_digits(capsys: pytest.CaptureFixture[str]) -> None:
    recipe = EXAMPLES / "cnn.toml"
    assert main(["train", "--recipe", str(recipe), "--dry-run"]) == 0
    assert "cnn" in capsys.readouterr().out
    assert report_on_some_digits(recipe=recipe)["accuracy"] > 0.5


def test_a_model_of_ones_own_trains_on_some_of_the_digits(capsys: pytest.CaptureFixture[str]) -> None:
    net = f"{EXAMPLES / 'skip_net.py'}:SkipNet"
    assert main(["train", "mnist", "--model", net, "--epochs", "3", "--dry-run"]) == 0
    assert "SkipNet" in capsys.readouterr().out
    assert report_on_some_digits(model=net)["accuracy"] > 0.5
    with pytest.raises(descend.DescendError, match="never run"):
        descend.load("last")
    features = torch.zeros(2, 1, 28, 28)
    assert descend.load("last", code=net).probabilities(features).shape == (2, 10)


def report_on_some_digits(**arguments: Any) -> Any:
    """Metrics on 300 test digits after one epoch of 1,500: the whole set would take minutes here."""
    digits = builtin.load("mnist")
    assert digits.test is not None
    run = descend.train(
        (digits.train.features[:1500], digits.train.targets[:1500]),
        test=(digits.test.features[:300], digits.test.targets[:300]),
        **{"epochs": 1, "batch_size": 20, "progress": False, **arguments},
    )
    assert run.report["status"] == "finished"
    return run.report["test"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_runs(program: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    promised = {
        "layers.py": ["its gradient 2x/4: [[0.5, 1.0], [1.5, 2.0]]", "prediction: -0.2039, squared error: 104.11864"],
        "own_arrays.py": ["Stopped early", "best epoch: ", "cm on unseen plants; the noise alone is 1"],
    }
    for text in promised[program]:
        assert text in done.stdout
    (run,) = (tmp_path / "runs").iterdir()
    assert (run / "record.sqlite").is_file()


def test_every_setting_in_a_recipe_is_one() -> None:
    for path in RECIPES:
        settings = read_recipe(path)
        assert set(settings) <= set(SETTINGS)
        assert check_settings(settings)[1] == []
