"""Room on Python's own stack for all that a command runs, so that none of its calls stands at the edge of a piece of it.

Since 3.11 Python keeps the frames of its functions in pieces of 16 KB. A call that does not fit any more takes a new piece from the
operating system, and gives it back when it returns. Where that happens is a question of how many calls are open, and of their
variables: a training step whose calls stand there takes up to three times as long as one that is called from a little higher up
(PyTorch calls dozens of functions a step, and each of them pays). A program that is watched is called from within our functions, and
must not be slower for that; so it gets a piece of which it will not see the edge.
"""

from collections.abc import Callable
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")

_SLOTS = 66_000  # of 8 bytes, just above half a megabyte: the piece has the next power of two, and as much again is left of it


def with_room(action: Callable[_Given, _Result], *args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
    """What ``action`` gives, called from a frame that is said to need half a megabyte: it gets a piece of a megabyte.

    No more than what is used of it takes memory. At 1,000 open calls, Python's own limit, each may have 50 variables.
    """
    found: _Result = _spacious(action, args, kwargs)
    return found


def _call(action: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return action(*args, **kwargs)


_spacious = FunctionType(_call.__code__.replace(co_stacksize=_SLOTS), globals())
