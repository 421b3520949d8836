"""How a figure is made from batches: the ways that are right, and the known ways that are not, each with what it is and its cure."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from descend.check import words
from descend.check.figures_sums import Source, Stretch, Sums
from descend.check.finding import Level

Formula = Callable[[Stretch], float | None]
"""From the batches of a stretch to a figure; None where it does not apply to it."""

LAST_BATCH = "the last batch's alone"

_OF_BATCHES = re.compile(r"\b(batch|step|iter|iteration|minibatch|it|last)\b")
_OF_SUMS = re.compile(r"\b(sum|total|summed|accumulated|cumulative|running|correct|all)\b")
_SO_FAR = re.compile(
    r"\b(so far|running|smooth\w*|ema|overall|cumulative|total|moving|(of|over|across) all|all (epochs|folds|runs)|folds|cv)\b"
)
_COMPARING = re.compile(r"->|→|\bwent\b|\bfrom\b.*\bto\b")
_OF_THE_START = re.compile(r"\b(first|initial\w*|start\w*|begin\w*|before|prev\w*|old|untrained|from)\b")
_AFTER = re.compile(r"\bafter\b.*\b(update|step|training|optimi\w+)|\bupdated\b")
_OF_SHARE = re.compile(r"\bacc|accuracy|correct|precision|recall|\bf1\b|score|right|\blr\b|rate|seconds|time")
_OF_LOSS = re.compile(r"loss|cost|mse|nll|error|objective|entropy|risk|perplexity|mean|average|avg")


@dataclass(frozen=True, slots=True)
class Name:
    """What a figure is called: the words before it, or those of the expression that gave it."""

    text: str
    line: str  # the whole line, its numbers left out
    percent: bool = False

    @property
    def is_of_batch(self) -> bool:
        return _OF_BATCHES.search(self.text) is not None

    @property
    def is_of_epoch(self) -> bool:
        return "epoch" in self.line

    @property
    def is_sum(self) -> bool:
        return _OF_SUMS.search(self.text) is not None

    @property
    def is_so_far(self) -> bool:
        return _SO_FAR.search(self.text) is not None

    @property
    def is_old(self) -> bool:
        """Meant to be a figure of the beginning, or of the one before."""
        return (_OF_THE_START.search(self.text) or _COMPARING.search(self.line)) is not None

    @property
    def is_after_update(self) -> bool:
        return _AFTER.search(self.text) is not None

    @property
    def is_share(self) -> bool:
        """Or a rate or a time: no loss in any case."""
        return _OF_SHARE.search(self.text) is not None and not self.is_loss

    @property
    def is_loss(self) -> bool:
        return _OF_LOSS.search(self.text) is not None


@dataclass(frozen=True, slots=True)
class Wrong:
    """One way in which a figure goes wrong. ``what`` and ``fix`` say it with the stretch's own numbers put in."""

    level: Level
    formula: Formula
    what: str
    cost: str
    fix: str
    needs_first: bool = True  # the first figure, to which it does not apply, has to be right
    least: int = 1  # figures that have to go wrong this way

    def said(self, text: str, stretch: Stretch) -> str:
        """``what`` or ``fix`` of a stretch."""
        sums = stretch.sums
        numbers = {
            "count": sums.count,
            "rows": sums.rows,
            "full": sums.count * sums.first_rows,
            "number": stretch.number,
        }
        return text.format(
            **numbers, off=sums.count - 1, beyond=sums.count + 1, short=sums.last_rows, usual=sums.first_rows
        )


def proper(sums: Sums, source: Source) -> float:
    """What a figure of these batches should be: of losses of steps the plain mean, as the report has it, else that of the rows."""
    if source.counts and sums.rows:
        return sums.total / sums.rows
    return sums.mean if source.kind == "training" else sums.mean_of_rows


def right_ways(source: Source, name: Name) -> Iterator[Formula]:
    """Ways in which nothing is wrong with a figure of this name."""
    if source.counts:
        yield lambda stretch: _ratio(stretch.sums.total, stretch.sums.rows)
    else:
        yield lambda stretch: stretch.sums.mean_of_rows
        yield lambda stretch: stretch.sums.mean
        if source.kind == "evaluation" and not source.is_mean:
            yield lambda stretch: _ratio(stretch.sums.total, stretch.sums.rows)
    if name.is_of_batch:
        yield lambda stretch: stretch.sums.last
        yield lambda stretch: stretch.sums.first
    if name.is_sum or (source.counts and not name.percent):
        yield lambda stretch: stretch.sums.total
        yield lambda stretch: stretch.sums.weighted
    if name.is_so_far:
        yield lambda stretch: stretch.so_far.mean
        yield lambda stretch: stretch.so_far.mean_of_rows
        yield lambda stretch: stretch.so_far.total


def wrong_ways(source: Source, name: Name) -> Iterator[Wrong]:
    """Ways in which it is another figure than its name says; the plainest first."""
    noun = "loss" if source.kind == "training" else "figure"
    over = "epoch" if source.kind == "training" else "evaluation"
    yield from _of_one_batch(source, name, over)
    yield from _scaled(source, name, noun)
    if source.counts:
        yield from _of_counts()
    yield from _never_set_back(source, over)
    if not name.is_old:
        yield from _stale(source, over)


def _of_one_batch(source: Source, name: Name, over: str) -> Iterator[Wrong]:
    def may_be_meant(stretch: Stretch) -> bool:
        known = stretch.is_epoch or name.is_of_epoch or source.kind == "evaluation"
        return not known or stretch.repeats or stretch.sums.count < 2 or name.is_of_batch or source.counts

    cost = f"One batch says little of an {over}: its figure jumps from batch to batch."
    fix = "add up loss.item() * len(x) over the batches, and print the sum divided by the number of rows"
    yield Wrong("note", lambda at: None if may_be_meant(at) else at.sums.last, LAST_BATCH, cost, fix)
    yield Wrong("note", lambda at: None if may_be_meant(at) else at.sums.first, "the first batch's alone", cost, fix)


def _scaled(source: Source, name: Name, noun: str) -> Iterator[Wrong]:
    def total(stretch: Stretch) -> float | None:
        named = name.is_loss and not name.is_sum and not source.counts
        return stretch.sums.total if named and stretch.sums.count > 1 else None

    def by_rows(stretch: Stretch) -> float | None:
        sums = stretch.sums
        return sums.total / sums.rows if source.is_mean and sums.rows > sums.count else None

    def by_full_batches(stretch: Stretch) -> float | None:
        sums = stretch.sums
        rows = sums.count * sums.first_rows
        return sums.total / rows if source.is_mean and sums.first_rows > 1 and rows != sums.rows else None

    def times_rows(stretch: Stretch) -> float | None:
        sums = stretch.sums
        return sums.weighted / sums.count if sums.rows > sums.count and not source.counts else None

    def by_another(stretch: Stretch, off: int) -> float | None:
        sums = stretch.sums
        return sums.total / (sums.count + off) if sums.count > 2 and not source.counts else None

    by_batches = "divide by the number of batches ({count:,})"
    yield Wrong(
        "bug",
        total,
        "the sum over {count:,} batches",
        "The figure grows with the number of batches: it cannot be compared with another set, or after the batch size is changed.",
        by_batches,
    )
    for formula in (by_rows, by_full_batches):
        yield Wrong(
            "bug",
            formula,
            "the sum of {count:,} batch means divided by rows",
            "Each batch's loss is a mean over its rows already. Divided by rows once more it is too small by the size of a batch.",
            by_batches,
        )
    yield Wrong(
        "bug",
        times_rows,
        "a sum over {rows:,} rows divided by {count:,} batches",
        f"Each {noun} was multiplied by the rows of its batch, so the figure is too large by the size of a batch.",
        "divide by the number of rows ({rows:,})",
    )
    cost = "The last number that a loop counted is not how many batches there were."
    yield Wrong(
        "bug", lambda at: by_another(at, -1), "the sum over {count:,} batches divided by {off:,}", cost, by_batches
    )
    yield Wrong(
        "bug", lambda at: by_another(at, 1), "the sum over {count:,} batches divided by {beyond:,}", cost, by_batches
    )


def _of_counts() -> Iterator[Wrong]:
    """What is counted row by row, and divided by something that is not the number of rows."""

    def by_full_batches(stretch: Stretch) -> float | None:
        sums = stretch.sums
        rows = sums.count * sums.first_rows
        return sums.total / rows if sums.rows and rows > sums.rows and sums.count > 1 else None

    def by_batches(stretch: Stretch) -> float | None:
        sums = stretch.sums
        return sums.total / sums.count if sums.rows > sums.count > 1 else None

    fix = "divide by the number of rows ({rows:,}): len(dataset)"
    yield Wrong(
        "bug",
        by_full_batches,
        "a count divided by {full:,} rows ({count:,} full batches)",
        "The last batch is short: the divisor counts rows that are not there, and the figure comes out too low.",
        fix,
    )
    yield Wrong(
        "bug",
        by_batches,
        "a count of rows divided by {count:,} batches",
        "Rows were counted, and batches were divided by.",
        fix,
    )


def _never_set_back(source: Source, over: str) -> Iterator[Wrong]:
    def later(formula: Formula) -> Formula:
        return lambda stretch: formula(stretch) if stretch.previous else None

    def top(sums: Sums) -> float:
        return sums.total if source.counts else sums.weighted

    sum_kept: tuple[Formula, ...] = (
        lambda at: None if source.counts else at.so_far.total / at.sums.count,
        lambda at: _ratio(top(at.so_far), at.sums.rows),
    )
    count_kept: tuple[Formula, ...] = (
        lambda at: None if source.counts else at.sums.total / at.so_far.count,
        lambda at: _ratio(top(at.sums), at.so_far.rows),
    )
    both_kept: tuple[Formula, ...] = (
        lambda at: None if source.counts else at.so_far.mean,
        lambda at: _ratio(top(at.so_far), at.so_far.rows),
    )
    # A mean over all that is printed once, at the end, is what a cross-validation comes to.
    for formulas, what, cost, set_back, least in (
        (
            sum_kept,
            f"the sum over all {{number:,}} {over}s so far divided as if it were of one",
            f"The sum is never set back to zero: every {over} before is in it.",
            "the sum",
            1,
        ),
        (
            count_kept,
            f"the sum over one {over} divided by the batches of all {{number:,}} so far",
            f"The counter is never set back to zero: the figure falls from {over} to {over} even where nothing is learned.",
            "the counter",
            1,
        ),
        (
            both_kept,
            f"the mean over all {{number:,}} {over}s so far",
            f"Neither sum nor counter is set back to zero: the {over}s before hide what this one came to.",
            "sum and counter",
            2,
        ),
    ):
        for formula in formulas:
            fix = f"set {set_back} back to 0 at the beginning of each {over}"
            yield Wrong("bug", later(formula), what, cost, fix, least=least)


def _stale(source: Source, over: str) -> Iterator[Wrong]:
    cost = "It is an old figure: it says nothing of what has happened since."
    before: tuple[Formula, ...] = (
        lambda at: proper(at.previous, source) if at.previous else None,
        lambda at: at.previous.mean if at.previous else None,
        lambda at: at.previous.last if at.previous else None,
    )
    for formula in before:
        fix = f"print it after it has been worked out for this {over}"
        yield Wrong("bug", formula, f"that of the {over} before", cost, fix, needs_first=False, least=2)
    if source.kind == "training":
        yield Wrong(
            "bug",
            lambda at: at.so_far.first if at.so_far.count > 1 else None,
            "still the loss of the very first batch",
            cost,
            "work it out anew before it is printed",
            needs_first=False,
            least=2,
        )


BEFORE_UPDATE = Wrong(
    "note",
    lambda at: at.sums.last,
    "the loss from before the update",
    "The loss of a step is computed first, and the update follows: this is a figure of the parameters as they were.",
    "compute the loss once more after the update, or print it as the loss before the update",
)
"""The loss of a step under the name of what came after its update."""


def short_batch(stretch: Stretch) -> Wrong:
    """The mean of batch means where the last batch is short."""
    times = words.number(stretch.sums.first_rows / stretch.sums.last_rows)
    return Wrong(
        "note",
        lambda at: at.sums.mean,
        "a mean of batch means, and the last batch is short ({short:,} of {usual:,} rows)",
        f"Each row of the last batch counts {times} times as much as any other.",
        "add up loss.item() * len(x), and divide by the number of rows ({rows:,})",
    )


def _ratio(above: float, below: int) -> float | None:
    return above / below if below else None
