"""Stops a watched program inside its own code: at a step, or where the loss is no longer a number."""

import functools
import math
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

from descend.watch.files import own_files

if TYPE_CHECKING:
    from descend.watch.observer import Observer

Away = Callable[[float], None]  # is told of seconds in which the program stood still
Show = Callable[
    [FrameType, int, float | None, Away], None
]  # is given a frame of the program, the step and the loss; may stop the program later too


@dataclass(frozen=True, slots=True)
class Pause:
    """Where to stop, and what happens there."""

    when: int | Literal["nan"]
    show: Show

    def on(self, observer: "Observer") -> "Pauser":
        """What stops the program that ``observer`` watches."""
        return Pauser(self, observer)


class Pauser:
    """Between ``start`` and ``stop``: pauses once, between the backward and the update of the step that is waited for."""

    def __init__(self, pause: Pause, observer: "Observer") -> None:
        self._pause, self._observer, self._done = pause, observer, False
        self._own = own_files()
        self._inside = threading.local()
        self._before: list[tuple[Any, str, Any]] = []
        self._wrap_hand_step()  # now: whoever is to call it has not looked it up yet

    def start(self) -> None:
        """Wrap the functions that compute gradients; torch has been imported."""
        import torch

        for holder, name in ((torch.Tensor, "backward"), (torch.autograd, "backward"), (torch.autograd, "grad")):
            before = getattr(holder, name)
            self._before.append((holder, name, before))
            setattr(holder, name, self._wrapped(before))

    def stop(self) -> None:
        """Put the functions back."""
        while self._before:
            setattr(*self._before.pop())

    def _wrapped(self, before: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(before)
        def wrapper(*arguments: Any, **options: Any) -> Any:
            if self._done or getattr(self._inside, "here", False):
                return before(*arguments, **options)
            self._inside.here = True
            try:
                result = before(*arguments, **options)
            finally:
                self._inside.here = False
            step, loss = self._observer.step + 1, _loss_in(arguments)
            if self._wanted(step, loss):
                self._stop_at(step, loss)
            return result

        return wrapper

    def _wrap_hand_step(self) -> None:
        before = self._observer.hand_step

        def hand_step(loss: float | None, *arguments: Any, **options: Any) -> None:
            before(loss, *arguments, **options)
            if not self._done and self._wanted(self._observer.step, loss):
                self._stop_at(self._observer.step, loss)

        self._observer.hand_step = hand_step  # type: ignore[method-assign]

    def _wanted(self, step: int, loss: float | None) -> bool:
        if self._pause.when == "nan":
            return loss is not None and not math.isfinite(loss)
        return step >= self._pause.when

    def _stop_at(self, step: int, loss: float | None) -> None:
        self._done = True
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and not self._own(frame.f_code.co_filename):
            frame = frame.f_back
        if frame is not None:
            began = time.perf_counter()
            try:
                self._pause.show(frame, step, loss, self._leave_out)
            finally:
                self._leave_out(time.perf_counter() - began)

    def _leave_out(self, seconds: float) -> None:
        self._observer.safely(lambda: self._observer.leave_out(seconds))


def _loss_in(arguments: tuple[Any, ...]) -> float | None:
    """The value of the tensor that is differentiated, where it is one number."""
    first = arguments[0] if arguments else None
    if isinstance(first, tuple | list):
        first = first[0] if first else None
    return float(first.detach()) if first is not None and getattr(first, "numel", lambda: 0)() == 1 else None
