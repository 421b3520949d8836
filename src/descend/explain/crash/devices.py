"""Errors about where tensors live: two devices, no such device, no memory left."""

import ast
import re
from typing import Any

from descend.explain.crash.failure import Explanation, Failure
from descend.explain.crash.source import Fix, Source, argument, calls_of
from descend.explain.crash.values import is_module, is_plain, module_paths, of_module, variables

_LARGEST = 5
_MOST_TENSORS = 5000
_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def two_devices(failure: Failure, _: re.Match[str]) -> Explanation:
    """An operation on tensors that live on different devices."""
    layer = failure.layer
    weight = layer.setting("weight") if layer is not None else None
    tensors = [(node, value) for node, value in failure.chains if is_plain(value)]
    wanted, odd = _odd_one(tensors, weight if is_plain(weight) else None)
    if wanted is None or odd is None:
        return Explanation(
            "device",
            "two devices meet in one operation",
            "all tensors of an operation on the same device",
            failure.message.partition("\n")[0],
        )
    node, value = odd
    name, text = failure.text(node), failure.text(node)
    where, fix = _device_text(failure, wanted, tensors), None
    if where is not None:
        simple = isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call)
        fix = failure.fixed((node, f"{text if simple else f'({text})'}.to({where})"))
    return Explanation(
        "device",
        f"{name} is on {value.device}, what it meets is on {wanted}",
        f"both on one device: here {wanted}",
        f"{name} was made on {value.device} and never moved; .to() gives a moved copy, which has to be kept",
        fix,
    )


def no_cuda(failure: Failure, _: re.Match[str]) -> Explanation:
    """A GPU is asked for where torch sees none."""
    torch = failure.torch_name
    node = next((each for each in ast.walk(failure.statement) if isinstance(each, ast.Constant)
                 and isinstance(each.value, str) and each.value.startswith("cuda")), None) if failure.statement else None  # fmt: skip
    choice = f'"cuda" if {torch}.cuda.is_available() else "cpu"'
    call = failure.call
    fix: Fix | None = None
    if node is not None:
        fix = failure.fixed((node, choice))
    elif call is not None and isinstance(call.func, ast.Attribute) and call.func.attr == "cuda":
        fix = failure.fixed((call, f"{failure.text(call.func.value)}.to({choice})"))
    return Explanation(
        "device",
        "this PyTorch can use no CUDA device here",
        "a device that is there: ask torch.cuda.is_available() first",
        failure.message.partition("\n")[0] or "torch.cuda.is_available() is False",
        fix,
    )


def memory(failure: Failure, _: re.Match[str]) -> Explanation:
    """No room for another tensor: what takes the room that there is."""
    held = _largest(failure)
    asked = _asked(failure.message)
    total = sum(size for _, _, size in held)
    notes = {name: size_text(size) for name, _, size in held[:_LARGEST]}
    gradient = sum(size for name, _, size in held if name.endswith(".grad"))
    because = "what the program's variables hold: "
    because += (
        ", ".join(f"{name} {size_text(size)}" for name, _, size in held[:_LARGEST])
        if held
        else "little; the rest is autograd's"
    )
    if len(held) > 1:
        because += f"; {size_text(total)} in all" + (f", {size_text(gradient)} of it gradients" if gradient else "")
    fix = _halved_batch(failure)
    return Explanation(
        "memory",
        f"no room for another {asked}" if asked else "there is no memory left",
        "a smaller batch; forward without gradients (torch.no_grad()) for evaluation; .item() for losses that are kept",
        because,
        fix,
        "https://docs.pytorch.org/docs/stable/notes/cuda.html#memory-management",
        notes,
        tuple((name, value) for name, value, _ in held[:_LARGEST]),
    )


def assertion_on_device(_: Failure, __: re.Match[str]) -> Explanation:
    """An assertion inside a kernel, which is told at some later line."""
    return Explanation(
        "device",
        "an assertion failed inside a kernel, most often an index or a class number that is too large",
        "indices and class numbers within range; this message cannot say which",
        "the GPU works ahead of Python, so the line named above may not be the one; nothing on the GPU can be read any more",
        None,
        "https://docs.pytorch.org/docs/stable/notes/cuda.html#asynchronous-execution",
    )


def size_text(size: int) -> str:
    """Bytes in a unit that reads well."""
    for unit, worth in reversed(_UNITS.items()):
        if size >= worth:
            number = size / worth
            return f"{number:,.0f} {unit}" if number >= 100 or unit == "bytes" else f"{number:.3g} {unit}"
    return "0 bytes"


def _odd_one(tensors: list[tuple[ast.expr, Any]], weight: Any) -> tuple[str | None, tuple[ast.expr, Any] | None]:
    """The device to go to, and the variable that is elsewhere."""
    if weight is not None:
        wanted = str(weight.device)
        moved = [pair for pair in tensors if str(pair[1].device) != wanted]
        return wanted, moved[0] if moved else None
    places = list(dict.fromkeys(str(value.device) for _, value in tensors))
    if len(places) != 2:
        return None, None
    wanted = next((place for place in places if not place.startswith("cpu")), places[0])
    return wanted, next(pair for pair in tensors if str(pair[1].device) != wanted)


def _device_text(failure: Failure, wanted: str, tensors: list[tuple[ast.expr, Any]]) -> str | None:
    """How the program would name the device: by its own variable, by a tensor that is there, else by its name."""
    every = {**failure.frame.f_globals, **variables(failure.frame)}
    for name, value in every.items():
        kind = type(value)
        named = kind is str or (kind.__module__ == "torch" and kind.__name__ == "device")
        if named and str(value).partition(":")[0] == wanted.partition(":")[0] and not name.startswith("_"):
            return name
    other = next((node for node, value in tensors if str(value.device) == wanted and isinstance(node, ast.Name)), None)
    return f"{failure.text(other)}.device" if other is not None else f'"{wanted}"'


def _largest(failure: Failure) -> list[tuple[str, Any, int]]:
    """The tensors that the program's frames can reach, gradients too, the largest first; memory that is shared counts once."""
    found: dict[Any, tuple[str, Any, int]] = {}
    for frame in reversed([failure.frame, *failure.outer]):
        every = {**(frame.f_globals if frame.f_code.co_name == "<module>" else {}), **variables(frame)}
        for name, value in every.items():
            for path, tensor in _tensors_in(name, value):
                if len(found) < _MOST_TENSORS and is_plain(tensor) and str(tensor.layout) == "torch.strided":
                    size = tensor.untyped_storage().nbytes()
                    found.setdefault(tensor.untyped_storage().data_ptr() or id(tensor), (path, tensor, size))
    return sorted(found.values(), key=lambda each: -each[2])


def _tensors_in(name: str, value: Any) -> list[tuple[str, Any]]:
    if is_plain(value):
        grad = value.grad if value.is_leaf else None
        return [(name, value), *([(f"{name}.grad", grad)] if grad is not None else [])]
    if is_module(value):
        found = []
        for path, module in module_paths(value, name):
            for parameter in (of_module(module, "weight"), of_module(module, "bias")):
                if is_plain(parameter):
                    which = "weight" if parameter is of_module(module, "weight") else "bias"
                    found += _tensors_in(f"{path}.{which}", parameter)
        return found
    if type(value) in (list, tuple):
        return [(f"{name}[{index}]", each) for index, each in enumerate(value[:_MOST_TENSORS]) if is_plain(each)]
    if type(value) is dict:
        return [
            (f"{name}[{key!r}]", each) for key, each in list(value.items())[:100] if type(key) is str and is_plain(each)
        ]
    return []


def _asked(message: str) -> str:
    found = re.search(r"(?:Tried to allocate|tried to allocate) ([\d.]+) ?(bytes|KiB|MiB|GiB|TiB)", message)
    return size_text(int(float(found[1]) * _UNITS[found[2]])) if found else ""


def _halved_batch(failure: Failure) -> Fix | None:
    """The line that makes the loader, with half its batch size."""
    for source in failure.own_sources:
        for call in _loaders(source):
            node = argument(call, 1, "batch_size")
            if isinstance(node, ast.Constant) and type(node.value) is int and node.value > 1:
                return source.replaced((node, str(node.value // 2)))
    return None


def _loaders(source: Source) -> list[ast.Call]:
    plain = [each for each in ast.walk(source.tree) if isinstance(each, ast.Call)
             and isinstance(each.func, ast.Name) and each.func.id == "DataLoader"]  # fmt: skip
    return [*plain, *calls_of(source.tree, "DataLoader")]
