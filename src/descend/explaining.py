"""The door to explanations: ``descend explain RUN`` and ``run.explain()``."""

from pathlib import Path
from typing import Any

from rich.console import Console

from descend.record.reader import Reader
from descend.show.explained import explained


def explain_step(
    folder: Path, *, step: int | None = None, parameter: str | None = None, row: int | None = None
) -> dict[str, Any]:
    """One step of a run worked out, as JSON values."""
    from descend.explain.step import work_out
    from descend.record.summarise import finite

    with Reader(folder) as reader:
        worked: dict[str, Any] = finite(work_out(reader, step=step, parameter=parameter, row=row))
        return worked


def show_step(worked: dict[str, Any], console: Console) -> None:
    """Print a step that was worked out."""
    explained(worked, console)
