"""Where the time of a run went: durations, speeds, and the phases as pieces of one bar."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from descend.show import numbers
from descend.show.colours import ACCENT, PHASE_COLOURS
from descend.show.layout import facts
from descend.show.metrics import value_of

_DURATIONS = {"total": "in all", "training": "training", "evaluation": "evaluation", "recording": "recording"}
_SPEEDS = {"per_epoch": "an epoch", "per_step": "a step"}
_WIDEST_BAR = 50


def durations(report: Mapping[str, Any], width: int) -> list[Text]:
    """``6.3 s in all · 4.9 s training``"""
    return facts(_said(report.get("seconds") or {}, _DURATIONS), width)


def speeds(report: Mapping[str, Any], width: int) -> list[Text]:
    """``0.49 s an epoch · 0.5 ms a step · 120,000 examples/s``"""
    said = _said(report.get("seconds") or {}, _SPEEDS)
    rate = value_of(report, "examples_per_second")
    return facts([*said, f"{numbers.rate(rate)} examples/s"] if rate else said, width)


def stacked(shares: Sequence[tuple[str, float]], width: int) -> Text:
    """The shares of phases as the coloured pieces of one bar."""
    width = min(width, _WIDEST_BAR)
    total = sum(share for _, share in shares)
    line, done = Text(), 0.0
    for name, share in shares:
        start, done = round(done / total * width), done + share
        line.append("━" * (round(done / total * width) - start), style=PHASE_COLOURS.get(name, ACCENT))
    return line


def _said(seconds: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    known = ((value_of(seconds, name), said) for name, said in names.items())
    return [f"{numbers.seconds(value)} {said}" for value, said in known if value]
