"""One step of a training worked out: every number from the batch to the updated weight, with two witnesses for each gradient.

What comes out is plain data, to be shown by whoever shows it.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from descend.errors import UsageError, did_you_mean
from descend.explain.curvature import top_curvature
from descend.explain.formulas.arguments import NotCovered
from descend.explain.formulas.words import equal, number
from descend.explain.gradients import clip_to_come, clips_of, computed_in, gradient_rows, replayed, verdict_on
from descend.explain.landscape import is_plain, landscape_of
from descend.explain.recorded import UNKNOWN, RecordedStep, recorded_step
from descend.explain.replay import Replay, replay
from descend.explain.sections import (
    backward_sections,
    data_sections,
    forward_section,
    loss_section,
    recorded_section,
    rows_of,
)
from descend.explain.update import moved, update
from descend.record.reader import Reader

Section = dict[str, Any]

_DIGITS = {torch.float16: 3, torch.bfloat16: 2}  # that a number of this type has
_SECONDS = 2.0  # that the curvature may take
_MOST_PASSES = 8  # backward passes whose parts of a gradient are shown one by one


def work_out(
    reader: Reader,
    *,
    step: int | None = None,
    parameter: str | None = None,
    row: int | None = None,
    seconds: float = _SECONDS,
) -> dict[str, Any]:
    """Work one step out. ``step``: the first that was kept by itself; ``parameter``: the one with the largest gradient; ``row``: 0.

    seconds: how long the search for the steepest curvature may take. Raises RecordError for a step that was not kept, UsageError
    for a parameter or a row that the step does not have.
    """
    recorded = recorded_step(reader, step)
    chosen = _parameter(recorded, parameter)
    worked: dict[str, Any] = {
        "run": recorded.info.name,
        "kind": recorded.info.kind,
        "step": recorded.step,
        "parameter": chosen,
        "row": row or 0,
        "data": data_sections(recorded),
        "notes": [],
    }
    try:
        found = replayed(recorded)
    except NotCovered as error:
        return worked | _as_recorded(recorded, chosen, error)
    rows = rows_of(found)
    if row is not None and not 0 <= row < max(rows, 1):
        raise UsageError(f"step {recorded.step} has no row {row}", help=f"its batch has the rows 0 to {rows - 1}")
    if recorded.cut:
        return worked | _of_some_rows(recorded, found, chosen, row or 0, rows)
    return worked | _worked_out(recorded, found, chosen, row or 0, rows, seconds)


def _of_some_rows(recorded: RecordedStep, found: Replay, parameter: str, row: int, rows: int) -> dict[str, Any]:
    """Where the batch was too large to be kept whole: forward of the rows there are; the rest is of all rows, as recorded."""
    value = float(recorded.tensors["loss"])
    note = (
        f"Only a part was kept: {recorded.cut}. Forward shows these; loss, gradients and update are of all rows,"
        " as the run computed them, so that no witness can be asked."
    )
    return {
        "notes": [note],
        "forward": [forward_section(recorded, found, one, row, rows) for one in found.worked.values()],
        "loss": {"value": value, "recorded": value, "passes": [value], "term": None, "name": ""},
        "backward": [],
        "gradients": [],
        "verdict": None,
        "update": _update(recorded, parameter, _largest(recorded.tensors.get(f"gradient.{parameter}"))),
        "zero": _zero(recorded),
        "landscape": None,
        "curvature": None,
    }


def _worked_out(
    recorded: RecordedStep, found: Replay, parameter: str, row: int, rows: int, seconds: float
) -> dict[str, Any]:
    clips, entry = clips_of(recorded, found), _entry(recorded, found, parameter)
    first = found.losses[0]
    shown = {first.index, *(each.index for each in found.graph.ancestors(first))}
    verdict = verdict_on(recorded, found, parameter, entry, clips)
    if verdict is not None and 1 < len(found.losses) <= _MOST_PASSES:
        verdict["parts"] = _parts(recorded, found, parameter, entry)
    landscape, changed = landscape_of(recorded, found), _update(recorded, parameter, entry)
    return {
        "notes": _notes(recorded, found, [clip.factor for clip in clips], [clip.limit for clip in clips]),
        "forward": [
            forward_section(recorded, found, one, row, rows) for index, one in found.worked.items() if index in shown
        ],
        "loss": loss_section(recorded, found, row, rows),
        "backward": backward_sections(recorded, found, parameter, entry, row, rows),
        "gradients": gradient_rows(recorded, found, clips),
        "verdict": verdict,
        "update": changed,
        "zero": _zero(recorded),
        "landscape": landscape,
        "curvature": None if landscape is not None else _curvature(recorded, found, changed, seconds),
    }


def _as_recorded(recorded: RecordedStep, parameter: str, error: NotCovered) -> dict[str, Any]:
    """What can be said of a step that could not be computed once more."""
    loss = float(recorded.tensors["loss"]) if "loss" in recorded.tensors else None
    gradient = recorded.tensors.get(f"gradient.{parameter}")
    return {
        "notes": [f"The step could not be computed once more: {error.what}. Its numbers are those of the record."],
        "forward": [recorded_section(recorded, each) for each in recorded.graph.forward],
        "loss": None if loss is None else {"value": loss, "recorded": loss, "passes": [loss], "term": None, "name": ""},
        "backward": [],
        "gradients": [],
        "verdict": None,
        "update": _update(recorded, parameter, _largest(gradient)),
        "zero": _zero(recorded),
        "landscape": None,
        "curvature": None,
    }


def _parameter(recorded: RecordedStep, wanted: str | None) -> str:
    """The parameter to follow: the one asked for, else the one with the largest gradient."""
    if wanted is not None:
        if wanted not in recorded.parameters:
            raise UsageError(
                f"step {recorded.step} has no parameter {wanted}{did_you_mean(wanted, recorded.parameters)}",
                help=f"its parameters are {', '.join(recorded.parameters)}"
                if recorded.parameters
                else "the values of its parameters were not kept",
            )
        return wanted
    sizes = {
        name: float(recorded.tensors[f"gradient.{name}"].abs().max())
        for name in recorded.parameters
        if f"gradient.{name}" in recorded.tensors and recorded.tensors[f"gradient.{name}"].numel()
    }
    return max(sizes, key=lambda name: sizes[name]) if sizes else next(iter(recorded.parameters), "")


def _entry(recorded: RecordedStep, found: Replay, parameter: str) -> tuple[int, ...]:
    """The entry of the parameter that is followed: that with the largest gradient."""
    return _largest(recorded.tensors.get(f"gradient.{parameter}", found.gradients.get(parameter)))


def _largest(gradient: Tensor | None) -> tuple[int, ...]:
    if gradient is None or not gradient.ndim:
        return ()
    place = torch.unravel_index(gradient.abs().argmax(), gradient.shape)
    return tuple(int(each) for each in place)


def _parts(recorded: RecordedStep, found: Replay, parameter: str, entry: tuple[int, ...]) -> list[float]:
    """What each backward pass added to the entry."""
    alone = [replay(recorded.graph, recorded.tensors, [one], recorded.parameters) for one in found.losses]
    return [float(each.gradients[parameter][entry]) if parameter in each.gradients else 0.0 for each in alone]


def _notes(recorded: RecordedStep, found: Replay, factors: list[float], limits: list[float]) -> list[str]:
    notes = []
    if len(found.losses) > 1:
        notes.append(
            f"The gradients of {len(found.losses)} backward passes add up. Forward and backward show the first;"
            " the gradients below them are those of all."
        )
    notes += [
        f"Gradients were clipped before the update: each was multiplied by {number(factor)}."
        for factor in factors
        if factor != 1
    ]
    notes += [
        f"Gradients were clipped before the update, to between {number(-limit)} and {number(limit)}."
        for limit in limits
        if math.isfinite(limit)
    ]
    dtype = computed_in(found)
    if dtype in (torch.float16, torch.bfloat16):
        name = str(dtype).removeprefix("torch.")
        notes.append(
            f"The run computed in {name}, which rounds to {_DIGITS[dtype]} digits; here everything is worked out in float64."
        )
    if recorded.by_hand is not None:
        notes.append("No backward pass: the script derives its gradients itself.")
    return notes


def _update(recorded: RecordedStep, name: str, entry: tuple[int, ...]) -> Section | None:
    """The arithmetic of the update of one entry, beside what the run made of it."""
    gradient, before = recorded.tensors.get(f"gradient.{name}"), recorded.tensors.get(f"before.{name}")
    after = recorded.tensors.get(f"after.{name}")
    if before is None or (gradient is None and after is None):
        return None
    optimizer, old = recorded.optimizer_of(name), float(before[entry])
    section: Section = {
        "optimizer": optimizer.kind,
        "entry": list(entry),
        "old": old,
        "gradient": None if gradient is None else float(gradient[entry]),
        "recorded": None if after is None else float(after[entry]),
        "lines": [],
        "new": None,
        "agrees": None,
        "why": "",
    }
    if after is not None:
        section["shown"] = list(moved(old, float(after[entry])))
    if gradient is None:
        return section | {"why": "which gradient it takes cannot be told from the record"}
    value, lines = _clipped_now(recorded, float(gradient[entry]))
    found = update(optimizer.kind, recorded.settings_of(name), old, value, _memory(recorded.tensors, name, entry))
    if found is None or math.isnan(found.new):
        return section | {"why": _why_unknown(optimizer.kind)}
    section |= {"lines": [*lines, *found.lines], "new": found.new}
    if after is not None:
        # What it was computed in rounds the result, and a little of the change before it.
        rounding = 4 * torch.finfo(after.dtype).eps if after.is_floating_point() else 0.0
        allowed = 1e-3 * abs(found.new - old) + rounding * max(abs(old), abs(found.new))
        section["agrees"] = abs(found.new - float(after[entry])) <= allowed
    return section


def _why_unknown(kind: str) -> str:
    if kind == UNKNOWN:
        return "which optimizer it was is recorded when the program ends"
    return (
        "the learning rate is not known"
        if not kind
        else f"the arithmetic of {kind} with these settings is not known here"
    )


def _clipped_now(recorded: RecordedStep, gradient: float) -> tuple[float, list[str]]:
    """The gradient as the update takes it, where it was recorded before it was clipped."""
    clip = clip_to_come(recorded)
    if clip is None:
        return gradient, []
    most, norm = clip
    value = gradient * most / (norm + 1e-6)
    text = f"g ← g·c/‖g‖ = {number(gradient)}·{number(most)}/{number(norm)}"
    return value, [f"{equal(text, value)}   clipped: all gradients together have the norm {number(norm)}"]


def _zero(recorded: RecordedStep) -> Section:
    """What was cleared."""
    if recorded.info.kind == "train":
        written_anew = (
            recorded.info.recipe.get("gradients") == "by-hand" and recorded.info.recipe.get("accumulate") == 1
        )
        return {"cleared": 0 if written_anew else len(recorded.parameters), "seen": True, "written_anew": written_anew}
    zeros = [each for each in recorded.happened if each["what"] == "zero"]
    by_hand = {each.inputs[0] for each in recorded.graph.named("zero_", "fill_") if _is_gradient(each.inputs[:1])}
    cleared = sum(int(each["cleared"]) for each in zeros) + len(by_hand)
    return {"cleared": cleared, "seen": bool(zeros or by_hand), "written_anew": recorded.by_hand is not None}


def _is_gradient(inputs: tuple[int | str, ...]) -> bool:
    return any(isinstance(each, str) and each.endswith(".grad") for each in inputs)


def _memory(tensors: Mapping[str, Tensor], name: str, entry: tuple[int, ...]) -> dict[str, float]:
    """What the optimizer remembers of the entry before the update."""
    found = {}
    for key, tensor in tensors.items():
        if key == "state_before.steps":
            found["steps"] = float(tensor)
        elif key.startswith("state_before.") and key.endswith(f".{name}"):
            kind = key.removeprefix("state_before.").removesuffix(f".{name}")
            of_entry = tensor.ndim and tensor.shape == tensors[f"before.{name}"].shape
            found[kind] = float(tensor[entry] if of_entry else tensor.flatten()[0])
    return found


def _curvature(recorded: RecordedStep, found: Replay, changed: Section | None, seconds: float) -> Section:
    """The steepest direction of the loss, for models that are not linear least squares."""
    top = top_curvature(found, recorded.parameters, seconds)
    if isinstance(top, str):
        return {"value": None, "why": top}
    by_hand = not recorded.optimizers and changed is not None and changed["agrees"] is True
    plain = (by_hand or bool(recorded.optimizers or recorded.by_hand)) and all(
        is_plain(each.kind, each.settings) for each in recorded.optimizers
    )
    return {
        "value": top.value,
        "residual": top.residual,
        "products": top.products,
        "converged": top.converged,
        "largest_stable_lr": 2 / top.value if top.value > 0 else None,
        "lr": None if math.isnan(recorded.lr) else recorded.lr,
        "plain": plain,
        "why": "",
    }
