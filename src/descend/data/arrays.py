"""The caller's own numbers as examples: numpy arrays, tensors, nested lists.

Everything is looked at as a numpy array, which can share its memory with a tensor, and becomes a tensor at the end. float32
features and int64 labels are used where they lie; they are read, never written.
"""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from descend.data.dataset import Dataset, Examples, Task
from descend.data.numeric import ENCODE, NumberArray, as_array, as_float32, described
from descend.data.titles import names_title, table_title
from descend.errors import DataError, did_you_mean

_TASKS: tuple[Task, ...] = ("classes", "values")
_EXACT_IN_FLOAT32 = 2**24
_CLASSES_WITHOUT_QUESTION = 1000  # above that, more classes than rows are taken for ids with gaps


def from_arrays(
    features: object,
    targets: object,
    *,
    test: tuple[object, object] | None = None,
    feature_names: Iterable[str] | None = None,
    target_names: Iterable[str] | None = None,
    task: Task | None = None,
    name: str = "arrays",
) -> Dataset:
    """Examples from arrays, tensors or nested lists.

    Args:
        features: (N, *shape) numbers; (N,) becomes one column (N, 1). Kept as float32.
        targets: (N,) whole numbers or booleans are class ids from 0; (N,) or (N, T) floats are values to predict.
        test: features and targets of the same form, to be examined on and never learned from.
        feature_names: one a column; ``x``, or ``x1 x2 …``, when left out.
        target_names: of the classes, or of the columns of values.
        task: ``"classes"`` or ``"values"``, where the type of ``targets`` would say otherwise.
        name: what to call the set.

    Arrays on another device, of another type or with gaps in memory are copied, and so are read-only arrays, because a
    tensor knows no such protection; all others are used where they lie. The caller's arrays are never changed.

    Raises:
        DataError: what is wrong, in which row and column (counted from 0), and what to do.
    """
    if task is not None and task not in _TASKS:
        raise DataError(
            f"task must be 'classes' or 'values', not {task!r}{did_you_mean(str(task), _TASKS)}",
            help="leave it out to let the type of the targets decide",
        )
    raw_features = _rows(as_array(features, "features"))
    raw_targets = as_array(targets, "targets")
    chosen: Task = task or ("values" if raw_targets.dtype.kind == "f" else "classes")
    given_targets = _names(target_names, "target_names")

    columns = _feature_names(feature_names, raw_features.shape)
    _same_length(raw_features, raw_targets, "")
    train_features, notes = _features(raw_features, "features", columns)
    if chosen == "classes":
        train_targets = _class_ids(raw_targets, "targets")
        names = _class_names(train_targets, given_targets)
    else:
        names = _value_names(raw_targets, given_targets)
        train_targets = _values(raw_targets, "targets", names)
        notes += _perhaps_classes(train_targets, task)

    examined = None
    if test is not None:
        examined = _test_examples(test, raw_features.shape, columns, chosen, names)
    inputs = names_title(columns, "columns") if columns else "×".join(str(size) for size in raw_features.shape[1:])
    outputs = names_title(names, "values")
    if chosen == "classes":
        outputs = names_title(names, "classes") if given_targets else f"{len(names):,} classes"
    return Dataset(
        name=name,
        title=table_title(len(train_features), len(examined) if examined else 0, inputs, outputs),
        task=chosen,
        train=Examples(train_features, train_targets),
        test=examined,
        feature_names=columns,
        target_names=names,
        preparation=(
            {"kind": "columns", "names": list(columns)}
            if columns
            else {"kind": "array", "shape": list(raw_features.shape[1:])}
        ),
        notes=notes,
    )


def _test_examples(
    test: object, train_shape: tuple[int, ...], columns: tuple[str, ...], task: Task, names: tuple[str, ...]
) -> Examples:
    """The pair given as ``test``, held against the form of the rows to learn from."""
    if not isinstance(test, (tuple, list)) or len(test) != 2:
        raise DataError(
            f"test must be a pair of features and targets, not {described(test)}",
            help="test=(test_features, test_targets)",
        )
    raw_features = _rows(as_array(test[0], "test features"))
    raw_targets = as_array(test[1], "test targets")
    if raw_features.shape[1:] != train_shape[1:]:
        if raw_features.ndim == len(train_shape) == 2:
            what = f"the test features have {_columns(raw_features.shape[1])}, the features {train_shape[1]}"
        else:
            what = f"one row of the test features has shape {raw_features.shape[1:]}, of the features {train_shape[1:]}"
        raise DataError(
            what,
            help="prepare both in the same way, with the same columns in the same order",
        )
    _same_length(raw_features, raw_targets, "test ")
    features, _ = _features(raw_features, "test features", columns)
    if task == "values":
        return Examples(features, _values(raw_targets, "test targets", names))
    ids = _class_ids(raw_targets, "test targets")
    _within(ids, "test targets", len(names), "a test set can only hold classes that the training rows have shown")
    return Examples(features, ids)


def _rows(features: NumberArray) -> NumberArray:
    """Features with at least two axes: rows, then what one example is."""
    return features[:, None] if features.ndim == 1 else features


def _same_length(features: NumberArray, targets: NumberArray, which: str) -> None:
    if len(features) != len(targets):
        raise DataError(
            f"{len(features):,} rows of {which}features and {len(targets):,} {which}targets",
            help="give one target for every row, in the same order",
        )


def _features(features: NumberArray, role: str, columns: tuple[str, ...]) -> tuple[Tensor, tuple[str, ...]]:
    """(N, *shape) float32, and what the reader should know about the conversion."""
    notes: tuple[str, ...] = ()
    if features.dtype.kind in "iu" and features.dtype.itemsize >= 4 and int(features.max()) > _EXACT_IN_FLOAT32:
        largest = f"{int(features.max()):,}"
        notes = (f"the {role} reach {largest}: above {_EXACT_IN_FLOAT32:,} float32 merges neighbouring whole numbers",)
    return as_float32(features, role, columns), notes


def _class_ids(targets: NumberArray, role: str) -> Tensor:
    """(N,) int64 class ids, none below 0."""
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim != 1:
        raise DataError(
            f"the {role} have shape {targets.shape}, class ids need one per row: ({len(targets)},)",
            help="from one column a class: targets.argmax(1); to predict several values instead: task='values'",
        )
    if targets.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            wrong = ~np.isfinite(targets) | (targets != np.trunc(targets)) | (np.abs(targets) > 2**53)
        if wrong.any():
            row = int(wrong.argmax())
            raise DataError(
                f"class ids are whole numbers from 0, but the {role} hold {targets[row]!s}",
                where=f"{role}, row {row}",
                help="task='values' predicts numbers; " + ENCODE,
            )
    low, high = targets.min(), targets.max()
    if int(low) < 0:
        row = int(targets.argmin())
        raise DataError(
            f"class ids are counted from 0, but the {role} hold {int(low)}", where=f"{role}, row {row}", help=ENCODE
        )
    if int(high) >= 2**31:
        row = int(targets.argmax())
        raise DataError(
            f"the {role} hold the class id {int(high):,}, as if there were more than two billion classes",
            where=f"{role}, row {row}",
            help=ENCODE,
        )
    return torch.from_numpy(np.require(targets, np.int64, ["C", "W", "A"]))


def _class_names(ids: Tensor, given: tuple[str, ...] | None) -> tuple[str, ...]:
    """A name for each class; without given names there are as many as the largest id needs."""
    if given is not None:
        if len(given) == 1:
            raise DataError(
                f"target_names holds one class, {given[0]!r}: there is nothing to tell apart",
                help="name at least two classes",
            )
        _within(ids, "targets", len(given), "give target_names a name for every class")
        return given
    classes = int(ids.max()) + 1
    if classes == 1:
        raise DataError(
            "every target is class 0: there is nothing to tell apart",
            help="give rows of at least two classes, or target_names with the classes that are still to come",
        )
    if classes > max(len(ids), _CLASSES_WITHOUT_QUESTION):
        raise DataError(
            f"the largest class id is {classes - 1:,}: that would be {classes:,} classes for {len(ids):,} rows",
            where=f"targets, row {int(ids.argmax())}",
            help=ENCODE,
        )
    return tuple(str(number) for number in range(classes))


def _within(ids: Tensor, role: str, classes: int, help: str) -> None:
    if int(ids.max()) >= classes:
        row = int(ids.argmax())
        raise DataError(
            f"the {role} hold the class id {int(ids[row]):,}, but there are {classes:,} classes, 0 to {classes - 1:,}",
            where=f"{role}, row {row}",
            help=help,
        )


def _values(targets: NumberArray, role: str, names: tuple[str, ...]) -> Tensor:
    """(N, T) float32 values, T the number of names."""
    table = targets[:, None] if targets.ndim == 1 else targets
    if table.ndim != 2 or table.shape[1] != len(names):
        raise DataError(
            f"the {role} have shape {targets.shape}, values to predict need ({len(targets)}, {len(names)})",
            help="give one row an example and one column a value",
        )
    return as_float32(table, role, names)


def _value_names(targets: NumberArray, given: tuple[str, ...] | None) -> tuple[str, ...]:
    columns = 1 if targets.ndim == 1 else targets.shape[1]
    if given is not None and len(given) != columns:
        raise DataError(
            f"{len(given)} target_names for {_columns(columns)} of targets",
            help="give one name a column",
        )
    return given or _numbered("y", columns)


def _perhaps_classes(values: Tensor, task: Task | None) -> tuple[str, ...]:
    """A note where floats look like class ids, which learning would treat as amounts."""
    if task is not None or values.shape[1] != 1:
        return ()
    low, high = float(values.min()), float(values.max())
    if low != 0 or not 1 <= high <= 20 or len(values) <= 2 * high or not torch.equal(values, values.trunc()):
        return ()
    kept = f"the targets are whole numbers from 0 to {high:.0f} kept as floats, so they are learned as amounts"
    return (f"{kept}; for classes give integers or task='classes'",)


def _feature_names(given: Iterable[str] | None, shape: tuple[int, ...]) -> tuple[str, ...]:
    """One name a column; none where an example is more than a row of columns."""
    names = _names(given, "feature_names")
    if len(shape) > 2:
        if names is not None:
            raise DataError(
                f"feature_names name columns, but one example has the shape {shape[1:]}", help="leave feature_names out"
            )
        return ()
    if names is not None and len(names) != shape[1]:
        raise DataError(
            f"{len(names)} feature_names for {_columns(shape[1])} of features",
            help="give one name a column",
        )
    return names or _numbered("x", shape[1])


def _names(given: Iterable[str] | None, argument: str) -> tuple[str, ...] | None:
    """Names as given, a single one also without brackets; each of them text and none twice."""
    if given is None:
        return None
    names = (given,) if isinstance(given, str) else tuple(given)
    if not names:
        raise DataError(f"{argument} is empty", help=f"give the names, or leave {argument} out")
    for number, one in enumerate(names):
        if not isinstance(one, str):
            raise DataError(
                f"{argument} must be text, but name {number} is {described(one)}",
                help=f"{argument}=[str(n) for n in …]",
            )
        if one in names[:number]:
            raise DataError(f"{argument} holds {one!r} twice", help="give every one its own name")
    return tuple(str(one) for one in names)  # numpy's text becomes Python's


def _columns(count: int) -> str:
    return f"{count:,} column{'' if count == 1 else 's'}"


def _numbered(letter: str, count: int) -> tuple[str, ...]:
    return (letter,) if count == 1 else tuple(f"{letter}{number}" for number in range(1, count + 1))
