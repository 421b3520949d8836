"""Losses over classes: negative log-likelihood and cross-entropy, for class numbers and for shares of classes."""

import torch
from torch import Tensor

from descend.explain.formulas.activations import log_softmax
from descend.explain.formulas.arguments import OPTIONAL, TENSOR, Arguments, takes
from descend.explain.formulas.formula import Formula, Gradients, Index, by
from descend.explain.formulas.losses import Loss
from descend.explain.formulas.words import Term, bracketed, equal, joined, minus, number, scaled


class ClassLoss(Loss):
    """L = Σ tᵢ·(−log pᵢ)/Σ w over the rows, for the share tᵢ that each class is to have.

    The shares are 1 for the class that the target names, times its weight; label smoothing ε takes ε from it and spreads it
    over all classes. Rows whose target is ``ignore_index`` have no share at all.
    """

    def log_shares(self, arguments: Arguments) -> Tensor:
        """log p (rows, classes)."""
        raise NotImplementedError

    def rows(self, tensor: Tensor) -> Tensor:
        """(B, C, …) as (rows, C), one row for each prediction."""
        return tensor.reshape(1, -1) if tensor.dim() == 1 else tensor.movedim(1, -1).reshape(-1, tensor.shape[1])

    def by_class_number(self, arguments: Arguments) -> bool:
        """Whether targets are numbers of classes, not shares of each."""
        return not arguments.tensor("target").is_floating_point()

    def shares(self, arguments: Arguments) -> Tensor:
        """t (rows, classes): what −log p is multiplied by."""
        smoothing = arguments.number("label_smoothing") if "label_smoothing" in arguments.values else 0.0
        classes = self.classes(arguments)
        if self.by_class_number(arguments):
            kept, y = self.kept(arguments)
            shares = torch.nn.functional.one_hot(y, classes).double()
            shares = ((1 - smoothing) * shares + smoothing / classes) * kept[:, None]
        else:
            shares = (1 - smoothing) * self.rows(arguments.real("target")) + smoothing / classes
        weight = arguments.optional("weight")
        return shares if weight is None else shares * weight

    def classes(self, arguments: Arguments) -> int:
        """How many there are."""
        scores = arguments.tensor("input")
        return scores.shape[0 if scores.dim() == 1 else 1]

    def kept(self, arguments: Arguments) -> tuple[Tensor, Tensor]:
        """Which rows count, and the class of each (0 for those that do not)."""
        y = arguments.tensor("target").reshape(-1).long()
        kept = y != arguments.whole("ignore_index")
        return kept, torch.where(kept, y, 0)

    def divisor(self, arguments: Arguments) -> float:
        divisor = super().divisor(arguments)
        if arguments.word("reduction") != "mean" or not self.by_class_number(arguments):
            return divisor
        kept, y = self.kept(arguments)
        weight = arguments.optional("weight")
        return float(kept.sum() if weight is None else (weight[y] * kept).sum())

    def terms(self, arguments: Arguments) -> Tensor:
        self.refuse_old(arguments)
        shares = self.shares(arguments)
        # A class without a share adds nothing, even where its log p is −∞.
        losses = torch.where(shares == 0, 0.0, -shares * self.log_shares(arguments)).sum(1)
        scores = arguments.tensor("input")
        return losses.reshape(() if scores.dim() == 1 else (scores.shape[0], *scores.shape[2:]))

    def upstream(self, gradient: Tensor, arguments: Arguments) -> Tensor:
        """The gradient that comes back to each row's loss (rows, 1)."""
        rows = self.terms(arguments).numel()
        return gradient.reshape(-1, 1).expand(rows, 1) / self.divisor(arguments)

    def back(self, rows: Tensor, arguments: Arguments) -> Tensor:
        """(rows, C) in the shape of the scores again."""
        scores = arguments.tensor("input")
        if scores.dim() == 1:
            return rows.reshape(scores.shape)
        return rows.reshape(scores.shape[0], *scores.shape[2:], scores.shape[1]).movedim(-1, 1)

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        plain = self.by_class_number(arguments) and not arguments.given("weight") and self.smoothing(arguments) == 0
        if not plain:
            return ""
        kept, _ = self.kept(arguments)
        if bool(kept.all()) or arguments.word("reduction") == "none":
            return super().entry(index, arguments, output)
        counted, terms = kept.nonzero()[:, 0].tolist(), self.terms(arguments).flatten()

        def term(position: int) -> Term:
            return self.row_words(counted[position], arguments), float(terms[counted[position]])

        text = joined(term, len(counted), float(terms.sum()))
        divisor = self.divisor(arguments)
        return equal(text if divisor == 1 else f"({text})/{number(divisor)}", float(output))

    def term_words(self, place: Index, arguments: Arguments) -> str:
        terms = self.terms(arguments)
        return self.row_words(int(torch.arange(terms.numel()).reshape(terms.shape)[place]), arguments)

    def row_words(self, row: int, arguments: Arguments) -> str:
        """The loss of one row with its numbers put in."""
        raise NotImplementedError

    def smoothing(self, arguments: Arguments) -> float:
        """How much of each share is spread over all classes."""
        return arguments.number("label_smoothing") if "label_smoothing" in arguments.values else 0.0

    def place(self, index: Index, arguments: Arguments) -> tuple[int, int]:
        """The row and the class of one score."""
        scores = arguments.tensor("input")
        numbers = self.rows(torch.arange(scores.numel()).reshape(scores.shape))
        row, column = (numbers == torch.arange(scores.numel()).reshape(scores.shape)[index]).nonzero()[0].tolist()
        return row, column


class NegativeLogLikelihood(ClassLoss):
    """L = −Σ log p[y]/n, from log p"""

    names = ("nll_loss", "nll_loss_nd")
    text = "L = −Σᵢ log pᵢ[yᵢ]/n"
    derivatives = by(input="∂L/∂log pᵢⱼ = −1/n for the class j = yᵢ, else 0")
    signature = takes(
        input=TENSOR,
        target=TENSOR,
        weight=OPTIONAL,
        size_average=None,
        ignore_index=-100,
        reduce=None,
        reduction="mean",
    )

    def log_shares(self, arguments: Arguments) -> Tensor:
        return self.rows(arguments.real("input"))

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        return {"input": self.back(-self.shares(arguments) * self.upstream(gradient, arguments), arguments)}

    def row_words(self, row: int, arguments: Arguments) -> str:
        kept, y = self.kept(arguments)
        if not kept[row]:
            return "0"
        log_p = float(self.log_shares(arguments)[row, y[row]])
        return f"−{bracketed(log_p)}" if log_p < 0 else number(-log_p)

    def entry_of_gradient(
        self, which: int, index: Index, gradient: Tensor, arguments: Arguments, output: Tensor
    ) -> str:
        row, column = self.place(index, arguments)
        share, divisor = float(self.shares(arguments)[row, column]), self.divisor(arguments)
        g = float(gradient.double().reshape(-1, 1).expand(self.terms(arguments).numel(), 1)[row])
        if share == 0:
            return "0"
        text = number(-g * share)
        return equal(text if divisor == 1 else f"{text}/{number(divisor)}", -g * share / divisor)


class CrossEntropy(ClassLoss):
    """L = −Σ log softmax(z)[y]/n, from scores z"""

    names = ("cross_entropy", "cross_entropy_loss")
    text = "L = −Σᵢ log softmax(zᵢ)[yᵢ]/n"
    derivatives = by(
        input="∂L/∂zᵢⱼ = (softmax(zᵢ)ⱼ − 1 for the class j = yᵢ)/n",
        target="∂L/∂tᵢⱼ = −log softmax(zᵢ)ⱼ/n",
    )
    signature = takes(
        input=TENSOR,
        target=TENSOR,
        weight=OPTIONAL,
        size_average=None,
        ignore_index=-100,
        reduce=None,
        reduction="mean",
        label_smoothing=0.0,
    )

    def log_shares(self, arguments: Arguments) -> Tensor:
        return log_softmax(self.rows(arguments.real("input")), 1)

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        shares, log_p = self.shares(arguments), self.log_shares(arguments)
        upstream = self.upstream(gradient, arguments)
        by_scores = (log_p.exp() * shares.sum(1, keepdim=True) - shares) * upstream
        found = {"input": self.back(by_scores, arguments)}
        if not self.by_class_number(arguments):
            weight = arguments.optional("weight")
            by_target = -(1 - self.smoothing(arguments)) * (log_p if weight is None else log_p * weight)
            found["target"] = self.back(by_target * upstream, arguments)
        return found

    def row_words(self, row: int, arguments: Arguments) -> str:
        kept, y = self.kept(arguments)
        return f"−ln {number(float(self.log_shares(arguments)[row, y[row]].exp()))}" if kept[row] else "0"

    def entry_of_gradient(
        self, which: int, index: Index, gradient: Tensor, arguments: Arguments, output: Tensor
    ) -> str:
        if arguments.order[which] != "input":
            return ""
        row, column = self.place(index, arguments)
        shares, divisor = self.shares(arguments)[row], self.divisor(arguments)
        if not bool(shares.any()):
            return "0"
        p = float(self.log_shares(arguments)[row, column].exp())
        g = float(gradient.double().reshape(-1, 1).expand(self.terms(arguments).numel(), 1)[row])
        share, total = float(shares[column]), float(shares.sum())
        first = number(p) if abs(total - 1) < 1e-12 else f"{number(p)}·{number(total)}"
        difference = f"({minus(p, share)})" if first == number(p) else f"({first} − {number(share)})"
        text = scaled(g, difference if share else first)
        return equal(text if divisor == 1 else f"{text}/{number(divisor)}", g * (p * total - share) / divisor)


FORMULAS: tuple[Formula, ...] = (NegativeLogLikelihood(), CrossEntropy())
