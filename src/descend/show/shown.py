"""What a person holds shows itself: one method, and from it the terminal, a notebook, plain text and JSON."""

import io
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

_PAGE_WIDTH = 100
_CODE = '<pre style="font-family: monospace; line-height: 1.3; white-space: pre">{code}</pre>'


class Shown(ABC):
    """A value with its facts in ``data`` and one way of printing them.

    ``print`` gives plain text, a rich console colours, a notebook HTML in which every character of a record is escaped.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = dict(data)
        """Everything that is shown, as JSON values."""

    @abstractmethod
    def show(self, console: Console) -> None:
        """Print it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        with console.capture() as capture:
            self.show(console)
        yield Text.from_ansi(capture.get().strip("\n"))

    def __str__(self) -> str:
        with io.StringIO() as page:
            console = _console(page, no_color=True)
            self.show(console)
            return page.getvalue().strip("\n")

    def _repr_html_(self) -> str:
        """For notebooks."""
        with io.StringIO() as nowhere:
            console = _console(nowhere, record=True)
            self.show(console)
            return console.export_html(inline_styles=True, code_format=_CODE)


def _console(page: io.StringIO, **settings: Any) -> Console:
    return Console(highlight=False, markup=False, emoji=False, width=_PAGE_WIDTH, file=page, **settings)
