"""What a closed form is: a formula, its derivatives, both as text and as arithmetic, and single entries with numbers put in."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from descend.explain.formulas.arguments import Arguments, NotCovered, Signature, bindings, prepared

Index = tuple[int, ...]
Gradients = Mapping[str, Tensor | Sequence[Tensor]]


class Formula:
    """One operation. Everything is computed in float64 and deterministic; nothing calls autograd.

    ``text`` is the formula, ``derivatives`` holds one line for each tensor argument by its name. L is the loss, and ∂L/∂y the
    gradient that comes back to the output y.
    """

    names: tuple[str, ...] = ()
    text: str = ""
    derivatives: Mapping[str, str] = MappingProxyType({})
    signature: Signature = MappingProxyType({})

    @property
    def name(self) -> str:
        """The first of its names."""
        return self.names[0]

    @property
    def derivative(self) -> str:
        """All derivatives on one line."""
        return "   ".join(self.derivatives.values())

    def bind(
        self,
        tensors: Sequence[Tensor],
        constants: Mapping[str, object],
        output: Tensor | None = None,
        *,
        called: str = "",
    ) -> Arguments:
        """The arguments by their names.

        tensors: those of the call, in its order. constants: the others, by position (``"1"``) or name, as a record keeps them.
        output: what the operation gave in the run; dropout reads its mask off it, and where a call could mean several things
        it decides between them. Raises :class:`NotCovered` where no closed form fits the call.
        """
        output = None if output is None else prepared(output)
        found = list(bindings(called or self.name, self.signature, tensors, constants, output))
        if len(found) == 1:
            return found[0]
        if output is not None:
            said = [self._said(arguments) for arguments in found]
            off = [_distance(ours, output) if close(ours, output) else float("inf") for ours in said]
            nearest = min(range(len(found)), key=off.__getitem__)
            if off[nearest] < float("inf"):
                return found[nearest]
        orders = [set(arguments.order) for arguments in found]
        unsure = sorted(set().union(*orders) - orders[0].intersection(*orders))
        raise NotCovered(f"{called or self.name}: which of {', '.join(unsure)} was given is not known")

    def forward(self, arguments: Arguments) -> Tensor:
        """The output, float64."""
        raise NotImplementedError

    def gradients(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> Gradients:
        """The gradient of the loss by each tensor argument that has one, by name."""
        raise NotImplementedError

    def backward(self, gradient: Tensor, arguments: Arguments, output: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of the loss by each tensor argument, in the order of the call; None for whole numbers and masks.

        gradient: ∂L/∂output, of the output's shape. output: what :meth:`forward` gives.
        """
        found = self.gradients(prepared(gradient), arguments, prepared(output))
        seen: dict[str, int] = {}
        result: list[Tensor | None] = []
        for name in arguments.order:
            position = seen.get(name, 0)
            seen[name] = position + 1
            value, given = found.get(name), arguments.values[name]
            if value is not None and not isinstance(value, Tensor):
                value = value[position]
            if isinstance(given, list) and value is not None:
                given = given[position]
            differentiable = isinstance(given, Tensor) and given.is_floating_point()
            result.append(value if differentiable else None)
        return tuple(result)

    def entry(self, index: Index, arguments: Arguments, output: Tensor) -> str:
        """How one entry of the output came about, with its numbers put in; empty where this formula has no words for it."""
        return ""

    def entry_of_gradient(
        self, which: int, index: Index, gradient: Tensor, arguments: Arguments, output: Tensor
    ) -> str:
        """How one entry of the gradient by tensor argument number ``which`` came about; empty where there are no words for it."""
        return ""

    def margin(self, arguments: Arguments) -> float | None:
        """How near an input is to a place where the derivative jumps; None where the function has no such place."""
        return None

    def _said(self, arguments: Arguments) -> Tensor | None:
        try:
            return self.forward(arguments)
        except (NotCovered, RuntimeError, IndexError, ValueError, AssertionError):
            return None


def by(**lines: str) -> Mapping[str, str]:
    """The derivative by each tensor argument, one line each."""
    return MappingProxyType(lines)


def broadcast(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one shape."""
    a, b = torch.broadcast_tensors(a, b)  # type: ignore[no-untyped-call]
    return a, b


def broadcast_shape(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
    """The one shape of tensors of these two."""
    shape: torch.Size = torch.broadcast_shapes(a, b)  # type: ignore[no-untyped-call]
    return tuple(shape)


def close(ours: Tensor | None, theirs: Tensor) -> bool:
    """Whether two outputs are the same but for the rounding of float32 arithmetic."""
    if ours is None or ours.shape != theirs.shape:
        return False
    return torch.allclose(ours.double(), theirs.double(), rtol=1e-3, atol=1e-5, equal_nan=True)


def sum_to(gradient: Tensor, shape: Sequence[int]) -> Tensor:
    """Undo a broadcast: a number that was used several times gets the sum of its gradients."""
    extra = gradient.dim() - len(shape)
    gradient = gradient.sum(tuple(range(extra))) if extra else gradient
    repeated = tuple(axis for axis, size in enumerate(shape) if size == 1 and gradient.shape[axis] != 1)
    return gradient.sum(repeated, keepdim=True) if repeated else gradient


def _distance(ours: Tensor | None, theirs: Tensor) -> float:
    """The largest difference between two outputs that are close; where both are no finite numbers there is none."""
    if ours is None or not theirs.numel():
        return 0.0
    return float((ours.double() - theirs.double()).abs().nan_to_num(0.0).max())
