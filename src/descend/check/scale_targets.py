"""A part of D602: targets of a size that a model does not come to in its steps, as prices in the hundred thousands."""

from descend.check import words
from descend.check.course import Course
from descend.check.finding import Finding

_WORSE = 2.0  # times the loss of the best constant answer, at the end
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
    done = f"lowered the loss by {words.percent(fallen)}" if fallen > 0 else "did not lower the loss"
    return Finding(
        code="D602",
        level="note",
        title=f"{len(course):,} steps {done}: the targets are far from what the model answers",
        message="To answer the same for every row, the mean of the targets, would be better. A model begins with answers near 0, and steps of a "
        "usual size take it to numbers of this size very slowly.",
        evidence=facts,
        where=words.place_of(course.evidence, loss),
        step=course.last,
        fix="y = (y - y.mean()) / y.std()   # of the training rows; turn answers back",
    )
