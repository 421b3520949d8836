"""Faults of initial values and of depth: units that are alike, dead or saturated, gradients that vanish, layers with nothing between. D604, D605."""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from descend.check import words
from descend.check.course import courses
from descend.check.definitions import initial_place, layer_place
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding, Level, Place
from descend.check.graph import Operation, StepGraph
from descend.check.layers import Product, chains, is_added_to_another, products_of
from descend.check.rule import Rule
from descend.record.rows import FactRow

_LOOKS = 3  # steps that matrices with equal rows are followed for
_DEAD = 0.5  # of the units of a layer: likely; fewer are a note
_SOME = 0.1
_FEW = 3  # steps that a unit has to be dead in
_SMALL_LAYER = 16  # units
_ROWS = 32  # that it has to be dead for, over all steps
_LIMITED = 0.5  # of the outputs of a layer
_VANISHED = 1e-4  # first gradient by the last, each by the root mean square
_EXPLODED = 1e4
_DEEP = 4  # matrices from which on depth is spoken of


class PoorStart(Rule):
    """Units that cannot learn: alike, dead, saturated, or out of the gradient's reach."""

    code = "D604"
    highest = "likely"
    name = "units alike, dead or saturated; gradients that vanish or explode"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        if not len(evidence.steps):
            looked = evidence.facts("looked_at_units")
            if not looked:
                raise CannotCheck("no step was taken")
            yield from _dead_in_a_look(evidence, looked)
            return
        yield from self._alike(evidence)
        yield from self._units(evidence)
        yield from self._depth(evidence)
        if not evidence.operation_steps and not evidence.facts("alike"):
            raise CannotCheck(evidence.why_no_operations())

    def clean(self, evidence: Evidence) -> str:
        layers = {
            (each.file, each.line, each.module)
            for step in evidence.operation_steps[:1]
            for each in evidence.graph(step).forward
            if "active" in each.facts
        }
        return (
            f"units are at work in all {len(layers)} layers with one" if layers else "weights begin unlike one another"
        )

    def _alike(self, evidence: Evidence) -> Iterator[Finding]:
        rows = [row for row in evidence.facts("alike") if row.values["still"] and row.values["steps"] >= _LOOKS]
        held = {name for row in evidence.facts("optimizer") for name in row.values.get("parameters") or ()}
        # What nobody updates is no layer, as where an inner loop begins anew each time.
        rows = [
            row
            for row in rows
            if row.values["name"] and (row.values["moved"] or not held or row.values["name"] in held)
        ]
        if not rows:
            return
        first = rows[0].values
        units = first["shape"][first["axis"]]
        how = f"all {words.number(first['first'])}" if first["one_number"] else "equal to one another"
        moved = any(row.values["moved"] for row in rows)
        others = words.listed([row.values["name"] for row in rows[1:]])
        yield Finding(
            code=self.code,
            level="likely",
            title=f"the {units} {'rows' if first['axis'] == 0 else 'columns'} of {first['name']} begin {how} and stay alike",
            message=(
                "Units that begin alike get the same gradient in every step, so they stay alike: the layer is worth a single one."
                if moved
                else "Nothing tells them apart, and no gradient moved them: the layer cannot learn."
            ),
            evidence={
                "shape": words.shape(first["shape"]),
                "alike in": f"{first['steps']} of {first['steps']} steps that were looked at, from step {rows[0].step}",
                **({"as well": others} if others else {}),
            },
            where=initial_place(evidence, first["name"]) or _place_of_parameter(evidence, first["name"]),
            step=rows[0].step,
            fix=f"draw it: torch.nn.init.kaiming_uniform_({first['name']})",
        )

    def _units(self, evidence: Evidence) -> Iterator[Finding]:
        for course in courses(evidence):
            places: dict[tuple[str, int, str, str, int], list[tuple[StepGraph, Operation]]] = {}
            for step in evidence.operation_steps:
                if step not in course:
                    continue
                graph = evidence.graph(step)
                for each in graph.forward:
                    if "active" in each.facts:
                        key = (each.file, each.line, each.module, each.name, each.facts["units"])
                        places.setdefault(key, []).append((graph, each))
            for found in places.values():
                finding = self._of_layer(evidence, found)
                if finding is not None:
                    yield finding

    def _of_layer(self, evidence: Evidence, found: Sequence[tuple[StepGraph, Operation]]) -> Finding | None:
        graph, first = found[0]
        if not _is_hidden(graph, first):
            return None
        active = [each.facts["active"] for _, each in found]
        if len({len(each) for each in active}) != 1:
            return None
        looked, rows = len(active[0]), sum(each.facts["rows"] for _, each in found)
        dead = sum(1 for counts in zip(*active, strict=True) if not any(counts))
        steps = [one.step for one, _ in found]
        layer = first.module or first.name
        limited = [each.facts["limited"] for _, each in found if "limited" in each.facts]
        kind = "dead" if not limited else "saturated"
        share = dead / looked if looked else 0.0
        if limited and min(limited) >= _LIMITED:
            at_limit = words.percent(min(limited))
            return Finding(
                code=self.code,
                level="likely",
                title=f"{at_limit} of what {layer} gives is at its limit from the start",
                message="There the slope is below 2 % of the steepest, so hardly any gradient passes.",
                evidence={
                    "at the limit": f"at least {at_limit} of the outputs in {words.steps(steps)} (threshold {words.percent(_LIMITED)})",
                    **_input_words(graph, first),
                },
                where=words.place_of(evidence, first),
                step=steps[0],
                fix="smaller initial weights, or inputs that are standardised",
            )
        enough = len(set(steps)) >= _FEW and rows >= _ROWS
        if share < _SOME or (not enough and looked > _SMALL_LAYER):
            return None
        level: Level = "likely" if share >= _DEAD and enough and dead > 1 else "note"
        if not enough and rows > 1 and len(set(steps)) > 1 and share < _DEAD:
            return None
        how = "0" if kind == "dead" else "their limit"
        back = " and they cannot come back" if kind == "dead" else ""
        return Finding(
            code=self.code,
            level=level,
            title=f"{dead} of {looked} units of {layer} are {kind} in {words.steps(steps)}",
            message=f"They gave {how} for each of the {rows:,} rows, so no gradient reaches what feeds them{back}.",
            evidence={
                f"{kind} units": f"{dead} of {looked} ({words.percent(share)})",
                "rows": f"{rows:,} in {len(set(steps))} steps",
                **_input_words(graph, first),
            },
            where=words.place_of(evidence, first),
            step=steps[0],
            fix="a smaller learning rate, other initial values, or inputs that are standardised",
        )

    def _depth(self, evidence: Evidence) -> Iterator[Finding]:
        """Gradients along the chain of matrices that the loss was computed through."""
        for course in courses(evidence):
            step = next((each for each in evidence.operation_steps if each in course), None)
            if step is None:
                continue
            order = list(dict.fromkeys(each.parameter for each in products_of(evidence.graph(step)) if each.shape))
            shapes = {each.parameter: each.shape for each in products_of(evidence.graph(step))}
            ratios = _gradient_ratios(evidence, [name for name in order if name in course.names], shapes, course)
            if ratios is None:
                continue
            first, last, ratio, table = ratios
            if not (ratio < _VANISHED or ratio > _EXPLODED):
                continue
            vanish = ratio < _VANISHED
            times = words.number(float(f"{(1 / ratio if vanish else ratio):.1e}"))
            yield Finding(
                code=self.code,
                level="likely",
                title=f"gradients {'vanish' if vanish else 'explode'} through {len(table)} layers: {first} gets {times} times "
                f"{'less' if vanish else 'more'} than {last}",
                message=(
                    "The first layers hardly move, whatever the last ones learn from them."
                    if vanish
                    else "The first layers are thrown about by steps that suit the last ones."
                ),
                evidence={"gradient (root mean square)": [f"{name} {words.number(value)}" for name, value in table]},
                where=_place_of_parameter(evidence, first),
                step=step,
                fix="initial values that fit the activation (kaiming for relu, xavier for tanh), normalisation, or residual connections",
            )


class NothingBetween(Rule):
    """Two layers that only multiply and add, one right after the other, are one such layer."""

    code = "D605"
    highest = "likely"
    name = "consecutive affine layers with nothing between"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        told: set[tuple[str, str]] = set()
        found = [(graph, first, second) for graph in evidence.graphs() for first, second in chains(graph)]
        before: dict[str, set[str]] = {}
        for _, first, second in found:
            before.setdefault(second.parameter, set()).add(first.parameter)
        for graph, first, second in found:
            key = (first.parameter, second.parameter)
            # Where one of several layers is chosen in each step, no single one can replace them.
            if key not in told and len(before[second.parameter]) == 1:
                told.add(key)
                yield self._finding(evidence, graph, first, second)

    def clean(self, evidence: Evidence) -> str:
        count = len({each.parameter for graph in evidence.graphs(1) for each in products_of(graph)})
        return (
            f"something stands between all {count} affine layers"
            if count > 1
            else "a single affine layer needs nothing between"
        )

    def _finding(self, evidence: Evidence, graph: StepGraph, first: Product, second: Product) -> Finding:
        narrow = first.outputs < min(first.inputs, second.outputs)
        frozen = not first.trained or not second.trained
        beside = is_added_to_another(graph, second)
        apart = _are_networks_apart(graph, first, second)
        meant = narrow or frozen or beside or apart or first.is_kernel != second.is_kernel
        level: Level = "note" if meant else "likely"
        one, two = first.layer, second.layer
        together = f"{first.inputs} → {second.outputs}"
        numbers = first.inputs * first.outputs + second.inputs * second.outputs
        return Finding(
            code=self.code,
            level=level,
            title=f"{one} ({first.inputs} → {first.outputs}) and {two} ({second.inputs} → {second.outputs}) have nothing between",
            message=(
                f"Together they are one layer {together} of at most {first.outputs} independent directions: a bottleneck, which may be meant."
                if narrow
                else f"One of them is not trained: together they are one affine layer {together}."
                if frozen
                else f"Together they are one layer {together}, whose result is added to another: an adapter, which may be meant."
                if beside
                else f"{_part(first)} ends with the one and {_part(second)} begins with the other: where the numbers between are used by themselves, it is meant."
                if apart
                else f"Together they can do no more than one layer {together}: without an activation the depth is lost."
            ),
            evidence={
                "operations": f"{first.operation.name} (line {first.operation.line}), then {second.operation.name} (line {second.operation.line})",
                "weights": f"{numbers:,} in two layers; one layer {together} has {first.inputs * second.outputs:,}",
            },
            where=layer_place(evidence, second.parameter.removesuffix(".weight"))
            or words.place_of(evidence, second.operation),
            step=graph.step,
            fix="" if level == "note" else f"put an activation between {one} and {two}: torch.relu(…)",
        )


def _part(product: Product) -> str:
    """The part of the model that its layer belongs to, or ""."""
    return product.parameter.removesuffix(".weight").rpartition(".")[0]


def _are_networks_apart(graph: StepGraph, first: Product, second: Product) -> bool:
    """Whether each layer belongs to a part of several, one after the other, as an encoder and the projector of its answers."""
    parts = [_part(each) for each in products_of(graph)]
    one, other = _part(first), _part(second)
    several = parts.count(one) > 1 and parts.count(other) > 1
    return (
        several
        and bool(one and other)
        and not f"{one}.".startswith(f"{other}.")
        and not f"{other}.".startswith(f"{one}.")
    )


def _dead_in_a_look(evidence: Evidence, looked: Sequence[FactRow]) -> Iterator[Finding]:
    """Of a program that takes no step: units that a backward pass found at zero."""
    for row in looked:
        values = row.values
        if not values["dead"]:
            continue
        yield Finding(
            code=PoorStart.code,
            level="note",
            title=f"{values['dead']} of {values['units']} units of a relu gave 0 for {_rows(values['rows'])}",
            message="Zero is their gradient too: in a training these rows would not move the weights that feed them.",
            evidence={"units at 0": f"{values['dead']} of {values['units']}", "rows": values["rows"]},
            where=evidence.place(row.file, row.line),
            step=None,
            fix="with more rows, units that are dead for all of them are those to look after",
        )


def _rows(count: int) -> str:
    return "its only row" if count == 1 else f"all {count:,} rows"


def _is_hidden(graph: StepGraph, operation: Operation) -> bool:
    """Whether a later product with a parameter uses it: outputs at their limit may be right answers."""
    used, waiting = set[int](), [operation]
    while waiting:
        for each in graph.users_of(waiting.pop()):
            if each.index in used:
                continue
            used.add(each.index)
            if any(product.operation.index == each.index for product in products_of(graph)):
                return True
            waiting.append(each)
    return False


def _input_words(graph: StepGraph, operation: Operation) -> dict[str, str]:
    given = graph.maker(operation)
    if isinstance(given, Operation) and not math.isnan(given.std):
        return {"what it is given": f"{words.number(given.mean)} ± {words.number(given.std)} at step {graph.step}"}
    return {}


def _gradient_ratios(
    evidence: Evidence, order: Sequence[str], shapes: Mapping[str, Sequence[int]], course: Any
) -> tuple[str, str, float, list[tuple[str, float]]] | None:
    """Root mean squares of the gradients of the matrices in the order of the forward pass, first by last."""
    if len(order) < _DEEP:
        return None
    table = []
    for name in order:
        count = math.prod(shapes[name])
        found = [
            row.gradient / math.sqrt(count)
            for row in evidence.norms_by_parameter.get(name, ())
            if row.step in course and math.isfinite(row.gradient)
        ][:20]
        if len(found) < _FEW or not count:
            return None
        table.append((name, median(found)))
    (first, least), (last, most) = table[0], table[-1]
    if not most > 0 or not least > 0:
        return None
    return first, last, least / most, table


def _place_of_parameter(evidence: Evidence, name: str) -> Place | None:
    """The first line that uses a parameter in a product."""
    for step in evidence.operation_steps[:1]:
        for operation in evidence.graph(step):
            if name in operation.inputs and operation.file:
                return words.place_of(evidence, operation)
    return None


RULES: tuple[type[Rule], ...] = (PoorStart, NothingBetween)
