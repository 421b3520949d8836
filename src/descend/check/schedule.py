"""The learning rate over the run: a scheduler that is stepped in the wrong place (D109)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from descend.check import syntax, words
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding
from descend.check.rule import Rule
from descend.record.rows import FactRow

_FALLING = frozenset(["StepLR", "MultiStepLR", "ExponentialLR", "MultiplicativeLR", "LambdaLR", "ReduceLROnPlateau"])
_CALLS = 8  # that show a habit
_HABIT = 0.8  # of the calls
_SMALL = 0.0101  # of the highest rate
_LONG = 0.4  # of the steps
_ROUNDS = 3  # times that an annealing has run out


@dataclass(frozen=True, slots=True)
class _Run:
    """How a scheduler was used."""

    row: FactRow
    steps: int  # of the whole run
    epochs: int  # 1 where they are not known
    nested: bool  # its line stands in a loop inside a loop

    @property
    def values(self) -> Mapping[str, Any]:
        return self.row.values

    @property
    def each_step(self) -> bool:
        """Whether it was called once in (nearly) every step."""
        return bool(self.values["calls"] >= _CALLS and self.values["every_step"] >= _HABIT * (self.values["calls"] - 1))

    @property
    def per_epoch(self) -> float:
        """Steps in an epoch; NaN where epochs are not known."""
        return self.steps / self.epochs if self.epochs > 1 else float("nan")

    @property
    def in_batches(self) -> bool:
        """Whether an epoch is known to have several steps."""
        return self.per_epoch >= 2 if self.epochs > 1 else self.nested


class ScheduleMisplaced(Rule):
    """A schedule that counts epochs is stepped after every batch, or before the first update, or the reverse."""

    code = "D109"
    highest = "likely"
    name = "the scheduler is stepped in the wrong place"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        rows = evidence.facts("scheduler")
        if not len(evidence.steps):
            raise CannotCheck("no step was taken")
        for row in rows:
            loops = syntax.loops_at(evidence, row.file or "", row.line or 0)
            run = _Run(row, len(evidence.steps), len(set(evidence.steps.epoch)), len(loops) > 1)
            found = (
                self._falls_too_early(evidence, run)
                or self._runs_out(evidence, run)
                or self._too_rare(evidence, run)
                or self._before_the_first_update(evidence, run)
            )
            if found is not None:
                yield found

    def clean(self, evidence: Evidence) -> str:
        rows = evidence.facts("scheduler")
        if not rows:
            return "no scheduler was stepped"
        calls = sum(row.values["calls"] for row in rows)
        return f"schedules fit where they are stepped ({calls:,} calls in {len(evidence.steps):,} steps)"

    def _falls_too_early(self, evidence: Evidence, run: _Run) -> Finding | None:
        values = run.values
        if values["class"] not in _FALLING or not run.each_step or not run.in_batches:
            return None
        share = _share_of_small(evidence, values["highest"])
        falls = _falls_in_an_epoch(run)
        if share < _LONG and falls < 1:
            return None
        last = f"{words.number(values['started'])} to {words.number(values['ended'])}"
        return self._finding(
            evidence,
            run,
            f"{values['class']} is stepped after every batch: the learning rate falls from {last}",
            (
                f"{words.percent(share)} of the steps ran with less than 1 % of the highest rate and learned next to nothing. "
                if share >= _LONG
                else f"It falls {falls:.0f} times within one epoch. "
            )
            + "Its settings count calls of step(), and fit calls once an epoch.",
            {"steps with under 1 % of the rate": f"{words.percent(share)} of {run.steps:,}"},
            _moved_out(evidence, run),
        )

    def _runs_out(self, evidence: Evidence, run: _Run) -> Finding | None:
        values = run.values
        length = values["settings"].get("T_max")
        if values["class"] != "CosineAnnealingLR" or not length or not run.each_step:
            return None
        if run.epochs == run.steps or values["calls"] < _ROUNDS * length:
            return None
        rounds = values["calls"] / length
        return self._finding(
            evidence,
            run,
            f"CosineAnnealingLR is stepped {values['calls']:,} times and is over after T_max={length:,}",
            f"The rate goes down to the least or up from there {rounds:.0f} times over the run, in place of once down.",
            {"T_max": length, "runs through": f"{rounds:.1f} times"},
            f"step it once an epoch, or give it T_max={values['calls']:,}, the number of calls",
        )

    def _too_rare(self, evidence: Evidence, run: _Run) -> Finding | None:
        values = run.values
        length = values["settings"].get("total_steps" if values["class"] == "OneCycleLR" else "T_max")
        if values["class"] not in ("OneCycleLR", "CosineAnnealingLR") or not length or run.epochs < 2:
            return None
        often = values["calls"] <= run.epochs + 1 and not run.each_step
        if (
            not often
            or run.per_epoch < 2
            or abs(length - run.steps) > 0.1 * run.steps
            or values["calls"] > 0.5 * length
        ):
            return None
        return self._finding(
            evidence,
            run,
            f"{values['class']} is made for {length:,} steps and is stepped {values['calls']:,} times",
            f"Only {words.percent(values['calls'] / length)} of the schedule was run through: it counts batches and is stepped "
            "once an epoch.",
            {"planned": length, "rate at the end": words.number(values["ended"])},
            "step it after every batch, behind optimizer.step()",
        )

    def _before_the_first_update(self, evidence: Evidence, run: _Run) -> Finding | None:
        values = run.values
        falls = values["class"] in _FALLING | {"CosineAnnealingLR"} and values["ended"] < 0.99 * values["started"]
        warms_up = values["after_early"] > values["started"]
        if values["early"] != 1 or values["calls"] < _ROUNDS or warms_up or not falls:
            return None
        skipped = values["after_early"] < 0.99 * values["started"]
        title = "the scheduler is stepped before the first update" + (
            f": the rate begins at {words.number(values['after_early'])} instead of {words.number(values['started'])}"
            if skipped
            else ": the schedule is one call ahead"
        )
        found = self._finding(
            evidence,
            run,
            title,
            f"{'The first value is skipped, and all others come' if skipped else 'Each change of the rate comes'} one "
            f"{'batch' if run.each_step else 'call'} too early.",
            {"rate that was asked for": words.number(values["started"])},
            "step the scheduler behind optimizer.step(), at the end of the epoch or batch it counts",
        )
        return found.at_most("note") if run.each_step else found

    def _finding(
        self, evidence: Evidence, run: _Run, title: str, message: str, facts: Mapping[str, Any], fix: str
    ) -> Finding:
        values = run.values
        settings = {
            name: value
            for name, value in values["settings"].items()
            if name in ("step_size", "milestones", "gamma", "T_max", "total_steps", "factor", "patience")
        }
        return Finding(
            code=self.code,
            level="likely",
            title=title,
            message=message,
            evidence={
                "schedule": ", ".join(f"{name}={value}" for name, value in settings.items()) or values["class"],
                "calls of step()": f"{values['calls']:,} in {run.steps:,} steps"
                + (f" of {run.epochs:,} epochs" if run.epochs > 1 else ""),
                "rate": f"{words.number(values['started'])} to {words.number(values['ended'])}",
                **facts,
            },
            where=evidence.place(run.row.file, run.row.line),
            step=values["first_step"],
            fix=fix,
        )


def _share_of_small(evidence: Evidence, highest: float) -> float:
    """The share of the steps whose rate was under 1 % of the highest; 0 where the record holds other rates."""
    rates = [rate for rate in evidence.steps.rate if isfinite(rate)]
    if not rates or highest <= 0 or not 0.5 * highest <= max(rates) <= 2 * highest:
        return 0.0
    return sum(rate <= _SMALL * highest for rate in rates) / len(rates)


def _falls_in_an_epoch(run: _Run) -> float:
    """How often the settings let the rate fall within one epoch, where they count falls; 0 where that is no sign."""
    settings, calls = run.values["settings"], run.values["calls"]
    size, milestones = settings.get("step_size"), settings.get("milestones")
    if not isfinite(run.per_epoch):
        return 0.0
    if size and calls >= 4 * size and settings.get("gamma", 1.0) < 1:
        return float(run.per_epoch / size)
    if milestones and run.epochs >= 3 and milestones[-1] <= run.per_epoch:
        return float(len(milestones))
    return 0.0


def _moved_out(evidence: Evidence, run: _Run) -> str:
    """The fix with the user's own line, where the loop around it is known."""
    loops = syntax.loops_at(evidence, run.row.file or "", run.row.line or 0)
    text = evidence.line_of(run.row.file or "", run.row.line or 0).strip()
    if len(loops) > 1:
        return f"move it behind the loop of line {loops[-1].lineno}, one level out: {text}"
    return "step it once an epoch, behind the loop over the batches"


RULES: tuple[type[Rule], ...] = (ScheduleMisplaced,)
