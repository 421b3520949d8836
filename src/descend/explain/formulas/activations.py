"""Activation functions: of each entry by itself, and softmax, where the entries of a row share out 1."""

import math

import torch
from torch import Tensor

from descend.explain.formulas.arguments import TENSOR, Arguments, takes
from descend.explain.formulas.elementwise import Unary
from descend.explain.formulas.formula import Formula, Gradients, Index, by
from descend.explain.formulas.words import Term, bracketed, equal, joined, minus, number, times


def sigmoid(x: Tensor) -> Tensor:
    """1/(1 + e⁻ˣ), without overflow on either side."""
    small = (-x.abs()).exp()  # never above 1
    return torch.where(x >= 0, 1 / (1 + small), small / (1 + small))


def softplus(x: Tensor) -> Tensor:
    """ln(1 + eˣ), without overflow."""
    return torch.where(x > 0, x, 0.0) + (-x.abs()).exp().log1p()


def log_softmax(x: Tensor, dim: int) -> Tensor:
    """x − ln Σ eˣ, shifted by the largest entry first, so that nothing overflows."""
    shifted = x - x.amax(dim, keepdim=True)
    return shifted - shifted.exp().sum(dim, keepdim=True).log()


def _normal(x: Tensor) -> Tensor:
    """The standard normal distribution function Φ."""
    return (1 + torch.erf(x / math.sqrt(2))) / 2


def _gelu(x: Tensor, arguments: Arguments) -> Tensor:
    return x * _normal(x) if _is_exact(arguments) else x / 2 * (1 + _inner(x).tanh())


def _gelu_slope(x: Tensor, _: Tensor, arguments: Arguments) -> Tensor:
    if _is_exact(arguments):
        return _normal(x) + x * (-(x**2) / 2).exp() / math.sqrt(2 * math.pi)
    t = _inner(x).tanh()
    return (1 + t) / 2 + x / 2 * (1 - t**2) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)


def _is_exact(arguments: Arguments) -> bool:
    if arguments.word("approximate") not in ("none", "tanh"):
        raise arguments.not_covered("approximate")
    return arguments.word("approximate") == "none"


def _inner(x: Tensor) -> Tensor:
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


def _relu(x: Tensor, _: Arguments) -> Tensor:
    return torch.where(x > 0, x, 0.0)


def _leaky_relu(x: Tensor, arguments: Arguments) -> Tensor:
    return torch.where(x > 0, x, arguments.number("negative_slope") * x)


def _elu(x: Tensor, arguments: Arguments) -> Tensor:
    return torch.where(x > 0, x, arguments.number("alpha") * x.expm1())


def _elu_slope(x: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
    return torch.where(x > 0, 1.0, y + arguments.number("alpha"))


def _softplus(x: Tensor, arguments: Arguments) -> Tensor:
    beta = arguments.number("beta")
    return torch.where(beta * x > arguments.number("threshold"), x, softplus(beta * x) / beta)


def _softplus_slope(x: Tensor, _: Tensor, arguments: Arguments) -> Tensor:
    beta = arguments.number("beta")
    return torch.where(beta * x > arguments.number("threshold"), 1.0, sigmoid(beta * x))


def _hardtanh(x: Tensor, arguments: Arguments) -> Tensor:
    least, most = _hardtanh_bounds(arguments)
    return torch.where(x > most, most, torch.where(x < least, least, x))


def _hardtanh_slope(x: Tensor, _: Tensor, arguments: Arguments) -> Tensor:
    least, most = _hardtanh_bounds(arguments)
    return ((x > least) & (x < most)).double()


def _hardtanh_bounds(arguments: Arguments) -> tuple[float, float]:
    if arguments.operation.strip("_") == "relu6":
        return 0.0, 6.0
    return arguments.number("min"), arguments.number("max")


def _kink_at_0(_: Arguments) -> list[float]:
    return [0.0]


class Softmax(Formula):
    """pᵢ = e^zᵢ/Σⱼ e^zⱼ along one axis"""

    names: tuple[str, ...] = ("softmax",)
    text = "pᵢ = e^zᵢ/Σⱼ e^zⱼ"
    derivatives = by(input="∂L/∂zᵢ = pᵢ·(∂L/∂pᵢ − Σⱼ ∂L/∂pⱼ·pⱼ)")
    signature = takes(input=TENSOR, dim=None)

    def dim(self, arguments: Arguments) -> int:
        """The axis that shares out 1; where none is named, the one that PyTorch takes."""
        axes = arguments.tensor("input").dim()
        if not arguments.given("dim"):
            return 0 if axes in (0, 1, 3) else 1
        return arguments.dims("dim", axes)[0] if axes else 0

    def forward(self, arguments: Arguments) -> Tensor:
        return log_softmax(arguments.real("input"), self.dim(arguments)).exp()

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        p = self.forward(arguments)
        return {"input": p * (gradient - (gradient * p).sum(self.dim(arguments), keepdim=True))}

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        z, place = along(arguments.real("input"), self.dim(arguments), index)
        return equal(f"e^{bracketed(float(z[place]))}/({_exponentials(z)})", float(output[index]))

    def entry_of_gradient(
        self, which: int, index: Index, gradient: Tensor, arguments: Arguments, output: Tensor
    ) -> str:
        p, place = along(output.double(), self.dim(arguments), index)
        g, _ = along(gradient.double(), self.dim(arguments), index)
        mean, here = float((g * p).sum()), float(p[place])
        found = here * (float(g[place]) - mean)
        return equal(f"{number(here)}·({minus(float(g[place]), mean)})", found)


class LogSoftmax(Softmax):
    """log pᵢ = zᵢ − ln Σⱼ e^zⱼ along one axis"""

    names = ("log_softmax",)
    text = "log pᵢ = zᵢ − ln Σⱼ e^zⱼ"
    derivatives = by(input="∂L/∂zᵢ = ∂L/∂log pᵢ − pᵢ·Σⱼ ∂L/∂log pⱼ")

    def forward(self, arguments: Arguments) -> Tensor:
        return log_softmax(arguments.real("input"), self.dim(arguments))

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        p = self.forward(arguments).exp()
        return {"input": gradient - p * gradient.sum(self.dim(arguments), keepdim=True)}

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        z, place = along(arguments.real("input"), self.dim(arguments), index)
        return equal(f"{number(float(z[place]))} − ln({_exponentials(z)})", float(output[index]))

    def entry_of_gradient(
        self, which: int, index: Index, gradient: Tensor, arguments: Arguments, output: Tensor
    ) -> str:
        log_p, place = along(output.double(), self.dim(arguments), index)
        g, _ = along(gradient.double(), self.dim(arguments), index)
        total, p = float(g.sum()), float(log_p[place].exp())
        here = float(g[place])
        second = times(p, total)
        return equal(f"{number(here)} − {second}", here - p * total)


def along(tensor: Tensor, dim: int, index: Index) -> tuple[Tensor, int]:
    """The row along ``dim`` that an entry stands in, and its place in it."""
    if tensor.dim() == 0:
        return tensor.reshape(1), 0
    rest = tuple(each for axis, each in enumerate(index) if axis != dim)
    return tensor.movedim(dim, -1)[rest], index[dim]


def _exponentials(z: Tensor) -> str:
    def term(position: int) -> Term:
        return f"e^{bracketed(float(z[position]))}", float(z[position].exp())

    return joined(term, len(z), float(z.exp().sum()))


FORMULAS: tuple[Formula, ...] = (
    Softmax(),
    LogSoftmax(),
    Unary(
        ("relu",),
        "y = max(0, x)",
        "1 where x > 0, else 0",
        _relu,
        lambda x, y, _: (x > 0).double(),
        lambda x, _: f"max(0, {number(x)})",
        lambda x, y, _: f"·{int(x > 0)}",
        kinks=_kink_at_0,
    ),
    Unary(
        ("leaky_relu",),
        "y = x where x > 0, else slope·x",
        "1 where x > 0, else slope",
        _leaky_relu,
        lambda x, y, arguments: torch.where(x > 0, torch.ones_like(x), arguments.number("negative_slope")),
        lambda x, arguments: number(x) if x > 0 else times(arguments.number("negative_slope"), x),
        signature=takes(input=TENSOR, negative_slope=0.01),
        kinks=_kink_at_0,
    ),
    Unary(
        ("sigmoid",),
        "y = 1/(1 + e⁻ˣ)",
        "y·(1 − y)",
        lambda x, _: sigmoid(x),
        lambda x, y, _: sigmoid(x) * sigmoid(-x),
        lambda x, _: f"1/(1 + e^{bracketed(-x)})",
        lambda x, y, _: f"·{number(y)}·(1 − {number(y)})",
    ),
    Unary(
        ("tanh",),
        "y = tanh x",
        "(1 − y²)",
        lambda x, _: x.tanh(),
        lambda x, y, _: 4 * sigmoid(2 * x) * sigmoid(-2 * x),
        lambda x, _: f"tanh {bracketed(x)}",
        lambda x, y, _: f"·(1 − {bracketed(y)}²)",
    ),
    Unary(
        ("gelu",),
        "y = x·Φ(x), where Φ is the standard normal distribution function",
        "(Φ(x) + x·φ(x))",
        _gelu,
        _gelu_slope,
        lambda x, arguments: f"{number(x)}·Φ({number(x)})" if _is_exact(arguments) else "",
        signature=takes(input=TENSOR, approximate="none"),
    ),
    Unary(
        ("silu",),
        "y = x·σ(x), where σ is the sigmoid",
        "σ(x)·(1 + x·(1 − σ(x)))",
        lambda x, _: x * sigmoid(x),
        lambda x, y, _: sigmoid(x) * (1 + x * sigmoid(-x)),
        lambda x, _: f"{number(x)}·σ({number(x)})",
    ),
    Unary(
        ("elu",),
        "y = x where x > 0, else α·(eˣ − 1)",
        "1 where x > 0, else y + α",
        _elu,
        _elu_slope,
        lambda x, arguments: number(x) if x > 0 else f"{number(arguments.number('alpha'))}·(e^{bracketed(x)} − 1)",
        signature=takes(input=TENSOR, alpha=1.0),
        kinks=lambda arguments: [] if arguments.number("alpha") == 1 else [0.0],
    ),
    Unary(
        ("softplus",),
        "y = ln(1 + eᵝˣ)/β",
        "σ(β·x)",
        _softplus,
        _softplus_slope,
        signature=takes(input=TENSOR, beta=1.0, threshold=20.0),
    ),
    Unary(
        ("logsigmoid", "log_sigmoid"),
        "y = −ln(1 + e⁻ˣ)",
        "σ(−x)",
        lambda x, _: -softplus(-x),
        lambda x, y, _: sigmoid(-x),
    ),
    Unary(
        ("hardtanh", "relu6"),
        "y = min(max(x, least), most)",
        "1 where least < x < most, else 0",
        _hardtanh,
        _hardtanh_slope,
        signature=takes(input=TENSOR, min=-1.0, max=1.0),
        kinks=lambda arguments: list(_hardtanh_bounds(arguments)),
    ),
)
