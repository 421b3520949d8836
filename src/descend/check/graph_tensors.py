"""Parameters that are not those the model computes with, now or any more: D106 and D108."""

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from descend.check import syntax, words
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding, Place
from descend.check.graph_facts import STEPS, Values, described, left_alone_by, made_at, moves, stepping
from descend.check.rule import Rule
from descend.record.rows import FactRow


class OtherTensors(Rule):
    """The optimizer holds other tensors than the model computes with."""

    code = "D106"
    highest = "bug"
    name = "the optimizer holds other tensors than the model uses"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        optimizers = [row for row in stepping(evidence) if row.values["steps"] >= STEPS]
        for row in optimizers:
            yield from self._replaced(evidence, row)
        if optimizers:
            yield from self._made_anew(evidence)
            yield from self._unregistered(evidence)
            yield from self._unfrozen(evidence, optimizers[0])
        yield from self._copied(evidence)

    def clean(self, evidence: Evidence) -> str:
        reached = sum(row.values["reached"] for row in stepping(evidence))
        return f"the tensors that backward passes reach are those that optimizers hold ({reached})"

    def _replaced(self, evidence: Evidence, row: FactRow) -> Iterator[Finding]:
        unused, alone = left_alone_by(evidence, row)
        if not unused or not alone:
            return
        if row.values["reached"] and not all(_is_nameless(each) for each in unused):
            return  # a part that this run does not use, and another that is left as it is on purpose
        names = words.listed([leaf["name"] for leaf in alone])
        yield Finding(
            code=self.code,
            level="bug",
            title=f"{row.values['class']} holds {len(unused)} tensors that the model does not use; {names} "
            f"{'are' if len(alone) > 1 else 'is'} used and never moved",
            message="The optimizer was made before these parameters took the place of others. It goes on updating tensors that "
            "nothing computes with, and the new ones stay as they were drawn.",
            evidence={
                "held": row.values["held"],
                "of these reached by a backward pass": row.values["reached"],
                "used and held by no optimizer": words.listed([described(leaf) for leaf in alone]),
                "held and used by nothing": words.listed([described(each) for each in unused]),
            },
            where=evidence.place(row.file, row.line),
            step=row.values["first_step"],
            fix="make the optimizer after the model is complete",
        )

    def _made_anew(self, evidence: Evidence) -> Iterator[Finding]:
        """New parameters in every step, because a layer is made where it is used."""
        fresh = [
            row
            for row in evidence.facts("leaf")
            if row.values["parameter"]
            and not row.values["moved"]
            and row.values["steps"] == 1
            and not row.values["in_model"]
        ]
        steps = sorted({row.step for row in fresh})
        if len(steps) < STEPS:
            return
        names = {row.values["name"] for row in fresh}
        places: dict[Place, None] = {}
        for step in evidence.operation_steps[1:4]:
            for operation in evidence.graph(step):
                if names.intersection(each for each in operation.inputs if isinstance(each, str)):
                    place = _constructed(evidence, step, operation.file, operation.line)
                    if place is not None:
                        places[place] = None
        shapes = list(dict.fromkeys(words.shape(row.values["shape"]) for row in fresh))
        for place in places:
            yield Finding(
                code=self.code,
                level="bug",
                title=f"a layer is made anew in every step ({words.steps(steps)}), and no optimizer holds it",
                message="Its parameters are drawn at random each time, get a gradient once, and are thrown away: this layer never "
                "learns.",
                evidence={
                    "new parameters": words.listed(shapes),
                    "in": f"{len(steps)} steps that were looked at",
                    "moved": 0,
                },
                where=place,
                step=steps[0],
                fix="make the layer once in __init__ (self.layer = …) and call it in forward",
            )

    def _unregistered(self, evidence: Evidence) -> Iterator[Finding]:
        """Layers in a plain list, which the module's parameters() does not know of."""
        left = [leaf.values for leaf in evidence.facts("leaf")]
        if any(leaf["in_model"] and not leaf["moved"] for leaf in left):
            return  # parameters that are registered are left alone as well: only a part is trained, on purpose
        groups: dict[tuple[str, str], list[Values]] = {}
        for row in evidence.facts("module"):
            for part in row.values["unregistered"] if row.values["steps"] >= STEPS else ():
                if part["reached"] and not part["held"] and not part["moved"]:
                    groups.setdefault((part["owner"], part["attribute"]), []).append(part)
        for (owner, attribute), parts in groups.items():
            found = syntax.attribute_set(evidence, owner, attribute)
            own = found is not None and _makes_its_items(evidence, owner, attribute, found[1])
            kind = parts[0]["container"]
            registered = "nn.ModuleDict" if kind == "dict" else "nn.ModuleList"
            yield Finding(
                code=self.code,
                level="bug" if own else "likely",
                title=f"{len(parts)} parameters in the {kind} {owner}.{attribute} are in no optimizer and never move",
                message=f"A plain {kind} is not registered: parameters() leaves its layers out, so the optimizer never got them. "
                "They are used in every step and stay as they were drawn.",
                evidence={
                    "parameters": words.listed([described(part) for part in parts]),
                    "reached by backward passes": f"{len(parts)} of {len(parts)}",
                    "moved": 0,
                },
                where=found[0] if found is not None else None,
                step=1,
                fix=_registered(evidence, found, registered),
            )

    def _unfrozen(self, evidence: Evidence, row: FactRow) -> Iterator[Finding]:
        """Parameters that were frozen when the optimizer was made without them, and are no longer."""
        facts = [leaf.values for leaf in evidence.facts("unfrozen")]
        left = [leaf for leaf in facts if leaf["steps"] >= STEPS or (leaf["passes"] >= STEPS and not evidence.looks)]
        if left:
            several = len(left) > 1
            yield Finding(
                code=self.code,
                level="likely",
                title=f"{words.listed(each['name'] for each in left)} {'were' if several else 'was'} unfrozen and "
                f"{'are' if several else 'is'} in no optimizer",
                message="The optimizer was made while they wanted no gradient, and did not get them. Now each backward pass "
                "computes their gradients, and no update uses them: they stay as they were.",
                evidence={
                    "unfrozen": words.listed(described(each) for each in left),
                    "with a gradient": f"{len(left)} of {len(left)}",
                    "moved": 0,
                },
                where=evidence.place(row.file, row.line),
                step=row.values["last_step"],
                fix="where they are unfrozen: optimizer.add_param_group({'params': …}) with them, or make the optimizer anew",
            )

    def _copied(self, evidence: Evidence) -> Iterator[Finding]:
        """The model computes with a copy that was made before training."""
        steps: dict[str, list[int]] = {}
        for row in evidence.facts("order"):
            for each in row.values["happened"]:
                for name in each.get("copied", ()):
                    steps.setdefault(name, []).append(row.step)
        names = [name for name, seen in steps.items() if len(set(seen)) >= STEPS and moves(evidence, name)]
        if not names:
            return
        place = next((found for name in names if (found := _copy_of(evidence, name)) is not None), None)
        yield Finding(
            code=self.code,
            level="bug",
            title=f"the model computes with an old copy of {words.listed(names)} ({words.steps(steps[names[0]])})",
            message="The optimizer updates the original; the copy that was made of it before training stays as it is, so the "
            "loss never sees an update.",
            evidence={
                "updates of the original": len(set(steps[names[0]])),
                "updates of the copy": 0,
            },
            where=place or made_at(evidence),
            step=steps[names[0]][0],
            fix="make the copy first, and then the parameter from it: w = w.to(…).detach().requires_grad_(), then the optimizer",
        )


class OldGraph(Rule):
    """A backward pass walks a graph that was made before its parameters were updated."""

    code = "D108"
    highest = "bug"
    name = "backward goes through an old graph"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        rows = evidence.facts("order")
        if not rows:
            raise CannotCheck("no step was taken" if not len(evidence.steps) else "no step was looked at closely")
        places: dict[tuple[str, int], list[tuple[int, Values]]] = {}
        for row in rows:
            for each in row.values["happened"]:
                old = set(each.get("stale", ())) - set(each.get("copied", ()))
                if any(moves(evidence, name) for name in old):
                    places.setdefault((each["file"], each["line"]), []).append((row.step, each))
        for (file, line), found in places.items():
            steps = sorted({step for step, _ in found})
            if len(steps) >= STEPS:
                yield self._finding(evidence, file, line, steps, [each for _, each in found])

    def clean(self, evidence: Evidence) -> str:
        return "every backward pass goes through a graph made after the last update"

    def _finding(
        self, evidence: Evidence, file: str, line: int, steps: Sequence[int], found: Sequence[Values]
    ) -> Finding:
        losses = [each["loss"] for each in found if each["loss"] is not None]
        same = bool(losses) and min(losses) == max(losses)
        whole = all(len(each["stale"]) == each["leaves"] for each in found)
        names = list(dict.fromkeys(name for each in found for name in each["stale"]))
        what = "the graph" if whole else f"the part of the graph that holds {words.listed(names)}"
        facts: dict[str, Any] = {"parameters updated since": words.listed(names)}
        if losses:
            facts["loss"] = (
                f"{words.number(losses[0])} in each of {len(losses)} steps"
                if same
                else f"{words.number(losses[0])} to {words.number(losses[-1])}"
            )
        moved = [row.change for name in names for row in evidence.norms_by_parameter.get(name, ()) if row.change > 0]
        facts["largest update meanwhile"] = words.number(max(moved)) if moved else "0"
        return Finding(
            code=self.code,
            level="bug" if whole else "likely",
            title=f"backward goes through an old graph again ({words.steps(steps)})",
            message=f"{what[0].upper()}{what[1:]} was made before the parameters were updated: the gradients belong to values that "
            "are gone" + (", and the loss stays the same." if same else "."),
            evidence=facts,
            where=evidence.place(file, line),
            step=steps[0],
            fix=_anew(evidence, file, line),
        )


def _is_nameless(values: Values) -> bool:
    """Whether no variable of the script's leads to a tensor any more."""
    return not values["name"] or values["name"].startswith("unnamed")


def _constructed(evidence: Evidence, step: int, file: str, line: int) -> Place | None:
    """Where the function that a line stands in makes a module: the nearest above the line."""
    function = syntax.function_at(evidence, file, line)
    kinds = {row.class_name for row in evidence.calls if row.step == step}
    if function is None or function.name == "__init__":
        return None
    calls = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and (node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")) in kinds
        and node.lineno <= line
    ]
    nearest = max(calls, key=lambda node: node.lineno, default=None)
    return evidence.place(file, nearest.lineno) if nearest is not None else None


def _makes_its_items(evidence: Evidence, owner: str, attribute: str, value: ast.expr) -> bool:
    """Whether the class makes the layers of this list itself, so that they cannot have been trained before."""
    texts = [value]
    for _, definition in syntax.classes(evidence, owner):
        for node in ast.walk(definition):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("append", "extend", "insert")
                and isinstance(node.func.value, ast.Attribute)
                and node.func.value.attr == attribute
            ):
                texts += node.args
    names = {row.class_name for row in evidence.calls} | {"Parameter"}
    return any(
        (node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")) in names
        for text in texts
        for node in ast.walk(text)
        if isinstance(node, ast.Call)
    )


def _registered(evidence: Evidence, found: tuple[Place, ast.expr] | None, container: str) -> str:
    if found is not None and isinstance(found[1], ast.List | ast.ListComp | ast.Dict | ast.DictComp):
        text = ast.get_source_segment(evidence.sources[found[0].file], found[1])
        line = words.line_with(evidence, found[0], found[1], f"{container}({text})")
        if line:
            return line
    return f"use {container} in place of the plain container"


def _copy_of(evidence: Evidence, name: str) -> Place | None:
    """The line that makes a copy of a variable."""
    makes = ("to", "double", "float", "half", "bfloat16", "cuda", "cpu", "clone", "type", "type_as")
    for file in evidence.sources:
        tree = evidence.tree(file)
        for node in ast.walk(tree) if tree is not None else ():
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in makes
                and ast.unparse(node.func.value) == name
            ):
                return evidence.place(file, node.lineno)
    return None


def _anew(evidence: Evidence, file: str, line: int) -> str:
    """What to compute in every step: the line of the first step's forward pass."""
    step = next(iter(evidence.operation_steps), None)
    graph = evidence.graph(step) if step is not None else None
    forward = [
        each for each in (graph.forward if graph is not None else ()) if each.file == file and any(each.input_tracked)
    ]
    loops = syntax.loops_at(evidence, file, line)
    outside = [each for each in forward if loops and not loops[-1].lineno <= each.line <= (loops[-1].end_lineno or 0)]
    lines = sorted({each.line for each in outside})
    if not lines:
        return "compute the prediction and the loss anew in every step, and leave retain_graph out"
    text = "; ".join(evidence.line_of(file, each).strip() for each in lines[:3])
    return f"move into the loop, before backward(): {text}"


RULES: tuple[type[Rule], ...] = (OtherTensors, OldGraph)
