"""The lines above every training: what is learned from, what is trained, how."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.text import Text

from descend.show import numbers
from descend.show.colours import MUTED, STRONG
from descend.show.layout import INDENT, SEPARATOR, facts, prose, safe

_OPTIMIZERS: Mapping[str, str] = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}
_LOSSES: Mapping[str, str] = {"mse": "MSE", "mae": "MAE", "huber": "Huber", "nll": "log-softmax + NLL"}


def header(
    title: str,
    recipe: Mapping[str, Any],
    choices: Sequence[Mapping[str, Any]],
    width: int,
    *,
    architecture: str,
    device: str,
) -> list[Text]:
    """The data, then the model and its training, then how gradients are worked out and why so."""
    name, separator, rest = safe(title).partition(SEPARATOR)
    title_parts = [Text(name, style=STRONG), *(Text(part) for part in rest.split(SEPARATOR) if separator)]
    lines = facts(title_parts, width)
    lines += facts([safe(part) for part in recipe_facts(recipe, architecture, device)], width)
    for choice in choices:
        if choice.get("key") == "gradients" and choice.get("by") != "you":
            said = f"{safe(choice.get('value'))} gradients ({safe(choice.get('reason'))})"
            lines += prose(said, width, indent=INDENT, style=MUTED)
    return lines


def recipe_facts(recipe: Mapping[str, Any], architecture: str, device: str) -> list[str]:
    """A recipe in a few words: the settings that every reader looks for."""
    found = [architecture or str(recipe.get("model") or "")]
    loss, optimizer = str(recipe.get("loss") or ""), str(recipe.get("optimizer") or "")
    found.append(_LOSSES.get(loss, loss))
    lr = recipe.get("lr")
    name = _OPTIMIZERS.get(optimizer, optimizer)
    found.append(f"{name} lr {numbers.setting(lr)}" if isinstance(lr, (int, float)) else name)
    schedule = recipe.get("schedule")
    found.append(str(schedule) if schedule and schedule != "constant" else "")
    batch = recipe.get("batch_size")
    found.append("full batch" if batch == "all" else f"batch {batch}" if batch else "")
    epochs = recipe.get("epochs")
    found.append(numbers.plural(epochs, "epoch") if isinstance(epochs, int) else "")
    found.append(device)
    seed = recipe.get("seed")
    found.append(f"seed {seed}" if seed is not None else "")
    return [fact for fact in found if fact]


def parameter_count(shapes: Iterable[Sequence[int]]) -> int:
    """How many numbers the shapes hold."""
    return sum(math.prod(shape) for shape in shapes)
