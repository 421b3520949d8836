"""D306: squared error on class ids."""

from collections.abc import Iterator, Mapping

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import Finding
from descend.check.graph import Operation, StepGraph
from descend.check.losses import Seen, graphs_of, learned
from descend.check.rule import Rule
from descend.check.targets import counts_of, ends_of

_SQUARED = frozenset(["mse_loss", "sub", "smooth_l1_loss", "huber_loss", "l1_loss"])
_EVEN = 0.25  # the rarest class against the commonest, from which on numbers are taken for classes
_MOST_CLASSES = 30


class SquaredClasses(Rule):
    """Class ids are predicted as if they were numbers: class 1 is then nearer to class 2 than to class 9."""

    code = "D306"
    highest = "likely"
    name = "squared error on class ids"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        places: dict[tuple[str, int, str], list[tuple[StepGraph, Operation]]] = {}
        for graph in graphs_of(evidence):
            for operation in learned(graph):
                if operation.name in _SQUARED and operation.facts.get("target"):
                    places.setdefault((operation.file, operation.line, operation.name), []).append((graph, operation))
        for seen in places.values():
            counts = counts_of(seen)
            if _are_classes(seen, counts):
                yield self._finding(evidence, seen, counts)

    def clean(self, evidence: Evidence) -> str:
        for graph in graphs_of(evidence):
            if any(each.name in _SQUARED and each.facts.get("target") for each in learned(graph)):
                return "the targets of the squared error are no class ids"
        return "no squared error in this run"

    def _finding(self, evidence: Evidence, seen: Seen, counts: Mapping[int, int]) -> Finding:
        graph, loss = seen[0]
        first, last = min(counts), max(counts)
        return Finding(
            code=self.code,
            level="likely",
            title=f"the targets are {len(counts)} whole numbers, {first} to {last}, and the loss is their squared error",
            message=f"If they are names of classes, their distance means nothing: this loss takes {first} for nearer to {first + 1} than to {last}, "
            "and an unsure model answers with a class in between. If they are an order or a count, nothing is wrong.",
            evidence={
                "targets": ", ".join(f"{value}: {count:,}" for value, count in sorted(counts.items())[:10])
                + (" …" if len(counts) > 10 else ""),
                "commonest and rarest": f"{max(counts.values()):,} and {min(counts.values()):,} times",
                "outputs": loss.facts["columns"],
                "seen in": words.steps([graph.step for graph, _ in seen]),
            },
            where=words.place_of(evidence, loss),
            step=graph.step,
            fix=f"give the model {last + 1} outputs and take nn.functional.cross_entropy(scores, labels) with labels as int64",
        )


def _are_classes(seen: Seen, counts: Mapping[int, int]) -> bool:
    """Whether the targets look like names of classes: some whole numbers from 0 or 1 without a gap, each about as common as the others."""
    if any(
        not operation.facts.get("whole") or operation.facts["target_columns"] != 1 or operation.facts["columns"] != 1
        for _, operation in seen
    ):
        return False
    ends = ends_of(seen)
    if (
        ends is None
        or ends[0] not in (0, 1)
        or not 3 <= len(counts) <= _MOST_CLASSES
        or ends[1] - ends[0] != len(counts) - 1
    ):
        return False
    return sum(counts.values()) >= 10 * len(counts) and min(counts.values()) >= _EVEN * max(counts.values())


RULES: tuple[type[Rule], ...] = (SquaredClasses,)
