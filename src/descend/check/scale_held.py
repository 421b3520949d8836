"""A part of D602: what else than the rate may hold a loss up, targets of a size that steps do not come to, or clipping."""

from math import isfinite
from statistics import median

from descend.check import words
from descend.check.course import Course
from descend.check.finding import Finding

_WORSE = 2.0  # times the loss of the best constant answer, at the end
_SHORTER = 10.0  # times, by clipping
_FEW = 3  # clippings that show it
_LARGE = 10.0  # targets of a size near 1 are in reach of any rate that is usual


def out_of_reach(course: Course, fallen: float) -> Finding | None:
    """Of a training whose loss hardly fell: whether its answers are still far from where all targets lie."""
    loss = course.squared_error
    if loss is None or not course.end > _WORSE * course.constant_loss:
        return None
    mean, deviation = loss.facts["target_spread"]
    if max(abs(mean), deviation) < _LARGE:
        return None
    answers = loss.facts.get("low"), loss.facts.get("high")
    facts = {
        "loss": f"{words.number(course.beginning)} at first, {words.number(course.end)} at the end",
        "loss of the best constant answer": words.number(course.constant_loss),
        "targets": f"{words.number(mean)} ± {words.number(deviation)}",
    }
    if answers[0] and answers[1]:
        facts["answers"] = f"{words.number(min(answers[0]))} to {words.number(max(answers[1]))} in step {loss.step}"
    return Finding(
        code="D602",
        level="note",
        title=f"{_what_was_done(course, fallen)}: the targets are far from what the model answers",
        message="To answer the same for every row, the mean of the targets, would be better. A model begins with answers near 0, and steps of a "
        "usual size take it to numbers of this size very slowly.",
        evidence=facts,
        where=words.place_of(course.evidence, loss),
        step=course.last,
        fix="y = (y - y.mean()) / y.std()   # of the training rows; turn answers back",
    )


def held_by_clipping(course: Course, fallen: float) -> Finding | None:
    """Of a training by plain steps whose loss hardly fell: whether clipping leaves little of its gradients."""
    clips = [
        each
        for row in course.facts("order")
        for each in row.values["happened"]
        if each["what"] == "clip" and each["how"] == "norm" and each["most"] > 0 and isfinite(each["norm"])
    ]
    if not course.is_plain or len(clips) < _FEW:
        return None
    norm, most = median(each["norm"] for each in clips), median(each["most"] for each in clips)
    if not norm > _SHORTER * most:
        return None
    clipped = sum(each["norm"] > each["most"] for each in clips)
    return Finding(
        code="D602",
        level="note",
        title=f"{_what_was_done(course, fallen)}: clipping makes the gradients {words.number(float(f'{norm / most:.1e}'))} times shorter",
        message="Clipping is there for the few gradients that are far too long. This threshold lies below all of them, and sets the length of "
        "every step.",
        evidence={
            "threshold": words.number(most),
            "norm before it, the median": words.number(norm),
            "clipped": f"{clipped:,} of {len(clips):,} gradients that were looked at",
            "learning rate": words.number(course.rate),
        },
        where=course.evidence.place(clips[0]["file"], clips[0]["line"]),
        step=course.last,
        fix=f"max_norm={words.number(float(f'{3 * norm:.0e}'))}   # above most of them, or leave it out",
    )


def _what_was_done(course: Course, fallen: float) -> str:
    return f"{len(course):,} steps " + (
        f"lowered the loss by {words.percent(fallen)}" if fallen > 0 else "did not lower the loss"
    )
