"""Two witnesses for a gradient: the closed form of each operation, and central differences of the loss.

A witness agrees, disagrees, or cannot be asked; each says to how many digits, and why where it does not agree.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from descend.explain.formulas.arguments import NotCovered
from descend.explain.formulas.words import number
from descend.numerics.differences import Difference

_MOST_DIGITS = 15
_TOO_UNCERTAIN = 1e-2  # an error above this share of the largest entry says nothing about a gradient
_BLURRED = 1e-2  # so far off differences may be where a kink is near: each one passed changes the slope a little
_TOLERANCES = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 5e-2, torch.bfloat16: 1e-1}


@dataclass(frozen=True)
class Witness:
    """What one witness says about a number that was shown."""

    name: str
    """``closed form`` or ``differences``"""
    value: float | None
    """What it gives; None where it could not be asked."""
    digits: int | None
    """To how many digits it agrees, counted from the first digit of the gradient's largest entry."""
    agrees: bool | None
    """None where it cannot be asked, or says too little."""
    note: str = ""

    def mark(self) -> str:
        """``closed form ✓``, ``closed form ✗ gives −3.1`` or ``differences – (why)``."""
        if self.agrees:
            return f"{self.name} ✓"
        if self.agrees is None:
            return f"{self.name} – ({self.note})"
        gives = "" if self.value is None else f" gives {number(self.value)}"
        return f"{self.name} ✗{gives}{f' ({self.note})' if self.note else ''}"


@dataclass(frozen=True)
class Verdict:
    """A number that was shown, and its witnesses."""

    shown: float
    witnesses: tuple[Witness, ...]

    @property
    def agrees(self) -> bool | None:
        """False where any witness disagrees; True where at least one agrees and none disagrees; None where none could say."""
        said = [witness.agrees for witness in self.witnesses if witness.agrees is not None]
        return all(said) if said else None

    @property
    def digits(self) -> int | None:
        """To how many digits all witnesses that could be asked agree."""
        return min((w.digits for w in self.witnesses if w.agrees is not None and w.digits is not None), default=None)

    def line(self) -> str:
        """``closed form ✓ differences ✓ (agree to 8 digits)``; a disagreement is said first."""
        marks = " ".join(witness.mark() for witness in self.witnesses)
        if self.agrees is False:
            return f"they disagree: shown {number(self.shown)} · {marks}"
        if self.agrees is None:
            return marks
        notes = "".join(f"; {witness.note}" for witness in self.witnesses if witness.agrees and witness.note)
        digits = (
            "" if self.digits is None else f" (agree to {self.digits} digit{'' if self.digits == 1 else 's'}{notes})"
        )
        return f"{marks}{digits}"


def compare(
    shown: float,
    closed_form: float | NotCovered | None,
    differences: Difference | None,
    *,
    largest: float | None = None,
    beside: float = 0.0,
    dtype: torch.dtype = torch.float32,
    kink_of: str = "",
) -> Verdict:
    """Ask both witnesses about one entry of a gradient.

    shown: as the run computed it, in ``dtype``. closed_form: its value, or the error that says why there is none. largest: the
    gradient's largest entry in size; agreement is counted from its first digit, as that is what rounding follows. beside: the
    largest entry of all gradients of the step: what is nothing but rounding beside it is not held against a gradient that is 0
    (a bias before batch normalisation). kink_of: the operation whose kink is near, where that is known (``relu``).
    """
    tolerance = _tolerance(dtype)
    size = max(abs(shown), abs(largest or 0.0), _rounding(dtype) * abs(beside) / tolerance)
    return Verdict(
        shown,
        (_closed_form(shown, closed_form, size, tolerance), _differences(shown, differences, size, tolerance, kink_of)),
    )


@dataclass(frozen=True)
class Agreement:
    """How far a whole gradient and its closed form are from each other."""

    digits: int
    worst: tuple[int, ...]
    """The entry that is furthest off."""
    off: float
    """By how much, as a share of the largest entry."""
    agrees: bool


def compare_all(
    shown: Tensor, closed_form: Tensor, *, beside: float = 0.0, dtype: torch.dtype | None = None
) -> Agreement:
    """A gradient as the run computed it and its closed form, of one shape; all entries count.

    beside: as for :func:`compare`. dtype: what it was computed in, where that is coarser than its own.
    """
    assert shown.shape == closed_form.shape, f"{tuple(shown.shape)} beside {tuple(closed_form.shape)}"
    ours, theirs = closed_form.detach().double().cpu(), shown.detach().double().cpu()
    if not ours.numel():
        return Agreement(_MOST_DIGITS, (), 0.0, agrees=True)
    equal = (ours == theirs) | (ours.isnan() & theirs.isnan())
    off = torch.where(equal, 0.0, (ours - theirs).abs()).nan_to_num(nan=math.inf)
    dtype = dtype or shown.dtype
    tolerance = _tolerance(dtype)
    largest = max(_largest(ours), _largest(theirs), _rounding(dtype) * abs(beside) / tolerance)
    place = int(off.argmax())
    share = float(off.flatten()[place]) / largest if float(off.flatten()[place]) else 0.0
    worst = tuple(int(each) for each in torch.unravel_index(torch.tensor(place), ours.shape))
    return Agreement(_digits(share), worst, share, share <= tolerance)


def coarsest(dtypes: Iterable[torch.dtype]) -> torch.dtype:
    """The one that rounds most."""
    return max(dtypes, key=_tolerance)


def _tolerance(dtype: torch.dtype) -> float:
    return _TOLERANCES.get(dtype, 1e-4)


def _rounding(dtype: torch.dtype) -> float:
    """What rounding may add up to in a gradient, as a share of the largest there is."""
    return 64 * torch.finfo(dtype if dtype.is_floating_point else torch.float32).eps


def _largest(tensor: Tensor) -> float:
    return float(torch.where(tensor.isfinite(), tensor.abs(), 0.0).max())


def _closed_form(shown: float, found: float | NotCovered | None, size: float, tolerance: float) -> Witness:
    if found is None or isinstance(found, NotCovered):
        return Witness("closed form", None, None, None, "there is none" if found is None else found.what)
    off = _off(shown, found, size)
    return Witness("closed form", found, _digits(off), off <= tolerance)


def _differences(shown: float, found: Difference | None, size: float, tolerance: float, kink_of: str) -> Witness:
    name = "differences"
    if found is None:
        return Witness(name, None, None, None, "not taken: the loss takes too long to be computed again and again")
    if math.isnan(found.value) and not found.kink:
        return Witness(name, None, None, None, "the loss is not finite around here")
    if found.kink:
        return _at_kink(shown, found, size, tolerance, kink_of)
    if found.error > _TOO_UNCERTAIN * max(size, abs(found.value)):
        about = f"{number(found.value)} ± {number(found.error)}: too uncertain to say"
        return Witness(name, found.value, None, None, about)
    off = _off(shown, found.value, size)
    allowed = max(tolerance, 1e-7, 10 * found.error / size if size else 0.0)
    if allowed < off <= _BLURRED and kink_of:
        about = f"{number(found.value)}: blurred by kinks of {kink_of} that lie within the step"
        return Witness(name, found.value, _digits(off), None, about)
    return Witness(name, found.value, _digits(off), off <= allowed)


def _at_kink(shown: float, found: Difference, size: float, tolerance: float, kink_of: str) -> Witness:
    """At a kink any slope between those of both sides may be taken for the derivative; nothing else may."""
    least, most = sorted((found.left, found.right))
    spare = max(tolerance, 1e-4) * max(size, abs(least), abs(most))
    sides = f"the slopes from both sides are {number(found.left)} and {number(found.right)}"
    if least - spare <= shown <= most + spare:
        what = f"an entry sits at a kink of {kink_of}" if kink_of else "an entry sits at a kink"
        return Witness("differences", None, None, None, f"{what}: differences do not apply, {sides}")
    return Witness("differences", None, None, agrees=False, note=f"outside of what a kink allows: {sides}")


def _off(shown: float, found: float, size: float) -> float:
    """How far apart two numbers are, as a share of ``size``."""
    if shown == found or (math.isnan(shown) and math.isnan(found)):
        return 0.0
    if not (math.isfinite(shown) and math.isfinite(found)):
        return math.inf
    return abs(shown - found) / max(size, abs(found))


def _digits(off: float) -> int:
    if off == 0:
        return _MOST_DIGITS
    return 0 if off >= 1 else min(_MOST_DIGITS, math.floor(-math.log10(off)))


def worst_kink(margins: Sequence[tuple[str, float | None]], within: float) -> str:
    """The operation with an input nearest to a kink, where one is no further than ``within``; else nothing.

    margins: the name of each operation on the way to the loss, and what its formula's ``margin`` says.
    """
    near = [(margin, name) for name, margin in margins if margin is not None and margin <= within]
    return min(near)[1] if near else ""
