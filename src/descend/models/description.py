"""What ``model.json`` says about a model: enough to use it without knowing how it was trained."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args

from descend.data.dataset import Task
from descend.errors import ModelError
from descend.models.architecture import Architecture

_Kind = TypeVar("_Kind", int, str, list[Any], dict[str, Any])
_WORDS = {int: "a whole number", str: "text", list: "a list", dict: "an object"}

FORMAT = 1  # raised when a reader of today could no longer read the file rightly


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """A trained model's facts, as JSON values.

    preparation: how raw input becomes features, as in :class:`~descend.data.dataset.Dataset`. feature_names: one a column, none
    for images. target_names: class names, or names of the predicted values. metrics: set ("test", …) → name → value.
    """

    architecture: Architecture
    preparation: Mapping[str, Any]
    task: Task
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    loss: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values; a number that is not finite becomes null, which JSON has a word for."""
        return {
            "architecture": self.architecture.to_json(),
            "preparation": _finite(self.preparation),
            "task": self.task,
            "feature_names": list(self.feature_names),
            "target_names": list(self.target_names),
            "loss": self.loss,
            "recipe": _finite(self.recipe),
            "metrics": _finite(self.metrics),
        }


def read_description(data: bytes, *, where: str) -> tuple[ModelDescription, str]:
    """The description in the bytes of a ``model.json``, and the SHA-256 of the weights it belongs to.

    Raises :class:`~descend.errors.ModelError` for bytes that are no such description, or one of a later format.
    """
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:  # also bytes that are not UTF-8, and lists nested a million deep
        raise damaged(f"model.json is not valid JSON: {error}", where=where) from error
    if not isinstance(values, dict):
        raise damaged(f"model.json holds {_shown(values)}, not an object", where=where)
    version = _field(values, "format", int, where)
    if version > FORMAT:
        raise ModelError(
            f"the model was saved by a newer descend (format {version}; this one reads up to {FORMAT})",
            where=where,
            help="pip install --upgrade descend",
        )
    task: Task | None = next((one for one in get_args(Task) if one == values.get("task")), None)
    if task is None:
        raise damaged(f"model.json: 'task' has to be one of {', '.join(get_args(Task))}", where=where)
    description = ModelDescription(
        architecture=_architecture(values, where),
        preparation=_field(values, "preparation", dict, where),
        task=task,
        feature_names=_names(values, "feature_names", where),
        target_names=_names(values, "target_names", where),
        loss=_field(values, "loss", str, where),
        recipe=_field(values, "recipe", dict, where),
        metrics=_field(values, "metrics", dict, where),
    )
    _check_names(description, where)
    return description, _field(values, "sha256", str, where)


def damaged(what: str, *, where: str) -> ModelError:
    """The error for a file that is not what :func:`~descend.models.folder.save` wrote."""
    return ModelError(what, where=where, help="the file is damaged: restore it from a copy, or train the model again")


def _field(values: dict[str, Any], key: str, kind: type[_Kind], where: str) -> _Kind:
    value = values.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise damaged(f"model.json: '{key}' has to be {_WORDS[kind]}, not {_shown(value)}", where=where)
    return value


def _architecture(values: dict[str, Any], where: str) -> Architecture:
    try:
        return Architecture.from_json(values.get("architecture"))
    except ModelError as error:
        raise damaged(f"model.json: {error.what}", where=where) from error


def _check_names(description: ModelDescription, where: str) -> None:
    architecture, names = description.architecture, len(description.target_names)
    one_logit_for_two = description.task == "classes" and architecture.outputs == 1 and names == 2
    if names != architecture.outputs and not one_logit_for_two:
        raise damaged(f"model.json: {names} target_names for {architecture.outputs} outputs", where=where)
    columns = len(description.feature_names)
    if columns and architecture.feature_shape != (columns,):
        raise damaged(f"model.json: {columns} feature_names for the shape {architecture.feature_shape}", where=where)


def _names(values: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    names = _field(values, key, list, where)
    if not all(isinstance(name, str) for name in names):
        raise damaged(f"model.json: '{key}' has to be a list of texts", where=where)
    return tuple(names)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return value
