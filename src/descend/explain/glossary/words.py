"""Looking names up in the glossary."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from string import Formatter
from types import MappingProxyType
from typing import Any, Literal, cast

Level = Literal["plain", "usual", "terse"]

_FAMILIES = ("tensors", "arithmetic", "autograd", "layers", "losses", "optimizers", "data", "running", "python")
_SHARED = "arguments"
# What programs call the parts of torch.
_SHORT = {
    "nn": "torch.nn",
    "F": "torch.nn.functional",
    "functional": "torch.nn.functional",
    "optim": "torch.optim",
    "lr_scheduler": "torch.optim.lr_scheduler",
    "autograd": "torch.autograd",
    "cuda": "torch.cuda",
    "amp": "torch.amp",
    "data": "torch.utils.data",
    "init": "torch.nn.init",
    "Tensor": "torch.Tensor",
    "datasets": "torchvision.datasets",
    "transforms": "torchvision.transforms",
    "T": "torchvision.transforms",
    "np": "numpy",
}
_LIBRARIES = frozenset(
    {"torch", "torchvision", "numpy", "random", "math", "os", "sys", "time", "pd", "pandas", "plt"}
    | {"np", "nn", "F", "optim"}
)
_HOLDERS = ("torch.Tensor.", "torch.nn.Module.", "torch.optim.Optimizer.", "torch.optim.lr_scheduler.LRScheduler.")
_SCHEDULER = _HOLDERS[-1]


@dataclass(frozen=True, slots=True)
class Entry:
    """What one name means.

    ``plain`` is for a beginner, ``usual`` for daily use, ``terse`` a few words; ``arguments`` holds the first two for each of its
    usual arguments. ``phase`` is the part of a step that the name belongs to, None where it belongs to no part in particular.
    """

    name: str  # in full: torch.nn.Linear
    kind: str
    phase: str | None
    plain: str
    usual: str
    terse: str
    arguments: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    also: tuple[str, ...] = ()  # other names of the same
    order: tuple[str, ...] = ()  # of the first arguments when they are given without their names
    template: str = ""  # plain words with room for the arguments' values: {in_features}

    def worded(self, level: Level) -> str:
        """The entry at one of the three levels."""
        return {"plain": self.plain, "usual": self.usual, "terse": self.terse}[level]

    def filled(self, values: Mapping[str, object]) -> str | None:
        """The plain words with the arguments' own values put in; None where there is no such wording, or a value is missing."""
        wanted = {name for _, name, _, _ in Formatter().parse(self.template) if name}
        return self.template.format_map(values) if wanted and wanted <= values.keys() else None


def entry(name: str) -> Entry | None:
    """What the name means; None for a name that is not in the glossary.

    Takes full names (``torch.nn.Linear``), the usual short ones (``nn.Linear``, ``F.cross_entropy``), last parts (``Linear``),
    and methods and attributes of any variable (``.backward``, ``loss.backward``, ``x.grad.zero_``).
    """
    name = name.strip().removesuffix("()").removesuffix("(")
    by_full, by_last = _index()
    holder, _, last = name.rpartition(".")
    if not holder:
        return _of_variable(last, "") if name.startswith(".") else by_full.get(last) or by_last.get(last)
    first, _, rest = holder.partition(".")
    path = ".".join(filter(None, [_SHORT.get(first, first), rest]))
    found = by_full.get(f"{path}.{last}")
    if found is not None:
        return found
    return None if first in _LIBRARIES else _of_variable(last, holder)  # data.to: a variable may be called data


def entries() -> tuple[Entry, ...]:
    """The whole glossary, family by family."""
    return _read()


def _of_variable(last: str, holder: str) -> Entry | None:
    """The method or attribute by this name that a tensor, a module, an optimizer or a scheduler has."""
    by_full, _ = _index()
    order = (_SCHEDULER, *_HOLDERS[:-1]) if "sched" in holder.lower() else _HOLDERS
    return next((found for each in order if (found := by_full.get(f"{each}{last}")) is not None), None)


@cache
def _index() -> tuple[Mapping[str, Entry], Mapping[str, Entry]]:
    """The entries by full name, and by the last part of it; where two share that, the first read has it."""
    by_full: dict[str, Entry] = {}
    by_last: dict[str, Entry] = {}
    for each in _read():
        for full in (each.name, *each.also):
            by_full[full] = each
            by_last.setdefault(full.rpartition(".")[2], each)
    return by_full, by_last


@cache
def _read() -> tuple[Entry, ...]:
    shared = {name: cast("tuple[str, str]", tuple(words)) for name, words in _family(_SHARED).items()}
    return tuple(_entry(name, words, shared) for family in _FAMILIES for name, words in _family(family).items())


def _family(name: str) -> dict[str, Any]:
    return tomllib.loads((files(__package__) / f"{name}.toml").read_text(encoding="utf-8"))


def _entry(name: str, words: Mapping[str, Any], shared: Mapping[str, tuple[str, str]]) -> Entry:
    arguments = {argument: shared[argument] for argument in words.get("takes", ())}
    arguments |= {argument: (plain, usual) for argument, (plain, usual) in words.get("arguments", {}).items()}
    return Entry(
        name=name,
        kind=words["kind"],
        phase=words.get("phase"),
        plain=words["plain"],
        usual=words["usual"],
        terse=words["terse"],
        arguments=MappingProxyType(arguments),
        also=tuple(words.get("also", ())),
        order=tuple(words.get("order", ())),
        template=words.get("filled", ""),
    )
