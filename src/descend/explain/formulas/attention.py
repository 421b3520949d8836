"""Attention: every row of the output is a mean of the values, weighted by how well its query fits their keys."""

import math

import torch
from torch import Tensor

from descend.explain.formulas.arguments import OPTIONAL, TENSOR, Arguments, NotCovered, takes
from descend.explain.formulas.formula import Formula, Gradients, Index, by, sum_to
from descend.explain.formulas.words import Term, equal, joined, times


class Attention(Formula):
    """Y = P·V, P = softmax(Q·Kᵀ·scale + mask) (A. Vaswani and others, 2017)"""

    names = ("scaled_dot_product_attention",)
    text = "Y = P·V, P = softmax(Q·Kᵀ/√d)"
    derivatives = by(
        query="∂L/∂Q = ∂L/∂S·K/√d, ∂L/∂S = P∘(∂L/∂P − Σ ∂L/∂P∘P), ∂L/∂P = ∂L/∂Y·Vᵀ",
        key="∂L/∂K = (∂L/∂S)ᵀ·Q/√d, ∂L/∂S = P∘(∂L/∂P − Σ ∂L/∂P∘P), ∂L/∂P = ∂L/∂Y·Vᵀ",
        value="∂L/∂V = Pᵀ·∂L/∂Y",
        attn_mask="∂L/∂mask = ∂L/∂S = P∘(∂L/∂P − Σ ∂L/∂P∘P), ∂L/∂P = ∂L/∂Y·Vᵀ",
    )
    signature = takes(
        query=TENSOR,
        key=TENSOR,
        value=TENSOR,
        attn_mask=OPTIONAL,
        dropout_p=0.0,
        is_causal=False,
        scale=None,
        enable_gqa=False,
    )

    def scale(self, arguments: Arguments) -> float:
        """What scores are multiplied by: 1/√d by itself."""
        given = arguments.given("scale")
        return arguments.number("scale") if given else 1 / math.sqrt(arguments.real("query").shape[-1])

    def weights(self, arguments: Arguments) -> Tensor:
        """P, (…, L, S): each row adds up to 1."""
        if arguments.number("dropout_p") > 0:
            raise NotCovered("scaled_dot_product_attention: which weights its dropout left out was not kept")
        if arguments.flag("enable_gqa"):
            raise arguments.not_covered("enable_gqa")
        q, k = arguments.real("query"), arguments.real("key")
        scores = q @ k.transpose(-2, -1) * self.scale(arguments)  # (…, L, S)
        if arguments.flag("is_causal"):
            seen = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
            scores = scores.masked_fill(~seen, -math.inf)
        if arguments.given("attn_mask"):
            mask = arguments.tensor("attn_mask")
            scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask.double()
        raised = (scores - scores.amax(-1, keepdim=True)).exp()
        return raised / raised.sum(-1, keepdim=True)

    def forward(self, arguments: Arguments) -> Tensor:
        return self.weights(arguments) @ arguments.real("value")

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        q, k, v = (arguments.real(name) for name in ("query", "key", "value"))
        p, scale = self.weights(arguments), self.scale(arguments)
        by_weights = gradient @ v.transpose(-2, -1)
        by_scores = p * (by_weights - (by_weights * p).sum(-1, keepdim=True))
        found = {
            "query": sum_to(by_scores @ k * scale, q.shape),
            "key": sum_to(by_scores.transpose(-2, -1) @ q * scale, k.shape),
            "value": sum_to(p.transpose(-2, -1) @ gradient, v.shape),
        }
        if arguments.given("attn_mask"):
            found["attn_mask"] = sum_to(by_scores, arguments.tensor("attn_mask").shape)
        return found

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        batch, row, column = index[:-2], index[-2], index[-1]
        v = arguments.real("value").expand(*output.shape[:-2], -1, -1)[batch][:, column]
        p = self.weights(arguments).expand(*output.shape[:-1], -1)[batch][row]

        def term(position: int) -> Term:
            value = float(p[position] * v[position])
            return times(float(p[position]), float(v[position])), value

        return equal(joined(term, len(p), float(output[index])), float(output[index]))


FORMULAS: tuple[Formula, ...] = (Attention(),)
