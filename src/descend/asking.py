"""Asking a trained model: finding it, loading it, its predictions and its metrics.

Belongs to the door for Python programs; `run` and the command line go through it. May import every room below `run`.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from descend.data import builtin
from descend.data.arrays import from_arrays
from descend.data.catalogue import CATALOGUE
from descend.data.columns import rows_from_columns
from descend.data.dataset import Dataset, Examples
from descend.data.digit import read_digit
from descend.errors import DataError, ModelError
from descend.models import folder as model_folder
from descend.models.model import Model
from descend.record.reader import Reader
from descend.record.runs import find_run, runs_folder
from descend.show.summary import Images
from descend.train.fit import MODEL_FOLDER
from descend.train.losses import LOSSES
from descend.train.metrics import evaluate as measure
from descend.train.recipe import check_settings

PathLike = str | os.PathLike[str]


def load(path: PathLike, *, code: str | None = None, runs: str | None = None) -> Model:
    """The trained model of a model folder, or of a run (its name, its folder, or ``"last"``).

    code: ``"path/to/file.py:ClassName"`` for a model of your own class: code that a folder names is never run by itself.
    Raises ModelError and RecordError with what is wrong and what to do.
    """
    return model_folder.load(find_model(path, runs=runs), code=code)


def find_model(path: PathLike, *, runs: str | None = None) -> Path:
    """The model folder that a person means: its path, or the run it belongs to."""
    given = Path(path)
    if (given / model_folder.DESCRIPTION).is_file() or (given / model_folder.WEIGHTS).is_file():
        return given
    run_folder = find_run(os.fspath(path), runs_folder(runs))
    if not (run_folder / MODEL_FOLDER).is_dir():
        with Reader(run_folder) as record:
            status = record.info.status
        raise ModelError(
            f"the run '{run_folder.name}' left no model: it {in_words(status)}",
            where=str(run_folder),
            help="a model is kept when a training ends, also by Ctrl-C; descend runs shows which did",
        )
    return run_folder / MODEL_FOLDER


def in_words(status: str) -> str:
    """``"it …"``: died, failed and diverged say it themselves."""
    return {"running": "is still running", "interrupted": "was interrupted"}.get(status, status)


def predict_images(model: Model, files: Sequence[PathLike]) -> list[dict[str, Any]]:
    """What a model that reads digits says of pictures, one dictionary a file.

    file, prediction (the class's name), probabilities and logits (classes,), names, said (what was done to bring the picture
    to the form the model knows) and pixels (28, 28), as the model sees them.
    """
    found = []
    for file in files:
        image = read_digit(file)
        pixels = image.pixels.unsqueeze(0)  # (1, 1, 28, 28)
        names = list(model.description.target_names)
        found.append(
            {
                "file": os.fspath(file),
                "prediction": names[int(model.predict(pixels)[0])],
                "probabilities": model.probabilities(pixels)[0].tolist(),
                "logits": model.logits(pixels)[0].tolist(),
                "names": names,
                "said": list(image.said),
                "pixels": image.pixels[0].tolist(),
            }
        )
    return found


def predict_values(model: Model, columns: Sequence[str]) -> dict[str, Any]:
    """What a model of a table says of rows given as ``"hours=5,7,9"``, one text a column.

    features (names), rows (N × features), targets (names), predictions: N × values, or N names of classes.
    """
    description = model.description
    rows = rows_from_columns(columns, description.feature_names)
    predicted = model.predict(torch.tensor(rows, dtype=torch.float32)).tolist()
    names = list(description.target_names)
    classes = description.task == "classes"
    return {
        "features": list(description.feature_names),
        "rows": rows,
        "targets": ["class"] if classes else names,
        "predictions": [[names[each]] for each in predicted] if classes else predicted,
    }


def evaluate(
    model: Model | PathLike,
    data: tuple[object, object] | None = None,
    *,
    code: str | None = None,
    runs: str | None = None,
) -> dict[str, Any]:
    """Loss and metrics of a trained model, on ``data`` (features and targets) or on the set it was trained on.

    A built-in set with test rows is examined on these, another on its training rows; ``"part"`` says which (``"given"`` for
    ``data``). Raises DataError where the data does not fit the model.
    """
    if not isinstance(model, Model):
        model = load(model, code=code, runs=runs)
    loss = LOSSES.get(model.description.loss)
    if loss is None:
        raise ModelError(
            f"the model was trained with the loss '{model.description.loss}', which this descend does not know",
            help=f"it knows {', '.join(LOSSES)}",
        )
    part, examples = _own_examples(model) if data is None else ("given", _examples_for(model, data))
    return {"part": part, "rows": len(examples), **measure(model.module, examples, loss)}


def _examples_for(model: Model, data: tuple[object, object]) -> Examples:
    if not isinstance(data, tuple) or len(data) != 2:
        raise DataError("data is not a pair", help="give (features, targets), or leave it out")
    description = model.description
    names = description.target_names if description.task == "classes" else None
    dataset = from_arrays(*data, task=description.task, target_names=names)
    _check_fit(model, dataset)
    return dataset.train


def _check_fit(model: Model, dataset: Dataset) -> None:
    """Nothing where the model can be examined on the examples; DataError where they have another form."""
    description = model.description
    if dataset.task != description.task:
        raise DataError(
            f"'{dataset.name}' holds {dataset.task}, and the model predicts {description.task}",
            help="give targets of the kind the model was trained on",
        )
    if dataset.feature_shape != description.architecture.feature_shape:
        raise DataError(
            f"examples of shape {dataset.feature_shape} do not fit the model, which takes {description.architecture.feature_shape}",
            help="give the features in the form the model was trained on",
        )
    if dataset.outputs != len(description.target_names):
        raise DataError(
            f"{dataset.outputs} target columns do not fit the model, which predicts {', '.join(description.target_names)}",
            help="give one column for each",
        )


def _own_examples(model: Model) -> tuple[str, Examples]:
    """The part of the built-in set a model was trained on that says most about it."""
    settings, _ = check_settings(model.description.recipe)  # the folder may come from a stranger
    name, seed = str(settings.get("data", "")), settings.get("seed", 0)
    if name not in CATALOGUE:
        raise DataError(
            f"the model was trained on '{name}', which is none of the built-in sets",
            help="in Python: descend.evaluate(model, (features, targets))",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # `line` is drawn from the global generator
        dataset = builtin.load(name, seed=seed, layout=settings.get("layout", "rows"))
    _check_fit(model, dataset)
    return ("test", dataset.test) if dataset.test is not None else ("train", dataset.train)


def worst_images(report: Mapping[str, Any], dataset: Dataset | None) -> Images | None:
    """The pictures of the worst mistakes, by index, where the examples are pictures at hand: (28, 28) values in 0..1."""
    worst, name = report.get("worst"), str(report["recipe"]["data"])
    if not worst or report["unseen"] != "test":
        return None
    if dataset is None:
        if name not in CATALOGUE or len(CATALOGUE[name].feature_shape) != 3:
            return None
        dataset = builtin.load(name)
    if dataset.test is None or dataset.feature_shape[:1] != (1,) or len(dataset.feature_shape) != 3:
        return None
    return {mistake["index"]: dataset.test.features[mistake["index"], 0].tolist() for mistake in worst}
