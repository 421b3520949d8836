"""``descend annotate``."""

from typing import Annotated, Literal

from cyclopts import Parameter

from descend.commands.flags import JsonFlag, RunsFlag
from descend.show.output import open_output


def annotate(
    run: Annotated[str, Parameter(name="RUN", help="A run of descend run: its name, its folder, or last.")] = "last",
    /,
    *,
    words: Annotated[
        Literal["plain", "usual", "terse"],
        Parameter(help="How much is said: plain for a beginner, usual for daily use, terse in a few words."),
    ] = "plain",
    runs: RunsFlag = None,
    json: JsonFlag = False,
) -> int:
    """Show a watched script with what each line did and what it is for."""
    with open_output(as_json=json) as output:
        from descend.annotating import annotate_run, show_annotated
        from descend.record.runs import find_run, runs_folder

        found = annotate_run(find_run(run, runs_folder(runs)), words)
        if output.as_json:
            output.answer(found)
        else:
            show_annotated(found, output.console)
        return 0
