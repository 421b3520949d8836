"""What is measured of data while a program runs, against NumPy, plain loops and the data sets themselves."""

import itertools
import math
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, TensorDataset, random_split

from descend.watch.facts.columns import describe, describe_labels, hashes_of, series_in
from descend.watch.facts.origins import Origins
from descend.watch.facts.sets import order_of, rows_of, spread_out
from descend.watch.facts.shared import compare, key_columns, keys_of
from descend.watch.facts.signal import probe


def random(*sizes: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=sizes).astype(np.float32))


def set_of(count: int = 30) -> TensorDataset:
    return TensorDataset(random(count, 3), torch.arange(count))


@pytest.mark.parametrize(
    "dataset",
    [
        set_of(),
        Subset(set_of(), [5, 3, 8]),
        Subset(set_of(), range(2, 20, 3)),
        Subset(set_of(), np.array([1, 4])),  # type: ignore[arg-type]
        Subset(Subset(set_of(), list(range(10, 20))), [0, 9]),
        random_split(set_of(), [20, 10], torch.Generator().manual_seed(1))[1],
        ConcatDataset([set_of(4), Subset(set_of(), [7, 6])]),
    ],
    ids=["tensors", "subset", "range", "array", "subset of a subset", "split", "several"],
)
def test_rows_of_a_data_set_are_those_that_it_hands_out(dataset: "Dataset[tuple[torch.Tensor, ...]]") -> None:
    parts = rows_of(dataset)
    taken = [part.take(torch.arange(len(part))) for part in parts]
    wanted = [dataset[place] for place in range(len(dataset))]  # type: ignore[arg-type]
    assert torch.equal(torch.cat([each.x for each in taken]), torch.stack([x for x, _ in wanted]))
    assert torch.cat([each.y for each in taken if each.y is not None]).tolist() == [int(y) for _, y in wanted]


def test_a_class_of_the_users_is_not_asked() -> None:
    class Own(TensorDataset):
        def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
            raise AssertionError

    assert rows_of(Own(random(3, 2))) == []
    assert rows_of(Subset(set_of(3), [7])) == []  # rows that are not there


def test_orders_of_loaders() -> None:
    data = set_of(6)
    assert order_of(DataLoader(data)) == "in order"
    assert order_of(DataLoader(data, shuffle=True)) == "shuffled"
    assert (
        order_of(DataLoader(data, sampler=torch.utils.data.RandomSampler(data, replacement=True))) == "with replacement"
    )
    assert order_of(DataLoader(data, sampler=[3, 1, 2])) == "own"
    assert order_of([data]) == "unknown"


@given(st.integers(1, 400), st.integers(1, 50))
def test_places_are_spread_out(count: int, most: int) -> None:
    places = spread_out(count, most).tolist()
    assert places == sorted(set(places))
    assert len(places) == min(count, most)
    assert places[0] == 0
    assert max(places) == count - 1 or most == 1


def test_columns_are_described_as_numpy_does() -> None:
    x = random(80, 6)
    x[:, 2] = 4
    x[:, 5] = x[:, 1]
    x[3] = x[9]
    found = describe(x)
    table = x.double().numpy()
    assert found["constant"] == [[2, 4.0]]
    assert found["same"] == [[1, 5]]
    assert (found["rows_again"], found["different_rows"]) == (1, 79)
    assert found["centre"] == pytest.approx(np.median(table, 0), abs=0.05)
    assert found["low"] == table.min(0).tolist()
    assert found["high"] == table.max(0).tolist()
    assert (found["least"], found["most"]) == (table.min(), table.max())


def test_numbers_that_are_none_are_counted_and_left_out() -> None:
    x = random(20, 3)
    x[2, 1], x[2, 0], x[7, 2] = math.nan, math.inf, -math.inf
    found = describe(x)
    assert (found["not_finite"], found["not_finite_rows"]) == (3, 2)
    assert math.isfinite(found["std"])
    assert describe(torch.full((4, 2), math.nan))["not_finite"] == 8


def test_images_that_show_nothing() -> None:
    x = random(10, 1, 4, 4)
    x[[2, 5]] = 7
    found = describe(x)
    assert (found["blank"], found["blank_value"], found["blank_at"], found["image"]) == (2, 7, 2, True)


@given(st.lists(st.integers(-3, 3), min_size=12, max_size=60))
def test_labels_are_counted(labels: list[int]) -> None:
    found = describe_labels(torch.tensor(labels))
    assert found["rows"] == len(labels)
    assert found["different"] == len(set(labels))
    assert found["runs"] == 1 + sum(a != b for a, b in itertools.pairwise(labels))
    if "classes" in found:
        assert found["classes"] == [[value, labels.count(value)] for value in sorted(set(labels))]
        shares = [labels.count(value) / len(labels) for value in set(labels)]
        assert found["entropy"] == pytest.approx(-sum(share * math.log(share) for share in shares))


def test_series_are_known_from_rows_in_any_order() -> None:
    time = torch.sin(torch.arange(120) * 0.1)
    assert series_in(time.unfold(0, 8, 1)) == "windows"
    assert series_in(torch.stack([time, time.cos()], 1)) == "slow"
    assert series_in(random(60, 4)) == ""
    assert series_in(random(4, 4)) == ""


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=30), st.lists(st.integers(0, 40), min_size=1, max_size=30))
def test_rows_in_common_are_those_that_comparing_each_with_each_finds(one: list[int], other: list[int]) -> None:
    rows = random(41, 4, seed=3)
    found = compare(rows[one], rows[other])
    assert found["same"] == sum(number in one for number in other)
    assert found["again"] == len(one) - len(set(one))
    assert all(one[a] == other[b] for a, b in found["pairs"])


def test_rows_that_are_nearly_equal() -> None:
    one, other = random(300, 5), random(60, 5, seed=1)
    apart = compare(one, other)
    assert apart["near"] <= 1
    other[:30] = one[100:130] + 1e-4
    found = compare(one, other)
    assert found["near"] >= 30
    assert found["distance"] < 0.01 < found["typical"]
    assert found["same"] == 0


def test_rows_of_few_kinds_are_alike_by_chance() -> None:
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (200, 3))).float()
    found = compare(x[:100], x[100:])
    assert found["kinds"]
    assert found["same"] <= 3 * found["expected"]


def test_keys_are_the_columns_that_differ() -> None:
    x = torch.zeros(50, 200)
    x[:, 40:60] = random(50, 20)
    assert set(key_columns(x, 20).tolist()) == set(range(40, 60))
    parts = rows_of(TensorDataset(x))
    assert torch.equal(keys_of(parts, torch.tensor([41, 50])), x[:, [41, 50]])


def test_hashes_tell_rows_apart() -> None:
    x = random(2_000, 3)
    assert len(set(hashes_of(x).tolist())) == 2_000
    assert hashes_of(torch.tensor([[0.0]])).tolist() == hashes_of(torch.tensor([[-0.0]])).tolist()


def test_probes_find_what_is_there() -> None:
    x = random(300, 4)
    classes = probe(x, (x[:, 0] > 0).long())
    assert classes["linear"] > 0.9
    assert classes["neighbours"] > 0.75
    ring = probe(x[:, :2], (x[:, :2].square().sum(1) > 1.4).long())
    assert ring["neighbours"] > 0.85 > ring["linear"]
    line = probe(x, x @ torch.tensor([1.0, -1.0, 0.0, 2.0]))
    assert line["classes"] == 0
    assert line["linear"] > 0.99
    for columns in (2, 8, 20):
        wide = random(400, columns, seed=columns)
        assert probe(wide, wide[:, 0] * wide[:, 1])["products"] > 0.5
        exclusive = probe(wide, ((wide[:, 0] > 0) ^ (wide[:, 1] > 0)).long())
        assert exclusive["products"] > exclusive["chance"] + exclusive["error"]


def test_probes_find_nothing_where_nothing_is() -> None:
    x, labels = random(400, 4), (random(400, seed=9) > 0).long()
    found = probe(x, labels)
    assert max(found["linear"], found["neighbours"], found["products"]) <= found["chance"] + found["error"]
    assert probe(x[:10], labels[:10]) == {}
    assert probe(torch.ones(100, 2), labels[:100]) == {}


def test_origins_follow_rows_to_where_they_are_used() -> None:
    origins = Origins()
    table = random(100, 4)
    order = torch.arange(99, -1, -1)
    part = order[20:30]
    origins.heard("getitem", (order, slice(20, 30)), {}, part)
    rows = table[part]
    origins.heard("getitem", (table, part), {}, rows)
    half = rows / 2
    origins.heard("truediv", (rows, 2), {}, half)
    found = origins.of(half)
    assert found is not None
    assert found.source() is table
    assert (found.how, found.start, found.stop, found.rows, found.altered) == ("listed", 20, 30, 100, True)


def test_parts_of_mixed_rows_are_a_part_of_a_list() -> None:
    origins = Origins()
    table, order = random(40, 2), torch.arange(39, -1, -1)
    mixed = table[order]
    origins.heard("getitem", (table, order), {}, mixed)
    pieces = mixed.split(10)
    origins.heard("split", (mixed, 10), {}, pieces)
    found = origins.of(pieces[2])
    assert found is not None
    assert (found.how, found.start, found.stop) == ("listed", 20, 30)
    assert found.source() is table


def test_origins_keep_no_tensor() -> None:
    origins = Origins()
    table = random(10, 2)
    rows = table[2:4]
    origins.heard("getitem", (table, slice(2, 4)), {}, rows)
    kept = weakref.ref(rows)
    del rows
    assert kept() is None
