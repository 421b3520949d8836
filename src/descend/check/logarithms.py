"""D302: scores or probabilities where a loss takes logarithms of probabilities, and the reverse."""

import ast
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import Finding, Place
from descend.check.graph import Operation, StepGraph
from descend.check.losses import (
    CLOSE,
    PROBABILITIES,
    Seen,
    graphs_of,
    is_distribution,
    is_whole,
    learned,
    range_given,
    shown_range,
)
from descend.check.rule import Rule
from descend.check.tracing import kind_of, layer_place, source

_ABOVE_ZERO = 1e-4  # of a logarithm, where rounding ends


class NotLogarithms(Rule):
    """Scores or probabilities where a loss takes logarithms of probabilities, or something that is no probability where it takes those."""

    code = "D302"
    highest = "bug"
    name = "raw scores or probabilities where the loss takes their logarithm, or the reverse"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        crashed = list(_crashed(self.code, evidence))
        yield from crashed
        if crashed and not evidence.operation_steps:
            return
        places: dict[tuple[str, int, str], list[tuple[StepGraph, Operation, str]]] = {}
        count: dict[tuple[str, int, str], int] = {}
        for graph in graphs_of(evidence):
            for operation in learned(graph):
                key = (operation.file, operation.line, operation.name)
                if operation.name in _READ:
                    count[key] = count.get(key, 0) + 1
                    wrong = _READ[operation.name](graph, operation)
                    if wrong:
                        places.setdefault((*key[:2], wrong), []).append((graph, operation, wrong))
        for found in places.values():
            operation, wrong = found[0][1:]
            in_every_step = len(found) == count[operation.file, operation.line, operation.name]
            if _is_broken(evidence, found[0][0]) if wrong == "log of scores" else in_every_step:
                yield self._finding(evidence, found)

    def clean(self, evidence: Evidence) -> str:
        looked = [
            each
            for graph in graphs_of(evidence)
            for each in learned(graph)
            if each.name in _READ and each.name != "log"
        ]
        if not looked:
            return "no loss of this run takes probabilities or their logarithms"
        return f"{words.listed(dict.fromkeys(each.name for each in looked))}: what is given fits the loss"

    def _finding(self, evidence: Evidence, found: Sequence[tuple[StepGraph, Operation, str]]) -> Finding:
        graph, loss, wrong = found[0]
        seen = [(graph, operation) for graph, operation, _ in found]
        said = _SAID[wrong]
        of_target = "target" in wrong
        shown = _target_range(seen) if of_target else shown_range(seen)
        sums = _row_sums(seen, "target_sums") if of_target else "1" if wrong == "probabilities" else ""
        least = min((each for each in evidence.steps.loss if math.isfinite(each)), default=0.0)
        below = least < -_ABOVE_ZERO and not of_target and all(is_whole(*each) for each in seen)
        return Finding(
            code=self.code,
            level="likely" if wrong == "target sums" or (of_target and loss.name == "cross_entropy") else "bug",
            title=said.title.format(loss=loss.name, range=shown),
            message=(said.of_divergence if loss.name == "kl_div" else "") or said.message.format(loss=loss.name),
            evidence={
                "target" if of_target else "prediction": shown,
                **({"each row sums to": sums} if sums else {}),
                **({"least loss of a step": f"{words.number(least)}: such a loss is never below 0"} if below else {}),
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
    of_divergence: str = ""  # the message where the loss is kl_div


_SAID = {
    "scores": _Said(
        "{loss} is given raw scores ({range}); it takes logarithms of probabilities, which are never above 0",
        "{loss} only picks the number of the right class and turns its sign. With raw scores it can fall without end while the "
        "other classes' scores are never pushed down.",
        "log_softmax",
        "The loss is no distance between two distributions then: the larger the scores are, the lower it is, without end.",
    ),
    "probabilities": _Said(
        "{loss} is given probabilities ({range}); it takes their logarithms",
        "Without the logarithm a confident wrong answer costs hardly more than an unsure one, and the gradients of wrong answers vanish.",
        "log_softmax",
        "The logarithm of the target is compared with a probability: the loss can be below 0, and it is not least where both agree.",
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
    if is_distribution(operation) or kind_of(graph, source(graph, operation)) in PROBABILITIES:
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


def _cross_entropy(graph: StepGraph, operation: Operation) -> str:  # noqa: ARG001 - as the others of _READ
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


_READ: Mapping[str, Callable[[StepGraph, Operation], str]] = {
    "nll_loss": _nll,
    "kl_div": _kl,
    "cross_entropy": _cross_entropy,
    "binary_cross_entropy_with_logits": _binary,
    "log": _log,
}


def _is_broken(evidence: Evidence, graph: StepGraph) -> bool:
    """Whether the loss of this step was no number: what is not a number may also be masked out again."""
    losses = dict(zip(evidence.steps.step, evidence.steps.loss, strict=True))
    return not math.isfinite(losses.get(graph.step, 0.0))


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
    return "1" if high - low < CLOSE and abs(low - 1) < CLOSE else f"{words.number(low)} to {words.number(high)}"


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
        if fixed and place is not None:
            return fixed if place.line == loss.line else f"line {place.line}: {fixed}"
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


RULES: tuple[type[Rule], ...] = (NotLogarithms,)
