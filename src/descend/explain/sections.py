"""The parts of a step as plain data: its batch, each operation with its numbers, the loss of a row, and each link of the chain rule."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from descend.explain.formulas.arguments import NotCovered
from descend.explain.formulas.losses import Loss
from descend.explain.formulas.words import equal, number, place
from descend.explain.parts import PIECES_DERIVATIVE, PIECES_TEXT, has_parts, is_cut, part_of
from descend.explain.recorded import RecordedStep
from descend.explain.replay import Replay, Worked
from descend.record.graph import Operation

Section = dict[str, Any]

_FEW = 6  # numbers of a tensor that are shown one by one


def data_sections(recorded: RecordedStep) -> list[Section]:
    """The tensors of the batch."""
    kept = [(name.removeprefix("batch."), value) for name, value in recorded.tensors.items() if _is_batch(name)]
    return [{"name": name, **described(value)} for name, value in sorted(kept, key=lambda each: _order(each[0]))]


def _is_batch(name: str) -> bool:
    return name.startswith("batch.")


def _order(name: str) -> tuple[bool, str]:
    return name not in ("x", "y"), name


def described(tensor: Tensor) -> Section:
    """Shape, type, and the numbers: all of a few, else least, most, mean and standard deviation."""
    found: Section = {"shape": list(tensor.shape), "dtype": str(tensor.dtype).removeprefix("torch.")}
    if tensor.numel() <= _FEW:
        return found | {"values": [float(each) for each in tensor.flatten()]}
    values = tensor.double()
    deviation, mean = torch.std_mean(values)
    least, most = torch.aminmax(values)
    return found | {"least": float(least), "most": float(most), "mean": float(mean), "std": float(deviation)}


def rows_of(found: Replay) -> int:
    """How many rows the batch has: the longest first axis that most operations share."""
    lengths = [one.output.shape[0] for one in found.worked.values() if one.output.ndim and not has_parts(one.operation)]
    return max(set(lengths), key=lengths.count) if lengths else 0


def _index(tensor: Tensor, row: int, rows: int) -> tuple[int, ...]:
    """The entry that is shown: of this row where the first axis is the batch, else the first."""
    if not tensor.ndim:
        return ()
    first = row if tensor.shape[0] == rows else 0
    return (min(first, tensor.shape[0] - 1), *(0 for _ in tensor.shape[1:]))


def _steepest(found: Replay, one: Worked, which: int, row: int, rows: int) -> tuple[int, ...]:
    """Of this row of an input, the entry that the loss depends on most."""
    given = one.operation.inputs[which]
    gradient = found.worked[given].gradient if isinstance(given, int) and given in found.worked else None
    if gradient is None or gradient.ndim < 2 or gradient.shape[0] != rows:
        return _index(one.inputs[which], row, rows)
    place = torch.unravel_index(gradient[row].abs().argmax(), gradient.shape[1:])
    return (row, *(int(each) for each in place))


def forward_section(recorded: RecordedStep, found: Replay, one: Worked, row: int, rows: int) -> Section:
    """One operation: what it was given, its formula, and an entry of what came out."""
    operation = one.operation
    said = _of_operation(recorded, operation) | {
        "followed": operation.index in found.followed,
        "formula": one.formula.text if one.formula is not None else PIECES_TEXT if is_cut(operation) else "",
        "why": one.why if operation.index in found.followed else "",
        "inputs": [_input_name(recorded, found, each) for each in operation.inputs],
        **described(part_of(operation, one.output, 0)),
        "entry": "",
    }
    if one.formula is not None and one.arguments is not None:
        said["entry"] = one.formula.entry(_index(one.output, row, rows), one.arguments, one.output)
    return said


def recorded_section(recorded: RecordedStep, operation: Operation) -> Section:
    """One operation as far as the record tells, where it could not be computed once more."""
    graph = recorded.graph
    said = _of_operation(recorded, operation) | {
        "followed": operation.tracked,
        "formula": "",
        "why": "",
        "entry": "",
        "inputs": [_made_by(graph.operations[each]) if isinstance(each, int) else each for each in operation.inputs],
        "shape": list(operation.shape),
        "dtype": operation.dtype,
    }
    if operation.values is not None and operation.size <= _FEW:
        return said | {"values": torch.tensor(operation.numbers).flatten().tolist()}
    if operation.values is not None:
        return said | described(torch.tensor(operation.numbers, dtype=torch.float64)) | {"dtype": operation.dtype}
    return said | {"least": operation.least, "most": operation.most, "mean": operation.mean, "std": operation.std}


def _of_operation(recorded: RecordedStep, operation: Operation) -> Section:
    return {
        "name": operation.name,
        "module": _module(operation),
        "file": operation.file,
        "line": operation.line,
        "source": recorded.line_of(operation.file, operation.line),
    }


def _module(operation: Operation) -> str:
    """The name of the module inside its model; "" where only its class is known, as of a loss or of the model as a whole."""
    is_class = "." not in operation.module and operation.module[:1].isupper() and len(operation.module) > 1
    return "" if is_class else operation.module


def _made_by(operation: Operation) -> str:
    return _module(operation) or operation.name


def _input_name(recorded: RecordedStep, found: Replay, given: int | str) -> str:
    """What an input is called: a parameter, the batch, or the module or operation that made it."""
    if isinstance(given, int):
        operation = found.graph.operations[given]
        if given in found.aside:
            return _batch_name(recorded, found.aside[given]) or operation.name
        return _made_by(operation)
    return (_batch_name(recorded, found.leaves[given]) if given.startswith("outside.") else "") or given


def _batch_name(recorded: RecordedStep, tensor: Tensor) -> str:
    """x or y, where the tensor is what the batch holds."""
    for name in ("x", "y"):
        kept = recorded.tensors.get(f"batch.{name}")
        if kept is not None and kept.shape == tensor.shape and torch.equal(kept.double(), tensor.double()):
            return name
    return ""


def loss_section(recorded: RecordedStep, found: Replay, row: int, rows: int) -> Section:
    """The loss in float64 beside the one that was recorded, and what the chosen row adds to it."""
    recorded_loss = float(recorded.tensors["loss"]) if "loss" in recorded.tensors else math.nan
    values = [float(found.worked[one.index].output) for one in found.losses]
    terms = [_row_term(found, found.losses[0], row, rows)] if len(values) == 1 else []
    return {
        "value": sum(values),
        "passes": values,
        "recorded": recorded_loss,
        "name": found.losses[0].name,
        "rows": rows,
        "term": next((each for each in terms if each), None),
    }


def _row_term(found: Replay, loss: Operation, row: int, rows: int) -> Section | None:
    """The term of one row: through operations that only scale or shift, back to the one that took the mean."""
    one = found.worked[loss.index]
    if isinstance(one.formula, Loss) and one.arguments is not None:
        terms = one.formula.terms(one.arguments)
        if not terms.ndim or terms.shape[0] != rows:
            return None
        value = float(terms[row].sum())
        text = (
            one.formula.term_words((row, *(0 for _ in terms.shape[1:])), one.arguments)
            if terms[row].numel() == 1
            else ""
        )
        return {"row": row, "value": value, "text": equal(text, value) if text else ""}
    given = loss.inputs[0] if loss.inputs else None
    if not isinstance(given, int) or given not in found.worked:
        return None
    inside = found.worked[given]
    if loss.name not in ("mean", "sum"):
        return _row_term(found, inside.operation, row, rows) if inside.output.numel() == 1 else None
    if not inside.output.ndim or inside.output.shape[0] != rows or inside.output[row].numel() != 1:
        return None
    text = ""
    if inside.formula is not None and inside.arguments is not None:
        text = inside.formula.entry(_index(inside.output, row, rows), inside.arguments, inside.output)
    return {"row": row, "value": float(inside.output[row]), "text": text}


def path_to(found: Replay, parameter: str) -> set[int]:
    """The operations between the first loss and the parameter: those that would change with it."""
    changed: set[int] = set()
    for index, one in found.worked.items():
        if any(each in changed if isinstance(each, int) else each == parameter for each in one.operation.inputs):
            changed.add(index)
    first = found.losses[0]
    return changed & {first.index, *(each.index for each in found.graph.ancestors(first))} & found.followed


def backward_sections(
    recorded: RecordedStep, found: Replay, parameter: str, entry: tuple[int, ...], row: int, rows: int
) -> list[Section]:
    """Each link of the chain rule, from the loss to the parameter."""
    path = path_to(found, parameter)
    return [
        _link(recorded, found, found.worked[index], path, parameter, entry, row, rows)
        for index in sorted(path, reverse=True)
    ]


def _link(
    recorded: RecordedStep,
    found: Replay,
    one: Worked,
    path: set[int],
    parameter: str,
    entry: Sequence[int],
    row: int,
    rows: int,
) -> Section:
    """How the gradient by the input on the way to the parameter follows from that by the output."""
    inputs = one.operation.inputs
    which = next((n for n, each in enumerate(inputs) if each == parameter or each in path), 0)
    said: Section = {
        "name": one.operation.name,
        "module": _module(one.operation),
        "by": _input_name(recorded, found, inputs[which]) if inputs else "",
        "derivative": "",
        "entry": "",
        "why": one.why,
    }
    if is_cut(one.operation):
        said["derivative"] = PIECES_DERIVATIVE
    if one.formula is not None and one.arguments is not None and one.gradient is not None:
        names = one.arguments.order
        said["derivative"] = one.formula.derivatives.get(names[which], "") if which < len(names) else ""
        index = tuple(entry) if inputs[which] == parameter else _steepest(found, one, which, row, rows)
        try:
            said["entry"] = one.formula.entry_of_gradient(which, index, one.gradient, one.arguments, one.output)
        except NotCovered as error:
            said["why"] = error.what
        said["entry"] = said["entry"] or _value_of_gradient(found, inputs[which], index)
    return said


def _value_of_gradient(found: Replay, given: int | str, index: tuple[int, ...]) -> str:
    """The number alone, where its formula has no words for a sum of so many terms."""
    gradient = found.gradients.get(given) if isinstance(given, str) else found.worked[given].gradient
    if gradient is None or len(index) != gradient.ndim:
        return ""
    where = place(given if isinstance(given, str) else "x", index)
    return f"∂L/∂{where} = {number(float(gradient[index]))}"
