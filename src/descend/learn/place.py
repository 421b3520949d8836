"""Where a reader left a lesson: one small JSON file for each person."""

import hashlib
import json
import os
import sys
from pathlib import Path

from descend.learn.lesson import Lesson
from descend.record.files import storage_error, write_atomically

_NAME = "lessons.json"


def default_file() -> Path:
    """In the folder where the system has programs keep such things."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    else:
        base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "descend" / _NAME


class Places:
    """The part at which each lesson was left. ``said`` holds what could not be read, in a sentence; empty when all is well."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or default_file()
        self.said = ""
        self._left = self._read()

    def of(self, lesson: Lesson) -> int:
        """The index of the part to go on with; 0 where the lesson is new, or no longer the same text."""
        entry = self._left.get(lesson.name)
        if not isinstance(entry, dict) or entry.get("text") != _fingerprint(lesson):
            return 0
        part = entry.get("part")
        return part if isinstance(part, int) and 0 < part < len(lesson.parts) else 0

    def keep(self, lesson: Lesson, part: int) -> None:
        """Note that the reader is at this part. Raises StorageError where nothing can be written."""
        self._left[lesson.name] = {"part": part, "text": _fingerprint(lesson)}
        self._write()

    def forget(self, lesson: Lesson) -> None:
        """The lesson begins at its beginning next time. Raises StorageError as ``keep`` does."""
        if self._left.pop(lesson.name, None) is not None:
            self._write()

    def _read(self) -> dict[str, object]:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
            if isinstance(found, dict):
                return found
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            pass
        self.said = f"where you left the lessons cannot be read ({self._file}): they begin anew"
        return {}

    def _write(self) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(self._file, error) from error
        write_atomically(self._file, (json.dumps(self._left, ensure_ascii=False, indent=1) + "\n").encode())


def _fingerprint(lesson: Lesson) -> str:
    return hashlib.sha256(lesson.text.encode()).hexdigest()[:16]
