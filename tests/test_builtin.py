"""The built-in sets: against the files read with struct, plain PyTorch, and the published figures."""

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from descend import data
from descend.data import builtin
from descend.data.builtin import load
from descend.errors import DataError

MNIST = Path(str(data.__file__)).parent / "mnist"


@pytest.mark.parametrize(("part", "rows"), [("train", 60_000), ("t10k", 10_000)])
def test_mnist_is_bit_equal_to_bytes_divided_by_255_in_torch(part: str, rows: int) -> None:
    dataset = load("mnist")
    examples = dataset.train if part == "train" else dataset.test
    assert examples is not None
    raw = bytearray(gzip.decompress((MNIST / f"{part}-images-idx3-ubyte.gz").read_bytes())[16:])
    labels = gzip.decompress((MNIST / f"{part}-labels-idx1-ubyte.gz").read_bytes())[8:]
    expected = torch.frombuffer(raw, dtype=torch.uint8).reshape(rows, 1, 28, 28).float().div_(255)
    assert examples.features.dtype == torch.float32
    assert examples.features.is_contiguous()
    assert torch.equal(examples.features, expected)
    assert examples.targets.dtype == torch.int64
    assert examples.targets.tolist() == list(labels)


def test_mnist_says_what_it_is() -> None:
    dataset = load("mnist")
    assert dataset.title == "60,000 images to learn from, 10,000 to be examined on · 28×28 → 10 digits"
    assert dataset.feature_names == ()
    assert dataset.target_names == tuple("0123456789")
    assert dataset.preparation == {"kind": "digit", "size": [28, 28], "divide": 255, "ink": "light on dark"}
    assert dataset.facts["licence"] == "CC BY-SA 3.0"


def test_both_mnist_sets_are_the_same_examples() -> None:
    one, other = load("mnist"), load("mnist-softmax")
    assert other.name == "mnist-softmax"
    assert one.test is not None
    assert other.test is not None
    assert torch.equal(one.train.features, other.train.features)
    assert torch.equal(one.test.targets, other.test.targets)


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss counts kilobytes on Linux only")
def test_loading_mnist_needs_little_more_memory_than_it_fills() -> None:
    code = """
from resource import RUSAGE_SELF, getrusage
import torch
from descend.data import builtin
before = getrusage(RUSAGE_SELF).ru_maxrss
dataset = builtin.load("mnist")
print((getrusage(RUSAGE_SELF).ru_maxrss - before) * 1024 - 70_000 * (784 * 4 + 8))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (
        int(done.stdout) < 80_000_000
    )  # the unpacked bytes (47 million) and change; a float copy would add 188 million


def test_damaged_files_of_the_package_say_install_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in MNIST.glob("*.gz"):
        (tmp_path / file.name).write_bytes(file.read_bytes()[:3000])
    monkeypatch.setattr(builtin, "_MNIST", tmp_path)
    with pytest.raises(DataError) as caught:
        load("mnist")
    assert caught.value.what == (
        "MNIST came with descend but cannot be read: "
        "train-images-idx3-ubyte.gz is a gzip file that breaks off in the middle"
    )
    assert caught.value.where == str(tmp_path / "train-images-idx3-ubyte.gz")
    assert caught.value.help == "install descend again: pip install --force-reinstall --no-deps descend"


@pytest.mark.parametrize("seed", [0, 1, 42])
def test_line_draws_what_a_plain_script_draws(seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(10, 1)
    y = x @ torch.tensor([[2.0]]) + torch.tensor(1.0) + torch.randn(10, 1) * 0.1
    w = torch.randn(1, 1)

    torch.manual_seed(seed)
    dataset = load("line", seed=seed)
    assert torch.equal(dataset.train.features, x)
    assert torch.equal(dataset.train.targets, y)
    assert torch.equal(torch.randn(1, 1), w)  # the sequence goes on where the script's would
    assert dataset.facts["seed"] == seed
    assert dataset.title == "10 rows: x → y"
    assert dataset.test is None


def test_line_does_not_seed() -> None:
    torch.manual_seed(0)
    first, second = load("line", seed=0), load("line", seed=0)
    assert not torch.equal(first.train.features, second.train.features)


@pytest.mark.parametrize("name", ["mnist", "scores", "scores-two"])
def test_the_other_sets_draw_no_random_number(name: str) -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    load(name)
    assert torch.equal(torch.get_rng_state(), state)


def test_scores_have_their_published_least_squares_line() -> None:
    dataset = load("scores")
    assert dataset.title == "5 rows: hours → score"
    assert dataset.feature_names == ("hours",)
    assert dataset.target_names == ("score",)
    assert dataset.preparation == {"kind": "columns", "names": ["hours"]}
    assert dataset.train.features.tolist() == [[2.0], [4.0], [6.0], [8.0], [10.0]]
    assert dataset.train.targets.tolist() == [[75.0], [80.0], [90.0], [94.0], [98.0]]


def curvature_and_floor(layout: str) -> tuple[list[float], float]:
    """Eigenvalues of the mean squared error's Hessian, and the smallest loss any weights can reach."""
    train = load("scores-two", layout=layout).train
    design = np.column_stack([train.features.double().numpy(), np.ones(5)])
    y = train.targets.double().numpy()
    solution = np.linalg.lstsq(design, y, rcond=None)[0]
    return np.linalg.eigvalsh(design.T @ design * 2 / 5).tolist(), float(np.square(design @ solution - y).mean())


def test_two_scores_as_rows_have_the_published_curvature() -> None:
    eigenvalues, floor = curvature_and_floor("rows")
    assert eigenvalues == pytest.approx([0.00832, 6.230, 191.462], rel=1e-3)
    assert floor == pytest.approx(1.3084, abs=1e-4)
    dataset = load("scores-two")
    assert dataset.train.features[1].tolist() == [4.0, 7.0]
    assert dataset.train.features.is_contiguous()
    assert dataset.notes == ()
    assert dataset.title == "5 rows: hours, slept → score"


def test_two_scores_reshaped_repeat_the_published_fault_and_say_so() -> None:
    eigenvalues, floor = curvature_and_floor("reshape")
    assert eigenvalues == pytest.approx([0.1026, 5.090, 192.507], rel=1e-3)
    assert floor == pytest.approx(27.4162, abs=1e-4)
    dataset = load("scores-two", layout="reshape")
    assert dataset.train.features.tolist() == [[2.0, 4.0], [6.0, 8.0], [10.0, 6.0], [7.0, 8.0], [7.5, 8.0]]
    (note,) = dataset.notes
    assert "repeats a published fault" in note
    assert "no row is a student" in note
