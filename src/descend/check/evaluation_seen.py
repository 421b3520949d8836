"""Evaluations as the record shows them: which there were, what was seen of each, and which of them are none, or are meant so."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from descend.check.evidence import Evidence
from descend.check.graph import Operation, StepGraph
from descend.record.rows import BatchRow, EvaluationRow

_SAMPLES = 3  # passes over the same rows that show a mean over random answers is meant


@dataclass(frozen=True, slots=True)
class Examined:
    """One evaluation with what was seen of it."""

    row: EvaluationRow
    seen: Mapping[str, Any]
    batches: Sequence[BatchRow]

    @property
    def at(self) -> tuple[str, int]:
        """Its line."""
        return self.row.file or "", self.row.line or 0

    @property
    def active(self) -> list[Mapping[str, Any]]:
        """The layers that were at work as in training: heard, or known by their flags where nobody could listen."""
        return list(self.seen.get("heard" if self.seen.get("listened") else "standing") or ())


def by_place(evidence: Evidence) -> dict[tuple[str, int], list[Examined]]:
    """The evaluations of each line, without those before the first step."""
    seen = {row.values.get("number"): row.values for row in evidence.facts("evaluation")}
    batches: defaultdict[int, list[BatchRow]] = defaultdict(list)
    for row in evidence.batches:
        if row.evaluation:
            batches[row.evaluation].append(row)
    found: defaultdict[tuple[str, int], list[Examined]] = defaultdict(list)
    for each in evidence.evaluations:
        examined = Examined(each, seen.get(each.number, {}), batches.get(each.number, ()))
        found[examined.at].append(examined)
    return {at: every for at, every in found.items() if any(each.row.step for each in every)}


def is_meant(evidence: Evidence, evaluations: Sequence[Examined]) -> bool:
    """Whether layers may be at work on purpose: a mean over random answers, statistics worked out anew, a part of the steps."""
    if any(each.seen.get("recalibrates") or _repeats(each) for each in evaluations):
        return True
    again = Counter(each.row.step for each in evaluations if each.batches)
    if again and max(again.values()) >= _SAMPLES and _are_the_same_rows(evaluations):
        return True
    if all(not each.seen.get("apart") and each.row.gradients for each in evaluations):
        return True  # what they led to may be trained on later
    in_the_middle = len(evaluations) == 1 and not evaluations[0].seen.get("apart")
    if in_the_middle and evaluations[0].row.step < len(evidence.steps) and evaluations[0].row.passes == 1:
        return True  # rather the first of passes that belong to the steps from here on
    return _takes_turns(evidence) or is_part_of_steps(evidence, evaluations)


def _repeats(each: Examined) -> bool:
    """The same rows again and again in one evaluation."""
    if each.row.passes >= _SAMPLES and each.seen.get("same", 0) >= _SAMPLES:
        return True
    again = Counter(batch.fingerprints for batch in each.batches if batch.fingerprints)
    if again and max(again.values()) >= _SAMPLES:
        return True
    rows = each.batches[0].fingerprints if each.batches else ()
    return len(rows) >= _SAMPLES and len(set(rows)) * _SAMPLES <= len(rows)


def _are_the_same_rows(evaluations: Sequence[Examined]) -> bool:
    by_step: defaultdict[int, list[tuple[int, ...]]] = defaultdict(list)
    for each in evaluations:
        if each.batches:
            by_step[each.row.step].append(tuple(each.batches[0].fingerprints))
    return any(max(Counter(rows).values()) >= _SAMPLES for rows in by_step.values())


def _takes_turns(evidence: Evidence) -> bool:
    """Whether several models are trained in turn, as the halves of a GAN: then a pass of one may serve the other."""
    return any(len(each.get("turns") or ()) > 1 for each in evidence.report.get("trainings") or ())


def is_part_of_steps(evidence: Evidence, evaluations: Sequence[Examined]) -> bool:
    """Whether these passes come once before each step and never after the last: a second batch of the step, not an evaluation."""
    steps = sorted({each.row.step for each in evaluations})
    in_a_row = len(steps) >= _SAMPLES and steps[0] == 0 and steps[-1] - steps[0] == len(steps) - 1
    return in_a_row and steps[-1] < len(evidence.steps)


def keeps_graph(each: Examined) -> bool:
    """Whether a graph of a trained model was built, and no backward pass came."""
    return each.row.gradients and each.row.step > 0 and bool(each.seen.get("apart")) and bool(each.seen.get("trained"))


def graphs(evidence: Evidence) -> list[StepGraph]:
    """The first steps whose operations were kept."""
    return [evidence.graph(step) for step in evidence.operation_steps[:20]]


def unused_passes(graph: StepGraph) -> list[list[Operation]]:
    """Forward passes of the step's own parameters that its losses were not computed from; each in order."""
    used = {each.index for each in graph.forward}
    trained = {name for each in graph.forward for name in each.inputs if isinstance(name, str) and _is_named(name)}
    if not trained:
        return []
    found = []
    for end in graph:
        if end.index in used or end.name == "backward" or end.name.endswith("_") or graph.users_of(end):
            continue
        before = [*reversed(graph.ancestors(end)), end]
        names = {name for each in before for name in each.inputs if isinstance(name, str) and _is_named(name)}
        apart = not any(each.index in used for each in before)
        backward = any(each.name == "backward" for each in graph)
        if apart and names and names <= trained and backward and any(map(_is_given_data, before)):
            found.append(before)
    return found


def _is_given_data(operation: Operation) -> bool:
    """Whether something else than parameters and their gradients comes in: a tensor from outside of the step, or one that is made here."""
    names = [each for each in operation.inputs if isinstance(each, str)]
    return not operation.inputs or any(not _is_named(each) and not each.endswith(".grad") for each in names)


def _is_named(name: str) -> bool:
    return not name.startswith("outside.") and not name.endswith(".grad")
