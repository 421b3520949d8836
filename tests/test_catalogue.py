"""The catalogue: held against the loaded sets, free of torch, and its words."""

import subprocess
import sys

import pytest
import torch

from descend.data.builtin import load
from descend.data.catalogue import CATALOGUE, check_layout, find
from descend.errors import DataError


def test_the_five_sets_in_order() -> None:
    assert list(CATALOGUE) == ["mnist", "mnist-softmax", "line", "scores", "scores-two"]
    assert all(find(name).name == name for name in CATALOGUE)


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_what_the_catalogue_says_is_what_is_loaded(name: str) -> None:
    info, dataset = find(name), load(name)
    assert dataset.name == name
    assert dataset.task == info.task
    assert dataset.feature_shape == info.feature_shape
    assert dataset.outputs == info.outputs
    assert len(dataset.train) == info.train_rows
    assert (len(dataset.test) if dataset.test else 0) == info.test_rows


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("mnist", "mlp (128,) relu default cross-entropy adam 0.001 64 10 True 0"),
        ("mnist-softmax", "softmax None None xavier nll sgd 0.5 64 2 False 0"),
        ("line", "linear None None normal mse sgd 0.01 all 200 False 0"),
        ("scores", "linear None None normal mse sgd 0.01 all 2000 False 42"),
        ("scores-two", "linear None None normal mse sgd 0.01 all 5000 False 42"),
    ],
)
def test_published_settings(name: str, settings: str) -> None:
    keys = [
        "model",
        "sizes",
        "activation",
        "initial",
        "loss",
        "optimizer",
        "lr",
        "batch_size",
        "epochs",
        "shuffle",
        "seed",
    ]
    published = find(name).published
    assert set(published) <= set(keys)
    assert " ".join(str(published.get(key)) for key in keys) == settings


def test_the_catalogue_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        CATALOGUE["mnist"] = CATALOGUE["line"]  # type: ignore[index]
    with pytest.raises(TypeError):
        find("mnist").published["lr"] = 1.0  # type: ignore[index]


def test_every_line_fits_beside_its_name() -> None:
    assert all(len(info.line) <= 70 and not info.line.endswith(".") for info in CATALOGUE.values())


def test_an_unknown_set_offers_the_nearest() -> None:
    with pytest.raises(DataError) as caught:
        find("MNITS")
    assert str(caught.value) == (
        "there is no built-in set 'MNITS' (did you mean 'mnist'?)\n"
        "  help: choose one of mnist, mnist-softmax, line, scores, scores-two; descend data says what each is"
    )


def test_a_layout_that_another_set_has() -> None:
    with pytest.raises(DataError) as caught:
        check_layout(find("scores"), "reshape")
    assert str(caught.value) == (
        "the set 'scores' has no layout 'reshape'\n"
        "  help: its layouts: rows; the layout 'reshape' belongs to scores-two"
    )


def test_a_mistyped_layout() -> None:
    with pytest.raises(DataError, match=r"has no layout 'reshap' \(did you mean 'reshape'\?\)") as caught:
        load("scores-two", layout="reshap")
    assert caught.value.help == "its layouts: rows, reshape"


def test_the_catalogue_needs_neither_torch_nor_numpy() -> None:
    code = "import sys, descend.data.catalogue; print([name for name in ('torch', 'numpy') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert torch.__version__  # it is installed: its absence above means something
