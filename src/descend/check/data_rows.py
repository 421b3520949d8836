"""Which rows an epoch takes: some left out or taken twice (D403), workers that repeat each other's (D405)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from descend.check import words
from descend.check.data_facts import (
    Loader,
    accumulates,
    call_on,
    firsts,
    given,
    loaders,
    period,
    place_of_batch,
    sets,
    with_keyword,
)
from descend.check.evidence import Evidence
from descend.check.finding import Finding
from descend.check.rule import Rule
from descend.record.rows import FactRow

_REPEATS = 3  # batches of one worker that another hands out again


class RowsLeftOut(Rule):
    """The last rows are never trained on, or an epoch counts rows twice."""

    code = "D403"
    highest = "note"
    name = "an epoch leaves rows out, or takes rows twice"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        known = {one["number"]: one for one in sets(evidence, "training")}
        trained = [each for each in loaders(evidence).values() if each["trained"]]
        for loader in trained:
            yield from self._of_loader(evidence, loader, only=len(trained) == 1)
        by_set: dict[int, list[FactRow]] = {}
        for row in given(evidence):
            if row.values["how"] in ("slice", "listed"):
                by_set.setdefault(row.values["set"], []).append(row)
        if len(trained) == 1:
            yield from self._twice(evidence, trained[0])
        for number, rows in by_set.items():
            one = known.get(number)
            if one is not None and not one["loader"] and one["series"] != "windows":
                yield from self._of_slices(evidence, rows)

    def clean(self, evidence: Evidence) -> str:
        return "every epoch takes every row once, as far as its rows could be followed"

    def _of_loader(self, evidence: Evidence, loader: Loader, *, only: bool) -> Iterator[Finding]:
        rows, size = loader["rows"], loader["batch_size"]
        if loader["order"] not in ("in order", "shuffled") or not rows or not size or loader["reseeded"]:
            return
        left = rows % size
        if loader["drop_last"] and loader["order"] == "in order" and left:
            yield self._never(
                evidence,
                rows,
                left,
                loader.place(evidence),
                None,
                with_keyword(call_on(evidence, loader.place(evidence)), "drop_last", "False"),
            )
        if only and not loader["drop_last"] and not accumulates(evidence):
            taken = _rows_by_epoch(evidence)
            short = [count for _, count in taken if count < rows]
            if len(short) >= 2 and len(short) == len(taken) and rows - max(short) >= 1:
                yield Finding(
                    code=self.code,
                    level="note",
                    title=f"each epoch trains on {max(short):,} of {rows:,} rows",
                    message="The loop ends its pass before the loader does: the rows that are left are read and not used, or not read at all."
                    + (" They are the same rows in every epoch." if loader["order"] == "in order" else ""),
                    evidence={"rows in the set": rows, "trained on in an epoch": max(short), "epochs": len(taken)},
                    where=loader.place(evidence),
                    step=None,
                    fix="let the loop run until the loader ends",
                )

    def _twice(self, evidence: Evidence, loader: Loader) -> Iterator[Finding]:
        """From the rows that were seen in the first pass: whether each comes up several times in it."""
        one = next((each for each in sets(evidence, "training") if each["loader"] == loader["number"]), None)
        if loader["order"] not in ("in order", "shuffled") or loader["workers"] or one is None or one["rows"]:
            return
        epochs = dict(zip(evidence.steps.step, evidence.steps.epoch, strict=True))
        batches = {step: row for step, row in firsts(evidence).items() if epochs.get(step) == 1}
        prints = [each for row in batches.values() for each in row.fingerprints]
        often = Counter(prints)
        again = len(prints) - len(often)
        kinds = (one.get("inputs") or {}).get("kinds") or [0]
        if (
            again < 0.2 * len(prints)
            or len(prints) < 64
            or any(kinds)
            or max(often.values()) > 3 * again / len(often) + 3
        ):
            return
        yield Finding(
            code=self.code,
            level="note",
            title=f"one epoch takes rows twice: {again:,} of the {len(prints):,} rows that were looked at had come before",
            message="What is called an epoch is more than one pass over the rows: figures by epoch, and schedules that count epochs, are off.",
            evidence={
                "rows looked at in the first epoch": len(prints),
                "different ones": len(often),
                "the most often": f"{max(often.values())} times",
            },
            where=loader.place(evidence),
            step=max(batches),
            fix=f"let __len__ of {loader['dataset']} say how many different rows there are",
        )

    def _of_slices(self, evidence: Evidence, rows: Sequence[FactRow]) -> Iterator[Finding]:
        count, listed = rows[0].values["of"], rows[0].values["how"] == "listed"
        taken = [(row.step, row.values["start"], row.values["stop"]) for row in rows if row.values["of"] == count]
        strides = [
            after[1] - before[1]
            for before, after in pairwise(taken)
            if after[0] == before[0] + 1 and after[1] > before[1]
        ]
        if not strides or max(strides) != min(strides):
            return
        stride, size = strides[0], max(stop - start for _, start, stop in taken)
        place = place_of_batch(evidence, rows[0])
        if stride < size:
            yield Finding(
                code=self.code,
                level="note",
                title=f"batches overlap: {size - stride:,} of {size:,} rows of each batch are also in the next",
                message=f"The start moves on by {stride:,} rows and a batch takes {size:,}, so an epoch counts most rows {words.number(size / stride)} times.",
                evidence={"first batches": [f"rows {start:,}–{stop - 1:,}" for _, start, stop in taken[:3]]},
                where=place,
                step=rows[0].step,
                fix=f"move on by as many rows as a batch takes: {size:,}",
            )
            return
        last = _last_row(taken, stride, count)
        if last is not None and last < count and stride == size:
            yield self._never(evidence, count, count - last, place, rows[0].step, "", listed=listed)

    def _never(
        self, evidence: Evidence, rows: int, left: int, place: Any, step: int | None, fix: str, *, listed: bool = False
    ) -> Finding:
        which = "each epoch leaves out" if listed else "the last rows are never trained on:"
        return Finding(
            code=self.code,
            level="note",
            title=f"{which} {left:,} of {rows:,} rows",
            message=(
                "Which rows they are changes with the order of each epoch."
                if listed
                else "They are the same rows in every epoch, and the model learns nothing from them."
            ),
            evidence={"rows in the set": rows, "trained on in an epoch": rows - left},
            where=place,
            step=step,
            fix=fix or f"let the last batch be shorter: range(0, {rows}, batch_size)",
        )


class RepeatedByWorkers(Rule):
    """The worker processes of a loader hand out the same rows."""

    code = "D405"
    highest = "likely"
    name = "workers of a loader repeat each other's rows"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        known = {one["number"]: one for one in sets(evidence, "training")}
        working = [each for each in loaders(evidence).values() if each["trained"] and each["workers"] > 1]
        if not working:
            return
        batches = firsts(evidence)
        by_loader: dict[int, list[int]] = {}
        for row in given(evidence):
            one = known.get(row.values["set"])
            if one is not None and row.step in batches:
                by_loader.setdefault(one["loader"], []).append(row.step)
        for loader in working:
            prints = {step: batches[step].fingerprints for step in by_loader.get(loader["number"], ())}
            repeated = _repeated(prints, loader["workers"])
            if len(repeated) >= _REPEATS and len(repeated) >= 0.3 * len(prints):
                yield self._finding(evidence, loader, repeated, len(prints))

    def clean(self, evidence: Evidence) -> str:
        return (
            "no loader has several workers"
            if not any(each["workers"] > 1 for each in loaders(evidence).values())
            else "the workers hand out different rows"
        )

    def _finding(self, evidence: Evidence, loader: Loader, repeated: list[tuple[int, int]], looked: int) -> Finding:
        workers = loader["workers"]
        first, again = repeated[0]
        kind = (
            "each worker goes through all of the rows"
            if loader["iterable"]
            else "each worker draws the same random numbers"
        )
        fix = (
            f"in __iter__ of {loader['dataset']}, take every {workers}th row: see torch.utils.data.get_worker_info()"
            if loader["iterable"]
            else f"seed {loader['dataset']} in each worker: worker_init_fn, or torch.initial_seed() inside __getitem__"
        )
        return Finding(
            code=self.code,
            level="likely",
            title=f"{workers} workers hand out the same batches: step {again} repeats step {first}, and {len(repeated) - 1} more",
            message=f"The loader has {workers} worker processes, and {kind}: the model sees each row up to {workers} times as often as it should.",
            evidence={
                "batches that repeat one before": f"{len(repeated)} of {looked} that were looked at",
                "workers": workers,
            },
            where=loader.place(evidence),
            step=again,
            fix=fix,
        )


def _rows_by_epoch(evidence: Evidence) -> list[tuple[int, int]]:
    """How many rows the steps of each epoch had, where all of them are known."""
    found: dict[int, int] = {}
    for epoch, rows in zip(evidence.steps.epoch, evidence.steps.rows, strict=True):
        found[epoch] = found.get(epoch, 0) + rows
    return list(found.items())


def _last_row(taken: Sequence[tuple[int, int, int]], stride: int, count: int) -> int | None:
    """The row at which an epoch of slices ends; None where its end was not seen."""
    ends = [before[2] for before, after in pairwise(taken) if after[0] == before[0] + 1 and after[1] < before[1]]
    if ends:
        return int(max(ends))
    steps = period([(step, start) for step, start, _ in taken], stride)
    fits = [each for each in {count // stride, -(-count // stride)} if each and steps and steps % each == 0]
    return int(min(count, fits[0] * stride)) if len(fits) == 1 else None


def _repeated(prints: dict[int, tuple[int, ...]], workers: int) -> list[tuple[int, int]]:
    """Pairs of steps, at most as far apart as there are workers, whose batches are the same."""
    found = []
    for step, own in prints.items():
        for before in range(step - workers + 1, step):
            if before in prints and len(own) > 1 and len(set(own) & set(prints[before])) >= 0.9 * len(set(own)):
                found.append((before, step))
                break
    return found


RULES: tuple[type[Rule], ...] = (RowsLeftOut, RepeatedByWorkers)
