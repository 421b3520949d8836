"""One contender in a process of its own: started, watched on a terminal of its own, and measured by the operating system."""

import contextlib
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ROWS_AND_COLUMNS = (40, 100)
_BYTES_IN_MAXRSS = 1 if sys.platform == "darwin" else 1024  # its unit differs between systems


@dataclass(frozen=True, slots=True)
class Sample:
    """One process: seconds of training an epoch (None where nothing is trained), and what the system says of the whole of it."""

    seconds: float | None
    wall: float  # from just before the process starts until it is gone
    processor: float  # processor seconds, all threads together
    peak_mb: float  # largest resident memory
    score: float | None  # share of test digits right, or a mean loss


class ChildFailedError(RuntimeError):
    """A contender's process did not end well."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A process that has ended well: what it printed, and what the system says of it."""

    printed: str
    wall: float
    processor: float
    peak_mb: float


def run(command: Sequence[str], environment: Mapping[str, str]) -> Sample:
    """A contender's process, from its start to its end."""
    found = finish(command, environment)
    seconds, score = _read(found.printed)
    return Sample(seconds, found.wall, found.processor, found.peak_mb, score)


def finish(command: Sequence[str], environment: Mapping[str, str]) -> Finished:
    """Start ``command`` with a terminal as its standard error, so that progress is drawn, and wait for its end."""
    with _terminal() as (theirs, shown):
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color", **environment},
        )
        os.close(theirs)
        assert process.stdout is not None
        with process.stdout as stdout:
            printed = stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise ChildFailedError(
            f"{' '.join(command)} ended with {process.returncode}:\n{b''.join(shown).decode()[-2000:]}"
        )
    peak = usage.ru_maxrss * _BYTES_IN_MAXRSS / 1e6
    return Finished(printed, wall, usage.ru_utime + usage.ru_stime, peak)


def _read(printed: str) -> tuple[float | None, float | None]:
    """Seconds an epoch and the score, from the JSON object that a contender printed; nothing from any other text."""
    try:
        found = json.loads(printed)
    except json.JSONDecodeError:
        return None, None
    if "report" in found or "recipe" in found:
        return of_report(found)
    return sum(found["seconds"]) / len(found["seconds"]), found["score"]


def of_report(report: Mapping[str, Any]) -> tuple[float, float]:
    """Seconds an epoch and the score of a training by descend; what it spends on looking into steps counts too."""
    seconds = report["seconds"]
    score = report["test"]["accuracy"] if report["task"] == "classes" else report["epochs"][-1]["loss"]
    return (seconds["training"] + seconds["recording"]) / len(report["epochs"]), score


@contextlib.contextmanager
def _terminal() -> Iterator[tuple[int, list[bytes]]]:
    """A pseudo-terminal: the side to give to a process, and what was written to it so far."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *ROWS_AND_COLUMNS, 0, 0))
    shown: list[bytes] = []

    def read() -> None:
        with contextlib.suppress(OSError):  # the other side was closed
            while piece := os.read(ours, 65536):
                shown.append(piece)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield theirs, shown
    finally:
        reader.join(timeout=5)
        os.close(ours)
