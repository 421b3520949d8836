"""Faults of the learning rate: D601 and D602. The rest of this family: scale_features, scale_layers and scale_recurrent."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from statistics import median
from typing import Any

from descend.check import scale_decay, scale_features, scale_held, scale_layers, scale_recurrent, words
from descend.check.course import Course, courses, plain_rate, rate_in_place
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding, Level
from descend.check.rule import Rule
from descend.check.scale_squares import Problem, problem_of

_DIVERGED = 1_000.0  # times the first loss
_GROWN = 10.0  # times the first loss, right before it stopped being a number
_OVERSHOOTS = 3  # steps in a row that show it
_PAST = 0.5  # cosine between a move and the gradient after it: far past the lowest point
_FAR = 0.5  # share of its own size that a step moves a matrix of weights
_HIGH = 3.0  # times the first loss: a jump
_NOT_FALLEN = 0.9  # of the first loss, at the end
_ENOUGH = 20  # steps that a rate is judged by
_CRAWL = 0.1  # share of the loss that a whole training may fall and still be called slow
_AS_BEFORE = 0.02  # of the loss: batches differ so much
_ALIVE = 0.5  # of the first gradients, at the end
_SMALL_MOVE = 0.02  # share of their size that all steps together could move the weights
_FLAT = 0.01  # of the rate that goes straight to the lowest point along the gradient


class RateTooHigh(Rule):
    """Steps go past the lowest point, and further each time."""

    code = "D601"
    highest = "bug"
    name = "the learning rate is too high"
    kinds = ("run", "train")

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for course in _judged(evidence, 2):
            finding = self._of(course)
            if finding is not None:
                yield finding

    def clean(self, evidence: Evidence) -> str:
        for course in courses(evidence):
            problem = problem_of(course)
            if problem is not None and course.is_plain and course.rate < problem.limit:
                share = course.rate / problem.limit
                return (
                    f"the learning rate {words.number(course.rate)} is {words.percent(share)} of the largest stable one,"
                    f" {words.number(problem.limit)}"
                )
        return "the loss does not run away under this learning rate"

    def _of(self, course: Course) -> Finding | None:
        if _has_another_cause(course) or (course.optimizer is not None and course.optimizer.values["class"] == "LBFGS"):
            return None  # LBFGS tries several points in a step, and its rate is a share of a step that it works out
        problem = problem_of(course)
        if problem is not None and course.is_plain and course.rate > problem.limit and problem.full_batch:
            grown = course.broken_at is not None or course.finite[-1] > course.start
            return self._finding(
                course,
                "bug" if grown else "likely",
                f"learning rate {words.number(course.rate)} is above the largest stable one, {words.number(problem.limit)}",
                "This loss is a bowl whose curvature is known. Above 2/λmax each step lands higher on the other side than it began.",
                {
                    "largest curvature λmax": words.number(problem.curvature),
                    "largest stable rate 2/λmax": words.number(problem.limit),
                },
                problem.limit / 2,
            )
        over = _overshoots(course)
        if _diverged(course):
            level: Level = "bug" if over else "likely"
            evidence = _overshoot_evidence(course, over)
            rate = min((1 / each["curvature"] for each in over), default=course.rate / 10)
            return self._finding(
                course,
                level,
                f"the loss runs away: {words.number(course.start)} → {_last_words(course)} under learning rate {words.number(course.rate)}",
                _why_away(over),
                evidence,
                min(rate, course.rate / 2),
            )
        far = {name: move for name, move in course.relative_moves.items() if move > _FAR}
        if far and _has_jumped(course):
            name = max(far, key=lambda each: far[each])
            return self._finding(
                course,
                "likely",
                f"learning rate {words.number(course.rate)} throws the weights about: a step moves {name} by "
                f"{words.percent(far[name])} of its size",
                f"The loss went from {words.number(course.start)} up to {words.number(max(course.finite))} and ended at "
                f"{words.number(course.end)}. Steps of about 0.1 % of the weights' size are usual.",
                {
                    "a step moves": f"{name} by {words.percent(far[name])} of its size (threshold {words.percent(_FAR)})",
                    "loss": f"{words.number(course.start)} at first, {words.number(max(course.finite))} at most, "
                    f"{words.number(course.end)} at the end",
                },
                course.rate / max(10.0, far[name] / 0.005),
            )
        return None

    def _finding(
        self, course: Course, level: Level, title: str, message: str, facts: Mapping[str, Any], rate: float
    ) -> Finding:
        losses = ", ".join(words.number(each) for each in course.losses[:5])
        return Finding(
            code=self.code,
            level=level,
            title=title,
            message=message,
            evidence={**facts, "learning rate": words.number(course.rate), "first losses": losses},
            where=course.place,
            step=_first_rise(course),
            fix=rate_in_place(course, rate),
        )


class RateTooLow(Rule):
    """The loss still falls as steeply as at first, and the steps are too short to come anywhere in this many."""

    code = "D602"
    highest = "note"
    name = "the learning rate is too low for this many steps"
    kinds = ("run", "train")

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for course in _judged(evidence, _ENOUGH):
            found = self._of(course)
            if found is not None:
                yield found

    def clean(self, evidence: Evidence) -> str:
        return "the steps are long enough to come somewhere"

    def _of(self, course: Course) -> Finding | None:
        fallen = 1 - course.end / course.beginning if course.beginning > 0 else math.nan
        if not (-_CRAWL < fallen < _CRAWL) or course.broken_at is not None:
            return None
        if not course.start > 0.5 * course.constant_loss:  # not known, or good already: it is being tuned
            return None
        problem = problem_of(course)
        falls = fallen > -_AS_BEFORE
        if problem is not None and course.is_plain and falls:
            return self._of_problem(course, problem, fallen)
        gradients = _gradient_course(course)
        steady = _steadiness(course)
        if gradients is None or gradients[1] < _ALIVE * gradients[0] or steady < 0.3:
            return None
        far = scale_held.out_of_reach(course, fallen) or scale_held.held_by_clipping(course, fallen)
        if far is not None or not falls:
            return far
        reach = _reach(course)
        flat = _flatness(course)
        if not (reach < _SMALL_MOVE or flat < _FLAT):
            return None
        per_step = _decrease(course)
        facts: dict[str, Any] = {
            "loss": f"{words.number(course.beginning)} at first, {words.number(course.end)} at the end "
            f"({words.percent(max(0.0, fallen))} less)",
            "gradient": f"{words.number(gradients[0])} at first, {words.number(gradients[1])} at the end",
            "learning rate": words.number(course.rate),
        }
        if math.isfinite(reach):
            facts["all steps together could move the weights"] = f"{words.percent(reach)} of their size"
        message = "The gradient is as large as at first: the loss could go on falling, but the steps are too short."
        if per_step > 0 and course.is_plain:
            needed = course.beginning / 2 / per_step
            facts["a step lowers the loss by about"] = f"lr·‖g‖² = {words.number(per_step)}"
            message += f" At this pace half of the loss would take about {words.number(float(f'{needed:.1e}'))} steps."
        factor = min(1000.0, 0.3 / flat if math.isfinite(flat) and flat > 0 else 0.5 / max(reach, 1e-4))
        return Finding(
            code=self.code,
            level="note",
            title=f"{len(course):,} steps lowered the loss by {words.percent(max(0.0, fallen))}: learning rate "
            f"{words.number(course.rate)} is too low for them",
            message=message,
            evidence=facts,
            where=course.place,
            step=course.last,
            fix=f"try {rate_in_place(course, course.rate * max(10.0, factor))}"
            if course.optimizer is None
            else rate_in_place(course, course.rate * max(10.0, factor)),
        )

    def _of_problem(self, course: Course, problem: Problem, fallen: float) -> Finding | None:
        """Of least squares it is known how far it is to the lowest point, and how many steps that takes."""
        descent = problem.landscape.descent(problem.start, course.rate)
        far = descent.excess(0)
        if not far > 0.1 * problem.landscape.loss(problem.start) or descent.excess(len(course)) < 0.8 * far:
            return None
        needed, best = descent.epochs_until(far / 100), problem.limit / 2
        at_best = problem.landscape.descent(problem.start, best).epochs_until(far / 100)
        helps = at_best is not None and needed is not None and at_best < 0.2 * needed
        scaled = problem.standardised.descent(problem.start, problem.standardised.best_rate)
        steps = scaled.epochs_until(scaled.excess(0) / 100)
        facts = {
            "loss": f"{words.number(course.beginning)} at first, {words.number(course.end)} at the end; the lowest there is: "
            f"{words.number(problem.landscape.floor)}",
            "steps to come within 1 % of it": "no number" if needed is None else f"{needed:,}",
            "learning rate": f"{words.number(course.rate)}; the largest stable one is {words.number(problem.limit)}",
        }
        if at_best is not None:
            facts[f"steps at rate {plain_rate(best)}"] = f"{at_best:,}"
        if steps is not None:
            facts["steps with standardised features"] = f"{steps:,}"
        return Finding(
            code=self.code,
            level="note",
            title=f"{len(course):,} steps lowered the loss by {words.percent(max(0.0, fallen))}: learning rate "
            f"{words.number(course.rate)} is too low for these data",
            message="The lowest loss of this least-squares problem is known, and at this pace it is out of reach."
            + ("" if helps else " No stable rate is much faster: the scale of the features is in the way."),
            evidence=facts,
            where=course.place,
            step=course.last,
            fix=rate_in_place(course, best) if helps else "x = (x - x.mean(0)) / x.std(0)",
        )


def _judged(evidence: Evidence, least: int) -> Iterator[Course]:
    """The trainings that can be judged by their losses. Raises CannotCheck where there is none."""
    found = list(courses(evidence))
    if not found:
        raise CannotCheck("no step was taken")
    chosen = [
        each
        for each in found
        if len(each) >= least and not each.turns and math.isfinite(each.rate) and each.rate > 0 and each.start > 0
    ]
    if not chosen:
        raise CannotCheck(_why_not(found, least))
    yield from chosen


def _why_not(found: Sequence[Course], least: int) -> str:
    if any(each.turns for each in found):
        return "several sets of parameters are trained in turn, whose losses need not fall"
    if all(len(each) < least for each in found):
        most = max(len(each) for each in found)
        return f"no training has {least} steps or more" if most > 1 else "only one step was taken"
    if not any(math.isfinite(each.rate) for each in found):
        return "no learning rate was seen"
    return "the loss is not one that begins above zero"


def _has_another_cause(course: Course) -> bool:
    """Gradients that are never cleared grow too, and steps uphill: no rate would help."""
    for row in course.facts("order"):
        for each in row.values["happened"]:
            if each["what"] == "update" and each["kept"] and row.step > course.first + 1:
                return True
    moves = [row.values["before"] for row in course.facts("motion") if row.values["before"] is not None]
    return course.is_plain and not course.momentum and bool(moves) and median(moves) > 0


def _diverged(course: Course) -> bool:
    """Whether the loss left every bound: a thousand times its start, or grown and then no number any more."""
    finite = course.finite
    if not finite:
        return False
    if course.broken_at is not None:
        return max(finite[-3:]) > _GROWN * course.start or _rises(finite)
    last = min(finite[-3:])
    return last > _DIVERGED * course.start and finite[-1] > 0.1 * max(finite)


def _rises(losses: Sequence[float]) -> bool:
    """Whether the last losses each grew by at least half."""
    tail = losses[-4:]
    return len(tail) >= 3 and all(after > 1.5 * before > 0 for before, after in pairwise(tail))


def _has_jumped(course: Course) -> bool:
    """Whether the loss was thrown up for some time, or has not fallen at all in the end."""
    finite = course.finite
    if len(finite) < 10:
        return False
    part = max(3, len(finite) // 20)
    levels = [median(finite[place : place + part]) for place in range(0, len(finite) - part + 1, part)]
    thrown = max(levels) > _HIGH * course.start and max(finite) > _HIGH * course.start
    return (thrown and course.end > 0.5 * course.start) or (
        course.end > _NOT_FALLEN * course.start and max(finite) > _HIGH * course.start
    )


def _overshoots(course: Course) -> list[Mapping[str, Any]]:
    """The longest row of steps that went downhill past the lowest point to where it is steeper."""
    rows: list[Mapping[str, Any]] = [
        row.values
        for row in course.facts("motion")
        if row.values["ahead"] is not None and row.values["before"] is not None
    ]

    def over(values: Mapping[str, Any]) -> bool:
        curvature = values["curvature"] or 0.0
        past = values["ahead"] > _PAST or (course.is_plain and course.rate > course.limit(curvature))
        downhill = values["before"] < -_PAST and curvature > 0
        return bool(past and downhill and values["gradient"] > values["gradient_before"])

    runs = [list(group) for past, group in groupby(rows, over) if past]
    best: list[Mapping[str, Any]] = max(runs, key=len) if runs else []
    return best if len(best) >= _OVERSHOOTS else []


def _overshoot_evidence(course: Course, over: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if not over:
        return {"loss": f"{words.number(course.start)} → {_last_words(course)} in {len(course):,} steps"}
    curvature = median(each["curvature"] for each in over)
    growth = median(each["gradient"] / each["gradient_before"] for each in over)
    facts = {
        "steps past the lowest point": f"{len(over)} in a row: each ended where the gradient points back",
        "gradient": f"{words.number(growth)} times as long after each of them",
        "curvature along the steps": words.number(curvature),
    }
    if course.is_plain:
        facts["largest stable rate there"] = words.number(course.limit(curvature))
    return facts


def _why_away(over: Sequence[Mapping[str, Any]]) -> str:
    if over:
        return "Each step goes past the lowest point and ends where the slope is steeper than before, so the next one goes further still."
    return "Nothing was learnt: the losses only grew. Steps that are too long do this, and a smaller rate shows whether it was that."


def _last_words(course: Course) -> str:
    if course.broken_at is not None:
        bad = course.losses[course.broken_at - course.first]
        return f"{words.number(course.finite[-1])} → {'nan' if math.isnan(bad) else 'inf'}"
    return words.number(course.losses[-1])


def _first_rise(course: Course) -> int:
    above = next((place for place, loss in enumerate(course.losses) if loss > course.start), 0)
    return course.first + above


def _gradient_course(course: Course) -> tuple[float, float] | None:
    """The length of the whole gradient at first and in the end, of the steps that were looked at."""
    squares: dict[int, float] = {}
    for row in course.evidence.norms:
        if row.step in course and math.isfinite(row.gradient):
            squares[row.step] = squares.get(row.step, 0.0) + row.gradient**2
    lengths = [squares[step] ** 0.5 for step in sorted(squares)]
    if len(lengths) < 5:
        return None
    part = max(1, len(lengths) // 5)
    return median(lengths[:part]), median(lengths[-part:])


def _steadiness(course: Course) -> float:
    """The median cosine between the gradients of neighbouring steps; 1 where it was not measured."""
    found = [row.values["cosine"] for row in course.facts("motion") if row.values["cosine"] is not None]
    return median(found) if found else 1.0


def _reach(course: Course) -> float:
    """The share of their size that all steps together could move the weights."""
    moves = list(course.relative_moves.values())
    return max(moves) * len(course) if moves else math.nan


def _flatness(course: Course) -> float:
    """The rate as a share of the one that would go straight to the lowest point along the gradient."""
    if not course.is_plain:
        return math.nan
    bends = [row.values["curvature"] for row in course.facts("motion") if row.values["curvature"]]
    bends = [each for each in bends if each > 0]
    return course.rate * median(bends) if bends else math.nan


def _decrease(course: Course) -> float:
    """What plain steps of this rate lower the loss by, from the gradient."""
    gradients = _gradient_course(course)
    return course.rate * gradients[0] ** 2 if gradients is not None else math.nan


RULES: tuple[type[Rule], ...] = (
    RateTooHigh,
    RateTooLow,
    *scale_features.RULES,
    *scale_layers.RULES,
    *scale_recurrent.RULES,
    *scale_decay.RULES,
)
