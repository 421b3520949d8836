"""Whose tensor is this? Names from the user's code: ``fc1.weight`` from the module, ``W`` from the variable that holds it."""

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from types import FrameType, ModuleType
from typing import Any

from torch import Tensor, nn

from descend.watch.places import Places

_DEEPEST = 3  # attributes and items that are followed from a variable
_PLAIN = frozenset({float, int, bool, str, bytes, type(None)})  # hold nothing; a list of losses has many
_WIDEST = 2_000  # items of one list or attributes of one object that are looked at

Seen = tuple[str, tuple[int, ...], str]  # name, shape, how it was found


class Names:
    """Gives every tensor one name, once; the same name again only to a tensor that takes the place of one that is gone."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._by_id: dict[int, tuple[weakref.ref[Tensor], str, str]] = {}  # and how it was found
        self._holder: dict[
            str, tuple[weakref.ref[Tensor], str]
        ] = {}  # name → its tensor, and the variable it was found in
        self._owners: dict[
            str, tuple[weakref.ref[nn.Module], str]
        ] = {}  # name → the module it is a parameter of, and there
        self._roots: dict[int, tuple[weakref.ref[nn.Module], str]] = {}  # that were called, and their variables
        self._prefixed: dict[str, bool] = {}  # of each variable that holds a module: do names begin with it?
        self._told: dict[tuple[str, tuple[int, ...]], list[weakref.ref[Tensor]]] = {}
        self.named: Callable[[str, Tensor], None] = lambda _name, _tensor: None  # told of each name before it is given

    def name_of(self, tensor: Tensor) -> str:
        """The tensor's name, or "" for a tensor that was never named."""
        known = self._by_id.get(id(tensor))
        return known[1] if known is not None and known[0]() is tensor else ""

    def learn(self, tensors: Iterable[Tensor], frame: FrameType | None) -> None:
        """Name those of ``tensors`` that have no name yet, from the variables of ``frame`` and of its callers."""
        unknown = {id(tensor): tensor for tensor in tensors if not self.name_of(tensor)}
        if not unknown:
            return
        self._forget_dead()
        spaces = list(self._namespaces(frame))
        found = {
            **{key: (name, name, "variable") for key, name in _in_containers(spaces, unknown).items()},
            **{key: (name, name, "variable") for key, name in _in_variables(spaces, unknown).items()},
            **self._in_modules(spaces, unknown),
        }
        for key, tensor in unknown.items():
            name, variable, how = found.get(key) or (self._unnamed(), "", "variable")
            self.named(name, tensor)
            reference = weakref.ref(tensor)
            self._by_id[key] = (reference, name, how)
            self._holder[name] = (reference, variable)

    def tell(self, tensors: Iterable[Tensor]) -> list[Seen]:
        """Name, shape and source of those of ``tensors`` that were not told before.

        A module's parameters stay the same tensors, so that another one under a name is a new model's. In a variable it may be what
        an update has put there, and is not told again.
        """
        new = []
        for tensor in tensors:
            name, shape = self.name_of(tensor), tuple(tensor.shape)
            told = self._told.get((name, shape), [])
            again = told and (self.how(tensor) != "module" or any(reference() is tensor for reference in told))
            if name and not again:
                living = [reference for reference in told if reference() is not None]
                self._told[name, shape] = [*living, weakref.ref(tensor)]
                new.append((name, shape, self.how(tensor)))
        return new

    def how(self, tensor: Tensor) -> str:
        """Through what a named tensor was found: "module", "variable" or "loop"."""
        return self._by_id[id(tensor)][2]

    def holder(self, name: str) -> Tensor | None:
        """The tensor that was given the name last, if it is still there."""
        known = self._holder.get(name)
        return known[0]() if known is not None else None

    def owned(self, name: str) -> Tensor | None:
        """What stands now in the place of the module's parameter that was given the name last."""
        owner, attribute = self._owners.get(name, (lambda: None, ""))
        module = owner()
        return module._parameters.get(attribute) if module is not None else None  # noqa: SLF001 - a property may stand before it

    def adopt(self, tensors: Mapping[str, Tensor]) -> None:
        """Take names that were found by looking at a loop."""
        for name, tensor in tensors.items():
            self._by_id[id(tensor)] = (weakref.ref(tensor), name, "loop")

    def modules_of(self, root: nn.Module, frame: FrameType | None) -> dict[int, str]:
        """The name of every module inside ``root``, by identity: as its parameters' names begin."""
        variable = self._variable_of_root(root, frame)
        prefix = f"{variable}." if variable and self._prefixed.get(variable) else ""
        names = {id(module): prefix + _without_wrappers(name) for name, module in root.named_modules()}
        return {**names, id(root): variable or type(root).__name__}

    def _variable_of_root(self, root: nn.Module, frame: FrameType | None) -> str:
        """Under which name the user reaches it, or ""; once found it stays."""
        roots, key = self._roots, id(root)
        known = roots.get(key)
        if known is not None and known[0]() is root:
            return known[1]
        variable = next((name for name, value in self._modules(self._namespaces(frame)) if value is root), "")
        if variable:
            roots[key] = (weakref.ref(root, lambda _: roots.pop(key, None)), variable)
        return variable

    def variable_of(self, tensor: Tensor, frame: FrameType | None) -> str:
        """The variable that holds exactly this tensor, or ""."""
        for space in self._namespaces(frame):
            for name, value in space.items():
                if value is tensor and not name.startswith("_"):
                    return name
        return ""

    def numbers(self, frame: FrameType | None) -> list[float]:
        """The numbers that the user's variables hold: where a learning rate is looked for."""
        return [
            float(value)
            for space in self._namespaces(frame)
            for value in list(space.values())
            if type(value) in (float, int) and value > 0
        ]

    def _namespaces(self, frame: FrameType | None) -> Iterator[Mapping[str, Any]]:
        """The variables of each of the user's functions, from the inside out, each file's own after its functions."""
        seen: set[int] = set()
        for own in self._places.own_frames(frame):
            for space in (own.f_locals, own.f_globals):
                if id(space) not in seen:
                    seen.add(id(space))
                    yield dict(space)

    def _in_modules(
        self, spaces: list[Mapping[str, Any]], unknown: Mapping[int, Tensor]
    ) -> dict[int, tuple[str, str, str]]:
        roots = [(name, module) for name, module in self._modules(spaces) if _trains(module)]
        inner = {id(part) for _, module in roots for part in module.modules() if part is not module}
        roots = [(name, module) for name, module in roots if id(module) not in inner]
        found: dict[int, tuple[str, str, str]] = {}
        for variable, module in roots:
            prefixed = self._prefixed.setdefault(variable, len(roots) > 1)
            for path, part in module.named_modules(remove_duplicate=False):
                for attribute, parameter in part._parameters.items():  # noqa: SLF001 - and of which module each is
                    if id(parameter) in unknown and id(parameter) not in found:
                        short = _without_wrappers(f"{path}.{attribute}" if path else attribute)
                        long = prefixed or self._is_taken(short, variable)
                        name = f"{variable}.{short}" if long else short
                        found[id(parameter)] = (name, variable, self._own(name, part, attribute))
        return found

    def _own(self, name: str, part: nn.Module, attribute: str) -> str:
        """How the parameter of ``part`` is found: like a variable's where an update has put a new one into the same place."""
        known = self._owners.get(name)
        again = known is not None and known[0]() is part and known[1] == attribute
        if not again:
            self._owners[name] = (weakref.ref(part), attribute)
        return "variable" if again else "module"

    @staticmethod
    def _modules(spaces: Iterable[Mapping[str, Any]]) -> list[tuple[str, nn.Module]]:
        """Every module that a variable holds, or an attribute or item of one: under its first name."""
        found: dict[int, tuple[str, nn.Module]] = {}
        for space in spaces:
            for name, value in space.items():
                if not name.startswith("__"):
                    for path, module in _modules_in(value, name, 0):
                        found.setdefault(id(module), (path, module))
        return list(found.values())

    def _is_taken(self, name: str, variable: str) -> bool:
        """Whether a living tensor of another variable has the name. (A variable's new tensor takes over from its old one.)"""
        holder = self._holder.get(name)
        return holder is not None and holder[0]() is not None and holder[1] != variable

    def _unnamed(self) -> str:
        number = 1
        while self._is_taken(f"unnamed {number}", "?"):
            number += 1
        return f"unnamed {number}"

    def _forget_dead(self) -> None:
        if len(self._by_id) > 10_000:
            self._by_id = {key: known for key, known in self._by_id.items() if known[0]() is not None}


def _in_variables(spaces: list[Mapping[str, Any]], unknown: Mapping[int, Tensor]) -> dict[int, str]:
    found: dict[int, str] = {}
    for space in spaces:
        for name, value in space.items():
            if id(value) in unknown and not name.startswith("__"):
                found.setdefault(id(value), name)
    return found


def _in_containers(spaces: list[Mapping[str, Any]], unknown: Mapping[int, Tensor]) -> dict[int, str]:
    found: dict[int, str] = {}
    for space in spaces:
        for name, value in space.items():
            if not name.startswith("__"):
                for path, tensor in _tensors_in(value, name, 0):
                    if id(tensor) in unknown:
                        found.setdefault(id(tensor), path)
    return found


def _trains(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


def _without_wrappers(name: str) -> str:
    """``fc1.weight`` for what ``torch.compile`` and the data-parallel wrappers call ``_orig_mod.fc1.weight``."""
    parts = name.split(".")
    if parts[0] == "module" and len(parts) > 1:
        parts = parts[1:]
    return ".".join(part for part in parts if part != "_orig_mod")


def _tensors_in(value: Any, path: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    """The tensors below a variable, with how the user would write them; keys of a dictionary stand for themselves."""
    if depth > 0 and isinstance(value, Tensor):
        yield path, value
    elif depth < _DEEPEST:
        for step, item in _inside(value):
            start = "" if isinstance(value, dict) and depth == 0 else path
            yield from _tensors_in(item, (start + step).removeprefix("."), depth + 1)


def _modules_in(value: Any, path: str, depth: int) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(value, nn.Module):
        yield path, value
    elif depth < _DEEPEST - 1:
        for step, item in _inside(value):
            yield from _modules_in(item, path + step, depth + 1)


def _inside(value: Any) -> list[tuple[str, Any]]:
    """What stands inside a list, a dictionary or an object of a class of the user's, and how it is reached."""
    if isinstance(value, (list, tuple)):
        items = value[:_WIDEST]
        if _PLAIN.issuperset(map(type, items)):
            return []
        return [(f"[{index}]", item) for index, item in enumerate(items) if type(item) not in _PLAIN]
    if isinstance(value, dict):
        return [(f".{key}", item) for key, item in list(islice(value.items(), _WIDEST)) if isinstance(key, str)]
    if isinstance(value, (Tensor, ModuleType, type, str, bytes)) or type(value).__module__.startswith(
        ("torch", "builtins")
    ):
        return []
    attributes = getattr(value, "__dict__", None)
    if not isinstance(attributes, dict) or len(attributes) > _WIDEST:
        return []
    return [(f".{name}", item) for name, item in list(attributes.items())]
