"""The data loaders of a program: how they were made, and which of their passes were trained on.

Told as the fact ``loader`` when the program ends: ``number`` (from 1), ``dataset`` (its class), ``order`` ("in order", "shuffled", "with
replacement", "own", "unknown"), ``batch_size``, ``drop_last``, ``workers``, ``iterable``, ``rows`` (0 where they are not known), ``passes``,
``trained`` (passes that a step was taken from), ``evaluated`` (passes of its batches that no backward followed, as seen), ``reseeded`` (its
generator stood where it had stood when an earlier pass began); its place is where it was made.
"""

import weakref
from types import FrameType
from typing import Any, ClassVar

from torch import Generator
from torch.utils.data import DataLoader, IterableDataset

from descend.watch.facts.moments import Collector, Telling
from descend.watch.facts.sets import order_of, rows_of
from descend.watch.places import NOWHERE, Place


class KnownLoader:
    """One loader, as long as it lives and after."""

    def __init__(self, number: int, loader: Any, place: Place) -> None:
        self.number, self.place = number, place
        self.loader = weakref.ref(loader)
        self.dataset = ""
        self.order = "unknown"
        self.batch_size = 0
        self.drop_last = self.iterable = self.reseeded = False
        self.workers = self.rows = 0
        self.passes = self.trained = self.evaluated = 0
        self.trains = False  # the pass that runs has been trained on
        self._states: set[bytes] = set()

    def begins(self) -> None:
        """A new pass over its rows."""
        self.passes += 1
        self.trains = False
        loader = self.loader()
        if not isinstance(loader, DataLoader):
            return
        if self.passes == 1:
            self._look(loader)
        generator = loader.generator
        if isinstance(generator, Generator) and self.order == "shuffled" and self.passes <= 3:
            # Taken after the pass drew its order: the same state again means that it was put back in between.
            state = generator.get_state().numpy().tobytes()
            self.reseeded |= state in self._states
            self._states.add(state)

    def values(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "number": self.number,
            "dataset": self.dataset,
            "order": self.order,
            "batch_size": self.batch_size,
            "drop_last": self.drop_last,
            "workers": self.workers,
            "iterable": self.iterable,
            "rows": self.rows,
            "passes": self.passes,
            "trained": self.trained,
            "evaluated": self.evaluated,
            "reseeded": self.reseeded,
        }

    def _look(self, loader: DataLoader[Any]) -> None:
        self.dataset = type(loader.dataset).__name__
        self.iterable = isinstance(loader.dataset, IterableDataset)
        self.order = order_of(loader)
        self.batch_size = loader.batch_size if isinstance(loader.batch_size, int) else 0
        self.drop_last = bool(loader.drop_last)
        self.workers = loader.num_workers
        self.rows = sum(map(len, rows_of(loader.dataset)))


class Loaders(Collector):
    """Numbers loaders in the order they are made or first used."""

    _by_telling: ClassVar["weakref.WeakKeyDictionary[Telling, Loaders]"] = weakref.WeakKeyDictionary()

    def __init__(self, tell: Telling) -> None:
        super().__init__(tell)
        self.known: dict[int, KnownLoader] = {}
        self.begun: KnownLoader | None = None  # whose pass began last
        self._by_telling[tell] = self

    @classmethod
    def of(cls, tell: Telling) -> "Loaders":
        """The one of this program."""
        return cls._by_telling.get(tell) or cls(tell)

    def loader_made(self, loader: Any, frame: FrameType | None) -> None:
        self.of_loader(loader, frame)

    def loader_begins(self, loader: Any, step: int, frame: FrameType | None) -> None:
        self.begun = self.of_loader(loader, frame)
        self.begun.begins()

    def pass_trained(self, loader: Any, step: int) -> None:
        known = self.of_pass(loader)
        if known is not None:
            known.trained += 1
            known.trains = True

    def of_pass(self, loader: Any) -> KnownLoader | None:
        """Of a loader that may be gone: a loop keeps its iterator only, and then the pass that runs is the last that began."""
        return self.of_loader(loader, None) if loader is not None else self.begun

    def finished(self, step: int) -> None:
        for known in sorted(self.known.values(), key=lambda each: each.number):
            if known.passes:
                self.tell.fact(step, "loader", known.values(), known.place if known.place != NOWHERE else None)

    def of_loader(self, loader: Any, frame: FrameType | None) -> KnownLoader:
        """What is known of a loader."""
        known = self.known.get(id(loader))
        if known is None or known.loader() is not loader:
            if known is not None:
                self.known[-known.number] = known  # it is gone, and another stands where it was
            known = self.known[id(loader)] = KnownLoader(len(self.known) + 1, loader, self.tell.place(frame))
        return known
