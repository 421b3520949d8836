"""Weight decay that holds the weights so close to zero that nothing is learnt: D607."""

import math
from collections.abc import Iterator
from statistics import median
from typing import Any

from descend.check import words
from descend.check.course import Course, courses
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding
from descend.check.rule import Rule

_COUPLED = frozenset(["SGD", "Adam", "RMSprop", "Adagrad", "Adadelta", "NAdam", "RAdam", "Adamax", "ASGD"])
"""Optimizers that add the decay to the gradient (unless they are told otherwise)."""
_ENOUGH = 20  # steps
_AS_A_CONSTANT = 0.9  # of the loss of the best constant answer, at the end
_AS_STRONG = 0.5  # of the gradient: the pull of the decay
_SHRUNK = 0.7  # of their first length: the weights in the end


class DecayHolds(Rule):
    """The pull of the weight decay is as strong as the gradient, and the answers are no better than a constant."""

    code = "D607"
    highest = "likely"
    name = "weight decay holds the weights at zero"
    kinds = ("run", "train")

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for course in _judged(evidence):
            found = _held(course)
            if found is not None:
                yield found

    def clean(self, evidence: Evidence) -> str:
        strongest = max(_decay_of(course) for course in _judged(evidence))
        return f"a weight decay of {words.number(strongest)} lets the weights grow" if strongest else "no weights decay"


def _judged(evidence: Evidence) -> list[Course]:
    found = [each for each in courses(evidence) if len(each) >= _ENOUGH]
    if not found:
        raise CannotCheck(f"no training has {_ENOUGH} steps or more" if len(evidence.steps) else "no step was taken")
    return found


def _decay_of(course: Course) -> float:
    """The weight decay that its optimizer adds to the gradients; 0 for none, and where it is applied apart from them."""
    if course.optimizer is None or course.optimizer.values["class"] not in _COUPLED:
        return 0.0
    settings = course.optimizer.values.get("settings") or {}
    decay = settings.get("weight_decay") or 0.0
    return float(decay) if isinstance(decay, int | float) and not settings.get("decoupled_weight_decay") else 0.0


def _held(course: Course) -> Finding | None:
    decay = _decay_of(course)
    if not decay > 0 or course.broken_at is not None or not course.end > _AS_A_CONSTANT * course.constant_loss:
        return None
    steps = _lengths(course)
    if len(steps) < 3:
        return None
    last = steps[-max(3, len(steps) // 3) :]
    pull, gradient = median(decay * weights for weights, _ in last), median(gradient for _, gradient in last)
    before, after = steps[0][0], last[-1][0]
    if not (pull > _AS_STRONG * gradient > 0 and after < _SHRUNK * before):
        return None
    facts: dict[str, Any] = {
        "pull of the decay, at the end": f"{words.number(decay)} · ‖weights‖ = {words.number(pull)}",
        "gradient of the loss": words.number(gradient),
        "length of the weights": f"{words.number(before)} at first, {words.number(after)} at the end",
        "loss": f"{words.number(course.end)}; the best constant answer has {words.number(course.constant_loss)}",
    }
    return Finding(
        code=DecayHolds.code,
        level="likely",
        title=f"a weight decay of {words.number(decay)} pulls the weights to zero as strongly as the loss pulls them away",
        message="The weights have shrunk, and the answers are no better than one and the same for every row. What the model could learn from "
        "the data is taken back by the decay.",
        evidence=facts,
        where=course.place,
        step=course.last,
        fix="weight_decay=1e-4   # or none, to see the loss fall first",
    )


def _lengths(course: Course) -> list[tuple[float, float]]:
    """Of all matrices together, the length of the weights and of their gradients, in each step that was looked at."""
    shapes = {row.name: row.shape for row in course.evidence.parameters}
    by_step: dict[int, list[tuple[float, float]]] = {}
    for row in course.evidence.norms:
        if row.step in course and len(shapes.get(row.parameter, ())) > 1 and math.isfinite(row.gradient):
            by_step.setdefault(row.step, []).append((row.value, row.gradient))
    return [
        (math.hypot(*(value for value, _ in rows)), math.hypot(*(gradient for _, gradient in rows)))
        for _, rows in sorted(by_step.items())
    ]


RULES: tuple[type[Rule], ...] = (DecayHolds,)
