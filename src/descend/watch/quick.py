"""The functions around PyTorch's own that run at every step, each with a quick way for steps that nobody looks at.

Those are nearly all steps of a long run. A quick way does the whole of what its slow counterpart would, or nothing. They are written
with few calls of ours, because between PyTorch's own work a call, and even a line, costs ten times what it does in a loop.
"""

import functools
import inspect
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.compiler import is_dynamo_compiling
from torch.optim import Optimizer

from descend.watch.backward import Backward, Site
from descend.watch.batches import rows_in
from descend.watch.quiet import inside_vmap
from descend.watch.steps import LEARNED, names_epochs
from descend.watch.wrappers import gradient_call, of_backward

if TYPE_CHECKING:
    from descend.watch.observer import Observer
    from descend.watch.tracker import Tracker

_plain_call = nn.Module.__call__
_OF_BACKWARD = ("tensors", "grad_tensors", "retain_graph", "create_graph", "grad_variables", "inputs")
_QUICK_WAYS = ("optimizer", "version")
_MOST_PASSES = 15  # that are noted, of one step that nobody looks at
_getframe = sys._getframe
_clock = time.perf_counter
_item = torch._C.TensorBase.item
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


def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:  # noqa: C901, PLR0912 - calls would cost more
    """``Module.__call__`` while somebody watches.

    A function of this file, not of an observer: a user's class that carries it can still be sent to another process.
    """
    observer = _watching
    if is_dynamo_compiling() or observer is None:
        return _plain_call(self, *args, **kwargs)
    tracker = observer.only
    if tracker is None:
        tracker = observer.tracker()
        if tracker is None:
            return _plain_call(self, *args, **kwargs)
    quickly = False
    try:
        if (
            tracker.calm
            and not tracker.depth
            and _gradients_on()
            and not _functions()
            and ((tracker.quick_site is None and not tracker._pending) or tracker.begins_quickly())  # noqa: SLF001 - its own
        ):
            if tracker.plain:
                tracker.plain = False
                if not tracker.rows:
                    tracker.rows = rows_in(args or tuple(kwargs.values()))
            passes = tracker.quick_passes
            if not passes or len(passes) < _MOST_PASSES:
                passes.append((self, self.training))
                quickly = True
    except Exception as error:  # noqa: BLE001 - a fault of ours must not be the program's
        observer.give_up(error)
    if quickly:  # it is one of a few with a graph, in a step that nobody looks at: only that it was is noted
        tracker.depth += 1
        try:
            return _plain_call(self, *args, **kwargs)
        finally:
            tracker.depth -= 1
    if inside_vmap():
        return _plain_call(self, *args, **kwargs)
    if tracker.depth:
        detail = tracker.detail
        if detail is None:
            return _plain_call(self, *args, **kwargs)
        output = _plain_call(self, *args, **kwargs)
        try:
            detail.module_called(self, output)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not be the program's
            observer.give_up(error)
        return output
    try:
        frame = _getframe(1)
        one = tracker.call_begins(self, args or tuple(kwargs.values()), frame)
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
        tracker = observer.only
        if tracker is None:
            tracker = local.tracker
        if tracker.depth:
            return original(tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)
        site = None
        try:
            if (
                tracker.calm
                and type(tensors) is Tensor
                and grad_tensors is None
                and grad_variables is None
                and not is_dynamo_compiling()
                and not _functions()
                and not _dispatches()
            ):
                # Where the last pass ran; asked for a frame, Python makes an object of it, and of none between.
                try:
                    frame = _getframe(tracker.line_depth)
                except ValueError:
                    frame = _getframe(1)
                if frame.f_lasti != tracker.line_at or frame.f_code is not tracker.line_code:
                    frame = _getframe(1)
                    tracker.line_depth = 1
                    if frame.f_code is method and frame.f_back is not None:
                        frame = frame.f_back
                        tracker.line_depth = 2
                    _learn_line(tracker, frame)
                site = tracker.line
                if site is not None:
                    told = tensors if tracker.scaled is None or tracker.scaled[0] is not tensors else tracker.scaled[1]
                    if told.is_cpu:
                        try:
                            loss: Any = _item(told)
                        except RuntimeError:
                            site = None  # more than one number
                        else:
                            if loss - loss and not observer.broken:
                                site = None  # the first that is no finite number: where it came from is looked for
                    else:
                        loss = tracker.loss_of(told, None)
                if site is not None:
                    if site.way != "optimizer":
                        if not tracker.begins_by_hand(site):
                            site = None
                    elif (tracker.quick_site is not None or tracker._pending) and not tracker.joins_those_that_wait():  # noqa: SLF001
                        site = None
                if site is not None:
                    if tracker.line_tells_epochs and tracker.loader is None:
                        tracker.count_epochs(frame)
                    observer.backward_calls += 1
                    tracker.quick_passes.clear()
        except Exception as error:  # noqa: BLE001 - a fault of ours must not be the program's
            observer.give_up(error)
            return original(tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)
        if site is None:
            return slow(tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)
        tracker.depth += 1
        try:
            original(tensors, grad_tensors, retain_graph, create_graph, grad_variables, inputs)
        except BaseException:
            tracker.forget()
            raise
        finally:
            tracker.depth -= 1
        if site.way == "optimizer":
            tracker.loss = loss
            tracker.quick_site = site
            return None
        try:
            _ended_by_hand(tracker, site, loss, tensors, inputs, frame)
        except Exception as error:  # noqa: BLE001
            observer.give_up(error)
        return None

    return run


def _learn_line(tracker: "Tracker", frame: FrameType) -> None:
    """Where a backward pass runs, if it has been often enough to know how parameters are updated after it."""
    code = frame.f_code
    site = tracker.sites.get((id(code), frame.f_lasti))
    if site is None or site.seen <= LEARNED or site.way not in _QUICK_WAYS:
        tracker.line = tracker.line_code = None
    else:
        tracker.line, tracker.line_code, tracker.line_at = site, code, frame.f_lasti
        if site.code is not code:
            site.code, site.names_epochs = code, names_epochs(code)
        tracker.line_tells_epochs = site.names_epochs or (code.co_name == "<module>" and "epoch" in frame.f_globals)


def _ended_by_hand(tracker: "Tracker", site: Site, loss: Any, tensors: Any, inputs: Any, frame: FrameType) -> None:
    """A backward pass is over whose update comes by hand."""
    if tracker.reached():
        tracker.loss = loss
        tracker.quick_site = site
        return
    one = Backward(loss, site, witness=tracker.witness, version=tracker.version)  # the loop has made new parameters
    one.gradient = gradient = one.witness.grad if one.witness is not None else None
    one.gradient_version = gradient._version if gradient is not None else 0
    tracker.forget()
    tracker.after_backward(one, tensors, inputs, None, frame)


def next(observer: "Observer", original: Callable[..., Any]) -> Callable[..., Any]:
    """``next`` of a loader's iterator: the data phase."""
    local = observer.local
    assert local is not None

    @functools.wraps(original)
    def __next__(self: Any) -> Any:  # noqa: N807
        tracker = observer.only
        if tracker is None:
            tracker = local.tracker
        if tracker.depth:
            return original(self)
        quickly = tracker.calm and not tracker.quick_passes and not _functions()
        try:
            if quickly:
                quickly = (tracker.quick_site is None and not tracker._pending) or tracker.begins_quickly()  # noqa: SLF001
            if quickly:
                tracker.plain = False
            else:
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
            loader = tracker.loader
            if tracker.calm and loader is not None and loader.iterator() is self and not _functions():
                rows = rows_in(batch)
                if tracker.quick_site is not None or tracker._pending:  # noqa: SLF001 - its own
                    rows += tracker.rows  # a further batch of the same step
                tracker.rows = rows
            else:
                tracker.data_ends(batch, observer.passes_of_loaders.get(self), _getframe(1))
        except Exception as error:  # noqa: BLE001
            observer.give_up(error)
        return batch

    return __next__


def update_ends(observer: "Observer") -> Callable[[Optimizer, Any, Any], None]:
    """Called after any optimizer's step."""
    local = observer.local
    assert local is not None

    def update_ends(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        tracker = observer.only
        if tracker is None:
            tracker = local.tracker
        if tracker.depth:
            return
        try:
            site = tracker.quick_site
            if (
                site is not None
                and tracker.calm
                and site.way == "optimizer"
                and (tracker.last_optimizer() is optimizer or id(optimizer) in tracker.known_optimizers)
                and not tracker._pending  # noqa: SLF001
            ):
                rate = optimizer.param_groups[0]["lr"]
                if type(rate) is float and tracker.close_quickly(_clock(), rate):
                    return
            tracker.update_ends(optimizer, _getframe(1))
        except Exception as error:  # noqa: BLE001 - a fault of ours must not be the program's
            observer.give_up(error)

    return update_ends
