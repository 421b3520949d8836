"""``descend eject``."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from descend.commands.flags import JsonFlag, RunsFlag
from descend.show.output import open_output


def eject(
    run: Annotated[str, Parameter(name="RUN", help="A run of descend train: its name, its folder, or last.")],
    /,
    *,
    output: Annotated[
        Path | None, Parameter(help="Write the script to this file, and rows of arrays that it reads beside it.")
    ] = None,
    runs: RunsFlag = None,
    json: JsonFlag = False,
) -> int:
    """Print the plain PyTorch script that does the same training and gives the same losses."""
    with open_output(as_json=json) as answers:
        from descend.record.runs import find_run, runs_folder
        from descend.run import Run

        found = Run(find_run(run, runs_folder(runs)))
        script = found.script(output)
        if answers.as_json:
            answers.answer({"run": found.name, "output": None if output is None else str(output), "script": script})
        elif output is None:
            _print_source(script)
        else:
            answers.console.print(f"{output} does the training of {found.name}: python {output}", soft_wrap=True)
        return 0


def _print_source(script: str) -> None:
    """Bytes in UTF-8 where stdout takes them: a file that it is sent to must be Python whatever the terminal's encoding is."""
    if sys.stdout is None:  # closed by the caller
        return
    sys.stdout.flush()
    if hasattr(sys.stdout, "buffer"):
        sys.stdout.buffer.write(script.encode())
        sys.stdout.buffer.flush()
    else:
        sys.stdout.write(script)
