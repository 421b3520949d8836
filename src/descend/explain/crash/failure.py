"""One error and the place it came from: the line, the part of it that failed, the values there, the layer it happened in."""

import ast
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import FrameType, ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

from descend.explain.crash.source import Fix, Source, base_name, heads, positions, source_of
from descend.explain.crash.values import (
    UNKNOWN,
    Shape,
    dtype_name,
    is_module,
    is_plain,
    is_tensor,
    look_up,
    module_paths,
    of_module,
    settings_of,
    shape_of,
    small,
    stored,
    untouched,
    variables,
)

if TYPE_CHECKING:
    from torch import nn

_MOST_VARIABLES = 8
_MOST_FRAMES = 500
_MOST_SHAPES = 4  # of the tensors in a list
_OTHER_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the error means here."""

    kind: str
    title: str
    expected: str
    because: str
    fix: Fix | None = None
    url: str | None = None
    notes: Mapping[str, str] = field(default_factory=dict)  # variable → what is to be said of it here
    more: tuple[tuple[str, Any], ...] = ()  # names and values that belong beside the line's own


@dataclass(frozen=True, slots=True)
class Variable:
    """What stands in one variable of the line."""

    name: str
    shape: Shape | None = None
    dtype: str | None = None
    device: str | None = None
    requires_grad: bool | None = None
    note: str = ""
    came_from_line: int | None = None


@dataclass(frozen=True, slots=True)
class Layer:
    """The module of torch's whose ``forward`` failed; ``path`` is how the program's code reaches it."""

    module: "nn.Module"
    path: str
    holder: object  # the module that it is a part of; the variable's own module for one that is no part
    given: Any  # the tensor that reached it, else UNKNOWN

    def setting(self, name: str) -> Any:
        """One of the layer's settings: in_features, in_channels; UNKNOWN where it has none by this name."""
        return of_module(self.module, name)


class Failure:
    """An error, seen from the innermost line of the program's own code. Holds frames: let go of it when it is explained."""

    def __init__(self, error: BaseException, trace: Sequence[TracebackType], at: int, outer: Sequence[TracebackType],
                 sources: Mapping[str, str]) -> None:  # fmt: skip
        self.error = error
        self.message = first_words(error)
        here = trace[at]
        self.frame: FrameType = here.tb_frame
        self.file, self.line = self.frame.f_code.co_filename, here.tb_lineno
        self.deeper = [each.tb_frame for each in trace[at + 1 :]]
        self.outer = [each.tb_frame for each in outer]
        self._sources = sources
        self._read: dict[str, Source | None] = {}
        self.source = self.source_of(self.file)
        self.node: ast.AST | None = None
        self.statement: ast.stmt | None = None
        if self.source is not None:
            self.node = self.source.node_at(positions(here))
            self.statement = self.source.statement_of(self.node) if self.node else self.source.statement_at(self.line)
            self.node = self.node or self.statement

    def source_of(self, file: str) -> Source | None:
        """The text of one of the program's files."""
        if file not in self._read:
            self._read[file] = source_of(file, self._sources)
        return self._read[file]

    @property
    def own_sources(self) -> Iterator[Source]:
        """The program's files: the one the error came from, those it went through, and those that were given."""
        through = (frame.f_code.co_filename for frame in reversed(self.outer))
        for file in dict.fromkeys([self.file, *through, *reversed(list(self._sources))]):
            source = self.source_of(file)
            if source is not None:
                yield source

    def value(self, node: ast.expr | None) -> Any:
        """What the expression stands for at the failing line."""
        return UNKNOWN if node is None else look_up(node, self.frame)

    def shape(self, node: ast.expr | None) -> Shape | None:
        """The shape of the tensor that the expression stands for."""
        return None if node is None else shape_of(node, self.frame)

    def text(self, node: ast.AST) -> str:
        """The expression as the program has it."""
        return self.source.text(node) if self.source is not None else ast.unparse(node)

    def fixed(self, *changes: tuple[ast.AST, str]) -> Fix | None:
        """The failing line with the texts put in the place of the nodes."""
        return self.source.replaced(*changes) if self.source is not None else None

    @property
    def torch_name(self) -> str:
        """What the program calls torch."""
        names = {**self.frame.f_globals, **variables(self.frame)}
        return next((name for name, value in names.items() if module_name(value) == "torch"), "torch")

    def operands(self, *operators: type[ast.operator]) -> tuple[ast.expr, ast.expr] | None:
        """Left and right of the operation that failed."""
        node = self.node
        if isinstance(node, ast.BinOp) and (not operators or isinstance(node.op, operators)):
            return node.left, node.right
        if isinstance(node, ast.AugAssign) and (not operators or isinstance(node.op, operators)):
            return node.target, node.value
        return None

    @property
    def call(self) -> ast.Call | None:
        """The call that failed."""
        return self.node if isinstance(self.node, ast.Call) else None

    def local(self, name: str) -> Any:
        """The argument by this name of the function of torch's that failed, the innermost that has one."""
        for frame in reversed(self.deeper):
            if name in variables(frame):
                return variables(frame)[name]
        return UNKNOWN

    def name_for(self, value: object) -> str | None:
        """How the failing line writes this very value."""
        return next((self.text(node) for node, found in self.chains if found is value), None)

    def node_for(self, value: object) -> ast.expr | None:
        """Where the failing line writes this very value."""
        return next((node for node, found in self.chains if found is value), None)

    @cached_property
    def chains(self) -> list[tuple[ast.expr, Any]]:
        """The variables of the part that failed, then those of the rest of the line, with their values."""
        found: list[tuple[ast.expr, Any]] = []
        if isinstance(self.node, ast.expr):
            found += _chains(self.node, self.frame)
        if self.statement is not None:
            parts = heads(self.statement) if hasattr(self.statement, "body") else [self.statement]
            for part in parts:
                found += _chains(part, self.frame)
        return found

    @cached_property
    def layer(self) -> Layer | None:
        """The layer whose forward failed, if one of torch's did below the program's last line."""
        for frame in reversed(self.deeper):
            module: Any = variables(frame).get("self")
            if (
                is_module(module)
                and type(module).__module__.startswith("torch.nn.modules")
                and not _is_container(module)
            ):
                given = next((v for n, v in variables(frame).items() if n != "self" and is_tensor(v)), UNKNOWN)
                path, holder = self._path_of(module) or (type(module).__name__, module)
                return Layer(module, path, holder, given)
        return None

    def _path_of(self, module: object) -> tuple[str, object] | None:
        """How the failing line, else the outermost line that can, would write the module; and what holds it."""
        for frame in (self.frame, *self.outer):
            every = {**variables(frame), **(frame.f_globals if frame is self.frame else {})}
            for name, value in every.items():
                if not is_module(value):
                    continue
                paths = list(module_paths(value, name))
                for path, found in paths:
                    if found is module:
                        holders = dict(paths)
                        return path, holders.get(_holder_path(path), found)
        return None

    def variables(self, explanation: Explanation) -> list[Variable]:
        """What is worth knowing of the line's variables, each once."""
        rows: dict[str, Variable] = {}
        seen: set[int] = set()
        for node, value in self.chains:
            name = self.text(node)
            seen.add(id(value))
            if name not in rows and len(rows) < _MOST_VARIABLES:
                rows[name] = replace(facts(name, value), came_from_line=self._came_from(node))
        more = list(explanation.more)
        if self.layer is not None:
            more += [(self.layer.path, self.layer.module), (f"what reached {self.layer.path}", self.layer.given)]
        for name, value in more:
            if value is not UNKNOWN and id(value) not in seen and name not in rows:
                seen.add(id(value))
                rows[name] = facts(name, value)
        for name, note in explanation.notes.items():
            if name in rows:
                rows[name] = replace(rows[name], note=" · ".join(filter(None, (rows[name].note, note))))
        return list(rows.values())

    def _came_from(self, node: ast.expr) -> int | None:
        source, statement = self.source, self.statement
        if source is None or statement is None:
            return None
        while True:
            name = ast.unparse(node)
            if name.startswith("self."):
                holder = next((each for each in source.above(statement) if isinstance(each, ast.ClassDef)), None)
                methods = [each for each in ast.walk(holder) if isinstance(each, ast.FunctionDef)] if holder else []
                found = [line for each in methods for line, _ in source.assignments(each, name)]
                line = found[0].lineno if len(found) == 1 else None
            else:
                line = source.came_from(name, statement)
            if line is not None or isinstance(node, ast.Name) or not isinstance(node, ast.Attribute | ast.Subscript):
                return line
            if isinstance(node, ast.Attribute) and node.attr == "grad":
                return None
            node = node.value
            if base_name(node) == "self" and isinstance(node, ast.Name):
                return None


def facts(name: str, value: Any) -> Variable:
    """What can be said of a value without running code of the program's."""
    if is_plain(value):
        with untouched():
            needs, leaf = bool(value.requires_grad), bool(value.is_leaf)
            note = "" if leaf or not needs else "computed"
            return Variable(name, tuple(value.shape), dtype_name(value.dtype), str(value.device), needs, note)
    if is_tensor(value):
        return Variable(name, note=f"a tensor of the class {type(value).__name__}")
    if is_module(value):
        return Variable(name, note=settings_of(value))
    if value is None:
        return Variable(name, note="None")
    if _is_array(value):
        return Variable(name, tuple(value.shape), str(value.dtype), note="a NumPy array")
    if type(value) in (list, tuple) and any(map(is_plain, value[:_MOST_SHAPES])):
        shapes = [str(tuple(each.shape)) for each in value[:_MOST_SHAPES] if is_plain(each)]
        rest = ", …" if len(value) > _MOST_SHAPES else ""
        return Variable(name, note=f"{type(value).__name__} of {len(value)} tensors: {', '.join(shapes)}{rest}")
    return Variable(name, note=small(value) or type(value).__name__)


def failure_of(error: BaseException, own: Callable[[str], bool], sources: Mapping[str, str]) -> Failure | None:
    """The error at the innermost line of the program's own code; None where it never went through one."""
    trace: list[TracebackType] = []
    each = error.__traceback__
    while each is not None and len(trace) < _MOST_FRAMES:
        trace.append(each)
        each = each.tb_next
    mine = [index for index, part in enumerate(trace) if own(part.tb_frame.f_code.co_filename)]
    if not mine:
        return None
    return Failure(error, trace, mine[-1], [trace[index] for index in mine], sources)


def first_words(error: BaseException) -> str:
    """The error's text, where torch or Python wrote it: an exception class of the program's might compute one."""
    arguments = error.args
    return arguments[0] if arguments and type(arguments[0]) is str else ""


def definition_of(failure: Failure, layer: Layer) -> tuple[Source, ast.Call] | None:
    """Where the program makes the layer: the call ``nn.Linear(784, 128)``, with the file it stands in."""
    root, *parts = layer.path.replace("[", ".").replace("]", "").split(".")
    for source in failure.own_sources:
        owner: object = None
        for frame in (failure.frame, *failure.outer):
            every = {**frame.f_globals, **variables(frame)}
            if is_module(every.get(root)):
                owner = every[root]
                break
        made = _made_in(source, root, parts, owner)
        if made is not None:
            return source, made
    return None


def module_name(value: object) -> str | None:
    """The name of a Python module."""
    return str(value.__dict__.get("__name__")) if type(value) is ModuleType else None


def _made_in(source: Source, root: str, parts: Sequence[str], owner: object) -> ast.Call | None:
    if root != "self" or not parts:
        calls = [value for _, value in source.assignments(source.tree, root)]
        for function in (each for each in ast.walk(source.tree) if isinstance(each, ast.FunctionDef)):
            calls += [value for _, value in source.assignments(function, root)]
        made = _inside(calls[-1], parts) if calls else None
        if made is not None:
            return made
    while parts and is_module(owner):
        for holder in ast.walk(source.tree):
            if isinstance(holder, ast.ClassDef) and holder.name == type(owner).__name__:
                methods = [each for each in ast.walk(holder) if isinstance(each, ast.FunctionDef)]
                values = [value for each in methods for _, value in source.assignments(each, f"self.{parts[0]}")]
                made = _inside(values[0], parts[1:]) if len(values) == 1 else None
                if made is not None:
                    return made
        owner, parts = of_module(owner, parts[0]), parts[1:]
    return None


def _inside(value: ast.expr | None, parts: Sequence[str]) -> ast.Call | None:
    """The call that makes part ``2`` of ``nn.Sequential(a, b, c)`` or of ``nn.ModuleList([a, b, c])``."""
    while isinstance(value, ast.Call) and parts:
        elements: Sequence[ast.expr] = value.args
        if len(elements) == 1 and isinstance(elements[0], ast.List):
            elements = elements[0].elts
        place = int(parts[0]) if parts[0].isdecimal() else -1
        plain = not any(isinstance(each, ast.Starred) for each in elements)
        value, parts = (elements[place] if plain and 0 <= place < len(elements) else None), parts[1:]
    return value if isinstance(value, ast.Call) and not parts else None


def _chains(node: ast.AST, frame: FrameType) -> Iterator[tuple[ast.expr, Any]]:
    """The longest names in the node that stand for something worth showing: ``self.fc1.weight`` rather than ``self``."""
    if isinstance(node, _OTHER_SCOPES):
        return
    if isinstance(node, ast.AugAssign):
        yield from _chain(node.target, frame)
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        yield from _chain(node.value, frame)
    elif isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Load):
        found = list(_chain(node, frame))
        yield from found
        if found or isinstance(node, ast.Name):
            return
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.stmt):
            yield from _chains(child, frame)


def _chain(node: ast.expr, frame: FrameType) -> Iterator[tuple[ast.expr, Any]]:
    value = look_up(node, frame)
    if worth_showing(value):
        if value is None and isinstance(node, ast.Attribute) and node.attr == "grad":
            yield from _chain(node.value, frame)
        yield node, value
        if isinstance(node, ast.Subscript):
            yield from _chains(node.slice, frame)


def worth_showing(value: Any) -> bool:
    """Tensors and modules, arrays, lists of tensors, small numbers, and None."""
    if value is UNKNOWN:
        return False
    if value is None or is_tensor(value) or is_module(value) or _is_array(value) or small(value) is not None:
        return True
    return type(value) in (list, tuple) and any(map(is_plain, value[:_MOST_SHAPES]))


def _is_array(value: object) -> bool:
    return type(value).__module__ == "numpy" and type(value).__name__ == "ndarray"


def _is_container(module: object) -> bool:
    inside = stored(module).get("_modules")
    return type(inside) in (dict, OrderedDict) and bool(inside) and type(module).__module__.endswith("container")


def _holder_path(path: str) -> str:
    return path[: path.rindex("[")] if path.endswith("]") else path.rpartition(".")[0]
