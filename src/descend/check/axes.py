"""Where the examples of a batch lie in a tensor, and where an operation puts them: which axis, from shapes and plain arguments alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from descend.check.graph import Operation

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Examples:
    """``count`` examples along ``axis``. Along the axis the number of the example is (place // inner) % count."""

    axis: int
    count: int
    inner: int = 1


Given = Sequence[Examples | None]  # of each input of an operation


def after(operation: Operation, given: Given) -> list[Examples | None]:
    """Where the examples are in each output; None where there are none, or nobody knows."""
    move = _MOVES.get(operation.name, _kept)
    found = move(operation, given)
    return [
        each
        if each is not None and each.axis < len(shape) and shape[each.axis] % (each.count * each.inner) == 0
        else None
        for each, shape in zip(found, operation.shapes, strict=False)
    ]


def axes_named(operation: Operation, *names: str, position: int = 1) -> tuple[int, ...] | None:
    """The axes that it was told to work along, counted from 0; None where it was told none."""
    value = next((operation.constants[each] for each in (*names, str(position)) if each in operation.constants), None)
    dimensions = len(operation.input_shapes[0]) if operation.input_shapes else 0
    if isinstance(value, bool) or not dimensions:
        return None
    numbers = [value] if isinstance(value, int) else value if isinstance(value, list) else []
    return tuple(int(each) % dimensions for each in numbers if -dimensions <= each < dimensions) or None


def through_view(examples: Examples, before: Shape, shape: Shape) -> Examples | None:
    """Where they are when the same numbers in the same order are read with another shape; None where they are torn apart."""
    stride = prod(before[examples.axis + 1 :]) * examples.inner  # numbers from one example to the next
    span = stride * examples.count
    for axis in range(len(shape)):
        step = prod(shape[axis + 1 :])
        # All places of the examples lie within one axis: it steps evenly into their stride, and around all of them.
        if stride % step == 0 and (step * shape[axis]) % span == 0 and shape[axis] > 1:
            return Examples(axis, examples.count, stride // step)
    return None


def _kept(operation: Operation, given: Given) -> list[Examples | None]:
    """Number by number, or row by row: the axis stays, counted from the last where a shape is stretched."""
    found: list[Examples | None] = []
    for shape in operation.shapes:
        places = []
        for examples, before in zip(given, operation.input_shapes, strict=False):
            if examples is None:
                continue
            same = len(before) == len(shape)
            axis = examples.axis if same else examples.axis + len(shape) - len(before)
            if 0 <= axis < len(shape) and shape[axis] == before[examples.axis]:
                places.append(Examples(axis, examples.count, examples.inner))
        found.append(places[0] if places and all(each == places[0] for each in places) else None)
    return found


def _viewed(operation: Operation, given: Given) -> list[Examples | None]:
    examples = given[0] if given else None
    return [None if examples is None else through_view(examples, operation.input_shapes[0], operation.shape)]


def _first(
    move: Callable[[Operation, Examples, int], Examples | None],
) -> Callable[[Operation, Given], list[Examples | None]]:
    """For operations on one tensor: ``move`` is given its examples and how many axes it has."""

    def moved(operation: Operation, given: Given) -> list[Examples | None]:
        examples = given[0] if given else None
        if examples is None:
            return [None] * len(operation.shapes)
        return [move(operation, examples, len(operation.input_shapes[0]))] * len(operation.shapes)

    return moved


def _at(examples: Examples, axis: int) -> Examples:
    return Examples(axis, examples.count, examples.inner)


def _exchanged(operation: Operation, examples: Examples, axes: int) -> Examples | None:
    if operation.name in ("T", "t", "H"):
        return _at(examples, axes - 1 - examples.axis)
    if operation.name in ("mT", "mH"):
        one, other = axes - 2, axes - 1
    else:
        named = [
            operation.constant(place, name, operation.constants.get(second))
            for place, name, second in ((1, "dim0", "axis0"), (2, "dim1", "axis1"))
        ]
        if not all(isinstance(each, int) for each in named):
            return None
        one, other = (each % axes for each in named)
    return _at(examples, {one: other, other: one}.get(examples.axis, examples.axis))


def _permuted(operation: Operation, examples: Examples, axes: int) -> Examples | None:
    order = operation.constants.get("dims", operation.constants.get("1"))
    if not isinstance(order, list):
        order = [operation.constants.get(str(place)) for place in range(1, axes + 1)]
    if len(order) != axes or not all(isinstance(each, int) for each in order):
        return None
    return _at(examples, [each % axes for each in order].index(examples.axis))


def _moved(operation: Operation, examples: Examples, axes: int) -> Examples | None:
    source, target = operation.constant(1, "source"), operation.constant(2, "destination")
    if not isinstance(source, int) or not isinstance(target, int):
        return None
    order = [each for each in range(axes) if each != source % axes]
    order.insert(target % axes, source % axes)
    return _at(examples, order.index(examples.axis))


def _wider(operation: Operation, examples: Examples, axes: int) -> Examples | None:
    place = operation.constant(1, "dim")
    if not isinstance(place, int):
        return None
    return _at(examples, examples.axis + (place % (axes + 1) <= examples.axis))


def _narrower(operation: Operation, examples: Examples, axes: int) -> Examples | None:
    before = operation.input_shapes[0]
    named = axes_named(operation, "dim")
    gone = [each for each in (range(axes) if named is None else named) if before[each] == 1]
    return None if examples.axis in gone else _at(examples, examples.axis - sum(each < examples.axis for each in gone))


def _reduced(operation: Operation, examples: Examples, axes: int) -> Examples | None:
    named = axes_named(operation, "dim", "axis")
    if named is None or examples.axis in named:
        return None
    kept = len(operation.shape) == axes
    return examples if kept else _at(examples, examples.axis - sum(each < examples.axis for each in named))


def _multiplied(operation: Operation, given: Given) -> list[Examples | None]:
    """Leading axes stay, rows of the first and columns of the second; where both carry examples there, they are pairs."""
    if operation.name in ("addmm", "addmv", "baddbmm") and len(given) == 3:
        given, shapes = given[1:], operation.input_shapes[1:]
    else:
        shapes = operation.input_shapes
    if len(given) < 2 or not operation.shape:
        return [None]
    size = len(operation.shape)
    places = []
    for position, (examples, before) in enumerate(zip(given[:2], shapes, strict=False)):
        if examples is None:
            continue
        from_end = len(before) - 1 - examples.axis
        summed = (from_end == 0) if position == 0 or len(before) == 1 else (from_end == 1)
        if summed:
            return [None]
        if position == 0 and len(shapes[1]) == 1:
            from_end -= 1
        if position == 1 and len(shapes[0]) == 1 and from_end > 1:
            from_end -= 1
        places.append(_at(examples, size - 1 - from_end))
    return [places[0] if places and all(each == places[0] for each in places) and places[0].axis >= 0 else None]


def _looked_up(operation: Operation, given: Given) -> list[Examples | None]:
    """``embedding``: the axes of the indices come first."""
    return [given[0] if given and operation.shape else None]


def _linear(operation: Operation, given: Given) -> list[Examples | None]:
    examples = given[0] if given else None
    return [None if examples is None or examples.axis == len(operation.input_shapes[0]) - 1 else examples]


def _indexed(operation: Operation, given: Given) -> list[Examples | None]:
    examples = given[0] if given else None
    if examples is None or len(given) > 1:
        return [None]
    index = operation.constants.get("1")
    before, axis = operation.input_shapes[0], 0  # of the input, at which the next part of the index works
    parts = index.split(", ") if isinstance(index, str) else [str(index)] if isinstance(index, int) else []
    place = 0  # of the output
    for part in parts:
        if part == "None":
            place += 1
            continue
        if part == "...":
            rest = len(before) - sum(each not in ("None", "...") for each in parts)
            if axis <= examples.axis < axis + rest:
                return [_at(examples, place + examples.axis - axis)]
            axis, place = axis + rest, place + rest
            continue
        if axis == examples.axis:
            return [_at(examples, place) if part in (":", "::1") else None]
        axis += 1
        place += ":" in part
        if "tensor" in part or "range" in part:
            return [None]
    return [_at(examples, place + examples.axis - axis) if parts else None]


def _selected(operation: Operation, examples: Examples, axes: int) -> Examples | None:
    place = operation.constant(1, "dim")
    if not isinstance(place, int) or place % axes == examples.axis:
        return None
    return _at(examples, examples.axis - (place % axes < examples.axis))


def _stacked(operation: Operation, given: Given) -> list[Examples | None]:
    known = [each for each in given if each is not None]
    if not known or any(each != known[0] for each in known):
        return [None]
    place = operation.constant(1, "dim", 0)
    if not isinstance(place, int):
        return [None]
    place %= len(operation.shape)
    if operation.name == "stack":
        return [_at(known[0], known[0].axis + (place <= known[0].axis))]
    return [None if place == known[0].axis else known[0]]


def _recurrent(operation: Operation, given: Given) -> list[Examples | None]:
    """The outputs as the input; the states (layers, N, H), or (N, H) of a cell."""
    examples = given[0] if given else None
    if examples is None:
        return [None] * len(operation.shapes)
    states = len(operation.shapes) - 1
    return [examples, *([Examples(1, examples.count, examples.inner)] * states)]


def _attended(operation: Operation, given: Given) -> list[Examples | None]:
    examples = given[0] if given else None
    return [examples, *([None] * (len(operation.shapes) - 1))]


def _summed(operation: Operation, given: Given) -> list[Examples | None]:
    """``einsum``: the letter of the axis goes on."""
    equation = operation.constants.get("0")
    if not isinstance(equation, str) or "->" not in equation or "." in equation:
        return [None]
    sides, _, result = equation.replace(" ", "").partition("->")
    letters = {
        letters[examples.axis]: examples
        for letters, examples in zip(sides.split(","), given, strict=False)
        if examples is not None and examples.axis < len(letters)
    }
    if len(letters) != 1:
        return [None]
    letter, examples = next(iter(letters.items()))
    return [_at(examples, result.index(letter)) if letter in result else None]


def _nowhere(operation: Operation, given: Given) -> list[Examples | None]:  # noqa: ARG001 - as every move
    return [None] * len(operation.shapes)


REDUCTIONS = frozenset(
    [
        "mean",
        "sum",
        "std",
        "var",
        "max",
        "min",
        "amax",
        "amin",
        "median",
        "norm",
        "logsumexp",
        "prod",
        "argmax",
        "argmin",
        "all",
        "any",
        "std_mean",
        "var_mean",
        "nanmean",
    ]
)
VIEWS = frozenset(["view", "reshape", "flatten", "unflatten", "view_as", "reshape_as", "ravel"])
RECURRENT = frozenset(["lstm", "gru", "rnn_tanh", "rnn_relu"])

_Move = Callable[[Operation, Given], list[Examples | None]]
_MOVES: Mapping[str, _Move] = {
    **dict.fromkeys(VIEWS, _viewed),
    **dict.fromkeys(["transpose", "swapaxes", "swapdims", "T", "t", "H", "mT", "mH"], _first(_exchanged)),
    "permute": _first(_permuted),
    **dict.fromkeys(("movedim", "moveaxis"), _first(_moved)),
    "unsqueeze": _first(_wider),
    "squeeze": _first(_narrower),
    **dict.fromkeys(REDUCTIONS, _first(_reduced)),
    **dict.fromkeys(["matmul", "mm", "bmm", "mv", "addmm", "addmv", "baddbmm"], _multiplied),
    "linear": _linear,
    "embedding": _looked_up,
    "getitem": _indexed,
    "select": _first(_selected),
    **dict.fromkeys(["stack", "cat", "concat", "concatenate"], _stacked),
    **dict.fromkeys(RECURRENT, _recurrent),
    **dict.fromkeys(["multi_head_attention_forward", "scaled_dot_product_attention"], _attended),
    "einsum": _summed,
    **dict.fromkeys(
        [
            "repeat",
            "repeat_interleave",
            "tile",
            "index_select",
            "gather",
            "scatter",
            "unfold",
            "randperm",
            "roll",
            "outer",
            "cdist",
        ],
        _nowhere,
    ),
}
