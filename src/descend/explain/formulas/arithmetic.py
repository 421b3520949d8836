"""Addition, subtraction, multiplication, division, powers, and what is chosen entry by entry."""

import torch
from torch import Tensor

from descend.explain.formulas.arguments import EITHER, TENSOR, Arguments, takes
from descend.explain.formulas.elementwise import Binary, Unary, power_words
from descend.explain.formulas.formula import Formula, Gradients, by, sum_to
from descend.explain.formulas.words import bracketed, minus, number, plus, times


class Add(Binary):
    """y = a + α·b"""

    names: tuple[str, ...] = ("add", "iadd", "radd")
    text = "y = a + b"
    derivatives = by(input="∂L/∂a = ∂L/∂y", other="∂L/∂b = ∂L/∂y")
    signature = takes(input=EITHER, other=EITHER, alpha=1)
    sign = 1

    def value(self, a: Tensor, b: Tensor, arguments: Arguments) -> Tensor:
        return a + self.sign * arguments.number("alpha") * b

    def slopes(self, a: Tensor, b: Tensor, y: Tensor, arguments: Arguments) -> tuple[Tensor, Tensor]:
        return torch.ones_like(a), torch.full_like(b, self.sign * arguments.number("alpha"))

    def words(self, a: float, b: float, arguments: Arguments) -> str:
        alpha = arguments.number("alpha")
        if alpha != 1:
            return number(a) + plus(times(self.sign * alpha, b))
        return minus(a, b) if self.sign < 0 else number(a) + plus(number(b))

    def slope_words(self, which: int, g: float, a: float, b: float, arguments: Arguments) -> str:
        factor = 1 if which == 0 else self.sign * arguments.number("alpha")
        return number(g * factor) if abs(factor) == 1 else times(g, factor)


class Subtract(Add):
    """y = a − α·b"""

    names: tuple[str, ...] = ("sub", "isub", "subtract")
    text = "y = a − b"
    derivatives = by(input="∂L/∂a = ∂L/∂y", other="∂L/∂b = −∂L/∂y")
    sign = -1


class SubtractFrom(Subtract):
    """y = a − b, called on b: ``1 - x``"""

    names = ("rsub",)
    inputs = ("other", "input")
    derivatives = by(other="∂L/∂a = ∂L/∂y", input="∂L/∂b = −∂L/∂y")


class Multiply(Binary):
    """y = a·b"""

    names = ("mul", "imul", "rmul", "multiply")
    text = "y = a·b"
    derivatives = by(input="∂L/∂a = ∂L/∂y·b", other="∂L/∂b = ∂L/∂y·a")

    def value(self, a: Tensor, b: Tensor, arguments: Arguments) -> Tensor:
        return a * b

    def slopes(self, a: Tensor, b: Tensor, y: Tensor, arguments: Arguments) -> tuple[Tensor, Tensor]:
        return b, a

    def words(self, a: float, b: float, arguments: Arguments) -> str:
        return f"{number(a)}·{bracketed(b)}"


class Divide(Binary):
    """y = a/b"""

    names: tuple[str, ...] = ("div", "truediv", "itruediv", "idiv", "divide", "true_divide")
    text = "y = a/b"
    derivatives = by(input="∂L/∂a = ∂L/∂y/b", other="∂L/∂b = −∂L/∂y·a/b²")
    signature = takes(input=EITHER, other=EITHER, rounding_mode=None)

    def value(self, a: Tensor, b: Tensor, arguments: Arguments) -> Tensor:
        if arguments.given("rounding_mode"):
            raise arguments.not_covered("rounding_mode")
        return a / b

    def slopes(self, a: Tensor, b: Tensor, y: Tensor, arguments: Arguments) -> tuple[Tensor, Tensor]:
        if arguments.given("rounding_mode"):
            raise arguments.not_covered("rounding_mode")
        return 1 / b, -a / b**2

    def words(self, a: float, b: float, arguments: Arguments) -> str:
        return f"{number(a)}/{bracketed(b)}"

    def slope_words(self, which: int, g: float, a: float, b: float, arguments: Arguments) -> str:
        return f"{number(g)}/{bracketed(b)}" if which == 0 else f"{times(-g, a)}/{power_words(bracketed(b), 2)}"


class DivideInto(Divide):
    """y = a/b, called on b: ``1 / x``"""

    names = ("rdiv", "rtruediv")
    inputs = ("other", "input")
    derivatives = by(other="∂L/∂a = ∂L/∂y/b", input="∂L/∂b = −∂L/∂y·a/b²")


class Power(Binary):
    """y = aᵇ"""

    names: tuple[str, ...] = ("pow", "ipow", "float_power")
    text = "y = aᵇ"
    derivatives = by(input="∂L/∂a = ∂L/∂y·b·aᵇ⁻¹", exponent="∂L/∂b = ∂L/∂y·aᵇ·ln a")
    signature = takes(input=EITHER, exponent=EITHER)
    inputs = ("input", "exponent")

    def value(self, a: Tensor, b: Tensor, arguments: Arguments) -> Tensor:
        return a**b

    def slopes(self, a: Tensor, b: Tensor, y: Tensor, arguments: Arguments) -> tuple[Tensor, Tensor]:
        by_base = torch.where(b == 0, 0.0, b * a ** (b - 1))
        # aᵇ is 0 wherever a is 0 and b is not negative; there it stays 0 while b changes.
        by_exponent = torch.where((a == 0) & (b >= 0), 0.0, y * a.log())
        return by_base, by_exponent

    def words(self, a: float, b: float, arguments: Arguments) -> str:
        return power_words(bracketed(a), b)

    def slope_words(self, which: int, g: float, a: float, b: float, arguments: Arguments) -> str:
        if which == 1:
            return f"{number(g)}·{power_words(bracketed(a), b)}·ln {number(a)}"
        factors = f"{number(g)}·{bracketed(b)}"
        return factors if b == 1 else f"{factors}·{bracketed(a) if b == 2 else power_words(bracketed(a), b - 1)}"


class PowerOf(Power):
    """y = aᵇ, called on b: ``2 ** x``"""

    names = ("rpow",)
    signature = takes(input=EITHER, other=EITHER)
    inputs = ("other", "input")
    derivatives = by(other="∂L/∂a = ∂L/∂y·b·aᵇ⁻¹", input="∂L/∂b = ∂L/∂y·aᵇ·ln a")


class Maximum(Binary):
    """y = the larger of a and b; where they are equal each gets half of the gradient"""

    names: tuple[str, ...] = ("maximum", "fmax")
    text = "y = max(a, b)"
    derivatives = by(
        input="∂L/∂a = ∂L/∂y where a > b, half of it where a = b, else 0",
        other="∂L/∂b = ∂L/∂y where b > a, half of it where a = b, else 0",
    )
    sign = 1

    def value(self, a: Tensor, b: Tensor, arguments: Arguments) -> Tensor:
        return torch.where(self.sign * (a - b) >= 0, a, b)

    def slopes(self, a: Tensor, b: Tensor, y: Tensor, arguments: Arguments) -> tuple[Tensor, Tensor]:
        first = (torch.sign(self.sign * (a - b)) + 1) / 2  # 1, ½ or 0
        return first, 1 - first

    def words(self, a: float, b: float, arguments: Arguments) -> str:
        return f"{'max' if self.sign > 0 else 'min'}({number(a)}, {number(b)})"

    def margin(self, arguments: Arguments) -> float | None:
        a, b = self._pair(arguments)
        return float((a - b).abs().min()) if a.numel() else None


class Minimum(Maximum):
    """y = the smaller of a and b; where they are equal each gets half of the gradient"""

    names = ("minimum", "fmin")
    text = "y = min(a, b)"
    derivatives = by(
        input="∂L/∂a = ∂L/∂y where a < b, half of it where a = b, else 0",
        other="∂L/∂b = ∂L/∂y where b < a, half of it where a = b, else 0",
    )
    sign = -1


class Where(Formula):
    """y = a where the condition holds, else b"""

    names = ("where",)
    text = "y = a where the condition holds, else b"
    derivatives = by(
        input="∂L/∂a = ∂L/∂y where the condition holds, else 0",
        other="∂L/∂b = 0 where the condition holds, else ∂L/∂y",
    )
    signature = takes(condition=TENSOR, input=EITHER, other=EITHER)

    def forward(self, arguments: Arguments) -> Tensor:
        return torch.where(arguments.tensor("condition").bool(), arguments.real("input"), arguments.real("other"))

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        chosen = arguments.tensor("condition").double()
        return {
            "input": sum_to(gradient * chosen, arguments.real("input").shape),
            "other": sum_to(gradient * (1 - chosen), arguments.real("other").shape),
        }


class MaskedFill(Formula):
    """y = a number where the mask holds, else x"""

    names = ("masked_fill",)
    text = "y = value where the mask holds, else x"
    derivatives = by(
        input="∂L/∂x = 0 where the mask holds, else ∂L/∂y",
        value="∂L/∂value = Σ ∂L/∂y where the mask holds",
    )
    signature = takes(input=TENSOR, mask=TENSOR, value=EITHER)

    def forward(self, arguments: Arguments) -> Tensor:
        return torch.where(arguments.tensor("mask").bool(), arguments.real("value"), arguments.real("input"))

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        masked = arguments.tensor("mask").double()
        return {
            "input": sum_to(gradient * (1 - masked), arguments.real("input").shape),
            "value": (gradient * masked).sum(),
        }


class Clamp(Formula):
    """y = x, but at least min and at most max"""

    names = ("clamp", "clip", "clamp_min", "clamp_max")
    text = "y = min(max(x, least), most)"
    derivatives = by(input="∂L/∂x = ∂L/∂y where least ≤ x ≤ most, else 0")
    signature = takes(input=TENSOR, min=None, max=None)

    def bounds(self, arguments: Arguments) -> tuple[float, float]:
        """The least and the most; infinite where there is none."""
        names = ("max", "min") if arguments.operation.strip("_") == "clamp_max" else ("min", "max")
        for name in names:
            if arguments.is_tensor(name):
                raise arguments.not_covered(name)
        least, most = (arguments.number(name) if arguments.given(name) else None for name in names)
        return -torch.inf if least is None else least, torch.inf if most is None else most

    def forward(self, arguments: Arguments) -> Tensor:
        least, most = self.bounds(arguments)
        x = arguments.real("input")
        return (
            torch.where(x > most, most, torch.where(x < least, least, x)) if least <= most else torch.full_like(x, most)
        )

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        least, most = self.bounds(arguments)
        x = arguments.real("input")
        return {"input": gradient * ((x >= least) & (x <= most))}

    def entry(self, index: tuple[int, ...], arguments: Arguments, output: Tensor) -> str:
        least, most = self.bounds(arguments)
        text = number(float(arguments.real("input")[index]))
        text = text if least == -torch.inf else f"max({text}, {number(least)})"
        text = text if most == torch.inf else f"min({text}, {number(most)})"
        return f"{text} = {number(float(output[index]))}"

    def margin(self, arguments: Arguments) -> float | None:
        x = arguments.real("input")
        return min(float((x - bound).abs().min()) for bound in self.bounds(arguments)) if x.numel() else None


def _negated(x: Tensor, _: Arguments) -> Tensor:
    return -x


UNARY = (
    Unary(
        ("neg", "negative"),
        "y = −x",
        "(−1)",
        _negated,
        lambda x, y, _: -torch.ones_like(x),
        lambda x, _: f"−{bracketed(x)}",
    ),
    Unary(
        ("abs", "absolute"),
        "y = |x|",
        "sign x",
        lambda x, _: x.abs(),
        lambda x, y, _: x.sign(),
        lambda x, _: f"|{number(x)}|",
        kinks=lambda _: [0.0],
    ),
    Unary(
        ("square",),
        "y = x²",
        "2·x",
        lambda x, _: x * x,
        lambda x, y, _: 2 * x,
        lambda x, _: power_words(bracketed(x), 2),
        lambda x, y, _: f"·2·{bracketed(x)}",
    ),
    Unary(
        ("sqrt",),
        "y = √x",
        "1/(2·√x)",
        lambda x, _: x.sqrt(),
        lambda x, y, _: 1 / (2 * y),
        lambda x, _: f"√{bracketed(x)}",
        lambda x, y, _: f"/(2·{number(y)})",
    ),
    Unary(
        ("rsqrt",),
        "y = 1/√x",
        "(−y³/2)",
        lambda x, _: 1 / x.sqrt(),
        lambda x, y, _: -(y**3) / 2,
        lambda x, _: f"1/√{bracketed(x)}",
    ),
    Unary(
        ("reciprocal",),
        "y = 1/x",
        "(−1/x²)",
        lambda x, _: 1 / x,
        lambda x, y, _: -1 / x**2,
        lambda x, _: f"1/{bracketed(x)}",
        lambda x, y, _: f"·(−1/{power_words(bracketed(x), 2)})",
    ),
    Unary(
        ("exp",),
        "y = eˣ",
        "eˣ",
        lambda x, _: x.exp(),
        lambda x, y, _: x.exp(),
        lambda x, _: f"e^{bracketed(x)}",
        lambda x, y, _: f"·{number(y)}",
    ),
    Unary(
        ("expm1",),
        "y = eˣ − 1",
        "eˣ",
        lambda x, _: x.expm1(),
        lambda x, y, _: x.exp(),
        lambda x, _: f"e^{bracketed(x)} − 1",
    ),
    Unary(
        ("log",),
        "y = ln x",
        "1/x",
        lambda x, _: x.log(),
        lambda x, y, _: 1 / x,
        lambda x, _: f"ln {number(x)}",
        lambda x, y, _: f"/{bracketed(x)}",
    ),
    Unary(("log1p",), "y = ln(1 + x)", "1/(1 + x)", lambda x, _: x.log1p(), lambda x, y, _: 1 / (1 + x)),
    Unary(("log2",), "y = log₂ x", "1/(x·ln 2)", lambda x, _: x.log2(), lambda x, y, _: 1 / (x * 0.6931471805599453)),
    Unary(
        ("log10",), "y = log₁₀ x", "1/(x·ln 10)", lambda x, _: x.log10(), lambda x, y, _: 1 / (x * 2.302585092994046)
    ),
    Unary(
        ("sin",),
        "y = sin x",
        "cos x",
        lambda x, _: x.sin(),
        lambda x, y, _: x.cos(),
        lambda x, _: f"sin {bracketed(x)}",
    ),
    Unary(
        ("cos",),
        "y = cos x",
        "(−sin x)",
        lambda x, _: x.cos(),
        lambda x, y, _: -x.sin(),
        lambda x, _: f"cos {bracketed(x)}",
    ),
)

FORMULAS: tuple[Formula, ...] = (
    Add(),
    Subtract(),
    SubtractFrom(),
    Multiply(),
    Divide(),
    DivideInto(),
    Power(),
    PowerOf(),
    Maximum(),
    Minimum(),
    Where(),
    MaskedFill(),
    Clamp(),
    *UNARY,
)
