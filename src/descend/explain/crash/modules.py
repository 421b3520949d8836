"""Errors of modules and of Python around them: state dicts that do not fit, values that are missing, numbers asked of tensors."""

import ast
import re
from typing import Any

from descend.errors import did_you_mean
from descend.explain.crash.failure import Explanation, Failure, Layer
from descend.explain.crash.shapes import resized
from descend.explain.crash.source import Fix, argument
from descend.explain.crash.values import UNKNOWN, is_module, is_plain, module_paths, of_module, stored

_SAVING = "https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html"
_NESTS = ("model_state_dict", "state_dict", "model", "net")


def state_dict(failure: Failure, _: re.Match[str]) -> Explanation:
    """A saved state that belongs to another model, or is written otherwise."""
    missing, unexpected = _keys(failure.message, "Missing"), _keys(failure.message, "Unexpected")
    sizes = re.findall(
        r"size mismatch for (\S+): copying a param with shape torch\.Size\(\[([\d, ]*)\]\) from checkpoint, "
        r"the shape in current model is torch\.Size\(\[([\d, ]*)\]\)",
        failure.message,
    )
    call = failure.call
    given = call.args[0] if call is not None and call.args else None
    fix: Fix | None = None
    if unexpected and all(key.startswith("module.") for key in unexpected) and given is not None:
        because = "every saved name begins with module.: it was saved from inside DataParallel or DDP"
        text = f'{{name.removeprefix("module."): value for name, value in {failure.text(given)}.items()}}'
        fix = failure.fixed((given, text))
    elif given is not None and (nest := next((key for key in _NESTS if key in unexpected), None)):
        because = f"what was loaded is a checkpoint; the model's own state stands in it as {nest!r}"
        fix = failure.fixed((given, f'{failure.text(given)}["{nest}"]'))
    elif sizes:
        because = "; ".join(f"{name} was saved as ({saved}), the model has ({here})" for name, saved, here in sizes[:3])
        fix = _layer_as_saved(failure, sizes)
    else:
        said = [("not saved", missing), ("not in the model", unexpected)]
        because = "; ".join(
            f"{what}: {', '.join(keys[:4])}{' …' if len(keys) > 4 else ''}" for what, keys in said if keys
        )
    return Explanation(
        "state dict",
        f"the saved state does not fit the model: {len(missing)} missing, {len(unexpected)} unexpected, {len(sizes)} of another size",
        "the same names and shapes as when it was saved",
        because,
        fix,
        _SAVING,
    )


def missing_value(failure: Failure, match: re.Match[str]) -> Explanation | None:
    """None, a list or an array where a tensor is due: most often a forward that returns nothing."""
    got = match[match.lastindex or 0]
    kinds: dict[str, tuple[str, ...]] = {"NoneType": ("None",), "list": ("list",), "numpy.ndarray": ("ndarray",)}
    names = [node for node, value in failure.chains if (value is None if got == "NoneType" else type(value).__name__ in kinds.get(got, ()))]  # fmt: skip
    node = (
        names[0]
        if names
        else failure.call.args[0]
        if got != "NoneType" and failure.call and failure.call.args
        else None
    )
    name = failure.text(node) if node is not None else "what it was given"
    fix: Fix | None = None
    because = f"{name} is {'None' if got == 'NoneType' else 'a ' + got}"
    if got in ("list", "numpy.ndarray") and node is not None:
        array = got == "numpy.ndarray"
        torch = failure.torch_name
        fix = failure.fixed(
            (node, f"{torch}.{'from_numpy' if array else 'tensor'}({name}){'.float()' if array else ''}")
        )
    elif got == "NoneType" and node is not None:
        because, fix = _returns_nothing(failure, node) or (because, None)
    return Explanation("missing", f"{name} is no tensor", "a tensor", because, fix)


def not_yet(failure: Failure, _: re.Match[str]) -> Explanation:
    """Layers given to a module before ``super().__init__()``."""
    source, statement = failure.source, failure.statement
    fix = source.before(statement, "super().__init__()") if source is not None and statement is not None else None
    return Explanation(
        "module",
        "a layer is given to the module before the module is set up",
        "super().__init__() as the first line of __init__",
        "nn.Module makes the places for layers and parameters in its own __init__",
        fix,
    )


def no_attribute(failure: Failure, match: re.Match[str]) -> Explanation | None:
    """A layer that a module does not have."""
    name = match[2]
    node = failure.node
    holder: Any = failure.value(node.value) if isinstance(node, ast.Attribute) else UNKNOWN
    if not is_module(holder):
        return None
    known = [
        *stored(holder),
        *(key for part in ("_parameters", "_buffers", "_modules") for key in stored(holder).get(part, ())),
    ]
    public = [each for each in known if not each.startswith("_")]
    near = did_you_mean(name, public)
    parts = list(stored(holder).get("_modules", ()))
    fix = None
    if near and isinstance(node, ast.Attribute):
        fix = failure.fixed((node, f"{failure.text(node.value)}.{near.split(chr(39))[1]}"))
    return Explanation(
        "module",
        f"{type(holder).__name__} has no {name}{near}",
        "one of the names that were given to it in __init__",
        f"its layers: {', '.join(parts[:8])}" if parts else "it has no layers",
        fix,
    )


def no_parameters(_: Failure, __: re.Match[str]) -> Explanation:
    """An optimizer with nothing to optimise."""
    return Explanation(
        "module",
        "the optimizer was given no parameters",
        "parameters: of layers that stand as self.name = … in a module, or tensors with requires_grad=True",
        "layers in a plain list or dict are not seen (nn.ModuleList is), and parameters() can be used up only once",
    )


def one_number(failure: Failure, match: re.Match[str]) -> Explanation:
    """A plain number, or yes or no, asked of a tensor that holds several."""
    asked = match[0].startswith("Boolean")
    node = next((node for node, value in failure.chains if is_plain(value) and value.numel() != 1), None)
    name = failure.text(node) if node is not None else "the tensor"
    shape = failure.shape(node)
    expected = (
        "(…).all() or (…).any(), which make one yes or no of many"
        if asked
        else "one number: .mean(), .sum(), or an index"
    )
    return Explanation(
        "one number",
        f"{name} {shape or ''} holds several numbers".replace("  ", " ")
        + (", so it is neither true nor false" if asked else ""),
        expected,
        "a condition needs one answer" if asked else ".item() and float() take a tensor with one number",
    )


def has_graph(failure: Failure, _: re.Match[str]) -> Explanation:
    """NumPy asked of a tensor that is part of a graph."""
    call = failure.call
    node = call.func.value if call is not None and isinstance(call.func, ast.Attribute) else None
    name = failure.text(node) if node is not None else "the tensor"
    return Explanation(
        "numpy",
        f"{name} is part of a graph, and NumPy knows no gradients",
        "a tensor without its history: .detach()",
        f"{name} has requires_grad=True, or was computed from what has",
        failure.fixed((node, f"{name}.detach()")) if node is not None else None,
    )


def batch_of_one(failure: Failure, _: re.Match[str]) -> Explanation:
    """Batch norm in training mode with one value a channel."""
    layer = failure.layer
    name = layer.path if layer is not None else "batch norm"
    return Explanation(
        "shapes",
        f"{name} has one value for each channel: there is no spread to measure",
        "two rows or more in training mode; any number after model.eval()",
        "a batch of one row, often the last of an epoch: DataLoader(..., drop_last=True) leaves it out",
        _without_last(failure),
    )


def _without_last(failure: Failure) -> Fix | None:
    for source in failure.own_sources:
        for node in ast.walk(source.tree):
            called = isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "DataLoader"
            if called and isinstance(node, ast.Call) and argument(node, 8, "drop_last") is None:
                return source.replaced((node, f"{source.text(node)[:-1].rstrip(', ')}, drop_last=True)"))
    return None


def _returns_nothing(failure: Failure, node: ast.expr) -> tuple[str, Fix | None] | None:
    """The forward whose missing ``return`` made the value None."""
    source, statement = failure.source, failure.statement
    if source is None or statement is None:
        return None
    made = [
        value
        for line, value in source.assignments(source.scope_of(statement), ast.unparse(node))
        if line.lineno < statement.lineno
    ]
    call = made[-1] if made else None
    called = failure.value(call.func) if isinstance(call, ast.Call) else UNKNOWN
    kind = type(called).__name__ if is_module(called) else None
    for holder in ast.walk(source.tree):
        if kind is None or not isinstance(holder, ast.ClassDef) or holder.name != kind:
            continue
        for function in holder.body:
            plain = isinstance(function, ast.FunctionDef) and function.name == "forward"
            if (
                plain
                and isinstance(function, ast.FunctionDef)
                and not any(isinstance(each, ast.Return) for each in ast.walk(function))
            ):
                last = function.body[-1]
                fix = None
                if isinstance(last, ast.Assign | ast.Expr):
                    fix = source.instead(last, f"return {source.text(last.value)}")
                return f"forward of {kind} ends without return, in line {last.lineno}, so it gives None", fix
    return None


def _keys(message: str, which: str) -> list[str]:
    found = re.search(rf"{which} key\(s\) in state_dict: (.*?)\. ?(?:\n|$)", message)
    return re.findall(r'"([^"]+)"', found[1]) if found else []


def _layer_as_saved(failure: Failure, sizes: list[tuple[str, str, str]]) -> Fix | None:
    """The line that makes a linear layer, with the width that was saved."""
    call = failure.call
    model: Any = (
        failure.value(call.func.value) if call is not None and isinstance(call.func, ast.Attribute) else UNKNOWN
    )
    if not is_module(model) or call is None or not isinstance(call.func, ast.Attribute):
        return None
    changes: list[Fix] = []
    for path, layer in module_paths(model, failure.text(call.func.value)):
        weight = of_module(layer, "weight")
        for name, saved, here in sizes:
            written = path.replace("[", ".").replace("]", "").partition(".")[2]
            wanted = [int(size) for size in saved.split(",") if size.strip()]
            now = [int(size) for size in here.split(",") if size.strip()]
            if (
                f"{written}.weight".lstrip(".") == name
                and is_plain(weight)
                and len(wanted) == len(now) == 2
                and wanted[0] == now[0]
            ):
                fix = resized(failure, Layer(layer, path, layer, UNKNOWN), wanted[1])
                changes += [fix] if fix is not None else []
    return changes[0] if len(changes) == 1 == len(sizes) else None
