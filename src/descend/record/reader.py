"""Opens a record to read it: a finished one, one that is being written, or one from a stranger."""

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from descend.errors import DescendError, RecordError
from descend.record import process
from descend.record.events import PHASES
from descend.record.rows import EpochRow, MessageRow, NormRow, PhaseRow, RunInfo, SnapshotRow, Steps
from descend.record.schema import APPLICATION_ID, RECORD_NAME, SCHEMA_VERSION, TABLES, TENSORS_FOLDER
from descend.record.tensors import unpack
from descend.record.values import from_json, from_time, to_number

if TYPE_CHECKING:
    from torch import Tensor

_MAGIC = b"SQLite format 3\x00"
_HEADER_SIZE = 100
_PATIENCE_WITH_OTHERS = 10.0  # seconds to wait for a writer that folds its log back into the file
_MOVE = "copy the whole run folder to a disk that can be written to, and open it there"
_UNREADABLE_NOW = {
    sqlite3.SQLITE_BUSY: ("another program holds the record locked", "close it there and try again"),
    sqlite3.SQLITE_CANTOPEN: ("the log beside the record can only be read where a file can be made next to it", _MOVE),
    sqlite3.SQLITE_READONLY: ("the log beside the record can only be read where it can be written to", _MOVE),
}
_GIVE_A_RUN = "give a run folder; descend runs lists them"
_DAMAGED = "it cannot be repaired; if there is a copy, open that"


class Reader:
    """Reads the record of a run, given the run folder or its ``record.sqlite``; also while the run goes on.

    The file is opened read-only, and nothing in it is run or trusted. Each method asks the file anew, so a running training
    shows its newest steps, at most half a second old. Raises :class:`RecordError` when there is no record, when it is damaged, when
    it is something else, and when a newer descend wrote it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        given = Path(path)
        self.path = given / RECORD_NAME if given.is_dir() else given
        self.folder = self.path.parent
        _check_header(self.path, given)
        self._connection = _connect(self.path)
        try:
            self._check_format()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def info(self) -> RunInfo:
        """The run as a whole: what was trained, with what, and how it ended."""
        name = self.folder.resolve().name
        with self._understanding():
            rows = self._rows("SELECT * FROM run")
            if not rows:  # the first event is not in yet, or never came
                created = self._rows("SELECT value FROM meta WHERE key = 'created'")
                return RunInfo(name, self.folder, started=from_time(created[0][0]), status=self._status(None))
            row = rows[0]
            return RunInfo(
                name=name,
                path=self.folder,
                kind=str(row["kind"]),
                title=str(row["title"]),
                recipe=_object(row["recipe"]),
                choices=[dict(choice) for choice in from_json(row["choices"])],
                environment=_object(row["environment"]),
                seed=_whole(row["seed"]),
                parameters=[(str(name), tuple(map(int, shape))) for name, shape in from_json(row["parameters"])],
                epochs=_whole(row["epochs"]),
                steps_per_epoch=_whole(row["steps_per_epoch"]),
                started=from_time(row["started"]),
                ended=None if row["ended"] is None else from_time(row["ended"]),
                status=self._status(row["status"]),
                report=None if row["report"] is None else _object(row["report"]),
            )

    @property
    def status(self) -> str:
        """What the run ended with; "running" while it goes on, "died" when its process is gone without a word."""
        with self._understanding():
            rows = self._rows("SELECT status FROM run")
            return self._status(rows[0][0] if rows else None)

    def steps(self, after: int = 0) -> Steps:
        """Every step later than step ``after``, in order."""
        with self._understanding():
            rows = self._rows(
                "SELECT step, epoch, loss, rate, seconds, rows FROM steps WHERE step > ? ORDER BY step", after
            )
            step, epoch, loss, rate, seconds, examples = zip(*rows, strict=True) if rows else ((),) * 6
            return Steps(
                step=list(map(int, step)),
                epoch=list(map(int, epoch)),
                loss=list(map(to_number, loss)),
                rate=list(map(to_number, rate)),
                seconds=list(map(to_number, seconds)),
                rows=list(map(int, examples)),
            )

    def phases(self) -> list[PhaseRow]:
        """Where the time of sampled steps went, in the order of the steps and of the phases in a step."""
        with self._understanding():
            rows = [
                PhaseRow(int(step), str(phase), to_number(seconds), file, line)
                for step, phase, seconds, file, line in self._rows(
                    "SELECT step, phase, seconds, file, line FROM phases"
                )
            ]
        return sorted(rows, key=lambda row: (row.step, _place_in_step(row.phase), row.phase))

    def norms(self, parameter: str | None = None) -> list[NormRow]:
        """Norms of one parameter, or of all, by step; within a step in the order the model has them."""
        order = {name: place for place, (name, _) in enumerate(self.info.parameters)}
        with self._understanding():
            rows = [
                NormRow(int(step), str(name), to_number(value), to_number(gradient), to_number(change))
                for step, name, value, gradient, change in self._rows(
                    "SELECT step, parameter, value, gradient, change FROM norms WHERE ?1 IS NULL OR parameter = ?1",
                    parameter,
                )
            ]
        return sorted(rows, key=lambda row: (row.step, order.get(row.parameter, len(order)), row.parameter))

    def epochs(self) -> list[EpochRow]:
        """Every epoch with its metrics, from epoch 0, the untrained model."""
        with self._understanding():
            return [
                EpochRow(int(epoch), int(step), to_number(seconds), _metrics(metrics))
                for epoch, step, seconds, metrics in self._rows(
                    "SELECT epoch, step, seconds, metrics FROM epochs ORDER BY epoch"
                )
            ]

    def snapshots(self) -> list[SnapshotRow]:
        """The steps that were kept in full."""
        with self._understanding():
            return [
                SnapshotRow(int(step), int(epoch), str(file), int(size), str(digest), str(note))
                for step, epoch, file, size, digest, note in self._rows(
                    "SELECT step, epoch, file, bytes, sha256, note FROM snapshots ORDER BY step"
                )
            ]

    def tensors(self, step: int) -> dict[str, "Tensor"]:
        """The tensors of a step that was kept in full, by name (see :class:`descend.record.events.Snapshot`).

        The file is compared with the size and the SHA-256 that the record holds. Raises :class:`RecordError` when the step was
        not kept (it names the nearest that were), or when the file is missing or not the one that was written.
        """
        snapshots = self.snapshots()
        for snapshot in snapshots:
            if snapshot.step == step:
                return self._load(snapshot)
        if not snapshots:
            raise RecordError(f"step {step} was not kept: this run has no snapshots", where=str(self.folder))
        before = [snapshot.step for snapshot in snapshots if snapshot.step < step][-1:]
        beyond = [snapshot.step for snapshot in snapshots if snapshot.step > step][:1]
        nearest = " and ".join(str(number) for number in before + beyond)
        many = len(before + beyond) > 1
        raise RecordError(
            f"step {step} was not kept in full",
            where=str(self.folder),
            help=f"the nearest steps kept are {nearest}" if many else f"the nearest step kept is {nearest}",
        )

    def messages(self) -> list[MessageRow]:
        """What was worth a line, in the order it came."""
        with self._understanding():
            return [
                MessageRow(int(step), str(kind), str(text), from_time(time))
                for step, kind, text, time in self._rows("SELECT step, kind, text, time FROM messages ORDER BY id")
            ]

    def sources(self) -> dict[str, str]:
        """The text of every file whose lines are referred to, by its name."""
        with self._understanding():
            return {str(file): str(text) for file, text in self._rows("SELECT file, text FROM sources ORDER BY file")}

    def _check_format(self) -> None:
        with self._understanding():
            if self._rows("PRAGMA application_id")[0][0] != APPLICATION_ID:
                raise RecordError(
                    f"{self.path.name} is an SQLite database, but not a record of descend",
                    where=str(self.path),
                    help=_GIVE_A_RUN,
                )
            # Tables only: a view of the same name could hold any query, and a record may come from a stranger.
            present = {name for (name,) in self._rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "meta" in present:
                version = int(self._rows("SELECT value FROM meta WHERE key = 'schema_version'")[0][0])
                if version > SCHEMA_VERSION:
                    raise RecordError(
                        f"a newer descend wrote this record: its schema is version {version}, this one reads up to"
                        f" {SCHEMA_VERSION}",
                        where=str(self.path),
                        help="pip install --upgrade descend",
                    )
            if missing := [table for table in TABLES if table not in present]:
                raise _damaged(self.path, f"it has no table {', '.join(missing)}")

    def _status(self, status: str | None) -> str:
        if status is not None:
            return str(status)
        marks = self._rows("SELECT value FROM meta WHERE key = ?", process.KEY)
        return "running" if marks and process.may_live(str(marks[0][0])) else "died"

    def _load(self, snapshot: SnapshotRow) -> dict[str, "Tensor"]:
        path = self.folder / snapshot.file
        with self._understanding():
            inside = path.resolve().parent == self.folder.resolve() / TENSORS_FOLDER
        if not inside:  # the name comes from the record, and a record may come from a stranger
            raise RecordError(
                f"the tensors of step {snapshot.step} are said to lie outside the run folder: {snapshot.file}",
                where=str(self.path),
                help="do not trust this record",
            )
        try:
            size = path.stat().st_size
            data = path.read_bytes() if size == snapshot.bytes else b""
        except OSError as error:
            raise RecordError(
                f"the tensors of step {snapshot.step} cannot be read: {error.strerror}",
                where=str(path),
                help=f"copy the whole run folder, with {TENSORS_FOLDER}/ in it",
            ) from error
        if hashlib.sha256(data).hexdigest() != snapshot.sha256:
            raise RecordError(
                f"the tensors of step {snapshot.step} are not the ones that were written: the file has {size:,} bytes and"
                f" another checksum than the {snapshot.bytes:,} bytes in the record",
                where=str(path),
                help=_DAMAGED,
            )
        with self._understanding():
            return unpack(data)

    def _rows(self, query: str, *values: str | int | None) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.ProgrammingError:
            raise  # a fault of the caller, such as reading after close()
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the kind of error
            if code in _UNREADABLE_NOW:
                what, remedy = _UNREADABLE_NOW[code]
                raise RecordError(what, where=str(self.path), help=remedy) from error
            raise _damaged(self.path, str(error)) from error

    @contextlib.contextmanager
    def _understanding(self) -> Iterator[None]:
        """Turn values that make no sense into one clear message."""
        try:
            yield
        except DescendError:
            raise
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
            raise _damaged(self.path, f"{type(error).__name__}: {error}") from error


def _damaged(path: Path, reason: str) -> RecordError:
    return RecordError(f"the record is damaged or cut short ({reason})", where=str(path), help=_DAMAGED)


def _check_header(path: Path, given: Path) -> None:
    """Look at the first bytes: SQLite's words for a file of another kind tell little, and it pads a page that was cut."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_SIZE)
            size = os.fstat(file.fileno()).st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        what = f"{given} holds no record" if given.is_dir() else f"there is no {given}"
        raise RecordError(what, where=str(path), help=_GIVE_A_RUN) from error
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte in it
        reason = error.strerror if isinstance(error, OSError) else error
        raise RecordError(f"{path.name} cannot be read: {reason}", where=str(path), help=_GIVE_A_RUN) from error
    if not header:
        raise RecordError(f"{path.name} is empty", where=str(path), help=_DAMAGED)
    if not header.startswith(_MAGIC):
        raise RecordError(
            f"{path.name} is not a record of descend: it is not an SQLite database", where=str(path), help=_GIVE_A_RUN
        )
    expected = _size_said_in(header)
    if size < expected:
        raise _damaged(path, f"{size:,} of {expected:,} bytes are there")


def _size_said_in(header: bytes) -> int:
    """Bytes that the file must have at least, from its header (https://sqlite.org/fileformat.html, 1.3)."""
    if len(header) < _HEADER_SIZE:
        return _HEADER_SIZE
    if header[18] == 2:  # with a log beside it, the newest pages may be there
        return 0
    page = int.from_bytes(header[16:18], "big")
    return int.from_bytes(header[28:32], "big") * (65536 if page == 1 else page)


def _connect(path: Path) -> sqlite3.Connection:
    address = f"{path.resolve().as_uri()}?mode=ro"
    # A killed run leaves its newest rows in a log beside the file. Where there is no log and none can be made (a read-only disk),
    # the file alone is the whole record, and SQLite has to be told that nobody will change it.
    log = path.with_name(f"{path.name}-wal")
    if not log.exists() and not os.access(path.parent, os.W_OK):
        address += "&immutable=1"
    try:
        connection = sqlite3.connect(address, uri=True, timeout=_PATIENCE_WITH_OTHERS)
    except sqlite3.Error as error:
        raise RecordError(f"{path.name} cannot be opened: {error}", where=str(path)) from error
    connection.isolation_level = None
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _place_in_step(phase: str) -> int:
    return PHASES.index(phase) if phase in PHASES else len(PHASES)


def _whole(value: str | int | None) -> int | None:
    return None if value is None else int(value)


def _object(text: str) -> dict[str, Any]:
    value = from_json(text)
    if not isinstance(value, dict):
        raise TypeError(f"a JSON object was expected, not {text[:40]}")
    return value


def _metrics(text: str) -> dict[str, dict[str, float]]:
    return {part: {name: to_number(value) for name, value in values.items()} for part, values in _object(text).items()}
