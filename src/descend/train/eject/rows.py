"""The part of an ejected script that makes the rows: read, generated or written out, then split."""

import textwrap
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from descend.data import builtin
from descend.data.dataset import Dataset
from descend.train.eject.facts import LONGEST_LINE, Facts, quoted
from descend.train.recipe import Recipe

MOST_ROWS_WRITTEN, MOST_LINES_WRITTEN = 40, 20  # of arrays in the script itself; more are read from a file
_LONGEST_LINE = 100

_READ_IDX = '''
def read(name, header):
    """The bytes of one of MNIST's files behind its header."""
    content = gzip.decompress((folder / name).read_bytes())
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=header)

'''


def builtin_rows(recipe: Recipe) -> list[str]:
    """Lines that make the rows of a built-in set: ``x_train``, ``y_train``, and for MNIST ``x_test``, ``y_test``."""
    match recipe.data:
        case "mnist" | "mnist-softmax":
            return _mnist()
        case "line":
            return [
                "# Ten points about the line y = 2x + 1",
                "x_train = torch.randn(10, 1)  # (10, 1)",
                "noise = torch.randn(10, 1)",
                "y_train = x_train @ torch.tensor([[2.0]]) + 1.0 + noise * 0.1  # (10, 1)",
            ]
        case "scores-two":
            return _scores_two(recipe.layout)
        case _:
            return ["# Hours studied and exam score of five students", *_written_out(builtin.load("scores"))]


def array_rows(dataset: Dataset, starts: Mapping[str, int], rows_file: str, *, brief: bool = False) -> list[str]:
    """Lines that write out the rows of small arrays, or read them from ``rows_file``: a name beside the script, or a path.

    starts: the byte of the file at which each tensor begins. brief: they are read from the file, however few they are.
    """
    if not brief and dataset.test is None and len(dataset.train) <= MOST_ROWS_WRITTEN:
        lines = ["# The rows to learn from", *_written_out(dataset)]
        if len(lines) <= MOST_LINES_WRITTEN and max(map(len, lines)) <= LONGEST_LINE:
            return lines
    return _from_file(dataset, starts, rows_file)


def rest_lines(facts: Facts, held: int) -> list[str]:
    """Lines that bring the rows to the form the loss takes, hold some back to choose by, and move them to the device."""
    lines = []
    if facts.recipe.loss == "binary-cross-entropy":
        lines += [
            f"y_{part} = y_{part}.unsqueeze(1).float()  # class ids as a column of 0.0 and 1.0"
            for part in facts.parts
            if part != "validation"
        ]
    if held:
        lines += [
            "# The rows to choose the best epoch by, kept apart from those to learn from; drawn from the seed",
            "order = torch.randperm(len(x_train), generator=torch.Generator().manual_seed(seed * 1_000_003))",
            f"held, learned = order[:{held}].sort().values, order[{held}:].sort().values",
            "x_validation, y_validation = x_train[held], y_train[held]",
            "x_train, y_train = x_train[learned], y_train[learned]",
        ]
    if facts.recipe.device != "cpu":
        names = [f"{axis}_{part}" for part in facts.parts for axis in "xy"]
        lines += [f'{name} = {name}.to("{facts.recipe.device}")' for name in names]
    return [*lines, ""]


def _mnist() -> list[str]:
    folder = str(Path(builtin.__file__).parent / "mnist")
    return [
        "# The folder with the four files of MNIST",
        f"folder = Path(sys.argv[1] if len(sys.argv) > 1 else {quoted(folder)})",
        "",
        *_READ_IDX.splitlines(),
        "",
        "# Pixels from 0 to 1, and the digit that each image shows",
        'x_train = read("train-images-idx3-ubyte.gz", 16).view(-1, 1, 28, 28) / 255  # (60000, 1, 28, 28)',
        'y_train = read("train-labels-idx1-ubyte.gz", 8).long()  # (60000,)',
        'x_test = read("t10k-images-idx3-ubyte.gz", 16).view(-1, 1, 28, 28) / 255  # (10000, 1, 28, 28)',
        'y_test = read("t10k-labels-idx1-ubyte.gz", 8).long()  # (10000,)',
    ]


def _scores_two(layout: str) -> list[str]:
    students = builtin.load("scores-two").train
    lines = [
        "# Five students: hours studied, hours slept, exam score",
        *_assigned("columns", students.features.T, "  # (2, 5)"),
    ]
    if layout == "reshape":
        lines += [
            "# A published fault, repeated: reshape moves no number, so that no row is a student. Meant was columns.T"
        ]
        lines += ["x_train = columns.reshape(5, 2)  # (5, 2)"]
    else:
        lines += ["x_train = columns.T.contiguous()  # (5, 2): one row a student"]
    return [*lines, *_assigned("y_train", students.targets, "  # (5, 1)")]


def _written_out(dataset: Dataset) -> list[str]:
    examples = dataset.train
    shapes = [f"  # {_shape(tensor)}" for tensor in (examples.features, examples.targets)]
    lines = _assigned("x_train", examples.features, shapes[0])
    return [*lines, *_assigned("y_train", examples.targets, shapes[1])]


def _from_file(dataset: Dataset, starts: Mapping[str, int], rows_file: str) -> list[str]:
    place = (
        f"Path(__file__).with_name({quoted(rows_file)})"
        if Path(rows_file).name == rows_file
        else f"Path({quoted(rows_file)})"
    )
    lines = [
        "# A safetensors file: a header that says what is where, then the numbers",
        f"content = bytearray({place}.read_bytes())",
    ]
    for part, examples in (("train", dataset.train), ("test", dataset.test)):
        if examples is not None:
            lines.append(_read("x", part, examples.features, starts))
            lines.append(_read("y", part, examples.targets, starts))
    return lines


def _read(axis: str, part: str, tensor: Tensor, starts: Mapping[str, int]) -> str:
    name = f"{axis}_{part}"
    read = f"torch.frombuffer(content, dtype={tensor.dtype}, offset={starts[name]}, count={tensor.numel()})"
    shape = "" if tensor.ndim == 1 else f".view({', '.join(map(str, tensor.shape))})"
    return f"{name} = {read}.clone(){shape}"


def _assigned(name: str, tensor: Tensor, comment: str) -> list[str]:
    """``name = torch.tensor([...])``, in one line or a line a row."""
    rows = [_numbers(row) for row in tensor]
    one_column = tensor.ndim == 1 or tensor.shape[1] == 1
    line = f"{name} = torch.tensor([{', '.join(rows)}]){comment}"
    if len(line) <= _LONGEST_LINE:
        return [line]
    lines = textwrap.wrap(f"{', '.join(rows)},", _LONGEST_LINE) if one_column else [f"{row}," for row in rows]
    return [f"{name} = torch.tensor([{comment}", *(f"    {line}" for line in lines), "])"]


def _numbers(tensor: Tensor) -> str:
    if tensor.ndim:
        return f"[{', '.join(_numbers(each) for each in tensor)}]"
    if not tensor.is_floating_point():
        return str(int(tensor))
    return shortest(tensor)


def shortest(tensor: Tensor) -> str:
    """The shortest text that ``torch.tensor`` reads back as the same float32: of few digits, unless these need more zeros."""
    number = float(tensor)
    texts = (repr(float(f"{number:.{digits}g}")) for digits in range(1, 17))
    same = (text for text in texts if torch.equal(torch.tensor(float(text), dtype=torch.float32), tensor))
    return min(next(same, repr(number)), repr(number), key=len)


def _shape(tensor: Tensor) -> str:
    return f"({', '.join(map(str, tensor.shape))}{',' if tensor.ndim == 1 else ''})"
