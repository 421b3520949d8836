"""The fixture ``watch``: runs a small program twice, alone and watched, and compares."""

import inspect
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
import torch

from descend.record.events import (
    Event,
    ParameterNorms,
    ParametersSeen,
    PhaseTimes,
    Snapshot,
    StepsDone,
    Unseen,
)
from descend.watch.observer import Observer

Kind = TypeVar("Kind")


@dataclass
class Watched:
    """What an observer told of one program, and what the program returned."""

    events: list[Event]
    observer: Observer
    result: Any
    program: Callable[[], Any]

    def line(self, text: str) -> tuple[str, int]:
        """File and line of the first line of the program that contains ``text``."""
        lines, first = inspect.getsourcelines(self.program)
        return inspect.getsourcefile(self.program) or "", next(
            first + i for i, line in enumerate(lines) if text in line
        )

    def all(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def losses(self) -> list[float]:
        return [loss for event in self.all(StepsDone) for loss in event.losses]

    @property
    def rates(self) -> list[float]:
        return [rate for event in self.all(StepsDone) for rate in event.rates]

    @property
    def epochs(self) -> list[int]:
        return [epoch for event in self.all(StepsDone) for epoch in event.epochs or [event.epoch] * len(event.losses)]

    @property
    def rows(self) -> list[int]:
        return [rows for event in self.all(StepsDone) for rows in event.rows]

    @property
    def names(self) -> list[str]:
        return [name for event in self.all(ParametersSeen) for name, _, _ in event.rows]

    def norms(self, step: int) -> dict[str, tuple[float, float, float]]:
        return {name: rest for event in self.all(ParameterNorms) if event.step == step for name, *rest in event.rows}  # type: ignore[misc]

    def phases(self, step: int) -> PhaseTimes:
        return next(event for event in self.all(PhaseTimes) if event.step == step)

    def snapshot(self, step: int) -> dict[str, torch.Tensor]:
        return dict(next(event for event in self.all(Snapshot) if event.step == step).tensors)


@pytest.fixture
def watch() -> Callable[..., Watched]:
    return _watch


def _watch(program: Callable[[], Any], *, unseen: bool = False) -> Watched:
    """Run ``program`` alone and watched; what it returns and the random numbers after it must be the same, bit for bit."""
    alone, state_alone = _run(program)
    events: list[Event] = []
    file = inspect.getsourcefile(program)
    observer = Observer(events.append, own=lambda name: name == file)
    before = _patchable()
    observer.start()
    try:
        watched, state_watched = _run(program)
    finally:
        observer.stop()
    assert _patchable() == before, "everything is put back"
    assert torch._C._len_torch_function_stack() == 0
    assert torch.equal(state_alone, state_watched), "the same random numbers were drawn"
    assert_same(alone, watched)
    seen = Watched(events, observer, watched, program)
    if not unseen:
        assert not seen.all(Unseen)
    done = [event for event in events if isinstance(event, StepsDone)]
    assert [event.first for event in done] == [1 + sum(len(e.losses) for e in done[:i]) for i in range(len(done))]
    assert observer.step == sum(len(event.losses) for event in done)
    return seen


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype
        assert torch.equal(one.detach(), other.detach()) or one.isnan().any()
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, float):
        assert one == other or (math.isnan(one) and math.isnan(other))
    else:
        assert one == other


def _run(program: Callable[[], Any]) -> tuple[Any, torch.Tensor]:
    torch.manual_seed(7)
    return program(), torch.get_rng_state()


def _patchable() -> list[Any]:
    from torch.utils.data.dataloader import _BaseDataLoaderIter

    return [
        torch.Tensor.backward,
        torch.autograd.backward,
        torch.autograd.grad,
        torch.nn.Module.__call__,
        torch.nn.Module.zero_grad,
        torch.optim.Optimizer.zero_grad,
        torch.Tensor.item,
        _BaseDataLoaderIter.__next__,
        torch.utils.data.DataLoader.__iter__,
        torch.compile,
        "item" in vars(torch.Tensor),
    ]


@pytest.fixture(autouse=True)
def _no_compiler_left_behind() -> Iterator[None]:
    """A test that compiled leaves no backend: what is watched later in this process would be taken for compiled too."""
    yield
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()
