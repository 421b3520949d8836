"""``descend evaluate`` and ``descend predict``: a trained model is asked."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from descend.commands.flags import CodeFlag, JsonFlag, RunsFlag
from descend.errors import UsageError
from descend.show.output import Output, open_output


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
        from descend import asking
        from descend.show.predictions import evaluation

        loaded = asking.load(model, code=code, runs=runs)
        metrics = asking.evaluate(loaded)
        part, rows = metrics.pop("part"), metrics.pop("rows")
        if output.as_json:
            output.answer({"model": model, "part": part, "rows": rows, "metrics": metrics})
        else:
            evaluation(output.console, model, rows, part, metrics, loaded.description.target_names)
        return 0


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
        from descend import asking

        loaded = asking.load(model, code=code, runs=runs)
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
            predictions = asking.predict_images(loaded, images)
            return _show_images(predictions, output)
        if images or not values:
            example = " ".join(f"{name}=1,2" for name in loaded.description.feature_names)
            raise UsageError(
                "this model reads numbers", help=f"give its columns: descend predict {model} --values {example}"
            )
        prediction = asking.predict_values(loaded, values)
        return _show_values(prediction, output)


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
