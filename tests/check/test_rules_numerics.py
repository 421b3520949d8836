"""Rules of numbers that are none, and of numbers too small for their format (D701, D702)."""

import math
from pathlib import Path
from typing import Any

import pytest

from check.harness import PROGRAMS, Case, cases, examine_program, faults_of
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding
from descend.check.numerics_faults import NotFinite, Underflow
from descend.check.rule import Rule
from descend.record.events import Event, Fact, RunEnded, RunStarted, StepsDone
from descend.record.reader import Reader
from descend.record.writer import Writer

KNOWN = PROGRAMS / "known"
OURS = [case for case in cases(KNOWN) if case.program.stem.startswith("D7")]


@pytest.mark.parametrize("case", OURS, ids=lambda case: case.name)
def test_programs_have_what_their_header_says(case: Case) -> None:
    found = examine_program(case.program, case.arguments)
    assert faults_of(case, found["findings"]) == []
    assert [each for each in found["unchecked"] if "failed" in each["why"]] == []
    assert [each for each in found["unseen"] if "failed" in each["why"]] == []


def finding(stem: str, code: str, *arguments: str) -> dict[str, Any]:
    found = examine_program(KNOWN / f"{stem}.py", arguments)["findings"]
    return next(each for each in found if each["code"] == code)


def test_words_of_a_logarithm_of_zero() -> None:
    found = finding("D701_log_of_zero", "D701", "empty")
    assert found["title"] == "log makes the first infinity, at step 4"
    assert found["evidence"]["given"][0].startswith("div: 0 … ")
    assert found["fix"].startswith("keep its input above 0: torch.log(x.clamp_min(1e-8))")
    assert found["step"] == 4


def test_words_of_a_slope_that_is_infinite() -> None:
    found = finding("D701_root_late", "D701")
    assert found["title"] == "lin.bias, lin.weight became nan in the update of step 41"
    assert "the derivative of sqrt is infinite where its input is 0" in found["message"]
    assert found["fix"] == "keep its input away from 0: torch.sqrt(x + 1e-12)"


def test_words_of_gradients_that_underflow() -> None:
    found = finding("D702_half", "D702", "tiny")
    assert found["title"].endswith(" of the gradients are zero in float16, and nothing scales the loss")
    assert found["message"].startswith("float16 knows no number between 0 and 6e-08")
    assert found["where"]["source"] == "loss.backward()"
    assert "torch.amp.GradScaler()" in found["fix"]


def look(folder: Path, rule: type[Rule], *events: Event) -> list[Finding]:
    with Writer(folder) as writer:
        writer(RunStarted("run-1", "run", "a.py", {}, (), {}, None, (), None, None, {"a.py": "loss.backward()\n"}))
        for event in events:
            writer(event)
        writer(RunEnded("finished", {}))
    with Reader(folder) as reader:
        return list(rule().look(Evidence(reader)))


def steps(*losses: float) -> StepsDone:
    count = len(losses)
    return StepsDone(1, 1, list(losses), [0.1] * count, [0.001] * count, [8] * count)


@pytest.mark.parametrize("rule", [NotFinite, Underflow])
def test_nothing_is_said_of_a_run_without_steps(tmp_path: Path, rule: type[Rule]) -> None:
    with pytest.raises(CannotCheck, match="no step was taken"):
        look(tmp_path, rule)


def test_a_loss_that_was_never_seen_is_no_fault(tmp_path: Path) -> None:
    assert look(tmp_path, NotFinite, steps(math.nan, math.nan, math.nan)) == []


def test_a_loss_that_breaks_where_nothing_else_is_known(tmp_path: Path) -> None:
    found = look(tmp_path, NotFinite, steps(2.0, 1.5, math.nan, math.nan))
    assert [each.title for each in found] == ["the loss is nan from step 3 on"]
    assert found[0].evidence == {"loss": "nan at step 3", "losses before": "2, 1.500"}


def test_the_first_loss_may_be_the_one(tmp_path: Path) -> None:
    fact = Fact(
        1, "not_a_number", {"loss": "inf", "parameters": [], "broken": 0, "of": 2, "operation": "exp"}, ("a.py", 1)
    )
    found = look(tmp_path, NotFinite, steps(math.inf, math.nan), fact)
    assert found[0].title == "exp makes the first number that is none, at step 1"
    assert found[0].where is not None
    assert found[0].where.line == 1


def test_a_loss_that_grew_until_the_numbers_ran_out(tmp_path: Path) -> None:
    fact = Fact(5, "not_a_number", {"loss": "nan", "parameters": ["w"], "broken": 1, "of": 1}, ("a.py", 1))
    found = look(tmp_path, NotFinite, steps(1.0, 1e9, 1e18, 1e27, math.nan), fact)
    assert "see D601" in found[0].message
    assert found[0].fix == "a smaller learning rate"


def underflow(step: int, zero: float, tiny: float, *parameters: tuple[str, float, float]) -> Fact:
    values = {"numbers": 100, "zero": zero, "tiny": tiny, "least": 6e-8, "half": 0, "worst": "w", "worst_zero": 1.0}
    return Fact(step, "underflow", {**values, "parameters": [list(each) for each in parameters]})


@pytest.mark.parametrize(
    ("zero", "tiny", "parameters", "said"),
    [
        (0.8, 0.9, [("w", 0.8, 0.9)], True),
        (0.8, 0.0, [("w", 1.0, 0.0), ("v", 0.1, 0.0)], False),  # units at rest
        (0.0, 0.9, [("w", 0.0, 0.9)], False),  # few digits, and nothing is lost
        (0.1, 0.01, [("w", 1.0, 0.0), ("v", 0.2, 0.7), ("u", 0.0, 0.0)], True),  # lost on the way down
    ],
)
def test_zeros_beside_tiny_gradients(
    tmp_path: Path, zero: float, tiny: float, parameters: list[tuple[str, float, float]], said: bool
) -> None:
    events = [underflow(step, zero, tiny, *parameters) for step in range(1, 6)]
    assert bool(look(tmp_path, Underflow, steps(*[1.0] * 5), *events)) is said


def test_two_steps_of_underflow_are_not_enough(tmp_path: Path) -> None:
    assert look(tmp_path, Underflow, steps(1.0, 1.0), underflow(1, 0.9, 0.9), underflow(2, 0.9, 0.9)) == []
