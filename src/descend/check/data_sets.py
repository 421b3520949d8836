"""Faults between the rows that are trained on and those that are examined on: shared rows (D402), nothing to learn or to tell (D406)."""

import ast
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from descend.check import words
from descend.check.data_facts import Values, loaders, name_of, place_of_batch, place_of_set, place_of_variable, sets
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding, Level
from descend.check.rule import Rule

_EXAMINING = re.compile(
    r"(?<![a-z])(tests?|testing|vals?|valid|validation|eval|evaluation|held|holdout|unseen)(?![a-z(])", re.IGNORECASE
)
_TRAINING = re.compile(r"(?<![a-z])(train|training|fit)(?![a-z])", re.IGNORECASE)
_ALL = 0.98  # of the rows: it is the training set itself
_STAYS = 0.97  # of the entropy of the labels
_SURE = 0.02  # of the entropy: the standard error of the loss in the end
_RARE = 0.8  # share of one class at which its constant answer scores high
_FEWEST = 20
_ENOUGH = 20  # steps
_SHOWN = 3  # steps whose rows and targets were chosen by different numbers
_PROBES = {
    "neighbours": "five nearest neighbours",
    "linear": "least squares",
    "products": "least squares with the products of any two columns",
}


class SharedRows(Rule):
    """Rows that the model is examined on were trained on."""

    code = "D402"
    highest = "bug"
    name = "evaluation rows were trained on"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        rows = evidence.facts("shared")
        # Of several models one after the other each has its own rows: what all of them took together says nothing of one.
        if not rows or _training_began(evidence, len(evidence.steps)) > 1:
            yield from self._seen(evidence)
            return
        known = {one["number"]: one for one in sets(evidence, "training", "evaluation", "beside")}
        for row in rows:
            one, other = known.get(row.values["training"]), known.get(row.values["evaluation"])
            if one is None or other is None or not _is_examined(evidence, other):
                continue
            loader = loaders(evidence).get(other["loader"])
            never_trained = loader is not None and not loader["trained"]
            if not never_trained and _is_of_training(evidence, other.get("line")):
                continue
            found = self._equal(evidence, one, other, row.values) or self._near(evidence, one, other, row.values)
            if found is not None:
                yield found
                return

    def clean(self, evidence: Evidence) -> str:
        rows = [row.values for row in evidence.facts("shared")]
        if not rows:
            return "no evaluation row was seen in training"
        return f"none of {sum(row['rows'] for row in rows):,} evaluation rows is among the training rows"

    def _equal(self, evidence: Evidence, one: Values, other: Values, shared: Values) -> Finding | None:
        same, count = shared["same"], shared["rows"]
        if same < (1 if shared["compared"] else 3) or same <= 3 * shared["expected"]:
            return None
        if shared["equal"] < shared["compared"]:
            return None  # alike in what rows are known again by, and not in the rest
        name = name_of(evidence, other)
        claimed = _claims_to_examine(evidence, other, name)
        if same >= _ALL * count and not claimed:
            return None  # how it does on training rows, as nothing says that they are others
        whole = same >= _ALL * count and count >= _ALL * shared["of"]
        unsure = shared["kinds"] or not shared["compared"] or (other["role"] == "beside" and whole)
        level: Level = "likely" if unsure else "bug"
        if shared["kinds"] and same < 0.5 * count and shared["again"] > 0.01 * shared["of"]:
            return None  # rows of few kinds come twice of themselves
        return self._finding(
            evidence,
            one,
            other,
            name,
            level,
            f"{same:,} of {count:,} evaluation rows were trained on",
            {
                "evaluation rows": f"{count:,}" + (f" ({name})" if name else ""),
                "of them in the training rows too": f"{same:,} ({words.percent(same / count)})",
                **({"training rows that steps were seen to take": f"{shared['seen']:,}"} if "seen" in shared else {}),
                **(
                    {"compared number by number": f"{shared['equal']} of {shared['compared']} pairs are equal"}
                    if shared["compared"]
                    else {"compared by": "the columns that differ most from row to row"}
                ),
            },
        )

    def _near(self, evidence: Evidence, one: Values, other: Values, shared: Values) -> Finding | None:
        near, asked = shared.get("near", 0), shared.get("asked", 0)
        if near < 4 or near < 0.1 * asked + 10 * shared["usual"] * asked:
            return None
        name = name_of(evidence, other)
        count = shared["rows"]
        level: Level = "bug" if near >= 0.5 * asked and shared["distance"] < 0.01 * shared["typical"] else "likely"
        return self._finding(
            evidence,
            one,
            other,
            name,
            level,
            f"{near:,} of {asked:,} evaluation rows are all but equal to rows that were trained on",
            {
                "distance to the nearest training row": f"{words.number(shared['distance'])} (of standardised columns, median of these)",
                "to the next one": words.number(shared["typical"]),
                "equal to the last bit": f"{shared['same']:,} of {count:,}",
            },
        )

    def _seen(self, evidence: Evidence) -> Iterator[Finding]:
        """From the fingerprints of the rows that were seen, where the sets could not be looked at as a whole."""
        examined = [row for row in evidence.batches if row.evaluation and row.fingerprints]
        if not examined:
            raise CannotCheck("no evaluation was seen")
        lines = {row.number: [row.file, row.line] for row in evidence.evaluations}
        on_training_rows = {number for one in sets(evidence, "training") for number in one["evaluations"]}
        for number in dict.fromkeys(row.evaluation for row in examined):
            if number in on_training_rows:
                continue
            if _is_of_training(evidence, lines.get(number)):
                continue
            first = next(row for row in examined if row.evaluation == number)
            begun = _training_began(evidence, first.step)
            trained = {
                each
                for row in evidence.batches
                if not row.evaluation and begun <= row.step <= first.step
                if row.dtype == first.dtype and row.shape[1:] == first.shape[1:]
                for each in row.fingerprints
            }
            rows = {each for row in examined if row.evaluation == number for each in row.fingerprints}
            same = rows & trained
            if not trained or len(same) < 3 or len(rows) < 8:
                continue
            place = next(
                (evidence.place(row.file, row.line) for row in evidence.evaluations if row.number == number), None
            )
            if len(same) >= 0.5 * len(rows) and not _EXAMINING.search(place.source if place else ""):
                continue
            yield Finding(
                code=self.code,
                level="likely",
                title=f"{len(same)} of {len(rows)} evaluation rows that were seen had been trained on",
                message="What is measured on them is how well the model remembers, not how well it does on rows it has never seen.",
                evidence={
                    "evaluation": number,
                    "training rows seen": len(trained),
                    "the same to the last bit": len(same),
                },
                where=place,
                step=first.step,
                fix="split the rows before anything else, and keep what is examined apart",
            )
            return

    def _finding(
        self, evidence: Evidence, one: Values, other: Values, name: str, level: Level, title: str, facts: dict[str, Any]
    ) -> Finding:
        return Finding(
            code=self.code,
            level=level,
            title=title,
            message="What is measured on them is how well the model remembers, not how well it does on rows it has never seen: the figures "
            "are better than the model is.",
            evidence=facts,
            where=place_of_set(evidence, other) or place_of_variable(evidence, name),
            step=None,
            fix=f"split the rows before anything else is done with them, and take {name or 'what is examined'} from the rows that are left",
        )


class NothingToLearn(Rule):
    """The labels carry no signal, or the evaluation set cannot tell a good model from a constant answer."""

    code = "D406"
    highest = "likely"
    name = "labels without signal, or an evaluation that says nothing"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        for one in sets(evidence, "training"):
            found = self._no_signal(evidence, one) or self._taken_apart(evidence, one)
            if found is not None:
                yield found
        for one in sets(evidence, "evaluation", "beside"):
            if _is_examined(evidence, one):
                found = self._says_nothing(evidence, one)
                if found is not None:
                    yield found

    def clean(self, evidence: Evidence) -> str:
        probes = [one["signal"] for one in sets(evidence, "training") if one.get("signal")]
        if not probes:
            raise CannotCheck("the targets of its training rows were not seen")
        best = max(_best(each) - each["chance"] for each in probes)
        kind = "right answers above chance" if probes[0]["classes"] else "of the variance explained"
        return (
            f"the targets carry signal ({words.percent(max(0.0, best))} {kind} by a probe without training)"
            if best > 0
            else "the loss falls below that of a constant answer"
        )

    def _no_signal(self, evidence: Evidence, one: Values) -> Finding | None:
        probe, labels = one.get("signal") or {}, one["labels"]
        if not probe or _best(probe) > probe["chance"] + probe["error"] or probe["rows"] < 100:
            return None
        found = _stays_at(evidence, labels.get("entropy") if probe["classes"] else labels.get("variance"))
        if found is None:
            return None
        end, constant = found
        what = "entropy of the labels" if probe["classes"] else "variance of the targets"
        scored = "right answers" if probe["classes"] else "of the variance"
        return Finding(
            code=self.code,
            level="likely",
            title=f"the targets carry no signal: the loss ends at {words.number(end)}, the {what} is {words.number(constant)}",
            message="Neither the model nor probes that need no training find anything in the inputs that tells the targets. Rows and targets "
            "may have come apart: shuffled or sorted one without the other, joined wrongly, read from another column.",
            evidence={
                "loss, mean of the last steps": end,
                what: constant,
                **{_PROBES[key]: f"{words.percent(max(0.0, share))} {scored}" for key, share in _probes(probe).items()},
                "a constant answer": f"{words.percent(probe['chance'])} {scored}",
                "rows of the probes": probe["rows"],
            },
            where=place_of_set(evidence, one),
            step=None,
            fix="look at a few rows beside their targets; where one is shuffled, shuffle the other with the same numbers",
        )

    def _taken_apart(self, evidence: Evidence, one: Values) -> Finding | None:
        """Rows and targets were chosen by different numbers, and nothing is learnt."""
        known = [row for row in evidence.facts("given") if row.values["set"] == one["number"]]
        known = [row for row in known if row.values.get("paired") is not None]
        if len(known) < _SHOWN or not all(row.values["paired"] for row in known):
            return None
        labels = one["labels"]
        found = _stays_at(evidence, labels.get("entropy") or labels.get("variance"))
        if found is None:
            return None
        rows, targets = known[0].values["paired"]
        what = "entropy of the labels" if labels.get("entropy") else "variance of the targets"
        return Finding(
            code=self.code,
            level="likely",
            title=f"rows and targets are taken by different numbers: rows {_first(rows)} with the targets of {_first(targets)}",
            message="No row has its own target, so that there is nothing to learn: the loss stays at what a constant answer has.",
            evidence={
                "loss, mean of the last steps": found[0],
                what: found[1],
                "steps looked at": f"{len(known):,}, in each of them the numbers differ",
            },
            where=place_of_batch(evidence, known[0]),
            step=known[0].step,
            fix="take both with the same row numbers",
        )

    def _says_nothing(self, evidence: Evidence, one: Values) -> Finding | None:
        labels, answers = one["labels"], one.get("answers") or {}
        name = name_of(evidence, one) or "the evaluation set"
        if labels.get("different") == 1 and labels["rows"] >= _FEWEST:
            value = words.number(labels["least"])
            title = f"all {labels['rows']:,} targets of {name} are {value}"
            message = f"Whoever always answers {value} is always right: the figure says nothing about the model."
            facts: dict[str, Any] = {"different targets": 1, "rows": labels["rows"]}
        elif (
            labels.get("commonest")
            and answers.get("different") == 1
            and answers["rows"] >= _FEWEST
            and labels["commonest"][1] >= _RARE * labels["rows"]
        ):
            value, count = labels["commonest"]
            share = words.percent(count / labels["rows"])
            title = f"the model gives all rows of {name} the same answer, and scores {share} because class {value} is that common"
            message = f"A constant answer reaches {share}: the figure does not tell the model from one that has learnt nothing."
            facts = {
                "rows of the commonest class": f"{count:,} of {labels['rows']:,}",
                "different answers of the model": f"1 in {answers['rows']:,} rows",
            }
        else:
            return None
        return Finding(
            code=self.code,
            level="likely",
            title=title,
            message=message,
            evidence=facts,
            where=place_of_set(evidence, one) or place_of_variable(evidence, one["variable"]),
            step=None,
            fix="examine on rows of every class, and report each class's share of right answers beside the whole",
        )


def _probes(signal: Values) -> dict[str, float]:
    """What each probe reached; those of an older record knew fewer."""
    return {key: signal[key] for key in _PROBES if key in signal}


def _best(signal: Values) -> float:
    return max(_probes(signal).values())


def _stays_at(evidence: Evidence, constant: float | None) -> tuple[float, float] | None:
    """The mean of the last losses and that of the best constant answer, where the loss ends there."""
    losses = [loss for loss in evidence.steps.loss if math.isfinite(loss)]
    if not constant or len(losses) < _ENOUGH:
        return None
    last = losses[-max(5, len(losses) // 10) :]
    end = sum(last) / len(last)
    error = math.sqrt(sum((loss - end) ** 2 for loss in last) / (len(last) - 1) / len(last))
    return (end, constant) if error <= _SURE * constant and _STAYS * constant <= end <= 1.5 * constant else None


def _first(numbers: Sequence[int]) -> str:
    return ", ".join(f"{each:,}" for each in numbers[:3]) + " …"


def _is_examined(evidence: Evidence, one: Values) -> bool:
    """Whether the model was examined on a set; of one that only lies in a variable, whether the script gives it to what it trains."""
    return bool(one["evaluations"]) or (one["role"] == "beside" and _given_to_the_model(evidence, one["variable"]))


def _is_of_training(evidence: Evidence, line: Sequence[Any] | None) -> bool:
    """Whether it is the line of the training steps' own forward passes: one whose graph is cut looks like an evaluation."""
    if line is None:
        return False
    forward = [[row.file, row.line] for row in evidence.phases if row.file and row.phase == "forward"]
    built = any(row.gradients for row in evidence.evaluations if [row.file, row.line] == list(line))
    return list(line) in forward or (built and not forward)


def _given_to_the_model(evidence: Evidence, name: str) -> bool:
    """Whether a variable stands beside a parameter, or is given to a function that the training loop gives its batch to."""
    batches = {row.values["x"] for row in evidence.facts("given")} - {""}
    parameters = {row.name for row in evidence.parameters}
    files = {row.file for row in evidence.facts("given") if row.file}
    for file in files:
        tree = evidence.tree(file)
        if tree is None:
            continue
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        functions = {ast.unparse(node.func) for node in calls if any(_is_name(each, batches) for each in node.args)}
        if any(
            ast.unparse(node.func) in functions and any(_is_name(each, {name}) for each in node.args) for node in calls
        ):
            return True
        for node in ast.walk(tree):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
                inside = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
                if name in inside and inside & parameters:
                    return True
    return False


def _is_name(node: ast.expr, names: set[str]) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in names


def _claims_to_examine(evidence: Evidence, other: Values, name: str) -> bool:
    """Whether the script means rows that the model has not seen: by the name of the set and of what is printed after it."""
    said = [row.text for row in evidence.printed] if len(sets(evidence, "evaluation")) <= 1 else []
    place = place_of_set(evidence, other)
    words_said = [name, *said, place.source if place is not None else ""]
    if _TRAINING.search(name) and not _EXAMINING.search(name):
        return False
    return any(_EXAMINING.search(each) for each in words_said) and not (
        not _EXAMINING.search(name) and any(_TRAINING.search(each) for each in said)
    )


def _training_began(evidence: Evidence, step: int) -> int:
    """The first step of the training that ``step`` belongs to: a new model begins another."""
    begun, names = 1, set()
    for row in evidence.parameters:
        if row.step > step:
            break
        if row.name in names:
            begun = max(begun, row.step)
        names.add(row.name)
    return begun


RULES: tuple[type[Rule], ...] = (SharedRows, NothingToLearn)
