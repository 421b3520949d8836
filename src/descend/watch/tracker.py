"""What the hooks of one thread tell: batches, forward and backward passes, updates, zeroed gradients."""

import time
import weakref
from collections.abc import Callable
from math import isfinite
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from descend.watch.backward import Backward
from descend.watch.batches import LoaderPass, rows_in, tensors_in
from descend.watch.function_mode import tap
from descend.watch.graph import has_graph, inputs_of, is_leaf, leaves_of, plain, tensors_of
from descend.watch.passes import Pass
from descend.watch.places import NOWHERE
from descend.watch.quiet import hidden
from descend.watch.steps import LEARNED, Steps

_clock = time.perf_counter


class Tracker(Steps):
    """One thread as its hooks see it. ``Steps`` decides what it all adds up to."""

    @hidden
    def data_begins(self, frame: FrameType | None) -> None:
        """The next batch is asked for."""
        self.boundary()
        self.plain = False
        if self.quick_passes:
            self.passes_slowly(frame)
        if self.waiting:
            self.passes.all_to_evaluation(frame)
            self.started = _clock()
            if self.detail is not None:
                self.detail.restart()
        elif self.started is None:
            self.started = _clock()
        if self.detail is not None:
            self.detail.timeline.begins(_clock(), "data")
            self._hear_nothing()  # how a loader makes a batch is none of the step's operations

    @hidden
    def data_over(self) -> None:
        """The loader has returned, or has no more batches."""
        self._hear_again()

    @hidden
    def data_ends(self, batch: Any, loader: LoaderPass | None, frame: FrameType | None) -> None:
        self.rows = rows_in(batch) + (self.rows if self.pending else 0)
        self.loader = loader or self.loader
        detail = self.detail
        if detail is not None:
            detail.timeline.ends(_clock(), "data", self.observer.places.place(frame), "data")
            detail.batch.clear()
            detail.batch.whole = True
            detail.batch.see(tensors_in(batch))
            found = self.loader.loader if self.loader is not None else None
            detail.tell("batch", batch, detail.step, found() if found is not None else None, frame)
            detail.timeline.resume()

    @hidden
    def loader_begins(self, frame: FrameType | None) -> None:
        """A new iteration of a loader: what was being evaluated is over."""
        self.boundary()
        self.loader = None  # even if its iterator is the one it had: that of workers which stay
        if self.quick_passes:
            self.passes_slowly(frame)
        if self.waiting or self.passes.is_open:
            self.passes.all_to_evaluation(frame)
            self.observer.tell_evaluation(self.passes)
            self.started = _clock()
            if self.detail is not None:
                self.detail.restart()

    @hidden
    def call_begins(self, module: nn.Module, inputs: Any, frame: FrameType | None) -> Pass | float:
        """A module is called by the user's code, outside of any other: a pass, or a loss or activation without parameters."""
        started = _clock()
        parts = module.__dict__
        if not (parts.get("_modules") or parts.get("_parameters")):
            return started
        self.boundary()
        self.plain = False
        if self.calm and not self.quick_passes and torch.is_grad_enabled():  # a step by hand was over only now
            self.quick_passes.append((module, module.training))
            self.rows = self.rows or rows_in(inputs)
            return started
        self.calm = False
        if self.quick_passes:
            self.passes_slowly(frame)
        self.observer.hooks.watch_root(type(module))
        own = self.observer.places.nearest(frame)
        place = self.observer.places.place_in(own) if own is not None else NOWHERE
        detail = self.detail
        if detail is not None:
            started = _clock()
            detail.timeline.begins(started, "forward", fresh=True)
            detail.timeline.now.passes += 1
            detail.timeline.resume()
        if self.started is None:
            self.started = started
        one = Pass(module, torch.is_grad_enabled(), place, started)
        self.passes.begins(one, inputs)
        if not one.gradients or self.waiting or self.passes.is_open:
            one.closely = self.passes.closely(place, self.observer.step)
            self.observer.hooks.read(True)
            if one.closely:
                self._look_at_layers(one, module)
        return one

    def _look_at_layers(self, one: Pass, module: nn.Module) -> None:
        """What may be an evaluation begins."""
        one.look = self.passes.look(module, one.place, self.observer.step, self.observer.places)
        if one.look is not None:
            began = _clock()
            self.marks.leave()
            self.passes.listen(one.look)
            self.observer.spent += _clock() - began

    @hidden
    def call_ends(self, one: Pass | float, module: nn.Module, args: Any, output: Any, frame: FrameType | None) -> None:
        ended = _clock()
        detail = self.detail
        if isinstance(one, float):
            if detail is not None:
                detail.module_called(module, output)
                if isinstance(output, Tensor) and not self.updated and not detail.timeline.in_tail:
                    detail.batch.guess(tensors_in(args))
                    place = self.observer.places.place(frame)
                    detail.timeline.operation(one, ended, place, id(output), gradient=has_graph(output))
                    detail.timeline.resume()
            return
        one.ended = ended
        if one.look is not None:
            self.passes.heard()
            self.marks.follow()
        if len(self.waiting) < LEARNED:
            one.inputs = args
            one.output = None if one.gradients else output
        self.passes.ends(one, output)
        if not self.rows and args:
            self.rows = rows_in(args)
        if detail is not None:
            detail.timeline.ends(ended, "forward", one.place, "loss")
            detail.root_called(module, output, tensors_in(args), frame)
            trained = [each for each in module.parameters() if each.requires_grad]
            if all(
                map(is_leaf, trained)
            ):  # else others stand in for them, which were computed from what a backward pass reaches
                one.parameters = frozenset(id(plain(each)) for each in trained)
            detail.timeline.resume()
            detail.cost += _clock() - ended

    @hidden
    def before_backward(  # noqa: C901 - in the order in which things happen
        self, tensors: Any, weights: Any, inputs: Any, frame: FrameType | None, *, returned: bool
    ) -> Backward:
        """A backward pass begins; ``inputs`` are given where it is not to reach all leaves."""
        frame = self.observer.places.nearest(frame)
        at = _clock()
        observer = self.observer
        observer.backward_calls += 1
        before = self.detail
        if self.updated:
            self.close(at)
        for thrown in [each for each in self.pending if each.thrown]:
            self.look(thrown)
        site = self.site_of(frame)
        leaves: list[Tensor] | None = None
        if self.pending and not self.optimizing and self.pending[-1].site.way != "optimizer":
            leaves = leaves_of(tensors, inputs) if self.detail is not None else None
            self.settle(site, leaves)
        if self.detail is not before and self.detail is not None:
            self.detail.late |= not self.detail.timeline.now.seconds  # its forward pass has run unseen
            at = _clock()
        self.marks.follow()
        if self.loader is None and frame is not None:
            self.count_epochs(frame)
        self.quick_passes.clear()
        if self.waiting or self.passes.is_open:
            if leaves is None and self.detail is not None:
                leaves = leaves_of(tensors, inputs)
            self._evaluation_ends(frame, leaves)
        one = Backward(self.loss_of(tensors, weights), site)
        if self.optimizing:
            one.closure = site.closure = True
        if returned:
            one.returned = True
        if type(one.loss) is float and not isfinite(one.loss):
            observer.not_finite(tensors, lambda: leaves_of(tensors, inputs), frame)
        site.seen += 1
        known = site.way in ("optimizer", "rebound") or (self.detail is None and one.hold_witness())
        if self.detail is None and (site.seen <= LEARNED or not known):
            self.new_detail(None, late=True)  # late, but the names and the way of updating are found
        detail = self.detail
        if detail is not None:
            detail.timeline.backward_begins(at, {id(tensor) for tensor in tensors_in(tensors)})
            self._look_closer(one, leaves_of(tensors, inputs) if leaves is None else leaves, frame)
            if returned:
                detail.given(tensors_of(inputs))
            spent = _clock() - at
            detail.tell("backward_begins", tensors, one.leaves, detail.step, frame)
            detail.timeline.resume()
            detail.cost += spent
        else:
            observer.spent += _clock() - at
        return one

    def _evaluation_ends(self, frame: FrameType | None, leaves: list[Tensor] | None) -> None:
        """Training goes on: what is not of this step was an evaluation."""
        self.calm = False
        self.observer.hooks.read(False)
        ended = self.passes.last_ended
        examined, own = self.passes.step_begins(frame, 0 if self.observer.threaded else self.observer.step, leaves)
        if examined and self.loader is None:  # the rows that were noted are the evaluation's
            self.rows = rows_in(own[0].inputs) if own else 0
        if examined and self.detail is not None:
            spent = sum(one.ended - one.started for one in examined)
            self.detail.timeline.leave_out(spent, own[0].place if own else NOWHERE)
        if self.passes.is_open:
            self.started = max(self.started or 0.0, ended, self.passes.last_ended)
            self.observer.tell_evaluation(self.passes)
        self.observer.reads.forget()

    @hidden
    def after_backward(self, one: Backward, tensors: Any, inputs: Any, returned: Any, frame: FrameType | None) -> None:
        """It is over; ``returned`` are the gradients that ``torch.autograd.grad`` returned, else None."""
        at = _clock()
        self.pending.append(one)
        detail = self.detail
        if detail is None:
            if one.witness is None or one.reached_witness(inputs_of(inputs)):
                return
            self.new_detail(None, late=True)
            detail = self.detail
            assert detail is not None
            detail.timeline.in_tail = True
            self._look_closer(one, leaves_of(tensors, inputs), self.observer.places.nearest(frame))
        else:
            one.index = len(detail.timeline.segments)
            detail.timeline.backward_ends(at, one.site.place)
        if self.optimizing:
            detail.closure_gradients(self.optimizers.values())
        elif one.site.way != "optimizer":
            gradients = [leaf.grad for leaf in one.leaves] if returned is None else tensors_of(returned)
            detail.backward_ends(one.leaves, gradients, copies=True)
            self.marks.gradients_came(gradients)
        spent = _clock() - at
        detail.tell("backward_ends", tensors, one.leaves, detail.step, frame)
        detail.timeline.resume()
        detail.cost += spent

    def _look_closer(self, one: Backward, leaves: list[Tensor], frame: FrameType | None) -> None:
        """Note the leaves of a backward pass, their names, and their values before an update."""
        detail = self.detail
        assert detail is not None
        one.leaves = leaves
        by_hand = one.site.way != "optimizer"
        if by_hand:
            one.hold(leaves)
        detail.backward_begins(leaves, frame, keep=by_hand)
        if not self.rows and detail.batch.tensors:
            self.rows = len(detail.batch.tensors[0])

    @hidden
    def optimizer_made(self) -> None:
        """What it trains may be new: the next steps are looked at, from the beginning of the first on."""
        if not self.observer.has_time_for_another_optimizer():
            return
        self.boundary()
        self.passes.begin_anew()
        self.learning = LEARNED
        if self.detail is None and not (self.pending or self.optimizing):
            self.prepare(after=self.observer.step)

    @hidden
    def update_begins(self, optimizer: Optimizer, frame: FrameType | None, *, closure: bool) -> None:
        """Told at sampled steps only. With a ``closure`` a whole step begins."""
        if closure and self.updated:
            self.close(_clock())
        self.optimizing = True
        self.calm = False
        detail = self.detail
        if detail is not None:
            at = _clock()
            detail.timeline.begins(at, "update")
            detail.update_begins(optimizer, self.observer.places.nearest(frame))
            if not closure and _is_pytorchs(optimizer):
                if self.observer.recorder is not None:
                    self.observer.recorder.mute(True)
                self._hear_nothing()
            detail.timeline.resume()
            detail.cost += _clock() - at

    @hidden
    def update_ends(self, optimizer: Optimizer, frame: FrameType | None) -> None:
        if self.detail is not None:
            if self.observer.recorder is not None:
                self.observer.recorder.mute(False)
            self._hear_again()
        pending = self.pending
        self.optimizing = False
        if not pending:
            self.observer.updates_alone += 1
            return
        rate = optimizer.param_groups[0]["lr"]
        self.rate = rate if type(rate) is float else float(rate)
        self.optimizers[id(optimizer)] = optimizer
        if id(optimizer) not in self.known_optimizers:
            self._know(optimizer)
            self.calm = False
            if self.observer.has_time_for_another_optimizer():
                self.learning = LEARNED  # the names of its parameters are not known: the next steps are looked at
        if self.detail is None:
            for one in self.pending:
                one.site.way = "optimizer"
            if self.observer.hooks.close:
                self.updated, self.calm = True, False
            else:
                self.close(_clock())  # now: nobody will tell when the next step begins
        else:
            self.updated = True
            for one in self.pending:
                one.site.way = "optimizer"
            self.detail.timeline.ends(_clock(), "update", self.observer.places.place(frame), "")
            self.detail.tell("update_ends", optimizer, self.detail.step, frame)

    @hidden
    def zero_begins(self, parameters: Callable[[], list[Tensor]], frame: FrameType | None) -> None:
        """Gradients are about to be thrown away; those of a backward that was never used make it a look."""
        if self.pending and not self.updated and not self.optimizing:
            thrown = {id(parameter) for parameter in parameters()}
            held = [one for one in self.pending if one.leaves and not one.returned]  # by the leaves, that is
            for one in [one for one in held if all(id(leaf) in thrown for leaf in one.leaves)]:
                if not one.was_updated(self.detail.parameters if self.detail is not None else None):
                    one.thrown = True  # a look, unless an optimizer steps all the same
        if self.detail is not None:
            self.detail.tell("zeroed", parameters(), self.detail.step, frame)
            self.detail.timeline.begins(_clock(), "zero")

    @hidden
    def zero_ends(self, frame: FrameType | None) -> None:
        if self.detail is not None:
            self.detail.timeline.ends(_clock(), "zero", self.observer.places.place(frame))

    def _know(self, optimizer: Optimizer) -> None:
        """Until it is gone, and another one may stand at its place in memory."""
        self.has_optimizer = True
        known, key = self.known_optimizers, id(optimizer)
        known[key] = self.last_optimizer = weakref.ref(optimizer, lambda _: known.pop(key, None))

    def _hear_nothing(self) -> None:
        """Take the function modes off for a while, as hearing takes time."""
        self.marks.leave()
        self.deaf = tap().pause() or self.deaf

    def _hear_again(self) -> None:
        if self.deaf:
            self.deaf = False
            tap().resume()
        self.marks.follow()


def _is_pytorchs(optimizer: Optimizer) -> bool:
    """Whether its ``step`` is PyTorch's own; what one of the script's computes is the script's."""
    return type(optimizer).__module__.startswith("torch.optim")
