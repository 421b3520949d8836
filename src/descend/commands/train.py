"""``descend train``."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter, Token

from descend.commands.flags import JsonFlag, RunsFlag
from descend.errors import UsageError
from descend.show.output import Output, open_output, print_error

_STARTED = time.time()
_recipe = Group("What is trained", sort_key=1)
_how = Group("How it runs", sort_key=2)


def _as_in_a_recipe(_kind: object, tokens: Sequence[Token]) -> Any:
    """The value of a flag read as that of ``--set``: the recipe checks both, and says all that is wrong at once."""
    from descend.train.recipe import parse_assignment

    text = tokens[0].value
    return parse_assignment(f"value={text}")[1] if text.strip() else text


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
    from descend.asking import worst_images
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
    images = worst_images(report, planned.dataset)
    summary(report, output.console, images, with_header=False)  # the live view has printed it
    if failure is not None:
        print_error(failure)
    return status
