"""read_idx: against the standard library's own reading of the format, against damaged and lying files, and its words."""

import gzip
import hashlib
import itertools
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descend import data
from descend.data.idx import read_idx
from descend.errors import DataError

MNIST = Path(str(data.__file__)).parent / "mnist"


def idx_bytes(values: np.ndarray) -> bytes:
    """The format written with struct, independently of the reader."""
    header = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.astype(np.uint8).tobytes()


def message(path: Path, content: bytes | None = None) -> str:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_idx(path)
    assert caught.value.where
    assert caught.value.help
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "md5", "shape"),
    [
        ("train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb", (60_000, 28, 28)),
        ("train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624", (60_000,)),
        ("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea", (10_000, 28, 28)),
        ("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637", (10_000,)),
    ],
)
def test_mnist_is_the_published_one_byte_for_byte(name: str, md5: str, shape: tuple[int, ...]) -> None:
    values = read_idx(MNIST / f"{name}.gz")
    assert values.shape == shape
    assert hashlib.md5(idx_bytes(values), usedforsecurity=False).hexdigest() == md5
    assert md5 in (MNIST / "LICENCE.md").read_text(encoding="utf-8")


@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    first=st.integers(0, 255),
    packed=st.booleans(),
    members=st.integers(1, 3),
)
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], first: int, packed: bool, members: int
) -> None:
    values = ((np.arange(np.prod(shape)) + first) % 256).astype(np.uint8).reshape(shape)
    content = idx_bytes(values)
    if packed:  # a gzip file may be several, one after the other
        cuts = [round(len(content) * part / members) for part in range(members + 1)]
        content = b"".join(gzip.compress(content[a:b]) for a, b in itertools.pairwise(cuts))
    path = tmp_path_factory.mktemp("idx") / "values"
    path.write_bytes(content)
    found = read_idx(path)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, values)


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=64), st.binary(max_size=64).map(lambda tail: b"\0\0\x08" + tail)), st.booleans())
def test_any_bytes_are_an_array_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, packed: bool
) -> None:
    path = tmp_path_factory.mktemp("idx") / "values"
    path.write_bytes(gzip.compress(content) if packed else content)
    try:
        found = read_idx(path)
    except DataError as error:
        assert error.help
    else:
        assert idx_bytes(found) == content


@settings(max_examples=200)
@given(place=st.integers(0, 10_000), value=st.integers(1, 255))
def test_no_changed_byte_of_a_gzip_file_gives_other_values(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int
) -> None:
    values = np.arange(60, dtype=np.uint8).reshape(3, 4, 5)
    content = bytearray(gzip.compress(idx_bytes(values), mtime=0))
    content[place % len(content)] ^= value
    path = tmp_path_factory.mktemp("idx") / "values.gz"
    path.write_bytes(content)
    try:
        found = read_idx(path)
    except DataError:
        return
    np.testing.assert_array_equal(found, values)  # only bytes without meaning (time, system) may change unnoticed


def test_a_header_that_lies_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    sizes = struct.pack(">3I", 4_000_000_000, 4_000_000_000, 4_000_000_000)
    tracemalloc.start()
    text = message(path, b"\0\0\x08\x03" + sizes + b"abc")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
    assert "declares 4,000,000,000 × 4,000,000,000 × 4,000,000,000 =" in text
    assert "holds only 3" in text


def test_a_gzip_bomb_is_left_after_the_declared_bytes(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    content = gzip.compress(b"\0\0\x08\x01" + struct.pack(">I", 100) + bytes(100_000_000), 1)
    tracemalloc.start()
    text = message(path, content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000
    assert "bomb.gz declares 100 values, and more bytes follow them" in text


def test_truncated_values_are_counted(tmp_path: Path) -> None:
    whole = idx_bytes(np.zeros((10, 28, 28)))
    text = message(tmp_path / "images", whole[:1000])
    assert "images declares 10 × 28 × 28 = 7,840 values and holds only 984" in text
    assert "help: download or copy the file again; it is damaged or incomplete" in text


def test_a_gzip_file_that_breaks_off(tmp_path: Path) -> None:
    packed = gzip.compress(idx_bytes(np.random.default_rng(0).integers(0, 256, (50, 28))))
    assert "images.gz is a gzip file that breaks off in the middle" in message(tmp_path / "images.gz", packed[:700])
    # all values are there, and only the checksum at the end is missing
    assert "breaks off in the middle" in message(tmp_path / "images.gz", packed[:-3])


def test_a_damaged_gzip_file_fails_its_checksum(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(idx_bytes(np.zeros((10, 10)))))
    packed[-8] ^= 1
    assert "images.gz is a damaged gzip file: CRC check failed" in message(tmp_path / "images.gz", bytes(packed))


def test_trailing_bytes_are_refused(tmp_path: Path) -> None:
    text = message(tmp_path / "labels", idx_bytes(np.arange(5)) + b"!")
    assert "labels declares 5 values, and more bytes follow them" in text


def test_an_empty_file(tmp_path: Path) -> None:
    assert "labels is empty" in message(tmp_path / "labels", b"")
    assert "labels.gz is empty" in message(tmp_path / "labels.gz", gzip.compress(b""))


def test_another_kind_of_file_shows_its_first_bytes(tmp_path: Path) -> None:
    text = message(tmp_path / "digit.png", b"\x89PNG\r\n\x1a\n" + bytes(20))
    assert "digit.png is not an IDX file: it starts with the bytes 89 50 4e 47" in text
    assert "00 00 08 and the number of dimensions are expected" in text
    assert "help: give an IDX file of unsigned bytes, such as MNIST's train-images-idx3-ubyte" in text
    assert "is not an IDX file: it starts with the bytes 00 00" in message(tmp_path / "short", b"\0\0")


def test_another_type_of_value_is_named(tmp_path: Path) -> None:
    text = message(tmp_path / "floats", b"\0\0\x0d\x01" + struct.pack(">I", 1) + bytes(4))
    assert "floats holds float32 values, only uint8 can be read" in text


def test_a_header_cut_short(tmp_path: Path) -> None:
    text = message(tmp_path / "images", b"\0\0\x08\x03" + bytes(5))
    assert "images breaks off inside its header: 3 dimensions need 12 bytes, 5 are there" in text


def test_no_examples(tmp_path: Path) -> None:
    text = message(tmp_path / "images", b"\0\0\x08\x03" + struct.pack(">3I", 0, 28, 28))
    assert "images declares 0 × 28 × 28 values: it holds no examples" in text


def test_missing_file_folder_and_odd_path(tmp_path: Path) -> None:
    text = message(tmp_path / "images.gz")
    assert "there is no file 'images.gz'" in text
    assert "help: check the path; MNIST itself needs no file: descend train mnist" in text
    assert f"'{tmp_path.name}' is a folder, not a file" in message(tmp_path)
    assert "embedded null byte\n  where: a\\0b" in message(Path("a\0b"))


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    text = message(tmp_path / "images")
    assert "'images' cannot be read: Permission denied" in text
    assert "help: check the path and its permissions" in text
