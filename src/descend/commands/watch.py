"""``descend run``."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from descend.commands.flags import RunsFlag
from descend.errors import UsageError


def run(
    script: Annotated[
        str | None, Parameter(name="SCRIPT", help="A Python script or a notebook. What follows it is its own.")
    ] = None,
    /,
    *,
    module: Annotated[str | None, Parameter(name="-m", help="Run a module instead, as python -m does.")] = None,
    name: Annotated[str | None, Parameter(help="Name of the run. Default: the script's name and a number.")] = None,
    runs: RunsFlag = None,
    json: Annotated[Path | None, Parameter(help="Write the report to this file, as one JSON object.")] = None,
    quiet: Annotated[bool, Parameter(help="Print nothing but what the script prints.")] = False,
    fast: Annotated[
        bool, Parameter(help="Read data that stays the same once, and gather the same batches from memory.")
    ] = False,
    live: Annotated[bool, Parameter(help="Tell a bug in one line as soon as it is found.")] = False,
    pause: Annotated[
        str | None, Parameter(help="Open a debugger in the script: at a step, first, or nan for the first bad loss.")
    ] = None,
) -> Any:
    """Watch a training script, unchanged: what every step did. Flags stand before SCRIPT."""
    from descend.pausing import pause_at
    from descend.watching import Wanted, Watched

    if module is None and script is None:
        raise UsageError("there is nothing to run", help="name a script: descend run train.py")
    return Watched(
        Wanted(
            target=module if module is not None else script or "",
            module=module is not None,
            name=name,
            runs=runs,
            json=json,
            quiet=quiet,
            fast=fast,
            pause=pause_at(pause),
            live=live,
        )
    )
