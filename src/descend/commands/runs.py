"""``descend data`` and ``descend runs``: what there is."""

from typing import Annotated, Any

from cyclopts import Parameter

from descend.commands.flags import JsonFlag, RunsFlag
from descend.errors import UsageError
from descend.show.output import open_output


def data(*, json: JsonFlag = False) -> int:
    """List the built-in sets, a line each."""
    from descend.data.catalogue import CATALOGUE

    with open_output(as_json=json) as output:
        if output.as_json:
            sets = [
                {
                    "name": each.name,
                    "line": each.line,
                    "task": each.task,
                    "feature_shape": list(each.feature_shape),
                    "outputs": each.outputs,
                    "rows": {"train": each.train_rows, "test": each.test_rows},
                    "layouts": list(each.layouts),
                    "published": {key: _plain(value) for key, value in each.published.items()},
                }
                for each in CATALOGUE.values()
            ]
            output.answer({"sets": sets})
            return 0
        width = max(len(name) for name in CATALOGUE)
        for each in CATALOGUE.values():
            output.console.print(f"{each.name:<{width}}  {each.line}", soft_wrap=True)
        return 0


def runs(
    names: Annotated[tuple[str, ...], Parameter(help="Two runs to compare; without them all runs are listed.")] = (),
    /,
    *,
    runs: RunsFlag = None,
    json: JsonFlag = False,
) -> int:
    """List the runs, or compare two of them: recipes, results, loss curves."""
    from descend.record.reader import Reader
    from descend.record.runs import find_run, list_runs, runs_folder
    from descend.show.runs import compare_runs, runs_table

    with open_output(as_json=json) as output:
        base = runs_folder(runs)
        if len(names) not in (0, 2):
            raise UsageError(
                f"{len(names)} run{'s' if len(names) != 1 else ''} to compare",
                help="give two, or none to list them all",
            )
        if not names:
            found = list_runs(base)
            if output.as_json:
                output.answer({"runs": [_run_json(each) for each in found]})
            else:
                runs_table(found, output.console, base=str(base))
            return 0
        with Reader(find_run(names[0], base)) as first, Reader(find_run(names[1], base)) as second:
            if output.as_json:
                output.answer({"runs": [_run_json(first.info), _run_json(second.info)]})
            else:
                compare_runs(first.info, second.info, output.console, curves=(first.steps().loss, second.steps().loss))
        return 0


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _run_json(run: Any) -> dict[str, Any]:
    """A run in the list of runs, as JSON values."""
    return {
        "run": run.name,
        "path": str(run.path),
        "kind": run.kind,
        "title": run.title,
        "status": run.status,
        "damage": run.damage or None,
        "started": run.started.isoformat() if run.started else None,
        "ended": run.ended.isoformat() if run.ended else None,
        "recipe": run.recipe,
        "report": run.report,
    }
