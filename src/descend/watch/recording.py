"""What is heard of the operations of one step in one thread: each with its inputs, its place, its module and its numbers."""

import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from torch import Tensor, nn

from descend.watch.function_mode import Tap, tap
from descend.watch.graph import is_leaf
from descend.watch.identity import Makers, changed_in_place, tensors_in
from descend.watch.operation_values import constants_of, dtype_of, has_plain_values, index_text, numbers_of
from descend.watch.places import Places
from descend.watch.quiet import inside_vmap

MOST = 5_000  # operations of one step
_MOST_OUTSIDE = 16_000_000  # bytes of tensors from outside that are copied in one step
_OUTSIDE = "outside."
_MASK = "mask."
_DRAWN = "drawn."
_DROPOUTS = frozenset({"dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout"})
_RANDOM = frozenset(
    {
        "rand",
        "randn",
        "randint",
        "randperm",
        "rand_like",
        "randn_like",
        "randint_like",
        "bernoulli",
        "normal",
        "multinomial",
    }
)
ABOUT_TENSORS = frozenset({"requires_grad_", "retain_grad", "share_memory_", "rename_", "detach_", "register_hook"})
"""Calls that end in ``_`` or give a tensor, and compute nothing."""

Measure = Callable[[str, tuple[Any, ...], Mapping[str, Any], Any], Mapping[str, Any] | None]
"""What the checks want to know of an operation, from its name, its arguments and what it gave."""


@dataclass(slots=True)
class _Row:
    """One operation, before names are known and numbers are read."""

    name: str
    module: "_Owner | None"
    file: str
    line: int
    inputs: list["int | _Outside"]
    constants: dict[str, Any]
    shapes: list[list[int]]
    dtype: str
    numbers: Tensor | None  # a copy of a small output, or least, mean, most and deviation of a large one
    small: bool
    given: list[tuple[list[int], str, bool]] = field(
        default_factory=list
    )  # shape, dtype, followed by autograd: of each input
    parts: list[int] = field(default_factory=list)  # of each input: which output of its operation it is
    tracked: bool = False  # autograd follows what came out
    facts: Mapping[str, Any] | None = None


@dataclass(slots=True)
class _Outside:
    """A tensor that was there before the step; its name may be learnt later in it."""

    tensor: weakref.ref[Tensor]
    name: str  # where it is known by now
    part: str = ""  # ".grad": it was read from the tensor that is named
    number: int = 0  # of those without a name, in the order of their first use
    copy: Tensor | None = None  # in a step that is kept in full


@dataclass(slots=True)
class _Owner:
    """A module that was being called: its root, and its name in it."""

    root: weakref.ref[nn.Module]
    path: str
    kind: str


@dataclass(slots=True, eq=False)
class Recording:
    """What is heard of one step in one thread."""

    places: Places
    name_of: Callable[[Tensor], str]
    measure: Measure | None = None
    whole: bool = False  # the step is kept in full: its tensors from outside are copied
    full: bool = False
    muted: bool = False  # an optimizer of PyTorch's is at work: its operations are not the script's
    calls: list[tuple[nn.Module, _Owner]] = field(default_factory=list)  # of modules that have not returned yet
    _rows: list[_Row] = field(default_factory=list)
    _makers: Makers = field(default_factory=Makers)
    _later_outputs: dict[int, tuple[weakref.ref[Tensor], int, int]] = field(default_factory=dict)  # all but first ones
    _gradients: dict[int, tuple[weakref.ref[Tensor], _Outside]] = field(default_factory=dict)
    _outside: dict[int, _Outside] = field(default_factory=dict)
    _gone: list[_Outside] = field(default_factory=list)  # let go of by the script, and another is where it was
    _chance: dict[str, Tensor] = field(default_factory=dict)  # what a dropout kept, and random numbers
    _nameless: int = 0
    _copied: int = 0  # bytes
    _tap: Tap = field(default_factory=tap)

    def leave(self) -> Exception | None:
        self.calls.clear()
        return self._tap.leave(self.heard)

    def heard(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any, frame: FrameType) -> None:
        """Keep one operation, unless it computes nothing."""
        if self.muted or name in ABOUT_TENSORS or inside_vmap():
            return
        if name == "grad" and isinstance(output, tuple):  # torch.autograd.grad
            name, args, output = "backward", args[:1], None
        if name in ("data", "grad") and args and isinstance(args[0], Tensor):
            self._read_from(args[0], name, output)
            return
        written = changed_in_place(name, args, kwargs, output)
        made = written or list(tensors_in(output))
        if not made and name != "backward":
            return
        if len(self._rows) >= MOST:
            self.full = True
            self._tap.leave(self.heard)
            return
        given = list(tensors_in((args, kwargs), 4))
        changed = {id(tensor) for tensor in written}
        inputs = [self._source(tensor, changed=id(tensor) in changed) for tensor in given]
        parts = [self._part(tensor, source) for tensor, source in zip(given, inputs, strict=True)]
        number = len(self._rows)
        constants = constants_of(args, kwargs)
        if name == "getitem" and (taken := index_text(args)):
            constants["1"] = taken
        row = self._row(name, inputs, constants, made, frame)
        row.given = [(list(each.shape), dtype_of(each), each.requires_grad) for each in given]
        row.parts = parts if any(parts) else []
        row.tracked = any(each.requires_grad for each in made)
        row.facts = self.measure(name, args, kwargs, output) if self.measure is not None else None
        self._rows.append(row)
        if self.whole and name in _DROPOUTS and isinstance(output, Tensor):
            self._keep_mask(number, output)
        elif self.whole and name.rstrip("_") in _RANDOM and isinstance(output, Tensor):
            copy = self._copy(output)
            if copy is not None:
                self._chance[f"{_DRAWN}{number}"] = copy
        for tensor in written:
            self._makers.wrote(tensor, number)
        self._made(output, number)

    def _made(self, output: Any, number: int) -> None:
        """What operation number ``number`` gave; of several tensors, which is which."""
        for place, tensor in enumerate(tensors_in(output)):
            self._makers.made(tensor, number)
            if place:
                self._later_outputs[id(tensor)] = (weakref.ref(tensor), number, place)

    def entered(self, module: nn.Module) -> None:
        """What follows is the module's."""
        kind = type(module).__name__
        owner = _Owner(weakref.ref(module), "", kind)
        for caller, above in reversed(self.calls):
            path = _path_inside(caller, module)
            if path is not None:
                owner = _Owner(above.root, f"{above.path}.{path}".strip("."), kind)
                break
        self.calls.append((module, owner))

    def left(self, module: nn.Module) -> None:
        """What follows is its caller's again."""
        for position in reversed(range(len(self.calls))):
            if self.calls[position][0] is module:
                del self.calls[position:]
                return

    def rows(self) -> tuple[Mapping[str, Any], ...]:
        """All operations as JSON values; here the numbers are read from the device."""
        return tuple(self._as_json(number, row) for number, row in enumerate(self._rows))

    def _read_from(self, tensor: Tensor, name: str, output: Any) -> None:
        if not isinstance(output, Tensor):
            return
        if name == "data":
            maker = self._makers.of(tensor)
            if maker is not None:
                self._makers.made(output, maker)
                return
        part = ".grad" if name == "grad" else ""
        self._gradients[id(output)] = (weakref.ref(output), _Outside(weakref.ref(tensor), self.name_of(tensor), part))

    def _source(self, tensor: Tensor, *, changed: bool) -> "int | _Outside":
        """What made the tensor. changed: in place, just now, so that its numbers are no more those that the operation was given."""
        maker = self._makers.of(tensor)
        if maker is not None and not (tensor.requires_grad and is_leaf(tensor)):  # made in this step, yet a parameter
            return maker
        reference, source = self._gradients.get(id(tensor), (None, None))
        if reference is not None and source is not None and reference() is tensor:
            return source
        known = self._outside.get(id(tensor))
        if known is None or known.tensor() is not tensor:
            name = self.name_of(tensor)
            known = _Outside(weakref.ref(tensor), name, number=self._nameless)
            known.copy = None if changed else self._copy(tensor)
            self._nameless += not name
            if id(tensor) in self._outside:
                self._gone.append(self._outside[id(tensor)])
            self._outside[id(tensor)] = known
        return known

    def _part(self, tensor: Tensor, source: "int | _Outside") -> int:
        """Which output of the operation that made it a tensor is, counted from 0."""
        reference, number, place = self._later_outputs.get(id(tensor), (None, -1, 0))
        return place if reference is not None and reference() is tensor and number == source else 0

    def outside(self) -> dict[str, Tensor]:
        """Copies of the nameless tensors that were there before the step, by the names that the operations call them."""
        found = sorted((*self._outside.values(), *self._gone), key=lambda each: each.number)
        copies = {
            name: each.copy
            for each in found
            if each.copy is not None and (name := _name_of_outside(each, self.name_of)).startswith(_OUTSIDE)
        }
        return copies | self._chance

    def _copy(self, tensor: Tensor) -> Tensor | None:
        """A copy on the CPU, where the step is kept in full and there is room for it."""
        if not self.whole or not has_plain_values(tensor) or self._copied + tensor.nbytes > _MOST_OUTSIDE:
            return None
        self._copied += tensor.nbytes
        return tensor.detach().to("cpu", copy=True)

    def _keep_mask(self, number: int, output: Tensor) -> None:
        """Which entries a dropout kept. Its output does not tell where its input was 0; what autograd multiplied by does."""
        noise = next(
            (
                saved
                for saved in (getattr(output.grad_fn, name, None) for name in ("_saved_result1", "_saved_other"))
                if isinstance(saved, Tensor) and has_plain_values(saved)
            ),
            output,
        )
        if has_plain_values(noise) and self._copied + noise.numel() <= _MOST_OUTSIDE:
            self._copied += noise.numel()
            self._chance[f"{_MASK}{number}"] = (noise.detach() != 0).to("cpu", copy=True)

    def _row(
        self,
        name: str,
        inputs: list["int | _Outside"],
        constants: dict[str, Any],
        made: list[Tensor],
        frame: FrameType,
    ) -> _Row:
        file, line = self.places.place(frame)
        numbers, small = numbers_of(made[0]) if len(made) == 1 else (None, False)
        return _Row(
            name,
            self.calls[-1][1] if self.calls else None,
            file,
            line,
            inputs,
            constants,
            [list(tensor.shape) for tensor in made],
            dtype_of(made[0]) if made else "",
            numbers,
            small,
        )

    def _as_json(self, number: int, row: _Row) -> dict[str, Any]:
        name_of = self.name_of
        found: dict[str, Any] = {
            "index": number,
            "name": row.name,
            "module": "" if row.module is None else _name_of_module(row.module, name_of),
            "file": row.file,
            "line": row.line,
            "inputs": [each if isinstance(each, int) else _name_of_outside(each, name_of) for each in row.inputs],
            "input_shapes": [shape for shape, _, _ in row.given],
            "input_dtypes": [dtype for _, dtype, _ in row.given],
            "input_tracked": [tracked for _, _, tracked in row.given],
            "shapes": row.shapes,
            "dtype": row.dtype,
            "tracked": row.tracked,
        }
        if row.parts:
            found["input_parts"] = row.parts
        if row.facts:
            found["facts"] = {
                key: value.tolist() if isinstance(value, Tensor) else value for key, value in row.facts.items()
            }
        if row.constants:
            found["constants"] = row.constants
        if row.numbers is not None and row.small:
            found["values"] = row.numbers.tolist()
        elif row.numbers is not None:
            found.update(zip(("least", "mean", "most", "std"), row.numbers.tolist(), strict=True))
        return found


def _path_inside(caller: nn.Module, module: nn.Module) -> str | None:
    """How the caller calls the module: ``fc1``, ``layers.0``; None where it is none of its parts."""
    for name, part in caller._modules.items():  # noqa: SLF001 - named_children leaves out a module's second name
        if part is module:
            return name
    return next((name for name, part in caller.named_modules() if part is module and name), None)


def _name_of_module(owner: _Owner, name_of: Callable[[Tensor], str]) -> str:
    """As the names of its parameters begin: ``fc1``, or ``net.fc1`` where they are told apart by the variable."""
    root = owner.root()
    prefix = ""
    for path, parameter in () if root is None else root.named_parameters():
        name = name_of(parameter)
        if name:
            prefix = name.removesuffix(path).rstrip(".") if name.endswith(path) else ""
            break
    return f"{prefix}.{owner.path}".strip(".") or owner.kind


def _name_of_outside(outside: _Outside, name_of: Callable[[Tensor], str]) -> str:
    tensor = outside.tensor()
    name = outside.name or ("" if tensor is None else name_of(tensor))
    return f"{name}{outside.part}" if name else f"{_OUTSIDE}{outside.number}"
