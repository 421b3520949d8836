"""Every error that descend raises on purpose.

    DescendError                 what happened · where · what to do (``help``); exit status 1
    ├── UsageError               the call was wrong: nothing was started, nothing was written; exit status 2
    │   ├── RecipeError          one or more settings are wrong, all of them listed
    │   ├── DataError            a file or an array cannot be used as examples
    │   ├── ModelError           an architecture, a user's class or a model folder cannot be used
    │   └── RecordError          a run or its record cannot be found or read
    └── TrainingError            the training itself failed
        ├── Diverged             the loss stopped being a finite number
        └── StorageError         the disk refused to take the record or the model

A ``UsageError`` is also a ``ValueError``, so that callers from Python may catch either.
"""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any


class DescendError(Exception):
    """What happened, where (file, row, column, layer, step) and what to do next."""

    exit_status = 1

    def __init__(self, what: str, *, where: str = "", help: str = "") -> None:
        self.what, self.where, self.help = what, where, help
        super().__init__(what, where, help)

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.help:
            lines.append(f"  help: {self.help}")
        return "\n".join(lines)


class UsageError(DescendError, ValueError):
    """The call was wrong; nothing was started and nothing was written."""

    exit_status = 2


class RecipeError(UsageError):
    """One or more settings are wrong; ``problems`` holds a line for each."""

    def __init__(self, problems: Sequence[str], *, where: str = "", help: str = "") -> None:
        self.problems = tuple(problems)
        if len(self.problems) == 1:
            what = self.problems[0]
        else:
            listed = "\n".join(f"  {number}. {problem}" for number, problem in enumerate(self.problems, 1))
            what = f"{len(self.problems)} settings are wrong:\n{listed}"
        super().__init__(what, where=where, help=help)


class DataError(UsageError):
    """A file or an array cannot be used as examples."""


class ModelError(UsageError):
    """An architecture, a user's class or a model folder cannot be used."""


class RecordError(UsageError):
    """A run or its record cannot be found or read."""


class TrainingError(DescendError):
    """The training itself failed; what was recorded until then is kept."""


class Diverged(TrainingError):
    """The loss stopped being a finite number; ``report`` is that of the run up to there, where there is one."""

    report: dict[str, Any] | None = None


class StorageError(TrainingError):
    """The disk refused to take the record or the model."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``" (did you mean 'mnist'?)"`` for the nearest known word, or ``""`` when none is near."""
    spelled = {each.lower(): each for each in known}
    near = difflib.get_close_matches(word.lower(), spelled, n=1, cutoff=0.6)
    return f" (did you mean '{spelled[near[0]]}'?)" if near else ""
