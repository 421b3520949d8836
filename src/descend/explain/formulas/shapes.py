"""The same numbers in another order: reshaping, transposing, choosing, repeating, joining. Every output entry is one input entry.

So one derivative serves them all: the gradient of an entry is the sum of the gradients of the places it was copied to.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import pad

from descend.explain.formulas.arguments import MANY, NUMBER, REST, TENSOR, Arguments, NotCovered, Signature, takes
from descend.explain.formulas.formula import Formula, Gradients, Index, by
from descend.explain.formulas.words import Term, equal, joined, number, place

Move = Callable[[Tensor, Arguments], Tensor]


class Rearrangement(Formula):
    """y[…] = x[…]: where each entry of y comes from is found by moving the numbers of the places of x."""

    derivatives = by(input="∂L/∂x = Σ ∂L/∂y over the places that x was copied to")

    def __init__(self, names: tuple[str, ...], text: str, move: Move, signature: Signature) -> None:
        self.names, self.text, self.move, self.signature = names, text, move, signature

    def forward(self, arguments: Arguments) -> Tensor:
        return self.move(arguments.tensor("input"), arguments)

    def sources(self, arguments: Arguments) -> Tensor:
        """For each entry of the output the place of its source, counted through the input row by row."""
        shape = arguments.tensor("input").shape
        return self.move(torch.arange(shape.numel()).reshape(shape), arguments)

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        x = arguments.real("input")
        flat = x.new_zeros(x.numel()).index_add_(0, self.sources(arguments).flatten(), gradient.flatten())
        return {"input": flat.reshape(x.shape)}

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        return f"{place('x', self._source(index, arguments))} = {number(float(output[index]))}"

    def entry_of_gradient(
        self, which: int, index: Index, gradient: Tensor, arguments: Arguments, output: Tensor
    ) -> str:
        shape, sources = arguments.tensor("input").shape, self.sources(arguments)
        here = int(torch.arange(shape.numel()).reshape(shape)[index])
        copies = gradient.double()[sources == here]

        def term(position: int) -> Term:
            return number(float(copies[position])), float(copies[position])

        return equal(joined(term, len(copies), float(copies.sum())), float(copies.sum()))

    def _source(self, index: Index, arguments: Arguments) -> Index:
        flat = self.sources(arguments)[index]
        return tuple(int(each) for each in torch.unravel_index(flat, arguments.tensor("input").shape))


class Join(Formula):
    """y = tensors one after another along an axis"""

    names: tuple[str, ...] = ("cat", "concat", "concatenate")
    text = "y = x₁, x₂, … one after another"
    derivatives = by(tensors="∂L/∂xₖ = the part of ∂L/∂y that xₖ became")
    signature = takes(tensors=MANY, dim=0)

    def forward(self, arguments: Arguments) -> Tensor:
        return torch.cat(arguments.many("tensors"), arguments.whole("dim"))

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        dim = arguments.whole("dim")
        parts, start = [], 0
        for each in arguments.many("tensors"):
            parts.append(gradient.narrow(dim, start, each.shape[dim]))
            start += each.shape[dim]
        return {"tensors": parts}


class Stack(Join):
    """y = tensors one upon another along a new axis"""

    names = ("stack",)
    text = "y = x₁, x₂, … along a new axis"

    def forward(self, arguments: Arguments) -> Tensor:
        return torch.stack(arguments.many("tensors"), arguments.whole("dim"))

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        return {"tensors": gradient.unbind(arguments.whole("dim"))}


class Pad(Formula):
    """y = x with something around it: a number, or its own entries again"""

    names = ("pad",)
    text = "y = x with a margin"
    derivatives = by(input="∂L/∂x = Σ ∂L/∂y over the places that x was copied to")
    signature = takes(input=TENSOR, pad=NUMBER, mode="constant", value=None)

    def forward(self, arguments: Arguments) -> Tensor:
        return self._padded(arguments.real("input"), arguments, arguments.constant("value"))

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        x = arguments.real("input")
        numbered = torch.arange(1, x.numel() + 1, dtype=torch.float64).reshape(x.shape)
        sources = self._padded(numbered, arguments, None).long().flatten()  # 0 for what came from nowhere
        flat = x.new_zeros(x.numel() + 1).index_add_(0, sources, gradient.flatten())
        return {"input": flat[1:].reshape(x.shape)}

    def _padded(self, x: Tensor, arguments: Arguments, value: object) -> Tensor:
        filling = float(value) if isinstance(value, int | float) else None
        return pad(x, arguments.whole_numbers("pad"), arguments.word("mode"), filling)


class Detach(Formula):
    """y = x, and no gradient comes back"""

    names = ("detach", "data")
    text = "y = x"
    derivatives = by(input="∂L/∂x = 0: nothing comes back through here")
    signature = takes(input=TENSOR)

    def forward(self, arguments: Arguments) -> Tensor:
        return arguments.tensor("input")

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        return {"input": torch.zeros_like(gradient)}


def _reshaped(x: Tensor, arguments: Arguments) -> Tensor:
    if arguments.given("shape"):
        return x.reshape(arguments.whole_numbers("shape"))
    if arguments.output is None:
        raise NotCovered(f"{arguments.operation}: the shape of this call is not known")
    return x.reshape(arguments.output.shape)


def _unflattened(x: Tensor, arguments: Arguments) -> Tensor:
    axis = arguments.dims("dim", x.dim())[0]
    return x.reshape(*x.shape[:axis], *arguments.whole_numbers("sizes"), *x.shape[axis + 1 :])


def _squeezed(x: Tensor, arguments: Arguments) -> Tensor:
    return x.squeeze(arguments.dims("dim", x.dim())) if arguments.given("dim") else x.squeeze()


def _permuted(x: Tensor, arguments: Arguments) -> Tensor:
    return x.permute(arguments.whole_numbers("dims"))


def _rolled(x: Tensor, arguments: Arguments) -> Tensor:
    shifts = arguments.whole_numbers("shifts")
    return x.roll(shifts, arguments.whole_numbers("dims")) if arguments.given("dims") else x.roll(shifts)


def _swapped(x: Tensor, arguments: Arguments) -> Tensor:
    return x.transpose(arguments.whole("dim0"), arguments.whole("dim1"))


def _expanded(x: Tensor, arguments: Arguments) -> Tensor:
    return x.expand(arguments.whole_numbers("sizes"))


def _moved(x: Tensor, arguments: Arguments) -> Tensor:
    return x.movedim(arguments.whole_numbers("source"), arguments.whole_numbers("destination"))


def _diagonal(x: Tensor, arguments: Arguments) -> Tensor:
    if x.dim() < 2:
        raise arguments.not_covered("input")
    return x.diagonal(arguments.whole("offset"), arguments.whole("dim1"), arguments.whole("dim2"))


_X: Signature = takes(input=TENSOR)
_TO_SHAPE: Signature = takes(input=TENSOR, shape=REST)
_DIMS: Signature = takes(input=TENSOR, dims=REST)
_SIZES: Signature = takes(input=TENSOR, sizes=REST)
_LIKE: Signature = takes(input=TENSOR, other=TENSOR)
_SWAP: Signature = takes(input=TENSOR, dim0=NUMBER, dim1=NUMBER)
_CHOOSE: Signature = takes(input=TENSOR, dim=NUMBER, index=TENSOR)

FORMULAS: tuple[Formula, ...] = (
    Rearrangement(("reshape", "view"), "y = the entries of x, row by row, in another shape", _reshaped, _TO_SHAPE),
    Rearrangement(
        ("view_as", "reshape_as"),
        "y = the entries of x, row by row, in another shape",
        lambda x, a: x.reshape(a.tensor("other").shape),
        _LIKE,
    ),
    Rearrangement(
        ("flatten",),
        "y = the entries of x, row by row, with several axes made one",
        lambda x, a: x.flatten(a.whole("start_dim"), a.whole("end_dim")),
        takes(input=TENSOR, start_dim=0, end_dim=-1),
    ),
    Rearrangement(("ravel",), "y = the entries of x, row by row, along one axis", lambda x, _: x.reshape(-1), _X),
    Rearrangement(
        ("unflatten",),
        "y = the entries of x, with one axis made several",
        _unflattened,
        takes(input=TENSOR, dim=NUMBER, sizes=REST),
    ),
    Rearrangement(("transpose", "swapaxes", "swapdims"), "yⱼᵢ = xᵢⱼ", _swapped, _SWAP),
    Rearrangement(("t",), "yⱼᵢ = xᵢⱼ", lambda x, _: x.t(), _X),
    Rearrangement(("T",), "yⱼᵢ = xᵢⱼ", lambda x, _: x.permute(*reversed(range(x.dim()))), _X),
    Rearrangement(("mT", "adjoint"), "yⱼᵢ = xᵢⱼ for each matrix of a stack", lambda x, _: x.mT, _X),
    Rearrangement(("permute",), "y = x with its axes in another order", _permuted, _DIMS),
    Rearrangement(
        ("movedim", "moveaxis"),
        "y = x with its axes in another order",
        _moved,
        takes(input=TENSOR, source=NUMBER, destination=NUMBER),
    ),
    Rearrangement(("squeeze",), "y = x without axes of size 1", _squeezed, takes(input=TENSOR, dim=REST)),
    Rearrangement(
        ("unsqueeze",),
        "y = x with one more axis of size 1",
        lambda x, a: x.unsqueeze(a.whole("dim")),
        takes(input=TENSOR, dim=NUMBER),
    ),
    Rearrangement(("expand", "broadcast_to"), "y = x, used again along the new places", _expanded, _SIZES),
    Rearrangement(
        ("expand_as",), "y = x, used again along the new places", lambda x, a: x.expand(a.tensor("other").shape), _LIKE
    ),
    Rearrangement(
        ("repeat", "tile"), "y = x, several times over", lambda x, a: x.repeat(a.whole_numbers("sizes")), _SIZES
    ),
    Rearrangement(("flip",), "y = x, backwards along some axes", lambda x, a: x.flip(a.whole_numbers("dims")), _DIMS),
    Rearrangement(
        ("roll",), "y = x, moved round along some axes", _rolled, takes(input=TENSOR, shifts=NUMBER, dims=None)
    ),
    Rearrangement(
        ("select",),
        "y = x at one place of an axis",
        lambda x, a: x.select(a.whole("dim"), a.whole("index")),
        takes(input=TENSOR, dim=NUMBER, index=NUMBER),
    ),
    Rearrangement(
        ("narrow",),
        "y = a stretch of x along an axis",
        lambda x, a: x.narrow(a.whole("dim"), a.whole("start"), a.whole("length")),
        takes(input=TENSOR, dim=NUMBER, start=NUMBER, length=NUMBER),
    ),
    Rearrangement(
        ("index_select",),
        "y = x at the places that an index names",
        lambda x, a: x.index_select(a.whole("dim"), a.tensor("index")),
        _CHOOSE,
    ),
    Rearrangement(
        ("gather",),
        "y = for each entry of an index the entry of x that it names along an axis",
        lambda x, a: x.gather(a.whole("dim"), a.tensor("index")),
        _CHOOSE,
    ),
    Rearrangement(
        ("masked_select",),
        "y = the entries of x where the mask holds",
        lambda x, a: x.masked_select(a.tensor("mask").bool()),
        takes(input=TENSOR, mask=TENSOR),
    ),
    Rearrangement(
        ("diagonal", "diag"),
        "yᵢ = xᵢᵢ",
        _diagonal,
        takes(input=TENSOR, offset=0, dim1=0, dim2=1),
    ),
    Rearrangement(
        ("clone", "contiguous", "to", "float", "double", "cpu", "cuda"),
        "y = x",
        lambda x, _: x,
        takes(input=TENSOR, others=REST),
    ),
    Join(),
    Stack(),
    Pad(),
    Detach(),
)
