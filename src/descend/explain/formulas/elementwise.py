"""Functions of each entry by itself, y = f(x), and of pairs of entries, y = f(a, b), with broadcasting."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from descend.explain.formulas.arguments import EITHER, TENSOR, Arguments, Signature, takes
from descend.explain.formulas.formula import Formula, Gradients, Index, broadcast, by, sum_to
from descend.explain.formulas.words import Term, bracketed, equal, joined, number, times

Function = Callable[[Tensor, Arguments], Tensor]
Slope = Callable[[Tensor, Tensor, Arguments], Tensor]
Words = Callable[[float, Arguments], str]
SlopeWords = Callable[[float, float, Arguments], str]
Kinks = Callable[[Arguments], Sequence[float]]


def _none(_: Arguments) -> Sequence[float]:
    return ()


class Unary(Formula):
    """y = f(x), entry by entry: ∂L/∂x = ∂L/∂y·f′(x).

    slope_text: f′ as text, by x and y. slope: f′ from x and y. words: f with a number put in. slope_words: f′ with x and y put in,
    with the sign before it; without it the value of f′ stands alone. kinks: where f′ jumps.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        text: str,
        slope_text: str,
        function: Function,
        slope: Slope,
        words: Words | None = None,
        slope_words: SlopeWords | None = None,
        *,
        signature: Signature | None = None,
        kinks: Kinks = _none,
    ) -> None:
        self.names, self.text = names, text
        self.derivatives = by(input=f"∂L/∂x = ∂L/∂y·{slope_text}")
        self.signature = takes(input=TENSOR) if signature is None else signature
        self.function, self.slope, self.words, self.slope_words = function, slope, words, slope_words
        self.kinks = kinks

    def forward(self, arguments: Arguments) -> Tensor:
        return self.function(arguments.real("input"), arguments)

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        return {"input": gradient * self.slope(arguments.real("input"), output, arguments)}

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        words = self.words(float(arguments.real("input")[index]), arguments) if self.words else ""
        return equal(words, float(output[index])) if words else ""

    def entry_of_gradient(
        self, which: int, index: Index, gradient: Tensor, arguments: Arguments, output: Tensor
    ) -> str:
        x = arguments.real("input")[index]
        y, g = output[index].double(), float(gradient[index])
        slope = float(self.slope(x, y, arguments))
        if self.slope_words is None:
            return equal(times(g, slope), g * slope)
        return equal(f"{number(g)}{self.slope_words(float(x), float(y), arguments)}", g * slope)

    def margin(self, arguments: Arguments) -> float | None:
        x, kinks = arguments.real("input"), self.kinks(arguments)
        return min((float((x - kink).abs().min()) for kink in kinks), default=None) if x.numel() else None


class Binary(Formula):
    """y = f(a, b), entry by entry, with broadcasting: the gradient of a number used several times is the sum over its uses."""

    signature: Signature = takes(input=EITHER, other=EITHER)
    inputs: tuple[str, str] = ("input", "other")

    def value(self, a: Tensor, b: Tensor, arguments: Arguments) -> Tensor:
        """f(a, b), of tensors of one shape."""
        raise NotImplementedError

    def slopes(self, a: Tensor, b: Tensor, y: Tensor, arguments: Arguments) -> tuple[Tensor, Tensor]:
        """∂y/∂a and ∂y/∂b, of tensors of one shape."""
        raise NotImplementedError

    def words(self, a: float, b: float, arguments: Arguments) -> str:
        """f with numbers put in."""
        return ""

    def slope_words(self, which: int, g: float, a: float, b: float, arguments: Arguments) -> str:
        """g·∂y/∂a (``which`` 0) or g·∂y/∂b with numbers put in; empty for the two factors alone."""
        return ""

    def forward(self, arguments: Arguments) -> Tensor:
        a, b = self._pair(arguments)
        return self.value(a, b, arguments)

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        a, b = self._pair(arguments)
        slopes = self.slopes(a, b, output, arguments)
        return {
            name: sum_to(gradient * slope, arguments.real(name).shape)
            for name, slope in zip(self.inputs, slopes, strict=True)
        }

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        a, b = self._pair(arguments)
        words = self.words(float(a[index]), float(b[index]), arguments)
        return equal(words, float(output[index])) if words else ""

    def entry_of_gradient(
        self, which: int, index: Index, gradient: Tensor, arguments: Arguments, output: Tensor
    ) -> str:
        name = arguments.order[which]
        side = self.inputs.index(name)
        a, b = self._pair(arguments)
        slope = self.slopes(a, b, output.double(), arguments)[side]
        uses = uses_of(index, arguments.real(name).shape, gradient.shape)

        def term(position: int) -> Term:
            at = tuple(uses[position].tolist())
            g = float(gradient[at])
            words = self.slope_words(side, g, float(a[at]), float(b[at]), arguments)
            return words or times(g, float(slope[at])), g * float(slope[at])

        total = float(sum_to(gradient.double() * slope, arguments.real(name).shape)[index])
        return equal(joined(term, len(uses), total), total)

    def _pair(self, arguments: Arguments) -> tuple[Tensor, Tensor]:
        return broadcast(arguments.real(self.inputs[0]), arguments.real(self.inputs[1]))


def uses_of(index: Index, shape: torch.Size, broadcast: torch.Size) -> Tensor:
    """Where the entry at ``index`` of a tensor of ``shape`` stands after broadcasting; (uses, axes of the broadcast shape)."""
    numbers = torch.arange(max(1, shape.numel())).reshape(shape)
    return (numbers.expand(broadcast) == numbers[index]).nonzero()


def power_words(base: str, exponent: float) -> str:
    """``3²``, ``(−3)²``, ``3^0.5``."""
    return f"{base}²" if exponent == 2 else f"{base}³" if exponent == 3 else f"{base}^{bracketed(exponent)}"
