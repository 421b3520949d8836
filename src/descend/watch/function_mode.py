"""Hearing of every operation of a thread: one ``TorchFunctionMode`` that is on only while somebody listens.

The stack of modes is last in, first out: whoever leaves pops what is on top. So ours goes on only where no mode of the user's
is, and comes off only while it is on top; until then it lets everything through. With PyTorch's compiler in use it stays off:
the compiler looks at the stack of modes.

The mode's frames must not be noticed either. A warning names the line it came from, and is shown once for each line: the call
is made from a frame that stands for the user's, and ``warnings.warn`` counts the others out. The fast path of attention layers is
off while any mode is on: it is told of none but the user's.
"""

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FrameType, FunctionType
from typing import Any

import torch
from torch import overrides
from torch._C import (
    _functorch,
    _get_function_stack_at,
    _len_torch_dispatch_stack,
    _len_torch_function_stack,
    _pop_torch_function_stack,
    _push_on_torch_function_stack,
)
from torch.overrides import TorchFunctionMode
from torch.utils._device import DeviceContext

from descend.watch.quiet import quiet, torchs_own
from descend.watch.tracebacks import HERE
from descend.watch.uncompiled import something_is_compiled

Call = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
Heard = Callable[[str, tuple[Any, ...], dict[str, Any], Any, FrameType], None]
"""Name of the operation, its arguments, those with names, what it gave, and the frame it was called from."""


class Tap:
    """What a thread's operations are told to. :func:`tap` gives that of the current thread."""

    def __init__(self) -> None:
        self._mode = _Mode()
        self._on = False

    def listen(self, heard: Heard) -> str:
        """Tell ``heard`` every operation from now on. Gives why it cannot be, or nothing where it can."""
        if not self._on:
            why = _why_not()
            if why:
                return why
            _enter(self._mode)
            self._on = True
        elif not self._is_in_place():
            return "a function mode of the script was entered"
        self._mode.listeners = (*self._mode.listeners, heard)
        return ""

    def leave(self, heard: Heard) -> Exception | None:
        """Tell it nothing more. Gives the error that ended its listening before."""
        self._mode.listeners = tuple(each for each in self._mode.listeners if each != heard)
        self.settle()
        return self._mode.faults.pop(heard, None)

    def settle(self) -> None:
        """Take the mode off if nobody listens and it is on top; to be called again while :attr:`waiting`."""
        if self._on and not self._mode.listeners and self._is_on_top():
            _leave(self._mode)
            self._on = False

    def pause(self) -> bool:
        """Take the mode off for a while though somebody listens; whether it could be done, and is to be ended by :meth:`resume`."""
        if not self._on or not self._mode.listeners or not self._is_on_top():
            return False
        _leave(self._mode)
        self._on = False
        return True

    def resume(self) -> None:
        """Go on listening, unless a mode of the script's was entered meanwhile."""
        if not self._on and self._mode.listeners and not _why_not():
            _enter(self._mode)
            self._on = True

    @property
    def waiting(self) -> bool:
        """Whether the mode is still on though nobody listens, because one of the user's is on top of it."""
        return self._on and not self._mode.listeners

    def _is_on_top(self) -> bool:
        depth = _len_torch_function_stack()
        return depth > 0 and _get_function_stack_at(depth - 1) is self._mode

    def _is_in_place(self) -> bool:
        stack = [_get_function_stack_at(n) for n in range(_len_torch_function_stack())]
        return self._mode in stack


def tap() -> Tap:
    """The current thread's."""
    found: Tap | None = getattr(_THREAD, "tap", None)
    if found is None:
        found = _THREAD.tap = Tap()
    return found


_THREAD = threading.local()


def name_of_operation(function: Any) -> str:
    """As people know it: ``linear``, ``mul``, ``sub_``; ``1 - x`` is ``rsub``, ``x.T`` is ``T``."""
    name = getattr(function, "__name__", "") or str(function)
    if name in ("__get__", "__set__"):
        name = getattr(function.__self__, "__name__", name)
        return f"{name}.set" if function.__name__ == "__set__" else name
    return name.strip("_") if name.startswith("__") else name


class _Mode(TorchFunctionMode):
    """Lets every operation through and tells the listeners of it, with no mode of anybody's on while they look."""

    def __init__(self) -> None:
        self.listeners: tuple[Heard, ...] = ()
        self.faults: dict[Heard, Exception] = {}

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if kwargs is None:
            kwargs = {}
        function = torchs_own(function)
        if not self.listeners or torch.compiler.is_compiling():
            return function(*args, **kwargs)
        frame = _caller(sys._getframe(1))
        try:
            output = _stand_in(frame)(function, args, kwargs)
        except BaseException as error:  # noqa: BLE001 - it goes on as it came
            # The user's traceback leaves out this frame, and must not show the line of the frame below it twice.
            below = error.__traceback__ and error.__traceback__.tb_next
            raise error.with_traceback(below.tb_next if below is not None else None)  # noqa: B904 - the same error
        with quiet():
            for heard in self.listeners:
                try:
                    heard(name_of_operation(function), args, kwargs, output, frame)
                except Exception as error:  # noqa: BLE001 - the user's step goes on, whatever we could not make of it
                    self.faults[heard] = error.with_traceback(None)
                    self.listeners = tuple(each for each in self.listeners if each != heard)
        return output


def _why_not() -> str:
    stack = [_get_function_stack_at(n) for n in range(_len_torch_function_stack())]
    if any(not isinstance(mode, DeviceContext) for mode in stack):
        return "a function mode of the script was on"
    if _len_torch_dispatch_stack():
        return "a dispatch mode of the script was on"
    if _functorch.maybe_current_level() is not None:
        return "it was inside a transform of torch.func"
    if something_is_compiled():
        return "the script uses torch.compile"
    return ""


_HOOKED = "Module._call_impl.<locals>.inner"  # is there only because of our hooks
_HANDLE = overrides.handle_torch_function.__code__


def _caller(frame: FrameType) -> FrameType:
    """The frame that called the operation. A Python function hands its call to the modes itself: its frame is there as well."""
    while frame.f_code is _HANDLE and frame.f_back is not None and frame.f_back.f_back is not None:
        frame = frame.f_back.f_back
    return frame


def _call_for_another(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return function(*args, **kwargs)


_STAND_INS: dict[tuple[CodeType, int, int], Call] = {}
_STAND_IN_CODES: set[CodeType] = set()
_MOST_STAND_INS = 10_000


def _stand_in(frame: FrameType) -> Call:
    """A function that calls what it is given from the file, the line and the module of ``frame``."""
    code, line = frame.f_code, frame.f_lineno or 1
    key = (code, line, id(frame.f_globals))
    found = _STAND_INS.get(key)
    if found is None:
        if len(_STAND_INS) >= _MOST_STAND_INS:
            _STAND_INS.clear()
            _STAND_IN_CODES.clear()
        likeness = _call_for_another.__code__.replace(
            co_filename=code.co_filename, co_firstlineno=line, co_linetable=_one_line(), co_name="descend stand-in"
        )
        _STAND_IN_CODES.add(likeness)
        found = _STAND_INS[key] = FunctionType(likeness, frame.f_globals)
    return found


def _one_line() -> bytes:
    """A line table that puts all of the code on its first line."""
    code = _call_for_another.__code__
    units = len(code.co_code) // 2
    table = bytearray()
    while units:
        here = min(units, 8)
        table += bytes((0x80 | 13 << 3 | here - 1, 0))  # 13: a line, 0 after the one before, without columns
        units -= here
    return bytes(table)


def _frames_of_the_user(frame: FrameType | None) -> Iterator[FrameType]:
    """The frames there would be without the mode."""
    while frame is not None:
        code = frame.f_code
        if code in _STAND_IN_CODES:
            ours = frame.f_back
            assert ours is not None
            assert ours.f_back is not None
            frame = _caller(ours.f_back)
        elif not code.co_filename.startswith(HERE) and code.co_qualname != _HOOKED:
            yield frame
            frame = frame.f_back
        else:
            frame = frame.f_back


_LOCK = threading.Lock()
_ENTERED: list[_Mode] = []
_WARN = warnings.warn
_HAS_TORCH_FUNCTION = overrides.has_torch_function


def _warn(message: Any, category: Any = None, stacklevel: int = 1, source: Any = None, **others: Any) -> None:
    """``warnings.warn`` that does not count our frames."""
    above = list(_frames_of_the_user(sys._getframe(1)))
    counted = _depth(sys._getframe(1))
    if others or stacklevel < 1 or len(above) == counted or len(above) < stacklevel:
        _ORIGINAL_WARN[0](message, category, stacklevel + 1, source, **others)
        return
    frame = above[stacklevel - 1]
    if category is None:
        category = type(message) if isinstance(message, Warning) else UserWarning
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    module = frame.f_globals.get("__name__") or "<string>"
    file, line = frame.f_code.co_filename, frame.f_lineno
    warnings.warn_explicit(message, category, file, line, module, registry, frame.f_globals, source)


_ORIGINAL_WARN: list[Callable[..., None]] = [warnings.warn]


def _depth(frame: FrameType | None) -> int:
    depth = 0
    while frame is not None:
        depth += 1
        frame = frame.f_back
    return depth


def _has_torch_function(args: Iterable[Any]) -> bool:
    """``has_torch_function`` that knows of no mode of ours."""
    depth = _len_torch_function_stack()
    top = _get_function_stack_at(depth - 1) if depth else None
    if not isinstance(top, _Mode):
        return _HAS_TORCH_FUNCTION(args)
    _pop_torch_function_stack()
    try:
        return _HAS_TORCH_FUNCTION(args)
    finally:
        _push_on_torch_function_stack(top)


def _enter(mode: _Mode) -> None:
    with _LOCK:
        if not _ENTERED:
            _ORIGINAL_WARN[0] = warnings.warn
            warnings.warn = _warn
            overrides.has_torch_function = _has_torch_function
        _ENTERED.append(mode)
    _push_on_torch_function_stack(mode)


def _leave(mode: _Mode) -> None:
    _pop_torch_function_stack()
    with _LOCK:
        _ENTERED.remove(mode)
        if not _ENTERED:
            if warnings.warn is _warn:
                warnings.warn = _ORIGINAL_WARN[0]
            if overrides.has_torch_function is _has_torch_function:
                overrides.has_torch_function = _HAS_TORCH_FUNCTION


def _nobody_listens() -> None:
    for mode in _ENTERED:
        mode.listeners = ()


if hasattr(os, "register_at_fork"):  # a forked process is not watched: its modes let everything through
    os.register_at_fork(after_in_child=_nobody_listens)
