"""The tensors and numbers that the variables of a frame hold, by the words the user's code has for them: ``w``, ``net.W1``."""

import sys
import weakref
from collections.abc import Iterator, Mapping
from types import FrameType, ModuleType
from typing import Any

from torch import Tensor, nn
from torch._C import _functorch

_DEEPEST = 3
_WIDEST = 200  # items of a list or a dictionary, attributes of an object
_MOST = 2_000
_NOT_THE_USERS = frozenset(sys.stdlib_module_names) | {
    "torch",
    "numpy",
    "matplotlib",
    "pandas",
    "PIL",
    "sklearn",
    "tqdm",
}


def variables_of(frame: FrameType) -> dict[str, Any]:
    """The frame's variables, and of a function the module's that it uses."""
    if frame.f_locals is frame.f_globals:
        return dict(frame.f_globals)
    local = frame.f_locals
    found = dict(local)
    if sys.version_info < (3, 13):
        # Before 3.13 the frame keeps this copy of its variables, and with it every tensor they held.
        local.clear()
    module = frame.f_globals
    return {name: module[name] for name in frame.f_code.co_names if name in module} | found


def value_of(variables: Mapping[str, Any], path: str) -> Any:
    """What stands at a path that :func:`tensors_of` or :func:`numbers_of` gave; None where nothing does any more."""
    name, *rest = path.replace("]", "").replace("[", ".").split(".")
    value = variables.get(name)
    for word in rest:
        try:
            if isinstance(value, list | tuple):
                value = value[int(word)]
            elif isinstance(value, dict):
                value = value[int(word)] if word.isdigit() and int(word) in value else value[word]
            else:
                value = _attributes(value).get(word)
        except (LookupError, ValueError):
            return None
    return value


def tensors_of(variables: Mapping[str, Any], temporary: frozenset[str]) -> dict[str, Tensor]:
    """Float tensors by path, each once."""
    return {path: tensor for path, tensor in _all_tensors(variables, temporary) if tensor.is_floating_point()}


class VariableNames:
    """The paths of tensors, as they were when this was made; keeps none of them alive."""

    def __init__(self, variables: Mapping[str, Any], temporary: frozenset[str]) -> None:
        self._known = {id(tensor): (weakref.ref(tensor), path) for path, tensor in _all_tensors(variables, temporary)}

    def __call__(self, tensor: Tensor) -> str:
        """The tensor's path; "" where there is none."""
        reference, path = self._known.get(id(tensor), (None, ""))
        return path if reference is not None and reference() is tensor else ""


def _all_tensors(variables: Mapping[str, Any], temporary: frozenset[str]) -> Iterator[tuple[str, Tensor]]:
    """Under the shortest path, and not under a name that a loop gives to its items where there is another."""
    found: dict[int, tuple[tuple[bool, int], str, Tensor]] = {}
    for depth, path, value in _walk(variables):
        if isinstance(value, Tensor) and type(value) in (Tensor, nn.Parameter):
            rank = (path in temporary, depth)
            if id(value) not in found or rank < found[id(value)][0]:
                found[id(value)] = (rank, path, value)
    for _, path, tensor in found.values():
        yield path, tensor


def numbers_of(variables: Mapping[str, Any], stored: frozenset[str]) -> dict[str, Any]:
    """What may be a loss: float tensors of one number and floats, in the variables that the loop assigns and in attributes."""
    return {
        path: value
        for depth, path, value in _walk(variables)
        if (path in stored if depth == 0 else "[" not in path) and is_one_number(value)
    }


def is_one_number(value: Any) -> bool:
    """Whether it may be a loss."""
    return type(value) is float or (
        isinstance(value, Tensor)
        and type(value) in (Tensor, nn.Parameter)
        and value.is_floating_point()
        and value.numel() == 1
        and not _functorch.is_functorch_wrapped_tensor(value)
    )


def _walk(variables: Mapping[str, Any]) -> Iterator[tuple[int, str, Any]]:
    """(depth, path, value) of everything that can be reached, breadth first, every container once."""
    level: list[tuple[str, Any]] = [(name, value) for name, value in variables.items() if not name.startswith("__")]
    seen: set[int] = set()
    count = 0
    for depth in range(_DEEPEST + 1):
        following: list[tuple[str, Any]] = []
        for path, value in level:
            count += 1
            if count > _MOST:
                return
            yield depth, path, value
            if depth < _DEEPEST and not isinstance(value, Tensor) and id(value) not in seen:
                seen.add(id(value))
                following += _inside(path, value)
        level = following


def _inside(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, nn.Module):
        for name, parameter in nn.Module.named_parameters(value):
            yield f"{path}.{name}", parameter
    elif type(value) in (list, tuple):
        if len(value) <= _WIDEST:
            yield from ((f"{path}[{position}]", each) for position, each in enumerate(value))
    elif type(value) is dict:
        if len(value) <= _WIDEST:
            yield from ((f"{path}[{key}]", each) for key, each in value.items() if isinstance(key, str | int))
    else:
        yield from ((f"{path}.{name}", each) for name, each in _attributes(value).items())


def _attributes(value: Any) -> Mapping[str, Any]:
    """The attributes of an object of one of the user's classes, read without running any of its code."""
    kind = type(value)
    if isinstance(value, type | ModuleType) or kind.__module__.partition(".")[0] in _NOT_THE_USERS:
        if isinstance(value, nn.Module):
            return dict(nn.Module.named_parameters(value))
        return {}
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    if isinstance(value, nn.Module):
        return dict(nn.Module.named_parameters(value))
    return dict(attributes) if type(attributes) is dict and len(attributes) <= _WIDEST else {}
