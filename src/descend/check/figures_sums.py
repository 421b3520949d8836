"""What a printed figure may have been made from: sums over the batches of an epoch or of an evaluation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Any, Literal

from descend.check.data_facts import firsts
from descend.check.evidence import Evidence

Kind = Literal["training", "evaluation"]


@dataclass(frozen=True, slots=True)
class Sums:
    """Numbers of some consecutive batches, summed up. ``rows`` is 0 where they are not known."""

    count: int
    total: float
    weighted: float  # each times the rows of its batch
    rows: int
    first_rows: int
    last_rows: int
    first: float
    last: float

    @property
    def mean(self) -> float:
        """Each batch counts the same."""
        return self.total / self.count

    @property
    def mean_of_rows(self) -> float:
        """Each row counts the same; the plain mean where rows are not known."""
        return self.weighted / self.rows if self.rows else self.mean

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.count + other.count,
            self.total + other.total,
            self.weighted + other.weighted,
            self.rows + other.rows if self.rows and other.rows else 0,
            self.first_rows,
            other.last_rows,
            self.first,
            other.last,
        )


@dataclass(frozen=True, slots=True)
class Stretch:
    """The batches that a figure printed after ``step`` would speak of, and what came before them in the same training."""

    step: int
    sums: Sums
    so_far: Sums  # with all that came before
    previous: Sums | None  # the stretch before; None at the first
    is_epoch: bool  # known to be one
    number: int  # of the epoch or evaluation, from 1
    repeats: bool = False  # every step looked at the same rows: each is an epoch of its own

    @classmethod
    def after(cls, step: int, sums: Sums, previous: "Stretch | None", *, is_epoch: bool) -> "Stretch":
        """The one that follows ``previous``."""
        if previous is None:
            return cls(step, sums, sums, None, is_epoch, 1)
        return cls(step, sums, previous.so_far + sums, previous.sums, is_epoch, previous.number + 1)


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures of some kind come from: by the step after which they can be printed."""

    kind: Kind
    stretches: dict[int, Stretch]
    is_mean: bool = False  # each number is known to be a mean over the rows of its batch
    counts: bool = False  # each number is whole: something is counted


def training_sums(evidence: Evidence, first: int, last: int) -> Sums:
    """The losses of the steps ``first`` … ``last``, counted from 1."""
    losses, rows = evidence.steps.loss[first - 1 : last], evidence.steps.rows[first - 1 : last]
    if not any(rows):
        rows = [_rows_of_a_step(evidence)] * len(losses)
    known = all(rows)
    weighted = sum(loss * number for loss, number in zip(losses, rows, strict=True))
    return Sums(
        len(losses),
        sum(losses),
        weighted if known else 0.0,
        sum(rows) if known else 0,
        rows[0],
        rows[-1],
        losses[0],
        losses[-1],
    )


def _rows_of_a_step(evidence: Evidence) -> int:
    """How many rows the loss of a step is made from, where no batch told it: what its operation was given, if always the same."""
    graphs = [evidence.graph(step) for step in evidence.operation_steps[:20]]
    shapes = {loss.input_shapes[0] for graph in graphs for loss in graph.losses if loss.input_shapes}
    shape = shapes.pop() if len(shapes) == 1 else ()
    return shape[0] if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1) else 0


def by_epoch(evidence: Evidence) -> Source | None:
    """The steps of each epoch, where epochs were told; None where they were not, or where there is one only."""
    epochs = evidence.steps.epoch
    if not epochs or min(epochs) < 1:
        return None
    ends = [step for step in range(1, len(epochs) + 1) if step == len(epochs) or epochs[step] != epochs[step - 1]]
    if len(ends) < 2 or len(ends) == len(epochs):  # of one step each: there is nothing to sum up
        return None
    return Source("training", dict(_stretches(evidence, ends, is_epoch=True)), _is_mean(evidence))


def by_print(evidence: Evidence, steps: Sequence[int]) -> Source:
    """The steps between one printed line and the next."""
    ends = sorted({step for step in steps if 0 < step <= len(evidence.steps)})
    return Source("training", dict(_stretches(evidence, ends, is_epoch=False)), _is_mean(evidence))


def of_evaluations(evidence: Evidence) -> Iterator[Source]:
    """Of each line that reads numbers in evaluations, what it read in each of them."""
    lines: dict[tuple[str, int], dict[int, list[Sums]]] = {}
    for row in evidence.facts("figures"):
        for each in row.values.get("lines") or ():
            by_step = lines.setdefault((each["file"], each["line"]), {})
            by_step.setdefault(row.step, []).append(_read(each))
    losses = [loss for loss in evidence.steps.loss[-100:] if isfinite(loss)]
    usual = sum(losses) / len(losses) if losses else 0.0
    for by_step in lines.values():
        if any(len(each) > 1 for each in by_step.values()):
            continue  # several sets in one: which is which nobody said
        stretches: dict[int, Stretch] = {}
        previous: Stretch | None = None
        for step, (sums,) in sorted(by_step.items()):
            previous = stretches[step] = Stretch.after(step, sums, previous, is_epoch=False)
        every = [stretch.sums for stretch in stretches.values()]
        counts = all(_is_whole(sums.total) and _is_whole(sums.last) for sums in every)
        if counts and any(sums.total > sums.rows for sums in every):
            continue  # more than there are rows: whatever it counts, it is no share of them
        near = all(usual / 4 < abs(sums.mean) < 4 * usual and sums.first_rows >= 16 for sums in every)
        yield Source("evaluation", stretches, near and _is_mean(evidence), counts)


def _is_whole(number: float) -> bool:
    return isfinite(number) and number == int(number)


def _read(each: dict[str, Any]) -> Sums:
    count = int(each["count"])
    return Sums(
        count,
        _number(each["total"]),
        _number(each["weighted"]),
        int(each["rows"]),
        int(each["first_rows"]),
        int(each["last_rows"]),
        float("nan"),
        _number(each["last"]),
    )


def _stretches(evidence: Evidence, ends: Sequence[int], *, is_epoch: bool) -> Iterator[tuple[int, Stretch]]:
    beginnings = sorted({each["first_step"] for each in evidence.report.get("trainings") or ()})
    previous: Stretch | None = None
    done = 0
    prints = {step: row.fingerprints for step, row in firsts(evidence).items()}
    repeats = _repeats(prints, 1, beginnings)
    for end in ends:
        while beginnings and beginnings[0] <= end:  # another training begins
            done, previous = beginnings.pop(0) - 1, None
            repeats = _repeats(prints, done + 1, beginnings)
        previous = Stretch.after(end, training_sums(evidence, done + 1, end), previous, is_epoch=is_epoch)
        yield end, replace(previous, repeats=repeats)
        done = end


def _repeats(prints: Mapping[int, Sequence[int]], first: int, later: Sequence[int]) -> bool:
    """Whether all steps of a training looked at the same rows, as far as their rows are known: ``prints``, by step."""
    past = next((step for step in later if step > first), inf)
    own = [found for step, found in prints.items() if first <= step < past]
    if not own or any(found != own[0] for found in own):
        return False
    return any(prints.get(step + 1) == found == own[0] for step, found in prints.items())


_MEANS = frozenset(
    ["cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy"]
) | {"binary_cross_entropy_with_logits"}


def _is_mean(evidence: Evidence) -> bool:
    """Whether the loss of a step is a mean over the rows of its batch, and one backward pass makes a step."""
    for row in evidence.facts("order"):
        if sum(each["what"] == "backward" for each in row.values["happened"]) != 1:
            return False
    graphs = [graph for step in evidence.operation_steps[:3] if (graph := evidence.graph(step)).losses]
    made = [loss for graph in graphs for loss in graph.losses]
    return bool(made) and all(
        loss.name == "mean" or (loss.name in _MEANS and loss.constants.get("reduction", "mean") == "mean")
        for loss in made
    )


def _number(value: float | None) -> float:
    """A number as the record has it: NaN is None there."""
    return float("nan") if value is None else float(value)
