"""Reading the autograd graph that a backward pass is about to walk: its nodes, what they saved, and where parameters enter."""

import re
from typing import Any

import torch
from torch import Tensor

_MOST = 5_000  # nodes of one graph
_MISSING = object()
_FORMS = frozenset(
    [
        "T",
        "Transpose",
        "Permute",
        "View",
        "UnsafeView",
        "ReshapeAlias",
        "Unsqueeze",
        "Squeeze",
        "Expand",
        "Clone",
        "ToCopy",
        "Alias",
    ]
)
"""Nodes that only change the form of a tensor."""
_TURNS = frozenset(["T", "Transpose", "Permute"])


def nodes_of(loss: Any) -> list[Any]:
    """The nodes of a loss's graph, each after those it was computed from; of a huge graph, none."""
    root = loss.grad_fn if isinstance(loss, Tensor) else None
    if root is None:
        return []
    found: list[Any] = []
    seen = {root}
    waiting: list[tuple[Any, bool]] = [(root, False)]
    while waiting:
        node, is_done = waiting.pop()
        if is_done:
            found.append(node)
            continue
        waiting.append((node, True))
        for each in inputs_of(node):
            if each is not None and each not in seen:
                if len(seen) >= _MOST:
                    return []
                seen.add(each)
                waiting.append((each, False))
    return found


def inputs_of(node: Any) -> list[Any]:
    """The nodes that made its inputs; None for an input that autograd does not follow."""
    return [each for each, _ in node.next_functions]


def kind_of(node: Any) -> str:
    """``Mm`` for ``MmBackward0``; ``AccumulateGrad`` for a parameter."""
    return re.sub(r"Backward\d*$", "", type(node).__name__)


def saved(node: Any, name: str) -> Tensor | None:
    """A tensor that the node kept for its backward pass; None where it is not there, or where reading it would run code of the script's."""
    raw = getattr(node, f"_raw_saved_{name}", None)
    if raw is None or getattr(raw, "unpack_hook", _MISSING) is not None:
        return None
    try:
        found = getattr(node, f"_saved_{name}")
    except RuntimeError:  # changed in place since: the backward pass will say so itself
        return None
    return found if type(found) in (Tensor, torch.nn.Parameter) else None


def leaf_of(node: Any) -> tuple[Tensor | None, bool]:
    """The parameter that enters here, in whatever form, and whether it is turned on its side."""
    turned = False
    while node is not None and kind_of(node) in _FORMS and len(node.next_functions) == 1:
        turned ^= kind_of(node) in _TURNS
        node = node.next_functions[0][0]
    variable = getattr(node, "variable", None)
    return (variable, turned) if isinstance(variable, Tensor) else (None, False)
