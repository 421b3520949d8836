"""What a contender measures of itself: the seconds of each epoch of training, and its losses."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Measured:
    """One training: seconds of each epoch, the loss of every step of the first, and what it can do at the end."""

    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    score: float | None = None  # share of the test digits that are right, or the mean loss of the last epoch's steps

    @contextlib.contextmanager
    def epoch(self) -> Iterator[None]:
        """Times what happens inside as one epoch of training."""
        started = time.perf_counter()
        yield
        self.seconds.append(time.perf_counter() - started)
