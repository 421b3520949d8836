"""What parameters were before their first step, and what they are when the program has ended."""

import sys
import weakref
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from descend.record.events import Event, ParameterNorms
from descend.watch.names import Names
from descend.watch.quiet import quiet

_COPIED = 32 * 2**20  # bytes of parameters as they were at first
_HELD = 32 * 2**20  # bytes of parameters that are kept when the program has let go of them


@dataclass(slots=True)
class _Held:
    """A parameter, and its memory in case the tensor itself is gone at the end: that of a function which has returned."""

    tensor: weakref.ref[Tensor]
    alias: Tensor | None
    address: int
    elsewhere: bool = False  # its values have been put into other memory, or another tensor in its place


class Ends:
    """Copies small parameters when they are named, which is before their first update, and finds their last values.

    ``step`` gives the number of steps so far. Listens to events: at sampled steps it looks whether a parameter is still the same
    tensor with the same memory, for only then the memory holds the parameter's last values when the tensor is gone.
    """

    def __init__(self, names: Names, step: Callable[[], int]) -> None:
        self._names, self._step = names, step
        self._first: defaultdict[str, list[tuple[int, Tensor | None]]] = defaultdict(
            list
        )  # coming step, and the values
        self._held: dict[str, _Held] = {}
        self._last: dict[str, Tensor] = {}  # of loops without autograd, when they were left
        self._replaced: dict[tuple[str, int], Tensor] = {}  # by the step in which another took the name
        self._copied = self._kept = self._archived = 0
        names.named = self.begins

    def begins(self, name: str, tensor: Tensor, *, moving: bool = False) -> None:
        """``tensor`` has this name from now on, and no step has changed it yet. ``moving``: the variable may get new tensors."""
        coming = self._step() + 1
        old = self._last.pop(name, None)
        old = self._same(name) if old is None else old
        if old is not None and self._archived + old.nbytes <= _HELD:
            self._archived += old.nbytes
            with quiet():
                self._replaced[name, coming] = old.detach()
        if moving:
            self._held[name] = _Held(weakref.ref(tensor), None, 0, elsewhere=True)
        copy = None
        if _is_ordinary(tensor) and self._copied + tensor.nbytes <= _COPIED:
            self._copied += tensor.nbytes
            with quiet():
                copy = tensor.detach().to("cpu", copy=True)
        self._first[name].append((coming, copy))

    def ends(self, name: str, tensor: Tensor) -> None:
        """A loop that has put a new tensor into this variable at every step is over."""
        with quiet():
            self._last[name] = tensor.detach()

    def __call__(self, event: Event) -> None:
        if isinstance(event, ParameterNorms):
            for name, *_ in event.rows:
                self._see(name)

    def named_in(self, name: str, step: int) -> bool:
        """Whether a tensor was given this name right before this step."""
        return any(coming == step for coming, _ in self._first.get(name, ()))

    def first(self, name: str, step: int) -> Tensor | None:
        """What the parameter of this name, which step ``step`` used first, was before it; None where that is not known."""
        return next((values for coming, values in reversed(self._first.get(name, ())) if coming <= step), None)

    def last(self, name: str, until: int | None = None) -> Tensor | None:
        """What the newest parameter of this name is now, or was when it went away; None where that is not known.

        ``until``: of the older one, whose name another took right before this step.
        """
        if until is not None:
            return self._replaced.get((name, until))
        if name in self._last:
            return self._last[name]
        known = self._same(name)
        if (
            known is None and name in self._held and self._held[name].elsewhere
        ):  # a variable, or an attribute of a module, that every update puts a new tensor into
            value = self._names.owned(name)
            value = vars(sys.modules["__main__"]).get(name) if value is None else value
            known = value if isinstance(value, Tensor) else None
        return known

    def _same(self, name: str) -> Tensor | None:
        """The tensor of this name if it stayed the same one, or its values if it is gone."""
        tensor, held = self._names.holder(name), self._held.get(name)
        if held is not None and held.elsewhere and (tensor is None or self._names.how(tensor) != "module"):
            return None
        known = tensor if tensor is not None else held.alias if held is not None else None
        return known if known is not None and _is_ordinary(known) and _is_whole(known) else None

    def _see(self, name: str) -> None:
        tensor, held = self._names.holder(name), self._held.get(name)
        if tensor is None or not _is_ordinary(tensor):
            return
        address = tensor.data_ptr()
        if held is not None:
            if held.tensor() is tensor and held.address == address:
                held.elsewhere = False
                return
            self._kept -= held.alias.nbytes if held.alias is not None else 0
        alias = None
        if self._kept + tensor.nbytes <= _HELD:
            self._kept += tensor.nbytes
            with quiet():
                alias = tensor.detach()
        elsewhere = held is not None and (held.tensor() is tensor or self._names.how(tensor) != "module")
        self._held[name] = _Held(weakref.ref(tensor), alias, address, elsewhere)


def _is_ordinary(tensor: Tensor) -> bool:
    return (
        type(tensor) in (Tensor, torch.nn.Parameter) and tensor.layout is torch.strided and tensor.device.type != "meta"
    )


def _is_whole(tensor: Tensor) -> bool:
    """Whether the memory is there: some programs give that of a parameter back while the tensor lives."""
    return tensor.untyped_storage().nbytes() >= tensor.nbytes
