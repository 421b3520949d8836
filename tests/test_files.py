"""Whole files or none: record/files.py."""

import errno
import hashlib
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descend.errors import StorageError
from descend.record.files import sha256, storage_error, write_atomically


def in_limited_process(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` where no file may grow beyond 100,000 bytes: a full disk that any user can make."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    return subprocess.run(
        [sys.executable, "-c", limit + textwrap.dedent(code), *arguments], capture_output=True, text=True, check=False
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=st.none() | st.binary(), data=st.binary())
def test_what_is_written_is_what_is_read_and_nothing_else_is_left(
    tmp_path: Path, old: bytes | None, data: bytes
) -> None:
    path = tmp_path / "file.bin"
    path.unlink(missing_ok=True)
    if old is not None:
        path.write_bytes(old)
    write_atomically(path, data)
    assert path.read_bytes() == data
    assert sha256(path) == hashlib.sha256(data).hexdigest()
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.bin"]


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_atomically(tmp_path / "atomic", b"")
    assert stat.S_IMODE((tmp_path / "atomic").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_the_longest_name_a_folder_takes_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 127)
    write_atomically(path, b"long")
    assert path.read_bytes() == b"long"


def test_sha256_of_a_file_of_several_pieces(tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000
    (tmp_path / "large").write_bytes(data)
    assert sha256(tmp_path / "large") == hashlib.sha256(data).hexdigest()


def test_a_full_disk_leaves_the_old_file_and_says_what_to_do(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")
    done = in_limited_process(
        """
        import sys
        from descend.errors import StorageError
        from descend.record.files import write_atomically
        try:
            write_atomically(sys.argv[1], bytes(1_000_000))
        except StorageError as error:
            print(error)
        """,
        str(path),
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "cannot write model.safetensors: file too large",
        f"  where: {path}",
        "  help: a limit on file sizes is in force there (ulimit -f): raise it, or choose another folder with --runs DIR",
    ]
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.safetensors"]


def test_an_interruption_while_writing_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as caught:
        write_atomically(tmp_path / "none" / "file", b"")
    assert str(caught.value).splitlines() == [
        "cannot write file: no such file or directory",
        f"  where: {tmp_path / 'none' / 'file'}",
        "  help: the folder does not exist: create it first",
    ]


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot write folder: is a directory"):
        (tmp_path / "folder").mkdir()
        write_atomically(tmp_path / "folder", b"")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space there, or choose another folder with --runs DIR"),
        (errno.EROFS, "that disk can only be read: choose another folder with --runs DIR"),
        (errno.EACCES, "you may not write there: change the folder's permissions, or choose another with --runs DIR"),
        (errno.EIO, "check the disk, or choose another folder with --runs DIR"),
    ],
)
def test_every_reason_has_its_remedy(number: int, remedy: str) -> None:
    error = storage_error("runs/a/record.sqlite", OSError(number, os.strerror(number)))
    assert error.what == f"cannot write record.sqlite: {os.strerror(number).lower()}"
    assert error.where == "runs/a/record.sqlite"
    assert error.help == remedy
    assert error.exit_status == 1
