"""The report of a watched script, from made-up events of trainings as people write them."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from descend.record.events import (
    BatchSeen,
    Evaluation,
    Message,
    ParameterNorms,
    ParametersSeen,
    PhaseTimes,
    Printed,
    RunStarted,
    Snapshot,
    SourcesSeen,
    StepsDone,
    Unseen,
    ValueRead,
)
from descend.watch.losses import end_of, loss_report
from descend.watch.report import WatchCollector

SCRIPT = "/home/u/train.py"
SOURCE = "import torch\n\nfor x, y in loader:\n    loss = f(model(x), y)\n    loss.backward()\n    optimizer.step()\n"
LINES = {"data": 3, "forward": 4, "backward": 5, "update": 6}
SECONDS = {"data": 0.006, "forward": 0.001, "backward": 0.002, "update": 0.001}


def started(**changes: Any) -> RunStarted:
    values: dict[str, Any] = {
        "name": "train-1",
        "kind": "run",
        "title": "train.py",
        "recipe": {},
        "choices": (),
        "environment": {},
        "seed": None,
        "parameters": (),
        "epochs": None,
        "steps_per_epoch": None,
        "sources": {SCRIPT: SOURCE},
    }
    return RunStarted(**values | changes)


def trained(
    collector: WatchCollector,
    losses: Sequence[float],
    *,
    first: int = 1,
    names: Sequence[str] = ("W", "b"),
    appear: bool = True,
    epoch: Callable[[int], int] = lambda _: 0,
    change: float = 0.1,
    lines: Mapping[str, int] = LINES,
    sampled: Callable[[int], bool] = lambda _: True,
) -> None:
    """Steps in the order in which an observer tells them."""
    for step, loss in enumerate(losses, first):
        collector(StepsDone(step, epoch(step), [loss], [0.01], [0.01], [64]))
        if appear and step == first:
            collector(ParametersSeen(step, tuple((name, (1,), "variable") for name in names)))
        if sampled(step):
            collector(PhaseTimes(step, SECONDS, {phase: (SCRIPT, line) for phase, line in lines.items()}))
            collector(ParameterNorms(step, tuple((name, 2.0, 0.5, change) for name in names)))


def done(collector: WatchCollector, steps: int, *, first: int = 1, seconds: float = 0.5) -> None:
    """So many steps of which nothing else is known."""
    collector(StepsDone(first, 0, [1.0] * steps, [0.1] * steps, [seconds] * steps, [1] * steps))


def built(collector: WatchCollector, status: str = "finished", **settings: Any) -> dict[str, Any]:
    report = collector.build(status, **{"folder": Path("runs/train-1"), "seconds": 2.0, "cost": 0.03} | settings)
    json.dumps(report, allow_nan=False)
    return report


class Ends:
    """Stands for what is known of the values beside the events."""

    def __init__(
        self,
        last: Mapping[Any, torch.Tensor],
        first: Mapping[tuple[str, int], torch.Tensor] | None = None,
        named: Sequence[tuple[str, int]] = (),
    ) -> None:
        self._last, self._first, self._named = last, first or {}, named

    def first(self, name: str, step: int) -> torch.Tensor | None:
        return self._first.get((name, step))

    def last(self, name: str, until: int | None = None) -> torch.Tensor | None:
        return self._last.get(name if until is None else (name, until))

    def named_in(self, name: str, step: int) -> bool:
        return (name, step) in self._named


def test_a_whole_report() -> None:
    collector = WatchCollector()
    collector(started())
    collector(BatchSeen(1, "x", (64, 3), "torch.float32", "cpu", (1, 2)))
    collector(BatchSeen(50, "x", (32, 3), "torch.float32", "cpu", (1, 2)))
    trained(collector, [4.0, 2.0, 1.0, 0.5] * 10, epoch=lambda step: (step - 1) // 20 + 1)
    collector(ValueRead(3, "item", 1.0, "loss", (SCRIPT, 4)))
    collector(Evaluation(1, 40, 7, 0.25, False, ("model",), (SCRIPT, 9)))
    collector(Unseen("the loss", "it is a list", (SCRIPT, 4)))
    collector(Unseen("the loss", "it is a list", (SCRIPT, 4)))
    collector(Printed(40, "done", ("", 0)))
    report = built(collector, script=["train.py", "--big"])
    assert (report["run"], report["path"], report["kind"], report["title"]) == (
        "train-1",
        "runs/train-1",
        "run",
        "train.py",
    )
    assert (report["status"], report["steps"], report["epochs"], report["printed"]) == ("finished", 40, 2, 1)
    assert report["loss"]["first"] == 4.0
    assert (report["loss"]["lowest"], report["loss"]["lowest_step"]) == (0.5, 4)
    assert report["loss"]["end"] == {"loss": 1.875, "steps": 20, "epoch": True, "lowest": 1.875}
    assert report["loss"]["curve"] == [4.0, 2.0, 1.0, 0.5] * 10
    assert report["lr"] == {"first": 0.01, "last": 0.01, "changes": 0}
    assert report["batches"] == [{"name": "x", "shape": [64, 3], "dtype": "torch.float32", "device": "cpu"}]
    assert report["reads"] == 1
    assert report["cost"] == {"seconds": 0.03, "share": 0.015}
    assert report["evaluations"] == [
        {
            "number": 1,
            "after_step": 40,
            "passes": 7,
            "seconds": 0.25,
            "gradients": False,
            "training_mode": ["model"],
            "file": SCRIPT,
            "line": 9,
        }
    ]
    assert report["unseen"] == [{"what": "the loss", "why": "it is a list", "file": SCRIPT, "line": 4, "times": 2}]
    assert report["seconds"] == {
        "total": 2.0,
        "training": pytest.approx(0.4),
        "per_epoch": pytest.approx(0.2),
        "per_step": pytest.approx(0.01),
        "evaluation": 0.25,
    }
    assert report["examples_per_second"] == pytest.approx(6400)
    assert (report["findings"], report["checked"], report["unchecked"], report["fast"]) == ([], [], [], None)
    assert report["script"] == ["train.py", "--big"]


def test_phases_have_their_share_their_line_and_its_text() -> None:
    collector = WatchCollector()
    collector(started())
    trained(collector, [1.0] * 30)
    rows = built(collector)["phases"]
    assert [row["phase"] for row in rows] == ["data", "forward", "backward", "update"]
    assert rows[0] == {
        "phase": "data",
        "share": pytest.approx(0.6),
        "seconds": pytest.approx(0.006),
        "file": SCRIPT,
        "line": 3,
        "source": "for x, y in loader:",
    }


def test_steps_watched_in_full_do_not_stand_for_the_others() -> None:
    collector = WatchCollector()
    for step in range(1, 31):
        collector(
            PhaseTimes(step, {"forward": 100.0 if step == 1 else 9.0 if step <= 20 else 1.0, "backward": 1.0}, {})
        )
    few = WatchCollector()
    for step in range(1, 11):
        few(PhaseTimes(step, {"forward": 100.0 if step == 1 else 9.0, "backward": 1.0}, {}))
    done(collector, 30)
    done(few, 10)
    assert built(few)["phase_average"] == 0.5
    assert [row["share"] for row in built(collector)["phases"]] == [0.5, 0.5]
    assert built(few)["phases"][0]["share"] == 0.9
    assert (built(collector)["phase_steps"], built(few)["phase_steps"]) == (10, 9)


@pytest.mark.parametrize("first", [2, 21])
def test_one_step_that_waits_does_not_stand_for_the_others(first: int) -> None:
    collector = WatchCollector()
    for step in range(first, first + 10):
        collector(PhaseTimes(step, {"data": 50.0 if step == first + 3 else 1.0, "backward": 3.0}, {}))
    done(collector, 200)
    assert [row["share"] for row in built(collector)["phases"]] == [0.25, 0.75]


def test_of_many_steps_those_that_wait_count() -> None:
    collector = WatchCollector()
    for step in range(100, 200):
        collector(PhaseTimes(step, {"data": 40.0 if step % 4 == 0 else 0.0, "backward": 10.0}, {}))
    done(collector, 200)
    assert [row["share"] for row in built(collector)["phases"]] == [0.5, 0.5]


def test_a_step_that_could_not_be_divided_says_nothing_of_phases() -> None:
    collector = WatchCollector()
    for step in range(1, 30):
        collector(PhaseTimes(step, {"update": 1.0}, {"update": (SCRIPT, 21)}))
    report = built(collector)
    assert (report["phases"], report["kept"]["sampled"]) == ([], 29)


def test_a_step_an_epoch_has_no_time_of_its_own() -> None:
    collector = WatchCollector()
    trained(collector, [1.0, 0.5], epoch=lambda step: step)
    report = built(collector)
    assert (report["epochs"], report["seconds"]["per_epoch"]) == (2, None)


def test_the_place_of_a_phase_is_where_most_of_its_time_went() -> None:
    collector = WatchCollector()
    for step, line, seconds in ((2, 7, 0.1), (3, 8, 0.5), (4, 7, 0.1)):
        collector(PhaseTimes(step, {"update": seconds, "zero": 0.1}, {"update": (SCRIPT, line)}))
    done(collector, 4)
    assert built(collector)["phases"][0]["line"] == 8


def test_a_place_that_is_nobodys_is_no_place() -> None:
    collector = WatchCollector()
    collector(PhaseTimes(2, {"update": 1.0, "zero": 1.0}, {"update": ("", 0)}))
    done(collector, 2)
    collector(Unseen("a thread", "it runs no code of yours", ("", 0)))
    report = built(collector)
    assert (report["phases"][0]["file"], report["phases"][0]["line"], report["phases"][0]["source"]) == (None,) * 3
    assert report["unseen"][0]["file"] is None


def test_lines_of_a_file_that_came_later_are_found_in_the_file(tmp_path: Path) -> None:
    module = tmp_path / "steps.py"
    module.write_text("def step():\n    loss.backward()\n")
    collector = WatchCollector()
    places = {"backward": (str(module), 2), "update": (str(tmp_path / "gone.py"), 2)}
    collector(PhaseTimes(2, {"backward": 1.0, "update": 1.0}, places))
    done(collector, 2)
    rows = built(collector)["phases"]
    assert [row["source"] for row in rows] == ["loss.backward()", None]


def test_how_far_parameters_moved() -> None:
    collector = WatchCollector()
    trained(collector, [1.0, 0.5])
    collector(Snapshot(1, 1, {"before.W": torch.tensor([3.0]), "before.b": torch.tensor([1.0])}))
    collector(Snapshot(2, 1, {"before.W": torch.tensor([4.0]), "after.W": torch.tensor([7.0])}))
    collector.movements.ends = Ends({"b": torch.tensor([-1.0], requires_grad=True)})
    weight, bias = built(collector)["parameters"]
    assert weight == {
        "name": "W",
        "shape": [1],
        "how": "variable",
        "step": 1,
        "norm": 2.0,
        "moved": 4.0,
        "until": None,
        "values_before": [3.0],
        "values": [7.0],
    }
    assert (bias["moved"], bias["values_before"], bias["values"]) == (2.0, [1.0], [-1.0])


def test_how_far_large_parameters_moved() -> None:
    before, after = torch.randn(40, 30), torch.randn(40, 30)
    collector = WatchCollector()
    collector(ParametersSeen(1, (("fc.weight", (40, 30), "module"),)))
    collector(StepsDone(1, 1, [1.0], [0.1], [0.1], [1]))
    collector(Snapshot(1, 1, {"before.fc.weight": before}))
    collector.movements.ends = Ends({"fc.weight": after})
    row = built(collector)["parameters"][0]
    assert row["moved"] == pytest.approx(float((after.double() - before.double()).norm()))
    assert "values" not in row


def test_a_movement_that_is_known_up_to_a_step_only() -> None:
    collector = WatchCollector()
    trained(collector, [1.0] * 30)
    collector(Snapshot(1, 1, {"before.W": torch.tensor([3.0])}))
    collector(Snapshot(10, 1, {"after.W": torch.tensor([5.0])}))
    row = built(collector)["parameters"][0]
    assert (row["moved"], row["until"]) == (2.0, 10)


@pytest.mark.parametrize(("change", "moved"), [(0.1, True), (0.0, False), (math.nan, True)])
def test_whether_a_parameter_moved_is_known_from_any_sampled_step(change: float, moved: bool) -> None:
    collector = WatchCollector()
    trained(collector, [1.0, 0.5], change=change)
    assert [row["moved"] for row in built(collector)["parameters"]] == [moved, moved]


def test_a_parameter_of_which_nothing_was_sampled_is_not_called_unmoved() -> None:
    collector = WatchCollector()
    trained(collector, [1.0, 0.5], sampled=lambda _: False)
    report = built(collector)
    assert report["parameters"][0]["moved"] is None
    assert len(report["trainings"]) == 1


def test_trainings_one_after_the_other_are_told_apart() -> None:
    collector = WatchCollector()
    every_tenth = {"sampled": lambda step: step % 10 == 1}
    trained(collector, [9.0, 4.0] * 50, names=("w", "b"), lines={"forward": 24, "update": 39}, **every_tenth)
    trained(collector, [8.0, 3.0] * 50, first=101, names=("w_auto", "b_auto"), **every_tenth)
    trained(collector, [7.0, 2.0] * 50, first=201, names=("w_auto", "b_auto"), **every_tenth)
    first, second, third = built(collector)["trainings"]
    assert [each["first_step"] for each in (first, second, third)] == [1, 101, 201]
    assert [each["steps"] for each in (first, second, third)] == [100, 100, 100]
    assert [each["loss"]["first"] for each in (first, second, third)] == [9.0, 8.0, 7.0]
    assert first["parameters"] == ["w", "b"]
    assert (first["line"], first["last_line"], second["line"], second["last_line"]) == (24, 39, 3, 6)
    assert second["parameters"] == third["parameters"] == ["w_auto", "b_auto"]


def test_a_parameter_made_anew_begins_another_training_though_others_keep_their_name() -> None:
    collector = WatchCollector()
    trained(collector, [9.0] * 20, names=("w", "b"))
    collector(ParametersSeen(21, (("w", (2, 1), "variable"),)))
    trained(collector, [8.0] * 20, first=21, names=("w", "b"), appear=False)
    assert [each["first_step"] for each in built(collector)["trainings"]] == [1, 21]


def test_models_that_take_turns_under_one_name_are_not_a_training_each() -> None:
    collector = WatchCollector()
    for step in range(1, 31):
        trained(collector, [1.0], first=step, names=("model.weight",), appear=step <= 5)
    assert len(built(collector)["trainings"]) == 1


def test_a_parameter_that_is_made_anew_has_its_own_values() -> None:
    collector = WatchCollector()
    trained(collector, [9.0, 4.0], names=("w",))
    collector(Snapshot(1, 1, {"before.w": torch.tensor([1.0])}))
    trained(collector, [9.0, 4.0], first=3, names=("w",))
    collector.movements.ends = Ends({"w": torch.tensor([5.0])})
    first, second = built(collector)["parameters"]
    assert (first["moved"], first["values_before"], "values" in first) == (True, [1.0], False)
    assert (second["moved"], second["values"], "values_before" in second) == (True, [5.0], False)


def test_parameters_that_join_later_make_no_other_training() -> None:
    collector = WatchCollector()
    trained(collector, [1.0] * 10, names=("head",))
    collector(ParametersSeen(11, (("backbone", (1,), "module"),)))
    trained(collector, [1.0] * 10, first=11, names=("head", "backbone"), appear=False)
    report = built(collector)
    assert len(report["trainings"]) == 1
    assert report["trainings"][0]["parameters"] == ["head", "backbone"]
    assert report["trainings"][0]["turns"] == []


def test_two_sets_of_parameters_in_turn_are_one_training() -> None:
    collector = WatchCollector()
    for step in range(1, 21):
        names, loss = (("D.w",), 1.4 - step / 100) if step % 2 else (("G.w",), 0.7 + step / 100)
        trained(collector, [loss], first=step, names=names, appear=step < 3)
    training = built(collector)["trainings"]
    assert len(training) == 1
    assert training[0]["turns"] == [
        {"parameters": ["D.w"], "first": pytest.approx(1.39), "last": pytest.approx(1.21), "last_step": 19},
        {"parameters": ["G.w"], "first": pytest.approx(0.72), "last": pytest.approx(0.90), "last_step": 20},
    ]


def test_nothing_trained() -> None:
    collector = WatchCollector()
    collector(started())
    collector(Message(0, "look", "/home/u/train.py:21: gradients were computed; no update followed"))
    collector(Message(0, "look", "somewhere"))
    collector(Message(0, "note", "something else"))
    collector(Evaluation(1, 0, 6, 0.01, True, ("layer",), (SCRIPT, 45)))
    report = built(collector)
    assert (report["steps"], report["epochs"], report["trainings"], report["phases"]) == (0, None, [], [])
    assert report["looks"] == {
        "count": 2,
        "places": [
            {"text": "gradients were computed; no update followed", "file": SCRIPT, "line": 21},
            {"text": "somewhere", "file": None, "line": None},
        ],
    }
    assert report["loss"] == {
        "first": None,
        "last": None,
        "lowest": None,
        "lowest_step": None,
        "end": None,
        "not_finite": None,
        "curve": [],
    }


def test_nothing_at_all_can_be_built() -> None:
    report = built(WatchCollector(), "failed", folder=None, seconds=0.0, not_kept="the disk is full", message="oh")
    assert (report["run"], report["path"], report["not_kept"]) == (None, None, "the disk is full")
    assert report["cost"]["share"] is None


def test_a_loss_that_ends_as_no_number_is_a_divergence() -> None:
    collector = WatchCollector()
    trained(collector, [2.0, 8.0, math.inf, math.nan])
    report = built(collector)
    assert report["status"] == "diverged"
    assert report["loss"]["not_finite"] == {"step": 3, "value": "inf", "count": 2, "before": 8.0}
    assert report["loss"]["curve"] == [2.0, 8.0, None, None]
    assert (report["loss"]["last"], report["loss"]["lowest"]) == (None, 2.0)
    trained(collector, [1.0], first=5, appear=False)
    assert built(collector)["status"] == "finished"
    assert built(collector, "interrupted")["status"] == "interrupted"


def test_steps_of_several_epochs_may_be_told_at_once() -> None:
    one_by_one, at_once = WatchCollector(), WatchCollector()
    losses, epochs = [4.0, 2.0, 1.0, 0.5, 0.25, 0.125], [1, 1, 2, 2, 2, 3]
    for step, (loss, epoch) in enumerate(zip(losses, epochs, strict=True), 1):
        one_by_one(StepsDone(step, epoch, [loss], [0.1], [0.01], [64]))
    at_once(StepsDone(1, 1, losses[:1], [0.1], [0.01], [64]))
    at_once(StepsDone(2, 3, losses[1:], [0.1] * 5, [0.01] * 5, [64] * 5, epochs[1:]))
    for of in ("epochs", "loss", "trainings", "seconds"):
        assert built(at_once)[of] == built(one_by_one)[of]
    assert built(at_once)["epochs"] == 3


def test_unknown_epochs_are_not_invented() -> None:
    collector = WatchCollector()
    trained(collector, [1.0, 2.0])
    report = built(collector)
    assert report["epochs"] is None
    assert report["seconds"]["per_epoch"] is None
    assert report["trainings"][0]["epochs"] is None


def test_the_loss_at_the_end() -> None:
    noisy = [1.0 if step % 2 else 3.0 for step in range(100)]
    smooth = [1.0 / (step + 1) for step in range(100)]
    assert (end_of(smooth, []).loss, end_of(smooth, []).steps) == (0.01, 1)
    assert (end_of(noisy, []).loss, end_of(noisy, []).steps) == (2.0, 10)
    assert (end_of(noisy, [40, 40, 20]).steps, end_of(noisy, [40, 40, 20]).epoch) == (40, False)
    assert (end_of(noisy, [50, 50]).steps, end_of(noisy, [50, 50]).epoch) == (50, True)
    assert end_of(noisy[:5], []).steps == 1
    assert end_of([9.0] * 50 + [1.0, 2.0] * 25 + [4.0, 5.0] * 25, [50, 50, 50]).lowest == 1.5
    assert loss_report([math.nan], [])["end"]["lowest"] is None


def test_what_fast_loading_did() -> None:
    class Fast:
        replaced = ("train_loader",)
        kept = (("test_loader", "its transform is random"),)

    assert built(WatchCollector(), fast=Fast())["fast"] == {
        "replaced": ["train_loader"],
        "kept": [{"loader": "test_loader", "why": "its transform is random"}],
    }


def test_the_run_before(tmp_path: Path) -> None:
    for name in ("train-1", "train-2", "train-4", "train-5", "test-3"):
        (tmp_path / name).mkdir()
        if name != "train-2":
            (tmp_path / name / "record.sqlite").touch()
    assert built(WatchCollector(), folder=tmp_path / "train-4")["previous"] == "train-1"
    assert built(WatchCollector(), folder=tmp_path / "train-1")["previous"] is None
    assert built(WatchCollector(), folder=tmp_path / "named")["previous"] is None


def test_long_scripts_make_short_reports() -> None:
    collector = WatchCollector()
    for first in range(1, 200_001, 1000):
        steps = range(first, first + 1000)
        collector(StepsDone(first, 0, [1.0 / step for step in steps], [0.1] * 1000, [1e-5] * 1000, [1] * 1000))
        collector(Evaluation(first, first, 1, 0.1, False, (), (SCRIPT, 9)))
    for number in range(2000):
        collector(Evaluation(number, number, 1, 0.1, False, (), (SCRIPT, 9)))
        collector(Message(number, "look", "a look"))
        collector(Printed(number, "text " * 100, (SCRIPT, 9)))
    report = built(collector)
    assert (report["steps"], len(report["loss"]["curve"])) == (200_000, 200)
    assert (len(report["evaluations"]), report["evaluations_left_out"]) == (1000, 1200)
    assert report["looks"]["count"] == 2000
    assert len(json.dumps(report)) < 300_000


def test_what_a_parameter_was_at_both_ends_is_better_than_any_snapshot() -> None:
    collector = WatchCollector()
    trained(collector, [9.0, 4.0, 3.0], names=("w",))
    collector(Snapshot(1, 1, {"before.w": torch.tensor([1.0]), "after.w": torch.tensor([2.0])}))
    collector.movements.ends = Ends({"w": torch.tensor([8.0])}, {("w", 1): torch.tensor([0.5])})
    (row,) = built(collector)["parameters"]
    assert (row["values_before"], row["values"], row["moved"], row["until"]) == ([0.5], [8.0], 7.5, None)
    collector.movements.ends = Ends(
        {"w": torch.tensor([8.0, 8.0])}, {("w", 1): torch.tensor([0.5, 0.5])}
    )  # another one's
    (row,) = built(collector)["parameters"]
    assert (row["values_before"], row["values"], row["until"]) == ([1.0], [2.0], 1)


def test_an_older_parameter_of_the_same_name_ends_where_the_next_begins() -> None:
    collector = WatchCollector()
    trained(collector, [9.0, 4.0], names=("w",))
    trained(collector, [9.0, 4.0], first=3, names=("w",))
    first = {("w", 1): torch.tensor([1.0]), ("w", 3): torch.tensor([2.0])}
    collector.movements.ends = Ends({("w", 3): torch.tensor([5.0]), "w": torch.tensor([6.0])}, first)
    rows = built(collector)["parameters"]
    assert [(row["values_before"], row["values"], row["moved"]) for row in rows] == [
        ([1.0], [5.0], 4.0),
        ([2.0], [6.0], 4.0),
    ]


def test_all_that_is_made_anew_together_is_told_apart() -> None:
    collector = WatchCollector()
    collector.movements.ends = Ends({}, named=[("b", 21), ("shared", 1)])
    trained(collector, [9.0] * 20, names=("w", "b", "shared"))
    collector(ParametersSeen(21, (("w", (2, 1), "variable"),)))
    trained(collector, [8.0] * 20, first=21, names=("w", "b", "shared"), appear=False)
    report = built(collector)
    assert [(row["name"], row["step"]) for row in report["parameters"]] == [
        ("w", 1),
        ("b", 1),
        ("shared", 1),
        ("w", 21),
        ("b", 21),
    ]
    assert [each["parameters"] for each in report["trainings"]] == [["w", "b", "shared"]] * 2


def test_the_phases_are_those_of_the_training_that_took_the_longest() -> None:
    collector = WatchCollector()
    trained(collector, [9.0] * 10, names=("w",), lines={"forward": 24, "update": 39})
    trained(collector, [9.0] * 30, first=11, names=("v",))
    report = built(collector)
    assert [row["line"] for row in report["phases"]] == [3, 4, 5, 6]
    assert (report["phases_from"], report["phase_steps"]) == (11, 20)
    assert report["phase_average"] == pytest.approx(0.01)
    assert [each["seconds"] for each in report["trainings"]] == [pytest.approx(0.1), pytest.approx(0.3)]


def test_the_text_of_a_module_is_what_it_was_when_it_came_up() -> None:
    collector = WatchCollector()
    collector(started())
    collector(SourcesSeen({"/home/u/steps.py": "def step():\n    loss.backward()\n"}))
    collector(PhaseTimes(2, {"backward": 1.0, "update": 1.0}, {"backward": ("/home/u/steps.py", 2)}))
    done(collector, 2)
    assert built(collector)["phases"][0]["source"] == "loss.backward()"


def test_a_loop_by_hand_and_several_trainings_claim_no_epochs() -> None:
    collector = WatchCollector()
    collector(ParametersSeen(1, (("w", (1,), "loop"),)))
    trained(collector, [9.0, 8.0], names=("w",), appear=False, epoch=lambda _: 1)
    report = built(collector)
    assert (report["epochs"], report["trainings"][0]["epochs"]) == (None, None)
    trained(collector, [9.0] * 6, first=3, names=("v",), epoch=lambda step: (step + 3) // 3)
    report = built(collector)
    assert (report["epochs"], [each["epochs"] for each in report["trainings"]]) == (None, [None, 2])
    assert report["seconds"]["per_epoch"] is None
