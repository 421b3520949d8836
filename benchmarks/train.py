"""Times descend beside the loops that people write instead: alternating, each in a fresh process.

Usage: python benchmarks/train.py [A] [C] [D] [start] [--rounds N] [--threads N] [--without NAME ...]
                                  [--rows N] [--json] [--write PAGE]

All jobs where none is named. docs/benchmarks.md says what each is and what is measured.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from child import run
from jobs import JOBS, Job
from machine import machine, machine_text
from progress import say
from tables import Samples, markdown, result, table, write_into


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
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into this page of Markdown as well")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.jobs if name not in JOBS]
    if unknown:
        parser.error(f"there is no job {', '.join(unknown)}; the jobs are {', '.join(JOBS)}")
    if given.rounds < 1:
        parser.error("--rounds takes a number from 1 up")

    shown_on = sys.stderr if given.json else sys.stdout
    heading = f"{machine_text(machine())} · medians of {given.rounds} rounds"
    print(heading, file=shown_on)
    results, pages = [], [f"{heading}."]
    for job in (job for name in given.jobs or JOBS for job in JOBS[name]):
        contenders = [name for name in job.contenders if name not in given.without and _is_here(name)]
        samples = measure(job, contenders, given.rounds, threads=given.threads, rows=given.rows)
        results.append(result(job, samples))
        pages.append(markdown(job, samples))
        print(f"\n{table(job, samples)}", file=shown_on, flush=True)
    if given.write:
        write_into(given.write, "\n\n".join(pages))
    if given.json:
        options = {"rounds": given.rounds, "threads": given.threads, "rows": given.rows}
        print(json.dumps({"machine": machine(), **options, "jobs": results}))


def measure(job: Job, contenders: Sequence[str], rounds: int, *, threads: int = 1, rows: int | None = None) -> Samples:
    """Every contender once a round, in turn; every other round backwards, so that nobody always follows the same one."""
    samples: Samples = {name: [] for name in contenders}
    for number in range(rounds):
        for name in contenders if number % 2 == 0 else reversed(contenders):
            say(f"{job.key}, round {number + 1} of {rounds}: {name} …")
            with tempfile.TemporaryDirectory() as folder:
                command = job.command(name, threads=threads, rows=rows)
                samples[name].append(run(command, {"DESCEND_RUNS": folder}))
    say("")
    return samples


def _is_here(contender: str) -> bool:
    return contender != "jax" or find_spec("jax") is not None


if __name__ == "__main__":
    main()
