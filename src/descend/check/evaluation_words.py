"""How findings of evaluations speak of layers that work differently in training."""

from collections.abc import Mapping, Sequence
from typing import Any

from descend.check import words

DROPOUTS = ("Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout")
NORMS = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm", "LazyBatchNorm1d", "LazyBatchNorm2d")
"""Classes of layers, as the record calls them."""


def kinds_off(kinds: Mapping[str, int]) -> str:
    """``dropout and batch norm are``."""
    dropout, norm = any(kind in DROPOUTS for kind in kinds), any(kind in NORMS for kind in kinds)
    said = [name for name, there in (("dropout", dropout), ("batch norm", norm)) if there]
    return f"{' and '.join(said)} {'are' if len(said) > 1 else 'is'}"


def lost(kinds: Mapping[str, int]) -> str:
    """What is lost where layers of these classes stand in evaluation mode."""
    said = []
    if any(kind in DROPOUTS for kind in kinds):
        said.append("Dropout drops nothing, so nothing holds the model back from learning its rows by heart.")
    if any(kind in NORMS for kind in kinds):
        said.append("Batch norm goes on with old running statistics and no longer learns those of the data.")
    return " ".join(said)


def at_work(dropped: Sequence[float], norms: Sequence[Any]) -> str:
    """What these layers do to an evaluation, as the end of a title."""
    said = [f"dropout drops {shares(dropped)} of the numbers"] if dropped else []
    said += ["batch norm goes by each batch of its own"] if norms else []
    return ", ".join(said)


def shares(dropped: Sequence[float]) -> str:
    """``50 %``, or the least and the largest share."""
    every = sorted(set(dropped))
    return words.percent(every[0]) if len(every) == 1 else f"{words.percent(every[0])} to {words.percent(every[-1])}"


def cost(dropout: bool, norm: bool) -> str:
    """What an evaluation with such layers at work is worth."""
    said = []
    if dropout:
        said.append("What comes out is the figure of a thinned model, and another one at each call.")
    if norm:
        said.append(
            "Batch norm takes mean and variance from the evaluation's own batch, so the figure depends on which rows stand together, "
            "and its running statistics follow the evaluation rows: the model is changed by being looked at."
        )
    return " ".join(said)


def times(number: int, noun: str) -> str:
    """``3 layers``."""
    return f"{number:,} {noun}{'s' if number > 1 else ''}"
