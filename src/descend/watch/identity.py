"""Which operation made what a tensor holds now: by identity, through writing in place and through views of one memory."""

import contextlib
import weakref
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.parameter import is_lazy

from descend.watch.quiet import quiet

Memory: TypeAlias = StorageWeakRef


class Makers:
    """Numbers of the operations that made tensors. Keeps no tensor alive."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self._written: dict[
            int, tuple[StorageWeakRef, int]
        ] = {}  # the weak reference keeps the number from being used again

    def of(self, tensor: Tensor) -> int | None:
        """The operation that made what it holds now; None for what was there before the first one."""
        reference, number = self._made.get(id(tensor), (None, None))
        if reference is None or reference() is not tensor:
            number = None
        if self._written:
            written = self._written.get(_memory(tensor))
            if written is not None and (number is None or written[1] > number):
                return written[1]
        return number

    def made(self, tensor: Tensor, number: int) -> None:
        """It came out of an operation."""
        self._made[id(tensor)] = (weakref.ref(tensor), number)

    def wrote(self, tensor: Tensor, number: int) -> None:
        """An operation changed it in place, and with it all that shares its memory."""
        self.made(tensor, number)
        memory = _memory(tensor)
        if memory:
            known = self._written.get(memory)
            reference = known[0] if known is not None else StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
            self._written[memory] = (reference, number)


def memory_of(value: Any) -> list[Memory]:
    """The memory of the tensors in ``value``: the same ``cdata`` for a tensor, its views, and what ``detach()`` and ``.data`` return.

    That number is given to no other memory while somebody holds on to this; the memory itself is not kept from being freed.
    """
    found = []
    with quiet():
        for tensor in tensors_in(value):
            with contextlib.suppress(Exception):  # a sparse one has none, and a subclass may say so in any way
                found.append(StorageWeakRef(tensor.untyped_storage()))  # type: ignore[no-untyped-call]
    return found


def tensors_in(value: Any, depth: int = 3) -> Iterator[Tensor]:
    """The tensors of an argument or an output: itself, or those in its lists, tuples and dictionaries. One that has no shape yet,
    a parameter of a lazy module, is left out."""
    if isinstance(value, Tensor):
        if not is_lazy(value):
            yield value
    elif depth and isinstance(value, list | tuple):
        for each in value:
            yield from tensors_in(each, depth - 1)
    elif depth and isinstance(value, Mapping):
        for each in value.values():
            yield from tensors_in(each, depth - 1)


def changed_in_place(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> list[Tensor]:
    """The tensors that the operation ``name`` wrote into."""
    changed: list[Tensor] = list(tensors_in(kwargs["out"])) if kwargs.get("out") is not None else []
    if name.startswith("_foreach_") and name.endswith("_") and args:
        changed += tensors_in(args[0])
    elif args and isinstance(args[0], Tensor) and not is_lazy(args[0]):
        first = args[0]
        if name.endswith(("_", "setitem", "data.set")) or (output is first and _inplace(args, kwargs)):
            changed.append(first)
    return changed


def _inplace(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """``relu(x, inplace=True)``; the keyword may stand among the others."""
    return bool(kwargs.get("inplace")) or any(value is True for value in args)


def _memory(tensor: Tensor) -> int:
    """A number for the memory that holds its values; 0 where it has none of its own (sparse, or inside a transform)."""
    try:
        return int(tensor.untyped_storage()._cdata)  # noqa: SLF001 - the address of the storage has no public name
    except (RuntimeError, NotImplementedError):
        return 0
