"""What is shown after a watched script: how its training went, line by line where its time went, what moved, what was not seen."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from descend.show import numbers
from descend.show.colours import ACCENT, BAD, MUTED, PHASE_COLOURS, STRONG, WARNING
from descend.show.curve import curve
from descend.show.findings import closing_lines, finding_blocks
from descend.show.layout import (
    INDENT,
    WIDEST,
    Cell,
    Look,
    columns,
    facts,
    look_of,
    muted,
    prose,
    put,
    safe,
    shorten,
)
from descend.show.metrics import value_of
from descend.show.places import short_files
from descend.show.sentence import Report, unmoved
from descend.show.spent import stacked
from descend.show.summary import curve_of
from descend.show.watched_lines import closing_rows
from descend.show.watched_sentence import end_of, typical, watched_sentence

_MOST_PARAMETERS = 12
_MOST_TRAININGS = 12
_LEAST_SOURCE = 24
_NAME_WIDTH = 32
_SMALL_CURVE = 16
_BAD_ENDINGS = ("failed", "diverged")

Rows = list[Sequence[Cell]]


def watched_summary(report: Report, console: Console) -> None:
    """Print all there is to say about a watched script that has ended, below what the script itself has printed."""
    width, look = min(console.width, WIDEST), look_of(console)
    bad = report.get("status") in _BAD_ENDINGS or report.get("exit_status")
    style = BAD if bad else WARNING if unmoved(report) or report.get("status") == "interrupted" else STRONG
    put(console, "", *_header(report, width), "")
    put(console, *prose(watched_sentence(report), width, style=style))
    blocks = [
        *finding_blocks(report, width),
        closing_lines(report, width),
        _losses(report, width, look),
        _phases(report, width, look),
        _parameters(report, width),
        closing_rows(report, width),
    ]
    for block in blocks:
        if block:
            put(console, "", *block)


def _header(report: Report, width: int) -> list[Text]:
    """The script, and what its steps worked with."""
    found: list[Cell] = [Text(safe(report.get("title") or report.get("run") or ""), style=STRONG)]
    parameters = report.get("parameters") or ()
    if parameters and len(report.get("trainings") or ()) < 2:
        total = sum(_size(each["shape"]) for each in parameters)
        found.append(f"{numbers.plural(len(parameters), 'parameter')} ({numbers.plural(total, 'number')})")
    lr = report.get("lr") or {}
    if lr.get("last") is not None:
        ends = dict.fromkeys(numbers.setting(float(f"{lr[end]:.6g}")) for end in ("first", "last"))
        found.append(f"lr {' → '.join(ends)}")
    batches = report.get("batches") or ()
    if len(report.get("trainings") or ()) < 2:
        found += [f"{safe(each['name'] or 'batch')} {_shape(each['shape'])}" for each in batches]
    devices = dict.fromkeys(safe(each["device"]) for each in batches)
    return facts([*found, *devices], width)


def _losses(report: Report, width: int, look: Look) -> list[Text]:
    """The loss curve; of several trainings one each; none where two losses take turns, for it would be neither."""
    trainings = report.get("trainings") or ()
    if len(trainings) > 1:
        return _trainings(report, width, look)
    if trainings and len(trainings[0].get("turns") or ()) > 1:
        return []
    return curve_of(report.get("loss") or {}, report.get("steps"), width, look)


def _trainings(report: Report, width: int, look: Look) -> list[Text]:
    """Of several trainings a line each, with its own curve."""
    every = report["trainings"]
    shown = every if len(every) <= _MOST_TRAININGS else [*every[: _MOST_TRAININGS - 1], every[-1]]
    rows: Rows = []
    for number, training in enumerate(every, 1):
        if training not in shown:
            continue
        if training is every[-1] and len(every) > _MOST_TRAININGS:
            rows.append([muted("…")])
        loss = training.get("loss") or {}
        ends = f"{numbers.short(value_of(loss, 'first'))} → {numbers.short(end_of(loss))}"
        values = [float("nan") if value is None else float(value) for value in loss.get("curve") or ()]
        drawn = Text(curve(values, _SMALL_CURVE, look=look), style=ACCENT)
        names = shorten(", ".join(safe(name) for name in training.get("parameters") or ()), _NAME_WIDTH)
        rows.append([numbers.count(number), _lines(training), names, numbers.count(training["steps"]), ends, drawn])
    titles = ["", "lines", "parameters", "steps", "loss", ""]
    for left_out in ((), (2,), (2, 5), (1, 2, 5)):
        keep = [column for column in range(len(titles)) if column not in left_out]
        lines = columns([[muted(titles[c]) for c in keep], *_only(rows, keep)], "".join("rllrll"[c] for c in keep))
        if max(line.cell_len for line in lines) <= width:
            break
    return lines


def _phases(report: Report, width: int, look: Look) -> list[Text]:
    """Where the time of a step goes: share, time, and the line of the script that takes it."""
    phases = [each for each in report.get("phases") or () if value_of(each, "share")]
    if not phases:
        return []
    rows: Rows = []
    for each in phases:
        name = Text(safe(each["phase"]), style=PHASE_COLOURS.get(str(each["phase"]), ""))
        rows.append([name, numbers.percent(each["share"], 0), numbers.seconds(value_of(each, "seconds"))])
    shares = [(str(each["phase"]), float(each["share"])) for each in phases]
    bar = [Text(INDENT).append_text(stacked(shares, width - 2 * len(INDENT)))] if look == "grey" else []
    lines = [*bar, *_with_lines(rows, phases, width)]
    starts = [training["first_step"] for training in report.get("trainings") or ()]
    if len(starts) > 1 and report.get("phases_from") in starts:
        number = starts.index(report["phases_from"]) + 1
        lines.insert(0, muted(f"{INDENT}steps of training {number:,}, which took the longest"))
    if not typical(report):
        timed = numbers.seconds(sum(value_of(each, "seconds") or 0.0 for each in phases))
        average = numbers.seconds(value_of(report, "phase_average"))
        said = f"timed in {numbers.plural(report.get('phase_steps') or 0, 'step')} of {timed}; all steps took {average} on average"
        lines += prose(said, width, indent=INDENT, style=MUTED)
    return lines


def _with_lines(rows: Rows, phases: Sequence[Mapping[str, Any]], width: int) -> list[Text]:
    """The table of phases with the place of each and what stands there, as far as there is room for it."""
    short = short_files(each.get("file") for each in phases)
    places = [muted(f"{short[each['file']]}:{each['line']}" if each.get("file") else "") for each in phases]
    titles: list[Cell] = [muted(title) for title in ("phase", "share", "a step", "where" if short else "")]
    lines = columns([titles, *([*row, place] for row, place in zip(rows, places, strict=True))], "lrrl")
    room = width - max(line.cell_len for line in lines) - 3
    if room < _LEAST_SOURCE:
        if len(short) != 1:
            return lines
        places = [muted(str(each["line"]) if each.get("file") else "") for each in phases]  # the file once, above them
        narrow = columns([[*titles[:3], muted("line")], *([*r, p] for r, p in zip(rows, places, strict=True))], "lrrr")
        room = width - max(line.cell_len for line in narrow) - 3
        titles[3:] = [muted("line"), muted(_cut(f"of {next(iter(short.values()))}", room))]
        if room < _LEAST_SOURCE // 2:
            return narrow
    sources = (_cut(safe(each.get("source") or ""), room) for each in phases)
    table = [[*row, place, source] for row, place, source in zip(rows, places, sources, strict=True)]
    return columns([titles, *table], "lrrrl" if len(titles) == 5 else "lrrll")


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _parameters(report: Report, width: int) -> list[Text]:
    every = list(report.get("parameters") or ())
    if not every:
        return []
    shown = every if len(every) <= _MOST_PARAMETERS else [*every[: _MOST_PARAMETERS - 2], every[-1]]
    starts = [training["first_step"] for training in report.get("trainings") or ()]
    few = any(each.get("values") for each in shown)
    rows: Rows = []
    for each in shown:
        if each is every[-1] and len(shown) < len(every):
            rows.append(["", muted(f"… {len(every) - len(shown):,} more")])
        number = sum(start <= max(each.get("step") or 1, 1) for start in starts)
        name, start = shorten(safe(each["name"]), _NAME_WIDTH), numbers.short(value_of(each, "norm"))
        values = _values(each) if each.get("values") else Text(start)
        if few and not each.get("values") and each.get("norm") is not None:
            values = muted(f"norm {start}")
        rows.append([str(number), name, _shape(each["shape"]), values, _moved(each)])
    titles = ["", "parameter", "shape", "from → to" if few else "norm at first", "moved by"]
    for left_out in ((), (2,), (2, 3)):
        keep = [column for column in range(5) if column not in left_out and (column or len(starts) > 1)]
        lines = columns([[muted(titles[c]) for c in keep], *_only(rows, keep)], "".join("rlllr"[c] for c in keep))
        if max(line.cell_len for line in lines) <= width:
            break
    until = [each["until"] for each in shown if each.get("until")]
    if until:
        lines.append(muted(f"{INDENT}moved by: until step {max(until):,}, the last that was kept in full"))
    return lines


def _only(rows: Rows, keep: Sequence[int]) -> Rows:
    """The rows with only these of their columns."""
    return [[row[column] for column in keep if column < len(row)] for row in rows]


def _values(parameter: Mapping[str, Any]) -> Text:
    after = ", ".join(map(numbers.short, parameter["values"]))
    before = ", ".join(map(numbers.short, parameter.get("values_before") or ()))
    return Text.assemble((f"{before} → " if before else "", MUTED), (after, STRONG))


def _moved(parameter: Mapping[str, Any]) -> Text:
    moved = parameter.get("moved")
    if moved is None:
        return Text(numbers.MISSING)
    if not moved:
        return Text("never", style=WARNING)
    return Text("yes") if moved is True else Text(numbers.short(float(moved)))


def _lines(training: Mapping[str, Any]) -> str:
    first, last = training.get("line"), training.get("last_line")
    if first is None or last is None:
        return ""
    return str(first) if first == last else f"{first}–{last}"


def _shape(shape: Sequence[int]) -> str:
    """As PyTorch writes it: (128, 784), (10,)."""
    return str(tuple(shape))


def _size(shape: Sequence[int]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
