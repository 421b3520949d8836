"""One probe per iteration of the loops that may be a training by hand, compiled into the user's code; the file stays untouched.

A probe is a call of one function, found among the builtins, that does nothing until somebody listens. It takes the line and the
column of the statement beside it, so that tracebacks, carets and debuggers show what they would show without it. Left alone are
loops that cannot be such a training (nothing in them is updated and used, or autograd's ``backward`` is called), and code that
looks at its own variables or is compiled by others.
"""

import ast
import builtins
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import CodeType, FrameType

from descend.watch.plausible import may_be_training, stored_names, temporary_names, updating_functions

PROBE = "__descend_probe__"

Listener = Callable[[int, FrameType, bool], None]


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop with a probe."""

    file: str
    line: int
    stored: frozenset[str]  # variables that the body assigns
    temporary: frozenset[str]  # names that loops give to the items they go through


LOOPS: list[Loop] = []  # by number


def instrument(source: bytes, filename: str) -> CodeType:
    """Compile a script with its probes. Raises what ``compile`` raises."""
    tree = compile(source, filename, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    add_probes(tree, filename)
    return compile(tree, filename, "exec", dont_inherit=True)


def add_probes(tree: ast.Module, filename: str) -> None:
    """Put the probes into a parsed module, in place."""
    _Placer(filename, updating_functions(tree)).go_through(tree.body, ())


def listen(listener: Listener) -> None:
    """From now on ``listener`` hears of each iteration that begins (loop, frame, False) and each loop that is left (…, True)."""
    getframe = sys._getframe
    loops_over = _OVER

    def probe(number: int) -> None:
        if number not in loops_over:
            if number < 0:
                listener(~number, getframe(1), True)
            else:
                listener(number, getframe(1), False)

    _replace(probe)


def listen_no_more() -> None:
    """The probes do nothing again, and all loops may be heard of again."""
    _replace(_silent)
    _OVER.clear()


def ignore(number: int) -> None:
    """Nobody needs to hear of this loop again."""
    _OVER.update((number, ~number))


_OVER: set[int] = set()


def _silent(number: int) -> None:
    """Nobody watches."""


def _replace(probe: Callable[[int], None]) -> None:
    setattr(builtins, PROBE, probe)


_replace(_silent)
if hasattr(os, "register_at_fork"):  # a forked process is not watched
    os.register_at_fork(after_in_child=listen_no_more)


class _Placer:
    """Goes through statements; ``around`` are the numbers of the loops around them in the same function, the innermost last."""

    def __init__(self, filename: str, updating: frozenset[str]) -> None:
        self._filename, self._updating = filename, updating

    def go_through(self, body: list[ast.stmt], around: tuple[int | None, ...]) -> None:
        position = 0
        while position < len(body):
            statement = body[position]
            before = list(self._leaving(statement, around))
            body[position:position] = before
            position += len(before) + 1
            self._enter(statement, around)

    def _enter(self, statement: ast.stmt, around: tuple[int | None, ...]) -> None:
        match statement:
            case ast.FunctionDef():
                if not _leave_alone(statement):
                    self.go_through(statement.body, ())
            case ast.AsyncFunctionDef() | ast.ClassDef():
                self._functions_in(statement.body)
            case ast.For() | ast.While():
                self._enter_loop(statement, around)
            case _:
                for statements in _blocks(statement):
                    self.go_through(statements, around)

    def _functions_in(self, body: Iterable[ast.stmt]) -> None:
        """A class's own namespace and asynchronous code stay as they are; functions defined there are like any other."""
        for statement in body:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
                self._enter(statement, ())
            else:
                for statements in _blocks(statement):
                    self._functions_in(statements)

    def _enter_loop(self, loop: ast.For | ast.While, around: tuple[int | None, ...]) -> None:
        number = None
        first = loop.body[0]
        if may_be_training(loop, self._updating):
            number = len(LOOPS)
            LOOPS.append(Loop(self._filename, loop.lineno, stored_names(loop), temporary_names(loop)))
        self.go_through(loop.body, (*around, number))
        self.go_through(loop.orelse, around)
        if number is not None:
            loop.body.insert(0, _call(number, first))
            loop.orelse.insert(0, _call(~number, loop))

    def _leaving(self, statement: ast.stmt, around: tuple[int | None, ...]) -> Iterator[ast.stmt]:
        left = around[-1:] if isinstance(statement, ast.Break) else around if isinstance(statement, ast.Return) else ()
        for number in reversed(left):
            if number is not None:
                yield _call(~number, statement)


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The statements inside a compound statement, by block."""
    for field in ("body", "orelse", "finalbody"):
        block = getattr(statement, field, None)
        if isinstance(block, list):
            yield block
    for inner in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield inner.body


_LOOKS_AT_ITSELF = frozenset({"locals", "vars", "exec", "eval", "dir", "_getframe", "currentframe"})


def _leave_alone(function: ast.FunctionDef) -> bool:
    """A generator is suspended inside its loops; a function that looks at its own variables must find them as they are; one
    that others compile (``@njit``, ``@torch.compile``, ``@torch.jit.script``) must be what they expect."""
    if any("jit" in name or "compile" in name or name == "script" for name in map(_last_name, function.decorator_list)):
        return True
    for node in _own_nodes(function):
        if isinstance(node, ast.Yield | ast.YieldFrom) or _last_name(node) in _LOOKS_AT_ITSELF:
            return True
    return False


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Without the nodes of functions defined inside."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        dotted = _last_name(node.value)
        return f"{dotted}.{node.attr}" if "jit" in dotted else node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _call(number: int, beside: ast.stmt) -> ast.stmt:
    statement = ast.Expr(ast.Call(ast.Name(PROBE, ast.Load()), [ast.Constant(number)], []))
    for node in ast.walk(statement):
        if isinstance(node, ast.expr | ast.stmt):
            node.lineno = node.end_lineno = beside.lineno
            node.col_offset = node.end_col_offset = beside.col_offset
    return statement
