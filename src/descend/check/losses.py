"""What a loss is given, and D301: probabilities in front of a loss that makes them itself."""

import ast
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import Finding, Place
from descend.check.graph import Operation, StepGraph
from descend.check.rule import Rule
from descend.check.tracing import argument_of, kind_of, layer_place, origin, source, users_of

Seen = Sequence[tuple[StepGraph, Operation]]

_APPLIES = {
    "cross_entropy": "softmax",
    "binary_cross_entropy_with_logits": "sigmoid",
    "multilabel_soft_margin_loss": "sigmoid",
    "soft_margin_loss": "sigmoid",
    "log_softmax": "softmax",
    "special_log_softmax": "softmax",
    "logsigmoid": "sigmoid",
}
_OF_PROBABILITIES = frozenset(["binary_cross_entropy", "nll_loss", "log", "kl_div"])
PROBABILITIES = ("softmax", "sigmoid")
_MOST_GRAPHS = 30
CLOSE = 1e-3  # of a sum of probabilities to 1


def graphs_of(evidence: Evidence) -> list[StepGraph]:
    """Every step whose operations were kept: the first twenty, then 100, 1,000 … Raises CannotCheck where there are none."""
    return evidence.graphs(_MOST_GRAPHS)


def learned(graph: StepGraph) -> Sequence[Operation]:
    """The operations of the losses; of a step whose losses are not known, all that autograd follows."""
    return graph.forward or [each for each in graph if each.tracked]


def range_given(operation: Operation) -> tuple[float, float]:
    """Least and largest number that a loss was given; NaN where they are not known."""
    facts = operation.facts
    if "range" in facts:
        low, high = facts["range"]
        return (math.nan, math.nan) if low is None or high is None else (low, high)
    low, high = facts.get("low"), facts.get("high")
    if not low or not high or None in low or None in high:
        return math.nan, math.nan
    return min(low), max(high)


def shown_range(seen: Seen) -> str:
    """From the least to the largest number that all of these were given: ``0.02 to 0.98``."""
    ranges = [range_given(operation) for _, operation in seen]
    return f"{words.number(min(low for low, _ in ranges))} to {words.number(max(high for _, high in ranges))}"


def loss_so_far(evidence: Evidence) -> dict[str, str]:
    """The loss of the first step and of the last that had one."""
    steps = evidence.steps
    finite = [(step, loss) for step, loss in zip(steps.step, steps.loss, strict=True) if math.isfinite(loss)]
    if len(finite) < 2:
        return {}
    (first, before), (last, after) = finite[0], finite[-1]
    return {"loss": f"{words.number(before)} at step {first:,}, {words.number(after)} at step {last:,}"}


def is_whole(graph: StepGraph, operation: Operation) -> bool:
    """Whether it is the loss itself rather than a part of it."""
    return any(origin(graph, each) is operation for each in graph.losses)


def is_distribution(operation: Operation) -> bool:
    """Whether each row that a loss was given is none below 0 and sums to 1."""
    sums = operation.facts.get("sums")
    if not sums or None in sums:
        return False
    low, _ = range_given(operation)
    return low >= 0 and bool(abs(sums[0] - 1) < CLOSE and abs(sums[1] - 1) < CLOSE)


@dataclass(frozen=True, slots=True)
class _Twice:
    """An operation that applies a softmax or sigmoid to what has had one already."""

    graph: StepGraph
    applies: Operation
    made: Operation
    kind: str


class AppliedTwice(Rule):
    """The model ends in a softmax or a sigmoid, and the loss applies one itself."""

    code = "D301"
    highest = "bug"
    name = "softmax or sigmoid in front of a loss that applies it itself"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        places: dict[tuple[str, int, str], list[_Twice]] = {}
        unmade: dict[tuple[str, int], list[tuple[StepGraph, Operation]]] = {}
        every: dict[tuple[str, int], int] = {}
        for graph in graphs_of(evidence):
            for operation in learned(graph):
                at = (operation.file, operation.line)
                every[at] = every.get(at, 0) + (operation.name == "cross_entropy")
                twice = _twice(graph, operation)
                if twice is not None:
                    places.setdefault((*at, twice.kind), []).append(twice)
                elif operation.name == "cross_entropy" and is_distribution(operation):
                    unmade.setdefault(at, []).append((graph, operation))
        for found in places.values():
            if all(_agrees(each) for each in found):
                harmless = found[0].kind == "log_softmax"
                yield self._harmless(evidence, found) if harmless else self._finding(evidence, found)
        for at, seen in unmade.items():
            if len(seen) == every[at]:
                yield self._of_unknown_making(evidence, seen)

    def clean(self, evidence: Evidence) -> str:
        looked = [each for graph in graphs_of(evidence) for each in learned(graph) if each.name in _APPLIES]
        if not looked:
            return "no loss of this run applies a softmax or sigmoid itself"
        return f"{words.listed(dict.fromkeys(each.name for each in looked))} {'is' if len({each.name for each in looked}) == 1 else 'are'} given raw scores"

    def _finding(self, evidence: Evidence, found: Sequence[_Twice]) -> Finding:
        first = found[0]
        loss = first.applies
        own = _applied(first.graph, loss)
        floor = _floor(loss, own)
        costs = f", and even the right one costs {floor}" if floor else ""
        return Finding(
            code=self.code,
            level="bug",
            title=f"{loss.name} is given probabilities: {first.kind} stands in front of it, and it applies {own} itself",
            message=f"{loss.name} takes raw scores. Numbers from 0 to 1 are scores that lie close together, so it takes every answer for "
            f"unsure{costs}; the gradients stay small.",
            evidence={
                first.kind: _line_of(layer_place(evidence, first.made)),
                **({"given to the loss": _given(found)} if "low" in loss.facts else {}),
                **({"least possible loss": floor} if floor else {}),
                **(loss_so_far(evidence) if all(is_whole(each.graph, each.applies) for each in found) else {}),
                "seen in": words.steps([each.graph.step for each in found]),
            },
            where=words.place_of(evidence, loss),
            step=first.graph.step,
            fix=_without(evidence, layer_place(evidence, first.made), first.kind, loss.line),
        )

    def _harmless(self, evidence: Evidence, found: Sequence[_Twice]) -> Finding:
        first = found[0]
        return Finding(
            code=self.code,
            level="note",
            title=f"log_softmax stands in front of {first.applies.name}, which applies it again",
            message="The second one changes nothing: the loss and the gradients are right. It only takes time, and a reader who looks twice.",
            evidence={
                "loss": f"line {first.applies.line}",
                "seen in": words.steps([each.graph.step for each in found]),
            },
            where=layer_place(evidence, first.made),
            step=first.graph.step,
            fix="give cross_entropy the raw scores, or give the output of log_softmax to nll_loss",
        )

    def _of_unknown_making(self, evidence: Evidence, seen: Seen) -> Finding:
        graph, loss = seen[0]
        return Finding(
            code=self.code,
            level="likely",
            title="cross_entropy is given rows that are probabilities already: none below 0, each sums to 1",
            message="cross_entropy takes raw scores and applies softmax to them. Scores from 0 to 1 lie so close together that every answer "
            "looks unsure.",
            evidence={
                "given to cross_entropy": f"{shown_range(seen)}, each row sums to 1",
                "seen in": words.steps([graph.step for graph, _ in seen]),
            },
            where=words.place_of(evidence, loss),
            step=graph.step,
            fix="give it the scores before they are made into probabilities, or take nll_loss of their logarithm",
        )


def _twice(graph: StepGraph, operation: Operation) -> _Twice | None:
    """What an operation that applies a softmax or sigmoid was given, where that has had one already."""
    applied = _applied(graph, operation)
    if not applied:
        return None
    made = source(graph, operation) if operation.name in _APPLIES else argument_of(graph, operation)
    kind = kind_of(graph, made)
    if not isinstance(made, Operation) or not (made.tracked or kind == "log_softmax"):
        return None
    harmless = kind == "log_softmax" and operation.name == "cross_entropy"
    return _Twice(graph, operation, made, kind) if kind in PROBABILITIES or harmless else None


def _applied(graph: StepGraph, operation: Operation) -> str:
    """Whether an operation of a loss applies softmax or sigmoid: as part of it, or written out just before it takes a logarithm."""
    if operation.name in _APPLIES:
        return _APPLIES[operation.name]
    kind = kind_of(graph, operation)
    if kind == "log_softmax" and operation.name == "sub":
        return "softmax"
    if kind in PROBABILITIES and any(each.name in _OF_PROBABILITIES for each in users_of(graph, operation)):
        return kind
    return ""


def _agrees(found: _Twice) -> bool:
    """Whether the numbers are what such a function gives."""
    low, high = range_given(found.applies)
    if math.isnan(low) or found.kind == "log_softmax":
        return found.kind == "log_softmax" or not found.applies.facts
    return low >= -CLOSE and high <= 1 + CLOSE


def _given(found: Sequence[_Twice]) -> str:
    sums = all(is_distribution(each.applies) for each in found)
    shown = shown_range([(each.graph, each.applies) for each in found])
    return f"{shown}, each row sums to 1" if sums else shown


def _floor(loss: Operation, applied: str) -> str:
    """The least that the loss can be with numbers from 0 to 1 in place of scores; "" where that is not known."""
    classes = loss.facts.get("columns", 0)
    plain = not loss.facts.get("target_sums") and not loss.constant(7, "label_smoothing", 0.0)
    if loss.name == "cross_entropy" and classes > 1 and plain and loss.constant(6, "reduction", "mean") == "mean":
        return f"{words.number(math.log1p((classes - 1) / math.e))} with {classes:,} classes"
    if applied == "sigmoid" and loss.name == "binary_cross_entropy_with_logits":
        return f"{words.number(math.log1p(math.exp(-1)))} where the target is 1 and {words.number(math.log(2))} where it is 0"
    return ""


def _line_of(place: Place | None) -> str:
    return "" if place is None else f"line {place.line}: {place.source}"


def _without(evidence: Evidence, place: Place | None, kind: str, line: int) -> str:
    """The line of the softmax or sigmoid without it, or what to do where it cannot be rewritten; ``line``: of the loss."""
    if place is not None:
        for call in evidence.calls_on(place.file, place.line):
            called = str(getattr(call.func, "attr", getattr(call.func, "id", "")))
            if called.lower() not in (kind, f"{kind}2d"):
                continue
            if called[0].isupper():
                return f"leave {ast.unparse(call)} out of line {place.line}; apply it where probabilities are wanted, after the loss"
            inner = _argument(call)
            fixed = words.line_with(evidence, place, call, ast.unparse(inner)) if inner is not None else ""
            if fixed:
                return fixed if place.line == line else f"line {place.line}: {fixed}"
    return f"give the loss the scores as they are before {kind}; apply {kind} where probabilities are wanted, after the loss"


def _argument(call: ast.Call) -> ast.expr | None:
    """What ``softmax(x, dim=1)`` or ``x.softmax(1)`` is computed from."""
    own = call.func.value if isinstance(call.func, ast.Attribute) else None
    is_function = own is None or (isinstance(own, ast.Name) and own.id in ("torch", "F", "nn", "self"))
    if not is_function and (not call.args or isinstance(call.args[0], ast.Constant | ast.UnaryOp)):
        return own
    return call.args[0] if call.args else None


RULES: tuple[type[Rule], ...] = (AppliedTwice,)
