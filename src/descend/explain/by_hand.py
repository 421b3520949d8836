"""Loops without autograd: where their loss is computed, and which gradient their update takes, read off the operations.

The update has to be of the form θ ← θ − lr·g. What g holds is the script's own derivation, and so a number to be verified.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from descend.explain.formulas.formula import close
from descend.record.graph import Operation, StepGraph

_SUBTRACTIONS = frozenset(["sub", "sub_", "isub", "subtract", "subtract_"])
_PRODUCTS = frozenset(["mul", "mul_", "multiply"])


@dataclass(frozen=True, slots=True)
class Derived:
    """The gradient that a script derived by hand for one parameter, and the learning rate it was multiplied by."""

    gradient: Tensor
    lr: float
    file: str
    line: int  # where it was computed


@dataclass(frozen=True, slots=True)
class ByHand:
    """What is known of a step without autograd."""

    losses: tuple[Operation, ...]
    gradients: Mapping[str, Derived] = field(default_factory=dict)

    @property
    def lr(self) -> float:
        """The learning rate of all parameters; NaN where they differ, or none is known."""
        rates = {each.lr for each in self.gradients.values()}
        return rates.pop() if len(rates) == 1 else math.nan


def by_hand(graph: StepGraph, tensors: Mapping[str, Tensor]) -> ByHand | None:
    """What a step consists of whose gradients no backward pass computed; None where its loss cannot be told."""
    if any(each.name == "backward" for each in graph):
        return None
    before = {name.removeprefix("before."): value for name, value in tensors.items() if name.startswith("before.")}
    loss = _loss(graph, tensors.get("loss"), before)
    if loss is None:
        return None
    found = {name: _derived(graph, name, value, tensors.get(f"after.{name}")) for name, value in before.items()}
    return ByHand((loss,), {name: each for name, each in found.items() if each is not None})


def _loss(graph: StepGraph, recorded: Tensor | None, parameters: Mapping[str, Tensor]) -> Operation | None:
    """The first number that depends on a parameter and is what the script took for its loss."""
    if recorded is None:
        return None
    depends: set[int] = set()
    for one in graph:
        if any(each in depends if isinstance(each, int) else each in parameters for each in one.inputs):
            depends.add(one.index)
            known = one.values if isinstance(one.values, int | float) else None
            if one.size == 1 and known is not None and math.isclose(known, float(recorded), rel_tol=1e-6):
                return one
    return None


def _derived(graph: StepGraph, name: str, before: Tensor, after: Tensor | None) -> Derived | None:
    if after is None:
        return None
    for one in reversed(graph.operations):
        if one.name not in _SUBTRACTIONS or one.inputs[:1] != (name,) or one.shape != tuple(before.shape):
            continue
        found = _taken(graph, one, before, after)
        if found is not None:
            return found
    return None


def _taken(graph: StepGraph, update: Operation, before: Tensor, after: Tensor) -> Derived | None:
    """What is subtracted: a learning rate times a gradient."""
    if len(update.inputs) != 2 or not isinstance(update.inputs[1], int):
        return None
    term, lr = graph.operations[update.inputs[1]], float(update.constant(2, "alpha", 1))
    if term.name in _PRODUCTS and len(term.inputs) == 1 and isinstance(term.inputs[0], int):
        factor = term.constant(1, "other", term.constant(0, "input"))
        if not isinstance(factor, int | float):
            return None
        term, lr = graph.operations[term.inputs[0]], lr * float(factor)
    change = (before.double() - after.double()) / lr if lr else None
    if change is None:
        return None
    gradient = change
    if term.values is not None and term.shape == tuple(before.shape):
        gradient = torch.tensor(term.values, dtype=torch.float64)
        if not close(gradient * lr, change * lr):
            return None
    return Derived(gradient.to(before.dtype), lr, term.file, term.line)
