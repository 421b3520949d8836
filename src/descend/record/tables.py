"""How events become rows of the record's tables, and snapshots files beside it."""

import hashlib
import sqlite3
from itertools import chain, islice
from pathlib import Path

from descend.record import tensors
from descend.record.events import (
    EpochDone,
    Event,
    Message,
    ParameterNorms,
    PhaseTimes,
    RunEnded,
    RunStarted,
    Snapshot,
    StepsDone,
)
from descend.record.files import storage_error, write_atomically
from descend.record.schema import snapshot_file
from descend.record.values import to_json, to_text, to_time
from descend.record.watched import WatchedTables

# Rows of one statement. Python's module lets go of Python's lock while a statement runs: with one for each row, the training would
# stop and start again for each. Six values of each row stay below the 999 that SQLite before 3.32 takes.
_STEPS_AT_ONCE = 150


class Tables:
    """Writes events into the open record of a run folder; whoever calls it begins and commits the transactions."""

    def __init__(self, connection: sqlite3.Connection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder
        self._watched = WatchedTables(connection)

    def write(self, event: Event, moment: float) -> None:
        """Write one event, which came at ``moment`` (seconds since 1970). Raises ``sqlite3.Error`` and ``StorageError``."""
        match event:
            case StepsDone():
                self._write_steps(event)
            case PhaseTimes():
                self._write_phases(event)
            case ParameterNorms():
                self._connection.executemany(
                    "INSERT OR REPLACE INTO norms (step, parameter, value, gradient, change) VALUES (?, ?, ?, ?, ?)",
                    ((event.step, to_text(name), *norms) for name, *norms in event.rows),
                )
            case EpochDone():
                self._connection.execute(
                    "INSERT OR REPLACE INTO epochs (epoch, step, seconds, metrics) VALUES (?, ?, ?, ?)",
                    (event.epoch, event.step, event.seconds, to_json(event.metrics)),
                )
            case Snapshot():
                self._write_snapshot(event)
            case Message():
                self._connection.execute(
                    "INSERT INTO messages (step, kind, text, time) VALUES (?, ?, ?, ?)",
                    (event.step, to_text(event.kind), to_text(event.text), to_time(moment)),
                )
            case RunStarted():
                self._write_start(event, moment)
            case RunEnded():
                self._connection.execute(
                    "UPDATE run SET ended = ?, status = ?, report = ?",
                    (to_time(moment), event.status, to_json(event.report)),
                )
            case _:
                self._watched.write(event, moment)

    def finish(self) -> None:
        """Write what was held back to be written at once; to be called before a commit."""
        self._watched.finish()

    def _write_start(self, event: RunStarted, moment: float) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO run (id, name, kind, title, recipe, choices, environment, seed, parameters, epochs,"
            " steps_per_epoch, started) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                to_text(event.name),
                to_text(event.kind),
                to_text(event.title),
                to_json(event.recipe),
                to_json(event.choices),
                to_json(event.environment),
                None if event.seed is None else str(event.seed),
                to_json(event.parameters),
                event.epochs,
                event.steps_per_epoch,
                to_time(moment),
            ),
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO sources (file, text) VALUES (?, ?)",
            ((to_text(file), to_text(text)) for file, text in event.sources.items()),
        )

    def _write_steps(self, event: StepsDone) -> None:
        numbers = range(event.first, event.first + len(event.losses))
        epochs = event.epochs or [event.epoch] * len(numbers)
        steps = zip(numbers, epochs, event.losses, event.rates, event.seconds, event.rows, strict=True)
        while some := list(islice(steps, _STEPS_AT_ONCE)):
            values = ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(some))
            self._connection.execute(
                f"INSERT OR REPLACE INTO steps (step, epoch, loss, rate, seconds, rows) VALUES {values}",  # noqa: S608 - question marks
                list(chain.from_iterable(some)),
            )

    def _write_phases(self, event: PhaseTimes) -> None:
        self._connection.executemany(
            "INSERT OR REPLACE INTO phases (step, phase, seconds, file, line) VALUES (?, ?, ?, ?, ?)",
            (
                (
                    event.step,
                    phase,
                    seconds,
                    None if place is None else to_text(place[0]),
                    None if place is None else place[1],
                )
                for phase, seconds in event.seconds.items()
                for place in (event.places.get(phase),)
            ),
        )

    def _write_snapshot(self, event: Snapshot) -> None:
        data, note = tensors.pack(event.tensors)
        file = snapshot_file(event.step)
        path = self._folder / file
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise storage_error(path.parent, error) from error
        write_atomically(path, data)
        notes = "; ".join(part for part in (event.note, note) if part)
        # The row comes after the file, so that every row has its file, whenever the process dies.
        self._connection.execute(
            "INSERT OR REPLACE INTO snapshots (step, epoch, file, bytes, sha256, note) VALUES (?, ?, ?, ?, ?, ?)",
            (event.step, event.epoch, file, len(data), hashlib.sha256(data).hexdigest(), to_text(notes)),
        )
