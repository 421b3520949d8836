"""Embedding, whose rows are chosen by number, and dropout, which leaves out entries by chance."""

import torch
from torch import Tensor

from descend.explain.formulas.arguments import OPTIONAL, TENSOR, Arguments, NotCovered, takes
from descend.explain.formulas.formula import Formula, Gradients, Index, by
from descend.explain.formulas.words import Term, equal, joined, number, place


class Embedding(Formula):
    """y = W[ids]"""

    names = ("embedding",)
    text = "yᵢ = W[idᵢ]"
    derivatives = by(weight="∂L/∂W[j] = Σ ∂L/∂yᵢ over the places i whose id is j")
    signature = takes(
        input=TENSOR,
        weight=TENSOR,
        padding_idx=None,
        max_norm=None,
        norm_type=2.0,
        scale_grad_by_freq=False,
        sparse=False,
    )

    def forward(self, arguments: Arguments) -> Tensor:
        if arguments.given("max_norm"):
            raise arguments.not_covered("max_norm")  # it changes the weight itself
        return arguments.real("weight")[arguments.tensor("input")]

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        weight, ids = arguments.real("weight"), arguments.tensor("input").flatten()
        g = gradient.reshape(len(ids), -1) * self.counted(arguments)[:, None]
        return {"weight": torch.zeros_like(weight).index_add_(0, ids, g)}

    def counted(self, arguments: Arguments) -> Tensor:
        """How much each place counts: nothing for padding; with ``scale_grad_by_freq`` ids share by their number."""
        ids = arguments.tensor("input").flatten()
        counted = torch.ones(len(ids), dtype=torch.float64)
        if arguments.flag("scale_grad_by_freq"):
            counted = 1 / torch.bincount(ids)[ids].double()
        if arguments.given("padding_idx"):
            counted = counted * (ids != arguments.whole("padding_idx") % len(arguments.tensor("weight")))
        return counted

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        *at, column = index
        row = int(arguments.tensor("input")[tuple(at)])
        return f"{place('W', (row, column))} = {number(float(output[index]))}"

    def entry_of_gradient(
        self, which: int, index: Index, gradient: Tensor, arguments: Arguments, output: Tensor
    ) -> str:
        if arguments.order[which] != "weight":
            return ""
        ids, counted = arguments.tensor("input").flatten(), self.counted(arguments)
        uses = ((ids == index[0]) & (counted > 0)).nonzero()[:, 0]
        column = (gradient.double().reshape(len(ids), -1) * counted[:, None])[uses, index[1]]

        def term(position: int) -> Term:
            return number(float(column[position])), float(column[position])

        return equal(joined(term, len(column), float(column.sum())), float(column.sum()))


class Dropout(Formula):
    """y = x·mask/(1 − p): the mask leaves out each entry with probability p; in evaluation mode y = x

    The mask is the second tensor of the call where the record has it, true for what was kept; else it is read off the
    recorded output, which tells nothing where x is 0.
    """

    names = ("dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout")
    text = "y = x·mask/(1 − p)"
    derivatives = by(input="∂L/∂x = ∂L/∂y·mask/(1 − p)")
    signature = takes(input=TENSOR, p=0.5, training=True, inplace=False, mask=OPTIONAL)

    def is_on(self, arguments: Arguments) -> bool:
        """Whether anything can be left out."""
        return arguments.flag("training") and arguments.number("p") > 0

    def factor(self, arguments: Arguments) -> Tensor:
        """mask/(1 − p); all ones in evaluation mode."""
        x, p = arguments.real("input"), arguments.number("p")
        if not self.is_on(arguments):
            return torch.ones_like(x)
        if p == 1:
            return torch.zeros_like(x)
        return self.mask(arguments).double() / (1 - p)

    def mask(self, arguments: Arguments) -> Tensor:
        """Which entries were kept, as far as it can be known: where x is 0 an unrecorded mask counts as false."""
        if arguments.given("mask"):
            return arguments.tensor("mask") != 0
        if arguments.output is None:
            raise NotCovered("dropout: which entries were kept is not known without its output")
        return arguments.output != 0

    def forward(self, arguments: Arguments) -> Tensor:
        return arguments.real("input") * self.factor(arguments)

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        factor, x = self.factor(arguments), arguments.real("input")
        unknown = int((x == 0).sum())
        if unknown and self.is_on(arguments) and arguments.number("p") < 1 and not arguments.given("mask"):
            raise NotCovered(
                f"dropout: which entries were kept cannot be read off the output where the input is 0"
                f" ({unknown:,} of {x.numel():,})"
            )
        return {"input": gradient * factor}

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        x, y = float(arguments.real("input")[index]), float(output[index])
        if not self.is_on(arguments):
            return number(y)
        return f"{number(x)}/(1 − {number(arguments.number('p'))}) = {number(y)}" if y else f"{number(x)}, left out → 0"


FORMULAS: tuple[Formula, ...] = (Embedding(), Dropout())
