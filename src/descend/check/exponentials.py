"""D308: logarithms of sums of exponentials that are written out, and overflow where PyTorch's own would not."""

import ast
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import Finding
from descend.check.graph import Operation, StepGraph
from descend.check.losses import graphs_of
from descend.check.rule import Rule
from descend.check.tracing import is_shift, kind_of, number_of, passes_on, source, users_of

_OVERFLOWS = {"float32": 88.7228, "float64": 709.7827, "float16": 11.0899, "bfloat16": 88.7228}
"""The largest number whose exponential is finite, by dtype."""
_UNDERFLOWS = {"float32": 103.97, "float64": 745.13, "float16": 17.33, "bfloat16": 92.9}
"""So far below the largest score, a probability is exactly 0, and its logarithm minus infinity."""
_SCALES = frozenset(["mul", "rmul", "div", "truediv"])
_BOUNDED = frozenset(["tanh", "sigmoid", "softsign", "hardtanh", "cos", "sin", "log_softmax", "logsigmoid", "softmax"])
_NEVER_BELOW_ZERO = frozenset(["square", "abs", "relu", "softplus", "cdist", "norm", "exp"])


@dataclass(frozen=True, slots=True)
class _Found:
    """One place in one step where it is written out."""

    graph: StepGraph
    first: Operation  # the exponential, or the softmax or sigmoid whose logarithm is taken
    last: Operation  # the logarithm or the division
    form: str  # of _SAID
    scores: Operation | str | None

    @property
    def given(self) -> tuple[float, float] | None:
        """Least and largest score; None where they are not known, or not finite themselves."""
        ends = self.scores.range if isinstance(self.scores, Operation) else (math.nan, math.nan)
        return ends if all(map(math.isfinite, ends)) else None


class WrittenOut(Rule):
    """exp, sum and log by hand, without the largest score taken away first."""

    code = "D308"
    highest = "bug"
    name = "softmax or its logarithm written out, without taking the largest score away"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        places: dict[tuple[str, int], list[_Found]] = {}
        for graph in graphs_of(evidence):
            for found in _written_out(graph):
                places.setdefault((found.first.file, found.first.line), []).append(found)
        for seen in places.values():
            yield self._finding(evidence, seen)

    def clean(self, evidence: Evidence) -> str:
        exponentials = [each for graph in graphs_of(evidence) for each in graph if each.name == "exp"]
        if not exponentials:
            return "no exponential is written out"
        return "no exponential is summed unshifted"

    def _finding(self, evidence: Evidence, seen: Sequence[_Found]) -> Finding:
        first = seen[0]
        broken = next((each for each in seen if _overflowed(each)), None)
        later = None if broken is not None else _broke_later(evidence, seen)
        said = _SAID[first.form]
        dtype = first.first.dtype
        limit = (_UNDERFLOWS if said.underflows else _OVERFLOWS).get(dtype, 88.7228)
        known = [given for each in seen if (given := each.given) is not None]
        largest = max((_measured(given, first.form) for given in known), default=math.nan)
        place = evidence.place(first.first.file, first.first.line)
        step = broken.graph.step if broken is not None else later or first.graph.step
        is_bug = broken is not None or later is not None
        what = said.spread if said.underflows else said.largest
        shown = (
            {}
            if math.isnan(largest)
            else {f"{what} seen": f"{words.number(largest)} ({words.steps([each.graph.step for each in seen])})"}
        )
        title = (
            f"{said.name} written out gave {_result(broken)} at step {step:,}"
            if broken is not None
            else f"{said.name} written out broke at step {step:,}: the loss is no finite number"
            if later is not None
            else f"{said.name} is written out without taking the largest score away"
        )
        return Finding(
            code=self.code,
            level="bug" if is_bug else "note",
            title=title,
            message=f"{said.why.format(limit=words.number(limit), dtype=dtype)} {_came_of_it(evidence, step, is_bug=is_bug)}",
            evidence={**shown, f"{dtype} ends at": words.number(limit)},
            where=place,
            step=step,
            fix=_fix(evidence, seen[0]),
        )


@dataclass(frozen=True, slots=True)
class _Said:
    name: str
    why: str
    instead: str
    largest: str = "largest score"
    spread: str = "distance between scores"
    underflows: bool = False


_SAID = {
    "logsumexp": _Said(
        "the logarithm of a sum of exponentials",
        "exp of more than {limit} is infinite in {dtype}, and so is the sum.",
        "torch.logsumexp(scores, dim=1)",
    ),
    "softmax": _Said(
        "a softmax",
        "exp of more than {limit} is infinite in {dtype}, and infinity divided by infinity is not a number.",
        "torch.softmax(scores, dim=1)",
    ),
    "log_softmax": _Said(
        "a log-softmax",
        "exp of more than {limit} is infinite in {dtype}, and infinity divided by infinity is not a number.",
        "torch.log_softmax(scores, dim=1)",
    ),
    "log of softmax": _Said(
        "the logarithm of a softmax",
        "A score that lies {limit} below the largest has a probability of exactly 0 in {dtype}, and its logarithm is minus infinity.",
        "torch.log_softmax(scores, dim=1)",
        underflows=True,
    ),
    "log of sigmoid": _Said(
        "the logarithm of a sigmoid",
        "A score below -{limit} has a sigmoid of exactly 0 in {dtype}, and its logarithm is minus infinity.",
        "torch.nn.functional.logsigmoid(scores)",
        spread="distance of a score from 0",
        underflows=True,
    ),
    "softplus": _Said(
        "log(1 + exp(x))",
        "exp of more than {limit} is infinite in {dtype}, and so is the logarithm.",
        "torch.nn.functional.softplus(x)",
    ),
}


def _written_out(graph: StepGraph) -> Iterator[_Found]:
    """Every place in a step where exponentials of unshifted scores are summed and divided by, or their logarithm is taken."""
    for operation in graph:
        name = operation.name.rstrip("_")
        if name == "exp" and operation.size > 1 and not _is_safe(graph, operation):
            found = _use(graph, operation)
            if found is not None:
                yield _Found(graph, operation, found[0], found[1], _scores(graph, operation))
        elif name in ("log", "log2", "log10") and operation.size >= 1:
            made = source(graph, operation)
            # A number that was added or cut off keeps the logarithm finite.
            if (
                isinstance(made, Operation)
                and made.name.rstrip("_") in ("softmax", "sigmoid")
                and not _is_kept_finite(graph, operation)
            ):
                form = f"log of {made.name.rstrip('_')}"
                yield _Found(graph, made, operation, form, source(graph, made))


def _use(graph: StepGraph, exponential: Operation) -> tuple[Operation, str] | None:
    """The logarithm or division that the sum of exponentials goes into, and what they make together."""
    users = users_of(graph, exponential)
    for each in users:
        if each.name == "log1p" or (
            each.name in ("add", "radd") and each.constant(1, "other") == 1 and _log_after(graph, each) is not None
        ):
            return (_log_after(graph, each) or each), "softplus"
    for each in users:
        if each.name not in ("sum", "mean", "nansum", "matmul", "mm", "einsum") or each.size >= exponential.size:
            continue
        logarithm = _log_after(graph, each)
        if logarithm is not None:
            return logarithm, "logsumexp"
        for division in users_of(graph, each):
            if division.name in ("div", "truediv", "div_") and source(graph, division) is exponential:
                logarithm = _log_after(graph, division)
                return (logarithm, "log_softmax") if logarithm is not None else (division, "softmax")
    return None


def _log_after(graph: StepGraph, operation: Operation) -> Operation | None:
    return next((each for each in users_of(graph, operation) if each.name in ("log", "log_", "log2")), None)


def _is_safe(graph: StepGraph, exponential: Operation) -> bool:
    """Whether what it is given was shifted, or cannot be large."""
    made = source(graph, exponential)
    while isinstance(made, Operation):
        name = made.name.rstrip("_")
        if is_shift(graph, made) or kind_of(graph, made) in _BOUNDED:
            return True
        if name in ("clamp", "clip", "clamp_max"):
            most = made.constant(2, "max") if name != "clamp_max" else made.constant(1, "max")
            return isinstance(most, int | float)
        if name == "neg" or (name in _SCALES and _factor(made) < 0):
            inner = source(graph, made)
            while (
                isinstance(inner, Operation)
                and inner.name in (*_SCALES, "sum", "mean")
                and _factor(inner) > 0
                and len(inner.inputs) == 1
            ):
                inner = source(graph, inner)
            return isinstance(inner, Operation) and (
                inner.name in _NEVER_BELOW_ZERO or (inner.name == "pow" and inner.constant(1, "exponent") == 2)
            )
        if name in _SCALES and len(made.inputs) == 1:
            made = source(graph, made)
            continue
        return False
    return False


def _factor(operation: Operation) -> float:
    """The number that it multiplies with or divides by; 1 where there is none."""
    if operation.name.rstrip("_") not in _SCALES:
        return 1.0
    number = number_of(operation)
    return 1.0 if number is None else number


def _is_kept_finite(graph: StepGraph, logarithm: Operation) -> bool:
    """Whether next to nothing was added, or numbers next to 0 cut off, before the logarithm."""
    made = graph.inputs_of(logarithm)[0]
    while isinstance(made, Operation) and passes_on(made):
        if made.name.rstrip("_") in ("add", "radd", "clamp", "clamp_min", "clip"):
            return True
        made = graph.inputs_of(made)[0]
    return False


def _scores(graph: StepGraph, exponential: Operation) -> Operation | str | None:
    return graph.inputs_of(exponential)[0] if exponential.inputs else None


def _overflowed(found: _Found) -> bool:
    """Whether finite scores gave something that is not finite."""
    given = found.given
    if given is None:
        return False
    if found.form in ("log of softmax", "log of sigmoid"):
        return found.last.range[0] == -math.inf
    most = found.first.range[1]
    return most == math.inf or given[1] > _OVERFLOWS.get(found.first.dtype, math.inf)


def _measured(given: tuple[float, float], form: str) -> float:
    if form == "log of softmax":
        return given[1] - given[0]
    return -given[0] if form == "log of sigmoid" else given[1]


def _result(found: _Found) -> str:
    return "minus infinity" if _SAID[found.form].underflows else "infinity"


def _broke_later(evidence: Evidence, seen: Sequence[_Found]) -> int | None:
    """The step whose loss was the first that is no number, where it came out of one of these operations."""
    graph = seen[-1].graph
    own = [each for found in seen if found.graph is graph for each in (found.first, found.last)]
    for row in evidence.facts("not_a_number"):
        name = {"truediv": "div"}.get(row.values.get("operation", ""), row.values.get("operation"))
        if row.values.get("broken") or row.values.get("data"):
            continue
        named = [each for each in graph.forward if each.name in (name, row.values.get("operation")) and each.tracked]
        nth = row.values.get("nth", 0)
        if len(named) == row.values.get("named") and nth < len(named) and named[nth] in own:
            return row.step
    return None


def _came_of_it(evidence: Evidence, step: int, *, is_bug: bool) -> str:
    """What it cost in this run, from the losses."""
    if not is_bug:
        return "So far the scores have stayed within that."
    broken = [at for at, loss in zip(evidence.steps.step, evidence.steps.loss, strict=True) if not math.isfinite(loss)]
    after = [at for at in broken if at >= step]
    if not after:
        return f"It did not reach the loss of step {step:,}."
    return f"The loss was no finite number in {len(after):,} {'step' if len(after) == 1 else 'steps'} from step {after[0]:,} on."


def _fix(evidence: Evidence, found: _Found) -> str:
    """The user's own line with PyTorch's function, or which function it is."""
    said = _SAID[found.form]
    place = evidence.place(found.last.file, found.last.line)
    if place is not None and found.form == "log of softmax" and found.first.line == found.last.line:
        for call in evidence.calls_on(place.file, place.line):
            if getattr(call.func, "attr", "") != "softmax":
                continue
            outer = next((each for each in evidence.calls_on(place.file, place.line) if _is_log_of(each, call)), None)
            fixed = (
                words.line_with(evidence, place, outer, ast.unparse(call).replace("softmax(", "log_softmax(", 1))
                if outer is not None
                else ""
            )
            if fixed:
                return fixed
    return f"take {said.instead}" + (
        ", or cross_entropy of the scores" if "softmax" in found.form or found.form == "logsumexp" else ""
    )


def _is_log_of(call: ast.Call, inner: ast.Call) -> bool:
    if getattr(call.func, "attr", getattr(call.func, "id", "")) != "log":
        return False
    return inner in call.args or (isinstance(call.func, ast.Attribute) and call.func.value is inner)


RULES: tuple[type[Rule], ...] = (WrittenOut,)
