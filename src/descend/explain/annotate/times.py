"""How often the lines of a program ran, where its text and its record say so; no number where they do not."""

import ast
from collections.abc import Mapping, Sequence

from descend.explain.annotate.names import Names
from descend.explain.annotate.program import expressions

SOMETIMES = (ast.IfExp, ast.BoolOp, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_LEAVES = (ast.Break, ast.Continue, ast.Return)
Loop = ast.For | ast.While


def loops_around(tree: ast.AST, line: int) -> list[Loop]:
    """The loops whose bodies hold a line, the outermost first."""
    found = [each for each in ast.walk(tree) if isinstance(each, ast.For | ast.While) and _holds(each.body, line)]
    return sorted(found, key=lambda each: each.lineno)


def is_conditional(loop: Loop, line: int) -> bool:
    """Whether the line runs only in some turns of the loop, as an update after every fourth backward does."""
    return any(
        isinstance(each, ast.If | ast.Try) and each.lineno <= line <= (each.end_lineno or each.lineno)
        for each in ast.walk(loop)
    )


def _holds(body: Sequence[ast.stmt], line: int) -> bool:
    return body[0].lineno <= line <= (body[-1].end_lineno or body[-1].lineno)


class Times:
    """Counts a program that ran to its end.

    ``turns``: of loops, by the record; ``printed``: how often a line printed; ``functions``: whether they are called in this text
    alone. What depends on a condition has no number.
    """

    def __init__(
        self,
        tree: ast.Module,
        names: Names,
        turns: Mapping[Loop, int],
        printed: Mapping[int, int] | None = None,
        *,
        functions: bool = True,
    ) -> None:
        self.of: dict[int, int] = {}  # line → how often
        self._names = names
        self._turns = turns
        self._printed = printed or {}
        self._entered: dict[int, int | None] = {}  # id of a statement → how often it began
        self._known: dict[str, int] = {}
        self._functions: list[tuple[ast.FunctionDef, ast.ClassDef | None]] = []
        self._sites = _sites(tree)
        self._handed_on = _handed_on(tree, names)
        self._shared = {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
        self._walk(tree.body, 1, in_order=True)
        while self._functions:  # those that are called only by others come after them
            ready = [each for each in self._functions if not self._waits(each[0])]
            function, owner = chosen = (ready or self._functions)[0]
            self._functions.remove(chosen)
            self._known = {}
            self._walk(function.body, self._calls_of(function, owner) if ready and functions else None, in_order=True)
        for line, times in self._printed.items():
            self.of.setdefault(line, times)

    def _walk(self, body: Sequence[ast.stmt], count: int | None, *, in_order: bool = False) -> None:
        for statement in body:
            self._entered[id(statement)] = count
            if count is not None:
                self.of.setdefault(statement.lineno, count)
            if isinstance(statement, ast.For | ast.While):
                self._loop(statement, count)
            elif isinstance(statement, ast.FunctionDef):
                self._functions.append((statement, None))
            elif isinstance(statement, ast.ClassDef):
                self._class(statement, count)
            else:
                self._others(statement, count)
            if in_order:
                self._remember(statement)
            if _leaves(statement):
                count = None  # what comes after it may have been left out

    def _others(self, statement: ast.stmt, count: int | None) -> None:
        if isinstance(statement, ast.With | ast.If | ast.Try):
            self._forget(statement)
        for field in ("body", "orelse", "finalbody"):
            inner = getattr(statement, field, None)
            if isinstance(inner, list):
                surely = isinstance(statement, ast.With) or (isinstance(statement, ast.If) and _is_main(statement))
                self._walk(inner, count if surely and field == "body" else None)
        for handler in getattr(statement, "handlers", ()):
            self._walk(handler.body, None)

    def _class(self, statement: ast.ClassDef, count: int | None) -> None:
        for each in statement.body:
            self._entered[id(each)] = count
            if count is not None and not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)):
                self.of.setdefault(each.lineno, count)
            if isinstance(each, ast.FunctionDef):
                self._functions.append((each, statement))

    def _loop(self, loop: Loop, count: int | None) -> None:
        turns = self._turns.get(loop)
        if turns is None and isinstance(loop, ast.For) and count is not None:
            length = self._length(loop.iter)
            turns = None if length is None else count * length
        if any(_leaves(each) for each in loop.body):
            turns = None
        self.of.pop(loop.lineno, None)
        if turns is not None:
            self.of[loop.lineno] = turns  # of a loop, how often its body ran
        self._forget(loop)
        self._walk(loop.body, turns)
        self._walk(loop.orelse, None)

    def _remember(self, statement: ast.stmt) -> None:
        """Whole numbers that names stand for, as far as the text has been read."""
        value = self._number(statement.value) if isinstance(statement, ast.Assign) else None
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            self._forget(statement)
        if isinstance(statement, ast.Assign) and value is not None:
            names = {target.id for target in statement.targets if isinstance(target, ast.Name)}
            self._known |= dict.fromkeys(names - self._shared, value)

    def _forget(self, statement: ast.stmt) -> None:
        """What the statement may give another value."""
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                self._known.pop(node.id, None)

    def _number(self, node: ast.expr) -> int | None:
        if isinstance(node, ast.Constant):
            return node.value if type(node.value) is int else None
        if isinstance(node, ast.Name):
            return self._known.get(node.id)
        if isinstance(node, ast.BinOp):
            left, right = self._number(node.left), self._number(node.right)
            if left is None or right is None:
                return None
            if isinstance(node.op, ast.Add):
                return left + right
            if isinstance(node.op, ast.Sub):
                return left - right
            if isinstance(node.op, ast.Mult):
                return left * right
            if isinstance(node.op, ast.FloorDiv) and right:
                return left // right
        return None

    def _length(self, node: ast.expr) -> int | None:
        if isinstance(node, ast.List | ast.Tuple):
            return None if any(isinstance(each, ast.Starred) for each in node.elts) else len(node.elts)
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
            return None
        if node.func.id == "enumerate":
            return self._length(node.args[0])
        numbers = [self._number(each) for each in node.args]
        if node.func.id != "range" or None in numbers:
            return None
        try:
            return len(range(*(each for each in numbers if each is not None)))
        except (TypeError, ValueError, OverflowError):
            return None

    # Functions

    def _waits(self, function: ast.FunctionDef) -> bool:
        """Whether it is called in another function that has not been counted."""
        return any(id(statement) not in self._entered for statement, _ in self._sites.get(function.name, ()))

    def _calls_of(self, function: ast.FunctionDef, owner: ast.ClassDef | None) -> int | None:
        """How often a function was called: by its name; a method forward by calls of the model, __init__ by those of the class."""
        if function.decorator_list:
            return None
        called = {function.name} if owner is None else {owner.name}
        if owner is not None and function.name == "forward":
            called = {name for name, call in self._names.made.items() if self._names.full(call.func) == owner.name}
        elif owner is not None and function.name != "__init__":
            return None
        called |= {name for name, own in self._names.same.items() if own in called}
        times, sites = 0, [site for name in called for site in self._sites.get(name, ())]
        if not sites or called & self._handed_on:
            return None
        for statement, surely in sites:
            count = self._entered.get(id(statement))
            if count is None or not surely:
                return None
            times += count
        return times


def _sites(tree: ast.Module) -> dict[str, list[tuple[ast.stmt, bool]]]:
    """By name, the statements that call it, one for each call; and whether they surely do."""
    found: dict[str, list[tuple[ast.stmt, bool]]] = {}
    for statement in ast.walk(tree):
        if isinstance(statement, ast.stmt):
            inside = list(expressions(statement))
            sometimes = {id(inner) for each in inside if isinstance(each, SOMETIMES) for inner in ast.walk(each)}
            for each in inside:
                if isinstance(each, ast.Call) and isinstance(each.func, ast.Name | ast.Attribute):
                    surely = id(each) not in sometimes and not isinstance(statement, ast.While)
                    found.setdefault(ast.unparse(each.func), []).append((statement, surely))
    return found


def _handed_on(tree: ast.Module, names: Names) -> set[str]:
    """Names that are handed to something else, which may call them as well."""
    parents = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            parent = parents[id(node)]
            called = isinstance(parent, ast.Call) and parent.func is node
            renamed = isinstance(parent, ast.Assign) and node.id in names.same.values()
            if not (called or renamed or isinstance(parent, ast.Attribute)):
                found.add(node.id)
    return found


def _leaves(statement: ast.stmt) -> bool:
    """Whether a loop or function may be left within the statement; what inner functions do is their own."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return False
    if isinstance(statement, _LEAVES) or _is_exit(statement):
        return True
    if isinstance(statement, ast.For | ast.While):
        return any(isinstance(each, ast.Return) for each in ast.walk(statement))
    return any(_leaves(child) for child in ast.iter_child_nodes(statement) if isinstance(child, ast.stmt))


def _is_main(statement: ast.If) -> bool:
    return ast.unparse(statement.test) in ("__name__ == '__main__'", "'__main__' == __name__")


def _is_exit(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    return ast.unparse(statement.value.func) in ("sys.exit", "exit", "quit", "os._exit")
