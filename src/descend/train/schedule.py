"""The learning rate of every step: constant, cosine, one-cycle, step and plateau, as PyTorch's schedulers define them."""

import math

from descend.train.recipe import Recipe

ONE_CYCLE_RISE = 0.3  # share of the steps spent rising
ONE_CYCLE_START = 25.0  # the highest rate divided by this is the first
ONE_CYCLE_END = 1e4  # and the first divided by this is the last
PLATEAU_BETTER = 1e-4  # a loss counts as lower when it falls by this share
PLATEAU_SMALLEST_DROP = 1e-8  # a rate that would fall by less than this stays


class Schedule:
    """Learning rates of one training of ``epochs`` epochs with ``steps_per_epoch`` steps each."""

    def __init__(self, recipe: Recipe, steps_per_epoch: int) -> None:
        self.kind, self.highest = recipe.schedule, recipe.lr
        self.every, self.factor = recipe.schedule_every, recipe.schedule_factor
        self.steps_per_epoch, self.steps = steps_per_epoch, steps_per_epoch * recipe.epochs
        self.plateau_lr, self.lowest_loss, self.waited = recipe.lr, math.inf, 0

    @property
    def needs_losses(self) -> bool:
        """True when the rate depends on how the losses of the epochs go."""
        return self.kind == "plateau"

    def rate(self, step: int) -> float:
        """The learning rate of ``step``, counted from 1."""
        done = step - 1
        match self.kind:
            case "cosine":
                return 0.5 * self.highest * (1 + math.cos(math.pi * done / self.steps))
            case "one-cycle":
                return self._one_cycle(done)
            case "step":
                return self.highest * self.factor ** (done // self.steps_per_epoch // self.every)
            case "plateau":
                return self.plateau_lr
            case _:
                return self.highest

    def _one_cycle(self, done: int) -> float:
        """Rises to the highest rate, then falls far below the first (Smith & Topin 2018), along half cosines."""
        first = self.highest / ONE_CYCLE_START
        top = ONE_CYCLE_RISE * self.steps - 1
        if done <= top:
            return _half_cosine(first, self.highest, done / top)
        end = self.steps - 1
        return _half_cosine(self.highest, first / ONE_CYCLE_END, (done - top) / (end - top) if end > top else 1.0)

    def after_epoch(self, loss: float) -> bool:
        """Tell it an epoch's loss; True when the plateau schedule lowered the rate because of it."""
        if self.kind != "plateau":
            return False
        if loss < self.lowest_loss * (1 - PLATEAU_BETTER):
            self.lowest_loss, self.waited = loss, 0
            return False
        self.waited += 1
        if self.waited <= self.every:
            return False
        self.waited = 0
        lowered = self.plateau_lr * self.factor
        if self.plateau_lr - lowered <= PLATEAU_SMALLEST_DROP:
            return False
        self.plateau_lr = lowered
        return True

    def state(self) -> dict[str, float]:
        """What ``restore`` needs to go on."""
        return {"plateau_lr": self.plateau_lr, "lowest_loss": self.lowest_loss, "waited": self.waited}

    def restore(self, state: dict[str, float]) -> None:
        """Go on where ``state`` was taken."""
        self.plateau_lr, self.lowest_loss = state["plateau_lr"], state["lowest_loss"]
        self.waited = int(state["waited"])


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
