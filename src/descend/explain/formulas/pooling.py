"""Pooling: the largest or the mean of what a window meets, in one dimension and two."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from descend.explain.formulas.arguments import NUMBER, TENSOR, Arguments, takes
from descend.explain.formulas.formula import Formula, Gradients, Index, by
from descend.explain.formulas.windows import flat_margins, inside, windows
from descend.explain.formulas.words import Term, equal, joined, number


class Pooling(Formula):
    """One number from each window of a channel."""

    axes = 2
    filling = 0.0

    def has_rows(self, arguments: Arguments) -> bool:
        """Whether the input has an axis for rows before the channels."""
        return arguments.tensor("input").dim() == self.axes + 2

    def kernel(self, arguments: Arguments) -> tuple[int, ...]:
        """The size of the window."""
        return arguments.sizes("kernel_size", self.axes)

    def stride(self, arguments: Arguments) -> tuple[int, ...]:
        """How far the window moves: its own size unless the call says otherwise."""
        return arguments.sizes("stride", self.axes) if arguments.given("stride") else self.kernel(arguments)

    def dilation(self, arguments: Arguments) -> tuple[int, ...]:
        """How far apart the entries of a window are."""
        return arguments.sizes("dilation", self.axes) if "dilation" in arguments.values else (1,) * self.axes

    def places(self, arguments: Arguments) -> list[int]:
        """How many windows there are along each axis; with ``ceil_mode`` the last may stand over the edge."""
        found = []
        padding, stride = arguments.sizes("padding", self.axes), self.stride(arguments)
        spans = [d * (k - 1) + 1 for k, d in zip(self.kernel(arguments), self.dilation(arguments), strict=True)]
        for n, p, s, span in zip(arguments.tensor("input").shape[-self.axes :], padding, stride, spans, strict=True):
            rest = n + 2 * p - span
            count = -(-rest // s) + 1 if arguments.flag("ceil_mode") else rest // s + 1
            if arguments.flag("ceil_mode") and (count - 1) * s >= n + p:
                count -= 1  # a window must begin in the image or before it
            found.append(count)
        return found

    def margins(self, arguments: Arguments) -> list[tuple[int, int]]:
        """What is added before and after each axis, so that every window is whole."""
        found = []
        sizes, padding = arguments.tensor("input").shape[-self.axes :], arguments.sizes("padding", self.axes)
        reach = zip(
            self.places(arguments),
            self.stride(arguments),
            self.kernel(arguments),
            self.dilation(arguments),
            strict=True,
        )
        for n, p, (count, s, k, d) in zip(sizes, padding, reach, strict=True):
            found.append((p, max(p, (count - 1) * s + d * (k - 1) + 1 - n - p)))
        return found

    def padded(self, x: Tensor, arguments: Arguments, filling: float | None = None) -> Tensor:
        """x with rows and with its margins."""
        x = x if self.has_rows(arguments) else x[None]
        return pad(x, flat_margins(self.margins(arguments)), value=self.filling if filling is None else filling)

    def windows(self, x: Tensor, arguments: Arguments) -> list[Tensor]:
        """For each place of the window what stands there: views (B, channels, *places)."""
        places = self.places(arguments)
        return windows(x, self.kernel(arguments), self.stride(arguments), self.dilation(arguments), places)

    def back(self, x: Tensor, arguments: Arguments) -> Tensor:
        """The gradient of the padded input in the shape of the input."""
        return inside(x, self.margins(arguments)).reshape(arguments.tensor("input").shape)

    def met(self, index: Index, arguments: Arguments) -> Tensor:
        """All that one window met."""
        place = index if self.has_rows(arguments) else (0, *index)
        x = self.padded(arguments.real("input"), arguments)
        return torch.stack([window[place] for window in self.windows(x, arguments)])


class MaxPooling(Pooling):
    """y = the largest of a window"""

    names: tuple[str, ...] = ("max_pool2d", "max_pool2d_with_indices")
    text = "y[p] = max of x over the window at p"
    derivatives = by(input="∂L/∂x = Σ ∂L/∂y[p] over the windows p whose largest it was (the first of equal ones)")
    signature = takes(
        input=TENSOR,
        kernel_size=NUMBER,
        stride=None,
        padding=0,
        dilation=1,
        ceil_mode=False,
        return_indices=False,
    )
    filling = -torch.inf

    def forward(self, arguments: Arguments) -> Tensor:
        x = self.padded(arguments.real("input"), arguments)
        y = torch.stack(self.windows(x, arguments)).amax(0)
        return y if self.has_rows(arguments) else y[0]

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        x = self.padded(arguments.real("input"), arguments)
        chosen = torch.stack(self.windows(x, arguments)).argmax(0)
        by_x = torch.zeros_like(x)
        for k, window in enumerate(self.windows(by_x, arguments)):
            window += gradient.reshape(chosen.shape) * (chosen == k)  # noqa: PLW2901 - into the view
        return {"input": self.back(by_x, arguments)}

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        shown = [number(float(each)) for each in self.met(index, arguments) if each != -torch.inf]
        listed = shown if len(shown) <= 4 else [*shown[:2], "…", shown[-1]]
        return f"max({', '.join(listed)}) = {number(float(output[index]))}"

    def margin(self, arguments: Arguments) -> float | None:
        x = self.padded(arguments.real("input"), arguments)
        all_met = torch.stack(self.windows(x, arguments)).sort(0, descending=True).values
        return float((all_met[0] - all_met[1]).min()) if len(all_met) > 1 and all_met.numel() else None


class MaxPooling1d(MaxPooling):
    """:class:`MaxPooling` along one axis"""

    names = ("max_pool1d", "max_pool1d_with_indices")
    axes = 1


class AveragePooling(Pooling):
    """y = the mean of a window"""

    names = ("avg_pool2d",)
    text = "y[p] = Σ x over the window at p/n"
    derivatives = by(input="∂L/∂x = Σ ∂L/∂y[p]/n over the windows p that it stands in")
    signature = takes(
        input=TENSOR,
        kernel_size=NUMBER,
        stride=None,
        padding=0,
        ceil_mode=False,
        count_include_pad=True,
        divisor_override=None,
    )

    def counts(self, arguments: Arguments) -> Tensor:
        """What each window is divided by, (1, 1, *places) or a single number."""
        if arguments.given("divisor_override"):
            return torch.tensor(arguments.number("divisor_override"), dtype=torch.float64)
        padding = arguments.sizes("padding", self.axes) if arguments.flag("count_include_pad") else (0,) * self.axes
        x = arguments.real("input")
        ones = torch.ones(1, 1, *(n + 2 * p for n, p in zip(x.shape[-self.axes :], padding, strict=True)))
        counted = pad(
            ones.double(),
            flat_margins([(b - p, a - p) for (b, a), p in zip(self.margins(arguments), padding, strict=True)]),
        )
        return torch.stack(self.windows(counted, arguments)).sum(0)

    def forward(self, arguments: Arguments) -> Tensor:
        x = self.padded(arguments.real("input"), arguments)
        y = torch.stack(self.windows(x, arguments)).sum(0) / self.counts(arguments)
        return y if self.has_rows(arguments) else y[0]

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        by_x = torch.zeros_like(self.padded(arguments.real("input"), arguments))
        g = (gradient if self.has_rows(arguments) else gradient[None]) / self.counts(arguments)
        for window in self.windows(by_x, arguments):
            window += g  # noqa: PLW2901 - into the view
        return {"input": self.back(by_x, arguments)}

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        met, counts = self.met(index, arguments), self.counts(arguments)
        n = float(counts if counts.dim() == 0 else counts[(0, 0, *index[-self.axes :])])

        def term(position: int) -> Term:
            return number(float(met[position])), float(met[position])

        return equal(f"({joined(term, len(met), float(met.sum()))})/{number(n)}", float(output[index]))


class AveragePooling1d(AveragePooling):
    """:class:`AveragePooling` along one axis"""

    names = ("avg_pool1d",)
    axes = 1
    signature = takes(input=TENSOR, kernel_size=NUMBER, stride=None, padding=0, ceil_mode=False, count_include_pad=True)


class AdaptiveAveragePooling(Formula):
    """y = P·x·Qᵀ: each output is the mean of its share of the rows and columns"""

    names = ("adaptive_avg_pool2d",)
    text = "y[p] = mean of x over the share of the image that belongs to p"
    derivatives = by(input="∂L/∂x = Σ ∂L/∂y[p]/n over the shares p that it stands in")
    signature = takes(input=TENSOR, output_size=NUMBER)

    def shares(self, arguments: Arguments) -> tuple[Tensor, Tensor]:
        """P (out rows, rows) and Q (out columns, columns)."""
        x, sizes = arguments.tensor("input"), arguments.sizes("output_size", 2)
        return _shares(x.shape[-2], sizes[0]), _shares(x.shape[-1], sizes[1])

    def forward(self, arguments: Arguments) -> Tensor:
        rows, columns = self.shares(arguments)
        return rows @ arguments.real("input") @ columns.mT

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        rows, columns = self.shares(arguments)
        return {"input": rows.mT @ gradient @ columns}


def _shares(size: int, count: int) -> Tensor:
    shares = torch.zeros(count, size, dtype=torch.float64)
    for place in range(count):
        first, last = place * size // count, -(-(place + 1) * size // count)
        shares[place, first:last] = 1 / (last - first)
    return shares


FORMULAS: tuple[Formula, ...] = (
    MaxPooling(),
    MaxPooling1d(),
    AveragePooling(),
    AveragePooling1d(),
    AdaptiveAveragePooling(),
)
