"""Updates by hand that autograd records: D107."""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import Finding
from descend.check.graph import Operation, StepGraph
from descend.check.graph_facts import STEPS, moves
from descend.check.rule import Rule

_UPDATES = frozenset(["sub", "add", "rsub", "addcdiv", "addcmul", "lerp"])


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
            if len(found) >= STEPS and _in_place(evidence.line_of(file, line).strip()):
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


RULES: tuple[type[Rule], ...] = (RecordedUpdate,)
