"""Which files hold the code of the person whose program is watched."""

import os
import sysconfig
from collections.abc import Callable

from descend.watch.cells import name_of_file

_LIBRARIES = ("stdlib", "platstdlib", "purelib", "platlib")
_INSTALLED = tuple(f"{os.sep}{name}{os.sep}" for name in ("site-packages", "dist-packages"))


def own_files() -> Callable[[str], bool]:
    """A function that says of a file's name, as code objects and frames carry it, whether the file is the person's own.

    Own is what was not installed: the program, modules beside it, cells of a notebook.
    """
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - names of frames are text
    # In an environment inside the project the libraries lie below the program: only their own folders are foreign.
    folders = {sysconfig.get_path(name) for name in _LIBRARIES} | {ours, os.path.dirname(os.__file__)}  # noqa: PTH120
    foreign = tuple(os.path.join(folder, "") for folder in folders if folder)  # noqa: PTH118
    known: dict[str, bool] = {}

    def own(filename: str) -> bool:
        answer = known.get(filename)
        if answer is None:
            name = name_of_file(filename)
            answer = known[filename] = not (
                name.startswith(("<", *foreign)) or any(part in name for part in _INSTALLED)
            )
        return answer

    return own
