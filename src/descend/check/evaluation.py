"""Faults of evaluations: D501 (in training mode), D502 (training in evaluation mode), D504 (a graph that nobody uses)."""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from descend.check import words
from descend.check.evaluation_seen import (
    Examined,
    by_place,
    graphs,
    is_meant,
    is_part_of_steps,
    keeps_graph,
    unused_passes,
)
from descend.check.evaluation_words import DROPOUTS, NORMS, at_work, cost, kinds_off, lost, shares, times
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding, Level, Place
from descend.check.graph import Operation, StepGraph
from descend.check.rule import Rule
from descend.record.rows import EvaluationRow

_WEIGHTED = ("Linear", "Conv1d", "Conv2d", "Conv3d", "Embedding", "LSTM", "GRU", *NORMS)
_DROPPING = frozenset(["dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"])
_TWICE = 2  # so often a thing has to happen that nothing but the order of the operations shows
_BYTES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
_WORTH_MEMORY = 1_000_000  # bytes


class TrainingMode(Rule):
    """Dropout drops numbers, or batch norm learns, while a trained model is evaluated."""

    code = "D501"
    highest = "bug"
    name = "evaluation in training mode"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        if not evidence.evaluations and not evidence.operation_steps:
            raise CannotCheck("no evaluation was seen")
        found = False
        for evaluations in by_place(evidence).values():
            faulty = [each for each in evaluations if each.active and each.seen.get("trained")]
            if faulty and not is_meant(evidence, evaluations):
                for finding in self._of_place(evidence, faulty, len(evaluations)):
                    found = True
                    yield finding
        if not found:
            yield from self._in_operations(evidence)

    def clean(self, evidence: Evidence) -> str:
        number = len(evidence.evaluations)
        if not number:
            return "no evaluation was seen"
        return f"no layer worked as in training during {number:,} evaluation{'s' if number > 1 else ''}"

    def _of_place(self, evidence: Evidence, faulty: Sequence[Examined], of: int) -> Iterator[Finding]:
        standing = [each for each in faulty if each.seen.get("training")]
        if standing:
            yield self._left_on(evidence, standing, of)
            return
        # The model stands in evaluation mode. Layers inside that do not were put back on purpose; others were never reached.
        for each in faulty:
            alone = [layer for layer in each.active if layer.get("line")] if not each.seen.get("standing") else []
            if alone and not _always_on(evidence, alone[0]):
                yield self._not_reached(evidence, each, alone[0], len(faulty), of)
                return

    def _left_on(self, evidence: Evidence, faulty: Sequence[Examined], of: int) -> Finding:
        first = faulty[0]
        proven = first.seen.get("listened") or _are_called(evidence, first.active)
        place = evidence.place(*first.at)
        model = words.callee(evidence, place) or "model"
        dropped = [layer["p"] for layer in first.active if layer["what"] == "dropout"]
        norms = [layer for layer in first.active if layer["what"] == "batch norm"]
        moved = [layer["moved"] for layer in first.seen.get("standing") or () if layer.get("moved")]
        facts: dict[str, Any] = {"evaluations": f"{len(faulty):,} of {of:,} at this line"}
        if dropped:
            facts["dropout at work"] = f"{times(len(dropped), 'layer')}, {shares(dropped)} of the numbers dropped"
        if norms:
            facts["batch norm at work"] = times(len(norms), "layer")
        if moved:
            facts["running mean moved"] = f"by {words.percent(max(moved))} in one batch"
        return Finding(
            code=self.code,
            level="bug" if proven else "likely",
            title=f"the model is evaluated in training mode: {at_work(dropped, norms)}",
            message=cost(bool(dropped), bool(norms)),
            evidence=facts,
            where=place,
            step=first.row.step or None,
            fix=f"{model}.eval()   # before the evaluation; {model}.train() when training goes on",
        )

    def _not_reached(
        self, evidence: Evidence, each: Examined, layer: Mapping[str, Any], times: int, of: int
    ) -> Finding:
        place = evidence.place(layer["file"], layer["line"])
        is_dropout = layer["what"] == "dropout"
        share = f", p {words.number(layer['p'])}" if is_dropout else ""
        facts = {"evaluations": f"{times:,} of {of:,} at line {each.row.line}", "at work": f"{layer['what']}{share}"}
        return Finding(
            code=self.code,
            level="bug",
            title=f"{layer['what']} stays at work in evaluation mode: eval() does not reach it",
            message=cost(is_dropout, not is_dropout),
            evidence=facts,
            where=place,
            step=each.row.step or None,
            fix=_with_mode(evidence, place) or "register the layer in its module, so that eval() reaches it",
        )

    def _in_operations(self, evidence: Evidence) -> Iterator[Finding]:
        """Passes that no loss was computed from, in steps whose operations were kept: also of models without modules."""
        found: defaultdict[tuple[str, int], list[tuple[int, Operation]]] = defaultdict(list)
        for graph in graphs(evidence):
            for pass_ in unused_passes(graph):
                for operation in pass_:
                    if _drops(operation) and not _drops_always(evidence, operation):
                        found[operation.file, operation.line].append((graph.step, operation))
        for at, each in found.items():
            steps = sorted({step for step, _ in each})
            if len(steps) < _TWICE:
                continue
            share = float(each[0][1].constant(1, "p", 0.5))
            yield Finding(
                code=self.code,
                level="bug",
                title=f"dropout is at work in passes that nothing is learned from: {words.percent(share)} of the numbers are dropped",
                message=cost(dropout=True, norm=False),
                evidence={"passes without a backward": f"between {words.steps(steps)}"},
                where=evidence.place(*at),
                step=steps[0],
                fix="switch dropout off for them: model.eval(), or training=False",
            )
            return


class EvaluationMode(Rule):
    """A model with dropout or batch norm is trained while these layers stand in evaluation mode."""

    code = "D502"
    highest = "likely"
    name = "training in evaluation mode"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        modes = _modes(evidence)
        layers = {name for step in modes.values() for name in step}
        if not layers:
            return
        resting = {step: off for step, each in modes.items() if (off := sorted(n for n, on in each.items() if not on))}
        if not resting:
            return
        then = {row.parameter for row in evidence.norms if row.step in resting}
        trained = then or {row.name for row in evidence.parameters}
        layers = {name for off in resting.values() for name in off}
        if not _belongs_to_training(layers, trained):
            return  # another model's, that only helps
        first = min(resting)
        always = len(resting) == len(modes)
        frozen = _frozen(evidence, trained)
        partly = any(on for step in resting for on in modes[step].values())
        level: Level = "note" if frozen or partly else "likely"
        before = _evaluation_before(evidence, first)
        since = "from the first step on" if always else f"from step {_since(evidence, first, modes):,} on"
        kinds = Counter(kind for _, kind in sorted(layers))
        names = [f"{name} ({kind})" for name, kind in sorted(layers)]
        place = _forward_place(evidence, first)
        model = words.callee(evidence, place) or "model"
        facts: dict[str, Any] = {
            "layers in evaluation mode": words.listed(names),
            "steps": f"{len(resting):,} of {len(modes):,} that were looked at",
        }
        if before is not None:
            facts["evaluation before"] = f"after step {before.step:,} (line {before.line})"
        if frozen:
            facts["not trained at all"] = words.listed(frozen)
        yield Finding(
            code=self.code,
            level=level,
            title=f"the model is trained in evaluation mode {since}: {kinds_off(kinds)} off",
            message=lost(kinds) + (" With parts that are frozen this may be meant." if level == "note" else ""),
            evidence=facts,
            where=place,
            step=first,
            fix=f"{model}.train()   # before training goes on",
        )

    def clean(self, evidence: Evidence) -> str:
        modes = _modes(evidence)
        if not any(modes.values()):
            return "no layer that works differently in training was seen"
        return f"dropout and batch norm train in training mode ({len(modes):,} of {len(modes):,} steps looked at)"


class GraphForNothing(Rule):
    """Evaluations that keep all a backward pass would need, and none comes."""

    code = "D504"
    highest = "note"
    name = "a graph is built in evaluation"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        if not evidence.evaluations and not evidence.operation_steps:
            raise CannotCheck("no evaluation was seen")
        found, nowhere = {}, []
        for at, evaluations in by_place(evidence).items():
            faulty = [each for each in evaluations if keeps_graph(each)]
            if faulty and not is_part_of_steps(evidence, evaluations):
                if at[1]:
                    found[at] = self._finding(evidence, at, faulty)
                else:
                    nowhere.append(self._finding(evidence, at, faulty))
        for finding in self._in_operations(evidence):
            if finding.where is not None:
                found.setdefault((finding.where.file, finding.where.line), finding)
        yield from found.values() or nowhere

    def clean(self, evidence: Evidence) -> str:
        number = len(evidence.evaluations)
        return f"no graph is built in {number:,} evaluation{'s' if number != 1 else ''}"

    def _finding(self, evidence: Evidence, at: tuple[str, int], faulty: Sequence[Examined]) -> Finding:
        passes = sum(each.row.passes for each in faulty)
        rows = max((each.batches[0].shape[0] for each in faulty if each.batches), default=0)
        seconds = sum(each.row.seconds for each in faulty)
        facts: dict[str, Any] = {
            "forward passes": f"{passes:,}, in {times(len(faulty), 'evaluation')}",
            "time of these": f"{words.number(seconds)} s",
        }
        return self._note(evidence, at, passes, rows, facts, faulty[0].row.step)

    def _in_operations(self, evidence: Evidence) -> Iterator[Finding]:
        found: defaultdict[tuple[str, int], list[tuple[StepGraph, list[Operation]]]] = defaultdict(list)
        for graph in graphs(evidence):
            for pass_ in unused_passes(graph):
                # What writes into a parameter, as setting its first values does, is no pass.
                last = next(
                    (each for each in reversed(pass_) if each.tracked and not each.name.endswith(("_", ".set"))), None
                )
                if last is not None:
                    found[last.file, last.line].append((graph, pass_))
        for at, each in found.items():
            if len(each) >= _TWICE:
                rows = each[0][1][0].shape[0] if each[0][1][0].shape else 0
                facts = {"forward passes": f"{len(each):,} in {len(graphs(evidence)):,} steps looked at"}
                yield self._note(evidence, at, len(each), rows, facts, each[0][0].step)
                return

    def _note(
        self,
        evidence: Evidence,
        at: tuple[str, int],
        passes: int,
        rows: int,
        facts: dict[str, Any],
        step: int,
    ) -> Finding:
        kept = _memory(evidence, rows)
        if kept >= _WORTH_MEMORY:
            facts["kept for a backward"] = f"about {kept / 1e6:,.0f} MB in each"
        return Finding(
            code=self.code,
            level="note",
            title=f"{passes:,} forward pass{'es' * (passes != 1)} built a graph that no backward used",
            message="Autograd kept what each layer computed, for a backward pass that never came. Without it the pass needs less memory "
            "and some less time; the numbers stay the same.",
            evidence=facts,
            where=evidence.place(*at),
            step=step or None,
            fix="with torch.no_grad():   # around the evaluation",
        )


def _are_called(evidence: Evidence, active: Sequence[Mapping[str, Any]]) -> bool:
    """Whether layers of these classes were at work in steps too, so that they are no idle members."""
    called = {row.class_name for row in evidence.calls if row.training}
    return all(layer.get("class") in called for layer in active)


def _always_on(evidence: Evidence, layer: Mapping[str, Any]) -> bool:
    """Whether the line itself asks for dropout in any mode."""
    return _asks_for_dropout(evidence, layer["file"], layer["line"])


def _drops_always(evidence: Evidence, operation: Operation) -> bool:
    return _asks_for_dropout(evidence, operation.file, operation.line)


def _asks_for_dropout(evidence: Evidence, file: str, line: int) -> bool:
    """``training=True`` on the line."""
    given = [each for call in evidence.calls_on(file, line) for each in call.keywords if each.arg == "training"]
    return any(isinstance(each.value, ast.Constant) and each.value.value is True for each in given)


def _with_mode(evidence: Evidence, place: Place | None) -> str:
    """The line of a functional dropout with the module's mode handed on."""
    calls = evidence.calls_on(place.file, place.line) if place is not None else ()
    for call in calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name in _DROPPING and not any(each.arg == "training" for each in call.keywords) and len(call.args) < 3:
            return words.line_with(evidence, place, call, f"{ast.unparse(call)[:-1]}, training=self.training)")
    return ""


def _drops(operation: Operation) -> bool:
    if operation.name not in _DROPPING:
        return False
    share = operation.constant(1, "p", 0.5)
    return operation.constant(2, "training", operation.constant(2, "train", True)) is True and share > 0


def _memory(evidence: Evidence, rows: int) -> float:
    """Bytes that autograd keeps of a forward pass over so many rows, by what it kept in the first step."""
    for graph in graphs(evidence)[:1]:
        kept = sum(each.size * _BYTES.get(each.dtype, 4) for each in graph.forward if each.tracked)
        batch = next((row.shape[0] for row in evidence.batches if row.step == graph.step and not row.evaluation), 0)
        return kept / batch * rows if batch else 0.0
    return 0.0


def _modes(evidence: Evidence) -> dict[int, dict[tuple[str, str], bool]]:
    """By step: of each dropout and batch-norm layer that was called, whether it was in training mode in any call."""
    found: dict[int, dict[tuple[str, str], bool]] = {}
    idle = _idle_dropouts(evidence)
    for row in evidence.calls:
        if row.class_name in DROPOUTS + NORMS and row.module not in idle and row.step <= len(evidence.steps):
            layers = found.setdefault(row.step, {})
            key = (row.module, row.class_name)
            layers[key] = layers.get(key, False) or row.training
    return found


def _idle_dropouts(evidence: Evidence) -> set[str]:
    """Dropout layers that drop nothing (p 0), by name."""
    rows = [each for graph in graphs(evidence)[:2] for each in graph.named(*_DROPPING)]
    return {each.module for each in rows if each.module and each.constant(1, "p", 0.5) == 0}


def _belongs_to_training(layers: set[tuple[str, str]], trained: set[str]) -> bool:
    """Whether some of these layers stand in a model that has trained parameters."""
    roots = {name.split(".")[0] if "." in name else "" for name in trained}
    own = {name.rpartition(".")[0] for name in trained}
    nested = any(name.split(".")[0] in roots for name, _ in layers)
    return nested or any(name in own for name, _ in layers) or "" in roots or any("." not in n for n, _ in layers)


def _frozen(evidence: Evidence, trained: set[str]) -> list[str]:
    """Called layers with weights that are not trained."""
    names = dict.fromkeys(row.module for row in evidence.calls if row.class_name in _WEIGHTED)
    return [
        name
        for name in names
        if name and not any(each.startswith(f"{name}.") or each.endswith(f".{name}.weight") for each in trained)
    ]


def _evaluation_before(evidence: Evidence, step: int) -> EvaluationRow | None:
    before = [row for row in evidence.evaluations if row.step < step]
    return before[-1] if before else None


def _since(evidence: Evidence, first: int, modes: Mapping[int, Mapping[tuple[str, str], bool]]) -> int:
    """The step after the evaluation that lies between the last step in training mode and the first in evaluation mode."""
    last = max((step for step in modes if step < first), default=0)
    between = [row.step for row in evidence.evaluations if last <= row.step < first]
    return between[0] + 1 if between else first


def _forward_place(evidence: Evidence, step: int) -> Place | None:
    """The line of the forward pass of a step."""
    for row in evidence.phases:
        if row.step == step and row.phase == "forward":
            return evidence.place(row.file, row.line)
    return next((evidence.place(row.file, row.line) for row in evidence.phases if row.phase == "forward"), None)


RULES: tuple[type[Rule], ...] = (TrainingMode, EvaluationMode, GraphForNothing)
