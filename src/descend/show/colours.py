"""The design colours, in one place: the terminal, and whatever else shows a run, take them from here.

Each is a middle tone that reads on a light and on a dark background alike (contrast of 3:1 or more with white and with black).
The colours of the six phases follow Okabe and Ito's palette, which people with colour-blindness can tell apart.
"""

from collections.abc import Mapping

STRONG = "bold"
MUTED = "#808080"
ACCENT = "#2f81c7"
GOOD = "#2c9460"
WARNING = "#b7791f"
BAD = "#d0483f"

PHASE_COLOURS: Mapping[str, str] = {
    "data": "#7a8290",
    "forward": "#2f81c7",
    "loss": "#b8649a",
    "backward": "#d4691e",
    "update": "#2c9460",
    "zero": "#a38a1f",
}

# Ink of a drawn digit runs from the first to the second: never the terminal's own black, so that the picture's edge is seen.
PAPER_GREY, INK_GREY = 26, 240


def grey(value: float) -> str:
    """The grey of a pixel value in 0..1, as ``#rrggbb``."""
    level = round(PAPER_GREY + min(max(value, 0.0), 1.0) * (INK_GREY - PAPER_GREY))
    return f"#{level:02x}{level:02x}{level:02x}"
