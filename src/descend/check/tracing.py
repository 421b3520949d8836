"""What a tensor is, told from the operations that made it: probabilities, their logarithms, the output of an activation."""

import ast
from collections.abc import Callable

from descend.check.evidence import Evidence
from descend.check.finding import Place
from descend.check.graph import VIEWS, Operation, StepGraph

_PASSED_ON = VIEWS | {
    "getitem",
    "index_select",
    "masked_select",
    "narrow",
    "select",
    "nan_to_num",
    "cpu",
    "cuda",
    "half",
    "bfloat16",
    "moveaxis",
    "swapdims",
    "ravel",
    "unflatten",
    "retain_grad",
}
_NO_MORE = 1e-4  # added to a probability or cut off from it, so that its logarithm stays finite

_NAMES = {
    "softmax": "softmax",
    "special_softmax": "softmax",
    "gumbel_softmax": "softmax",
    "log_softmax": "log_softmax",
    "special_log_softmax": "log_softmax",
    "sigmoid": "sigmoid",
    "special_expit": "sigmoid",
    "hardsigmoid": "hardsigmoid",
    "logsigmoid": "logsigmoid",
    "relu": "relu",
    "relu6": "relu6",
    "tanh": "tanh",
    "hardtanh": "hardtanh",
    "softsign": "softsign",
    "softplus": "softplus",
    "elu": "elu",
    "selu": "selu",
    "celu": "celu",
    "gelu": "gelu",
    "silu": "silu",
    "hardswish": "hardswish",
    "mish": "mish",
    "sin": "sin",
    "cos": "cos",
}
AFFINE = frozenset(["linear", "matmul", "mm", "addmm", "bmm", "mv", "einsum", "conv1d", "conv2d", "conv3d", "bilinear"])


def passes_on(operation: Operation) -> bool:
    """Whether what comes out are the numbers that went in, in another form or with next to nothing added."""
    if not operation.inputs:
        return False
    if operation.name in _PASSED_ON:
        return True
    number = number_of(operation)
    name = operation.name.rstrip("_")
    if name in ("mul", "rmul", "div", "truediv", "pow"):
        return number is not None and number == 1
    if name in ("add", "radd", "sub"):
        return number is not None and abs(number) <= _NO_MORE
    if name in ("clamp", "clip", "clamp_min", "clamp_max"):
        least, most = _limits(operation)
        return (least is None or 0 < least <= _NO_MORE) and (most is None or 0 < 1 - most <= _NO_MORE)
    return False


def number_of(operation: Operation) -> float | None:
    """The plain number that it adds, multiplies with, or raises to; None where it is given tensors only."""
    number = operation.constant(1, "other")
    return float(number) if isinstance(number, int | float) and not isinstance(number, bool) else None


def source(graph: StepGraph, operation: Operation, position: int = 0) -> Operation | str | None:
    """What computed the numbers at ``position`` of an operation's inputs."""
    if position >= len(operation.inputs):
        return None
    return origin(graph, graph.inputs_of(operation)[position])


def origin(graph: StepGraph, made: Operation | str) -> Operation | str:
    """The same of an operation itself: it, or the one whose numbers it passes on."""
    while isinstance(made, Operation) and passes_on(made):
        made = graph.inputs_of(made)[0]
    return made


def kind_of(graph: StepGraph, made: Operation | str | None) -> str:
    """What kind of function it is: "softmax", "sigmoid", "log_softmax", "relu" …, also where it is written out; "" where it is none."""
    if not isinstance(made, Operation):
        return ""
    name = made.name.rstrip("_")
    if name in _NAMES:
        return _NAMES[name]
    read = _WRITTEN_OUT.get(name)
    return read(graph, made) if read is not None else ""


def argument_of(graph: StepGraph, made: Operation) -> Operation | str | None:
    """What a function of :func:`kind_of` was computed from: the scores that a softmax, written out or not, was given."""
    name = made.name.rstrip("_")
    if name in _NAMES or name in ("clamp", "clip", "clamp_min", "maximum"):
        return source(graph, made)
    kind = kind_of(graph, made)
    inner = source(graph, made)
    if not kind or not isinstance(inner, Operation):
        return inner
    if kind == "softmax" and name in ("div", "truediv"):  # exp(x) / sum
        return _unshifted(graph, source(graph, inner))
    if name == "log" or (name == "exp" and kind_of(graph, inner)):
        return argument_of(graph, inner)
    if name in ("rdiv", "rtruediv", "reciprocal"):  # 1 / (1 + exp(-x))
        exponential = source(graph, inner)
        negative = source(graph, exponential) if isinstance(exponential, Operation) else None
        return source(graph, negative) if isinstance(negative, Operation) else None
    return inner if name != "sub" else _unshifted(graph, inner)


def layer_place(evidence: Evidence, operation: Operation) -> Place | None:
    """The line of an operation; inside a Sequential, which has no line for it, that where its module is made, if there is one only."""
    here = evidence.place(operation.file, operation.line)
    parent, _, name = operation.module.rpartition(".")
    classes = {row.module: row.class_name for row in evidence.calls}
    called = classes.get(operation.module, "")
    above = [classes.get(parent)] if parent else list(classes.values())  # a root goes by the name of its variable
    if not name.isdigit() or not called or "Sequential" not in above:
        return here
    tree = evidence.tree(operation.file)
    calls = [node for node in (ast.walk(tree) if tree is not None else ()) if isinstance(node, ast.Call)]
    lines = {node.lineno for node in calls if getattr(node.func, "attr", getattr(node.func, "id", "")) == called}
    return evidence.place(operation.file, lines.pop()) if len(lines) == 1 else here


def _limits(operation: Operation) -> tuple[float | None, float | None]:
    """What a clamp cuts off below and above; None where nothing."""
    name = operation.name.rstrip("_")
    least = operation.constant(1, "min") if name != "clamp_max" else None
    most = operation.constant(2, "max") if name != "clamp_max" else operation.constant(1, "max")
    return least, most


def _clamp(graph: StepGraph, operation: Operation) -> str:  # noqa: ARG001 - as all that read what is written out
    least, most = _limits(operation)
    return "relu" if least == 0 and most is None else ""


def _maximum(graph: StepGraph, operation: Operation) -> str:
    """``torch.maximum(x, torch.zeros(1))``."""
    made = graph.inputs_of(operation)
    other = made[1] if len(made) > 1 else ""
    return "relu" if isinstance(other, Operation) and not other.tracked and other.range == (0, 0) else ""


def _divided(graph: StepGraph, operation: Operation) -> str:
    """``exp(x) / exp(x).sum(1, keepdim=True)``."""
    if len(operation.inputs) < 2:
        return ""
    above, below = source(graph, operation, 0), source(graph, operation, 1)
    if not isinstance(above, Operation) or not isinstance(below, Operation) or above.name.rstrip("_") != "exp":
        return ""
    return "softmax" if below.name == "sum" and source(graph, below) is above and below.size > 1 else ""


def _reciprocal(graph: StepGraph, operation: Operation) -> str:
    """``1 / (1 + torch.exp(-x))``."""
    if operation.name in ("rdiv", "rtruediv") and operation.constant(1, "other") != 1:
        return ""
    below = source(graph, operation)
    if not isinstance(below, Operation) or below.name not in ("add", "radd") or below.constant(1, "other") != 1:
        return ""
    exponential = source(graph, below)
    if not isinstance(exponential, Operation) or exponential.name != "exp":
        return ""
    negative = source(graph, exponential)
    return "sigmoid" if isinstance(negative, Operation) and negative.name == "neg" else ""


def _exponential(graph: StepGraph, operation: Operation) -> str:
    """``torch.exp(torch.log_softmax(x, 1))``."""
    return {"log_softmax": "softmax", "logsigmoid": "sigmoid"}.get(kind_of(graph, source(graph, operation)), "")


def _logarithm(graph: StepGraph, operation: Operation) -> str:
    """``torch.log(torch.softmax(x, 1))``."""
    return {"softmax": "log_softmax", "sigmoid": "logsigmoid"}.get(kind_of(graph, source(graph, operation)), "")


def _difference(graph: StepGraph, operation: Operation) -> str:
    """``x - x.logsumexp(1, keepdim=True)``, or with the logarithm of the sum of the exponentials written out."""
    if len(operation.inputs) < 2:
        return ""
    scores, total = source(graph, operation, 0), source(graph, operation, 1)
    if not isinstance(total, Operation) or total.shape == operation.shape:
        return ""
    if total.name in ("logsumexp", "special_logsumexp"):
        return "log_softmax" if source(graph, total) is scores else ""
    summed = source(graph, total) if total.name == "log" else None
    exponential = source(graph, summed) if isinstance(summed, Operation) and summed.name == "sum" else None
    if isinstance(exponential, Operation) and exponential.name == "exp" and source(graph, exponential) is scores:
        return "log_softmax"
    return ""


_WRITTEN_OUT: dict[str, Callable[[StepGraph, Operation], str]] = {
    "clamp": _clamp,
    "clip": _clamp,
    "clamp_min": _clamp,
    "maximum": _maximum,
    "div": _divided,
    "truediv": _divided,
    "rdiv": _reciprocal,
    "rtruediv": _reciprocal,
    "reciprocal": _reciprocal,
    "exp": _exponential,
    "log": _logarithm,
    "sub": _difference,
}
_LARGEST = frozenset(["max", "amax", "logsumexp", "maximum", "topk", "cummax"])


def is_shift(graph: StepGraph, operation: Operation) -> bool:
    """Whether it takes the largest number of each row away from the row, so that no exponential overflows."""
    if operation.name not in ("sub", "sub_", "isub") or len(operation.inputs) < 2:
        return False
    taken = source(graph, operation, 1)
    return isinstance(taken, Operation) and taken.name in _LARGEST


def _unshifted(graph: StepGraph, made: Operation | str | None) -> Operation | str | None:
    while isinstance(made, Operation) and is_shift(graph, made):
        made = source(graph, made)
    return made


def users_of(graph: StepGraph, operation: Operation) -> list[Operation]:
    """What is computed from it, looking through operations that pass its numbers on; those as well where they add to it."""
    found: list[Operation] = []
    waiting = list(graph.users_of(operation))
    while waiting:
        each = waiting.pop(0)
        passed = passes_on(each)
        if not passed or each.name in ("add", "radd"):
            found.append(each)
        if passed:
            waiting += graph.users_of(each)
    return found
