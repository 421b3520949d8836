"""What the wrappers themselves cost at the steps that nobody looks at, where a clock would cost more than what it measures."""

import time
from typing import Any

# Seconds that one call of each wrapper adds to a step, measured with and without it in turns: in steps of a few microseconds, and
# what comes on top of it in steps of a millisecond and more, which leave nothing of ours in the processor's caches.
_BACKWARD, _BACKWARD_COLD = 8.0e-6, 5.0e-6
_MODULE, _MODULE_COLD = 3.5e-6, 2.5e-6
_UPDATE, _UPDATE_COLD = 4.5e-6, 6.0e-6
_BATCH, _BATCH_COLD = 6.0e-6, 8.0e-6
_COLD = 1.0e-3  # seconds of a step, from which on it is so
_REFERENCE = 0.34e-6  # seconds of a relayed call of Python where those were measured
_CALLS, _ROUNDS = 200, 5


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
