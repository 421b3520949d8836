"""What the losses of a watched training come to: where they began, where they ended, how low they were, whether they broke."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from descend.record.summarise import CURVE_POINTS, thinned

_ENOUGH_TO_JUDGE = 20
_NOISY = 0.25  # share of turns up and down among neighbours; pure noise has two thirds, a smooth descent has none


@dataclass(frozen=True, slots=True)
class End:
    """The loss a training ended with: of its last step, or the mean of its last steps where single ones are batches apart."""

    loss: float
    steps: int
    epoch: bool  # whether these steps are exactly the last epoch
    lowest: float | None  # the lowest mean of as many steps that there ever was


def loss_report(
    losses: Sequence[float], epochs: Sequence[int], *, first_step: int = 1, points: int = CURVE_POINTS
) -> dict[str, Any]:
    """First, last and lowest loss, the loss at the end, the first that was not finite, and a curve of at most ``points``.

    epochs: the number of steps in each epoch, in order; empty where epochs are not known. Numbers may be NaN or infinite.
    """
    known = [(loss, step) for step, loss in enumerate(losses, first_step) if math.isfinite(loss)]
    lowest, lowest_step = min(known, default=(None, None))
    last = end_of(losses, epochs) if losses else None
    return {
        "first": losses[0] if losses else None,
        "last": losses[-1] if losses else None,
        "lowest": lowest,
        "lowest_step": lowest_step,
        "end": None
        if last is None
        else {"loss": last.loss, "steps": last.steps, "epoch": last.epoch, "lowest": last.lowest},
        "not_finite": _not_finite(losses, first_step),
        "curve": thinned(losses, points),
    }


def end_of(losses: Sequence[float], epochs: Sequence[int]) -> End:
    """The loss at the end. Of a training in batches the last one says little, so it is the mean of the last epoch.

    An epoch that was left half done gives way to as many of the last steps as the epoch before it had. Without known epochs it is
    the last tenth that is averaged, and only where the losses go up and down from step to step.
    """
    steps, epoch = 1, False
    if len(epochs) > 1 and max(epochs[-2:]) > 1:
        steps = max(epochs[-2:])
        epoch = steps == epochs[-1]
    elif len(epochs) != len(losses) and len(losses) >= _ENOUGH_TO_JUDGE:
        tenth = len(losses) // 10
        steps = tenth if _noisy(losses[-max(tenth, 10) :]) else 1
    means = [_mean(losses[end - steps : end]) for end in range(len(losses), steps - 1, -steps)]
    return End(means[0], steps, epoch, min(filter(math.isfinite, means), default=None))


def _noisy(losses: Sequence[float]) -> bool:
    changes = [after - before for before, after in pairwise(losses)]
    turns = sum(first * second < 0 for first, second in pairwise(changes))
    return turns > _NOISY * len(changes)


def _not_finite(losses: Sequence[float], first_step: int) -> dict[str, Any] | None:
    bad = [step for step, loss in enumerate(losses, first_step) if not math.isfinite(loss)]
    if not bad:
        return None
    value = losses[bad[0] - first_step]
    before = losses[bad[0] - first_step - 1] if bad[0] > first_step else None
    name = "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return {"step": bad[0], "value": name, "count": len(bad), "before": before}


def _mean(losses: Sequence[float]) -> float:
    return sum(losses) / len(losses)
