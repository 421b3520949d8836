"""What a training would do, before it does anything: every setting, its value, and why it has it."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from descend.show.colours import MUTED, STRONG
from descend.show.layout import INDENT, prose, put, safe

_GROUPS = (("you", "as you said"), ("published", "as published for this set"), ("chosen", "chosen for you"))
_LEAST_REASON = 24


def dry_run(
    recipe: Mapping[str, Any], choices: Sequence[Mapping[str, Any]], console: Console, *, title: str = ""
) -> None:
    """Print the whole recipe, grouped by who decided, with the reason beside every choice that was made for the user.

    A setting of the recipe that no choice speaks of is listed too, as it is.
    """
    known = {choice["key"] for choice in choices}
    rows = [*choices, *({"key": key, "value": value} for key, value in recipe.items() if key not in known)]
    key_width = max(len(safe(row["key"])) for row in rows) if rows else 0
    value_width = min(max(len(written(row.get("value"))) for row in rows), 28) if rows else 0
    if title:
        name, separator, rest = safe(title).partition(" · ")
        put(console, Text(name, style=STRONG).append(separator + rest, style="default"))
    put(console, "Nothing is trained. These are the settings that would be:")
    for owner, heading in (*_GROUPS, (None, "further settings")):
        of_owner = [row for row in rows if row.get("by") == owner]
        if of_owner:
            put(console, "", Text(INDENT + heading, style=MUTED))
        for row in of_owner:
            reason = safe(row.get("reason") or "") if owner == "chosen" else ""
            put(
                console,
                *_setting(safe(row["key"]), written(row.get("value")), reason, key_width, value_width, console.width),
            )
    put(
        console,
        "",
        *prose(
            "To change one: --set key=value. To keep them: write them to a TOML file, for --recipe FILE.", console.width
        ),
    )


def written(value: object) -> str:
    """A setting as it is typed in a recipe; ``none`` for what is switched off."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(written(each) for each in value)}]"
    return safe(value)


def _setting(key: str, value: str, reason: str, key_width: int, value_width: int, width: int) -> list[Text]:
    """Name, value and reason in columns; the reason below them where there is no room beside."""
    line = Text(f"{INDENT}{INDENT}{key.ljust(key_width)}   ").append(value, style=STRONG)
    if not reason:
        return [line]
    start = len(INDENT) * 2 + key_width + 3 + value_width + 3
    beside = width - start >= _LEAST_REASON and len(value) <= value_width
    indent = " " * (start if beside else len(INDENT) * 2 + key_width + 3)
    wrapped = prose(reason, width, indent=indent, style=MUTED)
    if not beside:
        return [line, *wrapped]
    line.append(" " * (start - line.cell_len)).append(wrapped[0].plain.strip(), style=MUTED)
    return [line, *wrapped[1:]]
