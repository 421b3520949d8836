"""Rules of evaluations (D501, D502, D504): on programs, and on records made by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from check.harness import PROGRAMS, Case, cases, examine_program, faults_of
from descend.check.evaluation import EvaluationMode, GraphForNothing, TrainingMode
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding
from descend.check.rule import Rule
from descend.record.events import BatchSeen, Evaluation, Event, Fact, ModuleCalls, RunEnded, RunStarted, StepsDone
from descend.record.reader import Reader
from descend.record.writer import Writer
from descend.watch.layers import Look
from descend.watch.places import Places

KNOWN = PROGRAMS / "known"
OURS = [case for case in cases(KNOWN) if case.program.stem[:4] in ("D501", "D502", "D504")]
SCRIPT = "for x in held:\n    out = net(x)\n"
AT = ("a.py", 2)
DROPOUT = {"what": "dropout", "class": "Dropout", "module": "1", "p": 0.5}


@pytest.mark.parametrize("case", OURS, ids=lambda case: case.name)
def test_programs_have_what_their_header_says(case: Case) -> None:
    found = examine_program(case.program, case.arguments)
    assert faults_of(case, found["findings"]) == []
    assert [each for each in found["unchecked"] if each["code"][:2] == "D5" and "failed" in each["why"]] == []


def finding(stem: str, code: str, *arguments: str) -> dict[str, Any]:
    found = examine_program(KNOWN / f"{stem}.py", arguments)["findings"]
    return next(each for each in found if each["code"] == code)


def test_words_of_an_evaluation_in_training_mode() -> None:
    found = finding("D501_table", "D501")
    assert found["title"] == (
        "the model is evaluated in training mode: dropout drops 40 % of the numbers, batch norm goes by each batch of its own"
    )
    assert "another one at each call" in found["message"]
    assert "the model is changed by being looked at" in found["message"]
    assert found["evidence"]["evaluations"] == "1 of 1 at this line"
    assert found["evidence"]["running mean moved"].startswith("by ")
    assert found["fix"] == "net.eval()   # before the evaluation; net.train() when training goes on"
    assert found["step"] == 80


def test_words_of_a_dropout_that_eval_does_not_reach() -> None:
    found = finding("D501_trainer", "D501", "functional")
    assert found["title"] == "dropout stays at work in evaluation mode: eval() does not reach it"
    assert found["evidence"] == {"evaluations": "3 of 3 at line 65", "at work": "dropout, p 0.3"}
    assert found["fix"] == "return F.dropout(hidden, 0.3, training=self.training)"


def test_words_of_training_in_evaluation_mode() -> None:
    found = finding("D502_mode", "D502", "forgotten")
    assert found["title"] == "the model is trained in evaluation mode from step 11 on: dropout and batch norm are off"
    assert found["evidence"]["layers in evaluation mode"].endswith("0.3 (Dropout)")
    assert "0.1 (BatchNorm1d), " in found["evidence"]["layers in evaluation mode"]
    assert found["evidence"]["evaluation before"] == "after step 10 (line 57)"
    assert "Dropout drops nothing" in found["message"]
    assert found["fix"] == "model.train()   # before training goes on"


def test_words_of_a_graph_that_nobody_uses() -> None:
    found = finding("D504_graph", "D504", "loader")
    assert found["title"] == "16 forward passes built a graph that no backward used"
    assert found["evidence"]["forward passes"] == "16, in 8 evaluations"
    assert "the numbers stay the same" in found["message"]
    assert found["fix"] == "with torch.no_grad():   # around the evaluation"


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Path]:
    """Makes a record of ten steps and what else is told."""

    def make(*events: Event, report: dict[str, Any] | None = None) -> Path:
        folder = tmp_path / "run"
        folder.mkdir()
        with Writer(folder) as writer:
            writer(RunStarted("a", "run", "a.py", {}, (), {}, None, (), None, None, {"a.py": SCRIPT}))
            writer(StepsDone(1, 1, [1.0] * 10, [0.1] * 10, [0.01] * 10, [8] * 10))
            for event in events:
                writer(event)
            writer(RunEnded("finished", report or {}))
        return folder

    return make


def looked(rule: Rule, folder: Path) -> list[Finding]:
    with Reader(folder) as reader:
        return list(rule.look(Evidence(reader)))


def evaluation(number: int, step: int, gradients: bool = False, passes: int = 2, **seen: Any) -> list[Event]:
    values = {"number": number, "trained": True, "apart": True, "same": 1, "training": True, "recalibrates": False}
    values |= {"standing": [DROPOUT], "heard": [], "listened": False} | seen
    return [Evaluation(number, step, passes, 0.1, gradients, ("",), AT), Fact(step, "evaluation", values, AT)]


def test_flags_alone_are_a_symptom_and_layers_that_worked_in_steps_a_proof(record: Callable[..., Path]) -> None:
    [found] = looked(TrainingMode(), record(*evaluation(1, 10)))
    assert (found.level, found.where and found.where.line) == ("likely", 2)


def test_layers_that_worked_in_steps_too_are_a_proof(record: Callable[..., Path]) -> None:
    calls = ModuleCalls(1, (("1", "Dropout", True, 1),))
    [found] = looked(TrainingMode(), record(calls, *evaluation(1, 10)))
    assert found.level == "bug"


def test_what_was_heard_outweighs_the_flags(record: Callable[..., Path]) -> None:
    folder = record(*evaluation(1, 10, listened=True))
    assert looked(TrainingMode(), folder) == []
    with Reader(folder) as reader:
        assert TrainingMode().clean(Evidence(reader)) == "no layer worked as in training during 1 evaluation"


@pytest.mark.parametrize(
    "seen",
    [
        {"trained": False},
        {"recalibrates": True},
        {"passes": 20, "same": 3},
        {"apart": False, "passes": 1, "step": 5},
        {"apart": False, "gradients": True},
        {"step": 0},
    ],
)
def test_what_may_be_meant_is_left_alone(record: Callable[..., Path], seen: dict[str, Any]) -> None:
    assert looked(TrainingMode(), record(*evaluation(1, seen.pop("step", 10), **seen))) == []


def test_halves_that_take_turns_are_left_alone(record: Callable[..., Path]) -> None:
    report = {"trainings": [{"first_step": 1, "turns": [{}, {}]}]}
    assert looked(TrainingMode(), record(*evaluation(1, 10), report=report)) == []


def test_the_same_rows_three_times_after_one_step_are_samples(record: Callable[..., Path]) -> None:
    events: list[Event] = []
    for number in (1, 2, 3):
        events += [*evaluation(number, 10), BatchSeen(10, "x", (2, 3), "float32", "cpu", (5, 6), number)]
    assert looked(TrainingMode(), record(*events)) == []


def test_a_pass_before_each_step_is_a_part_of_it(record: Callable[..., Path]) -> None:
    events = [event for step in range(10) for event in evaluation(step + 1, step, True, 1)]
    folder = record(*events)
    assert looked(TrainingMode(), folder) == []
    assert looked(GraphForNothing(), folder) == []


def test_nothing_seen_is_no_answer(record: Callable[..., Path]) -> None:
    folder = record()
    for rule in (TrainingMode(), GraphForNothing()):
        with pytest.raises(CannotCheck, match="no evaluation was seen"):
            looked(rule, folder)
    assert looked(EvaluationMode(), folder) == []
    with Reader(folder) as reader:
        assert EvaluationMode().clean(Evidence(reader)) == "no layer that works differently in training was seen"


def test_a_layer_that_was_called_in_both_modes_was_trained(record: Callable[..., Path]) -> None:
    both = [ModuleCalls(step, (("1", "Dropout", False, 1), ("1", "Dropout", True, 1))) for step in range(1, 11)]
    folder = record(*both)
    assert looked(EvaluationMode(), folder) == []
    with Reader(folder) as reader:
        said = EvaluationMode().clean(Evidence(reader))
    assert said == "dropout and batch norm train in training mode (10 of 10 steps looked at)"


PARTS: list[tuple[nn.Module, torch.Tensor, set[str]]] = [
    (nn.Sequential(nn.Dropout(0.5)), torch.ones(4, 3), {"dropout"}),
    (nn.Sequential(nn.Dropout(0.0)), torch.ones(4, 3), set()),
    (nn.Sequential(nn.Dropout2d(0.5)), torch.ones(4, 3, 2, 2), {"dropout"}),
    (nn.Sequential(nn.AlphaDropout(0.5)), torch.ones(4, 3), {"dropout"}),
    (nn.Sequential(nn.BatchNorm1d(3)), torch.randn(4, 3), {"batch norm"}),
    (nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False)), torch.randn(4, 3), set()),
    (nn.Sequential(nn.LayerNorm(3), nn.Linear(3, 3)), torch.randn(4, 3), set()),
    (nn.LSTM(3, 4, num_layers=2, dropout=0.3), torch.randn(5, 2, 3), {"dropout"}),
    (nn.LSTM(3, 4), torch.randn(5, 2, 3), set()),
    (nn.TransformerEncoderLayer(4, 2, 8), torch.randn(5, 2, 4), {"dropout"}),
]


@pytest.mark.parametrize(("module", "x", "expected"), PARTS, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("training", [True, False])
def test_layers_at_work_are_heard(module: nn.Module, x: torch.Tensor, expected: set[str], training: bool) -> None:
    module.train(training)
    state = torch.get_rng_state()
    before = {name: each.clone() for name, each in module.state_dict().items()}
    with torch.no_grad():
        plain = module(x)
    torch.set_rng_state(state)
    module.load_state_dict(before)
    look = Look(module, Places(lambda file: file == __file__))
    with torch.no_grad():
        look.begins()
        listened = module(x)
        look.ends()
    told = look.as_json()
    assert told["listened"] is True
    assert {each["what"] for each in told["heard"]} == (expected if training else set())
    assert {each["what"] for each in told["standing"]} == (expected if training else set())
    first, second = (each[0] if isinstance(each, tuple) else each for each in (plain, listened))
    assert torch.equal(first, second)


def test_how_far_a_running_mean_moved() -> None:
    norm = nn.BatchNorm1d(2)
    norm.running_mean = torch.tensor([3.0, 4.0])
    look = Look(norm, Places(lambda _: True))
    with torch.no_grad():
        look.begins()
        norm(torch.tensor([[3.0, 4.0], [3.0, 9.0]]))  # its mean is (3, 6.5), and a tenth of the way is gone
        look.ends()
    [layer] = look.as_json()["standing"]
    assert layer["moved"] == pytest.approx(0.25 / 5)


def test_averages_without_an_end_are_worked_out_on_purpose() -> None:
    assert Look(nn.BatchNorm1d(2, momentum=None), Places(lambda _: True)).as_json()["recalibrates"] is True
    used = nn.BatchNorm1d(2)
    used(torch.randn(4, 2))
    assert Look(used, Places(lambda _: True)).as_json()["recalibrates"] is False
    used.reset_running_stats()
    assert Look(used, Places(lambda _: True)).as_json()["recalibrates"] is True
