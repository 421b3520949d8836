"""``descend explain``."""

from typing import Annotated

from cyclopts import Parameter

from descend.commands.flags import JsonFlag, RunsFlag
from descend.show.output import open_output


def explain(
    what: Annotated[
        str, Parameter(name="RUN", help="A run: its name, its folder, or last; or the code of a finding, as in D101.")
    ] = "last",
    /,
    *,
    step: Annotated[
        int | None, Parameter(help="The step to work out: one that was kept in full. The first by itself.")
    ] = None,
    parameter: Annotated[
        str | None, Parameter(help="The parameter whose gradient is followed, as in fc1.weight.")
    ] = None,
    row: Annotated[int | None, Parameter(help="The row of the batch whose loss is worked out, counted from 0.")] = None,
    runs: RunsFlag = None,
    json: JsonFlag = False,
) -> int:
    """Work one step out with its own numbers, or show the page of a finding."""
    with open_output(as_json=json) as output:
        from descend.check.catalogue import is_code, page

        if is_code(what):
            from descend.checking import show_page

            if output.as_json:
                output.answer({"code": what.upper(), "page": page(what)})
            else:
                show_page(what, output.console)
            return 0
        from descend.explaining import explain_step
        from descend.record.runs import find_run, runs_folder

        found = explain_step(find_run(what, runs_folder(runs)), step=step, parameter=parameter, row=row)
        if output.as_json:
            output.answer(found.data)
        else:
            found.show(output.console)
        return 0
