"""From a recipe to the parts that train: the optimizer and the engine."""

from torch import nn

from descend.data.dataset import Examples
from descend.train.engine import Autograd, ByHand, Engine
from descend.train.losses import LOSSES
from descend.train.optimizers import SGD, Adam, Optimizer
from descend.train.parameters import FlatParameters
from descend.train.recipe import Recipe


def new_optimizer(recipe: Recipe, parameters: FlatParameters) -> Optimizer:
    """The recipe's optimizer, with nothing remembered yet."""
    if recipe.optimizer == "sgd":
        return SGD(parameters, momentum=recipe.momentum, nesterov=recipe.nesterov, weight_decay=recipe.weight_decay)
    return Adam(
        parameters,
        beta1=recipe.beta1,
        beta2=recipe.beta2,
        epsilon=recipe.epsilon,
        weight_decay=recipe.weight_decay,
        decoupled=recipe.optimizer == "adamw",
    )


def new_engine(recipe: Recipe, module: nn.Module, layers: list[nn.Module] | None, examples: Examples) -> Engine:
    """The engine that takes the recipe's steps; ``layers`` are given when the gradients come by hand."""
    parameters, loss = FlatParameters(module), LOSSES[recipe.loss]
    engine: Engine
    if layers is not None:
        engine = ByHand(module, examples, loss, parameters, layers, accumulate=recipe.accumulate > 1)
    else:
        engine = Autograd(module, examples, loss, parameters)
    engine.optimizer = new_optimizer(recipe, parameters)
    return engine
