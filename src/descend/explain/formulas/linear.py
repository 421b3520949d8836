"""Products of matrices and vectors, and the linear layer made of one."""

import torch
from torch import Tensor

from descend.explain.formulas.arguments import OPTIONAL, TENSOR, Arguments, takes
from descend.explain.formulas.formula import Formula, Gradients, Index, broadcast_shape, by, sum_to
from descend.explain.formulas.words import Term, bracketed, equal, joined, number, plus

Place = tuple[int | slice, ...]


class Matmul(Formula):
    """C = A·B for matrices, vectors, and stacks of matrices with broadcasting"""

    names: tuple[str, ...] = ("matmul", "mm", "mv", "bmm", "dot", "imatmul", "vdot", "inner")
    text = "C = A·B"
    derivatives = by(input="∂L/∂A = ∂L/∂C·Bᵀ", other="∂L/∂B = Aᵀ·∂L/∂C")
    signature = takes(input=TENSOR, other=TENSOR)
    left, right = "input", "other"

    def forward(self, arguments: Arguments) -> Tensor:
        a, b = self.matrices(arguments)
        return (a @ b).reshape(self.shape(arguments))

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        a, b = self.matrices(arguments)
        g = self.as_matrix(gradient, arguments)
        by_a, by_b = sum_to(g @ b.mT, a.shape), sum_to(a.mT @ g, b.shape)
        return {
            self.left: by_a.reshape(arguments.tensor(self.left).shape),
            self.right: by_b.reshape(arguments.tensor(self.right).shape),
        }

    def matrices(self, arguments: Arguments) -> tuple[Tensor, Tensor]:
        """A vector on the left as one row, a vector on the right as one column."""
        a, b = arguments.real(self.left), arguments.real(self.right)
        if not a.dim() or not b.dim() or (arguments.operation == "inner" and b.dim() > 1):
            raise arguments.not_covered(self.right)
        return a.reshape(1, -1) if a.dim() == 1 else a, b.reshape(-1, 1) if b.dim() == 1 else b

    def shape(self, arguments: Arguments) -> list[int]:
        """The output's: without the axis that a vector was given."""
        a, b = arguments.tensor(self.left), arguments.tensor(self.right)
        stack = broadcast_shape(a.shape[:-2], b.shape[:-2])
        return [*stack, *a.shape[-2:-1], *(b.shape[-1:] if b.dim() > 1 else ())]

    def as_matrix(self, tensor: Tensor, arguments: Arguments) -> Tensor:
        """The output or its gradient with both axes of a matrix."""
        a, b = self.matrices(arguments)
        return tensor.reshape(*broadcast_shape(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        row, column = self.pair(index, arguments, output)
        return equal(products(row, column), float(output[index]))

    def pair(self, index: Index, arguments: Arguments, output: Tensor) -> tuple[Tensor, Tensor]:
        """The row of A and the column of B that make one entry of C."""
        a, b = self.matrices(arguments)
        whole = self.as_matrix(output, arguments)
        *stack, i, j = _place(whole, output, index)
        a, b = a.expand(*whole.shape[:-2], *a.shape[-2:]), b.expand(*whole.shape[:-2], *b.shape[-2:])
        row: Place = (*stack, i)
        column: Place = (*stack, slice(None), j)
        return a[row], b[column]

    def entry_of_gradient(
        self, which: int, index: Index, gradient: Tensor, arguments: Arguments, output: Tensor
    ) -> str:
        name = arguments.order[which]
        if name not in (self.left, self.right):
            return ""
        a, b = self.matrices(arguments)
        g = self.as_matrix(gradient.double(), arguments)
        a, b = a.expand(*g.shape[:-2], *a.shape[-2:]), b.expand(*g.shape[:-2], *b.shape[-2:])
        given = arguments.real(name)
        if g.dim() > 2 and given.shape[:-2] != g.shape[:-2]:
            return ""  # the same matrix was used by all of a stack: too long a sum to write
        whole = self.matrices(arguments)[0 if name == self.left else 1]
        *stack, i, j = _place(whole, given, index)
        if name == self.left:
            first, second = g[(*stack, i)], b[(*stack, j)]
        else:
            of_g: Place = (*stack, slice(None), j)
            of_a: Place = (*stack, slice(None), i)
            first, second = g[of_g], a[of_a]
        return equal(products(first, second), float((first * second).sum()))


class MatmulFrom(Matmul):
    """C = A·B, called on B"""

    names = ("rmatmul",)
    left, right = "other", "input"
    derivatives = by(other="∂L/∂A = ∂L/∂C·Bᵀ", input="∂L/∂B = Aᵀ·∂L/∂C")


class Outer(Formula):
    """Cᵢⱼ = aᵢ·bⱼ"""

    names = ("outer", "ger")
    text = "Cᵢⱼ = aᵢ·bⱼ"
    derivatives = by(
        input="∂L/∂aᵢ = Σⱼ ∂L/∂Cᵢⱼ·bⱼ",
        vec2="∂L/∂bⱼ = Σᵢ ∂L/∂Cᵢⱼ·aᵢ",
    )
    signature = takes(input=TENSOR, vec2=TENSOR)

    def forward(self, arguments: Arguments) -> Tensor:
        return arguments.real("input")[:, None] * arguments.real("vec2")[None, :]

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        return {"input": gradient @ arguments.real("vec2"), "vec2": gradient.mT @ arguments.real("input")}


class Linear(Formula):
    """z = x·Wᵀ + b"""

    names = ("linear",)
    text = "z = x·Wᵀ + b"
    derivatives = by(
        input="∂L/∂x = ∂L/∂z·W",
        weight="∂L/∂W = (∂L/∂z)ᵀ·x",
        bias="∂L/∂b = Σ ∂L/∂z over the rows",
    )
    signature = takes(input=TENSOR, weight=TENSOR, bias=OPTIONAL)

    def forward(self, arguments: Arguments) -> Tensor:
        z = arguments.real("input") @ arguments.real("weight").mT
        bias = arguments.optional("bias")
        return z if bias is None else z + bias

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        x, weight = arguments.real("input"), arguments.real("weight")
        dz, rows = self._rows(gradient, arguments), x.reshape(-1, x.shape[-1])
        return {
            "input": (gradient[..., None] * weight if weight.dim() == 1 else gradient @ weight).reshape(x.shape),
            "weight": (dz.mT @ rows).reshape(weight.shape),
            "bias": gradient.sum() if weight.dim() == 1 else dz.sum(0),
        }

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        x, weight = arguments.real("input"), arguments.real("weight")
        row, out = (x[index[:-1]], weight[index[-1]]) if weight.dim() > 1 else (x[index], weight)
        text, bias = products(row, out), arguments.optional("bias")
        if bias is not None:
            text += plus(number(float(bias[index[-1]] if bias.dim() else bias)))
        return equal(text, float(output[index]))

    def entry_of_gradient(
        self, which: int, index: Index, gradient: Tensor, arguments: Arguments, output: Tensor
    ) -> str:
        x, weight = arguments.real("input"), arguments.real("weight")
        name, dz = arguments.order[which], self._rows(gradient.double(), arguments)
        rows = x.reshape(-1, x.shape[-1])
        if name == "bias":
            column = dz[:, index[-1] if index else 0]
            return equal(_sum(column), float(column.sum()))
        if name == "weight":
            first, second = dz[:, index[0] if weight.dim() > 1 else 0], rows[:, index[-1]]
        else:
            row = int(torch.arange(len(rows)).reshape(x.shape[:-1])[index[:-1]])
            first, second = dz[row], weight.reshape(-1, weight.shape[-1])[:, index[-1]]
        return equal(products(first, second), float((first * second).sum()))

    def _rows(self, gradient: Tensor, arguments: Arguments) -> Tensor:
        weight = arguments.tensor("weight")
        return gradient.reshape(-1, weight.shape[0] if weight.dim() > 1 else 1)


class Addmm(Formula):
    """y = β·c + α·A·B"""

    names = ("addmm", "addmv", "baddbmm")
    text = "y = β·c + α·A·B"
    derivatives = by(
        input="∂L/∂c = β·∂L/∂y",
        mat1="∂L/∂A = α·∂L/∂y·Bᵀ",
        mat2="∂L/∂B = α·Aᵀ·∂L/∂y",
    )
    signature = takes(input=TENSOR, mat1=TENSOR, mat2=TENSOR, beta=1, alpha=1)

    def forward(self, arguments: Arguments) -> Tensor:
        product = arguments.real("mat1") @ arguments.real("mat2")
        return arguments.number("beta") * arguments.real("input") + arguments.number("alpha") * product

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        a, b, alpha = arguments.real("mat1"), arguments.real("mat2"), arguments.number("alpha")
        vector = b.dim() == 1
        columns, g = (b[:, None], gradient[:, None]) if vector else (b, gradient)
        return {
            "input": arguments.number("beta") * sum_to(gradient, arguments.tensor("input").shape),
            "mat1": alpha * (g @ columns.mT),
            "mat2": alpha * (a.mT @ g).reshape(b.shape),
        }

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        a, b = arguments.real("mat1"), arguments.real("mat2")
        beta, alpha = arguments.number("beta"), arguments.number("alpha")
        if alpha != 1 or beta != 1:
            return ""
        place: Place = (*index[:-2], slice(None), index[-1])
        column = b if b.dim() == 1 else b[place]
        row = a[index] if b.dim() == 1 else a[index[:-1]]
        first = arguments.real("input").expand(output.shape)[index]
        return equal(products(row, column) + plus(number(float(first))), float(output[index]))


def products(first: Tensor, second: Tensor) -> str:
    """``2·0.3367 + 4·0.1288 + …`` for two vectors of one length."""

    def term(position: int) -> Term:
        a, b = float(first[position]), float(second[position])
        return f"{number(a)}·{bracketed(b)}", a * b

    return joined(term, len(first), float((first * second).sum()))


def _sum(values: Tensor) -> str:
    return joined(
        lambda position: (number(float(values[position])), float(values[position])), len(values), float(values.sum())
    )


def _place(whole: Tensor, part: Tensor, index: Index) -> tuple[int, ...]:
    """Where an entry of ``part`` stands in ``whole``, which has the same numbers in another shape."""
    flat = int(torch.arange(part.numel()).reshape(part.shape)[index])
    return tuple(int(each) for each in torch.unravel_index(torch.tensor(flat), whole.shape))


FORMULAS: tuple[Formula, ...] = (Matmul(), MatmulFrom(), Outer(), Linear(), Addmm())
