"""The command line: what was typed becomes a call of `run`, and what comes back is shown or printed as one JSON object.

Imports torch only inside a command, so that help answers at once.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Group, Parameter, Token

from descend.errors import DescendError, StorageError, UsageError
from descend.show.output import Output, drop_output, open_output, print_json, problem

_STARTED = time.time()
_INTERRUPTED = 1

app = App(
    name="descend",
    help="Train PyTorch models from scratch with nothing hidden.",
    version=lambda: __import__("importlib.metadata").metadata.version("descend"),
    default_parameter=Parameter(negative=(), show_default=False),
    help_flags=["--help", "-h"],
)
_recipe = Group("What is trained", sort_key=1)
_how = Group("How it runs", sort_key=2)

JsonFlag = Annotated[
    bool, Parameter(name="--json", help="Print one JSON object on stdout; everything else goes to stderr.")
]
RunsFlag = Annotated[
    str | None, Parameter(name="--runs", help="Folder of the runs. Default: the variable DESCEND_RUNS, else ./runs.")
]
CodeFlag = Annotated[
    str | None, Parameter(name="--model", help="path/to/file.py:ClassName, for a model of your own class.")
]


def _as_in_a_recipe(_kind: object, tokens: Sequence[Token]) -> Any:
    """The value of a flag read as that of ``--set``: the recipe checks both, and says all that is wrong at once."""
    from descend.train.recipe import parse_assignment

    text = tokens[0].value
    return parse_assignment(f"value={text}")[1] if text.strip() else text


@app.command
def train(
    data: Annotated[str | None, Parameter(help="A built-in set; descend data lists them.")] = None,
    /,
    *,
    model: Annotated[
        str | None, Parameter(group=_recipe, help="linear, softmax, mlp, cnn, or path/to/file.py:ClassName.")
    ] = None,
    loss: Annotated[
        str | None,
        Parameter(group=_recipe, help="mse, mae, huber; cross-entropy, nll, binary-cross-entropy."),
    ] = None,
    optimizer: Annotated[str | None, Parameter(group=_recipe, help="sgd, adam or adamw.")] = None,
    lr: Annotated[float | None, Parameter(group=_recipe, converter=_as_in_a_recipe, help="Learning rate.")] = None,
    batch_size: Annotated[
        int | str | None, Parameter(group=_recipe, converter=_as_in_a_recipe, help="Rows a step looks at, or all.")
    ] = None,
    epochs: Annotated[
        int | None, Parameter(group=_recipe, converter=_as_in_a_recipe, help="Passes over the training rows.")
    ] = None,
    seed: Annotated[
        int | None, Parameter(group=_recipe, converter=_as_in_a_recipe, help="Where all random numbers start.")
    ] = None,
    gradients: Annotated[str | None, Parameter(group=_recipe, help="by-hand, autograd, or auto.")] = None,
    layout: Annotated[
        str | None, Parameter(group=_recipe, help="Of scores-two: rows, or reshape, which repeats a published fault.")
    ] = None,
    recipe: Annotated[Path | None, Parameter(group=_recipe, help="A TOML file of settings; flags come on top.")] = None,
    set_: Annotated[
        tuple[str, ...],
        Parameter(name="--set", group=_recipe, help="Any other setting, as key=value. docs/recipe.md names them all."),
    ] = (),
    name: Annotated[
        str | None, Parameter(group=_how, help="Name of the run. Default: the set's name and a number.")
    ] = None,
    runs: Annotated[RunsFlag, Parameter(group=_how)] = None,
    dry_run: Annotated[
        bool, Parameter(group=_how, help="Show every setting with the reason for it, and train nothing.")
    ] = False,
    pause: Annotated[int | None, Parameter(group=_how, help="Open a debugger inside this step.")] = None,
    json: Annotated[JsonFlag, Parameter(group=_how)] = False,
) -> int:
    """Train a model; without flags, with the settings the set was published with."""
    flags = {
        "model": model,
        "loss": loss,
        "optimizer": optimizer,
        "lr": lr,
        "batch_size": batch_size,
        "epochs": epochs,
        "seed": seed,
        "gradients": gradients,
        "layout": layout,
    }
    with open_output(as_json=json) as output:
        from descend import run as door
        from descend.train.recipe import assignments, read_recipe

        settings = read_recipe(recipe) if recipe else {}
        settings |= assignments(set_)
        settings |= {key: value for key, value in flags.items() if value is not None}
        chosen = settings.pop("data", None)
        data = data or chosen
        if data and not isinstance(data, str):
            raise UsageError(f"data = {data}: expected the name of a set", help="descend data lists them")
        if not data:
            raise UsageError(
                "there is nothing to train on", help="name a set: descend train mnist (descend data lists them)"
            )
        planned = door.planned_training(data, load_data=not dry_run, **settings)
        if dry_run:
            return _show_plan(planned, output)
        return _train(planned, output, name=name, runs=runs, pause=pause)


def _show_plan(planned: Any, output: Output) -> int:
    from descend.show.choices import dry_run

    recipe, choices = planned.recipe.as_json(), [choice.as_json() for choice in planned.choices]
    if output.as_json:
        output.answer({"recipe": recipe, "choices": choices})
    else:
        dry_run(recipe, choices, output.console)
    return 0


def _train(planned: Any, output: Output, *, name: str | None, runs: str | None, pause: int | None) -> int:
    from descend import run as door
    from descend.errors import Diverged
    from descend.show.summary import summary

    status, failure = 0, None
    try:
        run = door.train_plan(planned, name=name, runs=runs, console=output.console, pause=pause, started=_STARTED)
        report = run.report
    except Diverged as error:
        if error.report is None:
            raise
        report, failure, status = error.report, error, error.exit_status
    if output.as_json:
        output.answer(report)
    images = door.worst_images(report, planned.dataset)
    summary(report, output.console, images, with_header=False)  # the live view has printed it
    if failure is not None:
        _print_error(failure)
    return status


@app.command
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


@app.command
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


@app.command(usage="Usage: descend run [FLAGS] SCRIPT [WHAT SCRIPT TAKES]")
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
    pause: Annotated[
        str | None, Parameter(help="Open a debugger in the script: at a step, first, or nan for the first bad loss.")
    ] = None,
) -> Any:
    """Watch a training script, unchanged: what every step did. Flags stand before SCRIPT."""
    from descend.watching import Wanted, Watched, pause_at

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
        )
    )


@app.command
def evaluate(
    model: Annotated[str, Parameter(name="MODEL", help="A run (its name, its folder, or last), or a model folder.")],
    /,
    *,
    code: CodeFlag = None,
    runs: RunsFlag = None,
    json: JsonFlag = False,
) -> int:
    """Examine a trained model again on the set it was trained on."""
    with open_output(as_json=json) as output:
        from descend import run as door
        from descend.show.predictions import evaluation

        loaded = door.load(model, code=code, runs=runs)
        metrics = door.evaluate(loaded)
        part, rows = metrics.pop("part"), metrics.pop("rows")
        if output.as_json:
            output.answer({"model": model, "part": part, "rows": rows, "metrics": metrics})
        else:
            evaluation(output.console, model, rows, part, metrics, loaded.description.target_names)
        return 0


@app.command
def predict(
    model: Annotated[str, Parameter(name="MODEL", help="A run (its name, its folder, or last), or a model folder.")],
    images: Annotated[tuple[Path, ...], Parameter(help="Pictures of one digit each.")] = (),
    /,
    *,
    values: Annotated[
        tuple[str, ...],
        Parameter(consume_multiple=True, help="The columns of a table: hours=5,7,9; one name=numbers for each column."),
    ] = (),
    code: CodeFlag = None,
    runs: RunsFlag = None,
    json: JsonFlag = False,
) -> int:
    """Ask a trained model about pictures, or about numbers."""
    with open_output(as_json=json) as output:
        from descend import run as door

        loaded = door.load(model, code=code, runs=runs)
        kind = loaded.description.preparation.get("kind")
        if kind not in ("digit", "columns"):
            raise UsageError(
                f"this model takes arrays of shape {loaded.description.architecture.feature_shape}, which cannot be typed here",
                help=f"in Python: descend.load({model!r}).predict(features)",
            )
        if kind == "digit":
            if values or not images:
                raise UsageError(
                    "this model reads pictures", help=f"give a picture of a digit: descend predict {model} digit.png"
                )
            predictions = door.predict_images(loaded, images)
            return _show_images(predictions, output)
        if images or not values:
            example = " ".join(f"{name}=1,2" for name in loaded.description.feature_names)
            raise UsageError(
                "this model reads numbers", help=f"give its columns: descend predict {model} --values {example}"
            )
        prediction = door.predict_values(loaded, values)
        return _show_values(prediction, output)


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


def _show_images(predictions: Any, output: Output) -> int:
    from descend.show.predictions import class_prediction

    if output.as_json:
        output.answer({"predictions": [{key: each[key] for key in each if key != "pixels"} for each in predictions]})
        return 0
    for number, each in enumerate(predictions):
        if number:
            output.console.print()
        class_prediction(
            output.console,
            each["file"],
            each["names"],
            each["probabilities"],
            each["logits"],
            pixels=each["pixels"],
            said=each["said"],
        )
    return 0


def _show_values(prediction: Any, output: Output) -> int:
    from descend.show.predictions import table_prediction

    if output.as_json:
        output.answer(prediction)
        return 0
    table_prediction(
        output.console, prediction["features"], prediction["rows"], prediction["targets"], prediction["predictions"]
    )
    return 0


def _print_error(error: DescendError) -> None:
    sys.stderr.write(f"descend: {error}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status: 0 done, 1 failed, 2 used wrongly."""
    arguments = sys.argv[1:] if arguments is None else arguments
    programs_own: Sequence[str] | None = None
    if list(arguments[:1]) == ["run"]:
        from descend.watching import own_words

        arguments, programs_own = own_words(arguments)
    try:
        result = app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value")
        if sys.stdout is not None:  # closed by the caller
            sys.stdout.flush()
    except CycloptsError as error:
        return _used_wrongly(error, as_json="--json" in arguments and programs_own is None)
    except DescendError as error:
        _print_error(error)
        return error.exit_status
    except KeyboardInterrupt:
        sys.stderr.write("descend: interrupted\n")
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as with `| head`
        drop_output()
        return 0
    except OSError as error:
        drop_output()
        return _refused(error)
    if programs_own is not None and hasattr(result, "run"):
        status: int = result.run(programs_own)  # a program to be watched: its errors are its own
        return status
    return result if isinstance(result, int) else 0


def _used_wrongly(error: CycloptsError, *, as_json: bool) -> int:
    from descend.show.wrong_use import explained

    wrong = explained(error, tuple(name for name in app if not name.startswith("-")))
    if as_json:
        print_json(problem(wrong), sys.stdout)
    _print_error(wrong)
    return wrong.exit_status


def _refused(error: OSError) -> int:
    from descend.record.files import help_for, reason_of

    if error.filename is None:
        where, help = "the output", "free some space there, or send the output elsewhere"
    else:
        where, help = str(error.filename), help_for(error)
    _print_error(StorageError(f"the system refused: {reason_of(error)}", where=where, help=help))
    return StorageError.exit_status
