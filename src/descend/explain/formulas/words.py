"""Numbers put into formulas: ``2·0.3367 + 0.1288 = 0.8022``. Four significant digits, a true minus sign, long sums abbreviated."""

import math
import struct
from collections.abc import Callable

MINUS = "−"
_MOST_TERMS = 4
_MOST_DIGITS = 7  # as many as a float32 has
_CLOSE = 0.02  # of the larger of two numbers: below it, four digits of each leave too few of their difference

Term = tuple[str, float]
"""A term of a sum as text, and its value."""


def number(value: float, digits: int = 4) -> str:
    """Four significant digits (0.3367, −29.68, −37.80), or as many as are wanted; thousands with one decimal (1,065.6).

    A number that is no more than these digits, in float32 or float64, is written without idle zeros (0.5, −0.31, 2); a
    whole number below a million in full.
    """
    value = float(value)
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else f"{MINUS}inf"
    if abs(value) < 1e6 and value == int(value):
        return f"{int(value):,}".replace("-", MINUS)
    rounded = float(f"{value:.{digits - 1}e}")
    size = abs(rounded)
    if not 1e-4 <= size < 1e6:
        text = f"{value:.{digits - 1}e}"
    elif rounded == value or _as_float32(rounded) == value:
        text = f"{rounded:,.{digits + 3}f}".rstrip("0")
    else:
        text = f"{value:,.{max(digits - 3, digits - 1 - math.floor(math.log10(size)))}f}"
    return text.replace("-", MINUS)


def _as_float32(value: float) -> float:
    found: float = struct.unpack("f", struct.pack("f", value))[0]
    return found


def bracketed(value: float) -> str:
    """The number as a later factor or under a power: in brackets where it is negative."""
    text = number(value)
    return f"({text})" if text.startswith(MINUS) else text


def times(*factors: float) -> str:
    """``0.25·(−0.31)``; the number 1 in front is left out."""
    shown = list(factors[1:]) if len(factors) > 1 and factors[0] == 1 else list(factors)
    return "·".join([number(shown[0]), *map(bracketed, shown[1:])])


def scaled(factor: float, text: str) -> str:
    """``0.25·text``; the factor 1 is left out."""
    return text if factor == 1 else f"{number(factor)}·{text}"


def plus(text: str) -> str:
    """A later term of a sum, with the sign before it."""
    return f" {MINUS} {text.removeprefix(MINUS)}" if text.startswith(MINUS) else f" + {text}"


def minus(first: float, second: float) -> str:
    """``3.2 − 98`` or ``3.2 + 98``; two that are close with as many digits as their difference needs to come out right."""
    digits, size, apart = 4, max(abs(first), abs(second)), abs(first - second)
    while digits < _MOST_DIGITS and 0 < apart < _CLOSE * size:
        digits, apart = digits + 1, 10 * apart
    text, other = number(second, digits), number(first, digits)
    return f"{other} + {text.removeprefix(MINUS)}" if text.startswith(MINUS) else f"{other} {MINUS} {text}"


def joined(term: Callable[[int], Term], count: int, total: float) -> str:
    """``a + b − … + z``: at most four terms one by one, else the first two and the last.

    total: of all terms; the sign before … is that of the terms left out, taken together.
    """
    if count == 0:
        return "0"
    if count <= _MOST_TERMS:
        terms = [term(position)[0] for position in range(count)]
        return terms[0] + "".join(map(plus, terms[1:]))
    first, second, last = term(0), term(1), term(count - 1)
    left_out = total - first[1] - second[1] - last[1]
    sign = MINUS if left_out < 0 else "+"
    return f"{first[0]}{plus(second[0])} {sign} …{plus(last[0])}"


def equal(text: str, value: float) -> str:
    """``text = value``; only the value where the text says no more."""
    shown = number(value)
    return shown if text == shown else f"{text} = {shown}"


def place(name: str, index: tuple[int, ...]) -> str:
    """``x[0, 2]``."""
    return f"{name}[{', '.join(map(str, index))}]" if index else name
