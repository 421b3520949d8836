"""`descend run` on an ejected script finds nothing to object to: no finding above a note."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import descend
from check.harness import examine_program

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(157, 7)).astype(np.float32)
ONE = X @ RANDOM.normal(size=7).astype(np.float32) + 0.3
CLASSES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
IMAGES = RANDOM.uniform(size=(60, 2, 9, 8)).astype(np.float32)
NET = """
from torch import nn


class Net(nn.Module):
    def __init__(self, in_features, num_classes):
        super().__init__()
        self.a, self.norm, self.b = nn.Linear(in_features, 16), nn.BatchNorm1d(16), nn.Linear(16, num_classes)
        self.drop = nn.Dropout(0.2)

    def forward(self, x):
        return self.b(self.drop(self.norm(self.a(x)).relu()))
"""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    Path("nets.py").write_text(NET)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def assert_clean(data, **options):
    run = descend.train(data, progress=False, threads=1, **options)
    script = Path("ejected.py").resolve()
    script.write_text(run.script(), encoding="utf-8")
    found = examine_program(script)
    assert found["status"] == 0, found["printed_by_us"]
    assert found["steps"] == len(run.losses)
    assert [f"{each['code']} {each['title']}" for each in found["findings"] if each["level"] != "note"] == []


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("line", {}),
        ("scores", {"epochs": 500}),
        ("scores-two", {"epochs": 500}),
        ("mnist", {"epochs": 1}),
        ("mnist-softmax", {"epochs": 1}),
    ],
)
def test_the_script_of_a_built_in_set(name, options):
    assert_clean(name, **options)


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ((X, ONE), {}),
        ((X, CLASSES), {"epochs": 3, "test": (-X[:40], CLASSES[:40])}),
        ((X[:12, :2], ONE[:12]), {}),
        ((IMAGES, np.arange(60) % 3), {"model": "cnn", "epochs": 3}),
        ((X, CLASSES), {"model": "nets.py:Net", "validation": 0.2, "optimizer": "sgd", "momentum": 0.9, "lr": 0.05}),
        ((X, CLASSES), {"accumulate": 3, "batch_size": 20, "clip": 1.0, "schedule": "one-cycle"}),
    ],
    ids=["numbers", "classes", "few", "images", "a model of one's own", "accumulated"],
)
def test_the_script_of_arrays(data, options):
    assert_clean(data, **options)
