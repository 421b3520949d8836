"""Numbers that are none, and numbers too small for their format: D701 and D702."""

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from statistics import median
from typing import Any

from descend.check import words
from descend.check.broken import first_broken, has_nan, range_words
from descend.check.course import courses
from descend.check.data_facts import is_given_none
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding, Place
from descend.check.graph import Operation, StepGraph
from descend.check.rule import Rule

_STEEP = frozenset(
    [
        "sqrt",
        "sqrt_",
        "norm",
        "pow",
        "rsqrt",
        "cdist",
        "vector_norm",
        "acos",
        "asin",
        "std",
        "dist",
        "pairwise_distance",
    ]
)
"""Whose derivative is infinite somewhere that the value is not."""
_ZERO_SHARE = 0.3  # of the gradients
_TINY_SHARE = 0.05  # of those that are not zero
_UNDERFLOW_STEPS = 3
_ONE_ROW = "the deviation of a single row is 0/0: drop a last batch of one row (drop_last=True), or use the whole set's deviation"
_GONE = 0.9  # of one parameter's gradients
_SMALL = 0.5  # of another's that are not zero


class NotFinite(Rule):
    """The first NaN or infinity: at which step, in which operation, from what."""

    code = "D701"
    highest = "bug"
    name = "a loss, gradient or parameter is NaN or infinite"
    kinds = ("run", "train")

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        if not len(evidence.steps):
            raise CannotCheck("no step was taken")
        fact = next(iter(evidence.facts("not_a_number")), None)
        for course in courses(evidence):
            step = course.broken_at
            if step is None and fact is not None and fact.step == course.first:
                step = fact.step
            if step is None:
                continue
            values = fact.values if fact is not None and fact.step == step else {}
            origin = first_broken(evidence, step, bad_data=bool(values.get("data")))
            if origin is not None and origin[2] == "data" and is_given_none(evidence, step):
                raise CannotCheck(f"the data of step {step:,} hold numbers that are none: see D404")
            yield self._finding(evidence, step, course.losses[step - course.first], values, course.first, origin)
            return

    def clean(self, evidence: Evidence) -> str:
        count = sum(1 for loss in evidence.steps.loss if math.isfinite(loss))
        return f"all {count:,} losses are finite numbers"

    def _finding(
        self,
        evidence: Evidence,
        step: int,
        loss: float,
        values: Mapping[str, Any],
        first: int,
        origin: tuple[Operation, list[str], str] | None,
    ) -> Finding:
        word = values.get("loss") or ("nan" if math.isnan(loss) else "inf" if loss > 0 else "-inf")
        facts: dict[str, Any] = {"loss": f"{word} at step {step:,}"}
        before = evidence.steps.loss[: step - evidence.steps.step[0]][-3:]
        if before and step > first:
            facts["losses before"] = ", ".join(words.number(each) for each in before)
        if origin is not None:
            return self._of_operation(evidence, step, word, facts, origin)
        if values.get("broken"):
            return self._of_parameters(evidence, step, word, facts, values)
        if values.get("operation"):
            return self._of_node(evidence, step, word, facts, values)
        backward = _last_line(evidence, step)
        return Finding(
            code=self.code,
            level="bug",
            title=f"the loss is {word} from step {step:,} on",
            message="Everything computed from it is none either: the gradients, and the parameters after the next update.",
            evidence=facts,
            where=backward,
            step=step,
            fix="torch.autograd.set_detect_anomaly(True) names the operation",
        )

    def _of_operation(
        self, evidence: Evidence, step: int, word: str, facts: dict[str, Any], origin: tuple[Operation, list[str], str]
    ) -> Finding:
        operation, given, what = origin
        if what == "data":
            return Finding(
                code=self.code,
                level="bug",
                title=f"the loss is {word} at step {step:,}: {operation.name} was given data that hold NaN or infinity",
                message="A number in the batch is NaN or infinite, and one is enough: sums and means carry it into the loss.",
                evidence={**facts, "operation": f"{operation.name} (line {operation.line})"},
                where=words.place_of(evidence, operation),
                step=step,
                fix="torch.isfinite(x).all() finds the rows; drop them or fill them in before training",
            )
        grown = _grew(evidence, step)
        one_row = operation.name in ("std", "var", "std_mean", "var_mean") and 1 in operation.input_shapes[0][:1]
        made = f"{words.number(operation.range[0])} … {words.number(operation.range[1])}"
        return Finding(
            code=self.code,
            level="bug",
            title=f"{operation.name} makes the first {_made(operation)}, at step {step:,}",
            message=f"What it was given was finite. The loss is {word} from here on, and with it all gradients and parameters."
            + (f" The losses before grew ({grown}): the steps are too long, see D601." if grown else ""),
            evidence={**facts, **({"given": given} if given else {}), "made": made if "nan" not in made else "nan"},
            where=words.place_of(evidence, operation),
            step=step,
            fix="a smaller learning rate" if grown else _ONE_ROW if one_row else _mended(operation.name),
        )

    def _of_parameters(
        self, evidence: Evidence, step: int, word: str, facts: dict[str, Any], values: Mapping[str, Any]
    ) -> Finding:
        names = words.listed(values["parameters"]) or f"{values['broken']} tensors"
        facts["parameters that are none"] = f"{values['broken']} of {values['of']}: {names}"
        steep = _steepest(evidence, step)
        grown = _grew(evidence, step)
        where = words.place_of(evidence, steep[1]) if steep is not None and not grown else _last_line(evidence, step)
        if grown:
            message = f"The losses before grew until the numbers ran out ({grown}): the step is too long, see D601."
            fix = "a smaller learning rate"
        elif steep is not None:
            graph, operation = steep
            facts["steepest operation"] = (
                f"{operation.name} (line {operation.line}), given {_given_words(graph, operation)} at step {graph.step}"
            )
            message = (
                f"The loss of step {step - 1:,} was finite, but its gradient was not: the derivative of {operation.name} is infinite "
                "where its input is 0, and infinity times 0 is nan."
            )
            fix = _mended(operation.name)
        else:
            message = f"The loss of step {step - 1:,} was finite, but its update left parameters that are none."
            fix = "torch.autograd.set_detect_anomaly(True) names the operation whose gradient is none"
        return Finding(
            code=self.code,
            level="bug",
            title=f"{names} became {'nan' if word == 'nan' else 'infinite'} in the update of step {step - 1:,}",
            message=message,
            evidence=facts,
            where=where,
            step=max(1, step - 1),
            fix=fix,
        )

    def _of_node(
        self, evidence: Evidence, step: int, word: str, facts: dict[str, Any], values: Mapping[str, Any]
    ) -> Finding:
        name = str(values["operation"])
        place = _line_of_node(evidence, name, values.get("nth", 0), values.get("named", 1))
        if "least" in values:
            facts["given"] = f"{words.number(values['least'])} … {words.number(values['most'])}"
            if values["zeros"]:
                facts["zeros in it"] = f"{values['zeros']:,} of {values['numbers']:,}"
            if values["negative"]:
                facts["numbers below 0"] = f"{values['negative']:,} of {values['numbers']:,}"
        data = bool(values.get("data"))
        return Finding(
            code=self.code,
            level="bug",
            title=f"the loss is {word} at step {step:,}: {name} was given data that hold NaN or infinity"
            if data
            else f"{name} makes the first number that is none, at step {step:,}",
            message="One such number is enough: sums and means carry it into the loss, and the update into every parameter."
            if data
            else f"All parameters were finite. The loss is {word} from here on, and with it all gradients and parameters.",
            evidence=facts,
            where=place or _last_line(evidence, step),
            step=step,
            fix="torch.isfinite(x).all() finds the rows; drop them or fill them in before training"
            if data
            else _mended(name),
        )


class Underflow(Rule):
    """Gradients in half precision that are too small to be anything but zero."""

    code = "D702"
    highest = "likely"
    name = "gradients underflow in half precision"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        if not len(evidence.steps):
            raise CannotCheck("no step was taken")
        rows = [row for row in evidence.facts("underflow") if _is_lost(row.values)]
        if len(rows) < _UNDERFLOW_STEPS:
            return
        values = rows[0].values
        zero, tiny = (median(row.values[key] for row in rows) for key in ("zero", "tiny"))
        yield Finding(
            code=self.code,
            level="likely",
            title=f"{words.percent(zero)} of the gradients are zero in float16, and nothing scales the loss",
            message="float16 knows no number between 0 and 6e-08: smaller gradients are lost, and what is left has few digits.",
            evidence={
                "gradients that are 0": f"{words.percent(zero)} of {values['numbers']:,} (threshold {words.percent(_ZERO_SHARE)})",
                "of the others below 6.1e-05": f"{words.percent(tiny)}, where digits are lost",
                "smallest that is not 0": words.number(min(row.values["least"] for row in rows)),
                "most zeros": f"{values['worst']}: {words.percent(values['worst_zero'])}",
                "steps": words.steps([row.step for row in rows]),
            },
            where=_last_line(evidence, rows[0].step),
            step=rows[0].step,
            fix="scale the loss: scaler = torch.amp.GradScaler(); scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()"
            "  (or compute in bfloat16)",
        )

    def clean(self, evidence: Evidence) -> str:
        rows = evidence.facts("underflow")
        if rows:
            return f"gradients fit into float16 ({words.percent(median(row.values['zero'] for row in rows))} are zero)"
        return "nothing is computed in float16"


def _is_lost(values: Mapping[str, Any]) -> bool:
    """Whether many gradients are zero, and others are so small that zero is the next number."""
    if values["zero"] >= _ZERO_SHARE and values["tiny"] >= _TINY_SHARE:
        return True
    gone = any(zero >= _GONE for _, zero, _ in values["parameters"])
    return gone and any(zero < _GONE and tiny >= _SMALL for _, zero, tiny in values["parameters"])


def _given_words(graph: StepGraph, operation: Operation) -> str:
    given = graph.maker(operation, 0, frozenset())
    return range_words(given) if isinstance(given, Operation) else "a tensor from outside"


def _made(operation: Operation) -> str:
    return "nan" if has_nan(operation) else "infinity"


def _steepest(evidence: Evidence, step: int) -> tuple[StepGraph, Operation] | None:
    """The operation of the last recorded step before whose derivative is infinite at a place it came to."""
    steps = [each for each in evidence.operation_steps if each < step][-1:]
    for each in steps:
        graph = evidence.graph(each)
        found = [one for one in graph.forward if one.name in _STEEP and one.tracked and not _is_smooth(one)]
        near = [one for one in found if _comes_to_zero(one)] or found
        if len(near) == 1 or (near and each == step - 1):
            return graph, near[0]
    return None


def _is_smooth(operation: Operation) -> bool:
    """Whether it is a power of 1 or more, whose derivative is finite everywhere."""
    exponent = operation.constant(1, "exponent", 0.5)
    return operation.name == "pow" and isinstance(exponent, int | float) and exponent >= 1


def _comes_to_zero(operation: Operation) -> bool:
    least, _ = operation.range
    return least == 0


def _grew(evidence: Evidence, step: int) -> str:
    """The last losses, where each was far above the one before."""
    losses = [loss for loss in evidence.steps.loss[: step - evidence.steps.step[0]] if math.isfinite(loss)][-4:]
    growing = len(losses) >= 3 and all(after > 1.5 * before for before, after in pairwise(losses))
    return ", ".join(words.number(each) for each in losses) if growing else ""


def _line_of_node(evidence: Evidence, name: str, nth: int, named: int) -> Place | None:
    """The line of the same operation in a step whose operations were recorded."""
    for step in reversed(evidence.operation_steps):
        found = [
            each for each in evidence.graph(step).forward if each.name.strip("_") in (name, f"r{name}", f"i{name}")
        ]
        if len({(each.file, each.line) for each in found}) == 1:
            return words.place_of(evidence, found[0])
        if len(found) == named and nth < len(found):
            return words.place_of(evidence, found[nth])
    return None


def _last_line(evidence: Evidence, step: int) -> Place | None:
    """The line of the backward pass, as the nearest step that was looked at tells it."""
    fact = next((row for row in evidence.facts("not_a_number") if row.file), None)
    if fact is not None:
        return evidence.place(fact.file, fact.line)
    rows = [row for row in evidence.phases if row.phase == "backward" and row.file and row.step <= step]
    return evidence.place(rows[-1].file, rows[-1].line) if rows else None


def _mended(name: str) -> str:
    if name.startswith("log") and not name.startswith("log_softmax"):
        return "keep its input above 0: torch.log(x.clamp_min(1e-8)); for probabilities use log_softmax or a …_with_logits loss"
    if name in ("truediv", "div", "reciprocal"):
        return "keep the divisor away from 0: x / (y + 1e-8)"
    if name in ("sqrt", "norm", "rsqrt", "pow", "vector_norm", "std", "dist", "cdist", "pairwise_distance"):
        return "keep its input away from 0: torch.sqrt(x + 1e-12)"
    if name == "exp":
        return "take the largest number off first: torch.exp(x - x.max()), or use softmax or logsumexp"
    return "torch.autograd.set_detect_anomaly(True) names the operation whose gradient is none"


RULES: tuple[type[Rule], ...] = (NotFinite, Underflow)
