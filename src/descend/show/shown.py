"""What a person holds shows itself: one method, and from it the terminal, a notebook, plain text and JSON."""

import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from descend.show.layout import page_console

Show = Callable[[Console], None]
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
        yield as_text(self.show, console)

    def __str__(self) -> str:
        return as_plain_text(self.show)

    def _repr_html_(self) -> str:
        """For notebooks."""
        return as_html(self.show)


def as_text(show: Show, console: Console) -> Text:
    """What ``show`` prints, to be printed on ``console``."""
    with console.capture() as capture:
        show(console)
    return Text.from_ansi(capture.get().strip("\n"))


def as_plain_text(show: Show) -> str:
    """What ``show`` prints, without colours."""
    with io.StringIO() as page:
        show(page_console(page, color_system=None))
        return page.getvalue().strip("\n")


def as_html(show: Show) -> str:
    """What ``show`` prints, for a notebook."""
    with io.StringIO() as nowhere:
        console = page_console(nowhere, record=True)
        show(console)
        return console.export_html(inline_styles=True, code_format=_CODE)
