"""Runs the code cells of a notebook in order, as IPython does; and names cells, so that places read ``train.ipynb cell 3:5``."""

import ast
import copy
import json
import linecache
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

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
        """The text of every cell, by its name, from the line on that IPython counts as the first."""
        return {self.cell_name(number): cell[len(_blank_lines(cell)) :] for number, cell in enumerate(self.cells, 1)}


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
def cells_named(
    shell: Any, name_of: Callable[[int], str], *, number: int | None = None, above: str = ""
) -> Iterator[None]:
    """Inside, a cell is compiled with the watcher's probes, under the name that ``name_of`` gives its number.

    Inside a cell that runs, ``number`` is that cell's own, and ``above`` the lines in it before those that IPython is given now.
    Errors are shown without our frames.
    """
    probes = _CellProbes(shell, name_of, number, above)
    names, shown = shell.compile.__dict__, shell.__dict__
    error_shown = shell._get_exc_info  # noqa: SLF001 - nothing public stands between an error and its showing

    def without_ours(exc_tuple: Any = None) -> Any:
        kind, error, traceback = error_shown(exc_tuple)
        forget_our_frames(error)
        return kind, error, error.__traceback__ if traceback is not None else None

    names["get_code_name"] = probes.name_cell
    shown["_get_exc_info"] = without_ours
    shell.ast_transformers.append(probes)
    try:
        yield
    finally:
        shell.ast_transformers.remove(probes)
        names.pop("get_code_name", None)
        shown.pop("_get_exc_info", None)


def fail_in_silence(shell: Any, error: BaseException) -> NoReturn:
    """End the cell that runs with an error that IPython has shown already, so that those after it do not run."""
    show = shell.showtraceback

    def show_others(*args: Any, **options: Any) -> None:
        shell.__dict__.pop("showtraceback", None)
        if sys.exc_info()[1] is not error:
            show(*args, **options)

    shell.__dict__["showtraceback"] = show_others
    raise error


def lines_above(magic: str, cell: str) -> str:
    """What stands in a cell that begins with ``magic`` above the first line that IPython counts, which skips empty ones."""
    return f"{magic}\n{_blank_lines(cell)}"


def _blank_lines(cell: str) -> str:
    """The lines at a cell's beginning that hold nothing."""
    return cell[: cell.rfind("\n", 0, len(cell) - len(cell.lstrip())) + 1]


class _CellProbes:
    """Puts the watcher's probes into the syntax tree of each cell, as IPython calls it, and counts its lines as the person sees them."""

    def __init__(self, shell: Any, name_of: Callable[[int], str], number: int | None, above: str) -> None:
        self._shell, self._name_of, self._number = shell, name_of, number
        self._name, self._above = "", above.splitlines(keepends=True)

    def name_cell(self, _raw: str, _transformed: str, number: int) -> str:
        self._name = self._name_of(int(number))
        return self._name

    def visit(self, tree: ast.Module) -> ast.Module:
        if self._number is not None:
            self._shell.compile._filename_map[self._name] = self._number  # noqa: SLF001 - what its tracebacks show
        if self._above:
            ast.increment_lineno(tree, len(self._above))
            size, changed, lines, name = linecache.cache[self._name]  # type: ignore[misc] # IPython has put it there
            linecache.cache[self._name] = (size, changed, [*self._above, *lines], name)
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
