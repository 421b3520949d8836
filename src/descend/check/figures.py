"""Printed figures that are not what they are called: D503."""

import ast
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.figures_sums import Source, Stretch, by_epoch, by_print, of_evaluations
from descend.check.figures_ways import (
    BEFORE_UPDATE,
    LAST_BATCH,
    Formula,
    Name,
    Wrong,
    proper,
    right_ways,
    short_batch,
    wrong_ways,
)
from descend.check.finding import CannotCheck, Finding
from descend.check.rule import Rule
from descend.record.rows import PrintedRow

_PRINTED, _AFTER, _IS, _MEAN = "printed", "after step", "which is", "mean of its batches"
_NEXT, _SHARE = "loss of the next step", "share of all rows"
_NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d+(?:[eE][-+]?\d+)?(?![\d.]*\w)")
_ANY_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_DIFFERENT = 0.02  # of what it should be: a figure closer to it misleads nobody
_SHORT_BATCH = 0.005  # the same where a short last batch makes the difference
_PROVEN = 6  # digits that have to agree in all lines together
_FEWEST = 4  # that have to agree at all
_PRECISION = 6  # digits that a number of single precision has
_MOST_LINES = 2_000  # of one place that are looked at


@dataclass(frozen=True, slots=True)
class _Shown:
    """One number of a printed line."""

    row: PrintedRow
    text: str
    value: float
    label: str  # what stands before it
    percent: bool  # a % follows

    @property
    def digits(self) -> int:
        """Significant digits, as far as a number of single precision has them."""
        plain = self.text.lower().partition("e")[0].lstrip("-").replace(".", "").lstrip("0")
        return min(len(plain), _PRECISION)

    def agrees(self, value: float) -> bool:
        """Whether it is this value, or as many percent, rounded as it was printed."""
        return self._is(value) or (self.percent and self._is(100 * value))

    def _is(self, value: float) -> bool:
        if not (math.isfinite(self.value) and math.isfinite(value)):
            return False
        mantissa, _, exponent = self.text.lower().partition("e")
        unit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
        return abs(self.value - value) <= 0.5001 * unit + 1e-6 * abs(value)


Pairs = Sequence[tuple[_Shown, Stretch]]


class NotWhatItSays(Rule):
    """A printed loss or accuracy is a sum, is divided by the wrong number, is an old one, or is of one batch alone."""

    code = "D503"
    highest = "bug"
    name = "a printed figure is not what its name says"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        if not len(evidence.steps):
            raise CannotCheck("no step was taken")
        if not evidence.printed:
            raise CannotCheck("the script printed nothing")
        epochs = by_epoch(evidence)
        evaluations = list(of_evaluations(evidence))
        printed: dict[tuple[int, ...], Source] = {}
        said: set[tuple[str | None, int | None]] = set()
        for series in _series(evidence):
            place = (series[0].row.file, series[0].row.line)
            if place in said:
                continue
            steps = tuple(shown.row.step for shown in series)
            if epochs is not None and all(step in epochs.stretches for step in steps):
                losses = epochs
            else:
                losses = printed[steps] = printed.get(steps) or by_print(evidence, steps)
            finding = _examine(evidence, series, [losses, *evaluations])
            if finding is not None:
                said.add(place)
                yield finding

    def clean(self, evidence: Evidence) -> str:
        number = len(evidence.printed)
        return f"no printed figure is another than its name says ({number:,} line{'s' if number > 1 else ''})"


def last_batch(findings: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The printed loss that is the last batch's and not its epoch's, from findings as JSON: ``text``, ``step``, ``mean``, ``file``,
    ``line``; None where there is none."""
    for each in findings:
        evidence = each["evidence"]
        if each["code"] == NotWhatItSays.code and evidence.get(_IS) == LAST_BATCH:
            where = each["where"] or {}
            told = {"text": evidence[_PRINTED], "step": evidence[_AFTER], "mean": evidence[_MEAN]}
            return told | {"file": where.get("file"), "line": where.get("line")}
    return None


def _series(evidence: Evidence) -> list[list[_Shown]]:
    """The numbers that stand at the same place of lines that are alike, in their order."""
    found: defaultdict[tuple[str | None, int | None, str, int], list[_Shown]] = defaultdict(list)
    for row in evidence.printed:
        alike, end = _ANY_NUMBER.sub("#", row.text), 0
        for position, match in enumerate(_NUMBER.finditer(row.text)):
            label, end = row.text[end : match.start()], match.end()
            percent = row.text[end : end + 2].lstrip().startswith("%")
            series = found[row.file, row.line, alike, position]
            if row.step > 0 and len(series) < _MOST_LINES and (not series or series[-1].row.step < row.step):
                series.append(_Shown(row, match[0], float(match[0]), label, percent))
    return [series for series in found.values() if series]


def _examine(evidence: Evidence, series: Sequence[_Shown], sources: Sequence[Source]) -> Finding | None:
    """What is wrong with the numbers of one place of a line; None where they are right, or where nobody knows what they are."""
    name = _name_of(evidence, series[0])
    shares = name.percent or name.is_share  # which no loss is
    known = [
        (each, pairs)
        for each in sources
        if (pairs := _pairs(series, each)) and not (shares and each.kind == "training")
    ]
    if name.is_after_update and (finding := _of_before_update(evidence, known)) is not None:
        return finding
    for source, pairs in known:
        if any(_all_are(pairs, formula) for formula in right_ways(source, name)):
            plain = _all_are(pairs, lambda stretch: stretch.sums.mean)
            return _of_short_batches(evidence, source, pairs) if plain else None
    for source, pairs in known:
        for wrong in wrong_ways(source, name):
            if not _may_be(pairs[-1], wrong.formula):
                continue
            applies = [(shown, stretch) for shown, stretch in pairs if _value(wrong.formula, stretch) is not None]
            if not applies or not _all_are(applies, wrong.formula):
                continue
            first = [pair for pair in pairs if pair not in applies]
            if wrong.needs_first and not any(_all_are(first, each) for each in right_ways(source, name)):
                continue
            telling = [pair for pair in applies if _misleads(*pair, source)]
            digits = sum(shown.digits for shown, _ in telling)
            if len(telling) < wrong.least:
                continue
            if digits >= _FEWEST and 2 * len(telling) >= len(applies):
                finding = _finding(evidence, source, telling, wrong)
                return finding if digits >= _PROVEN else finding.at_most("likely")
    return None


def _pairs(series: Sequence[_Shown], source: Source) -> Pairs:
    """Each number with the batches it would speak of; nothing where it is printed at other steps too."""
    found = [(shown, source.stretches[shown.row.step]) for shown in series if shown.row.step in source.stretches]
    return found if len(found) == len(series) else []


def _all_are(pairs: Pairs, formula: Formula) -> bool:
    return all((value := _value(formula, stretch)) is not None and shown.agrees(value) for shown, stretch in pairs)


def _may_be(pair: tuple[_Shown, Stretch], formula: Formula) -> bool:
    """Whether the last number, which every formula applies to if to any, agrees: most are done with here."""
    value = _value(formula, pair[1])
    return value is not None and pair[0].agrees(value)


def _value(formula: Formula, stretch: Stretch) -> float | None:
    try:
        return formula(stretch)
    except (ZeroDivisionError, OverflowError):
        return None


def _misleads(shown: _Shown, stretch: Stretch, source: Source) -> bool:
    """Whether the number is far enough from what it should be."""
    should = proper(stretch.sums, source)
    value = shown.value / 100 if shown.percent else shown.value
    near = min(abs(value - should), abs(shown.value - should))
    return math.isfinite(should) and near > _DIFFERENT * abs(should) and not shown.agrees(should)


def _of_short_batches(evidence: Evidence, source: Source, pairs: Pairs) -> Finding | None:
    """The means of batch means among them that a short last batch moves by enough to be seen."""
    moved = [
        (shown, stretch)
        for shown, stretch in pairs
        if 0 < stretch.sums.last_rows < stretch.sums.first_rows
        and not source.counts
        and not shown.agrees(stretch.sums.mean_of_rows)
        and abs(stretch.sums.mean - stretch.sums.mean_of_rows) > _SHORT_BATCH * abs(stretch.sums.mean_of_rows)
    ]
    if 2 * len(moved) < len(pairs) or not moved or sum(shown.digits for shown, _ in moved) < _FEWEST:
        return None
    last = moved[-1][1]
    return _finding(evidence, source, moved, short_batch(last), last.sums.mean_of_rows, "mean of its rows")


def _of_before_update(evidence: Evidence, known: Sequence[tuple[Source, Pairs]]) -> Finding | None:
    """A loss that is called one after the update, and is the last one that was computed before it."""
    for source, pairs in known:
        if source.kind == "training" and _all_are(pairs, BEFORE_UPDATE.formula):
            losses = evidence.steps.loss
            moved = [(s, at) for s, at in pairs if at.step < len(losses) and not s.agrees(losses[at.step])]
            if moved and 2 * len(moved) >= len(pairs) - 1 and sum(s.digits for s, _ in moved) >= _FEWEST:
                return _finding(evidence, source, moved, BEFORE_UPDATE, losses[moved[-1][1].step], _NEXT)
    return None


def _finding(
    evidence: Evidence,
    source: Source,
    telling: Pairs,
    wrong: Wrong,
    should: float | None = None,
    called: str = _MEAN,
) -> Finding:
    """``should``: what the last figure should be, and what that is ``called``, where it is not the mean of the batches."""
    shown, stretch = telling[-1]
    if should is None:
        should, called = proper(stretch.sums, source), _SHARE if source.counts else called
    what, unit = wrong.said(wrong.what, stretch), " %" if shown.percent else ""
    meant = "the next step began at" if called == _NEXT else "it should be"
    facts: dict[str, Any] = {
        _PRINTED: f"{shown.text}{unit}",
        _AFTER: shown.row.step,
        _IS: what,
        called: should,
    }
    if len(telling) > 1:
        facts["the same in"] = f"{len(telling):,} printed lines"
    return Finding(
        code=NotWhatItSays.code,
        level=wrong.level,
        title=f"the printed {shown.text}{unit} is {what}; {meant} {_like(shown, should)}",
        message=wrong.cost,
        evidence=facts,
        where=evidence.place(shown.row.file, shown.row.line),
        step=telling[0][0].row.step,
        fix=wrong.said(wrong.fix, stretch),
    )


def _like(shown: _Shown, value: float) -> str:
    return f"{words.number(100 * value)} %" if shown.percent else words.number(value)


def _name_of(evidence: Evidence, shown: _Shown) -> Name:
    """The words before a number; where there are none, those of the line that printed it."""
    label = shown.label if any(each.isalpha() for each in shown.label) else ""
    if not re.search("[a-z]", _ANY_NUMBER.sub("", label.lower()).replace("epoch", "").replace("tensor", "")):
        label += " " + _identifiers(evidence, shown.row)
    return Name(label.lower().replace("_", " "), _ANY_NUMBER.sub("", shown.row.text).lower(), shown.percent)


def _identifiers(evidence: Evidence, row: PrintedRow) -> str:
    statement = evidence.statement(row.file, row.line) if row.file and row.line else None
    names = [node.id for node in ast.walk(statement) if isinstance(node, ast.Name)] if statement is not None else []
    return " ".join(names)


RULES: tuple[type[Rule], ...] = (NotWhatItSays,)
