"""Files by as much of their paths as a reader needs."""

from collections.abc import Iterable
from pathlib import PurePath

from descend.show.layout import safe


def short_files(files: Iterable[object]) -> dict[str, str]:
    """Each file by as much of the end of its path as tells it from the others."""
    every = list(dict.fromkeys(str(file) for file in files if file))
    short = {}
    for file in every:
        parts, others = PurePath(file).parts, [PurePath(other).parts for other in every if other != file]
        length = 1
        while length < len(parts) and any(other[-length:] == parts[-length:] for other in others):
            length += 1
        short[file] = safe(PurePath(*parts[-length:]))
    return short
