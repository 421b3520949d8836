"""read_digit: MNIST's own digits, enlarged, turned, inverted and dirtied, come back; anything else gets one clear message."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from descend import data
from descend.data.digit import read_digit
from descend.data.idx import read_idx
from descend.errors import DataError

Save = Callable[..., Path]
Bytes = NDArray[np.uint8]
DIGITS = read_idx(Path(str(data.__file__)).parent / "mnist" / "t10k-images-idx3-ubyte.gz")[:40]
SEVEN = DIGITS[0]
FITTED = "ink fitted into 20×20, its centre of mass in the middle"


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def save_image(image: Image.Image | Bytes, name: str = "digit.png", **options: Any) -> Path:
        path = tmp_path / name
        (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
        return path

    return save_image


def scene(
    digit: Bytes, *, enlarge: int = 10, size: tuple[int, int] = (640, 480), at: tuple[int, int] = (70, 150)
) -> Bytes:
    """The digit, light on dark, somewhere on a larger canvas."""
    canvas = np.zeros((size[1], size[0]), dtype=np.uint8)
    large = digit.repeat(enlarge, axis=0).repeat(enlarge, axis=1)
    canvas[at[1] : at[1] + len(large), at[0] : at[0] + len(large)] = large
    return canvas


def distance(found: torch.Tensor, digit: Bytes) -> float:
    """Mean absolute difference of grey levels, 0..1, where the ink of a digit is about 0.13 of its image."""
    return float(np.abs(found[0].numpy() - digit / 255).mean())


def message(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_digit(path)
    assert caught.value.where
    assert caught.value.help
    return str(caught.value)


# What it makes of a digit


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_28_by_28_light_on_dark_is_used_bit_for_bit(save: Save, mode: str) -> None:
    for digit in DIGITS:
        image = read_digit(save(Image.fromarray(digit).convert(mode)))
        assert image.said == ()
        assert image.pixels.shape == (1, 28, 28)
        assert torch.equal(image.pixels[0], torch.from_numpy(digit.copy()).float() / 255)


def test_28_by_28_dark_on_light_is_only_inverted(save: Save) -> None:
    image = read_digit(save(255 - SEVEN))
    assert image.said == ("dark on light: inverted",)
    assert distance(image.pixels, SEVEN) < 1e-6


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize(("enlarge", "at"), [(3, (5, 300)), (10, (70, 150)), (17, (1, 2))])
def test_enlarged_shifted_digits_come_back(save: Save, inverted: bool, enlarge: int, at: tuple[int, int]) -> None:
    for digit in DIGITS:
        drawn = scene(digit, enlarge=enlarge, at=at)
        image = read_digit(save(255 - drawn if inverted else drawn))
        assert distance(image.pixels, digit) < 0.02
        assert image.said == (("dark on light: inverted",) if inverted else ()) + ("640×480 → 28×28", FITTED)


def test_a_digit_smaller_than_its_box_is_enlarged(save: Save) -> None:
    small = np.asarray(Image.fromarray(SEVEN).resize((14, 14), Image.Resampling.BOX))
    image = read_digit(save(255 - small))
    assert image.said == ("dark on light: inverted", "14×14 → 28×28", FITTED)
    assert distance(image.pixels, SEVEN) < 0.08  # half of its detail is gone


@given(
    top=st.integers(0, 200),
    left=st.integers(0, 200),
    height=st.integers(1, 200),
    width=st.integers(1, 200),
)
def test_the_ink_fits_20_by_20_with_its_mass_in_the_middle(
    tmp_path_factory: pytest.TempPathFactory, top: int, left: int, height: int, width: int
) -> None:
    drawn = np.full((402, 402), 255, dtype=np.uint8)
    drawn[1 + top : 1 + top + height, 1 + left : 1 + left + width] = 0
    path = tmp_path_factory.mktemp("digit") / "block.png"
    Image.fromarray(drawn).save(path)
    pixels = read_digit(path).pixels[0].numpy()
    assert pixels.dtype == np.float32
    assert pixels.min() == 0
    assert pixels.max() == 1
    rows, columns = np.nonzero(pixels > 0)
    sides = (int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1)
    assert max(sides) == 20
    assert min(sides) == pytest.approx(20 * min(height, width) / max(height, width), abs=1)
    for axis in (0, 1):  # MNIST's own centres of mass lie between 13.5 and 14.5
        along = pixels.sum(axis=1 - axis)
        assert float((along * np.arange(28)).sum() / along.sum()) == pytest.approx(14, abs=0.5001)


def test_a_lopsided_digit_stays_whole_inside_the_frame(save: Save) -> None:
    drawn = np.full((300, 300), 255, dtype=np.uint8)
    drawn[50:250, 100:110] = 0  # a long thin stem …
    drawn[50:90, 60:240] = 0  # … under a heavy bar
    pixels = read_digit(save(drawn)).pixels[0].numpy()
    rows, columns = np.nonzero(pixels)
    assert [int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1] == [20, 18]


def test_every_mode_gives_the_same_digit(save: Save) -> None:
    drawn = scene(SEVEN)
    grey = Image.fromarray(255 - drawn)
    expected = read_digit(save(grey)).pixels
    for mode in ("1", "RGB", "RGBA", "LA", "P", "CMYK"):
        name = "digit.tif" if mode == "CMYK" else "digit.png"
        found = read_digit(save(grey.convert(mode), name)).pixels
        assert float((found - expected).abs().mean()) < 0.03, mode
    deep = Image.fromarray((255 - drawn).astype(np.uint16) * 257)
    assert torch.allclose(read_digit(save(deep, "deep.png")).pixels, expected, atol=1e-5)
    for levels in ((255 - drawn).astype(np.float32) / 255, (255 - drawn).astype(np.float32) * 1e6 - 5e7):
        assert torch.allclose(read_digit(save(Image.fromarray(levels), "float.tif")).pixels, expected, atol=1e-4)


@pytest.mark.parametrize("reach", [1e4, 1e12, 3.2e38])
def test_numbers_of_any_range_give_the_same_digit(save: Save, reach: float) -> None:
    """The range of the largest numbers is more than single precision can hold."""
    drawn = scene(SEVEN)
    wide = Image.fromarray(((drawn / 127.5 - 1) * reach).astype(np.float32))
    assert torch.allclose(read_digit(save(wide, "wide.tiff")).pixels, read_digit(save(drawn)).pixels, atol=1e-3)


@pytest.mark.parametrize("suffix", ["jpg", "bmp", "gif", "webp", "tif", "ppm"])
def test_every_format_gives_the_same_digit(save: Save, suffix: str) -> None:
    image = read_digit(save(255 - scene(SEVEN), f"digit.{suffix}"))
    assert distance(image.pixels, SEVEN) < 0.02


@pytest.mark.parametrize(("tone", "paper"), [(0, "white"), (255, "black")])
def test_ink_on_a_transparent_background_shows(save: Save, tone: int, paper: str) -> None:
    alpha = scene(SEVEN)
    rgba = np.dstack([np.full((*alpha.shape, 3), tone, dtype=np.uint8), alpha])
    image = read_digit(save(rgba))
    assert image.said[0] == f"transparent background: taken as {paper}"
    assert distance(image.pixels, SEVEN) < 0.02


def test_a_white_page_with_transparent_margins(save: Save) -> None:
    page = 255 - scene(SEVEN)
    alpha = np.full_like(page, 255)
    alpha[:, :30] = 0
    image = read_digit(save(np.dstack([page, page, page, alpha])))
    assert image.said[0] == "transparent background: taken as white"
    assert distance(image.pixels, SEVEN) < 0.02


@pytest.mark.parametrize(("orientation", "quarter_turns"), [(3, 2), (6, 1), (8, 3)])
def test_a_photograph_is_turned_upright(save: Save, orientation: int, quarter_turns: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = np.rot90(255 - scene(SEVEN), quarter_turns).copy()
    image = read_digit(save(lying, "photo.jpg", exif=exif, quality=95))
    assert image.said[:3] == ("turned upright, as the camera noted", "dark on light: inverted", "640×480 → 28×28")
    assert distance(image.pixels, SEVEN) < 0.02


@pytest.mark.parametrize(("noise", "shade"), [(0.02, 0.0), (0.05, 0.1), (0.03, 0.2)])
def test_a_grainy_photograph_under_a_lamp(save: Save, noise: float, shade: float) -> None:
    random = np.random.default_rng(0)
    light = np.linspace(-shade, shade, 640)[None, :]
    likeness = []
    for digit in DIGITS[:10]:
        soft = np.asarray(Image.fromarray(scene(digit)).filter(ImageFilter.GaussianBlur(2))) / 255
        levels = 0.75 + light - 0.5 * soft + random.normal(0, noise, soft.shape)
        image = read_digit(save((levels.clip(0, 1) * 255).astype(np.uint8)))
        assert "dark on light: inverted" in image.said
        assert any(line.startswith("contrast stretched from 0.") for line in image.said)
        likeness.append(np.corrcoef(image.pixels.numpy().ravel(), digit.ravel())[0, 1])
    assert np.mean(likeness) > 0.9
    assert min(likeness) > 0.8


def test_a_large_image_is_averaged_down_and_says_its_own_size(save: Save) -> None:
    drawn = scene(SEVEN, enlarge=100, size=(4000, 3000), at=(900, 100))
    image = read_digit(save(255 - drawn))
    assert image.said[1] == "4000×3000 → 28×28"
    assert distance(image.pixels, SEVEN) < 0.03


# What it refuses, and in which words


@pytest.mark.parametrize("tone", [0, 90, 255])
def test_a_blank_image(save: Save, tone: int) -> None:
    text = message(save(np.full((50, 50), tone, dtype=np.uint8)))
    assert "digit.png is blank: nothing on it stands out from its background" in text
    assert "help: give a picture of one digit, written clearly" in text
    assert "is blank" in message(save(np.full((28, 28), tone, dtype=np.uint8)))


def test_grain_and_full_transparency_are_blank_too(save: Save) -> None:
    grain = np.random.default_rng(0).normal(180, 8, (480, 640)).astype(np.uint8)
    assert "is blank" in message(save(grain))
    assert "is blank" in message(save(np.zeros((40, 40, 4), dtype=np.uint8)))
    assert "is blank" in message(save(np.zeros((1, 1), dtype=np.uint8)))


def test_a_missing_file_a_folder_and_an_odd_path(tmp_path: Path) -> None:
    assert message(tmp_path / "seven.png") == (
        f"there is no image 'seven.png'\n  where: {tmp_path / 'seven.png'}\n  help: check the path to the image"
    )
    assert f"'{tmp_path.name}' is a folder, not an image" in message(tmp_path)
    assert "the path holds a null byte, no file has such a name\n  where: a\\0b.png" in message(Path("a\0b.png"))


@pytest.mark.parametrize("content", [b"", b"3,4,5\n", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"\x89PNG"])
def test_no_image(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "digit.png"
    path.write_bytes(content)
    text = message(path)
    assert "digit.png is not an image that can be read" in text
    assert "help: save it as PNG, JPEG, BMP, GIF, TIFF, WebP or PPM" in text


def test_a_damaged_image(save: Save) -> None:
    path = save(scene(SEVEN))
    path.write_bytes(path.read_bytes()[:300])
    text = message(path)
    assert "digit.png is a damaged image: " in text
    assert "help: save or copy the image again" in text


def test_a_file_that_may_not_be_read(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", refuse)
    assert "'digit.png' may not be read: permission denied" in message(save(SEVEN))


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds no pixel."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("width", "height", "words"),
    [
        (10_000, 6_000, "bomb.png is 10,000×6,000, more than 50 megapixels"),
        (100_000, 100_000, "bomb.png has more than 50 megapixels"),
    ],
)
def test_a_huge_image_is_refused_before_it_is_unpacked(tmp_path: Path, width: int, height: int, words: str) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(width, height))
    text = message(path)
    assert words in text
    assert "help: save it smaller; 500 pixels across are plenty for a digit" in text


@settings(max_examples=300)
@given(
    place=st.integers(0, 5_000), value=st.integers(1, 255), form=st.sampled_from(["PNG", "GIF", "BMP", "TIFF", "JPEG"])
)
def test_no_changed_byte_gives_anything_but_a_digit_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int, form: str
) -> None:
    buffer = BytesIO()
    Image.fromarray(255 - DIGITS[3]).resize((40, 50)).save(buffer, form)
    content = bytearray(buffer.getvalue())
    content[place % len(content)] ^= value
    path = tmp_path_factory.mktemp("digit") / "digit"
    path.write_bytes(content)
    try:
        image = read_digit(path)
    except DataError as error:
        assert error.help
    else:
        assert image.pixels.shape == (1, 28, 28)
        assert float(image.pixels.min()) >= 0
        assert float(image.pixels.max()) <= 1


@given(arrays=st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1)))
def test_any_picture_is_a_digit_or_blank(
    tmp_path_factory: pytest.TempPathFactory, arrays: tuple[int, int, int]
) -> None:
    height, width, seed = arrays
    levels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    path = tmp_path_factory.mktemp("digit") / "noise.png"
    Image.fromarray(levels).save(path)
    try:
        pixels = read_digit(path).pixels
    except DataError as error:
        assert "is blank" in error.what
    else:
        assert torch.isfinite(pixels).all()
        assert float(pixels.max()) <= 1
