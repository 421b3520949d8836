"""What watching costs where no clock inside of it can tell: the wrappers' calls at all steps, and all that a look entails."""

import time
from typing import Any

# Seconds that one call of each wrapper adds to a step, measured with and without it in turns: in steps of a few microseconds, and
# what comes on top of it in steps of a millisecond and more, which leave nothing of ours in the processor's caches.
_BACKWARD, _BACKWARD_COLD = 7.0e-6, 4.5e-6
_MODULE, _MODULE_COLD = 3.0e-6, 2.2e-6
_UPDATE, _UPDATE_COLD = 3.8e-6, 5.0e-6
_BATCH, _BATCH_COLD = 6.0e-6, 8.0e-6
_COLD = 1.0e-3  # seconds of a step, from which on it is so
_REFERENCE = 0.34e-6  # seconds of a relayed call of Python where those were measured
_CALLS, _ROUNDS = 200, 5
_ENTAILS, _AT_MOST, _ENOUGH = (
    3.0,
    8.0,
    3,
)  # looks cost so many times what is measured inside, until so many have told better


class Looks:
    """How much longer steps take because they are looked at, in units of what the look itself measures.

    The rest goes into PyTorch's ways for function modes, hooks put on and taken off, and the record's writer.
    """

    def __init__(self) -> None:
        self._typical: float | None = None  # seconds of a step that nobody looks at
        self._longer = self._measured = 0.0
        self._count = 0

    def unwatched(self, seconds: float) -> None:
        """A step that nobody looked at took so long."""
        self._typical = seconds if self._typical is None else 0.8 * self._typical + 0.2 * seconds

    def prepared(self, seconds: float) -> None:
        """So long took a step before one that is looked at: the function mode was on already."""
        if self._typical is not None:
            self._longer += seconds - self._typical

    def looked(self, seconds: float, measured: float) -> None:
        """So long took a step that was looked at, the telling of it included; ``measured``: inside the look."""
        if self._typical is not None:
            self._longer += seconds - self._typical
            self._measured += measured
            self._count += 1

    @property
    def factor(self) -> float:
        """By which to multiply what is measured inside of looks."""
        if self._count < _ENOUGH or self._measured <= 0:
            return _ENTAILS
        return min(_AT_MOST, max(1.0, self._longer / self._measured))


def pace_of_python() -> float:
    """How much longer Python takes for a call here than where the constants were measured; takes less than a millisecond."""
    best = min(_seconds_of_calls() for _ in range(_ROUNDS))
    return best / _CALLS / _REFERENCE


def quick_cost(*, module: bool, optimizer: bool, loader: bool, step_seconds: float) -> float:
    """Seconds that wrappers add to one step that goes the quick way; ``module``, … : which of them it calls."""
    cold = min(1.0, step_seconds / _COLD)
    cost = _BACKWARD + cold * _BACKWARD_COLD
    if module:
        cost += _MODULE + cold * _MODULE_COLD
    if optimizer:
        cost += _UPDATE + cold * _UPDATE_COLD
    if loader:
        cost += _BATCH + cold * _BATCH_COLD
    return cost


def _seconds_of_calls() -> float:
    started = time.perf_counter()
    for number in range(_CALLS):
        _relay(number, None, x=number)
    return time.perf_counter() - started


def _relay(*args: Any, **kwargs: Any) -> Any:
    return _first(*args, **kwargs)


def _first(value: Any, *_: Any, **__: Any) -> Any:
    return value
