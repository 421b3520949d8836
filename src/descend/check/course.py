"""The course of each training of a run: its losses, its rates, what updates it, and how its loss would be for a constant answer."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import Place
from descend.check.graph import Operation
from descend.record.rows import FactRow

_PLAIN = frozenset(["SGD"])
_EDGE = 0.1  # of the steps: what counts as the beginning and as the end


@dataclass(frozen=True)
class Course:
    """One training: the steps ``first`` to ``last``, in which the same parameters were trained."""

    evidence: Evidence
    first: int
    last: int
    losses: Sequence[float]
    rates: Sequence[float]
    names: Sequence[str]
    turns: bool  # several sets of parameters take turns, as those of a GAN

    def __len__(self) -> int:
        return len(self.losses)

    def __contains__(self, step: int) -> bool:
        return self.first <= step <= self.last

    @cached_property
    def finite(self) -> list[float]:
        """The losses up to the first that is no finite number."""
        bad = next((place for place, loss in enumerate(self.losses) if not math.isfinite(loss)), len(self.losses))
        return list(self.losses[:bad])

    @property
    def broken_at(self) -> int | None:
        """The first step whose loss was no finite number, after finite ones."""
        return self.first + len(self.finite) if 0 < len(self.finite) < len(self.losses) else None

    @property
    def start(self) -> float:
        """The loss of the first step."""
        return self.losses[0] if self.losses else math.nan

    @cached_property
    def edge(self) -> int:
        """How many steps count as the beginning and as the end."""
        return max(1, int(_EDGE * len(self.finite)))

    @cached_property
    def beginning(self) -> float:
        """The mean of the first losses."""
        return sum(self.finite[: self.edge]) / self.edge if self.finite else math.nan

    @cached_property
    def end(self) -> float:
        """The mean of the last losses."""
        return sum(self.finite[-self.edge :]) / self.edge if self.finite else math.nan

    @cached_property
    def rate(self) -> float:
        """The learning rate that most steps had; NaN where it was not seen."""
        known = [each for each in self.rates if math.isfinite(each)]
        return median(known) if known else math.nan

    def facts(self, kind: str) -> list[FactRow]:
        """Facts of a kind that belong to these steps."""
        return [row for row in self.evidence.facts(kind) if row.step in self]

    @cached_property
    def optimizer(self) -> FactRow | None:
        """The optimizer that updates its parameters; None for an update by hand and where several do."""
        mine = set(self.names)
        found = [
            row
            for row in self.evidence.facts("optimizer")
            if row.values.get("steps")
            and mine & set(row.values.get("parameters") or ())
            and row.values["first_step"] <= self.last
            and row.values["last_step"] >= self.first
        ]
        return found[0] if len(found) == 1 else None

    @cached_property
    def has_optimizer(self) -> bool:
        """Whether an optimizer stepped in it at all."""
        return any(
            row.values.get("steps") and row.values["first_step"] <= self.last and row.values["last_step"] >= self.first
            for row in self.evidence.facts("optimizer")
        )

    @property
    def is_plain(self) -> bool:
        """Whether each update is the gradient times the rate, with at most momentum."""
        return not self.has_optimizer or (self.optimizer is not None and self.optimizer.values["class"] in _PLAIN)

    @property
    def momentum(self) -> float:
        """0 for none."""
        return float(((self.optimizer.values.get("settings") or {}).get("momentum") or 0.0) if self.optimizer else 0.0)

    def limit(self, curvature: float) -> float:
        """The learning rate above which steps along a direction of this curvature grow."""
        return 2 * (1 + self.momentum) / curvature if curvature > 0 else math.inf

    @cached_property
    def place(self) -> Place | None:
        """Where the learning rate is used: where the optimizer was made, else where the update stands."""
        if self.optimizer is not None and self.optimizer.file:
            return self.evidence.place(self.optimizer.file, self.optimizer.line)
        rows = [row for row in self.evidence.phases if row.phase == "update" and row.step in self and row.file]
        return self.evidence.place(rows[0].file, rows[0].line) if rows else None

    @cached_property
    def relative_moves(self) -> dict[str, float]:
        """For each matrix of parameters, the share of its own size that one of the first three steps moved it, the median."""
        shapes = {row.name: row.shape for row in self.evidence.parameters}
        shapes |= dict(self.evidence.info.parameters)
        found: dict[str, list[float]] = {}
        for row in self.evidence.norms:
            if (
                row.step in self
                and len(shapes.get(row.parameter, ())) > 1
                and row.value > 0
                and math.isfinite(row.change)
            ):
                found.setdefault(row.parameter, []).append(row.change / row.value)
        return {name: median(moves[:3]) for name, moves in found.items()}

    @cached_property
    def constant_loss(self) -> float:
        """The loss of the best constant answer, as far as the first step shows it; NaN where it does not."""
        for fact in self.facts("least_squares"):
            return _constant_of_squares(fact.values)
        step = next((each for each in self.evidence.operation_steps if each in self), None)
        if step is None:
            return math.nan
        loss = next((each for each in self.evidence.graph(step).losses), None)
        if loss is None:
            return math.nan
        graph = self.evidence.graph(step)
        for operation in (loss, *graph.ancestors(loss)):
            shapes = operation.input_shapes
            if operation.name in ("cross_entropy", "nll_loss", "log_softmax") and shapes and len(shapes[0]) > 1:
                return math.log(shapes[0][1])
            if operation.name.startswith("binary_cross_entropy"):
                return math.log(2)
        variance = self._targets(step)
        squared = self.squared_error
        return squared.facts["target_spread"][1] ** 2 if math.isnan(variance) and squared is not None else variance

    @cached_property
    def squared_error(self) -> Operation | None:
        """The last mean squared error that was looked at, with what is known of its targets; None where it is written out."""
        found = [
            each
            for step in self.evidence.operation_steps
            if step in self
            for each in self.evidence.graph(step).named("mse_loss")
            if each.tracked and each.constants.get("reduction") == "mean" and "target_spread" in each.facts
        ]
        return found[-1] if found else None

    def _targets(self, step: int) -> float:
        """The variance of what is taken for the targets of a squared error."""
        if step not in [row.step for row in self.evidence.snapshots]:
            return math.nan
        arrays = self.evidence.arrays(step)
        y = arrays.get("batch.y")
        if y is None or y.dtype.kind != "f" or y.size < 2:
            outside = [each for name, each in arrays.items() if name.startswith("outside.") and each.dtype.kind == "f"]
            fitting = [each for each in outside if each.size > 1 and (each.ndim == 1 or each.shape[-1] == 1)]
            y = fitting[0] if len(fitting) == 1 else None
        return float(y.var()) if y is not None and y.size > 1 else math.nan


def courses(evidence: Evidence) -> Iterator[Course]:
    """Every training of the run in order."""
    steps = evidence.steps
    if not len(steps):
        return
    told: Sequence[Mapping[str, Any]] = evidence.report.get("trainings") or ()
    spans = [(int(each["first_step"]), int(each["steps"]), each) for each in told if each.get("steps")]
    spans = spans or [(steps.step[0], len(steps), {})]
    for first, count, training in spans:
        start = first - steps.step[0]
        if start < 0:
            continue
        seen = [row.name for row in evidence.parameters] or [name for name, _ in evidence.info.parameters]
        names = training.get("parameters") or seen
        yield Course(
            evidence,
            first,
            first + count - 1,
            steps.loss[start : start + count],
            steps.rate[start : start + count],
            names,
            bool(training.get("turns")),
        )


def rate_in_place(course: Course, rate: float) -> str:
    """The user's line with another learning rate, or what to put for it."""
    place, evidence = course.place, course.evidence
    shown = plain_rate(rate)
    if place is None:
        return f"a learning rate of {shown}"
    for call in evidence.calls_on(place.file, place.line):
        for keyword in call.keywords:
            if keyword.arg == "lr":
                return words.line_with(evidence, place, keyword.value, shown) or f"lr={shown}"
    return f"a learning rate of {shown}"


def plain_rate(rate: float) -> str:
    """One digit, as people write rates: 0.003, 1e-05."""
    return f"{float(f'{rate:.0e}'):g}"


def _constant_of_squares(values: Mapping[str, Any]) -> float:
    """The variance of the targets, from the triangle of a least-squares problem with a bias; else their mean square."""
    triangle, columns = values["triangle"], len(values["start"])
    targets = [row[columns:] for row in triangle]
    return float(
        sum(each**2 for row in targets for each in row) / values["rows_used"] / values["outputs"] * values["scale"]
    )
