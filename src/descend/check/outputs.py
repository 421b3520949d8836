"""Faults of what a model gives: D303, scores that an activation has cut, and D304, outputs that do not depend on the input."""

import math
from collections.abc import Iterator, Sequence
from math import inf, prod

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding
from descend.check.graph import Operation, StepGraph
from descend.check.losses import Seen, graphs_of, learned, shown_range
from descend.check.rule import Rule
from descend.check.tracing import argument_of, kind_of, layer_place, passes_on, source

_LIMITS = {
    "relu": (0.0, inf),
    "relu6": (0.0, 6.0),
    "softplus": (0.0, inf),
    "tanh": (-1.0, 1.0),
    "hardtanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "sin": (-1.0, 1.0),
    "cos": (-1.0, 1.0),
    "hardsigmoid": (0.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "elu": (-1.0, inf),
    "celu": (-1.0, inf),
    "selu": (-1.7582, inf),
    "gelu": (-0.1701, inf),
    "silu": (-0.2785, inf),
    "hardswish": (-0.3751, inf),
    "mish": (-0.3089, inf),
}
"""Between which numbers the output of each activation lies."""
_NO_ACTIVATION = frozenset(["softmax", "sigmoid"])  # of scores: D301 speaks of these
_OF_SCORES = frozenset(
    [
        "cross_entropy",
        "binary_cross_entropy_with_logits",
        "multi_margin_loss",
        "multilabel_soft_margin_loss",
        "soft_margin_loss",
    ]
)
_OF_NUMBERS = frozenset(["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "sub"])
_OUT_OF_REACH = 0.05  # share of the targets
_RUNNING = 3  # steps


class CutScores(Rule):
    """A ReLU or tanh stands behind the last layer, so that scores, or predictions, cannot be what they should."""

    code = "D303"
    highest = "likely"
    name = "an activation behind the last layer"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        scores: dict[tuple[str, int, str], list[tuple[StepGraph, Operation]]] = {}
        numbers: dict[tuple[str, int, str], list[tuple[StepGraph, Operation]]] = {}
        for graph in graphs_of(evidence):
            for operation in learned(graph):
                of_scores = operation.name in _OF_SCORES or kind_of(graph, operation) in ("log_softmax", "logsigmoid")
                if not of_scores and operation.name not in _OF_NUMBERS:
                    continue
                made = _made(graph, operation, of_scores=of_scores)
                kind = kind_of(graph, made)
                if (
                    not isinstance(made, Operation)
                    or kind not in _LIMITS
                    or not made.tracked
                    or not _is_within(made, kind)
                ):
                    continue
                if of_scores and kind not in _NO_ACTIVATION:
                    scores.setdefault((made.file, made.line, kind), []).append((graph, operation))
                elif not of_scores:
                    numbers.setdefault((made.file, made.line, kind), []).append((graph, operation))
        for (_, _, kind), seen in scores.items():
            yield self._of_scores(evidence, kind, seen)
        for (_, _, kind), seen in numbers.items():
            share = _out_of_reach(kind, seen)
            if share >= _OUT_OF_REACH:
                yield self._of_numbers(evidence, kind, seen, share)

    def clean(self, evidence: Evidence) -> str:
        graphs_of(evidence)
        return "no activation cuts off what the loss is given"

    def _of_scores(self, evidence: Evidence, kind: str, seen: Seen) -> Finding:
        graph, loss = seen[0]
        made = _made(graph, loss, of_scores=True)
        assert isinstance(made, Operation)
        every = [each for graph, loss in seen if isinstance(each := _made(graph, loss, of_scores=True), Operation)]
        zeros = _zeros(every) if kind == "relu" else math.nan
        low, high = _LIMITS[kind]
        bound = (
            f"none is below {words.number(low)}"
            if high == inf
            else f"all lie between {words.number(low)} and {words.number(high)}"
        )
        last = _ends(every)
        costs = (
            "A score that is cut to 0 has no gradient, and no class can be ruled out by a score below 0."
            if kind == "relu"
            else "Scores that cannot lie far apart cannot say that an answer is sure."
            if high < inf
            else "A class can hardly be ruled out: no score can go far below 0, whatever the weights are."
        )
        return Finding(
            code=self.code,
            level="likely",
            title=f"the scores that {loss.name} is given come out of {kind}: {bound}",
            message=f"{loss.name} takes any numbers as scores. {costs}",
            evidence={
                "scores": f"{words.number(last[0])} to {words.number(last[1])}",
                **({"scores that are exactly 0": words.percent(zeros)} if not math.isnan(zeros) else {}),
                "loss": f"line {loss.line}",
                "seen in": words.steps([graph.step for graph, _ in seen]),
            },
            where=layer_place(evidence, made),
            step=graph.step,
            fix=f"leave {kind} out behind the last layer",
        )

    def _of_numbers(self, evidence: Evidence, kind: str, seen: Seen, share: float) -> Finding:
        graph, loss = seen[0]
        made = _made(graph, loss, of_scores=False)
        assert isinstance(made, Operation)
        low, high = _LIMITS[kind]
        ends = [operation.facts["target"] for _, operation in seen]
        reach = f"{words.number(low)} to {words.number(high)}" if high < inf else f"{words.number(low)} and above"
        return Finding(
            code=self.code,
            level="likely",
            title=f"{words.percent(share)} of the targets cannot be reached: the prediction comes out of {kind} ({reach})",
            message="However long it trains, these predictions stay at the limit of the activation, where its gradient is zero or close to it.",
            evidence={
                "targets": f"{words.number(min(each[0] for each in ends))} to {words.number(max(each[1] for each in ends))}",
                "predictions": shown_range(seen),
                "out of reach": words.percent(share),
                "loss": f"line {loss.line}",
                "seen in": words.steps([graph.step for graph, _ in seen]),
            },
            where=layer_place(evidence, made),
            step=graph.step,
            fix=f"leave {kind} out behind the last layer, or scale the targets into its range",
        )


def _made(graph: StepGraph, operation: Operation, *, of_scores: bool) -> Operation | str | None:
    """What made the prediction that an operation of a loss is given."""
    if of_scores:
        named = operation.name in _OF_SCORES or operation.name in ("log_softmax", "logsigmoid")
        return source(graph, operation) if named else argument_of(graph, operation)
    side = operation.input_tracked.index(True) if True in operation.input_tracked[:2] else 0
    return source(graph, operation, side)


def _is_within(made: Operation, kind: str) -> bool:
    least, most = made.range
    low, high = _LIMITS[kind]
    return math.isnan(least) or (least >= low - 1e-3 and most <= high + 1e-3)


def _ends(every: Sequence[Operation]) -> tuple[float, float]:
    return min(each.range[0] for each in every), max(each.range[1] for each in every)


def _zeros(every: Sequence[Operation]) -> float:
    """The share of zeros among what came out; NaN where it was not counted."""
    active = [
        (sum(each.facts["active"]), each.facts["rows"] * len(each.facts["active"]))
        for each in every
        if "active" in each.facts
    ]
    numbers = sum(count for _, count in active)
    return 1 - sum(count for count, _ in active) / numbers if numbers else math.nan


def _out_of_reach(kind: str, seen: Seen) -> float:
    """The share of the targets that the activation can never give."""
    low, high = _LIMITS[kind]
    shares = []
    for _, operation in seen:
        beyond = operation.facts.get("beyond")
        if not beyond or None in beyond:
            continue
        below_minus_one, below_zero, above_one = beyond
        below = below_zero if low == 0 else below_minus_one if low == -1 else 0.0
        shares.append(below + (above_one if high == 1 else 0.0))
    return sum(shares) / len(shares) if shares else 0.0


class SameForAll(Rule):
    """Every row gets the same output, whatever the input is; or no parameter gets a gradient that is not zero."""

    code = "D304"
    highest = "bug"
    name = "the output does not depend on the input"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        graphs = graphs_of(evidence)
        zero = {row.step for row in evidence.facts("all_zero")}
        found = dict(_same_for_all(graphs))
        stuck = _at_the_end(sorted(zero), _looked_at(evidence))
        losses = dict(zip(evidence.steps.step, evidence.steps.loss, strict=True))
        stuck = [step for step in stuck if losses.get(step, 0.0) != 0 and math.isfinite(losses.get(step, 0.0))]
        if any(each.dtype == "float16" for graph in graphs for each in learned(graph)):
            stuck = []  # gradients too small for half precision are what D702 looks at
        moves = not evidence.norms or any(each.change for each in evidence.norms)
        named = False
        for seen in found.values():
            steps = [graph.step for graph, _ in seen]
            proven = len(stuck) >= _RUNNING and set(steps) <= set(stuck) | {1}
            named |= proven
            if not proven and not moves:
                continue  # initial values of zero that no update reaches: the fault is the missing update
            yield self._finding(evidence, seen, stuck if proven else [])
        if len(stuck) >= _RUNNING and not named:
            yield self._no_gradient(evidence, stuck)

    def clean(self, evidence: Evidence) -> str:
        graphs = graphs_of(evidence)
        looked = [graph for graph in graphs if any(_is_prediction(each) for each in learned(graph))]
        if not looked:
            raise CannotCheck("no prediction of several rows was seen")
        return f"outputs differ from row to row ({len(looked)} of {len(graphs)} steps that were looked at)"

    def _finding(self, evidence: Evidence, seen: Seen, stuck: Sequence[int]) -> Finding:
        graph, loss = seen[-1]
        cause = _cause(graph, loss) or loss
        steps = [graph.step for graph, _ in seen]
        rows = loss.facts["rows"]
        stuck_words = (
            "No parameter gets a gradient other than zero, so nothing is learned."
            if stuck
            else "What stands behind it can only learn one answer for all rows."
        )
        return Finding(
            code=self.code,
            level="bug" if stuck else "likely",
            title=f"all {rows:,} rows get the same output, though their inputs differ ({words.steps(steps)})",
            message=f"The input is lost on the way: {_told(cause)}. {stuck_words}",
            evidence={
                "output": _output(loss),
                f"{cause.name} gives" if cause is not loss else "difference between rows": _constant(cause)
                if cause is not loss
                else 0,
                **({"gradients that are exactly zero": f"all, in {words.steps(stuck)}"} if stuck else {}),
            },
            where=words.place_of(evidence, cause),
            step=steps[0],
            fix=_mended(cause),
        )

    def _no_gradient(self, evidence: Evidence, stuck: Sequence[int]) -> Finding:
        row = next(each for each in evidence.facts("all_zero") if each.step == stuck[0])
        graph = next((each for each in graphs_of(evidence) if each.step in stuck), None)
        loss = graph.losses[0] if graph is not None and graph.losses else None
        cause = _flat(graph) if graph is not None else None
        cause = cause or (_cause(graph, loss) if graph is not None and loss is not None else None)
        place = evidence.place(row.file, row.line) if cause is None else words.place_of(evidence, cause)
        told = "" if cause is None else f" {_told(cause)[0].upper()}{_told(cause)[1:]}."
        return Finding(
            code=self.code,
            level="bug",
            title=f"the gradient of every parameter is exactly zero ({words.steps(stuck)})",
            message=f"The loss does not change when a parameter does, so nothing is learned.{told}",
            evidence={
                "gradients that are exactly zero": f"{row.values['leaves']} of {row.values['leaves']}",
                "steps": words.steps(stuck),
            },
            where=place,
            step=stuck[0],
            fix=_mended(cause)
            if cause is not None
            else "follow the loss back to the operation behind which nothing changes",
        )


_FLAT = frozenset(["round", "floor", "ceil", "sign", "sgn", "trunc", "heaviside", "fix"])
"""Operations whose slope is zero wherever there is one."""


def _looked_at(evidence: Evidence) -> list[int]:
    """The steps whose gradients were looked at."""
    return sorted({row.step for row in evidence.norms})


def _at_the_end(steps: Sequence[int], every: Sequence[int]) -> list[int]:
    """The run of ``steps`` that the last of ``every`` ends, without another in between."""
    wanted = set(steps)
    found: list[int] = []
    for step in reversed(every):
        if step not in wanted:
            break
        found.append(step)
    return found[::-1]


def _is_prediction(operation: Operation) -> bool:
    return bool(operation.facts.get("low")) and operation.facts["rows"] > 1 and operation.name != "softmax"


def _same_for_all(
    graphs: Sequence[StepGraph],
) -> Iterator[tuple[tuple[str, int, str], list[tuple[StepGraph, Operation]]]]:
    """Losses whose predictions were equal for all rows in the last steps, by line."""
    seen: dict[tuple[str, int, str], list[tuple[StepGraph, Operation, bool]]] = {}
    for graph in graphs:
        for operation in learned(graph):
            if _is_prediction(operation):
                same = operation.facts["low"] == operation.facts["high"] and None not in operation.facts["low"]
                same = same and _is_of_data(graph, operation) and not _is_stretched(graph, operation)
                seen.setdefault((operation.file, operation.line, operation.name), []).append((graph, operation, same))
    lines: set[tuple[str, int]] = set()
    for key, found in seen.items():
        last = []
        for graph, operation, same in reversed(found):
            if not same:
                break
            last.append((graph, operation))
        if len({graph.step for graph, _ in last}) >= _RUNNING and key[:2] not in lines:
            lines.add(key[:2])
            yield key, last[::-1]


def _is_of_data(graph: StepGraph, operation: Operation) -> bool:
    """Whether it was computed from rows that differ."""
    return any(each.facts.get("differ") for each in graph.ancestors(operation))


def _is_stretched(graph: StepGraph, operation: Operation) -> bool:
    """Whether its prediction is one answer that was meant for all rows, and was repeated."""
    side = operation.input_tracked.index(True) if True in operation.input_tracked else 0
    made: Operation | str = graph.inputs_of(operation)[side] if operation.inputs else ""
    while isinstance(made, Operation) and passes_on(made):
        if made.input_shapes and prod(made.input_shapes[0]) < made.size:
            return True
        made = graph.inputs_of(made)[0]
    return isinstance(made, str) or made.name in ("repeat", "broadcast_to", "tile", "broadcast_tensors")


def _cause(graph: StepGraph, loss: Operation) -> Operation | None:
    """The first operation on the way from the data to the loss that gives one number for everything."""
    for each in reversed(graph.ancestors(loss)):
        least, most = each.range
        if each.tracked and each.size > 1 and least == most and _is_of_data(graph, each):
            return each
    return _flat(graph)


def _flat(graph: StepGraph) -> Operation | None:
    return next((each for each in learned(graph) if each.name.rstrip("_") in _FLAT and each.size > 1), None)


def _told(cause: Operation) -> str:
    name = cause.name.rstrip("_")
    if name in _FLAT:
        return f"{name} has no slope: it gives the same number for inputs that lie close together"
    if name in ("layer_norm", "batch_norm", "group_norm", "instance_norm") and cause.range[0] == cause.range[1]:
        return f"{name} takes the mean away from groups of one number, which leaves {words.number(cause.range[0])}"
    if name in ("softmax", "log_softmax"):
        return f"{name} over an axis of size 1 is always {'1' if name == 'softmax' else '0'}"
    least, most = cause.range
    if least == most:
        return f"{name} gives {words.number(least)} for every row"
    return f"{name} is the last that could tell rows apart"


def _mended(cause: Operation) -> str:
    name = cause.name.rstrip("_")
    if name in _FLAT:
        return f"leave {name} out of the loss; apply it where whole numbers are wanted, after the training"
    if name in ("layer_norm", "batch_norm", "group_norm", "instance_norm"):
        return f"leave {name} out here, or let it normalise an axis with more than one number"
    if name in ("softmax", "log_softmax"):
        return f"take {name} over the axis of the classes, or sigmoid of a single score"
    if name in ("sigmoid", "tanh"):
        return (
            "standardise the inputs, so that what reaches this activation lies around 0: x = (x - x.mean(0)) / x.std(0)"
        )
    if name in ("relu", "clamp", "clamp_min", "relu6"):
        return "standardise the inputs or lower the learning rate, so that units stay above 0; leave out a ReLU behind the last layer"
    return "look at what this line is given: from here on all rows are the same"


def _output(loss: Operation) -> str:
    low = loss.facts["low"]
    shown = [words.number(each) for each in low[:4]]
    return f"{', '.join(shown)}{' …' if len(low) > 4 else ''} for each of {loss.facts['rows']:,} rows"


def _constant(cause: Operation) -> str:
    least, most = cause.range
    return f"{words.number(least)} everywhere" if least == most else f"{words.number(least)} to {words.number(most)}"


RULES: tuple[type[Rule], ...] = (CutScores, SameForAll)
