"""The functions around PyTorch's own that run at every step, each with a quick way for steps that nobody looks at.

Those are nearly all steps of a long run. A quick way does the whole of what its slow counterpart would, or nothing. They are written
without calls of ours, because between PyTorch's own work a call, and even a line, costs ten times what it does in a loop.
"""

import functools
import inspect
import sys
import time
from collections.abc import Callable
from threading import get_ident
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.compiler import is_dynamo_compiling
from torch.optim import Optimizer

from descend.watch.backward import Backward
from descend.watch.batches import rows_in
from descend.watch.steps import LEARNED, may_tell_epochs
from descend.watch.wrappers import gradient_call, of_backward

if TYPE_CHECKING:
    from descend.watch.calm import Calm
    from descend.watch.observer import Observer

_plain_call = nn.Module.__call__
_OF_BACKWARD = ("tensors", "grad_tensors", "retain_graph", "create_graph", "grad_variables", "inputs")
_MOST_PASSES = 15  # that are noted, of one step that nobody looks at
_getframe = sys._getframe
_clock = time.perf_counter
_item = torch._C.TensorBase.item
_size = torch._C.TensorBase.size
_functions = torch._C._len_torch_function_stack  # noqa: SLF001 - no public name
_dispatches = torch._C._len_torch_dispatch_stack  # noqa: SLF001
_gradients_on = torch.is_grad_enabled
_OBSERVERS: list["Observer"] = []  # that are on
_watching: "Observer | None" = None  # the last of them


def tell_calls(observer: "Observer", *, wanted: bool) -> None:
    """Let :func:`call` tell this observer, or no more; of several, the last one that wanted it is told."""
    global _watching  # noqa: PLW0603 - the quickest way to it
    _OBSERVERS[:] = [one for one in _OBSERVERS if one is not observer]
    if wanted:
        _OBSERVERS.append(observer)
    _watching = _OBSERVERS[-1] if _OBSERVERS else None


def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:  # noqa: C901 - calls would cost more
    """``Module.__call__`` while somebody watches.

    A function of this file, not of an observer: a user's class that carries it can still be sent to another process.
    """
    observer = _watching
    if is_dynamo_compiling() or observer is None:
        return _plain_call(self, *args, **kwargs)
    calm = observer.alone
    if calm is None or calm.thread != get_ident():
        calm = observer.tracker()
        if calm is None:
            return _plain_call(self, *args, **kwargs)
    if calm.calm and not calm.depth and _gradients_on() and not _functions():
        passes = calm.quick_passes
        if calm.plain:
            calm.plain = False
            if args:
                first = args[0]
                if type(first) is Tensor and first.ndim:
                    calm.rows = _size(first, 0)
        if not passes or len(passes) < _MOST_PASSES:
            # One of a few with a graph, in a step that nobody looks at: only that it was is noted.
            passes.append((self, self.training))
            calm.depth = 1
            try:
                return _plain_call(self, *args, **kwargs)
            finally:
                calm.depth -= 1
    tracker: Any = calm
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


def backward(  # noqa: C901, PLR0915 - calls would cost more
    observer: "Observer", original: Callable[..., Any]
) -> Callable[..., Any]:
    """``torch.autograd.backward``, which every backward pass of a loop goes through."""
    local = observer.local
    assert local is not None
    slow = gradient_call(of_backward, returned=False)(observer, original)
    if tuple(inspect.signature(original).parameters) != _OF_BACKWARD:
        return slow  # the program's own in its place
    method = torch.Tensor.backward.__code__

    @functools.wraps(original)
    def run(  # noqa: C901, PLR0912, PLR0915 - calls would cost more
        # Its parameters by name: gathering them, and handing them on, would take longer than all else here.
        tensors: Any,
        grad_tensors: Any = None,
        retain_graph: Any = None,
        create_graph: Any = False,
        grad_variables: Any = None,
        inputs: Any = None,
    ) -> Any:
        calm = observer.alone
        if calm is None or calm.thread != get_ident():
            calm = local.tracker
        if calm.depth:
            return original(tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)
        site = None
        try:
            if (
                calm.calm
                and type(tensors) is Tensor
                and grad_tensors is None
                and grad_variables is None
                and not is_dynamo_compiling()
                and not _functions()
                and not _dispatches()
            ):
                frame = _getframe(calm.line_up)
                if frame.f_lasti != calm.line_at or frame.f_code is not calm.line_code:
                    frame = _learn_line(calm, _getframe(1), method)
                site = calm.line
                if site is not None:
                    told = tensors if calm.scaled is None or calm.scaled[0] is not tensors else calm.scaled[1]
                    if told.is_cpu:
                        loss: Any = _item(told)
                        if loss - loss and not observer.broken:
                            site = None  # the first that is no finite number: where it came from is looked for
                    else:
                        loss = local.tracker.loss_of(told, None)
                if site is not None:
                    if site.way == "optimizer":
                        if calm.waits is not None:
                            calm.pending  # noqa: B018 - of several before one update, the earlier ones are kept in a list
                    elif not calm.begins_by_hand(site):
                        site = None
                if site is not None:
                    calm.scaled = None
                    if calm.line_tells_epochs and calm.loader is None:
                        local.tracker.count_epochs(frame)
                    observer.backward_calls += 1
                    calm.quick_passes.clear()
        except (RuntimeError, ValueError):  # the loss is more than one number; nobody is so far up
            site = None
        except Exception as error:  # noqa: BLE001 - a fault of ours must not be the program's
            observer.give_up(error)
            site = None
        if site is None:
            return slow(tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)
        calm.depth = 1
        try:
            original(tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)
        finally:
            calm.depth -= 1
        if site.way != "optimizer" and not calm.reached():  # the loop has made new parameters
            try:
                one = Backward(loss, site, witness=calm.witness, version=calm.version)
                one.gradient = gradient = one.witness.grad if one.witness is not None else None
                one.gradient_version = gradient._version if gradient is not None else 0
                local.tracker.after_backward(one, tensors, inputs, None, frame)
            except Exception as error:  # noqa: BLE001
                observer.give_up(error)
            return None
        calm.loss = loss
        calm.waits = site
        return None

    return run


def _learn_line(calm: "Calm", frame: FrameType, method: CodeType) -> FrameType:
    """Where a backward pass is run, if it has been often enough to know how parameters are updated after it. Gives its frame."""
    up = 1
    if frame.f_code is method and frame.f_back is not None:
        frame, up = frame.f_back, 2
    code = frame.f_code
    site = calm.sites.get((id(code), frame.f_lasti))
    if site is None or site.seen <= LEARNED:
        calm.line = calm.line_code = None
    else:
        calm.line, calm.line_code, calm.line_at, calm.line_up = site, code, frame.f_lasti, up
        calm.line_tells_epochs = may_tell_epochs(code)
    return frame


def next(observer: "Observer", original: Callable[..., Any]) -> Callable[..., Any]:
    """``next`` of a loader's iterator: the data phase."""
    local = observer.local
    assert local is not None

    @functools.wraps(original)
    def __next__(self: Any) -> Any:  # noqa: N807
        calm = observer.alone
        if calm is None or calm.thread != get_ident():
            calm = local.tracker
        if calm.depth:
            return original(self)
        quickly = calm.calm and not calm.quick_passes and not calm.waiting and not _functions()
        try:
            if quickly:
                site = calm.waits
                if site is None:
                    quickly = not calm._pending or calm._pending[-1].site.way == "optimizer"  # noqa: SLF001
                elif site.way != "optimizer":
                    quickly = calm.has_moved() and calm.close_quickly(_clock(), site.rate)
            if quickly:
                calm.plain = False
            else:
                local.tracker.data_begins(_getframe(1))
        except Exception as error:  # noqa: BLE001 - a fault of ours must not be the program's
            observer.give_up(error)
        calm.depth += 1
        try:
            batch = original(self)
        finally:
            calm.depth -= 1
            if not quickly:
                observer.safely(local.tracker.data_over)
        try:
            loader = calm.loader
            if calm.calm and loader is not None and loader.iterator() is self and not _functions():
                first = batch[0] if type(batch) is list and batch else None
                calm.rows = _size(first, 0) if type(first) is Tensor and first.ndim else rows_in(batch)
            else:
                local.tracker.data_ends(batch, observer.passes_of_loaders.get(self), _getframe(1))
        except Exception as error:  # noqa: BLE001
            observer.give_up(error)
        return batch

    return __next__


def update_ends(observer: "Observer") -> Callable[[Optimizer, Any, Any], None]:
    """Called after any optimizer's step."""
    local = observer.local
    assert local is not None

    def update_ends(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        calm = observer.alone
        if calm is None or calm.thread != get_ident():
            calm = local.tracker
        if calm.depth:
            return
        try:
            site = calm.waits
            if (
                site is not None
                and calm.calm
                and site.way == "optimizer"
                and id(optimizer) in calm.known_optimizers
                and not calm._pending  # noqa: SLF001
            ):
                rate = optimizer.param_groups[0]["lr"]
                if type(rate) is float and calm.close_quickly(_clock(), rate):
                    return
            local.tracker.update_ends(optimizer, _getframe(1))
        except Exception as error:  # noqa: BLE001 - a fault of ours must not be the program's
            observer.give_up(error)

    return update_ends
