"""Files that are there whole or not at all."""

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from descend.errors import StorageError

_CHUNK = 1 << 20

_HELP: Mapping[int, str] = MappingProxyType(
    {
        errno.ENOSPC: "free some space there, or choose another folder with --runs DIR",
        errno.EDQUOT: "your quota on that disk is used up: free some space, or choose another folder with --runs DIR",
        errno.EFBIG: "a limit on file sizes is in force there (ulimit -f): raise it, or choose another folder with --runs DIR",
        errno.EROFS: "that disk can only be read: choose another folder with --runs DIR",
        errno.EACCES: "you may not write there: change the folder's permissions, or choose another with --runs DIR",
        errno.EPERM: "you may not write there: change the folder's permissions, or choose another with --runs DIR",
        errno.ENOENT: "the folder does not exist: create it first",
        errno.ENOTDIR: "a part of that path is a file, not a folder: choose another path",
        errno.EISDIR: "that is a folder: give the name of a file",
        errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
    }
)
_HELP_OTHERWISE = "check the disk, or choose another folder with --runs DIR"


def help_for(error: OSError) -> str:
    """What to do about a file that could not be written, in one line."""
    return _HELP.get(error.errno or 0, _HELP_OTHERWISE)


def reason_of(error: OSError) -> str:
    """The system's own words for ``error``, without the number and the path."""
    return (error.strerror or str(error)).lower()


def storage_error(path: str | os.PathLike[str], error: OSError) -> StorageError:
    """``error``, met while writing ``path``, as a :class:`StorageError` that says what to do."""
    return StorageError(f"cannot write {Path(path).name}: {reason_of(error)}", where=str(path), help=help_for(error))


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to ``path`` so that a reader finds the old file or the new one, never a part of either.

    The bytes go to a temporary name in the same folder, are flushed and synced to the disk, and renamed. When that fails the
    temporary file is removed and what stood at ``path`` is untouched.

    Raises :class:`descend.errors.StorageError` when the disk is full, read-only or refuses for another reason.
    """
    path = Path(path)
    # Not derived from the whole name: a name of 255 bytes is valid, and one with a suffix added to it is not.
    temporary = path.with_name(f".{path.name[:32]}.{secrets.token_hex(6)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        _remove(temporary)
        raise storage_error(path, error) from error
    except BaseException:
        _remove(temporary)
        raise
    sync_folder(path.parent)


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Make a rename inside ``folder`` last through a power failure, where the system can (Windows cannot open folders)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of the file's bytes in hexadecimal; read in pieces, so of any size. Raises ``OSError`` as ``open`` does."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
