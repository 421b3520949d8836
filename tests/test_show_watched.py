import io
from typing import Any

import pytest
from rich.console import Console

from descend.show.watched import watched_summary
from descend.show.watched_lines import next_commands
from descend.show.watched_sentence import watched_sentence
from descend.watching import show_report

Report = dict[str, Any]
SCRIPT = "/home/u/train.py"
LOOK = {"text": "no update followed", "file": SCRIPT, "line": 21}


def loss(*curve: float | None, end: Report | None = None, **changes: Any) -> Report:
    known = [value for value in curve if value is not None]
    return {
        "first": curve[0],
        "last": curve[-1],
        "lowest": min(known, default=None),
        "end": end or {"loss": curve[-1], "steps": 1, "epoch": False, "lowest": min(known, default=None)},
        "not_finite": None,
        "curve": list(curve),
    } | changes


def training(*curve: float | None, **changes: Any) -> Report:
    return {
        "first_step": 1,
        "steps": 100,
        "epochs": None,
        "loss": loss(*curve),
        "parameters": ["W", "b"],
        "turns": [],
        "file": SCRIPT,
        "line": 24,
        "last_line": 39,
    } | changes


def digits(**changes: Any) -> Report:
    ends = {"loss": 0.0131, "steps": 938, "epoch": True, "lowest": 0.0131}
    phases = [
        ("data", 0.75, 0.0036, 47, "for images, labels in train_loader:"),
        ("forward", 0.07, 0.0003, 48, "outputs = model(images)"),
        ("backward", 0.1, 0.0005, 52, "loss.backward()"),
        ("update", 0.076, 0.0004, 53, "optimizer.step()"),
        ("zero", 0.004, 0.00002, 51, "optimizer.zero_grad()"),
    ]
    report: Report = {
        "run": "train-4",
        "path": "runs/train-4",
        "not_kept": None,
        "kind": "run",
        "title": "train.py",
        "script": ["train.py", "--name", "two words"],
        "previous": "train-3",
        "status": "finished",
        "message": None,
        "exit_status": 0,
        "steps": 9380,
        "epochs": 10,
        "loss": loss(2.3046, 0.1, 0.0093, end=ends),
        "trainings": [training(2.3046, 0.1, 0.0093, steps=9380, epochs=10)],
        "lr": {"first": 0.001, "last": 0.001, "changes": 0},
        "batches": [
            {"name": "images", "shape": [64, 1, 28, 28], "dtype": "torch.float32", "device": "cpu"},
            {"name": "labels", "shape": [64], "dtype": "torch.int64", "device": "cpu"},
        ],
        "phases": [
            {"phase": name, "share": share, "seconds": seconds, "file": SCRIPT, "line": line, "source": source}
            for name, share, seconds, line, source in phases
        ],
        "parameters": [
            {"name": "fc1.weight", "shape": [128, 784], "how": "module", "step": 1, "norm": 5.02, "moved": 12.4},
            {"name": "fc1.bias", "shape": [128], "how": "module", "step": 1, "norm": 0.2, "moved": True},
        ],
        "phases_from": 1,
        "phase_steps": 116,
        "phase_average": 0.0048,
        "evaluations": [
            {
                "number": 1,
                "after_step": 9380,
                "passes": 157,
                "seconds": 0.7,
                "gradients": False,
                "training_mode": ["model", "fc1", "fc2"],
                "file": SCRIPT,
                "line": 61,
            }
        ],
        "evaluations_left_out": 0,
        "looks": {"count": 0, "places": []},
        "printed": 11,
        "printed_loss": {"text": "0.0093", "step": 9380, "mean": 0.0131, "file": SCRIPT, "line": 55},
        "reads": 10,
        "kept": {"sampled": 116, "snapshots": [1, 10, 100, 1000]},
        "cost": {"seconds": 0.83, "share": 0.018},
        "unseen": [],
        "fast": None,
        "seconds": {"total": 46.0, "training": 45.0, "per_epoch": 4.5, "per_step": 0.0048, "evaluation": 0.7},
        "examples_per_second": 13_331.0,
        "findings": [],
        "checked": [],
        "unchecked": [],
    }
    return report | changes


def printed(report: Report, width: int = 80, *, colours: bool = False) -> str:
    file = io.StringIO()
    system = "truecolor" if colours else None
    console = Console(file=file, width=width, force_terminal=colours, color_system=system, legacy_windows=False)
    watched_summary(report, console)
    return file.getvalue()


def said(report: Report) -> str:
    return watched_sentence(report).replace("\N{NO-BREAK SPACE}", " ")


def test_everything_at_eighty_columns() -> None:
    report = digits(loss=loss(2.3046, 0.0093, end=digits()["loss"]["end"]))
    assert (
        printed(report)
        == """\

train.py · 2 parameters (100,480 numbers) · lr 0.001 · images (64, 1, 28, 28)
labels (64,) · cpu

Loss fell from 2.3046 to 0.0131 (mean of the last epoch) over 9,380 steps in
10 epochs; 75 % of their time went into loading. The 0.0093 that it printed last
is one batch's loss; the mean of that epoch is 0.0131.

  phase      share   a step   where
  data        75 %   3.6 ms   train.py:47   for images, labels in train_loader:
  forward      7 %   0.3 ms   train.py:48   outputs = model(images)
  backward    10 %   0.5 ms   train.py:52   loss.backward()
  update       8 %   0.4 ms   train.py:53   optimizer.step()
  zero       < 1 %    20 µs   train.py:51   optimizer.zero_grad()

  parameter    shape        norm at first   moved by
  fc1.weight   (128, 784)   5.0200            12.400
  fc1.bias     (128,)       0.2000               yes

  time          46 s in all · 45 s training · 0.70 s evaluation
  speed         4.5 s an epoch · 4.8 ms a step · 13,300 examples/s
  evaluations   157 forward passes after step 9,380 · gradients off
                in training mode: model, fc1 and 1 more · train.py:61
  watching      cost 1.8 % of the time (0.83 s)
  record        runs/train-4
                9,380 losses · 116 steps in detail
                steps 1, 10, 100, 1,000 in full · 11 printed lines
  next          descend run --fast train.py --name 'two words'
                descend runs train-3 train-4
                descend runs
"""
    )


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("colours", [True, False])
def test_it_fits(width: int, colours: bool) -> None:
    several = digits(trainings=[training(3.0, 1.0), training(2.0, 0.5)])
    long = digits()
    for phase in long["phases"]:
        phase["file"] = "/home/u/" + "a_very_long_name_of_a_script" * 2 + ".py"
    for report in (digits(), several, long):
        file = io.StringIO()
        watched_summary(report, Console(file=file, width=width, force_terminal=colours, color_system=None))
        lines = [line for line in file.getvalue().splitlines() if "descend run" not in line]  # commands are not broken
        assert max(map(len, lines)) <= max(width, 60)
        assert not any(line.endswith(" ") for line in lines)


def test_where_there_is_no_room_for_the_file_in_each_line_it_stands_above() -> None:
    text = printed(digits(), 56)
    assert "share   a step   line   of train.py\n" in text
    assert "  data        75 %   3.6 ms     47   for images, labels…\n" in text


def test_files_of_one_name_are_told_apart() -> None:
    report = digits()
    report["phases"][1]["file"] = "/home/u/other/train.py"
    text = printed(report)
    assert "u/train.py:47 " in text
    assert "other/train.py:48 " in text


def test_colours_show_the_phases_as_pieces_of_one_bar() -> None:
    assert "━━━" in printed(digits(), colours=True)
    assert "━" not in printed(digits())


def test_the_curve_is_drawn() -> None:
    text = printed(digits())
    assert "  2.3046  ⠉" in text
    assert "loss · step 1" in text
    assert "step 9,380\n" in text


def test_several_trainings_have_a_line_each() -> None:
    first = training(7326.7, 400.0, 2.2405, steps=2000, parameters=["w", "b"])
    second = training(7134.8, 200.0, 27.423, first_step=2001, steps=5000, line=106, last_line=118)
    parameters = [
        {"name": "w", "shape": [1], "step": 1, "moved": 2.67, "values_before": [0.3367], "values": [3.0073]},
        {"name": "W", "shape": [2, 1], "step": 2001, "moved": True, "norm": 1.5},
    ]
    text = printed(digits(trainings=[first, second], steps=7000, parameters=parameters, phases_from=2001))
    assert "\n  steps of training 2, which took the longest\n  phase " in text
    assert "  1   24–39     w, b         2,000   7,326.7 → 2.2405   ⣿" in text
    assert "  2   106–118   W, b         5,000   7,134.8 → 27.423   ⣿" in text
    assert "loss · step 1" not in text
    assert "  1   w           (1,)     0.3367 → 3.0073     2.6700\n" in text
    assert "  2   W           (2, 1)   norm 1.5000            yes\n" in text


def test_of_many_trainings_and_parameters_some_are_shown() -> None:
    folds = [training(3.0, 1.0, first_step=100 * number + 1) for number in range(40)]
    names = [f"layers.{number}.weight" for number in range(150)]
    parameters = [{"name": name, "shape": [4, 4], "step": 1, "moved": 1.0, "norm": 1.0} for name in names]
    text = printed(digits(trainings=folds, parameters=parameters))
    assert "\n  11   24–39" in text
    assert "\n  12   24–39" not in text
    assert "\n  40   24–39" in text
    assert "… 139 more\n" in text
    assert "layers.149.weight" in text
    assert len(text.splitlines()) < 70


def test_a_parameter_that_never_moved_is_marked() -> None:
    report = digits()
    report["parameters"][1]["moved"] = False
    assert "fc1.bias     (128,)       0.2000             never\n" in printed(report)
    assert said(report).endswith(
        "1 of 2 parameters never moved: fc1.bias. " + said(digits()).rpartition("loading. ")[2]
    )


def test_how_far_is_known_up_to_a_step() -> None:
    report = digits()
    report["parameters"][0]["until"] = 1000
    assert "  moved by: until step 1,000, the last that was kept in full\n" in printed(report)


def test_what_could_not_be_seen_and_why() -> None:
    unseen = [
        {"what": "operations", "why": "the model is compiled", "file": SCRIPT, "line": 30, "times": 1},
        {"what": "a process", "why": "it was started by the script", "file": None, "line": None, "times": 2},
        *({"what": f"thing {number}", "why": "no reason", "file": None, "line": None} for number in range(5)),
    ]
    text = printed(digits(unseen=unseen))
    assert "  not seen      operations: the model is compiled (train.py:30)\n" in text
    assert "                a process: it was started by the script, 2 times\n" in text
    assert "                and 2 more\n" in text


def test_evaluations_of_one_line_stand_together() -> None:
    one = digits()["evaluations"][0] | {"passes": 16, "training_mode": []}
    evaluations = [one | {"number": number, "after_step": 938 * number} for number in range(1, 11)]
    evaluations.append(one | {"after_step": 0, "gradients": True, "training_mode": [""], "line": 70})
    text = printed(digits(evaluations=evaluations), 120)
    assert "10 times, 160 forward passes in all between step 938 and step 9,380 · gradients off" in text
    assert "· in evaluation mode\n                train.py:61\n" in text
    assert "16 forward passes before the first step · gradients on · in training mode: the model · train.py:70" in text


def test_timed_steps_that_took_longer_than_the_others_are_called_so() -> None:
    slow = digits(phase_average=0.001, phase_steps=19, printed_loss=None)
    assert said(slow).endswith("over 9,380 steps in 10 epochs.")
    assert "  timed in 19 steps of 4.8 ms; all steps took 1.0 ms on average\n" in printed(slow)
    assert "descend run --fast" not in printed(slow)
    assert "steps of training" not in printed(slow)
    assert "timed in" not in printed(digits(phase_steps=116))


def test_fast_loading_is_offered_for_a_loader_only() -> None:
    by_hand = digits()
    by_hand["phases"][0]["source"] = "xb = x_train[start_i:end_i]"
    assert "descend run --fast" not in printed(by_hand)


def test_what_fast_loading_did() -> None:
    kept = [{"loader": "test_loader", "why": "its transform is random"}]
    text = printed(digits(fast={"replaced": ["train_loader"], "kept": kept}))
    assert "  --fast        replaced: train_loader\n" in text
    assert "                left as it is: test_loader, because its transform is random\n" in text
    assert "descend run --fast" not in text
    assert "  --fast        no loader was used\n" in printed(digits(fast={"replaced": [], "kept": []}))


def test_a_record_that_could_not_be_kept() -> None:
    text = printed(digits(path=None, run=None, not_kept="the disk is full", previous=None))
    assert "  record        nothing was kept: the disk is full\n" in text
    assert "descend runs" not in text
    assert "not all was kept: the disk is full\n" in printed(digits(not_kept="the disk is full"))


def test_a_cost_above_the_limit_says_why() -> None:
    cost = {"seconds": 0.041, "share": 0.12}
    assert (
        "  watching      cost 12.0 % of the time (41 ms): the first steps are kept in\n"
        "                full, and there were few others\n"
    ) in printed(digits(cost=cost, steps=40))
    assert (
        "  watching      cost 12.0 % of the time (41 ms): its steps take 0.1 ms, and each\n                of them is counted\n"
    ) in printed(digits(cost=cost, seconds={**digits()["seconds"], "per_step": 0.00012}))
    assert "  watching      cost 12.0 % of the time (41 ms)\n" in printed(digits(cost=cost))


def test_only_commands_that_work_here_are_offered(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    assert [command for command, _ in next_commands(digits())] == [
        "descend run --fast train.py --name 'two words'",
        "descend runs train-3 train-4",
        "descend runs",
    ]
    monkeypatch.chdir(tmp_path)
    here = digits(path=str(tmp_path / "runs" / "train-4"), script=[], previous=None)
    assert [command for command, _ in next_commands(here)] == ["descend runs"]
    elsewhere = digits(path="/data/my runs/train-4", script=[])
    assert [command for command, _ in next_commands(elsewhere)] == [
        "descend runs train-3 train-4 --runs '/data/my runs'",
        "descend runs --runs '/data/my runs'",
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"printed_loss": None, "phases": [], "epochs": None, "loss": loss(2.0, 0.5)},
            "Loss fell from 2.0000 to 0.5000 over 9,380 steps.",
        ),
        (
            {"printed_loss": None, "phases": [], "epochs": 1, "steps": 1, "loss": loss(2.0, 2.0)},
            "One step was seen, with a loss of 2.0000.",
        ),
        (
            {"printed_loss": None, "phases": [], "epochs": None, "loss": loss(2.0, 1.99)},
            "Loss hardly moved from 2.0000 to 1.9900 over 9,380 steps.",
        ),
        (
            {"printed_loss": None, "phases": [], "epochs": None, "loss": loss(2.0, 0.25, 3.0)},
            "Loss rose from 2.0000 to 3.0000, after it was as low as 0.2500, over 9,380 steps.",
        ),
        (
            {
                "printed_loss": None,
                "phases": [],
                "epochs": None,
                "loss": loss(2.0, 0.1, end={"loss": 0.3, "steps": 187, "epoch": False, "lowest": 0.3}),
            },
            "Loss fell from 2.0000 to 0.3000 (mean of the last 187) over 9,380 steps.",
        ),
        (
            {"printed_loss": None, "phases": [], "epochs": None, "loss": loss(None, None, None)},
            "9,380 steps were seen, but not their loss.",
        ),
    ],
)
def test_what_the_loss_did(changes: Report, words: str) -> None:
    assert said(digits(**changes)) == words


def test_the_phase_that_takes_the_most_is_named_where_there_is_one() -> None:
    report = digits(printed_loss=None)
    for phase in report["phases"]:
        phase["share"] = 0.9 if phase["phase"] == "backward" else 0.025
    assert said(report).endswith("; 90 % of their time went into the backward pass.")
    for phase in report["phases"]:
        phase["share"] = 0.2
    assert said(report).endswith("over 9,380 steps in 10 epochs.")


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        (
            {"status": "failed", "message": "ZeroDivisionError: division by zero", "exit_status": 1},
            "The script failed after 9,380 steps: ZeroDivisionError: division by zero. Loss fell",
        ),
        (
            {"status": "failed", "message": "ZeroDivisionError: division by zero", "steps": 0},
            "The script failed before any step of a training: ZeroDivisionError: division by zero. Nothing was trained",
        ),
        ({"status": "failed", "exit_status": 3}, "The script stopped with exit status 3 after 9,380 steps. Loss fell"),
        ({"exit_status": 3}, "The script stopped with exit status 3 after 9,380 steps. Loss fell"),
        ({"status": "interrupted", "exit_status": 130}, "Interrupted after 9,380 steps. Loss fell"),
        ({}, "Loss fell"),
    ],
)
def test_how_it_ended(changes: Report, start: str) -> None:
    assert said(digits(**changes)).startswith(start)


@pytest.mark.parametrize(
    ("not_finite", "words"),
    [
        (
            {"step": 88, "value": "inf", "count": 301, "before": 1722.5},
            (
                "The training diverged: its loss rose from 2.3000 to 1,722.5 and was infinite at step 88;"
                " 301 of 388 losses are no finite number."
            ),
        ),
        (
            {"step": 2, "value": "nan", "count": 1, "before": 2.3},
            (
                "The training diverged: its loss was 2.3000 at step 1 and was not a number at step 2;"
                " 1 of 388 losses is no finite number."
            ),
        ),
        (
            {"step": 1, "value": "nan", "count": 388, "before": None},
            "The loss was not a number from the first step on; none of 388 losses is a finite number.",
        ),
    ],
)
def test_a_loss_that_breaks(not_finite: Report, words: str) -> None:
    report = digits(steps=388, status="diverged", printed_loss=None, loss=loss(2.3, None, not_finite=not_finite))
    assert said(report) == words
    assert printed(report)


def test_a_loss_that_was_0_before_it_broke() -> None:
    bad = {"step": 18, "value": "inf", "count": 10, "before": 0.0}
    report = digits(steps=30, status="diverged", printed_loss=None, loss=loss(0.0, None, not_finite=bad))
    assert said(report) == (
        "The training diverged: its loss hardly moved from 0.0000 to 0.0000 and was infinite at step 18;"
        " 10 of 30 losses are no finite number."
    )


def test_a_fault_of_the_summarys_own_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_report: Report, _console: Console) -> None:
        raise ZeroDivisionError("float division by zero")

    monkeypatch.setattr("descend.show.watched.watched_summary", fails)
    written = io.StringIO()
    show_report(digits(path="/home/u/runs/train-1"), Console(file=written))
    assert written.getvalue() == (
        "descend: the summary could not be shown: ZeroDivisionError: float division by zero. This is a fault in descend: "
        "please report it with this line. The record is whole: /home/u/runs/train-1\n"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"looks": {"count": 2, "places": [LOOK]}},
            (
                "Nothing was trained. What was seen: 2 backward passes with no update after them"
                " and 157 forward passes with no backward pass."
            ),
        ),
        (
            {"looks": {"count": 1, "places": [LOOK]}, "evaluations": []},
            "Nothing was trained. What was seen: 1 backward pass with no update after it.",
        ),
        (
            {"looks": {"count": 0, "places": []}, "evaluations": []},
            "Nothing was trained: no backward pass was seen, and no forward pass of a module.",
        ),
        (
            {"looks": {"count": 0, "places": []}, "evaluations": [], "status": "failed"},
            "The script stopped before any step of a training. Nothing was trained: no forward pass of a module came to its end.",
        ),
    ],
)
def test_a_script_that_trains_nothing(changes: Report, words: str) -> None:
    nothing = {"steps": 0, "epochs": None, "trainings": [], "phases": [], "parameters": [], "loss": loss(None)}
    report = digits(**nothing | changes)
    assert said(report) == words
    text = printed(report)
    assert ("  looks         no update followed (train.py:21)\n" in text) == bool(changes["looks"]["places"])
    assert ("                and 1 more\n" in text) == (changes["looks"]["count"] == 2)
    assert "first step" not in text


def test_a_look_in_a_loop_is_said_once() -> None:
    text = printed(digits(looks={"count": 5, "places": [LOOK, LOOK, LOOK]}))
    assert text.count("no update followed (train.py:21)") == 1
    assert "                and 2 more\n" in text


def test_trainings_one_after_the_other() -> None:
    three = [training(9.0, 2.2405), training(9.0, 2.2405), training(8.0, 27.8 / 10)]
    assert said(digits(trainings=three, phases=[], printed_loss=None)) == (
        "3 trainings, one after the other, 9,380 steps in all: loss fell in each, to 2.2405, 2.2405 and 2.7800."
    )
    broken = training(2.0, None)
    broken["loss"]["not_finite"] = {"step": 3, "value": "nan", "count": 1, "before": 2.0}
    broken["loss"]["end"]["loss"] = None
    falling = digits(trainings=[training(9.0, 1.0), training(9.0, 2.0)] * 3, phases=[], printed_loss=None)
    assert said(falling).endswith(": loss fell in each, to values between 1.0000 and 2.0000.")
    many = [training(9.0, 1.0)] * 4 + [training(1.0, 5.0), broken]
    assert said(digits(trainings=many, phases=[], printed_loss=None)) == (
        "6 trainings, one after the other, 9,380 steps in all: loss fell in 4 of them and ended between 1.0000 and 5.0000."
        " In 1 of them it did not stay a finite number."
    )


def test_sets_of_parameters_in_turn() -> None:
    turns = [
        {"parameters": ["D.0.weight", "D.0.bias"], "first": 1.39, "last": 1.21, "last_step": 19},
        {"parameters": ["w1", "w2", "w3"], "first": 0.7, "last": 0.9, "last_step": 20},
    ]
    report = digits(trainings=[training(1.39, 0.9, turns=turns)], phases=[], printed_loss=None)
    assert said(report) == (
        "9,380 steps in 10 epochs updated 2 sets of parameters in turn: the loss went from 1.3900 to 1.2100 with D"
        " and from 0.7000 to 0.9000 with w1 and 2 more."
    )
    assert "loss · step 1" not in printed(report)


def test_a_report_of_almost_nothing_prints_without_an_error() -> None:
    least = {"kind": "run", "status": "failed", "message": None, "title": "train.py"}
    assert "The script stopped before any step of a training." in printed(least)
    assert "Loss" not in printed(least)


def test_nothing_from_a_stranger_reaches_the_terminal_raw() -> None:
    bad = "\x1b]0;owned\x07"
    report = digits(
        title=bad,
        path=bad,
        run=bad,
        previous=bad,
        not_kept=bad,
        message=bad,
        status="failed",
        script=[bad],
        phases=[{"phase": bad, "share": 1.0, "seconds": 1.0, "file": bad, "line": 1, "source": bad}],
        parameters=[{"name": bad, "shape": [1], "moved": 0, "values": [1.0]}],
        batches=[{"name": bad, "shape": [1], "dtype": bad, "device": bad}],
        looks={"count": 1, "places": [{"text": bad, "file": bad, "line": 1}]},
        unseen=[{"what": bad, "why": bad, "file": bad, "line": 1}],
        fast={"replaced": [bad], "kept": [{"loader": bad, "why": bad}]},
        printed_loss={"text": bad, "mean": 1.0},
    )
    report["evaluations"][0] |= {"file": bad, "training_mode": [bad]}
    several = report | {"trainings": [training(2.0, 1.0, parameters=[bad]), training(2.0, 1.0)]}
    for each in (report, several, report | {"path": None}):
        assert "\x1b" not in printed(each)
        assert "\x07" not in printed(each)


def test_epochs_of_one_step_are_not_counted_twice() -> None:
    full_batch = digits(steps=200, epochs=200, phases=[], printed_loss=None)
    assert said(full_batch) == "Loss fell from 2.3046 to 0.0131 (mean of the last epoch) over 200 steps."


def test_a_cost_that_was_not_measured_is_not_called_nothing() -> None:
    assert "watching" not in printed(digits(cost={"seconds": 0.0, "share": 0.0}))
    assert "watching      cost 1.8 % of the time (0.83 s)\n" in printed(digits()).replace("\N{NO-BREAK SPACE}", " ")


def test_what_was_not_seen_changes_what_is_said_of_the_training() -> None:
    ended = {
        "what": "everything after this step",
        "why": "the observer failed: oh",
        "file": None,
        "line": None,
        "times": 1,
    }
    assert said(digits(unseen=[ended])).startswith(
        "Watching ended after 9,380 steps; the program went on. Until then: Loss"
    )
    threads = ended | {
        "what": "faults of what other threads train",
        "why": "the checks follow the thread that trained first",
    }
    assert said(digits(unseen=[threads])).startswith("Several threads trained; their steps stand in one row here. Loss")
    alone = ended | {"what": "5 updates by an optimizer", "why": "no backward pass had computed the gradients"}
    assert said(digits(steps=0, unseen=[alone])) == (
        "No step of a training was seen: there were 5 updates by an optimizer, and no backward pass had computed the gradients."
    )


def test_the_program_is_what_the_person_calls_it() -> None:
    for title, words in (("cell 3", "The cell"), ("train.ipynb", "The notebook"), ("train.py", "The script")):
        assert said(digits(title=title, status="failed", message="oh")).startswith(f"{words} failed after ")
