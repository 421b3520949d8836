"""The thin functions that stand around PyTorch's own. Each passes everything through and tells the tracker of its thread."""

import functools
import inspect
import sys
import time
from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.compiler import is_dynamo_compiling
from torch.optim import Optimizer

if TYPE_CHECKING:
    from descend.watch.observer import Observer

_getframe = sys._getframe
_plain_call = nn.Module.__call__
_OF_BACKWARD = ("tensors", "grad_tensors", "retain_graph", "create_graph", "grad_variables", "inputs")
_MOST_PASSES = 15  # that are noted, of one step that nobody looks at
_clock = time.perf_counter
_size = torch._C.TensorBase.size
_functions = torch._C._len_torch_function_stack  # noqa: SLF001 - no public name
_gradients_on = torch.is_grad_enabled
_watching: list["Observer"] = []  # that are on, the innermost last


def gradient_call(
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
            if tracker.depth:
                return original(*args, **kwargs)
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


def backward(observer: "Observer", original: Callable[..., Any]) -> Callable[..., Any]:
    """``torch.autograd.backward``, which every backward pass of a loop goes through: the quick way where there is one."""
    local = observer.local
    assert local is not None
    slow = gradient_call(of_backward, returned=False)(observer, original)
    if tuple(inspect.signature(original).parameters) != _OF_BACKWARD:
        return slow  # the program's own in its place
    method = torch.Tensor.backward.__code__

    @functools.wraps(original)
    def run(  # its parameters by name: gathering them, and handing them on, would take longer than all else here
        tensors: Any,
        grad_tensors: Any = None,
        retain_graph: Any = None,
        create_graph: Any = False,
        grad_variables: Any = None,
        inputs: Any = None,
    ) -> Any:
        tracker = observer.alone
        if tracker is None or tracker.thread != get_ident():
            tracker = local.tracker
        if tracker.depth:
            return original(tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)
        if tracker.calm and grad_tensors is None and grad_variables is None and not is_dynamo_compiling():
            frame = _getframe(1)
            if frame.f_code is method and frame.f_back is not None:
                frame = frame.f_back
            try:
                one = tracker.quick_backward(tensors, frame)
            except Exception as error:  # noqa: BLE001
                observer.give_up(error)
                return original(tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)
            if one is not None:
                tracker.depth += 1
                try:
                    original(tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)
                finally:
                    tracker.depth -= 1
                if one.witness is None or one.reached_witness():
                    tracker.pending.append(one)
                else:
                    tracker.after_backward(one, tensors, inputs, None, frame)
                return None
        return slow(tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)

    return run


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


def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
    """``Module.__call__`` while somebody watches.

    A function of this file, not of an observer: a user's class that carries it can still be sent to another process.
    """
    if is_dynamo_compiling() or not _watching:
        return _plain_call(self, *args, **kwargs)
    observer = _watching[-1]
    tracker = observer.alone
    if tracker is None or tracker.thread != get_ident():
        tracker = observer.tracker()
        if tracker is None:
            return _plain_call(self, *args, **kwargs)
    if tracker.calm and not tracker.depth:
        passes = tracker.quick_passes
        if len(passes) <= _MOST_PASSES and _gradients_on() and not _functions():
            # One of a few with a graph, in a step that nobody looks at: only that it was is noted.
            passes.append((self, self.training))
            tracker.plain = False
            if args and not tracker.rows and tracker.loader is None:
                first = args[0]
                if isinstance(first, Tensor) and first.ndim:
                    tracker.rows = _size(first, 0)
            tracker.depth += 1
            try:
                return _plain_call(self, *args, **kwargs)
            finally:
                tracker.depth -= 1
    if tracker.depth:
        detail = tracker.detail
        if detail is None:
            return _plain_call(self, *args, **kwargs)
        output = _plain_call(self, *args, **kwargs)
        detail.module_called(self, output)
        return output
    try:
        frame = _getframe(1)
        one = tracker.call_begins(self, frame)
    except Exception as error:  # noqa: BLE001 - a fault of ours must not be the program's
        observer.give_up(error)
        return _plain_call(self, *args, **kwargs)
    tracker.depth += 1
    try:
        output = _plain_call(self, *args, **kwargs)
    finally:
        tracker.depth -= 1
    try:
        tracker.call_ends(one, self, args or tuple(kwargs.values()), output, frame)
    except Exception as error:  # noqa: BLE001
        observer.give_up(error)
    return output


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


def next(observer: "Observer", original: Callable[..., Any]) -> Callable[..., Any]:
    """``next`` of a loader's iterator: the data phase."""
    local = observer.local
    assert local is not None

    @functools.wraps(original)
    def __next__(self: Any) -> Any:  # noqa: N807
        tracker = observer.alone
        if tracker is None or tracker.thread != get_ident():
            tracker = local.tracker
        if tracker.depth:
            return original(self)
        quickly = True
        try:
            quickly = tracker.data_begins_quickly()
            if not quickly:
                tracker.data_begins(_getframe(1))
        except Exception as error:  # noqa: BLE001 - a fault of ours must not be the program's
            observer.give_up(error)
        tracker.depth += 1
        try:
            batch = original(self)
        finally:
            tracker.depth -= 1
            if not quickly:
                observer.safely(tracker.data_over)
        try:
            if not tracker.data_ends_quickly(batch, self):
                tracker.data_ends(batch, observer.passes_of_loaders.get(self), _getframe(1))
        except Exception as error:  # noqa: BLE001
            observer.give_up(error)
        return batch

    return __next__


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


def update_ends(observer: "Observer") -> Callable[[Optimizer, Any, Any], None]:
    """Called after any optimizer's step."""
    local = observer.local
    assert local is not None

    def update_ends(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        tracker = observer.alone
        if tracker is None or tracker.thread != get_ident():
            tracker = local.tracker
        if tracker.depth:
            return
        try:
            if tracker.calm and (optimizer is tracker.optimizer or id(optimizer) in tracker.known_optimizers):
                pending = tracker.pending
                if len(pending) == 1 and pending[0].site.way == "optimizer":
                    rate = optimizer.param_groups[0]["lr"]
                    if type(rate) is float and tracker.close_quickly(_clock(), rate):
                        return
            tracker.update_ends(optimizer, _getframe(1))
        except Exception as error:  # noqa: BLE001
            observer.give_up(error)

    return update_ends
