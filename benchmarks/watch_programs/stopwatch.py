"""How a program of this folder tells what its steps took: one JSON object on standard output."""

import json
import os
import time

STEPS = int(os.environ.get("BENCHMARK_STEPS", "0"))  # cut short to so many, to see whether everything runs
FIRST = 20  # steps that do not count: a watcher looks at all of them, and PyTorch allocates what it needs


def steps(usual: int) -> int:
    """How many steps to take."""
    return min(usual, STEPS) if STEPS else usual


class Stopwatch:
    """Counts steps, and times those after the first twenty: by the clock, and in processor seconds of the whole process.

    To be made right before the first step; the time from there on is told too, with all that the first steps take.
    """

    def __init__(self) -> None:
        self.count = 0
        self.made = time.process_time()
        self.started = (0.0, 0.0)

    def step_is_over(self) -> None:
        """To be called at the end of each step."""
        self.count += 1
        if self.count == FIRST:
            self.started = time.perf_counter(), time.process_time()

    def tell(self, score: float) -> None:
        """Print seconds a step; ``score`` is the last loss."""
        now = time.process_time()
        wall, processor, whole = time.perf_counter() - self.started[0], now - self.started[1], now - self.made
        counted = self.count - FIRST
        found = {"steps": counted, "seconds": wall / counted, "processor": processor / counted, "score": score}
        found["whole"] = whole / self.count
        print(json.dumps(found))
