"""The listener that writes a run's record: one thread, one queue, a commit every half second, and sooner at first."""

import atexit
import contextlib
import os
import queue
import sqlite3
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from descend.errors import RecordError, StorageError
from descend.record import process
from descend.record.events import Event, RunEnded, RunStarted
from descend.record.files import help_for, reason_of
from descend.record.schema import APPLICATION_ID, FORMAT, RECORD_NAME, SCHEMA, SCHEMA_VERSION
from descend.record.tables import Tables
from descend.record.values import to_time

SECONDS_BETWEEN_COMMITS = 0.5
THREAD = "descend-record"  # its name
_AT_FIRST = 0.02  # seconds; then ever longer: the first steps tell most, and are not to be written all at once in the midst of others

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

    A call only puts the event in a queue: it never waits for the disk and never raises. Any thread may call; events are written
    in the order they arrive. They must not be changed after they were handed over. One thread of our own writes them and commits
    every half second at the latest, so that a process that is killed loses no more than that, and the file can be read all the
    while. When the disk refuses, ``failure`` is set and later events are let go; whoever trains may raise it at a safe point. In a process that
    was forked from this one a writer does nothing: the record belongs to the parent.

    ``folder`` must exist. Raises :class:`StorageError` when the record cannot be created there, and :class:`RecordError` when
    it already holds one.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).absolute()  # the program that is recorded may change its current folder
        self.path = self.folder / RECORD_NAME
        self.failure: StorageError | None = None
        self._closed = False
        self._between = _AT_FIRST
        self._process = os.getpid()
        self._queue: queue.SimpleQueue[tuple[float, Event] | _Flush | None] = queue.SimpleQueue()
        self._hurry = threading.Event()  # somebody waits for what is in the queue
        _create(self.path)
        self._thread = threading.Thread(target=self._work, name=THREAD, daemon=True)
        self._thread.start()
        # The thread is a daemon, so that a forgotten close() cannot keep the process from ending; nothing is lost that way.
        atexit.register(self.close)

    def __call__(self, event: Event) -> None:
        wanted = self.failure is None or isinstance(
            event, RunEnded
        )  # how it ended is tried even then: the disk may have space again
        if wanted and not self._closed and os.getpid() == self._process:
            self._queue.put((time.time(), event))
            if isinstance(event, RunStarted | RunEnded):  # what a list of runs shows should be there at once
                self._hurry.set()

    def flush(self) -> None:
        """Wait until everything emitted so far is in the file (or ``failure`` says why not)."""
        if self._closed or os.getpid() != self._process:
            return
        done = _Flush()
        self._queue.put(done)
        self._hurry.set()
        while not done.wait(0.1) and self._thread.is_alive():
            pass

    def close(self) -> None:
        """Write what is left and make the record one file again. Never raises; may be called more than once."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._hurry.set()
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
        tables: Tables | None = None
        while True:
            events, flushes, stopping = self._next_batch()
            if self.failure is not None:
                events = [(moment, event) for moment, event in events if isinstance(event, RunEnded)]
            try:
                connection = connection or _connect(self.path)
                tables = tables or Tables(connection, self.folder)
                _commit(connection, tables, events)
            except Exception as error:  # noqa: BLE001 - whatever went wrong here must not end the training
                self.failure = self.failure or _failure(self.path, error)
            for flush in flushes:
                flush.set()
            if stopping:
                break
        if connection is not None:
            _finish(connection)

    def _next_batch(self) -> tuple[list[tuple[float, Event]], list[_Flush], bool]:
        """What arrives until it is time to commit, the flushes that wait for it, and whether this was the last.

        Between the first event and that time the thread sleeps: woken by each event, it would take Python's lock from the training.
        """
        events: list[tuple[float, Event]] = []
        flushes: list[_Flush] = []
        item = self._queue.get()
        self._hurry.wait(self._between)
        self._hurry.clear()
        self._between = min(SECONDS_BETWEEN_COMMITS, 1.25 * self._between)
        while item is not None:
            if isinstance(item, _Flush):
                flushes.append(item)
            else:
                events.append(item)
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return events, flushes, False
        return events, flushes, True


def _commit(connection: sqlite3.Connection, tables: Tables, events: list[tuple[float, Event]]) -> None:
    """Write all of ``events`` in one transaction, or none of them."""
    if not events:
        return
    connection.execute("BEGIN")
    try:
        for moment, event in events:
            tables.write(event, moment)
        tables.finish()
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself
            connection.execute("ROLLBACK")
        raise


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
