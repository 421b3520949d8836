"""Any image file as grey levels: every size, mode and orientation that Pillow reads of the common formats."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from descend.errors import DataError

# Formats read by Pillow itself; others may hand the file to a program on this machine (EPS to Ghostscript).
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "ICO")
_FORMATS_IN_WORDS = "PNG, JPEG, BMP, GIF, TIFF, WebP or PPM"
_MOST_PIXELS = 50_000_000
_LONGEST_SIDE = 1024  # larger images are averaged down to about this before anything is measured
_SIXTEEN_BIT = 65535.0
_ORIENTATION = 0x0112  # the EXIF tag; 1 is upright


@dataclass(frozen=True, slots=True)
class GreyImage:
    """Grey levels (height, width) float32, 0 black to 1 white, of an image that is ``width`` × ``height`` upright.

    A large image is averaged down, so ``levels`` may have fewer pixels than the image.
    """

    levels: NDArray[np.float32]
    width: int
    height: int
    said: tuple[str, ...]  # what was done to it, in order


def read_grey(path: str | os.PathLike[str]) -> GreyImage:
    """The image in a file as grey levels.

    Raises:
        DataError: missing, a folder, no image, damaged, or more than 50 megapixels.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd files are of no use to the reader
            with Image.open(path, formats=_FORMATS) as image:
                _check_size(image.width, image.height, path)
                return _grey(image)
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything at bytes that only look like its format
        raise _explained(error, path) from None


def _check_size(width: int, height: int, path: Path) -> None:
    if width * height > _MOST_PIXELS:
        raise DataError(
            f"{path.name} is {width:,}×{height:,}, more than {_MOST_PIXELS // 1_000_000} megapixels",
            where=str(path),
            help="save it smaller; 500 pixels across are plenty for a digit",
        )


def _explained(error: Exception, path: Path) -> DataError:
    """What an exception of the file system or of Pillow means to the person who gave the path."""
    where = str(path)
    match error:
        case UnidentifiedImageError():
            return DataError(
                f"{path.name} is not an image that can be read", where=where, help=f"save it as {_FORMATS_IN_WORDS}"
            )
        case FileNotFoundError():
            return DataError(f"there is no image {path.name!r}", where=where, help="check the path to the image")
        case IsADirectoryError():
            return DataError(f"{path.name!r} is a folder, not an image", where=where, help="give the path of one image")
        case PermissionError():
            return DataError(
                f"{path.name!r} may not be read: permission denied", where=where, help="check the file's permissions"
            )
        case Image.DecompressionBombError():
            return DataError(
                f"{path.name} has more than {_MOST_PIXELS // 1_000_000} megapixels",
                where=where,
                help="save it smaller; 500 pixels across are plenty for a digit",
            )
        case ValueError() if "\0" in where:
            shown = where.replace("\0", "\\0")
            return DataError("the path holds a null byte, no file has such a name", where=shown, help="check the path")
        case _:
            return DataError(
                f"{path.name} is a damaged image: {error or type(error).__name__}",
                where=where,
                help="save or copy the image again",
            )


def _grey(image: Image.Image) -> GreyImage:
    said: list[str] = []
    upright = ImageOps.exif_transpose(image)
    if image.getexif().get(_ORIENTATION, 1) in range(2, 9):
        said.append("turned upright, as the camera noted")
    width, height = upright.size
    factor = max(width, height) // _LONGEST_SIDE
    if upright.has_transparency_data:
        levels, paper = _without_transparency(_reduced(upright.convert("RGBA"), factor))
        said.extend(paper)
    elif upright.mode in ("1", "L", "P", "RGB", "CMYK", "YCbCr", "LAB", "HSV"):
        colour = upright if upright.mode in ("1", "L") else upright.convert("RGB")
        levels = np.asarray(_reduced(colour.convert("L"), factor), dtype=np.float32) / np.float32(255)
    else:  # 16 or 32 bits a pixel
        levels = _scaled(np.asarray(_reduced(upright.convert("F"), factor), dtype=np.float32))
    return GreyImage(levels, width, height, tuple(said))


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    """The image averaged over squares of ``factor`` pixels."""
    return image.reduce(factor) if factor > 1 else image


def _scaled(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Levels of a deep image in 0..1: fractions as they are, 16-bit by 65,535, anything else from its own low to its high."""
    levels = np.nan_to_num(levels, posinf=0.0, neginf=0.0)
    low, high = float(levels.min()), float(levels.max())
    if low >= 0 and high <= 1:
        return levels
    if low >= 0 and high <= _SIXTEEN_BIT:
        return levels / np.float32(_SIXTEEN_BIT)
    # In double precision: the range of single ones may be too large for a single one.
    return ((levels.astype(np.float64) - low) / (high - low)).astype(np.float32)


def _without_transparency(image: Image.Image) -> tuple[NDArray[np.float32], list[str]]:
    """An RGBA image laid on paper, and a word on which paper.

    Ink of one tone is laid on the opposite tone, so that it shows; anything else on the tone that most of it has.
    """
    light = np.asarray(image.convert("RGB").convert("L"), dtype=np.float32) / np.float32(255)
    alpha = np.asarray(image.getchannel("A"), dtype=np.float32) / np.float32(255)
    if float(alpha.min()) == 1.0:
        return light, []
    seen = light[alpha > 0.5]
    if seen.size == 0:
        return np.ones_like(light), []
    if float(seen.max() - seen.min()) < 0.2:
        paper = 0.0 if float(seen.mean()) > 0.5 else 1.0
    else:
        paper = 1.0 if float(np.median(seen)) > 0.5 else 0.0
    laid = light * alpha + np.float32(paper) * (1 - alpha)
    return laid, [f"transparent background: taken as {'white' if paper else 'black'}"]
