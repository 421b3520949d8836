"""The doors to watching: ``descend run``, ``descend.watch``, and ``%%watch`` in a notebook.

Joins the room that watches with the one that shows. Imports torch only through the program that is watched, which may want to
set things up before it does so itself.
"""

import atexit
import bdb
import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import decode_source
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console

from descend.errors import DescendError, RecordError, StorageError
from descend.pausing import open_debugger
from descend.record.files import write_atomically
from descend.show.layout import open_console
from descend.show.shown import as_html, as_plain_text
from descend.watch.pause import Pause
from descend.watch.session import Program, Session, active_session

if TYPE_CHECKING:
    from descend.explaining import Explanation
    from descend.watch.notebook import Notebook

_BY_INTERRUPT = 128 + signal.SIGINT
_FLAGS_WITH_A_VALUE = ("--name", "--runs", "--json", "--pause")


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
    live: bool = False  # bugs are told as soon as they are found


def own_words(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """``run …`` cut behind SCRIPT (or ``-m MODULE``): the words that are ours, and those of the program, none of them read."""
    ours, rest = list(words[:1]), list(words[1:])
    while rest:
        word = rest.pop(0)
        ours.append(word)
        if word in _FLAGS_WITH_A_VALUE:
            ours += rest[:1]
            del rest[:1]
        elif word in ("-m", "--"):
            return [*ours, *rest[:1]], rest[1:]
        elif not word.startswith("-") or word == "-":
            break
    return ours, rest


def _runner(wanted: Wanted) -> Any:
    from descend.watch.script import run_module, run_script

    return run_module if wanted.module else run_script


class Watched:
    """One program under watch, from its first line to the summary. Raises UsageError for a notebook that is none."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._json = wanted.json.absolute() if wanted.json is not None else None
        self._notebook: Notebook | None = None
        self._sources: Mapping[str, str] = {}
        if not wanted.module and wanted.target.endswith(".ipynb"):
            from descend.watch.notebook import read_notebook

            self._notebook = read_notebook(wanted.target)
        self._session: Session | None = None
        self._ending = Ending("finished")

    def run(self, arguments: Sequence[str]) -> int:
        """Run the program with its arguments; gives its exit status, or lets out the error that ends it.

        What is ours to say is said on stderr when the program, its threads and its exit handlers have ended.
        """
        self._session = Session(self._program(arguments))
        try:
            return self._run_program(arguments)
        except bdb.BdbQuit:
            if self._wanted.pause is None:
                raise
            self._ending = Ending("interrupted", None, 1)
            raise SystemExit(1) from None
        except BaseException as error:
            self._ending = how_it_ended(error, self._sources)
            raise

    def _run_program(self, arguments: Sequence[str]) -> int:
        if self._notebook is not None:
            from descend.watch.notebook import run_notebook

            return run_notebook(self._notebook, arguments, ready=self._start)
        from descend.watch.probes import instrument

        run = _runner(self._wanted)
        status: int = run(self._wanted.target, arguments, instrument=instrument, ready=self._start)
        return status

    def _start(self) -> None:
        assert self._session is not None
        try:
            self._session.start()
        except DescendError as error:  # a name that cannot be given: nothing has been run yet
            sys.stderr.write(f"descend: {error}\n")
            raise SystemExit(error.exit_status) from None
        # The first handler registered is the last one called, and only when the threads of the program have ended.
        atexit.register(self._end)

    def _end(self) -> None:
        assert self._session is not None
        with contextlib.suppress(KeyboardInterrupt):
            ending = self._ending
            report = self._session.finish(
                ending.status, ending.message, exit_status=ending.exit_status, crash=ending.crash
            )
            if report is not None:
                self._tell(report)
        if self._ending.exit_status == _BY_INTERRUPT:
            _be_interrupted_still()

    def _program(self, arguments: Sequence[str]) -> Program:
        wanted, path = self._wanted, Path(self._wanted.target)
        if wanted.module:
            sources: Mapping[str, str] = {}
        elif self._notebook is not None:
            sources = self._notebook.sources
        else:
            sources = source_of(wanted.target)
        self._sources = sources
        return Program(
            title=wanted.target if wanted.module else path.name,
            stem=wanted.target.rpartition(".")[2] if wanted.module else path.stem,
            name=wanted.name,
            runs=wanted.runs,
            sources=sources,
            script=(*(("-m",) if wanted.module else ()), wanted.target, *arguments),
            fast=wanted.fast,
            pause=None if wanted.pause is None else Pause(wanted.pause, open_debugger),
            runner=_runner(wanted).__code__,
            examine=examine,
            live=LiveFindings() if wanted.live and not wanted.quiet else None,
        )

    def _tell(self, report: dict[str, Any]) -> None:
        with contextlib.suppress(AttributeError, OSError, ValueError):  # closed, or full: Python says so itself
            sys.stdout.flush()
        not_written = self._write_json(report)
        if self._wanted.quiet or sys.__stderr__ is None:
            return
        # The program may have put a file of its own in the place of sys.stderr.
        with contextlib.suppress(OSError, ValueError), contextlib.redirect_stderr(sys.__stderr__):
            show_report(report, open_console(stderr=True))
            if not_written:
                sys.stderr.write(f"descend: {not_written}\n")
            sys.stderr.flush()

    def _write_json(self, report: dict[str, Any]) -> str:
        if self._json is None:
            return ""
        try:
            write_atomically(self._json, (json.dumps(report, ensure_ascii=False, allow_nan=False) + "\n").encode())
        except StorageError as error:
            return f"{error.what} ({error.where}); {error.help}"
        return ""


class Watch:
    """What ``with descend.watch() as run:`` gives: where the record is, and the report once the block has ended."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def path(self) -> Path | None:
        """The run folder; None where none could be made."""
        return self._session.folder

    @property
    def report(self) -> dict[str, Any]:
        """Everything that is said of the training afterwards, as JSON values. Raises RecordError inside the block."""
        if self._session.report is None:
            raise RecordError("there is no report yet", help="it is made when the with block ends")
        return self._session.report

    def explain(
        self, step: int | None = None, *, parameter: str | None = None, row: int | None = None
    ) -> "Explanation":
        """One step worked out with its own numbers, once the block has ended; arguments as for ``Run.explain``."""
        from descend.explaining import explain_step

        if self._session.report is None or self.path is None:
            raise RecordError("there is no step to explain yet", help="the record is whole when the with block ends")
        return explain_step(self.path, step=step, parameter=parameter, row=row)

    def __repr__(self) -> str:
        return f"Watch('{self.path}')"

    def __str__(self) -> str:
        return as_plain_text(self._summary)

    def _repr_html_(self) -> str | None:
        """For notebooks; nothing inside the block."""
        return None if self._session.report is None else as_html(self._summary)

    def _summary(self, console: Console) -> None:
        from descend.show.watched import watched_summary

        watched_summary(self.report, console)


@contextlib.contextmanager
def watch(name: str | None = None, *, runs: str | None = None, fast: bool = False) -> Iterator[Watch]:
    """Watch what the block trains, and keep a record of it in a run folder.

    Nothing is printed; ``print(run)`` shows what there is to say when the block has ended, and ``run.report`` holds it. Loops
    whose gradients are derived by hand are seen by ``descend run`` and ``%%watch`` alone. Inside a program that ``descend run``
    watches already, and inside another such block, that watch goes on, and is what is given.

    Args:
        name: of the run folder; the program's name and a number when left out.
        runs: the folder of run folders; else the variable DESCEND_RUNS, else ``runs``.
        fast: read data that stays the same once, and gather the same batches from memory.

    Raises:
        RecordError: the name is taken, or cannot be a run's. A disk that refuses stops nothing: ``report`` says so.
    """
    session = active_session()
    if session is not None:
        yield Watch(session)
        return
    file = str(getattr(sys.modules["__main__"], "__file__", None) or "notebook")
    program = Program(title=Path(file).name, stem=Path(file).stem, name=name, runs=runs, fast=fast, examine=examine)
    session = Session(program)
    session.start()
    ending = Ending("finished")
    try:
        yield Watch(session)
    except BaseException as error:
        ending = how_it_ended(error, {})
        raise
    finally:
        session.finish(ending.status, ending.message, exit_status=ending.exit_status, crash=ending.crash)


class LiveFindings:
    """Tells each bug on stderr once, in a line, as soon as a look at the record finds it."""

    def __init__(self) -> None:
        self._told: set[tuple[str, int]] = set()

    def __call__(self, folder: Path) -> None:
        from descend.show.findings import one_line

        for finding in examine(folder, {})["findings"]:
            where = finding["where"] or {"line": 0}
            key = (finding["code"], where["line"])
            if finding["level"] == "bug" and key not in self._told and sys.__stderr__ is not None:
                self._told.add(key)
                with contextlib.suppress(OSError, ValueError):
                    sys.__stderr__.write(f"{one_line(finding)}\n")
                    sys.__stderr__.flush()


def examine(folder: Path | None, report: Mapping[str, Any]) -> dict[str, Any]:
    """What every kind of check says of the run, imported when it has ended."""
    from descend.checking import findings_of

    return findings_of(folder, report)


def show_report(report: Mapping[str, Any], console: Console) -> None:
    """Show what an error means that the program ended with, and how its training went."""
    from descend.show.crash import crash_panel
    from descend.show.watched import watched_summary

    try:
        if report.get("crash"):
            crash_panel(report["crash"], console)
        watched_summary(report, console)
    except (OSError, ValueError):  # standard error is closed, or its disk is full
        raise
    except Exception as error:  # noqa: BLE001 - the program has run, and its record is whole
        where = report.get("path") or "none was kept"
        console.file.write(
            f"descend: the summary could not be shown: {type(error).__name__}: {error}. This is a fault in descend: please report it with "
            f"this line. The record is whole: {where}\n"
        )


@dataclass(frozen=True, slots=True)
class Ending:
    """How a program ended; ``status`` is that of a run."""

    status: str
    message: str | None = None
    exit_status: int = 0
    crash: dict[str, Any] | None = None  # what the error means at the program's line


def how_it_ended(error: BaseException, sources: Mapping[str, str]) -> Ending:
    """How a program ended that let out this error. ``sources``: its text, by the names of its files or cells."""
    if isinstance(error, KeyboardInterrupt):
        return Ending("interrupted", None, _BY_INTERRUPT)
    if isinstance(error, SystemExit):
        if error.code in (None, 0):
            return Ending("finished")
        if isinstance(error.code, int):
            return Ending("failed", f"the program ended itself with exit status {error.code}", error.code)
        return Ending("failed", f"the program ended itself: {error.code}", 1)
    text = str(error).partition("\n")[0]
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return Ending("failed", what, 1, _crash_of(error, sources))


def _crash_of(error: BaseException, sources: Mapping[str, str]) -> dict[str, Any] | None:
    """What the error means at the program's line, where PyTorch is there to ask about its variables."""
    if "torch" not in sys.modules:
        return None
    from descend.explain.crash.explaining import explain_error
    from descend.watch.files import own_files

    return explain_error(error, own_files(), sources)


def _be_interrupted_still() -> None:
    """Python ends by the signal when the last text that was run as code let out an interrupt; we have imported modules since."""
    with contextlib.suppress(KeyboardInterrupt):
        exec("raise KeyboardInterrupt")  # noqa: S102


def source_of(path: str) -> dict[str, str]:
    """The text of the script, under the name that Python gives its file."""
    try:
        return {os.path.join(os.getcwd(), path): decode_source(Path(path).read_bytes())}  # noqa: PTH109, PTH118
    except (OSError, ValueError, SyntaxError):  # Python will say what is wrong with it
        return {}
