"""The rule of printed figures (D503): on programs, and on records made by hand."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from check.harness import PROGRAMS, Case, cases, examine_program, faults_of
from descend.check.evidence import Evidence
from descend.check.figures import NotWhatItSays, last_batch
from descend.check.figures_sums import Sums
from descend.check.finding import CannotCheck, Finding
from descend.record.events import Event, Fact, Printed, RunEnded, RunStarted, StepsDone
from descend.record.reader import Reader
from descend.record.writer import Writer

KNOWN = PROGRAMS / "known"
OURS = [case for case in cases(KNOWN) if case.program.stem.startswith("D503")]
AT = ("a.py", 3)
LOSSES = [1.0, 0.8, 0.6, 0.5, 0.3, 0.1234]


@pytest.mark.parametrize("case", OURS, ids=lambda case: case.name)
def test_programs_have_what_their_header_says(case: Case) -> None:
    found = examine_program(case.program, case.arguments)
    assert faults_of(case, found["findings"]) == []
    assert [each for each in found["unchecked"] if each["code"] == "D503"] == []


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., list[Finding]]:
    """What is found where these lines were printed by one line, each after a step; epochs of three steps."""

    def looked(
        *lines: tuple[int, str],
        losses: Sequence[float] = LOSSES,
        rows: Sequence[int] | None = None,
        length: int = 3,
        others: Sequence[Event] = (),
        report: dict[str, Any] | None = None,
    ) -> list[Finding]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        with Writer(folder) as writer:
            writer(RunStarted("a", "run", "a.py", {}, (), {}, None, (), None, None))
            for start in range(0, len(losses), length or len(losses)):
                part = list(losses[start : start + (length or len(losses))])
                many = len(part)
                each = list((rows or [8] * len(losses))[start : start + many])
                writer(
                    StepsDone(start + 1, start // length + 1 if length else 1, part, [0.1] * many, [0.01] * many, each)
                )
            for step, text in lines:
                writer(Printed(step, text, AT))
            for event in others:
                writer(event)
            writer(RunEnded("finished", report or {}))
        with Reader(folder) as reader:
            return list(NotWhatItSays().look(Evidence(reader)))

    return looked


def test_the_loss_of_one_batch_is_noticed(look: Callable[..., list[Finding]]) -> None:
    [found] = look((3, "Epoch 1, Loss = 0.6000"), (6, "Epoch 2, Loss = 0.1234"))
    assert (found.level, found.step, found.where and found.where.line) == ("note", 3, 3)
    mean = (0.5 + 0.3 + 0.1234) / 3
    assert found.title == f"the printed 0.1234 is the last batch's alone; it should be {mean:.4f}"
    assert last_batch([found.as_json()]) == {
        "text": "0.1234",
        "step": 6,
        "mean": pytest.approx(mean),
        "file": "a.py",
        "line": 3,
    }
    assert last_batch([]) is None


@pytest.mark.parametrize(
    "lines",
    [
        [(6, "loss 0.3078")],  # the epoch's mean
        [(6, "accuracy 97.58%")],
        [(5, "step 5, loss 0.3000")],  # in the middle of an epoch nobody expects a mean
        [(6, "version 1.0.1234")],
        [(6, "last batch 0.1234")],
        [(0, "loss 0.1234")],
        [(6, "")],
        [(6, "loss 0.1")],  # too few digits
        [(6, "loss 1e400"), (6, "loss nan"), (6, "loss 9.9e999")],
    ],
)
def test_other_printed_numbers_are_left_alone(look: Callable[..., list[Finding]], lines: list[tuple[int, str]]) -> None:
    assert look(*lines) == []


def test_the_loss_of_a_full_batch_is_the_epochs_own(look: Callable[..., list[Finding]]) -> None:
    assert look((1, "loss 1.0000"), (2, "loss 0.5000"), (3, "loss 0.2500"), losses=[1.0, 0.5, 0.25], length=1) == []


def test_a_loss_close_to_the_mean_misleads_nobody(look: Callable[..., list[Finding]]) -> None:
    assert look((6, "Epoch 2, Loss = 0.5000"), losses=[1.0, 1.0, 1.0, 0.51, 0.5, 0.5]) == []


def test_of_a_single_epoch_it_is_not_sure_that_it_is_one(look: Callable[..., list[Finding]]) -> None:
    assert look((6, "loss 0.1234"), length=0) == []


def test_what_is_printed_once_has_to_agree_in_many_digits(look: Callable[..., list[Finding]]) -> None:
    total = sum(LOSSES[3:])
    assert [each.level for each in look((6, f"loss {total:.4f}"))] == ["likely"]
    assert [each.level for each in look((6, f"loss {total:.6f}"))] == ["bug"]
    assert look((6, f"loss {total:.1f}")) == []


def test_sums_over_all_epochs_begin_anew_with_a_new_training(look: Callable[..., list[Finding]]) -> None:
    kept = sum(LOSSES) / 3
    lines = [(3, "loss 0.800"), (6, f"loss {kept:.3f}")]
    assert [each.level for each in look(*lines)] == ["likely"]
    assert look(*lines, report={"trainings": [{"first_step": 1}, {"first_step": 4}]}) == []


def test_losses_that_are_no_numbers_agree_with_nothing(look: Callable[..., list[Finding]]) -> None:
    assert look((3, "loss nan"), (6, "loss 0.30000"), losses=[1.0, 0.5, math.nan, 0.5, math.nan, 0.1]) == []


def test_numbers_that_an_evaluation_read(look: Callable[..., list[Finding]]) -> None:
    line = {"file": "a.py", "line": 9, "count": 3, "weighted": 100.0, "rows": 25, "first_rows": 10, "last_rows": 5}
    counted = Fact(6, "figures", {"number": 1, "lines": [line | {"total": 18.0, "last": 3.0}]})
    assert look((6, "accuracy 72.000%"), others=[counted]) == []
    [found] = look((6, "accuracy 60.0000%"), others=[counted])
    assert found.title == "the printed 60.0000 % is a count divided by 30 rows (3 full batches); it should be 72 %"
    assert found.evidence["share of all rows"] == 0.72
    assert found.fix == "divide by the number of rows (25): len(dataset)"


def test_of_two_sets_in_one_evaluation_nobody_knows_which_is_which(look: Callable[..., list[Finding]]) -> None:
    line = {"file": "a.py", "line": 9, "count": 3, "weighted": 1.0, "rows": 0, "first_rows": 0, "last_rows": 0}
    told = [Fact(6, "figures", {"number": n, "lines": [line | {"total": 1.5, "last": 0.5}]}) for n in (1, 2)]
    assert look((6, "validation loss 1.50000"), others=told) == []


def test_nothing_to_look_at_is_no_answer(look: Callable[..., list[Finding]]) -> None:
    with pytest.raises(CannotCheck, match="the script printed nothing"):
        look()
    with pytest.raises(CannotCheck, match="no step was taken"):
        look(losses=[])


@given(st.lists(st.tuples(st.floats(0.01, 10), st.integers(1, 64)), min_size=2, max_size=12), st.integers(1, 11))
def test_sums_of_parts_add_up_to_the_sum_of_the_whole(batches: list[tuple[float, int]], at: int) -> None:
    def sums(part: list[tuple[float, int]]) -> Sums:
        total, weighted = sum(loss for loss, _ in part), sum(loss * rows for loss, rows in part)
        rows = sum(rows for _, rows in part)
        return Sums(len(part), total, weighted, rows, part[0][1], part[-1][1], part[0][0], part[-1][0])

    at = min(at, len(batches) - 1)
    whole, both = sums(batches), sums(batches[:at]) + sums(batches[at:])
    assert (both.count, both.rows, both.first, both.last) == (whole.count, whole.rows, whole.first, whole.last)
    assert both.mean == pytest.approx(whole.mean)
    assert both.mean_of_rows == pytest.approx(whole.mean_of_rows)
    assert (both.first_rows, both.last_rows) == (whole.first_rows, whole.last_rows)
