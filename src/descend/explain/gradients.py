"""The gradients of a step beside their witnesses: which backward passes count, what clipping did to them, and do they agree."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from descend.explain.formulas.arguments import NotCovered
from descend.explain.recorded import RecordedStep
from descend.explain.replay import Replay, replay
from descend.explain.verify import Verdict, coarsest, compare, compare_all, worst_kink
from descend.numerics.differences import Difference, differences
from descend.record.graph import Operation

Section = dict[str, Any]

_MOST_FOR_DIFFERENCES = 20_000_000  # numbers of all outputs: beyond, the loss takes too long to compute again and again
_NEAR = 1e-3  # a kink
_SAME_NORM = 1e-3
_ROUNDING = {
    str(each).removeprefix("torch."): each for each in (torch.float64, torch.float32, torch.float16, torch.bfloat16)
}


@dataclass(frozen=True, slots=True)
class Clip:
    """What clipping did to gradients before they were recorded: all names that it was given, with one factor or one limit."""

    names: frozenset[str]
    factor: float = 1.0
    limit: float = math.inf

    def of(self, value: Tensor) -> Tensor:
        """A gradient as clipping left it."""
        return value.clamp(-self.limit, self.limit) * self.factor


def counted_losses(recorded: RecordedStep) -> list[Operation]:
    """Where the backward passes began whose gradients the update used: those after the last clearing before it."""
    if recorded.by_hand is not None:
        return list(recorded.by_hand.losses)
    losses = recorded.graph.losses
    what = [str(each["what"]) for each in recorded.happened]
    ends = what.index("update") if "update" in what else len(what)
    passes = [place for place, each in enumerate(what) if each == "backward"]
    if len(passes) != len(losses):
        return losses
    cleared = max((place for place, each in enumerate(what[:ends]) if each == "zero"), default=-1)
    return [loss for place, loss in zip(passes, losses, strict=True) if cleared < place < ends] or losses


def replayed(recorded: RecordedStep) -> Replay:
    """The step computed once more, from those of its backward passes whose gradients the update used.

    A pass that was only to look at gradients leaves nothing in them when its tensors were made anew: where the sum does not fit
    the gradients that were recorded and that of the last passes does, it is those. Raises NotCovered as ``replay`` does.
    """
    losses = counted_losses(recorded)
    found = replay(recorded.graph, recorded.tensors, losses, recorded.parameters)
    if len(losses) == 1 or _fits(recorded, found):
        return found
    for count in range(len(losses) - 1, 0, -1):
        fewer = replay(recorded.graph, recorded.tensors, losses[-count:], recorded.parameters)
        if _fits(recorded, fewer):
            return fewer
    return found


def _fits(recorded: RecordedStep, found: Replay) -> bool:
    return all(row["agrees"] is not False for row in gradient_rows(recorded, found, clips_of(recorded, found)))


def clips_of(recorded: RecordedStep, found: Replay) -> list[Clip]:
    """Every clipping of the step that changed a gradient before it was recorded."""
    closed = {name: found.gradients[name] for name in recorded.parameters if name in found.gradients}
    clips = []
    for each in recorded.happened:
        if each["what"] != "clip":
            continue
        most, norm = float(each["most"]), float(each.get("norm") or 0.0)
        if each.get("how") == "value":
            clips.append(Clip(frozenset(closed), limit=most))
        elif norm > most:
            factor = most / (norm + 1e-6)
            clips.append(Clip(_clipped(recorded.tensors, closed, norm, factor), factor))
    return clips


def clip_to_come(recorded: RecordedStep) -> tuple[float, float] | None:
    """In a run of ``train`` gradients are recorded before they are clipped: the limit, and their norm where that is above it."""
    most = recorded.info.recipe.get("clip") if recorded.info.kind == "train" else None
    if not most:
        return None
    norm = _norm({name: each.double() for name, each in recorded.tensors.items() if name.startswith("gradient.")})
    return (float(most), norm) if norm > float(most) else None


def _clipped(tensors: Mapping[str, Tensor], closed: Mapping[str, Tensor], norm: float, factor: float) -> frozenset[str]:
    """The parameters that were clipped together: their norm is the one that was recorded."""
    if math.isclose(_norm(closed), norm, rel_tol=_SAME_NORM):
        return frozenset(closed)
    some = {
        name: gradient
        for name, gradient in closed.items()
        if f"gradient.{name}" in tensors and compare_all(tensors[f"gradient.{name}"], gradient * factor).agrees
    }
    return frozenset(some if math.isclose(_norm(some), norm, rel_tol=_SAME_NORM) else closed)


def _norm(gradients: Mapping[str, Tensor]) -> float:
    return math.sqrt(sum(float(each.square().sum()) for each in gradients.values()))


def clipped(clips: list[Clip], name: str, value: Tensor) -> Tensor:
    """A closed-form gradient as the run's clipping would have left it."""
    for clip in clips:
        if name in clip.names:
            value = clip.of(value)
    return value


def gradient_rows(recorded: RecordedStep, found: Replay, clips: list[Clip]) -> list[Section]:
    """Every parameter's gradient beside its closed form."""
    names = recorded.parameters
    largest = max((float(one.abs().max()) for name, one in found.gradients.items() if name in names), default=0.0)
    rows = []
    for name in names:
        shown, closed = recorded.tensors.get(f"gradient.{name}"), found.gradients.get(name)
        row: Section = {"parameter": name, "shape": list(recorded.tensors[f"before.{name}"].shape)}
        seen = shown if shown is not None else closed
        row["norm"] = None if seen is None else float(seen.double().norm())
        row["largest"] = None if seen is None else float(seen.abs().max())
        if shown is None or closed is None:
            row |= {"agrees": None, "digits": None, "why": _missing(recorded, found, shown is None, name)}
        else:
            dtype = coarsest([shown.dtype, computed_in(found)])
            agreement = compare_all(shown, clipped(clips, name, closed), beside=largest, dtype=dtype)
            why = "" if agreement.agrees else _why_not(recorded)
            missing = _no_closed_form(found, name)
            if missing is not None and not why:
                why = f"by autograd in float64, {missing.what}"
            row |= {"agrees": agreement.agrees, "digits": agreement.digits, "why": why}
        rows.append(row)
    return rows


def computed_in(found: Replay) -> torch.dtype:
    """The coarsest type of number that gradients flowed through: under autocast it is not that of the parameters."""
    names = {one.operation.dtype for index, one in found.worked.items() if index in found.followed}
    known = [_ROUNDING[name] for name in names if name in _ROUNDING]
    return coarsest(known) if known else torch.float64


def _missing(recorded: RecordedStep, found: Replay, unrecorded: bool, name: str) -> str:
    if unrecorded and recorded.by_hand is not None:
        return "which gradient the script derived for it cannot be told from its update"
    if unrecorded:
        return "no gradient was recorded"
    begun_before = any(
        each.startswith("outside.") and tracked
        for one in found.worked.values()
        for each, tracked in zip(one.operation.inputs, one.operation.input_tracked, strict=False)
        if isinstance(each, str)
    )
    if begun_before:
        return "its part of the forward pass ran before this step, and is not in the record of it"
    return f"{name} takes no part in this loss"


def _why_not(recorded: RecordedStep) -> str:
    """What may stand behind a gradient that is not that of the losses alone."""
    if recorded.by_hand is not None:
        return "it is not the derivative of this loss"
    backwards = [each for each in recorded.happened if each["what"] == "backward"]
    if backwards and backwards[0].get("full"):
        return "gradients of earlier steps were still in it: it was not cleared"
    if any(each["what"] == "unscale" for each in recorded.happened):
        return "it was unscaled after the backward pass"
    return ""


def verdict_on(
    recorded: RecordedStep, found: Replay, name: str, entry: tuple[int, ...], clips: list[Clip]
) -> Section | None:
    """One entry of the gradient with both witnesses."""
    shown, plain = recorded.tensors.get(f"gradient.{name}"), found.gradients.get(name)
    if plain is None or name not in found.leaves:
        return None
    closed = clipped(clips, name, plain)
    value = float(closed[entry]) if shown is None else float(shown[entry])
    verdict = compare(
        value,
        _no_closed_form(found, name) or float(closed[entry]),
        _difference(found, name, entry, clips),
        largest=float(closed.abs().max()),
        beside=max((float(each.abs().max()) for each in found.gradients.values()), default=0.0),
        dtype=coarsest([shown.dtype, computed_in(found)]) if shown is not None else torch.float64,
        kink_of=_kink(found),
    )
    return {"entry": list(entry), "value": value, "by": _by(recorded, name, shown), **_said(verdict)}


def _said(verdict: Verdict) -> Section:
    return {"line": verdict.line(), "agrees": verdict.agrees, "digits": verdict.digits}


def _by(recorded: RecordedStep, name: str, shown: Tensor | None) -> str:
    """Who computed the number that is shown."""
    if shown is None:
        return "in float64"
    if recorded.by_hand is not None:
        return f"the script's own, line {recorded.by_hand.gradients[name].line}"
    by_formulas = recorded.info.kind == "train" and recorded.info.recipe.get("gradients") == "by-hand"
    return "the training's own formulas" if by_formulas else "autograd"


def _no_closed_form(found: Replay, name: str) -> NotCovered | None:
    """The first operation between a parameter and the losses whose derivative is not a closed form."""
    changed: set[int] = set()
    for index, one in found.worked.items():
        if any(each in changed if isinstance(each, int) else each == name for each in one.operation.inputs):
            changed.add(index)
            if one.why and one.gradient is not None and index in found.followed:
                return NotCovered(one.why)
    return None


def _difference(found: Replay, name: str, entry: tuple[int, ...], clips: list[Clip]) -> Difference | None:
    """By central differences of the loss, and then clipped as the gradient was."""
    if found.size > _MOST_FOR_DIFFERENCES:
        return None
    [taken] = differences(lambda changed: found.loss_with(name, changed), found.leaves[name], [entry])
    ends = clipped(clips, name, torch.tensor([taken.value, taken.left, taken.right], dtype=torch.float64))
    value, left, right = map(float, ends)
    factor = math.prod(clip.factor for clip in clips if name in clip.names)
    return replace(taken, value=value, left=left, right=right, error=taken.error * factor)


def _kink(found: Replay) -> str:
    margins = [
        (one.operation.name, one.formula.margin(one.arguments))
        for one in found.worked.values()
        if one.formula is not None and one.arguments is not None
    ]
    return worst_kink(margins, _NEAR)
