"""Faults of shapes and of the layout of data: D201 to D205."""

import ast
from collections.abc import Iterator
from math import isnan, prod

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import Finding
from descend.check.graph import Operation, StepGraph
from descend.check.rule import Rule

_ELEMENTWISE = frozenset(["sub", "rsub", "add", "mul", "truediv", "div", "eq", "maximum", "minimum", "pow"])
_LOSSES = frozenset(["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "gaussian_nll_loss", "poisson_nll_loss"])
_PUT_IN_PLACE = frozenset(["unsqueeze", "getitem", "view", "reshape", "expand", "T", "t", "transpose"])


class Broadcast(Rule):
    """The prediction has the shape (N, 1) and the target (N,): PyTorch stretches both to (N, N) before it subtracts."""

    code = "D201"
    highest = "bug"
    name = "prediction and target broadcast"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        places: dict[tuple[str, int], list[tuple[StepGraph, Operation]]] = {}
        for graph in evidence.graphs():
            for operation in graph.forward:
                if _stretches_both(graph, operation):
                    places.setdefault((operation.file, operation.line), []).append((graph, operation))
        for found in places.values():
            yield self._finding(evidence, found)

    def clean(self, evidence: Evidence) -> str:
        return "prediction and target have the same shape"

    def _finding(self, evidence: Evidence, found: list[tuple[StepGraph, Operation]]) -> Finding:
        steps = [graph.step for graph, _ in found]
        operation = found[0][1]
        tracked = operation.input_tracked.index(True)
        prediction, target = operation.input_shapes[tracked], operation.input_shapes[1 - tracked]
        stretched = _stretched(operation)
        place = words.place_of(evidence, operation)
        facts = {
            "prediction": words.shape(prediction),
            "target": words.shape(target),
            "compared": f"{prod(stretched):,} pairs instead of {prod(target):,}",
        }
        graph, last = found[-1]
        outputs = graph.maker(last, tracked)
        if isinstance(outputs, Operation) and not isnan(outputs.std):
            facts["outputs"] = f"{words.number(outputs.mean)} ± {words.number(outputs.std)} at step {graph.step:,}"
        targets = _targets(evidence, steps[0])
        if targets is not None:
            facts["targets"] = f"{words.number(targets[0])} ± {words.number(targets[1])}"
        return Finding(
            code=self.code,
            level="bug",
            title=f"prediction {words.shape(prediction)} and target {words.shape(target)} broadcast to {words.shape(stretched)}",
            message="Every prediction is compared with every target, so the loss is least where all predictions are the mean of the "
            "targets: the model is trained to ignore its input.",
            evidence=facts,
            where=place,
            step=steps[0],
            fix=_squeezed(evidence, operation, prediction, target),
        )


def _stretched(operation: Operation) -> tuple[int, ...]:
    """The shape that its first two inputs are stretched to; () where they do not fit."""
    if len(operation.input_shapes) < 2:
        return ()
    one, other = operation.input_shapes[:2]
    length = max(len(one), len(other))
    pairs = zip((1,) * (length - len(one)) + one, (1,) * (length - len(other)) + other, strict=True)
    return tuple(max(pair) for pair in pairs)


def _stretches_both(graph: StepGraph, operation: Operation) -> bool:
    """Whether it compares something learned with something given, of as many numbers, and makes more of both."""
    if operation.name not in _ELEMENTWISE | _LOSSES or len(operation.input_shapes) < 2:
        return False
    one, other = operation.input_shapes[:2]
    learned = operation.input_tracked[0] != operation.input_tracked[1]
    if not learned or not prod(one) == prod(other) < prod(_stretched(operation)):
        return False
    # A column beside a row may be meant: differences of all pairs. Then the script has put the axes in place itself.
    return len(one) != len(other) or not any(
        isinstance(made, Operation) and made.name in _PUT_IN_PLACE for made in graph.inputs_of(operation)
    )


def _targets(evidence: Evidence, step: int) -> tuple[float, float] | None:
    """Mean and standard deviation of the targets of a step that was kept in full."""
    if step not in [row.step for row in evidence.snapshots]:
        return None
    found = evidence.arrays(step).get("batch.y")
    return (float(found.mean()), float(found.std())) if found is not None and found.size else None


def _squeezed(evidence: Evidence, operation: Operation, prediction: tuple[int, ...], target: tuple[int, ...]) -> str:
    """The user's own line with the longer of both squeezed, or what to do where the line cannot be rewritten."""
    place = words.place_of(evidence, operation)
    if len(prediction) == len(target):
        return f"give both the same shape: target.reshape{words.shape(prediction)}"
    longer = 0 if len(operation.input_shapes[0]) > len(operation.input_shapes[1]) else 1
    expression = _operand(evidence, operation, longer)
    if place is not None and expression is not None:
        text = ast.unparse(expression)
        plain = isinstance(expression, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
        fixed = words.line_with(evidence, place, expression, f"{text if plain else f'({text})'}.squeeze(-1)")
        if fixed:
            return fixed
    which = "prediction" if len(prediction) > len(target) else "target"
    return f"give both the same shape: {which}.squeeze(-1)"


def _operand(evidence: Evidence, operation: Operation, position: int) -> ast.expr | None:
    """The expression on the user's line that is this operand, where there is only one such operation on it."""
    statement = evidence.statement(operation.file, operation.line)
    if statement is None:
        return None
    if operation.name in _LOSSES:
        calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call) and len(node.args) >= 2]
        calls = [call for call in calls if not isinstance(call.func, ast.Attribute) or call.func.attr != "backward"]
        return calls[0].args[position] if len(calls) == 1 else None
    operations = [node for node in ast.walk(statement) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)]
    if operation.name not in ("sub", "rsub") or len(operations) != 1:
        return None
    return operations[0].right if position else operations[0].left


RULES: tuple[type[Rule], ...] = (Broadcast,)
