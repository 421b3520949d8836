"""What every contender learns from: MNIST as the files have it, and a synthetic table. Needs NumPy alone."""

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MNIST = Path(__file__).resolve().parent.parent / "src" / "descend" / "data" / "mnist"
TABLE_ROWS, TABLE_COLUMNS = 2_000_000, 20


def mnist(part: str, rows: int | None = None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (N, 28, 28) and digits (N,) of a part, "train" or "t10k"; the first ``rows`` of them."""
    return _idx(f"{part}-images-idx3-ubyte")[:rows], _idx(f"{part}-labels-idx1-ubyte")[:rows]


def mnist_vectors(part: str, rows: int | None = None) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Images as vectors (N, 784) in 0..1, and digits (N,)."""
    images, digits = mnist(part, rows)
    features = np.divide(images.reshape(-1, 784), np.float32(255), dtype=np.float32)
    return features, digits.astype(np.int64)


def table(kind: str, rows: int | None = None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features (N, 20) and one value a row (N, 1): a linear function with noise; for "two-layer" with a bend in it too."""
    random = np.random.default_rng(0)
    features = random.standard_normal((rows or TABLE_ROWS, TABLE_COLUMNS), dtype=np.float32)
    weights = random.standard_normal(TABLE_COLUMNS, dtype=np.float32)
    values = features @ weights
    values += np.float32(0.1) * random.standard_normal(len(values), dtype=np.float32)
    if kind == "two-layer":
        values += np.sin(2 * features[:, 0]) * features[:, 1]
    return features, values[:, None]


def _idx(name: str) -> NDArray[np.uint8]:
    """An IDX file of bytes: four bytes of type, of which the last is the number of axes, a size for each, the values."""
    with gzip.open(MNIST / f"{name}.gz") as file:
        data = bytearray(file.read())
    axes = data[3]
    shape = [int.from_bytes(data[4 * axis : 4 * axis + 4], "big") for axis in range(1, axes + 1)]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)
