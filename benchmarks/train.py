"""Times descend beside the loops that people write instead: alternating, each in a fresh process.

Usage: python benchmarks/train.py [A] [C] [D] [start] [--rounds N] [--threads N] [--without NAME ...] [--rows N] [--json]

All jobs where none is named. docs/benchmarks.md says what each is and what is measured.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from child import Sample, run
from jobs import JOBS, Job, Target

Samples = dict[str, list[Sample]]  # contender → one for each round


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the jobs that were asked for, and print a table of each, or one JSON object."""
    parser = argparse.ArgumentParser(description="Time descend beside the loops that people write instead.")
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"{', '.join(JOBS)}; all of them where none is named")
    parser.add_argument("--rounds", type=int, default=3, help="how often each contender runs (3)")
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of the plain PyTorch loops (1, as descend chooses)"
    )
    parser.add_argument("--without", nargs="+", default=[], metavar="NAME", help="contenders to leave out")
    parser.add_argument("--rows", type=int, help="cut the data short, to see whether everything runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.jobs if name not in JOBS]
    if unknown:
        parser.error(f"there is no job {', '.join(unknown)}; the jobs are {', '.join(JOBS)}")
    if given.rounds < 1:
        parser.error("--rounds takes a number from 1 up")

    results = []
    print_now = sys.stderr if given.json else sys.stdout
    print(f"{_machine_text(machine())} · medians of {given.rounds} rounds", file=print_now)
    for job in (job for name in given.jobs or JOBS for job in JOBS[name]):
        contenders = [name for name in job.contenders if name not in given.without and _is_here(name)]
        samples = measure(job, contenders, given.rounds, threads=given.threads, rows=given.rows)
        results.append(result(job, samples))
        print("\n" + "\n".join(table(job, samples)), file=print_now, flush=True)
    if given.json:
        print(
            json.dumps(
                {
                    "machine": machine(),
                    "rounds": given.rounds,
                    "threads": given.threads,
                    "rows": given.rows,
                    "jobs": results,
                }
            )
        )


def measure(job: Job, contenders: Sequence[str], rounds: int, *, threads: int = 1, rows: int | None = None) -> Samples:
    """Every contender once a round, in turn; every other round backwards, so that nobody always follows the same one."""
    samples: Samples = {name: [] for name in contenders}
    for number in range(rounds):
        for name in contenders if number % 2 == 0 else reversed(contenders):
            _say(f"{job.key}, round {number + 1} of {rounds}: {name} …")
            with tempfile.TemporaryDirectory() as folder:
                command = job.command(name, threads=threads, rows=rows)
                samples[name].append(run(command, {"DESCEND_RUNS": folder}))
    _say("")
    return samples


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


def table(job: Job, samples: Samples) -> list[str]:
    """The lines that a person reads: a row for each contender, then a row for each target."""
    first = next(iter(samples))
    rows = [["", "s/epoch", f"÷ {first}", "wall s", "processor s", "peak MB", "score"]]
    for name, found in samples.items():
        typical = {key: _median(found, key) for key in ("seconds", "wall", "processor", "peak_mb", "score")}
        ratio = _median_ratio(found, samples[first])
        rows.append(
            [
                job.contenders[name],
                _number(typical["seconds"], 3),
                _number(ratio, 2),
                _number(typical["wall"], 2),
                _number(typical["processor"], 2),
                _number(typical["peak_mb"], 0),
                _number(typical["score"], 4),
            ]
        )
    used = range(7) if job.epochs else (0, 3, 4, 5)
    lines = [f"{job.key} · {job.title}", "", *_aligned([[row[column] for column in used] for row in rows]), ""]
    verdicts = [["target", "median", "rounds", "wanted", ""]]
    for target in job.targets:
        values = values_of(target, samples)
        if values:
            typical_value = median(values)
            spread = f"{_short(min(values))} to {_short(max(values))}"
            met = "met" if target.is_met(typical_value) else "missed"
            verdicts.append([target.text, _short(typical_value), spread, target.bound_text, met])
    return lines + (_aligned(verdicts) if len(verdicts) > 1 else [])


def machine() -> dict[str, Any]:
    """Where this was measured."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": version("torch"),
    }


def _machine_text(found: dict[str, Any]) -> str:
    cores = f"{found['cores']} core{'' if found['cores'] == 1 else 's'}"
    return f"{found['processor']}, {cores} · {found['system']} · Python {found['python']} · torch {found['torch']}"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _is_here(contender: str) -> bool:
    return contender != "jax" or find_spec("jax") is not None


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


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell: words on the left, numbers on the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  "
        + "   ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    ]


def _say(text: str) -> None:
    """What is running now, on a line that is written over; only where somebody watches."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


if __name__ == "__main__":
    main()
