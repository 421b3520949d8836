"""The text of the files that events refer to, as it is when one is first told of."""

import linecache
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import decode_source
from pathlib import Path

from descend.record.events import (
    Evaluation,
    Event,
    Fact,
    Operations,
    PhaseTimes,
    Printed,
    SourcesSeen,
    Unseen,
    ValueRead,
)
from descend.watch.cells import file_of_name


class SourceTexts:
    """Finds the files that come up in events; ``known`` are there already."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._seen = {"", *known}

    def seen_with(self, event: Event) -> Iterator[SourcesSeen]:
        """The files that this event is the first to refer to, with their texts; nothing where there are none."""
        new = [file for file in dict.fromkeys(_files_of(event)) if file not in self._seen]
        self._seen.update(new)
        texts = {file: text for file in new if (text := text_of(file)) is not None}
        if texts:
            yield SourcesSeen(texts)


def text_of(file: str) -> str | None:
    """The text of a Python file, or of a cell that an interactive session keeps; None where it cannot be had."""
    file = file_of_name(file)
    try:
        return decode_source(Path(file).read_bytes())
    except (OSError, ValueError, SyntaxError):
        return "".join(linecache.getlines(file)) or None


def _files_of(event: Event) -> Iterable[str]:
    match event:
        case PhaseTimes():
            return [file for file, _ in event.places.values()]
        case Evaluation() | Printed() | ValueRead():
            return [event.place[0]]
        case Fact() | Unseen():
            return [] if event.place is None else [event.place[0]]
        case Operations():
            return [str(row.get("file") or "") for row in event.rows]
        case _:
            return []
