"""Where the first number that is none came from: a walk through the graph of the first loss that is not finite.

Told as the fact ``not_a_number``: ``loss``: "nan", "inf" or "-inf"; ``parameters``: names of those that were not finite already, and ``of``
how many; ``data``: whether a tensor from outside was not; ``operation``: the first whose output was not finite though all that it was
given was, ``nth``: which of this name in the order of the forward pass, from 0, and ``named``: how many of this name there were; ``least`` and ``most``
of its input, ``zeros``: how many zeros are in it, ``negative``: how many numbers below zero.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from descend.watch.facts.moments import Collector
from descend.watch.facts.walk import inputs_of, kind_of, nodes_of, saved

_RESULTS = ("result", "output")
_INPUTS = ("self", "input", "other", "mat1", "mat2", "vec", "target")
_WORDS = {
    "Addmm": "linear",
    "Mm": "matmul",
    "Mv": "matmul",
    "Bmm": "matmul",
    "BinaryCrossEntropy": "binary_cross_entropy",
    "Div": "truediv",
}
_MOST = 20_000_000  # numbers that are looked at


class Finite(Collector):
    """Looks once, at the first loss that is no finite number."""

    def not_finite(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        broken = [each for each in leaves if not _is_finite(each)]
        names = [self.tell.names.name_of(each) for each in broken]
        values: dict[str, Any] = {
            "loss": _word(loss),
            "parameters": [name for name in names if name],
            "broken": len(broken),
            "of": len(leaves),
        }
        if not broken:
            values |= _origin(loss)
        self.tell.fact(step, "not_a_number", values, self.tell.place(frame))


def _origin(loss: Any) -> dict[str, Any]:
    """The first operation that made something that is not finite out of finite numbers."""
    nodes = nodes_of(loss)
    finite: dict[Any, bool | None] = {}
    counted: Counter[str] = Counter()
    looked = 0
    for node in nodes:
        word = word_of(node)
        counted[word] += 1
        if hasattr(node, "variable"):
            continue
        inputs = {name: each for name in _INPUTS if (each := saved(node, name)) is not None}
        looked += sum(each.numel() for each in inputs.values())
        if looked > _MOST:
            break
        found = _in_what_it_was_given(node, inputs, finite)
        if found is None:
            finite[node] = _is_result_finite(node, inputs)
            if finite[node] is False and all(finite.get(each) is not False for each in inputs_of(node)):
                found = {"operation": word, **_summary(next(iter(inputs.values()), None))}
        if found:
            every = sum(word_of(each) == found["operation"] for each in nodes)
            return {**found, "nth": max(0, counted[found["operation"]] - 1), "named": every}
    return {}


def _in_what_it_was_given(
    node: Any, inputs: Mapping[str, Tensor], finite: Mapping[Any, bool | None]
) -> dict[str, Any] | None:
    """Data that are not finite, or the operation before that kept nothing of its own; None where all inputs are finite."""
    if all(_is_finite(each) for each in inputs.values()):
        return None
    made = inputs_of(node)
    if None in made and not any(finite.get(each) is False for each in made if each is not None):
        return {"data": True, "operation": word_of(node)}
    unknown = [each for each in made if each is not None and finite.get(each) is None and not hasattr(each, "variable")]
    return {"operation": word_of(unknown[0])} if unknown else {}


def _is_result_finite(node: Any, inputs: Mapping[str, Tensor]) -> bool | None:
    """None where it cannot be told."""
    result = next((each for name in _RESULTS if (each := saved(node, name)) is not None), None)
    return _is_finite(result) if result is not None else _again(node, inputs)


def _again(node: Any, inputs: Mapping[str, Tensor]) -> bool | None:
    """Whether what it computes is finite, worked out again where that is one short operation."""
    kind = kind_of(node)
    own = inputs.get("self")
    if own is None:
        return None
    if kind in ("Log", "Log2", "Log10", "Log1P"):
        return bool((own > (-1 if kind == "Log1P" else 0)).all())
    if kind == "Div" and "other" in inputs:
        return bool((inputs["other"] != 0).all())
    if kind == "Pow":
        exponent = getattr(node, "_saved_exponent", None)
        return _is_finite(torch.pow(own, exponent)) if isinstance(exponent, int | float) else None
    if kind in ("Asin", "Acos"):
        return bool((own.abs() <= 1).all())
    return None


def _summary(given: Tensor | None) -> dict[str, Any]:
    if given is None or not given.numel():
        return {}
    least, most = torch.aminmax(given)
    return {
        "least": float(least),
        "most": float(most),
        "zeros": int((given == 0).sum()),
        "negative": int((given < 0).sum()),
        "numbers": given.numel(),
    }


def word_of(node: Any) -> str:
    """As people know the operation: ``log``, ``truediv``."""
    kind = kind_of(node)
    return _WORDS.get(kind) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind).lower()


def _is_finite(tensor: Tensor) -> bool:
    if not (tensor.is_floating_point() or tensor.is_complex()) or tensor.layout is not torch.strided:
        return True
    return bool(torch.isfinite(tensor).all())


def _word(loss: Any) -> str:
    value = float(loss.detach().sum()) if isinstance(loss, Tensor) else math.nan
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
