"""D307: one term of a loss is so large that the other counts for nothing."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import Finding
from descend.check.graph import Operation, StepGraph
from descend.check.losses import graphs_of
from descend.check.rule import Rule

_TIMES = 100  # the larger term against the smaller, in every step that was looked at
_FEWEST = 3  # steps
_MOST_TERMS = 12
_SAME_SIZE = 10
_BACK = 4  # operations from a term to what it compares
_SUMS = frozenset(["add", "add_", "radd", "iadd", "sub", "sub_"])
_GATHERED = frozenset(["stack", "cat", "concat", "sum", "mean"])


@dataclass(frozen=True, slots=True)
class _Term:
    """One term of a loss: what was weighted, and with which number."""

    made: Operation
    weight: float

    @property
    def value(self) -> float:
        """As it stands in the sum."""
        return abs(self.plain * self.weight)

    @property
    def plain(self) -> float:
        """Before it was weighted."""
        return abs(float(self.made.values)) if isinstance(self.made.values, int | float) else math.nan

    @property
    def line(self) -> tuple[str, int]:
        return self.made.file, self.made.line


class DrownedTerm(Rule):
    """The terms of a loss differ so much in size that the smaller is not learned from."""

    code = "D307"
    highest = "note"
    name = "one term of the loss drowns another"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        seen: dict[tuple[str, int, int], list[tuple[StepGraph, Operation, list[_Term]]]] = {}
        for graph in graphs_of(evidence):
            for loss in graph.losses:
                terms = _terms_of_data(graph, loss)
                if len(terms) > 1 and all(math.isfinite(each.value) for each in terms):
                    seen.setdefault((loss.file, loss.line, len(terms)), []).append((graph, loss, terms))
        for found in seen.values():
            if len(found) >= _FEWEST:
                yield from self._compared(evidence, found)

    def clean(self, evidence: Evidence) -> str:
        for graph in graphs_of(evidence):
            for loss in graph.losses:
                terms = _terms_of_data(graph, loss)
                if len(terms) > 1:
                    return f"the {len(terms)} terms of the loss are of one size"
        return "the loss has one term"

    def _compared(
        self, evidence: Evidence, found: Sequence[tuple[StepGraph, Operation, list[_Term]]]
    ) -> Iterator[Finding]:
        count = len(found[0][2])
        sizes = [median(terms[each].value for _, _, terms in found) for each in range(count)]
        largest = max(range(count), key=lambda each: sizes[each])
        for small in range(count):
            ratios = [_ratio(terms[largest], terms[small]) for _, _, terms in found]
            graph, loss, terms = found[0]
            if small == largest or min(ratios) < _TIMES or _is_like(graph, terms[largest].made, terms[small].made):
                continue
            last = found[-1]
            times = words.number(float(f"{median(ratios):.2g}"))
            one, other = terms[largest], terms[small]
            yield Finding(
                code=self.code,
                level="note",
                title=f"one term of the loss is {times} times another ({_named(one)} against {_named(other)})",
                message=f"The step follows the larger term: the smaller is 1 part in {times} of it, and what would make it better is lost.",
                evidence={
                    f"term {largest + 1} ({_named(one)})": _from_to(one, last[2][largest], graph.step, last[0].step),
                    f"term {small + 1} ({_named(other)})": _from_to(other, last[2][small], graph.step, last[0].step),
                    "seen in": words.steps([graph.step for graph, _, _ in found]),
                },
                where=words.place_of(evidence, loss),
                step=graph.step,
                fix="bring both targets to the same scale (subtract the mean, divide by the standard deviation), or weigh the terms so that they begin alike",
            )
            return


def _terms_of_data(graph: StepGraph, loss: Operation) -> list[_Term]:
    """The terms that the data has a part in; none where there are so many that no single one is meant."""
    terms = _terms(graph, loss, 1.0)
    return [each for each in terms if _is_of_data(graph, each.made)] if len(terms) <= _MOST_TERMS else []


def _terms(graph: StepGraph, made: Operation | str, weight: float) -> list[_Term]:
    """The terms that a sum was made from, each with its weight."""
    if not isinstance(made, Operation) or made.size != 1:
        return []
    inputs = graph.inputs_of(made)
    number = made.constant(1, "other")
    number = float(number) if isinstance(number, int | float) and not isinstance(number, bool) else None
    if made.name in _SUMS and len(inputs) == 2:
        scale = made.constants.get("alpha", 1) if made.name in ("add", "add_", "sub", "sub_") else 1
        return [*_terms(graph, inputs[0], weight), *_terms(graph, inputs[1], weight * float(scale))]
    if made.name in _SUMS and number is not None and inputs:
        return _terms(graph, inputs[0], weight)
    if made.name in ("mul", "mul_", "rmul") and number is not None:
        return _terms(graph, inputs[0], weight * number)
    if made.name in ("div", "div_", "truediv") and number:
        return _terms(graph, inputs[0], weight / number)
    if made.name in ("sum", "mean") and isinstance(inputs[0], Operation) and inputs[0].name in _GATHERED:
        parts = graph.inputs_of(inputs[0])
        if len(parts) > 1 and all(isinstance(each, Operation) and each.size == 1 for each in parts):
            share = weight / len(parts) if made.name == "mean" else weight
            return [term for each in parts for term in _terms(graph, each, share)]
    return [_Term(made, weight)]


def _is_of_data(graph: StepGraph, made: Operation) -> bool:
    """Whether it is more than a penalty on the parameters: some tensor that has no gradient is in it."""
    return any(False in each.input_tracked for each in [made, *graph.ancestors(made)] if each.tracked)


def _is_like(graph: StepGraph, one: Operation, other: Operation) -> bool:
    """Whether both compare alike: numbers of one size, or with "real" and "fake". Then the smaller is only nearer to its aim."""
    made, beside = _compared(graph, one), _compared(graph, other)
    if one.name != other.name or made is None or beside is None:
        return False
    constant = all(each.facts["target"][0] == each.facts["target"][1] for each in (made, beside))
    sizes = [_size(made), _size(beside)]
    return constant or max(sizes) < _SAME_SIZE * min(sizes)


def _compared(graph: StepGraph, term: Operation) -> Operation | None:
    """The operation behind a term that was given prediction and target."""
    made: Operation | str = term
    for _ in range(_BACK):
        if not isinstance(made, Operation) or (made.facts.get("target") and made.facts.get("low")):
            break
        made = graph.inputs_of(made)[0] if made.inputs else ""
    return made if isinstance(made, Operation) and made.facts.get("target") and made.facts.get("low") else None


def _size(compared: Operation) -> float:
    """The largest number among prediction and target."""
    facts = compared.facts
    return max((abs(each) for each in [*facts["target"], *facts["low"], *facts["high"]] if each is not None), default=0)


def _ratio(large: _Term, small: _Term) -> float:
    """How often the larger holds the smaller; with weights that the script gave them, and without, whichever is less."""
    if not small.value or not small.plain:
        return 0.0  # switched off, as a warm-up does
    return min(large.value / small.value, large.plain / small.plain)


def _named(term: _Term) -> str:
    return f"{term.made.name}, line {term.made.line}"


def _from_to(first: _Term, last: _Term, begin: int, end: int) -> str:
    return f"{words.number(first.value)} at step {begin:,}, {words.number(last.value)} at step {end:,}"


RULES: tuple[type[Rule], ...] = (DrownedTerm,)
