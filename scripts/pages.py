"""The parts of a page in docs/ that a script writes: text between ``<!-- begin NAME: … -->`` and ``<!-- end NAME -->``."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def block(page: str, name: str) -> str:
    """What stands between the markers of ``name`` in the page."""
    start, end = _span(page, name)
    return page[start:end]


def replaced(page: str, name: str, text: str) -> str:
    """The page with ``text`` between the markers of ``name``."""
    start, end = _span(page, name)
    return page[:start] + text + page[end:]


def table(header: Sequence[str], rows: Sequence[Sequence[object]], *, numbers: bool = False) -> str:
    """A Markdown table; with ``numbers`` every column but the first is aligned to the right."""
    rule = ["---", *["---:" if numbers else "---"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in (header, rule, *rows))


def _span(page: str, name: str) -> tuple[int, int]:
    found = re.search(rf"<!-- begin {name}: [^>]*-->\n\n(.*?)\n\n<!-- end {name} -->", page, flags=re.DOTALL)
    if found is None:
        sys.exit(f"the page has no markers for '{name}'")
    return found.span(1)
