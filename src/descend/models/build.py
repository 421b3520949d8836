"""From an architecture to a module: the built-in models are plain stacks of layers, with no class of their own."""

import os
from collections import OrderedDict
from itertools import pairwise

import torch
from torch import nn

from descend.errors import ModelError
from descend.models.architecture import CNN_CHANNELS, Architecture
from descend.models.user_file import load_class

_ACTIVATION = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
_BYTES = 4  # of one float32
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_PARAMETER_HOOKS = ("_backward_hooks", "_post_accumulate_grad_hooks")


def build(architecture: Architecture) -> nn.Module:
    """The module that ``architecture`` describes: (B, *feature_shape) → (B, outputs).

    A built-in kind becomes an ``nn.Sequential`` whose initial values are PyTorch's default, drawn from the global generator
    layer by layer. A class of the user's is made by :func:`~descend.models.user_file.load_class`.

    Raises :class:`~descend.errors.ModelError` where the features do not suit the model, or it is larger than the memory.
    """
    if architecture.is_user_code:
        return load_class(architecture.kind, feature_shape=architecture.feature_shape, outputs=architecture.outputs)
    _check_memory(architecture)
    return _stack(architecture)


def skeleton(architecture: Architecture) -> nn.Sequential:
    """A built-in model without memory for its values (on PyTorch's ``meta`` device); draws no random numbers."""
    assert not architecture.is_user_code, "only a built-in model can be described without running code"
    try:
        with torch.device("meta"):
            return _stack(architecture)
    except RuntimeError as error:  # a parameter of more bytes than 64 bits can count
        raise ModelError(
            f"{architecture.kind} with {architecture.inputs:,} inputs, sizes {list(architecture.sizes)} and "
            f"{architecture.outputs:,} outputs has more parameters than can be counted",
            where="model",
            help="choose smaller sizes",
        ) from error


def parameter_count(module: nn.Module) -> int:
    """Numbers that can be learned in ``module``; a parameter used twice counts once."""
    return sum(parameter.numel() for parameter in module.parameters())


def layers_of(module: nn.Module) -> list[nn.Module] | None:
    """The layers of ``module`` in the order they are passed through, or None where gradients by hand do not cover it.

    Covered are stacks (``nn.Sequential``, also nested) of ``Linear``, each perhaps followed by one ``ReLU``, ``Tanh`` or
    ``Sigmoid``, with ``Identity`` anywhere and ``Flatten`` before the first ``Linear``: exactly these classes, without hooks,
    every parameter float32, contiguous, trainable and used once. A stack without ``Flatten`` is covered for features (B, n).
    """
    layers = _leaves(module)
    if layers is None or not _is_covered_stack(layers) or not _parameters_are_plain(module, layers):
        return None
    return layers


def _stack(architecture: Architecture) -> nn.Sequential:
    if architecture.kind == "cnn":
        return _cnn(architecture)
    layers: dict[str, nn.Module] = (
        {"flatten": nn.Flatten()} if len(architecture.feature_shape) > 1 else {}
    )  # (B, inputs)
    hidden = architecture.sizes if architecture.kind == "mlp" else ()
    for number, (inputs, units) in enumerate(pairwise((architecture.inputs, *hidden)), 1):
        layers[f"hidden{number}"] = nn.Linear(inputs, units)  # (B, units)
        layers[f"{architecture.activation}{number}"] = _ACTIVATION[architecture.activation]()
    layers["output"] = nn.Linear((architecture.inputs, *hidden)[-1], architecture.outputs)  # (B, outputs)
    return nn.Sequential(OrderedDict(layers))


def _cnn(architecture: Architecture) -> nn.Sequential:
    shape = architecture.feature_shape
    if len(shape) != 3:
        raise ModelError(
            f"cnn needs images (channels, height, width), and the features of one example have the shape {shape}",
            where="model",
            help="give the images an axis for their channels, such as (1, 28, 28), or choose --model mlp",
        )
    channels, height, width = shape
    if min(height, width) < 4:
        raise ModelError(
            f"cnn halves its images twice, and {height}×{width} is too small for that",
            where="model",
            help="give images of at least 4×4, or choose --model mlp",
        )
    first, second = CNN_CHANNELS
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(channels, first, 3, padding=1),  # (B, 16, H, W)
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),  # (B, 16, H/2, W/2)
            conv2=nn.Conv2d(first, second, 3, padding=1),  # (B, 32, H/2, W/2)
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),  # (B, 32, H/4, W/4)
            flatten=nn.Flatten(),
            output=nn.Linear(second * (height // 4) * (width // 4), architecture.outputs),  # (B, outputs)
        )
    )


def _check_memory(architecture: Architecture) -> None:
    """Refuse what the machine cannot hold before the system ends the process for asking."""
    needed = parameter_count(skeleton(architecture)) * _BYTES
    memory = _physical_memory()
    if memory is not None and needed > memory:
        raise ModelError(
            f"the parameters of this {architecture.kind} need {_gigabytes(needed)}, and this machine has {_gigabytes(memory)}",
            where="model",
            help="choose smaller sizes",
        )


def _physical_memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows, and systems that do not say
        return None


def _gigabytes(size: int) -> str:
    return f"{size / 2**30:,.1f} GB of memory"


def _leaves(module: nn.Module) -> list[nn.Module] | None:
    """The layers inside nested Sequentials; None where calling one does more than its class says."""
    if _has_hooks(module) or "forward" in vars(module):
        return None
    if type(module) is not nn.Sequential:
        return [module]
    leaves: list[nn.Module] = []
    for child in module:
        inner = _leaves(child)
        if inner is None:
            return None
        leaves += inner
    return leaves


def _has_hooks(module: nn.Module) -> bool:
    return any(getattr(module, kept) for kept in _HOOKS)


def _is_covered_stack(layers: list[nn.Module]) -> bool:
    width: int | None = None  # what the last Linear gives; None before the first
    may_activate = False  # an activation works in place on a Linear's output, so it may only stand behind one
    for layer in layers:
        kind = type(layer)
        if kind is nn.Identity:
            continue
        if isinstance(layer, nn.Flatten) and kind is nn.Flatten:
            if width is not None or (layer.start_dim, layer.end_dim) != (1, -1):
                return False
        elif isinstance(layer, nn.Linear) and kind is nn.Linear:
            if width not in (None, layer.in_features):
                return False
            width, may_activate = layer.out_features, True
        elif kind in (nn.ReLU, nn.Tanh, nn.Sigmoid) and may_activate:
            may_activate = False
        else:
            return False
    return width is not None


def _parameters_are_plain(module: nn.Module, layers: list[nn.Module]) -> bool:
    parameters: list[torch.Tensor] = []
    for layer in layers:
        if isinstance(layer, nn.Linear):
            if tuple(layer.weight.shape) != (layer.out_features, layer.in_features):
                return False
            parameters += [layer.weight] if layer.bias is None else [layer.weight, layer.bias]
    held = [*module.parameters(), *module.buffers()]
    used_once = len(held) == len(parameters) and {id(one) for one in held} == {id(one) for one in parameters}
    return used_once and all(_is_plain(one) for one in parameters) and not _overlap(parameters)


def _is_plain(parameter: torch.Tensor) -> bool:
    return (
        type(parameter) is nn.Parameter
        and parameter.dtype == torch.float32
        and parameter.requires_grad
        and parameter.is_contiguous()
        and parameter.numel() > 0
        and not any(getattr(parameter, kept, None) for kept in _PARAMETER_HOOKS)
    )


def _overlap(parameters: list[torch.Tensor]) -> bool:
    """Whether two of the parameters share memory; neighbours in one flat tensor do not."""
    spans = sorted((one.data_ptr(), one.data_ptr() + one.numel() * one.element_size()) for one in parameters)
    return any(end > start for (_, end), (start, _) in pairwise(spans))
