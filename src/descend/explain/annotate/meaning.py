"""What a line of a script is for, in a sentence from the glossary with the line's own arguments."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from descend.explain.glossary.words import Entry, Level, entry

_MOST_ARGUMENTS = 3
# A call that is only the frame of another says less than what it frames.
_FRAMES = frozenset(["print", "len", "range", "enumerate", "zip", "int", "float", "str", "list", "tuple", "super"])


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the most telling name of a line is for."""

    name: str
    text: str
    phase: str | None


class Names:
    """What the names of a script stand for: its imports, and the classes and functions it defines itself."""

    def __init__(self, tree: ast.Module) -> None:
        self._imported: dict[str, str] = {}
        self.own: dict[str, str] = {}  # name → "class" or "function"
        self.made: dict[str, str] = {}  # variable → what was called to make it
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self._imported |= {
                    alias.asname or alias.name.partition(".")[0]: alias.name
                    if alias.asname
                    else alias.name.partition(".")[0]
                    for alias in node.names
                }
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                self._imported |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.ClassDef):
                self.own[node.name] = "class"
            elif isinstance(node, ast.FunctionDef):
                self.own.setdefault(node.name, "function")
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                made = self.full(node.value.func)
                self.made |= {
                    ast.unparse(target): made for target in node.targets if isinstance(target, ast.Name | ast.Attribute)
                }

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


def meaning_of(statement: ast.stmt, names: Names, level: Level) -> Meaning | None:
    """What the statement is for; None where the glossary has no word for anything in it."""
    found = [(priority, node, entry_) for priority, node, entry_ in _candidates(statement, names)]
    if not found:
        return _by_its_form(statement)
    _, node, known = min(found, key=lambda each: each[0])
    text = known.worded(level)
    if level == "plain" and isinstance(node, ast.Call):
        text = known.filled(_values(node, known)) or text
    if level != "terse" and isinstance(node, ast.Call):
        text = _with_arguments(text, node, known, level)
    return Meaning(known.name, text, known.phase)


def _candidates(statement: ast.stmt, names: Names) -> Iterator[tuple[int, ast.expr, Entry]]:
    """Names that the glossary knows, the outermost call first; a frame such as print after what it frames."""
    for depth, node in enumerate(_expressions(statement)):
        if isinstance(node, ast.Call):
            full = names.full(node.func)
            known = None if full in names.own else _entry_of(full, names)
            if known is not None:
                yield depth + (1000 if full in _FRAMES else 0), node, known
        elif isinstance(node, ast.Attribute):
            known = _entry_of(names.full(node), names)
            if known is not None:
                yield depth + 500, node, known


def _entry_of(full: str, names: Names) -> Entry | None:
    if not full:
        return None
    holder, _, last = full.rpartition(".")
    made = names.made.get(holder, "")
    if ".lr_scheduler." in made:
        return entry(f"scheduler.{last}") or entry(full)
    return entry(full)


def _expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    """The expressions of a statement from the outside in; of a loop, a function or a class only those of its first line."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop(0)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt):
                continue
            if isinstance(child, ast.expr):
                yield child
            waiting.append(child)


def _values(call: ast.Call, known: Entry) -> Mapping[str, object]:
    """The arguments that are plain numbers or words, by name."""
    found: dict[str, object] = {}
    for name, node in _arguments(call, known):
        if isinstance(node, ast.Constant):
            found[name] = node.value
        elif isinstance(node, ast.Name | ast.BinOp | ast.Tuple | ast.UnaryOp):
            found[name] = ast.unparse(node)
    return found


def _arguments(call: ast.Call, known: Entry) -> Iterator[tuple[str, ast.expr]]:
    yield from zip(known.arguments, call.args, strict=False)
    yield from ((keyword.arg, keyword.value) for keyword in call.keywords if keyword.arg)


def _with_arguments(text: str, call: ast.Call, known: Entry, level: Level) -> str:
    """The sentence with what the named arguments of this line are for."""
    column = 0 if level == "plain" else 1
    said = [
        f"{name}={ast.unparse(node)}: {known.arguments[name][column]}"
        for name, node in ((keyword.arg or "", keyword.value) for keyword in call.keywords)
        if name in known.arguments and len(ast.unparse(node)) <= 30
    ][:_MOST_ARGUMENTS]
    return "; ".join([text.rstrip("."), *said]) if said else text


def _by_its_form(statement: ast.stmt) -> Meaning | None:
    """What Python's own words on the line do, where nothing of PyTorch's is on it."""
    said: Sequence[tuple[type[ast.stmt], str]] = (
        (ast.For, "for"),
        (ast.While, "while"),
        (ast.With, "with"),
        (ast.FunctionDef, "def"),
        (ast.ClassDef, "class"),
        (ast.Import, "import"),
        (ast.ImportFrom, "import"),
        (ast.Return, "return"),
        (ast.If, "if"),
    )
    word = next((word for kind, word in said if isinstance(statement, kind)), "")
    known = entry(word) if word else None
    return Meaning(known.name, known.plain, known.phase) if known is not None else None
