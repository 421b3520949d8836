"""Where a command shows what it found: on the console, or as exactly one JSON object."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from rich.console import Console

from descend.errors import DescendError
from descend.record.values import in_json
from descend.show.layout import open_console, safe


class Output:
    """A console, and with ``--json`` the stream for the one object."""

    def __init__(self, console: Console, answers: TextIO | None) -> None:
        self.console, self._answers, self._answered = console, answers, False

    @property
    def as_json(self) -> bool:
        """Whether the answer is the JSON object, and the console only tells how it goes."""
        return self._answers is not None

    def answer(self, value: Any) -> None:
        """Print the object; a second one is not printed, so that there is exactly one."""
        if self._answers is not None and not self._answered:
            self._answered = True
            print_json(value, self._answers)


@contextlib.contextmanager
def open_output(*, as_json: bool) -> Iterator[Output]:
    """A console on stdout; with ``as_json`` on stderr, where everything else that prints goes too, a user's model as well.

    An error that comes out of the block is the answer when there was none yet.
    """
    if not as_json:
        yield Output(open_console(), None)
        return
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        output = Output(open_console(stderr=True), answers)
        try:
            yield output
        except BaseException as error:
            output.answer(problem(error))
            raise


def problem(error: BaseException) -> dict[str, Any]:
    """An error as a JSON value."""
    kind = type(error).__name__
    if isinstance(error, DescendError):
        return {"error": {"kind": kind, "what": error.what, "where": error.where, "help": error.help}}
    return {"error": {"kind": kind, "what": str(error) or kind, "where": "", "help": ""}}


def print_json(value: Any, stream: TextIO) -> None:
    """One line, at once."""
    stream.write(in_json(json.dumps(value, ensure_ascii=False)) + "\n")
    stream.flush()


def print_error(error: DescendError) -> None:
    """The message that a person reads in place of a traceback, on standard error."""
    said = "\n".join(safe(line) for line in f"descend: {error}".split("\n"))  # names of strangers' are in it
    sys.stderr.write(f"{said}\n")


def drop_output() -> None:
    """What is still to be written to stdout goes nowhere, so that Python does not try it again at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
