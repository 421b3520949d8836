"""Convolutions in one and two dimensions: a sum over the places of the kernel, each a product of matrices."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from descend.explain.formulas.arguments import OPTIONAL, TENSOR, Arguments, takes
from descend.explain.formulas.formula import Formula, Gradients, Index, by
from descend.explain.formulas.linear import products
from descend.explain.formulas.windows import flat_margins, inside, places_of, windows
from descend.explain.formulas.words import equal, number, plus


class Convolution(Formula):
    """y[o, p] = Σ over channels c and kernel places k of W[o, c, k]·x[c, stride·p + dilation·k − padding] + b[o]"""

    names = ("conv2d",)
    text = "y[o, p] = Σ W[o, c, k]·x[c, s·p + d·k − padding] + b[o]"
    derivatives = by(
        input="∂L/∂x[c, q] = Σ ∂L/∂y[o, p]·W[o, c, k] over all o, p, k with s·p + d·k − padding = q",
        weight="∂L/∂W[o, c, k] = Σ ∂L/∂y[o, p]·x[c, s·p + d·k − padding] over the rows and places p",
        bias="∂L/∂b[o] = Σ ∂L/∂y[o, p] over the rows and places p",
    )
    signature = takes(
        input=TENSOR,
        weight=TENSOR,
        bias=OPTIONAL,
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
    )
    axes = 2

    def forward(self, arguments: Arguments) -> Tensor:
        x, weight = self.padded(arguments), self.kernels(arguments)
        places = self.places(arguments)
        y = x.new_zeros(len(x), weight.shape[0], weight.shape[1], places.numel())  # (B, groups, out per group, places)
        for k, window in enumerate(self.windows(x, arguments)):
            y += torch.einsum("bgcp,goc->bgop", self.in_groups(window, arguments), weight[..., k])
        y = y.reshape(len(x), -1, *places)
        bias = arguments.optional("bias")
        y = y if bias is None else y + bias.reshape(-1, *(1,) * self.axes)
        return y if self.has_rows(arguments) else y[0]

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        x, weight = self.padded(arguments), self.kernels(arguments)
        g = gradient.reshape(len(x), weight.shape[0], weight.shape[1], -1)  # (B, groups, out per group, places)
        by_x, by_weight = torch.zeros_like(x), torch.zeros_like(weight)
        to_x = self.windows(by_x, arguments)
        for k, window in enumerate(self.windows(x, arguments)):
            by_weight[..., k] = torch.einsum("bgop,bgcp->goc", g, self.in_groups(window, arguments))
            to_x[k] += torch.einsum("bgop,goc->bgcp", g, weight[..., k]).reshape(window.shape)
        return {
            "input": inside(by_x, self.margins(arguments)).reshape(arguments.tensor("input").shape),
            "weight": by_weight.reshape(arguments.tensor("weight").shape),
            "bias": g.sum((0, 3)).flatten(),
        }

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        row, out, *place = index if self.has_rows(arguments) else (0, *index)
        weight = arguments.real("weight")[out].reshape(arguments.tensor("weight").shape[1], -1)
        group = out * arguments.whole("groups") // arguments.tensor("weight").shape[0]
        channels = slice(group * len(weight), (group + 1) * len(weight))
        at: tuple[int | slice, ...] = (row, channels, *place)
        met = torch.stack([window[at] for window in self.windows(self.padded(arguments), arguments)], 1)
        text, bias = products(weight.flatten(), met.flatten()), arguments.optional("bias")
        return equal(text if bias is None else text + plus(number(float(bias[out]))), float(output[index]))

    def has_rows(self, arguments: Arguments) -> bool:
        """Whether the input has an axis for rows before the channels."""
        return arguments.tensor("input").dim() == self.axes + 2

    def kernels(self, arguments: Arguments) -> Tensor:
        """The weight as (groups, out per group, in per group, kernel places)."""
        weight, groups = arguments.real("weight"), arguments.whole("groups")
        return weight.reshape(groups, weight.shape[0] // groups, weight.shape[1], -1)

    def in_groups(self, window: Tensor, arguments: Arguments) -> Tensor:
        """(B, channels, *places) as (B, groups, in per group, places)."""
        groups = arguments.whole("groups")
        return window.reshape(len(window), groups, window.shape[1] // groups, -1)

    def margins(self, arguments: Arguments) -> list[tuple[int, int]]:
        """Zeros before and after each axis."""
        padding = arguments.constant("padding")
        if padding == "valid":
            return [(0, 0)] * self.axes
        if padding == "same":
            kernel = arguments.tensor("weight").shape[2:]
            totals = [d * (k - 1) for d, k in zip(arguments.sizes("dilation", self.axes), kernel, strict=True)]
            return [(total // 2, total - total // 2) for total in totals]
        return [(each, each) for each in arguments.sizes("padding", self.axes)]

    def padded(self, arguments: Arguments) -> Tensor:
        """The input (B, channels, *axes) with zeros around it."""
        x = arguments.real("input")
        return pad(x if self.has_rows(arguments) else x[None], flat_margins(self.margins(arguments)))

    def places(self, arguments: Arguments) -> torch.Size:
        """How many places the kernel takes along each axis."""
        kernel, sizes = arguments.tensor("weight").shape[2:], self.padded(arguments).shape[2:]
        stride, dilation = arguments.sizes("stride", self.axes), arguments.sizes("dilation", self.axes)
        return torch.Size(places_of(sizes, kernel, stride, dilation))

    def windows(self, x: Tensor, arguments: Arguments) -> list[Tensor]:
        """For each place of the kernel what it meets."""
        stride, dilation = arguments.sizes("stride", self.axes), arguments.sizes("dilation", self.axes)
        return windows(x, arguments.tensor("weight").shape[2:], stride, dilation, self.places(arguments))


class Convolution1d(Convolution):
    """:class:`Convolution` along one axis"""

    names = ("conv1d",)
    axes = 1


FORMULAS: tuple[Formula, ...] = (Convolution(), Convolution1d())
