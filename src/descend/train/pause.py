"""A debugger inside the step: Python's own, or IPython's where it is installed."""

import pdb  # noqa: T100 - to open it is what this file is for
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from types import FrameType
from typing import Any

import torch
from torch import Tensor


def open_debugger(frame: FrameType, *, skip: Sequence[str] = ()) -> None:
    """Stop in ``frame``; its variables are at hand. Comes back when the person types ``c``; ``q`` raises ``bdb.BdbQuit``.

    ``skip`` names modules, with ``*`` for any end, in which it never stops.
    """
    debugger: Any
    if find_spec("IPython") is not None:
        debugger = import_module("IPython.core.debugger").Pdb(skip=skip or None)
    else:
        debugger = pdb.Pdb(skip=skip or None)
    debugger.nosigint = True  # Ctrl-C goes on meaning what it means to the training
    debugger.set_trace(frame)


def numbers_of(tensor: Tensor) -> tuple[float, float, float, float]:
    """Least, mean, most and Euclidean norm of any tensor."""
    values = tensor.detach().double()
    return float(values.min()), float(values.mean()), float(values.max()), float(torch.linalg.vector_norm(values))
