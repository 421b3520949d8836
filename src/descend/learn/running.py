"""Runs a lesson: its code, one block after another, and the numbers in its sentences."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from descend.errors import DescendError
from descend.learn.lesson import VALUE, Code, Lesson, Part, Prose, Question

LEFT_OUT = "…"
WIDTH = 78  # of commands' output in the files
_TIME = re.compile(r"(?<![\w.])\d[\d.,]* (µs|ms|s|min)\b")


class Running:
    """A lesson that is being run, in a folder of its own that is removed at the end.

    Every block runs once, in the order of the file; asked again it gives what it gave. Use it in a ``with`` statement.
    """

    def __init__(self, lesson: Lesson, *, width: int = WIDTH) -> None:
        self._lesson, self._width = lesson, width
        self._names: dict[str, object] = {"__name__": "__main__"}
        self._outputs: dict[int, str] = {}
        self._filled: dict[tuple[int, str], str] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="descend-learn-", ignore_cleanup_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def has_run(self, code: Code) -> bool:
        """Whether its output is known already, so that nobody waits for it."""
        return code.line in self._outputs

    def output(self, code: Code) -> str:
        """What the block prints.

        Raises:
            DescendError: it failed; the message says which line of the lesson, and with which error.
        """
        if code.line not in self._outputs:
            printed = self._python(code) if code.language == "python" else self._commands(code)
            self._outputs[code.line] = self._names["_output"] = kept(printed, code.keep)
        return self._outputs[code.line]

    def text(self, prose: Prose) -> str:
        """The paragraph with the numbers of this run, nothing else left of where they come from."""
        return VALUE.sub(lambda found: self._value(prose, found["template"]), prose.text)

    def with_numbers(self, prose: Prose) -> str:
        """The paragraph as it stands in the file, with the numbers of this run."""
        return VALUE.sub(
            lambda found: f"{self._value(prose, found['template'])}<!--{{{found['template']}}}-->", prose.text
        )

    def answer(self, question: Question) -> str:
        """The right answer, written as it is shown. A number has no commas, so that ``float`` reads it."""
        return self._value(question, question.template).replace("−", "-")

    def replay(self, parts: Sequence[Part]) -> None:
        """Run parts without showing anything: a lesson goes on behind them. What they gave can be asked for afterwards."""
        for question, blocks in (turn for part in parts for turn in part.turns()):
            for block in blocks:
                if isinstance(block, Code):
                    self.output(block)
                elif isinstance(block, Prose):
                    self.text(block)
            if question:
                self.answer(question)

    def _value(self, block: Prose | Question, template: str) -> str:
        key = (block.line, template)
        if key not in self._filled:
            expression, _, form = template.rpartition(":")
            where = f"{self._lesson.file}:{block.line}"
            try:
                with contextlib.chdir(self._folder.name):
                    value = eval(compile(expression, where, "eval"), self._names)  # noqa: S307 - the lesson's own text
                self._filled[key] = format(value, form).replace("-", "−")
            except Exception as error:
                raise self._failed(error, block.line) from error
        return self._filled[key]

    def _python(self, code: Code) -> str:
        printed = io.StringIO()
        where = self._lesson.file
        source = "\n" * code.line + code.source  # so that an error names the line of the lesson
        try:
            with contextlib.chdir(self._folder.name), contextlib.redirect_stdout(printed):
                exec(compile(source, where, "exec"), self._names)  # noqa: S102 - the lesson's own text
        except Exception as error:
            raise self._failed(error, code.line) from error
        return printed.getvalue()

    def _commands(self, code: Code) -> str:
        printed = []
        for command in code.source.splitlines():
            name, *arguments = shlex.split(command)
            if name != "descend":
                raise self._failed(ValueError(f"'{name}' is not a command of descend"), code.line)
            # The name of the program is ours, its arguments are the lesson's own text.
            done = subprocess.run(  # noqa: S603
                [sys.executable, "-m", "descend", *arguments],
                cwd=self._folder.name,
                env=_environment(self._width),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
            if done.returncode:
                raise self._failed(RuntimeError(done.stdout.strip()), code.line)
            printed.append(done.stdout)
        return "".join(printed)

    def _failed(self, error: Exception, line: int) -> DescendError:
        return DescendError(
            f"the lesson '{self._lesson.name}' cannot go on: {type(error).__name__}: {error}",
            where=f"{self._lesson.file}:{line}",
            help="lessons are tried with the versions in constraints.txt: pip install -c constraints.txt descend",
        )


def kept(printed: str, words: tuple[str, ...]) -> str:
    """The lines that hold one of the words, ``…`` for those between; all of them where there are no words."""
    if not words:
        return printed
    lines: list[str] = []
    for line in printed.splitlines():
        if any(word in line for word in words):
            lines.append(line)
        elif not lines or lines[-1] != LEFT_OUT:
            lines.append(LEFT_OUT)
    return "".join(f"{line}\n" for line in lines)


def without_times(printed: str) -> str:
    """The output with every time and all spacing made alike: what has to be the same in each run."""
    return "\n".join(" ".join(_TIME.sub("TIME", line).split()) for line in printed.splitlines())


def _environment(width: int) -> dict[str, str]:
    """That of this process, without what would make a command answer otherwise than it does in the lesson."""
    ours = {
        "COLUMNS": str(width),
        "NO_COLOR": "1",
        "PYTHONUTF8": "1",
        "CUDA_VISIBLE_DEVICES": "",  # a processor's numbers, which are nearly the same everywhere
    }
    return {key: value for key, value in os.environ.items() if key not in ("DESCEND_RUNS", "FORCE_COLOR")} | ours
