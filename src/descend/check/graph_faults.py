"""Parameters that the loss does not reach: D104 and D105."""

import ast
from collections.abc import Iterator, Sequence

from descend.check import syntax, words
from descend.check.evidence import Evidence
from descend.check.finding import Finding, Level, Place
from descend.check.graph_cuts import Cut, cut_of_parameters
from descend.check.graph_facts import STEPS, Values, backward_of, made_at, stepping, why_nothing_reached
from descend.check.rule import Rule
from descend.record.rows import FactRow


class NoGradient(Rule):
    """A parameter that is to be trained, and that no backward pass ever reaches."""

    code = "D104"
    highest = "bug"
    name = "a parameter gets no gradient"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        optimizers = stepping(evidence)
        yield from self._frozen(evidence, optimizers)
        idle = [row for row in optimizers if not row.values["reached"] and not row.values["moved"]]
        idle = [
            row for row in idle if row.values["steps"] >= STEPS and why_nothing_reached(evidence, row)[0] == "not used"
        ]
        if idle or any(row.values["reached"] for row in optimizers):
            yield from self._in_modules(evidence, idle)
            yield from self._in_variables(evidence, optimizers, idle)

    def clean(self, evidence: Evidence) -> str:
        rows = stepping(evidence)
        reached, held = sum(row.values["reached"] for row in rows), sum(row.values["held"] for row in rows)
        others = "" if reached == held else "; the others are frozen, moved in another way, or cut off"
        return f"{reached} of {held} parameters that optimizers hold get a gradient{others}"

    def _frozen(self, evidence: Evidence, optimizers: Sequence[FactRow]) -> Iterator[Finding]:
        """All that an optimizer holds wants no gradient."""
        for row in optimizers:
            values = row.values
            if values["frozen"] == values["held"] and not values["moved"] and values["steps"] >= STEPS:
                yield Finding(
                    code=self.code,
                    level="bug",
                    title=f"none of the {values['held']} parameters that {values['class']} holds wants a gradient",
                    message=f"It was stepped {values['steps']} times in the steps that were looked at and moved nothing: every "
                    "parameter has requires_grad=False.",
                    evidence={"want a gradient": f"0 of {values['held']}", "moved": f"0 of {values['held']}"},
                    where=evidence.place(row.file, row.line),
                    step=values["first_step"],
                    fix="give the optimizer the parameters that are to be trained, and set requires_grad_(True) on them",
                )

    def _in_modules(self, evidence: Evidence, idle: Sequence[FactRow]) -> Iterator[Finding]:
        groups: dict[tuple[str, str], list[Values]] = {}
        steps: dict[tuple[str, str], int] = {}
        for row in evidence.facts("module"):
            if row.values["steps"] < STEPS:
                continue
            for part in row.values["unreached"]:
                if part["held"] and not part["moved"]:
                    key = (part["owner"], part["attribute"] or part["name"])
                    groups.setdefault(key, []).append(part)
                    steps[key] = row.values["steps"]
        for (owner, attribute), parts in groups.items():
            cut = cut_of_parameters(evidence, [part["name"] for part in parts])
            if cut is not None and not cut.deliberate:
                continue  # D105 says it with the line that cuts
            level, why = _how_grave(evidence, owner, attribute, parts, cut)
            if all(_is_held_by(part, idle) for part in parts):
                level, why = "bug", f"{why} Nothing else is held: every update moved nothing."
            found = syntax.attribute_set(evidence, owner, attribute)
            names = words.listed([part["name"] for part in parts])
            numbers = sum(_size(part["shape"]) for part in parts)
            yield Finding(
                code=self.code,
                level=level,
                title=f"{names} never {'get' if len(parts) > 1 else 'gets'} a gradient",
                message=f"{why} The optimizer holds {'them' if len(parts) > 1 else 'it'}, and {numbers:,} numbers stay as they "
                "were drawn.",
                evidence={
                    "called": f"in {parts[0]['called']} steps that were looked at"
                    if parts[0]["called"]
                    else f"in none of {steps[owner, attribute]} steps that were looked at",
                    "reached by": "no backward pass",
                    "numbers": numbers,
                },
                where=found[0] if found is not None else made_at(evidence),
                step=1,
                fix=f"use self.{attribute} in forward so that the loss depends on it, or take it out"
                if found is not None
                else f"let the loss depend on {names}, or take it out",
            )

    def _in_variables(
        self, evidence: Evidence, optimizers: Sequence[FactRow], idle: Sequence[FactRow]
    ) -> Iterator[Finding]:
        """Tensors that belong to no module."""
        for row in optimizers:
            if row.values["steps"] < STEPS or not (row.values["reached"] or row in idle):
                continue
            parts = [each for each in row.values["unreached"] if not each["in_model"] and not each["moved"]]
            parts = [each for each in parts if each["name"] and not each["name"].startswith("unnamed")]
            groups: dict[str, list[Values]] = {}
            for part in parts:
                if cut_of_parameters(evidence, [part["name"]]) is None:
                    groups.setdefault(part["name"].rpartition(".")[0] or part["name"], []).append(part)
            for found in groups.values():
                yield self._of_variable(evidence, row, found, is_idle=row in idle)

    def _of_variable(self, evidence: Evidence, row: FactRow, parts: Sequence[Values], *, is_idle: bool) -> Finding:
        name = parts[0]["name"]
        used = _is_used(evidence, name)
        forgotten = name.isidentifier() and syntax.times_read(evidence, name) <= 1  # only where the optimizer is made
        level: Level = "bug" if is_idle else "likely" if used or forgotten else "note"
        many = len(parts) > 1
        described = words.listed([f"{each['name']} {words.shape(each['shape'])}" for each in parts])
        return Finding(
            code=self.code,
            level=level,
            title=f"{described} never {'get' if many else 'gets'} a gradient",
            message=f"{row.values['class']} holds {'them' if many else 'it'}, and the loss "
            + (
                f"does not depend on what is computed from {'them' if many else 'it'}."
                if used
                else f"never used {'them' if many else 'it'} in the steps that were looked at."
            ),
            evidence={"reached by": "no backward pass", "updates that were looked at": row.values["steps"]},
            where=syntax.variable_set(evidence, name) or evidence.place(row.file, row.line),
            step=row.values["first_step"],
            fix=f"use {name} in the forward pass, or leave it out of the optimizer",
        )


class Cutting(Rule):
    """The graph is cut between the parameters and the loss."""

    code = "D105"
    highest = "bug"
    name = "the graph is cut"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        optimizers = stepping(evidence)
        for row in optimizers:
            if not row.values["reached"] and not row.values["moved"]:
                yield from self._nothing_reached(evidence, row)
            elif row.values["reached"]:
                yield from self._part_reached(evidence, row)

    def clean(self, evidence: Evidence) -> str:
        rows = stepping(evidence)
        reached, held = sum(row.values["reached"] for row in rows), sum(row.values["held"] for row in rows)
        return f"backward passes reach {reached} of the {held} tensors that optimizers hold, and nothing cuts the others off"

    def _nothing_reached(self, evidence: Evidence, row: FactRow) -> Iterator[Finding]:
        why, cut = why_nothing_reached(evidence, row) if row.values["steps"] >= STEPS else ("", None)
        step, backward = backward_of(evidence, row.values["number"])
        if why != "cut" or backward is None:
            return
        is_leaf = backward["graph"] < 0
        place = cut.place if cut is not None and cut.place is not None else None
        by = f" by {cut.how}" if cut is not None else ""
        yield Finding(
            code=self.code,
            level="bug",
            title=f"the loss is cut off from all {row.values['held']} parameters{by}",
            message=(
                "The loss is a tensor of its own with no graph behind it, so backward() ends where it begins."
                if is_leaf
                else "No backward pass reaches a parameter of the optimizer."
            )
            + f" {row.values['class']} was stepped and nothing moved.",
            evidence={
                "parameters reached": f"0 of {row.values['held']}",
                "parameters moved": f"0 of {row.values['held']}",
                "updates that were looked at": row.values["steps"],
            },
            where=place or evidence.place(backward["file"], backward["line"]),
            step=step,
            fix=_mended(evidence, cut),
        )

    def _part_reached(self, evidence: Evidence, row: FactRow) -> Iterator[Finding]:
        if row.values["steps"] < STEPS:
            return
        names = [each["name"] for each in row.values["unreached"] if each["name"] and not each["moved"]]
        groups: dict[Cut, list[str]] = {}
        for name in names:
            cut = cut_of_parameters(evidence, [name])
            if cut is not None:
                groups.setdefault(cut, []).append(name)
        for cut, cut_off in groups.items():
            if cut.place is None:
                continue
            yield Finding(
                code=self.code,
                level="note" if cut.deliberate else "likely",
                title=f"{cut.how} cuts {words.listed(cut_off)} off from the loss",
                message=f"{row.values['class']} holds {'them' if len(cut_off) > 1 else 'it'} and never moves "
                f"{'them' if len(cut_off) > 1 else 'it'}: no gradient comes back over this line.",
                evidence={
                    "parameters reached": f"{row.values['reached']} of {row.values['held']}",
                    "cut off": words.listed(cut_off, 8),
                    "updates that were looked at": row.values["steps"],
                },
                where=cut.place,
                step=row.values["first_step"],
                fix=_mended(evidence, cut)
                if not cut.deliberate
                else "leave them out of the optimizer if they are to stay as they are",
            )


def _how_grave(
    evidence: Evidence, owner: str, attribute: str, parts: Sequence[Values], cut: Cut | None
) -> tuple[Level, str]:
    if cut is not None:
        return "note", "It is used without gradients only."
    if any(part["returned"] for part in parts):
        return "note", "It computes something that the model returns and the loss does not use."
    if any(part["called"] for part in parts):
        return "likely", "It is called in every step, and the loss does not depend on what it gives."
    if syntax.is_read(evidence, owner, attribute) is False:
        return "likely", f"It is made in {owner} and nothing uses it."
    return "note", "Nothing called it in the steps that were looked at."


def _is_held_by(part: Values, optimizers: Sequence[FactRow]) -> bool:
    """Whether one of these holds a parameter, which may be called by a longer name there."""
    return any(
        each["shape"] == part["shape"] and (each["name"] == part["name"] or each["name"].endswith(f".{part['name']}"))
        for row in optimizers
        for each in row.values["unreached"]
    )


def _is_used(evidence: Evidence, name: str) -> bool:
    """Whether something is computed from it; filling it with its first values is no use."""
    return any(
        name in each.inputs and each.tracked and not each.name.endswith("_")
        for step in evidence.operation_steps[:3]
        for each in evidence.graph(step)
    )


def _mended(evidence: Evidence, cut: Cut | None) -> str:
    if cut is not None and cut.place is not None and (name := _made_of_itself(evidence, cut.place)):
        return f"leave this line out: {name} has its graph as it was"
    if cut is None:
        return "compute the loss from the model's output with PyTorch operations only, and call backward() on that"
    if cut.deliberate:
        return "compute the part that is to learn outside of torch.no_grad()"
    if cut.how in (".item()", ".numpy()", ".tolist()", ".detach()", ".data"):
        return f"go on with the tensor itself, without {cut.how}"
    if "(…)" in cut.how:
        return f"use the tensor itself in place of {cut.how}"
    return f"{cut.how} has no gradient: compare the scores that it is computed from"


def _made_of_itself(evidence: Evidence, place: Place) -> str:
    """The variable that a line gives a new value made of nothing but its old one; "" for any other line."""
    statement = evidence.statement(place.file, place.line)
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return ""
    used = {node.id for node in ast.walk(statement.value) if isinstance(node, ast.Name)} - {"torch", "Variable"}
    return statement.targets[0].id if used == {statement.targets[0].id} else ""


def _size(shape: Sequence[int]) -> int:
    size = 1
    for each in shape:
        size *= each
    return size


RULES: tuple[type[Rule], ...] = (NoGradient, Cutting)
