"""What an operation was called with: tensors and constants under the names that PyTorch's signature gives them."""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

import torch
from torch import Tensor

from descend.errors import DescendError


class NotCovered(DescendError):
    """There is no closed form for this: an operation or a setting of it that the library does not have."""


class Kind(Enum):
    """What may stand at a place of a signature. Any other value there is the default of a constant."""

    TENSOR = "a tensor"
    OPTIONAL = "a tensor, or nothing"
    EITHER = "a tensor or a number"
    MANY = "a list of tensors"
    NUMBER = "a constant without a default"
    REST = "all constants from here on, as in x.view(2, 6)"


TENSOR, OPTIONAL, EITHER, MANY, NUMBER, REST = Kind

Signature = Mapping[str, object]
"""The names of the arguments in their order, each with its kind or its default."""


def takes(**names: object) -> Signature:
    """A signature: the names of the arguments in their order, each with its kind or its default."""
    return MappingProxyType(names)


_SYNONYMS = {"axis": "dim", "keepdims": "keepdim", "self": "input", "min_val": "min", "max_val": "max"}
_WITHOUT_EFFECT = frozenset({"inplace", "momentum", "sparse", "norm_type", "requires_grad", "memory_format", "copy"})


@dataclass(frozen=True)
class Arguments:
    """The arguments of one call. Tensors of fractions are float64 on the processor, whatever they were."""

    operation: str
    values: Mapping[str, object]
    order: tuple[str, ...]
    """The name of each tensor argument, in the order of the call; a name that holds a list of tensors stands once for each."""
    output: Tensor | None = None
    """What the operation gave in the run, where that is known."""

    def tensor(self, name: str) -> Tensor:
        """The tensor as it is: whole numbers stay whole."""
        value = self.values[name]
        assert isinstance(value, Tensor)
        return value

    def real(self, name: str) -> Tensor:
        """The tensor or number in float64."""
        value = self.values[name]
        if isinstance(value, Tensor):
            return value.double()
        if value is None:  # as a record has a number that is none
            return torch.tensor(math.nan, dtype=torch.float64)
        assert isinstance(value, int | float)
        return torch.tensor(float(value), dtype=torch.float64)

    def optional(self, name: str) -> Tensor | None:
        """The tensor in float64, or None where none was given."""
        return self.real(name) if self.given(name) else None

    def many(self, name: str) -> list[Tensor]:
        """The tensors of a list, in float64."""
        value = self.values[name]
        assert isinstance(value, list)
        return [each.double() for each in value]

    def given(self, name: str) -> bool:
        """Whether it is there and not None."""
        return self.values.get(name) is not None

    def is_tensor(self, name: str) -> bool:
        return isinstance(self.values.get(name), Tensor)

    def constant(self, name: str) -> object:
        return self.values[name]

    def number(self, name: str) -> float:
        value = self.values[name]
        if isinstance(value, Tensor) and value.numel() == 1:
            return float(value)
        if not isinstance(value, int | float):
            raise self.not_covered(name)
        return float(value)

    def whole(self, name: str) -> int:
        value = self.values[name]
        if not isinstance(value, int):
            raise self.not_covered(name)
        return value

    def flag(self, name: str) -> bool:
        return bool(self.values[name])

    def word(self, name: str) -> str:
        return str(self.values[name])

    def dims(self, name: str, count: int) -> tuple[int, ...]:
        """Axes counted from 0, of a tensor with ``count`` of them; all of them where none are named."""
        value = self.values[name]
        chosen = range(count) if value is None or value == [] else [value] if isinstance(value, int) else value
        if not isinstance(chosen, Sequence) or not all(isinstance(each, int) for each in chosen):
            raise self.not_covered(name)
        return tuple(each % count if count else 0 for each in chosen) if count else ()

    def sizes(self, name: str, count: int) -> tuple[int, ...]:
        """``count`` whole numbers; a single one stands for all."""
        value = self.values[name]
        if isinstance(value, int):
            return (value,) * count
        if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(each, int) for each in value):
            return tuple(value) * (count if len(value) == 1 else 1)
        raise self.not_covered(name)

    def whole_numbers(self, name: str) -> list[int]:
        """A list of whole numbers, given as one list or one by one."""
        return list(self.sizes(name, 1))

    def not_covered(self, name: str) -> NotCovered:
        """The error that says which setting has no closed form."""
        return NotCovered(f"{self.operation} with {name}={self.values.get(name)!r} has no closed form here")


def bindings(
    operation: str,
    signature: Signature,
    tensors: Sequence[Tensor],
    constants: Mapping[str, object],
    output: Tensor | None = None,
) -> Iterator[Arguments]:
    """Every way in which the tensors can stand in the call: more than one where several may be left out.

    constants: by position (``"1"``, counted over all arguments) or by name; positions that are not named hold the tensors,
    in their order, or nothing. Raises :class:`NotCovered` where the call does not fit the signature.
    """
    named = _named(operation, signature, constants)
    given = [prepared(tensor) for tensor in tensors]
    required = [name for name in signature if name not in named and signature[name] in (TENSOR, MANY)]
    open_to = [name for name in signature if name not in named and signature[name] is EITHER]
    optional = [name for name in signature if name not in named and signature[name] is OPTIONAL]
    many = next((name for name in required if signature[name] is MANY), None)
    if many is not None:
        yield _arguments(operation, signature, {**named, many: given}, (many,) * len(given), output)
        return
    spare = len(given) - len(required) - len(open_to)
    if spare < 0:
        missing = (required + open_to)[len(given) :]
        raise NotCovered(f"{operation}: {' and '.join(missing)} of this call is not known")
    if spare > len(optional):
        raise NotCovered(f"{operation} of {len(given)} tensors has no closed form here")
    for chosen in itertools.combinations(optional, spare):
        order = tuple(name for name in signature if name in required or name in open_to or name in chosen)
        values = {**named, **dict(zip(order, given, strict=True))}
        yield _arguments(operation, signature, values, order, output)


def prepared(tensor: Tensor) -> Tensor:
    """A tensor as formulas take it: without a graph, on the processor, fractions in float64."""
    tensor = tensor.detach().cpu()
    return tensor.double() if tensor.is_floating_point() else tensor


def _named(operation: str, signature: Signature, constants: Mapping[str, object]) -> dict[str, object]:
    names = list(signature)
    rest = next((name for name in names if signature[name] is REST), None)
    named: dict[str, object] = {}
    gathered: dict[int, object] = {}
    for key, value in constants.items():
        if key.isdigit():
            position = int(key)
            if rest is not None and position >= names.index(rest):
                gathered[position] = value
            elif position < len(names):
                named[names[position]] = value
            else:
                raise NotCovered(f"{operation} with {position + 1} arguments has no closed form here")
            continue
        name = key if key in signature else _SYNONYMS.get(key, key)
        if name in signature:
            named[name] = value
        elif not name.startswith("_") and name not in _WITHOUT_EFFECT:
            raise NotCovered(f"{operation} with {key}={value!r} has no closed form here")
    if rest is not None and gathered:
        values = [gathered[position] for position in sorted(gathered)]
        named[rest] = values[0] if len(values) == 1 else values
    return named


def _arguments(
    operation: str,
    signature: Signature,
    values: Mapping[str, object],
    order: tuple[str, ...],
    output: Tensor | None,
) -> Arguments:
    defaults = {name: value for name, value in signature.items() if not isinstance(value, Kind)}
    absent = {name: None for name, value in signature.items() if value is OPTIONAL or value is REST}
    for name, value in signature.items():
        if value is NUMBER and name not in values:
            raise NotCovered(f"{operation}: {name} of this call is not known")
    return Arguments(operation, {**absent, **defaults, **values}, order, output)
