"""IDX, the format of MNIST's own files: a few bytes of header, then the values, often compressed with gzip.

    0, 0, type, number of dimensions · one unsigned 32-bit big-endian size per dimension · the values in row-major order

Format: http://yann.lecun.com/exdb/mnist/ ("The IDX file format").
"""

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from descend.errors import DataError

_TYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
_BLOCK = 256 * 1024
_COPY_AGAIN = "download or copy the file again; it is damaged or incomplete"
_NOT_THIS_FILE = "give an IDX file of unsigned bytes, such as MNIST's train-images-idx3-ubyte, with or without .gz"


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read_idx(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """The unsigned bytes of an IDX file, plain or gzip, in the shape its header declares.

    The header is not believed: memory grows only with bytes that are really there, and at most one byte more than
    declared is ever unpacked. A gzip file's checksum is verified.

    Raises:
        DataError: the file is missing, empty, no IDX file, of another type, damaged, shorter or longer than declared.
    """
    path = Path(path)
    try:
        with path.open("rb") as packed:
            compressed = packed.read(2) == b"\x1f\x8b"
            packed.seek(0)
            if not compressed:
                return _read(packed, path)
            with gzip.GzipFile(fileobj=packed) as unpacked:
                return _read(unpacked, path)
    except FileNotFoundError:
        raise DataError(
            f"there is no file {path.name!r}",
            where=str(path),
            help="check the path; MNIST itself needs no file: descend train mnist",
        ) from None
    except IsADirectoryError:
        raise DataError(f"{path.name!r} is a folder, not a file", where=str(path), help=_NOT_THIS_FILE) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path.name} is a damaged gzip file: {error}", where=str(path), help=_COPY_AGAIN) from None
    except EOFError:
        raise DataError(
            f"{path.name} is a gzip file that breaks off in the middle", where=str(path), help=_COPY_AGAIN
        ) from None
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(
            f"{path.name!r} cannot be read: {reason}",
            where=str(path).replace("\0", "\\0"),
            help="check the path and its permissions",
        ) from None


def _read(file: _Readable, path: Path) -> NDArray[np.uint8]:
    """Header and values of an open file, uncompressed."""
    shape = _read_shape(file, path)
    size = math.prod(shape)
    values = bytearray()
    while len(values) <= size and (block := file.read(min(_BLOCK, size + 1 - len(values)))):
        values += block
    product = f"{' × '.join(f'{n:,}' for n in shape)} = " if len(shape) > 1 else ""
    declared = f"{path.name} declares {product}{size:,} values"
    if len(values) < size:
        raise DataError(f"{declared} and holds only {len(values):,}", where=str(path), help=_COPY_AGAIN)
    if len(values) > size:
        raise DataError(f"{declared}, and more bytes follow them", where=str(path), help=_COPY_AGAIN)
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)


def _read_shape(file: _Readable, path: Path) -> tuple[int, ...]:
    """The dimensions that the header declares, once it has shown itself to be an IDX header of unsigned bytes."""
    magic = file.read(4)
    if not magic:
        raise DataError(f"{path.name} is empty", where=str(path), help=_COPY_AGAIN)
    if magic[:2] != b"\0\0" or len(magic) < 4 or magic[2] not in _TYPES or magic[3] == 0:
        raise DataError(
            f"{path.name} is not an IDX file: it starts with the bytes {magic.hex(' ')}, "
            "where 00 00 08 and the number of dimensions are expected",
            where=str(path),
            help=_NOT_THIS_FILE,
        )
    if magic[2] != 0x08:
        raise DataError(
            f"{path.name} holds {_TYPES[magic[2]]} values, only uint8 can be read", where=str(path), help=_NOT_THIS_FILE
        )
    dimensions = magic[3]
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise DataError(
            f"{path.name} breaks off inside its header: {dimensions} dimensions need {4 * dimensions} bytes, "
            f"{len(sizes)} are there",
            where=str(path),
            help=_COPY_AGAIN,
        )
    shape = tuple(int.from_bytes(sizes[start : start + 4], "big") for start in range(0, len(sizes), 4))
    if 0 in shape:
        raise DataError(
            f"{path.name} declares {' × '.join(f'{n:,}' for n in shape)} values: it holds no examples",
            where=str(path),
            help=_NOT_THIS_FILE,
        )
    return shape
