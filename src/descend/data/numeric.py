"""Whatever holds numbers, as one numpy array or one float32 tensor, in its own memory where that is possible.

The messages say what is no number, in which row and column (counted from 0, as arrays are), and what to do.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from descend.errors import DataError

NumberArray = NDArray[Any]
ENCODE = "names, ids = numpy.unique(targets, return_inverse=True) counts from 0; then target_names=names.astype(str)"
_TO_NUMBERS = "turn every column into numbers first, for example with array.astype('float32')"
_ADVICE = {
    "M": "(dates - dates.min()) / numpy.timedelta64(1, 'D') counts days",
    "m": "durations / numpy.timedelta64(1, 's') counts seconds",
    "V": "numpy.lib.recfunctions.structured_to_unstructured(array) makes columns of the fields",
}
_LONGEST_VALUE = 60  # characters of a value that a message quotes
_NUMBER_KINDS = "biuf"
_KIND_NAMES = {"O": "Python objects", "U": "text", "S": "bytes", "M": "dates", "m": "durations", "V": "records"}


def as_array(values: object, role: str) -> NumberArray:
    """What was given as a numpy array of real numbers, sharing its memory where that is possible."""
    if isinstance(values, (list, tuple)) and values and all(isinstance(value, Tensor) for value in values):
        shapes = {tuple(value.shape) for value in values}
        if len(shapes) == 1:
            values = torch.stack(list(values))
    if isinstance(values, np.ma.MaskedArray):  # what is masked is missing, whatever lies under the mask
        values = np.where(np.ma.getmaskarray(values), np.nan, values.data) if np.ma.is_masked(values) else values.data
    try:
        array = _numpy_of(values, role) if isinstance(values, Tensor) else np.asarray(values)
    except DataError:
        raise
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        ragged = isinstance(values, (list, tuple)) and _first_ragged(values)
        if ragged:
            raise DataError(
                f"the rows of the {role} have different lengths: {ragged}",
                help="give every row the same number of values",
            ) from None
        raise DataError(
            f"the {role} cannot be read as numbers: {error}",
            help="give a numpy array, a tensor or nested lists of numbers",
        ) from None
    if array.ndim == 0:
        raise DataError(
            f"the {role} are {described(values)}, not rows of numbers",
            help="give a numpy array, a tensor or nested lists of numbers",
        )
    if array.dtype.kind not in _NUMBER_KINDS:
        _refuse_kind(array, role)
    if array.size == 0:
        raise DataError(f"the {role} are empty: shape {array.shape}", help="give at least one row with one value")
    return array


def _numpy_of(tensor: Tensor, role: str) -> NumberArray:
    """A tensor's numbers as an array on the CPU, in the tensor's own memory where it already lies there."""
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise DataError(
            f"the {role} are a sparse or quantized tensor",
            help="tensor.to_dense() or tensor.dequantize() makes it an ordinary one",
        )
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bfloat16:  # numpy has no such type; every value of it is a float32
        tensor = tensor.float()
    array: NumberArray = tensor.resolve_conj().resolve_neg().numpy()
    return array


def _first_ragged(rows: Sequence[object]) -> str:
    """``"row 0 has 2 values, row 3 has 1"``, or nothing where the rows are alike."""
    lengths = [len(row) if hasattr(row, "__len__") else 0 for row in rows]
    odd = next((number for number, length in enumerate(lengths) if length != lengths[0]), None)
    if odd is None:
        return ""
    counted = [f"{length} value{'' if length == 1 else 's'}" if length else "no values" for length in lengths]
    return f"row 0 has {counted[0]}, row {odd} has {counted[odd]}"


def _refuse_kind(array: NumberArray, role: str) -> None:
    """Says which values are no real numbers, the first of them, and what to make of them."""
    kind = array.dtype.kind
    if kind == "c":
        raise DataError(
            f"the {role} are complex numbers ({array.dtype})", help="give real and imaginary part as two columns"
        )
    # An example is found near the beginning or not at all: a large table is not read to its end for a message.
    beginning = list(islice(np.ndindex(array.shape), 100_000))
    missing = next((index for index in beginning if array[index] is None), None)
    if missing is not None:
        raise DataError(
            f"the {role} have a missing value, None",
            where=f"{role}, {place(missing)}",
            help="leave those rows out or fill them in",
        )
    first = next((index for index in beginning if not _is_number(array[index])), (0,) * array.ndim)
    where = f"{role}, {place(first)}"
    raise DataError(
        f"the {role} hold {_KIND_NAMES.get(kind, str(array.dtype))}, not numbers",
        where=f"{where}: {_short(array[first])}" if array.size else "",
        help=ENCODE if role.endswith("targets") and kind in "OUS" else _ADVICE.get(kind, _TO_NUMBERS),
    )


def _is_number(value: object) -> bool:
    """Whether a value is a number, or text that says one."""
    if isinstance(value, (str, bytes)):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, (bool, int, float, np.number, np.bool_))


def as_float32(array: NumberArray, role: str, columns: tuple[str, ...]) -> Tensor:
    """The array as a finite float32 tensor; no copy where it already is one."""
    with np.errstate(over="ignore", invalid="ignore"):
        converted = np.require(array, np.float32, ["C", "W", "A"])
    tensor = torch.from_numpy(converted)
    low, high = torch.aminmax(tensor)  # reads once, needs no memory, and lets NaN through
    if not (torch.isfinite(low) and torch.isfinite(high)):
        _refuse_not_finite(array, converted, role, columns)
    return tensor


def _refuse_not_finite(original: NumberArray, converted: NumberArray, role: str, columns: tuple[str, ...]) -> None:
    bad = ~np.isfinite(converted)
    position = tuple(int(axis[0]) for axis in np.nonzero(bad))
    value = original[position]
    where = f"{role}, {place(position, columns)}: {value!s}"
    nan = int(np.isnan(converted).sum())
    infinite = int(bad.sum()) - nan
    if np.isfinite(value):
        raise DataError(
            f"the {role} hold {infinite:,} value{'' if infinite == 1 else 's'} too large for float32 (3.4e38)",
            where=where,
            help="scale that column down, for example divide it by its largest value",
        )
    counted = " and ".join(
        f"{count:,} {word}" for count, word in ((nan, "NaN (missing)"), (infinite, "infinite")) if count
    )
    total = nan + infinite
    raise DataError(
        f"the {role} hold {total:,} value{'' if total == 1 else 's'} that no model can learn from: {counted}",
        where=f"first in {where}",
        help="leave those rows out or fill them in; numpy.isfinite(array) shows where they are",
    )


def place(position: tuple[int, ...], columns: tuple[str, ...] = ()) -> str:
    """``"row 3, column 1 ('slept')"``; rows and columns are counted from 0, as arrays are."""
    row = f"row {position[0]}"
    match position[1:]:
        case ():
            return row
        case (column,):
            return f"{row}, column {column}" + (f" ({columns[column]!r})" if columns else "")
        case rest:
            return f"{row}, position {rest}"


def described(value: object) -> str:
    """What a value is, short enough for a message: ``"a dict"``, ``"the int 3"``, ``"an array of shape (6, 2)"``."""
    if isinstance(value, (bool, int, float, str)):
        return f"the {type(value).__name__} {_short(value)}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, (np.ndarray, Tensor)):
        return f"{'an array' if isinstance(value, np.ndarray) else 'a tensor'} of shape {tuple(value.shape)}"
    article = "an" if type(value).__name__[:1].lower() in "aeiou" else "a"
    return f"{article} {type(value).__name__}"


def _short(value: object) -> str:
    """A value as Python writes it, cut where it would fill the screen."""
    if isinstance(value, (np.datetime64, np.timedelta64)):
        return str(value)
    plain = value.item() if isinstance(value, np.generic) else value
    text = repr(plain)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]} …"
