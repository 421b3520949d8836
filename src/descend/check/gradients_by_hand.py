"""Updates written by hand, as the operations of a step show them: gradients that are cleared before they are used."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from descend.check.evidence import Evidence
from descend.check.graph import Operation, StepGraph

_GRADIENT = ".grad"
_FARTHEST = 4  # operations from a gradient to the parameter that it updates


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
    written: dict[int, str] = {}  # by index of an operation that wrote to a gradient in place: whose
    zeros: dict[int, Operation] = {}  # of these the ones that cleared it after the last backward pass
    filled = False
    done: set[str] = set()
    for operation in graph:
        if operation.name == "backward":
            filled, zeros, done = True, {}, set()
            continue
        parameter = _written_to(operation, written)
        if parameter:
            written[operation.index] = parameter
            if filled and _clears(operation):
                zeros[operation.index] = operation
            continue
        for each in operation.inputs:
            zero = zeros.get(each) if isinstance(each, int) else None
            if zero is not None and (name := written[zero.index]) not in done and _updates(graph, operation, name):
                done.add(name)
                yield Thrown(name, zero, operation)


def _written_to(operation: Operation, written: Mapping[int, str]) -> str:
    """The parameter whose gradient an operation writes to in place; "" for any other operation."""
    if not operation.name.endswith("_") or not operation.inputs:
        return ""
    first = operation.inputs[0]
    if isinstance(first, int):
        return written.get(first, "")
    return first.removesuffix(_GRADIENT) if first.endswith(_GRADIENT) else ""


def _clears(operation: Operation) -> bool:
    return operation.name == "zero_" or (operation.name == "fill_" and operation.constant(1, "value") == 0)


def _updates(graph: StepGraph, operation: Operation, parameter: str) -> bool:
    """Whether the operation, or one that goes on with what it gives, computes with the parameter."""
    reached = [operation]
    for _ in range(_FARTHEST):
        if any(parameter in each.inputs for each in reached):
            return True
        reached = [user for each in reached for user in graph.users_of(each)]
    return False
