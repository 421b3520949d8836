"""Data that is not rows of numbers, and sets that are no data sets: nothing that is measured of a training fails on them."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

from descend.watch.operation_values import numbers_of

STEPS = 12


def _scattered():
    return torch.sparse_coo_tensor(torch.randint(0, 30, (2, 90)), torch.randn(90), (30, 30)).coalesce()


def _fit(forward, parameters, y):
    optimizer = torch.optim.SGD(parameters, lr=0.05)
    losses = []
    for _ in range(STEPS):
        loss = F.mse_loss(forward(), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return {"losses": losses}


def a_sparse_table():
    x, w, y = _scattered(), torch.zeros(30, 1, requires_grad=True), torch.randn(30, 1)
    return _fit(lambda: x @ w, [w], y)


def a_compressed_sparse_table():
    x, w, y = _scattered().to_sparse_csr(), torch.zeros(30, 1, requires_grad=True), torch.randn(30, 1)
    return _fit(lambda: x @ w, [w], y)


class Spread(nn.Module):
    """As in a network on a graph: the model is given its edges, a sparse matrix."""

    def __init__(self):
        super().__init__()
        self.known = nn.Parameter(torch.randn(30, 8))
        self.out = nn.Linear(8, 1)

    def forward(self, edges):
        return self.out(torch.relu(torch.sparse.mm(edges, self.known)))


def a_sparse_matrix_for_a_module():
    edges, y, model = _scattered(), torch.randn(30, 1), Spread()
    found = _fit(lambda: model(edges), model.parameters(), y)
    with torch.no_grad():
        return {**found, "after": F.mse_loss(model(edges), y).item()}


def rows_of_different_lengths():
    x = torch.nested.nested_tensor([torch.randn(3, 4), torch.randn(5, 4)], layout=torch.jagged)
    model, y = nn.Linear(4, 1), torch.zeros(8, 1)
    return _fit(lambda: model(x).values(), model.parameters(), y)


def sparse_rows_from_a_loader():
    rows = [torch.sparse_coo_tensor(torch.randint(0, 20, (1, 4)), torch.randn(4), (20,)) for _ in range(32)]
    w = torch.zeros(20, 1, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    losses = []
    for _ in range(3):
        for x in DataLoader(rows, batch_size=8, collate_fn=torch.stack):
            loss = (x @ w).square().mean() + w.sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return {"losses": losses}


def _from_a_loader(dataset):
    model = nn.Linear(5, 5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(2):
        for x in DataLoader(dataset, batch_size=20, shuffle=True):
            loss = F.mse_loss(model(x), x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return {"losses": losses}


def a_tensor_as_a_data_set():
    return _from_a_loader(torch.randn(100, 5))


class Singular(Dataset):
    """It lets nobody compare it with another."""

    def __len__(self):
        return 60

    def __getitem__(self, index):
        return torch.arange(5.0) * (index % 7) / 10

    def __eq__(self, other):
        raise ValueError("it has no equal")

    def __hash__(self):
        return 1


def a_data_set_that_refuses_to_be_compared():
    sets = Singular(), Singular()
    return {"losses": [loss for each in sets for loss in _from_a_loader(each)["losses"]]}


def a_frozen_part_that_was_made_for_inference():
    with torch.inference_mode():
        body = nn.Linear(4, 8).requires_grad_(False)
    model, x, y = nn.Sequential(body, nn.Linear(8, 1)), torch.randn(20, 4), torch.randn(20, 1)
    return _fit(lambda: model(x), model[1].parameters(), y)


@pytest.mark.parametrize(
    "program",
    [
        a_frozen_part_that_was_made_for_inference,
        a_sparse_table,
        a_compressed_sparse_table,
        a_sparse_matrix_for_a_module,
        rows_of_different_lengths,
        sparse_rows_from_a_loader,
        a_tensor_as_a_data_set,
        a_data_set_that_refuses_to_be_compared,
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse")  # PyTorch says so of each use for the first time
def test_nothing_that_is_measured_fails(watch, program):
    """The fixture sees to it that nothing went unseen."""
    seen = watch(program)
    assert seen.losses == seen.result["losses"]


@pytest.mark.parametrize(("count", "size"), [(900, 1.0), (40_000, 1e-23), (40_000, 1.0), (40_000, 1e18)])
def test_numbers_of_any_size_are_summed_up(count, size):
    values = torch.randn(count) * size
    least, mean, most, deviation = numbers_of(values)[0].tolist()
    assert (least, most) == (values.min(), values.max())
    assert mean == pytest.approx(values.double().mean().item(), rel=1e-4, abs=1e-6 * size)
    assert deviation == pytest.approx(values.double().std().item(), rel=1e-4)


def test_a_mask_of_the_least_numbers_and_a_constant_are_summed_up():
    """As causal masks are written: half of it is the least number of single precision."""
    lowest = torch.finfo(torch.float32).min
    mask = torch.full((40, 40), lowest).triu(1)
    _, mean, _, deviation = numbers_of(mask)[0].tolist()
    assert mean == pytest.approx(780 / 1600 * lowest, rel=1e-5)
    assert deviation == pytest.approx(mask.double().std().item(), rel=1e-5)
    assert numbers_of(torch.full((3000,), 0.1))[0][3] == 0
    assert numbers_of(torch.full((3000,), float("nan")))[0].isnan().all()
