"""Errors of losses and look-up tables: targets of another size, class numbers and indices that are too large."""

import ast
import re
from typing import Any

from descend.explain.crash.failure import Explanation, Failure, Layer, definition_of
from descend.explain.crash.shapes import resized
from descend.explain.crash.source import Fix, argument
from descend.explain.crash.values import is_module, is_plain, module_paths, untouched, variables

_CROSS_ENTROPY = "https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html"
_MOST_READ = 10_000_000  # numbers of a tensor that are looked through


def target_size(failure: Failure, _: re.Match[str]) -> Explanation | None:
    """Cross-entropy with a target that is not one class number for each row of scores."""
    scores, given = failure.local("input"), failure.local("target")
    if not is_plain(scores) or not is_plain(given):
        return None
    rows, got = tuple(scores.shape), tuple(given.shape)
    node = failure.node_for(given)
    name = failure.text(node) if node is not None else "the target"
    ending, because = "", f"{name} has the shape {got}, the scores {rows}"
    if got == (rows[0], 1):
        ending, because = ".squeeze(1)", f"{name} {got} has an axis of size 1 too many"
    elif got == rows and given.is_floating_point() and given.dim() == 2:
        ending, because = ".argmax(1)", f"{name} {got} has a column for each class: a one-hot table"
    elif got == rows:
        ending, because = ".argmax(1)", f"{name} {got} has a column for each class, in whole numbers: a one-hot table"
    elif len(got) == 1 and got[0] != rows[0]:
        because = f"there are {rows[0]:,} rows of scores and {got[0]:,} class numbers: {name} is of another batch, or cut elsewhere"
    to_long = "" if given.dtype.is_floating_point is False or ending == ".argmax(1)" else ".long()"
    return Explanation(
        "target",
        f"{name} {got} does not fit scores of shape {rows}",
        f"one class number for each row: shape {(rows[0], *rows[2:])}, int64",
        because,
        failure.fixed((node, f"{_plain_text(failure, node)}{ending}{to_long}"))
        if node is not None and ending
        else None,
        _CROSS_ENTROPY,
    )


def same_size(failure: Failure, _: re.Match[str]) -> Explanation | None:
    """A loss that compares entry by entry, and two shapes."""
    given, target = failure.local("input"), failure.local("target")
    if not is_plain(given) or not is_plain(target):
        return None
    shape, got = tuple(given.shape), tuple(target.shape)
    node = failure.node_for(target)
    name = failure.text(node) if node is not None else "the target"
    fix: Fix | None = None
    if node is not None and shape == (*got, 1):
        fix = failure.fixed((node, f"{_plain_text(failure, node)}.unsqueeze(-1)"))
    elif node is not None and got == (*shape, 1):
        fix = failure.fixed((node, f"{_plain_text(failure, node)}.squeeze(-1)"))
    return Explanation(
        "target",
        f"predictions {shape} and {name} {got} differ in shape",
        f"the same shape for both: {shape}",
        "this loss compares them entry by entry",
        fix,
    )


def class_number(failure: Failure, match: re.Match[str]) -> Explanation | None:
    """A class number that the scores have no column for."""
    number = int(match[1])
    scores, given = failure.local("input"), failure.local("target")
    if not is_plain(scores) or not is_plain(given):
        return None
    columns = scores.shape[1 if scores.dim() > 1 else 0]
    ends = _ends(given)
    node = failure.node_for(given)
    name = failure.text(node) if node is not None else "the target"
    found = f"{name} holds {ends[0]} to {ends[1]}" if ends is not None else f"{name} holds {number}"
    fix: Fix | None = None
    if ends is not None and node is not None and ends == (1, columns):
        found += ": counted from 1, while classes are counted from 0"
        fix = failure.fixed((node, f"{_plain_text(failure, node)} - 1"))
    elif ends is not None and ends[0] >= 0:
        fix = _wider_output(failure, columns, ends[1] + 1)
    return Explanation(
        "class",
        f"class {number} has no column: the scores have {columns}, for classes 0 to {columns - 1}",
        f"class numbers from 0 to {columns - 1}, or as many outputs as there are classes",
        found,
        fix,
        _CROSS_ENTROPY,
    )


def table_index(failure: Failure, _: re.Match[str]) -> Explanation | None:
    """An index that an embedding has no row for."""
    layer = failure.layer
    if layer is None or type(layer.module).__name__ != "Embedding" or not is_plain(layer.given):
        return None
    rows: int = layer.setting("num_embeddings")
    ends = _ends(layer.given)
    node = failure.node_for(layer.given)
    name = failure.text(node) if node is not None else "what reached it"
    fix = resized(failure, layer, ends[1] + 1) if ends is not None and ends[0] >= 0 else None
    return Explanation(
        "index",
        f"{layer.path} has {rows:,} rows, 0 to {rows - 1:,}, and was asked for another",
        f"indices from 0 to {rows - 1:,}: num_embeddings is the number of different indices",
        f"{name} holds {ends[0]:,} to {ends[1]:,}" if ends is not None else f"{name} holds an index outside",
        fix,
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html",
    )


def between_zero_and_one(failure: Failure, _: re.Match[str]) -> Explanation:
    """Raw scores where binary cross-entropy takes probabilities."""
    given = failure.local("input")
    node = failure.node_for(given) if is_plain(given) else None
    name = failure.text(node) if node is not None else "the prediction"
    return Explanation(
        "target",
        f"{name} is no probability: binary_cross_entropy takes numbers from 0 to 1",
        "probabilities, as sigmoid gives them; or raw scores and binary_cross_entropy_with_logits",
        f"{name} holds numbers below 0 or above 1: raw scores",
        failure.fixed((node, f"{_plain_text(failure, node)}.sigmoid()")) if node is not None else None,
        "https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html",
    )


def _wider_output(failure: Failure, columns: int, classes: int) -> Fix | None:
    """The last linear layer of the one model in sight that makes as many columns, with one for each class."""
    found: dict[int, Layer] = {}
    for frame in (failure.frame, *failure.outer):
        for name, value in {**frame.f_globals, **variables(frame)}.items():
            if is_module(value):
                linear = [each for each in module_paths(value, name) if type(each[1]).__name__ == "Linear"]
                if linear and linear[-1][1].out_features == columns:
                    path, module = linear[-1]
                    found.setdefault(id(module), Layer(module, path, module, None))
    if len(found) != 1:
        return None
    made = definition_of(failure, next(iter(found.values())))
    node = argument(made[1], 1, "out_features") if made is not None else None
    return made[0].replaced((node, str(classes))) if made is not None and node is not None else None


def _ends(tensor: Any) -> tuple[int, int] | None:
    """Smallest and largest number of a tensor in the processor's memory."""
    if tensor.device.type != "cpu" or not 0 < tensor.numel() <= _MOST_READ or tensor.is_floating_point():
        return None
    with untouched():
        return int(tensor.min()), int(tensor.max())


def _plain_text(failure: Failure, node: ast.expr) -> str:
    text = failure.text(node)
    return text if isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call) else f"({text})"
