"""The modules that a program calls, and those of their parameters that no backward pass ever ended in.

Told as the fact ``module`` for each that was called as a whole in a step that was looked at, when the program ends: ``class``, ``steps`` (in
how many of those steps it was called), ``parameters`` (how many want a gradient), ``unreached`` (of those that no backward pass ended in:
``name``, ``shape``, ``held``: by an optimizer, ``moved``, ``called``: in how many steps the module was called that it belongs to,
``returned``: whether what the whole module returned depends on it, ``owner``: class of the module whose attribute ``attribute`` leads to it,
where that class is the user's), and ``unregistered`` (parameters of modules that stand in a plain list or dictionary of it, so that it
does not know of them: ``name``, ``shape``, ``held``, ``reached``, ``moved``, ``owner``, ``attribute``, ``container``: the kind of that).
"""

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from descend.watch.facts.moments import Collector, Telling
from descend.watch.facts.optimizers import Optimizers
from descend.watch.graph import leaves_of

_ROOTS = 32
_WALKS = 4  # of a module through all of its parts
_TOLD = 200  # parameters of one module
_LOOKS = 3  # at what a module returned
_WIDEST = 200  # items of one list or dictionary


@dataclass(slots=True, eq=False)
class _Part:
    """A parameter as a module has it."""

    tensor: weakref.ref[Tensor]
    name: str
    shape: tuple[int, ...]
    module: int  # identity of the module it belongs to
    owner: str
    attribute: str
    container: str = ""
    called: int = 0
    returned: bool = False
    held: bool = False
    reached: bool = False
    moved: bool = False


@dataclass(slots=True, eq=False)
class _Root:
    module: weakref.ref[nn.Module]
    kind: str
    steps: list[int] = field(default_factory=list)
    walks: int = 0
    looks: int = 0
    parameters: int = 0
    parts: dict[int, _Part] = field(default_factory=dict)  # that no backward pass has ended in, by identity
    unregistered: dict[int, _Part] = field(default_factory=dict)


class Modules(Collector):
    """Goes through the parts of each module that is called, a few times, and strikes out what backward passes end in."""

    def __init__(self, tell: Telling) -> None:
        super().__init__(tell)
        self._roots: dict[int, _Root] = {}
        self._optimizers = Optimizers.of(tell)
        self._waiting: set[int] = set()  # modules whose parameters are not reached yet
        self._called: dict[int, int] = {}  # the step in which one of them was called last

    def root_called(
        self, module: nn.Module, inputs: Sequence[Tensor], output: Any, step: int, frame: FrameType | None
    ) -> None:
        root = self._roots.get(id(module))
        if root is None or root.module() is not module:
            if len(self._roots) >= _ROOTS:
                return
            if root is not None:
                self._roots[-len(self._roots)] = root
            root = self._roots[id(module)] = _Root(weakref.ref(module), type(module).__name__)
        if not root.steps or root.steps[-1] != step:
            root.steps.append(step)
            if root.walks < _WALKS:
                self._walk(root, module)
        self._count(id(module), root, step)
        if root.parts and root.looks < _LOOKS and len(root.steps) > 1:
            root.looks += 1
            ends = set(map(id, leaves_of(list(_tensors(output)), None)))
            for key, part in root.parts.items():
                part.returned |= key in ends

    def module_called(self, module: nn.Module, output: Any, step: int) -> None:
        if id(module) in self._waiting and self._called.get(id(module)) != step:
            self._called[id(module)] = step
            for root in self._roots.values():
                for part in root.parts.values():
                    part.called += part.module == id(module)

    def backward_begins(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        reached = set(map(id, leaves))
        for root in self._roots.values():
            for key in [key for key in root.parts if key in reached]:
                del root.parts[key]

    def step_done(self, step: int, leaves: Sequence[Tensor]) -> None:
        self._look()

    def finished(self, step: int) -> None:
        self._look()
        for root in self._roots.values():
            told = [_as_json(part) for part in list(root.parts.values())[:_TOLD]]
            others = [
                {**_as_json(part), "reached": part.reached, "container": part.container}
                for part in list(root.unregistered.values())[:_TOLD]
            ]
            values = {"class": root.kind, "steps": len(root.steps), "parameters": root.parameters}
            self.tell.fact(root.steps[0], "module", {**values, "unreached": told, "unregistered": others})

    def _walk(self, root: _Root, module: nn.Module) -> None:
        root.walks += 1
        found = list(_parameters(module, "", type(module).__name__, "", set()))
        tensors = [tensor for tensor, _ in found]
        self._optimizers.in_models(tensors)
        self._optimizers.frozen(_frozen(module))
        known = set(map(id, tensors))
        root.parameters = len(known)
        for tensor, part in found:
            if id(tensor) not in root.parts and not self._optimizers.about(tensor)[1]:
                root.parts[id(tensor)] = part
        for key in [key for key in root.parts if key not in known]:
            del root.parts[key]
        for tensor, part in _hidden(module, known):
            root.unregistered.setdefault(id(tensor), part)
        self._waiting.update(part.module for part in root.parts.values())

    def _count(self, key: int, root: _Root, step: int) -> None:
        if self._called.get(key) != step:
            self._called[key] = step
            for part in root.parts.values():
                part.called += part.module == key

    def _look(self) -> None:
        for root in self._roots.values():
            for part in (*root.parts.values(), *root.unregistered.values()):
                tensor = part.tensor()
                if tensor is not None:
                    part.held, part.reached, part.moved = self._optimizers.about(tensor)
                    name = self.tell.names.name_of(
                        tensor
                    )  # as the operations call it, with the variable where there are several
                    part.name = part.name if not name or name.startswith("unnamed") else name


def _as_json(part: _Part) -> dict[str, Any]:
    return {
        "name": part.name,
        "shape": list(part.shape),
        "held": part.held,
        "moved": part.moved,
        "called": part.called,
        "returned": part.returned,
        "owner": part.owner,
        "attribute": part.attribute,
    }


def _parameters(
    module: nn.Module, path: str, owner: str, attribute: str, seen: set[int]
) -> Iterator[tuple[Tensor, _Part]]:
    """Every parameter that wants a gradient, with the innermost class of the user's that it belongs to."""
    seen.add(id(module))
    own = not type(module).__module__.startswith("torch.")
    if own:
        owner, attribute = type(module).__name__, ""
    for name, parameter in module._parameters.items():  # noqa: SLF001 - parameters() may be the user's own
        if parameter is not None and parameter.requires_grad:
            reference: weakref.ref[Tensor] = weakref.ref(parameter)
            yield (
                parameter,
                _Part(
                    reference,
                    f"{path}{name}",
                    tuple(parameter.shape),
                    id(module),
                    owner,
                    attribute or (name if own else ""),
                ),
            )
    for name, part in module._modules.items():  # noqa: SLF001 - see above
        if part is not None and id(part) not in seen:
            yield from _parameters(part, f"{path}{name}.", owner, attribute or (name if own else ""), seen)


def _frozen(root: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters that want no gradient, by their names."""
    for path, module in _modules(root, "", set()):
        for name, parameter in module._parameters.items():  # noqa: SLF001 - see above
            if parameter is None or parameter.requires_grad or is_lazy(parameter) or parameter.is_inference():
                continue
            yield f"{path}{name}", parameter


def _hidden(root: nn.Module, known: set[int]) -> Iterator[tuple[Tensor, _Part]]:
    """Parameters in plain lists, tuples and dictionaries of a module's, which it does not know of."""
    for path, module in _modules(root, "", set()):
        for attribute, value in list(vars(module).items()):
            if attribute.startswith("_") or not isinstance(value, list | tuple | dict):
                continue
            items = list(value.items() if isinstance(value, dict) else enumerate(value))[:_WIDEST]
            for key, item in items:
                for name, parameter, owner in _parameters_in(item):
                    if parameter.requires_grad and id(parameter) not in known:
                        full = (
                            f"{path}{attribute}[{key!r}]{name}"
                            if isinstance(key, int | str)
                            else f"{path}{attribute}{name}"
                        )
                        yield (
                            parameter,
                            _Part(
                                weakref.ref(parameter),
                                full,
                                tuple(parameter.shape),
                                owner,
                                type(module).__name__,
                                attribute,
                                type(value).__name__,
                            ),
                        )


def _parameters_in(item: Any) -> Iterator[tuple[str, Tensor, int]]:
    if isinstance(item, nn.Parameter):
        yield "", item, 0
    elif isinstance(item, nn.Module):
        for parameter, part in _parameters(item, ".", "", "", set()):
            yield part.name, parameter, part.module


def _modules(module: nn.Module, path: str, seen: set[int]) -> Iterator[tuple[str, nn.Module]]:
    seen.add(id(module))
    yield path, module
    for name, part in module._modules.items():  # noqa: SLF001 - see above
        if part is not None and id(part) not in seen:
            yield from _modules(part, f"{path}{name}.", seen)


def _tensors(value: Any, depth: int = 3) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif depth and isinstance(value, list | tuple):
        for each in value[:_WIDEST]:
            yield from _tensors(each, depth - 1)
    elif depth and isinstance(value, dict):
        for each in list(value.values())[:_WIDEST]:
            yield from _tensors(each, depth - 1)
