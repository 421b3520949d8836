"""What a backward pass starts from and where it ends: the loss's number, and the leaves that its gradients reach."""

from collections.abc import Collection, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import ParameterList

from descend.watch.quiet import quiet

_NODES = 500_000  # of a graph, at most, that are walked


def plain(tensor: Tensor) -> Tensor:
    """The tensor that ``torch.func`` wrapped, or the tensor itself."""
    functorch = torch._C._functorch  # type: ignore[attr-defined,unused-ignore] # noqa: SLF001 - no public way to look inside
    while functorch.is_functorch_wrapped_tensor(tensor):
        tensor = functorch.get_unwrapped(tensor)
    return tensor


def has_graph(value: Any) -> bool:
    """Whether a tensor was computed with a graph. A view made under ``no_grad`` whose base has changed since may not even be asked."""
    try:
        return isinstance(value, Tensor) and value.grad_fn is not None
    except RuntimeError:
        return False


def is_leaf(tensor: Tensor) -> bool:
    """Whether no operation made it, as far as that may be asked."""
    try:
        return tensor.is_leaf
    except RuntimeError:
        return False


def tensors_of(value: Any) -> list[Tensor]:
    """The tensors among what ``backward`` was given: one, some, a mapping of them, or none.

    An iterator is left as it is: what is taken from it would be missing afterwards.
    """
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    return (
        [item for item in value if isinstance(item, Tensor)] if isinstance(value, (Collection, ParameterList)) else []
    )


def inputs_of(inputs: Any) -> list[Tensor] | None:
    """The tensors that gradients are wanted of; None where none are named, or nobody can say which."""
    return None if inputs is None or isinstance(inputs, Iterator) else tensors_of(inputs)


def loss_of(tensors: Any, weights: Any) -> float | Tensor:
    """The number whose gradient is computed: the sum of the tensors, weighted as the caller weighted them.

    On the CPU a float; elsewhere a tensor of its own, to be read when nobody waits for it.
    """
    given = [weights] if isinstance(weights, Tensor) or weights is None else list(weights)
    total: Tensor | None = None
    with quiet():
        for index, wrapped in enumerate(tensors_of(tensors)):
            tensor = plain(wrapped).detach()
            weight = given[index] if index < len(given) else None
            if weight is not None:
                weight = plain(weight).detach()
                term = (tensor * weight).sum() if weight.shape == tensor.shape else tensor.mean()
            else:
                term = tensor.mean()  # one number, or one of each example under vmap
            total = term if total is None else total + term
        if total is None or total.is_complex():
            return float("nan")
        return float(total.item()) if total.device.type == "cpu" else total.clone()


def leaves_of(tensors: Any, inputs: Any) -> list[Tensor]:
    """The leaf tensors that the backward pass reaches: ``inputs`` where they are given, else those at the graph's end."""
    named = inputs_of(inputs)
    if named is not None:
        given = [plain(tensor) for tensor in named]
        return [tensor for tensor in given if is_leaf(tensor)]
    leaves: dict[int, Tensor] = {}
    waiting: list[Any] = []
    for tensor in tensors_of(tensors):
        if tensor.grad_fn is not None:
            waiting.append(tensor.grad_fn)
        elif tensor.requires_grad:
            leaves[id(tensor)] = tensor
    seen = set(waiting)
    while waiting and len(seen) < _NODES:
        node = waiting.pop()
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor) and not node.next_functions:
            leaves[id(variable)] = variable
        for after, _ in node.next_functions:
            if after is not None and after not in seen:
                seen.add(after)
                waiting.append(after)
    return list(leaves.values())[::-1]  # the walk meets the last layer first
