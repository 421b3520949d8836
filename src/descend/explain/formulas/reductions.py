"""Many numbers into one: sums, means, extremes, spreads and norms, over all of a tensor or along some of its axes."""

import math

import torch
from torch import Tensor

from descend.explain.formulas.arguments import NUMBER, OPTIONAL, TENSOR, Arguments, takes
from descend.explain.formulas.arithmetic import Maximum, Minimum
from descend.explain.formulas.formula import Formula, Gradients, Index, by
from descend.explain.formulas.words import Term, bracketed, equal, joined, number


class Reduction(Formula):
    """From the entries x along the axes to one number y."""

    signature = takes(input=TENSOR, dim=None, keepdim=False)

    def value(self, x: Tensor, arguments: Arguments) -> Tensor:
        """One number for each row of x (rows, n)."""
        raise NotImplementedError

    def slope(self, x: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
        """∂y/∂x (rows, n), for x (rows, n) and y (rows, 1)."""
        raise NotImplementedError

    def words(self, x: Tensor, y: float, arguments: Arguments) -> str:
        """How y comes from one row."""
        return ""

    def forward(self, arguments: Arguments) -> Tensor:
        rows, kept = self._rows(arguments)
        result = self.value(rows, arguments).reshape(kept)
        if arguments.flag("keepdim"):
            return result
        axes = self._axes(arguments)
        return result.reshape([size for axis, size in enumerate(kept) if axis not in axes])

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        rows, _ = self._rows(arguments)
        slope = self.slope(rows, self.value(rows, arguments).reshape(-1, 1), arguments)
        return {"input": self._back(gradient.reshape(-1, 1) * slope, arguments)}

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        rows, _ = self._rows(arguments)
        place = int(torch.arange(len(rows)).reshape(output.shape)[index])
        text = self.words(rows[place], float(output[index]), arguments)
        return equal(text, float(output[index])) if text else ""

    def entry_of_gradient(
        self, which: int, index: Index, gradient: Tensor, arguments: Arguments, output: Tensor
    ) -> str:
        rows, kept = self._rows(arguments)
        x = arguments.real("input")
        axes = self._axes(arguments)
        inside = tuple(0 if axis in axes else each for axis, each in enumerate(index))
        g = float(gradient.reshape(kept)[inside])
        slope = self.slope(rows, self.value(rows, arguments).reshape(-1, 1), arguments)
        local = float(self._back(slope, arguments)[index])
        return equal(self.slope_words(g, local, x.numel() // max(1, len(rows)), arguments), g * local)

    def slope_words(self, g: float, local: float, n: int, arguments: Arguments) -> str:
        """g·∂y/∂x with numbers put in; ``n`` entries make one number."""
        return f"{number(g)}·{bracketed(local)}"

    def _axes(self, arguments: Arguments) -> tuple[int, ...]:
        return arguments.dims("dim", arguments.tensor("input").dim())

    def _rows(self, arguments: Arguments) -> tuple[Tensor, list[int]]:
        """The input with the axes last and as one, (rows, n), and the output's shape with 1 in place of each axis."""
        x, axes = arguments.real("input"), self._axes(arguments)
        kept = [1 if axis in axes else size for axis, size in enumerate(x.shape)]
        n = math.prod(x.shape[axis] for axis in axes)
        return x.permute(_axes_last(x, axes)).reshape(math.prod(kept), n), kept

    def _back(self, rows: Tensor, arguments: Arguments) -> Tensor:
        """What :meth:`_rows` did, undone."""
        x, axes = arguments.real("input"), self._axes(arguments)
        order = _axes_last(x, axes)
        undone = sorted(range(len(order)), key=order.__getitem__)
        return rows.reshape([x.shape[axis] for axis in order]).permute(undone)


def _axes_last(x: Tensor, axes: tuple[int, ...]) -> list[int]:
    return [axis for axis in range(x.dim()) if axis not in axes] + [axis for axis in range(x.dim()) if axis in axes]


class Sum(Reduction):
    """y = Σ x"""

    names = ("sum",)
    text = "y = Σᵢ xᵢ"
    derivatives = by(input="∂L/∂xᵢ = ∂L/∂y")

    def value(self, x: Tensor, arguments: Arguments) -> Tensor:
        return x.sum(1)

    def slope(self, x: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
        return torch.ones_like(x)

    def words(self, x: Tensor, y: float, arguments: Arguments) -> str:
        return _sum_words(x)

    def slope_words(self, g: float, local: float, n: int, arguments: Arguments) -> str:
        return number(g)


class Mean(Reduction):
    """y = Σ x/n"""

    names = ("mean",)
    text = "y = Σᵢ xᵢ/n"
    derivatives = by(input="∂L/∂xᵢ = ∂L/∂y/n")

    def value(self, x: Tensor, arguments: Arguments) -> Tensor:
        return x.sum(1) / x.shape[1]

    def slope(self, x: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
        return torch.full_like(x, 1 / x.shape[1])

    def words(self, x: Tensor, y: float, arguments: Arguments) -> str:
        return _sum_words(x) if len(x) == 1 else f"({_sum_words(x)})/{number(len(x))}"

    def slope_words(self, g: float, local: float, n: int, arguments: Arguments) -> str:
        return f"{number(g)}/{number(n)}"


class Extreme(Reduction):
    """y = the largest x; where several are equally large they share the gradient"""

    names: tuple[str, ...] = ("amax",)
    text = "y = maxᵢ xᵢ"
    derivatives = by(input="∂L/∂xᵢ = ∂L/∂y for the largest xᵢ, shared by equal ones, else 0")
    sign = 1

    def value(self, x: Tensor, arguments: Arguments) -> Tensor:
        return self.sign * (self.sign * x).sort(1).values[:, -1]

    def slope(self, x: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
        reached = (x == y).double()
        return reached / reached.sum(1, keepdim=True)

    def words(self, x: Tensor, y: float, arguments: Arguments) -> str:
        shown = [number(float(each)) for each in x]
        listed = shown if len(shown) <= 4 else [*shown[:2], "…", shown[-1]]
        return f"{'max' if self.sign > 0 else 'min'}({', '.join(listed)})"

    def margin(self, arguments: Arguments) -> float | None:
        rows, _ = self._rows(arguments)
        if rows.shape[1] < 2 or not len(rows):
            return None
        best = (self.sign * rows).sort(1, descending=True).values
        return float((best[:, 0] - best[:, 1]).min())


class Least(Extreme):
    """y = the smallest x; where several are equally small they share the gradient"""

    names = ("amin",)
    text = "y = minᵢ xᵢ"
    derivatives = by(input="∂L/∂xᵢ = ∂L/∂y for the smallest xᵢ, shared by equal ones, else 0")
    sign = -1


class MaxOf(Extreme):
    """``max`` of a tensor, along one axis (the values; of equal ones the one at the given place gets the gradient), or of two tensors"""

    names: tuple[str, ...] = ("max",)
    signature = takes(input=TENSOR, dim=OPTIONAL, keepdim=False)
    pairs: Maximum = Maximum()

    def bind_pair(self, arguments: Arguments) -> Arguments:
        """The arguments of max(a, b) as those of ``maximum``."""
        values = {"input": arguments.values["input"], "other": arguments.values["dim"]}
        return Arguments(arguments.operation, values, ("input", "other"), arguments.output)

    def forward(self, arguments: Arguments) -> Tensor:
        if arguments.is_tensor("dim"):
            return self.pairs.forward(self.bind_pair(arguments))
        return super().forward(arguments)

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        if arguments.is_tensor("dim"):
            found = self.pairs.gradients(gradient, self.bind_pair(arguments), output)
            return {"input": found["input"], "dim": found["other"]}
        return super().gradients(gradient, arguments, output)

    def slope(self, x: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
        if not arguments.given("dim"):
            return super().slope(x, y, arguments)
        first = (x == y).double().argmax(1, keepdim=True)
        return torch.zeros_like(x).scatter_(1, first, 1.0)

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        if arguments.is_tensor("dim"):
            return self.pairs.entry(index, self.bind_pair(arguments), output)
        return super().entry(index, arguments, output)

    def entry_of_gradient(
        self, which: int, index: Index, gradient: Tensor, arguments: Arguments, output: Tensor
    ) -> str:
        if arguments.is_tensor("dim"):
            return self.pairs.entry_of_gradient(which, index, gradient, self.bind_pair(arguments), output)
        return super().entry_of_gradient(which, index, gradient, arguments, output)

    def margin(self, arguments: Arguments) -> float | None:
        return self.pairs.margin(self.bind_pair(arguments)) if arguments.is_tensor("dim") else super().margin(arguments)


class MinOf(MaxOf):
    """``min``, as :class:`MaxOf`"""

    names = ("min",)
    text = Least.text
    derivatives = Least.derivatives
    sign = -1
    pairs = Minimum()


class Variance(Reduction):
    """y = Σ (x − x̄)²/(n − correction)"""

    names = ("var",)
    text = "y = Σᵢ (xᵢ − x̄)²/(n − 1)"
    derivatives = by(input="∂L/∂xᵢ = ∂L/∂y·2·(xᵢ − x̄)/(n − 1)")
    signature = takes(input=TENSOR, dim=None, unbiased=None, keepdim=False, correction=None)

    def divisor(self, n: int, arguments: Arguments) -> float:
        """n less the correction: 1 unless the call says otherwise."""
        if isinstance(arguments.values["dim"], bool):  # x.var(False)
            return n - float(arguments.flag("dim"))
        if arguments.given("correction"):
            return n - arguments.number("correction")
        return n - (float(arguments.flag("unbiased")) if arguments.given("unbiased") else 1.0)

    def value(self, x: Tensor, arguments: Arguments) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        return (centred * centred).sum(1) / self.divisor(x.shape[1], arguments)

    def slope(self, x: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
        return 2 * (x - x.mean(1, keepdim=True)) / self.divisor(x.shape[1], arguments)

    def _axes(self, arguments: Arguments) -> tuple[int, ...]:
        axes = arguments.tensor("input").dim()
        return tuple(range(axes)) if isinstance(arguments.values["dim"], bool) else arguments.dims("dim", axes)


class Deviation(Variance):
    """y = √(Σ (x − x̄)²/(n − correction))"""

    names = ("std",)
    text = "y = √(Σᵢ (xᵢ − x̄)²/(n − 1))"
    derivatives = by(input="∂L/∂xᵢ = ∂L/∂y·(xᵢ − x̄)/((n − 1)·y)")

    def value(self, x: Tensor, arguments: Arguments) -> Tensor:
        return super().value(x, arguments).sqrt()

    def slope(self, x: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
        return torch.where(y == 0, 0.0, super().slope(x, y, arguments) / (2 * y))


class LogSumExp(Reduction):
    """y = ln Σ eˣ"""

    names = ("logsumexp",)
    text = "y = ln Σᵢ e^xᵢ"
    derivatives = by(input="∂L/∂xᵢ = ∂L/∂y·e^(xᵢ − y)")

    def value(self, x: Tensor, arguments: Arguments) -> Tensor:
        largest = x.amax(1, keepdim=True)
        return largest[:, 0] + (x - largest).exp().sum(1).log()

    def slope(self, x: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
        return (x - y).exp()

    def words(self, x: Tensor, y: float, arguments: Arguments) -> str:
        def term(position: int) -> Term:
            return f"e^{bracketed(float(x[position]))}", float(x[position].exp())

        return f"ln({joined(term, len(x), float(x.exp().sum()))})"


class Norm(Reduction):
    """y = √(Σ x²)"""

    names = ("norm",)
    text = "y = √(Σᵢ xᵢ²)"
    derivatives = by(input="∂L/∂xᵢ = ∂L/∂y·xᵢ/y")
    signature = takes(input=TENSOR, p="fro", dim=None, keepdim=False)

    def value(self, x: Tensor, arguments: Arguments) -> Tensor:
        if arguments.values["p"] not in ("fro", 2, None):
            raise arguments.not_covered("p")
        return (x * x).sum(1).sqrt()

    def slope(self, x: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
        return torch.where(y == 0, 0.0, x / y)


class Product(Reduction):
    """y = Π x"""

    names = ("prod",)
    text = "y = Πᵢ xᵢ"
    derivatives = by(input="∂L/∂xᵢ = ∂L/∂y·Π of all xⱼ but xᵢ")

    def value(self, x: Tensor, arguments: Arguments) -> Tensor:
        return x.prod(1)

    def slope(self, x: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
        # Of those before times those after, so that a 0 among them divides nothing.
        one = x.new_ones(len(x), 1)
        before = torch.cat([one, x[:, :-1]], 1).cumprod(1)
        after = torch.cat([one, x.flip(1)[:, :-1]], 1).cumprod(1).flip(1)
        return before * after if x.shape[1] else x


class RunningSum(Formula):
    """yᵢ = Σ of x up to i"""

    names = ("cumsum",)
    text = "yᵢ = x₁ + … + xᵢ"
    derivatives = by(input="∂L/∂xᵢ = ∂L/∂yᵢ + … + ∂L/∂yₙ")
    signature = takes(input=TENSOR, dim=NUMBER)

    def forward(self, arguments: Arguments) -> Tensor:
        return arguments.real("input").cumsum(arguments.whole("dim"))

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        dim = arguments.whole("dim")
        return {"input": gradient.flip(dim).cumsum(dim).flip(dim)}


def _sum_words(x: Tensor) -> str:
    def term(position: int) -> Term:
        return number(float(x[position])), float(x[position])

    return joined(term, len(x), float(x.sum()))


FORMULAS: tuple[Formula, ...] = (
    Sum(),
    Mean(),
    Extreme(),
    Least(),
    MaxOf(),
    MinOf(),
    Variance(),
    Deviation(),
    LogSumExp(),
    Norm(),
    Product(),
    RunningSum(),
)
