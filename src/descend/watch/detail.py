"""One sampled step, looked at closely: its phases, batch, modules, parameters, and at steps 1, 10, 100 … all of its tensors."""

import math
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from descend.record.events import Event, ModuleCalls, ParameterNorms, ParametersSeen, PhaseTimes, Snapshot
from descend.watch.backward import Backward
from descend.watch.batches import Batch
from descend.watch.facts.moments import Moments
from descend.watch.graph import plain
from descend.watch.kept import WHOLE, KeptParameters
from descend.watch.names import Names
from descend.watch.operation_values import has_plain_values
from descend.watch.places import Places
from descend.watch.quiet import hidden, quiet
from descend.watch.rates import as_written, off_by, plain_rate
from descend.watch.timeline import Timeline

_OUTPUTS = 16 * 2**20  # bytes of layers' outputs that a snapshot keeps


class Detail:
    """What is known of the step that runs now. ``cost`` is the time that looking took, counted in no phase."""

    def __init__(
        self,
        names: Names,
        places: Places,
        moments: Moments,
        started: float | None,
        *,
        step: int,
        snapshot: bool,
        thorough: bool,
        late: bool,
    ) -> None:
        self.names, self.places, self.snapshot, self.late = names, places, snapshot, late
        self.step = step
        self._moments = moments
        self._thorough = thorough  # every module's call is told too, which takes its time inside the forward pass
        self.timeline = Timeline(started)
        self.parameters = KeptParameters()
        self.batch = Batch(copy=snapshot)
        self.optimizers: dict[int, Optimizer] = {}
        self.numbers: list[float] = []
        self.cost = 0.0
        self._calls: dict[
            tuple[int, bool], tuple[str, int]
        ] = {}  # by identity and mode: class, how often; the module itself may be let go of
        self._modules: dict[int, str] = {}
        self._outputs: dict[int, Tensor] = {}
        self._state_before: dict[str, Tensor] = {}
        self._given: dict[int, weakref.ref[Tensor]] = {}

    def restart(self) -> None:
        """What has run so far was an evaluation."""
        self.timeline = Timeline(None)
        self.batch = Batch(copy=self.snapshot)
        self._calls.clear()
        self._outputs.clear()

    def tell(self, moment: str, *values: Any) -> None:
        """Tell those who collect facts of a moment of this step."""
        self.cost += self._moments.tell(moment, *values)

    @hidden
    def module_called(self, module: nn.Module, output: Any) -> None:
        """A module inside another was called."""
        key = (id(module), module.training)
        name, times = self._calls.get(key, (type(module).__name__, 0))
        self._calls[key] = (name, times + 1)
        is_leaf = not module._modules  # noqa: SLF001 - children() would be a call of the user's
        if (
            self.snapshot
            and is_leaf
            and isinstance(output, Tensor)
            and id(module) not in self._outputs
            and has_plain_values(output)
        ):
            room = _OUTPUTS - sum(kept.nbytes for kept in self._outputs.values())
            if output.nbytes <= room:
                with quiet():
                    self._outputs[id(module)] = output.detach().to("cpu", copy=True)
        if self._thorough:
            self.tell("module_called", module, output, self.step)

    def given(self, tensors: Sequence[Tensor]) -> None:
        """Tensors that a model takes, or that something is differentiated by: not what an optimizer's step trains."""
        self._given.update((id(tensor), weakref.ref(tensor)) for tensor in tensors)

    def root_called(self, module: nn.Module, output: Any, inputs: list[Tensor], frame: FrameType | None) -> None:
        """A module with parameters was called by the user's code."""
        self.module_called(module, output)
        self.given(inputs)
        if id(module) not in self._modules:
            self._modules.update(self.names.modules_of(module, frame))
        if torch.is_grad_enabled():  # else it may be an evaluation before the step
            if not self.batch.tensors:
                self.batch.see(inputs)
            self.tell("root_called", module, inputs, output, self.step, frame)

    def backward_begins(self, leaves: Sequence[Tensor], frame: FrameType | None, *, keep: bool) -> None:
        self.names.learn(leaves, frame)
        self.batch.name(self.names, frame)
        if keep:
            self.parameters.keep(leaves)
            self.numbers = self.names.numbers(frame)

    def backward_ends(self, leaves: Sequence[Tensor], gradients: Sequence[Tensor | None], *, copies: bool) -> None:
        self.parameters.take_gradients(zip(leaves, gradients, strict=False), copies=copies or self.snapshot)

    def update_begins(self, optimizer: Optimizer, frame: FrameType | None) -> None:
        trained = optimizer_parameters(optimizer)
        self.names.learn(trained, frame)
        self.tell("update_begins", optimizer, self.step, frame)
        self.parameters.keep(trained)
        self.parameters.take_gradients(((one, one.grad) for one in trained), copies=self.snapshot)
        if id(optimizer) not in self.optimizers:
            self.optimizers[id(optimizer)] = optimizer
            if self.snapshot:
                self._state_before |= self._state("state_before", optimizer)

    def closure_gradients(self, optimizers: Iterable[Optimizer]) -> None:
        """A backward inside ``optimizer.step(closure)`` is over: only now are this step's gradients there."""
        for optimizer in optimizers:
            trained = optimizer_parameters(optimizer)
            self.parameters.take_gradients(((one, one.grad) for one in trained), copies=self.snapshot)

    def rate(self, leaves: Sequence[Tensor], after: Sequence[Tensor], before: float) -> float:
        """The learning rate of a plain update by hand, ``before`` in the last such; NaN where the update is anything else."""
        changes, gradients, values = [], [], []
        for leaf, new in zip(leaves, after, strict=False):
            kept = self.parameters.by_id.get(id(leaf))
            if kept is not None and kept.gradient is not None and new.shape == kept.before.shape:
                with quiet():
                    changes.append(kept.now(new) - kept.before)
                gradients.append(kept.gradient)
                values.append(kept.before)
        rate = plain_rate(changes, gradients, values) if changes else math.nan
        if not math.isfinite(rate):
            return rate
        written = as_written(rate, self.numbers)
        if written == rate and abs(before - rate) <= off_by(gradients, values):
            return before
        return written

    def events(
        self,
        step: int,
        epoch: int,
        loss: float,
        counted: Sequence[Backward],
        replaced: dict[int, Tensor | None],
        outside: Mapping[str, Tensor],
    ) -> list[Event]:
        """Everything that was seen, as events of ``step``.

        ``counted`` are the backward passes that it consists of; ``replaced``: what took the place of a parameter, by identity;
        ``outside``: tensors that its operations were given and that have no name, for the snapshot.
        """
        started = time.perf_counter()
        seconds, places = self.timeline.totals({one.index for one in counted})
        used = [id(one) for optimizer in self.optimizers.values() for one in optimizer_parameters(optimizer)]
        used += [id(leaf) for one in counted for leaf in one.leaves if not (used and self._is_input(leaf))]
        by_id = self.parameters.by_id
        kept = [by_id[key].tensor for key in dict.fromkeys(used) if key in by_id]
        seen = self.names.tell(kept)
        events: list[Event] = [ParametersSeen(step, tuple(seen))] if seen else []
        if not self.late:  # else only the end of the step was timed
            events.append(PhaseTimes(step, seconds, places))
        named = [(self.names.name_of(tensor), tensor, replaced.get(id(tensor), tensor)) for tensor in kept]
        named = [row for row in named if row[0]]
        if rows := self.parameters.rows(named):
            events.append(ParameterNorms(step, tuple(rows)))
        events += self.batch.events(step)
        if self._calls:
            events.append(ModuleCalls(step, tuple(self._call_rows())))
        if self.snapshot:
            events.append(self._snapshot(step, epoch, loss, named, outside))
        self.cost += time.perf_counter() - started
        return events

    def _is_input(self, leaf: Tensor) -> bool:
        """Whether a leaf that no optimizer has is an input that gradients are taken of, as for a gradient penalty."""
        known = self._given.get(id(leaf))
        return known is not None and known() is leaf and not isinstance(leaf, nn.Parameter)

    def _call_rows(self) -> list[tuple[str, str, bool, int]]:
        return [
            (self._modules.get(key, name), name, training, times)
            for (key, training), (name, times) in self._calls.items()
        ]

    def _snapshot(
        self,
        step: int,
        epoch: int,
        loss: float,
        named: list[tuple[str, Tensor, Tensor | None]],
        outside: Mapping[str, Tensor],
    ) -> Snapshot:
        tensors = {**self.batch.copies(), **outside, **self._state_before}
        tensors |= {f"output.{self._modules[key]}": out for key, out in self._outputs.items() if key in self._modules}
        left_out = []
        with quiet():
            tensors["loss"] = Tensor([loss]).reshape(())
            for name, tensor, after in named:
                kept = self.parameters.by_id[id(tensor)]
                if not kept.whole:
                    left_out.append(name)
                    continue
                tensors[f"before.{name}"] = kept.before.to("cpu")
                if kept.gradient is not None:
                    tensors[f"gradient.{name}"] = kept.gradient.to("cpu")
                if after is not None:
                    tensors[f"after.{name}"] = plain(after).detach().to("cpu", copy=True)
        for optimizer in self.optimizers.values():
            tensors |= self._state("state_after", optimizer)
        note = f"left out, because the parameters are larger than {WHOLE >> 20} MB: {', '.join(left_out)}"
        return Snapshot(step, epoch, tensors, note if left_out else "")

    def _state(self, prefix: str, optimizer: Optimizer) -> dict[str, Tensor]:
        """The optimizer's state by kind and parameter, up to the size that parameters are copied whole in."""
        found: dict[str, Tensor] = {}
        room = 2 * WHOLE
        with quiet():
            for parameter, state in list(optimizer.state.items()):
                if not isinstance(parameter, Tensor) or not isinstance(state, dict):
                    continue
                name = self.names.name_of(parameter)
                for kind, value in state.items():
                    if type(value) is Tensor and name and value.nbytes <= room:
                        room -= value.nbytes
                        found[f"{prefix}.{kind}.{name}"] = value.detach().to("cpu", copy=True)
        return found


def optimizer_parameters(optimizer: Optimizer) -> list[Tensor]:
    """Every tensor that the optimizer updates, in its order."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
