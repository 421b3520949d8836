"""MNIST as torchvision gives it, from the files that come with descend: nothing is downloaded. Needs torchvision."""

import gzip
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from rows import MNIST

_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def training_pictures() -> Any:
    """``torchvision.datasets.MNIST``: 60,000 pictures (1, 28, 28) in 0..1 and their digits, each made when it is asked for."""
    vision = torchvision()
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for name in _FILES:
            (raw / name).write_bytes(gzip.decompress((MNIST / f"{name}.gz").read_bytes()))
        return vision.datasets.MNIST(folder, train=True, transform=vision.transforms.ToTensor())


def torchvision() -> Any:
    """Imported also where its wheel lacks the compiled operators that it describes, as it does beside a torch for the CPU alone."""
    plain = torch.library.register_fake

    def register(name: Any, *given: Any, **named: Any) -> Any:
        return (lambda function: function) if str(name).startswith("torchvision::") else plain(name, *given, **named)

    torch.library.register_fake = register
    try:
        return import_module("torchvision")
    finally:
        torch.library.register_fake = plain
