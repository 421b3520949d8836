"""The trainings of a watched run with where the time of their steps went, read from the record as the run's own summary does."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from descend.record.events import PhaseTimes
from descend.record.reader import Reader
from descend.watch.spent import Phases
from descend.watch.trainings import Parameters

_ENOUGH = 3  # timed steps; a single one may have waited for something


@dataclass(frozen=True, slots=True)
class Spent:
    """One training: how many steps it took and, for each phase, the line that took most of it, its seconds and its share of a step."""

    steps: int
    places: Mapping[str, tuple[str, int]]
    seconds: Mapping[str, float]
    shares: Mapping[str, float]  # empty where too few steps were timed to tell


def spent_by(reader: Reader) -> list[Spent]:
    """Every training of the run, in order."""
    count = len(reader.steps())
    parameters, phases = Parameters(), Phases()
    norms = {step: list(rows) for step, rows in groupby(reader.norms(), key=lambda row: row.step)}
    came = {step: list(rows) for step, rows in groupby(reader.parameters(), key=lambda row: row.step)}
    for step in sorted({*norms, *came}):
        parameters.appear(step, [(row.name, row.shape, row.how) for row in came.get(step, ())])
        if step in norms:
            parameters.step(step, [(row.parameter, row.value, row.gradient, row.change) for row in norms[step]])
    for step, rows in groupby(reader.phases(), key=lambda row: row.step):
        kept = list(rows)
        phases.add(
            PhaseTimes(
                step,
                {row.phase: row.seconds for row in kept},
                {row.phase: (row.file, row.line) for row in kept if row.file and row.line},
            )
        )
    first = parameters.beginnings(count)
    if not first:
        return []
    return [
        _spent(phases, start, end) for start, end in zip(first, [*(each - 1 for each in first[1:]), count], strict=True)
    ]


def _spent(phases: Phases, first: int, last: int) -> Spent:
    rows = phases.rows({}, first, last)
    enough = len(phases.timed(first, last)) >= _ENOUGH
    return Spent(
        steps=last - first + 1,
        places={row["phase"]: (row["file"], row["line"]) for row in rows if row["file"]},
        seconds={row["phase"]: row["seconds"] for row in rows},
        shares={row["phase"]: row["share"] or 0.0 for row in rows} if enough else {},
    )
