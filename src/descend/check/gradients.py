"""Faults of gradients and updates that the order of a step shows: D101 to D103."""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding, Place
from descend.check.gradients_by_hand import Thrown, thrown_away
from descend.check.rule import Rule
from descend.record.rows import FactRow

Happened = Mapping[str, Any]

_RUNNING = 3  # steps in a row that show it: one may be an accident, or the start of something


class NeverCleared(Rule):
    """The gradients that an update has used are still there when the next backward pass adds to them."""

    code = "D101"
    highest = "bug"
    name = "gradients are never cleared"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for optimizer, steps in _updates(evidence).items():
            kept = [step for step, update in steps if update["kept"] and _all_kept(update)]
            running = _in_a_row(kept, [step for step, _ in steps])
            if len(running) < _RUNNING:
                continue
            update = dict(steps)[running[0]]
            backward = _last(evidence, running[0], "backward")
            place = evidence.place(backward["file"], backward["line"]) if backward else None
            norms = _gradient_norms(evidence, running)
            name = "optimizer.zero_grad()" if optimizer else "the gradients (grad.zero_())"
            yield Finding(
                code=self.code,
                level="bug",
                title=f"gradients are never cleared: each step adds to those of all steps before ({words.steps(running)})",
                message="An update should follow the gradient of its own batch. Here it follows the sum of all gradients since the "
                "first step, so the steps grow and overshoot.",
                evidence={
                    "gradients kept": f"{update['kept']} of {update['parameters'] - update['missing']} in each of "
                    f"{len(running)} steps that were looked at",
                    **norms,
                },
                where=place,
                step=running[0],
                fix=_cleared_first(evidence, optimizer, backward) or f"clear {name} once a step, before backward",
            )

    def clean(self, evidence: Evidence) -> str:
        looked = sum(len(steps) for steps in _updates(evidence).values())
        return f"gradients are cleared between updates ({looked} of {looked} that were looked at)"


class ClearedTooEarly(Rule):
    """Gradients are thrown away after backward and before the update that should use them."""

    code = "D102"
    highest = "bug"
    name = "gradients are cleared between backward and update"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        by_hand = thrown_away(evidence)
        yield from self._by_hand(evidence, by_hand)
        if by_hand and not evidence.facts("order"):
            return
        found: list[tuple[int, Happened, Happened]] = []
        for step, happened in _orders(evidence):
            found += [(step, zero, update) for zero, update in _thrown_away(happened)]
        found = [each for each in found if not _comes_first(each[1], each[2], _last(evidence, each[0], "backward"))]
        if len(found) >= _RUNNING:
            step, zero, update = found[0]
            yield Finding(
                code=self.code,
                level="bug",
                title=f"gradients are cleared between backward and update ({words.steps([each for each, _, _ in found])})",
                message="The update finds no gradient to follow: what the backward pass computed is never used.",
                evidence={
                    "cleared": f"{zero['cleared']} gradients, after backward",
                    "at the update": f"{update['missing']} missing and {update['zero']} zero of {update['parameters']}",
                },
                where=evidence.place(zero["file"], zero["line"]),
                step=step,
                fix="move this line before backward(), or behind the update",
            )

    def _by_hand(self, evidence: Evidence, found: Sequence[Thrown]) -> Iterator[Finding]:
        """The update is written by hand, and computes with gradients that were set to zero before."""
        times = Counter(each.parameter for each in found)
        if not times or max(times.values()) < _RUNNING:
            return
        first = found[0]
        names = list(times)
        yield Finding(
            code=self.code,
            level="bug",
            title=f"the gradients of {words.listed(names)} are cleared between backward and update",
            message="The update computes with zeros: what the backward pass computed is never used, and nothing moves.",
            evidence={
                "cleared after backward": f"{max(times.values())} times in the steps that were looked at",
                "the update uses": f"{first.parameter}.grad of zeros (line {first.used.line})",
            },
            where=words.place_of(evidence, first.cleared),
            step=first.cleared.step,
            fix=f"clear the gradients behind the update (line {first.used.line}), not before it",
        )

    def clean(self, evidence: Evidence) -> str:
        return "every update finds the gradients of its backward pass"


class NeverUpdated(Rule):
    """An optimizer was made, backward passes ran, and nothing was ever updated; or the update comes before the gradients."""

    code = "D103"
    highest = "bug"
    name = "the update never comes"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        yield from self._too_early(evidence)
        for row in evidence.facts("optimizer"):
            if not row.values["steps"] and row.values.get("reached") and not row.values["moved"]:
                yield from self._never(evidence, row)

    def _never(self, evidence: Evidence, row: FactRow) -> Iterator[Finding]:
        """Backward passes reached what an optimizer holds, it was never stepped, and nothing else moved it."""
        passes = _backward_passes(evidence)
        status = evidence.report.get("status") or evidence.info.status
        if len(passes) < _RUNNING or status in ("failed", "interrupted"):
            return  # it may have been still to come
        where = _named_only(evidence)
        place = where or evidence.place(passes[0]["file"], passes[0]["line"])
        others = [each for each in evidence.facts("optimizer") if each.values["steps"]]
        if others and where is None:
            place = evidence.place(row.file, row.line)
        yield Finding(
            code=self.code,
            level="bug",
            title=f"{row.values['class']} was made and its step() is never called",
            message=f"Backward passes computed gradients for {words.listed(row.values['parameters'])} and nothing used them: "
            "these parameters end as they began.",
            evidence={
                "backward passes that were looked at": len(passes),
                "updates": 0,
                "parameters moved": f"0 of {row.values['held']}",
            },
            where=place,
            step=None,
            fix=f"{where.source}()" if where is not None else "call step() of this optimizer after backward()",
        )

    def _too_early(self, evidence: Evidence) -> Iterator[Finding]:
        """The update stands above the backward pass, and the gradients are cleared in between."""
        if not evidence.facts("order"):
            return
        found = []
        for step, happened in _orders(evidence):
            backward = next((each for each in happened if each["what"] == "backward"), None)
            found += [
                (step, zero, update, backward)
                for zero, update in _thrown_away(happened)
                if _comes_first(zero, update, backward)
            ]
        if len(found) >= _RUNNING:
            step, zero, update, backward = found[0]
            assert backward is not None
            yield Finding(
                code=self.code,
                level="bug",
                title=f"the update comes before the backward pass ({words.steps([each for each, *_ in found])})",
                message="The gradients of the step before are cleared, the update finds none, and only then the new ones are computed: "
                "they are never used.",
                evidence={
                    "order": f"cleared (line {zero['line']}), updated (line {update['line']}), backward (line {backward['line']})",
                    "at the update": f"{update['missing']} gradients missing and {update['zero']} zero of {update['parameters']}",
                },
                where=evidence.place(update["file"], update["line"]),
                step=step,
                fix=f"move this line below line {backward['line']}: {evidence.line_of(backward['file'], backward['line']).strip()}",
            )

    def clean(self, evidence: Evidence) -> str:
        return "an update follows every backward pass" if len(evidence.steps) else "no optimizer waits for a step"


def _orders(evidence: Evidence) -> list[tuple[int, Sequence[Happened]]]:
    """What happened in each step that was looked at. Raises CannotCheck where there is none."""
    rows = evidence.facts("order")
    if not rows:
        raise CannotCheck("no step was taken" if not len(evidence.steps) else "no step was looked at closely")
    return [(row.step, row.values["happened"]) for row in rows]


def _updates(evidence: Evidence) -> dict[int, list[tuple[int, Happened]]]:
    """The updates of each optimizer (0: by hand) by step."""
    found: dict[int, list[tuple[int, Happened]]] = {}
    for step, happened in _orders(evidence):
        for each in happened:
            if each["what"] == "update":
                found.setdefault(each["optimizer"], []).append((step, each))
    return found


def _backward_passes(evidence: Evidence) -> list[Happened]:
    """Those of the steps that were looked at, and those that no update followed."""
    rows = [*evidence.facts("order"), *evidence.facts("unfinished")]
    return [each for row in rows for each in row.values["happened"] if each["what"] == "backward"]


def _named_only(evidence: Evidence) -> Place | None:
    """A line that names ``step`` and does not call it."""
    for file in evidence.sources:
        tree = evidence.tree(file)
        for node in ast.walk(tree) if tree is not None else ():
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Attribute) and node.value.attr == "step":
                return evidence.place(file, node.lineno)
    return None


def _all_kept(update: Happened) -> bool:
    return bool(update["kept"] >= update["parameters"] - update["missing"] - update["zero"])


def _in_a_row(chosen: Sequence[int], every: Sequence[int]) -> list[int]:
    """The longest run of ``chosen`` without another of ``every`` in between."""
    best: list[int] = []
    run: list[int] = []
    for step in every:
        run = [*run, step] if step in set(chosen) else []
        best = max(best, run, key=len)
    return best


def _last(evidence: Evidence, step: int, what: str) -> Happened | None:
    happened = dict(_orders(evidence)).get(step, ())
    return next((each for each in reversed(happened) if each["what"] == what), None)


def _gradient_norms(evidence: Evidence, steps: Sequence[int]) -> dict[str, str]:
    """How the gradients of the parameter with the largest ones grew."""
    first = {
        row.parameter: row.gradient for row in evidence.norms if row.step == steps[0] and row.gradient == row.gradient
    }
    if not first:
        return {}
    name = max(first, key=lambda each: first[each])
    last = next((row.gradient for row in evidence.norms if row.step == steps[-1] and row.parameter == name), None)
    if last is None:
        return {}
    return {
        f"gradient of {name}": f"{words.number(first[name])} at step {steps[0]}, {words.number(last)} at step {steps[-1]}"
    }


def _cleared_first(evidence: Evidence, optimizer: int, backward: Happened | None) -> str:
    """The user's backward line with the missing one before it."""
    if not optimizer or backward is None:
        return ""
    update = next((each for _, each in _updates(evidence)[optimizer]), None)
    if update is None or not update["line"]:
        return ""
    name = evidence.line_of(update["file"], update["line"]).strip().partition(".step(")
    if not name[1] or not name[0].replace(".", "").isidentifier():
        return ""
    return f"{name[0]}.zero_grad()\n{evidence.line_of(backward['file'], backward['line']).strip()}"


def _thrown_away(happened: Sequence[Happened]) -> Iterator[tuple[Happened, Happened]]:
    """Each clearing that came between a backward pass and an update that found nothing left."""
    filled, thrown = False, None
    for each in happened:
        if each["what"] == "backward":
            filled, thrown = True, None
        elif each["what"] == "zero" and filled and each["cleared"]:
            thrown = each
        elif each["what"] == "update":
            # When an update by hand came is not known, only that it did.
            if thrown is not None and each["optimizer"] and each["missing"] + each["zero"] >= each["parameters"]:
                yield thrown, each
            filled, thrown = False, None


def _comes_first(zero: Happened, update: Happened, backward: Happened | None) -> bool:
    """Whether the update stands above its backward pass in the loop, so that it comes before the gradients it should use."""
    same = backward is not None and backward["file"] == update["file"] == zero["file"] and update["line"] > 0
    return same and backward is not None and zero["line"] <= update["line"] < backward["line"]


RULES: tuple[type[Rule], ...] = (NeverCleared, ClearedTooEarly, NeverUpdated)
