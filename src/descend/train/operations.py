"""What a model of the user's computes, recorded in the steps that are kept in full.

What a built-in model computes follows from its recipe. What a file of the user's computes does not, and a record is no reason to run
code: so the operations are written down while the run itself computes them.
"""

import os

import torch
from torch import Tensor

from descend.record.events import Event
from descend.train.engine import Engine
from descend.watch.operations import OperationRecorder


class HeardStep:
    """The operations of one step, from its rows to its gradients. The step computes the same bits as when nobody listens."""

    def __init__(self, engine: Engine, step: int, passes: int, file: str) -> None:
        """passes: backward passes of the step. file: where the model is defined; lines are those of this file."""
        self._engine, self._step, self._passes = engine, step, passes
        names = {id(each): name for name, each in engine.module.named_parameters() if name in engine.parameters.value}
        path = os.path.realpath(file)
        self.events: list[Event] = []
        self.outside: dict[str, Tensor] = {}
        self._recorder = OperationRecorder(
            self.events.append, lambda tensor: names.get(id(tensor), ""), lambda name: os.path.realpath(name) == path
        )
        self._began = False

    def over(self, phase: str) -> None:
        """``phase`` is over: what lies between the rows and the last gradient is listened to."""
        if self._engine.name == "by-hand":
            return
        if phase == "data" and not self._began:
            self._began = True
            self._recorder.begin_step(1)  # as a step that is kept in full, whatever its number
        elif phase == "data":
            self._recorder.mute(muted=False)
        elif phase == "backward":
            self._passes -= 1
            self._recorder.mute(muted=True)
            if not self._passes:
                self._end()

    def by_module(self, x: Tensor, y: Tensor) -> None:
        """Where gradients come from formulas, the model itself computes the step once beside them, to be listened to."""
        module = self._engine.module
        with torch.enable_grad():
            self._recorder.begin_step(1)
            try:
                self._engine.loss_function.mean(module(x), y).backward()  # type: ignore[no-untyped-call]
            finally:
                self._end()
        for parameter in module.parameters():
            parameter.grad = None

    def close(self) -> None:
        """Listen no more, also where the step failed."""
        self._recorder.close()

    def _end(self) -> None:
        self.outside = self._recorder.outside()
        self._recorder.end_step(self._step)
        self._recorder.close()
