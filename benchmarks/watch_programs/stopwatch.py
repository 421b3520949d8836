"""How a program of this folder tells what its steps took: one JSON object on standard output."""

import itertools
import json
import os
import time

STEPS = int(os.environ.get("BENCHMARK_STEPS", "0"))  # cut short to so many, to see whether everything runs
FIRST = 20  # steps that do not count: a watcher looks at all of them, and PyTorch allocates what it needs


def steps(usual: int) -> int:
    """How many steps to take."""
    return min(usual, STEPS) if STEPS else usual


class Stopwatch:
    """Times each step by the clock, and all steps after the first twenty in processor seconds of the whole process.

    To be made right before the first step; the time from there on is told too, with all that the first steps take.
    """

    def __init__(self) -> None:
        self.made = time.perf_counter()
        self.started = time.process_time()
        self.over: list[float] = []  # when each step was, by the clock

    def step_is_over(self) -> None:
        """To be called at the end of each step."""
        self.over.append(time.perf_counter())
        if len(self.over) == FIRST:
            self.started = time.process_time()

    def tell(self, score: float) -> None:
        """Print seconds a step, and those of each step after the first twenty; ``score`` is the last loss."""
        now, processor = time.perf_counter(), time.process_time()
        counted = self.over[FIRST - 1 :]
        each = [after - before for before, after in itertools.pairwise(counted)]
        found = {
            "steps": len(each),
            "seconds": sum(each) / len(each),
            "processor": (processor - self.started) / len(each),
            "whole": (now - self.made) / len(self.over),
            "score": score,
            "each": each,
        }
        print(json.dumps(found))
