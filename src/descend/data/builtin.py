"""The built-in sets as tensors. Their files ship with the package; nothing is downloaded."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from descend.data.catalogue import check_layout, find
from descend.data.dataset import Dataset, Examples
from descend.data.idx import read_idx
from descend.data.titles import table_title
from descend.errors import DataError

_MNIST = Path(__file__).parent / "mnist"
_HOURS = (2.0, 4.0, 6.0, 8.0, 10.0)
_SLEPT = (6.0, 7.0, 8.0, 7.5, 8.0)
_SCORES = (75.0, 80.0, 90.0, 94.0, 98.0)


def load(name: str, *, seed: int = 0, layout: str = "rows") -> Dataset:
    """The built-in set ``name``, whole, on the CPU.

    ``line`` is made of random numbers: 10 features, then 10 noises, drawn from PyTorch's global generator **as it stands**.
    Nothing is seeded here. For the set of a seed call ``torch.manual_seed(seed)`` just before, as the published script
    does; the initial values are then drawn after the data, from the same sequence. ``seed`` is only noted in ``facts``.

    Args:
        name: a name from the catalogue.
        seed: the seed that the caller has set.
        layout: ``"rows"``, one example a row; ``scores-two`` also has ``"reshape"``, which repeats a published fault.

    Raises:
        DataError: no such set, no such layout, or the installed files are damaged.
    """
    info = find(name)
    check_layout(info, layout)
    match name:
        case "mnist" | "mnist-softmax":
            return _mnist(name)
        case "line":
            return _line(seed)
        case "scores":
            return _table(name, torch.tensor(_HOURS).unsqueeze(1), _scores(), ("hours",), "score")
        case _:
            return _scores_two(name, layout)


def _mnist(name: str) -> Dataset:
    # The smaller half is unpacked beside the larger one: zlib and numpy let go of the interpreter.
    with ThreadPoolExecutor(max_workers=1) as beside:
        waiting = beside.submit(_mnist_examples, "t10k")
        train = _mnist_examples("train")
        test = waiting.result()
    return Dataset(
        name=name,
        title=f"{len(train):,} images to learn from, {len(test):,} to be examined on · 28×28 → 10 digits",
        task="classes",
        train=train,
        test=test,
        feature_names=(),
        target_names=tuple(str(digit) for digit in range(10)),
        preparation={"kind": "digit", "size": [28, 28], "divide": 255, "ink": "light on dark"},
        facts={"source": "http://yann.lecun.com/exdb/mnist/", "licence": "CC BY-SA 3.0"},
    )


def _mnist_examples(part: str) -> Examples:
    """Images as float32 in 0..1 and their digits, from the two files of one part ("train" or "t10k")."""
    try:
        pixels = read_idx(_MNIST / f"{part}-images-idx3-ubyte.gz")  # (N, 28, 28)
        digits = read_idx(_MNIST / f"{part}-labels-idx1-ubyte.gz")  # (N,)
    except DataError as error:
        raise DataError(
            f"MNIST came with descend but cannot be read: {error.what}",
            where=error.where,
            help="install descend again: pip install --force-reinstall --no-deps descend",
        ) from error
    # One pass without a temporary copy; the same bits as torch's .float() / 255.
    features = np.divide(pixels, np.float32(255), dtype=np.float32)
    return Examples(torch.from_numpy(features).unsqueeze(1), torch.from_numpy(digits.astype(np.int64)))


def _line(seed: int) -> Dataset:
    x = torch.randn(10, 1)
    noise = torch.randn(10, 1)
    y = x @ torch.tensor([[2.0]]) + 1.0 + noise * 0.1  # (10, 1)
    return replace(_table("line", x, y, ("x",), "y"), facts={"seed": seed, "true_weight": 2.0, "true_bias": 1.0})


def _scores() -> Tensor:
    return torch.tensor(_SCORES).unsqueeze(1)  # (5, 1)


def _scores_two(name: str, layout: str) -> Dataset:
    columns = torch.tensor([_HOURS, _SLEPT])  # (2, 5): a row of hours, a row of sleep
    if layout == "rows":
        return _table(name, columns.T.contiguous(), _scores(), ("hours", "slept"), "score")
    fault = (
        "layout reshape repeats a published fault: reshape turns the (2, 5) matrix into (5, 2) without moving a number, so "
        "that the first row is (2, 4), the hours of two students, and no row is a student; layout rows transposes it, as "
        "was meant"
    )
    return _table(name, columns.reshape(5, 2), _scores(), ("hours", "slept"), "score", (fault,))


def _table(
    name: str, features: Tensor, targets: Tensor, columns: tuple[str, ...], target: str, notes: tuple[str, ...] = ()
) -> Dataset:
    """A set of values with all its rows to learn from and none to be examined on."""
    return Dataset(
        name=name,
        title=table_title(len(features), 0, ", ".join(columns), target),
        task="values",
        train=Examples(features, targets),
        test=None,
        feature_names=columns,
        target_names=(target,),
        preparation={"kind": "columns", "names": list(columns)},
        notes=notes,
    )
