"""Runs the code cells of a notebook in order, as IPython does; and names cells, so that places read ``train.ipynb cell 3:5``."""

import ast
import copy
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from descend.errors import UsageError
from descend.record.files import reason_of
from descend.watch.imports import modules_hidden_by
from descend.watch.probes import add_probes
from descend.watch.tracebacks import forget_our_frames, show_nothing

_ANOTHER = "give a Jupyter notebook, or a Python script"


@dataclass(frozen=True, slots=True)
class Notebook:
    """The code of a notebook; cells are numbered from 1 as IPython does, which leaves out the empty ones."""

    path: str
    cells: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the file."""
        return Path(self.path).name

    def cell_name(self, number: int) -> str:
        """What stands where a script has the name of its file."""
        return f"{self.name} cell {number}"

    @property
    def sources(self) -> dict[str, str]:
        """The text of every cell, by its name."""
        return {self.cell_name(number): cell for number, cell in enumerate(self.cells, 1)}


def read_notebook(path: str) -> Notebook:
    """The code cells of the notebook. Raises :class:`UsageError` when there is none, or when IPython is not installed."""
    try:
        content = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise UsageError(f"the notebook cannot be read: {reason_of(error)}", where=path, help=_ANOTHER) from error
    except (ValueError, RecursionError) as error:
        raise UsageError("this is not a notebook: it holds no JSON", where=path, help=_ANOTHER) from error
    cells = tuple(cell for cell in _code_cells(path, content) if cell.strip())
    if find_spec("IPython") is None:
        raise UsageError(
            "a notebook needs IPython to run", where=path, help='install it: pip install "descend[notebook]"'
        )
    return Notebook(path, cells)


def _code_cells(path: str, content: object) -> Iterator[str]:
    cells = content.get("cells") if isinstance(content, dict) else None
    if not isinstance(cells, list) or not isinstance(content, dict) or not isinstance(content.get("nbformat"), int):
        raise UsageError("this is not a notebook: its JSON has no cells", where=path, help=_ANOTHER)
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict):
            raise UsageError(f"this is not a notebook: its cell {number} is no object", where=path, help=_ANOTHER)
        source = cell.get("source", "")
        if cell.get("cell_type") == "code":
            yield "".join(map(str, source)) if isinstance(source, list) else str(source)


def run_notebook(notebook: Notebook, arguments: Sequence[str], *, ready: Callable[[], None] = lambda: None) -> int:
    """Run the cells in order, with results and traceback as text; gives the exit status.

    The error that ends a cell, ``sys.exit`` too, comes out when IPython has shown it.
    """
    ready()
    sys.argv = [notebook.path, *arguments]
    folder = str(Path(notebook.path).resolve().parent)
    if not sys.flags.safe_path:
        sys.path[0] = folder
    with modules_hidden_by(folder), TemporaryDirectory(prefix="descend-", ignore_cleanup_errors=True) as profile:
        shell = _new_shell(profile)
        with cells_named(shell, notebook.cell_name):
            for cell in notebook.cells:
                result = shell.run_cell(cell, store_history=True)
                error = result.error_before_exec or result.error_in_exec
                if error is not None:
                    show_nothing()  # IPython has shown it
                    raise error
    return 0


@contextmanager
def cells_named(shell: Any, name_of: Callable[[int], str]) -> Iterator[None]:
    """Inside, a cell is compiled with the watcher's probes, under the name that ``name_of`` gives its number."""
    probes = _CellProbes(name_of)
    names = shell.compile.__dict__
    names["get_code_name"] = probes.name_cell
    shell.ast_transformers.append(probes)
    try:
        yield
    finally:
        shell.ast_transformers.remove(probes)
        names.pop("get_code_name", None)


class _CellProbes:
    """Puts the watcher's probes into the syntax tree of each cell, as IPython calls it."""

    def __init__(self, name_of: Callable[[int], str]) -> None:
        self._name_of, self._name = name_of, ""

    def name_cell(self, _raw: str, _transformed: str, number: int) -> str:
        self._name = self._name_of(int(number))
        return self._name

    def visit(self, tree: ast.Module) -> ast.Module:
        with suppress(Exception):  # the cell can be run without
            probed = copy.deepcopy(tree)
            add_probes(probed, self._name)
            return probed
        return tree


def _new_shell(folder: str) -> Any:
    """IPython without its history and the person's profile: a notebook is run alike everywhere."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class Shell(InteractiveShell):
        """Shows results as text on stdout, and tracebacks on stderr."""

        def enable_gui(self, gui: str | None = None) -> None:
            """Nothing: there is no window to draw in (``%matplotlib`` asks for one)."""

        def _get_exc_info(self, exc_tuple: Any = None) -> Any:
            kind, error, traceback = super()._get_exc_info(exc_tuple)  # type: ignore[no-untyped-call]
            forget_our_frames(error)
            return kind, error, error.__traceback__ if traceback is not None else None

        def _showtraceback(self, _kind: Any, _error: Any, stb: Any) -> None:
            sys.stdout.flush()
            sys.stderr.write(self.InteractiveTB.stb2text(stb) + "\n")

    settings = Config()
    settings.HistoryManager.enabled = False
    settings.InteractiveShell.colors = "linux" if _in_colour() else "nocolor"
    return Shell.instance(config=settings, ipython_dir=folder)


def _in_colour() -> bool:
    with suppress(AttributeError, ValueError):
        return sys.stderr.isatty() and "NO_COLOR" not in os.environ
    return False
