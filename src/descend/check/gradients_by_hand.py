"""Updates written by hand, as the operations of a step show them: gradients that are cleared before they are used."""

from collections.abc import Iterator
from dataclasses import dataclass

from descend.check.evidence import Evidence
from descend.check.graph import Operation, StepGraph

_GRADIENT = ".grad"


@dataclass(frozen=True, slots=True)
class Thrown:
    """A gradient that was set to zero after the backward pass, and an update that used the zeros."""

    parameter: str
    cleared: Operation
    used: Operation


def thrown_away(evidence: Evidence) -> list[Thrown]:
    """Every one in the steps whose operations were kept, at most one for each parameter and backward pass."""
    return [found for step in evidence.operation_steps[:20] for found in _in_step(evidence.graph(step))]


def _in_step(graph: StepGraph) -> Iterator[Thrown]:
    zeros: dict[int, tuple[str, Operation]] = {}  # by index of the operation that cleared: whose gradient, and where
    filled = False
    done: set[str] = set()
    for operation in graph:
        if operation.name == "backward":
            filled, zeros, done = True, {}, set()
            continue
        cleared = _cleared(operation)
        if cleared and filled:
            zeros[operation.index] = (cleared, operation)
            continue
        for each in operation.inputs:
            parameter, zero = zeros.get(each, ("", None)) if isinstance(each, int) else ("", None)
            if zero is not None and parameter not in done and _updates(graph, operation, parameter):
                done.add(parameter)
                yield Thrown(parameter, zero, operation)


def _cleared(operation: Operation) -> str:
    """The parameter whose gradient an operation sets to zero; "" for any other operation."""
    first = operation.inputs[0] if operation.inputs else 0
    if not isinstance(first, str) or not first.endswith(_GRADIENT):
        return ""
    zeroes = operation.name == "zero_" or (operation.name == "fill_" and operation.constant(1, "value") == 0)
    return first.removesuffix(_GRADIENT) if zeroes else ""


def _updates(graph: StepGraph, operation: Operation, parameter: str) -> bool:
    """Whether the operation, or one that takes what it gives, computes with the parameter."""
    return any(parameter in each.inputs for each in (operation, *graph.users_of(operation)))
