"""The panel on the page about errors is the one that its program gets."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from descend.explain.crash.explaining import explain_error
from descend.show.crash import crash_panel

PAGE = Path(__file__).parent.parent.parent / "docs" / "errors.md"


def test_the_panel_on_the_page_is_real() -> None:
    page = PAGE.read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.+?)^```$", page, re.MULTILINE | re.DOTALL)
    (panel,) = re.findall(r"^```text\n(.+?)^```$", page, re.MULTILINE | re.DOTALL)
    (said,) = re.findall(r"`RuntimeError: (.+?)`", page)
    with pytest.raises(RuntimeError, match=re.escape(said)) as failed:
        exec(compile(program, "train.py", "exec"), {"__name__": "__main__"})
    crash = explain_error(failed.value, lambda file: file == "train.py", {"train.py": program})
    assert crash is not None
    shown = io.StringIO()
    crash_panel(crash, Console(file=shown, width=80, highlight=False, markup=False, emoji=False))
    assert shown.getvalue().strip() == panel.strip()
