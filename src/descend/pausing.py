"""What a person sees where a watched program is stopped: the table of its step, from its own variables, and a debugger."""

import math
from types import FrameType
from typing import TYPE_CHECKING, Literal

from descend.errors import UsageError
from descend.show.layout import open_console
from descend.show.pause import TensorFacts

if TYPE_CHECKING:
    from torch import Tensor

    from descend.train.pause import Away

_MOST_TENSORS = 20  # in the table


def pause_at(word: str | None) -> int | Literal["nan"] | None:
    """The value of ``--pause``. Raises UsageError for anything but a step, ``first`` and ``nan``."""
    if word is None:
        return None
    if word == "nan":
        return "nan"
    step = "1" if word == "first" else word
    if not step.isdecimal() or int(step) < 1:
        raise UsageError(
            f"--pause {word}: expected the number of a step, first, or nan", help="steps are counted from 1"
        )
    return int(step)


def open_debugger(frame: FrameType, step: int, loss: float | None, away: "Away") -> None:
    """Print the table of the step, as it stands in the program's variables, and open a debugger there."""
    from descend.show.pause import step_table
    from descend.train.pause import open_debugger as open_at

    batch, parameters, lr = _facts(frame)
    step_table(open_console(stderr=True), step, lr, math.nan if loss is None else loss, batch, parameters)
    open_at(frame, away)


def _facts(frame: FrameType) -> tuple[list[TensorFacts], list[TensorFacts], float]:
    """Of the tensors that the frame's variables hold: those that are learned, the others, and the learning rate."""
    from torch import Tensor, nn
    from torch.optim import Optimizer

    lr, seen = math.nan, set[int]()
    tensors: list[tuple[str, Tensor]] = []
    for name, value in (*frame.f_locals.items(), *frame.f_globals.items()):
        if isinstance(value, nn.Module):
            tensors += value.named_parameters()
        elif isinstance(value, Optimizer) and math.isnan(lr):
            lr = float(value.param_groups[0]["lr"])
        elif isinstance(value, Tensor):
            tensors.append((name, value))
    batch: list[TensorFacts] = []
    parameters: list[TensorFacts] = []
    for name, tensor in tensors:
        if id(tensor) not in seen and tensor.numel() > 0 and not tensor.is_complex():
            seen.add(id(tensor))
            learned = tensor.is_leaf and tensor.requires_grad
            (parameters if learned else batch).append(_tensor_facts(name, tensor, learned=learned))
    return batch[:_MOST_TENSORS], parameters[:_MOST_TENSORS], lr


def _tensor_facts(name: str, tensor: "Tensor", *, learned: bool) -> TensorFacts:
    from descend.train.pause import numbers_of

    norm = numbers_of(tensor.grad)[-1] if learned and tensor.grad is not None else None
    return TensorFacts(name, tuple(tensor.shape), *numbers_of(tensor), norm)
