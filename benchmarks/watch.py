"""Times training scripts with and without ``descend run`` around them: alternating, each in a fresh process.

Usage: python benchmarks/watch.py [PROGRAM ...] [--rounds N] [--steps N] [--json] [--write PAGE]

All programs of watch_programs/ where none is named. docs/benchmarks.md says what is measured.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import watched
from child import ChildFailedError, finish
from machine import machine, machine_text
from progress import say
from tables import write_into
from watched import FAST, PROGRAMS, START, Pair, Run

HERE = Path(__file__).resolve().parent


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the programs that were asked for, and print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description="Time training scripts with and without descend run around them.")
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help=f"{', '.join([*PROGRAMS, START])}; default: all")
    parser.add_argument("--rounds", type=int, default=5, help="how often each program runs in each way (5)")
    parser.add_argument("--steps", type=int, help="cut the trainings short, to see whether everything runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page of Markdown as well")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.programs if name not in (*PROGRAMS, START)]
    if unknown:
        parser.error(f"there is no program {', '.join(unknown)}; the programs are {', '.join([*PROGRAMS, START])}")
    names = given.programs or [*PROGRAMS, START]
    if FAST in names and find_spec("torchvision") is None:
        if given.programs:
            parser.error(f"{FAST} needs torchvision, which is not installed")
        print(f"{FAST} is left out: torchvision is not installed", file=sys.stderr)
        names.remove(FAST)
    if given.rounds < 1:
        parser.error("--rounds takes a number from 1 up")
    if given.steps is not None and given.steps <= watched.FIRST:
        parser.error(f"--steps takes a number from {watched.FIRST + 1} up: the first {watched.FIRST} do not count")

    shown_on = sys.stderr if given.json else sys.stdout
    heading = f"{machine_text(machine())} · medians of {given.rounds} rounds"
    print(heading, file=shown_on, flush=True)
    found = {name: measure(name, given.rounds, given.steps) for name in names}
    print(f"\n{watched.text(found)}", file=shown_on)
    if given.write:
        write_into(given.write, f"{heading}.\n\n{watched.markdown(found)}", of="watch.py")
    if given.json:
        pairs = {name: [asdict(pair) for pair in pairs] for name, pairs in found.items()}
        print(json.dumps({"machine": machine(), "rounds": given.rounds, "programs": pairs}))


def measure(name: str, rounds: int, steps: int | None = None) -> list[Pair]:
    """A program plainly and watched, once each a round; every other round the other way round."""
    pairs = []
    for number in range(rounds):
        ways = watched.ways_of(name)
        runs = {}
        for way in ways if number % 2 == 0 else reversed(ways):
            say(f"{name}, round {number + 1} of {rounds}: {way} …")
            runs[way] = run_once(name, way, steps)
        scores = {way: run.score for way, run in runs.items()}
        if len(set(scores.values())) > 1:
            raise ChildFailedError(f"{name} does not end with the same loss: {scores}")
        pairs.append(Pair(runs["plain"], runs["watched"], runs.get("fast")))
    say("")
    return pairs


def run_once(name: str, way: str, steps: int | None = None) -> Run:
    """One process; what it printed of its steps and, where it was watched, what the report says that watching cost."""
    script = str(HERE / "watch_programs" / f"{name}.py")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        watching = [] if way == "plain" else ["-m", "descend", "run", "--quiet", "--json", str(report)]
        fast = ["--fast"] if way == "fast" else []
        environment = {"DESCEND_RUNS": folder, "PYTHONPATH": str(HERE), "BENCHMARK_STEPS": str(steps or 0)}
        process = finish([sys.executable, *watching, *fast, script], environment)
        said = json.loads(process.printed) if process.printed else {}
        cost = json.loads(report.read_text(encoding="utf-8"))["cost"]["seconds"] if report.exists() else None
    return Run(
        steps=said.get("steps"),
        seconds=said.get("seconds"),
        processor=said.get("processor"),
        score=said.get("score"),
        whole=said.get("whole"),
        started=said.get("started"),
        wall=process.wall,
        processor_wall=process.processor,
        peak_mb=process.peak_mb,
        told=cost,
        each=tuple(said.get("each", ())),
    )


if __name__ == "__main__":
    main()
