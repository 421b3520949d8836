"""The data that a model is trained and examined on: what the steps were given, and the sets behind it where they lie in memory.

Told of each step that is looked at as the fact ``given``: ``rows``, ``set`` (the number of the set they are of, 0 where it is not known), ``x`` and
``y`` (the variables that hold them), ``labels`` (how many of each of the first values, where they are whole numbers), ``how`` ("slice",
"listed", "chosen" or ""), ``start``, ``stop`` and ``of`` (which rows of how many, where they are a part of a list), ``not_finite`` (numbers of x and of y).

Told when the program ends, of each set that was trained or examined on, as the fact ``set``: ``number``, ``role`` ("training", "evaluation",
or "beside": it lies in a variable and could be either), ``loader`` (its number, or 0), ``variable``, ``rows`` (0 where they are not known), ``whole`` (whether
``inputs`` and ``labels`` are of the set, or only of what was seen of it), ``inputs`` and ``labels`` (see columns.py), ``series``, ``signal`` (see signal.py), ``answers``
(the model's answers in evaluation: ``rows`` looked at, ``different``, ``commonest``).
And of two sets as ``shared`` what rows they have in common (see shared.py), with ``training`` and ``evaluation``, their numbers.

Told of the first loss that is no finite number as ``broken_batch``: ``inputs`` (name, how many numbers are none, of how many, in how
many rows, shape, whether the step was given it) and
``parameters`` (how many hold such numbers).
"""

import contextlib
import math
import time
import weakref
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from descend.watch.batches import tensors_in
from descend.watch.facts.loaders import KnownLoader, Loaders
from descend.watch.facts.moments import Collector, Telling
from descend.watch.facts.origins import Origin, Origins
from descend.watch.facts.summaries import KnownSet, tell_sets
from descend.watch.graph import is_leaf, plain
from descend.watch.operation_values import lies_in_rows
from descend.watch.places import Place
from descend.watch.variables import variables_of

_ROWS = 64  # of a step that are kept
_MOST_SETS = 24
_FIRST = 5  # row numbers that are shown
_SHARE = 0.02  # of the time so far that looking at whole sets may take before the end
_ALWAYS = 0.004  # seconds of it that are always there
_TENSORS = 200  # of a frame that are looked at
_clock = time.perf_counter


@dataclass(slots=True)
class _Use:
    """What something learned was computed from."""

    x: weakref.ref[Tensor] | None  # None where it is parameters only
    rows: int
    y: weakref.ref[Tensor] | None = None

    def input(self) -> Tensor | None:
        """What was given first."""
        return self.x() if self.x is not None else None


class Data(Collector):
    """Keeps a few rows of every set, and weak references to where the others are."""

    def __init__(self, tell: Telling) -> None:
        super().__init__(tell)
        self._loaders = Loaders.of(tell)
        self._origins = Origins()
        self._began = _clock()
        self._spent = 0.0
        self._sets: list[KnownSet] = []
        self._uses: dict[int, tuple[weakref.ref[Tensor], _Use]] = {}  # of what was given, by what was computed from it
        self._root: weakref.ref[Tensor] | None = None  # what a module was given last
        self._batch: list[weakref.ref[Tensor]] = []
        self._last_trained: KnownSet | None = None
        self._sliced: KnownSet | None = None  # that steps without a loader take their rows from
        self._previous: tuple[weakref.ref[Tensor] | None, weakref.ref[Tensor] | None] = (None, None)
        self._told_step = 0
        self._names: set[str] = set()  # of the variables that held what steps were given

    def operation(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any
    ) -> Mapping[str, Any] | None:
        if name == "getitem" and len(args) > 1 and type(args[1]) is int:
            return None  # one row: a data set hands them out so, many in a step
        self._origins.heard(name, args, kwargs, output)
        if isinstance(output, Tensor) and output.requires_grad and name != "requires_grad_":
            self._used(name, args, kwargs, output)
        return None

    def batch(self, batch: Any, step: int, loader: Any, frame: FrameType | None) -> None:
        self._batch = [weakref.ref(each) for each in tensors_in(batch)]

    def root_called(
        self, module: nn.Module, inputs: Sequence[Tensor], output: Any, step: int, frame: FrameType | None
    ) -> None:
        given = next((each for each in inputs if not each.requires_grad and each.ndim), None)
        self._root = weakref.ref(given) if given is not None else self._root

    def loader_begins(self, loader: Any, step: int, frame: FrameType | None) -> None:
        known = self._loaders.of_loader(loader, frame)
        self._look_into(self._set_of_loader(known))

    def pass_trained(self, loader: Any, step: int) -> None:
        of_pass = self._loaders.of_pass(loader)
        known = self._set_of_loader(of_pass) if of_pass is not None else None
        if known is not None:
            known.role = "training"
            self._last_trained = known

    def backward_begins(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        if step == self._told_step:
            return
        x, y, entered = (None if each is None else plain(each) for each in self._given(loss))
        if x is None or not x.ndim or not all(lies_in_rows(each) for each in (x, y, entered) if each is not None):
            return
        self._told_step = step
        variable = self.tell.names.variable_of
        origin = self._origins.of(x)
        known = self._training_set(x, y, origin, frame)
        values: dict[str, Any] = {"rows": len(x), "set": known.number if known is not None else 0}
        values |= {"x": variable(x, frame), "y": "" if y is None else variable(y, frame)}
        self._names |= {values["x"], values["y"]} - {""}
        values |= {"how": "", "start": 0, "stop": 0, "of": 0} if origin is None else _position(origin)
        values["paired"] = None if origin is None or y is None else _are_paired(origin, self._origins.of(y))
        values["labels"] = None if y is None else _labels(y)
        values["not_finite"] = [_not_finite(x if entered is None else entered), 0 if y is None else _not_finite(y)]
        self.tell.fact(step, "given", values, self.tell.place(frame))
        if known is not None:
            known.see(x if entered is None else entered, y)
            self._last_trained = known
            self._look_into(known)
            self._look_beside(known, x, y, frame)

    def step_done(self, step: int, leaves: Sequence[Tensor]) -> None:
        self._forget()

    def evaluated(
        self, module: nn.Module, inputs: Sequence[Tensor], output: Any, number: int, step: int, place: Place
    ) -> None:
        x = plain(inputs[0]) if inputs else None
        if x is None or not x.ndim or not lies_in_rows(x):
            return
        begun = self._loaders.begun
        known = None
        if begun is not None and not begun.trains and begun.passes:
            begun.evaluated += 1
            known = self._set_of_loader(begun)
        if known is None:
            known = self._set_of_tensor(x, "evaluation")
        if known is None:
            return
        if known.role != "training":
            known.role = "evaluation"
        known.examined(number, place, self._last_trained, x, output)
        self._look_into(known)

    def not_finite(self, loss: Any, leaves: Sequence[Tensor], step: int, frame: FrameType | None) -> None:
        found = []
        given = self._given(loss)
        for name, tensor in _variables(self.tell, frame):
            if not tensor.requires_grad and (count := _not_finite(tensor)):
                rows = tensor.detach().reshape(len(tensor), -1) if tensor.ndim else tensor.reshape(1, 1)
                broken = int((~torch.isfinite(rows)).any(1).sum())
                batch = name in self._names if given[0] is None else any(tensor is each for each in given)
                found.append([name, count, tensor.numel(), broken, list(tensor.shape), batch])
        parameters = sum(1 for each in leaves if _not_finite(each))
        self.tell.fact(step, "broken_batch", {"inputs": found, "parameters": parameters}, self.tell.place(frame))

    def finished(self, step: int) -> None:
        for known in self._sets:
            with contextlib.suppress(RuntimeError):  # memory of the user's that is no longer what it was
                known.take_in(None, self._last_trained)
        tell_sets(self.tell, step, [each for each in self._sets if each.role])

    def _used(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Tensor) -> None:
        """Something learned was computed: of what was given to it, the first is the input, and the last the target."""
        inputs = tensors_in([args, kwargs])
        learned = [each for each in inputs if each.requires_grad and not is_leaf(each)]
        uses = [self._uses_of(each) for each in learned]
        if None in uses:
            return  # computed before this step, from what nobody knows
        plain = [each for each in inputs if not each.requires_grad and each.ndim and each.numel()]
        known = next((each for each in uses if each is not None and each.rows), None)
        if known is None:
            known = _Use(weakref.ref(plain[0]), len(plain[0])) if plain else _Use(None, 0)
        else:
            targets = [each for each in plain if len(each) == known.rows and known.input() is not each]
            taken = [each for each in targets if self._origins.of(each) is not None]
            if targets:  # in scores[torch.arange(n), y] both are as long as the batch
                known.y = weakref.ref((taken or targets[-1 if name == "getitem" else 0 :])[0])
        self._uses[id(output)] = (weakref.ref(output), known)

    def _uses_of(self, tensor: Tensor) -> "_Use | None":
        reference, known = self._uses.get(id(tensor), (None, None))
        return known if reference is not None and reference() is tensor else None

    def _given(self, loss: Any) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Input and target of the step that runs, as the loader gave them where it did; and the input as the model got it."""
        use = self._uses_of(loss) if isinstance(loss, Tensor) else None
        root = self._root() if self._root is not None else None
        entered = root if root is not None or use is None else use.input()
        x = use.input() if use is not None else root
        y = use.y() if use is not None and use.y is not None else None
        batch = [tensor for each in self._batch if (tensor := each()) is not None]
        if batch:
            same = next((each for each in batch if x is not None and _is_same(each, x)), None)
            x = same if same is not None else (batch[0] if x is None or len(batch[0]) == len(x) else x)
            y = next((each for each in batch if each is not x and each.ndim and len(each) == len(x)), y)
        return x, y, entered

    def _forget(self) -> None:
        self._root = None
        self._uses.clear()
        self._batch = []

    def _training_set(
        self, x: Tensor, y: Tensor | None, origin: Origin | None, frame: FrameType | None
    ) -> KnownSet | None:
        begun = self._loaders.begun
        if self._batch and begun is not None:
            known = self._set_of_loader(begun)
        else:
            known = self._set_without_loader(x, y, origin)
        if known is not None:
            known.role = "training"
        return known

    def _set_without_loader(self, x: Tensor, y: Tensor | None, origin: Origin | None) -> KnownSet | None:
        """The tensor that the rows were taken from, or the batch itself where the step before was given the same.

        Only the next step tells which: a set may have been cut out of a larger one just before the first step.
        """
        source = origin.source() if origin is not None else None
        last, last_source = self._previous
        self._previous = (weakref.ref(x), weakref.ref(source) if source is not None else None)
        known = next((each for each in self._sets if each.is_of(x)), None)
        if known is not None and known.role == "evaluation" and source is not None:
            known.role, known = "", None  # the model was given this step's batch before: no rows of their own
        if known is None and last is not None and last() is x:
            known = self._set_of_tensor(x, "training")
        if known is not None:
            self._sliced = None
            if known.y is None and y is not None:
                known.y = weakref.ref(y)
            return known
        if source is None:
            return None if self._uses else self._sliced  # no operation was heard: it goes on as before
        known = next((each for each in self._sets if each.is_of(source)), None)
        if known is None and last_source is not None and last_source() is source:
            known = self._set_of_tensor(source, "training")
        target = self._origins.of(y) if y is not None else None
        if known is not None and known.y is None and target is not None and (of := target.source()) is not None:
            known.y = weakref.ref(of)
        if known is not None and origin is not None:
            known.uses(origin)
        self._sliced = known or self._sliced
        return known

    def _set_of_loader(self, loader: KnownLoader) -> KnownSet | None:
        for known in self._sets:
            if known.from_loader is loader or known.is_behind(loader):
                known.from_loader = loader  # the one that is alive
                return known
        return self._add(KnownSet(len(self._sets) + 1, loader=loader))

    def _set_of_tensor(self, x: Tensor, role: str, variable: str = "") -> KnownSet | None:
        for known in self._sets:
            if known.is_of(x):
                return known
        made = self._add(KnownSet(len(self._sets) + 1, x=x, variable=variable))
        if made is not None:
            made.role = role
        return made

    def _add(self, known: KnownSet) -> KnownSet | None:
        if len(self._sets) >= _MOST_SETS:
            return None
        self._sets.append(known)
        return known

    def _look_into(self, known: KnownSet | None) -> None:
        """Take in the whole set, when there is time for it."""
        if known is None or known.taken_in:
            return
        started = _clock()
        room = max(_ALWAYS, _SHARE * (started - self._began)) - self._spent
        known.take_in(room, self._last_trained)
        self._spent += _clock() - started

    def _look_beside(self, training: KnownSet, x: Tensor, y: Tensor | None, frame: FrameType | None) -> None:
        """Variables beside a training set that hold rows of the same kind: they may be what the model is examined on."""
        if training.beside:
            return
        training.beside = True
        own = training.x() if training.x is not None else None
        found = _variables(self.tell, frame)
        for place, (name, tensor) in enumerate(found):
            if tensor is own:
                training.variable = name
            alike = tensor.shape[1:] == x.shape[1:] and tensor.ndim == x.ndim and tensor.dtype == x.dtype
            if tensor is own or tensor is x or not alike or len(tensor) < 4 or tensor.requires_grad:
                continue
            origin = self._origins.of(tensor)
            if name in self._names or (origin is not None and origin.source() is own):
                continue
            known = self._set_of_tensor(tensor, "beside", name)
            if known is not None and known.role == "beside":
                known.variable = name
                known.find_targets(found[place + 1 :] + found[:place], y)
                self._look_into(known)


def _position(origin: Origin) -> dict[str, Any]:
    return {"how": origin.how, "start": origin.start, "stop": origin.stop, "of": origin.rows}


def _are_paired(rows: Origin, targets: Origin | None) -> list[list[int]] | None:
    """Of rows and targets that were chosen by number, out of as many: the first numbers of each where they differ, [] where not."""
    if targets is None or rows.rows != targets.rows or rows.numbers is None or targets.numbers is None:
        return None
    if len(rows.numbers) != len(targets.numbers):
        return None
    if torch.equal(rows.numbers, targets.numbers):
        return []
    return [rows.numbers[:_FIRST].tolist(), targets.numbers[:_FIRST].tolist()]


def _labels(y: Tensor) -> list[list[int]] | None:
    """How many of each value, where they are whole numbers and few."""
    if y.ndim > 2 or (y.ndim == 2 and y.shape[1] != 1) or not y.ndim or y.is_complex():
        return None
    counted = Counter(y.detach().reshape(-1)[:4_096].tolist())
    if len(counted) > 50 or any(value != round(value) for value in counted if math.isfinite(value)):
        return None
    return [[int(value), count] for value, count in sorted(counted.items()) if math.isfinite(value)]


def _not_finite(tensor: Tensor) -> int:
    plain = type(tensor) in (Tensor, nn.Parameter) and tensor.layout is torch.strided
    if not plain or not tensor.is_floating_point() or tensor.numel() > 4_000_000:
        return 0
    values = tensor.detach()
    if math.isfinite(values.sum()):
        return 0
    return int(values.numel() - torch.isfinite(values).sum())


def _is_same(one: Tensor, other: Tensor) -> bool:
    return one is other or (one.device == other.device and one.data_ptr() == other.data_ptr() and one.numel() > 0)


def _variables(tell: Telling, frame: FrameType | None) -> list[tuple[str, Tensor]]:
    """The tensors that variables of the user's functions hold, from the inside out, and attributes of ``self``."""
    found: dict[int, tuple[str, Tensor]] = {}
    for own in tell.places.own_frames(frame):
        space = variables_of(own)
        for name, value in space.items():
            inside = _parts(name, value)
            for path, each in ((name, value), *inside):
                if type(each) is Tensor and each.ndim and not name.startswith("__") and len(found) < _TENSORS:
                    found.setdefault(id(each), (path, each))
    return list(found.values())


def _parts(name: str, value: Any) -> list[tuple[str, Any]]:
    """What stands in a short list or dictionary, or in the attributes of ``self``."""
    if type(value) in (list, tuple) and len(value) <= 8:
        return [(f"{name}[{place}]", each) for place, each in enumerate(value)]
    if type(value) is dict and len(value) <= 8:
        return [(f"{name}[{key!r}]", each) for key, each in value.items() if isinstance(key, str)]
    inside = getattr(value, "__dict__", None) if name == "self" else None
    return [(f"{name}.{part}", each) for part, each in inside.items()] if isinstance(inside, dict) else []
