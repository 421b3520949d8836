"""The reader: what was written comes back, and what is no record is said in one message."""

import hashlib
import math
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descend.errors import RecordError
from descend.record.events import (
    PHASES,
    EpochDone,
    Message,
    ParameterNorms,
    PhaseTimes,
    RunEnded,
    RunStarted,
    Snapshot,
    StepsDone,
)
from descend.record.reader import Reader
from descend.record.rows import EpochRow, NormRow, PhaseRow
from descend.record.writer import Writer

RECIPE = {"lr": 0.01, "model": {"kind": "mlp", "sizes": [128]}, "note": None}
TENSORS = {"loss": torch.tensor(3.0), "before.w": torch.arange(6.0).reshape(2, 3).t()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that ended as it should; tests that change it take ``copy``."""
    folder = tmp_path_factory.mktemp("runs") / "digits-1"
    folder.mkdir()
    with Writer(folder) as writer:
        writer(
            RunStarted(
                name="digits-1",
                kind="train",
                title="3 rows: x → y",
                recipe=RECIPE,
                choices=({"key": "device", "value": "cpu", "reason": "no other", "by": "chosen"},),
                environment={"torch": "2.13.0"},
                seed=7,
                parameters=(("w", (2, 3)), ("b", (3,))),
                epochs=2,
                steps_per_epoch=3,
                sources={"b.py": "second\n", "a.py": "first\n"},
            )
        )
        writer(EpochDone(0, 0, 0.0, {"validation": {"loss": math.nan, "accuracy": 0.1}, "test": {"loss": math.inf}}))
        writer(StepsDone(1, 1, [3.0, math.nan, -math.inf], [0.1, 0.2, 0.3], [0.5, 0.6, 0.7], [64, 64, 32]))
        writer(PhaseTimes(2, dict.fromkeys(reversed(PHASES), 0.1), {"update": ("a.py", 1)}))
        writer(PhaseTimes(1, {"extra": 0.3, "data": 0.2}, {}))
        writer(ParameterNorms(2, (("b", 1.0, math.nan, 3.0), ("w", 4.0, 5.0, math.inf))))
        writer(ParameterNorms(1, (("w", 7.0, 8.0, 9.0),)))
        writer(Snapshot(1, 1, TENSORS, "rows 0–9"))
        writer(Snapshot(100, 2, {"loss": torch.tensor(2.0)}))
        writer(Message(3, "checkpoint", "saved"))
        writer(EpochDone(1, 3, 1.5, {"train": {"loss": 0.5}}))
        writer(RunEnded("stopped early", {"run": "digits-1", "validation": None}))
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "digits-1"))


def change(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / "record.sqlite", isolation_level=None)) as connection:
        connection.executescript(statement)


def message(path: Path) -> list[str]:
    with pytest.raises(RecordError) as caught:
        Reader(path)
    assert caught.value.exit_status == 2
    return str(caught.value).splitlines()


def test_the_run_as_a_whole(finished: Path) -> None:
    with Reader(finished) as reader:
        info = reader.info
        assert reader.status == info.status == "stopped early"
    assert (info.name, info.path, info.kind, info.title) == ("digits-1", finished, "train", "3 rows: x → y")
    assert info.recipe == RECIPE
    assert info.choices == [{"key": "device", "value": "cpu", "reason": "no other", "by": "chosen"}]
    assert info.environment == {"torch": "2.13.0"}
    assert info.parameters == [("w", (2, 3)), ("b", (3,))]
    assert (info.seed, info.epochs, info.steps_per_epoch) == (7, 2, 3)
    assert info.report == {"run": "digits-1", "validation": None}
    assert info.started is not None
    assert info.ended is not None
    assert info.started <= info.ended <= datetime.now(UTC)
    assert info.damage == ""


def test_the_record_itself_may_be_given(finished: Path) -> None:
    with Reader(finished / "record.sqlite") as reader:
        assert reader.info.name == "digits-1"


def test_the_name_is_that_of_the_folder_now(finished: Path, tmp_path: Path) -> None:
    with Reader(shutil.copytree(finished, tmp_path / "renamed")) as reader:
        assert reader.info.name == "renamed"


def test_every_step_as_columns(finished: Path) -> None:
    with Reader(finished) as reader:
        steps = reader.steps()
        assert reader.steps(after=2).step == [3]
        assert len(reader.steps(after=3)) == 0
    assert len(steps) == 3
    assert (steps.step, steps.epoch, steps.rows) == ([1, 2, 3], [1, 1, 1], [64, 64, 32])
    assert (steps.rate, steps.seconds) == ([0.1, 0.2, 0.3], [0.5, 0.6, 0.7])
    assert steps.loss[::2] == [3.0, -math.inf]
    assert math.isnan(steps.loss[1])


def test_phases_stand_in_the_order_of_a_step(finished: Path) -> None:
    with Reader(finished) as reader:
        phases = reader.phases()
    assert phases[:2] == [PhaseRow(1, "data", 0.2, None, None), PhaseRow(1, "extra", 0.3, None, None)]
    assert [row.phase for row in phases[2:]] == list(PHASES)
    assert PhaseRow(2, "update", 0.1, "a.py", 1) in phases


def test_norms_stand_in_the_order_of_the_model(finished: Path) -> None:
    with Reader(finished) as reader:
        every = reader.norms()
        assert [(row.step, row.parameter) for row in every] == [(1, "w"), (2, "w"), (2, "b")]
        assert every[1] == NormRow(2, "w", 4.0, 5.0, math.inf)
        assert math.isnan(every[2].gradient)
        assert reader.norms("w") == every[:2]
        assert reader.norms("nothing") == []


def test_epochs_with_metrics_that_are_no_numbers(finished: Path) -> None:
    with Reader(finished) as reader:
        before, after = reader.epochs()
    assert (before.epoch, before.step, before.metrics["test"]) == (0, 0, {"loss": math.inf})
    assert math.isnan(before.metrics["validation"]["loss"])
    assert after == EpochRow(1, 3, 1.5, {"train": {"loss": 0.5}})


def test_messages_and_sources(finished: Path) -> None:
    with Reader(finished) as reader:
        [said] = reader.messages()
        assert (said.step, said.kind, said.text, said.time.tzinfo) == (3, "checkpoint", "saved", UTC)
        assert reader.sources() == {"a.py": "first\n", "b.py": "second\n"}


def test_tensors_of_a_step_that_was_kept(finished: Path) -> None:
    with Reader(finished) as reader:
        assert [(row.step, row.epoch, row.note) for row in reader.snapshots()] == [(1, 1, "rows 0–9"), (100, 2, "")]
        kept = reader.tensors(1)
    assert kept.keys() == TENSORS.keys()
    assert all(torch.equal(kept[name], TENSORS[name]) for name in TENSORS)


@pytest.mark.parametrize(
    ("step", "remedy"),
    [
        (7, "the nearest steps kept are 1 and 100"),
        (101, "the nearest step kept is 100"),
        (0, "the nearest step kept is 1"),
    ],
)
def test_a_step_that_was_not_kept_has_its_nearest_named(finished: Path, step: int, remedy: str) -> None:
    with Reader(finished) as reader, pytest.raises(RecordError) as caught:
        reader.tensors(step)
    assert (caught.value.what, caught.value.help) == (f"step {step} was not kept in full", remedy)


def test_a_run_without_snapshots_says_so(copy: Path) -> None:
    change(copy, "DELETE FROM snapshots")
    with Reader(copy) as reader, pytest.raises(RecordError, match="step 1 was not kept: this run has no snapshots"):
        reader.tensors(1)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"loss": torch.zeros(7, 2)}, "the loss is no single number, but of the shape (7, 2)"),
        (
            {"before.w": torch.zeros(4, 3), "gradient.w": torch.zeros(0, 3)},
            "gradient.w has the shape (0, 3), and the parameter (4, 3)",
        ),
    ],
)
def test_tensors_that_do_not_fit_each_other_are_refused(
    copy: Path, tensors: dict[str, torch.Tensor], said: str
) -> None:
    data = safetensors.torch.save(tensors)
    (copy / "tensors" / "step-100.safetensors").write_bytes(data)
    checksum = hashlib.sha256(data).hexdigest()
    change(copy, f"UPDATE snapshots SET bytes = {len(data)}, sha256 = '{checksum}' WHERE step = 100")
    with Reader(copy) as reader:
        for read in (reader.tensors, reader.arrays):
            with pytest.raises(RecordError) as caught:
                read(100)
            assert said in caught.value.what


def test_tensors_that_were_changed_are_refused(copy: Path) -> None:
    path = copy / "tensors" / "step-100.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with Reader(copy) as reader, pytest.raises(RecordError) as caught:
        reader.tensors(100)
    assert caught.value.what == (
        f"the tensors of step 100 are not the ones that were written: the file has {len(data)} bytes and another checksum"
        f" than the {len(data)} bytes in the record"
    )
    assert caught.value.where == str(path)


def test_tensors_that_are_missing_are_named(copy: Path) -> None:
    shutil.rmtree(copy / "tensors")
    with Reader(copy) as reader, pytest.raises(RecordError) as caught:
        reader.tensors(1)
    assert caught.value.what == "the tensors of step 1 cannot be read: No such file or directory"
    assert caught.value.help == "copy the whole run folder, with tensors/ in it"


@pytest.mark.parametrize("file", ["../secret", "record.sqlite", "tensors/../../secret", "/etc/passwd", "tensors/link"])
def test_a_record_cannot_lead_out_of_its_folder(copy: Path, file: str) -> None:
    (copy.parent / "secret").write_bytes(b"secret")
    (copy / "tensors" / "link").symlink_to(copy.parent / "secret")
    change(copy, f"UPDATE snapshots SET file = '{file}'")
    with Reader(copy) as reader, pytest.raises(RecordError) as caught:
        reader.tensors(1)
    assert caught.value.what == f"the tensors of step 1 are said to lie outside the run folder: {file}"
    assert caught.value.help == "do not trust this record"


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    assert message(tmp_path / "none") == [
        f"there is no {tmp_path / 'none'}",
        f"  where: {tmp_path / 'none'}",
        "  help: give a run folder; descend runs lists them",
    ]


def test_a_folder_without_a_record(tmp_path: Path) -> None:
    assert message(tmp_path)[0] == f"{tmp_path} holds no record"


def test_a_folder_in_the_place_of_the_record(tmp_path: Path) -> None:
    (tmp_path / "record.sqlite").mkdir()
    assert message(tmp_path)[0] == "record.sqlite cannot be read: Is a directory"


def test_a_name_that_no_file_can_have() -> None:
    assert message(Path("a\0b"))[0].endswith("cannot be read: embedded null byte")


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "digit.png").write_bytes(b"\x89PNG" + bytes(100))
    assert message(tmp_path / "digit.png")[0] == "digit.png is not a record of descend: it is not an SQLite database"


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "record.sqlite").touch()
    assert message(tmp_path)[0] == "record.sqlite is empty"


def test_a_database_of_another_program(tmp_path: Path) -> None:
    change(tmp_path, "CREATE TABLE steps (step INTEGER)")
    assert message(tmp_path)[0] == "record.sqlite is an SQLite database, but not a record of descend"


def test_a_record_of_a_newer_descend(copy: Path) -> None:
    change(copy, "UPDATE meta SET value = '2' WHERE key = 'schema_version'; DROP TABLE phases")
    assert message(copy) == [
        "a newer descend wrote this record: its schema is version 2, this one reads up to 1",
        f"  where: {copy / 'record.sqlite'}",
        "  help: pip install --upgrade descend",
    ]


def test_tables_and_columns_of_a_later_descend_are_passed_over(copy: Path, finished: Path) -> None:
    change(
        copy,
        "CREATE TABLE curvatures (step INTEGER, name TEXT); ALTER TABLE run ADD COLUMN watched TEXT;"
        "ALTER TABLE steps ADD COLUMN memory INTEGER; ALTER TABLE phases ADD COLUMN calls INTEGER",
    )
    with Reader(copy) as late, Reader(finished) as plain:
        assert late.info.recipe == plain.info.recipe
        assert late.steps().step == plain.steps().step
        assert late.phases() == plain.phases()


@pytest.mark.parametrize("keep", [16, 50, 100, 512, 4096, 10_000, -1])
def test_a_record_that_was_cut(copy: Path, keep: int) -> None:
    path = copy / "record.sqlite"
    path.write_bytes(path.read_bytes()[:keep])
    lines = message(copy)
    assert lines[0].startswith("the record is damaged or cut short (")
    assert lines[1:] == [f"  where: {path}", "  help: it cannot be repaired; if there is a copy, open that"]


def test_a_table_that_is_missing(copy: Path) -> None:
    change(copy, "DROP TABLE norms; DROP TABLE epochs")
    assert message(copy)[0] == "the record is damaged or cut short (it has no table norms, epochs)"


def test_a_query_in_the_place_of_a_table(copy: Path) -> None:
    change(copy, "DROP TABLE sources; CREATE VIEW sources AS SELECT 'a' AS file, 'b' AS text")
    assert message(copy)[0] == "the record is damaged or cut short (it has no table sources)"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE run SET recipe = '[1]'",
        "UPDATE run SET recipe = '{'",
        "UPDATE run SET started = 'yesterday'",
        "UPDATE run SET parameters = '[[1]]'",
        "UPDATE run SET seed = 'seven'",
        f"UPDATE run SET report = '{'[' * 100_000}'",
        "UPDATE run SET report = CAST(x'ff' AS TEXT)",
    ],
)
def test_values_that_make_no_sense(copy: Path, statement: str) -> None:
    change(copy, statement)
    with Reader(copy) as reader, pytest.raises(RecordError, match="the record is damaged or cut short"):
        _ = reader.info


@pytest.mark.parametrize(
    ("statement", "method"),
    [
        ("UPDATE steps SET loss = 'low'", "steps"),
        ("UPDATE epochs SET metrics = '{\"test\": 3}'", "epochs"),
        ("UPDATE norms SET value = x'00'", "norms"),
        ("UPDATE phases SET seconds = 'long'", "phases"),
        ("UPDATE messages SET time = ''", "messages"),
        ("UPDATE snapshots SET bytes = 'many'", "snapshots"),
    ],
)
def test_rows_that_make_no_sense(copy: Path, statement: str, method: str) -> None:
    change(copy, statement)
    with Reader(copy) as reader, pytest.raises(RecordError, match="the record is damaged or cut short"):
        getattr(reader, method)()


def test_a_record_that_another_program_holds(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("descend.record.opening._PATIENCE_WITH_OTHERS", 0.0)
    with closing(sqlite3.connect(copy / "record.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert message(copy) == [
            "another program holds the record locked",
            f"  where: {copy / 'record.sqlite'}",
            "  help: close it there and try again",
        ]


def test_a_run_that_has_not_said_anything_yet(tmp_path: Path) -> None:
    with Writer(tmp_path), Reader(tmp_path) as reader:
        info = reader.info
        assert (info.name, info.status, info.kind, info.report) == (tmp_path.name, "running", "", None)
        assert info.started is not None
    with Reader(tmp_path) as reader:  # closed without a last word
        assert reader.info.status == "died"


def test_a_run_on_another_machine_is_taken_to_be_running(copy: Path) -> None:
    change(copy, "UPDATE run SET ended = NULL, status = NULL; INSERT INTO meta VALUES ('process', '1@elsewhere')")
    with Reader(copy) as reader:
        assert reader.status == "running"


def test_reading_changes_nothing(finished: Path) -> None:
    before = (finished / "record.sqlite").read_bytes()
    with Reader(finished) as reader:
        reader.steps()
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader._connection.execute("DELETE FROM steps")
    assert (finished / "record.sqlite").read_bytes() == before
    assert sorted(path.name for path in finished.iterdir()) == ["record.sqlite", "tensors"]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 2**20), st.binary(min_size=1, max_size=64)), min_size=1, max_size=6), st.data()
)
def test_random_damage_never_shows_a_bare_error(
    finished: Path, tmp_path: Path, wounds: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    whole = (finished / "record.sqlite").read_bytes()
    damaged = bytearray(whole)
    for place, wound in wounds:
        start = place % len(damaged)
        damaged[start : start + len(wound)] = wound
    length = data.draw(st.integers(0, len(damaged)) | st.just(len(damaged)))
    path = tmp_path / "record.sqlite"
    path.write_bytes(damaged[:length])
    methods = ("steps", "phases", "norms", "epochs", "snapshots", "messages", "sources")
    try:
        with Reader(path) as reader:
            assert reader.info.name == tmp_path.name
            for method in methods:
                getattr(reader, method)()
    except RecordError as error:
        assert error.where == str(path)
