"""Faults of what a loss is given: D301 and D302, probabilities where scores are due and the reverse."""

import ast
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import Finding, Place
from descend.check.graph import Operation, StepGraph
from descend.check.rule import Rule
from descend.check.tracing import argument_of, kind_of, layer_place, origin, source

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
_OF_PROBABILITIES = frozenset(["binary_cross_entropy", "nll_loss", "log", "kl_div", "mse_loss", "l1_loss", "sub"])
_PROBABILITIES = ("softmax", "sigmoid")
_CLOSE = 1e-3  # of a sum of probabilities to 1
_ABOVE_ZERO = 1e-4  # of a logarithm, where rounding ends


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
        for graph in evidence.graphs():
            for operation in learned(graph):
                at = (operation.file, operation.line)
                every[at] = every.get(at, 0) + (operation.name == "cross_entropy")
                found = _twice(graph, operation)
                if found is not None:
                    places.setdefault((found.made.file, found.made.line, found.kind), []).append(found)
                elif (
                    operation.name == "cross_entropy" and _is_distribution(operation) and operation.facts["columns"] > 2
                ):
                    unmade.setdefault(at, []).append((graph, operation))
        for found in places.values():
            proven = [each for each in found if _agrees(each)]
            if proven and len(proven) == len(found):
                yield (
                    self._harmless(evidence, found)
                    if found[0].kind == "log_softmax"
                    else self._finding(evidence, found)
                )
        for at, seen in unmade.items():
            if len(seen) == every[at]:
                yield self._of_unknown_making(evidence, seen)

    def clean(self, evidence: Evidence) -> str:
        looked = [each for graph in evidence.graphs() for each in learned(graph) if each.name in _APPLIES]
        if not looked:
            return "no loss of this run applies a softmax or sigmoid itself"
        return f"{words.listed(dict.fromkeys(each.name for each in looked))} {'is' if len({each.name for each in looked}) == 1 else 'are'} given raw scores"

    def _finding(self, evidence: Evidence, found: Sequence[_Twice]) -> Finding:
        first = found[0]
        loss = first.applies
        own = _applied(first.graph, loss)
        place = layer_place(evidence, first.made)
        given = {} if "low" not in loss.facts else {f"given to {loss.name}": _given(found)}
        floor = _floor(loss, own)
        known = isinstance(evidence.place(loss.file, loss.line), Place)
        return Finding(
            code=self.code,
            level="bug",
            title=f"{loss.name} is given probabilities: {first.kind} stands in front of it, and it applies {own} itself",
            message=f"{loss.name} takes raw scores. Numbers from 0 to 1 are scores that lie close together, so it sees every answer as "
            f"unsure{f', and even the right one costs {floor[1]}' if floor else ''}; the gradients stay small.",
            evidence={
                **given,
                **(
                    {f"made by {first.kind}": f"line {first.made.line}"}
                    if first.made.line != getattr(place, "line", 0)
                    else {}
                ),
                **({"loss": f"line {loss.line}"} if known and loss.line != first.made.line else {}),
                **({floor[0]: floor[1]} if floor else {}),
                **{f"{name} of the steps": text for name, text in loss_so_far(evidence).items()},
                "seen in": words.steps([each.graph.step for each in found]),
            },
            where=place,
            step=first.graph.step,
            fix=_without(evidence, place, first.kind),
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
    return _Twice(graph, operation, made, kind) if kind in _PROBABILITIES or harmless else None


def _applied(graph: StepGraph, operation: Operation) -> str:
    """Whether an operation of a loss applies softmax or sigmoid: as part of it, or written out just before it takes a logarithm."""
    if operation.name in _APPLIES:
        return _APPLIES[operation.name]
    kind = kind_of(graph, operation)
    if kind == "log_softmax" and operation.name == "sub":
        return "softmax"
    if kind in _PROBABILITIES and any(
        _takes_probabilities(graph, each, operation) for each in graph.operations[operation.index + 1 :]
    ):
        return kind
    return ""


def _takes_probabilities(graph: StepGraph, user: Operation, made: Operation) -> bool:
    if user.name not in _OF_PROBABILITIES or not user.tracked:
        return False
    return any(each is made or origin(graph, each) is made for each in graph.inputs_of(user)[:2])


def _agrees(found: _Twice) -> bool:
    """Whether the numbers are what such a function gives."""
    low, high = range_given(found.applies)
    if math.isnan(low) or found.kind == "log_softmax":
        return found.kind == "log_softmax" or not found.applies.facts
    return -_CLOSE <= low and high <= 1 + _CLOSE


def _is_distribution(operation: Operation) -> bool:
    """Whether each row that a loss was given is none below 0 and sums to 1."""
    sums = operation.facts.get("sums")
    low, _ = range_given(operation)
    return bool(sums) and None not in sums and abs(sums[0] - 1) < _CLOSE and abs(sums[1] - 1) < _CLOSE and low >= 0


def _given(found: Sequence[_Twice]) -> str:
    sums = all(_is_distribution(each.applies) for each in found)
    shown = shown_range([(each.graph, each.applies) for each in found])
    return f"{shown}, each row sums to 1" if sums else shown


def _floor(loss: Operation, applied: str) -> tuple[str, str] | None:
    """The least that the loss can be with numbers from 0 to 1 in place of scores: words and number."""
    classes = loss.facts.get("columns", 0)
    if loss.name == "cross_entropy" and classes > 1 and not loss.facts.get("target_sums"):
        least = math.log1p((classes - 1) / math.e)
        return f"least it can be with {classes:,} classes", words.number(least)
    if applied == "sigmoid" and loss.name == "binary_cross_entropy_with_logits":
        return (
            "least it can be",
            f"{words.number(math.log1p(math.exp(-1)))} where the target is 1 and {words.number(math.log(2))} where it is 0",
        )
    return None


def _without(evidence: Evidence, place: Place | None, kind: str) -> str:
    """The user's line without the softmax or sigmoid, or what to do where it cannot be rewritten."""
    if place is not None:
        for call in evidence.calls_on(place.file, place.line):
            called = str(getattr(call.func, "attr", getattr(call.func, "id", "")))
            if called.lower() not in (kind, f"{kind}2d"):
                continue
            if called[0].isupper():
                return f"leave {ast.unparse(call)} out of the model; apply it where probabilities are wanted, after the loss"
            own = call.func.value if isinstance(call.func, ast.Attribute) else None
            is_method = own is not None and not (isinstance(own, ast.Name) and own.id in ("torch", "F", "nn", "self"))
            inner = (
                own
                if is_method and (not call.args or isinstance(call.args[0], ast.Constant))
                else (call.args or [None])[0]
            )
            fixed = words.line_with(evidence, place, call, ast.unparse(inner)) if inner is not None else ""
            if fixed:
                return fixed
    return f"give the loss the scores as they are before {kind}; apply {kind} where probabilities are wanted, after the loss"


class NotLogarithms(Rule):
    """Scores or probabilities where a loss takes logarithms of probabilities, or something that is no probability where it takes those."""

    code = "D302"
    highest = "bug"
    name = "raw scores or probabilities where the loss takes their logarithm, or the reverse"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        yield from _crashed(self.code, evidence)
        if self._failed(evidence) and not evidence.operation_steps:
            return
        places: dict[tuple[str, int, str], list[tuple[StepGraph, Operation, str]]] = {}
        count: dict[tuple[str, int, str], int] = {}
        for graph in evidence.graphs():
            for operation in learned(graph):
                key = (operation.file, operation.line, operation.name)
                if operation.name in _READ:
                    count[key] = count.get(key, 0) + 1
                    wrong = _READ[operation.name](graph, operation)
                    if wrong:
                        places.setdefault((*key[:2], wrong), []).append((graph, operation, wrong))
        for found in places.values():
            operation = found[0][1]
            if len(found) == count[operation.file, operation.line, operation.name] or found[0][2] == "log of scores":
                yield self._finding(evidence, found)

    def clean(self, evidence: Evidence) -> str:
        looked = [
            each for graph in evidence.graphs() for each in learned(graph) if each.name in _READ and each.name != "log"
        ]
        if not looked:
            return "no loss of this run takes probabilities or their logarithms"
        return f"{words.listed(dict.fromkeys(each.name for each in looked))}: what is given fits the loss"

    def _failed(self, evidence: Evidence) -> bool:
        return "between 0 and 1" in str(evidence.report.get("message") or "")

    def _finding(self, evidence: Evidence, found: Sequence[tuple[StepGraph, Operation, str]]) -> Finding:
        graph, loss, wrong = found[0]
        seen = [(graph, operation) for graph, operation, _ in found]
        said = _SAID[wrong]
        side = "target" if "target" in wrong else "prediction"
        target = "target" if side == "target" else "low"
        given = (
            {}
            if target not in loss.facts
            else {f"{side} given to {loss.name}": _target_range(seen) if side == "target" else shown_range(seen)}
        )
        sums = _row_sums(seen, "target_sums" if side == "target" else "sums")
        least = min((each for each in evidence.steps.loss if math.isfinite(each)), default=0.0)
        return Finding(
            code=self.code,
            level="likely" if wrong == "target sums" else "bug",
            title=said.title.format(loss=loss.name, range=next(iter(given.values()), "")),
            message=said.message.format(loss=loss.name),
            evidence={
                **given,
                **({"each row sums to": sums} if sums else {}),
                **(
                    {"least loss of a step": f"{words.number(least)}: below 0, which no such loss can be"}
                    if least < -_ABOVE_ZERO
                    else {}
                ),
                "seen in": words.steps([graph.step for graph, _ in seen]),
            },
            where=words.place_of(evidence, loss),
            step=graph.step,
            fix=_fix(evidence, graph, loss, wrong),
        )


@dataclass(frozen=True, slots=True)
class _Said:
    """What is said of one way of being wrong."""

    title: str
    message: str
    fix: str


_SAID = {
    "scores": _Said(
        "{loss} is given raw scores ({range}); it takes logarithms of probabilities, which are never above 0",
        "{loss} only picks the number of the right class and turns its sign. With raw scores it can fall without end while the "
        "other classes' scores are never pushed down.",
        "log_softmax",
    ),
    "probabilities": _Said(
        "{loss} is given probabilities ({range}); it takes their logarithms",
        "Without the logarithm a confident wrong answer costs hardly more than an unsure one, and the gradients of wrong answers vanish.",
        "log_softmax",
    ),
    "log-probabilities": _Said(
        "{loss} is given logarithms of probabilities ({range}); it takes raw scores",
        "It applies a sigmoid to them. A logarithm of a probability is never above 0, so no answer can be more than half sure.",
        "give it the scores as they are before the logarithm",
    ),
    "log of scores": _Said(
        "the logarithm is taken of raw scores ({range}), and some are below 0",
        "The logarithm of a negative number is not a number: the loss becomes NaN and so does every parameter.",
        "take torch.log_softmax(scores, dim=1) in place of the logarithm",
    ),
    "target below zero": _Said(
        "the target of {loss} is no probability: {range}",
        "{loss} weighs the classes with the target. A negative weight rewards wrong answers, and the loss has no least value.",
        "make probabilities of the target first: torch.softmax(target, dim=1)",
    ),
    "target not a logarithm": _Said(
        "the target of {loss} is given as probabilities ({range}), and log_target=True says that they are logarithms",
        "The target is put through exp before it is used, so that even 0 counts as 1.",
        "leave log_target=True out, or give the logarithm of the target",
    ),
    "target sums": _Said(
        "the rows of the target of {loss} are no probabilities: they do not sum to 1",
        "Each row of the target should be a distribution over the classes; one that sums to more or less weighs its row differently.",
        "divide each row of the target by its sum, or make it with softmax",
    ),
}


def _nll(graph: StepGraph, operation: Operation) -> str:
    _, high = range_given(operation)
    if _is_distribution(operation) or kind_of(graph, source(graph, operation)) in _PROBABILITIES:
        return "probabilities" if not math.isnan(high) and high > 0 else ""
    return "scores" if high > _ABOVE_ZERO else ""


def _kl(graph: StepGraph, operation: Operation) -> str:
    target, sums = operation.facts.get("target"), operation.facts.get("target_sums")
    wrong = _nll(graph, operation)
    if wrong or not target or None in target:
        return wrong
    if operation.constant(5, "log_target"):
        return "target not a logarithm" if target[1] > _ABOVE_ZERO else ""
    if target[0] < -_ABOVE_ZERO:
        return "target below zero"
    return "target sums" if sums and None not in sums and not _one(sums) else ""


def _cross_entropy(graph: StepGraph, operation: Operation) -> str:
    target, sums = operation.facts.get("target"), operation.facts.get("target_sums")
    if not sums or None in sums or not target or None in target:
        return ""
    return "target below zero" if target[0] < -_ABOVE_ZERO else ""


def _binary(graph: StepGraph, operation: Operation) -> str:
    made = source(graph, operation)
    low, high = range_given(operation)
    is_logarithm = kind_of(graph, made) in ("log_softmax", "logsigmoid") and high <= _ABOVE_ZERO
    return "log-probabilities" if is_logarithm and low < 0 else ""


def _log(graph: StepGraph, operation: Operation) -> str:
    """The logarithm of raw scores, whatever it is for: where one of them is below 0 nothing comes of it."""
    made = source(graph, operation)
    low, _ = range_given(operation)
    from_scores = isinstance(made, Operation) and made.name in ("linear", "addmm", "matmul", "mm", "add")
    return "log of scores" if from_scores and low < 0 else ""


_READ = {
    "nll_loss": _nll,
    "kl_div": _kl,
    "cross_entropy": _cross_entropy,
    "binary_cross_entropy_with_logits": _binary,
    "log": _log,
}


def _one(sums: Sequence[float]) -> bool:
    return abs(sums[0] - 1) < 0.02 and abs(sums[1] - 1) < 0.02


def _row_sums(seen: Seen, name: str) -> str:
    found = [
        operation.facts[name]
        for _, operation in seen
        if operation.facts.get(name) and None not in operation.facts[name]
    ]
    if not found:
        return ""
    low, high = min(each[0] for each in found), max(each[1] for each in found)
    return "1" if high - low < _CLOSE and abs(low - 1) < _CLOSE else f"{words.number(low)} to {words.number(high)}"


def _target_range(seen: Seen) -> str:
    ends = [operation.facts["target"] for _, operation in seen]
    return f"{words.number(min(low for low, _ in ends))} to {words.number(max(high for _, high in ends))}"


def _fix(evidence: Evidence, graph: StepGraph, loss: Operation, wrong: str) -> str:
    if _SAID[wrong].fix != "log_softmax":
        return _SAID[wrong].fix
    made = source(graph, loss)
    if wrong == "probabilities" and isinstance(made, Operation):
        place = layer_place(evidence, made)
        fixed = _renamed(evidence, place, made.name)
        if fixed:
            return fixed
    place = words.place_of(evidence, loss)
    calls = evidence.calls_on(loss.file, loss.line) if place is not None else ()
    calls = [each for each in calls if len(each.args) >= 2]
    if wrong == "scores" and len(calls) == 1 and loss.name == "nll_loss":
        given = calls[0].args[0]
        fixed = words.line_with(evidence, place, given, f"torch.log_softmax({ast.unparse(given)}, dim=1)")
        if fixed:
            return fixed
    return "give it torch.log_softmax(scores, dim=1)" + (
        "; or take cross_entropy of the scores" if loss.name == "nll_loss" else ""
    )


def _renamed(evidence: Evidence, place: Place | None, name: str) -> str:
    """The line with softmax turned into log_softmax."""
    for call in evidence.calls_on(place.file, place.line) if place is not None else ():
        called = getattr(call.func, "attr", getattr(call.func, "id", ""))
        new = {"softmax": "log_softmax", "Softmax": "LogSoftmax"}.get(called)
        if new is not None and name == "softmax":
            text = ast.unparse(call.func)
            return words.line_with(evidence, place, call.func, text[: -len(called)] + new)
    return ""


def _crashed(code: str, evidence: Evidence) -> Iterator[Finding]:
    """binary_cross_entropy itself ends a program that gives it anything but probabilities."""
    crash = evidence.report.get("crash") or {}
    if "between 0 and 1" not in str(evidence.report.get("message") or ""):
        return
    yield Finding(
        code=code,
        level="bug",
        title="binary_cross_entropy is given raw scores; it takes probabilities, from 0 to 1",
        message="The program ended here: the logarithm of a number that is no probability has no meaning.",
        evidence={"message": str(evidence.report["message"])},
        where=evidence.place(crash.get("file"), crash.get("line")),
        step=len(evidence.steps) + 1,
        fix="take binary_cross_entropy_with_logits of the scores, or a sigmoid before this loss",
    )


RULES: tuple[type[Rule], ...] = (AppliedTwice, NotLogarithms)
