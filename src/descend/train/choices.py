"""From what a person gave to a whole recipe: what is published for the set, what is chosen, and the reason for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from descend.data.catalogue import SetInfo
from descend.errors import RecipeError, did_you_mean
from descend.train.recipe import (
    LOSSES_OF_CLASSES,
    LOSSES_OF_VALUES,
    MODELS,
    SETTINGS,
    Recipe,
    check_settings,
    shown,
)

USUAL_LR = {"sgd": 0.01, "adam": 0.001, "adamw": 0.001}
OWNERS = {  # setting → the setting and the values of it that give it a meaning
    "sizes": ("model", ("mlp",)),
    "activation": ("model", ("mlp",)),
    "momentum": ("optimizer", ("sgd",)),
    "nesterov": ("optimizer", ("sgd",)),
    "beta1": ("optimizer", ("adam", "adamw")),
    "beta2": ("optimizer", ("adam", "adamw")),
    "epsilon": ("optimizer", ("adam", "adamw")),
    "schedule_every": ("schedule", ("step", "plateau")),
    "schedule_factor": ("schedule", ("step", "plateau")),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One setting, its value, why, and by whom: ``you``, ``published`` (the set's own settings) or ``chosen``."""

    key: str
    value: Any
    reason: str
    by: str

    def as_json(self) -> dict[str, Any]:
        value = list(self.value) if isinstance(self.value, tuple) else self.value
        return {"key": self.key, "value": value, "reason": self.reason, "by": self.by}


@dataclass(frozen=True, slots=True)
class Machine:
    """What the arithmetic can run on."""

    cuda: bool
    mps: bool
    cores: int


_Conflict = tuple[str, tuple[str, ...]]  # the line to say, and the settings that clash


class _Chooser:
    """Collects the settings one by one; each choice may look at those made before it."""

    def __init__(self, given: Mapping[str, Any], published: Mapping[str, Any], source: str) -> None:
        self.given, self.published, self.source = given, published, source
        self.choices: dict[str, Choice] = {}

    def __getitem__(self, key: str) -> Any:
        return self.choices[key].value

    def settle(self, key: str, value: Any, reason: str, *, published: bool = True) -> None:
        """What was given, else what is published for the set (unless it no longer fits), else ``value``."""
        if key in self.given:
            choice = Choice(key, self.given[key], "you said so", "you")
        elif published and key in self.published:
            choice = Choice(key, self.published[key], f"published for {self.source}", "published")
        else:
            choice = Choice(key, value, reason, "chosen")
        self.choices[key] = choice

    def kept(self, *keys: str) -> bool:
        """True while none of these settings differs from what is published for the set."""
        return all(self.published.get(key) == self[key] for key in keys)


def choose(settings: Mapping[str, Any], data: SetInfo, machine: Machine) -> tuple[Recipe, tuple[Choice, ...]]:
    """The whole recipe for ``data``, with a choice for every setting.

    Raises RecipeError with all problems at once.
    """
    given, problems = check_settings(settings)
    wrong = settings.keys() - given.keys()  # each has its line; what stands in its place must not be blamed as well
    published, _ = check_settings(data.published)
    chosen = _Chooser(given, published, data.name)
    images, classes = len(data.feature_shape) > 1, data.task == "classes"

    chosen.choices["data"] = Choice("data", data.name, "you said so", "you")
    chosen.settle("layout", data.layouts[0] if data.layouts else "rows", "every row is one example")
    chosen.settle("validation", 0.0, "nothing is split off unless you ask")
    chosen.settle("model", "mlp", "a hidden layer can bend; linear cannot")
    mlp = chosen["model"] == "mlp"
    width = 128 if images else 64
    chosen.settle("sizes", (width,) if mlp else (), "one hidden layer" if mlp else "no hidden layers", published=mlp)
    chosen.settle("activation", "relu", "cheap, and its gradient does not fade")
    chosen.settle("initial", "default", "PyTorch's own initial values", published=chosen.kept("model"))
    chosen.settle("loss", "cross-entropy" if classes else "mse", f"the usual loss for {data.task}")
    chosen.settle("optimizer", "adam", "falls fast without tuning its rate")
    lr = USUAL_LR.get(chosen["optimizer"], 0.01)
    chosen.settle("lr", lr, f"the usual rate of {chosen['optimizer']}", published=chosen.kept("optimizer", "model"))
    for key in ("momentum", "nesterov", "beta1", "beta2", "epsilon", "weight_decay"):
        chosen.settle(key, SETTINGS[key].default, "the usual value")
    chosen.settle("schedule", "constant", "one rate all through")
    for key in ("schedule_every", "schedule_factor"):
        chosen.settle(key, SETTINGS[key].default, "the usual value")
    chosen.settle("clip", None, "gradients are used as they are")
    small = data.train_rows <= 64
    chosen.settle("batch_size", "all" if small else 64, "few rows: all at once" if small else "the usual size")
    chosen.settle("accumulate", 1, "every batch makes an update")
    chosen.settle("shuffle", True, "batches should not repeat", published=published.get("batch_size") != "all")
    if chosen["batch_size"] == "all" and "shuffle" not in given:
        chosen.choices["shuffle"] = Choice("shuffle", False, "one batch holds every row", "chosen")
    chosen.settle("epochs", 200 if small else 10, "enough to see where it goes")
    chosen.settle("early_stopping", None, "every epoch is trained")
    chosen.settle("seed", 0, "any number repeats the run exactly")
    chosen.settle("gradients", "auto", "closed forms where they cover the model, else autograd")
    device, reason = _device(machine)
    chosen.settle("device", device, reason)
    if chosen["device"] == "auto":
        chosen.choices["device"] = Choice("device", device, reason, "chosen")
    chosen.settle("threads", None, "decided with the gradients")

    problems += [line for line, keys in _conflicts(chosen, given, data, machine) if wrong.isdisjoint(keys)]
    if problems:
        raise RecipeError(problems, help="descend train --help lists the flags; docs/recipe.md every setting")
    choices = tuple(chosen.choices[key] for key in SETTINGS)
    return Recipe(**{choice.key: choice.value for choice in choices}), choices


def _device(machine: Machine) -> tuple[str, str]:
    if machine.cuda:
        return "cuda", "a CUDA GPU is here"
    if machine.mps:
        return "mps", "an Apple GPU is here"
    return "cpu", "no GPU is here"


def _conflicts(chosen: _Chooser, given: Mapping[str, Any], data: SetInfo, machine: Machine) -> list[_Conflict]:
    """Settings that cannot stand together, or that the data or the machine cannot serve."""
    found: list[_Conflict] = []
    for key, (owner, values) in OWNERS.items():
        alien = key in given and given[key] not in (SETTINGS[key].default, ()) and chosen[owner] not in values
        if alien and not (owner == "model" and _unknown_model(chosen["model"])):
            line = f"{key} belongs to {owner} {' and '.join(values)}, and {owner} is {shown(chosen[owner])}"
            found.append((line, (key, owner)))
    if chosen["nesterov"] and not chosen["momentum"] and chosen["optimizer"] == "sgd":
        found.append(("nesterov needs momentum: set momentum, for example 0.9", ("nesterov", "momentum")))
    if chosen["early_stopping"] is not None and not chosen["validation"]:
        line = "early_stopping needs rows to choose by: set validation, for example 0.1"
        found.append((line, ("early_stopping", "validation")))
    held, rows = round(chosen["validation"] * data.train_rows), data.train_rows
    if chosen["validation"] and not 0 < held < rows:
        line = f"validation = {shown(chosen['validation'])} of {rows:,} rows leaves one of the two parts empty"
        found.append((line, ("validation",)))
    layouts = data.layouts or ("rows",)
    if chosen["layout"] not in layouts:
        near = did_you_mean(chosen["layout"], layouts)
        line = f"layout = {shown(chosen['layout'])}: {data.name} has {' and '.join(layouts)}{near}"
        found.append((line, ("layout",)))
    if chosen["accumulate"] > 1 and chosen["batch_size"] == "all":
        line = "accumulate needs batches, and batch_size is all: set a batch_size or leave accumulate at 1"
        found.append((line, ("accumulate", "batch_size")))
    if chosen["shuffle"] and chosen["batch_size"] == "all":
        line = "shuffle changes nothing when batch_size is all: leave it out, or set a batch_size"
        found.append((line, ("shuffle", "batch_size")))
    for device, here in (("cuda", machine.cuda), ("mps", machine.mps)):
        if chosen["device"] == device and not here:
            line = f"device = {device}: this machine or this build of PyTorch has none; leave device out to have one chosen"
            found.append((line, ("device",)))
    return found + _misfits(chosen, data)


def _misfits(chosen: _Chooser, data: SetInfo) -> list[_Conflict]:
    """A model or a loss that this data cannot have."""
    found: list[_Conflict] = []
    model, loss, classes = chosen["model"], chosen["loss"], data.task == "classes"
    if _unknown_model(model):
        hint = "; for a class of your own write path/to/file.py:ClassName"
        found.append(
            (f"there is no model '{shown(model)}'{did_you_mean(model, MODELS)}: {', '.join(MODELS)}{hint}", ("model",))
        )
    if model == "softmax" and not classes:
        line = f"model softmax tells classes apart, and {data.name} has values to predict: use linear or mlp"
        found.append((line, ("model",)))
    if model == "cnn" and len(data.feature_shape) != 3:
        found.append((f"model cnn looks at images, and {data.name} has columns: use linear or mlp", ("model",)))
    if model == "mlp" and not chosen["sizes"]:
        line = "model mlp needs a hidden layer: set sizes, for example [128], or use linear"
        found.append((line, ("model", "sizes")))
    fitting: tuple[str, ...] = LOSSES_OF_CLASSES if classes else LOSSES_OF_VALUES
    if classes and data.outputs != 2:
        fitting = tuple(name for name in fitting if name != "binary-cross-entropy")
    if loss == "binary-cross-entropy" and classes and data.outputs != 2:
        line = f"loss binary-cross-entropy is for 2 classes, and {data.name} has {data.outputs}: use cross-entropy"
        found.append((line, ("loss",)))
    elif loss not in fitting:
        kind = "classes to tell apart" if classes else "values to predict"
        found.append((f"loss {loss} does not fit {data.name}, which has {kind}: use {' or '.join(fitting)}", ("loss",)))
    return found


def _unknown_model(model: str) -> bool:
    return ":" not in model and model not in MODELS
