"""Rules of losses, outputs and labels (D301 to D308)."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from check.harness import PROGRAMS, Case, cases, examine_program, faults_of
from descend.check.class_ids import SquaredClasses
from descend.check.evidence import Evidence
from descend.check.exponentials import WrittenOut
from descend.check.finding import CannotCheck, Finding
from descend.check.graph import StepGraph, operation_from
from descend.check.logarithms import NotLogarithms
from descend.check.losses import AppliedTwice
from descend.check.outputs import CutScores, SameForAll
from descend.check.rule import Rule
from descend.check.targets import WrongLabels
from descend.check.terms import DrownedTerm
from descend.check.tracing import argument_of, kind_of, source
from descend.record.events import Event, Fact, Operations, ParameterNorms, RunEnded, RunStarted, StepsDone, Unseen
from descend.record.reader import Reader
from descend.record.writer import Writer
from descend.watch.facts.losses import Losses
from descend.watch.facts.moments import Telling
from descend.watch.names import Names
from descend.watch.operations import OperationRecorder
from descend.watch.places import Places

KNOWN = PROGRAMS / "known"
OURS = [case for case in cases(KNOWN) if case.program.stem.startswith("D3")]
RULES: tuple[type[Rule], ...] = (
    AppliedTwice,
    NotLogarithms,
    CutScores,
    SameForAll,
    WrongLabels,
    SquaredClasses,
    DrownedTerm,
    WrittenOut,
)


@pytest.mark.parametrize("case", OURS, ids=lambda case: case.name)
def test_programs_have_what_their_header_says(case: Case) -> None:
    found = examine_program(case.program, case.arguments)
    assert faults_of(case, found["findings"]) == []
    assert found["status"] == case.exit_status
    assert [each for each in found["unchecked"] if each["code"].startswith("D3") and "failed" in each["why"]] == []
    assert [each for each in found["unseen"] if "failed" in each["why"]] == []


WORDS = {
    ("D301_functions", "softmax"): (
        "D301",
        "cross_entropy is given probabilities: softmax stands in front of it, and it applies softmax itself",
        "line 15: return z",
    ),
    ("D301_trainer", "softmax"): (
        "D301",
        "cross_entropy is given probabilities: softmax stands in front of it, and it applies softmax itself",
        "leave nn.Softmax(dim=-1) out of line 20; apply it where probabilities are wanted, after the loss",
    ),
    ("D302_trainer", "Softmax"): (
        "D302",
        "nll_loss is given probabilities",
        "give it torch.log_softmax(scores, dim=1); or take cross_entropy of the scores",
    ),
    ("D302_crash", "raw"): (
        "D302",
        "binary_cross_entropy is given raw scores; it takes probabilities, from 0 to 1",
        "take binary_cross_entropy_with_logits of the scores, or a sigmoid before this loss",
    ),
    ("D303_layers", "relu"): (
        "D303",
        "the scores that cross_entropy is given come out of relu: none is below 0",
        "leave relu out behind the last layer",
    ),
    ("D303_targets", "changes"): (
        "D303",
        "of the targets cannot be reached: the prediction comes out of relu (0 and above)",
        "leave relu out behind the last layer, or scale the targets into its range",
    ),
    ("D304_norm", "behind"): (
        "D304",
        "all 100 rows get the same output, though their inputs differ (steps 1–20)",
        "leave layer_norm out here, or let it normalise an axis with more than one number",
    ),
    ("D304_rounded", "rounded"): (
        "D304",
        "the gradient of every parameter is exactly zero (steps ",
        "leave round out of the loss; apply it where whole numbers are wanted, after the training",
    ),
    ("D305_binary_codes", "-1,1"): (
        "D305",
        "binary_cross_entropy_with_logits takes targets from 0 to 1, and these go from -1 to 1",
        "make them 0 and 1 first: (y + 1) / 2",
    ),
    ("D305_signed", "zeros"): (
        "D305",
        "soft_margin_loss takes targets of -1 and 1, and ",
        "make them -1 and 1 first: 2 * y - 1",
    ),
    ("D305_from_the_end", "minus"): (
        "D305",
        "class ids go from -1 to 2: -1 picks the score of class 3, counted from the end",
        "count classes from 0; look for a - 1 that was taken away once too often",
    ),
    ("D305_missing", "lost"): (
        "D305",
        "class 3 is in the evaluation (",
        "split the rows so that each part has every class; shuffle them before they are split",
    ),
    ("D306_column", "species"): (
        "D306",
        "the targets are 5 whole numbers, 0 to 4, and the loss is their squared error",
        "give the model 5 outputs and take nn.functional.cross_entropy(scores, labels) with labels as int64",
    ),
    ("D307_units", "millimetres"): (
        "D307",
        "one term of the loss is ",
        "bring both targets to the same scale (subtract the mean, divide by the standard deviation), or weigh the terms so that they begin alike",
    ),
    ("D308_modules", "logsoftmax"): (
        "D308",
        "the logarithm of a softmax is written out without taking the largest score away",
        'p = scores.softmax(1) if kind == "epsilon" else scores.log_softmax(1)',
    ),
    ("D308_scale", "100"): (
        "D308",
        "a log-softmax written out gave infinity at step 1",
        "take torch.log_softmax(scores, dim=1), or cross_entropy of the scores",
    ),
}


@pytest.mark.parametrize(("stem", "argument"), WORDS)
def test_words_of_a_finding(stem: str, argument: str) -> None:
    code, title, fix = WORDS[stem, argument]
    found = examine_program(KNOWN / f"{stem}.py", [argument])["findings"]
    one = next(each for each in found if each["code"] == code)
    assert title in one["title"]
    assert one["fix"] == fix
    assert one["message"].endswith(".")
    assert one["evidence"]


def look(folder: Path, rule: type[Rule], *events: Event, report: Mapping[str, Any] | None = None) -> list[Finding]:
    folder.mkdir(exist_ok=True)
    with Writer(folder) as writer:
        writer(RunStarted("run-1", "run", "a.py", {}, (), {}, None, (), None, None, {"a.py": "loss = f(x, y)\n"}))
        for event in events:
            writer(event)
        writer(RunEnded("finished", report or {}))
    with Reader(folder) as reader:
        return list(rule().look(Evidence(reader)))


def steps(number: int, loss: float = 1.0) -> StepsDone:
    return StepsDone(1, 1, [loss] * number, [0.1] * number, [0.01] * number, [8] * number)


def operation(index: int, name: str, inputs: Sequence[int | str] = (), **values: Any) -> dict[str, Any]:
    """A row of the record; scalars and shapes that do not matter are filled in."""
    usual: dict[str, Any] = {
        "index": index,
        "name": name,
        "module": "",
        "file": "a.py",
        "line": 1,
        "inputs": list(inputs),
        "input_shapes": [[8, 4] for _ in inputs],
        "input_dtypes": ["float32" for _ in inputs],
        "input_tracked": [True for _ in inputs],
        "shapes": [[8, 4]],
        "dtype": "float32",
        "tracked": True,
        "least": -1.0,
        "mean": 0.0,
        "most": 1.0,
        "std": 0.5,
    }
    return usual | values


def scalar(index: int, name: str, inputs: Sequence[int | str], value: float, **values: Any) -> dict[str, Any]:
    usual = {"shapes": [[]], "values": value, "input_shapes": [[] for _ in inputs]}
    return operation(index, name, inputs, **(usual | values))


def recorded(compute: Any, steps: int = 1) -> list[StepGraph]:
    """The operations of a piece of code, as the record holds them, with what is measured of each."""
    told: list[Operations] = []
    places = Places(lambda file: file == __file__)
    collector = Losses(Telling(lambda event: None, Names(places), places))
    recorder = OperationRecorder(
        lambda event: told.append(event) if isinstance(event, Operations) else None,
        lambda tensor: "",
        lambda file: file == __file__,
        collector.operation,
    )
    for step in range(1, steps + 1):
        recorder.begin_step(step)
        compute()
        recorder.end_step(step)
    recorder.close()
    return [StepGraph(each.step, [operation_from(each.step, row) for row in each.rows]) for each in told]


@pytest.mark.parametrize("rule", RULES)
def test_a_run_without_steps_cannot_be_checked(tmp_path: Path, rule: type[Rule]) -> None:
    with pytest.raises(CannotCheck) as caught:
        look(tmp_path, rule)
    assert str(caught.value) == "no step was taken"


@pytest.mark.parametrize("rule", RULES)
def test_operations_that_nobody_saw_are_said_to_be_the_reason(tmp_path: Path, rule: type[Rule]) -> None:
    unseen = Unseen("operations", "from step 1: the script uses torch.compile")
    with pytest.raises(CannotCheck) as caught:
        look(tmp_path, rule, steps(30), unseen)
    assert "the script uses torch.compile" in str(caught.value)


@pytest.mark.parametrize("rule", RULES)
def test_a_step_that_holds_nothing_known_is_no_fault(tmp_path: Path, rule: type[Rule]) -> None:
    rows = (operation(0, "frobnicate", ["outside.0", "w"], facts={}), scalar(1, "backward", [0], 1.0, shapes=[]))
    assert look(tmp_path, rule, steps(30), *(Operations(step, rows) for step in range(1, 21))) == []


def _softmax_by_hand(x: torch.Tensor) -> torch.Tensor:
    exponentials = x.exp()
    return exponentials / exponentials.sum(1, keepdim=True)


def _shifted(x: torch.Tensor) -> torch.Tensor:
    exponentials = (x - x.max(1, keepdim=True).values).exp()
    return exponentials / exponentials.sum(1, keepdim=True)


def _log_softmax_by_hand(x: torch.Tensor) -> torch.Tensor:
    return x - x.exp().sum(1, keepdim=True).log()


@pytest.mark.parametrize(
    ("kind", "compute"),
    [
        ("softmax", lambda x: torch.softmax(x, 1)),
        ("softmax", _softmax_by_hand),
        ("softmax", _shifted),
        ("softmax", lambda x: torch.log_softmax(x, 1).exp()),
        ("sigmoid", torch.sigmoid),
        ("sigmoid", lambda x: 1 / (1 + torch.exp(-x))),
        ("log_softmax", lambda x: functional.log_softmax(x, dim=1)),
        ("log_softmax", lambda x: torch.log(torch.softmax(x, 1))),
        ("log_softmax", lambda x: x - x.logsumexp(1, keepdim=True)),
        ("log_softmax", _log_softmax_by_hand),
        ("logsigmoid", lambda x: x.sigmoid().log()),
        ("relu", nn.ReLU()),
        ("relu", lambda x: x.clamp(min=0)),
        ("relu", lambda x: torch.maximum(x, torch.zeros(1))),
        ("tanh", torch.tanh),
        ("", lambda x: x.clamp(min=-1)),
        ("", lambda x: 30 * torch.tanh(x / 30)),
        ("", lambda x: x.exp() / x.exp().max()),
        ("", lambda x: x * torch.sigmoid(x)),
        ("", lambda x: 1 / (2 + torch.exp(-x))),
        ("", lambda x: x - x.mean(1, keepdim=True)),
    ],
)
def test_what_a_tensor_is_is_told_however_it_is_written(kind: str, compute: Any) -> None:
    x = torch.randn(8, 4, requires_grad=True)
    [graph] = recorded(lambda: compute(x * 2).reshape(-1).sum())
    scores, total = graph.operations[0], graph.operations[-1]
    made = source(graph, total)
    assert kind_of(graph, made) == kind
    if kind and not isinstance(made, str | None):
        assert argument_of(graph, made) is scores


def test_numbers_that_are_passed_on_are_looked_through() -> None:
    x = torch.randn(8, 4, requires_grad=True)
    [graph] = recorded(lambda: ((x.sigmoid().clamp(1e-6, 1 - 1e-6) + 1e-8).float() * 1).flatten().sum())
    assert kind_of(graph, source(graph, graph.operations[-1])) == "sigmoid"


def test_facts_of_a_loss_are_those_of_its_tensors() -> None:
    scores = torch.randn(50, 3, requires_grad=True)
    labels = torch.randint(0, 3, (50,))
    [graph] = recorded(lambda: functional.cross_entropy(scores, labels))
    facts = graph.operations[-1].facts
    assert facts["low"] == scores.min(0).values.tolist()
    assert facts["high"] == scores.max(0).values.tolist()
    assert (facts["rows"], facts["columns"]) == (50, 3)
    sums = scores.detach().sum(1)
    assert facts["sums"] == pytest.approx([float(sums.min()), float(sums.max())])
    assert facts["target"] == [int(labels.min()), int(labels.max())]
    assert facts["counts"][:3] == labels.bincount().tolist()
    assert facts["counted"] == 50


def test_facts_of_a_difference_are_those_of_prediction_and_target() -> None:
    prediction = torch.randn(50, requires_grad=True)
    target = torch.randn(50)
    for compute in (lambda: prediction - target, lambda: target - prediction):
        [graph] = recorded(compute)
        facts = graph.operations[-1].facts
        assert facts["low"] == [float(prediction.detach().min())]
        assert facts["target"] == [float(target.min()), float(target.max())]
        assert facts["whole"] is False
        assert facts["beyond"] == pytest.approx(
            [float((target < bound).float().mean()) for bound in (-1, 0)] + [float((target > 1).float().mean())]
        )
    [graph] = recorded(lambda: prediction - 2 * prediction)
    assert "target" not in graph.operations[-1].facts


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8, torch.float32])
def test_targets_are_counted_whatever_their_dtype(dtype: torch.dtype) -> None:
    values = [0, 0, 3, 63, 64, 255] if dtype is torch.uint8 else [0, 0, 3, 63, 64, -1, -100]
    target = torch.tensor(values, dtype=dtype)
    prediction = torch.zeros(len(values), requires_grad=True)
    [graph] = recorded(lambda: prediction - target)
    counts = graph.operations[-1].facts["counts"]
    assert (len(counts), counts[0], counts[3], counts[63], sum(counts)) == (64, 2, 1, 1, 4)


def test_scores_of_pictures_are_summed_up_by_class() -> None:
    scores = torch.randn(2, 5, 4, 4, requires_grad=True)
    labels = torch.randint(0, 5, (2, 4, 4))
    [graph] = recorded(lambda: functional.cross_entropy(scores, labels))
    facts = graph.operations[-1].facts
    assert facts["low"] == scores.detach().amin((0, 2, 3)).tolist()
    assert (facts["rows"], facts["columns"]) == (32, 5)


def test_no_number_among_the_scores_breaks_nothing(tmp_path: Path) -> None:
    nothing = {
        "low": [None, None],
        "high": [None, None],
        "rows": 8,
        "columns": 2,
        "sums": [None, None],
        "target": [0, 1],
    }
    rows = (
        operation(0, "linear", ["outside.0", "w"], least=None, most=None),
        scalar(1, "cross_entropy", [0, "outside.1"], math.nan, facts=nothing),
        scalar(2, "backward", [1], math.nan, shapes=[]),
    )
    for number, rule in enumerate(RULES):
        found = look(
            tmp_path / str(number), rule, steps(5, math.nan), *(Operations(step, rows) for step in range(1, 6))
        )
        assert found == [], rule.code


def zeros(step: int) -> list[Event]:
    return [Fact(step, "all_zero", {"leaves": 2}, ("a.py", 1)), ParameterNorms(step, (("w", 1.0, 0.0, 0.0),))]


def some(step: int) -> list[Event]:
    return [ParameterNorms(step, (("w", 1.0, 0.5, 0.0),))]


def plain_loss(step: int) -> Operations:
    rows = (scalar(0, "mean", ["w"], 1.0), scalar(1, "backward", [0], 1.0, shapes=[]))
    return Operations(step, rows)


@pytest.mark.parametrize(
    ("events", "loss", "bugs"),
    [
        ([zeros(step) for step in range(1, 6)], 1.0, 1),
        ([zeros(step) for step in range(1, 6)], 0.0, 0),  # nothing is left to learn
        ([zeros(step) for step in range(1, 6)], math.nan, 0),  # D701 speaks of that
        ([zeros(1), zeros(2)], 1.0, 0),
        ([zeros(1), zeros(2), zeros(3), some(4), some(5)], 1.0, 0),
        ([some(1), some(2), zeros(3), zeros(4), zeros(5)], 1.0, 1),
    ],
)
def test_gradients_that_are_all_zero(tmp_path: Path, events: list[list[Event]], loss: float, bugs: int) -> None:
    told = [event for each in events for event in each]
    every = [plain_loss(step) for step in range(1, len(events) + 1)]
    found = look(tmp_path, SameForAll, steps(len(events), loss), *told, *every)
    assert [each.level for each in found] == ["bug"] * bugs


def two_terms(step: int, one: float, other: float, weight: float = 1.0) -> Operations:
    given = {"input_tracked": [True, False]}
    rows = (
        scalar(0, "mse_loss", ["w", "outside.0"], one, **given),
        scalar(1, "cross_entropy", ["w", "outside.1"], other, **given),
        scalar(2, "mul", [1], other * weight, constants={"1": weight}),
        scalar(3, "add", [0, 2], one + other * weight),
        scalar(4, "backward", [3], 0.0, shapes=[]),
    )
    return Operations(step, rows)


@pytest.mark.parametrize(
    ("one", "other", "weight", "notes"),
    [
        (500.0, 1.0, 1.0, 1),
        (1.0, 500.0, 1.0, 1),
        (50.0, 1.0, 1.0, 0),
        (1.0, 1.0, 1e-3, 0),  # it was meant to be small
        (1e6, 1.0, 0.1, 1),
        (1.0, 0.0, 1.0, 0),  # switched off
        (math.nan, 1.0, 1.0, 0),
    ],
)
def test_a_term_is_compared_with_and_without_its_weight(
    tmp_path: Path, one: float, other: float, weight: float, notes: int
) -> None:
    found = look(tmp_path, DrownedTerm, steps(5), *(two_terms(step, one, other, weight) for step in range(1, 6)))
    assert [each.level for each in found] == ["note"] * notes


def test_a_term_that_grows_later_is_not_drowned(tmp_path: Path) -> None:
    every = [two_terms(step, 500.0, 1.0 if step < 5 else 400.0) for step in range(1, 6)]
    assert look(tmp_path, DrownedTerm, steps(5), *every) == []


def squared(step: int, counts: Sequence[int], **facts: Any) -> Operations:
    last = max(value for value, count in enumerate(counts) if count)
    first = min(value for value, count in enumerate(counts) if count)
    usual = {
        "low": [0.0],
        "high": [1.0],
        "rows": sum(counts),
        "columns": 1,
        "target": [first, last],
        "target_columns": 1,
        "whole": True,
        "counts": [*counts, *[0] * (64 - len(counts))],
        "counted": sum(counts),
    }
    rows = (
        scalar(0, "mse_loss", ["w", "outside.0"], 1.0, facts=usual | facts),
        scalar(1, "backward", [0], 1.0, shapes=[]),
    )
    return Operations(step, rows)


@pytest.mark.parametrize(
    ("counts", "facts", "likely"),
    [
        ([50, 40, 60], {}, 1),
        ([0, 50, 40, 60], {}, 1),  # counted from 1
        ([50, 40], {}, 0),  # two classes: a proper score
        ([50, 0, 60, 40], {}, 0),  # a gap
        ([90, 40, 10, 2], {}, 0),  # as a count falls off
        ([5, 4, 6], {}, 0),  # too few to say
        ([50, 40, 60], {"whole": False}, 0),
        ([50, 40, 60], {"target_columns": 3, "columns": 3}, 0),
        ([50, 40, 60], {"target": [-1, 2]}, 0),
        ([20] * 40, {}, 0),
    ],
)
def test_which_targets_look_like_class_ids(
    tmp_path: Path, counts: list[int], facts: dict[str, Any], likely: int
) -> None:
    found = look(tmp_path, SquaredClasses, steps(1), squared(1, counts, **facts))
    assert [each.level for each in found] == ["likely"] * likely


def binary(step: int, low: float, high: float) -> Operations:
    facts = {"low": [-1.0], "high": [1.0], "rows": 8, "columns": 1, "target": [low, high], "whole": False}
    rows = (
        scalar(0, "binary_cross_entropy_with_logits", ["w", "outside.0"], 1.0, facts=facts),
        scalar(1, "backward", [0], 1.0, shapes=[]),
    )
    return Operations(step, rows)


@pytest.mark.parametrize(
    ("low", "high", "bugs"),
    [(0.0, 1.0, 0), (0.05, 0.95, 0), (0.0, 1.0000001, 0), (-1.0, 1.0, 1), (0.0, 255.0, 1), (1.0, 2.0, 1)],
)
def test_which_targets_are_no_probabilities(tmp_path: Path, low: float, high: float, bugs: int) -> None:
    found = look(tmp_path, WrongLabels, steps(1), binary(1, low, high))
    assert [each.level for each in found] == ["bug"] * bugs


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("RuntimeError: all elements of input should be between 0 and 1", "D302"),
        ("IndexError: Target 4 is out of bounds.", "D305"),
        ("RuntimeError: expected scalar type Long but found Float", "D305"),
        ("RuntimeError: mat1 and mat2 shapes cannot be multiplied", ""),
    ],
)
def test_a_loss_that_ended_the_program_is_a_finding(tmp_path: Path, message: str, code: str) -> None:
    crash = {
        "file": "a.py",
        "line": 1,
        "title": "class 4 has no column",
        "expected": "0 to 3",
        "because": "y holds 4",
        "fix": [],
    }
    told = {"message": message, "crash": crash}
    for rule in (NotLogarithms, WrongLabels):
        if rule.code == code:
            [found] = look(tmp_path / rule.code, rule, report=told)
            assert (found.level, found.where and found.where.line) == ("bug", 1)
            assert found.title.endswith(("class 4 has no column", "from 0 to 1"))
        else:
            with pytest.raises(CannotCheck):
                look(tmp_path / rule.code, rule, report=told)


def test_an_exponential_that_broke_between_recorded_steps_is_a_bug(tmp_path: Path) -> None:
    def rows(step: int) -> Operations:
        every = (
            operation(0, "linear", ["outside.0", "w"]),
            operation(1, "exp", [0]),
            operation(2, "sum", [1], shapes=[[8]]),
            operation(3, "log", [2], shapes=[[8]]),
            scalar(4, "mean", [3], 1.0),
            scalar(5, "backward", [4], 1.0, shapes=[]),
        )
        return Operations(step, every)

    events = [steps(50), *(rows(step) for step in range(1, 6))]
    [found] = look(tmp_path / "note", WrittenOut, *events)
    assert (found.level, found.evidence["largest score seen"]) == ("note", "1 (steps 1–5)")
    origin = {"loss": "inf", "operation": "exp", "nth": 0, "named": 1, "parameters": [], "broken": 0, "of": 1}
    [found] = look(tmp_path / "bug", WrittenOut, *events, Fact(37, "not_a_number", origin))
    assert (found.level, found.step) == ("bug", 37)
    assert "broke at step 37" in found.title
    elsewhere = Fact(37, "not_a_number", origin | {"operation": "sqrt"})
    [found] = look(tmp_path / "elsewhere", WrittenOut, *events, elsewhere)
    assert found.level == "note"


@pytest.mark.parametrize(
    ("notes", "compute"),
    [
        (1, lambda x: x.exp().sum(1).log()),
        (1, lambda x: torch.log(1 + torch.exp(x))),
        (1, lambda x: torch.log1p(x.exp())),
        (1, lambda x: torch.log(torch.softmax(x, 1))),
        (1, lambda x: torch.log(torch.sigmoid(x))),
        (1, lambda x: (x / 0.1).exp().mean(1).log()),
        (0, lambda x: (x - x.amax(1, keepdim=True)).exp().sum(1).log()),
        (0, lambda x: ((x - x.max(1, keepdim=True).values) / 0.5).exp().sum(1).log()),
        (0, lambda x: (-x.square()).exp().sum(1).log()),
        (0, lambda x: (-x.square() / 2).exp().sum(1).log()),
        (0, lambda x: torch.tanh(x).exp().sum(1).log()),
        (0, lambda x: x.clamp(max=20).exp().sum(1).log()),
        (0, lambda x: torch.log(torch.softmax(x, 1) + 1e-8)),
        (0, lambda x: torch.log(torch.softmax(x, 1).clamp_min(1e-8))),
        (0, lambda x: x.exp()),
        (0, lambda x: x.exp().sum()),
        (0, lambda x: x.logsumexp(1)),
    ],
)
def test_which_exponentials_may_overflow(tmp_path: Path, notes: int, compute: Any) -> None:
    x = torch.randn(8, 4, requires_grad=True)
    [graph] = recorded(lambda: compute(x * 2).sum())
    from descend.check.exponentials import _written_out

    assert len(list(_written_out(graph))) == notes
