"""``--fast``: the batches, the random numbers and the errors of the plain loader, bit for bit; or the loader is left alone."""

import gc
import multiprocessing
import weakref
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    random_split,
)
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter, _SingleProcessDataLoaderIter

from descend.watch import fast as fast_module
from descend.watch.fast import FastLoading

pytestmark = [
    # Said by PyTorch and by Python on machines with one core, and from Python 3.12 on, about worker processes as such.
    pytest.mark.filterwarnings("ignore:This DataLoader will create"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded"),
]


@contextmanager
def fast_loading():
    loading = FastLoading()
    loading.start()
    try:
        yield loading
    finally:
        loading.stop()


def told(batch):
    """Everything that can be seen of a batch."""
    if isinstance(batch, torch.Tensor):
        bits = batch.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if batch.numel() else b""
        return type(batch), batch.dtype, tuple(batch.shape), batch.stride(), batch.requires_grad, bits
    if isinstance(batch, list | tuple):
        return type(batch), [told(each) for each in batch]
    return type(batch), batch


def random_numbers(loader):
    return torch.get_rng_state().tolist(), None if loader.generator is None else loader.generator.get_state().tolist()


def seen(make, through):
    """What a script sees that goes ``through`` a loader and draws random numbers of its own meanwhile."""
    torch.manual_seed(7)
    loader = make()
    return list(through(loader)), torch.rand(3).tolist()


def two_epochs(loader):
    for _ in range(2):
        for batch in loader:
            yield told(batch), torch.rand(1).item()
        yield random_numbers(loader)


def left_early(loader):
    for _ in range(2):
        for number, batch in enumerate(loader):
            yield told(batch), random_numbers(loader)
            if number == 1:
                break
        yield random_numbers(loader)
    yield from two_epochs(loader)


def one_epoch(loader):
    yield [told(batch) for batch in loader], random_numbers(loader)


def interleaved(loader):
    if loader.persistent_workers:
        return  # has one iterator only
    first, second = iter(loader), iter(loader)
    yield len(first), [told(next(first, None)) for _ in range(2)], random_numbers(loader), told(next(second, None))
    yield [told(batch) for batch in first], random_numbers(loader), [told(batch) for batch in second]
    yield next(first, "at its end"), next(first, "still there")


def same(make, *, replaced=True, ways=(two_epochs, left_early, interleaved)):
    """The loader that ``make`` makes gives the same with us as without."""
    for through in ways:
        plain = seen(make, through)
        with fast_loading() as loading:
            ours = seen(make, through)
        assert ours == plain
        assert bool(loading.replaced) == replaced or not plain[0]
        assert bool(loading.kept) != replaced or not plain[0]
    return loading


def table(rows=23, seed=3):
    generator = torch.Generator().manual_seed(seed)
    return TensorDataset(torch.randn(rows, 4, generator=generator), torch.arange(rows) % 3)


class Numbers:
    """A sampler of the script's own, which gives what it is given and draws when it begins and at every row."""

    def __init__(self, numbers):
        self.numbers = numbers

    def __iter__(self):
        torch.rand(1)
        return self.drawing()

    def drawing(self):
        for number in self.numbers:
            torch.rand(1)
            yield number

    def __len__(self):
        return len(self.numbers)


def strange_table():
    values = torch.tensor([[0.0, -0.0, float("nan")], [float("inf"), 1e-42, 1.0]] * 6)
    return TensorDataset(
        values.half(), values.bfloat16(), values > 0, values.double().unsqueeze(1), values.to(torch.complex64)
    )


def transposed_table():
    return TensorDataset(torch.arange(60.0).reshape(3, 20).T, torch.arange(20).expand(2, 20).T, torch.zeros(20, 0))


def channels_last_table():
    return TensorDataset(torch.arange(2.0 * 20 * 3 * 4).reshape(20, 2, 3, 4).permute(0, 3, 1, 2))


def two_tables():
    return ConcatDataset([table(9, seed=1), Subset(table(20, seed=2), [5, 1, 19, 1]), table(7, seed=3)])


LOADERS = {
    "in order": lambda: DataLoader(table(), batch_size=4),
    "one row a batch": lambda: DataLoader(table(5)),
    "shuffled": lambda: DataLoader(table(), batch_size=4, shuffle=True),
    "last batch dropped": lambda: DataLoader(table(), batch_size=4, shuffle=True, drop_last=True),
    "all rows": lambda: DataLoader(table(), batch_size=100, shuffle=True),
    "generator": lambda: DataLoader(table(), batch_size=4, shuffle=True, generator=torch.Generator().manual_seed(1)),
    "strange types": lambda: DataLoader(strange_table(), batch_size=5, shuffle=True),
    "one tensor": lambda: DataLoader(TensorDataset(torch.arange(9)), batch_size=2, shuffle=True),
    "subset": lambda: DataLoader(Subset(table(), [3, 1, 1, 22, 0]), batch_size=2, shuffle=True),
    "subset counted from the end": lambda: DataLoader(Subset(table(), range(3)), batch_size=2, sampler=[-1, 0, -3]),
    "subset by range": lambda: DataLoader(Subset(table(), range(2, 20, 3)), batch_size=4),
    "subset by tensor": lambda: DataLoader(Subset(table(), torch.tensor([4, 2, 9])), batch_size=2, shuffle=True),
    "subset by array": lambda: DataLoader(Subset(table(), np.array([4, 2, 9])), batch_size=2, shuffle=True),
    "subset of a subset": lambda: DataLoader(Subset(Subset(table(), range(4, 20)), [9, 2, 4]), batch_size=2),
    "random split": lambda: DataLoader(random_split(table(), [0.7, 0.3])[0], batch_size=4, shuffle=True),
    "concatenated": lambda: DataLoader(two_tables(), batch_size=6, shuffle=True),
    "concatenated in order": lambda: DataLoader(two_tables(), batch_size=3),
    "subset of concatenated": lambda: DataLoader(random_split(two_tables(), [0.5, 0.5])[1], batch_size=4, shuffle=True),
    "sampler of a subset": lambda: DataLoader(table(), batch_size=4, sampler=SubsetRandomSampler([4, 7, 1, 9, 2])),
    "sampler by weight": lambda: DataLoader(table(), batch_size=4, sampler=WeightedRandomSampler(range(23), 50)),
    "sampler with replacement": lambda: DataLoader(
        table(), batch_size=4, sampler=RandomSampler(table(), replacement=True, num_samples=70)
    ),
    "sampler of one of several processes": lambda: DataLoader(
        table(), batch_size=4, sampler=DistributedSampler(table(), num_replicas=2, rank=1, seed=5)
    ),
    "sampler that draws": lambda: DataLoader(table(), batch_size=2, sampler=Numbers([4, 2, 2, 8, 0])),
    "sampler of tensors": lambda: DataLoader(table(), batch_size=2, sampler=Numbers(torch.tensor([4, 2, 2, 8, 0]))),
    "sampler of array numbers": lambda: DataLoader(table(), batch_size=2, sampler=Numbers(np.array([4, 2, 2, 8, 0]))),
    "batch sampler": lambda: DataLoader(
        table(), batch_sampler=BatchSampler(RandomSampler(range(9)), batch_size=2, drop_last=True)
    ),
    "batches of any size": lambda: DataLoader(table(), batch_sampler=[[1], (4, 2, 9), [1, 1]]),
    "batches of tensors": lambda: DataLoader(table(), batch_sampler=torch.tensor([9, 4, 7, 2, 1]).split(2)),
    "batches of arrays": lambda: DataLoader(table(), batch_sampler=[np.array([9, 4]), np.array([2, 1, 0])]),
}
WORKERS = {
    "in order": lambda: DataLoader(table(), batch_size=4, num_workers=2),
    "shuffled": lambda: DataLoader(table(), batch_size=4, shuffle=True, num_workers=2),
    "few batches": lambda: DataLoader(table(), batch_size=20, shuffle=True, num_workers=2),
    "drawn as asked": lambda: DataLoader(
        table(), batch_size=4, sampler=RandomSampler(table(), replacement=True, num_samples=130), num_workers=2
    ),
    "own sampler, further ahead": lambda: DataLoader(
        table(), batch_size=2, sampler=Numbers(list(range(23))), num_workers=1, prefetch_factor=3
    ),
    "generator": lambda: DataLoader(
        table(),
        batch_size=4,
        sampler=WeightedRandomSampler(range(23), 50, generator=torch.Generator().manual_seed(4)),
        num_workers=2,
        generator=torch.Generator().manual_seed(1),
    ),
    "workers that stay": lambda: DataLoader(
        table(), batch_size=4, shuffle=True, num_workers=2, persistent_workers=True, multiprocessing_context="fork"
    ),
    "concatenated": lambda: DataLoader(two_tables(), batch_size=4, shuffle=True, num_workers=2),
}


@pytest.mark.parametrize("case", LOADERS)
def test_a_loader_gives_the_same_bits_and_draws_the_same_numbers(case):
    same(LOADERS[case])


@pytest.mark.skipif(multiprocessing.get_start_method() != "fork", reason="workers start another way here, and are kept")
@pytest.mark.parametrize("case", WORKERS)
def test_a_loader_with_workers_gives_the_same_bits_and_draws_the_same_numbers(case):
    same(WORKERS[case])


@given(
    rows=st.integers(1, 40),
    batch_size=st.integers(1, 12),
    shuffle=st.booleans(),
    drop_last=st.booleans(),
    share=st.integers(1, 40),
    own=st.booleans(),
)
def test_any_sizes(rows, batch_size, shuffle, drop_last, share, own):
    def make():
        part, _ = random_split(ConcatDataset([table(rows), table(share)]), [rows, share])
        generator = torch.Generator().manual_seed(share) if own else None
        return DataLoader(part, batch_size, shuffle=shuffle, drop_last=drop_last, generator=generator)

    same(make, ways=[two_epochs])


def test_batches_are_new_memory_each_time():
    dataset = table(8)
    before = told(dataset.tensors)
    with fast_loading():
        for features, targets in DataLoader(dataset, batch_size=3):
            features.zero_()
            targets.add_(5)
    assert told(dataset.tensors) == before


def test_rows_that_lie_in_an_order_of_their_own_come_out_as_collating_lays_them():
    """Rows of a transposed tensor come out contiguous; of channels-last ones PyTorch keeps the order, and so the loader."""
    same(lambda: DataLoader(transposed_table(), batch_size=4, shuffle=True))
    plain = next(iter(DataLoader(channels_last_table(), batch_size=4)))[0]
    loader = DataLoader(channels_last_table(), batch_size=4)
    with fast_loading():
        assert told(next(iter(loader))[0]) == told(plain)


def test_batches_in_inference_mode_are_its_tensors():
    with torch.inference_mode(), fast_loading():
        assert next(iter(LOADERS["shuffled"]()))[0].is_inference()


def test_what_the_script_writes_into_its_data_is_in_the_next_batch():
    def through(loader):
        dataset = loader.dataset
        for number, batch in enumerate(loader):
            yield told(batch)
            if number == 0:
                dataset.tensors[0].mul_(2)
            if number == 1:
                dataset.tensors[0].numpy()[:] += 1  # which no version counter tells
            if number == 2:
                dataset.tensors = (dataset.tensors[0] * 3, dataset.tensors[1] + 1)
        dataset.tensors[1].fill_(7)
        yield from two_epochs(loader)

    same(LOADERS["shuffled"], ways=[through])


def test_rows_of_subsets_may_be_exchanged():
    def through(loader):
        subset = loader.dataset
        for number, batch in enumerate(loader):
            yield told(batch)
            if number == 0:
                subset.indices[:] = reversed(subset.indices)
            if number == 1:
                subset.indices = [index + 1 for index in subset.indices]
            if number == 2:
                subset.dataset = table(25, seed=9)
        yield from two_epochs(loader)

    same(lambda: DataLoader(Subset(table(), list(range(12))), batch_size=2), ways=[through])


def test_parts_may_be_exchanged():
    def through(loader):
        for number, batch in enumerate(loader):
            yield told(batch)
            if number == 2:
                loader.dataset.datasets[1] = table(25, seed=10)
            if number == 4:
                loader.dataset.cumulative_sizes[0] = 8
        yield from two_epochs(loader)

    same(lambda: DataLoader(two_tables(), batch_size=2), ways=[through])


@pytest.mark.parametrize("stay", [True, False])
def test_workers_have_the_data_of_their_start(stay):
    def through(loader):
        for _ in range(3):
            for batch in loader:
                yield told(batch)
                loader.dataset.tensors[0].add_(1)
                loader.dataset.tensors = (loader.dataset.tensors[0], loader.dataset.tensors[1] + 1)

    def make():
        return DataLoader(table(), batch_size=4, num_workers=1, persistent_workers=stay, multiprocessing_context="fork")

    same(make, ways=[through])


def test_workers_see_shared_memory_change():
    dataset = table(8)
    dataset.tensors[0].share_memory_()
    loader = DataLoader(dataset, batch_size=4, num_workers=1, prefetch_factor=1, multiprocessing_context="fork")
    with fast_loading() as loading:
        batches = iter(loader)
        next(batches)
        dataset.tensors[0].fill_(5)
        assert next(batches)[0].eq(5).all()
    assert loading.replaced


def test_no_worker_is_started_and_the_iterator_is_of_its_usual_class():
    before = multiprocessing.active_children()
    with fast_loading():
        batches = iter(WORKERS["shuffled"]())
        next(batches)
        assert isinstance(batches, _MultiProcessingDataLoaderIter)
        assert multiprocessing.active_children() == before


@pytest.mark.parametrize("workers", [0, 2])
def test_a_row_that_does_not_exist_is_the_error_it_always_was(workers):
    def failure():
        torch.manual_seed(0)
        loader = DataLoader(table(5), batch_size=2, sampler=Numbers([1, 2, 9, 3]), num_workers=workers)
        batches = iter(loader)
        next(batches)
        with pytest.raises(IndexError) as caught:
            next(batches)
        if workers:
            batches._shutdown_workers()
        return str(caught.value).splitlines()[0], str(caught.value).splitlines()[-1], random_numbers(loader)

    plain = failure()
    with fast_loading() as loading:
        assert failure() == plain
    assert not loading.kept


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("numbers", [[-1, 3], [True, 2], torch.tensor([1, 2], dtype=torch.uint8)])
def test_odd_row_numbers_are_read_row_by_row_and_told(numbers, workers):
    with fast_loading() as loading:
        ours = seen(
            lambda: DataLoader(TensorDataset(torch.arange(9)), sampler=numbers, num_workers=workers), two_epochs
        )
    plain = seen(lambda: DataLoader(TensorDataset(torch.arange(9)), sampler=numbers, num_workers=workers), two_epochs)
    assert ours == plain
    assert [why for _, why in loading.kept] == ["some of its batches cannot be gathered, and are read row by row"]


def test_parts_of_different_types_are_collated_by_pytorch():
    """Half the rows are float32, half float64: a mixed batch is whatever PyTorch makes of it, error or not."""
    parts = [TensorDataset(torch.randn(6, 2)), TensorDataset(torch.randn(6, 2).double())]
    make = lambda: DataLoader(ConcatDataset(parts), batch_size=4)  # noqa: E731 - a loader like those above
    assert seen_or_error(make) == with_fast(lambda: seen_or_error(make))


def seen_or_error(make):
    try:
        return seen(make, two_epochs)
    except (TypeError, RuntimeError) as error:
        return str(error)


def with_fast(what):
    with fast_loading():
        return what()


class Squares(Dataset):
    def __len__(self):
        return 9

    def __getitem__(self, index):
        return torch.tensor(float(index**2)), index


class Noisy(TensorDataset):
    def __getitem__(self, index):
        return tuple(tensor + torch.rand(()) for tensor in super().__getitem__(index))


class Named(TensorDataset):
    """Adds a name and nothing else."""

    name = "named"


class Shifted(Subset):
    @property
    def indices(self):
        return [index + 1 for index in self._indices]

    @indices.setter
    def indices(self, indices):
        self._indices = indices


class Stream(IterableDataset):
    def __iter__(self):
        return iter(torch.arange(6.0))


def collated(rows):
    return default_collate(rows)


def begin_worker(worker):
    torch.manual_seed(worker)


KEPT = {
    "what its data set Squares does to read a row is known to Squares alone": lambda: DataLoader(
        Squares(), batch_size=2
    ),
    "what its data set StackDataset does": lambda: DataLoader(StackDataset(Squares(), Squares()), batch_size=2),
    "its data set Noisy has __getitem__ of its own": lambda: DataLoader(Noisy(torch.zeros(9, 2)), batch_size=2),
    "its data set Shifted has indices of its own": lambda: DataLoader(Shifted(table(), [1, 2, 3]), batch_size=2),
    "its data set Stream is an IterableDataset": lambda: DataLoader(Stream(), batch_size=2),
    "it has a collate_fn of its own, collated": lambda: DataLoader(table(), batch_size=2, collate_fn=collated),
    "it has batch_size=None, so it hands out single rows": lambda: DataLoader(table(), batch_size=None, shuffle=True),
    "it has batch_size=None": lambda: DataLoader(table(), batch_size=None, sampler=BatchSampler(range(9), 2, False)),
    "it has a worker_init_fn": lambda: DataLoader(table(), batch_size=9, num_workers=1, worker_init_fn=begin_worker),
    "it has in_order=False": lambda: DataLoader(table(), batch_size=9, num_workers=1, in_order=False),
    "its workers start by spawn": lambda: DataLoader(table(), 9, num_workers=1, multiprocessing_context="spawn"),
    "tensor 1 of its TensorDataset is not a plain": lambda: DataLoader(
        TensorDataset(torch.zeros(4, requires_grad=True))
    ),
    "tensor 2 of its TensorDataset is not a plain": lambda: DataLoader(
        TensorDataset(torch.zeros(4), nn.Parameter(torch.ones(4), requires_grad=False))
    ),
    "the indices of its Subset are a dict": lambda: DataLoader(Subset(table(), {0: 4, 1: 2}), batch_size=2),
    "the parts of its ConcatDataset have rows of different kinds": lambda: DataLoader(
        ConcatDataset([TensorDataset(torch.zeros(2)), TensorDataset(torch.zeros(4), torch.ones(4))])
    ),
}


@pytest.mark.parametrize("why", KEPT)
def test_what_is_not_known_stays_as_it_is_and_the_reason_is_told(why):
    loading = same(KEPT[why], replaced=False, ways=[one_epoch if "spawn" in why else two_epochs])
    ((name, reason),) = loading.kept
    assert reason.startswith(why)
    assert name.startswith("the loader at test_fast.py:")


def test_a_subclass_that_reads_its_rows_as_its_class_does_is_known():
    same(lambda: DataLoader(Named(torch.randn(9, generator=torch.Generator())), batch_size=2, shuffle=True))


def test_data_too_large_to_copy_keeps_its_workers(monkeypatch):
    monkeypatch.setattr(fast_module, "COPY_LIMIT", 400)
    ((_, why),) = same(WORKERS["shuffled"], replaced=False, ways=[two_epochs]).kept
    assert why == "its workers have a copy of its 0.0 GB of data; we copy 0 GB at most"
    same(LOADERS["shuffled"])  # nothing is copied where there are no workers


def test_rows_are_read_both_ways_before_they_are_trusted(monkeypatch):
    """Somebody teaches PyTorch another way to collate tensors."""
    from torch.utils.data._utils.collate import default_collate_fn_map

    plain = default_collate_fn_map[torch.Tensor]
    monkeypatch.setitem(default_collate_fn_map, torch.Tensor, lambda *given, **named: plain(*given, **named) * 2)
    ((_, why),) = same(LOADERS["shuffled"], replaced=False, ways=[two_epochs]).kept
    assert why == "rows gathered at once are not bit for bit those read one by one"


def test_another_getitem_put_into_a_known_class_is_noticed(monkeypatch):
    plain = TensorDataset.__getitem__
    monkeypatch.setattr(TensorDataset, "__getitem__", lambda self, index: plain(self, -1 - index))
    ((_, why),) = same(LOADERS["shuffled"], replaced=False, ways=[two_epochs]).kept
    assert why == "the script has put another __getitem__ into TensorDataset"


class Listed(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.operations = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.operations.append(str(function))
        return function(*args, **(kwargs or {}))


class ListedBelow(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.operations = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.operations.append(str(function))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("mode", [Listed, ListedBelow])
def test_a_script_that_lists_operations_has_the_same_list(mode):
    def operations():
        with mode() as own:
            list(LOADERS["in order"]())
        return own.operations

    plain = operations()
    with fast_loading() as loading:
        assert operations() == plain
    ((_, why),) = loading.kept
    assert why == f"{mode.__name__}, a mode that the script is in, sees every operation"


def test_a_default_device_is_no_obstacle():
    def through(loader):
        with torch.device("cpu"):
            yield from two_epochs(loader)

    same(LOADERS["shuffled"], ways=[through])


def test_a_loader_that_cannot_be_told_from_another_is_kept():
    class Alike(DataLoader):
        def __eq__(self, other):
            return True

        __hash__ = None

    ((_, why),) = same(lambda: Alike(table(), batch_size=4), replaced=False, ways=[one_epoch]).kept
    assert why == "its class Alike compares loaders in a way of its own"


def test_gradients_asked_for_on_the_way_are_noticed():
    loader = LOADERS["in order"]()
    with fast_loading() as loading:
        batches = iter(loader)
        assert not next(batches)[0].requires_grad
        loader.dataset.tensors[0].requires_grad_()
        assert next(batches)[0].requires_grad
    assert [why[:40] for _, why in loading.kept] == ["tensor 1 of its TensorDataset is not a p"]


def test_loaders_are_named_once_as_the_script_names_them():
    with fast_loading() as loading:
        script = {"loader": LOADERS["shuffled"](), "odd": DataLoader(Squares())}
        exec(
            compile("for _ in range(3):\n  for batch in loader: pass\n  for batch in odd: pass", "s.py", "exec"), script
        )
    assert loading.replaced == ["loader (TensorDataset)"]
    assert loading.kept == [("odd (Squares)", "what its data set Squares does to read a row is known to Squares alone")]


def test_afterwards_everything_is_as_before():
    plain = _SingleProcessDataLoaderIter.__init__, _MultiProcessingDataLoaderIter.__init__
    loader = LOADERS["shuffled"]()
    with fast_loading() as loading:
        batches = iter(loader)
        assert _SingleProcessDataLoaderIter.__init__ is not plain[0]
    assert (_SingleProcessDataLoaderIter.__init__, _MultiProcessingDataLoaderIter.__init__) == plain
    assert len(list(batches)) == 6
    loading.stop()
    assert type(iter(loader)._dataset_fetcher).__module__ == "torch.utils.data._utils.fetch"


def test_somebody_who_extends_the_iterators_after_us_is_left_in_place(monkeypatch):
    loading = FastLoading()
    loading.start()
    ours = _SingleProcessDataLoaderIter.__init__
    calls = []

    def theirs(self, loader):
        calls.append(loader)
        ours(self, loader)

    _SingleProcessDataLoaderIter.__init__ = theirs
    try:
        loading.stop()
        assert _SingleProcessDataLoaderIter.__init__ is theirs
        assert len(list(LOADERS["shuffled"]())) == 6
        assert (len(calls), loading.replaced) == (1, [])
    finally:
        _SingleProcessDataLoaderIter.__init__ = ours.__wrapped__


def test_nothing_of_the_script_is_held():
    with fast_loading():
        loader = LOADERS["shuffled"]()
        dataset, held = weakref.ref(loader.dataset), weakref.ref(loader)
        for _ in loader:
            pass
        del loader
        gc.collect()
        assert dataset() is held() is None


def trained(make):
    torch.manual_seed(0)
    loader, model = make(), nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(3):
        for features, targets in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(features), targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses, [told(parameter.detach()) for parameter in model.parameters()]


@pytest.mark.parametrize("make", [LOADERS["shuffled"], LOADERS["random split"], WORKERS["shuffled"]])
def test_a_training_has_the_same_losses_and_weights(make):
    plain = trained(make)
    with fast_loading():
        assert trained(make) == plain
