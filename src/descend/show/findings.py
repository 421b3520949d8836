"""How findings are shown: the gravest first, each with its line, its numbers and its cure; then what is well, and what nobody knows."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from descend.show import numbers
from descend.show.colours import ACCENT, BAD, MUTED, STRONG, WARNING
from descend.show.layout import INDENT, WIDEST, Cell, columns, labelled, muted, prose, put, safe
from descend.show.places import short_files

Findings = Mapping[str, Any]  # with the keys "findings", "checked" and "unchecked"

_STYLES = {"bug": f"bold {BAD}", "likely": f"bold {WARNING}", "note": MUTED}
_BODY = " " * 7  # what belongs to a finding stands below its code
_MOST_CLEAN = 3
_LEAST_TITLE = 30


def findings_view(found: Findings, console: Console, *, full: bool = False) -> None:
    """Print all there is. ``full``: every kind of fault that was checked, not the first few alone."""
    for lines in finding_blocks(found, min(console.width, WIDEST)):
        put(console, "", *lines)
    closing = closing_lines(found, min(console.width, WIDEST), full=full)
    if closing:
        put(console, "", *closing)


def finding_blocks(found: Findings, width: int) -> list[list[Text]]:
    """The lines of each finding."""
    every: Sequence[Mapping[str, Any]] = found.get("findings") or ()
    short = short_files((each.get("where") or {}).get("file") for each in every)
    return [_finding(each, short, width) for each in every]


def closing_lines(found: Findings, width: int, *, full: bool = False) -> list[Text]:
    """What was checked and found clean, and what could not be checked and why."""
    rows: list[tuple[str, list[Text]]] = []
    checked, unchecked = found.get("checked") or (), found.get("unchecked") or ()
    room = width - len(INDENT) - len("not checked") - 3
    if checked:
        shown = checked if full else checked[:_MOST_CLEAN]
        texts = [safe(each["text"]) for each in shown]
        if len(checked) > len(shown):
            texts.append(f"… {len(checked) - len(shown):,} more")
        rows.append(
            ("clean", [line for text in texts for line in prose(text, room)] if full else prose(", ".join(texts), room))
        )
    lines: list[Text] = []
    for why, codes in _by_reason(unchecked).items():
        lines += prose(f"{', '.join(codes)}: {why}", room, style=WARNING)
    if lines:
        rows.append(("not checked", lines))
    return labelled(rows, least=len("not checked"))


def counted(found: Findings) -> str:
    """``1 bug, 2 notes``; empty where nothing was found."""
    levels = [each["level"] for each in found.get("findings") or ()]
    words = [("bug", "bug"), ("likely", "likely fault"), ("note", "note")]
    return ", ".join(numbers.plural(levels.count(level), noun) for level, noun in words if level in levels)


def one_line(finding: Mapping[str, Any]) -> str:
    """A finding as a single line without colours, as it is told while the script runs."""
    where = finding.get("where")
    place = f" ({safe(where['file'])}:{where['line']})" if where else ""
    step = f" at step {finding['step']:,}" if finding.get("step") else ""
    return f"descend: {finding['level']} {finding['code']}{step}: {safe(finding['title'])}{place}"


def _finding(finding: Mapping[str, Any], short: Mapping[str, str], width: int) -> list[Text]:
    where = finding.get("where")
    place = f"{short[where['file']]}:{where['line']}" if where else ""
    level = str(finding["level"])
    head = Text.assemble((f"{level.upper() if level == 'bug' else level:<6}", _STYLES[level]), f" {finding['code']}  ")
    room = width - len(INDENT) - head.cell_len
    title = prose(safe(finding["title"]), max(_LEAST_TITLE, room - (len(place) + 3 if place else 0)), style=STRONG)
    first = Text(INDENT).append_text(head).append_text(title[0])
    if place:
        gap = max(3, width - first.cell_len - len(place))
        first.append(" " * gap).append(place, style=MUTED)
    lines = [first, *(Text(INDENT + " " * head.cell_len).append_text(line) for line in title[1:])]
    indent = INDENT + _BODY
    if where and where.get("source"):
        lines.append(
            Text.assemble(
                (f"{where['line']:>{len(indent)}} │ ", MUTED), _cut(safe(where["source"]), width - len(indent) - 3)
            )
        )
    lines += _evidence(finding.get("evidence") or {}, width, indent)
    if finding.get("message"):
        lines += prose(safe(finding["message"]), width, indent=indent)
    lines += _fix(str(finding.get("fix") or ""), width, indent)
    step = f"seen at step {finding['step']:,} · " if finding.get("step") else ""
    lines.append(Text.assemble((f"{indent}{step}more: ", MUTED), (f"descend explain {finding['code']}", ACCENT)))
    return lines


def _evidence(evidence: Mapping[str, Any], width: int, indent: str) -> list[Text]:
    """The numbers, a line each, their words in one column."""
    rows: list[list[Cell]] = [[muted(safe(words)), _value(value)] for words, value in evidence.items()]
    if not rows:
        return []
    lines = columns(rows, "ll", gap=2, indent=f"{' ' * len(indent)} │ ")
    for line in lines:
        line.stylize(MUTED, 0, len(indent) + 3)
        line.truncate(width, overflow="ellipsis")
    return lines


def _value(value: Any) -> str:
    if value is None:
        return numbers.MISSING
    if isinstance(value, bool | str):
        return safe(value)
    if isinstance(value, float):
        return numbers.short(value)
    if isinstance(value, int):
        return numbers.count(value)
    if isinstance(value, list):
        return ", ".join(_value(each) for each in value)
    return safe(value)


def _fix(fix: str, width: int, indent: str) -> list[Text]:
    """The cure: code as it is to be typed, one line below the other."""
    if not fix:
        return []
    first, *rest = fix.splitlines()
    lines = [Text.assemble((f"{indent}fix: ", MUTED), (_cut(safe(first), width - len(indent) - 5), ACCENT))]
    return [*lines, *(Text.assemble(f"{indent}     ", (safe_code(line), ACCENT)) for line in rest)]


def safe_code(line: str) -> str:
    """A line of code with its indent, nothing in it that a terminal would obey."""
    stripped = line.lstrip(" ")
    return " " * (len(line) - len(stripped)) + safe(stripped)


def _by_reason(unchecked: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in unchecked:
        found.setdefault(safe(each["why"]), []).append(str(each["code"]))
    return found


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: max(1, room - 1)]}…"
