"""What is shown after a training: how it went, before and after, epoch by epoch, its worst mistakes, its time, what to do next."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from rich.console import Console
from rich.text import Text

from descend.data.catalogue import CATALOGUE
from descend.show import digit, numbers
from descend.show.colours import ACCENT, BAD, MUTED, PHASE_COLOURS, STRONG, WARNING
from descend.show.curve import plot
from descend.show.epochs import EpochRow, chosen, epoch_table, rows_of_report
from descend.show.findings import counted, finding_blocks
from descend.show.header import header
from descend.show.layout import INDENT, WIDEST, Look, facts, labelled, look_of, prose, put, safe
from descend.show.metrics import PARTS, before_and_after, value_of
from descend.show.sentence import Report, sentence, unmoved
from descend.show.spent import durations, speeds, stacked

Images = Mapping[int, digit.Pixels]
_MOST_EPOCHS = 12
_MOST_PAIRS = 5
_MOST_MISTAKES = 5
_CURVE_HEIGHT = 5
_CURVE_WIDTH = 78
_FEWEST_FOR_CURVE = 3
_MOST_VALUES = 12  # that a command is shown with
_LABELS = len("where the time went")
_MARGIN = len(INDENT) + _LABELS + 3


def summary(report: Report, console: Console, images: Images | None = None, *, with_header: bool = True) -> None:
    """Print all there is to say about a run that has ended.

    images: the examples of ``report["worst"]`` by index, rows of values in 0..1. ``with_header`` False leaves out what is being
    trained, for a terminal where the live view has printed it already.
    """
    width, look = min(console.width, WIDEST), look_of(console)
    failed = report.get("status") in ("diverged", "failed")
    if with_header:
        put(console, *header_of(report, width), "")
    put(console, *prose(sentence(report), width, style=BAD if failed else WARNING if unmoved(report) else STRONG))
    for note in report.get("notes") or ():
        put(console, *prose(f"note: {safe(note)}", width, style=WARNING))
    blocks = [
        epochs_of(report, width),
        curve_of(report.get("losses") or {}, report.get("steps"), width, look),
        before_and_after(report.get("before") or {}, {part: report.get(part) for part in PARTS}, width),
        _learned(report, width),
        _mistakes(report, images, width, look),
        [*_confused(report, width), *_time(report, width, look)],
        *finding_blocks(report, width),
        [*_checked(report), *_where(report, width)],
    ]
    for block in blocks:
        if block:
            put(console, "", *block)


def next_commands(report: Report) -> list[tuple[str, str]]:
    """What may be typed next, with what it does; nothing that would not work for this run."""
    if not report.get("model"):
        return []
    path = PurePath(str(report.get("path") or report.get("run")))
    run = "last" if path == PurePath("runs", str(report.get("run"))) else shlex.quote(safe(path))
    model = str((report.get("recipe") or {}).get("model"))
    if ":" in model:  # code is only run where the person names it
        run += f" --model {shlex.quote(safe(model))}"
    commands = []
    features = [safe(name) for name in report.get("feature_names") or ()]
    if str(report.get("title") or "").endswith("digits"):
        commands.append((f"descend predict {run} my-digit.png", "a picture of yours"))
    elif len(features) > _MOST_VALUES:
        commands.append((f"descend.load({safe(str(path))!r}).predict(rows)", "in Python"))
    elif features:
        values = " ".join(shlex.quote(f"{name}=1") for name in features)
        commands.append((f"descend predict {run} --values {values}", "with values of your own"))
    if (report.get("recipe") or {}).get("data") in CATALOGUE:  # others are examined from Python
        everything = "the confusion table" if report.get("task") == "classes" else "every metric"
        commands.append((f"descend evaluate {run}", everything))
    return commands


def header_of(report: Report, width: int) -> list[Text]:
    """What was trained, on what, how."""
    return header(
        str(report.get("title") or report.get("run") or ""),
        report.get("recipe") or {},
        report.get("choices") or (),
        width,
        architecture=str(report.get("architecture") or ""),
        device=str(report.get("device") or ""),
    )


def epochs_of(report: Report, width: int) -> list[Text]:
    """The table of epochs; of many, some."""
    rows = rows_of_report(report)
    if not rows or rows[-1].epoch == 0:
        return []
    notes = _notes(report, rows)
    outputs = len(report.get("target_names") or ()) if report.get("task") == "classes" else None
    shown = chosen(rows, _MOST_EPOCHS, also=notes)
    return epoch_table(shown, report.get("unseen"), width=width, outputs=outputs, notes=notes)


def curve_of(losses: Report, steps: object, width: int, look: Look) -> list[Text]:
    """The loss curve; nothing where there are too few steps for one. losses: with a list of numbers and None as ``curve``."""
    values = [float("nan") if value is None else float(value) for value in losses.get("curve") or ()]
    if len(values) < _FEWEST_FOR_CURVE:
        return []
    ends = ("loss · step 1", f"step {numbers.count(steps)}") if isinstance(steps, int) else ("loss", "")
    noun = "losses" if steps == len(values) else "points"
    return plot(values, min(width, _CURVE_WIDTH), _CURVE_HEIGHT, ends=ends, look=look, noun=noun)


def _notes(report: Report, rows: Sequence[EpochRow]) -> dict[int, str]:
    """The lowest loss on unseen rows, where it was not the last epoch's, and the epoch whose weights are kept."""
    notes = {}
    losses = [(loss, row.epoch) for row in rows if row.epoch and (loss := value_of(row.unseen, "loss")) is not None]
    if losses and min(losses)[0] < losses[-1][0]:
        notes[min(losses)[1]] = f"lowest {report.get('unseen')} loss"
    best = report.get("best_epoch")
    if best is not None:
        notes[best] = "these weights are kept"
    return notes


def _learned(report: Report, width: int) -> list[Text]:
    """The values of the parameters where there are few enough to read: as an equation where the model is one."""
    few = [each for each in report.get("parameters") or () if each.get("values")]
    if not few or len(few) < len(report["parameters"]):
        return []
    said = _equation(report, few) or [
        f"{safe(each['name'])} = {', '.join(map(numbers.short, each['values']))}" for each in few
    ]
    return labelled([("learned", facts(said, width - _MARGIN))], least=_LABELS)


def _equation(report: Report, few: Sequence[Mapping[str, Any]]) -> list[str]:
    """A linear model with one output as its formula; nothing for any other model."""
    targets: Sequence[str] = report.get("target_names") or []
    features: Sequence[str] = report.get("feature_names") or []
    linear = (report.get("recipe") or {}).get("model") == "linear" and len(targets) == 1
    if not linear or [len(each["values"]) for each in few] != [len(features), 1]:
        return []
    weights, bias = few[0]["values"], few[1]["values"][0]
    terms = [f"{numbers.short(value)} × {safe(name)}" for value, name in zip(weights, features, strict=True)]
    return [f"{safe(targets[0])} = {' + '.join([*terms, numbers.short(bias)])}".replace("+ -", "- ")]


def _confused(report: Report, width: int) -> list[Text]:
    pairs = [pair for pair in report.get("confused") or () if pair.get("count", 0) > 0][:_MOST_PAIRS]
    said = []
    for pair in pairs:
        times = "once" if pair["count"] == 1 else f"{numbers.count(pair['count'])} times"
        said.append(f"{'–'.join(safe(name) for name in pair['pair'])} {times}")
    return labelled([("most confused", facts(said, width - _MARGIN))], least=_LABELS) if said else []


def _mistakes(report: Report, images: Images | None, width: int, look: Look) -> list[Text]:
    """The rows the model was most wrongly sure of: drawn side by side, as many as there is room for, else in words."""
    worst = list(report.get("worst") or ())[:_MOST_MISTAKES]
    drawn = [mistake for mistake in worst if images and mistake["index"] in images]
    if not worst:
        return []
    if not images or not drawn:
        said = [
            f"row {each['index']:,}: said {safe(each['said'])} ({_sure(each)}), is {safe(each['is'])}" for each in worst
        ]
        return labelled([("worst mistakes", facts(said, width - _MARGIN))], least=_LABELS)
    captions = [
        [f"said {safe(each['said'])}, is {safe(each['is'])}", f"{_sure(each)} sure · row {each['index']:,}"]
        for each in drawn
    ]
    pictures = [digit.digit(window, look) for window in digit.crop([images[each["index"]] for each in drawn])]
    widths = [len(line) for lines in pictures for line in lines] + [len(line) for lines in captions for line in lines]
    fitting = max(1, (width - len(INDENT) + 3) // (max(widths) + 3))
    title = Text(f"{INDENT}worst mistakes on the {PARTS.get(str(report.get('unseen')), 'training')} rows", style=MUTED)
    side_by_side = digit.side_by_side(pictures[:fitting], captions[:fitting])
    return [title, *(Text(INDENT).append_text(line) for line in side_by_side)]


def _sure(mistake: Mapping[str, Any]) -> str:
    return numbers.percent(mistake["share"], 1, most=3)


def _time(report: Report, width: int, look: Look) -> list[Text]:
    room = width - _MARGIN
    phases = report.get("phases") or {}
    shares = sorted(((name, value_of(phases, name) or 0.0) for name in phases), key=lambda pair: -pair[1])
    shares = [(name, share) for name, share in shares if share > 0]
    parts = [
        Text(safe(name), style=PHASE_COLOURS.get(name, "")).append(f" {numbers.percent(share, 0)}", style="default")
        for name, share in shares
    ]
    rows = [
        ("time", durations(report, room)),
        ("speed", speeds(report, room)),
        ("where the time went", facts(parts, room)),
    ]
    if shares and look == "grey":
        rows.append(("", [stacked(shares, room)]))
    return labelled([(label, lines) for label, lines in rows if lines], least=_LABELS)


def _checked(report: Report) -> list[Text]:
    """How many kinds of fault were looked for, in a line."""
    clean, found = len(report.get("checked") or ()), len({each["code"] for each in report.get("findings") or ()})
    if not clean + found:
        return []
    said = f"{numbers.plural(clean + found, 'kind')} of fault: {counted(report) or 'none found'}"
    return labelled([("checked", [Text(said)])], least=_LABELS)


def _where(report: Report, width: int) -> list[Text]:
    places = [
        (name, [Text(safe(report[key]))]) for name, key in (("run", "path"), ("model", "model")) if report.get(key)
    ]
    commands = next_commands(report)
    longest = max((len(command) for command, _ in commands), default=0)
    lines = []
    for command, does in commands:
        line = Text(command, style=ACCENT)
        if _MARGIN + longest + 3 + len(does) <= width:
            line.append(" " * (longest - len(command) + 3) + does, style=MUTED)
        lines.append(line)
    return labelled([*places, ("next", lines)] if lines else places, least=_LABELS)
