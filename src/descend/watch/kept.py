"""The parameters of one sampled step: what they were before it, their gradients, and how far they moved."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from descend.watch.quiet import quiet

WHOLE = 32 * 2**20  # bytes of parameters that are copied whole; of larger ones, evenly spaced numbers
_SAMPLE = 65_536


@dataclass(slots=True, eq=False)
class Kept:
    """One parameter while its step runs."""

    tensor: Tensor
    before: Tensor  # a copy; of a large parameter, of every ``every``-th number, as a row
    every: int
    length: Tensor  # Euclidean norm before the step
    gradient: Tensor | None = None  # a copy, where it is asked for
    gradient_length: Tensor | None = None

    @property
    def whole(self) -> bool:
        return self.every == 1

    def now(self, tensor: Tensor) -> Tensor:
        """``tensor`` in the form of ``before``."""
        return tensor.detach() if self.whole else tensor.detach().reshape(-1)[:: self.every]


class KeptParameters:
    """Copies of parameters, small ones whole; norms stay on their device until ``rows`` reads them all at once."""

    def __init__(self) -> None:
        self.by_id: dict[int, Kept] = {}
        self._bytes = 0

    def keep(self, parameters: Iterable[Tensor]) -> None:
        """Copy what was not copied yet. Subclasses of tensors (sharded ones, for example) are left out."""
        with quiet():
            for tensor in parameters:
                if id(tensor) in self.by_id or not _is_ordinary(tensor):
                    continue
                self._bytes += tensor.numel() * tensor.element_size()
                every = 1 if self._bytes <= WHOLE else max(1, tensor.numel() // _SAMPLE)
                value = tensor.detach()
                before = value.clone() if every == 1 else value.reshape(-1)[::every].clone()
                self.by_id[id(tensor)] = Kept(tensor, before, every, torch.linalg.vector_norm(value))

    def take_gradients(self, gradients: Iterable[tuple[Tensor, Tensor | None]], *, copies: bool) -> None:
        """Note the norm of each parameter's gradient; ``copies``: and the gradient itself, of parameters kept whole."""
        with quiet():
            for tensor, gradient in gradients:
                kept = self.by_id.get(id(tensor))
                if kept is None or gradient is None or not _is_ordinary(gradient):
                    continue
                plain = gradient.detach()
                plain = plain.coalesce().values() if plain.is_sparse else plain
                kept.gradient_length = torch.linalg.vector_norm(plain)
                if copies and kept.whole and plain.shape == kept.before.shape:
                    kept.gradient = plain.clone()

    def moved(self, tensor: Tensor) -> bool:
        """Whether the parameter's values are others than before (a ``.data -=`` moves no version counter)."""
        kept = self.by_id.get(id(tensor))
        if kept is None:
            return False
        with quiet():
            return not torch.equal(kept.now(tensor), kept.before)

    def was_replaced(self, old: Sequence[Tensor], new: Sequence[Tensor]) -> bool:
        """Whether ``new`` are what an update made of ``old``: not drawn anew, but a step away."""
        if len(old) != len(new) or any(a.shape != b.shape or a.dtype != b.dtype for a, b in zip(old, new, strict=True)):
            return False
        kept = [self.by_id.get(id(tensor)) for tensor in old]
        if any(one is None for one in kept) or all(a is b for a, b in zip(old, new, strict=True)):
            return False
        with quiet():
            change = length = along = gradients = 0.0
            for one, tensor in zip(kept, new, strict=True):
                assert one is not None
                difference = one.now(tensor).double() - one.before.double()
                change += float(difference.square().sum())
                length += float(one.before.double().square().sum())
                if one.gradient is not None:
                    along += float((difference * one.gradient.double()).sum())
                    gradients += float(one.gradient.double().square().sum())
            if change == 0:
                return False
            downhill = along < 0 and along * along > 0.9 * change * gradients
            return downhill or change < 0.25 * length

    def rows(self, named: Sequence[tuple[str, Tensor, Tensor | None]]) -> list[tuple[str, float, float, float]]:
        """For each (name, parameter, what took its place or None): norms before, of the gradient, of the change.

        NaN stands for what was not there: a parameter without a gradient, a change that nobody could see.
        """
        with quiet():
            numbers: list[Tensor] = []
            rows = []
            for name, tensor, after in named:
                kept = self.by_id.get(id(tensor))
                if kept is None:
                    continue
                missing = kept.length.new_full((), math.nan)
                change = missing
                if after is not None and after.shape == tensor.shape:
                    change = torch.linalg.vector_norm(kept.now(after) - kept.before) * math.sqrt(
                        tensor.numel() / max(1, kept.before.numel())
                    )
                gradient = kept.gradient_length if kept.gradient_length is not None else missing
                numbers += [kept.length, gradient, change]
                rows.append(name)
            if not numbers:
                return []
            read = torch.stack([number.double().cpu() for number in numbers]).tolist()
            return [(name, *read[3 * i : 3 * i + 3]) for i, name in enumerate(rows)]


def _is_ordinary(tensor: Tensor) -> bool:
    return type(tensor) in (Tensor, torch.nn.Parameter) and tensor.device.type != "meta"
