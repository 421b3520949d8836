"""Losses of each entry against its target, and their mean: squared and absolute errors, Huber, binary cross-entropy, divergence."""

from collections.abc import Mapping

import torch
from torch import Tensor

from descend.explain.formulas.activations import sigmoid, softplus
from descend.explain.formulas.arguments import OPTIONAL, TENSOR, Arguments, Signature, takes
from descend.explain.formulas.elementwise import uses_of
from descend.explain.formulas.formula import Formula, Gradients, Index, broadcast, by, sum_to
from descend.explain.formulas.words import Term, bracketed, equal, joined, minus, number, scaled

_OLD: Signature = takes(size_average=None, reduce=None)  # what came before ``reduction``


class Loss(Formula):
    """A loss of each entry, and then ``reduction``: their mean, their sum, or all of them."""

    def terms(self, arguments: Arguments) -> Tensor:
        """The loss of each entry by itself, before the mean or the sum is taken."""
        raise NotImplementedError

    def divisor(self, arguments: Arguments) -> float:
        """What the sum of all terms is divided by."""
        self.refuse_old(arguments)
        match arguments.word("reduction"):
            case "mean":
                return float(self.terms(arguments).numel())
            case "sum" | "none":
                return 1.0
            case _:
                raise arguments.not_covered("reduction")

    def forward(self, arguments: Arguments) -> Tensor:
        divisor, terms = self.divisor(arguments), self.terms(arguments)
        return terms if arguments.word("reduction") == "none" else terms.sum() / divisor

    def refuse_old(self, arguments: Arguments) -> None:
        """Settings of old versions of PyTorch mean something else than ``reduction`` says."""
        for name in _OLD:
            if arguments.given(name):
                raise arguments.not_covered(name)

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        terms = self.terms(arguments)
        if arguments.word("reduction") == "none":
            return equal(self.term_words(index, arguments), float(output[index]))
        flat, divisor = terms.flatten(), self.divisor(arguments)

        def term(position: int) -> Term:
            place = tuple(int(each) for each in torch.unravel_index(torch.tensor(position), terms.shape))
            return self.term_words(place, arguments), float(flat[position])

        text = joined(term, len(flat), float(flat.sum()))
        return equal(text if divisor == 1 else f"({text})/{number(divisor)}", float(output))

    def term_words(self, place: Index, arguments: Arguments) -> str:
        """One term with its numbers put in."""
        raise NotImplementedError


class EntryLoss(Loss):
    """A loss of ŷ and y, entry by entry, with broadcasting."""

    signature = takes(input=TENSOR, target=TENSOR, **_OLD, reduction="mean", weight=OPTIONAL)

    def term(self, y_hat: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
        """The loss of each entry."""
        raise NotImplementedError

    def slopes(self, y_hat: Tensor, y: Tensor, arguments: Arguments) -> Mapping[str, Tensor]:
        """The derivative of each term by ŷ (``input``) and by y (``target``)."""
        raise NotImplementedError

    def words(self, y_hat: float, y: float, arguments: Arguments) -> str:
        """One term with numbers put in."""
        return ""

    def slope_words(self, y_hat: float, y: float, arguments: Arguments) -> str:
        """The derivative of one term by ŷ with numbers put in."""
        return ""

    def pair(self, arguments: Arguments) -> tuple[Tensor, Tensor]:
        """ŷ and y in one shape."""
        return broadcast(arguments.real("input"), arguments.real("target"))

    def factor(self, arguments: Arguments) -> Tensor | None:
        """What each term is multiplied by."""
        if arguments.given("weight"):
            raise arguments.not_covered("weight")
        return None

    def terms(self, arguments: Arguments) -> Tensor:
        self.refuse_old(arguments)
        factor, terms = self.factor(arguments), self.term(*self.pair(arguments), arguments)
        return terms if factor is None else terms * factor

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        upstream = gradient / self.divisor(arguments)
        factor = self.factor(arguments)
        upstream = upstream if factor is None else upstream * factor
        slopes = self.slopes(*self.pair(arguments), arguments)
        return {name: sum_to(upstream * slope, arguments.tensor(name).shape) for name, slope in slopes.items()}

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        return super().entry(index, arguments, output) if self.has_words(arguments) else ""

    def has_words(self, arguments: Arguments) -> bool:
        """Whether entries can be written with their numbers: every term counts alike."""
        return bool(self.words(0.5, 0.5, arguments)) and self.factor(arguments) is None

    def term_words(self, place: Index, arguments: Arguments) -> str:
        y_hat, y = self.pair(arguments)
        return self.words(float(y_hat[place]), float(y[place]), arguments)

    def entry_of_gradient(
        self, which: int, index: Index, gradient: Tensor, arguments: Arguments, output: Tensor
    ) -> str:
        name = arguments.order[which]
        y_hat, y = self.pair(arguments)
        if name != "input" or not self.has_words(arguments) or not self.slope_words(0.5, 0.5, arguments):
            return ""
        slope, divisor = self.slopes(y_hat, y, arguments)[name], self.divisor(arguments)
        upstream = gradient.double().expand(y_hat.shape)
        uses = uses_of(index, arguments.tensor(name).shape, y_hat.shape)

        def term(position: int) -> Term:
            place = tuple(uses[position].tolist())
            g = float(upstream[place])
            text = scaled(g, self.slope_words(float(y_hat[place]), float(y[place]), arguments))
            return text if divisor == 1 else f"{text}/{number(divisor)}", g * float(slope[place]) / divisor

        total = float(sum_to(upstream * slope / divisor, arguments.tensor(name).shape)[index])
        return equal(joined(term, len(uses), total), total)


class SquaredError(EntryLoss):
    """L = mean (ŷ − y)²"""

    names = ("mse_loss",)
    text = "L = mean((ŷ − y)²)"
    derivatives = by(
        input="∂L/∂ŷᵢ = 2·(ŷᵢ − yᵢ)/n",
        target="∂L/∂yᵢ = −2·(ŷᵢ − yᵢ)/n",
    )

    def term(self, y_hat: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
        return (y_hat - y) ** 2

    def slopes(self, y_hat: Tensor, y: Tensor, arguments: Arguments) -> Mapping[str, Tensor]:
        return {"input": 2 * (y_hat - y), "target": -2 * (y_hat - y)}

    def words(self, y_hat: float, y: float, arguments: Arguments) -> str:
        return f"({minus(y_hat, y)})²"

    def slope_words(self, y_hat: float, y: float, arguments: Arguments) -> str:
        return f"2·({minus(y_hat, y)})"


class AbsoluteError(EntryLoss):
    """L = mean |ŷ − y|"""

    names = ("l1_loss",)
    text = "L = mean(|ŷ − y|)"
    derivatives = by(
        input="∂L/∂ŷᵢ = sign(ŷᵢ − yᵢ)/n",
        target="∂L/∂yᵢ = −sign(ŷᵢ − yᵢ)/n",
    )

    def term(self, y_hat: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
        return (y_hat - y).abs()

    def slopes(self, y_hat: Tensor, y: Tensor, arguments: Arguments) -> Mapping[str, Tensor]:
        return {"input": (y_hat - y).sign(), "target": (y - y_hat).sign()}

    def words(self, y_hat: float, y: float, arguments: Arguments) -> str:
        return f"|{minus(y_hat, y)}|"

    def slope_words(self, y_hat: float, y: float, arguments: Arguments) -> str:
        return f"sign({minus(y_hat, y)})"

    def margin(self, arguments: Arguments) -> float | None:
        y_hat, y = self.pair(arguments)
        return float((y_hat - y).abs().min()) if y.numel() else None


class Huber(EntryLoss):
    """L = mean of e²/2 where |e| ≤ δ, else δ·(|e| − δ/2), for e = ŷ − y"""

    names = ("huber_loss",)
    text = "L = mean(e²/2 where |e| ≤ δ, else δ·(|e| − δ/2)), e = ŷ − y"
    derivatives = by(
        input="∂L/∂ŷᵢ = min(max(eᵢ, −δ), δ)/n",
        target="∂L/∂yᵢ = −min(max(eᵢ, −δ), δ)/n",
    )
    signature = takes(input=TENSOR, target=TENSOR, reduction="mean", delta=1.0, weight=OPTIONAL)

    def refuse_old(self, arguments: Arguments) -> None:
        """It came after the old settings."""

    def term(self, y_hat: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
        size, delta = (y_hat - y).abs(), arguments.number("delta")
        return torch.where(size <= delta, size**2 / 2, delta * (size - delta / 2))

    def slopes(self, y_hat: Tensor, y: Tensor, arguments: Arguments) -> Mapping[str, Tensor]:
        delta = arguments.number("delta")
        slope = (y_hat - y).clamp(-delta, delta)
        return {"input": slope, "target": -slope}

    def words(self, y_hat: float, y: float, arguments: Arguments) -> str:
        error, delta = y_hat - y, arguments.number("delta")
        if abs(error) <= delta:
            return f"({minus(y_hat, y)})²/2"
        return scaled(delta, f"(|{minus(y_hat, y)}| − {number(delta / 2)})")

    def slope_words(self, y_hat: float, y: float, arguments: Arguments) -> str:
        error, delta = y_hat - y, arguments.number("delta")
        return f"({minus(y_hat, y)})" if abs(error) <= delta else bracketed(delta if error > 0 else -delta)


class SmoothAbsoluteError(EntryLoss):
    """L = mean of e²/(2·β) where |e| < β, else |e| − β/2, for e = ŷ − y"""

    names = ("smooth_l1_loss",)
    text = "L = mean(e²/(2·β) where |e| < β, else |e| − β/2), e = ŷ − y"
    derivatives = by(
        input="∂L/∂ŷᵢ = min(max(eᵢ/β, −1), 1)/n",
        target="∂L/∂yᵢ = −min(max(eᵢ/β, −1), 1)/n",
    )
    signature = takes(input=TENSOR, target=TENSOR, **_OLD, reduction="mean", beta=1.0)

    def factor(self, arguments: Arguments) -> Tensor | None:
        return None

    def term(self, y_hat: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
        size, beta = (y_hat - y).abs(), arguments.number("beta")
        return torch.where(size < beta, size**2 / (2 * beta), size - beta / 2) if beta else size

    def slopes(self, y_hat: Tensor, y: Tensor, arguments: Arguments) -> Mapping[str, Tensor]:
        error, beta = y_hat - y, arguments.number("beta")
        slope = torch.where(error.abs() < beta, error / beta, error.sign()) if beta else error.sign()
        return {"input": slope, "target": -slope}


class BinaryCrossEntropy(EntryLoss):
    """L = mean of −(y·ln p + (1 − y)·ln(1 − p)); PyTorch takes a logarithm below −100 for −100"""

    names = ("binary_cross_entropy",)
    text = "L = mean(−(y·ln p + (1 − y)·ln(1 − p)))"
    derivatives = by(
        input="∂L/∂pᵢ = (pᵢ − yᵢ)/(pᵢ·(1 − pᵢ))/n",
        target="∂L/∂yᵢ = (ln(1 − pᵢ) − ln pᵢ)/n",
    )
    signature = takes(input=TENSOR, target=TENSOR, weight=OPTIONAL, **_OLD, reduction="mean")

    def factor(self, arguments: Arguments) -> Tensor | None:
        return arguments.optional("weight")

    def term(self, y_hat: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
        return -(y * y_hat.log().clamp(min=-100) + (1 - y) * (-y_hat).log1p().clamp(min=-100))

    def slopes(self, y_hat: Tensor, y: Tensor, arguments: Arguments) -> Mapping[str, Tensor]:
        by_target = (-y_hat).log1p().clamp(min=-100) - y_hat.log().clamp(min=-100)
        return {"input": (y_hat - y) / (y_hat * (1 - y_hat)).clamp(min=1e-12), "target": by_target}

    def words(self, y_hat: float, y: float, arguments: Arguments) -> str:
        if y in (0, 1):
            return f"−ln {number(y_hat)}" if y else f"−ln(1 − {number(y_hat)})"
        return f"−({number(y)}·ln {number(y_hat)} + (1 − {number(y)})·ln(1 − {number(y_hat)}))"

    def slope_words(self, y_hat: float, y: float, arguments: Arguments) -> str:
        return f"({minus(y_hat, y)})/({number(y_hat)}·(1 − {number(y_hat)}))"


class BinaryCrossEntropyWithLogits(EntryLoss):
    """L = mean of −(w·y·ln σ(z) + (1 − y)·ln(1 − σ(z))), with w = ``pos_weight`` or 1"""

    names = ("binary_cross_entropy_with_logits",)
    text = "L = mean(−(y·ln σ(z) + (1 − y)·ln(1 − σ(z))))"
    derivatives = by(input="∂L/∂zᵢ = (σ(zᵢ) − yᵢ)/n", target="∂L/∂yᵢ = −zᵢ/n")
    signature = takes(
        input=TENSOR,
        target=TENSOR,
        weight=OPTIONAL,
        **_OLD,
        reduction="mean",
        pos_weight=OPTIONAL,
    )

    def factor(self, arguments: Arguments) -> Tensor | None:
        return arguments.optional("weight")

    def term(self, y_hat: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
        positive = arguments.optional("pos_weight")
        wanted = y if positive is None else positive * y
        return wanted * softplus(-y_hat) + (1 - y) * softplus(y_hat)

    def slopes(self, y_hat: Tensor, y: Tensor, arguments: Arguments) -> Mapping[str, Tensor]:
        positive = arguments.optional("pos_weight")
        if positive is None:
            return {"input": sigmoid(y_hat) - y, "target": -y_hat}
        by_input = (1 - y) * sigmoid(y_hat) - positive * y * sigmoid(-y_hat)
        return {"input": by_input, "target": positive * softplus(-y_hat) - softplus(y_hat)}

    def words(self, y_hat: float, y: float, arguments: Arguments) -> str:
        if arguments.given("pos_weight"):
            return ""
        if y in (0, 1):
            return f"−ln σ({number(y_hat)})" if y else f"−ln(1 − σ({number(y_hat)}))"
        return f"−({number(y)}·ln σ({number(y_hat)}) + (1 − {number(y)})·ln(1 − σ({number(y_hat)})))"

    def slope_words(self, y_hat: float, y: float, arguments: Arguments) -> str:
        return f"({minus(float(sigmoid(torch.tensor(y_hat, dtype=torch.float64))), y)})"


class Divergence(EntryLoss):
    """L = mean of y·(ln y − x): how far the distribution y is from the one whose logarithm is x"""

    names = ("kl_div",)
    text = "L = mean(y·(ln y − x))"
    derivatives = by(input="∂L/∂xᵢ = −yᵢ/n", target="∂L/∂yᵢ = (ln yᵢ + 1 − xᵢ)/n")
    signature = takes(input=TENSOR, target=TENSOR, **_OLD, reduction="mean", log_target=False)

    def factor(self, arguments: Arguments) -> Tensor | None:
        return None

    def divisor(self, arguments: Arguments) -> float:
        if arguments.word("reduction") == "batchmean":
            return float(len(arguments.tensor("input")))
        return super().divisor(arguments)

    def term(self, y_hat: Tensor, y: Tensor, arguments: Arguments) -> Tensor:
        return y.exp() * (y - y_hat) if arguments.flag("log_target") else torch.xlogy(y, y) - y * y_hat

    def slopes(self, y_hat: Tensor, y: Tensor, arguments: Arguments) -> Mapping[str, Tensor]:
        if arguments.flag("log_target"):
            return {"input": -y.exp(), "target": y.exp() * (y - y_hat + 1)}
        return {"input": -y, "target": y.log() + 1 - y_hat}


FORMULAS: tuple[Formula, ...] = (
    SquaredError(),
    AbsoluteError(),
    Huber(),
    SmoothAbsoluteError(),
    BinaryCrossEntropy(),
    BinaryCrossEntropyWithLogits(),
    Divergence(),
)
