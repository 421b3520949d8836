"""What a watched script did is in its tables, comes back as it went, and stays within bounds."""

import json
import math
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descend.errors import RecordError
from descend.record.events import (
    BatchSeen,
    Evaluation,
    Event,
    Fact,
    ModuleCalls,
    Operations,
    ParameterNorms,
    ParametersSeen,
    Printed,
    RunEnded,
    RunStarted,
    SourcesSeen,
    StepsDone,
    Unseen,
    ValueRead,
)
from descend.record.reader import Reader
from descend.record.rows import BatchRow, CallRow, EvaluationRow, FactRow, ParameterRow, PrintedRow, ReadRow, UnseenRow
from descend.record.schema import LATER_TABLES
from descend.record.writer import Writer

STARTED = RunStarted("train-1", "run", "train.py", {}, (), {}, None, (), None, None)
HERE = ("train.py", 7)
OPERATIONS = (
    {
        "index": 0,
        "name": "linear",
        "module": "fc1",
        "file": "train.py",
        "line": 7,
        "inputs": ["x", "fc1.weight"],
        "shapes": [[64, 2]],
        "dtype": "float32",
        "values": [[1.0, 2.0], [3.0, 4.0]],
    },
    {"index": 1, "name": "log", "inputs": [0], "values": [math.nan, -math.inf]},
)
METHODS = ("parameters", "batches", "calls", "evaluations", "printed", "reads", "operation_steps", "unseen")


def record(folder: Path, *events: Event) -> Writer:
    folder.mkdir(exist_ok=True)
    with Writer(folder) as writer:
        writer(STARTED)
        for event in events:
            writer(event)
    return writer


def ask(folder: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(folder / "record.sqlite")) as connection:
        return connection.execute(query).fetchall()


def change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "record.sqlite", isolation_level=None)) as connection:
        connection.executescript(statement)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was watched; tests that change it take ``copy``."""
    folder = tmp_path_factory.mktemp("runs") / "train-1"
    writer = record(
        folder,
        ParametersSeen(1, (("fc1.weight", (2, 3), "module"), ("b", (), "variable"))),
        BatchSeen(1, "x", (64, 2), "float32", "cpu", (2**63 - 1, 0, -(2**63))),
        BatchSeen(1, "", (64,), "int64", "cpu", ()),
        ModuleCalls(1, (("fc1", "Linear", True, 2), ("", "Net", False, 1), ("fc1", "Linear", False, 1))),
        StepsDone(1, 1, [2.3], [0.1], [0.01], [64]),
        Printed(1, "epoch 0: 2.3 \ud800", HERE),
        ValueRead(1, "item", 2.3, "loss", HERE),
        ValueRead(1, "float", math.nan, "", HERE),
        ParameterNorms(1, (("b", 1.0, 2.0, 3.0), ("fc1.weight", 4.0, 5.0, 6.0))),
        Operations(1, OPERATIONS),
        BatchSeen(1, "test", (10, 2), "float32", "cpu", (7,), evaluation=1),
        Evaluation(1, 1, 4, 0.25, True, ("net", "net.drop"), ("train.py", 12)),
        Evaluation(2, 1, 1, 0.5, False, (), ("cell 3", 1)),
        ParametersSeen(2, (("fc1.weight", (2, 3), "module"),)),
        Operations(100, OPERATIONS[:1]),
        Unseen("the loop in train.py", "it was compiled", ("train.py", 20)),
        Unseen("two processes", "they were spawned"),
        RunEnded("finished", {}),
    )
    assert writer.failure is None
    return folder


@pytest.fixture
def copy(watched: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(watched, tmp_path / "train-1"))


def test_parameters_in_the_order_they_were_seen(watched: Path) -> None:
    with Reader(watched) as reader:
        assert reader.parameters() == [
            ParameterRow(1, "fc1.weight", (2, 3), "module"),
            ParameterRow(1, "b", (), "variable"),
            ParameterRow(2, "fc1.weight", (2, 3), "module"),
        ]
        assert [row.parameter for row in reader.norms()] == ["fc1.weight", "b"]  # as they were seen


def test_batches_with_their_fingerprints(watched: Path) -> None:
    with Reader(watched) as reader:
        assert reader.batches() == [
            BatchRow(1, 0, "x", (64, 2), "float32", "cpu", (2**63 - 1, 0, -(2**63))),
            BatchRow(1, 0, "", (64,), "int64", "cpu", ()),
            BatchRow(1, 1, "test", (10, 2), "float32", "cpu", (7,)),
        ]
    assert ask(watched, "SELECT length(fingerprints) FROM batches") == [(24,), (0,), (8,)]


def test_calls_with_the_mode_of_each_module(watched: Path) -> None:
    with Reader(watched) as reader:
        assert reader.calls() == [
            CallRow(1, "fc1", "Linear", True, 2),
            CallRow(1, "", "Net", False, 1),
            CallRow(1, "fc1", "Linear", False, 1),
        ]


def test_evaluations(watched: Path) -> None:
    with Reader(watched) as reader:
        assert reader.evaluations() == [
            EvaluationRow(1, 1, 4, 0.25, True, ("net", "net.drop"), "train.py", 12),
            EvaluationRow(2, 1, 1, 0.5, False, (), "cell 3", 1),
        ]


def test_what_was_printed_and_what_was_read(watched: Path) -> None:
    with Reader(watched) as reader:
        assert reader.printed() == [PrintedRow(1, 1, "epoch 0: 2.3 \\ud800", 14, "train.py", 7)]
        item, number = reader.reads()
    assert item == ReadRow(1, 1, "item", 2.3, "loss", "train.py", 7)
    assert (number.number, number.how, number.tensor) == (2, "float", "")
    assert math.isnan(number.value)


def test_operations_are_json_a_row_each(watched: Path) -> None:
    with Reader(watched) as reader:
        assert reader.operation_steps() == [1, 100]
        first, second = reader.operations(1)
        assert reader.operations(100) == [first]
    assert first == OPERATIONS[0]
    assert second["values"] == [None, -math.inf]
    names = ask(watched, "SELECT number, json_extract(operation, '$.name') FROM operations WHERE step = 1")
    assert names == [(0, "linear"), (1, "log")]


def test_operations_of_a_step_that_is_told_again_replace_the_first(tmp_path: Path) -> None:
    record(tmp_path, Operations(1, OPERATIONS), Operations(1, OPERATIONS[1:]))
    assert [json.loads(text)["name"] for (text,) in ask(tmp_path, "SELECT operation FROM operations")] == ["log"]


@pytest.mark.parametrize(
    ("step", "remedy"),
    [(7, "the nearest steps kept are 1 and 100"), (101, "the nearest step kept is 100")],
)
def test_a_step_without_operations_has_its_nearest_named(watched: Path, step: int, remedy: str) -> None:
    with Reader(watched) as reader, pytest.raises(RecordError) as caught:
        reader.operations(step)
    assert (caught.value.what, caught.value.help) == (f"the operations of step {step} were not kept", remedy)
    assert caught.value.where == str(watched)


def test_a_run_without_operations_says_so(tmp_path: Path) -> None:
    record(tmp_path)
    with Reader(tmp_path) as reader, pytest.raises(RecordError) as caught:
        reader.operations(1)
    assert caught.value.what == "the operations of step 1 were not kept: this run has none of any step"


def test_what_could_not_be_seen_is_there_once(watched: Path, tmp_path: Path) -> None:
    with Reader(watched) as reader:
        assert reader.unseen() == [
            UnseenRow("the loop in train.py", "it was compiled", "train.py", 20),
            UnseenRow("two processes", "they were spawned", None, None),
        ]
    same = [Unseen("a", "b"), Unseen("a", "b", ("c", 1)), Unseen("a", "b", ("c", 2))]
    record(tmp_path, *same, *same)
    with Reader(tmp_path) as reader:
        assert reader.unseen() == [
            UnseenRow("a", "b", None, None),
            UnseenRow("a", "b", "c", 1),
            UnseenRow("a", "b", "c", 2),
        ]


@pytest.mark.parametrize("at_once", [1234, 6000, 100_000])  # lines between two commits
def test_of_many_printed_lines_the_first_and_the_last_stay(tmp_path: Path, at_once: int) -> None:
    with Writer(tmp_path) as writer:
        for number in range(1, 12_346):
            writer(Printed(number, f"line {number}", HERE))
            if number % at_once == 0:
                writer.flush()
    with Reader(tmp_path) as reader:
        kept = reader.printed()
        [said] = reader.messages()
    assert [row.number for row in kept] == [*range(1, 5001), *range(7346, 12_346)]
    assert all(row.text == f"line {row.number}" for row in kept)
    assert (said.step, said.kind) == (10_001, "record")
    assert said.text == "more than 10,000 printed lines: the record keeps the first 5,000 and the last 5,000"


def test_of_many_reads_the_first_and_the_last_stay(tmp_path: Path) -> None:
    record(tmp_path, *(ValueRead(number, "item", number, "loss", HERE) for number in range(1, 10_003)))
    with Reader(tmp_path) as reader:
        kept = reader.reads()
        [said] = reader.messages()
    assert [row.number for row in kept] == [row.value for row in kept] == [*range(1, 5001), *range(5003, 10_003)]
    assert said.text == "more than 10,000 values read from tensors: the record keeps the first 5,000 and the last 5,000"


def test_ten_thousand_lines_and_reads_are_kept_without_a_word(tmp_path: Path) -> None:
    every = [(Printed(n, "x" * 2000, HERE), ValueRead(n, "item", n, "", HERE)) for n in range(10_000)]
    record(tmp_path, *(event for pair in every for event in pair))
    assert ask(tmp_path, "SELECT (SELECT count(*) FROM printed), (SELECT count(*) FROM reads)") == [(10_000, 10_000)]
    assert ask(tmp_path, "SELECT max(length(text)), max(characters) FROM printed") == [(2000, 2000)]
    assert ask(tmp_path, "SELECT * FROM messages") == []


def test_a_long_line_is_cut_and_said_once(tmp_path: Path) -> None:
    record(tmp_path, Printed(3, "é" * 2001, HERE), Printed(4, "b" * 12_345, HERE))
    with Reader(tmp_path) as reader:
        assert reader.printed() == [
            PrintedRow(1, 3, "é" * 2000, 2001, *HERE),
            PrintedRow(2, 4, "b" * 2000, 12_345, *HERE),
        ]
        [said] = reader.messages()
    assert (said.step, said.kind) == (3, "record")
    assert said.text == "a printed line of 2,001 characters: the record keeps the first 2,000 of such lines"


def test_an_integer_from_a_tensor_may_be_larger_than_those_of_sqlite(tmp_path: Path) -> None:
    writer = record(tmp_path, ValueRead(1, "item", 2**64 - 1, "", HERE))
    assert writer.failure is None
    assert ask(tmp_path, "SELECT value FROM reads") == [(float(2**64),)]


def test_200_000_tiny_steps_with_a_long_print_and_a_read_each_stay_under_50_megabytes(tmp_path: Path) -> None:
    text = "x" * 3000
    with Writer(tmp_path) as writer:
        writer(STARTED)
        for step in range(1, 200_001):
            writer(StepsDone(step, 1, [2.3 / step], [0.1 / step], [1e-5 * (1 + 1 / step)], [1]))
            writer(ValueRead(step, "item", 2.3 / step, "loss", HERE))
            writer(Printed(step, text, HERE))
    assert writer.failure is None
    assert ask(tmp_path, "SELECT count(*) FROM steps") == [(200_000,)]
    assert ask(tmp_path, "SELECT count(*), max(number) FROM printed") == [(10_000, 200_000)]
    assert ask(tmp_path, "SELECT count(*), max(number) FROM reads") == [(10_000, 200_000)]
    assert (tmp_path / "record.sqlite").stat().st_size < 50_000_000


def test_a_record_that_was_made_before_these_tables_has_none_of_their_rows(copy: Path) -> None:
    change(copy, "".join(f"DROP TABLE {table};" for table in LATER_TABLES))
    with Reader(copy) as reader:
        assert [getattr(reader, method)() for method in METHODS] == [[]] * len(METHODS)
        assert len(reader.norms()) == 2
        with pytest.raises(RecordError, match="this run has none of any step"):
            reader.operations(1)


def test_a_query_in_the_place_of_a_later_table_is_not_asked(copy: Path) -> None:
    change(
        copy, "DROP TABLE unseen; CREATE VIEW unseen AS SELECT 1 AS id, 'a' AS what, 'b' AS why, 'c' AS file, 1 AS line"
    )
    with Reader(copy) as reader:
        assert reader.unseen() == []


@pytest.mark.parametrize(
    ("statement", "method"),
    [
        ("UPDATE parameters SET shape = '[1.5, {}]'", "parameters"),
        ("UPDATE batches SET shape = '[1e999]'", "batches"),
        ("UPDATE batches SET fingerprints = x'00'", "batches"),
        ("UPDATE batches SET fingerprints = 'twelve!!'", "batches"),
        ("UPDATE calls SET times = 'often'", "calls"),
        ("UPDATE evaluations SET training_mode = '3'", "evaluations"),
        ("UPDATE printed SET line = 'seven'", "printed"),
        ("UPDATE reads SET value = 'low'", "reads"),
        ("UPDATE operations SET step = 'first' WHERE step = 100", "operation_steps"),
        ("UPDATE unseen SET line = 'seven'", "unseen"),
        ("ALTER TABLE unseen RENAME COLUMN why TO because", "unseen"),
    ],
)
def test_rows_that_make_no_sense(copy: Path, statement: str, method: str) -> None:
    change(copy, statement)
    with Reader(copy) as reader, pytest.raises(RecordError, match="the record is damaged or cut short"):
        getattr(reader, method)()


def test_an_operation_that_makes_no_sense(copy: Path) -> None:
    change(copy, "UPDATE operations SET operation = '[1]'")
    with Reader(copy) as reader, pytest.raises(RecordError, match="a JSON object was expected"):
        reader.operations(1)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 2**20), st.binary(min_size=1, max_size=64)), min_size=1, max_size=6))
def test_random_damage_never_shows_a_bare_error(watched: Path, tmp_path: Path, wounds: list[tuple[int, bytes]]) -> None:
    damaged = bytearray((watched / "record.sqlite").read_bytes())
    for place, wound in wounds:
        start = place % len(damaged)
        damaged[start : start + len(wound)] = wound
    path = tmp_path / "record.sqlite"
    path.write_bytes(damaged)
    try:
        with Reader(path) as reader:
            for method in METHODS:
                getattr(reader, method)()
            reader.operations(1)
    except RecordError as error:
        assert error.where in {str(path), str(tmp_path)}


def test_facts_come_back_by_kind_in_their_order(tmp_path: Path) -> None:
    told = [
        Fact(0, "optimizer", {"class": "SGD", "lr": math.nan}, HERE),
        Fact(3, "order", {"happened": [["backward", 4]]}),
        Fact(4, "optimizer", {}, ("cell 2", 7)),
    ]
    record(tmp_path, *told)
    with Reader(tmp_path) as reader:
        assert [row.kind for row in reader.facts()] == ["optimizer", "order", "optimizer"]
        assert reader.facts("order") == [FactRow(3, "order", {"happened": [["backward", 4]]}, None, None)]
        first, second = reader.facts("optimizer")
    assert (first.step, first.values, first.file, first.line) == (0, {"class": "SGD", "lr": None}, *HERE)
    assert (second.values, second.file, second.line) == ({}, "cell 2", 7)


def test_sources_seen_later_are_added_and_the_first_text_of_a_file_stays(tmp_path: Path) -> None:
    record(tmp_path, SourcesSeen({"model.py": "one", "data.py": "two"}), SourcesSeen({"model.py": "changed since"}))
    with Reader(tmp_path) as reader:
        assert {"model.py": "one", "data.py": "two"}.items() <= reader.sources().items()
