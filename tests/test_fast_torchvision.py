"""``--fast`` over torchvision's data sets: the bits of PIL, ToTensor, Normalize and collate, picture by picture."""

import sys
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Subset, TensorDataset, random_split

from descend.watch.fast import FastLoading

ROWS = 41


@pytest.fixture(scope="module")
def vision(torchvision_folder):
    """torchvision; beside a CPU build of torch it imports only when torch lets its registrations pass for operators that are
    not there.
    """
    if find_spec("torchvision") is None:
        sys.path.append(str(torchvision_folder))
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.syspath_prepend(str(Path(__file__).parent.parent / "benchmarks"))
        warnings.simplefilter("ignore")
        return import_module("vision").torchvision()


def grey(vision, name="MNIST", transform=None, rows=ROWS, **named):
    """One of the MNIST family, made as if its files had been read."""
    cls = getattr(vision.datasets, name)
    dataset = cls.__new__(cls)
    vision.datasets.VisionDataset.__init__(dataset, "nowhere", transform=transform, **named)
    generator = torch.Generator().manual_seed(rows)
    dataset.data = torch.randint(0, 256, (rows, 28, 28), dtype=torch.uint8, generator=generator)
    dataset.data[0, 0] = torch.arange(28, dtype=torch.uint8) * 9  # among them 0
    dataset.data[1] = torch.arange(28 * 28).remainder(256).reshape(28, 28)  # every byte there is
    dataset.targets = torch.randint(0, 10, (rows,), generator=generator)
    return dataset


def coloured(vision, name="CIFAR10", transform=None, rows=ROWS):
    """CIFAR10 or CIFAR100, laid out as reading its files lays it out."""
    cls = getattr(vision.datasets, name)
    dataset = cls.__new__(cls)
    vision.datasets.VisionDataset.__init__(dataset, "nowhere", transform=transform)
    pictures = np.random.default_rng(rows).integers(0, 256, (rows, 3, 32, 32), dtype=np.uint8)
    dataset.data = pictures.transpose(0, 2, 3, 1)
    dataset.targets = [number % 7 for number in range(rows)]
    return dataset


def seen(make, between=lambda dataset: None, epochs=2):
    """All that can be seen of the batches, and the random numbers' state after each epoch."""
    torch.manual_seed(3)
    loader = make()
    told = []
    for _ in range(epochs):
        for number, batch in enumerate(loader):
            told.append((type(batch), [(x.dtype, x.shape, x.stride(), x.numpy().tobytes()) for x in batch]))
            if number == 1:
                between(loader.dataset)
        told.append(torch.get_rng_state().tolist())
    return told


def compare(make, *, between=lambda dataset: None):
    """Gives what was kept, after the loader gave the same with us as without."""
    plain = seen(make, between)
    loading = FastLoading()
    loading.start()
    try:
        assert seen(make, between) == plain
    finally:
        loading.stop()
    assert loading.replaced or loading.kept
    return [why for _, why in loading.kept]


def transforms_of(vision, which):
    t = vision.transforms
    return {
        "ToTensor": t.ToTensor(),
        "Compose": t.Compose([t.ToTensor()]),
        "normalised": t.Compose([t.ToTensor(), t.Normalize((0.1307,), (0.3081,))]),
        "normalised in place": t.Compose([t.ToTensor(), t.Normalize(0.1307, 0.3081, inplace=True)]),
        "by tensors": t.Compose([t.ToTensor(), t.Normalize(torch.tensor([0.5]), torch.tensor([0.5]))]),
        "twice, nested": t.Compose([t.Compose([t.ToTensor(), t.Normalize([0.3], [0.7])]), t.Normalize([-0.1], [1.7])]),
    }[which]


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "KMNIST", "EMNIST"])
def test_the_grey_families(vision, name):
    dataset = grey(vision, name, vision.transforms.ToTensor())
    assert not compare(lambda: DataLoader(dataset, batch_size=16, shuffle=True))


@pytest.mark.parametrize(
    "which", ["ToTensor", "Compose", "normalised", "normalised in place", "by tensors", "twice, nested"]
)
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_transforms(vision, which, batch_size):
    for make in (grey, coloured):
        dataset = make(vision, transform=transforms_of(vision, which))
        assert not compare(lambda: DataLoader(dataset, batch_size, shuffle=True, drop_last=batch_size == 7))  # noqa: B023


def test_every_byte_is_the_float_that_totensor_makes(vision):
    dataset = grey(vision, transform=transforms_of(vision, "normalised"))
    assert set(dataset.data.flatten().tolist()) == set(range(256))
    assert not compare(lambda: DataLoader(dataset, batch_size=2))


@pytest.mark.parametrize("name", ["CIFAR10", "CIFAR100"])
def test_coloured_pictures_normalised_by_channel(vision, name):
    t = vision.transforms
    steps = t.Compose([t.ToTensor(), t.Normalize((0.4914, 0.4822, 0.4465), (0.247, 0.243, 0.261))])
    dataset = coloured(vision, name, steps)
    assert not compare(lambda: DataLoader(dataset, batch_size=16, shuffle=True))
    dataset.data = np.ascontiguousarray(dataset.data[::2])  # in another order in memory, half as many
    dataset.data.flags.writeable = False
    dataset.targets = np.array(dataset.targets[::2])
    assert not compare(lambda: DataLoader(dataset, batch_size=16, shuffle=True, num_workers=0))


def test_parts_workers_and_samplers(vision):
    dataset = grey(vision, transform=transforms_of(vision, "normalised"))
    more = grey(vision, "FashionMNIST", transforms_of(vision, "ToTensor"), rows=12)
    torch.manual_seed(1)
    for whole in (
        random_split(dataset, [0.8, 0.2])[0],
        Subset(dataset, np.arange(0, ROWS, 3)),
        ConcatDataset([dataset, more]),
        Subset(ConcatDataset([more, dataset, more]), [50, 3, 4, 60]),
    ):
        assert not compare(lambda: DataLoader(whole, batch_size=5, shuffle=True))  # noqa: B023
        assert not compare(lambda: DataLoader(whole, 5, shuffle=True, num_workers=1, multiprocessing_context="fork"))  # noqa: B023


def test_another_default_float_type(vision):
    dataset = grey(vision, transform=transforms_of(vision, "normalised"))
    torch.set_default_dtype(torch.float64)
    try:
        assert not compare(lambda: DataLoader(dataset, batch_size=8, shuffle=True))
    finally:
        torch.set_default_dtype(torch.float32)


def test_targets_of_any_kind(vision):
    dataset = grey(vision, transform=vision.transforms.ToTensor())
    for targets in (
        dataset.targets.to(torch.uint8),
        dataset.targets.tolist(),
        dataset.targets.numpy(),
        dataset.targets + 0.7,
    ):
        dataset.targets = targets
        assert not compare(lambda: DataLoader(dataset, batch_size=8))
    dataset = coloured(vision, transform=vision.transforms.ToTensor())
    for targets in ([float(target) for target in dataset.targets], torch.tensor(dataset.targets), range(ROWS)):
        dataset.targets = targets
        assert not compare(lambda: DataLoader(dataset, batch_size=8))


def test_what_the_script_does_to_its_data_is_noticed(vision):
    def change(dataset):
        dataset.data[:, 3:9] = 255 - dataset.data[:, 3:9]
        dataset.targets = (
            [target + 1 for target in dataset.targets] if type(dataset.targets) is list else dataset.targets + 1
        )

    def normalise(dataset):
        dataset.transform.transforms.append(vision.transforms.Normalize([0.5], [0.5]))

    def exchange(dataset):
        dataset.data = dataset.data[:20]
        dataset.data.sort(-1)

    for make in (grey, coloured):
        for what in (change, normalise, exchange):

            def loader():
                steps = transforms_of(vision, "normalised")
                return DataLoader(make(vision, transform=steps), batch_size=8, sampler=range(18))  # noqa: B023

            assert not compare(loader, between=what)


def test_a_random_transform_put_in_on_the_way_ends_it(vision):
    def flip(dataset):
        dataset.transform = vision.transforms.Compose(
            [vision.transforms.RandomRotation(10), vision.transforms.ToTensor()]
        )

    (why,) = compare(
        lambda: DataLoader(grey(vision, transform=vision.transforms.ToTensor()), batch_size=8, shuffle=True),
        between=flip,
    )
    assert why.startswith("its transform RandomRotation may be random or do anything")


def test_what_may_be_random_or_do_anything_is_kept(vision):
    t = vision.transforms

    class Own(t.ToTensor):
        def __call__(self, picture):
            return super().__call__(picture) * 2

    hooked = t.Normalize([0.5], [0.5])
    hooked.register_forward_hook(lambda module, given, result: result * 2)
    may = "may be random or do anything: ToTensor, then Normalize, are known to be neither"
    for transform, why in {
        t.Compose([t.RandomCrop(20), t.ToTensor()]): f"its transform RandomCrop {may}",
        t.Compose([t.ToTensor(), t.RandomErasing(1.0)]): f"its transform RandomErasing {may}",
        t.Compose([t.ToTensor(), t.Lambda(torch.flatten)]): f"its transform Lambda {may}",
        t.Compose([t.ToTensor(), hooked]): f"its transform Normalize {may}",
        t.Compose([t.ToTensor(), torch.flatten]): f"its transform flatten {may}",
        Own(): f"its transform Own {may}",
        t.PILToTensor(): f"its transform PILToTensor {may}",
    }.items():
        dataset = grey(vision, transform=transform)
        assert compare(lambda: DataLoader(dataset, batch_size=8, shuffle=True)) == [why]  # noqa: B023

    dataset = grey(vision, transform=t.ToTensor(), target_transform=lambda target: target * 2)
    assert compare(lambda: DataLoader(dataset, batch_size=8)) == ["it has a target_transform, a function of the script"]


def test_odd_data_sets_are_kept(vision):
    class Doubled(vision.datasets.MNIST):
        def __getitem__(self, index):
            picture, target = super().__getitem__(index)
            return picture * 2, target

    vision.datasets.Doubled = Doubled
    try:
        dataset = grey(vision, "Doubled", vision.transforms.ToTensor())
        assert compare(lambda: DataLoader(dataset, batch_size=8)) == ["its data set Doubled has __getitem__ of its own"]
    finally:
        del vision.datasets.Doubled
    dataset = grey(vision, transform=vision.transforms.ToTensor())
    dataset.data = dataset.data.short()
    loading = FastLoading()
    loading.start()
    try:
        next(iter(DataLoader(dataset, batch_size=8)))
        with pytest.raises(TypeError, match=r"found <class 'PIL\.Image\.Image'>"):  # as without us
            next(iter(DataLoader(grey(vision), batch_size=8)))
        mixed = ConcatDataset(
            [grey(vision, transform=vision.transforms.ToTensor()), TensorDataset(torch.zeros(9, 1, 28, 28))]
        )
        next(iter(DataLoader(mixed, batch_size=8)))
    finally:
        loading.stop()
    assert [why for _, why in loading.kept] == [
        "data of its MNIST is not a tensor of grey pictures in bytes",
        "it has no transform that makes tensors of its pictures",
        "the parts of its ConcatDataset have rows of different kinds",
    ]


def test_normalising_what_cannot_be_normalised_is_the_error_it_always_was(vision):
    t = vision.transforms
    dataset = grey(vision, transform=t.Compose([t.ToTensor(), t.Normalize([0.5], [0.0])]))

    def failure():
        with pytest.raises(ValueError) as caught:
            next(iter(DataLoader(dataset, batch_size=8)))
        return str(caught.value)

    plain = failure()
    loading = FastLoading()
    loading.start()
    try:
        assert failure() == plain
    finally:
        loading.stop()
    ((_, why),) = loading.kept
    assert why == f"rows of its data set cannot be read: {plain}"


def test_a_training_has_the_same_losses_and_weights(vision):
    def trained():
        torch.manual_seed(0)
        dataset = grey(vision, transform=transforms_of(vision, "normalised"), rows=150)
        loader = DataLoader(dataset, batch_size=16, shuffle=True)
        model = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 10))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
        losses = []
        for _ in range(2):
            for images, labels in loader:
                loss = nn.functional.cross_entropy(model(images), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
        return losses, [parameter.detach().numpy().tobytes() for parameter in model.parameters()]

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # with more, PyTorch itself may add in another order the next time
    try:
        plain = trained()
        loading = FastLoading()
        loading.start()
        ours = trained()
    finally:
        loading.stop()
        torch.set_num_threads(threads)
    assert ours == plain
    assert not loading.kept
