"""What the names of a script stand for."""

import ast
from collections import Counter

from descend.explain.annotate.program import Program


class Names:
    """Imports, the classes and functions that the script defines itself, and what made its variables."""

    def __init__(self, program: Program) -> None:
        tree = program.tree
        self.place_of = program.told  # a line, in words
        self.in_notebook = program.is_notebook
        self.told: set[str] = set()  # what has been said of arguments
        self._imported: dict[str, str] = {}
        self.own: dict[str, ast.ClassDef | ast.FunctionDef] = {}
        self.made: dict[str, ast.Call] = {}  # variable → the call that made it, where there is one alone
        self.same: dict[str, str] = {}  # another name of something of the script's own
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    first = alias.name.partition(".")[0]
                    self._imported[alias.asname or first] = alias.name if alias.asname else first
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                self._imported |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        methods = {
            id(child)
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
            for child in node.body
            if isinstance(child, ast.FunctionDef)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and id(node) not in methods:
                self.own.setdefault(node.name, node)
        self._variables(tree)

    def _variables(self, tree: ast.Module) -> None:
        given: Counter[str] = Counter()
        made: dict[str, set[str]] = {}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Assign):
                continue
            for target, value in _pairs(node):
                name = ast.unparse(target)
                given[name] += 1
                if isinstance(value, ast.Call):
                    made.setdefault(name, set()).add(self.full(value.func))
                    self.made.setdefault(name, value)
                elif isinstance(value, ast.Name) and value.id in self.own:
                    self.same[name] = value.id
                else:
                    made.setdefault(name, set()).add("")
        for name, makers in made.items():
            if len(makers) > 1:  # now one thing, now another
                self.made.pop(name, None)
        self.same = {name: own for name, own in self.same.items() if given[name] == 1}

    def full(self, node: ast.expr) -> str:
        """The name of what is called or read, in full where it was imported: torch.nn.Linear; ``.item`` of something computed."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return f".{parts[0]}" if parts else ""
        first = self._imported.get(node.id, node.id)
        return ".".join([first, *reversed(parts)])

    def maker(self, variable: ast.expr) -> tuple[str, ast.Call] | None:
        """The name of what was called to make a variable, and the call; or a call that stands right there."""
        if isinstance(variable, ast.Call):
            return self.full(variable.func), variable
        call = self.made.get(ast.unparse(variable)) if isinstance(variable, ast.Name | ast.Attribute) else None
        return None if call is None else (self.full(call.func), call)

    def of_own(self, called: ast.expr) -> ast.ClassDef | ast.FunctionDef | None:
        """The class or function of the script's own that is called by this name, or by another one of it."""
        if not isinstance(called, ast.Name):
            return None
        return self.own.get(self.same.get(called.id, called.id))


def _pairs(node: ast.Assign) -> list[tuple[ast.expr, ast.expr]]:
    found: list[tuple[ast.expr, ast.expr]] = []
    for target in node.targets:
        if isinstance(target, ast.Name | ast.Attribute):
            found.append((target, node.value))
        elif isinstance(target, ast.Tuple):
            values = node.value.elts if isinstance(node.value, ast.Tuple) else []
            together = values if len(values) == len(target.elts) else [ast.Constant(None)] * len(target.elts)
            found += zip(target.elts, together, strict=True)
    return found
