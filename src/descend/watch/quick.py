"""The quick ways through a step that nobody looks at, which are nearly all steps of a long run.

Each does the whole of what its slow counterpart would, or nothing and says so. They are written without calls, because a call
costs more than what most of these lines do; those of a module's call and of an optimizer's end stand in the wrappers themselves.
"""

import time
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from descend.watch.backward import Backward
from descend.watch.batches import rows_in
from descend.watch.steps import FLUSH, LEARNED, Steps, may_tell_epochs

_clock = time.perf_counter
_item = torch._C.TensorBase.item
_functions = torch._C._len_torch_function_stack  # noqa: SLF001
_dispatches = torch._C._len_torch_dispatch_stack  # noqa: SLF001


class QuickSteps(Steps):
    """Steps of one thread, taken quickly while it is calm."""

    def data_begins_quickly(self) -> bool:
        """``data_begins`` of a step that nobody looks at; an update by hand that has come is noticed."""
        if not self.calm or self.quick_passes or self.started is None or self.passes.waiting or _functions():
            return False
        pending = self.pending
        if pending and pending[-1].site.way != "optimizer":
            one = pending[0]
            witness = one.witness
            moved = witness is not None and witness._version != one.version
            if len(pending) > 1 or not moved or not self.close_quickly(_clock(), one.site.rate):
                return False
        self.plain = False
        return True

    def data_ends_quickly(self, batch: Any, iterator: Any) -> bool:
        """``data_ends`` of a step that nobody looks at, where the batch comes from the same iterator as the one before."""
        loader = self.loader
        if not self.calm or loader is None or loader.iterator() is not iterator or _functions():
            return False
        self.rows = rows_in(batch)
        return True

    def quick_backward(self, tensors: Any, frame: FrameType) -> Backward | None:  # noqa: C901, PLR0912 - calls would cost more
        """A backward pass of a line that is known, in a step that nobody looks at: what nearly all passes of a long run are.

        None where anything is out of the ordinary, and nothing has been done then.
        """
        code = frame.f_code
        site = self.line
        if site is None or code is not self.line_code or frame.f_lasti != self.line_at:
            site = self.sites.get((id(code), frame.f_lasti))
            if site is None or site.seen <= LEARNED:
                return None
            self.line, self.line_code, self.line_at = site, code, frame.f_lasti
            self.line_tells_epochs = may_tell_epochs(code)
        if type(tensors) is not Tensor or _functions() or _dispatches():
            return None
        pending = self.pending
        witness, version = None, 0
        if site.way == "version":
            last = pending[0] if len(pending) == 1 else None
            if last is None or last.site is not site:
                return None
            witness = last.witness
            if witness is None:
                return None
            version = witness._version
            if version == last.version:
                return None
        elif site.way != "optimizer":
            return None
        if self.scaled is not None and self.scaled[0] is tensors:
            tensors = self.scaled[1]
        try:
            loss = _item(tensors) if tensors.is_cpu else self.loss_of(tensors, None)
        except RuntimeError:  # more than one number
            return None
        if type(loss) is float and loss - loss != 0 and not self.observer.broken:
            return None  # the first that is no finite number: where it came from is looked for
        if witness is not None and not self.close_quickly(_clock(), site.rate):
            return None
        if self.line_tells_epochs and self.loader is None:
            self.count_epochs(frame)
        self.observer.backward_calls += 1
        self.quick_passes.clear()
        one = self.spare
        if one is None or pending or one.witness is not witness:
            one = self.spare = Backward(loss, site)
        else:  # the last step's, which nobody needs any more
            one.loss = loss
            one.site = site
        if witness is not None:
            one.witness = witness
            one.version = version
            one.gradient = gradient = witness.grad
            if gradient is not None:
                one.gradient_version = gradient._version
        return one

    def close_quickly(self, at: float, rate: float) -> bool:
        """``close`` for a step of one backward pass that nobody looked at, when nothing is due after it; else nothing is done."""
        observer = self.observer
        loader = self.loader
        started = self.started
        if not self.calm or started is None:
            return False
        if observer.step + 3 >= self.next_candidate:
            self.next_candidate = observer.heeded(self.next_candidate, at)
            if observer.step + 3 >= self.next_candidate:
                return False
        if loader is not None and not loader.trained:
            return False
        self.rate = rate
        rows = self.rows
        if rows:
            self.last_rows = rows
            self.rows = 0
        done = (self.pending.pop().loss, rate, at - started, rows or self.last_rows, self.epoch)
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
