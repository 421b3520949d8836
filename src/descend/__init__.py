"""Train PyTorch models from scratch with nothing hidden.

    import descend

    run = descend.train("mnist", epochs=3)          # or (features, targets): arrays, tensors, lists
    run.metrics["test"]["accuracy"]
    model = descend.load("runs/mnist-1/model")

Names are imported when they are first used, so that ``import descend`` alone does not import torch.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from descend.asking import evaluate, load
    from descend.data.dataset import Dataset, Examples
    from descend.errors import DescendError, Diverged, RecipeError, UsageError
    from descend.models.model import Model
    from descend.run import Run, train
    from descend.train.recipe import Recipe
    from descend.watching import watch

__all__ = [
    "Dataset",
    "DescendError",
    "Diverged",
    "Examples",
    "Model",
    "Recipe",
    "RecipeError",
    "Run",
    "UsageError",
    "evaluate",
    "load",
    "train",
    "watch",
]

_HOMES = {
    "Dataset": "descend.data.dataset",
    "DescendError": "descend.errors",
    "Diverged": "descend.errors",
    "Examples": "descend.data.dataset",
    "Model": "descend.models.model",
    "Recipe": "descend.train.recipe",
    "RecipeError": "descend.errors",
    "Run": "descend.run",
    "UsageError": "descend.errors",
    "evaluate": "descend.asking",
    "load": "descend.asking",
    "train": "descend.run",
    "watch": "descend.watching",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("descend")
    if name not in _HOMES:
        raise AttributeError(f"module 'descend' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext descend``: the magic ``%%watch``."""
    import_module("descend.magic").load_into_notebook(shell)


class _Package(ModuleType):
    """Keeps ``descend.train`` and ``descend.watch`` functions: importing the rooms of these names would put them in their place."""

    @property
    def train(self) -> Any:
        return __getattr__("train")

    @train.setter
    def train(self, room: ModuleType) -> None:
        """What the import system says of the room is not needed: ``from descend.train import …`` does not look here."""

    @property
    def watch(self) -> Any:
        return __getattr__("watch")

    @watch.setter
    def watch(self, room: ModuleType) -> None:
        """As above."""


sys.modules[__name__].__class__ = _Package
