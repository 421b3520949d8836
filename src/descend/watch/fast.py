"""``--fast``: an unchanged script gets the same batches sooner.

Most of the time of a small training goes into reading rows one by one, making a tensor of each and stacking them. Where a
``DataLoader`` does that over a data set we know, the rows of a batch are gathered at once instead. Everything else stays
PyTorch's own: the loader makes its usual iterator, which draws its seed, asks the loader's own sampler for row numbers, pins
and counts; only the part that reads the rows of one batch is exchanged. So random numbers are drawn by the same code in the
same order. A loader with worker processes gets none; its sampler is still asked as far ahead as the workers would have been.
"""

import functools
import os
import sys
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch._utils import ExceptionWrapper
from torch.overrides import _get_current_function_mode_stack
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack
from torch.utils.data import DataLoader, IterableDataset, default_collate
from torch.utils.data._utils.fetch import _MapDatasetFetcher
from torch.utils.data.dataloader import (
    _BaseDataLoaderIter,
    _MultiProcessingDataLoaderIter,
    _SingleProcessDataLoaderIter,
)

from descend.watch.cells import name_of_file
from descend.watch.fast_datasets import NotReplaced, Source
from descend.watch.fast_rows import Rows, whole_numbers

COPY_LIMIT = 2_000_000_000  # bytes of data that are copied at most where workers would have been started with a copy

_CANNOT_GATHER = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)
_NO_WITNESSES = ("descend.", "torch.utils._device")  # modes that do not show the script which operations there are
_NOT_THE_SCRIPT = tuple(
    os.path.join(os.path.dirname(file), "")  # noqa: PTH118, PTH120 - code knows its file as text
    for file in (__file__, torch.__file__)
)


class FastLoading:
    """Between ``start`` and ``stop`` loaders over known data sets give the bits they always gave, only sooner.

    ``replaced`` names the loaders that do; ``kept`` those left as they are, each with the reason. A loader whose data set
    is changed on the way may stand in both.
    """

    def __init__(self) -> None:
        self.replaced: list[str] = []
        self.kept: list[tuple[str, str]] = []
        self._names: WeakKeyDictionary[DataLoader[Any], str] = WeakKeyDictionary()
        self._sources: WeakKeyDictionary[DataLoader[Any], Source] = WeakKeyDictionary()
        self._undo: list[Callable[[], None]] = []

    def start(self) -> None:
        """Stand behind the iterators that loaders make."""
        self._undo = [
            _extend(_SingleProcessDataLoaderIter, self._begin_single),
            _extend(_MultiProcessingDataLoaderIter, self._begin_many),
        ]

    def stop(self) -> None:
        """Leave loaders alone again; an iterator that has begun goes on as it began."""
        while self._undo:
            self._undo.pop()()

    def _begin_single(self, plain: Callable[..., None], iterator: Any, loader: DataLoader[Any]) -> None:
        plain(iterator, loader)
        if type(iterator) is _SingleProcessDataLoaderIter:
            fetcher = self._fetcher(loader, self._live)
            if fetcher is not None:
                iterator._dataset_fetcher = fetcher  # noqa: SLF001 - the one part that is exchanged

    def _begin_many(self, plain: Callable[..., None], iterator: Any, loader: DataLoader[Any]) -> None:
        fetcher = self._fetcher(loader, self._snapshot) if type(iterator) is _MultiProcessingDataLoaderIter else None
        if fetcher is None:
            plain(iterator, loader)
        else:
            _BaseDataLoaderIter.__init__(iterator, loader)
            iterator.__class__ = _WithoutWorkers
            iterator.begin(loader, fetcher)

    def _fetcher(
        self, loader: DataLoader[Any], make: "Callable[[DataLoader[Any], Callable[[str], None]], _Fetcher]"
    ) -> "_Fetcher | None":
        name = self._name(loader)

        def keep(why: str) -> None:
            if (name, why) not in self.kept:
                self.kept.append((name, why))

        try:
            fetcher = make(loader, keep)
        except NotReplaced as why:
            keep(str(why))
            return None
        if name not in self.replaced:
            self.replaced.append(name)
        return fetcher

    def _name(self, loader: DataLoader[Any]) -> str:
        """The first name that the loader was seen under: it may be gone through at several lines."""
        if not _is_compared_as_itself(loader):
            return _name_of(loader)
        if loader not in self._names:
            self._names[loader] = _name_of(loader)
        return self._names[loader]

    def _live(self, loader: DataLoader[Any], keep: Callable[[str], None]) -> "_Fetcher":
        _check(loader)
        source = self._source(loader)
        return _Fetcher(loader, source.rows, source, keep)

    def _snapshot(self, loader: DataLoader[Any], keep: Callable[[str], None]) -> "_Fetcher":
        """Workers would have the data as it is now, whatever the script does to it while they live."""
        _check(loader)
        _check_workers(loader)
        rows = self._source(loader).rows
        if rows.nbytes > COPY_LIMIT:
            size = f"{rows.nbytes / 1e9:.1f} GB"
            raise NotReplaced(
                f"its workers have a copy of its {size} of data; we copy {COPY_LIMIT / 1e9:.0f} GB at most"
            )
        return _Fetcher(loader, rows.copied(), None, keep)

    def _source(self, loader: DataLoader[Any]) -> Source:
        source = self._sources.get(loader)
        if source is None or source.changed():
            source = self._sources[loader] = _look_at(loader.dataset)
        return source


def why_not_replaced(loader: DataLoader[Any]) -> str:
    """Why ``--fast`` would leave a loader as it is; "" where it would replace it, as far as can be told without reading a row."""
    try:
        _check(loader)
        if loader.num_workers:
            _check_workers(loader)
        Source(loader.dataset, compare=False)
    except NotReplaced as why:
        return str(why)
    except Exception as error:  # noqa: BLE001 - a data set of the script's may raise anything
        return f"its data set cannot be looked at: {error}"
    return ""


class _Fetcher(_MapDatasetFetcher):
    """Gathers the rows of a batch; what it can't gather is read row by row, so errors are those the script always got."""

    def __init__(self, loader: DataLoader[Any], rows: Rows, source: Source | None, keep: Callable[[str], None]) -> None:
        super().__init__(loader.dataset, True, loader.collate_fn, loader.drop_last)
        self._rows: Rows | None = rows
        self._source = source  # None where the rows are a copy
        self._keep = keep

    def fetch(self, possibly_batched_index: Any) -> Any:
        """One batch; with a list of row numbers, at once."""
        numbers = whole_numbers(possibly_batched_index)
        rows = self._current()
        if rows is not None and numbers:
            try:
                return rows.gather(numbers)
            except _CANNOT_GATHER:
                pass  # a row number beyond the end, or counted from it …: said, or done, by what follows
        batch = super().fetch(possibly_batched_index)  # type: ignore[no-untyped-call]  # PyTorch's
        if rows is not None:
            self._keep("some of its batches cannot be gathered, and are read row by row")
        return batch

    def _current(self) -> Rows | None:
        if self._source is not None and self._source.changed():
            try:
                self._source = _look_at(self.dataset)
                self._rows = self._source.rows
            except NotReplaced as why:
                self._keep(str(why))
                self._source = self._rows = None
        return self._rows


class _WithoutWorkers(_MultiProcessingDataLoaderIter):
    """Gives the batches that workers would have brought, and asks the sampler when the original would have asked it."""

    def begin(self, loader: DataLoader[Any], fetcher: _Fetcher) -> None:
        """In place of starting the workers."""
        self._fetcher = fetcher
        self._reach = loader.num_workers * (loader.prefetch_factor or 0)  # batches asked for before the first is given
        self._reset(loader, first_iter=True)

    def _reset(self, loader: DataLoader[Any], first_iter: bool = False) -> None:
        super(_MultiProcessingDataLoaderIter, self)._reset(loader, first_iter)
        self._asked: deque[Any] = deque()
        for _ in range(self._reach):
            self._try_put_index()

    def _try_put_index(self) -> None:
        try:
            self._asked.append(next(self._sampler_iter))
        except StopIteration:
            return

    def _next_data(self) -> Any:
        if not self._asked:
            raise StopIteration
        failure: Any = None
        try:
            batch = self._fetcher.fetch(self._asked.popleft())
        except Exception:  # noqa: BLE001 - as a worker: every error travels, after the sampler has been asked once more
            worker = self._num_yielded % self._num_workers
            failure = ExceptionWrapper(where=f"in DataLoader worker process {worker}")  # type: ignore[no-untyped-call]  # PyTorch's
        self._try_put_index()
        if failure is not None:
            failure.reraise()
        return batch

    def _shutdown_workers(self) -> None:
        """There are none."""


def _extend(cls: Any, begin: Callable[..., None]) -> Callable[[], None]:
    """Put ``begin(original, iterator, loader)`` in the place of a class's ``__init__``; call what is returned to end that."""
    plain = cls.__init__
    active = True

    @functools.wraps(plain)
    def extended(iterator: Any, loader: DataLoader[Any]) -> None:
        if active:
            begin(plain, iterator, loader)
        else:
            plain(iterator, loader)

    def undo() -> None:
        nonlocal active
        active = False  # for the case that somebody has extended it after us and still holds ours
        if cls.__init__ is extended:
            cls.__init__ = plain

    cls.__init__ = extended
    return undo


def _is_compared_as_itself(loader: DataLoader[Any]) -> bool:
    return type(loader).__hash__ is object.__hash__


def _look_at(dataset: Any) -> Source:
    try:
        return Source(dataset)
    except NotReplaced:
        raise
    except Exception as error:  # what we did not foresee must not become the script's error
        raise NotReplaced(f"its data set cannot be looked at: {error}") from error


def _check(loader: DataLoader[Any]) -> None:
    if not _is_compared_as_itself(loader):
        raise NotReplaced(f"its class {type(loader).__name__} compares loaders in a way of its own")
    modes = _get_current_function_mode_stack()  # type: ignore[no-untyped-call]  # PyTorch's
    for mode in [*modes, *_get_current_dispatch_mode_stack()]:
        if not type(mode).__module__.startswith(_NO_WITNESSES):
            raise NotReplaced(f"{type(mode).__name__}, a mode that the script is in, sees every operation")
    if isinstance(loader.dataset, IterableDataset):
        raise NotReplaced(
            f"its data set {type(loader.dataset).__name__} is an IterableDataset, which has no rows to choose from"
        )
    if loader.batch_sampler is None:
        raise NotReplaced("it has batch_size=None, so it hands out single rows")
    if loader.collate_fn is not default_collate:
        name = getattr(loader.collate_fn, "__name__", type(loader.collate_fn).__name__)
        raise NotReplaced(f"it has a collate_fn of its own, {name}")


def _check_workers(loader: DataLoader[Any]) -> None:
    """Nothing but batches may be lost when its workers are not started."""
    if loader.worker_init_fn is not None:
        raise NotReplaced("it has a worker_init_fn, which is to run in its workers")
    if loader.pin_memory:
        raise NotReplaced("it has workers and pin_memory=True, which takes another thread")
    if not getattr(loader, "in_order", True):
        raise NotReplaced("it has in_order=False, so the order of its batches is up to its workers")
    method = (loader.multiprocessing_context or torch.multiprocessing.get_context()).get_start_method()
    if method != "fork":
        raise NotReplaced(f"its workers start by {method}, which runs the script's first lines again in each")


def _name_of(loader: DataLoader[Any]) -> str:
    """The script's own name for a loader, or the line that goes through it; and what it loads."""
    what = type(loader.dataset).__name__
    frame: FrameType | None = sys._getframe(1)
    place = ""
    while frame is not None:
        if not frame.f_code.co_filename.startswith(_NOT_THE_SCRIPT):
            names = [
                name for name, value in list(frame.f_globals.items()) if value is loader and not name.startswith("_")
            ]
            if names:
                return f"{names[0]} ({what})"
            place = place or f"{os.path.basename(name_of_file(frame.f_code.co_filename))}:{frame.f_lineno}"  # noqa: PTH119 - see above
        frame = frame.f_back
    return f"the loader at {place} ({what})"
