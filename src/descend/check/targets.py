"""D305: labels that do not fit the outputs or the loss."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import Finding, Level
from descend.check.graph import Operation, StepGraph
from descend.check.losses import Seen, graphs_of, is_whole, learned
from descend.check.rule import Rule
from descend.check.tracing import passes_on

_OF_CLASSES = frozenset(["cross_entropy", "nll_loss", "multi_margin_loss"])
_BINARY = frozenset(["binary_cross_entropy", "binary_cross_entropy_with_logits"])
_SIGNED = frozenset(["soft_margin_loss", "hinge_embedding_loss", "margin_ranking_loss"])
_FEW = 20  # classes
_ROUNDING = 1e-3  # of a target that should be 0 or 1
_ENOUGH = 20  # labels for each class, until its absence says something
_LISTED = 50  # classes of a set that are told one by one
_COUNTED = 64  # classes of the targets of a step that are
_MOST_USERS = 50  # operations between a score that was picked and the loss
_PLAIN = frozenset(
    [
        "neg",
        "mean",
        "sum",
        "log",
        "exp",
        "add",
        "radd",
        "sub",
        "rsub",
        "mul",
        "rmul",
        "div",
        "truediv",
        "pow",
        "square",
        "clamp",
        "clamp_min",
    ]
)
_OUT_OF_RANGE = re.compile(r"Target (-?\d+) is out of bounds")
_WRONG_KIND = re.compile(
    r"expected target dtype|expected scalar type Long but found|nll_loss\w*\" not implemented|multi-target|class probabilities"
)


class WrongLabels(Rule):
    """Labels that the loss reads as something else than they are, and classes that training never sees."""

    code = "D305"
    highest = "bug"
    name = "labels that do not fit the outputs or the loss"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        crashed = list(self._crashed(evidence))
        yield from crashed
        if crashed and not evidence.operation_steps:
            return
        places: dict[tuple[str, int, str], list[tuple[StepGraph, Operation]]] = {}
        for graph in graphs_of(evidence):
            for operation in learned(graph):
                if operation.facts.get("target") or operation.facts.get("index"):
                    places.setdefault((operation.file, operation.line, operation.name), []).append((graph, operation))
        for (_, _, name), seen in places.items():
            if name in _BINARY:
                yield from self._not_probable(evidence, seen)
            elif name in _SIGNED:
                yield from self._not_signed(evidence, seen)
            elif name == "getitem":
                yield from self._from_the_end(evidence, seen)
            elif name in _OF_CLASSES and not crashed:
                yield from self._never_seen(evidence, seen)

    def clean(self, evidence: Evidence) -> str:
        for graph in graphs_of(evidence):
            for operation in learned(graph):
                if operation.name in _OF_CLASSES and _ids(operation):
                    low, high = operation.facts["target"]
                    return f"labels {low} to {high} fit the {operation.facts['columns']:,} outputs"
        return "no label is out of range"

    def _crashed(self, evidence: Evidence) -> Iterator[Finding]:
        """A loss itself ends a program whose labels it cannot use."""
        message, crash = str(evidence.report.get("message") or ""), evidence.report.get("crash") or {}
        out_of_range, wrong_kind = _OUT_OF_RANGE.search(message), _WRONG_KIND.search(message)
        if not out_of_range and not wrong_kind:
            return
        title = str(crash.get("title") or "the labels do not fit the loss")
        facts = {"expected": crash.get("expected"), "found": crash.get("because")}
        yield Finding(
            code=self.code,
            level="bug",
            title=title,
            message="The program ended here: the loss has no use for such a label.",
            evidence={key: value for key, value in facts.items() if value} or {"message": message},
            where=evidence.place(crash.get("file"), crash.get("line")),
            step=len(evidence.steps) + 1,
            fix="\n".join(crash.get("fix") or ()) or "count classes from 0, as int64, one number for each row",
        )

    def _not_probable(self, evidence: Evidence, seen: Seen) -> Iterator[Finding]:
        ends = ends_of(seen)
        if ends is None or (ends[0] >= -_ROUNDING and ends[1] <= 1 + _ROUNDING):
            return
        graph, loss = seen[0]
        found = _listed(seen)
        signed = ends == (-1, 1)
        mended = "(y + 1) / 2" if signed else "y - 1" if ends == (1, 2) else ""
        least = min((each for each in evidence.steps.loss if math.isfinite(each)), default=0.0)
        below = least < 0 and all(is_whole(*each) for each in seen)
        yield Finding(
            code=self.code,
            level="bug",
            title=f"{loss.name} takes targets from 0 to 1, and these go from {words.number(ends[0])} to {words.number(ends[1])}",
            message="Outside of 0 to 1 the loss has no least value: it keeps falling while the scores grow, and what it says of an answer is wrong.",
            evidence={
                "targets": found or f"{words.number(ends[0])} to {words.number(ends[1])}",
                **(
                    {"least loss of a step": f"{words.number(least)}: with targets from 0 to 1 never below 0"}
                    if below
                    else {}
                ),
                "seen in": words.steps([graph.step for graph, _ in seen]),
            },
            where=words.place_of(evidence, loss),
            step=graph.step,
            fix=f"make them 0 and 1 first: {mended}" if mended else "make the targets 0 and 1 first",
        )

    def _not_signed(self, evidence: Evidence, seen: Seen) -> Iterator[Finding]:
        zeros = sum(operation.facts["counts"][0] for _, operation in seen if operation.facts.get("counts"))
        counted = sum(operation.facts.get("counted", 0) for _, operation in seen)
        # Beside -1 and 1 a 0 may be meant: neither of both.
        if not zeros or ends_of(seen) != (0, 1) or not all(operation.facts.get("whole") for _, operation in seen):
            return
        graph, loss = seen[0]
        costs = (
            "A target that is neither counts as both: these rows are pulled both ways."
            if loss.name == "hinge_embedding_loss"
            else "A target of 0 takes the score out of the loss: these rows have no gradient, and only the others are learned from."
        )
        yield Finding(
            code=self.code,
            level="bug",
            title=f"{loss.name} takes targets of -1 and 1, and {words.percent(zeros / counted)} of these are 0",
            message=costs,
            evidence={"targets": _listed(seen), "seen in": words.steps([graph.step for graph, _ in seen])},
            where=words.place_of(evidence, loss),
            step=graph.step,
            fix="make them -1 and 1 first: 2 * y - 1",
        )

    def _from_the_end(self, evidence: Evidence, seen: Seen) -> Iterator[Finding]:
        """``log_p[rows, y]`` with a class id below zero."""
        low = min(operation.facts["index"][0] for _, operation in seen)
        high = max(operation.facts["index"][1] for _, operation in seen)
        graph, chosen = seen[0]
        if low >= 0 or high < 0 or not all(_goes_straight(*each) for each in seen):
            return
        width = chosen.facts["width"]
        yield Finding(
            code=self.code,
            level="bug",
            title=f"class ids go from {low} to {high}: {low} picks the score of class {width + low}, counted from the end",
            message="An index below 0 is no error: Python counts it from the end. These rows are trained towards a class that is not theirs.",
            evidence={
                "class ids": f"{low} to {high}",
                "outputs": width,
                "seen in": words.steps([graph.step for graph, _ in seen]),
            },
            where=words.place_of(evidence, chosen),
            step=graph.step,
            fix="count classes from 0; look for a - 1 that was taken away once too often",
        )

    def _never_seen(self, evidence: Evidence, seen: Seen) -> Iterator[Finding]:
        seen = [each for each in seen if _ids(each[1])]
        if not seen:
            return
        graph, loss = seen[0]
        width = int(loss.facts["columns"])
        ignored = loss.constant(3, "ignore_index", -100)
        trained, whole = _trained_labels(evidence, seen, width)
        if not trained:
            return
        labels = sum(trained.values())
        missing = [each for each in range(width) if not trained.get(each) and each != ignored]
        examined = _examined_labels(evidence, width, missing)
        if examined and whole:
            value, rows = max(examined.items(), key=lambda each: each[1])
            yield Finding(
                code=self.code,
                level="bug",
                title=f"class {value} is in the evaluation ({rows:,} rows) and never in training",
                message="The model is never shown what it is examined on: these rows can only be right by chance.",
                evidence={
                    "classes of the training rows": words.listed(map(str, sorted(trained)), 12),
                    "missing there": words.listed(map(str, missing), 12),
                    "outputs": width,
                },
                where=words.place_of(evidence, loss),
                step=graph.step,
                fix="split the rows so that each part has every class; shuffle them before they are split",
            )
            return
        if labels < _ENOUGH * width or not missing:
            return
        if missing == [0] and width > 2:
            yield self._from_one(evidence, loss, graph, trained, width, whole=whole)
        elif len(missing) <= max(1, width // 10):
            yield Finding(
                code=self.code,
                level="note",
                title=f"class {words.listed(map(str, missing))} never occurs among {labels:,} labels: the model has {width} outputs",
                message="The outputs of these classes only ever learn to be small. Either rows are missing, or the model is wider than it need be.",
                evidence={
                    "labels": words.listed(map(str, sorted(trained)), 12),
                    "outputs": width,
                    "looked at": f"{labels:,} labels",
                },
                where=words.place_of(evidence, loss),
                step=graph.step,
                fix="look whether rows of these classes were lost, or give the model one output for each class",
            )

    def _from_one(
        self,
        evidence: Evidence,
        loss: Operation,
        graph: StepGraph,
        trained: Mapping[int, int],
        width: int,
        *,
        whole: bool,
    ) -> Finding:
        # In texts and sequences number 0 is often kept for padding.
        level: Level = "bug" if whole and width <= _FEW and _is_table(graph, loss) else "likely"
        return Finding(
            code=self.code,
            level=level,
            title=f"labels count from 1 (1 to {max(trained)}) and outputs from 0: output 0 of {width} never has a row",
            message="The model has one output too many, and every comparison of its answers with classes counted from 0 is off by one.",
            evidence={
                "labels": f"1 to {max(trained)}",
                "outputs": width,
                "looked at": f"{sum(trained.values()):,} labels{', all there are' if whole else ''}",
            },
            where=words.place_of(evidence, loss),
            step=graph.step,
            fix=f"take 1 away from the labels where they are read, and give the model {width - 1} outputs",
        )


def _is_table(graph: StepGraph, loss: Operation) -> bool:
    """Whether each row is an example of its own, rather than a place in a text or a picture."""
    made: Operation | str = loss
    while isinstance(made, Operation) and (made is loss or passes_on(made)):
        if made.input_shapes and len(made.input_shapes[0]) != 2:
            return False
        made = graph.inputs_of(made)[0] if made.inputs else ""
    return True


def _ids(operation: Operation) -> bool:
    """Whether the target of a loss holds class ids."""
    return (
        len(operation.input_dtypes) > 1
        and operation.input_dtypes[1].startswith(("int", "uint"))
        and bool(operation.facts.get("target"))
    )


def ends_of(seen: Seen) -> tuple[float, float] | None:
    """The least and the largest target of all of these; None where they are not known."""
    ends = [operation.facts["target"] for _, operation in seen if operation.facts.get("target")]
    if not ends or any(None in each for each in ends):
        return None
    return min(low for low, _ in ends), max(high for _, high in ends)


def _listed(seen: Seen) -> str:
    """The different targets, where they are whole and few: ``-1 and 1``."""
    ends = ends_of(seen)
    counts = counts_of(seen)
    if ends is None or not all(operation.facts.get("whole") for _, operation in seen):
        return ""
    values = sorted(counts)
    below = [] if ends[0] >= 0 else [int(ends[0])]
    every = [*below, *values]
    return " and ".join(map(str, every)) if len(every) == 2 else words.listed(map(str, every), 8)


def counts_of(seen: Seen) -> dict[int, int]:
    """How often each whole number from 0 to 63 is a target."""
    found: dict[int, int] = {}
    for _, operation in seen:
        for value, count in enumerate(operation.facts.get("counts") or ()):
            if count:
                found[value] = found.get(value, 0) + count
    return found


def _goes_straight(graph: StepGraph, operation: Operation) -> bool:
    """Whether what was picked goes into the loss as it is: through a mask, ids below zero would stand for rows that do not count."""
    waiting, losses = graph.users_of(operation), graph.losses
    for _ in range(_MOST_USERS):
        if not waiting:
            return True
        each = waiting.pop()
        masked = len(each.inputs) > 1 and False in each.input_tracked
        if masked or (each.name.rstrip("_") not in _PLAIN and not passes_on(each)):
            return False
        waiting += [] if any(each is loss for loss in losses) else graph.users_of(each)
    return False


def _sets(evidence: Evidence, role: str) -> list[dict[str, Any]]:
    """What is known of the labels of each set that has this role."""
    return [
        row.values["labels"]
        for row in evidence.facts("set")
        if row.values.get("role") == role and (row.values.get("labels") or {}).get("classes")
    ]


def _trained_labels(evidence: Evidence, seen: Seen, width: int) -> tuple[dict[int, int], bool]:
    """How often each class occurs in training, and whether that is of all rows."""
    counted = counts_of(seen)
    sets = [row.values for row in evidence.facts("set") if row.values.get("role") == "training"]
    labels = [each.get("labels") or {} for each in sets]
    if (
        labels
        and width <= _LISTED
        and all(each.get("whole") for each in sets)
        and all("classes" in each for each in labels)
    ):
        found: dict[int, int] = {}
        for each in labels:
            for value, count in each["classes"]:
                found[value] = found.get(value, 0) + count
        # The labels of the set may be of another loss.
        if set(counted) <= set(found) <= set(range(width)) and 2 * len(counted) >= len(found):
            return found, True
    return (counted, False) if width <= _COUNTED else ({}, False)


def _examined_labels(evidence: Evidence, width: int, missing: Sequence[int]) -> dict[int, int]:
    """Of the classes that are missing in training, those that are in an evaluation."""
    found: dict[int, int] = {}
    for each in _sets(evidence, "evaluation"):
        if each["least"] >= 0 and each["most"] < width:
            found |= {value: count for value, count in each["classes"] if value in missing}
    return found


RULES: tuple[type[Rule], ...] = (WrongLabels,)
