"""Sentences from the form of a line: arithmetic, loops, settings, and calls of what the script made or defined itself."""

import ast
from collections.abc import Iterator, Sequence
from itertools import groupby

from descend.explain.annotate import phrases
from descend.explain.annotate.names import Names
from descend.explain.glossary.words import Level, entry

_MOST_STEPS = 4
_PYTHON = {
    ast.While: "while",
    ast.With: "with",
    ast.FunctionDef: "def",
    ast.ClassDef: "class",
    ast.Import: "import",
    ast.ImportFrom: "import",
    ast.If: "if",
    ast.Return: "return",
    ast.Break: "break",
    ast.Continue: "continue",
    ast.Assert: "assert",
}
LOOKS = frozenset(["shape", "dtype", "device", "ndim", "T", "grad", "data", "grad_fn", "requires_grad", "is_leaf"])
_COMPUTED = (ast.Call, ast.BinOp, ast.Compare, ast.Subscript, ast.UnaryOp)
_SKIPPED = frozenset(["print", "len", "range", "int", "float", "str"])


def by_form(statement: ast.stmt, names: Names, level: Level) -> str:
    """What the line does, by its form; empty where nothing is to be said."""
    if isinstance(statement, ast.For):
        return _loop(statement, names, level)
    if isinstance(statement, ast.FunctionDef) and entry(statement.name) is not None and statement.name.startswith("__"):
        return _of_python(statement.name, level)
    if isinstance(statement, ast.FunctionDef) and statement.name == "forward":
        return phrases.FORWARD.at(level)
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Return | ast.Expr):
        found = _of_value(statement, names, level)
        if found:
            return found
    if isinstance(statement, ast.Expr) and names.in_notebook and isinstance(statement.value, ast.Name | ast.Attribute):
        return phrases.SHOWN.at(level)
    word = next((word for kind, word in _PYTHON.items() if isinstance(statement, kind)), "")
    return _of_python(word, level) if word else ""


def _of_python(word: str, level: Level) -> str:
    known = entry(word)
    return known.worded(level) if known is not None else ""


def _loop(loop: ast.For, names: Names, level: Level) -> str:
    over = loop.iter
    if isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.func.id == "enumerate" and over.args:
        over = over.args[0]
    if isinstance(over, ast.Call) and isinstance(over.func, ast.Name) and over.func.id == "range":
        return (phrases.RANGE_LOOP if len(over.args) == 1 else phrases.COUNTED_LOOP).at(level)
    maker = names.maker(over)
    if maker is not None and maker[0].endswith("DataLoader"):
        return phrases.BATCH_LOOP.at(level)
    return _of_python("for", level)


def _of_value(
    statement: ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Return | ast.Expr, names: Names, level: Level
) -> str:
    value = statement.value
    if value is None:
        return ""
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        found = _setting(statement, value, names, level)
        if found:
            return found
    # Verbs can be told one after the other; where functions take part, all are told by their nouns.
    verbs = level == "plain" and not any(isinstance(each, ast.Call) for each in ast.walk(value))
    worded: Level = "plain" if verbs else "usual"
    said = list(_steps(value, names, worded))
    if isinstance(statement, ast.AugAssign) and _has(statement.op):
        said.append(phrases.OPERATORS[type(statement.op).__name__].at(worded))
    return ", then ".join(_last(said))


def _has(operator: ast.operator | ast.unaryop) -> bool:
    return type(operator).__name__ in phrases.OPERATORS


def _setting(statement: ast.Assign | ast.AnnAssign, value: ast.expr, names: Names, level: Level) -> str:
    target = ast.unparse(statement.targets[0] if isinstance(statement, ast.Assign) else statement.target)
    if isinstance(value, ast.Name) and value.id in names.own:
        return phrases.NAMED_AGAIN.at(level).format(name=value.id)
    if ast.unparse(value).startswith("sys.argv["):
        return phrases.COMMAND_LINE.at(level)
    values = value.elts if isinstance(value, ast.Tuple) else [value]
    if all(isinstance(each, ast.List | ast.Dict) and not ast.unparse(each)[1:-1] for each in values):
        return phrases.COLLECTION.at(level)
    if not values or not all(isinstance(each, ast.Constant | ast.UnaryOp) for each in values):
        return ""
    if any(isinstance(each, ast.Constant) and isinstance(each.value, str) for each in values):
        return phrases.TEXT.at(level)
    known = next((words for among, words in phrases.SETTINGS.items() if target.lower() in among), phrases.NUMBER)
    return known.at(level)


def _steps(node: ast.expr, names: Names, level: Level) -> Iterator[str]:
    """What an expression does, in the order in which Python does it."""
    if isinstance(node, ast.Lambda | ast.ListComp | ast.GeneratorExp | ast.DictComp | ast.SetComp | ast.JoinedStr):
        return
    if all(isinstance(each, ast.Constant | ast.BinOp | ast.operator | ast.expr_context) for each in ast.walk(node)):
        return  # 28 * 28
    if isinstance(node, ast.BinOp):
        children: list[ast.AST] = [node.left, node.right]
    elif isinstance(node, ast.Subscript):
        children = [node.value]
    else:
        children = [*ast.iter_child_nodes(node)]
    for child in children:
        if isinstance(child, ast.expr):
            yield from _steps(child, names, level)
        elif isinstance(child, ast.keyword):
            yield from _steps(child.value, names, level)
    last = _step(node, names, level)
    if last:
        yield last


def _step(node: ast.expr, names: Names, level: Level) -> str:
    """What an expression does itself, its parts apart."""
    if isinstance(node, ast.BinOp) and _has(node.op):
        return phrases.OPERATORS[type(node.op).__name__].at(level)
    if isinstance(node, ast.Compare | ast.Subscript):
        return phrases.OPERATORS[type(node).__name__].at(level)
    full = ""
    if isinstance(node, ast.Call):
        if names.of_own(node.func) is not None:
            return ast.unparse(node.func)
        maker = names.maker(node.func)
        full = names.full(node.func) if maker is None else maker[0]
        if full in names.own:
            return ast.unparse(node.func)
    elif isinstance(node, ast.Attribute) and node.attr in LOOKS:
        full = names.full(node)
    known = entry(full) if full not in names.own and full not in _SKIPPED else None
    return known.terse if known is not None else ""


def steps_of(values: Sequence[ast.expr], names: Names) -> list[str]:
    """What expressions do in all: calls and arithmetic, in order."""
    return _last([step for each in values for step in _steps(each, names, "terse")])


def steps_before(call: ast.Call, names: Names) -> list[str]:
    """What is done within a call before it: other calls and arithmetic, in order."""
    inner = [call.func.value] if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, _COMPUTED) else []
    found = [step for each in [*inner, *call.args] for step in _steps(each, names, "terse")]
    return _last(found)


def _last(steps: list[str]) -> list[str]:
    """The last few steps; what is done twice in a row is told once."""
    return [step for step, _ in groupby(steps)][-_MOST_STEPS:]


# Names of the script's own


def on_own_names(statement: ast.stmt, names: Names, level: Level) -> tuple[str, str, str | None] | None:
    """What a line does that calls a function, a class, a layer or a loss that the script made itself: which of these, the sentence, the phase."""
    value = getattr(statement, "value", None)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "print":
        value = next((each for each in value.args if isinstance(each, ast.Call)), None)
    if not isinstance(value, ast.Call):
        return None
    own = names.of_own(value.func)
    if isinstance(own, ast.ClassDef):
        return (
            f"class {own.name}",
            phrases.OWN_CLASS.at(level).format(name=own.name, place=names.place_of(own.lineno)),
            None,
        )
    if own is not None:
        return own.name, phrases.OWN_FUNCTION.at(level).format(name=own.name, place=names.place_of(own.lineno)), None
    maker = names.maker(value.func)
    if maker is None:
        return None
    made, _ = maker
    name, given = ast.unparse(value.func), " and ".join(ast.unparse(each) for each in value.args)
    if len(given) > 30:
        given = "what it is given"
    if isinstance(names.own.get(made), ast.ClassDef):
        return name, phrases.OWN_MODEL.at(level).format(name=name, given=given or "its inputs"), "forward"
    known = entry(made)
    if known is None or known.kind not in ("layer", "module", "loss"):
        return None
    does = known.worded(level)
    shown = name if len(name) <= 24 else made.rpartition(".")[2]
    if level == "plain" and not does.split(" ", 1)[0].endswith("s"):  # no verb to go on with
        return known.name, phrases.USES.terse.format(name=shown, does=does), known.phase
    return known.name, phrases.USES.at(level).format(given=given or "its inputs", name=shown, does=does), known.phase
