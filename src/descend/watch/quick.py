"""The quick ways through a step that nobody looks at, which are nearly all steps of a long run.

Each does the whole of what its slow counterpart would, or nothing and says so. They are written without calls, because a call
costs more than what most of these lines do.
"""

import time
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from descend.watch.backward import Backward
from descend.watch.steps import FLUSH, LEARNED, Steps

_clock = time.perf_counter
_item = torch._C.TensorBase.item
_functions = torch._C._len_torch_function_stack  # noqa: SLF001
_gradients_on = torch.is_grad_enabled
_dispatches = torch._C._len_torch_dispatch_stack  # noqa: SLF001


class QuickSteps(Steps):
    """Steps of one thread, taken quickly while it is calm."""

    def passes_quickly(self, module: nn.Module, args: tuple[Any, ...]) -> bool:
        """Whether this call is the first since the last step, in a step that nobody looks at: then only that it was is noted."""
        if not self.calm or self.quick_pass is not None or not _gradients_on() or _functions():
            return False
        self.quick_pass = module
        self.plain = False
        if self.loader is None and args and isinstance(args[0], Tensor) and args[0].ndim:
            self.rows = args[0].shape[0]
        return True

    def quick_backward(self, tensors: Any, frame: FrameType) -> Backward | None:  # noqa: C901 - calls would cost more
        """A backward pass of a line that is known, in a step that nobody looks at: what nearly all passes of a long run are.

        None where anything is out of the ordinary, and nothing has been done then. Written without calls, which would cost more
        than what they do.
        """
        site = self.sites.get((id(frame.f_code), frame.f_lasti))
        if site is None or site.seen <= LEARNED or _functions() or _dispatches():
            return None
        if type(tensors) is not Tensor or not tensors.is_cpu:
            return None
        witness = None
        if site.way == "version":
            last = self.pending[0] if len(self.pending) == 1 else None
            if last is None or last.site is not site:
                return None
            witness = last.witness
            if witness is None or witness._version == last.version:  # noqa: SLF001
                return None
        elif site.way != "optimizer":
            return None
        if self.loader is None:
            self.count_epochs(frame)
        if self.scaled is not None and self.scaled[0] is tensors:
            tensors = self.scaled[1]
        try:
            loss = _item(tensors)
        except RuntimeError:  # more than one number
            return None
        if loss - loss != 0 and not self.observer.broken:  # not finite, for the first time
            return None
        if witness is not None and not self.close_quickly(_clock()):
            return None
        self.observer.backward_calls += 1
        self.quick_pass = None
        one = Backward(loss, site)
        if witness is not None:
            one.witness = witness
            one.version = witness._version  # noqa: SLF001
            one.gradient = gradient = witness.grad
            if gradient is not None:
                one.gradient_version = gradient._version  # noqa: SLF001
        return one

    def quick_update(self, optimizer: Optimizer) -> bool:
        """``update_ends`` of the optimizer that stepped last, where nothing is out of the ordinary; else nothing is done."""
        pending = self.pending
        if not self.calm or len(pending) != 1 or optimizer is not self.optimizer or pending[0].site.way != "optimizer":
            return False
        rate = optimizer.param_groups[0]["lr"]
        if type(rate) is not float:
            return False
        self.rate = rate
        return self.close_quickly(_clock())

    def close_quickly(self, at: float) -> bool:
        """``close`` for a step of one backward pass that nobody looked at, when nothing is due after it; else nothing is done."""
        observer = self.observer
        loader = self.loader
        if not self.calm or self.started is None or observer.step + 3 >= self._next_candidate:
            return False
        if loader is not None and not loader.trained:
            return False
        one = self.pending.pop()
        if one.site.way != "optimizer":
            self.rate = one.site.rate
        if self.rows:
            self.last_rows = self.rows
            self.rows = 0
        done = (one.loss, self.rate, at - self.started, self.last_rows, self._epoch or 1)
        if observer.threaded:
            with observer.lock:
                observer.step += 1
                observer.done.append(done)
        else:
            observer.step += 1
            observer.done.append(done)
        if at - observer.last_flush > FLUSH:
            observer.flush()
        self.plain = True
        self.scaled = None
        self.started = at
        return True
