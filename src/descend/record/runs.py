"""The folder of runs: where a new run goes, and which run a person means."""

import contextlib
import os
import re
from datetime import UTC, datetime
from pathlib import Path

from descend.errors import RecordError, UsageError, did_you_mean
from descend.record.files import help_for, reason_of
from descend.record.reader import Reader
from descend.record.rows import RunInfo
from descend.record.schema import RECORD_NAME

RUNS_VARIABLE = "DESCEND_RUNS"
LAST = "last"  # what a person types for the newest run

_LONGEST_NAME = 100
_GOOD_NAME = re.compile(r"\w(?:[\w.-]*\w)?")
_PROBE = b"\0" * 65536
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def runs_folder(given: str | None = None) -> Path:
    """Where runs are kept: ``given``, else the variable DESCEND_RUNS, else ``runs`` in the current folder."""
    return Path(given or os.environ.get(RUNS_VARIABLE) or "runs").expanduser()


def new_run_folder(base: str | os.PathLike[str], name: str | None, stem: str) -> Path:
    """Make and return the folder of a new run in ``base``: ``name``, or ``stem-<n>`` with the next free number.

    Two processes that ask at the same moment get two folders. The disk is tried before the folder is given out. Raises
    :class:`RecordError` for a name that is taken or that cannot be a folder's name everywhere, and :class:`UsageError` when the
    disk is full, read-only or refuses for another reason; nothing is left behind then.
    """
    base = Path(base)
    if name is not None:
        _check_name(name)
    made = _make_base(base)
    folder: Path | None = None
    try:
        folder = _make_named(base, name) if name is not None else _make_numbered(base, _as_name(stem))
        _try_disk(folder)
    except OSError as error:
        _remove_empty([folder] if folder else [])
        _remove_empty(made)
        raise _cannot_make(folder or base, error) from error
    except BaseException:
        _remove_empty(made)
        raise
    return folder


def find_run(text: str, base: str | os.PathLike[str]) -> Path:
    """The folder of the run a person means: its name in ``base``, a path to it or its record, or ``last`` for the newest.

    Raises :class:`RecordError` when there is none, with the nearest name.
    """
    base = Path(base)
    if text == LAST:
        return _newest(base)
    for path in (base / text, Path(text).expanduser()) if text else ():
        if path.name == RECORD_NAME and _is_file(path):
            return path.parent
        if _is_file(path / RECORD_NAME):
            return path
    names = _names(base)
    if text and _is_folder(base / text):
        raise RecordError(f"'{text}' is a folder, but there is no record of a run in it", where=str(base / text))
    raise RecordError(
        f"there is no run '{text}'{did_you_mean(text, names)}",
        where=str(base),
        help="descend runs lists them" if names else _no_runs_help(),
    )


def list_runs(base: str | os.PathLike[str]) -> list[RunInfo]:
    """Every run in ``base``, the newest first. A record that cannot be read is listed, with status "damaged" and ``damage``."""
    base = Path(base)
    runs = [_info(base / name) for name in _names(base)]
    return sorted(runs, key=lambda run: (run.started or _LONG_AGO, run.name), reverse=True)


def _newest(base: Path) -> Path:
    for run in list_runs(base):
        if run.status != "damaged":
            return run.path
    raise RecordError("there is no run yet", where=str(base), help=_no_runs_help())


def _no_runs_help() -> str:
    return f"descend train mnist makes one; runs elsewhere are found with --runs DIR or the variable {RUNS_VARIABLE}"


def _names(base: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in base.iterdir() if _is_file(entry / RECORD_NAME))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RecordError(f"the folder of runs cannot be read: {reason_of(error)}", where=str(base)) from error


def _info(folder: Path) -> RunInfo:
    try:
        with Reader(folder) as reader:
            return reader.info
    except RecordError as error:
        return RunInfo(folder.name, folder, status="damaged", damage=error.what)


def _check_name(name: str) -> None:
    if name == LAST:
        raise RecordError(
            f"a run cannot be called '{LAST}': that stands for the newest run", help="choose another name"
        )
    if _GOOD_NAME.fullmatch(name) is None or len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
        raise RecordError(
            f"'{name[:_LONGEST_NAME]}' cannot be the name of a run",
            help="use letters, digits, '-', '_' and '.', beginning and ending with a letter or digit,"
            f" {_LONGEST_NAME} bytes at most; --runs DIR chooses the folder",
        )


def _as_name(stem: str) -> str:
    """``stem`` made into something a folder can be called."""
    name = re.sub(r"[^\w.-]+", "-", stem).strip("-._")[: _LONGEST_NAME // 5].strip("-._")
    return name or "run"


def _make_base(base: Path) -> list[Path]:
    """Make ``base`` and what is missing above it; the folders that were made, the innermost first."""
    missing = [folder for folder in (base, *base.parents) if not folder.exists()]
    made: list[Path] = []
    try:
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            made.insert(0, folder)
        base.joinpath(".").stat()  # says "not a directory" when base is a file
    except OSError as error:
        _remove_empty(made)
        raise _cannot_make(base, error) from error
    return made


def _make_named(base: Path, name: str) -> Path:
    folder = base / name
    try:
        folder.mkdir()
    except FileExistsError:
        raise RecordError(
            f"a run called '{name}' exists already",
            where=str(folder),
            help="choose another --name, or leave it out to get the next number",
        ) from None
    return folder


def _make_numbered(base: Path, stem: str) -> Path:
    taken = re.compile(re.escape(stem) + r"-(\d{1,9})")
    numbers = [int(found[1]) for entry in base.iterdir() if (found := taken.fullmatch(entry.name))]
    # After the highest, not in a gap: a run that was deleted must not make a new one look older than the rest.
    number = max(numbers, default=0)
    while True:
        number += 1
        with contextlib.suppress(FileExistsError):  # another process was quicker: mkdir decides who has the number
            folder = base / f"{stem}-{number}"
            folder.mkdir()
            return folder


def _try_disk(folder: Path) -> None:
    """Write and remove a little: a full disk may still make folders. Raises ``OSError``."""
    probe = folder / ".probe"
    try:
        with probe.open("xb") as file:
            file.write(_PROBE)
            file.flush()
            os.fsync(file.fileno())
    finally:
        probe.unlink(missing_ok=True)


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):  # somebody else may have put something there
            folder.rmdir()


def _cannot_make(folder: Path, error: OSError) -> UsageError:
    return UsageError(
        f"the folder for the run cannot be made or written to: {reason_of(error)}",
        where=str(folder),
        help=help_for(error),
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or with a zero byte in it
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
