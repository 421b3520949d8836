"""What is known of a loop and of its iterations while they run, and quick looks at their variables."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import CodeType
from typing import Any

from torch import Tensor

from descend.watch.dependence import Flow, Verdict
from descend.watch.function_mode import tap
from descend.watch.hand_phases import HandPhases, Stopwatch
from descend.watch.places import Place
from descend.watch.recording import Recording
from descend.watch.variables import is_one_number, value_of


@dataclass(slots=True)
class Site:
    """What is known of one loop."""

    number: int
    place: Place
    begun: int = 0  # iterations so far
    verdict: Verdict | None = None  # once it is a training
    phases: HandPhases | None = None  # what its operations are for
    told: int = 0  # steps
    last_loss: Any = None  # the value the variable had: the same one again was not computed anew
    version: tuple[int, int] = (0, 0)  # of the first parameter, after the last step
    candidate: int = 0  # the next step that may be sampled
    silent: bool = False  # parameters are changed in a way that leaves no trace but their values
    waiting: list["Step"] = field(default_factory=list)  # until it is sure that the loss is one


@dataclass(slots=True)
class Step:
    """One that is to be told."""

    loss: Any
    parameters: dict[str, Tensor]
    seconds: float
    before: dict[str, Tensor]
    batch: dict[str, Tensor] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)  # seconds, by phase
    places: dict[str, Place] = field(default_factory=dict)


@dataclass(slots=True)
class Iteration:
    """One that has begun and not ended."""

    site: Site
    frame: int  # id
    code: CodeType
    backward_calls: int
    steps: int
    began: float = 0.0
    flow: Flow | None = None  # while it is looked at closely
    starts: dict[str, int] = field(default_factory=dict)
    before: dict[str, Tensor] = field(default_factory=dict)
    sampled: bool = False
    plain: bool = False  # of a training, and not sampled
    recording: Recording | None = None
    stopwatch: Stopwatch | None = None

    def leave_out(self, seconds: float) -> None:
        """So much since it began is none of its time."""
        self.began += seconds
        if self.stopwatch is not None:
            self.stopwatch.leave_out(seconds)

    def hear_no_more(self) -> None:
        """Nothing more is to be learned from its operations."""
        if self.flow is not None:
            tap().leave(self.flow.heard)
        if self.stopwatch is not None:
            self.stopwatch.stop()


def loss_falls(site: Site) -> bool:
    """Whether what is taken for the loss has fallen in every step that waits."""
    losses = [float(step.loss) for step in site.waiting if step.loss is not None]
    return len(losses) == len(site.waiting) and all(a > b for a, b in pairwise(losses))


def have_moved(iteration: Iteration, parameters: Mapping[str, Any]) -> bool:
    """Whether the parameters have changed: by their values where they were copied, else by identity and version."""
    site = iteration.site
    version = version_of(next(iter(parameters.values())))
    traces = version != site.version
    site.version = version
    before = iteration.before
    known = [path for path in parameters if path in before]
    if not known:
        return traces or site.silent
    changed = any(
        before[path].shape != parameters[path].shape or bool((before[path] != parameters[path]).any()) for path in known
    )
    site.silent = site.silent or (changed and not traces)
    return changed


def loss_of_step(site: Site, value: Any) -> Any:
    """The loss of this step; None where the variable was not assigned in it. On a device it stays a tensor, read later."""
    if value is site.last_loss or not is_one_number(value):
        return None
    site.last_loss = value
    if not isinstance(value, Tensor):
        return value
    return value.item() if value.device.type == "cpu" else value.detach().clone().reshape(())


def version_of(tensor: Tensor) -> tuple[int, int]:
    """Another one after the variable was assigned or the tensor was written to, save through ``.data``."""
    return id(tensor), 0 if tensor.is_inference() else tensor._version


def value_at(variables: Mapping[str, Any], module: Mapping[str, Any], path: str) -> Any:
    """:func:`value_of`, quicker for what stands in a variable of its own."""
    if path in variables:
        return variables[path]
    if path in module:
        return module[path]
    name = path.partition(".")[0].partition("[")[0]
    return value_of(variables if name in variables else module, path)


def let_go(variables: Any) -> None:
    """Empty the copy of a frame's variables that was looked at."""
    if sys.version_info < (3, 13):
        variables.clear()  # the frame would keep it, and every tensor in it
