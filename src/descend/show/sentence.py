"""How a training went, in plain sentences made from the report's own numbers and from nothing else."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from descend.show import numbers
from descend.show.layout import safe
from descend.show.metrics import value_of

FELL, ROSE, HARDLY = "fell", "rose", "hardly moved"
_CLEAR_CHANGE = 0.02  # of the first loss; less is called hardly any
CLEAR_RISE_FROM_LOWEST = 1.25
_NAMED_PARAMETERS = 3

Report = Mapping[str, Any]


def sentence(report: Report) -> str:
    """Two to four sentences: how the training ended, what the loss did, how good the model is, what never moved.

    Raises nothing for results that are missing: what is not in the report is not spoken of.
    """
    parts = [_ending(report)]
    if report.get("status") not in ("diverged", "failed"):
        parts += [_loss(report), _kept(report), _quality(report), stuck(report)]
    return " ".join(part for part in parts if part)


def unmoved(report: Report) -> list[str]:
    """Names of the parameters that training never changed."""
    return [safe(each["name"]) for each in report.get("parameters") or () if _is_unmoved(each)]


def _ending(report: Report) -> str:
    """Nothing for a training that went through to its end: that is what was asked for."""
    status = report.get("status")
    message = _full_stop(safe(report.get("message") or ""))
    done = len(report.get("epochs") or ())
    planned = (report.get("recipe") or {}).get("epochs")
    of_planned = f" of {planned:,}" if isinstance(planned, int) else ""
    if status == "diverged":
        return (
            f"The training diverged: {message}"
            if message
            else "The training diverged: its loss stopped being a finite number."
        )
    if status == "failed":
        return f"The training failed: {message}" if message else "The training failed."
    if status == "interrupted":
        when = f"after {numbers.plural(done, 'epoch')}{of_planned}" if done else "in the first epoch"
        return f"Interrupted {when}{_because(message)}"
    if status == "stopped early":
        return f"Stopped early, after {numbers.plural(done, 'epoch')}{of_planned}{_because(message)}"
    return ""


def _loss(report: Report) -> str:
    first, last, where = _ends(report)
    if first is None or last is None:
        return ""
    if not math.isfinite(last) or not math.isfinite(first):
        return f"Loss went from {numbers.short(first)} to {numbers.short(last)}: not a finite number."
    start, end = numbers.short(first), numbers.short(last)
    if start == end:
        return f"Loss did not move: it stayed at {end}."
    said = f"{start}{where[0]} to {end}{where[1]}"
    moved = direction(first, last)
    if moved == HARDLY:
        return f"Loss {moved}: from {said}."
    return f"Loss {moved} from {said}{_lowest(report, last) if moved == FELL else ''}."


def direction(first: float, last: float) -> str:
    """What a loss did between two values: fell, rose, or hardly moved."""
    size = max(abs(first), abs(last))
    change = (last - first) / size if size else 0.0
    if abs(change) < _CLEAR_CHANGE:
        return HARDLY
    return ROSE if change > 0 else FELL


def _ends(report: Report) -> tuple[float | None, float | None, tuple[str, str]]:
    """Loss before and after over all training rows; where that was not measured, of the first and of the last step."""
    before, after = value_of((report.get("before") or {}).get("train"), "loss"), value_of(report.get("train"), "loss")
    if before is not None and after is not None:
        return before, after, ("", "")
    losses = report.get("losses") or {}
    return value_of(losses, "first"), value_of(losses, "last"), (" at the first step", " at the last")


def _lowest(report: Report, last: float) -> str:
    """Says so where the loss was clearly lower once than it is now."""
    known = [(value_of(epoch, "loss"), epoch["epoch"]) for epoch in report.get("epochs") or ()]
    losses = [(loss, epoch) for loss, epoch in known if loss is not None and math.isfinite(loss)]
    if not losses or report.get("best_epoch") is not None:
        return ""
    lowest, epoch = min(losses)
    if lowest > 0 and last > lowest * CLEAR_RISE_FROM_LOWEST and losses[-1][0] > lowest * CLEAR_RISE_FROM_LOWEST:
        return f", but it was lower in epoch {epoch:,}: {numbers.short(lowest)}"
    return ""


def _kept(report: Report) -> str:
    best, epochs = report.get("best_epoch"), report.get("epochs") or ()
    if best is None or not epochs or best == epochs[-1]["epoch"]:
        return ""
    return f"The weights of epoch {best:,} are kept, the best on the validation rows."


def _quality(report: Report) -> str:
    part = report.get("unseen") or "train"
    after = report.get(part)
    if not after:
        return ""
    said = _classes(report, part) if report.get("task") == "classes" else _values(report, part)
    if said and part == "train" and (report.get("rows") or {}).get("train"):
        said += " No rows were held back, so how it does on new ones is not known."
    return said


def _classes(report: Report, part: str) -> str:
    after = report[part]
    accuracy = value_of(after, "accuracy")
    if accuracy is None:
        return ""
    noun = "digits" if safe(report.get("title") or "").rstrip(".").endswith("digits") else "examples"
    verb = "reads" if noun == "digits" else "gets"
    right = "" if noun == "digits" else " right"
    said = f"It {verb} {_share(accuracy)} of {_rows(report, part, noun)}{right}{_compared(report, part, accuracy)}"
    frequent = _most_frequent(after.get("confusion"))
    if frequent is not None and accuracy <= frequent[1]:
        name = _name(report, frequent[0])
        how = "as well" if accuracy == frequent[1] else "better"
        return f"{said}. Always saying {name} would do {how}: {_share(frequent[1])}."
    pairs = [pair for pair in report.get("confused") or () if pair.get("count", 0) > 0][:2]
    if not pairs:
        return f"{said}."
    named = " and ".join("–".join(safe(name) for name in pair["pair"]) for pair in pairs)
    return f"{said}; {named} {'are' if len(pairs) > 1 else 'is'} confused most."


def _compared(report: Report, part: str, accuracy: float) -> str:
    before = value_of((report.get("before") or {}).get(part), "accuracy")
    if before is None:
        return ""
    worse = ", so it got worse" if accuracy < before else ""
    return f" (before: {_share(before)}{worse})"


def _values(report: Report, part: str) -> str:
    after = report[part]
    mae, rmse, r2 = (value_of(after, name) for name in ("mae", "rmse", "r2"))
    targets = [safe(name) for name in report.get("target_names") or ()]
    subject = f"Its predictions of {targets[0]} are" if len(targets) == 1 else "Its predictions are"
    further = [f"RMSE{numbers.NO_BREAK}{numbers.short(rmse)}"] if rmse is not None else []
    if r2 is not None:
        further.append(f"R²{numbers.NO_BREAK}{numbers.short(r2)}")
    if mae is not None:
        said = f"{subject} off by {numbers.short(mae)} on average"
    elif rmse is not None:
        said = f"{subject} off by {numbers.short(rmse)} (root mean square)"
        further = further[1:]
    else:
        return ""
    brackets = f" ({', '.join(further)})" if further else ""
    worthless = "" if r2 is None or r2 > 0 else " Always saying the mean would do as well or better."
    return f"{said}{brackets} on {_rows(report, part, 'rows')}.{worthless}"


def _rows(report: Report, part: str, noun: str) -> str:
    n = (report.get("rows") or {}).get(part)
    if n == 1:
        noun = noun.removesuffix("s")
    number = f"{n:,}{numbers.NO_BREAK}{noun}" if isinstance(n, int) and n else f"the {noun}"
    if part == "train":
        return f"the {number} it learned from" if n else f"{number} it learned from"
    if part == "validation":
        return f"{number} kept apart for validation"
    return f"{number} it has never seen"


def stuck(report: Report) -> str:
    """A sentence that names the parameters that never changed; the empty string where all did."""
    every, still = report.get("parameters") or (), unmoved(report)
    if not still:
        return ""
    if len(still) == len(every):
        return "No parameter ever moved."
    listed = ", ".join(still[:_NAMED_PARAMETERS]) + (", …" if len(still) > _NAMED_PARAMETERS else "")
    return f"{len(still)} of {len(every)} parameters never moved: {listed}."


def _is_unmoved(parameter: Mapping[str, Any]) -> bool:
    """``moved`` is whether it moved, or how far; a report that does not say is not read as a no."""
    moved = parameter.get("moved")
    return moved is not None and not moved


def _most_frequent(confusion: Sequence[Sequence[int]] | None) -> tuple[int, float] | None:
    """The class that most examples belong to, and its share of them; rows of the matrix are the truth."""
    totals = [sum(row) for row in confusion or ()]
    if not totals or not sum(totals):
        return None
    most = max(range(len(totals)), key=totals.__getitem__)
    return most, totals[most] / sum(totals)


def _name(report: Report, index: int) -> str:
    names = report.get("target_names") or ()
    return safe(names[index]) if index < len(names) else str(index)


def _share(share: float) -> str:
    return numbers.percent(share, 1, most=3)


def _because(message: str) -> str:
    return f": {message}" if message else "."


def _full_stop(text: str) -> str:
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."
