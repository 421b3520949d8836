"""Errors of autograd about changes in place: of a parameter, of a value that backward still needs."""

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from descend.explain.crash.failure import Explanation, Failure
from descend.explain.crash.source import Fix, Source, base_name
from descend.explain.crash.values import is_plain, variables

if TYPE_CHECKING:
    import torch

_AUTOGRAD = "https://docs.pytorch.org/docs/stable/notes/autograd.html"


def leaf(failure: Failure, _: re.Match[str]) -> Explanation:
    """An update in place that autograd was to record."""
    statement, source = failure.statement, failure.source
    node = failure.node
    target = node.target if isinstance(node, ast.AugAssign) else node
    if isinstance(target, ast.Call) and isinstance(target.func, ast.Attribute):
        target = target.func.value
    name = base_name(target) if target is not None else None
    fix = source.within(statement, f"with {failure.torch_name}.no_grad():") if source and statement else None
    return Explanation(
        "in place",
        f"{name or 'the parameter'} is a parameter, and a change in place would be recorded as a part of the graph",
        "an update outside the graph: inside torch.no_grad()",
        f"{name or 'it'} is a leaf with requires_grad=True, and gradients are on in this line",
        fix,
        _AUTOGRAD,
    )


def changed(failure: Failure, match: re.Match[str]) -> Explanation:
    """A value that backward needs, changed in place since forward."""
    sizes = tuple(int(size) for size in re.findall(r"\d+", match[1]))
    operation, version, wanted = match[2], int(match[3]), int(match[4])
    found = [each for source in failure.own_sources for each in _in_place(source)]
    held = {name: value for name, value in _tensors(failure) if tuple(value.shape) == sizes}
    matching = [each for each in found if each[2] in held and held[each[2]]._version == version]
    chosen = matching or [each for each in found if each[2] not in dict(_tensors(failure))] or found
    because = f"backward needs the {sizes} result of {operation} as it was; it has been changed {_times(version - wanted)} since"
    fix: Fix | None = None
    if len(chosen) == 1:
        source, statement, name = chosen[0]
        because += f": line {statement.lineno} changes {name} in place"
        fix = _out_of_place(source, statement)
    elif chosen:
        because += f": lines {', '.join(str(line) for line in sorted({each[1].lineno for each in chosen}))} change tensors in place"
    return Explanation(
        "in place",
        "a value that backward needs was overwritten after forward",
        "new tensors in forward (x = x + 1), so that the old values stay for backward",
        because,
        fix,
        _AUTOGRAD,
    )


def _in_place(source: Source) -> Iterator[tuple[Source, ast.stmt, str]]:
    """Statements that change a variable's tensor where it stands: ``x += 1``, ``x[0] = 1``, ``x.add_(1)``."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.AugAssign) and base_name(node.target):
            yield source, node, base_name(node.target) or ""
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript) and base_name(node.targets[0]):
            yield source, node, base_name(node.targets[0]) or ""
        elif isinstance(node, ast.Expr | ast.Assign | ast.Return) and isinstance(node.value, ast.Call):
            call = node.value
            method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            if method.endswith("_") and not method.endswith("__") and "grad" not in ast.unparse(call.func):
                yield source, node, base_name(call.func) or ""


def _out_of_place(source: Source, statement: ast.stmt) -> Fix | None:
    if isinstance(statement, ast.AugAssign):
        operator = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}.get(type(statement.op))
        name = source.text(statement.target)
        if operator is None or not isinstance(statement.target, ast.Name):
            return None
        value = source.text(statement.value)
        simple = isinstance(statement.value, ast.Constant | ast.Name | ast.Call | ast.Attribute)
        return source.replaced((statement, f"{name} = {name} {operator} {value if simple else f'({value})'}"))
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Subscript):
        name = base_name(statement.targets[0]) or ""
        return source.before(statement, f"{name} = {name}.clone()")
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            name, method = call.func.value.id, call.func.attr
            arguments = ", ".join(source.text(each) for each in call.args)
            return source.replaced((statement, f"{name} = {name}.{method.rstrip('_')}({arguments})"))
    return None


def _tensors(failure: Failure) -> list[tuple[str, "torch.Tensor"]]:
    return [(name, value) for name, value in variables(failure.frame).items() if is_plain(value)]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
