"""Where a new run goes, and which run a person means."""

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descend.errors import RecordError, UsageError
from descend.record import runs
from descend.record.events import RunEnded, RunStarted
from descend.record.runs import find_run, list_runs, new_run_folder, runs_folder
from descend.record.writer import Writer


def record(folder: Path, status: str | None = "finished") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with Writer(folder) as writer:
        writer(RunStarted(folder.name, "train", f"title of {folder.name}", {}, (), {}, 0, (), None, None))
        if status is not None:
            writer(RunEnded(status, {}))
    return folder


def test_where_runs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESCEND_RUNS", raising=False)
    assert runs_folder() == Path("runs")
    monkeypatch.setenv("DESCEND_RUNS", "~/kept")
    assert runs_folder(None) == Path.home() / "kept"
    assert runs_folder("here") == Path("here")


def test_numbers_go_up_and_are_not_used_again(tmp_path: Path) -> None:
    base = tmp_path / "a" / "runs"
    assert [new_run_folder(base, None, "mnist").name for _ in range(3)] == ["mnist-1", "mnist-2", "mnist-3"]
    (base / "mnist-1").rmdir()
    (base / "mnist-softmax-9").mkdir()
    assert new_run_folder(base, None, "mnist") == base / "mnist-4"
    assert list((base / "mnist-4").iterdir()) == []


def test_a_name_is_used_as_it_is(tmp_path: Path) -> None:
    for name in ("a", "first try".replace(" ", "_"), "lr-0.01", "Übung-2", "x" * 100):
        assert new_run_folder(tmp_path, name, "mnist") == tmp_path / name


def test_a_name_that_exists(tmp_path: Path) -> None:
    new_run_folder(tmp_path, "baseline", "mnist")
    with pytest.raises(RecordError) as caught:
        new_run_folder(tmp_path, "baseline", "mnist")
    assert str(caught.value).splitlines() == [
        "a run called 'baseline' exists already",
        f"  where: {tmp_path / 'baseline'}",
        "  help: choose another --name, or leave it out to get the next number",
    ]
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a\\b", "/tmp/x", "-x", ".x", "x.", "a b", "a\0b", "a\n", "C:", "x" * 101, "ü" * 51]
)
def test_a_name_that_no_folder_should_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordError) as caught:
        new_run_folder(tmp_path / "runs", name, "mnist")
    assert caught.value.what.endswith("' cannot be the name of a run")
    assert caught.value.help == (
        "use letters, digits, '-', '_' and '.', beginning and ending with a letter or digit, 100 bytes at most; --runs"
        " DIR chooses the folder"
    )
    assert list(tmp_path.iterdir()) == []


def test_last_is_no_name(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="a run cannot be called 'last': that stands for the newest run"):
        new_run_folder(tmp_path, "last", "mnist")


@given(st.text(max_size=40))
def test_any_stem_gives_a_name_that_is_allowed(stem: str) -> None:
    name = f"{runs._as_name(stem)}-1"
    runs._check_name(name)
    assert Path(name).name == name


def test_two_at_the_same_moment_get_two_folders(tmp_path: Path) -> None:
    base = tmp_path / "runs"
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: new_run_folder(base, None, "mnist"), range(40)))
    assert sorted(folder.name for folder in folders) == sorted(f"mnist-{number}" for number in range(1, 41))


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    code = (
        "import resource, sys\n"
        "from descend.errors import UsageError\n"
        "from descend.record.runs import new_run_folder\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    new_run_folder(sys.argv[1], None, 'mnist')\n"
        "except UsageError as error:\n"
        "    print(error); sys.exit(error.exit_status)\n"
    )
    base = tmp_path / "a" / "runs"
    done = subprocess.run([sys.executable, "-c", code, str(base)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.splitlines()[:2] == [
        "the folder for the run cannot be made or written to: file too large",
        f"  where: {base / 'mnist-1'}",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_can_only_be_read_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = Path.mkdir

    def refuse(path: Path, *arguments: object, **options: object) -> None:
        if path.name == "mnist-1":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        make(path)

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UsageError) as caught:
        new_run_folder(tmp_path / "runs", None, "mnist")
    assert str(caught.value).splitlines() == [
        "the folder for the run cannot be made or written to: read-only file system",
        f"  where: {tmp_path / 'runs'}",
        "  help: that disk can only be read: choose another folder with --runs DIR",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_runs_should_be(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("mine")
    for base in (tmp_path / "runs", tmp_path / "runs" / "deeper"):
        with pytest.raises(UsageError, match="cannot be made or written to: not a directory"):
            new_run_folder(base, None, "mnist")
    assert (tmp_path / "runs").read_text() == "mine"


def test_a_run_is_found_by_its_name_its_path_and_its_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = record(tmp_path / "runs" / "mnist-1")
    other = record(tmp_path / "elsewhere")
    base = tmp_path / "runs"
    for text in ("mnist-1", str(folder), str(folder / "record.sqlite"), "mnist-1/record.sqlite"):
        assert find_run(text, base) == folder
    assert find_run(str(other), base) == other
    monkeypatch.chdir(tmp_path)
    assert find_run("elsewhere", base) == Path("elsewhere")
    monkeypatch.chdir(folder)
    assert find_run(".", base).resolve() == folder


def test_last_is_the_newest_that_can_be_read(tmp_path: Path) -> None:
    for name in ("b", "c", "a"):
        record(tmp_path / name)
    assert find_run("last", tmp_path) == tmp_path / "a"
    (tmp_path / "a" / "record.sqlite").write_bytes(b"broken")
    assert find_run("last", tmp_path) == tmp_path / "c"


def test_a_run_that_is_not_there(tmp_path: Path) -> None:
    record(tmp_path / "mnist-1")
    with pytest.raises(RecordError) as caught:
        find_run("minst-1", tmp_path)
    assert str(caught.value).splitlines() == [
        "there is no run 'minst-1' (did you mean 'mnist-1'?)",
        f"  where: {tmp_path}",
        "  help: descend runs lists them",
    ]


@pytest.mark.parametrize("text", ["", "a\0b", "x" * 5000, "no/such/run"])
def test_odd_names_are_not_found_either(tmp_path: Path, text: str) -> None:
    with pytest.raises(RecordError, match="there is no run"):
        find_run(text, tmp_path)


def test_no_runs_at_all(tmp_path: Path) -> None:
    with pytest.raises(RecordError) as caught:
        find_run("last", tmp_path / "runs")
    assert str(caught.value).splitlines() == [
        "there is no run yet",
        f"  where: {tmp_path / 'runs'}",
        "  help: descend train mnist makes one; runs elsewhere are found with --runs DIR or the variable DESCEND_RUNS",
    ]


def test_a_folder_without_a_record(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    with pytest.raises(RecordError, match="'notes' is a folder, but there is no record of a run in it"):
        find_run("notes", tmp_path)


def test_the_list_has_the_newest_first_and_the_damaged_too(tmp_path: Path) -> None:
    for name, status in (("first", "finished"), ("second", "diverged"), ("third", None)):
        record(tmp_path / name, status)
    (tmp_path / "notes").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "record.sqlite").write_bytes(b"SQLite format 3\0 and nothing more")
    listed = list_runs(tmp_path)
    assert [(run.name, run.status) for run in listed] == [
        ("third", "died"),
        ("second", "diverged"),
        ("first", "finished"),
        ("broken", "damaged"),
    ]
    assert listed[0].title == "title of third"
    assert listed[-1].damage.startswith("the record is damaged or cut short")
    assert [run.path for run in listed] == [tmp_path / run.name for run in listed]


def test_a_folder_of_runs_that_is_not_there_is_an_empty_list(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "runs") == []


def test_a_folder_of_runs_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(RecordError, match="the folder of runs cannot be read: not a directory"):
        list_runs(tmp_path / "runs")
