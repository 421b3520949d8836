"""Tracebacks of a watched program as Python would have shown them: without our frames, and without the ways that PyTorch takes
only because it is watched."""

import dis
import functools
import os
import sys
from collections.abc import Iterator
from types import CodeType, FrameType, TracebackType
from typing import Any

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")  # noqa: PTH100, PTH118, PTH120

_OVERRIDES = os.path.join("torch", "overrides.py")  # noqa: PTH118 - as code objects name their files
_MODULES = os.path.join("torch", "nn", "modules", "module.py")  # noqa: PTH118
_OWN_HOOKS = ("_backward_hooks", "_backward_pre_hooks", "_forward_hooks", "_forward_pre_hooks")
_GLOBAL_HOOKS = tuple(f"_global{name}" for name in _OWN_HOOKS)


def forget_our_frames(error: BaseException, runner: CodeType | None = None) -> None:
    """Make the traceback of ``error``, and of every error it came from, what it would be if nobody watched.

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
    """The error that is about to end the program is not shown: it has been already."""
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


class CaughtTracebacks:
    """Between ``start`` and ``stop`` errors that the program has caught are formatted without our frames.

    ``traceback.print_exc()``, ``logging.exception`` and all others that ask the standard library come by here.
    """

    def start(self) -> None:
        """Stand before the class that all of them use."""
        import traceback

        before = vars(traceback.TracebackException)["__init__"]

        @functools.wraps(before)
        def init(self: Any, kind: Any, error: Any, entries: Any, *args: Any, **options: Any) -> None:
            if isinstance(error, BaseException):
                whole = entries is error.__traceback__
                forget_our_frames(error)
                entries = error.__traceback__ if whole else entries
            before(self, kind, error, entries, *args, **options)

        self._before, self._ours = before, init
        setattr(traceback.TracebackException, "__init__", init)  # noqa: B010 - a method cannot be assigned to, mypy says

    def stop(self) -> None:
        """Put back what was there, unless the program has put its own over ours."""
        import traceback

        if vars(traceback.TracebackException)["__init__"] is self._ours:
            setattr(traceback.TracebackException, "__init__", self._before)  # noqa: B010 - see above


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
    following = None
    for entry in reversed(_without_hooks(_without_modes(entries))):
        if entry.tb_next is not following:
            entry.tb_next = following
        following = entry
    return following


def _entries(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _without_modes(entries: list[TracebackType]) -> list[TracebackType]:
    """Without our frames; and where our function mode was called from a Python function of PyTorch, without the first of the
    two calls that this makes of one."""
    kept: list[TracebackType] = []
    after_ours = False
    for entry in entries:
        code = entry.tb_frame.f_code
        if code.co_filename.startswith(HERE):
            after_ours = True
            continue
        twice = len(kept) > 1 and kept[-2].tb_frame.f_code is code
        if after_ours and twice and _is(kept[-1], _OVERRIDES, "handle_torch_function"):
            del kept[-2:]
        after_ours = False
        kept.append(entry)
    return kept


def _without_hooks(entries: list[TracebackType]) -> list[TracebackType]:
    """Where a module was called the long way round for the sake of our global hooks alone: as if the short way."""
    kept: list[TracebackType] = []
    for entry in entries:
        if kept and _is(entry, _MODULES, "inner") and _is(kept[-1], _MODULES, "_call_impl"):
            short = _short_way(kept[-1].tb_frame)
            if short is not None:
                kept[-1] = short
                continue
        kept.append(entry)
    return kept


def _is(entry: TracebackType, file: str, function: str) -> bool:
    code = entry.tb_frame.f_code
    return code.co_name == function and code.co_filename.endswith(file)


def _short_way(frame: FrameType) -> TracebackType | None:
    """The entry of a module's call without hooks, None where there are hooks of the program's own."""
    module, names = frame.f_locals.get("self"), frame.f_globals
    hooks = [*(getattr(module, name, {}) for name in _OWN_HOOKS), *(names.get(name, {}) for name in _GLOBAL_HOOKS)]
    ours = f"{__package__}."
    if not all(str(getattr(hook, "__module__", "")).startswith(ours) for each in hooks for hook in each.values()):
        return None
    for instruction in dis.get_instructions(frame.f_code):
        if instruction.opname == "CALL_FUNCTION_EX" and instruction.positions and instruction.positions.lineno:
            return TracebackType(None, frame, instruction.offset, instruction.positions.lineno)
    return None
