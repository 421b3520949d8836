"""The listener that writes a run's record: one thread, one queue, a commit every half second."""

import atexit
import contextlib
import hashlib
import os
import queue
import sqlite3
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self, assert_never

from descend.errors import RecordError, StorageError
from descend.record import process, tensors
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
from descend.record.files import help_for, reason_of, storage_error, write_atomically
from descend.record.schema import APPLICATION_ID, FORMAT, RECORD_NAME, SCHEMA, SCHEMA_VERSION, snapshot_file
from descend.record.values import to_json, to_text, to_time

SECONDS_BETWEEN_COMMITS = 0.5

# A person may hold the file open in another program; a training should outlast that.
_PATIENCE_WITH_OTHERS = 30.0

_REASONS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "the file or its disk can only be read",
    sqlite3.SQLITE_IOERR: "the disk refused (it may be full, or a limit on file sizes is in force)",
    sqlite3.SQLITE_BUSY: "another program holds it locked",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
}
_HELP = "free some space, or choose another folder with --runs DIR; what was recorded until then is kept"


class _Flush(threading.Event):
    """Set when everything that was queued before it is in the file."""


class Writer:
    """Writes every event it is called with to ``folder/record.sqlite``, and snapshots to ``folder/tensors``.

    A call only puts the event in a queue: it never waits for the disk and never raises. Events must not be changed after they
    were handed over. One thread writes them in their order and commits every half second, so that a process that is killed
    loses no more than that, and the file can be read all the while. When the disk refuses, ``failure`` is set and later events
    are let go; whoever trains may raise it at a safe point.

    ``folder`` must exist. Raises :class:`StorageError` when the record cannot be created there, and :class:`RecordError` when
    it already holds one.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).absolute()  # the program that is recorded may change its current folder
        self.path = self.folder / RECORD_NAME
        self.failure: StorageError | None = None
        self._closed = False
        self._queue: queue.SimpleQueue[tuple[float, Event] | _Flush | None] = queue.SimpleQueue()
        _create(self.path)
        self._thread = threading.Thread(target=self._work, name="descend-record", daemon=True)
        self._thread.start()
        # The thread is a daemon, so that a forgotten close() cannot keep the process from ending; nothing is lost that way.
        atexit.register(self.close)

    def __call__(self, event: Event) -> None:
        if self.failure is None and not self._closed:
            self._queue.put((time.time(), event))

    def flush(self) -> None:
        """Wait until everything emitted so far is in the file (or ``failure`` says why not)."""
        if self._closed:
            return
        done = _Flush()
        self._queue.put(done)
        while not done.wait(0.1) and self._thread.is_alive():
            pass

    def close(self) -> None:
        """Write what is left and make the record one file again. Never raises; may be called more than once."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _work(self) -> None:
        connection: sqlite3.Connection | None = None
        while True:
            events, flushes, stopping = self._next_batch()
            if self.failure is None:
                try:
                    connection = connection or _connect(self.path)
                    self._commit(connection, events)
                except Exception as error:  # noqa: BLE001 - whatever went wrong here must not end the training
                    self.failure = _failure(self.path, error)
            for flush in flushes:
                flush.set()
            if stopping:
                break
        if connection is not None:
            _finish(connection)

    def _next_batch(self) -> tuple[list[tuple[float, Event]], list[_Flush], bool]:
        """What arrives until it is time to commit, the flushes that wait for it, and whether this was the last."""
        events: list[tuple[float, Event]] = []
        flushes: list[_Flush] = []
        item = self._queue.get()
        deadline = time.monotonic() + SECONDS_BETWEEN_COMMITS
        while True:
            if item is None:
                return events, flushes, True
            if isinstance(item, _Flush):
                flushes.append(item)
                return events, flushes, False
            events.append(item)
            if isinstance(item[1], RunStarted | RunEnded):  # what a list of runs shows should be there at once
                return events, flushes, False
            try:
                item = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return events, flushes, False

    def _commit(self, connection: sqlite3.Connection, events: list[tuple[float, Event]]) -> None:
        if not events:
            return
        connection.execute("BEGIN")
        try:
            for moment, event in events:
                self._write(connection, to_time(moment), event)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
                connection.execute("ROLLBACK")
            raise

    def _write(self, connection: sqlite3.Connection, moment: str, event: Event) -> None:
        match event:
            case StepsDone():
                _write_steps(connection, event)
            case PhaseTimes():
                _write_phases(connection, event)
            case ParameterNorms():
                connection.executemany(
                    "INSERT OR REPLACE INTO norms (step, parameter, value, gradient, change) VALUES (?, ?, ?, ?, ?)",
                    ((event.step, to_text(name), *norms) for name, *norms in event.rows),
                )
            case EpochDone():
                connection.execute(
                    "INSERT OR REPLACE INTO epochs (epoch, step, seconds, metrics) VALUES (?, ?, ?, ?)",
                    (event.epoch, event.step, event.seconds, to_json(event.metrics)),
                )
            case Snapshot():
                self._write_snapshot(connection, event)
            case Message():
                connection.execute(
                    "INSERT INTO messages (step, kind, text, time) VALUES (?, ?, ?, ?)",
                    (event.step, to_text(event.kind), to_text(event.text), moment),
                )
            case RunStarted():
                _write_start(connection, event, moment)
            case RunEnded():
                connection.execute(
                    "UPDATE run SET ended = ?, status = ?, report = ?", (moment, event.status, to_json(event.report))
                )
            case _:
                assert_never(event)

    def _write_snapshot(self, connection: sqlite3.Connection, event: Snapshot) -> None:
        data, note = tensors.pack(event.tensors)
        file = snapshot_file(event.step)
        path = self.folder / file
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise storage_error(path.parent, error) from error
        write_atomically(path, data)
        notes = "; ".join(part for part in (event.note, note) if part)
        # The row comes after the file, so that every row has its file, whenever the process dies.
        connection.execute(
            "INSERT OR REPLACE INTO snapshots (step, epoch, file, bytes, sha256, note) VALUES (?, ?, ?, ?, ?, ?)",
            (event.step, event.epoch, file, len(data), hashlib.sha256(data).hexdigest(), to_text(notes)),
        )


def _create(path: Path) -> None:
    """An empty record at ``path``, whole from its first moment: it is made under a temporary name and renamed."""
    if path.exists():
        raise RecordError(
            "this folder already holds a record", where=str(path), help="record every run in a new folder"
        )
    temporary = path.with_name(f".{path.name}.tmp")
    meta = {
        "format": FORMAT,
        "schema_version": str(SCHEMA_VERSION),
        "created": to_time(time.time()),
        process.KEY: process.mark(),
    }
    try:
        with contextlib.closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.executescript(f"BEGIN;\n{SCHEMA}\nCOMMIT;")
            connection.executemany("INSERT INTO meta (key, value) VALUES (?, ?)", meta.items())
        os.replace(temporary, path)
    except (OSError, sqlite3.Error) as error:
        for left in (temporary, Path(f"{temporary}-journal")):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)
        raise _failure(path, error) from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=_PATIENCE_WITH_OTHERS)
    connection.isolation_level = None
    # A write-ahead log lets others read while we write; where the file system has none, the usual journal does.
    connection.execute("PRAGMA journal_mode = WAL")
    # With the log this outlives a killed process, and a power failure at worst costs the newest commits, never the file.
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _finish(connection: sqlite3.Connection) -> None:
    """Say that nobody writes here any longer, and fold the log back into the file.

    Both are courtesies: when a reader holds the file or the disk is full, the record is whole without them.
    """
    with contextlib.suppress(sqlite3.Error):
        connection.execute("PRAGMA busy_timeout = 200")
        connection.execute("DELETE FROM meta WHERE key = ?", (process.KEY,))
        connection.execute("PRAGMA journal_mode = DELETE")
    with contextlib.suppress(sqlite3.Error):
        connection.close()


def _failure(path: Path, error: Exception) -> StorageError:
    if isinstance(error, StorageError):
        return error
    what = "the record could not be written"
    if isinstance(error, OSError):
        return StorageError(f"{what}: {reason_of(error)}", where=str(path), help=help_for(error))
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the kind, the rest tells details apart
        return StorageError(f"{what}: {_REASONS.get(code, error)}", where=str(path), help=_HELP)
    return StorageError(
        f"{what}: {type(error).__name__}: {error}",
        where=str(path),
        help="this is a fault in descend: please report it with these lines",
    )


def _write_start(connection: sqlite3.Connection, event: RunStarted, moment: str) -> None:
    connection.execute(
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
            moment,
        ),
    )
    connection.executemany(
        "INSERT OR REPLACE INTO sources (file, text) VALUES (?, ?)",
        ((to_text(file), to_text(text)) for file, text in event.sources.items()),
    )


def _write_steps(connection: sqlite3.Connection, event: StepsDone) -> None:
    steps = zip(event.losses, event.rates, event.seconds, event.rows, strict=True)
    connection.executemany(
        "INSERT OR REPLACE INTO steps (step, epoch, loss, rate, seconds, rows) VALUES (?, ?, ?, ?, ?, ?)",
        ((number, event.epoch, *step) for number, step in enumerate(steps, event.first)),
    )


def _write_phases(connection: sqlite3.Connection, event: PhaseTimes) -> None:
    connection.executemany(
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
