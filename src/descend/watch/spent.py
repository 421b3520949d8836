"""Where the time of a watched script's steps went: by phase, and by the line that did it."""

import linecache
import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from statistics import median
from typing import Any

from descend.record.events import PHASES, PhaseTimes
from descend.record.summarise import shares

Place = tuple[str, int]

_WARM_UP = 1  # the first step allocates what all later ones use; its times say nothing about them
_IN_FULL = 20  # the first steps are watched in so much detail that they take longer than the rest
_ENOUGH = 5  # so many later steps say more than the first ones
_MANY = 30  # so many have a mean that single odd ones do not move
_MOST = 10_000  # sampled steps whose times are kept


class Phases:
    """Keeps the phase times of sampled steps."""

    def __init__(self) -> None:
        self.steps: set[int] = set()
        self._timed: list[PhaseTimes] = []
        self._extents: list[tuple[int, str, int, int]] = []  # first step, file, lowest and highest line: one a change

    def add(self, event: PhaseTimes) -> None:
        """Count in one sampled step."""
        self.steps.add(event.step)
        if len(event.seconds) > 1 and len(self._timed) < _MOST:  # an undivided loop says nothing of its phases
            self._timed.append(event)
        places = [place for place in event.places.values() if place[0]]
        if places:
            file = Counter(file for file, _ in places).most_common(1)[0][0]
            lines = [line for own, line in places if own == file]
            extent = (file, min(lines), max(lines))
            if not self._extents or self._extents[-1][1:] != extent:
                self._extents.append((event.step, *extent))

    def timed(self, first: int, last: int) -> list[PhaseTimes]:
        """Those of the steps between that say how long a step takes: without the very first, and without the first twenty, which
        are watched in full, where there are others."""
        warm = [event for event in self._timed if first + _WARM_UP <= event.step <= last]
        later = [event for event in warm if event.step > _IN_FULL]
        return later if len(later) >= _ENOUGH else warm

    def rows(self, sources: Mapping[str, str], first: int, last: int) -> list[dict[str, Any]]:
        """Each phase in the order of the cycle: its share, seconds a step, and the line where most of its time went.

        Of many steps it is the mean. Of few it is the median: single ones wait for something that happens once.
        """
        timed = self.timed(first, last)
        places = _Sum()
        for event in timed:
            places.add(event)
        many = len(timed) >= _MANY
        typical = {
            phase: places.mean(phase) if many else median(each.seconds.get(phase, 0.0) for each in timed)
            for phase in places.phases()
        }
        parts = shares(typical) or {}
        rows = []
        for phase, seconds in typical.items():
            file, line = places.place(phase) or (None, None)
            rows.append(
                {
                    "phase": phase,
                    "share": parts.get(phase),
                    "seconds": seconds,
                    "file": file,
                    "line": line,
                    "source": source_line(sources, file, line),
                }
            )
        return rows

    def extent(self, first: int, last: int) -> tuple[str, int, int] | None:
        """File, lowest and highest line of the steps between; None where no such step told its lines."""
        found = [extent for extent in self._extents if first <= extent[0] <= last]
        if not found:  # nothing has changed since
            found = [extent for extent in self._extents if extent[0] < first][-1:]
        if not found:
            return None
        file = Counter(extent[1] for extent in found).most_common(1)[0][0]
        own = [extent for extent in found if extent[1] == file]
        return file, min(extent[2] for extent in own), max(extent[3] for extent in own)


class _Sum:
    """Seconds of each phase at each place."""

    def __init__(self) -> None:
        self.steps = 0
        self._seconds: defaultdict[str, defaultdict[Place | None, float]] = defaultdict(lambda: defaultdict(float))

    def add(self, event: PhaseTimes) -> None:
        self.steps += 1
        for phase, seconds in event.seconds.items():
            if math.isfinite(seconds):
                self._seconds[phase][event.places.get(phase)] += seconds

    def phases(self) -> list[str]:
        return [phase for phase in PHASES if phase in self._seconds]

    def mean(self, phase: str) -> float:
        return sum(self._seconds[phase].values()) / self.steps

    def place(self, phase: str) -> Place | None:
        known = {place: seconds for place, seconds in self._seconds[phase].items() if place and place[0]}
        return max(known, key=lambda place: known[place]) if known else None


def source_line(sources: Mapping[str, str], file: str | None, line: int | None) -> str | None:
    """The text of a line without its indent: as it was when the run started, else as Python has it (a notebook's cell)."""
    if file is None or line is None:
        return None
    if file in sources:
        lines = sources[file].splitlines()
        return lines[line - 1].strip() if 0 < line <= len(lines) else None
    return linecache.getline(file, line).strip() or None
