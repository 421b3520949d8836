"""``descend.stack``: what a command runs does not stand at the edge of a piece of Python's stack."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from descend.stack import with_room

_DEEPEST = 300  # calls, which no piece of Python's own size holds
_OFTEN = 100


def test_it_gives_what_the_function_gives() -> None:
    assert with_room(divmod, 7, 2) == (3, 1)
    assert with_room(sorted, [1, 2], reverse=True) == [2, 1]


def test_an_error_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError, match="integer division"):
        with_room(divmod, 7, 0)


def test_the_frame_has_the_names_that_all_have() -> None:
    """A program may walk through those who called it, and ask each for its module."""
    assert with_room(lambda: sys._getframe(1).f_globals["__name__"]) == "descend.stack"


def worst() -> int:
    """How many pages of memory a hundred calls take from the system, at the depth of calls where it is the most."""
    resource = pytest.importorskip("resource")  # there is none on Windows

    def leaf(number: int) -> int:
        first = second = third = fourth = fifth = sixth = seventh = eighth = number
        return first + second + third + fourth + fifth + sixth + seventh + eighth

    def pages() -> int:
        before: int = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for number in range(_OFTEN):
            leaf(number)
        after: int = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        return after - before

    def below(depth: int, action: Callable[[], int]) -> int:
        return action() if depth == 0 else below(depth - 1, action)

    return max(min(below(depth, pages) for _ in range(3)) for depth in range(_DEEPEST))


def test_no_call_below_takes_memory_from_the_system_each_time() -> None:
    assert with_room(worst) < _OFTEN / 10


def test_a_command_has_that_room(tmp_path: Path) -> None:
    """Seen from a program that ``descend run`` runs; at some depth, Python alone takes a page at every call."""
    pytest.importorskip("resource")
    script = "import sys; sys.path.insert(0, sys.argv[1]); from test_stack import worst, _OFTEN; print(worst() < _OFTEN / 10)"
    file = tmp_path / "script.py"
    file.write_text(script, encoding="utf-8")
    command = [sys.executable, "-m", "descend", "run", "--quiet", str(file), str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stdout == "True\n", done.stderr
