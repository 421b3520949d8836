"""The writer: what it is told is in the file, soon, in order, whatever happens to the process or the disk."""

import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descend.errors import RecordError, StorageError
from descend.record.events import (
    EpochDone,
    Event,
    Message,
    ParameterNorms,
    PhaseTimes,
    RunEnded,
    RunStarted,
    Snapshot,
    StepsDone,
)
from descend.record.reader import Reader
from descend.record.writer import Writer

STARTED = RunStarted(
    name="scores-1",
    kind="train",
    title="5 rows: hours → score",
    recipe={"lr": 0.01, "epochs": 2000},
    choices=({"key": "gradients", "value": "by-hand", "reason": "covered", "by": "chosen"},),
    environment={"torch": "2.13.0", "threads": 1},
    seed=42,
    parameters=(("w", (1, 1)), ("b", (1,))),
    epochs=2000,
    steps_per_epoch=1,
    sources={"step.py": "loss = …\n"},
)


def steps(first: int, losses: list[float], epoch: int = 1) -> StepsDone:
    n = len(losses)
    return StepsDone(first, epoch, losses, [0.01] * n, [0.001] * n, [64] * n)


def ask(folder: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(folder / "record.sqlite")) as connection:
        return connection.execute(query).fetchall()


def record(folder: Path, *events: Event) -> Writer:
    with Writer(folder) as writer:
        for event in events:
            writer(event)
    return writer


def test_every_event_is_found_in_its_table(tmp_path: Path) -> None:
    writer = record(
        tmp_path,
        STARTED,
        EpochDone(0, 0, 0.0, {"test": {"loss": 2.3}}),
        steps(1, [3.0, 2.0]),
        PhaseTimes(1, {"data": 0.1, "zero": 0.2}, {"data": ("step.py", 3)}),
        ParameterNorms(1, (("w", 1.0, 2.0, 3.0), ("b", 4.0, 5.0, 6.0))),
        Snapshot(1, 1, {"loss": torch.tensor(3.0)}, note="rows 0–9"),
        Message(2, "pause", "stopped to look"),
        EpochDone(1, 2, 0.25, {"train": {"loss": 2.5}}),
        RunEnded("finished", {"run": "scores-1", "test": None}),
    )
    assert writer.failure is None
    [run] = ask(tmp_path, "SELECT name, kind, title, seed, epochs, steps_per_epoch, status FROM run")
    assert run == ("scores-1", "train", "5 rows: hours → score", "42", 2000, 1, "finished")
    [texts] = ask(tmp_path, "SELECT recipe, choices, environment, parameters, report FROM run")
    assert [json.loads(text) for text in texts] == [
        {"lr": 0.01, "epochs": 2000},
        [{"key": "gradients", "value": "by-hand", "reason": "covered", "by": "chosen"}],
        {"torch": "2.13.0", "threads": 1},
        [["w", [1, 1]], ["b", [1]]],
        {"run": "scores-1", "test": None},
    ]
    assert ask(tmp_path, "SELECT * FROM steps") == [(1, 1, 3.0, 0.01, 0.001, 64), (2, 1, 2.0, 0.01, 0.001, 64)]
    assert ask(tmp_path, "SELECT * FROM phases") == [(1, "data", 0.1, "step.py", 3), (1, "zero", 0.2, None, None)]
    assert sorted(ask(tmp_path, "SELECT * FROM norms")) == [(1, "b", 4.0, 5.0, 6.0), (1, "w", 1.0, 2.0, 3.0)]
    assert ask(tmp_path, "SELECT * FROM epochs") == [
        (0, 0, 0.0, '{"test":{"loss":2.3}}'),
        (1, 2, 0.25, '{"train":{"loss":2.5}}'),
    ]
    assert ask(tmp_path, "SELECT step, epoch, file, note FROM snapshots") == [
        (1, 1, "tensors/step-1.safetensors", "rows 0–9")
    ]
    assert ask(tmp_path, "SELECT step, kind, text FROM messages") == [(2, "pause", "stopped to look")]
    assert ask(tmp_path, "SELECT * FROM sources") == [("step.py", "loss = …\n")]


def test_a_closed_record_is_one_file_and_its_snapshots(tmp_path: Path) -> None:
    record(tmp_path, STARTED, Snapshot(3, 1, {"loss": torch.tensor(1.0)}), RunEnded("finished", {}))
    files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["record.sqlite", "tensors/step-3.safetensors"]
    assert ask(tmp_path, "PRAGMA journal_mode") == [("delete",)]
    assert ask(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    assert ask(tmp_path, "SELECT key, value FROM meta WHERE key <> 'created'") == [
        ("format", "descend record"),
        ("schema_version", "1"),
    ]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(width=64)))
def test_any_loss_survives_also_what_is_no_number(
    tmp_path_factory: pytest.TempPathFactory, losses: list[float]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    record(folder, STARTED, steps(1, losses))
    with Reader(folder) as reader:
        read = reader.steps()
    assert read.step == list(range(1, len(losses) + 1))
    assert [None if math.isnan(loss) else loss for loss in read.loss] == [
        None if math.isnan(loss) else loss for loss in losses
    ]


def test_a_step_that_is_done_again_replaces_the_first(tmp_path: Path) -> None:
    record(tmp_path, STARTED, steps(1, [3.0, 2.0]), steps(2, [2.5, 1.0]))
    assert ask(tmp_path, "SELECT step, loss FROM steps") == [(1, 3.0), (2, 2.5), (3, 1.0)]


def test_a_seed_of_64_bits_is_kept(tmp_path: Path) -> None:
    started = RunStarted("a", "train", "", {}, (), {}, 2**64 - 1, (), None, None)
    record(tmp_path, started)
    with Reader(tmp_path) as reader:
        assert reader.info.seed == 2**64 - 1


def test_200_000_steps_take_less_than_ten_megabytes(tmp_path: Path) -> None:
    losses = [2.3 / (1 + number / 7) for number in range(1000)]
    rates = [1e-3 * (1 - number / 1000) for number in range(1000)]
    seconds = [1e-4 + number * 1e-9 for number in range(1000)]
    with Writer(tmp_path) as writer:
        writer(STARTED)
        for block in range(200):
            writer(StepsDone(block * 1000 + 1, block, losses, rates, seconds, [64] * 1000))
    assert ask(tmp_path, "SELECT count(*) FROM steps") == [(200_000,)]
    assert (tmp_path / "record.sqlite").stat().st_size < 10_000_000


def test_a_folder_that_holds_a_record_is_refused(tmp_path: Path) -> None:
    record(tmp_path, STARTED)
    before = (tmp_path / "record.sqlite").read_bytes()
    with pytest.raises(RecordError) as caught:
        Writer(tmp_path)
    assert str(caught.value).splitlines() == [
        "this folder already holds a record",
        f"  where: {tmp_path / 'record.sqlite'}",
        "  help: record every run in a new folder",
    ]
    assert (tmp_path / "record.sqlite").read_bytes() == before


def test_a_folder_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="the record could not be written: it cannot be opened"):
        Writer(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_a_program_may_change_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    with Writer("run") as writer:
        monkeypatch.chdir(tmp_path / "other")
        writer(STARTED)
        writer(Snapshot(1, 1, {"loss": torch.tensor(1.0)}))
    assert writer.failure is None
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["record.sqlite", "tensors"]


def test_closing_twice_and_calling_after_it_do_nothing(tmp_path: Path) -> None:
    writer = record(tmp_path, STARTED)
    writer.close()
    writer(steps(1, [1.0]))
    writer.flush()
    assert ask(tmp_path, "SELECT count(*) FROM steps") == [(0,)]


def test_many_threads_may_emit(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:

        def emit(part: int) -> None:
            for number in range(1, 101):
                writer(steps(part * 100 + number, [1.0]))

        threads = [threading.Thread(target=emit, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert ask(tmp_path, "SELECT count(*), min(step), max(step) FROM steps") == [(400, 1, 400)]


def test_events_of_several_threads_are_written_in_the_order_they_arrived(tmp_path: Path) -> None:
    arrived: list[str] = []
    turn = threading.Lock()
    with Writer(tmp_path) as writer:

        def emit(part: int) -> None:
            for number in range(100):
                with turn:  # so that the order is known; the writer itself needs no lock
                    arrived.append(f"{part} {number}")
                    writer(Message(number, "note", arrived[-1]))

        threads = [threading.Thread(target=emit, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [text for (text,) in ask(tmp_path, "SELECT text FROM messages ORDER BY id")] == arrived


def test_threads_may_flush_and_close_while_others_emit(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    emitted = threading.Event()

    def emit() -> None:
        for number in range(1, 2001):
            writer(steps(number, [1.0]))
            if number == 100:
                emitted.set()

    threads = [threading.Thread(target=emit)]
    threads[0].start()
    emitted.wait()
    threads += [threading.Thread(target=action) for action in (writer.flush, writer.close, writer.close, writer.flush)]
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.failure is None
    [(count, last)] = ask(tmp_path, "SELECT count(*), max(step) FROM steps")
    assert count == last >= 100


def test_messages_keep_their_order(tmp_path: Path) -> None:
    record(tmp_path, STARTED, *(Message(0, "note", str(number)) for number in range(500)))
    with Reader(tmp_path) as reader:
        assert [message.text for message in reader.messages()] == [str(number) for number in range(500)]


def test_a_reader_sees_the_newest_steps_while_they_are_written(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer, Reader(tmp_path) as early:
        assert len(early.steps()) == 0
        writer(STARTED)
        writer(steps(1, [3.0, 2.0]))
        writer.flush()
        assert early.steps().loss == [3.0, 2.0]
        assert early.status == "running"
        with Reader(tmp_path) as late:
            writer(steps(3, [1.0]))
            writer.flush()
            assert late.steps(after=2).step == early.steps(after=2).step == [3]
        writer(RunEnded("finished", {}))
    assert early.folder == tmp_path
    with Reader(tmp_path) as reader:
        assert reader.status == "finished"


def test_without_a_flush_the_steps_are_there_soon(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer, Reader(tmp_path) as reader:
        writer(STARTED)
        writer(steps(1, [3.0]))
        give_up = time.monotonic() + 60
        while len(reader.steps()) == 0 and time.monotonic() < give_up:
            time.sleep(0.05)
        assert reader.steps().loss == [3.0]


def test_a_reader_that_stays_open_does_not_keep_the_writer_from_ending(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    with Reader(tmp_path) as reader:
        writer(STARTED)
        writer(steps(1, [3.0]))
        writer(RunEnded("finished", {}))
        writer.close()
        assert writer.failure is None
        assert reader.status == "finished"
        assert reader.steps().loss == [3.0]
    with Reader(tmp_path) as reader:
        assert reader.steps().loss == [3.0]


def test_a_caller_never_waits_for_a_record_that_another_program_holds(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        writer(STARTED)
        writer.flush()
        with closing(sqlite3.connect(tmp_path / "record.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for number in range(1, 101):
                writer(steps(number, [1.0]))  # would never come back if it waited: the lock is let go below
            other.execute("ROLLBACK")
        writer.flush()
        assert writer.failure is None
        assert ask(tmp_path, "SELECT count(*) FROM steps") == [(100,)]


@pytest.fixture
def killed(tmp_path: Path) -> tuple[Path, int]:
    """A run killed by signal 9 while it emitted a step a millisecond, and the steps it had done a second earlier."""
    code = """
        import sys, time
        from pathlib import Path
        from descend.record.events import RunStarted, StepsDone
        from descend.record.writer import Writer
        writer = Writer(Path(sys.argv[1]))
        writer(RunStarted("a", "train", "", {}, (), {}, 0, (), None, None))
        for step in range(1, 1_000_000):
            writer(StepsDone(step, 1, [float(step)], [0.1], [0.001], [64]))
            print(step, flush=True)
            time.sleep(0.001)
        """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    done: list[tuple[float, int]] = []
    for line in process.stdout:
        done.append((time.monotonic(), int(line)))
        if done[-1][0] - done[0][0] > 2:
            break
    process.send_signal(signal.SIGKILL)
    end = time.monotonic()
    process.stdout.close()
    process.wait()
    return tmp_path, max(step for moment, step in done if moment < end - 1)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no signal 9")
def test_a_killed_process_loses_at_most_a_second(killed: tuple[Path, int]) -> None:
    folder, step_a_second_before = killed
    with Reader(folder) as reader:
        read = reader.steps()
        assert reader.status == "died"
        assert reader.info.ended is None
    assert read.loss == [float(step) for step in read.step] == [float(n) for n in range(1, len(read) + 1)]
    assert len(read) >= step_a_second_before
    assert ask(folder, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system has no signal 9")
def test_what_a_killed_run_left_opens_on_a_disk_that_can_only_be_read(
    killed: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = killed
    ask(folder, "PRAGMA wal_checkpoint(TRUNCATE)")  # as when only record.sqlite was copied to such a disk
    for name in ("record.sqlite-wal", "record.sqlite-shm"):
        (folder / name).unlink(missing_ok=True)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with Reader(folder) as reader:
        assert reader.status == "died"
        assert len(reader.steps()) > 0
    assert [path.name for path in folder.iterdir()] == ["record.sqlite"]


def test_a_process_that_forgets_to_close_loses_nothing(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from descend.record.events import RunStarted, StepsDone
        from descend.record.writer import Writer
        writer = Writer(Path(sys.argv[1]))
        writer(RunStarted("a", "train", "", {}, (), {}, 0, (), None, None))
        writer(StepsDone(1, 1, [1.0, 2.0], [0.1, 0.1], [0.0, 0.0], [1, 1]))
        raise SystemExit(3)
        """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], check=False)
    assert done.returncode == 3
    assert [path.name for path in tmp_path.iterdir()] == ["record.sqlite"]
    assert ask(tmp_path, "SELECT count(*) FROM steps") == [(2,)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_a_forked_child_that_ends_leaves_the_record_to_its_parent(tmp_path: Path) -> None:
    code = """
        import os, sys
        from pathlib import Path
        from descend.record.events import RunStarted, StepsDone
        from descend.record.writer import Writer
        writer = Writer(Path(sys.argv[1]))
        writer(RunStarted("a", "train", "", {}, (), {}, 0, (), None, None))
        writer.flush()
        writer(StepsDone(1, 1, [1.0], [0.1], [0.0], [1]))
        child = os.fork()
        if child == 0:
            waiting = writer._queue.qsize()
            writer(StepsDone(3, 1, [3.0], [0.1], [0.0], [1]))
            writer.flush()
            if writer._queue.qsize() != waiting:
                os._exit(1)  # it would grow for as long as the child lives
            sys.exit()  # runs everything that is registered for the end of a process
        assert os.waitpid(child, 0)[1] == 0
        writer(StepsDone(2, 1, [2.0], [0.1], [0.0], [1]))
        writer.close()
        assert writer.failure is None
        """
    subprocess.run([sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), str(tmp_path)], check=True)
    assert ask(tmp_path, "SELECT step, loss FROM steps") == [(1, 1.0), (2, 2.0)]
    assert ask(tmp_path, "PRAGMA integrity_check") == [("ok",)]


def in_limited_process(folder: Path, code: str) -> list[str]:
    """What ``code`` prints where no file may grow beyond 200,000 bytes: a full disk that any user can make."""
    pytest.importorskip("resource")
    head = """
        import resource, sys
        from pathlib import Path
        import torch
        from descend.record.events import RunStarted, Snapshot, StepsDone
        from descend.record.writer import Writer
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        writer = Writer(Path(sys.argv[1]))
        writer(RunStarted("a", "train", "", {}, (), {}, 0, (), None, None))
        writer(StepsDone(1, 1, [1.0], [0.1], [0.0], [1]))
        writer.flush()
        assert writer.failure is None
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(head) + textwrap.dedent(code), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_full_disk_is_a_failure_that_the_caller_may_raise_and_nothing_more(tmp_path: Path) -> None:
    said = in_limited_process(
        tmp_path,
        """
        for block in range(200):
            writer(StepsDone(block * 1000 + 2, 1, [0.5] * 1000, [0.1] * 1000, [0.0] * 1000, [1] * 1000))
        writer.flush()
        writer(StepsDone(900_000, 1, [0.5], [0.1], [0.0], [1]))
        writer.close()
        print(writer.failure)
        """,
    )
    assert said[0].startswith("the record could not be written: the disk ")  # SQLite's reason differs between systems
    assert said[1:] == [
        f"  where: {tmp_path / 'record.sqlite'}",
        "  help: free some space, or choose another folder with --runs DIR; what was recorded until then is kept",
    ]
    with Reader(tmp_path) as reader:
        assert reader.steps().loss[:1] == [1.0]
        assert 900_000 not in reader.steps().step
        assert reader.status == "died"
    assert ask(tmp_path, "PRAGMA integrity_check") == [("ok",)]


def test_a_snapshot_that_does_not_fit_leaves_no_part_of_it(tmp_path: Path) -> None:
    said = in_limited_process(
        tmp_path,
        """
        writer(Snapshot(2, 1, {"batch.x": torch.zeros(100_000)}))
        writer.close()
        print(writer.failure.what)
        """,
    )
    assert said == ["cannot write step-2.safetensors: file too large"]
    assert list((tmp_path / "tensors").iterdir()) == []
    with Reader(tmp_path) as reader:
        assert reader.snapshots() == []
        assert reader.steps().loss == [1.0]


def test_a_disk_that_is_full_from_the_start_leaves_nothing(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    code = """
        import resource, sys
        from pathlib import Path
        from descend.errors import StorageError
        from descend.record.writer import Writer
        resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
        try:
            Writer(Path(sys.argv[1]))
        except StorageError as error:
            print(error.what)
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.startswith("the record could not be written: the disk ")
    assert list(tmp_path.iterdir()) == []


def test_an_event_that_cannot_be_written_is_a_failure_too(tmp_path: Path) -> None:
    writer = record(tmp_path, STARTED, EpochDone(1, 1, 0.0, {"test": {"loss": 1j}}))  # type: ignore[dict-item]
    assert writer.failure is not None
    assert writer.failure.what == "the record could not be written: TypeError: complex is not a JSON value: 1j"
    assert writer.failure.help == "this is a fault in descend: please report it with these lines"


def test_many_steps_of_several_epochs_are_written_with_the_epoch_of_each(tmp_path: Path) -> None:
    many = range(1, 1001)
    losses, epochs = [1.0 / number for number in many], [number // 7 for number in many]
    told = StepsDone(1, epochs[-1], losses, [0.1] * 1000, [0.01] * 1000, [64] * 1000, epochs)
    assert record(tmp_path, STARTED, told).failure is None
    found = ask(tmp_path, "SELECT step, epoch, loss, rate, seconds, rows FROM steps ORDER BY step")
    assert found == [(number, epochs[number - 1], 1.0 / number, 0.1, 0.01, 64) for number in many]


def test_steps_with_lists_of_different_lengths_are_refused_whole(tmp_path: Path) -> None:
    writer = record(tmp_path, STARTED, StepsDone(1, 1, [1.0, 2.0], [0.1], [0.0, 0.0], [1, 1]))
    assert writer.failure is not None
    assert "zip() argument 4 is shorter" in writer.failure.what
    assert ask(tmp_path, "SELECT count(*) FROM steps") == [(0,)]


def test_a_snapshot_over_the_limit_says_what_is_missing(tmp_path: Path) -> None:
    tensors = {"loss": torch.tensor(1.0), "batch.x": torch.zeros(4_000_001)}
    record(tmp_path, STARTED, Snapshot(1, 1, tensors, note="rows 0–9 of 60,000"))
    assert ask(tmp_path, "SELECT note FROM snapshots") == [
        ("rows 0–9 of 60,000; left out to stay under 16 MB: batch.x (16 MB)",)
    ]


def test_nothing_here_imports_torch() -> None:
    code = (
        "import sys; from descend.record import files, reader, runs, schema, tensors, writer;"
        " print(*sorted({'torch', 'numpy', 'safetensors'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")
