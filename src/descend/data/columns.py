"""A few rows typed by hand: ``hours=5,7,9`` for each column becomes features."""

import math
from collections.abc import Iterable, Sequence

from descend.errors import DataError, did_you_mean


def rows_from_columns(texts: Iterable[str], names: Sequence[str]) -> list[list[float]]:
    """The rows that texts such as ``"hours=5,7,9"`` spell out, one text a column, in the order of ``names``.

    Raises DataError for a column that is missing, unknown or given twice, for what is not a finite number, and for columns of
    different length.
    """
    columns = dict(_column(text, names) for text in _once(texts))
    missing = [name for name in names if name not in columns]
    if missing:
        raise DataError(f"no values for {', '.join(missing)}", where="--values", help=_example(names))
    lengths = {name: len(columns[name]) for name in names}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise DataError(
            f"the columns differ in length: {listed}", where="--values", help="give as many values for each"
        )
    return [list(row) for row in zip(*(columns[name] for name in names), strict=True)]


def _once(texts: Iterable[str]) -> list[str]:
    listed = list(texts)
    keys = [text.partition("=")[0].strip() for text in listed]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise DataError(f"{twice} is given twice", where="--values", help=f"give all its values at once: {twice}=1,2,3")
    return listed


def _column(text: str, names: Sequence[str]) -> tuple[str, list[float]]:
    name, equals, listed = (part.strip() for part in text.partition("="))
    if not equals or not listed:
        raise DataError(f"'{text}' does not say which column has which values", where="--values", help=_example(names))
    if name not in names:
        known = ", ".join(names)
        raise DataError(
            f"the model has no column '{name}'{did_you_mean(name, names)}",
            where="--values",
            help=f"its columns are: {known}",
        )
    return name, [_number(value.strip(), name, place) for place, value in enumerate(listed.split(","), 1)]


def _number(text: str, name: str, place: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"'{text}' is not a finite number",
            where=f"--values, {name}, value {place}",
            help="write numbers such as 5 or 7.5",
        )
    return value


def _example(names: Sequence[str]) -> str:
    return "for example: --values " + " ".join(f"{name}=5,7" for name in names)
