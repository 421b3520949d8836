"""Small things that several rules say in the same way."""

import ast
import math
from collections.abc import Iterable, Sequence

from descend.check.evidence import Evidence
from descend.check.finding import Place
from descend.check.graph import Operation


def shape(sizes: Sequence[int]) -> str:
    """As PyTorch writes it: (64, 1), (64,)."""
    return str(tuple(sizes))


def number(value: float) -> str:
    """Four significant digits, thousands marked: 0.02346, 1,066, 2.303, 1.2e-09."""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if 1e-3 <= abs(value) < 1e6:
        digits = max(0, 3 - len(str(int(abs(value)))) + 1) if abs(value) >= 1 else 4
        return f"{value:,.{digits}f}" if abs(value) >= 1 else f"{value:.4g}"
    return f"{value:.3g}"


def percent(share: float) -> str:
    """A share of 1: 75 %, 0.4 %."""
    return f"{100 * share:.0f} %" if share >= 0.0995 or share == 0 else f"{100 * share:.2g} %"


def steps(numbers: Sequence[int]) -> str:
    """``step 3``, ``steps 1–20``, ``steps 1, 4, 7 and 12 more``."""
    every = sorted(set(numbers))
    if len(every) == 1:
        return f"step {every[0]:,}"
    if every[-1] - every[0] == len(every) - 1:
        return f"steps {every[0]:,}–{every[-1]:,}"
    shown = ", ".join(f"{each:,}" for each in every[:3])
    return f"steps {shown} and {len(every) - 3:,} more" if len(every) > 3 else f"steps {shown}"


def listed(names: Iterable[str], most: int = 4) -> str:
    """``fc1.weight, fc1.bias and 2 more``."""
    every = list(names)
    shown = ", ".join(every[:most])
    return f"{shown} and {len(every) - most:,} more" if len(every) > most else shown


def place_of(evidence: Evidence, operation: Operation) -> Place | None:
    """The line of an operation."""
    return evidence.place(operation.file, operation.line)


def line_with(evidence: Evidence, place: Place | None, old: ast.expr | None, new: str) -> str:
    """The source line of ``place`` with the text of one expression on it replaced; "" where it cannot be done."""
    if (
        place is None
        or old is None
        or old.end_col_offset is None
        or old.lineno != place.line
        or old.end_lineno != place.line
    ):
        return ""
    text = evidence.line_of(place.file, place.line).encode()
    return (text[: old.col_offset] + new.encode() + text[old.end_col_offset :]).decode().strip()


def callee(evidence: Evidence, place: Place | None) -> str:
    """What a line calls with the data: ``model`` of ``loss = criterion(model(x), y)``, ``self.net`` …; "" where it is not plain."""
    if place is None:
        return ""
    found = []
    for call in evidence.calls_on(place.file, place.line):
        inside = [each for each in ast.walk(call) if isinstance(each, ast.Call) and each is not call]
        if call.args and _is_model(call) and not any(_is_model(each) for each in inside):
            found.append(dotted(call.func))
    return found[0] if len(found) == 1 else ""


def dotted(expression: ast.expr) -> str:
    """``self.net`` of a plain name with plain attributes; "" for anything else."""
    parts = []
    while isinstance(expression, ast.Attribute):
        parts.append(expression.attr)
        expression = expression.value
    return ".".join([expression.id, *reversed(parts)]) if isinstance(expression, ast.Name) else ""


def _is_model(call: ast.Call) -> bool:
    name = dotted(call.func)
    return bool(name) and name.split(".")[0] not in _LIBRARIES and name.split(".")[-1] not in _METHODS


_METHODS = frozenset(
    ["view", "reshape", "flatten", "to", "unsqueeze", "squeeze", "permute", "append", "format", "size", "eq"]
)
_LIBRARIES = frozenset(["torch", "F", "nn", "np", "print", "len", "float", "int", "range", "zip", "enumerate"])
