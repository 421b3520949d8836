"""Where the way from a parameter to the loss is cut: the operations that autograd does not follow although they were given what it follows."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isclose

from descend.check import syntax
from descend.check.evidence import Evidence
from descend.check.finding import Place
from descend.check.graph import Operation, StepGraph

_NUMBERS = frozenset(["int64", "int32", "int16", "int8", "uint8", "bool"])  # have no gradient
_MAKES = frozenset(["tensor", "Tensor", "as_tensor", "from_numpy", "scalar_tensor", "Variable", "FloatTensor"])
_LEAVES = frozenset(["item", "numpy", "tolist", "data", "detach", "cpu_numpy"])


@dataclass(frozen=True, slots=True)
class Cut:
    """A place behind which no gradient comes back."""

    place: Place | None
    how: str  # what cuts, as the user wrote it: ".detach()", "argmax", "torch.no_grad()"
    deliberate: bool  # a region without gradients, which is written to cut


def cut_of_loss(evidence: Evidence, step: int, loss: float | None, backward: tuple[str, int]) -> Cut | None:
    """What cuts a loss off that has no graph of its own, or one that ends in a tensor made for it; ``backward`` is the line of its backward pass."""
    if step not in evidence.operation_steps:
        return None
    graph = evidence.graph(step)
    for operation in reversed(_before_backward(graph)):
        if operation.name in _MAKES and operation.tracked and not any(operation.input_tracked):  # requires_grad=True
            return Cut(evidence.place(operation.file, operation.line), f"torch.{operation.name}(…)", False)
    made = _made(graph, loss)
    if made is None:
        return None
    if not made.tracked:
        for operation in (made, *graph.ancestors(made)):
            cut = _cut_at(evidence, graph, operation)
            if cut is not None:
                return cut
        if made.name in _MAKES or not made.inputs:  # its number came through Python
            return Cut(
                evidence.place(made.file, made.line), _written(evidence, made.file, made.line) or made.name, False
            )
        return None
    return _cut_between(evidence, made.file, made.line, *backward)


def cut_of_parameters(evidence: Evidence, names: Sequence[str]) -> Cut | None:
    """What lies on all ways from these parameters in the first step that used them, where the loss does not follow them."""
    wanted = set(names)
    for graph in [evidence.graph(step) for step in evidence.operation_steps[:3]]:
        followed: set[int] = set()
        cuts: list[tuple[Operation, Cut]] = []
        for operation in graph:
            if not _is_given(operation, wanted, followed):
                continue
            if operation.tracked and not _reads_data(operation, followed):
                followed.add(operation.index)
                continue
            cut = _cut_at(evidence, graph, operation)
            if cut is not None:
                cuts.append((operation, cut))
        used = {each.index for each in graph.forward}
        through = [cut for operation, cut in cuts if operation.index in used]
        if through:
            return through[0]
        for operation, cut in cuts:
            if _comes_back(graph, operation, used):
                return cut
    return None


def _before_backward(graph: StepGraph) -> Sequence[Operation]:
    """The operations before the first backward pass; none where there was no such pass."""
    first = next((each.index for each in graph if each.name == "backward"), 0)
    return graph.operations[:first]


def _made(graph: StepGraph, loss: float | None) -> Operation | None:
    """The operation that computed a loss: the last before the backward pass that gave this number."""
    if loss is None:
        return None
    for operation in reversed(_before_backward(graph)):
        value = operation.range[0]
        if operation.size == 1 and operation.name != "backward" and isclose(value, loss, rel_tol=1e-6, abs_tol=1e-12):
            return operation
    return None


def _is_given(operation: Operation, names: set[str], followed: set[int]) -> bool:
    return any(each in names if isinstance(each, str) else each in followed for each in operation.inputs)


def _reads_data(operation: Operation, followed: set[int]) -> bool:
    """Whether all that it is given of what is followed comes without its graph: it was read through ``.data``."""
    given = [
        tracked
        for each, tracked in zip(operation.inputs, operation.input_tracked, strict=False)
        if isinstance(each, int) and each in followed
    ]
    return bool(given) and not any(given)


def _cut_at(evidence: Evidence, graph: StepGraph, operation: Operation) -> Cut | None:
    """How this operation cuts, where it does."""
    file, line = operation.file, operation.line
    for each, tracked in zip(operation.inputs, operation.input_tracked, strict=False):
        if isinstance(each, int) and graph.operations[each].tracked and not tracked:
            earlier = graph.operations[each]
            return _cut_between(evidence, earlier.file, earlier.line, file, line) or Cut(
                evidence.place(file, line), ".data", False
            )
    if operation.tracked or not any(operation.input_tracked) or not operation.shapes:
        return None
    place = evidence.place(file, line)
    if operation.name in ("detach", "detach_"):
        return Cut(place, ".detach()", False)
    if operation.name in _MAKES:
        return Cut(place, f"torch.{operation.name}(…)", False)
    if operation.dtype in _NUMBERS:
        return Cut(place, operation.name, False)
    region = syntax.without_gradients(evidence, file, line)
    return Cut(region, "torch.no_grad()", True) if region is not None else None


def _cut_between(evidence: Evidence, first: str, start: int, last: str, end: int) -> Cut | None:
    """A line between two others of one file that takes numbers out of their graph."""
    if first != last:
        return None
    for line in range(start, end + 1) if start <= end else [*range(start, start + 1), *range(end, end + 1)]:
        how = _written(evidence, first, line)
        if how:
            return Cut(evidence.place(first, line), how, False)
    return None


def _written(evidence: Evidence, file: str, line: int) -> str:
    """How a line takes numbers out of their graph, as it is written."""
    statement = evidence.statement(file, line)
    for node in _own_nodes(statement):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in _LEAVES:
                return f".{name}()"
            if name in _MAKES:
                return f"{ast.unparse(node.func)}(…)"
        elif isinstance(node, ast.Attribute) and node.attr == "data":
            return ".data"
    return ""


def _own_nodes(statement: ast.stmt | None) -> Iterator[ast.AST]:
    """The nodes of a statement, without those of a body that it has."""
    if statement is None or isinstance(
        statement, ast.For | ast.While | ast.If | ast.With | ast.FunctionDef | ast.ClassDef
    ):
        return
    yield from ast.walk(statement)


def _comes_back(graph: StepGraph, cut: Operation, used: set[int]) -> bool:
    """Whether the loss is computed from a nameless tensor of the same form that nobody saw being made: a way through NumPy."""
    if graph.users_of(cut):
        return False
    for operation in graph.operations[cut.index + 1 :]:
        if operation.index not in used:
            continue
        for each, sizes, tracked in zip(
            operation.inputs, operation.input_shapes, operation.input_tracked, strict=False
        ):
            if isinstance(each, str) and each.startswith("outside.") and not tracked and sizes == cut.shape:
                return True
    return False
