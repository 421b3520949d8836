"""The door to annotated scripts: ``descend annotate RUN``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from descend.errors import RecordError
from descend.explain.annotate.lines import annotate
from descend.record.reader import Reader
from descend.show.annotated import annotated

Words = Literal["plain", "usual", "terse"]


def annotate_run(folder: Path, words: Words) -> dict[str, Any]:
    """Every file of a watched run with its lines, as JSON values. Raises RecordError for a run that has no source."""
    with Reader(folder) as reader:
        info, sources = reader.info, reader.sources()
        if info.kind == "train":
            raise RecordError(
                f"{info.name} was trained by descend: there is no script of yours to annotate",
                where=str(folder),
                help=f"descend eject {info.name} > train.py writes its script; descend run train.py, and annotate that",
            )
        if not sources:
            raise RecordError(
                f"the record of {info.name} holds no source",
                where=str(folder),
                help="run the script again with descend run",
            )
        changed = list(_changed(sources))
        files = [annotate(reader, file, text, words, changed=file in changed) for file, text in sources.items()]
    notes = [f"{file} has changed since it was run: this is the text that was run" for file in changed]
    return {
        "run": info.name,
        "notes": notes,
        "files": [
            {"file": each.file, "changed": each.changed, "lines": [line.as_json() for line in each.lines]}
            for each in files
        ],
    }


def show_annotated(found: dict[str, Any], console: Console) -> None:
    """Print the annotated files."""
    annotated(found["files"], found["notes"], console)


def _changed(sources: dict[str, str]) -> Iterator[str]:
    """Files that are there still, with another text."""
    for file, text in sources.items():
        path = Path(file)
        if path.is_absolute() and path.suffix == ".py":
            try:
                now = path.read_text(encoding="utf-8")
            except (OSError, ValueError):
                continue  # gone: the stored copy is all there is
            if now != text:
                yield file
