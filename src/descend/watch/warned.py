"""Warnings that a watched program is given name its own lines, not ours that stand between it and PyTorch."""

import sys
import warnings
from types import CodeType, FrameType
from typing import Any

from descend.watch.tracebacks import HERE

_SHOW = "_showwarnmsg"  # what Python's C code calls, whatever the program has done with warnings.showwarning


class WarningPlaces:
    """Between ``start`` and ``stop``: a warning that names a line of ours is given again for the line that led to it.

    It then passes the program's filters, and is told as often as that line is to be told of. ``runner`` is the function that
    called the program: a warning for whoever called it is for nobody, as under Python alone.
    """

    def __init__(self, runner: CodeType | None = None) -> None:
        self._runner = runner
        self._before: Any = None

    def start(self) -> None:
        """Stand before the function that shows warnings."""
        before = self._before = getattr(warnings, _SHOW)

        def show(said: Any) -> None:
            if said.filename.startswith(HERE) or self._is_for_our_caller(said):
                self._give_again(said)
            else:
                before(said)

        self._ours = show
        setattr(warnings, _SHOW, show)

    def stop(self) -> None:
        """Put back what was there, unless somebody has put a function of theirs over ours."""
        if self._before is not None and getattr(warnings, _SHOW) is self._ours:
            setattr(warnings, _SHOW, self._before)
        self._before = None

    def _is_for_our_caller(self, said: Any) -> bool:
        """Whether the line is one that led to the program."""
        place = (said.filename, said.lineno)
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and frame.f_code is not self._runner:
            if (frame.f_code.co_filename, frame.f_lineno) == place:
                return False
            frame = frame.f_back
        while frame is not None:
            if (frame.f_code.co_filename, frame.f_lineno) == place:
                return True
            frame = frame.f_back
        return False

    def _give_again(self, said: Any) -> None:
        frame = self._line_of_the_program(said.filename)
        if frame is None:
            warnings.warn_explicit(said.message, said.category, "sys", 1, "sys", {}, source=said.source)
            return
        names = frame.f_globals
        warnings.warn_explicit(
            said.message,
            said.category,
            frame.f_code.co_filename,
            frame.f_lineno,
            names.get("__name__", "<unknown>"),
            names.setdefault("__warningregistry__", {}),
            source=said.source,
        )

    def _line_of_the_program(self, ours: str) -> FrameType | None:
        """The frame that called the one of ours that the warning names; None where that is not the program's."""
        frame: FrameType | None = sys._getframe(3)
        while frame is not None and frame.f_code.co_filename != ours:
            frame = frame.f_back
        if frame is not None:
            # Python keeps there that it has told of this line: the next time it may be for another of the program's.
            frame.f_globals.get("__warningregistry__", {}).clear()
        while frame is not None and frame.f_code.co_filename.startswith(HERE):
            frame = None if frame.f_code is self._runner else frame.f_back
        return frame if ours.startswith(HERE) else None
