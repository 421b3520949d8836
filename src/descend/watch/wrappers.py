"""The thin functions that stand around PyTorch's own. Each passes everything through and tells the tracker of its thread."""

import functools
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.compiler import is_dynamo_compiling
from torch.optim import Optimizer

from descend.watch.quiet import inside_vmap

if TYPE_CHECKING:
    from descend.watch.observer import Observer

_getframe = sys._getframe


def gradient_call(
    given: Callable[[tuple[Any, ...], dict[str, Any]], tuple[Any, Any, Any]], *, returned: bool
) -> Callable[..., Callable[..., Any]]:
    """Wrap a function that runs a backward pass; ``given`` finds its tensors, their weights and its inputs."""

    def make(observer: "Observer", original: Callable[..., Any]) -> Callable[..., Any]:
        local = observer.local
        assert local is not None
        own, left_alone = (3, "") if returned else (2, "inputs")

        @functools.wraps(original)
        def run(*args: Any, **kwargs: Any) -> Any:
            if is_dynamo_compiling() or inside_vmap():
                return original(*args, **kwargs)
            tracker = local.tracker
            if tracker.depth:
                return original(*args, **kwargs)
            # PyTorch takes a generator (of parameters, say), and both of us want to go through it. As the inputs of ``backward`` not
            # every version takes one: there it is left alone.
            args = (*map(_listed, args[:own]), *args[own:])
            kwargs = {name: each if name == left_alone else _listed(each) for name, each in kwargs.items()}
            try:
                tensors, weights, inputs = given(args, kwargs)
                frame = _getframe(1)
                one = tracker.before_backward(tensors, weights, inputs, frame, returned=returned)
            except Exception as error:  # noqa: BLE001 - a fault of ours must not be the program's
                observer.give_up(error)
                return original(*args, **kwargs)
            tracker.depth += 1
            try:
                result = original(*args, **kwargs)
            finally:
                tracker.depth -= 1
            try:
                tracker.after_backward(one, tensors, inputs, result, frame)
            except Exception as error:  # noqa: BLE001
                observer.give_up(error)
            return result

        return run

    return make


def _listed(value: Any) -> Any:
    """What an iterator has to give, as PyTorch would list it; anything else as it is."""
    return tuple(value) if isinstance(value, Iterator) else value


def of_method(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
    """``tensor.backward(gradient, retain_graph, create_graph, inputs)``"""
    weights = args[1] if len(args) > 1 else kwargs.get("gradient")
    return args[0], weights, args[4] if len(args) > 4 else kwargs.get("inputs")


def of_backward(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
    """``backward(tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)``"""
    tensors = args[0] if args else kwargs["tensors"]
    weights = args[1] if len(args) > 1 else kwargs.get("grad_tensors")
    return tensors, weights, args[5] if len(args) > 5 else kwargs.get("inputs")


def of_grad(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
    """``grad(outputs, inputs, grad_outputs, …)``"""
    outputs = args[0] if args else kwargs["outputs"]
    weights = args[2] if len(args) > 2 else kwargs.get("grad_outputs")
    return outputs, weights, args[1] if len(args) > 1 else kwargs["inputs"]


def zero_grad(parameters_of: Callable[[Any], list[Tensor]]) -> Callable[..., Callable[..., Any]]:
    """``zero_grad`` of modules and of optimizers."""

    def make(observer: "Observer", original: Callable[..., Any]) -> Callable[..., Any]:
        local = observer.local
        assert local is not None

        @functools.wraps(original)
        def zero_grad(self: Any, *args: Any, **kwargs: Any) -> Any:
            tracker = local.tracker
            if tracker.depth or (tracker.detail is None and (tracker.updated or not tracker.pending)):
                return original(self, *args, **kwargs)
            frame = _getframe(1)
            observer.safely(lambda: tracker.zero_begins(lambda: parameters_of(self), frame))
            tracker.depth += 1
            try:
                return original(self, *args, **kwargs)
            finally:
                tracker.depth -= 1
                observer.safely(lambda: tracker.zero_ends(frame))

        return zero_grad

    return make


def module_parameters(module: nn.Module) -> list[Tensor]:
    """Every parameter of a module."""
    return list(module.parameters())


def iter(observer: "Observer", original: Callable[..., Any]) -> Callable[..., Any]:
    """``iter`` of a loader: a pass over its rows begins."""
    local = observer.local
    assert local is not None

    @functools.wraps(original)
    def __iter__(self: Any) -> Any:  # noqa: N807
        tracker = local.tracker
        if tracker.depth:
            return original(self)
        frame = _getframe(1)
        observer.safely(lambda: tracker.loader_begins(frame))
        tracker.depth += 1
        try:
            iterator = original(self)
        finally:
            tracker.depth -= 1
        observer.safely(lambda: observer.loader_begins(iterator, self))
        observer.tell("loader_begins", self, observer.step + 1, frame)
        return iterator

    return __iter__


def compile(observer: "Observer", original: Callable[..., Any]) -> Callable[..., Any]:
    """``torch.compile``"""

    @functools.wraps(original)
    def compile(*args: Any, **kwargs: Any) -> Any:
        observer.safely(observer.compiler_used)
        return original(*args, **kwargs)

    return compile


def scale(observer: "Observer", original: Callable[..., Any]) -> Callable[..., Any]:
    """``GradScaler.scale``: the loss is told as it was before."""
    local = observer.local
    assert local is not None

    @functools.wraps(original)
    def scaled(self: Any, outputs: Any) -> Any:
        result = original(self, outputs)
        local.tracker.scaled = (result, outputs)
        if local.tracker.detail is not None:
            observer.safely(lambda: observer.tell("scaled", outputs, result, observer.step + 1))
        return result

    return scaled


def update_begins(observer: "Observer") -> Callable[[Optimizer, Any, Any], None]:
    """Called before any optimizer's step, at sampled steps."""
    local = observer.local
    assert local is not None

    def update_begins(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        tracker = local.tracker
        if tracker.depth:
            return
        try:
            closure = len(args) > 1 or kwargs.get("closure") is not None
            tracker.update_begins(optimizer, _getframe(1), closure=closure)
        except Exception as error:  # noqa: BLE001
            observer.give_up(error)

    return update_begins
