"""Small grey images in characters: what the model sees, drawn where it was seen.

Each character holds two square pixels, one above the other: with colours as greys (``▀``, the upper in the foreground, the lower
in the background), in plain text as black or white (``▀▄█``), and in ASCII as the nearest of ten characters to their mean.
"""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from descend.show.colours import MUTED, grey
from descend.show.layout import Look

Pixels = Sequence[Sequence[float]]
_RAMP = " .:-=+*#%@"
_INK = 0.35  # from here on a pixel counts as ink where it must be black or white


def digit(pixels: Pixels, look: Look) -> list[Text]:
    """Lines that draw rows of values in 0..1 (light on dark), half as many as there are rows."""
    if look == "grey":
        return _grey(pixels)
    if look == "ascii":
        return _ramp(pixels)
    return _half_blocks(pixels)


def crop(images: Sequence[Pixels]) -> list[Pixels]:
    """The same window cut out of all images: as small as holds every one's ink, an even number of rows and columns."""
    inked = [
        (row, column)
        for image in images
        for row, values in enumerate(image)
        for column, value in enumerate(values)
        if value >= _INK / 2
    ]
    if not inked:
        return list(images)
    top, bottom = _window([row for row, _ in inked], len(images[0]))
    left, right = _window([column for _, column in inked], len(images[0][0]))
    return [[row[left:right] for row in image[top:bottom]] for image in images]


def side_by_side(drawings: Sequence[Sequence[Text]], captions: Sequence[Sequence[str]], *, gap: int = 3) -> list[Text]:
    """Drawings in a row, each with its lines of caption below it, in columns of one width."""
    height = max(len(drawing) for drawing in drawings)
    widths = [
        max([line.cell_len for line in drawing] + [cell_len(line) for line in caption])
        for drawing, caption in zip(drawings, captions, strict=True)
    ]
    lines = []
    for number in range(height + max(len(caption) for caption in captions)):
        line = Text()
        for drawing, caption, width in zip(drawings, captions, widths, strict=True):
            if number < height:
                piece = drawing[number] if number < len(drawing) else Text()
            else:
                below = number - height
                piece = Text(caption[below] if below < len(caption) else "", style="" if below == 0 else MUTED)
            line.append_text(piece).append(" " * (width - piece.cell_len + gap))
        line.rstrip()
        lines.append(line)
    return lines


def _window(places: Sequence[int], side: int) -> tuple[int, int]:
    """First and last-but-one index of a window with a margin of one pixel where there is room, of even length."""
    first, last = max(0, min(places) - 1), min(side, max(places) + 2)
    if (last - first) % 2:
        first, last = (first - 1, last) if first else (first, min(side, last + 1))
    return first, last


def _pairs(pixels: Pixels) -> list[list[tuple[float, float]]]:
    """Rows of pixels taken two by two: (upper, lower)."""
    rows = [list(row) for row in pixels]
    if len(rows) % 2:
        rows.append([0.0] * len(rows[0]))
    return [list(zip(rows[top], rows[top + 1], strict=True)) for top in range(0, len(rows), 2)]


def _grey(pixels: Pixels) -> list[Text]:
    lines = []
    for row in _pairs(pixels):
        line = Text()
        for upper, lower in row:
            line.append("▀", style=Style(color=grey(upper), bgcolor=grey(lower)))
        lines.append(line)
    return lines


def _half_blocks(pixels: Pixels) -> list[Text]:
    blocks = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
    return [Text("".join(blocks[upper >= _INK, lower >= _INK] for upper, lower in row)) for row in _pairs(pixels)]


def _ramp(pixels: Pixels) -> list[Text]:
    def character(value: float) -> str:
        return _RAMP[round(min(max(value, 0.0), 1.0) * (len(_RAMP) - 1))]

    return [Text("".join(character((upper + lower) / 2) for upper, lower in row)) for row in _pairs(pixels)]
