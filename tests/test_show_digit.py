import gzip
from importlib.resources import files

import pytest
from rich.style import Style
from rich.text import Text

from descend.show.colours import grey
from descend.show.digit import crop, digit, side_by_side


def first_test_digit() -> list[list[float]]:
    """The first image of MNIST's test set: a seven."""
    packed = files("descend").joinpath("data/mnist/t10k-images-idx3-ubyte.gz").read_bytes()
    pixels = gzip.decompress(packed)[16 : 16 + 784]
    return [[value / 255 for value in pixels[row * 28 : row * 28 + 28]] for row in range(28)]


def test_a_real_seven_in_plain_text() -> None:
    lines = [line.plain.rstrip() for line in digit(first_test_digit(), "blocks")]
    assert lines[3:] == [
        "       ▄▄▄",
        "      ▀█▀████████████▄",
        "                   ██▀",
        "                 ▄██",
        "                ▄██",
        "               ▄██",
        "              ▄██",
        "             ██▀",
        "           ▄██▀",
        "          ▄███",
        "          ▀▀▀",
    ]
    assert lines[:3] == ["", "", ""]


def test_colours_show_every_pixel_as_a_grey() -> None:
    (line,) = digit([[0.0, 1.0], [0.5, 0.25]], "grey")
    assert line.plain == "▀▀"
    styles = [Style(color=grey(0.0), bgcolor=grey(0.5)), Style(color=grey(1.0), bgcolor=grey(0.25))]
    assert [span.style for span in line.spans] == styles


def test_greys_run_from_paper_to_ink() -> None:
    assert grey(-1.0) == grey(0.0) == "#1a1a1a"
    assert grey(2.0) == grey(1.0) == "#f0f0f0"


def test_ascii_levels_are_means_of_two() -> None:
    (line,) = digit([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]], "ascii")
    assert line.plain == " @="


@pytest.mark.parametrize("look", ["grey", "blocks", "ascii"])
def test_an_odd_number_of_rows_is_filled_up(look: str) -> None:
    assert len(digit([[1.0]] * 3, look)) == 2  # type: ignore[arg-type]


def test_crop_keeps_all_ink_of_all_images_in_one_window() -> None:
    first = [[0.0] * 28 for _ in range(28)]
    second = [[0.0] * 28 for _ in range(28)]
    first[5][10], second[20][15] = 1.0, 1.0
    cut = crop([first, second])
    assert [(len(image), len(image[0])) for image in cut] == [(18, 8), (18, 8)]
    assert sum(map(sum, cut[0])) == sum(map(sum, cut[1])) == 1.0


def test_ink_at_the_edges_is_kept() -> None:
    image = [[1.0] * 28 for _ in range(28)]
    assert crop([image]) == [image]


def test_a_blank_image_stays_whole() -> None:
    blank = [[0.0] * 4 for _ in range(4)]
    assert crop([blank]) == [blank]


def test_captions_stand_below_their_pictures() -> None:
    lines = side_by_side([[Text("##"), Text("##")], [Text("@@@@@")]], [["a", "1"], ["said 7"]], gap=1)
    assert [line.plain for line in lines] == ["## @@@@@", "##", "a  said 7", "1"]
