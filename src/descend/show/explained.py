"""A step that was worked out, from the data to the updated weight, phase by phase with its numbers."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from descend.explain.formulas.words import joined, number
from descend.show import numbers
from descend.show.colours import BAD, GOOD, MUTED, PHASE_COLOURS, STRONG, WARNING
from descend.show.explained_landscape import landscape_words
from descend.show.layout import Cell, columns, muted, prose, put, safe, shorten
from descend.show.operations import Shown, shown_operations
from descend.show.places import short_files

Worked = Mapping[str, Any]

_LABEL = 10
_NAME = 28
_WIDEST = 120
_MOST_LINKS = 12  # of the chain rule
_ENDS = 5  # links that are shown from each end of a longer chain
_MOST_GRADIENTS = 16
_MOST_PARTS = 6  # lines that one long line is broken into
_MARKS = {True: ("✓", GOOD), False: ("✗", BAD), None: ("–", WARNING)}


def explained(worked: Worked, console: Console) -> None:
    """Print the whole step."""
    width = min(console.width, _WIDEST)
    room = width - _LABEL
    blocks = [
        ("data", _data(worked)),
        ("forward", _forward(worked)),
        ("loss", _loss(worked)),
        ("backward", _backward(worked)),
        ("", _gradients(worked)),
        ("update", _update(worked)),
        ("zero", _prose(_zero(worked), room)),
        ("landscape", _prose(landscape_words(worked), room)),
        ("in words", _prose(_words(worked), room)),
    ]
    put(console, "", *_head(worked, width))
    for label, lines in blocks:
        if lines:
            put(console, "", *_under(label, [part for line in lines for part in _broken(line, room)]))


def _head(worked: Worked, width: int) -> list[Text]:
    line = Text.assemble((f"step {worked['step']:,}", STRONG), (f" of {safe(worked['run'])}", MUTED))
    if worked.get("parameter"):
        line.append(f" · followed: row {worked['row']}, {_entry_name(worked)}", style=MUTED)
    return [
        *_broken(line, width),
        *(each for note in worked.get("notes") or () for each in prose(safe(note), width, style=WARNING)),
    ]


def _entry_name(worked: Worked) -> str:
    """``fc1.weight[0, 3]``"""
    entry = (worked.get("verdict") or worked.get("update") or {}).get("entry") or ""
    return f"{safe(worked['parameter'])}{entry}"


def _under(label: str, lines: Sequence[Text]) -> list[Text]:
    """Lines beside their label."""
    style = PHASE_COLOURS.get(label, MUTED)
    return [
        Text(f"{'' if place else label:<{_LABEL}}", style=style).append_text(line) for place, line in enumerate(lines)
    ]


def _prose(sentences: Sequence[str], room: int) -> list[Text]:
    return [line for sentence in sentences for line in prose(sentence, room)]


def _data(worked: Worked) -> list[Text]:
    rows: list[list[Cell]] = [
        [safe(each["name"]), _shape(each["shape"]), muted(safe(each["dtype"])), numbers_of(each)]
        for each in worked.get("data") or ()
    ]
    return columns(rows, "llll", gap=2, indent="")


def _forward(worked: Worked) -> list[Text]:
    every = worked.get("forward") or ()
    short = short_files(each.get("file") for each in every)
    one_file = len({each.get("file") for each in every if each.get("file")}) == 1
    lines: list[Text] = []
    for each in shown_operations(every):
        head = Text.assemble((shorten(safe(each.name), _NAME), STRONG), f"  ({', '.join(map(safe, each.inputs))})")
        head.append(f" → {_shape(each.last['shape'])}  ").append(numbers_of(each.last), style=MUTED)
        if each.last.get("file"):
            line = each.last["line"]
            head.append(f"  line {line}" if one_file else f"  {short[each.last['file']]}:{line}", style=MUTED)
        lines.append(head)
        lines += _details(each)
    return lines


def _details(each: Shown) -> list[Text]:
    """The formula of one operation with its numbers; of several only what is missing."""
    if each.count > 1:
        return []
    lines = []
    if each.last.get("formula"):
        line = Text(f"  {each.last['formula']}", style=MUTED)
        lines.append(line.append(f"   {safe(each.last['entry'])}", style="") if each.last.get("entry") else line)
    if each.last.get("why"):
        lines.append(Text(f"  {safe(each.last['why'])}", style=WARNING))
    return lines


def _loss(worked: Worked) -> list[Text]:
    loss = worked.get("loss")
    if not loss:
        return []
    passes = [math.nan if each is None else float(each) for each in loss["passes"]]
    line = Text("L = ", style=STRONG)
    if len(passes) > 1:
        line.append(f"{joined(lambda place: (number(passes[place]), passes[place]), len(passes), sum(passes))} = ")
    line.append(_number(loss["value"]), style=STRONG)
    if loss.get("recorded") is not None and loss["name"]:
        mean = sum(passes) / len(passes)
        which = "their mean, " if len(passes) > 1 and math.isclose(loss["recorded"], mean, rel_tol=1e-3) else ""
        line.append(f"   in float64; the run recorded {which}{_number(loss['recorded'])}", style=MUTED)
    elif loss.get("recorded") is not None:
        line.append("   as the run recorded it", style=MUTED)
    lines = [line]
    term = loss.get("term")
    if term:
        text = safe(term["text"]) or _number(term["value"])
        lines.append(Text.assemble(f"row {term['row']}: {text}", (f"   one of {loss['rows']:,} rows", MUTED)))
    return lines


def _backward(worked: Worked) -> list[Text]:
    chain = list(worked.get("backward") or ())
    lines: list[Text] = []
    for place, each in enumerate(chain):
        if len(chain) > _MOST_LINKS and _ENDS <= place < len(chain) - _ENDS:
            if place == _ENDS:
                lines.append(muted(f"… {numbers.plural(len(chain) - 2 * _ENDS, 'operation')} between …"))
            continue
        name = shorten(safe(Shown((each,)).name), _NAME)
        line = Text.assemble((name, STRONG), f"  by {safe(each['by'])}   ")
        lines.append(line.append(safe(each.get("derivative") or ""), style=MUTED))
        if each.get("entry"):
            lines.append(Text(f"  {safe(each['entry'])}"))
        if each.get("why"):
            lines.append(Text(f"  {safe(each['why'])}", style=WARNING))
    return lines + _verdict(worked)


def _verdict(worked: Worked) -> list[Text]:
    verdict = worked.get("verdict")
    if not verdict:
        return []
    line = Text(f"∂L/∂{_entry_name(worked)} = ", style=STRONG)
    parts = [float(each) for each in verdict.get("parts") or ()]
    if parts:
        line.append(f"{joined(lambda place: (number(parts[place]), parts[place]), len(parts), sum(parts))} → ")
    line.append(_number(verdict["value"]), style=STRONG)
    return [line.append(f"   {safe(verdict['by'])} · {safe(verdict['line'])}", style=_MARKS[verdict["agrees"]][1])]


def _gradients(worked: Worked) -> list[Text]:
    """Every gradient beside its closed form; of many only some, and those that do not agree."""
    every = list(worked.get("gradients") or ())
    if not every:
        return []
    chosen = every
    if len(every) > _MOST_GRADIENTS:
        first = {id(each) for each in every[: _MOST_GRADIENTS // 2]}
        chosen = [
            each
            for each in every
            if id(each) in first or not each["agrees"] or each["parameter"] == worked["parameter"]
        ][: 2 * _MOST_GRADIENTS]
    titles: list[Cell] = [muted("gradient of"), muted("shape"), muted("norm"), "", muted("beside its closed form")]
    lines = columns([titles, *map(_gradient_row, chosen)], "llrll", gap=2, indent="")
    left = [each for each in every if each not in chosen]
    if left:
        digits = min((each["digits"] for each in left if each["digits"] is not None), default=None)
        agree = f", all ✓ to {digits} digits or more" if all(each["agrees"] for each in left) else ""
        lines.append(muted(f"… {len(left):,} more{agree}"))
    return lines


def _gradient_row(each: Mapping[str, Any]) -> list[Cell]:
    mark, style = _MARKS[each["agrees"]]
    said = [f"to {numbers.plural(each['digits'], 'digit')}"] if each.get("digits") is not None else []
    said += [safe(each["why"])] if each["why"] else []
    note = Text("; ".join(said), style=MUTED if each["agrees"] else WARNING)
    name = shorten(safe(each["parameter"]), _NAME)
    return [name, _shape(each["shape"]), _number(each.get("norm")), Text(mark, style=style), note]


def _update(worked: Worked) -> list[Text]:
    update = worked.get("update")
    if not update:
        return []
    line = Text(f"{safe(update['optimizer'] or 'by hand')}, θ = {_entry_name(worked)}", style=STRONG)
    if update.get("gradient") is not None:
        line.append(f"   g = {_number(update['gradient'])}", style=MUTED)
    lines = [line, *(Text(f"  {safe(each)}") for each in update["lines"])]
    if update["why"]:
        lines.append(Text(f"  {safe(update['why'])}", style=WARNING))
    if update.get("shown"):
        old, new = update["shown"]
        line = Text(f"  in the run: {old} → {new} ", style=MUTED)
        if update["agrees"] is not None:
            line.append("✓" if update["agrees"] else "✗ another value", style=_MARKS[update["agrees"]][1])
        lines.append(line)
    return lines


def _zero(worked: Worked) -> list[str]:
    zero = worked.get("zero") or {}
    cleared = zero.get("cleared") or 0
    if zero.get("written_anew"):
        return ["nothing has to be cleared: the next step computes every gradient anew"]
    if cleared:
        return [f"{numbers.plural(cleared, 'gradient')} cleared in this step"]
    if not zero.get("seen"):
        return ["no gradient was seen to be cleared in this step"]
    return ["no gradient was there to be cleared in this step"]


def _words(worked: Worked) -> list[str]:
    """The step in a sentence, from its numbers."""
    verdict, update = worked.get("verdict"), worked.get("update")
    if not verdict or not update or update.get("recorded") is None or verdict["value"] is None:
        return []
    name, slope = _entry_name(worked), verdict["value"]
    if slope == 0:
        return [f"The gradient of {name} is 0: a small change of it does not change this loss."]
    change = update["recorded"] - update["old"]
    sign, way = ("negative", "raising") if slope < 0 else ("positive", "lowering")
    said = f"The gradient is {sign}, so {way} {name} a little lowers the loss. The update "
    if change == 0:
        return [f"{said}did not move it."]
    moved = f"{said}moved it by {number(change)}"
    if change * slope < 0:
        return [f"{moved}, downhill."]
    return [f"{moved}, the other way: the optimizer follows more than this one gradient."]


def numbers_of(each: Mapping[str, Any]) -> str:
    """The numbers of a tensor: all of a few, else what sums them up."""
    if "values" in each:
        return "  ".join(_number(value) for value in each["values"])
    if each.get("mean") is None:
        return ""
    least, most, mean, deviation = (_number(each.get(key)) for key in ("least", "most", "mean", "std"))
    return f"{least} … {most}, mean {mean} ± {deviation}"


def _number(value: float | None) -> str:
    return numbers.MISSING if value is None else number(value)


def _shape(shape: Sequence[int]) -> str:
    return str(tuple(shape))


def _broken(line: Text, room: int) -> list[Text]:
    """A line broken at spaces where it is too long, the rest further in; where it has none, cut."""
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
