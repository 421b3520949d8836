"""Cells of a live notebook or an IPython session: ``cell 3`` in place of the file that IPython says their code comes from."""

import sys
from collections.abc import Mapping
from types import FrameType

CELL = "cell {}"
_FILES: dict[str, str] = {}  # that IPython names, by ours


def name_of_file(filename: str) -> str:
    """``cell 3`` for what IPython calls the third cell's code, as ``/tmp/ipykernel_77/1167056853.py``; any other name as it is."""
    number = _numbers().get(filename)
    if number is None or filename.endswith(CELL.format(number)):  # it has been named by us
        return filename
    name = CELL.format(number)
    _FILES[name] = filename
    return name


def number_of_cell(frame: FrameType | None) -> int | None:
    """Which cell ``frame`` runs in; None where it runs in none. The shell's own count is that of the next one from IPython 9 on."""
    numbers = _numbers()
    while frame is not None and frame.f_code.co_filename not in numbers:
        frame = frame.f_back
    return None if frame is None else numbers[frame.f_code.co_filename]


def _numbers() -> Mapping[str, int]:
    """Of each cell that IPython has compiled, by the name of its code."""
    current = getattr(sys.modules.get("IPython"), "get_ipython", None)  # not there yet while it is imported
    shell = current() if current is not None else None
    found: Mapping[str, int] = getattr(getattr(shell, "compile", None), "_filename_map", {})
    return found


def file_of_name(name: str) -> str:
    """The file that a cell's code is said to come from, where it has a name of ours."""
    return _FILES.get(name, name)
