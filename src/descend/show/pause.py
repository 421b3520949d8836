"""The table that is printed when a training pauses inside a step."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from descend.show import numbers
from descend.show.colours import MUTED, STRONG
from descend.show.layout import columns, put


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """One tensor of the step in numbers; ``norm`` and ``gradient_norm`` are Euclidean."""

    name: str
    shape: tuple[int, ...]
    least: float
    mean: float
    most: float
    norm: float
    gradient_norm: float | None = None


def step_table(
    console: Console, step: int, lr: float, loss: float, batch: Sequence[TensorFacts], parameters: Sequence[TensorFacts]
) -> None:
    """Print where the step stands: the gradients are there, the update has not been made yet."""
    put(console, "", Text(f"paused in step {step:,}, between backward and update", style=STRONG))
    put(console, f"  loss {numbers.loss(loss)} · learning rate {numbers.setting(lr)}", "")
    head: list[str | Text] = [Text(word, style=MUTED) for word in ("", "shape", "least", "mean", "most", "norm")]
    put(console, *columns([head, *(_row(each) for each in batch)], "llrrrr"), "")
    head[-1] = Text("norm", style=MUTED)
    head.append(Text("of its gradient", style=MUTED))
    rows = [[*_row(each), numbers.short(each.gradient_norm)] for each in parameters]
    put(console, *columns([head, *rows], "llrrrrr"), "")
    put(
        console,
        Text("  c goes on · q ends the training and keeps it · p x.shape prints anything · ? helps", style=MUTED),
        "",
    )


def _row(facts: TensorFacts) -> list[str | Text]:
    shape = f"({', '.join(str(size) for size in facts.shape)})"
    return [facts.name, shape, *(numbers.short(value) for value in (facts.least, facts.mean, facts.most, facts.norm))]
