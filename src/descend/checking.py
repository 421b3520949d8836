"""The doors to checking: ``descend check RUN``, ``descend explain CODE``, and what every training is checked with when it ends."""

import json
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from descend.check.catalogue import page
from descend.check.examine import Examination, examine
from descend.check.figures import last_batch
from descend.check.sarif import sarif
from descend.errors import DescendError
from descend.record.files import write_atomically
from descend.show.findings import counted, findings_view
from descend.show.layout import WIDEST, prose, put, safe


def findings_of(folder: Path | None, report: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The keys ``findings``, ``checked`` and ``unchecked`` of a report, from the record in ``folder``; and ``printed_loss`` where the
    script printed one batch's loss for a whole epoch. Never raises an Exception.

    ``report``: what the run came to, where the record does not hold it yet. Without a folder nothing was kept to look at.
    """
    nothing: dict[str, Any] = {"findings": [], "checked": [], "unchecked": []}
    if folder is None:
        return nothing | {"unchecked": [_all("nothing was kept of this run")]}
    try:
        found = examine(folder, report=report).as_json()
        printed = last_batch(found["findings"])
        return found | ({"printed_loss": printed} if printed is not None else {})
    except DescendError as error:
        return nothing | {"unchecked": [_all(error.what)]}
    except Exception as error:  # noqa: BLE001 - the run has ended well; what failed is said in its report
        return nothing | {"unchecked": [_all(f"the check failed: {type(error).__name__}: {error}")]}


def check_run(folder: Path, *, select: Iterable[str], ignore: Iterable[str], sarif_file: Path | None) -> Examination:
    """Check the record in a run folder, and write the findings as SARIF where that is wanted."""
    examination = examine(folder, select=select, ignore=ignore)
    if sarif_file is not None:
        log = sarif(examination, version("descend"), root=Path.cwd())
        write_atomically(sarif_file, (json.dumps(log, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode())
    return examination


def show_examination(name: str, examination: Examination, console: Console) -> None:
    """Print what was found in a run, all that is well, and what could not be checked."""
    found = examination.as_json()
    looked = len(examination.checked) + len({each.code for each in examination.findings})
    verdict = counted(found) or "no fault found"
    ignored = f"; {examination.ignored} more on lines that say to ignore them" if examination.ignored else ""
    put(
        console,
        *prose(f"{safe(name)}: {verdict} ({looked} kinds of fault looked for{ignored}).", min(console.width, WIDEST)),
    )
    findings_view(found, console, full=True)


def show_page(code: str, console: Console) -> None:
    """Print the page that explains a finding. Raises UsageError for a code that does not exist."""
    from rich.markdown import Markdown  # at the end of every watched program nobody waits for it

    console.print(Markdown(page(code)), width=min(console.width, WIDEST))


def _all(why: str) -> dict[str, str]:
    return {"code": "all", "name": "every kind of fault", "why": why}
