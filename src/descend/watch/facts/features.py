"""The data that a model's first layer is given: how large each column is, and the whole of a linear least-squares problem.

Told once for each set of parameters, from the first steps of it that are looked at, as the facts

    features       ``parameter`` that the data are multiplied with; ``layers``: how many products with a parameter lie between the data and the
                   loss; ``rows``, ``columns``; ``axes``: of the tensor; and of at most 64 columns ``mean``, ``std``, ``least`` and ``most`` of each,
                   and ``ceiling``: how many of them reach the largest number of all
    least_squares  ``parameters``; ``rows``; ``outputs``; ``bias``: whether the last column is of ones; ``triangle``: R of the QR
                   decomposition of columns and targets, which has the same products as they; ``start``: the parameters, a row for each
                   column; ``scale``: what the mean of squares is multiplied by; ``loss``; ``same``: whether the next steps had the same data
"""

from collections.abc import Sequence
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from descend.watch.facts.least_squares import Squares, squares_of
from descend.watch.facts.moments import Collector, Telling
from descend.watch.facts.walk import inputs_of, kind_of, leaf_of, nodes_of, saved
from descend.watch.operation_values import lies_in_rows

_SETS = 8  # of parameters
_LOOKS = 3  # at each
_SHOWN = 64  # columns
_LARGE = 200  # nodes of a graph that is no plain least squares
_NUMBERS = 2_000_000  # of data that are looked at; of more, evenly spaced rows
_OPERANDS = {
    "Mm": ("self", "mat2", 0),
    "Addmm": ("mat1", "mat2", 1),
    "Bmm": ("self", "mat2", 0),
    "Mv": ("self", "vec", 0),
}
"""Names of the two that are multiplied, and which input the first of them is."""
_PRODUCTS = frozenset([*_OPERANDS, "Convolution", "Linear"])


class _Known:
    """One set of parameters."""

    def __init__(self) -> None:
        self.looks = 0
        self.step = 0
        self.squares: Squares | None = None
        self.same = True


class Features(Collector):
    """Looks into the graph of the first losses of each set of parameters."""

    def __init__(self, tell: Telling) -> None:
        super().__init__(tell)
        self._known: dict[tuple[int, ...], _Known] = {}

    def backward_begins(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        key = tuple(map(id, leaves))
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _SETS or not leaves:
                return
            known = self._known[key] = _Known()
        if known.looks >= _LOOKS or not isinstance(loss, Tensor) or loss.numel() != 1 or loss.is_complex():
            return
        known.looks += 1
        if known.looks > 1 and known.squares is None:
            return
        nodes = nodes_of(loss)
        found = squares_of(loss) if len(nodes) < _LARGE else None
        if known.looks == 1:
            known.step = step
            known.squares = found
            self._tell_features(nodes, step)
        else:
            assert known.squares is not None
            known.same &= found is not None and found.same_data(known.squares)
        if known.looks == _LOOKS:
            self._tell_squares(known)

    def finished(self, step: int) -> None:
        for known in self._known.values():
            if known.looks < _LOOKS:
                self._tell_squares(known)

    def _tell_squares(self, known: _Known) -> None:
        if known.squares is not None:
            names = [self.tell.names.name_of(each) for each in known.squares.parameters]
            values = known.squares.as_json()
            self.tell.fact(
                known.step, "least_squares", {"parameters": names, **values, "same": known.same and known.looks > 1}
            )
            known.squares = None

    def _tell_features(self, nodes: Sequence[Any], step: int) -> None:
        for node in nodes:
            data, parameter = _data_and_parameter(node)
            if data is None or parameter is None or not data.is_floating_point() or not lies_in_rows(data):
                continue
            values = _columns(data)
            if values is not None:
                layers = sum(kind_of(each) in _PRODUCTS for each in nodes)
                self.tell.fact(
                    step, "features", {"parameter": self.tell.names.name_of(parameter), "layers": layers, **values}
                )


def _data_and_parameter(node: Any) -> tuple[Tensor | None, Tensor | None]:
    """What a product multiplies where one side is a parameter and the other has no graph: rows of columns, and the parameter."""
    kind = kind_of(node)
    if kind == "Convolution":
        made = inputs_of(node)
        return (saved(node, "input"), leaf_of(made[1])[0]) if made[0] is None else (None, None)
    if kind == "Linear":
        made = inputs_of(node)
        return (saved(node, "input"), leaf_of(made[1])[0]) if made[0] is None else (None, None)
    if kind not in _OPERANDS:
        return None, None
    first, second, position = _OPERANDS[kind]
    left, right = inputs_of(node)[position : position + 2]
    if left is None and right is not None:
        return saved(node, first), leaf_of(right)[0]
    if right is None and left is not None and kind != "Mv":
        data = saved(node, second)
        return (None if data is None else data.transpose(-1, -2)), leaf_of(left)[0]
    return None, None


def _columns(data: Tensor) -> dict[str, Any] | None:
    """Statistics of the last axis; of images, of the axis of channels."""
    if data.ndim < 2 or not data.numel():
        return None
    flat = data.detach()
    flat = flat.movedim(1, -1).reshape(-1, flat.shape[1]) if flat.ndim >= 4 else flat.reshape(-1, flat.shape[-1])
    found = {"rows": len(flat), "columns": flat.shape[1], "axes": data.ndim}
    if flat.shape[1] > _SHOWN:
        return found
    flat = flat[:: max(1, flat.numel() // _NUMBERS)].to("cpu", torch.float64)
    least, most = torch.aminmax(flat, dim=0)
    deviation, mean = torch.std_mean(flat, dim=0, correction=0)
    return {
        **found,
        "mean": mean.tolist(),
        "std": deviation.tolist(),
        "least": least.tolist(),
        "most": most.tolist(),
        "ceiling": int((most == most.max()).sum()),
    }
