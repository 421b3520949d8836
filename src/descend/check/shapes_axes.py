"""Operations that work along the wrong axis: D203 (across the examples of a batch), D204 (a wrong axis) and D205 (a layer for other data)."""

import ast
from collections.abc import Iterator, Sequence
from math import prod

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.examples import ACROSS, Mixing, batch_of, mixings, softmax_axes
from descend.check.finding import CannotCheck, Finding
from descend.check.graph import Operation, StepGraph
from descend.check.rule import Rule

_SOFTMAX = ("softmax", "log_softmax", "softmin")
_RECURRENT = {"lstm": "LSTM", "gru": "GRU", "rnn_tanh": "RNN", "rnn_relu": "RNN"}
_ATTENTION = ("MultiheadAttention", "TransformerEncoderLayer", "TransformerDecoderLayer", "Transformer")
_CHANNELS = (1, 3, 4)
_SMALLEST_IMAGE = 8


class Mixed(Rule):
    """What the model answers for one example depends on the others of its batch."""

    code = "D203"
    highest = "likely"
    name = "examples of a batch are mixed"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for each in mixings(evidence):
            if each.how in ACROSS:
                yield _mixed(evidence, each)

    def clean(self, evidence: Evidence) -> str:
        return _clean(evidence, "no operation was seen that mixes the examples of a batch")


class WrongAxis(Rule):
    """A softmax, a recurrent layer, attention or a convolution works along another axis than it should."""

    code = "D204"
    highest = "bug"
    name = "an operation along the wrong axis"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        yield from _over_one(evidence)
        for each in mixings(evidence):
            if each.how == "softmax":
                yield _softmax_over_examples(evidence, each)
            elif each.how in ("recurrent", "attention") and _has_other_axis(evidence, each):
                yield _examples_in_time(evidence, each)
        yield from _channels_last(evidence)

    def clean(self, evidence: Evidence) -> str:
        return _clean(evidence, "softmax, recurrent layers and convolutions work along the axes they should")


class WrongLayer(Rule):
    """A layer made for images or channels is given rows of numbers, and drops or normalises something else than is meant."""

    code = "D205"
    highest = "likely"
    name = "a layer made for other data"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        told = set()
        for graph in evidence.graphs():
            for operation in graph.forward:
                place = (operation.file, operation.line, operation.module)
                if place not in told and (found := _for_other_data(evidence, graph, operation)) is not None:
                    told.add(place)
                    yield found

    def clean(self, evidence: Evidence) -> str:
        evidence.graphs()
        return "dropout and normalisation layers are given what they are made for"


def _clean(evidence: Evidence, text: str) -> str:
    if not any(batch_of(evidence, graph) for graph in evidence.graphs(3)):
        raise CannotCheck("which axis of the data holds the examples could not be told")
    return text


def _mixed(evidence: Evidence, mixing: Mixing) -> Finding:
    operation, count = mixing.operation, mixing.examples.count
    if mixing.how == "statistic":
        title = f"the row of each example is put together with a statistic of all {count:,} in its batch"
        fix = "take it along the features (dim=-1, keepdim=True), or use BatchNorm"
    elif mixing.how == "order":
        title = f"{operation.name} runs along the {count:,} examples of the batch"
        fix = f"{operation.name} along an axis of the example: dim=1 or dim=-1"
    else:
        title = f"{operation.name} normalises over the {count:,} examples of the batch"
        fix = "normalise along the features alone (dim=-1)"
    return Finding(
        code="D203",
        level="likely",
        title=title,
        message="What the model answers for one example depends on the others of its batch: alone, or among others, it gets "
        "another answer.",
        evidence={
            "operation": f"{operation.name} of {' and '.join(words.shape(each) for each in operation.input_shapes[:2])}",
            "examples": f"{count:,}, along axis {mixing.examples.axis}",
            "seen at": words.steps(mixing.steps),
        },
        where=words.place_of(evidence, operation),
        step=operation.step,
        fix=fix,
    )


def _over_one(evidence: Evidence) -> Iterator[Finding]:
    """Softmax over an axis with one element: every output is 1, whatever the input."""
    places: dict[tuple[str, int], list[tuple[StepGraph, Operation]]] = {}
    for graph in evidence.graphs():
        for operation in graph.forward:
            if operation.tracked and operation.name in (*_SOFTMAX, "cross_entropy") and operation.input_shapes:
                places.setdefault((operation.file, operation.line), []).append((graph, operation))
    for found in places.values():
        if all(_is_over_one(operation) for _, operation in found):
            yield _over_one_finding(evidence, found)


def _is_over_one(operation: Operation) -> bool:
    shape = operation.input_shapes[0]
    if operation.name == "cross_entropy":
        classes = len(operation.input_dtypes) > 1 and operation.input_dtypes[1] == "int64"
        return classes and len(shape) > 1 and shape[1] == 1 and operation.values == 0
    value = 1.0 if operation.name != "log_softmax" else 0.0
    axes = softmax_axes(operation)
    return bool(shape) and prod(shape) > 0 and shape[axes[0]] == 1 and operation.range == (value, value)


def _over_one_finding(evidence: Evidence, found: Sequence[tuple[StepGraph, Operation]]) -> Finding:
    graph, operation = found[0]
    shape, place = operation.input_shapes[0], words.place_of(evidence, operation)
    axis = 1 if operation.name == "cross_entropy" else softmax_axes(operation)[0]
    value = 1 if operation.name in ("softmax", "softmin") else 0
    other = next((each for each, size in enumerate(shape) if size > 1), None)
    fix = "an output for each class, or binary_cross_entropy_with_logits"
    if operation.name != "cross_entropy":
        along = (
            "" if other is None or (other == 0 and _examples_at_first(evidence, graph, operation)) else f"dim={other}"
        )
        fix = f"{operation.name} along the axis that is meant: {along}" if along else "use sigmoid for a single output"
    return Finding(
        code="D204",
        # A sequence with one element has one key to attend to: that may be how the data are.
        level="bug" if len(shape) <= 2 or all(_is_one_output(*each) for each in found) else "likely",
        title=f"{operation.name} over axis {axis} of {words.shape(shape)}, which has one element: it always gives {value}",
        message="What it is given has no effect and gets no gradient: all that lies before it learns nothing through here.",
        evidence={
            "input": words.shape(shape),
            "output": f"{value} everywhere, in each of {len(found):,} calls that were looked at",
        },
        where=place,
        step=operation.step,
        fix=fix,
    )


def _is_one_output(graph: StepGraph, operation: Operation) -> bool:
    """Whether a layer with a single output made the axis, whatever the data are."""
    made, shape = graph.maker(operation), operation.input_shapes[0]
    linear = isinstance(made, Operation) and made.name == "linear" and made.shape == shape
    return linear and softmax_axes(operation)[0] == len(shape) - 1


def _examples_at_first(evidence: Evidence, graph: StepGraph, operation: Operation) -> bool:
    batch = batch_of(evidence, graph)
    return any(operation.input_shapes[0][0] == each.count for each in batch.values())


def _softmax_over_examples(evidence: Evidence, mixing: Mixing) -> Finding:
    operation, count = mixing.operation, mixing.examples.count
    shape = operation.input_shapes[0]
    axis = mixing.examples.axis
    other = len(shape) - 1 if axis != len(shape) - 1 else 0
    place = words.place_of(evidence, operation)
    implicit = "dim" not in operation.constants and "1" not in operation.constants
    return Finding(
        code="D204",
        level="likely",
        title=f"{operation.name} runs over the {count:,} examples of the batch (axis {axis} of {words.shape(shape)})",
        message="The probabilities of one example then do not add up to 1; those of one class over the whole batch do, and each answer "
        "depends on the other examples." + (" No axis was named, and PyTorch took this one." if implicit else ""),
        evidence={
            "input": words.shape(shape),
            "examples": f"{count:,}, along axis {axis}",
            "seen at": words.steps(mixing.steps),
        },
        where=place,
        step=operation.step,
        fix=(_with_dim(evidence, operation, other) or f"{operation.name}(dim={other})")
        if len(shape) > 1
        else "use sigmoid",
    )


def _with_dim(evidence: Evidence, operation: Operation, axis: int) -> str:
    """The user's line with the axis of its softmax replaced; "" where it stands elsewhere."""
    place = words.place_of(evidence, operation)
    calls = evidence.calls_on(operation.file, operation.line)
    mine = [each for each in calls if isinstance(each.func, ast.Attribute) and each.func.attr == operation.name]
    if len(mine) != 1:
        return ""
    named = [each.value for each in mine[0].keywords if each.arg == "dim"]
    plain = [each for each in mine[0].args if isinstance(each, ast.Constant | ast.UnaryOp)]
    chosen = named or plain
    return words.line_with(evidence, place, chosen[0], str(axis)) if len(chosen) == 1 else ""


def _has_other_axis(evidence: Evidence, mixing: Mixing) -> bool:
    """Whether there is another axis that could be time; a single one may be a whole series, unless the rows are shuffled."""
    shape = mixing.operation.input_shapes[0]
    if shape[1 - mixing.examples.axis] > 1:
        return True
    return any(row.values["order"] == "shuffled" and row.values["trained"] for row in evidence.facts("loader"))


def _examples_in_time(evidence: Evidence, mixing: Mixing) -> Finding:
    operation, count = mixing.operation, mixing.examples.count
    shape = operation.input_shapes[0]
    name = _RECURRENT.get(operation.name, "attention")
    first = mixing.examples.axis == 0
    length = shape[1 - mixing.examples.axis]
    said = "False" if first else "True"
    what = "steps of time" if mixing.how == "recurrent" else "elements of a sequence"
    return Finding(
        code="D204",
        level="likely",
        title=f"{name} takes the {count:,} examples of the batch for {what}: its input is {words.shape(shape)} and batch_first is {said}",
        message=f"It passes what it has read of one example on to the next, and treats the {length:,} elements of each as separate "
        "sequences: the answer for one example depends on those before it in the batch."
        if mixing.how == "recurrent"
        else f"Each example attends to the others of its batch, and the {length:,} elements of one example never meet.",
        evidence={
            "input": words.shape(shape),
            "examples": f"{count:,}, along axis {mixing.examples.axis}",
            "batch_first": said,
            "seen at": words.steps(mixing.steps),
        },
        where=words.place_of(evidence, operation),
        step=operation.step,
        fix=_batch_first(evidence, name) if first else "give it the sequences along axis 1: x.transpose(0, 1)",
    )


def _batch_first(evidence: Evidence, name: str) -> str:
    """The line that makes the layer, with ``batch_first=True``; or what to do where there are several."""
    wanted = _ATTENTION if name == "attention" else (name,)
    found = [
        (file, node)
        for file in evidence.sources
        for node in ast.walk(evidence.tree(file) or ast.Module([], []))
        if isinstance(node, ast.Call) and _called(node) in wanted and not _has_keyword(node, "batch_first")
    ]
    if len(found) == 1:
        file, call = found[0]
        text = ast.get_source_segment(evidence.sources[file], call)
        place = evidence.place(file, call.lineno)
        if text and text.endswith(")"):
            fixed = words.line_with(evidence, place, call, f"{text[:-1].rstrip().removesuffix(',')}, batch_first=True)")
            if fixed:
                return fixed
    return "make it with batch_first=True"


def _has_keyword(call: ast.Call, name: str) -> bool:
    return any(each.arg == name for each in call.keywords)


def _called(call: ast.Call) -> str:
    func = call.func
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def _channels_last(evidence: Evidence) -> Iterator[Finding]:
    """Images whose channels lie along the last axis, given to a convolution that takes their rows for channels."""
    told = set()
    for graph in evidence.graphs(3):
        for operation in graph.named("conv2d"):
            shape = operation.input_shapes[0]
            if len(shape) != 4 or (operation.file, operation.line) in told or operation.input_tracked[0]:
                continue
            count, rows, columns, channels = shape
            square = rows == columns >= _SMALLEST_IMAGE
            if square and channels in _CHANNELS and count > 1:
                told.add((operation.file, operation.line))
                yield Finding(
                    code="D204",
                    level="likely",
                    title=f"conv2d takes the {rows} rows of the images for channels: its input is {words.shape(shape)}",
                    message=f"It slides over images of {columns} x {channels} with {rows} channels. PyTorch expects (examples, channels, "
                    "rows, columns).",
                    evidence={"input": words.shape(shape), "weight": words.shape(operation.input_shapes[1])},
                    where=words.place_of(evidence, operation),
                    step=graph.step,
                    fix=f"x.permute(0, 3, 1, 2) before it, and {channels} channels in: nn.Conv2d({channels}, …)",
                )


def _for_other_data(evidence: Evidence, graph: StepGraph, operation: Operation) -> Finding | None:
    shape = operation.input_shapes[0] if operation.input_shapes else ()
    first, size = shape[0] if shape else 0, len(shape)
    name, fix = operation.name, "nn.Dropout instead"
    if name == "dropout2d" and size == 2:
        layer, does = (
            "Dropout2d",
            "Made to drop whole channels of images, it drops single numbers here as Dropout does, and PyTorch warns.",
        )
    elif name == "dropout2d" and size == 3 and _is_sequence(graph, operation):
        layer, does = (
            "Dropout2d",
            f"It takes axis 1 for channels and drops all {shape[2]:,} numbers of an element at once.",
        )
        fix = "nn.Dropout instead, or exchange axes 1 and 2 before and after it"
    elif name == "dropout1d" and size == 2:
        layer, does = "Dropout1d", f"It takes the {first:,} rows for channels: it sets whole examples to zero."
    elif name == "dropout3d" and size == 4:
        layer, does = "Dropout3d", f"It takes the {first:,} examples for channels: it sets whole examples to zero."
        fix = "nn.Dropout2d instead"
    elif name == "instance_norm" and (rows := _rows_as_channels(graph, operation)):
        layer, does = (
            "InstanceNorm",
            f"It takes the {rows[0]:,} rows for channels and normalises each over its own numbers.",
        )
        shape, fix = rows, "nn.LayerNorm for each row, or nn.BatchNorm1d for each feature"
    else:
        return None
    return Finding(
        code="D205",
        level="likely",
        title=f"{layer} is given {words.shape(shape)}, which it is not made for",
        message=does,
        evidence={"input": words.shape(shape), "layer": operation.module or name},
        where=words.place_of(evidence, operation),
        step=operation.step,
        fix=fix,
    )


def _is_sequence(graph: StepGraph, operation: Operation) -> bool:
    """Whether axis 1 of what it is given counts elements of a sequence, not channels: by the layer that made it."""
    sequence = (
        "embedding",
        "linear",
        "lstm",
        "gru",
        "rnn_tanh",
        "rnn_relu",
        "layer_norm",
        "multi_head_attention_forward",
    )
    turned = (
        "conv1d",
        "conv_transpose1d",
        "permute",
        "transpose",
        "swapaxes",
        "mT",
        "movedim",
        "max_pool1d",
        "avg_pool1d",
    )
    made: Operation | str | None = operation
    while isinstance(made, Operation):
        made = next(iter(graph.inputs_of(made)), None)
        if isinstance(made, Operation) and made.name in turned:
            return False
        if isinstance(made, Operation) and made.name in sequence and len(made.shape) == 3:
            return True
    return False


def _rows_as_channels(graph: StepGraph, operation: Operation) -> tuple[int, ...]:
    """The shape of the rows that an instance norm itself has made one example of; () where it has not."""
    made = graph.inputs_of(operation)[0] if operation.inputs else None
    if (
        not isinstance(made, Operation)
        or made.name != "unsqueeze"
        or made.module != operation.module
        or not made.module
    ):
        return ()
    return made.input_shapes[0] if operation.input_shapes[0][0] == 1 else ()


RULES: tuple[type[Rule], ...] = (Mixed, WrongAxis, WrongLayer)
