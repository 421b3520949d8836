"""The door to watching in a notebook: the magic ``%%watch``. Imports torch only through the cells that are watched."""

import sys
from typing import Any

from descend.errors import DescendError, UsageError
from descend.show.layout import open_console
from descend.watch.session import Program, Session
from descend.watching import Ending, examine, how_it_ended, show_report


def load_into_notebook(shell: Any) -> None:
    """Give IPython the magic ``%%watch [NAME] [--fast]``; called by ``%load_ext descend``."""

    def magic(line: str, cell: str) -> None:
        from IPython.core.error import UsageError as Misused  # shown in one line

        try:
            _watch_cell(shell, line, cell)
        except DescendError as error:
            raise Misused(str(error)) from None

    shell.register_magic_function(magic, "cell", "watch")


def _watch_cell(shell: Any, line: str, cell: str) -> None:
    """Run the cell as it would be run without us, and show below it how the training went."""
    from descend.watch.cells import CELL, number_of_cell
    from descend.watch.notebook import cells_named, fail_in_silence, lines_above

    words = line.split()
    names = [word for word in words if word != "--fast"]
    if len(names) > 1 or any(name.startswith("-") for name in names):
        raise UsageError(
            f"%%watch does not know what to do with '{line.strip()}'", help="write %%watch NAME, or %%watch NAME --fast"
        )
    number = number_of_cell(sys._getframe()) or int(shell.execution_count)
    name = CELL.format(number)
    magic = f"%%watch {line}".rstrip()
    sources = {name: f"# {magic}\n{cell}"}
    program = Program(
        title=name,
        stem="notebook",
        name=names[0] if names else None,
        fast="--fast" in words,
        sources=sources,
        examine=examine,
    )
    session = Session(program)
    session.start()
    ending, error = Ending("finished"), None
    try:
        with cells_named(shell, lambda _: name, number=number, above=lines_above(magic, cell)):
            result = shell.run_cell(cell, store_history=False)
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            ending = how_it_ended(error, sources)
    finally:
        report = session.finish(ending.status, ending.message, exit_status=ending.exit_status, crash=ending.crash)
    if report is not None:
        console = open_console()
        with console.capture() as shown:
            show_report(report, console)
        sys.stdout.write(shown.get())  # at once: a notebook keeps each piece by itself
    if error is not None and not isinstance(error, SystemExit):
        fail_in_silence(shell, error)
