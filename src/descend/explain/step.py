"""One step of a training worked out: every number from the batch to the updated weight, with two witnesses for each gradient.

What comes out is plain data, to be shown by whoever shows it.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from descend.errors import UsageError, did_you_mean
from descend.explain.formulas.arguments import NotCovered
from descend.explain.formulas.words import number
from descend.explain.landscape import landscape_of
from descend.explain.recorded import RecordedStep, recorded_step
from descend.explain.replay import Replay, Worked, replay
from descend.explain.update import update
from descend.explain.verify import compare, compare_all, worst_kink
from descend.numerics.differences import differences
from descend.record.reader import Reader

Section = dict[str, Any]

_FEW = 6  # numbers of a tensor that are shown one by one
_MOST_FOR_DIFFERENCES = (
    20_000_000  # numbers of all outputs: beyond that the loss takes too long to compute again and again
)
_NEAR = 1e-3  # a kink


def work_out(
    reader: Reader, *, step: int | None = None, parameter: str | None = None, row: int | None = None
) -> dict[str, Any]:
    """Work one step out. ``step``: the first that was kept by itself; ``parameter``: the one with the largest gradient; ``row``: 0.

    Raises RecordError for a step that was not kept, UsageError for a parameter or a row that the step does not have.
    """
    recorded = recorded_step(reader, step)
    chosen = _parameter(recorded, parameter)
    worked: dict[str, Any] = {
        "run": recorded.info.name,
        "kind": recorded.info.kind,
        "step": recorded.step,
        "parameter": chosen,
        "row": row or 0,
        "data": _data(recorded),
        "notes": [],
    }
    try:
        found = replay(recorded.graph, recorded.tensors)
    except NotCovered as error:
        worked["notes"].append(f"The step could not be computed once more: {error.what}.")
        return worked | {
            "forward": [],
            "loss": None,
            "backward": [],
            "gradients": [],
            **_update(recorded, chosen, None),
        }
    rows = _rows_of(found)
    if row is not None and not 0 <= row < max(rows, 1):
        raise UsageError(f"step {recorded.step} has no row {row}", help=f"its batch has the rows 0 to {rows - 1}")
    factor = _clipping(recorded, found)
    path = _path(found, chosen)
    entry = _entry(recorded, found, chosen)
    if factor != 1:
        worked["notes"].append(f"Gradients were clipped before the update: each was multiplied by {number(factor)}.")
    worked |= {
        "forward": [_forward(recorded, found, one, row or 0, rows) for one in found.worked.values()],
        "loss": _loss(recorded, found),
        "backward": [
            _backward(recorded, found, one, path, chosen, entry, row or 0, rows)
            for one in reversed(list(found.worked.values()))
            if one.operation.index in path
        ],
        "gradients": _gradients(recorded, found, factor),
        "verdict": _verdict(recorded, found, chosen, entry, factor),
        **_update(recorded, chosen, entry),
        "landscape": landscape_of(recorded, found),
    }
    return worked


def _parameter(recorded: RecordedStep, wanted: str | None) -> str:
    known = [name for name in recorded.parameters if f"gradient.{name}" in recorded.tensors] or recorded.parameters
    if wanted is not None:
        if wanted not in recorded.parameters:
            raise UsageError(
                f"step {recorded.step} has no parameter {wanted}{did_you_mean(wanted, recorded.parameters)}",
                help=f"its parameters are {', '.join(recorded.parameters)}",
            )
        return wanted
    sizes = {
        name: float(recorded.tensors[f"gradient.{name}"].abs().max())
        for name in known
        if f"gradient.{name}" in recorded.tensors
    }
    return max(sizes, key=lambda name: sizes[name]) if sizes else known[0] if known else ""


def _data(recorded: RecordedStep) -> list[Section]:
    names = {"batch.x": "x", "batch.y": "y"}
    return [
        {"name": names.get(name, name), **described(recorded.tensors[name])}
        for name in ("batch.x", "batch.y", "batch.2", "batch.3")
        if name in recorded.tensors
    ]


def described(tensor: Tensor) -> Section:
    """Shape, type, and the numbers: all of a few, else least, most, mean and standard deviation."""
    found: Section = {"shape": list(tensor.shape), "dtype": str(tensor.dtype).removeprefix("torch.")}
    if tensor.numel() <= _FEW:
        return found | {"values": [float(each) for each in tensor.flatten()]}
    values = tensor.double()
    deviation, mean = torch.std_mean(values)
    least, most = torch.aminmax(values)
    return found | {"least": float(least), "most": float(most), "mean": float(mean), "std": float(deviation)}


def _rows_of(found: Replay) -> int:
    """How many rows the batch has: the longest first axis that most operations share."""
    lengths = [one.output.shape[0] for one in found.worked.values() if one.output.ndim]
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


def _forward(recorded: RecordedStep, found: Replay, one: Worked, row: int, rows: int) -> Section:
    operation = one.operation
    said = {
        "name": operation.name,
        "module": operation.module,
        "file": operation.file,
        "line": operation.line,
        "source": recorded.line_of(operation.file, operation.line),
        "formula": one.formula.text if one.formula is not None else "",
        "why": one.why,
        "inputs": [_input_name(recorded, found, each) for each in operation.inputs],
        **described(one.output),
        "entry": "",
    }
    if one.formula is not None and one.arguments is not None:
        said["entry"] = one.formula.entry(_index(one.output, row, rows), one.arguments, one.output)
    return said


def _input_name(recorded: RecordedStep, found: Replay, given: int | str) -> str:
    """What an input is called: a parameter, the batch, or the module or operation that made it."""
    if isinstance(given, int):
        operation = found.graph.operations[given]
        if given in found.aside:
            return _batch_name(recorded, found.aside[given]) or operation.name
        return operation.module or operation.name
    return _batch_name(recorded, found.leaves[given]) or given if given.startswith("outside.") else given


def _batch_name(recorded: RecordedStep, tensor: Tensor) -> str:
    """x or y, where the tensor is what the batch holds."""
    for name in ("x", "y"):
        kept = recorded.tensors.get(f"batch.{name}")
        if kept is not None and kept.shape == tensor.shape and torch.equal(kept.double(), tensor.double()):
            return name
    return ""


def _loss(recorded: RecordedStep, found: Replay) -> Section:
    value = float(found.worked[found.loss.index].output)
    shown = float(recorded.tensors["loss"]) if "loss" in recorded.tensors else math.nan
    return {"value": value, "recorded": shown, "name": found.loss.name}


def _path(found: Replay, parameter: str) -> set[int]:
    """The operations between the loss and the parameter: those that would change with it."""
    changed: set[int] = set()
    for index, one in found.worked.items():
        if any(each in changed if isinstance(each, int) else each == parameter for each in one.operation.inputs):
            changed.add(index)
    return changed


def _backward(
    recorded: RecordedStep,
    found: Replay,
    one: Worked,
    path: set[int],
    parameter: str,
    entry: tuple[int, ...],
    row: int,
    rows: int,
) -> Section:
    """One link of the chain: how the gradient by the input on the way to the parameter follows from that by the output."""
    inputs = one.operation.inputs
    which = next(
        (n for n, each in enumerate(inputs) if each == parameter or (isinstance(each, int) and each in path)), 0
    )
    said: Section = {
        "name": one.operation.name,
        "module": one.operation.module,
        "by": _input_name(recorded, found, inputs[which]) if inputs else "",
        "derivative": "",
        "entry": "",
        "why": one.why,
    }
    if one.formula is not None and one.arguments is not None and one.gradient is not None:
        names = one.arguments.order
        said["derivative"] = one.formula.derivatives.get(names[which], "") if which < len(names) else ""
        index = entry if inputs[which] == parameter else _steepest(found, one, which, row, rows)
        try:
            said["entry"] = one.formula.entry_of_gradient(which, index, one.gradient, one.arguments, one.output)
        except NotCovered as error:
            said["why"] = error.what
    return said


def _entry(recorded: RecordedStep, found: Replay, parameter: str) -> tuple[int, ...]:
    """The entry of the parameter that is followed: that with the largest gradient."""
    gradient = recorded.tensors.get(f"gradient.{parameter}")
    if gradient is None:
        gradient = found.gradients.get(parameter)
    if gradient is None or not gradient.ndim:
        return ()
    place = torch.unravel_index(gradient.abs().argmax(), gradient.shape)
    return tuple(int(each) for each in place)


def _clipping(recorded: RecordedStep, found: Replay) -> float:
    """What clipping by norm multiplied every gradient with, before it was recorded."""
    for each in recorded.happened:
        if each["what"] == "clip" and each.get("how") == "norm" and each.get("norm", 0) > each.get("most", math.inf):
            return float(each["most"]) / (float(each["norm"]) + 1e-6)
    most = recorded.info.recipe.get("clip") if recorded.info.kind == "train" else None
    if most:
        norm = math.sqrt(
            sum(float(found.gradients[name].square().sum()) for name in recorded.parameters if name in found.gradients)
        )
        return min(1.0, float(most) / (norm + 1e-6))
    return 1.0


def _gradients(recorded: RecordedStep, found: Replay, factor: float) -> list[Section]:
    """Every parameter's gradient beside its closed form."""
    largest = max(
        (float(one.abs().max()) for name, one in found.gradients.items() if name in recorded.parameters), default=0.0
    )
    rows = []
    for name in recorded.parameters:
        shown, closed = recorded.tensors.get(f"gradient.{name}"), found.gradients.get(name)
        row: Section = {"parameter": name, "shape": list(recorded.tensors[f"before.{name}"].shape)}
        if shown is not None:
            row |= {"largest": float(shown.abs().max()), "norm": float(shown.double().norm())}
        if shown is None or closed is None:
            row |= {
                "agrees": None,
                "digits": None,
                "why": "no gradient was recorded" if shown is None else "it takes no part in this loss",
            }
        else:
            agreement = compare_all(shown, closed * factor, beside=largest)
            row |= {
                "agrees": agreement.agrees,
                "digits": agreement.digits,
                "why": "" if agreement.agrees else _why_not(recorded),
            }
        rows.append(row)
    return rows


def _why_not(recorded: RecordedStep) -> str:
    """What may stand behind a gradient that is not that of this loss alone."""
    backwards = [each for each in recorded.happened if each["what"] == "backward"]
    if len(backwards) > 1:
        return f"{len(backwards)} backward passes add up in it; only the first is worked out here"
    if backwards and backwards[0].get("full"):
        return "gradients of earlier steps were still in it: it was not cleared"
    return ""


def _verdict(recorded: RecordedStep, found: Replay, name: str, entry: tuple[int, ...], factor: float) -> Section | None:
    """The chosen entry with both witnesses."""
    shown, closed = recorded.tensors.get(f"gradient.{name}"), found.gradients.get(name)
    if closed is None or name not in found.leaves:
        return None
    value = float(closed[entry]) * factor if shown is None else float(shown[entry])
    size = sum(one.output.numel() for one in found.worked.values())
    taken = None
    if size <= _MOST_FOR_DIFFERENCES and factor == 1:
        [taken] = differences(lambda changed: found.loss_with(name, changed), found.leaves[name], [entry])
    margins = [
        (one.operation.name, one.formula.margin(one.arguments))
        for one in found.worked.values()
        if one.formula is not None and one.arguments is not None
    ]
    without = next((one.why for one in found.worked.values() if one.why and one.operation.tracked), "")
    largest = max((float(each.abs().max()) for each in found.gradients.values()), default=0.0)
    verdict = compare(
        value,
        NotCovered(without) if without else float(closed[entry]) * factor,
        taken,
        largest=float(closed.abs().max()) * factor,
        beside=largest,
        dtype=shown.dtype if shown is not None else torch.float32,
        kink_of=worst_kink(margins, _NEAR),
    )
    return {
        "entry": list(entry),
        "value": value,
        "line": verdict.line(),
        "agrees": verdict.agrees,
        "digits": verdict.digits,
    }


def _update(recorded: RecordedStep, name: str, entry: tuple[int, ...] | None) -> dict[str, Any]:
    """The arithmetic of the update of the chosen entry, beside what the run made of it; and what was cleared."""
    cleared = sum(int(each["cleared"]) for each in recorded.happened if each["what"] == "zero")
    zero = {"cleared": cleared, "seen": any(each["what"] == "zero" for each in recorded.happened)}
    gradient, before = recorded.tensors.get(f"gradient.{name}"), recorded.tensors.get(f"before.{name}")
    if gradient is None or before is None or entry is None:
        return {"update": None, "zero": zero}
    optimizer = recorded.optimizer_of(name)
    settings = {**optimizer.settings, **({} if math.isnan(recorded.lr) else {"lr": recorded.lr})}
    found = update(
        optimizer.kind, settings, float(before[entry]), float(gradient[entry]), _memory(recorded.tensors, name, entry)
    )
    after = recorded.tensors.get(f"after.{name}")
    section: Section = {
        "optimizer": optimizer.kind,
        "entry": list(entry),
        "old": float(before[entry]),
        "gradient": float(gradient[entry]),
        "recorded": None if after is None else float(after[entry]),
        "lines": [] if found is None else list(found.lines),
        "new": None if found is None else found.new,
        "agrees": None,
    }
    if found is not None and after is not None and not math.isnan(found.new):
        size = max(abs(found.new - float(before[entry])), abs(float(before[entry])) * 1e-3, 1e-12)
        section["agrees"] = abs(found.new - float(after[entry])) <= 1e-3 * size + 1e-6 * abs(float(after[entry]))
    return {"update": section, "zero": zero}


def _memory(tensors: Mapping[str, Tensor], name: str, entry: tuple[int, ...]) -> dict[str, float]:
    found = {}
    for key, tensor in tensors.items():
        if key.startswith("state_before.") and key.endswith(f".{name}"):
            kind = key.removeprefix("state_before.").removesuffix(f".{name}")
            found[kind] = (
                float(tensor[entry]) if tensor.ndim == len(entry) and tensor.ndim else float(tensor.flatten()[0])
            )
        elif key == "state_before.steps":
            found["steps"] = float(tensor)
    return found
