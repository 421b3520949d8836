"""Which process writes a record, and whether it still lives: how a killed run is told from a running one."""

import hashlib
import os
import socket

KEY = "process"  # in the table meta, while a process writes the record


def mark() -> str:
    """Name this process on this machine. The machine's name is hashed: a record may be given to strangers."""
    return f"{os.getpid()}@{_machine()}"


def may_live(written: str) -> bool:
    """Whether the process that left this :func:`mark` may still be there; on another machine it may."""
    number, _, machine = written.partition("@")
    if machine != _machine() or not number.isdecimal() or os.name == "nt":  # Windows would end the process we ask about
        return True
    try:
        os.kill(int(number), 0)
    except PermissionError:
        return True  # it is there and belongs to somebody else
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode("utf-8", "surrogateescape")).hexdigest()[:16]
