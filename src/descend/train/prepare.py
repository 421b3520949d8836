"""Everything that happens before the first step: the recipe is chosen, the examples are loaded, the model is built and checked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from descend.data import builtin, catalogue
from descend.data.catalogue import SetInfo
from descend.data.dataset import Dataset, Examples
from descend.errors import ModelError, RecipeError
from descend.models.architecture import Architecture
from descend.models.build import layers_of
from descend.models.initial import build_initialised
from descend.models.output import check_output
from descend.train import by_hand
from descend.train.choices import Choice, Machine, choose
from descend.train.losses import LOSSES, Loss
from descend.train.machine import this_machine
from descend.train.recipe import Recipe

SMALL_PRODUCT = 50_000_000  # multiplications of one forward pass; below it a second thread costs more than it gives


@dataclass(frozen=True, slots=True)
class Plan:
    """A recipe with its reasons, and the model it trains (not yet trained, on the CPU)."""

    recipe: Recipe
    choices: tuple[Choice, ...]
    info: SetInfo
    architecture: Architecture
    module: nn.Module
    layers: list[nn.Module] | None  # when closed forms cover the model
    dataset: Dataset | None  # None after ``plan(…, load=False)``

    @property
    def loss(self) -> Loss:
        return LOSSES[self.recipe.loss]


def plan(data: str | Dataset, settings: Mapping[str, Any], *, load: bool = True) -> Plan:
    """Choose the recipe, load the examples, build the model: all that can go wrong before anything is written.

    The global seed is set once, then the examples draw (only ``line`` does), then the model: its values do not depend on
    anything else. Raises UsageError of the kind that fits; RecipeError lists all problems of the settings at once.
    """
    info = catalogue.find(data) if isinstance(data, str) else describe(data)
    machine = this_machine()
    recipe, choices = choose(settings, info, machine)
    torch.manual_seed(recipe.seed)
    dataset = data if isinstance(data, Dataset) else None
    if dataset is None and load:
        dataset = builtin.load(info.name, seed=recipe.seed, layout=recipe.layout)
    loss = LOSSES[recipe.loss]
    architecture = Architecture(
        kind=recipe.model,
        feature_shape=info.feature_shape,
        outputs=loss.outputs(info.outputs),
        sizes=recipe.sizes,
        activation=recipe.activation,
    )
    module = build_initialised(architecture, recipe.initial)
    example = dataset.train.features[:8] if dataset else torch.zeros(8, *info.feature_shape)
    check_output(module, example, architecture.outputs, recipe.loss, info.task)
    _check_one_type(module, recipe.model)
    layers = layers_of(module)
    covered = by_hand.covers(layers, recipe.loss)
    choices = _with_gradients(choices, recipe, covered=covered)
    choices = _with_threads(choices, machine, module, layers, recipe, info.train_rows)
    recipe = replace(
        recipe, **{choice.key: choice.value for choice in choices if choice.key in ("gradients", "threads")}
    )
    return Plan(recipe, choices, info, architecture, module, layers if recipe.gradients == "by-hand" else None, dataset)


def steps_planned(planned: Plan) -> int:
    """How many steps the plan has if nothing ends it early."""
    recipe, rows = planned.recipe, planned.info.train_rows
    rows -= rows_held(rows, recipe)
    if recipe.batch_size == "all":
        return recipe.epochs
    return recipe.epochs * -(-rows // (int(recipe.batch_size) * recipe.accumulate))


def describe(dataset: Dataset) -> SetInfo:
    """What ``choose`` has to know of examples that are no built-in set."""
    return SetInfo(
        name=dataset.name,
        line=dataset.title,
        task=dataset.task,
        feature_shape=dataset.feature_shape,
        outputs=dataset.outputs,
        train_rows=len(dataset.train),
        test_rows=len(dataset.test) if dataset.test else 0,
        layouts=(),
        published={},
    )


def split(dataset: Dataset, recipe: Recipe) -> tuple[Examples, Examples | None]:
    """The rows to learn from and those kept apart to choose by; which ones is drawn from the seed (epoch 0)."""
    if not recipe.validation:
        return dataset.train, None
    rows = len(dataset.train)
    held = rows_held(rows, recipe)
    order = permutation(rows, recipe.seed, 0)
    chosen, kept = order[:held].sort().values, order[held:].sort().values
    train = dataset.train
    return (
        Examples(train.features[kept], train.targets[kept]),
        Examples(train.features[chosen], train.targets[chosen]),
    )


def rows_held(rows: int, recipe: Recipe) -> int:
    """How many of the training rows are kept apart to choose by."""
    return round(rows * recipe.validation)


def permutation(rows: int, seed: int, epoch: int) -> torch.Tensor:
    """The order of the rows in ``epoch``, (rows,) int64: drawn from the seed and the epoch alone, so that any epoch can be repeated."""
    number = seed * 1_000_003 + epoch  # times a prime, so that other seeds and epochs give other numbers
    generator = torch.Generator().manual_seed(number)
    return torch.randperm(rows, generator=generator)


def _check_one_type(module: nn.Module, model: str) -> None:
    """ModelError where the parameters could not lie in one flat tensor."""
    types = {name: parameter.dtype for name, parameter in module.named_parameters() if parameter.requires_grad}
    first = next(iter(types))
    for name, dtype in types.items():
        if not dtype.is_floating_point:
            raise ModelError(
                f"the parameter '{name}' is {_type(dtype)}, and descend trains real numbers",
                where=model,
                help="keep the real and the imaginary part in two parameters of float32",
            )
        if dtype != types[first]:
            raise ModelError(
                f"the parameter '{name}' is {_type(dtype)} and '{first}' is {_type(types[first])}",
                where=model,
                help="give all parameters one type, for example with self.float() at the end of the constructor",
            )


def _type(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _with_gradients(choices: tuple[Choice, ...], recipe: Recipe, *, covered: bool) -> tuple[Choice, ...]:
    if recipe.gradients == "by-hand" and not covered:
        reach = "stacks of linear, relu, tanh and sigmoid layers under mse, cross-entropy or nll"
        raise RecipeError(
            [f"gradients = by-hand covers {reach}, and this is {recipe.model} under {recipe.loss}"],
            help="leave gradients out, or choose autograd",
        )
    if recipe.gradients != "auto":
        return choices
    if covered:
        one = recipe.model in ("linear", "softmax")
        kind = "one linear layer" if one else "a stack of linear layers and activations"
        reason = f"the model is {kind}: its derivatives are known, and faster than autograd"
        choice = Choice("gradients", "by-hand", reason, "chosen")
    else:
        choice = Choice("gradients", "autograd", "closed forms do not cover this model and loss", "chosen")
    return _replace(choices, choice)


def _with_threads(
    choices: tuple[Choice, ...],
    machine: Machine,
    module: nn.Module,
    layers: list[nn.Module] | None,
    recipe: Recipe,
    rows: int,
) -> tuple[Choice, ...]:
    if recipe.threads is not None:
        return choices
    batch = rows if recipe.batch_size == "all" else min(int(recipe.batch_size), rows)
    product = batch * sum(parameter.numel() for parameter in module.parameters())
    if layers is not None and product < SMALL_PRODUCT:
        return _replace(choices, Choice("threads", 1, "products this small are fastest on one thread", "chosen"))
    return _replace(choices, Choice("threads", machine.cores, "one for each processor core", "chosen"))


def _replace(choices: tuple[Choice, ...], by: Choice) -> tuple[Choice, ...]:
    return tuple(by if choice.key == by.key else choice for choice in choices)
