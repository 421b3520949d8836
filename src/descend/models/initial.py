"""Initial values of the parameters, for the trainings that do not begin with PyTorch's default."""

import math

import torch
from torch import nn

from descend.errors import ModelError, did_you_mean
from descend.models.architecture import Architecture
from descend.models.build import build

WAYS = ("default", "normal", "xavier", "zeros")


def build_initialised(architecture: Architecture, how: str) -> nn.Module:
    """:func:`~descend.models.build.build`, then :func:`initialise`, drawing only the numbers that ``how`` needs.

    Building draws PyTorch's default values from the global generator. Unless these are wanted, the generator is put back to
    where it was, so that ``normal`` and ``xavier`` draw what a script that writes ``torch.randn(…)`` itself would draw.
    """
    if how == "default":
        return build(architecture)
    state = torch.get_rng_state()
    module = build(architecture)
    torch.set_rng_state(state)
    initialise(module, how)
    return module


def initialise(module: nn.Module, how: str) -> None:
    """Set the parameters of every ``Linear`` in ``module``, in order, drawing from the global generator.

    default: leave them as PyTorch made them (Kaiming uniform; He et al., 2015).
    normal: weight ``randn(in, out)`` transposed, then bias ``randn(out)``.
    xavier: weight ``randn(in, out) / √in`` transposed, bias 0: the variance of a layer's outputs is then that of its inputs
    (Glorot and Bengio, 2010, for layers as wide as their inputs).
    zeros: all 0.

    Raises :class:`~descend.errors.ModelError` for another word, and where ``module`` has parameters of other layers.
    """
    if how not in WAYS:
        raise ModelError(
            f"unknown initial values {how!r}{did_you_mean(how, WAYS)}",
            where="initial",
            help=f"choose one of {', '.join(WAYS)}",
        )
    if how == "default":
        return
    _check_only_linear(module, how)
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            _fill(layer, how)


def _fill(layer: nn.Linear, how: str) -> None:
    with torch.no_grad():
        for name, parameter in layer.named_parameters(recurse=False):  # weight (out, in), then bias (out,)
            if how == "zeros" or (how == "xavier" and name == "bias"):
                parameter.zero_()
            else:
                drawn = torch.randn(parameter.shape[::-1])  # (in, out), as in x @ w; (out,)
                scale = math.sqrt(layer.in_features) if how == "xavier" else 1.0
                parameter.copy_((drawn / scale).t())


def _check_only_linear(module: nn.Module, how: str) -> None:
    for name, layer in module.named_modules():
        others = [
            key
            for key, _ in layer.named_parameters(recurse=False)
            if not (isinstance(layer, nn.Linear) and key in ("weight", "bias"))
        ]
        if others:
            raise ModelError(
                f"initial values '{how}' are defined for linear layers, and this model has a {type(layer).__name__}",
                where=f"layer '{name}'" if name else f"parameter '{others[0]}' of the model itself",
                help="use initial 'default', or set the values in the model's own constructor",
            )
