"""One set of rows that is trained or examined on: a few of its rows, kept as copies, and what is told of them in the end."""

import contextlib
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from descend.watch.facts import shared
from descend.watch.facts.columns import COLUMNS, describe, describe_labels, series_in
from descend.watch.facts.loaders import KnownLoader
from descend.watch.facts.moments import Telling
from descend.watch.facts.origins import Origin
from descend.watch.facts.sets import Rows, numbers_in, rows_of, spread_out
from descend.watch.facts.signal import probe
from descend.watch.places import Place

_ROWS = 1_024  # of a set that are kept
_BYTES = 1_000_000  # of them
_LABELS = 200_000  # of a set that are looked at in their order
_NEIGHBOURS = 64  # rows that follow each other, to know a series by


class KnownSet:
    """One set. It keeps copies of some rows, and weak references to the rest."""

    def __init__(
        self, number: int, *, loader: KnownLoader | None = None, x: Tensor | None = None, variable: str = ""
    ) -> None:
        self.number, self.from_loader, self.variable = number, loader, variable
        self.loader = loader.number if loader is not None else 0  # the first one
        self._key = _key(loader) if loader is not None else None
        self.x = weakref.ref(x) if x is not None else None
        self.y: weakref.ref[Tensor] | None = None
        self.role = ""
        self.taken_in = self.beside = False
        self.rows = self.width = 0
        self.keys: Tensor | None = None
        self.columns: Tensor | None = None
        self.sample: Rows | None = None  # rows of the whole set
        self.labels: dict[str, Any] = {}
        self.series = ""
        self.evaluations: list[tuple[int, Place, KnownSet | None]] = []
        self.broken: list[int] = []  # rows with numbers that are none, and such answers to them
        self._seen_x: list[Tensor] = []
        self._seen_y: list[Tensor] = []
        self._seen_bytes = self._seen_rows = 0
        self._answers: list[Tensor] = []
        self._used: Tensor | None = None  # which of its rows steps were seen to take; None: they take them all

    def is_of(self, x: Tensor) -> bool:
        """Whether it is the set that lies in this tensor."""
        own = self.x() if self.x is not None else None
        return own is not None and (own is x or (own.shape == x.shape and own.data_ptr() == x.data_ptr()))

    def is_behind(self, loader: KnownLoader) -> bool:
        """Whether a loader hands out its rows: one that was made for each epoch, say."""
        return self._key is not None and self._key == _key(loader)

    def see(self, x: Tensor, y: Tensor | None) -> None:
        """Rows of it, as the model was given them."""
        if self._seen_bytes < _BYTES and self._seen_rows < _ROWS:
            most = max(1, (_BYTES - self._seen_bytes) // max(1, x[:1].nbytes))
            some = x.detach()[: min(len(x), most, _ROWS)].to("cpu", copy=True)
            if self._seen_x and some.shape[1:] != self._seen_x[0].shape[1:]:
                return
            self._seen_bytes += some.nbytes
            self._seen_rows += len(some)
            self._seen_x.append(some)
            if y is not None and len(y) == len(x) and y[:1].numel() == 1:
                self._seen_y.append(y.detach()[: len(some)].reshape(-1).to("cpu", copy=True))

    def uses(self, origin: Origin) -> None:
        """A step took some of its rows, which were cut out of a larger tensor."""
        source = origin.source()
        if source is None:
            return
        if self._used is None:
            self._used = torch.zeros(len(source), dtype=torch.bool)
        if origin.numbers is not None:
            self._used[origin.numbers] = True
        elif origin.how == "slice":
            self._used[origin.start : origin.stop] = True

    def used(self) -> Tensor | None:
        """Numbers of the rows that steps were seen to take; None where they take them all."""
        return None if self._used is None else self._used.nonzero().flatten()

    def examined(self, number: int, place: Place, after: "KnownSet | None", x: Tensor, output: Any) -> None:
        """An evaluation gave some of its rows to the model."""
        if not self.evaluations or self.evaluations[-1][0] != number:
            self.evaluations = [*self.evaluations[:50], (number, place, after)]
            self._answers = []  # of the latest evaluation
        if self.role != "training":
            self.see(x, None)
        self.broken = self.broken or _broken(x, output)
        answers = _answers(output)
        if answers is not None:
            self._answers.append(answers)

    def parts(self) -> list[Rows]:
        """All of its rows, where they are still there."""
        if self.from_loader is not None:
            loader = self.from_loader.loader()
            return rows_of(loader.dataset) if loader is not None else []
        x = self.x() if self.x is not None else None
        if x is None:
            return []
        y = self.y() if self.y is not None else None
        return [Rows(x.detach(), y.detach() if y is not None and len(y) == len(x) else None)]

    def take_in(self, room: float | None, like: "KnownSet | None" = None) -> None:
        """Take what the checks need of the whole set, in so many seconds (None: those that are left at the end).

        Rows are known again by the same columns as those of the set ``like``, where it has as many.
        """
        if self.taken_in:
            return
        parts = self.parts()
        if not parts:
            self.taken_in = self.from_loader is not None
            return
        numbers = sum(map(numbers_in, parts))
        if room is not None and min(numbers, _BYTES) * 4e-9 > room:
            return
        one = len(parts) == 1
        self.rows = sum(map(len, parts))
        most = max(8, min(_ROWS, _BYTES // max(1, 8 * min(COLUMNS, parts[0].x[:1].numel()))))
        taken = [each.take(spread_out(len(each), max(1, most * len(each) // self.rows))) for each in parts]
        if any(each.x.shape[1:] != taken[0].x.shape[1:] for each in taken):
            self.taken_in = True
            return
        y = [each.y for each in taken if each.y is not None]
        self.sample = Rows(
            torch.cat([each.x.cpu() for each in taken]),
            torch.cat([each.cpu() for each in y])
            if len(y) == len(taken) and len({each.shape[1:] for each in y}) == 1
            else None,
        )
        labels = [found for each in parts if (found := each.labels()) is not None]
        if len(labels) == len(parts) and self.rows <= _LABELS and all(each[:1].numel() == 1 for each in labels):
            self.labels = describe_labels(torch.cat([each.reshape(-1).cpu() for each in labels]))
        if one:
            self.series = series_in(parts[0].take(torch.arange(min(len(parts[0]), _NEIGHBOURS))).x)
        wide = self.sample.x.reshape(len(self.sample.x), -1)
        self.width = wide.shape[1]
        columns = (
            like.columns if like is not None and like.columns is not None and like.width == wide.shape[1] else None
        )
        self.columns = columns = shared.key_columns(wide.float()) if columns is None else columns
        if room is None or shared.is_cheap(parts, len(columns), room):
            self.keys = shared.keys_of(parts, columns)
        self.taken_in = True

    def find_targets(self, variables: Sequence[tuple[str, Tensor]], like: Tensor | None) -> None:
        """The variable that holds its targets: of as many rows, and otherwise like those of a training step."""
        x = self.x() if self.x is not None else None
        if like is None or x is None:
            return
        for _, tensor in variables:
            same = tensor.dtype == like.dtype and tensor.shape[1:] == like.shape[1:]
            if same and len(tensor) == len(x) and tensor is not like and tensor is not x:
                self.y = weakref.ref(tensor)
                return

    def values(self) -> dict[str, Any]:
        """The fact of it."""
        seen = torch.cat(self._seen_x) if self._seen_x else None
        found: dict[str, Any] = {
            "number": self.number,
            "role": self.role,
            "loader": self.loader,
            "variable": self.variable,
            "rows": self.rows,
            "whole": self.sample is not None,
            "series": self.series or ("" if seen is None else series_in(seen[:_NEIGHBOURS])),
            "labels": self.labels,
            "evaluations": [number for number, _, _ in self.evaluations],
            "broken": self.broken,
            "line": list(self.evaluations[-1][1]) if self.evaluations else None,
        }
        if not found["labels"] and self._seen_y and len({each.dtype for each in self._seen_y}) == 1:
            found["labels"] = describe_labels(torch.cat(self._seen_y))
        rows = self.sample.x if self.sample is not None else seen
        if rows is not None:
            found["inputs"] = describe(rows)
        if seen is not None and self.sample is not None:
            found["given"] = describe(seen)
        if self._answers and len({each.dtype for each in self._answers}) == 1:
            found["answers"] = describe_labels(torch.cat(self._answers))
        y = self.sample.y if self.sample is not None else None
        if self.role == "training":
            if self.sample is not None and y is not None and y[:1].numel() == 1:
                found["signal"] = probe(self.sample.x, y.reshape(-1))
            elif self._seen_y and sum(map(len, self._seen_y)) == sum(map(len, self._seen_x)):
                found["signal"] = probe(torch.cat(self._seen_x), torch.cat(self._seen_y))
        return found


def tell_sets(tell: Telling, step: int, sets: Sequence[KnownSet]) -> None:
    """The facts of all sets, and of what those that were trained and those that were examined on have in common."""
    for each in sets:
        tell.fact(step, "set", each.values(), each.evaluations[-1][1] if each.evaluations else None)
    trained = [each for each in sets if each.role == "training"]
    for other in sets:
        after = {one.number: one for _, _, one in other.evaluations if one is not None}
        if other.role == "beside":
            after = {one.number: one for one in trained if one.from_loader is None}
        for one in after.values():
            if one is not other and (values := _shared(one, other)):
                tell.fact(step, "shared", {"training": one.number, "evaluation": other.number, **values})


def _key(loader: KnownLoader) -> tuple[Any, ...] | None:
    """Where all rows behind a loader lie; None where that is not known, or where it hands out only some of them."""
    found = loader.loader()
    parts = rows_of(found.dataset) if found is not None else []
    if len(parts) != 1 or parts[0].chosen is not None:
        return None
    x = parts[0].x
    return (loader.place, x.data_ptr(), tuple(x.shape), x.stride())


def _shared(one: KnownSet, other: KnownSet) -> dict[str, Any]:
    """Rows that a training set and another have in common; empty where that is not known."""
    if one.keys is None or other.sample is None or one.columns is None:
        return {}
    theirs = other.parts()
    if theirs and theirs[0].x[:1].numel() > int(one.columns.max()):
        keys = shared.keys_of(theirs, one.columns)
    elif other.keys is not None and other.columns is not None and torch.equal(other.columns, one.columns):
        keys = other.keys
    else:
        return {}
    used, own = one.used(), one.keys
    if used is not None:
        if len(own) != one.rows or not len(used):
            return {}
        own = own[used]
    found = shared.compare(own, keys)
    if used is not None:
        found["pairs"] = [[int(used[mine]), other] for mine, other in found["pairs"]]
        found["seen"] = len(used)
    mine = one.parts()
    found["compared"] = found["equal"] = 0
    whole = len(one.columns) == one.sample.x[:1].numel() if one.sample is not None else False
    if found["pairs"] and len(one.keys) == one.rows and len(keys) == other.rows and mine and theirs:
        found["compared"] = len(found["pairs"])
        found["equal"] = shared.equal_rows(mine, theirs, found["pairs"])
    elif whole:
        found["compared"] = found["equal"] = len(found["pairs"])
    found["pairs"] = found["pairs"][:3]
    with contextlib.suppress(IndexError):
        found["memory"] = bool(mine and theirs and mine[0].x.data_ptr() == theirs[0].x.data_ptr())
    return found


def _broken(x: Tensor, output: Any) -> list[int]:
    """How many rows hold numbers that are none, and how many of them have such answers, of how many; [] where none do."""
    if not x.is_floating_point() or not isinstance(output, Tensor) or len(output) != len(x) or not output.ndim:
        return []
    bad = ~torch.isfinite(x.detach().reshape(len(x), -1)).all(1)
    answers = ~torch.isfinite(output.detach().reshape(len(x), -1)).all(1)
    return [int(bad.sum()), int((bad & answers).sum()), len(x)] if bool((bad & answers).any()) else []


def _answers(output: Any) -> Tensor | None:
    """What the model chose for each row: the class of the largest score, or the sign of the only one."""
    if not isinstance(output, Tensor) or not output.is_floating_point() or not output.ndim:
        return None
    scores = output.detach().reshape(len(output), -1).cpu()
    if not bool(torch.isfinite(scores).all()):
        return None
    if scores.shape[1] > 1:
        return scores.argmax(1)
    is_share = bool((scores >= 0).all()) and bool((scores <= 1).all())
    return (scores[:, 0] > (0.5 if is_share else 0)).long()
