"""Products with parameters in the operations of a step: which layers there are, and which follow one another directly."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from descend.check.graph import VIEWS, Operation, StepGraph

MULTIPLY = frozenset(["linear", "matmul", "mm", "mv", "bmm", "addmm", "conv1d", "conv2d", "conv3d", "einsum"])
_KERNELS = frozenset(["conv1d", "conv2d", "conv3d"])
_ADD = frozenset(["add", "radd", "iadd", "add_", "sub", "sub_"])
_NOTHING = frozenset(["dropout", "alpha_dropout", "identity"])
"""Between two layers they leave the product a product."""


@dataclass(frozen=True)
class Product:
    """Data times a parameter."""

    operation: Operation
    parameter: str
    shape: tuple[int, ...]  # of the parameter
    inputs: int
    outputs: int
    position: int  # of the data among the operation's inputs
    trained: bool

    @property
    def is_kernel(self) -> bool:
        return self.operation.name in _KERNELS

    @property
    def layer(self) -> str:
        """As people call it: ``fc1`` of ``fc1.weight``."""
        layer = self.parameter.removesuffix(".weight") or self.operation.module
        return f"layer {layer}" if layer.isdecimal() else layer


def is_outside(name: str) -> bool:
    """Whether an input's name says only that it is a tensor from outside, of no name of its own."""
    return name.startswith("outside.") and name.removeprefix("outside.").isdecimal()


def products_of(graph: StepGraph) -> Sequence[Product]:
    """Every product on the way to the losses that has a parameter on one side, in order."""
    found = _KNOWN.get(id(graph))
    if found is None or found[0] is not graph:
        found = (graph, [each for operation in graph.forward if (each := _product(graph, operation)) is not None])
        _KNOWN.clear()
        _KNOWN[id(graph)] = found
    return found[1]


_KNOWN: dict[int, tuple[StepGraph, list[Product]]] = {}  # the last graph that was asked for


def chains(graph: StepGraph) -> Iterator[tuple[Product, Product]]:
    """Pairs of products of which the second is given what the first made, with nothing between."""
    by_index = {each.operation.index: each for each in products_of(graph)}
    for second in by_index.values():
        if second.operation.constant(6, "groups", 1) != 1:
            continue
        first = _before(graph, second.operation, second.position, by_index)
        if first is not None and first.parameter != second.parameter and not _is_used_elsewhere(graph, first, second):
            if first.is_kernel and first.operation.constant(6, "groups", 1) != 1:
                continue
            yield first, second


def _product(graph: StepGraph, operation: Operation) -> Product | None:
    if operation.name not in MULTIPLY or len(operation.input_shapes) < 2:
        return None
    given = graph.inputs_of(operation)
    offset = 1 if operation.name == "addmm" else 0
    for position in (offset + 1, offset):
        if position >= len(given):
            continue
        source = given[position]
        maker = graph.maker(operation, position) if isinstance(source, Operation) else source
        other = offset + 1 if position == offset else offset
        if not isinstance(maker, str) or is_outside(maker) or maker.endswith(".grad"):
            continue
        shape = operation.input_shapes[position]
        if len(shape) < 1 or other >= len(operation.input_shapes):
            continue
        inputs, outputs = _widths(operation, position, shape)
        trained = operation.input_tracked[position] if position < len(operation.input_tracked) else True
        return Product(operation, maker, shape, inputs, outputs, other, trained)
    return None


def _widths(operation: Operation, position: int, shape: tuple[int, ...]) -> tuple[int, int]:
    """How many numbers go in and come out of a row."""
    if operation.name == "linear" or operation.name in _KERNELS:
        return (shape[1] if len(shape) > 1 else shape[0]), (shape[0] if len(shape) > 1 else 1)
    if len(shape) == 1:
        return shape[0], 1
    right = position != (1 if operation.name == "addmm" else 0)
    return (shape[-2], shape[-1]) if right else (shape[-1], shape[-2])


def _before(graph: StepGraph, operation: Operation, position: int, by_index: dict[int, Product]) -> Product | None:
    """The product that made what an operation is given, where only a bias was added since."""
    if position >= len(operation.inputs):
        return None
    found: Operation | str = graph.inputs_of(operation)[position]
    for _ in range(12):
        if not isinstance(found, Operation):
            return None
        known = by_index.get(found.index)
        if known is not None:
            return known
        given = graph.inputs_of(found)
        if found.name in VIEWS - {"detach"} or found.name in _NOTHING:
            if found.name in ("flatten", "view", "reshape") and found.input_shapes and not _keeps_rows(found):
                return None
            found = given[0] if given else ""
        elif found.name in _ADD and len(given) == 2:
            sides = [each for each in given if isinstance(each, Operation)]
            others = [each for each in given if isinstance(each, str)]
            if len(sides) != 1 or not others or is_outside(others[0]):
                return None
            found = sides[0]
        else:
            return None
    return None


def is_added_to_another(graph: StepGraph, product: Product) -> bool:
    """Whether what it made is added to what something else made, as in an adapter or a residual connection."""
    made = product.operation
    for _ in range(6):
        users = graph.users_of(made)
        if len(users) != 1:
            return False
        user = users[0]
        if user.name in _ADD:
            others = [each for each in graph.inputs_of(user) if isinstance(each, Operation) and each is not made]
            if any(each.tracked or each.name in MULTIPLY for each in others):  # a frozen layer is one as well
                return not user.name.startswith("sub")
        elif user.name not in VIEWS:
            return False
        made = user
    return False


def _keeps_rows(operation: Operation) -> bool:
    """Whether a view leaves the last axis as it was, so that each row stays one."""
    before, after = operation.input_shapes[0], operation.shape
    return bool(before) and bool(after) and before[-1] == after[-1]


def _is_used_elsewhere(graph: StepGraph, first: Product, second: Product) -> bool:
    """Whether something else uses what the first made: then it is more than a way to the second."""
    on_the_way = {each.index for each in graph.forward}
    for each in graph.users_of(first.operation):
        if each.index not in on_the_way:
            continue
        after = each
        for _ in range(6):
            users = [user for user in graph.users_of(after) if user.index in on_the_way]
            if after.index == second.operation.index or len(users) != 1:
                break
            after = users[0]
        if after.index != second.operation.index:
            return True
    return False
