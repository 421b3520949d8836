"""What the program writes: lines it prints, writes to ``sys.stdout`` or logs. Told with the line of the user's that did it."""

import builtins
import logging
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from descend.watch.places import Place
from descend.watch.reads import MOST_TEXT

if TYPE_CHECKING:
    from descend.watch.observer import Observer

_getframe = sys._getframe


class _Inside(threading.local):
    """How deep a thread is inside of ``print`` and of loggers: what they write is told already."""

    depth = 0

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, *error: object) -> None:
        self.depth -= 1


_INSIDE = _Inside()


class _Copy:
    """Writes on to where ``print`` would have written, and remembers it."""

    def __init__(self, onto: Any) -> None:
        self.onto = onto
        self.text: list[str] = []

    def write(self, text: str) -> Any:
        self.text.append(text)
        return self.onto.write(text)

    def flush(self) -> None:
        self.onto.flush()


def printing(observer: "Observer", original: Callable[..., None]) -> Callable[..., None]:
    """``print``, which writes as ever; lines of the user's own files are told too."""

    def print(*args: Any, sep: Any = " ", end: Any = "\n", file: Any = None, flush: Any = False) -> None:
        onto = sys.stdout if file is None else file
        frame = _getframe().f_back  # none where Python itself calls, as at exit
        if (
            onto is None
            or not (onto is sys.stdout or onto is sys.stderr)
            or frame is None
            or not observer.active
            or not observer.places.is_own(frame.f_code.co_filename)
        ):
            original(*args, sep=sep, end=end, file=file, flush=flush)
            return
        copy = _Copy(onto)
        with _INSIDE:
            original(*args, sep=sep, end=end, file=copy, flush=flush)
        text, place = "".join(copy.text), observer.places.place_in(frame)
        observer.safely(lambda: observer.reads.printed(text, place))

    print.__module__, print.__qualname__ = "builtins", "print"
    print.__doc__ = builtins.print.__doc__
    return print


def logging_to(observer: "Observer", original: Callable[..., None]) -> Callable[..., None]:
    """``Logger.callHandlers``: what the user's own lines log is told as the handlers have formatted it."""

    def callHandlers(self: logging.Logger, record: logging.LogRecord) -> None:  # noqa: N802 - its name in logging
        with _INSIDE:
            original(self, record)
        text = vars(record).get("message")  # only where a handler has made it: it is not made again
        if type(text) is str and observer.active and observer.places.is_own(record.pathname):
            observer.safely(lambda: observer.reads.printed(text, (record.pathname, record.lineno)))

    return callHandlers


class Output:
    """Stands in for ``write`` of the ``sys.stdout`` that is there when the watching begins."""

    def __init__(self, observer: "Observer") -> None:
        self._observer = observer
        self._stream: Any = None
        self._ours: Any = None
        self._begun = ""  # of a line that has no end yet
        self._place: Place | None = None

    def start(self) -> None:
        """Hear what is written. A stream that takes no attributes is left as it is."""
        stream = sys.stdout
        if stream is None or "write" in getattr(stream, "__dict__", {"write": None}):
            return
        original, observer = stream.write, self._observer

        def write(text: str) -> int:
            written: int = original(text)
            if not _INSIDE.depth and observer.active and type(text) is str:
                frame = _getframe(1)  # not of a progress bar, which shows old numbers again and again
                if observer.places.is_own(frame.f_code.co_filename):
                    place = observer.places.place_in(frame)
                    observer.safely(lambda: self._heard(text, place))
            return written

        try:
            stream.write = write  # type: ignore[method-assign]
        except AttributeError:
            return
        self._stream, self._ours = stream, write

    def stop(self) -> None:
        """Give the stream its own ``write`` back, and tell the line that has no end."""
        if self._begun and self._place is not None:
            self._tell("", self._place)
        if self._stream is not None and vars(self._stream).get("write") is self._ours:
            del self._stream.write
        self._stream = None

    def _heard(self, text: str, place: Place) -> None:
        """Lines come in pieces. One that begins with a carriage return replaces the one before, and is whole as it is."""
        if text.startswith("\r"):
            self._begun = ""
        if text.startswith("\r") or text.endswith("\n"):
            self._tell(text, place)
        else:
            self._begun, self._place = (self._begun + text)[:MOST_TEXT], place

    def _tell(self, text: str, place: Place) -> None:
        whole, self._begun = (self._begun + text).strip("\r"), ""
        if whole.strip():
            self._observer.reads.printed(whole, place)
