"""Whether the program has one thread only: then nobody has to ask which one calls, which takes a microsecond each time."""

import _thread
import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from descend.record.writer import THREAD
from descend.watch.hooked import Replacement

if TYPE_CHECKING:
    from descend.watch.observer import Observer

# Where every thread of Python's begins, in the versions of Python that there are.
_STARTERS = (
    (threading, "_start_new_thread"),
    (threading, "_start_joinable_thread"),
    (_thread, "start_new_thread"),
    (_thread, "start_new"),
    (_thread, "start_joinable_thread"),
)


def replacements(observer: "Observer") -> list[Replacement]:
    """Those that tell when the program starts a thread, to be put and taken away."""
    return [
        Replacement(owner, name, _starting(observer, getattr(owner, name)))
        for owner, name in _STARTERS
        if hasattr(owner, name)
    ]


def only_one() -> bool:
    """Whether no other thread of Python's runs than the calling one, and the one that writes the record."""
    known = threading.enumerate()
    by_hand = _thread._count() - (len(known) - 1)  # noqa: SLF001 - of those the module threading does not know
    return by_hand <= 0 and all(one is threading.current_thread() or one.name == THREAD for one in known)


def _starting(observer: "Observer", original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def start(*args: Any, **kwargs: Any) -> Any:
        observer.thread_begins()
        return original(*args, **kwargs)

    return start
