"""The same trainings by descend, through its Python door: with the live view, the record and the metrics on.

MNIST in full goes through the command line instead (jobs.py); here are arrays, among them MNIST cut short.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from rows import mnist_vectors, table

from descend.run import Run, train

DIGITS: Mapping[str, Any] = {"model": "mlp", "sizes": [128], "loss": "cross-entropy", "optimizer": "adam", "lr": 0.001}
SOFTMAX: Mapping[str, Any] = {
    "model": "softmax",
    "initial": "xavier",
    "loss": "nll",
    "optimizer": "sgd",
    "lr": 0.5,
    "shuffle": False,
}
TABLES: Mapping[str, Mapping[str, Any]] = {
    "linear": {"model": "linear", "optimizer": "sgd", "lr": 0.01},
    "two-layer": {"model": "mlp", "sizes": [64], "optimizer": "adam", "lr": 0.001},
}


def digits(settings: Mapping[str, Any], epochs: int, rows: int | None) -> Run:
    """MNIST given as arrays, with the settings that a built-in set has."""
    test = mnist_vectors("t10k", rows)
    return train(mnist_vectors("train", rows), test=test, batch_size=64, epochs=epochs, seed=0, **settings)


def columns(kind: str, epochs: int, rows: int | None) -> Run:
    """The table: SGD 0.01 on one layer, or Adam 0.001 on two."""
    return train(table(kind, rows), batch_size=1024, epochs=epochs, seed=0, **TABLES[kind])


LOOPS: Mapping[str, Callable[[int, int | None], Run]] = {
    "A": partial(digits, DIGITS),
    "C": partial(digits, SOFTMAX),
    "D-linear": partial(columns, "linear"),
    "D-two-layer": partial(columns, "two-layer"),
}
