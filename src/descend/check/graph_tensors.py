"""Parameters that are not those the model computes with: D106 to D108."""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from descend.check import syntax, words
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding, Place
from descend.check.graph import Operation, StepGraph
from descend.check.graph_facts import STEPS, Values, described, left_alone_by, made_at, moves, stepping
from descend.check.rule import Rule
from descend.record.rows import FactRow

_UPDATES = frozenset(["sub", "add", "rsub", "addcdiv", "addcmul", "lerp"])


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
        yield from self._copied(evidence)

    def clean(self, evidence: Evidence) -> str:
        reached = sum(row.values["reached"] for row in stepping(evidence))
        return f"the tensors that backward passes reach are those that optimizers hold ({reached})"

    def _replaced(self, evidence: Evidence, row: FactRow) -> Iterator[Finding]:
        unused, alone = left_alone_by(evidence, row)
        if not unused or not alone:
            return
        forgotten = not row.values["reached"] or all(
            each["name"].startswith("unnamed") or not each["name"] for each in unused
        )
        names = words.listed([leaf["name"] for leaf in alone])
        yield Finding(
            code=self.code,
            level="bug" if forgotten else "likely",
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


class RecordedUpdate(Rule):
    """An update by hand is recorded by autograd, or goes to a new tensor that nothing uses."""

    code = "D107"
    highest = "bug"
    name = "the update is recorded by autograd"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        recorded: dict[tuple[str, int], list[tuple[Operation, str]]] = {}
        unused: dict[tuple[str, int], list[tuple[Operation, str]]] = {}
        for graph in evidence.graphs(3):
            passes = [each.index for each in graph if each.name == "backward"]
            losses = [graph.ancestors(graph.operations[each]) for each in passes]
            for operation, name in _updates(graph):
                if moves(evidence, name):
                    continue
                later = [number for number, index in enumerate(passes) if index > operation.index]
                if operation.tracked and any(operation in losses[number] for number in later):
                    recorded.setdefault((operation.file, operation.line), []).append((operation, name))
                elif not graph.users_of(operation) and len(later) > 1 and not len(evidence.steps):
                    unused.setdefault((operation.file, operation.line), []).append((operation, name))
        yield from self._recorded(evidence, recorded)
        yield from self._growing(evidence)
        for (file, line), found in unused.items():
            if len(found) >= STEPS:
                yield self._unused(evidence, file, line, found)

    def clean(self, evidence: Evidence) -> str:
        return "no update is part of a graph"

    def _recorded(
        self, evidence: Evidence, recorded: Mapping[tuple[str, int], list[tuple[Operation, str]]]
    ) -> Iterator[Finding]:
        if not recorded:
            return
        (file, line), found = next(iter(recorded.items()))
        names = list(dict.fromkeys(name for each in recorded.values() for _, name in each))
        passes = sum(1 for graph in evidence.graphs(3) for each in graph if each.name == "backward")
        name = found[0][1]
        place = evidence.place(file, line)
        text = place.source if place is not None else ""
        yield Finding(
            code=self.code,
            level="bug",
            title=f"the update of {words.listed(names)} is recorded by autograd: what comes out is no parameter any more",
            message=f"The new {name} is a result with a graph behind it, not a leaf: later gradients go to the first {name}, "
            f"its own grad stays None, and every step's graph holds all the steps before.",
            evidence={
                "updated tensor": "not a leaf (it has a graph)",
                f"the first {name}": "never moved",
                "backward passes": passes,
            },
            where=place,
            step=found[0][0].step,
            fix=f"with torch.no_grad():\n    {_in_place(text) or f'{name} -= lr * {name}.grad'}",
        )

    def _growing(self, evidence: Evidence) -> Iterator[Finding]:
        """Updates with gradients that torch.autograd.grad returned, each made of the result of the one before."""
        passes = [each for row in evidence.facts("unfinished") for each in row.values["happened"]]
        passes = [each for each in passes if each["what"] == "backward"]
        if len(evidence.steps) or len(passes) < STEPS:
            return
        still = {row.values["name"] for row in evidence.facts("leaf") if not row.values["moved"]}
        chains = {
            name: chain
            for name, chain in _chains(evidence.graphs(1)[0]).items()
            if name in still and STEPS <= len(chain) <= len(passes)
        }
        if not chains:
            return
        name, chain = next(iter(chains.items()))
        place = words.place_of(evidence, chain[0])
        yield Finding(
            code=self.code,
            level="bug",
            title=f"every update of {words.listed(chains)} is recorded by autograd: its graph grows with each step",
            message=f"The new {name} is a result of the one before it and not a leaf. After {len(chain)} updates its graph holds "
            f"{len(chain)} updates; none of them can be let go of, so memory grows until it runs out.",
            evidence={
                "updates in one graph": len(chain),
                f"the first {name}": "never moved, and still the only leaf",
                "backward passes": len(passes),
            },
            where=place,
            step=1,
            fix=f"with torch.no_grad():\n    {_in_place(place.source if place is not None else '') or 'p -= lr * gradient'}",
        )

    def _unused(self, evidence: Evidence, file: str, line: int, found: Sequence[tuple[Operation, str]]) -> Finding:
        names = list(dict.fromkeys(name for _, name in found))
        place = evidence.place(file, line)
        text = place.source if place is not None else ""
        return Finding(
            code=self.code,
            level="bug",
            title=f"the update of {words.listed(names)} goes to a new tensor that nothing uses",
            message="The name on the left is bound to a new tensor; the parameter that the model computes with is another one "
            "and stays as it is.",
            evidence={"updates computed": len(found), "parameters moved": 0},
            where=place,
            step=found[0][0].step,
            fix=f"with torch.no_grad():\n    {_in_place(text) or 'p -= lr * p.grad'}",
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


def _updates(graph: StepGraph) -> Iterator[tuple[Operation, str]]:
    """Operations that compute a new tensor from a parameter and its own gradient, with the parameter's name."""
    for operation in graph:
        if operation.name not in _UPDATES or not operation.shapes:
            continue
        given = [each for each in operation.inputs if isinstance(each, str)]
        for name in given:
            if f"{name}.grad" in given or f"{name}.grad" in graph.outside(operation):
                yield operation, name
                break


def _chains(graph: StepGraph) -> dict[str, list[Operation]]:
    """Of each parameter, the operations of one line that make a new tensor of it, then of that, and so on; each used before the next.

    What is added must have no graph: an inner step that is trained through has one. A parameter that such a line starts from
    twice is left out: it begins anew each time, as inner loops do.
    """
    chains: dict[str, list[Operation]] = {}
    ends: dict[int, str] = {}
    begun: Counter[str] = Counter()
    for operation in graph:
        if operation.name not in _UPDATES or not operation.tracked or list(operation.input_tracked).count(True) != 1:
            continue
        given = operation.inputs[operation.input_tracked.index(True)]
        if operation.input_shapes[operation.input_tracked.index(True)] != operation.shape or len(operation.inputs) < 2:
            continue
        if isinstance(given, str):
            if not given.startswith("outside."):
                begun[given] += 1
                chains[given], ends[operation.index] = [operation], given
        elif given in ends:
            name = ends[given]
            last = chains[name][-1]
            others = [each for each in graph.users_of(last) if each is not operation and each.tracked]
            if last.index == given and (last.file, last.line) == (operation.file, operation.line) and others:
                chains[name].append(operation)
                ends[operation.index] = name
    return {name: chain for name, chain in chains.items() if begun[name] == 1}


def _in_place(text: str) -> str:
    """``w = w - lr * w.grad`` as ``w -= lr * w.grad``; "" where the line is written otherwise."""
    try:
        [statement] = ast.parse(text).body
    except (SyntaxError, ValueError):
        return ""
    if (
        isinstance(statement, ast.Assign)
        and len(statement.targets) == 1
        and isinstance(statement.value, ast.BinOp)
        and isinstance(statement.value.op, ast.Sub)
        and ast.unparse(statement.targets[0]) == ast.unparse(statement.value.left)
    ):
        return f"{ast.unparse(statement.targets[0])} -= {ast.unparse(statement.value.right)}"
    return ""


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


RULES: tuple[type[Rule], ...] = (OtherTensors, RecordedUpdate, OldGraph)
