"""Rules of learning rates, scales and layers (D601 to D607): on programs, and on records made by hand."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from check.harness import PROGRAMS, Case, cases, examine_program, faults_of
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding
from descend.check.rule import Rule
from descend.check.scale import RateTooHigh, RateTooLow
from descend.check.scale_features import FeaturesApart
from descend.check.scale_layers import NothingBetween, PoorStart
from descend.check.scale_recurrent import StateLost
from descend.record.events import (
    Event,
    Fact,
    Operations,
    ParameterNorms,
    ParametersSeen,
    RunEnded,
    RunStarted,
    StepsDone,
)
from descend.record.reader import Reader
from descend.record.writer import Writer

KNOWN = PROGRAMS / "known"
OURS = [case for case in cases(KNOWN) if case.program.stem.startswith("D6")]
SCRIPT = "import torch\nrate = 0.5\nopt = torch.optim.SGD(params, lr=0.5)\nopt.step()\n"


@pytest.mark.parametrize("case", OURS, ids=lambda case: case.name)
def test_programs_have_what_their_header_says(case: Case) -> None:
    found = examine_program(case.program, case.arguments)
    assert faults_of(case, found["findings"]) == []
    assert [each for each in found["unchecked"] if "failed" in each["why"]] == []
    assert [each for each in found["unseen"] if "failed" in each["why"]] == []


def finding(stem: str, code: str, *arguments: str) -> dict[str, Any]:
    """The first finding of a code in a program."""
    found = examine_program(KNOWN / f"{stem}.py", arguments)["findings"]
    return next(each for each in found if each["code"] == code)


def test_words_of_a_rate_above_the_limit() -> None:
    found = finding("D601_line_too_steep", "D601")
    age = np.linspace(1, 40, 40)
    columns = np.column_stack([age, np.ones(40)])
    limit = 2 / np.linalg.eigvalsh(2 / 40 * columns.T @ columns)[-1]
    assert found["title"] == f"learning rate 0.004 is above the largest stable one, {limit:.4g}"
    assert "2/λmax each step lands higher on the other side" in found["message"]
    assert found["evidence"]["largest curvature λmax"] == f"{2 / limit:,.0f}"
    assert found["evidence"]["first losses"].startswith("49,586, 352,491, ")
    assert found["fix"] == f"a learning rate of {float(f'{limit / 2:.0e}'):g}"


def test_words_of_a_rate_that_throws_the_weights_about() -> None:
    found = finding("D601_adam_trainer", "D601")
    assert found["title"].startswith("learning rate 1 throws the weights about: a step moves body.")
    assert "Steps of about 0.1 % of the weights' size are usual." in found["message"]
    assert found["fix"].startswith("self.optimizer = torch.optim.Adam(model.parameters(), lr=0.00")


def test_words_of_a_rate_that_is_too_low() -> None:
    found = finding("D602_crawl", "D602")
    assert "200 steps lowered the loss by" in found["title"]
    assert "learning rate 1e-05 is too low for them" in found["title"]
    assert found["evidence"]["a step lowers the loss by about"].startswith("lr·‖g‖² = 2.1")
    assert "At this pace half of the loss would take about" in found["message"]
    assert found["fix"].startswith("sgd = torch.optim.SGD(net.parameters(), lr=")


def test_words_of_targets_out_of_reach() -> None:
    found = finding("D602_targets", "D602", "raw")
    assert found["title"] == "120 steps did not lower the loss: the targets are far from what the model answers"
    assert found["message"].startswith("To answer the same for every row, the mean of the targets, would be better.")
    assert found["evidence"]["targets"].startswith("187,508 ± ")
    assert found["fix"] == "y = (y - y.mean()) / y.std()   # of the training rows; turn answers back"


def test_words_of_clipping_that_holds_a_loss_up() -> None:
    found = finding("D602_clipped", "D602", "1e-3")
    assert found["title"] == "120 steps did not lower the loss: clipping makes the gradients 630 times shorter"
    assert "This threshold lies below all of them" in found["message"]
    assert found["evidence"]["clipped"] == "21 of 21 gradients that were looked at"
    assert found["fix"].startswith("max_norm=")


def test_words_of_a_decay_that_holds_the_weights() -> None:
    found = finding("D607_decay", "D607", "sgd", "0.3")
    assert found["title"] == "a weight decay of 0.3 pulls the weights to zero as strongly as the loss pulls them away"
    assert "What the model could learn from the data is taken back by the decay." in found["message"]
    assert found["evidence"]["pull of the decay, at the end"].startswith("0.3 · ‖weights‖ = ")
    assert found["fix"] == "weight_decay=1e-4   # or none, to see the loss fall first"


def test_words_of_features_of_different_scale() -> None:
    found = finding("D603_metres_and_millimetres", "D603", "mm")
    assert found["title"].startswith("features of very different scale: condition number ")
    assert found["evidence"]["largest stable rate 2/λmax"].endswith("of it")
    assert "after standardising" in found["evidence"]["steps for the slowest direction"]
    assert found["fix"].startswith("x = (x - x.mean(0)) / x.std(0)")


def test_words_of_units_that_are_alike() -> None:
    found = finding("D604_constant", "D604")
    assert found["title"] == "the 16 columns of W1 begin equal to one another and stay alike"
    assert found["message"].endswith("so they stay alike: the layer is worth a single one.")
    assert found["where"]["source"] == "W1 = torch.full((5, 16), 0.1, requires_grad=True)"


def test_words_of_dead_units() -> None:
    found = finding("D604_dead_trainer", "D604", "shifted")
    assert found["title"] == "40 of 40 units of Net are dead in steps 1–20"
    assert "no gradient reaches what feeds them and they cannot come back" in found["message"]


def test_words_of_layers_with_nothing_between() -> None:
    found = finding("D605_forgotten", "D605")
    assert found["title"] == "fc1 (8 → 64) and fc2 (64 → 3) have nothing between"
    assert (
        found["message"]
        == "Together they can do no more than one layer 8 → 3: without an activation the depth is lost."
    )
    assert found["evidence"]["weights"] == "704 in two layers; one layer 8 → 3 has 24"
    assert found["fix"] == "put an activation between fc1 and fc2: torch.relu(…)"


def test_words_of_a_state_that_is_lost() -> None:
    found = finding("D606_lost_state", "D606")
    assert found["title"] == "rnn is called 8 times in a step, each time with a state of zeros"
    assert found["evidence"]["state at the start of each"] == "zeros"


def test_words_of_a_state_that_is_carried() -> None:
    found = finding("D606_carried", "D606", "pieces")
    assert "carried into sequences that do not go on from the ones before" in found["title"]
    assert "(threshold 3)" in found["evidence"]["ratio"]


def look(folder: Path, rule: type[Rule], *events: Event, report: Mapping[str, Any] | None = None) -> list[Finding]:
    """What a rule finds in a record of these events."""
    with Writer(folder) as writer:
        writer(RunStarted("run-1", "run", "a.py", {}, (), {}, None, (), None, None, {"a.py": SCRIPT}))
        for event in (NAMED, *events):
            writer(event)
        writer(RunEnded("finished", dict(report or {})))
    with Reader(folder) as reader:
        return list(rule().look(Evidence(reader)))


def steps(losses: Sequence[float], rate: float = 0.5) -> StepsDone:
    count = len(losses)
    return StepsDone(1, 1, list(losses), [rate] * count, [0.001] * count, [8] * count)


NAMED = ParametersSeen(1, (("w", (3, 2), "variable"),))


def optimizer(kind: str = "SGD") -> Fact:
    values = {"number": 1, "class": kind, "settings": {"lr": 0.5}, "parameters": ["w"], "held": 1}
    return Fact(9, "optimizer", {**values, "reached": 1, "steps": 9, "first_step": 1, "last_step": 9}, ("a.py", 3))


def overshooting(step: int, **others: Any) -> Fact:
    values = {
        "ahead": 0.99,
        "before": -1.0,
        "curvature": 8.0,
        "gradient": 3.0**step,
        "gradient_before": 3.0 ** (step - 1),
    }
    return Fact(step, "motion", {**values, "cosine": -0.99, "share": 1.0, **others})


@pytest.mark.parametrize("rule", [RateTooHigh, RateTooLow, FeaturesApart, PoorStart])
def test_nothing_is_said_of_a_run_without_steps(tmp_path: Path, rule: type[Rule]) -> None:
    with pytest.raises(CannotCheck, match="no step was taken"):
        look(tmp_path, rule)


@pytest.mark.parametrize("rule", [NothingBetween, StateLost])
def test_rules_of_operations_say_why_there_are_none(tmp_path: Path, rule: type[Rule]) -> None:
    with pytest.raises(CannotCheck, match="the operations of its steps were not recorded"):
        look(tmp_path, rule, steps([1.0, 0.9]))


RUNAWAY = [10.0**place for place in range(9)]


def test_a_loss_that_runs_away_is_a_bug_where_steps_overshoot(tmp_path: Path) -> None:
    found = look(tmp_path, RateTooHigh, steps(RUNAWAY), optimizer(), *map(overshooting, range(2, 8)))
    assert [each.level for each in found] == ["bug"]
    assert found[0].title == "the loss runs away: 1 → 100,000,000 under learning rate 0.5"
    assert found[0].evidence["largest stable rate there"] == "0.25"
    assert found[0].evidence["steps past the lowest point"].startswith("6 in a row")
    assert found[0].fix == "opt = torch.optim.SGD(params, lr=0.1)"


def test_a_loss_that_runs_away_is_likely_where_nobody_looked(tmp_path: Path) -> None:
    found = look(tmp_path, RateTooHigh, steps(RUNAWAY), optimizer())
    assert [each.level for each in found] == ["likely"]


@pytest.mark.parametrize(
    "losses",
    [
        [1.0, 0.9, 5000.0, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3],  # a spike
        [1.0, 0.9, 0.8, math.nan, math.nan, math.nan],  # no number, and no growth before it
        [-1.0, -10.0, -1e5, -1e8],  # below zero on purpose
        [math.nan] * 6,  # a loss that was not seen
        [1.0, 1.0],
    ],
    ids=["spike", "nan", "negative", "unseen", "flat"],
)
def test_losses_that_do_not_run_away(tmp_path: Path, losses: list[float]) -> None:
    try:
        assert look(tmp_path, RateTooHigh, steps(losses), optimizer(), *map(overshooting, range(2, 6))) == []
    except CannotCheck as error:
        assert "above zero" in str(error)


def test_steps_uphill_are_no_matter_of_the_rate(tmp_path: Path) -> None:
    events = [overshooting(step, before=1.0) for step in range(2, 8)]
    assert look(tmp_path, RateTooHigh, steps(RUNAWAY), optimizer(), *events) == []


def test_gradients_that_are_never_cleared_are_no_matter_of_the_rate(tmp_path: Path) -> None:
    update = {"what": "update", "kept": 1, "file": "a.py", "line": 4}
    events = [Fact(step, "order", {"happened": [update]}) for step in range(1, 9)]
    assert look(tmp_path, RateTooHigh, steps(RUNAWAY), optimizer(), *events) == []


def test_lbfgs_is_not_judged(tmp_path: Path) -> None:
    assert look(tmp_path, RateTooHigh, steps(RUNAWAY), optimizer("LBFGS"), *map(overshooting, range(2, 8))) == []


def table(deviations: Sequence[float], **others: Any) -> Fact:
    count = len(deviations)
    values = {
        "parameter": "w", "layers": 2, "rows": 50, "columns": count, "axes": 2, "mean": [0.0] * count, "std": list(deviations),
        "least": [-3 * each for each in deviations], "most": [3 * each for each in deviations], "ceiling": 1,
    }  # fmt: skip
    return Fact(1, "features", {**values, **others})


def test_columns_of_very_different_scale(tmp_path: Path) -> None:
    found = look(tmp_path, FeaturesApart, steps([1.0, 0.9]), table([1.0, 2000.0, 3.0]))
    assert [each.title for each in found] == [
        "features of very different scale: column 1 varies 2,000 times as much as column 0"
    ]
    assert found[0].evidence["condition number"] == "at least 4,000,000"


@pytest.mark.parametrize(
    "fact",
    [
        table([1.0, 50.0]),
        table([1.0]),
        table([0.0, 1.0, 2.0]),  # a constant column
        table([0.001] + [1.0] * 20, ceiling=18),  # pixels
        table([math.nan, math.inf, 1.0]),
        table([1.0, 1000.0], axes=4),
        table([1.0, 1000.0], rows=2),
    ],
    ids=["near", "single", "constant", "pixels", "nan", "images", "two rows"],
)
def test_columns_that_nothing_is_said_of(tmp_path: Path, fact: Fact) -> None:
    assert look(tmp_path, FeaturesApart, steps([1.0, 0.9]), fact) == []


def test_data_of_many_columns_are_no_table(tmp_path: Path) -> None:
    fact = Fact(1, "features", {"parameter": "w", "layers": 2, "rows": 64, "columns": 784, "axes": 2})
    with pytest.raises(CannotCheck, match="its data have 784 columns, too many to be a table of features"):
        look(tmp_path, FeaturesApart, steps([1.0, 0.9]), fact)


def alike(**others: Any) -> Fact:
    values = {
        "name": "w",
        "shape": [8, 4],
        "axis": 0,
        "steps": 5,
        "still": True,
        "first": 0.0,
        "one_number": True,
        "moved": True,
    }
    return Fact(1, "alike", {**values, **others})


def test_equal_rows_are_a_fault_only_while_they_stay(tmp_path: Path) -> None:
    found = look(
        tmp_path, PoorStart, steps([1.0, 0.9]), alike(), alike(name="late", still=False), alike(name="once", steps=1)
    )
    assert [each.title for each in found] == ["the 8 rows of w begin all 0 and stay alike"]


def test_dead_units_of_a_look_are_a_note(tmp_path: Path) -> None:
    facts = [Fact(0, "looked_at_units", {"units": 2, "rows": 1, "dead": dead}, ("a.py", 4)) for dead in (0, 1)]
    found = look(tmp_path, PoorStart, *facts)
    assert [(each.level, each.title) for each in found] == [("note", "1 of 2 units of a relu gave 0 for its only row")]


def test_equal_rows_that_never_moved(tmp_path: Path) -> None:
    found = look(tmp_path, PoorStart, steps([1.0, 0.9]), alike(moved=False))
    assert found[0].message == "Nothing tells them apart, and no gradient moved them: the layer cannot learn."


def chain(first: tuple[int, int], second: tuple[int, int], between: Sequence[str] = ()) -> Iterator[Event]:
    """A step in which two layers follow one another, with these operations in between."""
    rows: list[dict[str, Any]] = []

    def add(name: str, inputs: Sequence[Any], shapes: Sequence[Sequence[int]], out: Sequence[int]) -> None:
        rows.append({
            "index": len(rows), "name": name, "module": "", "file": "a.py", "line": 4, "inputs": list(inputs),
            "input_shapes": [list(each) for each in shapes], "input_dtypes": ["float32"] * len(inputs),
            "input_tracked": [each != "outside.0" for each in inputs], "shapes": [list(out)], "dtype": "float32", "tracked": True,
        })  # fmt: skip

    add("linear", ["outside.0", "one.weight"], [(9, first[0]), first[::-1]], (9, first[1]))
    for name in between:
        add(name, [len(rows) - 1], [(9, first[1])], (9, first[1]))
    add("linear", [len(rows) - 1, "two.weight"], [(9, second[0]), second[::-1]], (9, second[1]))
    add("mean", [len(rows) - 1], [(9, second[1])], ())
    add("backward", [len(rows) - 1], [()], ())
    rows[-1]["shapes"] = []
    yield ParametersSeen(1, (("one.weight", first[::-1], "module"), ("two.weight", second[::-1], "module")))
    yield ParameterNorms(1, (("one.weight", 1.0, 1.0, 0.1), ("two.weight", 1.0, 1.0, 0.1)))
    yield Operations(1, tuple(rows))


@pytest.mark.parametrize(
    ("first", "second", "between", "level"),
    [
        ((8, 64), (64, 3), (), "likely"),
        ((8, 64), (64, 3), ("dropout",), "likely"),
        ((8, 8), (8, 8), (), "likely"),
        ((8, 2), (2, 8), (), "note"),
        ((8, 64), (64, 3), ("relu",), None),
        ((8, 64), (64, 3), ("layer_norm",), None),
    ],
)
def test_layers_in_a_row(
    tmp_path: Path, first: tuple[int, int], second: tuple[int, int], between: Sequence[str], level: str | None
) -> None:
    found = look(tmp_path, NothingBetween, steps([1.0]), *chain(first, second, between))
    assert [each.level for each in found] == ([level] if level else [])
