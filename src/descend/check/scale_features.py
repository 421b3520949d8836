"""Columns of data whose sizes lie far apart: D603."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from descend.check import words
from descend.check.course import Course, courses
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding, Place
from descend.check.rule import Rule
from descend.check.scale_squares import Problem, problem_of
from descend.record.rows import FactRow

_ILL = 300.0  # condition number of a least-squares problem
_BETTER = 10.0  # times smaller after standardising
_APART = 100.0  # times the smallest scale
_NEAR = 0.01  # of its first distance: when a direction counts as done


class FeaturesApart(Rule):
    """Columns of very different size: a rate small enough for the largest is too small for the others."""

    code = "D603"
    highest = "likely"
    name = "features of very different scale"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        found = list(courses(evidence))
        if not found:
            raise CannotCheck("no step was taken")
        looked = False
        for course in found:
            problem = problem_of(course)
            features = course.facts("features")
            looked = looked or problem is not None or any("std" in row.values for row in features)
            finding = self._of_problem(course, problem) if problem is not None else None
            if finding is None and problem is None:
                finding = next((one for row in features if (one := self._of_columns(course, row)) is not None), None)
            if finding is not None:
                yield finding
        if not looked:
            raise CannotCheck(_why_not(evidence))

    def clean(self, evidence: Evidence) -> str:
        for course in courses(evidence):
            problem = problem_of(course)
            if problem is not None and problem.features > 1:
                return f"the features have like scales (condition number {words.number(problem.landscape.condition)})"
        return "the columns of the data have like scales"

    def _of_problem(self, course: Course, problem: Problem) -> Finding | None:
        condition, better = problem.landscape.condition, problem.standardised.condition
        if problem.features < 2 or problem.rows <= problem.features or not condition > _ILL:
            return None
        if not math.isfinite(condition) or condition < _BETTER * better:
            return None  # two columns say the same, which no scaling mends
        facts: dict[str, Any] = {"condition number of the Hessian": words.number(condition)}
        scales = _scales_of(course)
        if scales is not None:
            facts |= _scale_words(scales)
        facts["after standardising"] = f"condition number {words.number(better)}"
        now = standard = None
        if course.is_plain and course.rate > 0:
            facts["largest stable rate 2/λmax"] = (
                f"{problem.limit:.5g}; the run's is {words.number(course.rate)}, {words.percent(course.rate / problem.limit)} of it"
            )
            now, standard = _steps_needed(problem, course.rate), _steps_needed_best(better)
            facts["steps for the slowest direction"] = f"{_count(now)} now, {_count(standard)} after standardising"
        return Finding(
            code=self.code,
            level="likely",
            title=f"{_what(scales)}: condition number {words.number(float(f'{condition:.4g}'))}",
            message="The steepest direction sets the largest learning rate, and the flattest one is then "
            f"{words.number(float(f'{condition:.2g}'))} times slower."
            + (
                f" It takes {_count(now)} steps to cover 99 % of its way; with standardised features it would take {_count(standard)}."
                if now
                else ""
            ),
            evidence=facts,
            where=_place_of_product(course, _parameter_of(course)),
            step=course.first,
            fix=_FIX,
        )

    def _of_columns(self, course: Course, row: FactRow) -> Finding | None:
        scales = _judge(row.values)
        if scales is None or scales.apart < _APART:
            return None
        parameter = row.values["parameter"]
        return Finding(
            code=self.code,
            level="likely",
            title=f"features of very different scale: column {scales.largest} varies {words.number(float(f'{scales.apart:.2g}'))} times "
            f"as much as column {scales.smallest}",
            message=f"{parameter or 'The first layer'} adds them up as they are: the largest columns decide every sum and every gradient, and the "
            "small ones hardly count until much later.",
            evidence={
                **_scale_words(scales),
                "condition number": f"at least {words.number(float(f'{scales.apart**2:.2g}'))}",
            },
            where=_place_of_product(course, parameter),
            step=row.step,
            fix=_FIX,
        )


def _why_not(evidence: Evidence) -> str:
    wide = [row.values["columns"] for row in evidence.facts("features")]
    if wide:
        return f"its data have {max(wide):,} columns, too many to be a table of features"
    return "no product of data with a parameter was seen"


_FIX = "x = (x - x.mean(0)) / x.std(0)  # with the training rows' mean and deviation, for evaluation too"


@dataclass(frozen=True)
class _Scales:
    """The columns that vary most and least."""

    largest: int
    smallest: int
    most: float
    least: float
    means: tuple[float, float]

    @property
    def apart(self) -> float:
        return self.most / self.least


def _what(scales: _Scales | None) -> str:
    """What it is in the columns that makes the problem ill-conditioned."""
    if scales is None or scales.apart >= _BETTER:
        return "features of very different scale"
    if max(map(abs, scales.means)) > scales.most:
        return "features far from zero for how little they vary"
    return f"features of scale {words.number(float(f'{scales.most:.1g}'))} beside a bias of scale 1"


def _judge(values: Mapping[str, Any]) -> _Scales | None:
    """The scales of the columns of a table; None for pixels, one-hot columns, words and all that have one scale by their nature."""
    columns = values["columns"]
    if columns < 2 or "std" not in values or values["axes"] > 3 or values["rows"] < 4:
        return None
    if values["ceiling"] > max(2, columns // 4):
        return None  # many columns end at the same largest number: pixels, shares, counts
    numbered = [
        (deviation, place)
        for place, (deviation, least, most) in enumerate(
            zip(values["std"], values["least"], values["most"], strict=True)
        )
        if deviation is not None and 0 < deviation < math.inf and not (least == 0 and most == 1)
    ]
    if len(numbered) < 2:
        return None
    (least, smallest), (most, largest) = min(numbered), max(numbered)
    return _Scales(largest, smallest, most, least, (values["mean"][largest], values["mean"][smallest]))


def _scales_of(course: Course) -> _Scales | None:
    facts = course.facts("features")
    return _judge(facts[0].values) if len(facts) == 1 else None


def _scale_words(scales: _Scales) -> dict[str, str]:
    return {
        f"column {scales.largest}": f"{words.number(scales.means[0])} ± {words.number(scales.most)}",
        f"column {scales.smallest}": f"{words.number(scales.means[1])} ± {words.number(scales.least)}",
    }


def _steps_needed(problem: Problem, rate: float) -> int | None:
    """Steps until the slowest direction is within 1 % of where it goes; None where it never comes there."""
    curved = [each for each in problem.landscape.eigenvalues if each > 0]
    shrink = max(abs(1 - rate * each) for each in curved)
    return math.ceil(math.log(_NEAR) / math.log(shrink)) if 0 < shrink < 1 else None


def _steps_needed_best(condition: float) -> int:
    """The same at the best constant rate."""
    shrink = (condition - 1) / (condition + 1)
    return math.ceil(math.log(_NEAR) / math.log(shrink)) if shrink > _NEAR else 1


def _count(steps: int | None) -> str:
    return "no number" if steps is None else f"{steps:,}"


def _parameter_of(course: Course) -> str:
    facts = course.facts("features")
    return str(facts[0].values["parameter"]) if facts else ""


def _place_of_product(course: Course, parameter: str) -> Place | None:
    """The line that multiplies the data with the parameter; without it, where the training's forward pass stands."""
    evidence = course.evidence
    for step in _steps_inside(course):
        for operation in evidence.graph(step).forward:
            if parameter and parameter in operation.inputs and operation.file:
                return words.place_of(evidence, operation)
    for phase in ("forward", "loss"):
        rows = [row for row in evidence.phases if row.phase == phase and row.step in course and row.file]
        if rows:
            return evidence.place(rows[0].file, rows[0].line)
    return None


def _steps_inside(course: Course) -> Sequence[int]:
    return [step for step in course.evidence.operation_steps if step in course][:1]


RULES: tuple[type[Rule], ...] = (FeaturesApart,)
