"""The doors to watching: ``descend run``, ``descend.watch``, and ``%%watch`` in a notebook.

Joins the room that watches with the one that shows. Imports torch only through the program that is watched, which may want to
set things up before it does so itself.
"""

import atexit
import bdb
import contextlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import decode_source
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from descend.errors import DescendError, StorageError, UsageError
from descend.record.files import reason_of, write_atomically
from descend.show.layout import open_console
from descend.watch.pause import Pause
from descend.watch.session import Program, Session, active_session

_FLAGS_WITH_A_VALUE = ("--name", "--runs", "--json", "--pause")
_PAUSE_FLAG = "--pause"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What ``descend run`` was asked for; ``arguments`` are the program's own."""

    target: str  # a script, a notebook, or the name of a module
    arguments: tuple[str, ...] = ()
    module: bool = False
    name: str | None = None
    runs: str | None = None
    json: Path | None = None
    quiet: bool = False
    fast: bool = False
    pause: int | Literal["nan"] | None = None


def own_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of ``descend run``, cut behind SCRIPT (or ``-m MODULE``): ours, and those of the program, none of them read."""
    ours: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        ours.append(word)
        if word in _FLAGS_WITH_A_VALUE and rest:
            ours.append(rest.pop(0))
        elif word in ("-m", "--module", "--"):
            return [*ours, *rest[:1]], rest[1:]
        elif not word.startswith("-") or word == "-":
            return ours, rest
    return ours, []


def pause_at(word: str | None) -> int | Literal["nan"] | None:
    """The value of ``--pause``. Raises UsageError for anything but a step, ``first`` and ``nan``."""
    if word is None:
        return None
    if word == "nan":
        return "nan"
    step = "1" if word == "first" else word
    if not step.isdecimal() or int(step) < 1:
        raise UsageError(
            f"{_PAUSE_FLAG} {word}: expected the number of a step, first, or nan", help="steps are counted from 1"
        )
    return int(step)


def run(wanted: Wanted) -> int:
    """Run the program and watch it; gives its exit status, or lets out the error that ends it.

    What is ours to say is said on stderr when the program, its threads and its exit handlers have ended.
    """
    from descend.watch.loops import instrument
    from descend.watch.script import run_module, run_script

    if wanted.module:
        return _Watched(wanted, lambda ready: run_module(wanted.target, wanted.arguments, instrument=instrument, ready=ready)).run()
    if wanted.target.endswith(".ipynb"):
        from descend.watch.notebook import read_notebook, run_notebook

        cells = read_notebook(wanted.target)
        return _Watched(wanted, lambda ready: run_notebook(cells, wanted.arguments, ready=ready)).run()
    return _Watched(wanted, lambda ready: run_script(wanted.target, wanted.arguments, instrument=instrument, ready=ready)).run()


class _Watched:
    """One program under watch, from its first line to the summary."""

    def __init__(self, wanted: Wanted, program: Callable[[Callable[[], None]], int]) -> None:
        self._wanted, self._run_program = wanted, program
        self._session = Session(_program(wanted))
        self._json = wanted.json.absolute() if wanted.json is not None else None
        self._status, self._message = "finished", None  # type: str, str | None

    def run(self) -> int:
        try:
            status = self._run_program(self._start)
        except bdb.BdbQuit:
            if self._wanted.pause is None:
                raise
            self._status = "interrupted"
            raise SystemExit(1) from None
        except BaseException as error:
            self._status, self._message = how_it_ended(error)
            raise
        if status:
            self._status = "failed"
        return status

    def _start(self) -> None:
        try:
            self._session.start()
        except DescendError as error:  # a name that cannot be given: nothing has been run yet
            sys.stderr.write(f"descend: {error}\n")
            raise SystemExit(error.exit_status) from None
        # The first handler registered is the last one called, and only when the threads of the program have ended.
        atexit.register(self._end)

    def _end(self) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            report = self._session.finish(self._status, self._message)
            if report is not None:
                self._tell(report)

    def _tell(self, report: dict[str, Any]) -> None:
        with contextlib.suppress(AttributeError, OSError, ValueError):  # closed, or full: Python says so itself
            sys.stdout.flush()
        problems = [self._what_was_not_kept(), self._write_json(report)]
        if self._wanted.quiet or sys.__stderr__ is None:
            return
        # The program may have put a file of its own in the place of sys.stderr.
        with contextlib.suppress(OSError, ValueError), contextlib.redirect_stderr(sys.__stderr__):
            show_report(report)
            for problem in problems:
                if problem:
                    sys.stderr.write(f"descend: {problem}\n")
            sys.stderr.flush()

    def _what_was_not_kept(self) -> str:
        problem = self._session.problem
        if problem is None:
            return ""
        kept = "nothing of this run was kept" if self._session.folder is None else "not all of this run was kept"
        return f"{kept}: {_in_one_line(problem)}"

    def _write_json(self, report: dict[str, Any]) -> str:
        if self._json is None:
            return ""
        try:
            write_atomically(self._json, (json.dumps(report, ensure_ascii=False, allow_nan=False) + "\n").encode())
        except StorageError as error:
            return _in_one_line(error)
        return ""


def show_report(report: Mapping[str, Any]) -> None:
    """Show on stderr how a watched training went."""
    from descend.show.watched import watched_summary

    watched_summary(report, open_console(stderr=True))


def how_it_ended(error: BaseException) -> tuple[str, str | None]:
    """The status of a run that ended with this error, and a line about it."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", None
    if isinstance(error, SystemExit):
        if error.code in (None, 0):
            return "finished", None
        status = f"exit status {error.code}" if isinstance(error.code, int) else f"the words: {error.code}"
        return "failed", f"the program ended itself with {status}"
    text = str(error).partition("\n")[0]
    return "failed", f"{type(error).__name__}: {text}" if text else type(error).__name__


def _program(wanted: Wanted) -> Program:
    path = Path(wanted.target)
    stem = wanted.target.rpartition(".")[2] if wanted.module else path.stem
    return Program(
        title=wanted.target if wanted.module else path.name,
        stem=stem,
        name=wanted.name,
        runs=wanted.runs,
        sources={} if wanted.module else _source_of(wanted.target),
        command=tuple(sys.orig_argv),
        fast=wanted.fast,
        pause=None if wanted.pause is None else Pause(wanted.pause, open_debugger),
    )


def _source_of(path: str) -> dict[str, str]:
    """The text of the script, under the name that Python gives its file."""
    try:
        return {os.path.join(os.getcwd(), path): decode_source(Path(path).read_bytes())}  # noqa: PTH109, PTH118
    except (OSError, ValueError, SyntaxError):  # Python will say what is wrong with it
        return {}


def _in_one_line(error: DescendError) -> str:
    where = f" ({error.where})" if error.where else ""
    return f"{error.what}{where}; {error.help}" if error.help else f"{error.what}{where}"
