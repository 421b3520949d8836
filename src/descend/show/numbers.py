"""How numbers are written, once for every view, so that a figure looks the same wherever it stands.

A missing value is written ``–``. Nothing is rounded into a claim: 99.996 % never becomes 100 %, nor 0.001 % nothing.
"""

import math

MISSING = "–"
NO_BREAK = "\N{NO-BREAK SPACE}"


def loss(value: float | None) -> str:
    """Four decimals, as losses are commonly quoted; scientific where these would show nothing or far too much."""
    if value is None:
        return MISSING
    if not math.isfinite(value):
        return _not_finite(value)
    if value != 0 and not 0.0005 <= abs(value) < 1e6:
        return f"{value:.3e}"
    return f"{value:,.4f}"


def short(value: float | None) -> str:
    """At most five significant digits and four decimals, for a number inside a sentence: 7,326.7, 2.2405, 0.0219."""
    if value is None:
        return MISSING
    if not math.isfinite(value) or (value != 0 and not 0.0005 <= abs(value) < 1e6):
        return loss(value)
    decimals = 4
    while decimals > 1 and abs(value) >= 10 ** (5 - decimals):
        decimals -= 1
    return f"{value:,.{decimals}f}"


def setting(value: float) -> str:
    """A number that somebody chose: no more digits than it has (0.001, 1e-05, 64)."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.10g}"


def percent(share: float | None, decimals: int = 1, *, most: int | None = None) -> str:
    """A share of 1 as a percentage. Up to ``most`` decimals are taken where fewer would round to 0 or 100 %."""
    if share is None:
        return MISSING
    if not math.isfinite(share):
        return _not_finite(share)
    for places in range(decimals, max(decimals, most or 0) + 1):
        text = f"{share * 100:.{places}f}"
        if share in (0.0, 1.0) or float(text) not in (0.0, 100.0):
            return f"{text}{NO_BREAK}%"
    smallest = 10.0**-places
    return (
        f">{NO_BREAK}{100 - smallest:.{places}f}{NO_BREAK}%"
        if share > 0.5
        else f"<{NO_BREAK}{smallest:.{places}f}{NO_BREAK}%"
    )


def count(value: int) -> str:
    """A whole number with thousands marked: 60,000."""
    return f"{value:,}"


def plural(value: int, noun: str) -> str:
    """``1 epoch``, ``10 epochs``, ``2 losses``."""
    return (
        f"{value:,}{NO_BREAK}{noun}"
        if value == 1
        else f"{value:,}{NO_BREAK}{noun}{'es' if noun.endswith('s') else 's'}"
    )


def rate(value: float) -> str:
    """Three significant digits: a speed is not known better (124,312 → 124,000)."""
    if not math.isfinite(value) or value <= 0:
        return MISSING
    places = 2 - math.floor(math.log10(value))
    return f"{round(value, places):,.{max(0, places)}f}"


def seconds(value: float | None) -> str:
    """A duration at the precision a reader needs: 40 µs, 12 ms, 0.52 s, 14 s, 2 min 05 s, 1 h 03 min."""
    if value is None:
        return MISSING
    if not math.isfinite(value):
        return _not_finite(value)
    if 0 < value < 0.0000995:
        text = f"{value * 1e6:.0f} µs" if value >= 0.00000095 else "<1 µs"
    elif value < 0.0995:
        text = f"{value * 1000:.1f} ms" if value < 0.00995 else f"{value * 1000:.0f} ms"
    elif value < 9.95:
        text = f"{value:.2f} s" if value < 0.995 else f"{value:.1f} s"
    elif value < 99.5:
        text = f"{value:.0f} s"
    elif value < 3570:
        minutes, rest = divmod(round(value), 60)
        text = f"{minutes} min {rest:02d} s"
    else:
        hours, rest = divmod(round(value / 60), 60)
        text = f"{hours} h {rest:02d} min"
    return text.replace(" ", NO_BREAK)


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return "inf" if value > 0 else "-inf"
