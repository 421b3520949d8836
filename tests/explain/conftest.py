"""The fixture ``watched``: runs a small program under ``descend.watch`` and gives its record."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import descend
from descend.explain.recorded import RecordedStep, recorded_step
from descend.record.reader import Reader


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Callable[..., Reader]]:
    opened: list[Reader] = []

    def watch(program: Callable[[], object]) -> Reader:
        with descend.watch(runs=str(tmp_path)) as run:
            program()
        reader = Reader(run.path)
        opened.append(reader)
        return reader

    yield watch
    for reader in opened:
        reader.close()


@pytest.fixture
def kept(watched: Callable[..., Reader]) -> Callable[..., RecordedStep]:
    def keep(program: Callable[[], object], step: int = 1) -> RecordedStep:
        return recorded_step(watched(program), step)

    return keep
