"""What a step does to the examples of its batch: views that tear them apart, and operations that mix one with another."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from descend.check.axes import RECURRENT, REDUCTIONS, VIEWS, Examples, after, axes_named, through_view
from descend.check.evidence import Evidence
from descend.check.graph import Operation, StepGraph

ACROSS = ("statistic", "order", "normalised")
"""Ways to mix that may be meant where the data are prepared."""
_STEPS = 3  # of each run that are looked at
_SOFTMAX = frozenset(["softmax", "log_softmax", "softmin"])
_IN_ORDER = frozenset(["cumsum", "cumprod", "logcumsumexp", "sort", "argsort"])
_SIZES = frozenset(["pow", "square", "abs", "pow_", "square_", "abs_"])
_COMPARES = frozenset(
    [
        "mse_loss",
        "l1_loss",
        "smooth_l1_loss",
        "huber_loss",
        "cross_entropy",
        "nll_loss",
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
    ]
)
_SUBTRACTS = frozenset(["sub", "rsub", "sub_"])
_SCALES = frozenset(["truediv", "div", "div_", "truediv_", "mul", "mul_"])
_APPENDS = frozenset(["cat", "concat", "concatenate"])
_JOINS = _SUBTRACTS | _SCALES | _APPENDS | frozenset(["add", "add_"])
_SPREADS = frozenset(["std", "var", "std_mean", "var_mean", "sqrt", "sqrt_"])


@dataclass(frozen=True, slots=True)
class Mixing:
    """An operation after which the row of an example depends on other examples."""

    how: str  # "torn", "turned" (within each example), "softmax", "recurrent", "attention", "statistic", "order", "normalised"
    operation: Operation
    examples: Examples  # where they lay in what it was given
    steps: tuple[int, ...] = ()


def mixings(evidence: Evidence) -> list[Mixing]:
    """Those of the first recorded steps, each line once. Raises CannotCheck where no operation was recorded."""
    found: dict[tuple[str, str, int], Mixing] = {}
    graphs = evidence.graphs(_STEPS)
    for graph in graphs:
        for each in _mixings_of(evidence, graph):
            key = (each.how, each.operation.file, each.operation.line)
            known = found.get(key, each)
            found[key] = Mixing(known.how, known.operation, known.examples, (*known.steps, graph.step))
    return [each for each in found.values() if each.how not in ACROSS or _is_of_the_model(each)]


def _is_of_the_model(mixing: Mixing) -> bool:
    """Whether it is part of every prediction, not of preparing the data once before the first step."""
    return mixing.operation.tracked or bool(mixing.operation.module) or len(set(mixing.steps)) > 1


def batch_of(evidence: Evidence, graph: StepGraph) -> dict[tuple[int, ...], Examples]:
    """Where the examples lie in each of the tensors that a step was given, by their shapes; empty where nobody can say.

    A target of one number for each example tells how many there are; so does the size of a loader's batches. Targets of the shape of
    the data tell nothing: their first axis may be time.
    """
    rows = [each.shape for each in evidence.batches if each.step == graph.step and not each.evaluation and each.shape]
    data, targets = _entering(graph), [shape for _, shape in _targets_in(graph)]
    shapes = list(dict.fromkeys([*(rows or data[:1]), *targets]))
    count = _count(evidence, shapes) if shapes else 0
    found = {}
    for shape in (*shapes, *data[:1]) if count > 1 else ():
        axes = [axis for axis, size in enumerate(shape) if size == count]
        if axes and (axes[0] == 0 or len(axes) == 1):
            found[shape] = Examples(axes[0], count)
    return found


def _count(evidence: Evidence, shapes: Sequence[tuple[int, ...]]) -> int:
    """How many examples a batch has; 0 where that is not known."""
    data, *others = shapes
    sizes = {row.values["batch_size"] for row in evidence.facts("loader") if row.values["trained"]}
    if data[0] in sizes and all(each[0] == data[0] for each in others):
        return data[0]
    for target in others:
        plain = len(target) == 1 or (len(target) == 2 and target[1] not in data[1:])
        if plain and data.count(target[0]) == 1:
            return target[0]
    return 0


def _entering(graph: StepGraph) -> list[tuple[int, ...]]:
    """The shapes of tensors that are not followed and meet something learned, in the order of the step."""
    return [
        shape
        for operation in graph.forward
        if operation.tracked
        for shape, tracked in zip(operation.input_shapes, operation.input_tracked, strict=False)
        if not tracked and shape
    ]


def _targets_in(graph: StepGraph) -> list[tuple[Operation, tuple[int, ...]]]:
    """What predictions are compared with: the operations, and the shapes of the targets."""
    found = []
    for operation in graph.forward:
        shapes, tracked = operation.input_shapes, operation.input_tracked
        if len(shapes) < 2 or not any(tracked[:2]) or all(tracked):
            continue
        other = tracked.index(False)
        if operation.name in _COMPARES:
            found.append((operation, shapes[other]))
        elif operation.name in ("sub", "rsub") and shapes[0] == shapes[1] and shapes[0]:
            found += [(operation, shapes[other])] * any(
                each.name in _SIZES or (each.name == "mul" and len(set(each.inputs)) == 1)
                for each in graph.users_of(operation)
            )
        elif operation.name in ("getitem", "gather") and tracked[0] and len(shapes[-1]) in (1, 2):
            found.append((operation, shapes[-1]))
    return found


class _Following:
    """Where the examples are in every tensor of one step."""

    def __init__(self, graph: StepGraph, batch: Mapping[tuple[int, ...], Examples]) -> None:
        self.graph = graph
        self._batch = batch
        self._of: dict[int, list[Examples | None]] = {}
        self.pooled: set[int] = set()  # computed from all examples, and from none of them alone
        for operation in graph:
            given = self.given(operation)
            found = after(operation, given)
            if found and found[0] is None and not operation.tracked and operation.name not in VIEWS:
                found = [self._batch.get(operation.shape), *found[1:]]
            self._of[operation.index] = found
            self._pool(operation, given, found)

    def given(self, operation: Operation) -> list[Examples | None]:
        """Where they are in each input."""
        return [
            self._in(each, shape, tracked)
            for each, shape, tracked in zip(
                operation.inputs, operation.input_shapes, operation.input_tracked, strict=False
            )
        ]

    def _in(self, given: int | str, shape: tuple[int, ...], tracked: bool) -> Examples | None:
        if isinstance(given, str):
            return None if tracked else self._batch.get(shape)
        made = self.graph.operations[given]
        places = {
            examples for examples, each in zip(self._of.get(given, ()), made.shapes, strict=False) if each == shape
        }
        return places.pop() if len(places) == 1 else None

    def _pool(self, operation: Operation, given: Sequence[Examples | None], found: Sequence[Examples | None]) -> None:
        reduces = operation.name in REDUCTIONS and given and given[0] is not None and found and found[0] is None
        if reduces or (not any(each is not None for each in found) and _meets_pooled(self, operation)):
            self.pooled.add(operation.index)


def _mixings_of(evidence: Evidence, graph: StepGraph) -> Iterator[Mixing]:
    batch = batch_of(evidence, graph)
    if not batch:
        return
    following = _Following(graph, batch)
    predicts = _before_targets(graph)
    for operation in graph.forward:
        given = following.given(operation)
        first = given[0] if given else None
        how = _how(operation, first) if first is not None else ""
        if first is not None and how and (how not in ACROSS or operation.index in predicts):
            yield Mixing(how, operation, first)
        elif (
            operation.index in predicts
            and (examples := _with_statistic(following, operation, given, predicts)) is not None
        ):
            yield Mixing("statistic", operation, examples)


def _how(operation: Operation, examples: Examples) -> str:
    """How an operation on one tensor mixes examples; "" where it does not."""
    name, shape = operation.name, operation.input_shapes[0]
    if name in VIEWS:
        if _is_torn(examples, shape, operation.shape):
            return "torn"
        return "turned" if examples.axis == 0 and is_turned(shape, operation.shape) else ""
    if name in _SOFTMAX:
        return "softmax" if examples.axis in softmax_axes(operation) else ""
    if name in RECURRENT:
        batch_axis = 0 if operation.constant(8, "batch_first") is True else 1
        return "recurrent" if len(shape) == 3 and examples.axis == 1 - batch_axis else ""
    if name == "multi_head_attention_forward":
        return "attention" if len(shape) == 3 and examples.axis == 0 else ""
    if name in _IN_ORDER:
        axes = axes_named(operation, "dim")
        return "order" if axes is not None and examples.axis in axes else ""
    if name == "layer_norm":
        normalised = operation.constant(1, "normalized_shape")
        size = len(normalised) if isinstance(normalised, list) else 1
        return "normalised" if examples.axis >= len(shape) - size else ""
    if name == "normalize":
        return "normalised" if operation.constant(2, "dim", 1) == examples.axis else ""
    return ""


def softmax_axes(operation: Operation) -> tuple[int, ...]:
    """The axis of a softmax; where it was told none, PyTorch takes the first of 1 or 3 axes, else the second."""
    named = axes_named(operation, "dim")
    if named is not None:
        return named
    axes = len(operation.input_shapes[0])
    return (0,) if axes in (0, 1, 3) else (1,)


def _is_torn(examples: Examples, before: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether as many new rows as there are examples are pieces of several of them."""
    if not shape or shape[0] != examples.count or through_view(examples, before, shape) is not None:
        return False
    return sum(size == examples.count for size in before) == 1


def is_turned(before: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether axes behind the first have exchanged their places without their numbers; so have the heads of attention in (N, heads, T, width)."""
    if before[0] != shape[0]:
        return False
    old, new = [size for size in before[1:] if size > 1], [size for size in shape[1:] if size > 1]
    if len(old) == len(new):
        return old != new and sorted(old) == sorted(new)
    heads = len(before) == 3 and len(shape) == 4 and min(shape) > 1
    return heads and before[1] == shape[2] != shape[1] and before[2] == shape[1] * shape[3]


def _before_targets(graph: StepGraph) -> set[int]:
    """The operations that predictions were computed from: before they met a target, where that was seen, else those of modules."""
    found: set[int] = set()
    for operation, _ in _targets_in(graph):
        made = operation.inputs[operation.input_tracked.index(True)]
        if isinstance(made, int):
            found |= {made, *(each.index for each in graph.ancestors(graph.operations[made]))}
    return found or {operation.index for operation in graph.forward if operation.module}


def _with_statistic(
    following: _Following, operation: Operation, given: Sequence[Examples | None], predicts: Collection[int]
) -> Examples | None:
    """Rows met a number that was computed from all rows, and go on as rows.

    Not where they are divided by such a one too, as batch norm does, or where how far they are spread is appended to them: a
    discriminator is told on purpose how much its examples differ.
    """
    examples = next((each for each in given if each is not None), None)
    if operation.name not in _JOINS or examples is None or not _meets_pooled(following, operation):
        return None
    if operation.name in _APPENDS and _appends_spread(following, operation):
        return None
    if _is_standardised(following, operation) or not _goes_on(following, operation, predicts):
        return None
    return examples


def _appends_spread(following: _Following, operation: Operation) -> bool:
    """Whether all that was computed from all rows, of what it joins, is a deviation of theirs."""
    graph = following.graph
    pooled = [graph.operations[each] for each in operation.inputs if isinstance(each, int) and each in following.pooled]
    return all(
        any(each.name in _SPREADS for each in (one, *graph.ancestors(one)) if each.index in following.pooled)
        for one in pooled
    )


def _goes_on(following: _Following, operation: Operation, predicts: Collection[int]) -> bool:
    """Whether the predictions use what it made other than by a statistic of all examples."""
    seen, waiting = set[int](), [operation]
    while waiting:
        users = [each for each in following.graph.users_of(waiting.pop()) if each.index in predicts]
        if not users:
            return True
        new = [each for each in users if each.index not in seen and each.index not in following.pooled]
        seen.update(each.index for each in new)
        waiting += new
    return False


def _is_standardised(following: _Following, operation: Operation) -> bool:
    """Whether a mean is subtracted and the result divided, as batch norm does, here or in what uses or made it."""
    graph, near, before = following.graph, [operation], [operation]
    for _ in range(2):
        near += [each for one in near for each in graph.users_of(one)]
        before += [each for one in before for each in graph.inputs_of(one) if isinstance(each, Operation)]
    near += before
    met = {each.name for each in near if _meets_pooled(following, each)}
    return bool(met & _SUBTRACTS) and bool(met & _SCALES)


def _meets_pooled(following: _Following, operation: Operation) -> bool:
    return any(each in following.pooled for each in operation.inputs if isinstance(each, int))
