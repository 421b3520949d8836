"""Tracebacks of a watched program as Python would have shown them: without our frames."""

import os
import sys
from collections.abc import Iterator
from types import CodeType, TracebackType
from typing import Any

_HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")  # noqa: PTH118, PTH120 - no paths are made per frame


def forget_our_frames(error: BaseException, runner: CodeType | None = None) -> None:
    """Take our frames out of the traceback of ``error`` and of every error it came from.

    ``runner`` is the function that called the program: what lies above its call is not the program's either.
    """
    for each in _family(error):
        each.__traceback__ = _without_ours(each.__traceback__, runner)


def show_without_our_frames(error: BaseException, runner: CodeType) -> None:
    """Prepare Python to show ``error``, which is about to end the program, as if the program had been run alone.

    Python calls ``sys.excepthook`` once the error has left our last frame; the hook in force then, the program's own or Python's,
    gets the traceback that begins with the program's first line.
    """
    forget_our_frames(error, runner)
    trimmed, hook = error.__traceback__, sys.excepthook

    def show(kind: type[BaseException], value: BaseException, traceback: TracebackType | None) -> None:
        sys.excepthook = hook
        if value is error:
            traceback = sys.last_traceback = trimmed
            value.__traceback__ = trimmed
        hook(kind, value, traceback)

    sys.excepthook = show


def show_nothing() -> None:
    """The error that is about to end the program is not shown: it was its person's wish to end it."""
    sys.excepthook = lambda *_: None


class ThreadTracebacks:
    """Between ``start`` and ``stop`` errors that end a thread of the program are shown without our frames too."""

    def __init__(self) -> None:
        self._before: Any = None

    def start(self) -> None:
        """Stand before the hook that shows them."""
        import threading

        before = self._before = threading.excepthook

        def show(arguments: Any) -> None:
            if arguments.exc_value is not None:
                forget_our_frames(arguments.exc_value)
                fields = (arguments.exc_type, arguments.exc_value, arguments.exc_value.__traceback__, arguments.thread)
                arguments = threading.ExceptHookArgs(fields)
            before(arguments)

        threading.excepthook = self._ours = show

    def stop(self) -> None:
        """Put back what was there, unless the program has put its own hook over ours."""
        import threading

        if self._before is not None and threading.excepthook is self._ours:
            threading.excepthook = self._before
        self._before = None


def _family(error: BaseException) -> Iterator[BaseException]:
    """The error, those it came from, and the members of groups: each once, however they refer to each other."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            waiting += each.exceptions


def _without_ours(traceback: TracebackType | None, runner: CodeType | None) -> TracebackType | None:
    entries = list(_entries(traceback))
    for number, entry in enumerate(entries):
        if entry.tb_frame.f_code is runner:
            entries = entries[number + 1 :]
            break
    entries = [entry for entry in entries if not entry.tb_frame.f_code.co_filename.startswith(_HERE)]
    for entry, following in zip(entries, [*entries[1:], None], strict=True):
        entry.tb_next = following
    return entries[0] if entries else None


def _entries(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next
