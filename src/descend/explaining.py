"""The door to explanations: ``descend explain RUN`` and ``run.explain()``."""

from pathlib import Path

from rich.console import Console

from descend.record.reader import Reader
from descend.show.explained import explained
from descend.show.shown import Shown


class Explanation(Shown):
    """One step worked out. Print it, or leave it at the end of a notebook cell; ``data`` holds its numbers."""

    def show(self, console: Console) -> None:
        """Print the step, phase by phase."""
        explained(self.data, console)

    def __repr__(self) -> str:
        return f"Explanation(run={self.data['run']!r}, step={self.data['step']}, parameter={self.data['parameter']!r})"


def explain_step(
    folder: Path, *, step: int | None = None, parameter: str | None = None, row: int | None = None
) -> Explanation:
    """One step of a run worked out.

    Args:
        folder: of the run.
        step: one that was kept in full; the first by itself.
        parameter: whose gradient is followed; the one with the largest by itself.
        row: of the batch, counted from 0.

    Raises:
        RecordError: there is no record, or it does not hold the step; the nearest is named.
        UsageError: the step has no such parameter or row.
    """
    from descend.explain.step import work_out
    from descend.record.summarise import finite

    with Reader(folder) as reader:
        return Explanation(finite(work_out(reader, step=step, parameter=parameter, row=row)))
