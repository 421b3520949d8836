"""Runs one contender of one job in this process and prints what came of it as one JSON object: a Measured, or descend's report.

Usage: python contender.py JOB CONTENDER EPOCHS [--threads N] [--rows N]      (train.py starts it)
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any


def compete(job: str, contender: str, epochs: int, *, threads: int = 1, rows: int | None = None) -> dict[str, Any]:
    """What the contender measured. Each imports only what it needs itself: imports are part of what is timed.

    threads: of one operation in the plain PyTorch loops; descend chooses its own, JAX takes what there is. rows: cut the data.
    """
    match contender:
        case "descend":
            import loops_descend

            return loops_descend.LOOPS[job](epochs, rows).report
        case "jax":
            import loops_jax

            return asdict(loops_jax.LOOPS[job](epochs, rows))
        case "by hand":
            from loops_by_hand import table_by_hand

            return asdict(table_by_hand(job.removeprefix("D-"), epochs, rows))
        case _:
            import loops
            import torch

            torch.set_num_threads(threads)
            return asdict(loops.LOOPS[job, contender](epochs, rows))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one JSON object on standard output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("job")
    parser.add_argument("contender")
    parser.add_argument("epochs", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rows", type=int)
    given = parser.parse_args(arguments)
    print(json.dumps(compete(given.job, given.contender, given.epochs, threads=given.threads, rows=given.rows)))


if __name__ == "__main__":
    main()
