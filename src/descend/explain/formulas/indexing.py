"""``x[…]``: the entries that an index names, read from what a record keeps of the index."""

from collections.abc import Iterator, Mapping, Sequence
from types import EllipsisType

import torch
from torch import Tensor

from descend.explain.formulas.arguments import REST, TENSOR, Arguments, NotCovered, prepared
from descend.explain.formulas.formula import Formula, close
from descend.explain.formulas.shapes import Rearrangement

Part = int | slice | EllipsisType | None | Tensor | list[int]


class GetItem(Rearrangement):
    """y = x[…]

    The index is the constant ``"1"`` of the call: a whole number, a list of them, an index as Python has it, or its text
    (``":, 0"``, ``"..., tensor"``, ``"range 0 64 1, tensor"``; each word ``tensor`` stands for the next tensor of the call). Where it is missing, the ways to
    index with the tensors of the call are tried, and the one that gives the recorded output is taken.
    """

    def __init__(self) -> None:
        super().__init__(("getitem",), "y = x[…]", self._moved, {"input": TENSOR, "index": REST})

    def bind(
        self,
        tensors: Sequence[Tensor],
        constants: Mapping[str, object],
        output: Tensor | None = None,
        *,
        called: str = "",
    ) -> Arguments:
        if not tensors:
            raise NotCovered("x[…]: the tensor of this call is not known")
        x, *others = map(prepared, tensors)
        output = None if output is None else prepared(output)
        candidates = list(_indices(constants.get("1", constants.get("index")), others))
        fitting = [index for index in candidates if output is None or close(_taken(x, index), output)]
        if not fitting or (output is None and len(fitting) > 1):
            raise NotCovered("x[…]: which entries were taken is not known")
        values = {"input": x, "index": (fitting[0],)}
        return Arguments(called or self.name, values, ("input", *["index"] * len(others)), output)

    @staticmethod
    def _moved(x: Tensor, arguments: Arguments) -> Tensor:
        index = arguments.values["index"]
        assert isinstance(index, tuple)
        taken: Tensor = x[index[0]]
        return taken


def index_of(text: str, tensors: Sequence[Tensor]) -> tuple[Part, ...]:
    """The index that ``":, 1:3, ..., None, tensor"`` stands for. Raises :class:`NotCovered` for other words."""
    waiting = list(tensors)
    return tuple(_part(word.strip(), waiting) for word in text.split(",") if word.strip())


def _part(word: str, waiting: list[Tensor]) -> Part:
    if word == "...":
        return Ellipsis
    if word == "None":
        return None
    if word == "tensor" and waiting:
        return waiting.pop(0)
    if word.startswith("range "):
        return torch.arange(*map(int, word.split()[1:4]))
    try:
        ends = [int(each) if each.strip() else None for each in word.split(":")]
    except ValueError:
        raise NotCovered(f"x[{word}] is not an index that is known here") from None
    return slice(*ends) if ":" in word else ends[0]


def _indices(constant: object, tensors: list[Tensor]) -> Iterator[object]:
    """What the index may have been."""
    if isinstance(constant, str):
        yield index_of(constant, tensors)
    elif isinstance(constant, list) and not tensors:
        yield tuple(constant)
        yield constant
    elif constant is not None:
        yield constant
    elif len(tensors) == 1:
        yield tensors[0]
        yield (slice(None), tensors[0])
        yield (..., tensors[0])
    elif tensors:
        yield tuple(tensors)


def _taken(x: Tensor, index: object) -> Tensor | None:
    try:
        taken: Tensor = x[index]  # type: ignore[index]
    except (IndexError, TypeError, RuntimeError):
        return None
    return taken


FORMULAS: tuple[Formula, ...] = (GetItem(),)
