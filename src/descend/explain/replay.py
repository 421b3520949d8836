"""A recorded step computed once more in float64: forward from its batch and parameters, and backward by closed forms.

What the script computed in float32 is computed here from the same numbers with nothing of PyTorch's autograd, so that it can bear
witness. An operation without a closed form says so; where PyTorch has a function of its name, its value is taken from that, and
its derivative from autograd in float64, which then is no second witness.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from descend.explain.formulas.arguments import Arguments, NotCovered, prepared
from descend.explain.formulas.formula import Formula, close
from descend.explain.formulas.library import formula_of
from descend.explain.parts import all_outputs, has_parts, in_its_part, is_cut, part_of, put_together
from descend.record.graph import Operation, StepGraph

# Functions that compute an output from tensors and numbers, and do nothing else. A record may come from a stranger, so no
# other name in it is ever looked up.
_KNOWN_TO_PYTORCH = """
    sin cos tan sinh cosh asin acos atan atan2 erf expm1 log1p log2 log10 rsqrt reciprocal logaddexp sign round floor
    softplus silu elu selu celu mish hardtanh hardsigmoid hardswish logsigmoid softsign relu6 glu prelu
    cumsum cumprod prod norm median amin min argmax eq ne gt lt ge le outer dot mv bmm baddbmm
    conv1d conv3d conv_transpose2d max_pool1d avg_pool1d adaptive_avg_pool2d group_norm instance_norm
    kl_div cosine_similarity pairwise_distance tril triu roll flip repeat repeat_interleave pad one_hot arange zeros ones
    detach clone to float double contiguous
    """
_WITHOUT_CLOSED_FORM = frozenset(_KNOWN_TO_PYTORCH.split())
_PASSED_ON = frozenset(["to", "float", "double", "contiguous", "clone", "detach"])
_DROPOUTS = frozenset(["dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout", "alpha_dropout"])
_DRAWN = "drawn."  # before the number of an operation: the random numbers that it drew
_MASK = "mask."  # before the number of an operation: the entries that a dropout kept


@dataclass(slots=True)
class Worked:
    """One operation of the step with its numbers."""

    operation: Operation
    output: Tensor  # float64
    inputs: list[Tensor]
    formula: Formula | None = None
    arguments: Arguments | None = None
    gradient: Tensor | None = None  # of the loss by the output
    why: str = ""  # there is no closed form
    mask: Tensor | None = None  # of a dropout: what it kept


@dataclass(slots=True)
class Replay:
    """A step computed once more: its operations on the way to the losses, in order, and the gradients of what it began with."""

    graph: StepGraph
    losses: tuple[Operation, ...]  # each as often as a backward pass began at it
    followed: frozenset[int]  # operations that gradients flow through
    worked: dict[int, Worked] = field(default_factory=dict)
    leaves: dict[str, Tensor] = field(default_factory=dict)  # parameters and data that it was given, by name, float64
    gradients: dict[str, Tensor] = field(default_factory=dict)  # of the summed losses by each leaf that they depend on
    aside: dict[int, Tensor] = field(default_factory=dict)  # outputs taken from the record, by operation
    masks: dict[int, Tensor] = field(default_factory=dict)  # what dropouts kept, by operation

    @property
    def loss(self) -> float:
        """The sum of what the backward passes began at."""
        return sum(float(self.worked[one.index].output) for one in self.losses)

    @property
    def size(self) -> int:
        """How many numbers all outputs have together."""
        return sum(one.output.numel() for one in self.worked.values())

    def part(self, operation: Operation, place: int, output: Tensor) -> Tensor:
        """The input at ``place``, from all that its operation gave."""
        made = operation.inputs[place]
        assert isinstance(made, int)
        return output if made in self.aside else part_of(self.graph.operations[made], output, operation.part(place))

    def loss_with(self, name: str, value: Tensor) -> float:
        """The sum of the losses with another value of one leaf, all else as it was."""
        outputs: dict[int, Tensor] = dict(self.aside)
        changed: set[int] = set()
        for index, worked in self.worked.items():
            given = worked.operation.inputs
            if not any(each in changed if isinstance(each, int) else each == name for each in given):
                outputs[index] = worked.output
                continue
            changed.add(index)
            tensors = [
                self.part(worked.operation, place, outputs[each])
                if isinstance(each, int)
                else value
                if each == name
                else self.leaves[each]
                for place, each in enumerate(given)
            ]
            outputs[index] = _forward(worked, tensors)
        return sum(float(outputs[one.index]) for one in self.losses)

    def gradients_with(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The gradients with other values of some leaves, all else as it was."""
        other = Replay(self.graph, self.losses, self.followed, aside=self.aside, masks=self.masks)
        other.leaves = {**self.leaves, **values}
        for index in self.worked:
            _work_one(other, self.graph.operations[index], {})
        _differentiate(other)
        return other.gradients


def replay(
    graph: StepGraph,
    tensors: Mapping[str, Tensor],
    losses: Sequence[Operation] | None = None,
    parameters: Collection[str] = (),
) -> Replay:
    """Compute the step of ``graph`` once more from the ``tensors`` of its snapshot.

    losses: where the gradients come from, when it is not what the backward passes began at. parameters: names of leaves that
    gradients flow to although autograd followed nothing, as in a loop with gradients by hand. Raises NotCovered where an operation
    on the way to a loss can be computed by nobody, or a tensor was not kept.
    """
    losses = graph.losses if losses is None else losses
    if not losses:
        raise NotCovered("no backward pass was recorded in this step")
    found = Replay(graph, tuple(losses), _followed(graph, parameters))
    _compute(found, tensors)
    _differentiate(found)
    return found


def _followed(graph: StepGraph, parameters: Collection[str]) -> frozenset[int]:
    """What autograd followed; in a step without a backward pass, what depends on a parameter."""
    found = {one.index for one in graph if one.tracked}
    if not graph.losses:
        for one in graph:
            if any(each in found if isinstance(each, int) else each in parameters for each in one.inputs):
                found.add(one.index)
    return frozenset(found)


def _compute(found: Replay, tensors: Mapping[str, Tensor]) -> None:
    graph = found.graph
    needed: set[int] = set()
    waiting = [one.index for one in found.losses]
    while waiting:
        index = waiting.pop()
        if index in needed:
            continue
        needed.add(index)
        operation = graph.operations[index]
        given = None if index in found.followed else _kept_output(operation, tensors)
        if given is not None:
            found.aside[index] = given
        else:
            waiting += [each for each in operation.inputs if isinstance(each, int)]
        if f"{_MASK}{index}" in tensors:
            found.masks[index] = tensors[f"{_MASK}{index}"]
    for index in sorted(needed):
        if index not in found.aside:
            _work_one(found, graph.operations[index], tensors)


def _work_one(found: Replay, operation: Operation, tensors: Mapping[str, Tensor]) -> None:
    inputs = [
        found.part(operation, place, _output_of(found, each)) if isinstance(each, int) else _leaf(found, each, tensors)
        for place, each in enumerate(operation.inputs)
    ]
    found.worked[operation.index] = _work(operation, inputs, found.masks.get(operation.index))


def _output_of(found: Replay, index: int) -> Tensor:
    return found.aside[index] if index in found.aside else found.worked[index].output


def _leaf(found: Replay, name: str, tensors: Mapping[str, Tensor]) -> Tensor:
    if name not in found.leaves:
        kept = tensors.get(f"before.{name}", tensors.get(name))
        if kept is None and name.endswith(".grad"):
            kept = tensors.get(f"gradient.{name.removesuffix('.grad')}")
        if kept is None:
            raise NotCovered(f"the tensor {name} was not kept with this step")
        found.leaves[name] = prepared(kept)
    return found.leaves[name]


def _kept_output(operation: Operation, tensors: Mapping[str, Tensor]) -> Tensor | None:
    """The output of an operation that autograd does not follow, where the record holds it: a batch taken out of the data."""
    if f"{_DRAWN}{operation.index}" in tensors:
        return prepared(tensors[f"{_DRAWN}{operation.index}"])
    for name in ("batch.x", "batch.y", "batch.2", "batch.3"):
        kept = tensors.get(name)
        if kept is not None and tuple(kept.shape) == operation.shape and _looks_like(operation, kept):
            return prepared(kept)
    if operation.values is not None:
        values = torch.tensor(operation.numbers, dtype=torch.float64)
        return values if "float" in operation.dtype else values.long()
    return None


def _looks_like(operation: Operation, kept: Tensor) -> bool:
    values = kept.double()
    if operation.values is not None:
        return close(torch.tensor(operation.numbers, dtype=torch.float64), values)
    summary = torch.stack([values.min(), values.mean(), values.max()])
    return close(torch.tensor([operation.least, operation.mean, operation.most], dtype=torch.float64), summary)


def _work(operation: Operation, inputs: list[Tensor], mask: Tensor | None) -> Worked:
    formula = formula_of(operation.name)
    if formula is None:
        why = "" if is_cut(operation) else f"{operation.name} has no closed form here"
        return Worked(operation, _by_torch(operation, inputs), inputs, why=why)
    given = inputs if mask is None else [*inputs, mask]
    try:
        arguments = formula.bind(given, operation.constants, _recorded(operation), called=operation.name.strip("_"))
        output = formula.forward(arguments)
    except NotCovered as error:
        return Worked(operation, _by_torch(operation, inputs), inputs, why=error.what)
    except (RuntimeError, IndexError, ValueError) as error:
        why = f"the closed form of {operation.name} does not fit this call: {error}"
        return Worked(operation, _by_torch(operation, inputs), inputs, why=why)
    if tuple(output.shape) != operation.shape and not has_parts(operation):
        why = f"{operation.name}: the closed form gives another shape than the one recorded"
        return Worked(operation, _by_torch(operation, inputs), inputs, why=why)
    return Worked(operation, output, inputs, formula, arguments, mask=mask)


def _recorded(operation: Operation) -> Tensor | None:
    """What a small operation gave in the run."""
    if operation.values is None or None in _flat(operation.values):
        return None
    return torch.tensor(operation.numbers, dtype=torch.float64)


def _forward(worked: Worked, inputs: list[Tensor]) -> Tensor:
    if worked.formula is None:
        return _by_torch(worked.operation, inputs)
    known = worked.arguments.output if worked.arguments is not None else None
    name = worked.operation.name.strip("_")
    given = inputs if worked.mask is None else [*inputs, worked.mask]
    return worked.formula.forward(worked.formula.bind(given, worked.operation.constants, known, called=name))


def _by_torch(operation: Operation, inputs: Sequence[Tensor]) -> Tensor:
    """The output from PyTorch's own function of that name, in float64."""
    name = operation.name.strip("_")
    if has_parts(operation):
        return all_outputs(operation, inputs)
    if name in _DROPOUTS:
        raise NotCovered(f"which entries {name} left out was not kept with this step")
    if name not in _WITHOUT_CLOSED_FORM:
        raise NotCovered(f"{operation.name} can be computed neither by a closed form nor by a known function")
    function = getattr(functional, name, None) or getattr(torch, name, None) or getattr(Tensor, name, None)
    if function is None:
        raise NotCovered(f"PyTorch has no function {name}")
    waiting = list(inputs)
    numbered = {int(key): value for key, value in operation.constants.items() if key.isdigit()}
    places = max([*numbered, len(numbered) + len(inputs) - 1]) + 1
    arguments = [
        numbered[place] if place in numbered else waiting.pop(0)
        for place in range(places)
        if place in numbered or waiting
    ]
    named = {key: value for key, value in operation.constants.items() if not key.isdigit() and key != "inplace"}
    if name in _PASSED_ON:
        return inputs[0]
    try:
        output = function(*arguments, *waiting, **named)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise NotCovered(f"{operation.name} cannot be computed once more: {error}") from error
    if not isinstance(output, Tensor) or tuple(output.shape) != operation.shape:
        raise NotCovered(f"{operation.name} cannot be computed once more: its output has another shape")
    return output if output.requires_grad else prepared(output)


def _differentiate(found: Replay) -> None:
    """The chain rule from the losses back to every leaf."""
    for one in found.losses:
        last = found.worked[one.index]
        if last.output.numel() != 1:
            raise NotCovered("the backward pass did not begin at a single number")
        _add(last, torch.ones_like(last.output))
    for index in sorted(found.worked, reverse=True):
        worked = found.worked[index]
        if worked.gradient is None or index not in found.followed:
            continue
        for place, (given, gradient) in enumerate(zip(worked.operation.inputs, _backward(worked), strict=True)):
            if gradient is None:
                continue
            if isinstance(given, str):
                known = found.gradients.get(given)
                found.gradients[given] = gradient if known is None else known + gradient
            elif given in found.worked:
                made, part = found.worked[given], worked.operation.part(place)
                _add(made, in_its_part(made.operation, made.output, part, gradient))


def _add(worked: Worked, gradient: Tensor) -> None:
    worked.gradient = gradient if worked.gradient is None else worked.gradient + gradient


def _backward(worked: Worked) -> Sequence[Tensor | None]:
    assert worked.gradient is not None
    if worked.operation.name in ("detach", "data"):
        return [None] * len(worked.inputs)
    if is_cut(worked.operation):
        return [put_together(worked.operation, worked.inputs[0], worked.gradient)]
    if worked.formula is not None and worked.arguments is not None:
        try:
            found = worked.formula.backward(worked.gradient, worked.arguments, worked.output)
            return found[: len(worked.inputs)]
        except NotCovered as error:
            worked.why = error.what
    with torch.enable_grad():
        inputs = [each.detach().requires_grad_(each.is_floating_point()) for each in worked.inputs]
        output = _forward(worked, inputs) if worked.formula is not None else _by_torch(worked.operation, inputs)
        wanted = [each for each in inputs if each.requires_grad]
        if not output.requires_grad:
            return [None] * len(inputs)
        gradients = iter(torch.autograd.grad(output, wanted, worked.gradient, allow_unused=True))
    return [next(gradients) if each.requires_grad else None for each in inputs]


def _flat(values: object) -> list[object]:
    return [each for one in values for each in _flat(one)] if isinstance(values, list) else [values]
