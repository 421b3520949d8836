"""Where time is lost: D801 (loading), D802 (updates one by one, waiting for the device, too many threads)."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding, Place
from descend.check.rule import Rule
from descend.record.rows import FactRow

_FULL = 20  # the first steps of a watched script are looked at so closely that they take longer than others
_ENOUGH = 5  # later steps that say more than the first ones
_MANY = 30  # steps whose mean single odd ones do not move
_MOST_OF_IT = 0.5  # of a step in loading
_WORTH = 0.05  # seconds of a whole run that are worth a word
_QUIET = (
    0.25  # of few times, the share that is shorter: a machine that does other things as well makes single ones long
)
_GATHER = 6e-5  # seconds in which --fast gathers a batch, and a byte of it
_GATHER_BYTE = 7e-10
_BYTES = {"float64": 8, "int64": 8, "float32": 4, "int32": 4, "float16": 2, "bfloat16": 2, "int16": 2}
_UPDATING = 0.3  # of a step in the update
_TENSORS = 16  # that are updated one by one
_FUSED = ("Adam", "AdamW", "SGD", "Adagrad")
_EVERY = 0.9  # of the steps that were looked at
_TINY = 70_000  # numbers of the largest result of an operation, below which threads help little
_BUSY = 1.5  # processors at work on average
_QUICK = 2e-3  # seconds of a step that threads cannot make quicker


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of the phases of a typical step."""

    seconds: Mapping[str, float]
    step: float  # of a whole step
    steps: int  # whose phases were timed
    places: Mapping[str, tuple[str, int]]

    def share(self, phase: str) -> float:
        return min(1.0, self.seconds.get(phase, 0.0) / self.step) if self.step > 0 else 0.0

    def rest(self, phase: str) -> float:
        """Seconds of a step without this phase."""
        return max(0.0, self.step - self.seconds.get(phase, 0.0))


class Loading(Rule):
    """Most of a step goes into getting its rows, not into learning from them."""

    code = "D801"
    highest = "note"
    name = "loading takes most of the time"
    kinds = ("run", "train")

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        times = _times(evidence)
        share, steps = times.share("data"), len(evidence.steps)
        spent = times.seconds.get("data", 0.0) * steps
        if share < _MOST_OF_IT or spent < _WORTH:
            return
        place = _place(evidence, times, "data")
        loader = _loader(evidence, place)
        if loader is not None and loader.values["line"]:
            place = evidence.place(loader.values["file"], loader.values["line"])
        facts: dict[str, Any] = {
            "a step": f"{_seconds(times.seconds['data'])} for its rows, {_seconds(times.rest('data'))} for all else",
            "in all steps": f"about {_seconds(spent)} (timed in {times.steps:,} of {steps:,} steps)",
        }
        message, fix = _remedy(evidence, times, loader, facts)
        yield Finding(
            code=self.code,
            level="note",
            title=f"loading takes {words.percent(share)} of a step",
            message=message,
            evidence=facts,
            where=place,
            step=None,
            fix=fix,
        )

    def clean(self, evidence: Evidence) -> str:
        return f"loading takes {words.percent(_times(evidence).share('data'))} of a step"


class Waiting(Rule):
    """Time that goes into how a step is carried out: an update tensor by tensor, waits for the device, threads."""

    code = "D802"
    highest = "note"
    name = "time lost in how a step is carried out"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        times = _times(evidence)
        yield from _one_by_one(evidence, times)
        yield from _syncs(evidence)
        yield from _threads(evidence)

    def clean(self, evidence: Evidence) -> str:
        return f"the update takes {words.percent(_times(evidence).share('update'))} of a step"


def _times(evidence: Evidence) -> Times:
    """Of a typical step. Raises CannotCheck where no step was timed in its phases."""
    by_step: defaultdict[int, dict[str, float]] = defaultdict(dict)
    places: dict[str, tuple[str, int]] = {}
    for row in evidence.phases:
        if isfinite(row.seconds):
            by_step[row.step][row.phase] = row.seconds
            if row.file and row.line:
                places[row.phase] = (row.file, row.line)
    timed = {step: each for step, each in by_step.items() if step > 1 and len(each) > 1}
    later = [each for step, each in timed.items() if step > _FULL]
    used = later if len(later) >= _ENOUGH else list(timed.values())
    if not used:
        raise CannotCheck("no step was timed in its phases")
    typical = _mean if len(later) >= _MANY else _usual
    phases = dict.fromkeys(phase for each in used for phase in each)
    seconds = {phase: typical([each.get(phase, 0.0) for each in used]) for phase in phases}
    # What was timed in its phases took longer than it does unwatched: all but the parts that nobody looks into.
    every = zip(evidence.steps.step, evidence.steps.seconds, strict=True)
    plain = [taken for step, taken in every if step > _FULL and step not in by_step and isfinite(taken)]
    step = typical(plain) if len(later) < _MANY and len(plain) >= _ENOUGH else 0.0
    if step * _EVERY < seconds.get("data", 0.0) + seconds.get(
        "update", 0.0
    ):  # a busy machine: these hardly suffer from being watched
        step = sum(seconds.values())
    return Times(seconds, step, len(used), places)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _usual(values: Sequence[float]) -> float:
    return sorted(values)[int(_QUIET * len(values))]


def _place(evidence: Evidence, times: Times, phase: str) -> Place | None:
    """The line of a phase; the loop's own line where the phase is done in a function that the loop calls."""
    file, line = times.places.get(phase, ("", 0))
    tree = evidence.tree(file)
    inner = _function_at(tree, line)
    loop = [
        at for name, (other, at) in times.places.items() if name in ("forward", "loss", "backward") and other == file
    ]
    if tree is not None and inner is not None and loop and _function_at(tree, loop[-1]) is not inner:
        outer = _function_at(tree, loop[-1]) or tree
        calls = [
            node.lineno
            for node in ast.walk(outer)
            if isinstance(node, ast.Call) and words.dotted(node.func).split(".")[-1] == inner.name
        ]
        line = max((at for at in calls if at <= loop[-1]), default=line)
    return evidence.place(file, line)


def _function_at(tree: ast.AST | None, line: int) -> ast.FunctionDef | None:
    """The innermost function that a line stands in."""
    found = [
        node
        for node in (ast.walk(tree) if tree is not None else ())
        if isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or node.lineno)
    ]
    return max(found, key=lambda node: node.lineno, default=None)


def _loader(evidence: Evidence, place: Place | None) -> FactRow | None:
    """What is known of the loader that is gone through at this line."""
    rows = evidence.facts("fast")
    here = [row for row in rows if place is not None and (row.file, row.line) == (place.file, place.line)]
    return next(iter(here or (rows if len(rows) == 1 else ())), None)


def _remedy(evidence: Evidence, times: Times, loader: FactRow | None, facts: dict[str, Any]) -> tuple[str, str]:
    """What to do, and why it helps; what it would save is put with the facts."""
    kind = evidence.info.kind
    if kind == "train":
        return "The arithmetic of a step is done sooner than its rows are there.", "a larger batch: --batch 256"
    if evidence.report.get("fast"):
        return "--fast was on; what is left is the reading of rows that it could not replace.", ""
    command = " ".join(["descend run --fast", *map(str, evidence.report.get("script") or ["SCRIPT"])])
    if loader is None:
        said = "The rows of each batch are put together anew in every step, and the model waits for them."
        return said, "make the tensors once, before the loop, and take slices of them"
    values = loader.values
    if not values["why"]:
        gathered = min(times.seconds["data"], _GATHER + _GATHER_BYTE * _batch_bytes(evidence))
        each = times.rest("data") + gathered
        epochs = evidence.report.get("epochs") or 0
        count, what = (len(evidence.steps) / epochs, "an epoch") if epochs else (1, "a step")
        facts["with --fast"] = (
            f"{what} in about {_seconds(count * each)} instead of {_seconds(count * times.step)}, by these times"
        )
        said = f"{values['dataset']} hands its rows out one by one. --fast gathers the same batches at once: same bits, same order."
        return said, command
    said = f"Rows of {values['dataset']} are read one by one, and the model waits for them. (--fast leaves this loader as it is: {values['why']}.)"
    if values["workers"]:
        return said, "read the rows once, before the loop, into tensors: TensorDataset(x, y)"
    line = evidence.line_of(values["file"], values["line"]).strip()
    if line.endswith(")") and "DataLoader(" in line and line.count("(") == line.count(")"):
        return said, f"{line[:-1]}, num_workers=2)   # or read all rows once: TensorDataset(x, y)"
    return said, "give the loader num_workers=2, or read all rows once into tensors: TensorDataset(x, y)"


def _batch_bytes(evidence: Evidence) -> int:
    """Of the tensors of one batch."""
    rows = [row for row in evidence.batches if not row.evaluation]
    first = [row for row in rows if row.step == rows[0].step]
    total = 0
    for row in first:
        size = _BYTES.get(row.dtype, 4)
        for length in row.shape:
            size *= length
        total += size
    return total


def _one_by_one(evidence: Evidence, times: Times) -> Iterator[Finding]:
    """An optimizer that goes through many tensors one by one."""
    share, steps = times.share("update"), len(evidence.steps)
    spent = times.seconds.get("update", 0.0) * steps
    if share < _UPDATING or spent < _WORTH:
        return
    is_cpu = all(row.device == "cpu" for row in evidence.batches)
    for row in evidence.facts("optimizer"):
        settings = row.values.get("settings") or {}
        kind, held = row.values["class"], row.values.get("held") or 0
        foreach = settings.get("foreach")
        one_by_one = foreach is False or (foreach is None and is_cpu)
        if settings.get("fused") or not one_by_one or held < _TENSORS or not row.values["steps"]:
            continue
        better = "fused=True" if kind in _FUSED else "foreach=True"
        yield Finding(
            code=Waiting.code,
            level="note",
            title=f"the update takes {words.percent(share)} of a step: {kind} goes through {held:,} tensors one by one",
            message=f"Each tensor costs several small operations. {better} does the same arithmetic for all of them at once; the last digits "
            "may differ.",
            evidence={
                "update": f"{_seconds(times.seconds['update'])} of {_seconds(times.step)} a step",
                "in all steps": f"about {_seconds(spent)}",
                "tensors": held,
            },
            where=evidence.place(row.file, row.line),
            step=None,
            fix=_with_argument(evidence, row, better),
        )


def _with_argument(evidence: Evidence, row: FactRow, argument: str) -> str:
    """The line that made the optimizer with one more argument, in the place of the one that forbids it."""
    line = evidence.line_of(row.file or "", row.line or 0).strip()
    line = line.replace(", foreach=False", "")
    if line.endswith(")") and row.values["class"] in line and line.count("(") == line.count(")"):
        return f"{line[:-1]}, {argument})"
    return f"{row.values['class']}(…, {argument})"


def _syncs(evidence: Evidence) -> Iterator[Finding]:
    """A number that is fetched from the device in every step: the program waits until all that was begun is done."""
    devices = {row.device for row in evidence.batches}
    if not devices or all(device == "cpu" for device in devices):
        return
    looked = {row.step for row in evidence.batches if not row.evaluation and row.step <= _FULL}
    by_line: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for row in evidence.reads:
        if row.step in looked and row.file and row.line:
            by_line[row.file, row.line].append(row.step)
    for at, steps in by_line.items():
        if len(looked) >= _ENOUGH and len(set(steps)) >= _EVERY * len(looked):
            yield Finding(
                code=Waiting.code,
                level="note",
                title=f"a number is fetched from the device in every step ({len(steps) / len(set(steps)):.0f} a step)",
                message="Fetching waits until the device has done all that was asked of it; until then nothing new is prepared.",
                evidence={
                    "fetched": f"in {len(set(steps)):,} of {len(looked):,} steps looked at",
                    "device": words.listed(sorted(devices)),
                },
                where=evidence.place(*at),
                step=min(steps),
                fix="add the tensors up, total += loss.detach(), and call .item() once an epoch",
            )


def _threads(evidence: Evidence) -> Iterator[Finding]:
    """Threads that only wait for one another, because no operation is large enough to be shared out."""
    rows = evidence.facts("pace")
    graphs = [evidence.graph(step) for step in evidence.operation_steps[:2]]
    if not rows or not graphs or any(row.device != "cpu" for row in evidence.batches):
        return
    values = rows[-1].values
    steps = values["last_step"] - values["first_step"]
    largest = max((each.size for graph in graphs for each in graph), default=0)
    seconds, busy = values["seconds"], values["cpu_seconds"] / values["seconds"] if values["seconds"] else 0.0
    each = seconds / steps
    crowded = values["threads"] > values["cores"]
    idle = values["threads"] > 1 and busy >= _BUSY and largest <= _TINY and each <= _QUICK
    if not (crowded or idle) or seconds < _WORTH:
        return
    place = _set_threads(evidence)
    processors = f"{values['cores']} processor{'s' if values['cores'] > 1 else ''}"
    yield Finding(
        code=Waiting.code,
        level="note",
        title=f"{values['threads']} threads share {processors} for steps of {_seconds(each)}",
        message="More threads than processors only take turns, and each operation waits for the last of them."
        if crowded
        else "No operation of a step is large enough to be shared out: the threads mostly wait for one another.",
        evidence={
            "threads": values["threads"],
            "processors busy": f"{words.number(busy)} of {values['cores']} on average",
            "largest result of an operation": f"{largest:,} numbers",
        },
        where=place,
        step=None,
        fix=f"torch.set_num_threads({1 if largest <= _TINY else values['cores']})"
        + ("" if place else "   # at the top"),
    )


def _set_threads(evidence: Evidence) -> Place | None:
    """The line that asks for so many threads."""
    for file in evidence.sources:
        tree = evidence.tree(file)
        for node in ast.walk(tree) if tree is not None else ():
            if isinstance(node, ast.Call) and words.dotted(node.func).endswith("set_num_threads"):
                return evidence.place(file, node.lineno)
    return None


def _seconds(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{1e6 * seconds:.0f} µs"
    return f"{1e3 * seconds:.2g} ms" if seconds < 0.1 else f"{seconds:.2g} s"


RULES: tuple[type[Rule], ...] = (Loading, Waiting)
