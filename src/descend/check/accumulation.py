"""Gradients of several batches that make one update: D111."""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from typing import Any

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding, Level, Place
from descend.check.graph import StepGraph
from descend.check.rule import Rule

Happened = Mapping[str, Any]

_RUNNING = 3  # updates that show it
_MOSTLY = 0.8  # of all updates, where something is done at each and not at the end of an epoch only
_SCALE_FREE = frozenset(
    ["Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adagrad", "RMSprop", "Rprop", "Adafactor", "SparseAdam"]
)
"""Optimizers whose step is the same when all gradients are multiplied by one number."""


class NotAveraged(Rule):
    """The gradients of several batches are added up for one update, and never divided by their number."""

    code = "D111"
    highest = "likely"
    name = "accumulated gradients are not averaged"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        windows = _accumulating(evidence)
        if not windows:
            return
        wasted = [each for each in windows if each.dropped is not None and each.count == 1]
        if len(wasted) >= _RUNNING and len(wasted) >= _MOSTLY * len(windows):
            yield self._wasted(evidence, wasted)
            return
        usual = Counter(each.count for each in windows).most_common(1)[0][0]
        added = [each for each in windows if each.count == usual and isclose(each.factor, 1.0, rel_tol=1e-6)]
        if usual > 1 and len(added) >= _RUNNING:
            yield self._added(evidence, usual, added)
            return
        averaged = [each for each in windows if each.count == usual and isclose(each.factor * usual, 1.0, rel_tol=1e-2)]
        if usual > 1 and len(averaged) >= _RUNNING:
            yield from self._partial(evidence, usual, [each for each in windows if each.count != usual])
            yield from self._dropped(evidence, usual, windows)

    def clean(self, evidence: Evidence) -> str:
        windows = _accumulating(evidence)
        if not any(each.count > 1 for each in windows):
            return "no update adds up the gradients of several batches"
        most = max(each.count for each in windows)
        averaged = all(isclose(each.factor * each.count, 1.0, rel_tol=1e-2) for each in windows)
        return f"the gradients of up to {most} batches make an update" + (", averaged" if averaged else "")

    def _added(self, evidence: Evidence, usual: int, found: Sequence["_Accumulated"]) -> Finding:
        first = found[0]
        backward = first.backward
        summed = all(each.backward["reduced"] == "sum" for each in found)
        free = first.optimizer in _SCALE_FREE
        level: Level = "note" if summed or free else "likely"
        why = f"The gradient of each update is {usual} times that of the mean over its batches"
        if free:
            why += f"; {first.optimizer} divides by the size of the gradients, so that its steps hardly change, but clipping, weight decay and eps do."
        elif summed:
            why += ", as a loss that is summed over rows has it; the learning rate has to fit the sum."
        else:
            why += f": the learning rate works as if it were {usual} times as large."
        return Finding(
            code=self.code,
            level=level,
            title=f"the gradients of {usual} batches are added up for each update and not averaged",
            message=why,
            evidence={
                "backward passes for an update": usual,
                "the loss is divided by": 1,
                "norm of the gradients at the update": words.number(first.norm),
                "updates that were looked at": len(found),
            },
            where=evidence.place(backward["file"], backward["line"]),
            step=first.step,
            fix=_divided(evidence, backward, usual),
        )

    def _wasted(self, evidence: Evidence, found: Sequence["_Accumulated"]) -> Finding:
        """Gradients that are cleared before each batch, though an update comes only after several."""
        first = found[0]
        assert first.dropped is not None
        lost, zero = first.dropped
        return Finding(
            code=self.code,
            level=self.highest,
            title=f"the gradients of {lost} of {lost + 1} batches are thrown away",
            message=f"{lost + 1} backward passes run for an update, and the gradients are cleared before each of them: the update has "
            "those of the last batch alone. The others cost their time and teach nothing.",
            evidence={
                "backward passes for an update": lost + 1,
                "of which are used": 1,
                "updates that were looked at": len(found),
            },
            where=evidence.place(zero["file"], zero["line"]),
            step=first.step,
            fix="call zero_grad() right behind optimizer.step(), and only there",
        )

    def _partial(self, evidence: Evidence, usual: int, found: Sequence["_Accumulated"]) -> Iterator[Finding]:
        """Windows with fewer or more batches than the number that the loss is divided by."""
        odd = [each for each in found if isclose(each.factor * usual, 1.0, rel_tol=1e-2)]
        if not odd:
            return
        first = odd[0]
        backward = first.backward
        yield Finding(
            code=self.code,
            level="likely",
            title=f"an update at the end of an epoch has the gradients of {first.count} batches, divided by {usual}",
            message=f"The number of batches in an epoch is no multiple of {usual}: this update counts {first.count}/{usual} of a "
            "whole one.",
            evidence={
                "batches for an update": words.listed([*sorted({str(each.count) for each in found}), str(usual)]),
                "the loss is divided by": usual,
                "steps": words.steps([each.step for each in odd]),
            },
            where=evidence.place(backward["file"], backward["line"]),
            step=first.step,
            fix="divide by the number of batches that the window really has, or leave the last ones out (drop_last)",
        )

    def _dropped(self, evidence: Evidence, usual: int, windows: Sequence["_Accumulated"]) -> Iterator[Finding]:
        """Gradients of the last batches that are cleared before an update could use them."""
        lost = [(each, each.dropped) for each in windows if each.dropped is not None]
        if not lost:
            return
        first, (count, zero) = lost[0]
        yield Finding(
            code=self.code,
            level="likely",
            title=f"the gradients of the last {count} batches of an epoch are thrown away",
            message=f"The number of batches is no multiple of {usual}: what was accumulated at the end of the epoch is cleared "
            "before an update uses it.",
            evidence={"batches for an update": usual, "batches lost": count, "times": len(lost)},
            where=evidence.place(zero["file"], zero["line"]),
            step=first.step,
            fix="update once more behind the loop over the batches, before the gradients are cleared",
        )


@dataclass(frozen=True, slots=True)
class _Accumulated:
    """An update and the backward passes of one line that it has used."""

    step: int
    count: int
    factor: float  # what each loss was multiplied with
    backward: Happened  # the first of them
    norm: float  # of the gradients at the update
    optimizer: str
    dropped: tuple[int, Happened] | None  # passes whose gradients were cleared unused, and where


def _accumulating(evidence: Evidence) -> list[_Accumulated]:
    """The updates of one line's backward passes, each with a forward pass of its own, in steps whose operations were kept."""
    kinds = {row.values["number"]: row.values["class"] for row in evidence.facts("optimizer")}
    kept = set(evidence.operation_steps[:20])
    found: list[_Accumulated] = []
    if not kept:
        raise CannotCheck(evidence.why_no_operations())
    for row in evidence.facts("order"):
        updates = [each for each in row.values["happened"] if each["what"] == "update"]
        if row.step not in kept or len(updates) != 1:
            continue
        one = _accumulated(evidence.graph(row.step), row.step, row.values["happened"], kinds)
        if one is not None:
            found.append(one)
    return found


def _accumulated(
    graph: StepGraph, step: int, happened: Sequence[Happened], kinds: Mapping[int, str]
) -> _Accumulated | None:
    update = next(each for each in happened if each["what"] == "update")
    before = happened[: happened.index(update)]
    passes = [each for each in before if each["what"] == "backward"]
    rows = [each for each in graph if each.name == "backward"]
    if not passes or len(passes) != len(rows) or any(len(each.inputs) != 1 for each in rows):
        return None  # passes of another kind, or weighted by the caller
    if len({(each["file"], each["line"]) for each in passes}) > 1 or not _have_forwards(graph):
        return None
    dropped: tuple[int, Happened] | None = None
    used: list[Happened] = []
    for each in before:
        if each["what"] == "backward":
            used.append(each)
        elif each["what"] == "zero" and each["cleared"] and used:
            dropped, used = ((dropped[0] if dropped else 0) + len(used), each), []
    factors = {round(each["factor"], 9) for each in used}
    by_hand = not update["optimizer"]
    if not used or len(factors) != 1:
        return None
    if _is_divided(graph, len(used)) if by_hand else not _as_added(used, before, update):
        return None
    norm = used[-1].get("norm") if by_hand else update["norm"]
    return _Accumulated(
        step, len(used), used[0]["factor"], used[0], norm or 0.0, kinds.get(update["optimizer"], ""), dropped
    )


def _have_forwards(graph: StepGraph) -> bool:
    """Whether each backward pass of a step has a forward pass of its own: something is computed with a parameter since the one before."""
    last = -1
    for operation in graph:
        if operation.name != "backward":
            continue
        fresh = [each for each in graph.ancestors(operation) if each.index > last]
        if not any(
            isinstance(given, str) and tracked
            for each in fresh
            for given, tracked in zip(each.inputs, each.input_tracked, strict=False)
        ):
            return False
        last = operation.index
    return True


def _as_added(used: Sequence[Happened], before: Sequence[Happened], update: Happened) -> bool:
    """Whether the update takes the gradients as the last backward pass left them: nobody has divided them by hand."""
    norm = used[-1].get("norm")
    if norm is None or any(each["what"] == "clip" for each in before):
        return True
    return isclose(norm, update["norm"], rel_tol=1e-3)


def _is_divided(graph: StepGraph, count: int) -> bool:
    """Whether an update by hand divides gradients by the number of batches."""
    reached = [
        each for each in graph if any(isinstance(given, str) and given.endswith(".grad") for given in each.inputs)
    ]
    for _ in range(3):
        for each in reached:
            if any(isinstance(value, int | float) and value in (count, 1 / count) for value in each.constants.values()):
                return True
        reached = [user for each in reached for user in graph.users_of(each)]
    return False


def _divided(evidence: Evidence, backward: Happened, count: int) -> str:
    """The user's backward line with the loss divided."""
    place: Place | None = evidence.place(backward["file"], backward["line"])
    for call in evidence.calls_on(backward["file"], backward["line"]):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "backward":
            loss = call.func.value
            fixed = words.line_with(evidence, place, loss, f"({ast.unparse(loss)} / {count})")
            if fixed:
                return fixed
    return f"divide the loss by {count} before backward()"


RULES: tuple[type[Rule], ...] = (NotAveraged,)
