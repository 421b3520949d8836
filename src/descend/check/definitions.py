"""Where in the user's files layers are made and parameters get their first values."""

import ast
from collections.abc import Iterator

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import Place

_FILLING = frozenset(["constant_", "zeros_", "ones_", "fill_", "zero_", "eye_", "dirac_"])


def initial_place(evidence: Evidence, name: str) -> Place | None:
    """The line that gave a parameter its first values, where only one can be it."""
    found = list(_fillings(evidence, name)) if "." in name else list(_assignments(evidence, name))
    return found[0] if len(found) == 1 else None


def layer_place(evidence: Evidence, layer: str) -> Place | None:
    """The line of a layer within an ``nn.Sequential(…)`` that was written out, where only one can be it."""
    owner, _, position = layer.rpartition(".")
    if not position.isdecimal():
        return None
    variable = owner.rpartition(".")[2]
    found = []
    for file, node in _nodes(evidence):
        targets, value = _assigned(node)
        if not isinstance(value, ast.Call) or words.dotted(value.func).rpartition(".")[2] != "Sequential":
            continue
        part = value.args[int(position)] if int(position) < len(value.args) else None
        called = words.dotted(part.func).rpartition(".")[2] if isinstance(part, ast.Call) else ""
        fits = not variable or any(words.dotted(each).rpartition(".")[2] == variable for each in targets)
        if fits and part is not None and called.startswith(("Linear", "Conv")):
            found.append(evidence.place(file, part.lineno))
    return found[0] if len(found) == 1 else None


def _assignments(evidence: Evidence, name: str) -> Iterator[Place]:
    for file, node in _nodes(evidence):
        targets, value = _assigned(node)
        if not isinstance(value, ast.Call | ast.Tuple | ast.BinOp):
            continue
        names = [part for each in targets for part in (each.elts if isinstance(each, ast.Tuple) else [each])]
        if any(words.dotted(each) == name for each in names):
            place = evidence.place(file, getattr(node, "lineno", None))
            if place is not None:
                yield place


def _fillings(evidence: Evidence, name: str) -> Iterator[Place]:
    """Calls that fill a weight with one number: of this name, else of any."""
    exact, other = [], []
    for file, node in _nodes(evidence):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in _FILLING:
            continue
        filled = [*node.args[:1], node.func.value]
        texts = [
            words.dotted(each).removesuffix(".data") for each in filled if isinstance(each, ast.Attribute | ast.Name)
        ]
        place = evidence.place(file, node.lineno)
        if place is None:
            continue
        if any(text.endswith(name) for text in texts):
            exact.append(place)
        elif any(text.rpartition(".")[2] == name.rpartition(".")[2] for text in texts):
            other.append(place)
    yield from exact or other


def _assigned(node: ast.AST) -> tuple[list[ast.expr], ast.expr | None]:
    if isinstance(node, ast.Assign):
        return node.targets, node.value
    if isinstance(node, ast.AnnAssign):
        return [node.target], node.value
    return [], None


def _nodes(evidence: Evidence) -> Iterator[tuple[str, ast.AST]]:
    for file in evidence.sources:
        tree = evidence.tree(file)
        for node in ast.walk(tree) if tree is not None else ():
            yield file, node
