"""Where in the operations of a recorded step the first number came up that is none."""

import math
from collections.abc import Sequence
from typing import Any

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.graph import Operation, StepGraph
from descend.check.layers import is_outside


def first_broken(evidence: Evidence, step: int, *, bad_data: bool) -> tuple[Operation, list[str], str] | None:
    """The first operation of a recorded step whose output is not finite though what it was given is, on the way to the loss."""
    if step not in evidence.operation_steps:
        return None
    graph = evidence.graph(step)
    reaching = _reaches(graph)
    meant: set[int] = set()  # hold infinities that were put there
    for operation in graph.forward:
        if operation.index not in reaching:
            continue
        sources = graph.inputs_of(operation)
        made = [each for each in sources if isinstance(each, Operation)]
        if operation.name in _FILLS or any(each.index in meant for each in made):
            if not has_nan(operation):
                meant.add(operation.index)
                continue
        elif any(_is_broken(graph, each) for each in made):
            return None
        if _is_parameter_broken(evidence, sources, step):
            return None
        from_outside = not sources or any(isinstance(each, str) and is_outside(each) for each in sources)
        breaks = operation.name in _CAN_BREAK or not (bad_data or has_nan(operation))
        kind = "data" if from_outside and not breaks else "operation"
        return operation, [range_words(each) for each in made], kind
    return None


_FILLS = frozenset(
    ["masked_fill", "masked_fill_", "where", "full", "full_like", "new_full", "fill_", "triu", "tril", "setitem"]
)
"""What people put infinities in place with, on purpose."""
_CAN_BREAK = frozenset(
    [
        "log",
        "log2",
        "log10",
        "log1p",
        "sqrt",
        "truediv",
        "div",
        "exp",
        "pow",
        "acos",
        "asin",
        "reciprocal",
        "rsqrt",
        "norm",
    ]
)


def _reaches(graph: StepGraph) -> set[int]:
    """The operations from which something that is not finite leads all the way to a loss."""
    found: set[int] = set()
    waiting = [each for each in graph.losses if _is_broken(graph, each)]
    while waiting:
        operation = waiting.pop()
        if operation.index not in found:
            found.add(operation.index)
            made = [each for each in graph.inputs_of(operation) if isinstance(each, Operation)]
            waiting += [each for each in made if _is_broken(graph, each)]
    return found


def _is_broken(graph: StepGraph, operation: Operation) -> bool:
    """Whether its output is not finite; of parts of a tensor it is the tensor that is known."""
    if operation.name in _PARTS and operation.inputs:
        whole = graph.inputs_of(operation)[0]
        return isinstance(whole, Operation) and _is_broken(graph, whole)
    return not _is_finite(operation)


_PARTS = frozenset(["split", "chunk", "unbind", "tensor_split", "split_with_sizes"])


def _is_finite(operation: Operation) -> bool:
    if not operation.dtype.startswith(("float", "bfloat")) or not operation.shapes or not operation.size:
        return True
    if operation.values is not None:
        return _all_finite(operation.values)
    if len(operation.shapes) > 1:
        return True  # their numbers are not known
    return math.isfinite(operation.least) and math.isfinite(operation.most)


def has_nan(operation: Operation) -> bool:
    """Whether its output holds a NaN, and not infinities alone."""
    return _holds_none(operation.values) if operation.values is not None else math.isnan(operation.least)


def _holds_none(values: Any) -> bool:
    return any(_holds_none(each) for each in values) if isinstance(values, list) else values is None


def _all_finite(values: Any) -> bool:
    if isinstance(values, list):
        return all(_all_finite(each) for each in values)
    return values is not None and math.isfinite(values)


def _is_parameter_broken(evidence: Evidence, sources: Sequence[Operation | str], step: int) -> bool:
    names = {each for each in sources if isinstance(each, str) and not is_outside(each)}
    return any(row.step == step and row.parameter in names and not math.isfinite(row.value) for row in evidence.norms)


def range_words(operation: Operation) -> str:
    """``add: -1.5 … 2``."""
    least, most = operation.range
    return f"{operation.name}: {words.number(least)} … {words.number(most)}"
