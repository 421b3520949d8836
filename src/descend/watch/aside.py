"""Thin functions around what may happen at any moment beside the steps themselves: optimizers made, rates changed, gradients clipped.

Each passes everything through, and tells those who collect facts. Nothing here decides what a step is.
"""

import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from types import GeneratorType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader

from descend.watch.hooked import Replacement

if TYPE_CHECKING:
    from descend.watch.observer import Observer

_getframe = sys._getframe


def replacements(observer: "Observer") -> list[Replacement]:
    """All of them, to be put and taken away."""
    clip = torch.nn.utils.clip_grad
    by_norm = _clipping(observer, clip.clip_grad_norm_, "norm")
    by_value = _clipping(observer, clip.clip_grad_value_, "value")
    return [
        Replacement(Optimizer, "__init__", _making(observer, Optimizer.__init__)),
        Replacement(DataLoader, "__init__", _loading(observer, DataLoader.__init__)),
        Replacement(torch.amp.GradScaler, "unscale_", _unscaling(observer, torch.amp.GradScaler.unscale_)),
        *(Replacement(kind, "step", _scheduling(observer, vars(kind)["step"])) for kind in _schedulers()),
        Replacement(clip, "clip_grad_norm_", by_norm),
        Replacement(torch.nn.utils, "clip_grad_norm_", by_norm),
        Replacement(clip, "clip_grad_value_", by_value),
        Replacement(torch.nn.utils, "clip_grad_value_", by_value),
    ]


def _schedulers() -> Iterator[type[LRScheduler]]:
    """PyTorch's classes that have a ``step`` of their own."""
    for value in vars(lr_scheduler).values():
        if isinstance(value, type) and issubclass(value, LRScheduler) and "step" in vars(value):
            yield value


def _making(observer: "Observer", original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def __init__(self: Optimizer, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        original(self, *args, **kwargs)
        tracker = observer.tracker()
        if tracker is not None and not tracker.depth:
            observer.safely(tracker.optimizer_made)
        _tell(observer, "optimizer_made", self, _getframe(1))

    return __init__


def _loading(observer: "Observer", original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        original(self, *args, **kwargs)
        _tell(observer, "loader_made", self, _getframe(1))

    return __init__


def _scheduling(observer: "Observer", original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def step(self: Any, *args: Any, **kwargs: Any) -> None:
        frame = _getframe(1)
        if not observer.active or not observer.places.is_own(frame.f_code.co_filename):
            original(self, *args, **kwargs)  # from inside PyTorch: its constructor, or a scheduler of schedulers
            return
        before = _rate(self)
        original(self, *args, **kwargs)
        _tell(observer, "scheduler_stepped", self, observer.step + 1, before, _rate(self), frame)

    return step


def _clipping(observer: "Observer", original: Callable[..., Any], how: str) -> Callable[..., Any]:
    @functools.wraps(original)
    def clip(parameters: Any, *args: Any, **kwargs: Any) -> Any:
        if not _looked_at(observer):
            return original(parameters, *args, **kwargs)
        given = parameters if isinstance(parameters, Tensor) else list(parameters)  # a generator is read once only
        most = args[0] if args else kwargs.get("max_norm", kwargs.get("clip_value"))
        tensors = [given] if isinstance(given, Tensor) else given
        _tell(observer, "clipped", tensors, _number(most), how, observer.step + 1, _getframe(1))
        again = (each for each in given) if isinstance(parameters, GeneratorType) else given
        return original(again, *args, **kwargs)

    return clip


def _unscaling(observer: "Observer", original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def unscale_(self: Any, optimizer: Optimizer) -> Any:
        result = original(self, optimizer)
        _tell(observer, "unscaled", optimizer, observer.step + 1, _getframe(1))
        return result

    return unscale_


def _looked_at(observer: "Observer") -> bool:
    tracker = observer.tracker() if observer.active else None
    return tracker is not None and tracker.detail is not None


def _tell(observer: "Observer", moment: str, *values: Any) -> None:
    if observer.active:
        observer.safely(lambda: observer.tell(moment, *values))


def _rate(scheduler: Any) -> float:
    """The learning rate of the first group; NaN where there is none."""
    groups: Iterable[Any] = getattr(getattr(scheduler, "optimizer", None), "param_groups", ())
    return next((_number(group.get("lr")) for group in groups), float("nan"))


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        return float("nan")
