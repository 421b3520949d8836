"""A picture of one handwritten digit, brought into the form in which MNIST's digits are.

MNIST's authors fitted the ink into a box of 20×20 pixels, keeping its proportions, smoothed by averaging, and moved it so that
its centre of mass lies in the middle of 28×28 (http://yann.lecun.com/exdb/mnist/). In their files that centre lies within half
a pixel of pixel 14, counted from 0; so it does here.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from descend.data.image_file import read_grey
from descend.errors import DataError

_SIDE = 28
_BOX = 20
_MIDDLE = 14
_FAINTEST = 0.04  # a contrast below ten grey levels of 255 is paper, not ink
_GRAINY = 200  # the longer side to which a grainy image is averaged down
_Levels = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DigitImage:
    """A digit as the model sees it."""

    pixels: Tensor  # (1, 28, 28) float32 in 0..1, light on dark
    said: tuple[str, ...]  # what was changed, in order; empty for an image used as it is


def read_digit(path: str | os.PathLike[str]) -> DigitImage:
    """The digit in an image file of any size, light on dark or dark on light.

    An image that already is 28×28, light on dark, is used as it is: divided by 255, nothing else.

    Raises:
        DataError: the file is missing, no image, damaged or huge, or there is nothing on it.
    """
    image = read_grey(path)
    said = list(image.said)
    ink, floor, inverted = _ink(image.levels)
    if float(ink.max()) < max(_FAINTEST, 2.5 * floor):
        raise DataError(
            f"{Path(path).name} is blank: nothing on it stands out from its background",
            where=str(path),
            help="give a picture of one digit, written clearly",
        )
    if inverted:
        said.append("dark on light: inverted")
    if image.levels.shape == (_SIDE, _SIDE):
        pixels = 1 - image.levels if inverted else image.levels
    else:
        contrast = float(ink.max())
        if contrast < 0.9:
            said.append(f"contrast stretched from {contrast:.2f} to 1")
        said.append(f"{image.width}×{image.height} → {_SIDE}×{_SIDE}")
        said.append(f"ink fitted into {_BOX}×{_BOX}, its centre of mass in the middle")
        pixels = _centred(_fitted(ink, floor))
    return DigitImage(torch.from_numpy(np.array(pixels, dtype=np.float32)).unsqueeze(0), tuple(said))


def _ink(levels: _Levels) -> tuple[_Levels, float, bool]:
    """How far each pixel stands out from the paper, how uneven the paper itself is, and whether the ink is the darker one."""
    paper, floor = _paper(levels)
    if floor > 0 and max(levels.shape) >= 2 * _GRAINY:  # the grain of a photograph: average it away
        levels = np.asarray(Image.fromarray(levels).reduce(max(levels.shape) // _GRAINY), dtype=np.float32)
        paper, floor = _paper(levels)
    above = np.clip(levels - paper, 0, None)
    below = np.clip(paper - levels, 0, None)
    inverted = bool(np.square(below).sum() > np.square(above).sum())
    return (below if inverted else above), floor, inverted


def _paper(levels: _Levels) -> tuple[_Levels, float]:
    """The level of the paper at every pixel, judged from the border of the image, and its unevenness.

    Paper of one level gives a plain image and 0. Otherwise a plane through the border follows light that falls from one side,
    and the unevenness is three standard deviations about it, from the median, so that ink at the border does not count.
    """
    height, width = levels.shape
    on_border = np.zeros(levels.shape, dtype=bool)
    on_border[[0, -1]] = on_border[:, [0, -1]] = True
    border = levels[on_border].astype(np.float64)
    paper = np.full(levels.shape, np.median(border), dtype=np.float32)
    spread = _three_deviations(border - np.median(border))
    if spread == 0:
        return paper, 0.0
    rows, columns = np.nonzero(on_border)
    plane = np.stack([np.ones(len(rows)), rows / height, columns / width], axis=1)  # (border, 3)
    near = np.abs(border - np.median(border)) <= spread
    (level, down, across), *_ = np.linalg.lstsq(plane[near], border[near], rcond=None)
    y, x = np.ogrid[:height, :width]
    paper = (level + down * y / height + across * x / width).astype(np.float32)
    return paper, _three_deviations(border - paper[on_border])


def _three_deviations(differences: NDArray[np.float64]) -> float:
    return 3 * 1.4826 * float(np.median(np.abs(differences)))


def _fitted(ink: _Levels, floor: float) -> _Levels:
    """The ink alone, scaled so that its longer side has 20 pixels and its darkest point is 1."""
    peak = float(ink.max())
    edge = peak * 0.15 + min(2 * floor, peak * 0.35)  # what counts as ink when its box is measured
    rows, columns = np.nonzero(ink > edge)
    top, bottom, left, right = int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1
    scale = _BOX / max(bottom - top, right - left)
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    clean = np.clip(ink - np.float32(floor), 0, None)
    box = Image.fromarray(clean).resize(size, Image.Resampling.BICUBIC, box=(left, top, right, bottom))
    small = np.clip(np.asarray(box, dtype=np.float32), 0, None)
    fitted: _Levels = small / small.max()
    return fitted


def _centred(digit: _Levels) -> _Levels:
    """28×28 with the digit's centre of mass at the middle, as near as whole pixels and the frame allow."""
    height, width = digit.shape
    mass = digit.sum()
    row = float((digit.sum(axis=1) * np.arange(height)).sum() / mass)
    column = float((digit.sum(axis=0) * np.arange(width)).sum() / mass)
    top = min(max(round(_MIDDLE - row), 0), _SIDE - height)
    left = min(max(round(_MIDDLE - column), 0), _SIDE - width)
    field = np.zeros((_SIDE, _SIDE), dtype=np.float32)
    field[top : top + height, left : left + width] = digit
    return field
