"""Rules of speed (D801, D802): on programs, and on records made by hand. Times are the records' own; nothing here is measured."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from check.harness import PROGRAMS, Case, cases, examine_program, faults_of
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding
from descend.check.rule import Rule
from descend.check.speed import Loading, Waiting
from descend.record.events import (
    BatchSeen,
    Event,
    Fact,
    Operations,
    PhaseTimes,
    RunEnded,
    RunStarted,
    StepsDone,
    ValueRead,
)
from descend.record.reader import Reader
from descend.record.writer import Writer
from descend.watch.fast import why_not_replaced

KNOWN = PROGRAMS / "known"
OURS = [case for case in cases(KNOWN) if case.program.stem.startswith("D80")]
SCRIPT = """import torch
loader = DataLoader(rows, batch_size=8)
opt = torch.optim.Adam(net.parameters(), lr=0.1, foreach=False)
torch.set_num_threads(8)
for x in loader:
    loss = net(parse(x))
    total += loss.item()
def parse(x):
    return torch.tensor(x)
"""


@pytest.mark.parametrize("case", [each for each in OURS if each.program.stem != "D801_loading"], ids=lambda c: c.name)
def test_programs_have_what_their_header_says(case: Case) -> None:
    found = examine_program(case.program, case.arguments)
    assert faults_of(case, found["findings"]) == []
    assert [each for each in found["unseen"] if "failed" in each["why"]] == []


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Path]:
    """Makes a record of 100 steps of one second in ten epochs, the first twenty of them timed."""

    def make(
        data: float,
        update: float,
        *events: Event,
        step: float = 1.0,
        at: tuple[str, int] = ("a.py", 5),
        kind: str = "run",
        **report: Any,
    ) -> Path:
        folder = tmp_path / "run"
        folder.mkdir()
        with Writer(folder) as writer:
            writer(RunStarted("a", kind, "a.py", {}, (), {}, None, (), None, None, {"a.py": SCRIPT}))
            writer(StepsDone(1, 1, [1.0] * 100, [0.1] * 100, [step] * 100, [8] * 100))
            for number in range(1, 21):
                phases = {"data": data, "forward": 1.0, "update": update}
                writer(PhaseTimes(number, phases, {"data": at, "forward": ("a.py", 6)}))
            for event in events:
                writer(event)
            writer(RunEnded("finished", {"epochs": 10, "script": ["a.py", "--lr", "1"]} | report))
        return folder

    return make


def looked(rule: Rule, folder: Path) -> list[Finding]:
    with Reader(folder) as reader:
        return list(rule.look(Evidence(reader)))


def fast(why: str = "", workers: int = 0) -> Fact:
    values = {"file": "a.py", "line": 2, "dataset": "TensorDataset", "batch_size": 8, "workers": workers, "why": why}
    return Fact(0, "fast", values, ("a.py", 5))


def test_what_fast_would_save_is_said(record: Callable[..., Path]) -> None:
    batch = BatchSeen(1, "x", (8, 10), "float32", "cpu", (), 0)
    [found] = looked(Loading(), record(0.75, 0.1, fast(), batch))
    assert found.title == "loading takes 75 % of a step"
    assert found.level == "note"
    assert found.where is not None
    assert found.where.line == 2
    assert found.evidence["a step"] == "0.75 s for its rows, 0.25 s for all else"
    assert found.evidence["with --fast"] == "an epoch in about 2.5 s instead of 10 s, by these times"
    assert "same bits, same order" in found.message
    assert found.fix == "descend run --fast a.py --lr 1"


def test_a_loader_that_fast_does_not_know_gets_workers(record: Callable[..., Path]) -> None:
    [found] = looked(Loading(), record(0.75, 0.1, fast("its rows are read by a class of the script")))
    assert found.fix == (
        "loader = DataLoader(rows, batch_size=8, num_workers=2)   # or read all rows once: TensorDataset(x, y)"
    )
    assert found.message.endswith("(--fast leaves this loader as it is: its rows are read by a class of the script.)")
    assert "with --fast" not in found.evidence


def test_workers_that_are_there_are_not_asked_for_again(record: Callable[..., Path]) -> None:
    [found] = looked(Loading(), record(0.75, 0.1, fast("it is not known", workers=2)))
    assert "num_workers" not in found.fix


def test_rows_that_a_function_of_the_script_makes_are_at_the_line_that_calls_it(record: Callable[..., Path]) -> None:
    [found] = looked(Loading(), record(0.75, 0.1, at=("a.py", 9)))
    assert found.where is not None
    assert (found.where.line, found.where.source) == (6, "loss = net(parse(x))")
    assert found.fix == "make the tensors once, before the loop, and take slices of them"


def test_a_training_of_ours_is_told_what_it_can_do(record: Callable[..., Path]) -> None:
    [found] = looked(Loading(), record(0.75, 0.1, kind="train"))
    assert found.fix == "a larger batch: --batch 256"
    assert "fast" not in found.message


def test_what_fast_has_left_is_said_to_be_that(record: Callable[..., Path]) -> None:
    [found] = looked(Loading(), record(0.75, 0.1, fast(), fast={"replaced": []}))
    assert found.message == "--fast was on; what is left is the reading of rows that it could not replace."


def test_half_a_step_is_the_least(record: Callable[..., Path]) -> None:
    folder = record(0.4, 0.1)
    assert looked(Loading(), folder) == []
    with Reader(folder) as reader:
        assert Loading().clean(Evidence(reader)) == "loading takes 40 % of a step"


def test_what_costs_next_to_nothing_is_not_worth_a_word(record: Callable[..., Path]) -> None:
    assert looked(Loading(), record(4e-4, 1e-6, step=5e-4)) == []


def test_no_step_is_no_answer(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        writer(RunStarted("a", "run", "a.py", {}, (), {}, None, (), None, None))
        writer(RunEnded("finished", {}))
    for rule in (Loading(), Waiting()):
        with pytest.raises(CannotCheck, match="no step was timed in its phases"):
            looked(rule, tmp_path)


def optimizer(held: int = 40, kind: str = "Adam", **settings: Any) -> Fact:
    values = {"class": kind, "held": held, "steps": 20, "settings": {"foreach": None, "fused": None} | settings}
    return Fact(20, "optimizer", values, ("a.py", 3))


def test_words_of_an_update_one_by_one(record: Callable[..., Path]) -> None:
    [found] = looked(Waiting(), record(0.1, 0.4, optimizer(foreach=False)))
    assert found.title == "the update takes 40 % of a step: Adam goes through 40 tensors one by one"
    assert "the last digits may differ" in found.message
    assert found.evidence["update"] == "0.4 s of 1 s a step"
    assert found.fix == "opt = torch.optim.Adam(net.parameters(), lr=0.1, fused=True)"


@pytest.mark.parametrize(
    ("update", "told"),
    [
        (0.2, optimizer()),
        (0.4, optimizer(held=6)),
        (0.4, optimizer(fused=True)),
        (0.4, optimizer(foreach=True)),
    ],
)
def test_updates_that_are_well(record: Callable[..., Path], update: float, told: Fact) -> None:
    assert looked(Waiting(), record(0.1, update, told)) == []


def test_an_optimizer_that_cannot_be_fused_goes_through_its_tensors_together(record: Callable[..., Path]) -> None:
    [found] = looked(Waiting(), record(0.1, 0.4, optimizer(kind="RMSprop")))
    assert found.fix == "RMSprop(…, foreach=True)"


def reads(device: str, every: int) -> list[Event]:
    return [
        event
        for step in range(1, 21)
        for event in [
            BatchSeen(step, "x", (8, 2), "float32", device, (), 0),
            *([ValueRead(step, "item", 0.5, "loss", ("a.py", 7))] if step % every == 0 else []),
        ]
    ]


def test_words_of_a_wait_for_the_device(record: Callable[..., Path]) -> None:
    [found] = looked(Waiting(), record(0.1, 0.1, *reads("cuda:0", 1)))
    assert found.title == "a number is fetched from the device in every step (1 a step)"
    assert found.evidence == {"fetched": "in 20 of 20 steps looked at", "device": "cuda:0"}
    assert found.where is not None
    assert found.where.source == "total += loss.item()"
    assert found.fix.startswith("add the tensors up, total += loss.detach()")


@pytest.mark.parametrize(("device", "every"), [("cpu", 1), ("cuda:0", 5)])
def test_there_is_nothing_to_wait_for(record: Callable[..., Path], device: str, every: int) -> None:
    assert looked(Waiting(), record(0.1, 0.1, *reads(device, every))) == []


def pace(**changes: Any) -> list[Event]:
    row = {"index": 0, "name": "mul", "module": "", "file": "a.py", "line": 6, "inputs": [], "shapes": [[64, 10]]}
    values = {"threads": 8, "cores": 8, "seconds": 0.1, "cpu_seconds": 0.6, "first_step": 1, "last_step": 100}
    operations = Operations(1, (row | {"dtype": "float32"} | changes.pop("row", {}),))
    return [operations, Fact(100, "pace", values | changes)]


def test_words_of_more_threads_than_processors(record: Callable[..., Path]) -> None:
    [found] = looked(Waiting(), record(0.1, 0.1, *pace(cores=2, cpu_seconds=0.15)))
    assert found.title.startswith("8 threads share 2 processors for steps of 1")
    assert found.where is not None
    assert found.where.source == "torch.set_num_threads(8)"
    assert found.fix == "torch.set_num_threads(1)"
    assert found.message.startswith("More threads than processors only take turns")


def test_words_of_threads_that_wait_for_one_another(record: Callable[..., Path]) -> None:
    [found] = looked(Waiting(), record(0.1, 0.1, *pace()))
    assert found.message.startswith("No operation of a step is large enough to be shared out")
    assert found.evidence["largest result of an operation"] == "640 numbers"


@pytest.mark.parametrize(
    "changes",
    [
        {"cpu_seconds": 0.1},
        {"seconds": 10.0, "cpu_seconds": 60.0},
        {"row": {"shapes": [[512, 1024]]}},
        {"threads": 1},
    ],
)
def test_threads_that_are_well(record: Callable[..., Path], changes: dict[str, Any]) -> None:
    assert looked(Waiting(), record(0.1, 0.1, *pace(**changes))) == []


class Stream(IterableDataset[int]):
    def __iter__(self) -> Any:
        return iter(range(3))


class Own(TensorDataset):
    read = 0

    def __getitem__(self, index: int) -> Any:
        Own.read += 1
        return super().__getitem__(index)


def test_whether_fast_would_replace_a_loader_is_told_without_reading_a_row() -> None:
    x = torch.zeros(4, 2)
    assert why_not_replaced(DataLoader(TensorDataset(x))) == ""
    assert "IterableDataset" in why_not_replaced(DataLoader(Stream()))
    assert why_not_replaced(DataLoader(Own(x))) == "its data set Own has __getitem__ of its own"
    assert Own.read == 0
    assert "collate_fn" in why_not_replaced(DataLoader(TensorDataset(x), collate_fn=list))
