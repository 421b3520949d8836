"""How the training in a watched script went, in plain sentences made from the report's own numbers and from nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

from descend.record.events import BY_AN_OPTIMIZER, EVERYTHING_AFTER, OTHER_THREADS
from descend.show import numbers
from descend.show.layout import safe
from descend.show.metrics import value_of
from descend.show.sentence import CLEAR_RISE_FROM_LOWEST, Report, direction, stuck

_MOST_OF_THE_TIME = 0.4
_ABOUT = 1.5
_NAMED_ENDS = 4
_PHASES = {
    "data": "into loading",
    "forward": "into the forward pass",
    "loss": "into the loss",
    "backward": "into the backward pass",
    "update": "into the update",
    "zero": "into clearing gradients",
}


def watched_sentence(report: Report) -> str:
    """One to five sentences: how the script ended, what the loss did, where the time went, what never moved.

    What the report does not hold is not spoken of.
    """
    if not report.get("steps"):
        parts = [_ending(report), _nothing_trained(report)]
    else:
        parts = [
            _ending(report),
            _blinded(report),
            _at_once(report),
            _trainings(report),
            stuck(report),
            _printed(report),
        ]
    return " ".join(part for part in parts if part)


def end_of(loss: Mapping[str, Any]) -> float | None:
    """What a loss had become: the mean of the last epoch or of the last steps where single steps say little, else the last."""
    return value_of(loss.get("end"), "loss") if loss.get("end") else value_of(loss, "last")


def _ending(report: Report) -> str:
    status, exit_status = report.get("status"), report.get("exit_status")
    message = safe(report.get("message") or "").strip()
    steps = report.get("steps") or 0
    when = f"after {numbers.plural(steps, 'step')}" if steps else "before any step of a training"
    if status == "interrupted":
        return f"Interrupted {when}."
    if status == "failed" and message:
        return f"{_program(report)} failed {when}: {message if message.endswith(('.', '!', '?')) else message + '.'}"
    if status == "failed" or exit_status:
        said = f" with exit status{numbers.NO_BREAK}{exit_status}" if exit_status else ""
        return f"{_program(report)} stopped{said} {when}."
    return ""


def _program(report: Report) -> str:
    """What the person calls it."""
    title = str(report.get("title") or "")
    return "The notebook" if title.endswith(".ipynb") else "The cell" if title.startswith("cell ") else "The script"


def _blinded(report: Report) -> str:
    """Where watching ended before the program did."""
    if not _unseen(report, EVERYTHING_AFTER):
        return ""
    return f"Watching ended after {numbers.plural(report['steps'], 'step')}; the program went on. Until then:"


def _at_once(report: Report) -> str:
    """Where several threads trained, and the steps of all of them stand in one row."""
    return "Several threads trained; their steps stand in one row here." if _unseen(report, OTHER_THREADS) else ""


def _unseen(report: Report, what: str) -> bool:
    return any(each.get("what") == what for each in report.get("unseen") or ())


def _nothing_trained(report: Report) -> str:
    for each in report.get("unseen") or ():
        if str(each.get("what")).endswith(BY_AN_OPTIMIZER):
            return f"No step of a training was seen: there were {safe(each['what'])}, and {safe(each['why'])}."
    seen = []
    looks = (report.get("looks") or {}).get("count") or 0
    if looks:
        seen.append(f"{numbers.plural(looks, 'backward pass')} with no update after {'it' if looks == 1 else 'them'}")
    passes = sum(each.get("passes") or 0 for each in report.get("evaluations") or ())
    if passes:
        seen.append(f"{numbers.plural(passes, 'forward pass')} with no backward pass")
    if seen:
        return f"Nothing was trained. What was seen: {' and '.join(seen)}."
    if report.get("status") == "failed":
        return "Nothing was trained: no forward pass of a module came to its end."
    return "Nothing was trained: no backward pass was seen, and no forward pass of a module."


def _trainings(report: Report) -> str:
    trainings = report.get("trainings") or [{**report, "turns": ()}]
    if len(trainings) > 1:
        return _several(report, trainings)
    turns = trainings[0].get("turns") or ()
    if len(turns) > 1:
        return _in_turn(report, turns)
    loss = report.get("loss") or {}
    return _not_finite(report, loss) or _one(report, loss)


def _one(report: Report, loss: Mapping[str, Any]) -> str:
    first, last, steps = value_of(loss, "first"), end_of(loss), _steps(report)
    if first is None or last is None:
        return f"{steps} were seen, but not their loss{_time(report)}."
    start, end = numbers.short(first), numbers.short(last)
    if (report.get("steps") or 0) == 1:
        return f"One step was seen, with a loss of {start}{_time(report)}."
    if start == end:
        return f"Loss did not move over {steps}: it stayed at {end}{_time(report)}."
    said = f"from {start} to {end}{_mean_of(loss, last)}{_lower_before(loss, last)}"
    return f"Loss {direction(first, last)} {said} over {steps}{_time(report)}."


def _mean_of(loss: Mapping[str, Any], last: float) -> str:
    """Which steps the loss at the end is the mean of, where it does not look like the last step's own."""
    end = loss.get("end") or {}
    if end.get("steps", 1) < 2 or numbers.short(value_of(loss, "last")) == numbers.short(last):
        return ""
    return " (mean of the last epoch)" if end.get("epoch") else f" (mean of the last {end['steps']:,})"


def _lower_before(loss: Mapping[str, Any], last: float) -> str:
    """Says so where the loss was clearly lower once than it is now, the mean of as many steps."""
    lowest = value_of(loss.get("end"), "lowest")
    if lowest is None or lowest <= 0 or last <= lowest * CLEAR_RISE_FROM_LOWEST:
        return ""
    return f", after it was as low as {numbers.short(lowest)},"


def _not_finite(report: Report, loss: Mapping[str, Any]) -> str:
    bad = loss.get("not_finite")
    if not bad:
        return ""
    steps, first = report.get("steps") or 0, value_of(loss, "first")
    word = "not a number" if bad.get("value") == "nan" else "infinite"
    if bad["step"] == 1:
        return f"The loss was {word} from the first step on; {_how_many(bad['count'], steps)}."
    before = value_of(bad, "before")
    so_far = "" if before is None else f" was {numbers.short(before)} at step {bad['step'] - 1:,} and"
    if first is not None and before is not None and bad["step"] > 2:
        so_far = f" {direction(first, before)} from {numbers.short(first)} to {numbers.short(before)} and"
    rest = _how_many(bad["count"], steps)
    return f"The training diverged: its loss{so_far} was {word} at step {bad['step']:,}; {rest}."


def _how_many(count: int, steps: int) -> str:
    if count == steps:
        return f"none of {numbers.plural(steps, 'loss')} is a finite number"
    return f"{count:,} of {steps:,} losses {'is' if count == 1 else 'are'} no finite number"


def _several(report: Report, trainings: Sequence[Mapping[str, Any]]) -> str:
    steps = numbers.plural(report.get("steps") or 0, "step")
    said = f"{len(trainings):,} trainings, one after the other, {steps} in all"
    ends, fell, broken = [], 0, 0
    for training in trainings:
        loss = training.get("loss") or {}
        first, last = value_of(loss, "first"), end_of(loss)
        broken += bool(loss.get("not_finite"))
        if first is not None and last is not None:
            fell += direction(first, last) == "fell"
            ends.append(last)
    parts: list[str] = []
    if ends and fell == len(trainings):
        to = "to values " if len(ends) > _NAMED_ENDS else "to "
        said += f": loss fell in each, {to}{_listed(ends)}"
    elif ends:
        at = "" if len(ends) > _NAMED_ENDS else "at "
        said += f": loss fell in {fell:,} of them and ended {at}{_listed(ends)}"
    if broken:
        parts.append(f"In {broken:,} of them it did not stay a finite number.")
    return " ".join([f"{said}.", *parts])


def _listed(values: Sequence[float]) -> str:
    if len(values) > _NAMED_ENDS:
        return f"between {numbers.short(min(values))} and {numbers.short(max(values))}"
    *most, last = (numbers.short(value) for value in values)
    return f"{', '.join(most)} and {last}" if most else last


def _in_turn(report: Report, turns: Sequence[Mapping[str, Any]]) -> str:
    said = []
    for turn in turns:
        first, last = value_of(turn, "first"), value_of(turn, "last")
        if first is not None and last is not None:
            said.append(f"from {numbers.short(first)} to {numbers.short(last)} with {_names(turn['parameters'])}")
    went = f": the loss went {' and '.join(said)}" if said else ""
    return f"{_steps(report)} updated {len(turns)} sets of parameters in turn{_time(report)}{went}."


def _names(names: Sequence[str]) -> str:
    """What the names of a set have in common: the module that owns them all, else the first of them."""
    owner = {name.rpartition(".")[0].split(".")[0] for name in names}
    if len(owner) == 1 and (common := owner.pop()):
        return safe(common)
    return safe(names[0]) + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _steps(report: Report) -> str:
    epochs = report.get("epochs")
    said = numbers.plural(report.get("steps") or 0, "step")
    return (
        f"{said} in {numbers.plural(epochs, 'epoch')}" if epochs and 1 < epochs < (report.get("steps") or 0) else said
    )


def _time(report: Report) -> str:
    """The phase that most of the time went into, where there is one and the sampled steps took as long as all the others."""
    known = [(value_of(each, "share") or 0.0, str(each.get("phase"))) for each in report.get("phases") or ()]
    share, phase = max(known, default=(0.0, ""))
    if share < _MOST_OF_THE_TIME or phase not in _PHASES or not typical(report):
        return ""
    return f"; {numbers.percent(share, 0)} of their time went {_PHASES[phase]}"


def typical(report: Report) -> bool:
    """Whether the steps whose phases were timed took about as long as a step does on average."""
    timed = sum(value_of(each, "seconds") or 0.0 for each in report.get("phases") or ())
    average = value_of(report, "phase_average")
    return not average or average / _ABOUT <= timed <= average * _ABOUT


def _printed(report: Report) -> str:
    printed = report.get("printed_loss")
    if not printed:
        return ""
    mean = numbers.short(value_of(printed, "mean"))
    return f"The {safe(printed['text'])} that it printed last is one batch's loss; the mean of that epoch is {mean}."
