"""One line that says what a table of examples is: rows, columns, what is to be predicted."""

from collections.abc import Sequence

_LONGEST = 40  # characters of names that still read as a line


def rows_title(train_rows: int, test_rows: int) -> str:
    """``"5 rows"``, or ``"800 rows to learn from, 200 to be examined on"``."""
    rows = f"{train_rows:,} row{'' if train_rows == 1 else 's'}"
    return f"{rows} to learn from, {test_rows:,} to be examined on" if test_rows else rows


def names_title(names: Sequence[str], many: str) -> str:
    """``"hours, slept"`` while that is short, else ``"20 columns"`` (``many`` is the plural noun)."""
    listed = ", ".join(names)
    return listed if len(names) <= 4 and len(listed) <= _LONGEST else f"{len(names):,} {many}"


def table_title(train_rows: int, test_rows: int, inputs: str, outputs: str) -> str:
    """``"5 rows: hours → score"``."""
    return f"{rows_title(train_rows, test_rows)}: {inputs} → {outputs}"
