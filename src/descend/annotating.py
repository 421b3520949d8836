"""The door to annotated scripts: ``descend annotate RUN``."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from descend.errors import RecordError
from descend.explain.annotate.lines import annotate
from descend.explain.annotate.spent import spent_by
from descend.record.reader import Reader
from descend.show.annotated import annotated

Words = Literal["plain", "usual", "terse"]

_CELL = re.compile(r"^(.+\.ipynb) cell (\d+)$")


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
                f"the record of {info.name} holds no code: nothing was run, or a notebook without code",
                where=str(folder),
                help="descend run SCRIPT makes a record that can be annotated",
            )
        changed = dict(_changed(sources, folder, info.environment.get("command")))
        files = list(annotate(reader, words))
        notes = [*_of_changes(changed), *_of_the_run(reader)]
    notes += [f"{each.file} is not Python throughout: its lines have no notes" for each in files if each.unread]
    return {
        "run": info.name,
        "notes": notes,
        "files": [
            {
                "file": each.file,
                "changed": _CELL.sub(r"\1", each.file) in changed,
                "lines": [line.as_json() for line in each.lines],
            }
            for each in files
        ],
    }


def show_annotated(found: dict[str, Any], console: Console) -> None:
    """Print the annotated files."""
    annotated(found["files"], found["notes"], console)


def _of_changes(changed: Mapping[str, str]) -> Iterator[str]:
    for file, what in changed.items():
        yield f"{file} {what}: this is the text that was run, from the record"


def _listed(numbers: Sequence[int]) -> str:
    *others, last = map(str, numbers)
    return f"{', '.join(others)} and {last}" if others else last


def _of_the_run(reader: Reader) -> Iterator[str]:
    """What the reader of the page has to know of the run."""
    if not len(reader.steps()):
        yield "nothing was trained in this run: no line has a share of a step"
    untimed = [place for place, training in enumerate(spent_by(reader), 1) if training.places and not training.shares]
    if untimed:
        which = f"of training{'s' if len(untimed) > 1 else ''} {_listed(untimed)} " if untimed != [1] else ""
        yield f"too few steps {which}were timed to tell shares of the time"
    if reader.status != "finished":
        yield f"the run did not come to its end ({reader.status}): how often its lines ran is not known"


def _changed(sources: Mapping[str, str], folder: Path, command: object) -> Iterator[tuple[str, str]]:
    """Files that have another text now, or are gone; and what happened to them."""
    for file, text in sources.items():
        path = Path(file)
        if path.is_absolute() and path.suffix == ".py":
            now = _text_of(path)
            if now is None:
                yield file, "is no longer there"
            elif now != text:
                yield file, "has changed since it was run"
    words = [str(each) for each in command] if isinstance(command, list) else []
    names = dict.fromkeys(cell[1] for file in sources if (cell := _CELL.match(file)))
    for name in names:
        what = _of_notebook(
            name, {file: text for file, text in sources.items() if file.startswith(f"{name} ")}, folder, words
        )
        if what:
            yield name, what


def _of_notebook(name: str, cells: Mapping[str, str], folder: Path, command: Sequence[str]) -> str:
    """What became of a notebook; it is looked for where it was named, from here and from beside the folder of runs."""
    given = [Path(word) for word in command if Path(word).name == name] or [Path(name)]
    found = next(
        (now for path in given for at in (Path.cwd(), folder.parent.parent) if (now := _text_of(at / path))), None
    )
    if found is None:
        return "is not found from here"
    present = {f"{name} cell {number}": text for number, text in enumerate(_cells(found), 1)}
    if not present:
        return "has no code any more"
    other = sorted(int(file.rpartition(" ")[2]) for file, text in cells.items() if present.get(file, "") != text)
    if not other:
        return ""
    return f"has changed since it was run ({'cell' if len(other) == 1 else 'cells'} {', '.join(map(str, other))})"


def _cells(text: str) -> list[str]:
    """The code cells that are not empty, as the record counts them; none where the file is no notebook."""
    try:
        cells = json.loads(text)["cells"]
        sources = ["".join(each.get("source", "")) for each in cells if each.get("cell_type") == "code"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []
    return [each for each in sources if each.strip()]


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
