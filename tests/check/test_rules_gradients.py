"""Rules of gradients, graphs, optimizers, schedules and accumulation (D101 to D111)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.check.harness import PROGRAMS, Case, cases, examine_program, faults_of

from descend.check import syntax
from descend.check.accumulation import NotAveraged
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Finding
from descend.check.gradients import ClearedTooEarly, NeverCleared, NeverUpdated
from descend.check.graph_faults import Cutting, NoGradient
from descend.check.graph_tensors import OldGraph, OtherTensors
from descend.check.graph_updates import RecordedUpdate
from descend.check.rule import Rule
from descend.check.schedule import ScheduleMisplaced
from descend.check.windows import ClipMisplaced
from descend.record.events import Event, Fact, ParameterNorms, RunEnded, RunStarted, StepsDone
from descend.record.reader import Reader
from descend.record.writer import Writer

KNOWN = PROGRAMS / "known"
OURS = [case for case in cases(KNOWN) if case.program.stem.startswith("D1")]
RULES: tuple[type[Rule], ...] = (
    NeverCleared,
    ClearedTooEarly,
    NeverUpdated,
    NoGradient,
    Cutting,
    OtherTensors,
    RecordedUpdate,
    OldGraph,
    ScheduleMisplaced,
    ClipMisplaced,
    NotAveraged,
)
SCRIPT = """class Net(nn.Module):
    def __init__(self):
        self.used, self.spare = nn.Linear(2, 2), nn.Linear(2, 2)
        self.many = [nn.Linear(2, 2) for _ in range(3)]
        self.kept = nn.Sequential(self.inner)

    def forward(self, x):
        return self.used(x)

@torch.no_grad()
def evaluate(x):
    return net(x)

for epoch in range(3):
    for batch in loader:
        loss.backward()
        scheduler.step()
"""


@pytest.mark.parametrize("case", OURS, ids=lambda case: case.name)
def test_programs_have_what_their_header_says(case: Case) -> None:
    found = examine_program(case.program, case.arguments)
    assert faults_of(case, found["findings"]) == []
    assert found["status"] == case.exit_status
    assert [each for each in found["unchecked"] if each["code"].startswith("D1") and "failed" in each["why"]] == []
    assert [each for each in found["unseen"] if "failed" in each["why"]] == []


WORDS = {
    "D101_faulty_fit": (
        "D101",
        "gradients are never cleared: each step adds to those of all steps before (steps 2–18)",
        "self.optimizer.zero_grad()\nloss.backward()",
    ),
    "D102_faulty_by_hand": (
        "D102",
        "the gradients of w, b are cleared between backward and update",
        "clear the gradients behind the update (line 16), not before it",
    ),
    "D103_faulty_one_of_two": (
        "D103",
        "SGD was made and its step() is never called",
        "call step() of this optimizer after backward()",
    ),
    "D104_faulty_overwritten": (
        "D104",
        "0.gate.weight, 0.gate.bias never get a gradient",
        "use self.gate in forward so that the loss depends on it, or take it out",
    ),
    "D105_faulty_new_tensor": (
        "D105",
        "the loss is cut off from all 2 parameters by torch.tensor(…)",
        "leave this line out: loss has its graph as it was",
    ),
    "D106_faulty_list": (
        "D106",
        "4 parameters in the list Deep.middle are in no optimizer and never move",
        "self.middle = nn.ModuleList([nn.Linear(width, width) for _ in range(depth)])",
    ),
    "D106_faulty_unfrozen": (
        "D106",
        "0.0.weight, 0.0.bias were unfrozen and are in no optimizer",
        "where they are unfrozen: optimizer.add_param_group({'params': …}) with them, or make the optimizer anew",
    ),
    "D107_faulty_crash": (
        "D107",
        "the update of w is recorded by autograd: what comes out is no parameter any more",
        "with torch.no_grad():\n    w -= 0.1 * w.grad",
    ),
    "D108_faulty_same_loss": (
        "D108",
        "backward goes through an old graph again (steps 2–20)",
        "move into the loop, before backward(): loss = ((x @ w - y) ** 2).mean()",
    ),
    "D109_faulty_in_the_batch_loop": (
        "D109",
        "StepLR is stepped after every batch: the learning rate falls from 0.1 to 1e-25",
        "move it behind the loop of line 14, one level out: scheduler.step()",
    ),
    "D110_faulty_after_step": (
        "D110",
        "gradients are clipped after the update (steps 2–12)",
        "move this line between backward() (line 17) and the update (line 18)",
    ),
    "D111_faulty_window": (
        "D111",
        "the gradients of 4 batches are added up for each update and not averaged",
        "(loss / 4).backward()",
    ),
    "D111_faulty_cleared": (
        "D111",
        "the gradients of 3 of 4 batches are thrown away",
        "call zero_grad() right behind optimizer.step(), and only there",
    ),
}


@pytest.mark.parametrize("stem", WORDS)
def test_words_of_a_finding(stem: str) -> None:
    code, title, fix = WORDS[stem]
    found = examine_program(KNOWN / f"{stem}.py")["findings"]
    one = next(each for each in found if each["code"] == code)
    assert (one["title"], one["fix"]) == (title, fix)
    assert one["message"].endswith(".")
    assert one["evidence"]


def look(folder: Path, rule: type[Rule], *events: Event) -> list[Finding]:
    folder.mkdir(exist_ok=True)
    with Writer(folder) as writer:
        writer(RunStarted("run-1", "run", "a.py", {}, (), {}, None, (), None, None, {"a.py": SCRIPT}))
        for event in events:
            writer(event)
        writer(RunEnded("finished", {}))
    with Reader(folder) as reader:
        return list(rule().look(Evidence(reader)))


def steps(number: int, epochs: int = 1, rates: Sequence[float] = ()) -> list[Event]:
    """Equally many steps in each epoch."""
    size = number // epochs
    every = list(rates) or [0.1] * number
    return [
        StepsDone(
            1 + epoch * size,
            epoch + 1,
            [1.0] * size,
            every[epoch * size : (epoch + 1) * size],
            [0.01] * size,
            [8] * size,
        )
        for epoch in range(epochs)
    ]


def order(step: int, *happened: dict[str, Any]) -> Fact:
    return Fact(step, "order", {"happened": [{"file": "a.py", **each} for each in happened]})


def backward(**values: Any) -> dict[str, Any]:
    usual = {"loss": 1.0, "leaves": 1, "full": 0, "kept": 0, "graph": 3, "scale": 1.0, "factor": 1.0, "reduced": "mean"}
    return {"what": "backward", "line": 16, **usual, **values}


def update(**values: Any) -> dict[str, Any]:
    usual = {"optimizer": 1, "parameters": 2, "missing": 0, "zero": 0, "kept": 0, "norm": 1.0, "scales": False}
    return {"what": "update", "line": 17, **usual, **values}


def clip(**values: Any) -> dict[str, Any]:
    usual = {"how": "norm", "most": 1.0, "norm": 0.0, "parameters": 2, "missing": 2, "zero": 0, "used": 0}
    return {"what": "clip", "line": 15, **usual, **values}


def scheduler(kind: str, settings: dict[str, Any], **values: Any) -> Fact:
    usual = {
        "optimizer": 1,
        "calls": 30,
        "first_step": 1,
        "last_step": 30,
        "every_step": 29,
        "same_step": 0,
        "early": 0,
    }
    rates = {"started": 0.1, "after_early": 0.0, "highest": 0.1, "ended": 1e-6}
    return Fact(1, "scheduler", {"class": kind, "settings": settings, **usual, **rates, **values}, ("a.py", 17))


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule is not NeverUpdated])
def test_a_run_without_steps_is_no_fault(tmp_path: Path, rule: type[Rule]) -> None:
    with pytest.raises(CannotCheck):
        look(tmp_path, rule)


@pytest.mark.parametrize("rule", [NeverCleared, ClearedTooEarly, NeverUpdated, OldGraph, ClipMisplaced])
def test_one_step_proves_nothing(tmp_path: Path, rule: type[Rule]) -> None:
    one = order(1, clip(), backward(stale=["w"], copied=[]), update(kept=2))
    assert look(tmp_path, rule, *steps(1), one) == []


def test_gradients_kept_in_two_of_three_steps_are_no_habit(tmp_path: Path) -> None:
    rows = [order(step, backward(), update(kept=0 if step == 3 else 2)) for step in range(1, 6)]
    assert look(tmp_path, NeverCleared, *steps(5), *rows) == []


def test_an_old_graph_whose_parameters_stay_is_no_fault(tmp_path: Path) -> None:
    rows = [order(step, backward(stale=["w"], copied=[]), update()) for step in range(1, 6)]
    still = [ParameterNorms(step, (("w", 1.0, 1.0, 0.0),)) for step in range(1, 6)]
    assert look(tmp_path / "still", OldGraph, *steps(5), *rows, *still) == []
    moving = [ParameterNorms(step, (("w", 1.0, 1.0, 0.5),)) for step in range(1, 6)]
    [found] = look(tmp_path / "moving", OldGraph, *steps(5), *rows, *moving)
    assert (found.level, found.where and found.where.line) == ("bug", 16)
    assert found.evidence["loss"] == "1 in each of 5 steps"


def test_part_of_an_old_graph_is_likely_only(tmp_path: Path) -> None:
    rows = [order(step, backward(stale=["w"], copied=[], leaves=2), update()) for step in range(1, 6)]
    moving = [ParameterNorms(step, (("w", 1.0, 1.0, 0.5),)) for step in range(1, 6)]
    [found] = look(tmp_path, OldGraph, *steps(5), *rows, *moving)
    assert found.level == "likely"
    assert "the part of the graph that holds w" in found.message.lower()


@pytest.mark.parametrize(
    ("before", "bugs"),
    [
        ([clip(), backward()], 1),
        ([clip(most=float("inf")), backward()], 0),  # only measures
        ([clip(), backward(), clip(missing=0, norm=2.0)], 0),  # and once more where it belongs
        ([clip(missing=0, norm=2.0), backward()], 0),  # gradients of another pass, not used yet
        ([clip(missing=0, norm=2.0, used=2), backward()], 1),
        ([backward(scale=1024.0, norm=1.0)], 1),  # used while it is scaled
        ([backward(scale=1024.0, norm=1024.0)], 0),  # divided by hand
        ([backward(scale=1024.0, norm=1.0), {"what": "unscale", "line": 17}], 0),
        (
            [backward(scale=1024.0), clip(missing=0, most=1024.0), {"what": "unscale", "line": 17}],
            0,
        ),  # a scaled threshold
        ([backward(scale=1024.0), clip(missing=0, most=1.0, norm=9.0), {"what": "unscale", "line": 17}], 1),
    ],
)
def test_clips_by_what_came_before_and_after(tmp_path: Path, before: list[dict[str, Any]], bugs: int) -> None:
    rows = [order(step, *before, update()) for step in range(1, 6)]
    found = look(tmp_path, ClipMisplaced, *steps(5), *rows)
    assert [each.level for each in found] == ["bug"] * bugs


def test_an_optimizer_that_unscales_itself_is_no_fault(tmp_path: Path) -> None:
    rows = [order(step, backward(scale=1024.0, norm=1.0), update(scales=True)) for step in range(1, 6)]
    assert look(tmp_path, ClipMisplaced, *steps(5), *rows) == []


def test_a_schedule_is_judged_by_its_steps(tmp_path: Path) -> None:
    falling = [0.1 * 0.1 ** (step // 5) for step in range(30)]
    plan = scheduler("StepLR", {"step_size": 5, "gamma": 0.1})
    [found] = look(tmp_path / "batches", ScheduleMisplaced, *steps(30, 3, falling), plan)
    assert found.level == "likely"
    assert found.evidence["calls of step()"] == "30 in 30 steps of 3 epochs"
    assert look(tmp_path / "whole", ScheduleMisplaced, *steps(30, 30, falling), plan) == []
    slow = scheduler("StepLR", {"step_size": 20, "gamma": 0.5}, ended=0.05)
    assert look(tmp_path / "slow", ScheduleMisplaced, *steps(30, 3), slow) == []
    assert look(tmp_path / "other", ScheduleMisplaced, *steps(30, 3, falling), scheduler("OneCycleLR", {})) == []


def test_calls_that_only_wind_a_schedule_forward_are_no_fault(tmp_path: Path) -> None:
    resumed = scheduler("StepLR", {"step_size": 5}, early=7, after_early=0.01, every_step=0)
    assert look(tmp_path / "resumed", ScheduleMisplaced, *steps(30, 3), resumed) == []
    warming = scheduler("LambdaLR", {}, early=1, started=0.01, after_early=0.02, every_step=0)
    assert look(tmp_path / "warming", ScheduleMisplaced, *steps(30, 3), warming) == []


def test_a_schedule_for_batches_that_is_stepped_once_an_epoch(tmp_path: Path) -> None:
    plan = scheduler("OneCycleLR", {"total_steps": 60}, calls=3, every_step=0, ended=0.02)
    [found] = look(tmp_path, ScheduleMisplaced, *steps(60, 3), plan)
    assert found.title == "OneCycleLR is made for 60 steps and is stepped 3 times"


def optimizer(**values: Any) -> Fact:
    usual = {
        "number": 1,
        "class": "SGD",
        "parameters": ["w"],
        "held": 2,
        "reached": 2,
        "moved": 2,
        "frozen": 0,
        "unreached": [],
    }
    return Fact(5, "optimizer", {**usual, "steps": 5, "first_step": 1, "last_step": 5, **values}, ("a.py", 9))


def test_an_optimizer_of_frozen_parameters(tmp_path: Path) -> None:
    [found] = look(tmp_path, NoGradient, *steps(5), optimizer(frozen=2, reached=0, moved=0))
    assert (found.level, found.title) == ("bug", "none of the 2 parameters that SGD holds wants a gradient")


def test_a_parameter_that_is_moved_in_another_way_is_no_fault(tmp_path: Path) -> None:
    part = {"name": "w", "shape": [2], "moved": True, "in_model": False}
    for rule in (NoGradient, Cutting, OtherTensors):
        assert look(tmp_path / rule.code, rule, *steps(5), optimizer(reached=1, unreached=[part])) == []


def test_a_leaf_that_somebody_moves_is_not_forgotten(tmp_path: Path) -> None:
    unused = {"name": "unnamed 1", "shape": [2], "moved": False, "in_model": False}
    leaf = {
        "name": "w",
        "shape": [2],
        "steps": 5,
        "moved": False,
        "last_step": 5,
        "parameter": True,
        "in_model": True,
        "loss": False,
    }
    forgotten = optimizer(reached=0, moved=0, unreached=[unused])
    [found] = look(tmp_path / "still", OtherTensors, *steps(5), forgotten, Fact(1, "leaf", leaf))
    assert found.level == "bug"
    assert found.evidence["used and held by no optimizer"] == "w (2,)"
    assert look(tmp_path / "moved", OtherTensors, *steps(5), forgotten, Fact(1, "leaf", {**leaf, "moved": True})) == []


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    with Writer(tmp_path) as writer:
        writer(RunStarted("run-1", "run", "a.py", {}, (), {}, None, (), None, None, {"a.py": SCRIPT}))
    return Evidence(Reader(tmp_path))


def test_where_the_text_says_something(evidence: Evidence) -> None:
    found = syntax.attribute_set(evidence, "Net", "many")
    assert found is not None
    assert found[0].line == 4
    assert [syntax.is_read(evidence, "Net", name) for name in ("used", "spare", "inner")] == [True, False, True]
    assert syntax.is_read(evidence, "Other", "used") is None
    assert [loop.lineno for loop in syntax.loops_at(evidence, "a.py", 16)] == [14, 15]
    region = syntax.without_gradients(evidence, "a.py", 12)
    assert region is not None
    assert region.line == 10
    assert syntax.without_gradients(evidence, "a.py", 16) is None
