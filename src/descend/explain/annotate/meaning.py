"""What a line of a script is for, in a sentence from the glossary with the line's own arguments."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from descend.explain.annotate import phrases
from descend.explain.annotate.forms import LOOKS, by_form, on_own_names, steps_before, steps_of
from descend.explain.annotate.names import Names
from descend.explain.annotate.program import expressions
from descend.explain.glossary.words import Entry, Level, entry

SEVERAL = "several results"

_MOST_ARGUMENTS = 3
# A call that is only the frame of another says less than what it frames.
_FRAMES = frozenset(["print", "len", "range", "enumerate", "zip", "int", "float", "str", "list", "tuple", "super"])
_MADE = frozenset(["layer", "module", "loss", "optimizer", "data", "transform", "scheduler"])


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the most telling name of a line is for."""

    name: str
    text: str
    phase: str | None = None
    makes: bool = False  # a layer, loss, optimizer or collection of data is made here, and used later


def meaning_of(statement: ast.stmt, names: Names, level: Level, phase: str = "") -> Meaning | None:
    """What the statement is for; None where there is no word for anything in it. ``phase``: of the step, where the record tells."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return None  # a docstring
    if phase == "update" and _steps_down(statement):
        return Meaning("update", phrases.UPDATE.at(level), phase)
    if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.For | ast.If | ast.Import | ast.ImportFrom):
        text = by_form(statement, names, level)
        return Meaning(type(statement).__name__, text) if text else None
    if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Tuple):
        return _of_several(statement, statement.value, names, level)
    printed = _printed(statement)
    if len(printed) > 1:
        shown = entry("print")
        text = shown.worded(level) if shown is not None else ""
        return Meaning(SEVERAL, _after(text, steps_of(printed, names), level))
    own = on_own_names(statement, names, level)
    if own is not None:
        return Meaning(*own)
    found = min(_candidates(statement, names), key=lambda each: each[0], default=None)
    if found is None or (found[0] >= 100 and _is_arithmetic(statement)):
        text = by_form(statement, names, level)
        if text and phase and level == "plain":
            text = f"{phrases.PHASES[phase].at(level)}: {text}"
        return Meaning(type(statement).__name__, text) if text else None
    _, node, known = found
    text = _sentence(node, known, names, level)
    if isinstance(node, ast.Call):
        before = [] if known.kind in _MADE or known.kind == "device" else steps_before(node, names)
        text = _after(text, before, level)
    if phase and level == "plain" and known.phase is None and known.kind == "operation":
        text = f"{phrases.PHASES[phase].at(level)}: {text}"
    told = known.phase if isinstance(node, ast.Call) else None
    return Meaning(known.name, text, told, makes=known.kind in _MADE)


def _of_several(statement: ast.stmt, values: ast.Tuple, names: Names, level: Level) -> Meaning | None:
    """Of a, b = …, …: each in turn."""
    if not any(isinstance(each, ast.Call) for each in values.elts):
        text = by_form(statement, names, level)
        return Meaning(type(statement).__name__, text) if text else None
    found = [meaning for each in values.elts if (meaning := meaning_of(ast.Expr(each), names, level)) is not None]
    if not found:
        return None
    return Meaning(found[0].name, "; ".join(each.text for each in found), makes=all(each.makes for each in found))


def _printed(statement: ast.stmt) -> list[ast.expr]:
    """What a print works out for itself: neither names nor plain texts."""
    call = getattr(statement, "value", None)
    if not isinstance(call, ast.Call) or ast.unparse(call.func) != "print":
        return []
    return [each for each in call.args if not isinstance(each, ast.Constant | ast.Name)]


def _after(text: str, steps: Sequence[str], level: Level) -> str:
    if not steps or level == "terse":
        return text
    return f"{text}; {phrases.BEFORE.at(level).format(steps=', '.join(steps))}"


def _sentence(node: ast.expr, known: Entry, names: Names, level: Level) -> str:
    text = known.worded(level)
    if isinstance(node, ast.Call):
        if level == "plain":
            text = known.filled(_values(node, known, names)) or _of_all(text, node)
        if level != "terse":
            text = _with_arguments(text, node, known, level, names.told)
    return text


def _of_all(text: str, call: ast.Call) -> str:
    """The sentence without its words about an axis, where the call names none."""
    names_one = len(call.args) > (0 if isinstance(call.func, ast.Attribute) and not _is_torch(call.func) else 1)
    whole, axis, _ = text.partition(
        ", or those along one axis" if ", or those" in text else ", or of those along one axis"
    )
    return whole if axis and not names_one and not call.keywords else text


def _is_torch(called: ast.Attribute) -> bool:
    return isinstance(called.value, ast.Name) and called.value.id == "torch"


def _is_arithmetic(statement: ast.stmt) -> bool:
    value = getattr(statement, "value", None)
    return isinstance(value, ast.BinOp)


def _steps_down(statement: ast.stmt) -> bool:
    """Whether something is taken away from a parameter: w -= …, or w = w - …."""
    if isinstance(statement, ast.AugAssign):
        return isinstance(statement.op, ast.Sub)
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.BinOp):
        return False
    same = ast.unparse(statement.value.left) == ast.unparse(statement.targets[0])
    return same and isinstance(statement.value.op, ast.Sub)


def _candidates(statement: ast.stmt, names: Names) -> Iterator[tuple[int, ast.expr, Entry]]:
    """Names that the glossary knows, the outermost call first; a frame such as print after what it frames."""
    arithmetic = 100 if _is_arithmetic(statement) else 0  # the outermost thing is then no call
    for depth, node in enumerate(expressions(statement)):
        if isinstance(node, ast.Call):
            full = names.full(node.func)
            known = _entry_of(full, names)
            if known is not None:
                yield depth + (1000 if full in _FRAMES else arithmetic), node, known
        elif isinstance(node, ast.Attribute) and node.attr in LOOKS:
            known = _entry_of(names.full(node), names)
            if known is not None:
                yield depth + 500, node, known


def _entry_of(full: str, names: Names) -> Entry | None:
    if not full or full in names.own:
        return None
    holder, _, last = full.rpartition(".")
    made = names.made.get(holder)
    if made is not None and ".lr_scheduler." in names.full(made.func):
        return entry(f"scheduler.{last}") or entry(full)
    return entry(full)


def _values(call: ast.Call, known: Entry, names: Names) -> Mapping[str, object]:
    """The arguments that are plain numbers or words, by name."""
    found: dict[str, object] = {}
    for name, node in _arguments(call, known, names):
        if isinstance(node, ast.Constant):
            found[name] = node.value
        elif isinstance(node, ast.Name | ast.BinOp | ast.Tuple | ast.UnaryOp | ast.Attribute):
            found[name] = ast.unparse(node)
    return found


def _arguments(call: ast.Call, known: Entry, names: Names) -> Iterator[tuple[str, ast.expr]]:
    # The entry may have other names whose arguments stand in another order, as those of functional.linear do.
    if names.full(call.func).rpartition(".")[2] == known.name.rpartition(".")[2]:
        yield from zip(known.order, call.args, strict=False)
    yield from ((keyword.arg, keyword.value) for keyword in call.keywords if keyword.arg)


def _with_arguments(text: str, call: ast.Call, known: Entry, level: Level, before: set[str]) -> str:
    """The sentence with what the named arguments of this line are for, but for those that it, or a line before, tells of already."""
    column = 0 if level == "plain" else 1
    told = known.template if text != known.worded(level) else ""
    said: Sequence[str] = [
        f"{name}={ast.unparse(node)}{_switched(node, known.arguments[name][column], level)}"
        for name, node in ((keyword.arg or "", keyword.value) for keyword in call.keywords)
        if name in known.arguments and len(ast.unparse(node)) <= 30 and f"{{{name}}}" not in told
    ][:_MOST_ARGUMENTS]
    new = [each for each in said if each not in before]
    before.update(new)
    return "; ".join([text, *new])


def _switched(node: ast.expr, words: str, level: Level) -> str:
    """What an argument is for; of one that is switched off, that it is."""
    off = isinstance(node, ast.Constant) and node.value is False
    return f" switches off: {words}" if off and level == "plain" and "False" not in words else f": {words}"
