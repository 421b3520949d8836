"""One watched program: its run folder, the record's writer, the observer, and the report at the end."""

import atexit
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any, Protocol

from descend.errors import DescendError, RecordError, StorageError
from descend.record.events import Event, Listener, RunEnded, RunStarted, StepsDone, Unseen
from descend.record.runs import new_run_folder, runs_folder
from descend.record.schema import RECORD_NAME
from descend.record.writer import Writer
from descend.watch.files import own_files
from descend.watch.imports import after_import
from descend.watch.report import WatchCollector
from descend.watch.sources import SourceTexts
from descend.watch.tracebacks import CaughtTracebacks, ThreadTracebacks
from descend.watch.warned import WarningPlaces

if TYPE_CHECKING:
    from descend.watch.fast import FastLoading
    from descend.watch.pause import Pause


@dataclass(frozen=True, slots=True)
class Program:
    """What is watched, and how."""

    title: str  # "train.py"
    stem: str  # of the run's name, where none is given
    name: str | None = None
    runs: str | None = None  # the folder of runs
    sources: Mapping[str, str] = field(default_factory=dict)  # file → text
    script: Sequence[str] = ()  # what would be typed after ``descend run``
    fast: bool = False
    pause: "Pause | None" = None
    runner: CodeType | None = None  # the function that calls the program
    examine: "Callable[[Path | None, Mapping[str, Any]], Mapping[str, Any]] | None" = None
    """Gives findings for the report, from the run folder and the report without them."""
    live: "Callable[[Path], None] | None" = None
    """Looks at the record while the program runs, after a few steps and ever more rarely."""


class _Part(Protocol):
    """What watches between ``start`` and ``stop``."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class Session:
    """Watches from ``start`` to ``finish`` what this process trains.

    A record that cannot be made or written does not stop the program: ``problem`` says why nothing was kept, and the report is
    made all the same. A process forked from this one is not watched.

    ``start`` raises :class:`RecordError` for a name that a run cannot have.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.folder: Path | None = None  # of the run, once it is there
        self.problem: DescendError | None = None  # why nothing, or not all, was kept
        self.report: dict[str, Any] | None = None  # once it has finished
        self._base = runs_folder(program.runs).absolute()  # the program may change its current folder
        self._process, self._live = os.getpid(), False
        self._writer: Writer | None = None
        self._collector: WatchCollector
        self._sources = SourceTexts(self.program.sources)
        self._listeners: list[Listener] = []
        self._give_up_waiting: Callable[[], None] = lambda: None
        self._stops: list[Callable[[], object]] = []  # in the order in which their parts were started
        self._fast: FastLoading | None = None
        self._cost: Callable[[], float] = lambda: 0.0
        self._started = 0.0

    def start(self) -> None:
        """Make the run folder and watch from now on; torch's hooks are set when the program imports it."""
        self._started = time.perf_counter()
        self._open_record()
        name = self.folder.name if self.folder is not None else self.program.stem
        self._collector = WatchCollector()
        self._listeners = [*([self._writer] if self._writer is not None else []), self._collector]
        if self.program.live is not None and self._writer is not None and self.folder is not None:
            self._listeners.append(_Early(self._writer, self.folder, self.program.live))
        self._live = True
        _ACTIVE.append(self)
        self.emit(
            RunStarted(
                name=name,
                kind="run",
                title=self.program.title,
                recipe={},
                choices=(),
                environment=self._environment(),
                seed=None,
                parameters=(),
                epochs=None,
                steps_per_epoch=None,
                sources=self.program.sources,
            )
        )
        self._begin(ThreadTracebacks())
        self._begin(CaughtTracebacks())
        self._begin(WarningPlaces(self.program.runner))
        self._give_up_waiting = after_import("torch", self._start_watching)

    def emit(self, event: Event) -> None:
        """Hand an event on. A listener that fails is let go: the program must not end by our fault."""
        if not self._live:
            return
        for each in (*self._sources.seen_with(event), event):
            self._hand_on(each)

    def _hand_on(self, event: Event) -> None:
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - see above
                self._listeners.remove(listener)
                self._keep_problem(_fault(f"{type(listener).__name__} failed", error))

    def finish(
        self, status: str, message: str | None = None, *, exit_status: int = 0, crash: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """Stop watching and close the record; gives the report, or None in a forked process. Never raises an Exception."""
        if not self._live or os.getpid() != self._process:
            return self.report
        seconds = time.perf_counter() - self._started
        self._give_up_waiting()
        for stop in reversed(self._stops):
            try:
                stop()
            except Exception as error:  # noqa: BLE001 - the program has ended well, whatever went wrong here
                self._keep_problem(_fault("the watching did not end well", error))
        self._check_writer()
        try:
            self.report = self._collector.build(
                status,
                folder=self.folder,
                seconds=seconds,
                cost=self._cost(),
                message=message,
                exit_status=exit_status,
                fast=self._fast,
                script=self.program.script,
                not_kept=None if self.problem is None else _in_one_line(self.problem),
            )
        except Exception as error:  # noqa: BLE001 - see above
            self._keep_problem(_fault("the report could not be made", error))
            self.report = {"kind": "run", "status": status, "message": message, "title": self.program.title}
        self.report["crash"] = crash
        if self.program.examine is not None:
            self.report |= self.program.examine(self._readable_folder(), self.report)
        self.emit(RunEnded(str(self.report["status"]), self.report))
        self._live = False
        with suppress(ValueError):
            _ACTIVE.remove(self)
        if self._writer is not None:
            _list_again(self._writer)
            self._writer.close()
        return self.report

    def leave_to_parent(self) -> None:
        """In a forked process: the record belongs to the parent. Hooks that are still there tell nobody."""
        self._live, self._listeners = False, []
        if self._writer is not None:
            atexit.unregister(self._writer.close)

    def _open_record(self) -> None:
        try:
            self.folder = new_run_folder(self._base, self.program.name, self.program.stem)
            self._writer = Writer(self.folder)
            _unlist(self._writer)
        except RecordError:
            raise
        except DescendError as error:
            self._keep_problem(error)
            self._remove_folder()

    def _check_writer(self) -> None:
        """Whether all that was told so far could be written."""
        if self._writer is not None:
            self._writer.flush()
            if self._writer.failure is not None:
                self._keep_problem(self._writer.failure)

    def _readable_folder(self) -> Path | None:
        """The run folder, where a record stands in it with all that was told so far."""
        if self._writer is None or self.folder is None or not (self.folder / RECORD_NAME).exists():
            return None
        self._writer.flush()
        return self.folder

    def _remove_folder(self) -> None:
        if self.folder is not None:
            with suppress(OSError):
                self.folder.rmdir()
        self.folder = None

    def _start_watching(self) -> None:
        """Torch is there: set the hooks. What fails is said in the record, and the program goes on without it."""
        if not self._live:
            return
        try:
            self._set_up()
        except Exception as error:  # noqa: BLE001 - it would come out of the program's own import
            self.emit(Unseen("anything of the training", f"{type(error).__name__}: {error}"))

    def _set_up(self) -> None:
        from descend.watch.ends import Ends
        from descend.watch.loops import LoopWatcher
        from descend.watch.observer import Observer
        from descend.watch.operations import OperationRecorder

        own = own_files()
        observer = Observer(self.emit, own=own)
        operations = OperationRecorder(self.emit, observer.name_of, own, observer.moments.of_operation)
        observer.recorder = operations
        ends = self._collector.movements.ends = Ends(observer.names, lambda: observer.step)
        self._listeners.append(ends)
        self._cost = lambda: observer.cost_seconds
        self._stops.append(operations.close)  # the last to stop: the observer's last step still tells its operations
        parts: list[_Part] = [observer]
        if self.program.pause is not None:
            parts.append(self.program.pause.on(observer))
        parts.append(LoopWatcher(observer, ends))
        if self.program.fast:
            from descend.watch.fast import FastLoading

            self._fast = FastLoading()
            parts.append(self._fast)
        for part in parts:
            self._begin(part)

    def _begin(self, part: "_Part") -> None:
        try:
            part.start()
            self._stops.append(part.stop)
        except Exception as error:  # noqa: BLE001 - the program goes on without this part
            self.emit(Unseen(f"what {type(part).__name__} watches", f"{type(error).__name__}: {error}"))

    def _environment(self) -> dict[str, Any]:
        return {
            "descend": _version_of("descend"),
            "torch": _version_of("torch"),
            "python": platform.python_version(),
            "system": platform.platform(),
            "command": list(sys.orig_argv),
        }

    def _keep_problem(self, problem: DescendError) -> None:
        """The first is the one to tell: others follow from it."""
        if self.problem is None:
            self.problem = problem


class _Early:
    """Has the record looked at when it holds step 3, 20, 100, 1,000 …"""

    def __init__(self, writer: Writer, folder: Path, look: Callable[[Path], None]) -> None:
        self._writer, self._folder, self._look = writer, folder, look
        self._next = 3

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepsDone) and event.first + len(event.losses) > self._next:
            done = event.first + len(event.losses) - 1
            self._next = next(step for step in (20, 100, *(10**power for power in range(3, 19))) if step > done)
            self._writer.flush()
            self._look(self._folder)


def active_session() -> Session | None:
    """The session that watches this process, if one does."""
    return _ACTIVE[-1] if _ACTIVE else None


_ACTIVE: list[Session] = []


def _leave_all_to_parent() -> None:
    for session in _ACTIVE:
        session.leave_to_parent()
    _ACTIVE.clear()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_leave_all_to_parent)


def _version_of(package: str) -> str | None:
    """Of an installed package, without importing it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _fault(what: str, error: Exception) -> StorageError:
    return StorageError(
        f"{what}: {type(error).__name__}: {error}", help="this is a fault in descend: please report it with these lines"
    )


def _in_one_line(error: DescendError) -> str:
    where = f" ({error.where})" if error.where else ""
    return f"{error.what}{where}; {error.help}" if error.help else f"{error.what}{where}"


def _unlist(writer: Writer) -> None:
    """Take the writer's thread out of those that Python lists: a program may wait for all threads that it finds there."""
    for thread in threading.enumerate():
        if thread.name == _WRITER_THREAD:
            _UNLISTED[writer] = thread
            vars(threading)["_active"].pop(thread.ident, None)


def _list_again(writer: Writer) -> None:
    """A thread that ends takes itself out of the list, so it has to be there."""
    thread = _UNLISTED.pop(writer, None)
    if thread is not None:
        vars(threading)["_active"].setdefault(thread.ident, thread)


_WRITER_THREAD = "descend-record"
_UNLISTED: dict[Writer, threading.Thread] = {}
