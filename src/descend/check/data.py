"""Faults of the data: D401 to D407. Here the order of the training rows; the others in the files beside this one."""

from collections.abc import Iterator, Sequence
from typing import Any

from descend.check import data_rows, data_sets, data_values, words
from descend.check.data_facts import (
    Loader,
    Values,
    call_on,
    firsts,
    given,
    impurity,
    is_recurrent,
    loaders,
    place_of_batch,
    sets,
    with_keyword,
)
from descend.check.evidence import Evidence
from descend.check.finding import Finding
from descend.check.rule import Rule
from descend.record.rows import FactRow

_PURE = 0.35  # of the labels' own impurity: batches below it are not mixed
_FEWEST = 4  # batches that are looked at


class SameOrder(Rule):
    """The training rows come in the same order in every epoch, perhaps sorted by class."""

    code = "D401"
    highest = "likely"
    name = "training rows come in the same order every epoch"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        by_set: dict[int, list[FactRow]] = {}
        for row in given(evidence):
            by_set.setdefault(row.values["set"], []).append(row)
        known = {one["number"]: one for one in sets(evidence, "training")}
        places = set()
        for number, rows in by_set.items():
            for finding in self._of_set(evidence, known.get(number), rows):
                if finding.where not in places:
                    places.add(finding.where)
                    yield finding

    def clean(self, evidence: Evidence) -> str:
        return "training rows come in a new order every epoch" if evidence.facts("given") else "no step was taken"

    def _of_set(self, evidence: Evidence, one: Values | None, rows: Sequence[FactRow]) -> Iterator[Finding]:
        loader = loaders(evidence).get(one["loader"]) if one is not None else None
        count = _count(one, loader, rows)
        size = rows[0].values["rows"]
        if count and size >= count:
            return  # every step sees every row
        why = _fixed(evidence, loader, rows)
        windows = one is not None and one["series"] == "windows"
        series = windows or (one is not None and one["series"] == "slow") or is_recurrent(evidence)
        pure = None if windows else _sorted(one, rows)
        if pure is not None and why:
            yield self._sorted_by_class(evidence, loader, rows, pure)
        elif why and not series and _epochs(evidence, loader, count, size) > 1:
            yield self._same(evidence, loader, rows, why)

    def _sorted_by_class(
        self, evidence: Evidence, loader: Loader | None, rows: Sequence[FactRow], pure: dict[str, Any]
    ) -> Finding:
        return Finding(
            code=self.code,
            level="likely",
            title=f"training rows are sorted by class: a batch holds {words.number(pure.pop('kinds'))} of {pure['classes']} classes on average",
            message="Each step pulls the model towards the classes of its own batch and away from the others, so that it forgets in one part "
            "of an epoch what it learnt in another.",
            evidence=pure,
            where=_place(evidence, loader, rows),
            step=rows[0].step,
            fix=_shuffled(evidence, loader, rows),
        )

    def _same(self, evidence: Evidence, loader: Loader | None, rows: Sequence[FactRow], why: str) -> Finding:
        facts: dict[str, Any] = {"order": why}
        if loader is not None:
            facts["passes over the rows"] = loader["trained"]
        return Finding(
            code=self.code,
            level="note",
            title="training rows come in the same order in every epoch",
            message="Every epoch repeats the same batches in the same order, so the steps lean the same way each time. A new order in every "
            "epoch usually trains better, and hides nothing when rows are sorted.",
            evidence=facts,
            where=_place(evidence, loader, rows),
            step=rows[0].step,
            fix=_shuffled(evidence, loader, rows),
        )


def _count(one: Values | None, loader: Loader | None, rows: Sequence[FactRow]) -> int:
    """How many rows there are to train on; 0 where that is not known."""
    if loader is not None:
        return int(loader["rows"])
    return (int(one["rows"]) if one is not None else 0) or max(row.values["of"] for row in rows)


def _epochs(evidence: Evidence, loader: Loader | None, count: int, size: int) -> float:
    """How often the rows were gone through."""
    if loader is not None:
        every = loaders(evidence).values()  # one may be made for each epoch on the same line
        return float(sum(each["trained"] for each in every if (each.file, each.line) == (loader.file, loader.line)))
    return len(evidence.steps) * size / count if count else 2.0


def _fixed(evidence: Evidence, loader: Loader | None, rows: Sequence[FactRow]) -> str:
    """In which fixed order the rows come; "" where none is seen."""
    if loader is not None and loader["order"] == "in order" and loader["rows"]:
        return "as they stand in the data set (shuffle is off)"
    if loader is not None and loader["reseeded"]:
        return "shuffled, with a generator that is put back before each pass"
    if loader is not None and loader["order"] == "shuffled":
        return ""
    slices = [row.values["start"] for row in rows if row.values["how"] == "slice"]
    if len(slices) >= 2 and len(set(slices)) > 1:
        return f"rows {slices[0]:,}, then {slices[1]:,} and on, as they stand"
    batches = firsts(evidence)
    seen: dict[tuple[int, ...], int] = {}
    again = []
    before: tuple[int, ...] = ()
    for row in rows:
        last, prints = before, batches[row.step].fingerprints if row.step in batches else ()
        before = prints
        if prints and prints == last:
            seen[prints] = row.step  # several models, or several updates, take each batch in turn
        elif prints and prints in seen:
            again.append((row.step - seen[prints], prints))
        elif prints:
            seen[prints] = row.step
    if len(again) >= _FEWEST and len({prints for _, prints in again}) > 1:
        return f"the same batches again after {min(steps for steps, _ in again):,} steps"
    if again and loader is not None and loader["order"] == "in order":
        return "as they stand in the data set (shuffle is off)"
    return ""


def _sorted(one: Values | None, rows: Sequence[FactRow]) -> dict[str, Any] | None:
    """Numbers of batches that hold fewer classes than the rows as a whole; None where they are mixed."""
    batches = [row.values["labels"] for row in rows if row.values["labels"]]
    every = dict(one["labels"]).get("classes") if one is not None and one["whole"] else None
    if every is None:
        union: dict[int, int] = {}
        for batch in batches:
            for label, count in batch:
                union[label] = union.get(label, 0) + count
        every = [[label, count] for label, count in union.items()]
    whole = impurity(every)
    size = sum(count for _, count in batches[0]) if batches else 0
    if len(batches) < _FEWEST or size < 4 or whole < 0.1 or len(every) > max(2, sum(c for _, c in every) // 8):
        return None
    mean = sum(map(impurity, batches)) / len(batches)
    if mean > _PURE * whole:
        return None
    alone = sum(len(batch) == 1 for batch in batches)
    return {
        "kinds": sum(map(len, batches)) / len(batches),
        "classes": len(every),
        "batches of one class only": f"{alone} of {len(batches)} that were looked at",
    }


def _place(evidence: Evidence, loader: Loader | None, rows: Sequence[FactRow]) -> Any:
    return loader.place(evidence) if loader is not None and loader.line else place_of_batch(evidence, rows[0])


def _shuffled(evidence: Evidence, loader: Loader | None, rows: Sequence[FactRow]) -> str:
    if loader is not None:
        if loader["reseeded"]:
            return "make the generator once, before the first epoch, and do not seed it again"
        if loader["iterable"]:
            return f"hand the rows out mixed: keep some hundred of them in __iter__ of {loader['dataset']} and draw from those"
        if loader["order"] == "in order":
            return with_keyword(call_on(evidence, loader.place(evidence)), "shuffle", "True") or "shuffle=True"
        return "draw a new order in every epoch"
    count = max(row.values["of"] for row in rows)
    return (
        f"at the start of each epoch: order = torch.randperm({count or 'len(x)'}); then take the rows order[start:stop]"
    )


RULES: tuple[type[Rule], ...] = (SameOrder, *data_rows.RULES, *data_sets.RULES, *data_values.RULES)
