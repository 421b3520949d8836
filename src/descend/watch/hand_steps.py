"""Who hears of the steps of loops without autograd, and the operations of these steps."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from torch import Tensor

from descend.record.events import Listener
from descend.watch.budget import is_recorded
from descend.watch.iterations import Iteration
from descend.watch.operations import OperationRecorder
from descend.watch.places import Places
from descend.watch.probes import LOOPS
from descend.watch.variables import VariableNames


class Observer(Protocol):
    """What is told of the steps."""

    step: int
    backward_calls: int
    emit: Listener
    places: Places
    spent: float  # seconds
    timed_beside: list[Callable[[float], None]]

    @property
    def recorder(self) -> Any: ...

    def share(self) -> float: ...

    def heeded(self, candidate: int, at: float) -> int: ...

    def tell(self, moment: str, *values: Any) -> None: ...

    def hand_step(
        self,
        loss: Any,
        parameters: Mapping[str, Tensor],
        seconds: float,
        before: Mapping[str, Tensor],
    ) -> None: ...


class Ends(Protocol):
    """What is told of the parameters of a loop: their values before its first step and after its last."""

    def begins(self, name: str, tensor: Tensor, *, moving: bool = False) -> None: ...

    def ends(self, name: str, tensor: Tensor) -> None: ...


class Recordings:
    """Records the operations of iterations that may be steps whose operations are told."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def begin(self, iteration: Iteration, variables: Mapping[str, Any]) -> None:
        """Begin to record its operations, if it may be a step whose operations are told."""
        recorder, coming = self._recorder(), self._observer.step + 1
        if recorder is not None and is_recorded(coming):
            names = VariableNames(variables, LOOPS[iteration.site.number].temporary)
            iteration.recording = recorder.begin_aside(coming, names)

    def end(self, iteration: Iteration) -> None:
        recorder, recording = self._recorder(), iteration.recording
        iteration.recording = None
        if recorder is None:
            return
        recorder.drop_step()  # what the observer records since the last step of its own belongs to this one
        if recording is not None:
            recorder.end_aside(recording, self._observer.step)

    def drop(self, iteration: Iteration) -> None:
        recorder, recording = self._recorder(), iteration.recording
        iteration.recording = None
        if recorder is not None and recording is not None:
            recorder.drop_aside(recording)

    def _recorder(self) -> OperationRecorder | None:
        recorder = self._observer.recorder
        return recorder if isinstance(recorder, OperationRecorder) else None
