"""Errors about the kind of number: float where long is due, double meeting float."""

import ast
import re
from typing import Any

from descend.explain.crash.failure import Explanation, Failure
from descend.explain.crash.source import Fix, calls_of
from descend.explain.crash.values import dtype_name, is_plain, is_tensor

_WORDS = {
    "float": "float32",
    "double": "float64",
    "long": "int64",
    "int": "int32",
    "short": "int16",
    "char": "int8",
    "byte": "uint8",
    "half": "float16",
    "bfloat16": "bfloat16",
    "bool": "bool",
}
_METHODS = {"float32": "float", "float64": "double", "int64": "long", "float16": "half", "bfloat16": "bfloat16"}
_URL = "https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.dtype"


def unequal(failure: Failure, _: re.Match[str]) -> Explanation | None:
    """A product, a layer or a comparison of two dtypes."""
    layer = failure.layer
    if layer is not None and is_plain(layer.setting("weight")) and is_plain(layer.given):
        wanted, got = dtype_name(layer.setting("weight").dtype), dtype_name(layer.given.dtype)
        name = failure.name_for(layer.given) or "what reached it"
        return Explanation(
            "dtype",
            f"{layer.path} computes in {wanted} and was given {got}",
            f"an input of dtype {wanted}, that of the layer's weight",
            _why(name, got),
            _converted(failure, failure.node_for(layer.given) or _only_argument(failure), wanted),
            _URL,
        )
    tensors = [(node, value) for node, value in failure.chains if is_plain(value)]
    kinds = {dtype_name(value.dtype) for _, value in tensors}
    if len(kinds) < 2:
        return _from_message(failure)
    wanted = "float32" if "float32" in kinds else next(kind for kind in sorted(kinds) if kind.startswith("float"))
    odd = next((node, value) for node, value in tensors if dtype_name(value.dtype) != wanted)
    name, got = failure.text(odd[0]), dtype_name(odd[1].dtype)
    return Explanation(
        "dtype",
        f"{name} is {got}, what it meets is {wanted}",
        f"the same dtype on both sides: {wanted}",
        _why(name, got),
        _converted(failure, odd[0], wanted),
        _URL,
    )


def target(failure: Failure, match: re.Match[str]) -> Explanation | None:
    """Class labels that are no whole numbers, or probabilities that are."""
    wants_probabilities = "probabilities" in match[0]
    given = failure.local("target")
    found = failure.node_for(given)
    name = failure.text(found) if found is not None else "the target"
    got = dtype_name(given.dtype) if is_plain(given) else match[match.lastindex or 0].lower()
    if wants_probabilities:
        scores = failure.local("input")
        one_axis = is_plain(scores) and scores.dim() == 1
        return Explanation(
            "target",
            f"{name} has the shape of the scores, so it is read as probabilities, and these are floats",
            "class numbers of shape (N,) in int64, or one probability for each class in a float dtype",
            "the scores have one axis: one row needs the shape (1, C)"
            if one_axis
            else f"{name} is {got}: a one-hot table",
            _converted(failure, found, "float32") if not one_axis else None,
        )
    return Explanation(
        "target",
        f"{name} holds class numbers as {got}; cross-entropy takes them as int64",
        "class numbers 0 … C-1 as torch.long, which is int64",
        f"{name} is {got}",
        _converted(failure, found, "int64"),
    )


def binary_target(failure: Failure, _: re.Match[str]) -> Explanation | None:
    """The result of an operation in place, or of a loss, that does not fit into whole numbers."""
    given = failure.local("target")
    if is_plain(given) and not given.is_floating_point():
        found = failure.node_for(given)
        name = failure.text(found) if found is not None else "the target"
        return Explanation(
            "target",
            f"{name} is {dtype_name(given.dtype)}; this loss compares floats",
            "predictions and targets in the same float dtype",
            f"{name} holds 0 and 1 as whole numbers",
            _converted(failure, found, "float32"),
        )
    pair = failure.operands()
    place: Any = failure.value(pair[0]) if pair else None
    if isinstance(failure.node, ast.AugAssign) and pair and is_plain(place):
        name, got = failure.text(pair[0]), dtype_name(place.dtype)
        operator = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}.get(type(failure.node.op))
        other = failure.text(pair[1])
        fix = failure.fixed((failure.node, f"{name} = {name} {operator} ({other})")) if operator else None
        return Explanation(
            "dtype",
            f"{name} is {got} and cannot take fractions in place",
            "a float tensor on the left of the operation in place",
            f"{name} keeps its dtype {got}, and the result has another",
            fix,
            _URL,
        )
    return _from_message(failure)


def backward(failure: Failure, match: re.Match[str]) -> Explanation | None:
    """Found in the loss, or first in ``backward``: a target of another dtype than the prediction."""
    found, wanted = (_WORDS.get(word.lower(), word.lower()) for word in match.groups())
    node = next((node for node, value in failure.chains if is_plain(value) and dtype_name(value.dtype) == found), None)
    if node is not None:
        name = failure.text(node)
        fix = _converted(failure, node, wanted)
    else:
        name, fix = _in_the_loss(failure, found, wanted)
    return Explanation(
        "dtype",
        f"{name} is {found}, the rest of the loss {wanted}",
        f"{wanted} on both sides of the loss",
        _why(name, found),
        fix,
        _URL,
    )


def whole_numbers(failure: Failure, match: re.Match[str]) -> Explanation:
    """An operation that is not defined for whole numbers."""
    got = _WORDS.get(match[match.lastindex or 0].lower(), match[match.lastindex or 0].lower())
    is_target = is_plain(failure.local("target")) and dtype_name(failure.local("target").dtype) == got
    found = next(
        ((node, value) for node, value in failure.chains if is_plain(value) and dtype_name(value.dtype) == got), None
    )
    name = failure.text(found[0]) if found is not None else "the target" if is_target else "the tensor"
    return Explanation(
        "dtype",
        f"{name} is {got}, and this is computed with floats only",
        "a float tensor",
        _why(name, got),
        _converted(failure, found[0] if found is not None else None, "float32"),
        _URL,
    )


def gradient_of_integers(failure: Failure, _: re.Match[str]) -> Explanation:
    """``requires_grad=True`` for whole numbers."""
    call = failure.call
    fix: Fix | None = None
    if call is not None and isinstance(call.func, ast.Attribute) and call.func.attr == "tensor" and call.args:
        end = ", ".join([failure.text(call.args[0]), f"dtype={failure.torch_name}.float32", "requires_grad=True"])
        fix = failure.fixed((call, f"{failure.text(call.func)}({end})"))
    elif call is not None and isinstance(call.func, ast.Attribute) and call.func.attr == "requires_grad_":
        fix = failure.fixed((call.func.value, f"{failure.text(call.func.value)}.float()"))
    return Explanation(
        "dtype",
        "whole numbers have no gradient",
        "floats: a tiny change must be possible, or there is no slope",
        "a list of integers makes an int64 tensor; write 1.0 for 1, or name the dtype",
        fix,
    )


def indices(failure: Failure, _: re.Match[str]) -> Explanation | None:
    """Floats where positions are due."""
    given = failure.layer.given if failure.layer is not None else failure.local("input")
    node = failure.node_for(given) if is_tensor(given) else None
    if node is None:
        node = next((each for each, value in failure.chains if is_plain(value) and _is_an_index(failure, each)), None)
    name = failure.text(node) if node is not None else "the index"
    return Explanation(
        "dtype",
        f"{name} holds floats where positions are due",
        "whole numbers: torch.long, which is int64",
        "a position in a table cannot be a fraction",
        _converted(failure, node, "int64"),
        _URL,
    )


def _in_the_loss(failure: Failure, found: str, wanted: str) -> tuple[str, Fix | None]:
    """The variable of this dtype in the line that computed the loss."""
    source, statement = failure.source, failure.statement
    if source is None or statement is None:
        return "one side", None
    for call in calls_of(statement, "backward"):
        name = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        for made, value in reversed(source.assignments(source.scope_of(statement), name)):
            for each in ast.walk(value) if value is not None else ():
                if isinstance(each, ast.Name) and made.lineno <= statement.lineno:
                    held = failure.value(each)
                    if is_plain(held) and dtype_name(held.dtype) == found and wanted in _METHODS:
                        return each.id, source.replaced((each, f"{each.id}.{_METHODS[wanted]}()"))
    return "one side", None


def _from_message(failure: Failure) -> Explanation:
    return Explanation(
        "dtype",
        "two dtypes meet that do not mix here",
        "the same dtype on both sides",
        failure.message.partition("\n")[0],
        None,
        _URL,
    )


def _converted(failure: Failure, node: ast.expr | None, wanted: str) -> Fix | None:
    if node is None or wanted not in _METHODS:
        return None
    text = failure.text(node)
    if not isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
        text = f"({text})"
    return failure.fixed((node, f"{text}.{_METHODS[wanted]}()"))


def _is_an_index(failure: Failure, node: ast.expr) -> bool:
    around = next(failure.source.above(node), None) if failure.source is not None else None
    return isinstance(around, ast.Subscript) and around.slice is node


def _only_argument(failure: Failure) -> ast.expr | None:
    return failure.call.args[0] if failure.call is not None and len(failure.call.args) == 1 else None


def _why(name: str, got: str) -> str:
    if got == "float64":
        return f"{name} is float64, the dtype of NumPy's and Python's floats; PyTorch's own default is float32"
    if got.startswith(("int", "uint")):
        return f"{name} is {got}: it was made from whole numbers"
    return f"{name} is {got}"
