"""When a loss is not finite any more: which parameter went first, and a learning rate that would have been stable."""

import math
import time
from itertools import chain, islice

import torch
from torch import nn

from descend.errors import Diverged
from descend.numerics.least_squares import largest_stable_rate
from descend.train.engine import Engine
from descend.train.fresh import new_optimizer
from descend.train.loop import Loop
from descend.train.recipe import shown
from descend.train.sampling import Batches
from descend.train.step import step

STEPS_AFTER = 200  # a loss can overflow long before a parameter does
TRIAL_STEPS = 300
TRIAL_SECONDS = 10.0
TRIAL_FACTORS = [10 ** -(halves / 2) for halves in range(1, 9)]  # 0.32, 0.1, 0.032 … of the rate that failed
LARGEST_USUAL = 1e6  # numbers above it are not scaled to be learned from
USUAL_RATES = [1.0, 0.1, 0.01, 0.001]  # for a rate that was absurd


def explain(loop: Loop) -> Diverged:
    """The error to raise for a training whose loss is not finite: the step, the parameter, the rate, each from a replay."""
    bad = loop.log.first_bad
    assert bad is not None
    if bad == 1:
        return Diverged(
            "the loss is not a finite number at step 1, before anything was learned: no learning rate could help",
            where="epoch 1, step 1",
            help=_wrong_from_the_start(loop),
        )
    recipe = loop.recipe
    went = _first_parameter(loop, bad)
    epoch = (bad - 1) // loop.steps_per_epoch + 1
    help = _stable_rate(loop, bad)
    return Diverged(
        f"the loss stopped being a finite number at step {bad:,}, with learning rate {shown(recipe.lr)}; {went}",
        where=f"epoch {epoch:,}, step {bad:,}",
        help=help,
    )


def _wrong_from_the_start(loop: Loop) -> str:
    """Which of the numbers that make the first loss is to blame."""
    engine = loop.engine
    for name, value in engine.parameters.views(loop.start).items():
        if not torch.isfinite(value).all():
            return f"{name} begins with values that are not finite: look where the model sets them"
    for name, values in (("features", loop.parts.train.features), ("targets", loop.parts.train.targets)):
        largest = float(values.abs().max())
        if largest > LARGEST_USUAL:
            return f"the {name} reach {largest:.3g}: scale them first, for example to mean 0 and standard deviation 1"
    return "look in the model for a division by zero or a logarithm of zero: its outputs for these rows are not finite"


def _batches_from(loop: Loop, taken: int) -> chain[Batches]:
    """The batches of the steps after ``taken``, on into later epochs."""
    epoch, inside = divmod(taken, loop.steps_per_epoch)
    first = islice(loop.batches(epoch + 1), inside, None)
    return chain(first, chain.from_iterable(loop.batches(later) for later in range(epoch + 2, epoch + 2 + STEPS_AFTER)))


def _first_parameter(loop: Loop, bad: int) -> str:
    """Repeat the steps from the last good point on and see which parameter is the first to stop being finite."""
    engine, good = loop.engine, loop.good
    engine.parameters.values.copy_(good.values)
    for name, tensor in engine.optimizer.state.items():
        tensor.copy_(good.state[name])
    torch.set_rng_state(good.random)
    engine.zero()
    engine.take_losses()
    for number, batches in enumerate(_batches_from(loop, good.step), good.step + 1):
        if number > bad + STEPS_AFTER:
            break
        _quiet_step(loop, engine, batches, loop.schedule.rate(min(number, loop.schedule.steps)))
        for name, value in engine.parameters.value.items():
            if not torch.isfinite(value).all():
                if number > bad:  # the training has not come so far
                    return f"{name} would have been the first parameter to go, at step {number:,}"
                return f"{name} was the first parameter to go, at step {number:,}"
    largest = max(engine.parameters.value, key=lambda name: float(engine.parameters.value[name].abs().max()))
    size = float(engine.parameters.value[largest].abs().max())
    return f"every parameter is still finite, and {largest} has grown most, to {size:.3g}"


def _stable_rate(loop: Loop, bad: int) -> str:
    recipe = loop.recipe
    plain = recipe.optimizer == "sgd" and not recipe.momentum and not recipe.weight_decay and recipe.clip is None
    linear = [layer for layer in loop.module.modules() if not isinstance(layer, nn.Sequential | nn.Flatten)]
    if (
        plain
        and recipe.loss == "mse"
        and recipe.batch_size == "all"
        and len(linear) == 1
        and isinstance(linear[0], nn.Linear)
    ):
        layer = linear[0]
        limit = largest_stable_rate(
            loop.parts.train.features.flatten(1), layer.out_features, bias=layer.bias is not None
        )
        if recipe.lr > limit:
            return f"--lr {_rounded_down(0.9 * limit)} is stable: the limit for these rows is 2/λmax = {limit:.4g}, whatever the seed"
    return _tried_rate(loop, bad)


def _tried_rate(loop: Loop, bad: int) -> str:
    """Start again from the same values with lower and lower rates until one stays finite over as many steps."""
    steps = min(bad + 20, TRIAL_STEPS)
    deadline = time.perf_counter() + TRIAL_SECONDS
    failed = loop.recipe.lr
    rates = [failed * factor for factor in TRIAL_FACTORS]
    for tried in rates + [usual for usual in USUAL_RATES if usual < rates[-1]]:
        rate = _rounded_down(tried)
        losses = _try(loop, float(rate), steps, deadline)
        if losses is None:
            break
        if all(math.isfinite(loss) for loss in losses) and losses[-1] <= losses[0]:
            return f"--lr {rate} was tried from the same start: over {steps} steps its loss went from {losses[0]:.4g} to {losses[-1]:.4g}"
    return f"try a much lower rate, for example --lr {_rounded_down(loop.recipe.lr / 100)}, and look for extreme values in the data"


def _try(loop: Loop, rate: float, steps: int, deadline: float) -> list[float] | None:
    """Losses of that many steps at ``rate``; None when time ran out."""
    engine, optimizer = loop.engine, loop.engine.optimizer
    engine.parameters.values.copy_(loop.start)
    engine.optimizer = new_optimizer(loop.recipe, engine.parameters)
    engine.zero()
    engine.take_losses()
    try:
        for batches in islice(_batches_from(loop, 0), steps):
            _quiet_step(loop, engine, batches, rate)
            if time.perf_counter() > deadline:
                return None
        return engine.take_losses()
    finally:
        engine.optimizer = optimizer


def _quiet_step(loop: Loop, engine: Engine, batches: Batches, rate: float) -> None:
    step(engine, batches, rate, loop.recipe.clip, lambda _: None, None)
    if engine.full:
        engine.take_losses()


def _rounded_down(rate: float) -> str:
    """Two significant digits, never more than ``rate``."""
    exponent = math.floor(math.log10(rate)) - 1
    return f"{math.floor(rate / 10**exponent) * 10**exponent:.2g}"
