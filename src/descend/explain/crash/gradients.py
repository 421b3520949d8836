"""Errors of autograd: no graph, a graph used up, gradients that are not there."""

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from descend.explain.crash.failure import Explanation, Failure
from descend.explain.crash.source import Fix, Source, base_name, calls_of, names_in, walk_scope
from descend.explain.crash.values import is_plain, variables

_AUTOGRAD = "https://docs.pytorch.org/docs/stable/notes/autograd.html"
_CUTS = ("detach", "item", "numpy", "tolist", "argmax")
_MAKERS = ("tensor", "zeros", "ones", "randn", "rand", "full", "empty", "eye", "linspace", "arange")
_DEEPEST = 40  # statements that a loss is followed back through
Made = tuple[ast.stmt, ast.expr | None]


def no_graph(failure: Failure, _: re.Match[str]) -> Explanation:
    """``backward`` from a number that no parameter had a part in, as far as autograd has seen."""
    source, statement = failure.source, failure.statement
    name = _differentiated(failure) or "the loss"
    title = f"{name} hangs on nothing that has requires_grad=True, so there is nothing to differentiate"
    expected = "a loss computed, with gradients on, from at least one tensor with requires_grad=True"
    cause: tuple[str, Fix | None] = ("no tensor it was computed from has requires_grad", None)
    if source is not None and statement is not None:
        made = list(_history(source, statement, name))
        ways = (_cut_line, _without_gradients, _replaced_parameter, _never_asked)
        cause = next((found for way in ways if (found := way(failure, source, made)) is not None), cause)
    return Explanation("no graph", title, expected, *cause, _AUTOGRAD)


def used_graph(failure: Failure, _: re.Match[str]) -> Explanation:
    """``backward`` through a graph that an earlier ``backward`` has freed."""
    source, statement = failure.source, failure.statement
    name = _differentiated(failure) or "the loss"
    because = "a part of what it was computed from was made before the last backward, and not anew since"
    fix: Fix | None = None
    if source is not None and statement is not None:
        because, fix = _where_it_is_old(failure, source, statement, name) or (because, fix)
    return Explanation(
        "used graph",
        f"the graph behind {name} was freed by an earlier backward",
        "one backward for each forward: compute the loss anew, or keep the graph with retain_graph=True",
        because,
        fix,
        _AUTOGRAD,
    )


def scalar_only(failure: Failure, _: re.Match[str]) -> Explanation:
    """``backward`` from more than one number."""
    call = failure.call
    node = call.func.value if call is not None and isinstance(call.func, ast.Attribute) else None
    shape = failure.shape(node)
    name = failure.text(node) if node is not None else "the loss"
    text = name if isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.Call) else f"({name})"
    return Explanation(
        "scalar",
        f"{name} is {shape if shape is not None else 'not one number'}: backward starts from one number",
        "a scalar loss of shape (): the mean or the sum over the batch",
        f"{name} holds one number for each of {shape[0]:,} rows"
        if shape and len(shape) == 1
        else "it holds several numbers",
        failure.fixed((node, f"{text}.mean()")) if node is not None else None,
        _AUTOGRAD,
    )


def no_gradient(failure: Failure, _: re.Match[str]) -> Explanation | None:
    """``w.grad`` that is None."""
    source, statement = failure.source, failure.statement
    found = next((node for node, value in failure.chains
                  if value is None and isinstance(node, ast.Attribute) and node.attr == "grad"), None)  # fmt: skip
    if found is None or source is None or statement is None:
        return None
    name, holder = failure.text(found.value), failure.value(found.value)
    because, fix = "no backward has reached it yet", None
    rebound = _rebound(source, source.scope_of(statement), name)
    if rebound is not None:
        because = f"line {rebound.lineno} makes a new tensor and calls it {name}; the gradients go to the old one"
        fix = _updated_in_place(failure, source, rebound)
    elif is_plain(holder) and not holder.is_leaf:
        because = (
            f"{name} is computed from others; gradients are kept for leaves, unless {name}.retain_grad() asks for them"
        )
    elif is_plain(holder) and not holder.requires_grad:
        because = f"{name} was made without requires_grad=True"
        fix = _asked_for(source, source.scope_of(statement), [name], failure)
    else:
        because, fix = _backward_missing(failure, source, statement, name)
    return Explanation(
        "no gradient",
        f"{name}.grad is None: {name} has no gradient here",
        f"{name} a leaf with requires_grad=True, and a backward before this line",
        because,
        fix,
        _AUTOGRAD,
    )


def number_not_tensor(failure: Failure, _: re.Match[str]) -> Explanation:
    """``backward`` of a plain number."""
    source, statement = failure.source, failure.statement
    name = _differentiated(failure) or "the loss"
    because, fix = f"{name} is a Python number", None
    if source is not None and statement is not None:
        because, fix = _cut_line(failure, source, list(_history(source, statement, name))) or (because, fix)
    return Explanation(
        "no graph",
        f"{name} is a plain number: it does not know what it was computed from",
        "a tensor for backward; .item() only to print it",
        because,
        fix,
        _AUTOGRAD,
    )


def _differentiated(failure: Failure) -> str | None:
    """What ``backward`` was called on, as the program has it."""
    node = failure.node if failure.node is not None else failure.statement
    calls = calls_of(node, "backward") if node is not None else []
    if not calls and isinstance(node, ast.Attribute):  # the number had no such method: the call never came
        return failure.text(node.value)
    return failure.text(calls[0].func.value) if calls and isinstance(calls[0].func, ast.Attribute) else None


def _history(source: Source, statement: ast.stmt, name: str) -> Iterator[Made]:
    """The assignments that the value was computed through in this function, the last first."""
    scope = source.scope_of(statement)
    calls = calls_of(statement, "backward")
    start = calls[0].func.value if calls and isinstance(calls[0].func, ast.Attribute) else None
    if start is not None and not isinstance(start, ast.Name):
        yield statement, start
    waiting, seen = (names_in(start) if start is not None else [name]), set[str]()
    while waiting and len(seen) < _DEEPEST:
        each = waiting.pop(0)
        if each in seen:
            continue
        seen.add(each)
        made = [pair for pair in source.assignments(scope, each) if pair[0].lineno < statement.lineno]
        if not made and not isinstance(scope, ast.Module):
            made = source.assignments(source.tree, each)
        if made:
            yield made[-1]
            waiting += names_in(made[-1][1]) if made[-1][1] is not None else []


def _cut_line(failure: Failure, source: Source, made: list[Made]) -> tuple[str, Fix | None] | None:
    """The call on the way that gives plain numbers, or a tensor without its history."""
    for statement, value in made:
        for node in ast.walk(value) if value is not None else ():
            if isinstance(node, ast.Attribute) and node.attr == "data":
                return f"line {statement.lineno}: .data leaves the graph behind", source.replaced(
                    (node, source.text(node.value))
                )
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in _CUTS and base_name(node) != failure.torch_name:
                removable = node.func.attr in ("detach", "item")
                fix = source.replaced((node, source.text(node.func.value))) if removable else None
                return f"line {statement.lineno}: .{node.func.attr}() leaves the graph behind", fix
            again = node.func.attr in ("tensor", "as_tensor") and base_name(node) == failure.torch_name
            if again and node.args and not isinstance(node.args[0], ast.Constant | ast.List | ast.Tuple):
                copied = base_name(node.args[0])
                if (
                    copied is None
                    or is_plain(failure.value(ast.Name(copied, ast.Load())))
                    or isinstance(node.args[0], ast.Call)
                ):
                    text = source.text(node.args[0])
                    said = f"line {statement.lineno}: {failure.torch_name}.tensor copies the number and leaves the graph behind"
                    return said, source.replaced((node, text))
    return None


def _without_gradients(_: Failure, source: Source, made: list[Made]) -> tuple[str, Fix | None] | None:
    """A ``with torch.no_grad():`` around a line on the way."""
    for statement, value in made:
        if not isinstance(value, ast.Call | ast.BinOp):
            continue
        for around in source.above(statement):
            if isinstance(around, ast.With) and any(_turns_off(item.context_expr) for item in around.items):
                inner = around.body
                first, last = around.lineno, around.end_lineno or around.lineno
                indent, deeper = source.indent_of(around), source.indent_of(inner[0])
                lines = [line.replace(deeper, indent, 1) for line in source.lines[inner[0].lineno - 1 : last]]
                said = (
                    f"line {statement.lineno} runs inside the no_grad block of line {first}: nothing is recorded there"
                )
                own_line = inner[0].lineno > first
                return said, Fix(tuple(lines), source.file, first, last) if own_line else None
    return None


def _replaced_parameter(failure: Failure, source: Source, made: list[Made]) -> tuple[str, Fix | None] | None:
    """A parameter that an update without gradients has replaced by a new tensor, which needs none."""
    for name in dict.fromkeys(each for _, value in made if value is not None for each in names_in(value)):
        held = failure.value(ast.Name(name, ast.Load()))
        rebound = _rebound(source, source.scope_of(made[0][0]), name)
        if rebound is not None and is_plain(held) and not held.requires_grad:
            said = f"line {rebound.lineno} makes a new tensor without requires_grad and calls it {name}"
            return said, _updated_in_place(failure, source, rebound)
    return None


def _never_asked(failure: Failure, source: Source, made: list[Made]) -> tuple[str, Fix | None] | None:
    """Parameters made without ``requires_grad=True``: what is updated later, or stands in an optimizer."""
    if not made:
        return None
    scope = source.scope_of(made[0][0])
    names = [name for name in _updated_names(scope) if is_plain(failure.value(ast.Name(name, ast.Load())))]
    names = [name for name in names if not failure.value(ast.Name(name, ast.Load())).requires_grad]
    if not names:
        return None
    said = f"{' and '.join(names)} {'was' if len(names) == 1 else 'were'} made without requires_grad=True"
    return said, _asked_for(source, scope, names, failure)


def _asked_for(source: Source, scope: ast.AST, names: list[str], failure: Failure) -> Fix | None:
    changes: list[tuple[ast.AST, str]] = []
    for name in names:
        made = source.assignments(scope, name) or source.assignments(source.tree, name)
        value = made[0][1] if made else None
        if value is None:
            continue
        call = value if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) else None
        if call is not None and isinstance(call.func, ast.Attribute) and call.func.attr in _MAKERS and base_name(call) == failure.torch_name:  # fmt: skip
            changes.append((call, f"{source.text(call)[:-1].rstrip(', ')}, requires_grad=True)"))
        else:
            changes.append((value, f"({source.text(value)}).requires_grad_()"))
    return source.replaced(*changes) if changes else None


def _updated_names(scope: ast.AST) -> list[str]:
    """Variables whose ``.grad`` is read, or that stand in a list given to an optimizer."""
    names: list[str] = []
    for node in ast.walk(scope):
        if isinstance(node, ast.Attribute) and node.attr == "grad" and isinstance(node.value, ast.Name):
            names.append(node.value.id)
        optimizer = isinstance(node, ast.Call) and "optim" in ast.unparse(node.func)
        if isinstance(node, ast.Call) and optimizer and node.args and isinstance(node.args[0], ast.List):
            names += [each.id for each in node.args[0].elts if isinstance(each, ast.Name)]
    return list(dict.fromkeys(names))


def _where_it_is_old(failure: Failure, source: Source, statement: ast.stmt, name: str) -> tuple[str, Fix | None] | None:
    scope = source.scope_of(statement)
    loop = next((each for each in source.above(statement) if isinstance(each, ast.For | ast.While)), None)
    made = [each for each, _ in source.assignments(scope, name)]
    calls = [call for node in walk_scope(scope) if isinstance(node, ast.stmt) and not hasattr(node, "body")
             for call in calls_of(node, "backward") if ast.unparse(call.func).startswith(f"{name}.")]  # fmt: skip
    earlier = [call for call in calls if call.lineno < statement.lineno]
    if earlier and not any(earlier[-1].lineno < each.lineno <= statement.lineno for each in made):
        end = source.text(earlier[-1])[:-1]
        kept = source.replaced((earlier[-1], f"{end}{'' if end.endswith('(') else ', '}retain_graph=True)"))
        return f"line {earlier[-1].lineno} has called backward on the same {name} already", kept
    if loop is None:
        return None
    body = {id(each) for each in ast.walk(loop)}
    for made_statement, value in _history(source, statement, name):
        for each in names_in(value) if value is not None and id(made_statement) in body else ():
            held = failure.value(ast.Name(each, ast.Load()))
            bindings = source.assignments(scope, each)
            inside = [pair for pair in bindings if id(pair[0]) in body]
            if not is_plain(held) or held.is_leaf or not bindings:
                continue
            if not inside:  # computed once, before the loop
                origin = bindings[-1]
                line = source.text(origin[0]) if origin[1] is not None else None
                fix = source.before(made_statement, line) if line else None
                return f"{each} was computed once, in line {origin[0].lineno}, before the loop", fix
            if any(pair[0].lineno >= made_statement.lineno for pair in inside) and len(bindings) > len(inside):
                said = f"{each} is carried over from the step before, with its graph"
                return said, source.before(made_statement, f"{each} = {each}.detach()")
    return None


def _rebound(source: Source, scope: ast.AST, name: str) -> ast.Assign | None:
    """``w = w - lr * w.grad``: an update that makes a new tensor."""
    made = (statement for statement, _ in source.assignments(scope, name))
    return next((each for each in made if isinstance(each, ast.Assign) and _is_update(each)), None)


def _updated_in_place(failure: Failure, source: Source, statement: ast.Assign) -> Fix | None:
    """The update, and those beside it that do the same, outside the graph and in place."""
    updates = _updates_around(source, statement)
    lines = [_in_place(source, each) for each in updates]
    off = any(
        isinstance(around, ast.With) and any(_turns_off(item.context_expr) for item in around.items)
        for around in source.above(statement)
    )
    if not off:
        lines = [f"with {failure.torch_name}.no_grad():", *(f"    {line}" for line in lines)]
    first = source.instead(updates[0], *lines)
    return None if first is None else replace(first, last=updates[-1].end_lineno or updates[-1].lineno)


def _updates_around(source: Source, statement: ast.Assign) -> list[ast.Assign]:
    """The statement and its neighbours that are updates of this kind too."""
    block = next(source.above(statement), None)
    body: list[ast.stmt] = next((part for part in _blocks(block) if statement in part), [statement])
    first = last = body.index(statement)
    while first > 0 and _is_update(body[first - 1]):
        first -= 1
    while last + 1 < len(body) and _is_update(body[last + 1]):
        last += 1
    return [each for each in body[first : last + 1] if isinstance(each, ast.Assign)]


def _blocks(node: ast.AST | None) -> Iterator[list[ast.stmt]]:
    return (part for name in ("body", "orelse", "finalbody") if isinstance(part := getattr(node, name, None), list))


def _is_update(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return False
    name = statement.targets[0].id
    return any(
        isinstance(each, ast.Attribute) and each.attr == "grad" and ast.unparse(each.value) == name
        for each in ast.walk(statement.value)
    )


def _in_place(source: Source, statement: ast.Assign) -> str:
    name, value = ast.unparse(statement.targets[0]), statement.value
    if isinstance(value, ast.BinOp) and ast.unparse(value.left) == name and isinstance(value.op, ast.Sub | ast.Add):
        return f"{name} {'-' if isinstance(value.op, ast.Sub) else '+'}= {source.text(value.right)}"
    return f"{name}.copy_({source.text(value)})"


def _backward_missing(failure: Failure, source: Source, statement: ast.stmt, name: str) -> tuple[str, Fix | None]:
    scope = source.scope_of(statement)
    calls = [call.lineno for call in calls_of(scope, "backward")]
    clears = isinstance(failure.node, ast.Attribute | ast.Call) and "zero_" in failure.text(failure.node)
    if any(line < statement.lineno for line in calls):
        cleared = [call.lineno for call in calls_of(scope, "zero_grad") if max(calls) < call.lineno < statement.lineno]
        if cleared:
            return f"line {cleared[-1]} has cleared the gradients since backward", None
        return f"backward has run, but {name} had no part in what it started from", None
    if clears:
        return "in the first step no backward has run yet", source.within(statement, f"if {name}.grad is not None:")
    losses = [each for each, value in variables(failure.frame).items()
              if is_plain(value) and value.dim() == 0 and value.requires_grad and not value.is_leaf]  # fmt: skip
    fix = source.before(statement, f"{losses[0]}.backward()") if len(losses) == 1 and not calls else None
    return "no backward has run before this line", fix


def _turns_off(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("no_grad", "inference_mode")
