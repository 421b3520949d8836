"""Opens the file of a record, and turns whatever may be wrong with it into one clear message."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from descend.errors import DescendError, RecordError
from descend.record.schema import APPLICATION_ID, FIRST_TABLES, RECORD_NAME, SCHEMA_VERSION

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
DAMAGED = "it cannot be repaired; if there is a copy, open that"


class RecordFile:
    """The SQLite file of a record, open for reading, given the run folder or the file itself.

    Raises :class:`RecordError` when there is no record, when it is damaged, when it is something else, and when a newer descend
    wrote it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        given = Path(path)
        self.path = given / RECORD_NAME if given.is_dir() else given
        self.folder = self.path.parent
        _check_header(self.path, given)
        self._connection = _connect(self.path)
        self._tables: set[str] = set()
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

    def _check_format(self) -> None:
        with self._understanding():
            if self._rows("PRAGMA application_id")[0][0] != APPLICATION_ID:
                raise RecordError(
                    f"{self.path.name} is an SQLite database, but not a record of descend",
                    where=str(self.path),
                    help=_GIVE_A_RUN,
                )
            # Tables only: a view of the same name could hold any query, and a record may come from a stranger.
            self._tables = {name for (name,) in self._rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if "meta" in self._tables:
                version = int(self._rows("SELECT value FROM meta WHERE key = 'schema_version'")[0][0])
                if version > SCHEMA_VERSION:
                    raise RecordError(
                        f"a newer descend wrote this record: its schema is version {version}, this one reads up to"
                        f" {SCHEMA_VERSION}",
                        where=str(self.path),
                        help="pip install --upgrade descend",
                    )
            if missing := [table for table in FIRST_TABLES if table not in self._tables]:
                raise damaged(self.path, f"it has no table {', '.join(missing)}")

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
            raise damaged(self.path, str(error)) from error

    def _rows_if_any(self, table: str, query: str, *values: str | int | None) -> list[Any]:
        """The rows of a query on a table that was added after the first descend: none when the record was made before."""
        return self._rows(query, *values) if table in self._tables else []

    @contextlib.contextmanager
    def _understanding(self) -> Iterator[None]:
        """Turn values that make no sense into one clear message."""
        try:
            yield
        except DescendError:
            raise
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
            raise damaged(self.path, f"{type(error).__name__}: {error}") from error


def damaged(path: Path, reason: str) -> RecordError:
    """The message for a record that makes no sense, with the reason in brackets."""
    return RecordError(f"the record is damaged or cut short ({reason})", where=str(path), help=DAMAGED)


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
        raise RecordError(f"{path.name} is empty", where=str(path), help=DAMAGED)
    if not header.startswith(_MAGIC):
        raise RecordError(
            f"{path.name} is not a record of descend: it is not an SQLite database", where=str(path), help=_GIVE_A_RUN
        )
    expected = _size_said_in(header)
    if size < expected:
        raise damaged(path, f"{size:,} of {expected:,} bytes are there")


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
