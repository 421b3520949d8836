"""What a step does to the examples of its batch: views that tear them apart, and operations that mix one with another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from descend.check.axes import RECURRENT, REDUCTIONS, VIEWS, Examples, after, axes_named, through_view
from descend.check.evidence import Evidence
from descend.check.graph import Operation, StepGraph
from descend.record.rows import BatchRow

_STEPS = 3  # of each run that are looked at
_SOFTMAX = frozenset(["softmax", "log_softmax", "softmin"])
_IN_ORDER = frozenset(["cumsum", "cumprod", "logcumsumexp", "sort", "argsort", "flip", "flipud", "roll"])
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
_ADDS = frozenset(["add", "sub", "rsub", "add_", "sub_", "cat", "concat", "mul", "mul_"])
_DIVIDES = frozenset(["truediv", "div", "div_", "truediv_"])


@dataclass(frozen=True, slots=True)
class Mixing:
    """An operation after which the row of an example depends on other examples."""

    how: str  # "torn", "softmax", "recurrent", "attention", "statistic", "order", "normalised"
    operation: Operation
    examples: Examples  # where they lay in what it was given
    steps: tuple[int, ...] = ()


def mixings(evidence: Evidence) -> list[Mixing]:
    """Those of the first recorded steps, each line once. Raises CannotCheck where no operation was recorded."""
    found: dict[tuple[str, str, int], Mixing] = {}
    for graph in evidence.graphs(_STEPS):
        for each in _mixings_of(evidence, graph):
            key = (each.how, each.operation.file, each.operation.line)
            known = found.get(key, each)
            found[key] = Mixing(known.how, known.operation, known.examples, (*known.steps, graph.step))
    return list(found.values())


def batch_of(evidence: Evidence, graph: StepGraph) -> list[tuple[tuple[int, ...], Examples]]:
    """The shapes of the tensors that a step was given, and where the examples lie in each; empty where nobody can say.

    A target of one number for each example tells how many there are; so does the size of a loader's batches. Targets of the shape of
    the data tell nothing: their first axis may be time.
    """
    rows = [each for each in evidence.batches if each.step == graph.step and not each.evaluation and each.shape]
    if not rows:
        return []
    count = _count(evidence, rows)
    if count < 2:
        return []
    found = []
    for each in rows:
        axes = [axis for axis, size in enumerate(each.shape) if size == count]
        if axes and (axes[0] == 0 or len(axes) == 1):
            found.append((each.shape, Examples(axes[0], count)))
    return found


def _count(evidence: Evidence, rows: Sequence[BatchRow]) -> int:
    """How many examples a batch has; 0 where that is not known."""
    data, *others = rows
    sizes = {row.values["batch_size"] for row in evidence.facts("loader") if row.values["trained"]}
    if data.shape[0] in sizes and all(each.shape[0] == data.shape[0] for each in others):
        return data.shape[0]
    for target in others:
        plain = len(target.shape) == 1 or (len(target.shape) == 2 and target.shape[1] not in data.shape[1:])
        if plain and data.shape.count(target.shape[0]) == 1 and len(data.shape) > 1:
            return target.shape[0]
    return 0


class _Following:
    """Where the examples are in every tensor of one step."""

    def __init__(self, graph: StepGraph, batch: Sequence[tuple[tuple[int, ...], Examples]]) -> None:
        self.graph = graph
        self._batch = dict(batch)
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
        if (reduces and operation.tracked) or (
            not any(each is not None for each in found) and _meets_pooled(self, operation)
        ):
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
        if first is not None and (how := _how(operation, first)):
            yield Mixing(how, operation, first)
        elif operation.index in predicts and (examples := _with_statistic(following, operation, given)) is not None:
            yield Mixing("statistic", operation, examples)


def _how(operation: Operation, examples: Examples) -> str:
    """How an operation on one tensor mixes examples; "" where it does not."""
    name, shape = operation.name, operation.input_shapes[0]
    if name in VIEWS:
        return "torn" if _is_torn(examples, shape, operation.shape) else ""
    if name in _SOFTMAX:
        return "softmax" if examples.axis in softmax_axes(operation) else ""
    if name in RECURRENT:
        batch_axis = 0 if operation.constant(8, "batch_first") is True else 1
        return "recurrent" if len(shape) == 3 and examples.axis == 1 - batch_axis else ""
    if name == "multi_head_attention_forward":
        return "attention" if len(shape) == 3 and examples.axis == 0 else ""
    if not operation.tracked:
        return ""
    if name in _IN_ORDER:
        axes = axes_named(operation, "dim", "dims", position=2 if name == "roll" else 1)
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


def _before_targets(graph: StepGraph) -> set[int]:
    """The operations that predictions were computed from: of losses that are given a target, all before them; else those of modules."""
    found: set[int] = set()
    for operation in graph.forward:
        if operation.name in _COMPARES and len(operation.inputs) > 1 and not operation.input_tracked[1]:
            made = operation.inputs[0]
            if isinstance(made, int):
                found |= {made, *(each.index for each in graph.ancestors(graph.operations[made]))}
    return found or {operation.index for operation in graph.forward if operation.module}


def _with_statistic(following: _Following, operation: Operation, given: Sequence[Examples | None]) -> Examples | None:
    """Rows met a number that was computed from all rows; not where they are divided by such a one too, as batch norm does."""
    examples = next((each for each in given if each is not None), None)
    if operation.name not in _ADDS or examples is None or not _meets_pooled(following, operation):
        return None
    later = [operation, *following.graph.users_of(operation)]
    later += [each for one in later[1:] for each in following.graph.users_of(one)]
    divided = any(each.name in _DIVIDES and _meets_pooled(following, each) for each in later)
    return None if divided else examples


def _meets_pooled(following: _Following, operation: Operation) -> bool:
    return any(each in following.pooled for each in operation.inputs if isinstance(each, int))
