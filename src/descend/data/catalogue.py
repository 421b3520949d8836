"""The sets that ship with the package: what each is, and the settings it was published with. Needs no torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from descend.errors import DataError, did_you_mean


@dataclass(frozen=True, slots=True)
class SetInfo:
    """What can be said of a built-in set without loading it."""

    name: str
    line: str  # one line for a list
    task: Literal["classes", "values"]
    feature_shape: tuple[int, ...]  # of one example
    outputs: int  # classes to tell apart, or values to predict
    train_rows: int
    test_rows: int  # 0: there are none
    layouts: tuple[str, ...]  # the first is the default
    published: Mapping[str, object]  # settings of a recipe; those not named keep the recipe's defaults


_SCORES: Mapping[str, object] = {
    "model": "linear",
    "initial": "normal",
    "loss": "mse",
    "optimizer": "sgd",
    "lr": 0.01,
    "batch_size": "all",
    "epochs": 2000,
    "shuffle": False,
    "seed": 42,
}

_SETS = (
    SetInfo(
        name="mnist",
        line="handwritten digits, 28×28: two layers, Adam, 10 epochs",
        task="classes",
        feature_shape=(1, 28, 28),
        outputs=10,
        train_rows=60_000,
        test_rows=10_000,
        layouts=("rows",),
        published=MappingProxyType(
            {
                "model": "mlp",
                "sizes": (128,),
                "activation": "relu",
                "initial": "default",
                "loss": "cross-entropy",
                "optimizer": "adam",
                "lr": 0.001,
                "batch_size": 64,
                "epochs": 10,
                "shuffle": True,
                "seed": 0,
            }
        ),
    ),
    SetInfo(
        name="mnist-softmax",
        line="the same digits: one layer, plain gradient steps in order, 2 epochs",
        task="classes",
        feature_shape=(1, 28, 28),
        outputs=10,
        train_rows=60_000,
        test_rows=10_000,
        layouts=("rows",),
        published=MappingProxyType(
            {
                "model": "softmax",
                "initial": "xavier",
                "loss": "nll",
                "optimizer": "sgd",
                "lr": 0.5,
                "batch_size": 64,
                "epochs": 2,
                "shuffle": False,
                "seed": 0,
            }
        ),
    ),
    SetInfo(
        name="line",
        line="ten noisy points about y = 2x + 1: find the line",
        task="values",
        feature_shape=(1,),
        outputs=1,
        train_rows=10,
        test_rows=0,
        layouts=("rows",),
        published=MappingProxyType({**_SCORES, "epochs": 200, "seed": 0}),
    ),
    SetInfo(
        name="scores",
        line="five students: exam score from hours studied",
        task="values",
        feature_shape=(1,),
        outputs=1,
        train_rows=5,
        test_rows=0,
        layouts=("rows",),
        published=MappingProxyType(dict(_SCORES)),
    ),
    SetInfo(
        name="scores-two",
        line="five students: exam score from hours studied and hours slept",
        task="values",
        feature_shape=(2,),
        outputs=1,
        train_rows=5,
        test_rows=0,
        layouts=("rows", "reshape"),
        published=MappingProxyType({**_SCORES, "epochs": 5000}),
    ),
)

CATALOGUE: Mapping[str, SetInfo] = MappingProxyType({info.name: info for info in _SETS})


def find(name: str) -> SetInfo:
    """The built-in set of that name.

    Raises:
        DataError: there is none; the message offers the nearest name and lists all of them.
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    raise DataError(
        f"there is no built-in set {name!r}{did_you_mean(name, CATALOGUE)}",
        help=f"choose one of {', '.join(CATALOGUE)}; descend data says what each is",
    )


def check_layout(info: SetInfo, layout: str) -> None:
    """Nothing, when the set can be laid out so.

    Raises:
        DataError: it cannot; the message lists the layouts it has.
    """
    if layout in info.layouts:
        return
    with_layout = ", ".join(other.name for other in _SETS if layout in other.layouts)
    has = ", ".join(info.layouts)
    raise DataError(
        f"the set {info.name!r} has no layout {layout!r}{did_you_mean(layout, info.layouts)}",
        help=f"its layouts: {has}" + (f"; the layout {layout!r} belongs to {with_layout}" if with_layout else ""),
    )
