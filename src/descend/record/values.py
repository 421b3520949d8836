"""How numbers, text and JSON are put into a record, and how they come back.

SQLite and JSON have no NaN. One rule serves both: where a number belongs, NULL (in JSON ``null``) is "not a number". Infinities
are stored as they are; JSON writes them ``1e999`` and ``-1e999``, which every JSON reader takes for infinity.
"""

import json
import math
import os
import re
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_TEXT_OR_NON_FINITE = re.compile(r'"(?:[^"\\]|\\.)*"|NaN|-?Infinity')
_SPELLING = {"NaN": "null", "Infinity": "1e999", "-Infinity": "-1e999"}


def to_text(text: str) -> str:
    """``text`` as UTF-8 can hold it: what cannot be (bytes in a file name, say) is spelt out with a backslash."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def to_json(value: object) -> str:
    """Compact JSON that SQLite's own functions can read. Raises ``TypeError`` for what is not a JSON value."""
    return to_text(in_json(_ENCODER.encode(value)))


def in_json(written: str) -> str:
    """What Python's ``json`` wrote, with numbers that are not finite as every reader of JSON takes them."""
    if "NaN" in written or "Infinity" in written:
        # The pattern swallows quoted text whole, so that a class called "NaN" stays what it is.
        written = _TEXT_OR_NON_FINITE.sub(lambda found: _SPELLING.get(found[0], found[0]), written)
    return written


def from_json(text: str) -> Any:
    """The value that :func:`to_json` wrote. Raises ``ValueError`` when ``text`` is not JSON."""
    return json.loads(text)


def to_number(value: float | None) -> float:
    """A stored number as a float: NULL is NaN."""
    return math.nan if value is None else float(value)


def to_blob(numbers: Sequence[int]) -> bytes:
    """Whole numbers of up to 63 bits and a sign, 8 bytes each, the lowest byte first. Raises ``struct.error`` beyond that."""
    return struct.pack(f"<{len(numbers)}q", *numbers)


def from_blob(blob: bytes) -> tuple[int, ...]:
    """The numbers that :func:`to_blob` wrote. Raises ``ValueError`` for a length that is no multiple of 8."""
    count, left = divmod(len(blob), 8)
    if left:
        raise ValueError(f"{len(blob)} bytes are no row of numbers of 8 bytes")
    return struct.unpack(f"<{count}q", blob)


def to_time(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC with milliseconds, so that text sorts as time does."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def from_time(text: str) -> datetime:
    """The moment that :func:`to_time` wrote, aware of its time zone."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not a JSON value: {value!r}")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain)
