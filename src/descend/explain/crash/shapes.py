"""Errors about shapes: products, broadcasting, views, layers that take another width."""

import ast
import math
import re
from collections.abc import Sequence

from descend.explain.crash.failure import Explanation, Failure, Layer, definition_of
from descend.explain.crash.source import Fix, argument
from descend.explain.crash.values import UNKNOWN, Shape, is_plain, is_tensor

_BROADCASTING = "https://docs.pytorch.org/docs/stable/notes/broadcasting.html"
_WIDTHS = {  # layer → its setting, the place of that argument
    "Linear": ("in_features", 0),
    "Conv1d": ("in_channels", 0),
    "Conv2d": ("in_channels", 0),
    "Conv3d": ("in_channels", 0),
    "Embedding": ("num_embeddings", 0),
    "BatchNorm1d": ("num_features", 0),
    "BatchNorm2d": ("num_features", 0),
    "LayerNorm": ("normalized_shape", 0),
    "RNN": ("input_size", 0),
    "LSTM": ("input_size", 0),
    "GRU": ("input_size", 0),
}


def product(failure: Failure, _: re.Match[str]) -> Explanation | None:
    """A matrix product, or a linear layer, whose inner sizes differ."""
    layer = failure.layer
    if layer is not None and type(layer.module).__name__ == "Linear" and is_tensor(layer.given):
        return _linear(failure, layer)
    pair = _factors(failure)
    if pair is None:
        return _only_said(failure, "the inner sizes of a matrix product differ")
    (left, right), (first, second) = pair, (failure.shape(pair[0]), failure.shape(pair[1]))
    a, b = failure.text(left), failure.text(right)
    if first is None or second is None:
        return _only_said(failure, f"the inner sizes of {a} and {b} differ")
    inner = second[-2] if len(second) > 1 else second[0]
    return Explanation(
        "shapes",
        f"{a} {first} and {b} {second} cannot be multiplied: {first[-1]} is not {inner}",
        f"{_ordinal_of_last(first)} size of {a} = {'last but one' if len(second) > 2 else 'first'} size of {b}: (n, k) @ (k, m) → (n, m)",
        f"each row of {a} holds {first[-1]:,} numbers, each column of {b} {inner:,}",
        _mended_product(failure, left, right, first, second),
        "https://docs.pytorch.org/docs/stable/generated/torch.matmul.html",
    )


def _linear(failure: Failure, layer: Layer) -> Explanation:
    shape = tuple(layer.given.shape)
    width: int = layer.setting("in_features")
    name = failure.name_for(layer.given) or "what reached it"
    fix: Fix | None = None
    if len(shape) > 2 and math.prod(shape[1:]) == width:
        fix = _input_as(failure, layer, "{}.flatten(1)")
        because = f"{' × '.join(map(str, shape[1:]))} = {width:,}: the axes behind the first have to become one"
    elif len(shape) == 2 and shape[0] == width:
        fix = _input_as(failure, layer, "{}.T")
        because = f"its first size is {width:,}: rows and columns have changed places"
    else:
        because = f"{name} has {shape[-1] if shape else 0:,} in its last axis, {layer.path} was made for {width:,}"
        fix = None if _has_learned(layer) else resized(failure, layer, shape[-1] if shape else 1)
        if fix is None and _has_learned(layer):
            because += "; the layer has worked before, so what is given to it is the odd one"
    return Explanation(
        "shapes",
        f"{layer.path} takes rows of {width:,} numbers and was given rows of {shape[-1] if shape else 0:,}",
        f"an input of shape (…, {width}): Linear multiplies its last axis by a weight of shape {tuple(layer.setting('weight').shape)}",
        because,
        fix,
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html",
    )


def width_of_layer(failure: Failure, _: re.Match[str]) -> Explanation | None:
    """A convolution, normalisation or recurrent layer that was made for another number of channels or features."""
    layer = failure.layer
    if layer is None or not is_tensor(layer.given) or type(layer.module).__name__ not in _WIDTHS:
        return None
    setting = _WIDTHS[type(layer.module).__name__][0]
    shape = tuple(layer.given.shape)
    wanted = layer.setting(setting)
    if wanted is UNKNOWN:
        return None
    if setting == "in_channels":
        return _channels(failure, layer, shape, wanted)
    wanted_shape = wanted if type(wanted) is tuple else (wanted,)
    got = shape[-1] if setting != "num_features" else shape[1]
    return Explanation(
        "shapes",
        f"{layer.path} was made for {wanted_shape[-1]:,} features and was given {got:,}",
        f"{setting} = the size of the {'second' if setting == 'num_features' else 'last'} axis of its input",
        f"the input has the shape {shape}",
        resized(failure, layer, got) if len(wanted_shape) == 1 else None,
    )


def _channels(failure: Failure, layer: Layer, shape: Shape, wanted: int) -> Explanation:
    axes = int(type(layer.module).__name__[-2])
    order = {1: "(N, C, L)", 2: "(N, C, H, W)", 3: "(N, C, D, H, W)"}[axes]
    fix: Fix | None = None
    if len(shape) == axes + 1 and wanted == 1 and shape[0] != 1:
        because = f"{shape} has no axis for the channel; grey images have one channel, and it has to be there"
        fix = _input_as(failure, layer, "{}.unsqueeze(1)")
        got = "none"
    elif len(shape) == axes + 2 and shape[-1] == wanted:
        because = f"the {wanted} channels stand in the last axis of {shape}; PyTorch wants them second"
        fix = _input_as(failure, layer, "{}.permute(0, " + f"{axes + 1}, {', '.join(map(str, range(1, axes + 1)))})")
        got = str(shape[1])
    elif len(shape) == 2 and axes == 2 and math.isqrt(shape[1] // wanted) ** 2 * wanted == shape[1]:
        side = math.isqrt(shape[1] // wanted)
        because = f"{shape[1]} numbers a row are {wanted} × {side} × {side}: images that were flattened"
        fix = _input_as(failure, layer, "{}.unflatten(1, " + f"({wanted}, {side}, {side}))")
        got = "flat rows"
    else:
        found = shape[1] if len(shape) == axes + 2 else shape[0] if len(shape) == axes + 1 else 0
        because = f"the input {shape} has {found} in its channel axis"
        fix = resized(failure, layer, found) if found and not _has_learned(layer) else None
        got = str(found)
    return Explanation(
        "shapes",
        f"{layer.path} takes {wanted} {'channel' if wanted == 1 else 'channels'} and was given {got}",
        f"an input of shape {order} with C = in_channels = {wanted}",
        because,
        fix,
        f"https://docs.pytorch.org/docs/stable/generated/torch.nn.{type(layer.module).__name__}.html",
    )


def too_small(failure: Failure, _: re.Match[str]) -> Explanation | None:
    """An image that has become smaller than the window that is to slide over it."""
    layer = failure.layer
    if layer is None or not is_tensor(layer.given):
        return None
    window = layer.setting("kernel_size")
    return Explanation(
        "shapes",
        f"the image that reaches {layer.path} is smaller than its window",
        f"height and width of at least {window}, padding included",
        f"what reached it has the shape {tuple(layer.given.shape)}: the layers before have made it that small",
    )


def broadcast(failure: Failure, match: re.Match[str]) -> Explanation | None:
    """Two tensors of which neither is stretched to the other's shape."""
    pair = failure.operands() or _two_arguments(failure)
    title = f"sizes {match[1]} and {match[2]} meet in axis {match[3]}, and neither is 1"
    expected = "from the right, sizes that are equal, or one of them 1, or missing"
    if pair is None:
        return Explanation("broadcast", title, expected, "elementwise operations line shapes up from the right")
    (left, right), (first, second) = pair, (failure.shape(pair[0]), failure.shape(pair[1]))
    a, b = failure.text(left), failure.text(right)
    inner, outer = failure.local("input"), failure.local("target")
    first = first if first is not None or not is_plain(inner) else tuple(inner.shape)
    second = second if second is not None or not is_plain(outer) else tuple(outer.shape)
    if first is None or second is None:
        known = " and ".join(f"{name} is {shape}" for name, shape in ((a, first), (b, second)) if shape is not None)
        return Explanation("broadcast", title, expected, known or "their shapes differ", None, _BROADCASTING)
    return Explanation(
        "broadcast",
        f"{a} {first} and {b} {second} do not fit: {title}",
        expected,
        f"axis {match[3]} has {match[1]} in {a} and {match[2]} in {b}",
        _lined_up(failure, left, right, first, second),
        _BROADCASTING,
    )


def view(failure: Failure, match: re.Match[str]) -> Explanation | None:
    """``view`` or ``reshape`` to a shape that holds another number of entries."""
    wanted = tuple(int(size) for size in re.findall(r"-?\d+", match[1]))
    entries = int(match[2])
    call = failure.call
    held = math.prod(size for size in wanted if size >= 0)
    got = failure.shape(call.func.value) if call is not None and isinstance(call.func, ast.Attribute) else None
    name = failure.text(call.func.value) if call is not None and isinstance(call.func, ast.Attribute) else "the tensor"
    known = f" of shape {got}" if got is not None else ""
    hole = -1 in wanted
    return Explanation(
        "view",
        f"{name} has {entries:,} numbers, {wanted} " + (f"needs a multiple of {held:,}" if hole else f"holds {held:,}"),
        "sizes whose product is the number of entries; one of them may be -1, which means: as many as are left",
        f"{name}{known}: {entries:,} numbers; {' × '.join(str(size) for size in wanted if size >= 0)} = {held:,}",
        _resized_view(failure, wanted, entries, got),
    )


def strides(failure: Failure, _: re.Match[str]) -> Explanation:
    """``view`` of a tensor whose numbers do not lie in the order of its axes."""
    call = failure.call
    fix, name = None, "the tensor"
    if call is not None and isinstance(call.func, ast.Attribute) and call.func.attr == "view":
        name = failure.text(call.func.value)
        given = ", ".join(failure.text(each) for each in call.args)
        fix = failure.fixed((call, f"{name}.reshape({given})"))
    return Explanation(
        "view",
        f"view cannot lay {name} out anew: in memory its numbers stand in another order",
        "a contiguous tensor; reshape copies where it has to, view never does",
        f"{name} came from a transpose, a permute or a slice, which change the order of axes and move nothing",
        fix,
        "https://docs.pytorch.org/docs/stable/tensor_view.html",
    )


def axis(failure: Failure, match: re.Match[str]) -> Explanation:
    """An axis that the tensor does not have."""
    low, high, got = (int(each) for each in match.groups())
    call = failure.call
    node = next((each for each in (call.args + [k.value for k in call.keywords] if call else ())
                 if failure.value(each) == got), None)  # fmt: skip
    return Explanation(
        "axis",
        f"there is no axis {got}: the tensor has {high + 1}",
        f"a dim from {low} to {high}; axes are counted from 0, -1 is the last",
        f"dim is {got}",
        failure.fixed((node, str(high))) if node is not None else None,
    )


def joined(failure: Failure, match: re.Match[str]) -> Explanation:
    """``cat``, ``stack``, or a loader's batch of rows that differ in size."""
    stacked = match[0].startswith("stack")
    return Explanation(
        "shapes",
        "tensors of different shapes cannot be " + ("stacked" if stacked else "joined"),
        "the same shape for all of them"
        if stacked
        else "the same size in every axis but the one they are joined along",
        failure.message.partition("\n")[0].rstrip("."),
    )


def position(_: Failure, match: re.Match[str]) -> Explanation:
    """An index behind the end of an axis."""
    index, number, size = (int(each) for each in match.groups())
    return Explanation(
        "index",
        f"there is no entry {index}: axis {number} has {size}",
        f"an index from 0 to {size - 1}, or from -{size} to -1 counted from the end",
        f"axis {number} has the size {size}, and entries are counted from 0",
    )


def resized(failure: Failure, layer: Layer, width: int) -> Fix | None:
    """The line that makes the layer, with the width that reaches it."""
    found = definition_of(failure, layer)
    name = type(layer.module).__name__
    if found is None or name not in _WIDTHS:
        return None
    source, call = found
    setting, place = _WIDTHS[name]
    node = argument(call, place, setting)
    made = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return source.replaced((node, str(width))) if node is not None and made == name else None


def _factors(failure: Failure) -> tuple[ast.expr, ast.expr] | None:
    return failure.operands(ast.MatMult) or _two_arguments(failure)


def _two_arguments(failure: Failure) -> tuple[ast.expr, ast.expr] | None:
    """``torch.mm(a, b)`` and ``a.mm(b)`` alike."""
    call = failure.call
    if call is None or any(isinstance(each, ast.Starred) for each in call.args):
        return None
    if len(call.args) == 2:
        return call.args[0], call.args[1]
    plain = isinstance(call.func, ast.Attribute) and len(call.args) == 1
    return (call.func.value, call.args[0]) if plain and isinstance(call.func, ast.Attribute) else None


def _mended_product(failure: Failure, left: ast.expr, right: ast.expr, first: Shape, second: Shape) -> Fix | None:
    if len(second) == 2 and second[1] == first[-1]:
        return failure.fixed((right, _called(failure, right, ".T")))
    if len(first) == 2 and first[0] == second[0]:
        return failure.fixed((left, _called(failure, left, ".T")))
    if len(first) > 2 and len(second) == 2 and math.prod(first[1:]) == second[0]:
        return failure.fixed((left, _called(failure, left, ".flatten(1)")))
    if len(first) == len(second) == 3 and first[0] == second[0] and second[2] == first[2]:
        return failure.fixed((right, _called(failure, right, ".transpose(1, 2)")))
    return None


def _lined_up(failure: Failure, left: ast.expr, right: ast.expr, first: Shape, second: Shape) -> Fix | None:
    if first == second[::-1] and len(first) == 2:
        return failure.fixed((right, _called(failure, right, ".T")))
    for node, short, long in ((right, second, first), (left, first, second)):
        if len(short) == 1 and len(long) == 2 and short[0] == long[0]:
            return failure.fixed((node, _called(failure, node, ".unsqueeze(1)")))
        if len(long) > 2 and len(short) == 2 and short == (long[0], math.prod(long[1:])):
            other = left if node is right else right
            return failure.fixed((other, _called(failure, other, ".flatten(1)")))
    return None


def _resized_view(failure: Failure, wanted: Sequence[int], entries: int, got: Shape | None) -> Fix | None:
    call = failure.call
    if call is None or not isinstance(call.func, ast.Attribute) or len(wanted) < 2:
        return None
    sizes = call.args[0].elts if len(call.args) == 1 and isinstance(call.args[0], ast.Tuple | ast.List) else call.args
    if len(sizes) != len(wanted):
        return None
    rest, start = math.prod(wanted[1:]), math.prod(wanted[:-1])
    if wanted[0] == -1 and got and len(wanted) == 2:  # (-1, 400): as wide as a row really is
        return failure.fixed((sizes[0], str(got[0])), (sizes[1], "-1"))
    if -1 not in wanted and got and wanted[0] == got[0] and entries % start == 0:
        return failure.fixed((sizes[-1], "-1"))
    if -1 not in wanted and rest > 0 and entries % rest == 0:
        return failure.fixed((sizes[0], "-1"))
    if -1 not in wanted and start > 0 and entries % start == 0:
        return failure.fixed((sizes[-1], "-1"))
    return None


def _input_as(failure: Failure, layer: Layer, form: str) -> Fix | None:
    """The failing call with what it gives to the layer in another form, where the layer gets just that."""
    node = failure.node_for(layer.given)
    if node is None and failure.call is not None and len(failure.call.args) == 1:
        node = failure.call.args[0] if failure.shape(failure.call.args[0]) == tuple(layer.given.shape) else None
    if node is None:
        return None
    return failure.fixed((node, form.format(_called(failure, node, ""))))


def _called(failure: Failure, node: ast.expr, suffix: str) -> str:
    text = failure.text(node)
    plain = isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call)
    return f"{text}{suffix}" if plain else f"({text}){suffix}"


def _has_learned(layer: Layer) -> bool:
    weight = layer.setting("weight")
    return is_plain(weight) and weight.is_leaf and weight.grad is not None


def _ordinal_of_last(shape: Shape) -> str:
    return {1: "the only", 2: "the second"}.get(len(shape), "the last")


def _only_said(failure: Failure, title: str) -> Explanation:
    expected = "(n, k) @ (k, m) → (n, m): the sizes in the middle are the same"
    return Explanation("shapes", title, expected, failure.message.partition("\n")[0])
