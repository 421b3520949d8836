"""The state of recurrent layers: never passed on, or carried into sequences that have nothing to do with it. D606."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import Finding, Place
from descend.check.graph import Operation, StepGraph
from descend.check.layers import MULTIPLY, is_outside
from descend.check.rule import Rule

_LAYERS = frozenset(["lstm", "gru", "rnn_tanh", "rnn_relu"])
_CELLS = frozenset(["lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"])
_STEPS = 2  # that show it
_JUMP = 3.0  # distance between batches by that within a sequence
_CAME_AGAIN = 10  # rows that have to come twice for their order to be judged


class StateLost(Rule):
    """A recurrent layer begins anew at each element, or goes on where it should begin anew."""

    code = "D606"
    highest = "likely"
    name = "recurrent state never passed on, or carried across unrelated sequences"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        graphs = evidence.graphs()
        yield from self._never_passed(evidence, graphs)
        yield from self._carried(evidence, graphs)

    def clean(self, evidence: Evidence) -> str:
        recurrent = [each for graph in evidence.graphs(1) for each in graph.forward if each.name in _LAYERS | _CELLS]
        return "recurrent layers pass their state on within a sequence" if recurrent else "there is no recurrent layer"

    def _never_passed(self, evidence: Evidence, graphs: Sequence[StepGraph]) -> Iterator[Finding]:
        lost: dict[tuple[str, int, str], list[tuple[StepGraph, list[Operation]]]] = {}
        for graph in graphs:
            calls: dict[tuple[str, ...], list[Operation]] = {}
            for each in graph:
                if each.name in _LAYERS | _CELLS and each.tracked:
                    weights = tuple(name for name in each.inputs if isinstance(name, str) and not is_outside(name))
                    calls.setdefault(weights, []).append(each)
            for found in calls.values():
                if len(found) > 1 and all(_is_alone(graph, each, found) for each in found):
                    key = (found[0].file, found[0].line, found[0].name)
                    lost.setdefault(key, []).append((graph, found))
            for zeroed in _zero_products(graph):
                lost.setdefault((zeroed[0].file, zeroed[0].line, zeroed[0].name), []).append((graph, zeroed))
        for found_in in lost.values():
            if len(found_in) < _STEPS:
                continue
            graph, calls_of = found_in[0]
            operation = calls_of[0]
            layer = operation.module or operation.name
            yield Finding(
                code=self.code,
                level="likely",
                title=f"{layer} is called {len(calls_of)} times in a step, each time with a state of zeros",
                message="Each element is read as if it were the first: the output for one cannot depend on those before it.",
                evidence={
                    "calls": f"{len(calls_of)} in step {graph.step}, {words.shape(operation.input_shapes[0])} each",
                    "state at the start of each": "zeros",
                    "steps": words.steps([one.step for one, _ in found_in]),
                },
                where=_where_it_is_set_back(evidence, graph, operation),
                step=graph.step,
                fix="keep the state that the call returns and give it to the next one: out, state = rnn(x_t, state)",
            )

    def _carried(self, evidence: Evidence, graphs: Sequence[StepGraph]) -> Iterator[Finding]:
        places: dict[tuple[str, int], list[tuple[StepGraph, Operation]]] = {}
        for graph in graphs:
            for each in graph.forward:
                carried = each.name in _LAYERS and _number(each.facts.get("state")) > 0 and "jump" in each.facts
                if carried and not _state_is_of_this_step(graph, each):
                    places.setdefault((each.file, each.line), []).append((graph, each))
        for found in places.values():
            jumps = [_number(each.facts["jump"]) for _, each in found]
            within = [_number(each.facts.get("within")) for _, each in found]
            if len(found) < _STEPS:
                continue
            whole = any(each.facts.get("whole") for _, each in found)
            ratio = median(jumps) / median(within) if median(within) > 0 and not whole else 0.0
            if ratio >= _JUMP:
                proof = {
                    "first elements against the last of the batch before": words.number(median(jumps)),
                    "neighbours within a sequence": words.number(median(within)),
                    "ratio": f"{words.number(ratio)} (threshold {words.number(_JUMP)})",
                }
            else:
                moved = _rows_that_moved(evidence, [one.step for one, _ in found])
                if moved is None:
                    continue
                proof = {
                    "rows that another row followed the next time": f"{moved[0]:,} of {moved[1]:,} that came again"
                }
            graph, operation = found[0]
            yield Finding(
                code=self.code,
                level="likely",
                title=f"the state of {operation.module or operation.name} is carried into sequences that do not go on from the ones before",
                message="Each batch begins with the memory of the batch before, whose sequences ended somewhere else.",
                evidence={**proof, "steps": words.steps([one.step for one, _ in found])},
                where=_where_it_enters(evidence, graph.step) or words.place_of(evidence, operation),
                step=graph.step,
                fix="begin each batch with a state of zeros (leave the state out of the call)",
            )


def _where_it_is_set_back(evidence: Evidence, graph: StepGraph, operation: Operation) -> Place | None:
    """Where the zeros were made, if a line of the loop made them; else the call."""
    zeros = [
        each
        for each in graph.inputs_of(operation)
        if isinstance(each, Operation) and each.name in ("zeros", "zeros_like", "new_zeros") and each.file
    ]
    return words.place_of(evidence, zeros[0] if zeros else operation)


def _where_it_enters(evidence: Evidence, step: int) -> Place | None:
    """The line that calls the model, which is given the state."""
    row = next((row for row in evidence.phases if row.step == step and row.phase == "forward"), None)
    return evidence.place(row.file, row.line) if row is not None else None


def _is_alone(graph: StepGraph, operation: Operation, others: Sequence[Operation]) -> bool:
    """Whether it reads one element with a state of zeros that none of the other calls made."""
    if operation.facts.get("length") != 1 or _number(operation.facts.get("state"), 1.0) != 0:
        return False
    before = {each.index for each in graph.ancestors(operation)}
    return not any(each.index in before for each in others)


def _zero_products(graph: StepGraph) -> list[list[Operation]]:
    """Products of one parameter with zeros, called several times in a step: the state of a network written by hand."""
    found: dict[str, list[Operation]] = {}
    for each in graph:
        if each.name in MULTIPLY and each.tracked:
            for name in each.inputs:
                if isinstance(name, str) and not is_outside(name):
                    found.setdefault(name, []).append(each)
    return [each for each in found.values() if len(each) > 1 and all(one.facts.get("zeros") for one in each)]


def _state_is_of_this_step(graph: StepGraph, operation: Operation) -> bool:
    """Whether the state that it begins with was made in this step."""
    states = [each for each in graph.inputs_of(operation)[1:3] if isinstance(each, Operation)]
    return any(each.name not in ("detach", "clone", "data") or not _comes_from_outside(graph, each) for each in states)


def _rows_that_moved(evidence: Evidence, steps: Sequence[int]) -> tuple[int, int] | None:
    """How many rows were followed by another row, at their place in the batch, than the time before, of how many that came again.

    A state is carried from a row to the one at the same place in the next batch. None where they kept their order.
    """
    wanted = set(steps)
    rows: dict[int, tuple[int, ...]] = {}
    for batch in evidence.batches:
        if not batch.evaluation and batch.step in wanted and len(batch.fingerprints) > 1:
            rows.setdefault(batch.step, batch.fingerprints)
    followed: dict[int, int] = {}
    again = moved = 0
    for step, prints in rows.items():
        for row, after in zip(prints, rows.get(step + 1, ()), strict=False):
            if row in followed:
                again += 1
                moved += followed[row] != after
            followed[row] = after
    return (moved, again) if again >= _CAME_AGAIN and moved > 0.5 * again else None


def _comes_from_outside(graph: StepGraph, operation: Operation) -> bool:
    return isinstance(graph.maker(operation, 0), str)


def _number(value: Any, default: float = 0.0) -> float:
    return default if value is None else float(value)


RULES: tuple[type[Rule], ...] = (StateLost,)
