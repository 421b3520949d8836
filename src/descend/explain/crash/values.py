"""What stands in a program's variables, read without running any of the program's code.

No property, no ``__getattr__``, no ``__repr__`` of the program's classes is called: only the stored attributes of objects, the
entries of plain dicts, lists and tuples, and the parts of torch's own tensors and modules. Where an expression cannot be read in
these ways the answer is ``UNKNOWN``.
"""

import ast
import contextlib
import sys
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from types import FrameType, GetSetDescriptorType, ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch import Tensor, nn

Shape = tuple[int, ...]


class _Unknown:
    """The value of what cannot be read."""

    def __bool__(self) -> bool:
        return False


UNKNOWN: Final = _Unknown()
_PARTS = ("_parameters", "_buffers", "_modules")  # where nn.Module keeps what it is made of
_SAME_SHAPE = frozenset(
    {
        "abs",
        "clone",
        "contiguous",
        "cpu",
        "cuda",
        "detach",
        "double",
        "exp",
        "float",
        "half",
        "int",
        "log",
        "long",
        "relu",
    }
    | {"requires_grad_", "sigmoid", "sqrt", "square", "tanh", "to", "type", "type_as"}
)
_MOST_MODULES = 2000
_PLAIN_TENSORS = (("torch", "Tensor"), ("torch.nn.parameter", "Parameter"))
_PLAIN_MAPPINGS = (dict, OrderedDict)
_PLAIN_NUMBERS = (int, float, bool, str)


def torch_is_there() -> bool:
    """Whether the program has imported torch; else none of its values is a tensor."""
    return "torch" in sys.modules


def is_tensor(value: object) -> bool:
    """Whether the value is a tensor; asks its type, for an object of the program's may answer ``isinstance`` as it likes."""
    return torch_is_there() and issubclass(type(value), sys.modules["torch"].Tensor)


def is_module(value: object) -> bool:
    """Whether the value is an ``nn.Module``."""
    return torch_is_there() and issubclass(type(value), sys.modules["torch"].nn.Module)


def is_plain(tensor: object) -> bool:
    """Whether it is one of torch's two ordinary kinds: reading another, such as a subclass of the program's, may run its code."""
    return is_tensor(tensor) and (type(tensor).__module__, type(tensor).__name__) in _PLAIN_TENSORS


@contextlib.contextmanager
def untouched() -> Iterator[None]:
    """Inside, reading tensors goes past function modes and subclasses, and leaves no trace in a graph."""
    if not torch_is_there():
        yield
        return
    import torch

    with torch._C.DisableTorchFunction(), torch.no_grad():
        yield


def stored(value: object) -> Mapping[str, Any]:
    """The attributes that an object itself holds."""
    for kind in type.__dict__["__mro__"].__get__(type(value)):
        names = type.__dict__["__dict__"].__get__(kind)
        holder = names.get("__dict__")
        if holder is not None:
            if type(holder) is not GetSetDescriptorType:
                return {}
            found = holder.__get__(value)
            return found if type(found) is dict else {}
    return {}


def variables(frame: FrameType) -> Mapping[str, Any]:
    """The local variables of a frame; none where a class body keeps them in a mapping of its own."""
    found = frame.f_locals
    plain = type(found) is dict or type(found).__name__ == "FrameLocalsProxy"
    return found if plain else {}


def look_up(node: ast.expr, frame: FrameType) -> Any:
    """The value that the expression has in the frame, or ``UNKNOWN``."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        names = variables(frame)
        return names[node.id] if node.id in names else frame.f_globals.get(node.id, UNKNOWN)
    if isinstance(node, ast.Attribute):
        return _attribute(look_up(node.value, frame), node.attr)
    if isinstance(node, ast.Subscript):
        return _item(look_up(node.value, frame), _index(node.slice, frame))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = look_up(node.operand, frame)
        return -number if type(number) in (int, float) else UNKNOWN
    if isinstance(node, ast.Call):
        return _called(node, frame)
    return UNKNOWN


def shape_of(node: ast.expr, frame: FrameType) -> Shape | None:
    """The shape of the tensor that the expression stands for; also through calls that keep the shape of what they are called on."""
    value = look_up(node, frame)
    if is_plain(value):
        return tuple(value.shape)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        before = shape_of(node.func.value, frame)
        if node.func.attr in _SAME_SHAPE:
            return before
        if node.func.attr == "t" and before is not None:
            return before[::-1]
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT", "data"):
        before = shape_of(node.value, frame)
        return before[::-1] if before is not None and node.attr != "data" else before
    return None


def dtype_name(value: object) -> str:
    """As it is written after ``torch.``: float32, int64."""
    return str(value).removeprefix("torch.")


def module_paths(root: "nn.Module", name: str) -> Iterator[tuple[str, "nn.Module"]]:
    """The module and everything inside it with their paths as they are written in code: ``model.net[2]``, ``self.fc1``."""
    waiting: list[tuple[str, nn.Module]] = [(name, root)]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_MODULES:
        path, module = waiting.pop(0)
        if id(module) in seen:
            continue
        seen.add(id(module))
        yield path, module
        for child, part in _inside(module, "_modules").items():
            if part is not None:
                waiting.append((f"{path}[{child}]" if child.isdecimal() else f"{path}.{child}", part))


def of_module(module: object, name: str) -> Any:
    """An attribute, parameter, buffer or part of a module, or ``UNKNOWN``."""
    held = stored(module)
    if name in held:
        return held[name]
    for part in _PARTS:
        inside = _inside(module, part)
        if name in inside:
            return inside[name]
    return UNKNOWN


def _inside(module: object, part: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] | None = stored(module).get(part)
    return found if found is not None and type(found) in _PLAIN_MAPPINGS else {}


def settings_of(module: object) -> str:
    """A layer of torch's own as one line: ``Linear, in_features 784, out_features 128``; of the program's classes the name."""
    kind = type(module)
    held = stored(module)
    if kind.__module__.partition(".")[0] != "torch":
        return kind.__name__
    names = [name for name in getattr(kind, "__constants__", ()) if not name.startswith("_")]
    shown = [
        f"{name} {held[name]}"
        for name in dict.fromkeys([*names, "kernel_size"])
        if name in _WORTH_SAYING and type(held.get(name)) in (int, tuple)
    ]
    return ", ".join([kind.__name__, *shown])


_WORTH_SAYING = frozenset(
    {"in_features", "out_features", "in_channels", "out_channels", "kernel_size", "num_embeddings", "embedding_dim"}
    | {"num_features", "normalized_shape", "input_size", "hidden_size", "embed_dim", "num_heads"}
)


def _attribute(value: Any, name: str) -> Any:
    if value is UNKNOWN or value is None:
        return UNKNOWN
    if is_tensor(value):
        return _of_tensor(value, name) if is_plain(value) else UNKNOWN
    if is_module(value):
        return of_module(value, name)
    if type(value) is ModuleType:
        return value.__dict__.get(name, UNKNOWN)
    if issubclass(type(value), type):
        return UNKNOWN
    return stored(value).get(name, UNKNOWN)


def _of_tensor(tensor: "Tensor", name: str) -> Any:
    with untouched():
        if name == "grad":  # asking a tensor inside a graph for it would print a warning
            return tensor.grad if tensor.is_leaf or tensor.retains_grad else None
        if name in ("T", "mT"):
            return tensor.t() if name == "T" and tensor.dim() <= 2 else tensor.mT if name == "mT" else UNKNOWN
        if name == "shape":
            return tuple(tensor.shape)
        return getattr(tensor, name) if name in ("data", "ndim", "dtype", "device", "requires_grad") else UNKNOWN


def _called(node: ast.Call, frame: FrameType) -> Any:
    """The few calls whose answer stands in the tensor itself: ``len(x)``, ``x.size(0)``, ``x.dim()``, ``x.numel()``."""
    if isinstance(node.func, ast.Name) and node.func.id == "len" and len(node.args) == 1:
        shape = shape_of(node.args[0], frame)
        return shape[0] if shape else UNKNOWN
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in ("size", "dim", "numel"):
        return UNKNOWN
    tensor = look_up(node.func.value, frame)
    if not is_plain(tensor):
        return UNKNOWN
    if node.func.attr != "size":
        return tensor.dim() if node.func.attr == "dim" else tensor.numel()
    shape = tuple(tensor.shape)
    if not node.args:
        return shape
    axis = look_up(node.args[0], frame)
    return shape[axis] if type(axis) is int and -len(shape) <= axis < len(shape) else UNKNOWN


def _index(node: ast.expr, frame: FrameType) -> Any:
    if isinstance(node, ast.Slice):
        ends = [None if end is None else look_up(end, frame) for end in (node.lower, node.upper, node.step)]
        return slice(*ends) if all(end is None or type(end) is int for end in ends) else UNKNOWN
    if isinstance(node, ast.Tuple):
        parts = tuple(_index(part, frame) for part in node.elts)
        return UNKNOWN if any(part is UNKNOWN for part in parts) else parts
    return look_up(node, frame)


def _item(value: Any, index: Any) -> Any:
    if value is UNKNOWN or index is UNKNOWN:
        return UNKNOWN
    try:
        if is_plain(value):
            return _item_of_tensor(value, index)
        if is_module(value):
            return of_module(value, str(index)) if type(index) in (int, str) else UNKNOWN
        if type(value) in (list, tuple) and type(index) is int:
            return value[index]
        if type(value) in _PLAIN_MAPPINGS and type(index) in (str, int):
            return value[index]
    except (LookupError, RuntimeError, TypeError, ValueError):  # the line may have failed for this very reason
        return UNKNOWN
    return UNKNOWN


def _item_of_tensor(tensor: "Tensor", index: Any) -> Any:
    parts = index if type(index) is tuple else (index,)
    if not all(part is None or part is Ellipsis or type(part) in (int, slice) for part in parts):
        return UNKNOWN
    with untouched():
        return tensor[index]


def small(value: object) -> str | None:
    """A number, a short text or a tuple of numbers as it would be typed; None for anything else."""
    if type(value) in _PLAIN_NUMBERS:
        text = repr(value)
        return text if len(text) <= 40 else None
    if type(value) is tuple and 0 < len(value) <= 6 and all(type(each) in (int, float) for each in value):
        return repr(value)
    return None
