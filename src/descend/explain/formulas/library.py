"""The whole library: finds the closed form of an operation by the name that a record gives it."""

from collections.abc import Mapping

from descend.explain.formulas import (
    activations,
    arithmetic,
    attention,
    class_losses,
    convolution,
    indexing,
    layers,
    linear,
    losses,
    normalisation,
    pooling,
    reductions,
    shapes,
)
from descend.explain.formulas.formula import Formula

FORMULAS: tuple[Formula, ...] = (
    *arithmetic.FORMULAS,
    *reductions.FORMULAS,
    *activations.FORMULAS,
    *linear.FORMULAS,
    *attention.FORMULAS,
    *losses.FORMULAS,
    *class_losses.FORMULAS,
    *convolution.FORMULAS,
    *pooling.FORMULAS,
    *normalisation.FORMULAS,
    *layers.FORMULAS,
    *shapes.FORMULAS,
    *indexing.FORMULAS,
)

_BY_NAME: Mapping[str, Formula] = {name: formula for formula in FORMULAS for name in formula.names}


def formula_of(name: str) -> Formula | None:
    """The closed form of the operation that is called ``name``; ``relu_`` is ``relu``. None where there is none."""
    return _BY_NAME.get(name.strip("_"))
