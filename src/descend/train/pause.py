"""A debugger inside the step: Python's own, or IPython's where it is installed."""

import pdb  # noqa: T100 - to open it is what this file is for
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import FrameType
from typing import Any

import torch
from torch import Tensor

Away = Callable[[float], None]  # is told of seconds that a person spent in the debugger


def open_debugger(frame: FrameType, away: Away) -> None:
    """Stop at the next line of ``frame``; its variables are at hand. The person types ``c``, and it goes on; ``q`` raises
    ``bdb.BdbQuit`` there. Each time that it stops ``away`` is told how long.
    """
    debugger: Any
    if find_spec("IPython") is not None:
        debugger = import_module("IPython.core.debugger").Pdb()
    else:
        debugger = pdb.Pdb()
    stop = debugger.interaction

    def interaction(*given: Any, **named: Any) -> None:
        began = time.perf_counter()
        try:
            stop(*given, **named)
        finally:
            away(time.perf_counter() - began)

    debugger.interaction = interaction
    debugger.nosigint = True  # Ctrl-C goes on meaning what it means to the training
    # As the debugger's own set_trace, only that it does not stop in what runs on the way back to the frame.
    debugger.reset()
    caller: FrameType | None = frame
    while caller is not None:
        caller.f_trace = debugger.trace_dispatch
        debugger.botframe = caller
        caller = caller.f_back
    debugger.initial_frame = frame
    debugger.set_next(frame)
    sys.settrace(debugger.trace_dispatch)


def numbers_of(tensor: Tensor) -> tuple[float, float, float, float]:
    """Least, mean, most and Euclidean norm of any tensor."""
    values = tensor.detach().double()
    return float(values.min()), float(values.mean()), float(values.max()), float(torch.linalg.vector_norm(values))
