"""What was measured, as a person reads it: aligned text, or Markdown inside a page; and as JSON values."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from child import Sample
from jobs import Job, Target

Samples = dict[str, list[Sample]]  # contender → one for each round
Rows = list[list[str]]
BEGIN, END = "<!-- figures: benchmarks/train.py --write -->", "<!-- end of figures -->"  # of train.py; others alike


def values_of(target: Target, samples: Samples) -> list[float]:
    """The target's figure in each round; empty where a contender is missing."""
    if not samples.get(target.of) or (target.over and not samples.get(target.over)):
        return []
    of = [getattr(sample, target.measure) for sample in samples[target.of]]
    if target.over is None:
        return of
    over = [getattr(sample, target.measure) for sample in samples[target.over]]
    return [first / second for first, second in zip(of, over, strict=True)]


def result(job: Job, samples: Samples) -> dict[str, Any]:
    """A job's samples and targets as JSON values."""
    targets = [(target, values_of(target, samples)) for target in job.targets]
    return {
        "job": job.key,
        "title": job.title,
        "epochs": job.epochs or None,
        "contenders": {name: [asdict(sample) for sample in found] for name, found in samples.items()},
        "targets": [
            {
                "measure": target.measure,
                "of": target.of,
                "over": target.over,
                "at_least" if target.at_least else "at_most": target.bound,
                "rounds": values,
                "median": median(values) if values else None,
                "met": target.is_met(median(values)) if values else None,
            }
            for target, values in targets
        ],
    }


def table(job: Job, samples: Samples) -> str:
    """A job for the terminal: a row for each contender, then a row for each target."""
    return _page(job, samples, aligned)


def markdown(job: Job, samples: Samples) -> str:
    """The same in Markdown."""
    return "### " + _page(job, samples, markdown_table)


def write_into(page: Path, text: str, *, of: str = "train.py") -> None:
    """Put ``text`` between the two marks that ``page`` has for the figures ``of`` a script."""
    mark = BEGIN.replace("train.py", of)
    before, begin, rest = page.read_text(encoding="utf-8").partition(mark)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no place for figures: it needs the lines {mark} and {END}")
    page.write_text(f"{before}{mark}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def _page(job: Job, samples: Samples, lay_out: Callable[[Rows], str]) -> str:
    parts = [f"{job.key} · {job.title}", lay_out(_contenders(job, samples))]
    targets = _targets(job, samples)
    return "\n\n".join([*parts, lay_out(targets)] if len(targets) > 1 else parts)


def _contenders(job: Job, samples: Samples) -> Rows:
    first = next(iter(samples))
    rows = [["", "s/epoch", f"÷ {first}", "wall s", "processor s", "peak MB", "score"]]
    for name, found in samples.items():
        typical = {key: _median(found, key) for key in ("seconds", "wall", "processor", "peak_mb", "score")}
        rows.append(
            [
                job.contenders[name],
                _number(typical["seconds"], 3),
                _number(_median_ratio(found, samples[first]), 2),
                _number(typical["wall"], 2),
                _number(typical["processor"], 2),
                _number(typical["peak_mb"], 0),
                _number(typical["score"], 4),
            ]
        )
    used = range(7) if job.epochs else (0, 3, 4, 5)
    return [[row[column] for column in used] for row in rows]


def _targets(job: Job, samples: Samples) -> Rows:
    rows = [["target", "median", "rounds", "wanted", ""]]
    for target in job.targets:
        values = values_of(target, samples)
        if values:
            typical = median(values)
            spread = f"{short(min(values))} to {short(max(values))}"
            met = "met" if target.is_met(typical) else "missed"
            rows.append([target.text, short(typical), spread, target.bound_text, met])
    return rows


def _median(samples: Sequence[Sample], measure: str) -> float | None:
    values = [getattr(sample, measure) for sample in samples]
    return None if None in values else median(values)


def _median_ratio(samples: Sequence[Sample], base: Sequence[Sample]) -> float | None:
    """The median over the rounds of seconds an epoch divided by those of ``base``."""
    if any(sample.seconds is None for sample in (*samples, *base)):
        return None
    return median(a.seconds / b.seconds for a, b in zip(samples, base, strict=True))


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def short(value: float) -> str:
    """Three digits, more or less."""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def aligned(rows: Rows) -> str:
    """Columns as wide as their widest cell: words on the left, numbers on the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  " + "   ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows
    )


def markdown_table(rows: Rows) -> str:
    """The same in Markdown."""
    head, *others = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|".join(["", " --- ", *[" ---: "] * (len(rows[0]) - 1), ""]), *others])
