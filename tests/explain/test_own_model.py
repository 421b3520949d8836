"""A training of a model of the user's: its operations are recorded in the steps kept in full, and work the step out."""

import sqlite3
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

import descend
from descend.errors import RecordError, TrainingError
from descend.explain.step import work_out
from descend.record.reader import Reader

X = np.random.default_rng(0).normal(size=(157, 7)).astype(np.float32)
CLASSES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
NETS = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, in_features, num_classes):
        super().__init__()
        self.a, self.norm, self.b = nn.Linear(in_features, 16), nn.BatchNorm1d(16), nn.Linear(16, num_classes)
        self.drop, self.frozen = nn.Dropout(0.2), nn.Linear(num_classes, num_classes)
        self.frozen.requires_grad_(False)

    def forward(self, x):
        x = self.a(x * 0.5)
        return self.frozen(self.b(self.drop(self.norm(x).relu())))


class Failing(Net):
    def forward(self, x):
        if self.training and len(x) == 157:
            raise ValueError("no such batch")
        return super().forward(x)


class InPlace(Net):
    def forward(self, x):
        return super().forward(x.mul_(3))


def stack(n_in, n_out):
    return nn.Sequential(nn.Linear(n_in, 9), nn.Tanh(), nn.Linear(9, n_out))
"""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(NETS)


def train(model, **options):
    return descend.train((X, CLASSES), model=f"nets.py:{model}", progress=False, threads=1, **options)


def worked(run, **arguments):
    with run.record() as reader:
        return work_out(reader, **arguments)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_size": "all", "epochs": 10},
        {"accumulate": 2, "batch_size": 40, "clip": 0.05, "optimizer": "sgd", "lr": 0.1, "momentum": 0.9},
    ],
    ids=str,
)
@pytest.mark.parametrize("model", ["Net", "stack"])
@pytest.mark.parametrize("step", [1, 10])
def test_both_witnesses_agree_and_the_update_comes_out(model, options, step):
    found = worked(train(model, **{"epochs": 5, **options}), step=step)
    assert found["verdict"]["agrees"] is True
    assert found["verdict"]["digits"] >= 5
    assert all(row["agrees"] for row in found["gradients"])
    assert len(found["gradients"]) == (6 if model == "Net" else 4)
    assert found["update"]["agrees"] is True
    assert found["loss"]["value"] == pytest.approx(found["loss"]["recorded"], rel=1e-5)


def test_the_lines_are_those_of_the_file_of_the_model():
    forward = worked(train("Net", epochs=1))["forward"]
    assert [each["name"] for each in forward] == [
        "mul",
        "linear",
        "batch_norm",
        "relu",
        "dropout",
        "linear",
        "linear",
        "cross_entropy",
    ]
    assert [each["line"] for each in forward] == [13, 13, 14, 14, 14, 14, 14, 0]
    assert forward[1]["source"] == "x = self.a(x * 0.5)"
    assert [each["module"] for each in forward[1:6]] == ["a", "norm", "", "drop", "b"]


def test_rows_that_the_model_changes_in_place_are_not_there_any_more():
    found = worked(train("InPlace", epochs=1))
    [note] = found["notes"]
    assert note == (
        "The step could not be computed once more: the tensor outside.0 was not kept with this step."
        " Its numbers are those of the record."
    )
    assert found["forward"][0]["name"] == "mul_"
    assert found["update"]["agrees"] is True


@pytest.mark.parametrize("model", ["Net", "stack"])
def test_a_training_that_is_listened_to_has_the_same_losses(model, monkeypatch):
    losses = train(model, epochs=4).losses
    monkeypatch.setattr(import_module("descend.train.loop"), "MODELS", (f"nets.py:{model}",))
    assert train(model, epochs=4).losses == losses


def test_only_steps_that_are_kept_in_full_are_listened_to():
    run = train("Net", epochs=40, batch_size=40)
    with run.record() as reader:
        database = sqlite3.connect(reader.info.path / "record.sqlite")
    assert [step for (step,) in database.execute("SELECT DISTINCT step FROM operations")] == [1, 10, 100]
    assert [step for (step,) in database.execute("SELECT DISTINCT step FROM phases WHERE step IN (1, 10, 100)")] == [1]
    database.close()


def test_a_model_that_fails_is_listened_to_no_more():
    with pytest.raises(TrainingError, match="no such batch"):
        train("Failing", batch_size="all")
    assert torch._C._len_torch_function_stack() == 0


def test_a_record_without_the_operations():
    run = train("Net", epochs=1)
    database = sqlite3.connect(run.path / "record.sqlite")
    database.execute("DELETE FROM operations")
    database.commit()
    database.close()
    with Reader(run.path) as reader, pytest.raises(RecordError) as caught:
        work_out(reader, step=1)
    assert caught.value.what == (
        "the model is a class of your own (nets.py:Net), and the operations of step 1 are not in the record"
    )
    assert caught.value.help == "train again: where nothing in the model prevents it, they are recorded"


def test_a_record_says_why_there_are_no_operations(monkeypatch):
    monkeypatch.setattr(
        import_module("descend.watch.function_mode"), "_why_not", lambda: "the script uses torch.compile"
    )
    run = train("Net", epochs=1)
    with Reader(run.path) as reader, pytest.raises(RecordError) as caught:
        work_out(reader, step=1)
    assert caught.value.what.endswith("not in the record: from step 1: the script uses torch.compile")
