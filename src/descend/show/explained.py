"""A step that was worked out, from the data to the updated weight, phase by phase with its numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from descend.show import numbers
from descend.show.colours import BAD, GOOD, MUTED, PHASE_COLOURS, STRONG, WARNING
from descend.show.layout import WIDEST, Cell, columns, muted, prose, put, safe, shorten
from descend.show.places import short_files

Worked = Mapping[str, Any]

_LABEL = 10
_NAME = 28
_MOST_OPERATIONS = 40
_MOST_PARTS = 6  # lines that one long line is broken into


def explained(worked: Worked, console: Console) -> None:
    """Print the whole step."""
    width = min(console.width, max(WIDEST, 100))
    put(console, "", *_head(worked, width))
    for block in (
        _data(worked, width),
        _forward(worked, width),
        _loss(worked, width),
        _backward(worked, width),
        _gradients(worked, width),
        _update(worked, width),
        _zero(worked, width),
        _landscape(worked, width),
        _words(worked, width),
    ):
        if block:
            put(console, "", *block)


def _head(worked: Worked, width: int) -> list[Text]:
    entry = (worked.get("verdict") or {}).get("entry") or []
    place = f"{safe(worked['parameter'])}{entry or ''}" if worked.get("parameter") else ""
    lines = [Text.assemble((f"step {worked['step']:,}", STRONG), (f" of {safe(worked['run'])}", MUTED))]
    if place:
        lines[0].append(f" · followed: row {worked['row']}, {place}", style=MUTED)
    for note in worked.get("notes") or ():
        lines += prose(safe(note), width, style=WARNING)
    return lines


def _under(label: str, lines: Sequence[Text], phase: str = "") -> list[Text]:
    """Lines beside their label."""
    found = []
    for number, line in enumerate(lines):
        start = Text(f"{label if number == 0 else '':<{_LABEL}}", style=PHASE_COLOURS.get(phase or label, MUTED))
        found.append(start.append_text(line))
    return found


def _data(worked: Worked, width: int) -> list[Text]:
    rows: list[list[Cell]] = [
        [safe(each["name"]), _shape(each["shape"]), muted(str(each["dtype"])), _numbers(each)]
        for each in worked.get("data") or ()
    ]
    return _under("data", _fitted(columns(rows, "llll", gap=2, indent=""), width)) if rows else []


def _forward(worked: Worked, width: int) -> list[Text]:
    every = worked.get("forward") or ()
    if not every:
        return []
    short = short_files(each.get("file") for each in every)
    lines: list[Text] = []
    for each in every[:_MOST_OPERATIONS]:
        head = Text.assemble(
            (shorten(_called(each), _NAME), STRONG), "  ", f"({', '.join(safe(name) for name in each['inputs'])})"
        )
        head.append(f" → {_shape(each['shape'])}  ").append(_numbers(each), style=MUTED)
        if each.get("file"):
            head.append(f"  {short[each['file']]}:{each['line']}", style=MUTED)
        lines.append(head)
        if each.get("formula"):
            lines.append(_with_entry(each["formula"], each.get("entry") or ""))
        if each.get("why"):
            lines.append(Text(f"  {safe(each['why'])}", style=WARNING))
    if len(every) > _MOST_OPERATIONS:
        lines.append(muted(f"… {len(every) - _MOST_OPERATIONS:,} more operations"))
    return _under("forward", _fitted(lines, width))


def _with_entry(formula: str, entry: str) -> Text:
    line = Text(f"  {formula}", style=MUTED)
    return line.append(f"   {safe(entry)}", style="") if entry else line


def _called(each: Mapping[str, Any]) -> str:
    return safe(f"{each['module']} · {each['name']}" if each.get("module") else each["name"])


def _loss(worked: Worked, width: int) -> list[Text]:
    loss = worked.get("loss")
    if not loss:
        return []
    line = Text.assemble((f"L = {_signed(loss['value'])}", STRONG))
    if loss.get("recorded") is not None:
        line.append(f"   in float64; the run computed {_signed(loss['recorded'])}", style=MUTED)
    return _under("loss", _fitted([line], width))


def _backward(worked: Worked, width: int) -> list[Text]:
    lines: list[Text] = []
    for each in worked.get("backward") or ():
        line = Text.assemble((shorten(_called(each), _NAME), STRONG), f"  by {safe(each['by'])}   ")
        lines.append(line.append(str(each.get("derivative") or ""), style=MUTED))
        if each.get("entry"):
            lines.append(Text(f"  {safe(each['entry'])}"))
        if each.get("why"):
            lines.append(Text(f"  {safe(each['why'])}", style=WARNING))
    verdict = worked.get("verdict")
    if verdict:
        name = f"∂L/∂{safe(worked['parameter'])}{verdict['entry'] or ''}"
        style = {True: GOOD, False: BAD, None: WARNING}[verdict["agrees"]]
        lines.append(
            Text.assemble(
                (f"{name} = {_signed(verdict['value'])}", STRONG),
                "   ",
                (f"autograd · {safe(verdict['line'])}", style),
            )
        )
    return _under("backward", _fitted(lines, width))


def _gradients(worked: Worked, width: int) -> list[Text]:
    """Every gradient beside its closed form."""
    rows: list[list[Cell]] = []
    for each in worked.get("gradients") or ():
        mark = {True: Text("✓", style=GOOD), False: Text("✗", style=BAD), None: Text("–", style=WARNING)}[
            each["agrees"]
        ]
        digits = f"to {each['digits']} digits" if each.get("digits") is not None else ""
        rows.append(
            [
                shorten(safe(each["parameter"]), _NAME),
                _shape(each["shape"]),
                _signed(each.get("norm")),
                mark,
                Text(
                    f"{digits}{'; ' if digits and each['why'] else ''}{safe(each['why'])}",
                    style=MUTED if each["agrees"] else WARNING,
                ),
            ]
        )
    if not rows:
        return []
    titles: list[Cell] = [muted("gradient of"), muted("shape"), muted("norm"), "", muted("beside its closed form")]
    return _under("", _fitted(columns([titles, *rows], "llrll", gap=2, indent=""), width))


def _update(worked: Worked, width: int) -> list[Text]:
    update = worked.get("update")
    if not update:
        return []
    entry = update["entry"] or ""
    lines = [
        Text.assemble((f"{safe(update['optimizer'] or 'by hand')}, θ = {safe(worked['parameter'])}{entry}", STRONG))
    ]
    lines[0].append(f"   g = {_signed(update['gradient'])}", style=MUTED)
    lines += [Text(f"  {safe(line)}") for line in update["lines"]]
    if not update["lines"]:
        lines.append(Text(f"  the arithmetic of {safe(update['optimizer'])} is not known here", style=WARNING))
    if update.get("recorded") is not None:
        mark = {True: ("✓", GOOD), False: ("✗ another value", BAD), None: ("", MUTED)}[update["agrees"]]
        line = Text(f"  in the run: {_signed(update['old'])} → {_signed(update['recorded'])} ", style=MUTED)
        lines.append(line.append(mark[0], style=mark[1]))
    return _under("update", _fitted(lines, width))


def _zero(worked: Worked, width: int) -> list[Text]:
    zero = worked.get("zero") or {}
    if not zero.get("seen"):
        return []
    cleared = zero.get("cleared") or 0
    said = (
        f"{numbers.plural(cleared, 'gradient')} cleared in this step"
        if cleared
        else "no gradient was there to be cleared in this step"
    )
    return _under("zero", prose(said, width - _LABEL))


def _landscape(worked: Worked, width: int) -> list[Text]:
    land = worked.get("landscape")
    if not land:
        return []
    listed = ", ".join(_digits(each) for each in land["eigenvalues"])
    limit = land["largest_stable_lr"]
    lines = [
        (
            f"The loss is a bowl in {numbers.plural(len(land['eigenvalues']), 'direction')}: the Hessian's eigenvalues are {listed}, its condition "
            f"number is {_digits(land['condition'])}."
        ),
        f"The least loss that these rows allow is {_signed(land['floor'])}; the largest stable learning rate is 2/λmax = {_digits(limit)}.",
    ]
    if land.get("lr") is not None and limit:
        share = land["lr"] / limit
        lines[1] += f" lr {numbers.setting(land['lr'])} is {100 * share:.0f} % of it."
    if land.get("epochs_now") is not None:
        line = f"At this rate the loss is {_signed(land['close'])}, within 1 % of the least, after {numbers.plural(land['epochs_now'], 'epoch')}"
        if land.get("epochs_standardised") is not None:
            line += f"; with standardised features after {numbers.plural(max(1, land['epochs_standardised']), 'epoch')}"
        lines.append(f"{line}.")
    if land.get("growth"):
        lines.append(
            f"Above the limit the distance from the minimum grows by a factor of {_digits(land['growth'])} each epoch."
        )
    return _under("landscape", [line for text in lines for line in prose(text, width - _LABEL)])


def _words(worked: Worked, width: int) -> list[Text]:
    """The step in a sentence, from its numbers."""
    verdict, update = worked.get("verdict"), worked.get("update")
    if not verdict or not update or update.get("recorded") is None:
        return []
    name = f"{safe(worked['parameter'])}{verdict['entry'] or ''}"
    way = "raising" if verdict["value"] < 0 else "lowering"
    if verdict["value"] == 0:
        return _under(
            "in words",
            prose(f"The gradient of {name} is 0: a small change of it does not change this loss.", width - _LABEL),
        )
    change = update["recorded"] - update["old"]
    downhill = change * verdict["value"] < 0
    said = f"The gradient is {'negative' if verdict['value'] < 0 else 'positive'}, so {way} {name} lowers the loss. The update "
    moved = "did not move it" if change == 0 else f"moved it by {_signed(change)}"
    said += f"{moved}{', downhill' if downhill else ''}."
    if change and not downhill:
        said = said[:-1] + ", the other way: the optimizer follows more than this one gradient."
    return _under("in words", prose(said, width - _LABEL))


def _numbers(each: Mapping[str, Any]) -> str:
    if "values" in each:
        return "  ".join(_signed(value) for value in each["values"])
    return f"{_signed(each.get('least'))} … {_signed(each.get('most'))}, mean {_signed(each.get('mean'))} ± {_signed(each.get('std'))}"


def _digits(value: float) -> str:
    """Four significant digits."""
    if value == 0 or not 1e-4 <= abs(value) < 1e6:
        return f"{value:.4g}"
    return f"{value:,.{max(0, 4 - len(str(int(abs(value)))) if abs(value) >= 1 else 4 + _zeros(value))}f}"


def _zeros(value: float) -> int:
    """Zeros behind the point of a number below 1."""
    count = 0
    while abs(value) < 0.1:
        value *= 10
        count += 1
    return count


def _shape(shape: Sequence[int]) -> str:
    return str(tuple(shape))


def _fitted(lines: Sequence[Text], width: int) -> list[Text]:
    """Each line in the width of the terminal: what is longer goes on below, further in."""
    return [part for line in lines for part in _broken(line, width - _LABEL)]


def _broken(line: Text, room: int) -> list[Text]:
    """A line broken at spaces; where it has none, cut."""
    start = len(line.plain) - len(line.plain.lstrip(" "))
    parts: list[Text] = []
    rest, hanging = line, ""
    while len(hanging) + rest.cell_len > room and len(parts) < _MOST_PARTS:
        space = rest.plain.rfind(" ", start + 1, max(start + 2, room - len(hanging)))
        if space <= start:
            break
        before, rest = rest.divide([space])
        parts.append(Text(hanging).append_text(before))
        rest = rest[len(rest.plain) - len(rest.plain.lstrip(" ")) :]
        hanging, start = hanging or " " * (start + 4), 0
    last = Text(hanging).append_text(rest)
    last.truncate(room, overflow="ellipsis")
    return [*parts, last]


def _signed(value: float | None) -> str:
    """A number as short as it reads well, with a real minus sign."""
    return (
        numbers.short(value).replace("-", "−")
        if value is None or abs(value) > 1e-3 or value == 0
        else f"{value:.4g}".replace("-", "−")
    )
