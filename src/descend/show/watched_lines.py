"""The last lines below a watched script: time, evaluations, what was not seen, what watching cost, and what to type next."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from rich.text import Text

from descend.show import numbers
from descend.show.colours import ACCENT, BAD, MUTED, WARNING
from descend.show.layout import INDENT, Cell, facts, labelled, muted, prose, safe
from descend.show.metrics import value_of
from descend.show.places import short_files
from descend.show.sentence import Report
from descend.show.spent import durations, speeds
from descend.show.watched_sentence import typical

_LABELS = len("evaluations")
_MARGIN = len(INDENT) + _LABELS + 3
_MOST_LINES = 5  # of evaluations, of looks, of what was not seen
_COST_LIMIT = 0.03
_MANY = 1_000  # steps, beside which the first ones do not weigh
_SHORT = 1e-3  # seconds of a step, of which counting it takes one percent and more
_WORTH_FAST = 0.5  # of the time in loading


def closing_rows(report: Report, width: int) -> list[Text]:
    """What has a line or a few each: time, evaluations, what was not seen, what watching cost, where the record is, what to type."""
    room = width - _MARGIN
    rows = [
        ("time", durations(report, room)),
        ("speed", speeds(report, room)),
        ("evaluations" if report.get("steps") else "forward", _evaluations(report, room)),
        ("looks", _looks(report, room)),
        ("--fast", _fast(report, room)),
        ("not seen", _unseen(report, room)),
        ("watching", _cost(report, room)),
        ("record", _record(report, room)),
        ("next", _next(report, room)),
    ]
    return labelled([(label, lines) for label, lines in rows if lines], least=_LABELS)


def next_commands(report: Report) -> list[tuple[str, str]]:
    """What may be typed next, with what it does."""
    commands = []
    script = [safe(part) for part in report.get("script") or ()]
    if script and report.get("fast") is None and _loads_long(report):
        commands.append((f"descend run --fast {shlex.join(script)}", "same bits, sooner"))
    if report.get("path"):
        folder = PurePath(_from_here(str(report["path"]))).parent
        elsewhere = "" if folder == PurePath("runs") else f" --runs {shlex.quote(safe(folder))}"
        if report.get("previous"):
            pair = shlex.join([safe(report["previous"]), safe(report["run"])])
            commands.append((f"descend runs {pair}{elsewhere}", "beside the run before"))
        commands.append((f"descend runs{elsewhere}", "all runs"))
    return commands


def _evaluations(report: Report, room: int) -> list[Text]:
    """Passes with no backward after them, those of one line together."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for each in report.get("evaluations") or ():
        key = (each.get("file"), each.get("line"), bool(each.get("gradients")), tuple(each.get("training_mode") or ()))
        groups.setdefault(key, []).append(each)
    short = short_files(key[0] for key in groups)
    lines: list[Text] = []
    for (file, line, gradients, modes), members in list(groups.items())[:_MOST_LINES]:
        passes = sum(each["passes"] for each in members)
        said: list[Cell] = [numbers.plural(passes, "forward pass")]
        if len(members) > 1:
            said[0] = f"{len(members):,} times, {said[0]} in all"
        if report.get("steps"):
            said[0] = f"{said[0]} {_when(members)}"
        said.append("gradients on" if gradients else "gradients off")
        said.append(_modes(modes))
        if file:
            said.append(muted(f"{short[file]}:{line}"))
        lines += facts(said, room)
    left_out = len(groups) - _MOST_LINES
    return [*lines, muted(f"and from {numbers.plural(left_out, 'other line')}")] if left_out > 0 else lines


def _when(members: Sequence[Mapping[str, Any]]) -> str:
    first, last = members[0]["after_step"], members[-1]["after_step"]
    if last == 0:
        return "before the first step"
    start = f"step {first:,}" if first else "the start"
    return f"after step {last:,}" if first == last else f"between {start} and step {last:,}"


def _modes(modes: Sequence[str]) -> str:
    if not modes:
        return "in evaluation mode"
    named = ", ".join(safe(name or "the model") for name in modes[:2])
    return f"in training mode: {named}" + (f" and {len(modes) - 2:,} more" if len(modes) > 2 else "")


def _looks(report: Report, room: int) -> list[Text]:
    looks = report.get("looks") or {}
    places = looks.get("places") or ()
    short = short_files(each.get("file") for each in places)
    told = []
    for each in places:
        place = f" ({short[each['file']]}:{each['line']})" if each.get("file") else ""
        told.append(f"{safe(each['text'])}{place}")
    shown = list(dict.fromkeys(told))[:_MOST_LINES]  # a line in a loop is told more than once
    lines = [line for each in shown for line in prose(each, room)]
    left_out = (looks.get("count") or 0) - sum(each in shown for each in told)
    return [*lines, muted(f"and {left_out:,} more")] if left_out > 0 else lines


def _fast(report: Report, room: int) -> list[Text]:
    fast = report.get("fast")
    if fast is None:
        return []
    lines = []
    if fast.get("replaced"):
        lines += prose(f"replaced: {', '.join(safe(name) for name in fast['replaced'])}", room)
    for each in fast.get("kept") or ():
        lines += prose(f"left as it is: {safe(each['loader'])}, because {safe(each['why'])}", room, style=WARNING)
    return lines or prose("no loader was used", room, style=WARNING)


def _unseen(report: Report, room: int) -> list[Text]:
    every = report.get("unseen") or ()
    short = short_files(each.get("file") for each in every)
    lines = []
    for each in every[:_MOST_LINES]:
        place = f" ({short[each['file']]}:{each['line']})" if each.get("file") else ""
        times = f", {each['times']:,} times" if each.get("times", 1) > 1 else ""
        lines += prose(f"{safe(each['what'])}: {safe(each['why'])}{place}{times}", room, style=WARNING)
    left_out = len(every) - _MOST_LINES
    return [*lines, muted(f"and {left_out:,} more")] if left_out > 0 else lines


def _cost(report: Report, room: int) -> list[Text]:
    cost = report.get("cost") or {}
    seconds, share = value_of(cost, "seconds"), value_of(cost, "share")
    if not seconds or not share:  # nothing came up that was watched
        return []
    said = f"cost {numbers.percent(share)} of the time ({numbers.seconds(seconds)})"
    if share > _COST_LIMIT:
        step = value_of(report.get("seconds"), "per_step")
        if report["steps"] < _MANY:
            said += ": the first steps are kept in full, and there were few others"
        elif step is not None and step < _SHORT:
            said += f": its steps take {numbers.seconds(step)}, and each of them is counted"
    return prose(said, room)


def _record(report: Report, room: int) -> list[Text]:
    if not report.get("path"):
        why = safe(report.get("not_kept") or "")
        return prose(f"nothing was kept: {why}" if why else "nothing was kept", room, style=BAD)
    kept = report.get("kept") or {}
    said = [f"{numbers.plural(report['steps'], 'loss')}"] if report.get("steps") else []
    if kept.get("sampled"):
        said.append(f"{numbers.plural(kept['sampled'], 'step')} in detail")
    snapshots = [numbers.count(step) for step in kept.get("snapshots") or ()]
    if snapshots:
        steps = ", ".join(snapshots if len(snapshots) <= 6 else [*snapshots[:5], "…", snapshots[-1]])
        said.append(f"step{'s' if len(snapshots) > 1 else ''} {steps} in full")
    if report.get("printed"):
        said.append(numbers.plural(report["printed"], "printed line"))
    lines = [Text(safe(_from_here(str(report["path"])))), *facts(said, room, style=MUTED)]
    if report.get("not_kept"):
        lines += prose(f"not all was kept: {safe(report['not_kept'])}", room, style=BAD)
    return lines


def _next(report: Report, room: int) -> list[Text]:
    commands = next_commands(report)
    longest = max((len(command) for command, _ in commands), default=0)
    explained = all(longest + 3 + len(does) <= room for _, does in commands)
    lines = [Text(command, style=ACCENT) for command, _ in commands]
    for line, (_, does) in zip(lines, commands, strict=True):
        if explained:
            line.append(" " * (longest - line.cell_len + 3) + does, style=MUTED)
    return lines


def _from_here(path: str) -> str:
    """A path below the current folder as it would be typed here."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except (ValueError, OSError):
        return path


def _loads_long(report: Report) -> bool:
    """Whether most of the time goes into loading, in a loop over a loader rather than in slices taken by hand."""
    data: Mapping[str, Any] = next((each for each in report.get("phases") or () if each.get("phase") == "data"), {})
    share, source = value_of(data, "share") or 0.0, str(data.get("source") or "")
    return share >= _WORTH_FAST and typical(report) and (source.startswith("for ") or "next(" in source)
