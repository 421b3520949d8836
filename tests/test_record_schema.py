"""docs/record.md says what the schema is, and its questions can be asked."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from descend.record import schema
from descend.record.events import (
    BatchSeen,
    EpochDone,
    Evaluation,
    ModuleCalls,
    Operations,
    ParameterNorms,
    PhaseTimes,
    Printed,
    RunEnded,
    RunStarted,
    StepsDone,
)
from descend.record.tensors import KEPT_FIRST
from descend.record.watched import CHARACTERS_KEPT, ROWS_KEPT
from descend.record.writer import Writer

PAGE = (Path(__file__).parent.parent / "docs" / "record.md").read_text(encoding="utf-8")
QUESTIONS = re.findall(r"```sql\n(.*?)```", PAGE, flags=re.DOTALL)
ANSWERS = [
    [(1, 2.75, 0), (2, 1.0, 1)],
    [(0, 0.1), (1, 0.8), (2, 0.9)],
    [("backward", 75.0), ("loss", 25.0)],
    [("b", 1, 1.5), ("w", 1, 0.5)],
    [("device", "cpu", "there is no other")],
    [(1, 3.0, "step.py", 7), (2, 2.0, None, None), (4, 1.0, None, None), (3, None, None, None)],
    [(0, None, "start", 3), (1, 3.0, "loss 3.0", 9), (3, None, "loss nan", 9)],
    [(2, 4, "net.drop", "test.py", 5), (2, 4, "net.norm", "test.py", 5)],
    [(1, 2, 1), (2, 3, 2)],
    [("net", "Net", 1, 2, 3), ("net", "Net", 0, 1, 4)],
    [(0, "linear", '["x","w"]', 7), (1, "square", "[0]", None)],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("base") / "runs" / "mnist-1"
    run.mkdir(parents=True)
    choices = ({"key": "device", "value": "cpu", "reason": "there is no other", "by": "chosen"},)
    with Writer(run) as writer:
        writer(RunStarted("mnist-1", "train", "", {}, choices, {}, 0, (("w", (1,)), ("b", (1,))), 2, 2))
        writer(EpochDone(0, 0, 0.0, {"test": {"accuracy": 0.1}}))
        writer(StepsDone(1, 1, [3.0, 2.0], [0.1, 0.1], [0.1, 0.1], [96, 32]))
        writer(PhaseTimes(1, {"loss": 1.0, "backward": 3.0}, {"loss": ("step.py", 7)}))
        writer(ParameterNorms(1, (("w", 2.0, 5.0, 1.0), ("b", 2.0, 5.0, 3.0))))
        writer(EpochDone(1, 2, 0.2, {"test": {"accuracy": 0.8}}))
        writer(StepsDone(3, 2, [float("nan"), 1.0], [0.1, 0.1], [0.1, 0.1], [64, 32]))
        writer(EpochDone(2, 4, 0.2, {"test": {"accuracy": 0.9}}))
        writer(Printed(0, "start", ("step.py", 3)))
        writer(Printed(1, "loss 3.0", ("step.py", 9)))
        writer(Printed(3, "loss nan", ("step.py", 9)))
        writer(Evaluation(1, 2, 1, 0.1, False, (), ("test.py", 5)))
        writer(Evaluation(2, 4, 1, 0.1, False, ("net.drop", "net.norm"), ("test.py", 5)))
        writer(BatchSeen(1, "x", (3, 1), "float32", "cpu", (-7, 8, 9)))
        writer(BatchSeen(3, "x", (0, 1), "float32", "cpu", ()))
        writer(BatchSeen(2, "x", (2, 1), "float32", "cpu", (8, 1), evaluation=1))
        writer(BatchSeen(4, "x", (3, 1), "float32", "cpu", (-7, 9, 2), evaluation=2))
        writer(ModuleCalls(1, (("net", "Net", True, 1),)))
        writer(ModuleCalls(3, (("net", "Net", True, 2), ("net", "Net", False, 4))))
        writer(Operations(1, ({"name": "linear", "inputs": ["x", "w"], "line": 7}, {"name": "square", "inputs": [0]})))
        writer(Operations(2, ({"name": "exp", "inputs": ["x"]},)))
        writer(RunEnded("finished", {}))
    return run


@pytest.fixture
def connection(folder: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(folder / "record.sqlite")) as connection:
        yield connection


@pytest.mark.parametrize("number", range(len(ANSWERS)))
def test_every_question_of_the_page_has_its_answer(connection: sqlite3.Connection, number: int) -> None:
    assert connection.execute(QUESTIONS[number]).fetchall() == ANSWERS[number]


def test_no_question_of_the_page_is_left_untried() -> None:
    assert len(QUESTIONS) == len(ANSWERS)


def test_the_python_of_the_page_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    monkeypatch.chdir(folder.parent.parent)
    names: dict[str, sqlite3.Connection] = {}
    exec(code, names)
    names["record"].close()
    assert capsys.readouterr().out == "1 2.5\n2 1.0\n"


def test_every_table_and_column_is_on_the_page_and_no_other(connection: sqlite3.Connection) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE, flags=re.MULTILINE))
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert set(tables) == set(schema.TABLES)
    assert set(schema.TABLES) <= set(rows)
    for table in tables:
        columns = {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")}
        said = set(re.findall(r"`(\w+)`", rows[table]))
        assert columns <= said, table


def test_the_numbers_of_the_page_are_those_of_the_program(folder: Path) -> None:
    assert f"`schema_version` is {schema.SCHEMA_VERSION}." in PAGE
    assert f"`0x{schema.APPLICATION_ID:x}`" in PAGE
    assert ", ".join(f"`{part}`" for part in KEPT_FIRST) in " ".join(PAGE.split())
    assert (folder / "record.sqlite").read_bytes()[68:72] == b"dscd"
    assert f"more than {ROWS_KEPT:,} printed lines it keeps the first {ROWS_KEPT // 2:,}" in " ".join(PAGE.split())
    assert f"of each line the first {CHARACTERS_KEPT:,} characters; of more than {ROWS_KEPT:,} reads" in PAGE.replace(
        "\n", " "
    )
    assert "in eighteen tables" in PAGE
    assert len(schema.TABLES) == 18
