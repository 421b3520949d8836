"""The text of a program and its syntax tree: which statement failed, where a name was assigned, how the line would read mended."""

import ast
import linecache
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

_LONGEST = 1_000_000  # characters that are read
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Fix:
    """Lines of code, and the lines of the program's file (from 1, both included) that they take the place of."""

    lines: tuple[str, ...]
    file: str
    first: int
    last: int


class Source:
    """One file, or one cell of a notebook. Raises SyntaxError, ValueError or RecursionError for text that is no program."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.lines = text.splitlines()
        self.tree = ast.parse(text)
        self._parents: dict[ast.AST, ast.AST] = {}
        for parent in ast.walk(self.tree):
            for child in ast.iter_child_nodes(parent):
                self._parents[child] = parent

    def line(self, number: int) -> str:
        """The text of the line, without the spaces around it."""
        return self.lines[number - 1].strip() if 0 < number <= len(self.lines) else ""

    def text(self, node: ast.AST) -> str:
        """The expression as the program has it, on one line."""
        first, last = place_of(node)
        if first == last:
            return self._cut(first, node.col_offset, node.end_col_offset)  # type: ignore[attr-defined]
        return ast.unparse(node)

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """What the node is part of, from the inside outwards."""
        while (parent := self._parents.get(node)) is not None:
            yield parent
            node = parent

    def statement_of(self, node: ast.AST) -> ast.stmt | None:
        """The innermost statement that the node is, or is part of."""
        return next((each for each in (node, *self.above(node)) if isinstance(each, ast.stmt)), None)

    def scope_of(self, node: ast.AST) -> Scope:
        """The function that the node stands in, or the whole module."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        return next((each for each in self.above(node) if isinstance(each, kinds)), self.tree)

    def node_at(self, place: tuple[int | None, int | None, int | None, int | None]) -> ast.AST | None:
        """The smallest expression or statement that ends where the failing instruction ends and holds its start."""
        first, last, column, end = place
        if first is None or last is None or column is None or end is None:
            return None
        found: ast.AST | None = None
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.expr | ast.stmt):
                continue
            ends = (node.end_lineno, node.end_col_offset) == (last, end)
            if ends and (node.lineno, node.col_offset) <= (first, column) and _is_smaller(node, found):
                found = node
        return found

    def statement_at(self, line: int) -> ast.stmt | None:
        """The innermost statement that runs over the line."""
        found = None
        for node in ast.walk(self.tree):
            if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0):
                found = node if found is None or node.lineno >= found.lineno else found
        return found

    def replaced(self, *changes: tuple[ast.AST, str]) -> Fix:
        """The statements that hold the nodes, as they read with each node's text put in the place of what is there."""
        ends = [self._lines_of(node) for node, _ in changes]
        first, last = min(end[0] for end in ends), max(end[1] for end in ends)
        lines = [line.encode() for line in self.lines[first - 1 : last]]
        order = sorted(changes, key=lambda change: (place_of(change[0])[0], change[0].col_offset), reverse=True)  # type: ignore[attr-defined]
        for node, text in order:
            start, end = (line - first for line in place_of(node))
            before, after = lines[start][: node.col_offset], lines[end][node.end_col_offset :]  # type: ignore[attr-defined]
            lines[start : end + 1] = [before + text.encode() + after]
        return self._changed([line.decode() for line in lines], first, last)

    def instead(self, statement: ast.stmt, *lines: str) -> Fix | None:
        """The lines, indented as the statement is, in its place; None where it shares its line with others."""
        if not self._stands_alone(statement):
            return None
        first, last = place_of(statement)
        return self._fix((self.indent_of(statement) + line for line in lines), first, last)

    def before(self, statement: ast.stmt, *lines: str) -> Fix | None:
        """The lines put in front of the statement; None where it shares its line with others."""
        if not self._stands_alone(statement):
            return None
        first, last = self._lines_of(statement)
        indent = self.indent_of(statement)
        return self._fix((*(indent + line for line in lines), *self.lines[first - 1 : last]), first, last)

    def within(self, statement: ast.stmt, head: str) -> Fix | None:
        """The statement one block deeper, below the head ``with torch.no_grad():``; None where it shares its line with others."""
        if not self._stands_alone(statement):
            return None
        first, last = place_of(statement)
        body = (f"    {line}" if line.strip() else line for line in self.lines[first - 1 : last])
        return self._fix((self.indent_of(statement) + head, *body), first, last)

    def indent_of(self, statement: ast.stmt) -> str:
        """The spaces in front of the statement."""
        line = self.lines[statement.lineno - 1]
        return line[: len(line) - len(line.lstrip())]

    def assignments(self, scope: ast.AST, target: str) -> list[tuple[ast.stmt, ast.expr | None]]:
        """The statements that bind the name (or ``self.fc1``, ``batch["x"]``) in the scope, with the value where it is one."""
        found: list[tuple[ast.stmt, ast.expr | None]] = []
        for node in walk_scope(scope):
            if isinstance(node, ast.stmt):
                found += [(node, value) for name, value in _bound(node) if name == target]
        return sorted(found, key=lambda each: each[0].lineno)

    def came_from(self, name: str, statement: ast.stmt) -> int | None:
        """The line that gave the name the value it has at the statement; None where that hangs on a branch."""
        scope = self.scope_of(statement)
        line = self._last_binding(scope, name, statement)
        if line is None and isinstance(scope, ast.Module):
            return None
        if line is None and not self.assignments(scope, name):
            outside = self.assignments(self.tree, name)
            return outside[-1][0].lineno if outside else None
        return line

    def is_sound(self, fix: Fix) -> bool:
        """Whether the text is still a program with the fix in it."""
        try:
            ast.parse("\n".join([*self.lines[: fix.first - 1], *fix.lines, *self.lines[fix.last :]]))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
        return True

    def _stands_alone(self, statement: ast.stmt) -> bool:
        before = self._cut(statement.lineno, 0, statement.col_offset)
        after = self._cut(statement.end_lineno or statement.lineno, statement.end_col_offset or 0, None)
        return not before.strip() and not after.lstrip().startswith(";")

    def _changed(self, lines: list[str], first: int, last: int) -> Fix:
        """Without the lines at both ends that stay as they are."""
        while len(lines) > 1 and last > first and lines[0] == self.lines[first - 1]:
            del lines[0]
            first += 1
        while len(lines) > 1 and last > first and lines[-1] == self.lines[last - 1]:
            del lines[-1]
            last -= 1
        return self._fix(lines, first, last)

    def _fix(self, lines: Iterable[str], first: int, last: int) -> Fix:
        return Fix(tuple(lines), self.file, first, last)

    def _last_binding(self, scope: Scope, name: str, statement: ast.stmt) -> int | None:
        bindings = [node for node, _ in self.assignments(scope, name)]
        around = set(self.above(statement))
        before = [node for node in bindings if node.lineno < statement.lineno or node in around]
        if not before:
            loops = [node for node in around if isinstance(node, ast.For | ast.AsyncFor | ast.While)]
            before = [node for node in bindings if any(loop in set(self.above(node)) for loop in loops)]
        if not before:
            return scope.lineno if not isinstance(scope, ast.Module) and name in _arguments(scope) else None
        branches = (each for each in self.above(before[-1]) if isinstance(each, ast.If | ast.Try | ast.Match))
        return None if any(branch not in around for branch in branches) else before[-1].lineno

    def _lines_of(self, node: ast.AST) -> tuple[int, int]:
        """First and last line of the statement that holds the node; of one with a block below it, of its head."""
        statement = self.statement_of(node)
        if statement is None:
            return place_of(node)
        first, last = place_of(statement)
        blocks = [each for name in _BLOCKS for each in getattr(statement, name, ())]
        return (first, max(first, min(place_of(each)[0] for each in blocks) - 1)) if blocks else (first, last)

    def _cut(self, line: int, start: int, end: int | None) -> str:
        return self.lines[line - 1].encode()[start:end].decode(errors="replace")


def source_of(filename: str, sources: Mapping[str, str]) -> Source | None:
    """The program's text under the name that its code objects have; None where there is none, or it is no program."""
    text = sources.get(filename)
    if text is None:
        text = "".join(linecache.getlines(filename))
    if not text or len(text) > _LONGEST:
        return None
    try:
        return Source(text, filename)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def positions(traceback: TracebackType) -> tuple[int | None, int | None, int | None, int | None]:
    """First line, last line, first and last column of what the frame was doing when the error came."""
    where = traceback.tb_lasti // 2
    for index, place in enumerate(traceback.tb_frame.f_code.co_positions()):
        if index == where:
            return place
    return None, None, None, None


def place_of(node: ast.AST) -> tuple[int, int]:
    """First and last line of a node that has a place."""
    first: int = getattr(node, "lineno", 1)
    return first, getattr(node, "end_lineno", None) or first


def heads(statement: ast.stmt) -> Iterator[ast.AST]:
    """The parts of a statement that run with it: not what stands in the block below it."""
    blocks = {child for name in _BLOCKS for child in getattr(statement, name, ()) if isinstance(child, ast.AST)}
    return (child for child in ast.iter_child_nodes(statement) if child not in blocks)


def walk_scope(scope: ast.AST) -> Iterator[ast.AST]:
    """Every node of the scope in the order of the text, but not what stands inside functions and classes within it."""
    waiting: list[ast.AST] = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, _SCOPES):
            waiting[:0] = list(ast.iter_child_nodes(node))


def calls_of(node: ast.AST, method: str) -> list[ast.Call]:
    """The calls of a method by this name, wherever in the node."""
    return [
        each
        for each in ast.walk(node)
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr == method
    ]


def base_name(node: ast.AST) -> str | None:
    """The variable at the bottom of ``x``, ``x.grad``, ``x[0].T``, ``x.view(-1)``."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def names_in(node: ast.AST) -> list[str]:
    """The variables that are read in the node, each once."""
    found = (each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load))
    return list(dict.fromkeys(found))


def argument(call: ast.Call, index: int, name: str) -> ast.expr | None:
    """The argument of the call, given by its place or by its name."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    plain = index < len(call.args) and not any(isinstance(each, ast.Starred) for each in call.args[: index + 1])
    return call.args[index] if plain else None


def _is_smaller(node: ast.AST, other: ast.AST | None) -> bool:
    if other is None:
        return True
    start = (node.lineno, node.col_offset)  # type: ignore[attr-defined]
    # Of two at the same place the inner one, which is walked later, says more: a call rather than the line it makes up.
    return start >= (other.lineno, other.col_offset)  # type: ignore[attr-defined]


def _bound(statement: ast.stmt) -> Iterator[tuple[str, ast.expr | None]]:
    """What the statement binds, with the value where it binds exactly that."""
    pairs: list[tuple[ast.expr, ast.expr | None]] = []
    if isinstance(statement, ast.Assign):
        pairs = [(target, statement.value) for target in statement.targets]
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        pairs = [(statement.target, statement.value)]
    elif isinstance(statement, ast.AugAssign | ast.For | ast.AsyncFor):
        pairs = [(statement.target, None)]
    elif isinstance(statement, ast.With | ast.AsyncWith):
        pairs = [(item.optional_vars, None) for item in statement.items if item.optional_vars is not None]
    for head in heads(statement):
        walrus = (each for each in ast.walk(head) if isinstance(each, ast.NamedExpr))
        pairs += [(each.target, each.value) for each in walrus]
    for target, value in pairs:
        yield from _targets(target, value)


def _targets(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[str, ast.expr | None]]:
    if isinstance(target, ast.Starred):
        yield from _targets(target.value, None)
    elif isinstance(target, ast.Tuple | ast.List):
        parts: Sequence[ast.expr | None] = [None] * len(target.elts)
        if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
            parts = value.elts
        for each, part in zip(target.elts, parts, strict=True):
            yield from _targets(each, part)
    else:
        yield ast.unparse(target), value


def _arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return {each.arg for each in every}
