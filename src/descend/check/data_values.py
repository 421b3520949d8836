"""Faults of the values themselves: none, constant or of another scale (D404); columns, rows and batches that hold nothing (D407)."""

import ast
import math
from collections.abc import Iterator
from typing import Any, TypeGuard

from descend.check import words
from descend.check.broken import first_broken
from descend.check.data_facts import Values, given, loaders, name_of, place_of_set, place_of_variable, sets
from descend.check.evidence import Evidence
from descend.check.finding import Finding, Place
from descend.check.graph import Operation, StepGraph
from descend.check.rule import Rule

_FEWEST = 16  # rows of an evaluation that a scale is read from
_APART = 5.0  # times the spread, or spreads of another size
_SHARE_TWICE = 0.05  # of the rows that come twice
_ROUNDING = frozenset(
    ["floordiv", "floor_divide", "div", "round", "floor", "trunc", "long", "int", "byte", "to", "sign", "clamp"]
)
_NORMS = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "SyncBatchNorm", "LazyBatchNorm1d", "LazyBatchNorm2d")


class BrokenValues(Rule):
    """Inputs or targets that are no numbers, that never change, or that evaluation has on another scale than training."""

    code = "D404"
    highest = "bug"
    name = "inputs that are not finite, constant, or scaled differently in evaluation"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        yield from self._not_finite(evidence)
        constant = [found for one in sets(evidence, "training") for found in self._constant(evidence, one)]
        yield from constant[:1]
        for one in sets(evidence, "evaluation"):
            yield from self._examined(evidence, one)
        yield from self._scales(evidence)

    def clean(self, evidence: Evidence) -> str:
        looked = sum((one.get("inputs") or {}).get("looked_at", 0) for one in sets(evidence, "training", "evaluation"))
        given(evidence)
        return f"inputs are finite and of one scale ({looked:,} rows looked at)"

    def _not_finite(self, evidence: Evidence) -> Iterator[Finding]:
        for row in evidence.facts("broken_batch"):
            broken = [each for each in row.values["inputs"] if each[5]]
            if not broken or row.values["parameters"]:
                continue
            name, count, numbers, rows, shape = broken[0][:5]
            yield Finding(
                code=self.code,
                level="bug",
                title=f"{name} {words.shape(shape)} holds {count:,} of {numbers:,} numbers that are NaN or infinite, and the loss of step {row.step:,} is none",
                message="One such number makes the loss NaN, its gradients fill every parameter with NaN, and nothing is learnt from there on.",
                evidence={
                    "not finite": f"{count:,} of {numbers:,} numbers, in {rows:,} of {shape[0] if shape else 1:,} rows",
                    "parameters with such numbers before": 0,
                    "loss": f"no finite number at step {row.step:,}",
                },
                where=_place_of_broken(evidence, row.step) or evidence.place(row.file, row.line),
                step=row.step,
                fix=f"mend or leave out these rows where the data is made: keep = torch.isfinite({name}).all(-1)",
            )
            return
        for row in evidence.facts("given"):
            count = sum(row.values["not_finite"])
            gradients = [each for each in evidence.norms if each.step == row.step and not math.isfinite(each.gradient)]
            before = [each for each in evidence.norms if each.step == row.step and not math.isfinite(each.value)]
            if count and gradients and not before:
                culprit = first_broken(evidence, row.step, bad_data=True)
                made = culprit[0].name if culprit is not None and culprit[2] == "operation" else ""
                yield Finding(
                    code=self.code,
                    level="bug",
                    title=f"in step {row.step:,} the model is given {count:,} number{'s' if count > 1 else ''} that {'are' if count > 1 else 'is'} NaN or infinite, and so are its gradients",
                    message=(f"The rows were finite; {made} made that of them. " if made else "")
                    + "The update writes them into the parameters, and nothing is learnt from there on.",
                    evidence={
                        "not finite in the batch": count,
                        "gradients that are not finite": f"{len(gradients)} of {len([each for each in evidence.norms if each.step == row.step])}",
                    },
                    where=_place_of_broken(evidence, row.step) or evidence.place(row.file, row.line),
                    step=row.step,
                    fix="mend or leave out these rows where the data is made",
                )
                return

    def _constant(self, evidence: Evidence, one: Values) -> Iterator[Finding]:
        if one.get("rows") == 1:
            return  # the one row there is, in every step
        for found in (one.get("given"), one.get("inputs")):
            if found and found.get("different_rows") == 1 and found["looked_at"] >= _FEWEST and found["columns"] >= 1:
                yield Finding(
                    code=self.code,
                    level="likely",
                    title=f"all {found['looked_at']:,} training rows that were looked at are the same",
                    message="The inputs tell no row from another, so the model can only learn the mean of the targets.",
                    evidence={
                        "rows": found["looked_at"],
                        "different rows": 1,
                        "least": found["least"],
                        "most": found["most"],
                    },
                    where=_place_of_wiped(evidence) or _place_of_rounding(evidence, one) or place_of_set(evidence, one),
                    step=None,
                    fix="look at the inputs where they are made: a division of whole numbers, or a mask, may have wiped them out",
                )
                return

    def _examined(self, evidence: Evidence, one: Values) -> Iterator[Finding]:
        if one.get("broken"):
            bad, answers, rows = one["broken"]
            yield Finding(
                code=self.code,
                level="bug",
                title=f"{bad:,} of {rows:,} evaluation rows hold NaN or infinite inputs, and the model's answers to {answers:,} of them are none",
                message="An answer that is no number counts as wrong, or makes the whole figure NaN.",
                evidence={"rows with such inputs": bad, "with such answers": answers, "rows": rows},
                where=place_of_set(evidence, one),
                step=None,
                fix="treat missing values of evaluation rows as those of training rows are treated",
            )

    def _scales(self, evidence: Evidence) -> Iterator[Finding]:
        trained = [found for one in sets(evidence, "training") if (found := one.get("given") or one.get("inputs"))]
        if not trained or len({found["columns"] for found in trained}) > 1:
            return
        for one in sets(evidence, "evaluation"):
            found = one.get("given") or one.get("inputs")
            if not found or found["looked_at"] < _FEWEST or found["columns"] != trained[0]["columns"]:
                continue
            apart = _apart(trained[0], found)
            if apart:
                yield self._other_scale(evidence, one, apart, trained[0]["columns"])
                return

    def _other_scale(
        self, evidence: Evidence, one: Values, apart: list[tuple[int, float, float, float, float]], columns: int
    ) -> Finding:
        column, centre, spread, other_centre, other_spread = apart[0]
        which = "the inputs" if column < 0 else f"column {column}" if columns > 1 else "the inputs"
        many = f" ({len(apart)} of {columns} columns)" if len(apart) > 1 else ""
        return Finding(
            code=self.code,
            level="likely",
            title=f"evaluation has {which} on another scale: {words.number(other_centre)} ± {words.number(other_spread)}, in training "
            f"{words.number(centre)} ± {words.number(spread)}{many}",
            message="The model is asked about numbers unlike any that it was trained on, so what is measured says little about it.",
            evidence={
                "training, middle and spread": f"{words.number(centre)}, {words.number(spread)}",
                "evaluation, middle and spread": f"{words.number(other_centre)}, {words.number(other_spread)}",
                "columns that differ so": len(apart) if column >= 0 else "all",
            },
            where=place_of_set(evidence, one),
            step=None,
            fix="give evaluation rows the same treatment as training rows, with the mean and the deviation of the training rows",
        )


class EmptyValues(Rule):
    """Columns that never change or repeat another, rows that come twice, images that show nothing, a last batch of one row."""

    code = "D407"
    highest = "note"
    name = "constant, repeated or empty columns, rows, images and batches"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for one in sets(evidence, "training"):
            found = one.get("inputs")
            if found and "different_rows" in found:
                yield from self._columns(evidence, one, found)
                yield from self._rows(evidence, one, found)
        yield from self._single(evidence)

    def clean(self, evidence: Evidence) -> str:
        given(evidence)
        looked = sum((one.get("inputs") or {}).get("looked_at", 0) for one in sets(evidence, "training"))
        return f"no constant or repeated columns, rows or images ({looked:,} rows looked at)"

    def _columns(self, evidence: Evidence, one: Values, found: Values) -> Iterator[Finding]:
        columns = found["columns"]
        if not 1 < columns <= 256 or found.get("image") or found["looked_at"] < _FEWEST or found["different_rows"] < 8:
            return
        still = [each for each in found["constant"] if not _is_expected(each, found)]
        if still and found["constant_count"] < columns:
            listed = words.listed([f"{column} (always {words.number(value)})" for column, value in still])
            yield self._note(
                evidence,
                one,
                f"{len(still)} of {columns} input columns never change: {listed}",
                "Nothing can be learnt from a column that is the same in every row; where it should differ, it was lost on the way.",
                {"rows looked at": found["looked_at"], "columns, counted from 0": [column for column, _ in still]},
                "look where these columns come from; leave them out, or mend how they are read",
            )
        pairs = [] if _is_kinds(found) else found.get("same") or []
        if pairs:
            listed = words.listed([f"{second} is {first}" for first, second in pairs])
            yield self._note(
                evidence,
                one,
                f"{found['same_count']} of {columns} input columns repeat another: {listed}",
                "A column that comes twice tells nothing new and counts double in every distance and every penalty.",
                {"rows looked at": found["looked_at"], "pairs, counted from 0": pairs},
                "leave the second one out, or read the column that was meant",
            )

    def _rows(self, evidence: Evidence, one: Values, found: Values) -> Iterator[Finding]:
        looked, blank = found["looked_at"], found.get("blank", 0)
        if blank and blank < looked and (found.get("image") or found["columns"] >= 16) and found.get("zeros", 0) < 0.97:
            what = "images" if found.get("image") else "rows"
            yield self._note(
                evidence,
                one,
                f"{blank:,} of {looked:,} {what} that were looked at are empty: every number is {words.number(found['blank_value'])}",
                f"They have a target and nothing to tell it from: the model can only learn to guess on such {what}.",
                {"empty": blank, "looked at": looked, "the first at place": found["blank_at"]},
                f"look at these {what}: a file that could not be read may have been put in as zeros",
            )
        again = found["rows_again"] - max(0, blank - 1)
        if one["whole"] and again >= max(3, _SHARE_TWICE * looked) and not _is_kinds(found) and one["rows"] <= looked:
            yield self._note(
                evidence,
                one,
                f"{again:,} of {looked:,} training rows repeat another row",
                "They count more than the others, and when rows are split by chance the same row may be trained and examined on.",
                {"rows": looked, "different rows": found["different_rows"]},
                "keep one of each: rows = torch.unique(rows, dim=0), or find out why they come twice",
            )

    def _single(self, evidence: Evidence) -> Iterator[Finding]:
        """A batch of one row in front of a batch norm."""
        norms = [row for row in evidence.calls if row.training and row.class_name in _NORMS]
        steps = evidence.steps
        single = [step for step, rows in zip(steps.step, steps.rows, strict=True) if rows == 1]
        usual = max(steps.rows, default=0)
        if not norms or not single or usual < 2 or len(single) > 0.5 * len(steps):
            return
        trained = [each for each in loaders(evidence).values() if each["trained"]]
        place = trained[0].place(evidence) if len(trained) == 1 else None
        yield Finding(
            code=self.code,
            level="note",
            title=f"{len(single)} of {len(steps):,} batches hold one row only, in front of {words.listed(dict.fromkeys(row.class_name for row in norms))}",
            message="Batch norm takes the mean and the deviation of the batch: of one row it takes away most of what the row says, and its "
            "running statistics are drawn to that row.",
            evidence={"rows of a batch": f"{usual}, the last one 1", "steps": words.steps(single)},
            where=place,
            step=single[0],
            fix="drop_last=True, or another batch size",
        )

    def _note(
        self, evidence: Evidence, one: Values, title: str, message: str, facts: dict[str, Any], fix: str
    ) -> Finding:
        name = name_of(evidence, one)
        if name:
            facts = {**facts, "set": name}
        return Finding(
            self.code,
            "note",
            title,
            message,
            facts,
            place_of_set(evidence, one) or place_of_variable(evidence, one["variable"]),
            None,
            fix,
        )


def _apart(one: Values, other: Values) -> list[tuple[int, float, float, float, float]]:
    """Columns whose middle or spread is far from that of training: number, middle and spread of both. All as one: number -1."""
    found = []
    columns = zip(
        one.get("centre", ()),
        one.get("spread", ()),
        one.get("low", ()),
        one.get("high", ()),
        other.get("centre", ()),
        other.get("spread", ()),
        strict=False,
    )
    for number, (centre, spread, low, high, their_centre, their_spread) in enumerate(columns):
        outside = not low <= their_centre <= high
        if spread > 0 and (
            (outside and abs(their_centre - centre) > _APART * spread)
            or their_spread > _APART * spread
            or (0 < their_spread < spread / (4 * _APART))
        ):
            found.append((number, centre, spread, their_centre, their_spread))
    if not found and one["columns"] > 16 and one.get("std") and other.get("std"):
        ratio = other["std"] / one["std"]
        if not 1 / _APART < ratio < _APART or abs(other["mean"] - one["mean"]) > _APART * one["std"]:
            found.append((-1, one["mean"], one["std"], other["mean"], other["std"]))
    return found


def _place_of_broken(evidence: Evidence, step: int) -> Place | None:
    """The line of the operation that made numbers that are none out of numbers, before they came to the model."""
    for each in dict.fromkeys((step, 1)):
        graph = evidence.graph(each) if each in evidence.operation_steps else None
        found = next((one for one in graph.forward if one.tracked and _not_numbers(one)), None) if graph else None
        while graph is not None and found is not None:
            given = [one for one in graph.inputs_of(found) if isinstance(one, Operation)]
            before = next(filter(_not_numbers, given), None)
            if before is None:
                return words.place_of(evidence, found) if given and not found.tracked else None
            found = before
    return None


def _not_numbers(operation: Operation) -> bool:
    if operation.values is not None:
        return any(each is None or not math.isfinite(each) for each in _flat(operation.values))
    return bool(operation.dtype.startswith(("float", "bfloat"))) and not math.isfinite(operation.mean)


def _flat(values: Any) -> Iterator[Any]:
    if isinstance(values, list):
        for each in values:
            yield from _flat(each)
    else:
        yield values


def _is_wiped(graph: StepGraph, operation: Operation) -> bool:
    """Whether it made one and the same number out of different ones."""
    given = graph.inputs_of(operation)[:1]
    if operation.size < 2 or operation.name not in _ROUNDING or not given or not isinstance(given[0], Operation):
        return False
    (least, most), (low, high) = operation.range, given[0].range
    return least == most and low < high and given[0].size == operation.size


def _place_of_wiped(evidence: Evidence) -> Place | None:
    """The line of the first operation that made one number out of different ones."""
    for graph in evidence.graphs(1) if evidence.operation_steps else ():
        found = next((each for each in graph if each.file and _is_wiped(graph, each)), None)
        return words.place_of(evidence, found) if found is not None else None
    return None


def _place_of_rounding(evidence: Evidence, one: Values) -> Place | None:
    """The only line of the data set's ``__getitem__`` that rounds: what a loader does with a row is not heard."""
    loader = loaders(evidence).get(one["loader"])
    trees = {file: evidence.tree(file) for file in evidence.sources}
    for file, tree in trees.items():
        inside = [
            node
            for kind in (ast.walk(tree) if tree is not None and loader is not None else ())
            if isinstance(kind, ast.ClassDef) and loader is not None and kind.name == loader["dataset"]
            for method in kind.body
            if isinstance(method, ast.FunctionDef) and method.name == "__getitem__"
            for node in ast.walk(method)
            if _rounds(node)
        ]
        if len(inside) == 1:
            return evidence.place(file, inside[0].lineno)
    return None


def _rounds(node: ast.AST) -> TypeGuard[ast.expr]:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.FloorDiv)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _ROUNDING - {"to"}


def _is_expected(constant: list[Any], found: Values) -> bool:
    """Whether a column that never changes is one of many kinds, or filled up with zeros."""
    column, value = constant
    if value == 0 and (_is_kinds(found) or found.get("padded")):
        return True
    return bool(value == 1 and column in (0, found["columns"] - 1))  # a column of ones for the bias


def _is_kinds(found: Values) -> bool:
    """Whether most columns hold few different values, as one-hot columns and counts do."""
    kinds = found.get("kinds")
    if kinds is None:
        return bool(found.get("zeros", 0) > 0.5)
    few = [count for count in kinds if 0 < count <= 3]
    return len(few) > 0.5 * len(kinds)


RULES: tuple[type[Rule], ...] = (BrokenValues, EmptyValues)
