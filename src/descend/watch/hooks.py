"""Thin wrappers around what PyTorch itself calls in every training loop, and how to take them away again.

Each passes everything through; what it notes goes to the tracker of the thread. Under ``torch.compile`` the wrappers vanish: the
compiler takes ``is_dynamo_compiling`` for a constant.
"""

import functools
import os
import sys
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.compiler import is_dynamo_compiling
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter

from descend.watch.detail import optimizer_parameters

if TYPE_CHECKING:
    from descend.watch.observer import Observer

_getframe = sys._getframe


class Hooks:
    """Everything that the observer puts in place, and takes away."""

    def __init__(self, observer: "Observer") -> None:
        self.observer = observer
        self._handles: list[Any] = []
        self._replaced: list[tuple[Any, str, Any, Any, bool]] = []  # owner, name, ours, theirs, was it the owner's own
        self._process = 0

    def install(self) -> None:
        self._process = os.getpid()
        os.register_at_fork(after_in_child=_switch_off(weakref.ref(self.observer)))
        observer = self.observer
        for owner, name, make in (
            (torch.Tensor, "backward", _gradient_call(_of_method, returned=False)),
            (torch.autograd, "backward", _gradient_call(_of_backward, returned=False)),
            (torch.autograd, "grad", _gradient_call(_of_grad, returned=True)),
            (nn.Module, "__call__", _call),
            (nn.Module, "zero_grad", _zero_grad(_module_parameters)),
            (Optimizer, "zero_grad", _zero_grad(optimizer_parameters)),
            (_BaseDataLoaderIter, "__next__", _next),
            (DataLoader, "__iter__", _iter),
            (torch, "compile", _compile),
            (torch.amp.GradScaler, "scale", _scale),
        ):
            self.replace(owner, name, make(observer, getattr(owner, name)))
        self._handles = [
            register_optimizer_step_pre_hook(_update_begins(observer)),
            register_optimizer_step_post_hook(_update_ends(observer)),
        ]

    def replace(self, owner: Any, name: str, ours: Any) -> None:
        """Put ``ours`` in the place of an attribute, until ``remove``."""
        theirs = getattr(owner, name)
        self._replaced.append((owner, name, ours, theirs, name in vars(owner)))
        setattr(owner, name, ours)

    def remove(self) -> None:
        """Put everything back, except where the program has put something of its own over ours."""
        for owner, name, ours, theirs, was_own in reversed(self._replaced):
            if vars(owner).get(name) is ours:
                if was_own:
                    setattr(owner, name, theirs)
                else:
                    delattr(owner, name)
        self._replaced.clear()
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def cost(self) -> float:
        """Seconds that one step without a closer look costs, by trying the same wrappers on nothing."""
        return 8e-6


def _switch_off(reference: "weakref.ref[Observer]") -> Callable[[], None]:
    """A process that the program forks is not followed: the listener's thread is not there."""

    def switch_off() -> None:
        observer = reference()
        if observer is not None:
            observer.active = False

    return switch_off


def _gradient_call(
    given: Callable[[tuple[Any, ...], dict[str, Any]], tuple[Any, Any, Any]], *, returned: bool
) -> Callable[..., Callable[..., Any]]:
    """Wrap a function that runs a backward pass; ``given`` finds its tensors, their weights and its inputs."""

    def make(observer: "Observer", original: Callable[..., Any]) -> Callable[..., Any]:
        local = observer.local
        assert local is not None

        @functools.wraps(original)
        def run(*args: Any, **kwargs: Any) -> Any:
            if is_dynamo_compiling():
                return original(*args, **kwargs)
            tracker = local.tracker
            if tracker.depth or not observer.active:
                return original(*args, **kwargs)
            try:
                tensors, weights, inputs = given(args, kwargs)
                one = tracker.before_backward(tensors, weights, inputs, returned=returned)
            except Exception as error:  # noqa: BLE001 - a fault of ours must not be the program's
                observer.give_up(error)
                return original(*args, **kwargs)
            tracker.depth += 1
            try:
                result = original(*args, **kwargs)
            finally:
                tracker.depth -= 1
            try:
                tracker.after_backward(one, tensors, inputs, result)
            except Exception as error:  # noqa: BLE001
                observer.give_up(error)
            return result

        return run

    return make


def _of_method(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
    """``tensor.backward(gradient, retain_graph, create_graph, inputs)``"""
    weights = args[1] if len(args) > 1 else kwargs.get("gradient")
    return args[0], weights, args[4] if len(args) > 4 else kwargs.get("inputs")


def _of_backward(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
    """``backward(tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)``"""
    tensors = args[0] if args else kwargs["tensors"]
    weights = args[1] if len(args) > 1 else kwargs.get("grad_tensors")
    return tensors, weights, args[5] if len(args) > 5 else kwargs.get("inputs")


def _of_grad(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
    """``grad(outputs, inputs, grad_outputs, …)``"""
    outputs = args[0] if args else kwargs["outputs"]
    weights = args[2] if len(args) > 2 else kwargs.get("grad_outputs")
    return outputs, weights, args[1] if len(args) > 1 else kwargs["inputs"]


def _call(observer: "Observer", original: Callable[..., Any]) -> Callable[..., Any]:
    local = observer.local
    assert local is not None

    @functools.wraps(original)
    def __call__(self: nn.Module, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 - it is that method
        if is_dynamo_compiling():
            return original(self, *args, **kwargs)
        tracker = local.tracker
        if tracker.depth:
            detail = tracker.detail
            if detail is None:
                return original(self, *args, **kwargs)
            output = original(self, *args, **kwargs)
            detail.module_called(self, output)
            return output
        if not observer.active:
            return original(self, *args, **kwargs)
        frame = _getframe(1)
        try:
            one = tracker.call_begins(self, frame)
        except Exception as error:  # noqa: BLE001
            observer.give_up(error)
            return original(self, *args, **kwargs)
        tracker.depth += 1
        try:
            output = original(self, *args, **kwargs)
        finally:
            tracker.depth -= 1
        try:
            tracker.call_ends(one, self, args or tuple(kwargs.values()), output, frame)
        except Exception as error:  # noqa: BLE001
            observer.give_up(error)
        return output

    return __call__


def _zero_grad(parameters_of: Callable[[Any], list[Tensor]]) -> Callable[..., Callable[..., Any]]:
    def make(observer: "Observer", original: Callable[..., Any]) -> Callable[..., Any]:
        local = observer.local
        assert local is not None

        @functools.wraps(original)
        def zero_grad(self: Any, *args: Any, **kwargs: Any) -> Any:
            tracker = local.tracker
            if (tracker.detail is None and (tracker.updated or not tracker.pending)) or not observer.active:
                return original(self, *args, **kwargs)
            observer.safely(lambda: tracker.zero_begins(lambda: parameters_of(self)))
            tracker.depth += 1
            try:
                return original(self, *args, **kwargs)
            finally:
                tracker.depth -= 1
                frame = _getframe(1)
                observer.safely(lambda: tracker.zero_ends(frame))

        return zero_grad

    return make


def _module_parameters(module: nn.Module) -> list[Tensor]:
    return list(module.parameters())


def _next(observer: "Observer", original: Callable[..., Any]) -> Callable[..., Any]:
    local = observer.local
    assert local is not None

    @functools.wraps(original)
    def __next__(self: Any) -> Any:  # noqa: N807
        tracker = local.tracker
        if tracker.depth or not observer.active:
            return original(self)
        frame = _getframe(1)
        observer.safely(lambda: tracker.data_begins(frame))
        tracker.depth += 1
        try:
            batch = original(self)
        finally:
            tracker.depth -= 1
        observer.safely(lambda: tracker.data_ends(batch, observer.passes_of_loaders.get(self), frame))
        return batch

    return __next__


def _iter(observer: "Observer", original: Callable[..., Any]) -> Callable[..., Any]:
    local = observer.local
    assert local is not None

    @functools.wraps(original)
    def __iter__(self: Any) -> Any:  # noqa: N807
        tracker = local.tracker
        if tracker.depth or not observer.active:
            return original(self)
        frame = _getframe(1)
        observer.safely(lambda: tracker.loader_begins(frame))
        tracker.depth += 1
        try:
            iterator = original(self)
        finally:
            tracker.depth -= 1
        observer.safely(lambda: observer.loader_begins(iterator))
        return iterator

    return __iter__


def _compile(observer: "Observer", original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def compile(*args: Any, **kwargs: Any) -> Any:
        observer.compiler_used()
        return original(*args, **kwargs)

    return compile


def _scale(observer: "Observer", original: Callable[..., Any]) -> Callable[..., Any]:
    local = observer.local
    assert local is not None

    @functools.wraps(original)
    def scale(self: Any, outputs: Any) -> Any:
        result = original(self, outputs)
        local.tracker.scaled = (result, outputs)
        return result

    return scale


def _update_begins(observer: "Observer") -> Callable[[Optimizer, Any, Any], None]:
    local = observer.local
    assert local is not None

    def update_begins(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if observer.active:
            try:
                local.tracker.update_begins(optimizer)
            except Exception as error:  # noqa: BLE001
                observer.give_up(error)

    return update_begins


def _update_ends(observer: "Observer") -> Callable[[Optimizer, Any, Any], None]:
    local = observer.local
    assert local is not None

    def update_ends(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if observer.active:
            try:
                local.tracker.update_ends()
            except Exception as error:  # noqa: BLE001
                observer.give_up(error)

    return update_ends
