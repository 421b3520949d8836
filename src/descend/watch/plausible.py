"""Which loops may be a training with gradients by hand, judged by their text alone: something is updated in them and used.

This only saves work: whether a loop is one is decided by what it does (``dependence``).
"""

import ast
import builtins
from collections.abc import Iterator

Loop = ast.For | ast.While

_IN_PLACE = frozenset(
    {"sub_", "add_", "addcdiv_", "addcmul_", "addmm_", "addmv_", "addr_", "copy_", "lerp_", "subtract_"}
)
_AUTOGRAD = frozenset({"backward", "zero_grad"})
_BUILTINS = frozenset(dir(builtins))


def may_be_training(loop: Loop, updating: frozenset[str]) -> bool:
    """Whether the loop may update something it uses. ``updating`` are the functions of the script that may update something."""
    nodes = list(_nodes(loop.body))
    if any(isinstance(node, ast.Attribute) and node.attr in _AUTOGRAD for node in nodes):
        return False
    if any(isinstance(node, ast.Call) and _called(node) in updating for node in nodes):
        return True
    sources = _item_sources(nodes)
    for statement in nodes:
        for name in _updated(statement):
            names = {name} | sources.get(name, set())
            if _goes_through_a_function(statement, name) or _read_elsewhere(loop.body, names, statement):
                return True
    return False


def updating_functions(tree: ast.Module) -> frozenset[str]:
    """Names of functions and methods that update something which outlives them."""
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and _updates_what_outlives(node)
    )


def stored_names(loop: Loop) -> frozenset[str]:
    """Variables that the body assigns."""
    return frozenset(
        node.id for node in _nodes(loop.body) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )


def temporary_names(loop: Loop) -> frozenset[str]:
    """Names that this loop and those in it give to the items they go through."""
    loops = [loop, *(node for node in _nodes(loop.body) if isinstance(node, ast.For))]
    return frozenset(
        name.id
        for each in loops
        if isinstance(each, ast.For)
        for name in ast.walk(each.target)
        if isinstance(name, ast.Name)
    )


def _nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """All nodes of some statements, without those of functions and classes defined in them."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def _updated(node: ast.AST) -> Iterator[str]:
    """Names of the variables that a node gives a new value made from the old one, or changes in place."""
    match node:
        case ast.AugAssign():
            yield from _root(node.target)
        case ast.Assign(targets=targets, value=value):
            loaded = _loaded(value)
            stored = {name for target in targets for name in _roots(target)}
            yield from stored & loaded
        case ast.Call(func=ast.Attribute(value=value, attr=attribute)) if attribute in _IN_PLACE:
            yield from _root(value)
        case ast.Call(func=ast.Attribute(attr=attribute), args=[first, *_]) if attribute.startswith("_foreach_"):
            yield from _roots(first)
        case ast.keyword(arg="out", value=value):
            yield from _root(value)


def _updates_what_outlives(function: ast.FunctionDef) -> bool:
    inside = list(_nodes(function.body))
    if any(isinstance(node, ast.Attribute) and node.attr in _AUTOGRAD for node in inside):
        return False
    arguments = function.args
    outliving = {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    outliving |= {name for node in inside if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}
    sources = _item_sources(inside)
    for node in inside:
        for name in _updated(node):
            if ({name} | sources.get(name, set())) & outliving:
                return True
    return False


def _goes_through_a_function(statement: ast.AST, name: str) -> bool:
    """``w, b, loss = step(w, b, x, y)``: what happens to ``w`` stands elsewhere."""
    if not isinstance(statement, ast.Assign):
        return False
    calls = (node for node in ast.walk(statement.value) if isinstance(node, ast.Call))
    return any(
        _called(call) not in _BUILTINS and any(name in _loaded(argument) for argument in call.args) for call in calls
    )


def _read_elsewhere(body: list[ast.stmt], names: set[str], update: ast.AST) -> bool:
    """Whether one of the names is read by anything but its updates, what loops go through, and ``print``."""
    skipped = {id(node) for node in ast.walk(update)}
    for node in _nodes(body):
        if isinstance(node, ast.Call) and _called(node) == "print":
            skipped |= {id(inner) for inner in ast.walk(node)}
        elif isinstance(node, ast.For):
            skipped |= {id(inner) for inner in ast.walk(node.iter)}
        elif isinstance(node, ast.stmt) and any(name in names for name in _updated(node)):
            skipped |= {id(inner) for inner in ast.walk(node)}
    return any(
        isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names and id(node) not in skipped
        for node in _nodes(body)
    )


def _item_sources(nodes: list[ast.AST]) -> dict[str, set[str]]:
    """For each name that a loop gives to items: the names of what it goes through."""
    sources: dict[str, set[str]] = {}
    for node in nodes:
        if isinstance(node, ast.For):
            for name in _roots(node.target):
                sources.setdefault(name, set()).update(_loaded(node.iter))
    return sources


def _roots(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from _roots(element)
    else:
        yield from _root(target)


def _root(node: ast.expr) -> Iterator[str]:
    """``w`` of ``w``, ``w[0]``, ``w.data``, ``w.data.view(-1)``."""
    while not isinstance(node, ast.Name):
        match node:
            case ast.Attribute(value=value) | ast.Subscript(value=value) | ast.Starred(value=value):
                node = value
            case ast.Call(func=function):
                node = function
            case _:
                return
    yield node.id


def _loaded(node: ast.expr) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
