"""``descend check``."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from descend.commands.flags import JsonFlag, RunsFlag
from descend.show.output import open_output


def check(
    run: Annotated[str, Parameter(name="RUN", help="A run: its name, its folder, or last for the newest.")] = "last",
    /,
    *,
    select: Annotated[
        str | None, Parameter(help="Only these findings: codes or their beginnings, as in D1,D203.")
    ] = None,
    ignore: Annotated[str | None, Parameter(help="Not these findings: codes or their beginnings.")] = None,
    strict: Annotated[bool, Parameter(help="End with exit status 1 when a bug is found.")] = False,
    sarif: Annotated[
        Path | None, Parameter(help="Write the findings to this file as SARIF 2.1.0, for editors and code hosts.")
    ] = None,
    runs: RunsFlag = None,
    json: JsonFlag = False,
) -> int:
    """Look for the faults of a training in its record."""
    with open_output(as_json=json) as output:
        from descend.check.catalogue import codes_from
        from descend.checking import check_run, show_examination
        from descend.record.runs import find_run, runs_folder

        folder = find_run(run, runs_folder(runs))
        found = check_run(folder, select=codes_from(select), ignore=codes_from(ignore), sarif_file=sarif)
        if output.as_json:
            output.answer(found.as_json())
        else:
            show_examination(folder.name, found, output.console)
        return 1 if strict and found.has_bug else 0
