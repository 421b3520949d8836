"""Batch, layer and group normalisation: less the mean, divided by the deviation, times a weight, plus a bias."""

import math

from torch import Tensor

from descend.explain.formulas.arguments import NUMBER, OPTIONAL, TENSOR, Arguments, takes
from descend.explain.formulas.formula import Formula, Gradients, Index, by
from descend.explain.formulas.words import bracketed, equal, minus, number, plus

_DERIVATIVES = by(
    input="∂L/∂x = (h − mean(h) − x̂·mean(h·x̂))/√(σ² + ε), where h = ∂L/∂y·γ",
    weight="∂L/∂γ = Σ ∂L/∂y·x̂",
    bias="∂L/∂β = Σ ∂L/∂y",
)


class Normalisation(Formula):
    """y = γ·x̂ + β, where x̂ = (x − μ)/√(σ² + ε)"""

    text = "y = γ·x̂ + β, x̂ = (x − μ)/√(σ² + ε)"
    derivatives = _DERIVATIVES

    def groups(self, arguments: Arguments) -> Tensor:
        """The input as (groups, n): μ and σ² are those of a group."""
        raise NotImplementedError

    def ungrouped(self, groups: Tensor, arguments: Arguments) -> Tensor:
        """What :meth:`groups` did, undone."""
        return groups.reshape(arguments.tensor("input").shape)

    def grouped(self, tensor: Tensor, arguments: Arguments) -> Tensor:
        """A tensor of the input's shape in groups."""
        return tensor.reshape(self.groups(arguments).shape)

    def spread(self, parameter: Tensor, arguments: Arguments) -> Tensor:
        """γ or β in a shape that broadcasts over the input."""
        raise NotImplementedError

    def moments(self, arguments: Arguments) -> tuple[Tensor, Tensor]:
        """μ and √(σ² + ε) of each group, (groups, 1)."""
        x = self.groups(arguments)
        mean = x.mean(1, keepdim=True)
        return mean, (((x - mean) ** 2).mean(1, keepdim=True) + arguments.number("eps")).sqrt()

    def normalised(self, arguments: Arguments) -> Tensor:
        """x̂ (groups, n)."""
        mean, deviation = self.moments(arguments)
        return (self.groups(arguments) - mean) / deviation

    def forward(self, arguments: Arguments) -> Tensor:
        y = self.ungrouped(self.normalised(arguments), arguments)
        weight, bias = arguments.optional("weight"), arguments.optional("bias")
        y = y if weight is None else y * self.spread(weight, arguments)
        return y if bias is None else y + self.spread(bias, arguments)

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        x_hat = self.normalised(arguments)
        weight, bias = arguments.optional("weight"), arguments.optional("bias")
        h = self.grouped(gradient if weight is None else gradient * self.spread(weight, arguments), arguments)
        found = {"input": self.ungrouped(self.by_input(h, x_hat, arguments), arguments)}
        if weight is not None:
            found["weight"] = self.gathered(gradient * self.ungrouped(x_hat, arguments), weight, arguments)
        if bias is not None:
            found["bias"] = self.gathered(gradient, bias, arguments)
        return found

    def by_input(self, h: Tensor, x_hat: Tensor, arguments: Arguments) -> Tensor:
        """∂L/∂x (groups, n) from h = ∂L/∂x̂: the mean and the deviation move with x."""
        inside = h - h.mean(1, keepdim=True) - x_hat * (h * x_hat).mean(1, keepdim=True)
        return inside / self.moments(arguments)[1]

    def gathered(self, gradient: Tensor, parameter: Tensor, arguments: Arguments) -> Tensor:
        """The sum over everything that one number of γ or β was used for."""
        spread = self.spread(parameter, arguments)
        padded = spread.reshape((1,) * (gradient.dim() - spread.dim()) + tuple(spread.shape))
        axes = [axis for axis, size in enumerate(padded.shape) if size == 1]
        return (gradient.sum(axes) if axes else gradient).reshape(parameter.shape)

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        x = arguments.real("input")
        mean, deviation = (
            self.ungrouped(each.expand_as(self.groups(arguments)), arguments) for each in self.moments(arguments)
        )
        text = f"({minus(float(x[index]), float(mean[index]))})/{number(float(deviation[index]))}"
        for name in ("weight", "bias"):
            parameter = arguments.optional(name)
            if parameter is not None:
                value = float(self.spread(parameter, arguments).expand(x.shape)[index])
                text += f"·{bracketed(value)}" if name == "weight" else plus(number(value))
        return equal(text, float(output[index]))


class LayerNorm(Normalisation):
    """Over the last axes of each row"""

    names = ("layer_norm",)
    signature = takes(
        input=TENSOR,
        normalized_shape=NUMBER,
        weight=OPTIONAL,
        bias=OPTIONAL,
        eps=1e-5,
    )

    def groups(self, arguments: Arguments) -> Tensor:
        return arguments.real("input").reshape(-1, math.prod(arguments.whole_numbers("normalized_shape")))

    def spread(self, parameter: Tensor, arguments: Arguments) -> Tensor:
        return parameter


class GroupNorm(Normalisation):
    """Over groups of channels of each row"""

    names = ("group_norm",)
    signature = takes(input=TENSOR, num_groups=NUMBER, weight=OPTIONAL, bias=OPTIONAL, eps=1e-5)

    def groups(self, arguments: Arguments) -> Tensor:
        x = arguments.real("input")
        return x.reshape(len(x) * arguments.whole("num_groups"), -1)

    def spread(self, parameter: Tensor, arguments: Arguments) -> Tensor:
        return parameter.reshape(-1, *(1,) * (arguments.tensor("input").dim() - 2))


class BatchNorm(Normalisation):
    """Over all rows of a batch, for each channel; in evaluation mode with the running mean and variance instead"""

    names = ("batch_norm",)
    derivatives = by(
        input=f"{_DERIVATIVES['input']} (in evaluation mode h/√(σ² + ε): the running mean and variance stay)",
        weight=_DERIVATIVES["weight"],
        bias=_DERIVATIVES["bias"],
    )
    signature = takes(
        input=TENSOR,
        running_mean=OPTIONAL,
        running_var=OPTIONAL,
        weight=OPTIONAL,
        bias=OPTIONAL,
        training=False,
        momentum=0.1,
        eps=1e-5,
    )

    def groups(self, arguments: Arguments) -> Tensor:
        return self.grouped(arguments.real("input"), arguments)

    def grouped(self, tensor: Tensor, arguments: Arguments) -> Tensor:
        return tensor.transpose(0, 1).reshape(tensor.shape[1], -1)  # (channels, rows and places)

    def ungrouped(self, groups: Tensor, arguments: Arguments) -> Tensor:
        rows, channels, *places = arguments.tensor("input").shape
        return groups.reshape(channels, rows, *places).transpose(0, 1)

    def spread(self, parameter: Tensor, arguments: Arguments) -> Tensor:
        return parameter.reshape(-1, *(1,) * (arguments.tensor("input").dim() - 2))

    def moments(self, arguments: Arguments) -> tuple[Tensor, Tensor]:
        if arguments.flag("training"):
            return super().moments(arguments)
        mean, variance = arguments.real("running_mean"), arguments.real("running_var")
        return mean[:, None], (variance[:, None] + arguments.number("eps")).sqrt()

    def by_input(self, h: Tensor, x_hat: Tensor, arguments: Arguments) -> Tensor:
        if arguments.flag("training"):
            return super().by_input(h, x_hat, arguments)
        return h / self.moments(arguments)[1]


class RootMeanSquareNorm(Formula):
    """y = γ·x/√(mean x² + ε) over the last axes"""

    names = ("rms_norm",)
    text = "y = γ·x̂, x̂ = x/√(mean(x²) + ε)"
    derivatives = by(
        input="∂L/∂x = (h − x̂·mean(h·x̂))/√(mean(x²) + ε), where h = ∂L/∂y·γ",
        weight="∂L/∂γ = Σ ∂L/∂y·x̂",
    )
    signature = takes(input=TENSOR, normalized_shape=NUMBER, weight=OPTIONAL, eps=None)

    def normalised(self, arguments: Arguments) -> tuple[Tensor, Tensor]:
        """x̂ and what x was divided by, (groups, n) and (groups, 1)."""
        if not arguments.given("eps"):
            raise arguments.not_covered("eps")  # PyTorch takes that of the run's own dtype
        x = arguments.real("input").reshape(-1, math.prod(arguments.whole_numbers("normalized_shape")))
        root = ((x * x).mean(1, keepdim=True) + arguments.number("eps")).sqrt()
        return x / root, root

    def forward(self, arguments: Arguments) -> Tensor:
        y = self.normalised(arguments)[0].reshape(arguments.tensor("input").shape)
        weight = arguments.optional("weight")
        return y if weight is None else y * weight

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        x_hat, root = self.normalised(arguments)
        weight = arguments.optional("weight")
        h = (gradient if weight is None else gradient * weight).reshape(x_hat.shape)
        by_input = (h - x_hat * (h * x_hat).mean(1, keepdim=True)) / root
        found = {"input": by_input.reshape(arguments.tensor("input").shape)}
        if weight is not None:
            found["weight"] = (gradient.reshape(x_hat.shape) * x_hat).sum(0).reshape(weight.shape)
        return found


FORMULAS: tuple[Formula, ...] = (LayerNorm(), GroupNorm(), BatchNorm(), RootMeanSquareNorm())
