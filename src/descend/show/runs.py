"""Runs in a list, and two of them side by side."""

import math
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from descend.record.rows import RunInfo
from descend.record.summarise import thinned
from descend.show import numbers
from descend.show.choices import written as setting
from descend.show.colours import ACCENT, BAD, GOOD, MUTED, STRONG, WARNING
from descend.show.curve import plot, scale_of
from descend.show.layout import INDENT, WIDEST, Cell, columns, look_of, muted, prose, put, safe, shorten
from descend.show.metrics import PARTS, Metrics, name_of, scalar_names, value_of, written
from descend.show.watched_sentence import end_of

_STATUS_COLOURS: Mapping[str, str] = {
    "finished": GOOD,
    "stopped early": GOOD,
    "running": ACCENT,
    "interrupted": WARNING,
    "died": BAD,
    "diverged": BAD,
    "failed": BAD,
    "damaged": BAD,
}
_COLUMNS = ("run", "started", "status", "model", "epochs", "loss", "result", "time")
_LEFT = ("run", "started", "status", "model")
_GIVEN_UP_FIRST = ("model", "started", "time", "epochs", "loss")  # in a narrow terminal
_HIGHER_IS_BETTER = ("accuracy", "macro_f1", "r2")
_CURVE_HEIGHT = 4
_CURVE_WIDTH = 78
_NAME_WIDTH = 24


def runs_table(runs: Sequence[RunInfo], console: Console, *, base: str = "runs") -> None:
    """Print a line a run, in the order given; columns are left out where the terminal is narrow, the least needed first."""
    if not runs:
        put(console, f"There is no run in {safe(base)} yet. One is made by: descend train mnist")
        return
    cells = [_cells(run) for run in runs]
    names = [name for name in _COLUMNS if any(_length(row[name]) for row in cells)]
    lines = _laid_out(cells, names)
    for unneeded in _GIVEN_UP_FIRST:
        if max(line.cell_len for line in lines) <= console.width:
            break
        names = [name for name in names if name != unneeded]
        lines = _laid_out(cells, names)
    put(console, *lines)
    for run in runs:
        if run.damage:
            put(console, *prose(f"{safe(run.name)}: {safe(run.damage)}", console.width, indent=INDENT, style=BAD))


def compare_runs(
    first: RunInfo, second: RunInfo, console: Console, curves: tuple[Sequence[float], Sequence[float]] | None = None
) -> None:
    """Print what differs between two runs: settings, results, loss curves on one scale.

    curves: losses of the two, where their reports hold none (a run that is still going, or that died).
    """
    names = (shorten(safe(first.name), _NAME_WIDTH), shorten(safe(second.name), _NAME_WIDTH))
    width = min(console.width, WIDEST)
    reports = (first.report or {}, second.report or {})
    drawn = curves or (_curve(reports[0]), _curve(reports[1]))
    identical = (
        len(drawn[0]) > 1 and list(drawn[0]) == list(drawn[1]) and reports[0].get("steps") == reports[1].get("steps")
    )
    same = " Their loss curves are identical." if identical else ""
    put(console, *prose(_verdict(names, (first, second)) + same, width, style=STRONG))
    put(console, "", *_settings(names, (first, second)))
    results = _results(names, (first, second), reports)
    if results:
        put(console, "", *results)
    _plots(console, (f"{names[0]} and {names[1]}",) if identical else names, drawn, reports, width)


def _plots(
    console: Console,
    names: Sequence[str],
    drawn: tuple[Sequence[float], Sequence[float]],
    reports: tuple[Metrics, Metrics],
    width: int,
) -> None:
    """The curves on one scale, a step as wide in the one as in the other; each on its own where the data are not the same.

    A run that diverged has a scale of its own too: on it nothing of the other would be seen.
    """
    comparable = reports[0].get("title") == reports[1].get("title")
    means = [thinned(values) for values in drawn]
    finite = all(math.isfinite(value) for curve in means for value in curve)
    scale = scale_of([*means[0], *means[1]]) if comparable and finite else None
    steps = [value_of(report, "steps") or 0.0 for report in reports]
    for name, values, own, colour in zip(names, means, steps, (ACCENT, WARNING), strict=False):
        if len(values) < 2:
            continue
        share = own / max(steps) if comparable and all(steps) else 1.0
        lines = plot(
            values,
            min(width, _CURVE_WIDTH),
            _CURVE_HEIGHT,
            ends=(f"{name} · loss", f"step {round(own):,}" if own else ""),
            scale=scale,
            share=share,
            look=look_of(console),
            colour=colour,
            noun="losses" if own in (0, len(values)) else "points",
        )
        put(console, "", *lines)


def _cells(run: RunInfo) -> dict[str, Cell]:
    report: Mapping[str, Any] = run.report or {}
    name, metric, value = _result(report)
    seconds = value_of(report.get("seconds"), "total")
    result = Text()
    if metric:
        result = Text("" if metric == "accuracy" else f"{name_of(metric)} ", style=MUTED)
        result.append(written(metric, value), style="default").append(f" {name}", style=MUTED)
    loss = _end(report) if _watched(run) else value_of(report.get("train"), "loss")
    return {
        "run": Text(shorten(safe(run.name), _NAME_WIDTH), style=STRONG),
        "started": _local(run.started),
        "status": Text(safe(run.status), style=_STATUS_COLOURS.get(run.status, "")),
        "model": shorten(_model(run), 36),
        "epochs": _epochs(run),
        "loss": "" if loss is None and (_watched(run) or not report.get("train")) else numbers.loss(loss),
        "result": result,
        "time": "" if seconds is None else numbers.seconds(seconds),
    }


def _watched(run: RunInfo) -> bool:
    """Whether it is a script that was watched: there is no recipe then, and nobody examined its model."""
    return run.kind == "run"


def _model(run: RunInfo) -> str:
    """The architecture, without its number of parameters; of a watched script its name."""
    if _watched(run):
        return safe(run.title)
    known = (run.report or {}).get("architecture") or run.environment.get("architecture") or run.recipe.get("model")
    return safe(known or "").partition(" (")[0]


def _epochs(run: RunInfo) -> str:
    done = _epochs_done(run.report or {})
    planned = run.epochs if run.epochs is not None else run.recipe.get("epochs")
    if done is None:
        return ""
    return f"{done:,}" if planned in (done, None) else f"{done:,} of {planned:,}"


def _epochs_done(report: Mapping[str, Any]) -> int | None:
    """How many epochs there were; None where that is not known."""
    epochs = report.get("epochs")
    if isinstance(epochs, int):
        return epochs
    return len(epochs or ()) if report and report.get("kind") != "run" else None


def _end(report: Mapping[str, Any]) -> float | None:
    """The loss that a watched training ended with, where it was one training."""
    return end_of(report.get("loss") or {}) if len(report.get("trainings") or ()) < 2 else None


def _laid_out(cells: Sequence[Mapping[str, Cell]], names: Sequence[str]) -> list[Text]:
    heading: list[Cell] = [muted(name) for name in names]
    align = "".join("l" if name in _LEFT else "r" for name in names)
    return columns([heading, *([row[name] for name in names] for row in cells)], align)


def _length(cell: Cell) -> int:
    return len(cell)


def _local(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"


def _result(report: Mapping[str, Any]) -> tuple[str, str, float | None]:
    """Part of the data, name and value of the one metric that says how good a model is: of unseen rows where there are any."""
    part = str(report.get("unseen") or "train")
    metrics = report.get(part)
    for metric in ("accuracy", "rmse", "loss"):
        value = value_of(metrics, metric)
        if value is not None:
            return PARTS[part], metric, value
    return "", "", None


def _verdict(names: tuple[str, str], runs: tuple[RunInfo, RunInfo]) -> str:
    """Which of the two did better, where they were measured alike."""
    reports = [run.report or {} for run in runs]
    (part, metric, first), (other_part, other_metric, second) = _result(reports[0]), _result(reports[1])
    missing = [
        f"{name} ({safe(run.status)})"
        for name, run, value in zip(names, runs, (first, second), strict=True)
        if value is None
    ]
    if first is None or second is None:
        return _verdict_on_losses(names, runs) or f"There is no result to compare of {' and '.join(missing)}."
    if (part, metric) != (other_part, other_metric) or reports[0].get("title") != reports[1].get("title"):
        return f"{names[0]} and {names[1]} were not measured on the same examples: their results cannot be compared."
    where = f"{name_of(metric)} on the {part} rows"
    values = written(metric, first), written(metric, second)
    if first == second:
        return f"{names[0]} and {names[1]} have the same {where}: {values[0]}."
    higher = metric in _HIGHER_IS_BETTER
    better = 0 if (first > second) == higher else 1
    direction = "higher" if higher else "lower"
    return (
        f"{names[better]} has the {direction} {where}: {values[better]}, and {names[1 - better]} {values[1 - better]}."
    )


def _verdict_on_losses(names: tuple[str, str], runs: tuple[RunInfo, RunInfo]) -> str:
    """Of two watched runs of one script: the loss that each ended with. Empty for any others."""
    if not all(map(_watched, runs)) or runs[0].title != runs[1].title:
        return ""
    first, second = (_end(run.report or {}) for run in runs)
    if first is None or second is None:
        return ""
    if first == second:
        return f"{names[0]} and {names[1]} ended with the same loss: {numbers.short(first)}."
    lower = 0 if first < second else 1
    values = numbers.short(first), numbers.short(second)
    return f"{names[lower]} ended with the lower loss: {values[lower]}, and {names[1 - lower]} {values[1 - lower]}."


def _chosen(run: RunInfo) -> Mapping[str, Any]:
    """What a run was made with: its recipe, or what was seen of it while a script was watched."""
    if not _watched(run):
        return run.recipe
    report = run.report or {}
    batches = report.get("batches") or ()
    seen = {
        "command": shlex.join(map(str, report.get("script") or ())) or run.title,
        "lr": (report.get("lr") or {}).get("first"),
        "batch": ", ".join(f"{each['name']} {tuple(each['shape'])}".strip() for each in batches) or None,
        "parameters": sum(math.prod(each["shape"]) for each in report.get("parameters") or ()) or None,
    }
    return {key: value for key, value in seen.items() if value is not None}


def _settings(names: tuple[str, str], runs: tuple[RunInfo, RunInfo]) -> list[Text]:
    if _watched(runs[0]) != _watched(runs[1]):
        watched = names[0] if _watched(runs[0]) else names[1]
        return [muted(f"{INDENT}{watched} is a watched script: it has no recipe to compare")]
    first, second = map(_chosen, runs)
    keys = list(dict.fromkeys([*first, *second]))
    differing = [key for key in keys if setting(first.get(key)) != setting(second.get(key))]
    if not differing:
        what = "what was seen of them is" if _watched(runs[0]) else "the recipes are"
        return [muted(f"{INDENT}{what} the same, setting for setting")]
    rows: list[Sequence[Cell]] = [[muted("setting"), muted(names[0]), muted(names[1])]]
    rows += [
        [muted(safe(key)), *(shorten(setting(recipe.get(key)), 30) for recipe in (first, second))] for key in differing
    ]
    same = len(keys) - len(differing)
    return [
        *columns(rows, "lrr"),
        *([muted(f"{INDENT}{same} further settings are the same")] if same > 1 else []),
    ]


def _results(names: tuple[str, str], runs: tuple[RunInfo, RunInfo], reports: tuple[Metrics, Metrics]) -> list[Text]:
    rows: list[Sequence[Cell]] = []
    for part, title in PARTS.items():
        both = [report.get(part) for report in reports]
        for metric in scalar_names(*both):
            values = [value_of(metrics, metric) for metrics in both]
            best = _best(metric, values)
            cells = (Text(written(metric, value), style=STRONG if value == best else "") for value in values)
            rows.append([muted(f"{title} {name_of(metric)}"), *cells])
    if any(reports):
        rows += _watched_results(reports) if any(map(_watched, runs)) else []
        done = [_epochs_done(report) for report in reports]
        rows.append([muted("epochs"), *(numbers.MISSING if each is None else numbers.count(each) for each in done)])
        rows.append(
            [muted("time in all"), *(numbers.seconds(value_of(report.get("seconds"), "total")) for report in reports)]
        )
    if runs[0].status != runs[1].status or runs[0].status != "finished":
        rows.append(
            [muted("status"), *(Text(safe(run.status), style=_STATUS_COLOURS.get(run.status, "")) for run in runs)]
        )
    heading: list[Cell] = [muted("result"), muted(names[0]), muted(names[1])]
    return columns([heading, *rows], "lrr") if rows else []


def _watched_results(reports: tuple[Metrics, Metrics]) -> list[Sequence[Cell]]:
    """Losses as the steps had them, and the number of steps, beside one another where either was watched."""
    ends = [
        _end(report) if report.get("kind") == "run" else value_of(report.get("losses"), "last") for report in reports
    ]
    lowest = [value_of(report.get("loss"), "lowest") for report in reports]
    steps = [report.get("steps") for report in reports]
    return [
        [muted("loss at the end"), *map(numbers.loss, ends)],
        [muted("lowest loss"), *map(numbers.loss, lowest)],
        [muted("steps"), *(numbers.MISSING if each is None else numbers.count(each) for each in steps)],
    ]


def _best(metric: str, values: Sequence[float | None]) -> float | None:
    """The better of two values that differ."""
    known = [value for value in values if value is not None]
    if len(set(known)) < 2:
        return None
    return max(known) if metric in _HIGHER_IS_BETTER else min(known)


def _curve(report: Metrics) -> list[float]:
    values = (report.get("losses") or report.get("loss") or {}).get("curve") or ()
    return [float("nan") if value is None else float(value) for value in values]
