"""Where the user's own text says something: attributes of classes, variables, regions without gradients."""

import ast
from collections.abc import Iterator

from descend.check.evidence import Evidence
from descend.check.finding import Place

_DYNAMIC = frozenset(
    ["getattr", "children", "named_children", "modules", "named_modules", "_modules", "vars", "__dict__"]
)
"""Ways in which a class may reach its attributes without writing their names."""
_NO_GRADIENT = frozenset(["no_grad", "inference_mode"])


def classes(evidence: Evidence, name: str) -> list[tuple[str, ast.ClassDef]]:
    """The definitions of a class of this name, with their files."""
    return [
        (file, node)
        for file, tree in _trees(evidence)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name == name
    ]


def attribute_set(evidence: Evidence, owner: str, attribute: str) -> tuple[Place, ast.expr] | None:
    """Where a class of this name first sets ``self.<attribute>``, and what it sets it to."""
    for file, definition in classes(evidence, owner):
        for node in ast.walk(definition):
            value = _set_to(node, attribute)
            if value is not None and isinstance(node, ast.stmt):
                place = evidence.place(file, node.lineno)
                if place is not None:
                    return place, value
    return None


def is_read(evidence: Evidence, owner: str, attribute: str) -> bool | None:
    """Whether the text reads this attribute anywhere outside of constructors, or may reach it in another way. None for an unknown class."""
    definitions = classes(evidence, owner)
    if not definitions:
        return None
    for _, definition in definitions:
        for node in ast.walk(definition):
            name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
            if name in _DYNAMIC:
                return True
    return any(attribute in _read_outside_of_constructors(tree) for _, tree in _trees(evidence))


def variable_set(evidence: Evidence, name: str) -> Place | None:
    """Where a variable of this name is first given a value."""
    for file, tree in _trees(evidence):
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                flat = [
                    each
                    for target in targets
                    for each in ast.walk(target)
                    if isinstance(each, ast.Name | ast.Attribute)
                ]
                if any((each.id if isinstance(each, ast.Name) else ast.unparse(each)) == name for each in flat):
                    return evidence.place(file, node.lineno)
    return None


def times_read(evidence: Evidence, name: str) -> int:
    """How often the text reads a variable of this name."""
    return sum(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        for _, tree in _trees(evidence)
        for node in ast.walk(tree)
    )


def without_gradients(evidence: Evidence, file: str, line: int) -> Place | None:
    """The ``with torch.no_grad()`` or the decorator of the function that a line stands under."""
    tree = evidence.tree(file)
    found: Place | None = None
    for node in ast.walk(tree) if tree is not None else ():
        if not isinstance(node, ast.stmt) or not node.lineno <= line <= (node.end_lineno or node.lineno):
            continue
        if isinstance(node, ast.With):
            heads = [item.context_expr for item in node.items]
        else:
            heads = node.decorator_list if isinstance(node, ast.FunctionDef) else []
        for head in heads:
            if any(name in ast.unparse(head) for name in _NO_GRADIENT):
                found = evidence.place(file, head.lineno)
    return found


def function_at(evidence: Evidence, file: str, line: int) -> ast.FunctionDef | None:
    """The innermost function that a line stands in."""
    tree = evidence.tree(file)
    found = [
        node
        for node in (ast.walk(tree) if tree is not None else ())
        if isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return max(found, key=lambda node: node.lineno, default=None)


def loops_at(evidence: Evidence, file: str, line: int) -> list[ast.For | ast.While]:
    """The loops of the same function that a line stands in, the outermost first."""
    function = function_at(evidence, file, line)
    scope: ast.AST | None = function if function is not None else evidence.tree(file)
    found = [
        node
        for node in (ast.walk(scope) if scope is not None else ())
        if isinstance(node, ast.For | ast.While) and node.body[0].lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return sorted(found, key=lambda node: node.lineno)


def _trees(evidence: Evidence) -> Iterator[tuple[str, ast.Module]]:
    for file in evidence.sources:
        tree = evidence.tree(file)
        if tree is not None:
            yield file, tree


def _set_to(node: ast.AST, attribute: str) -> ast.expr | None:
    """What a statement sets ``self.<attribute>`` to."""
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        pairs: list[tuple[ast.expr, ast.expr]] = [(node.target, node.value)]
    elif isinstance(node, ast.Assign):
        pairs = [(target, node.value) for target in node.targets]
        for target, value in list(pairs):
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs += zip(target.elts, value.elts, strict=False)
            elif isinstance(target, ast.Tuple):
                pairs += [(each, value) for each in target.elts]
    else:
        return None
    return next(
        (
            value
            for target, value in pairs
            if isinstance(target, ast.Attribute) and target.attr == attribute and isinstance(target.value, ast.Name)
        ),
        None,
    )


def _read_outside_of_constructors(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            # A constructor may hand a layer on to a container, which then calls it.
            found |= {
                argument.attr
                for call in ast.walk(node)
                if isinstance(call, ast.Call)
                for argument in _arguments(call)
                if isinstance(argument, ast.Attribute)
            }
            continue
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            found.add(node.attr)
        waiting += ast.iter_child_nodes(node)
    return found


def _arguments(call: ast.Call) -> Iterator[ast.expr]:
    for given in (*call.args, *(each.value for each in call.keywords)):
        argument = given.value if isinstance(given, ast.Starred) else given
        yield from argument.elts if isinstance(argument, ast.List | ast.Tuple) else [argument]
