import io
import math
from typing import Any

import pytest
from rich.console import Console

from descend.show.summary import next_commands, summary

Report = dict[str, Any]


def printed(
    report: Report, width: int = 80, images: Any = None, *, colours: bool = False, with_header: bool = True
) -> str:
    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        force_terminal=colours,
        color_system="truecolor" if colours else None,
        legacy_windows=False,
    )
    summary(report, console, images, with_header=with_header)
    return file.getvalue()


def digits(**changes: object) -> Report:
    report: Report = {
        "run": "mnist-1",
        "path": "runs/mnist-1",
        "model": "runs/mnist-1/model",
        "status": "finished",
        "title": "mnist · 60,000 images to learn from, 10,000 to be examined on · 28×28 → 10 digits",
        "recipe": {
            "data": "mnist",
            "model": "mlp",
            "loss": "cross-entropy",
            "optimizer": "adam",
            "lr": 0.001,
            "batch_size": 64,
            "epochs": 3,
            "seed": 0,
        },
        "choices": [],
        "architecture": "mlp 784 → 128 → relu → 10 (101,770 parameters)",
        "device": "cpu, 1 thread",
        "task": "classes",
        "target_names": list("0123456789"),
        "unseen": "test",
        "rows": {"train": 60000, "validation": 0, "test": 10000},
        "steps": 2814,
        "before": {
            "train": {"loss": 2.3051, "accuracy": 0.0911},
            "validation": None,
            "test": {"loss": 2.3048, "accuracy": 0.0908},
        },
        "train": {"loss": 0.0721, "accuracy": 0.9791},
        "validation": None,
        "test": {
            "loss": 0.1023,
            "accuracy": 0.9695,
            "log_loss": 0.1023,
            "macro_f1": 0.9692,
            "confusion": [[1, 0], [0, 1]],
        },
        "epochs": [
            {
                "epoch": 1,
                "step": 938,
                "seconds": 0.49,
                "loss": 0.341,
                "validation": None,
                "test": {"loss": 0.1872, "accuracy": 0.9462},
                "lr": 0.001,
            },
            {
                "epoch": 2,
                "step": 1876,
                "seconds": 0.52,
                "loss": 0.156,
                "validation": None,
                "test": {"loss": 0.1001, "accuracy": 0.9699},
                "lr": 0.001,
            },
            {
                "epoch": 3,
                "step": 2814,
                "seconds": 0.49,
                "loss": 0.108,
                "validation": None,
                "test": {"loss": 0.1023, "accuracy": 0.9695},
                "lr": 0.001,
            },
        ],
        "best_epoch": None,
        "losses": {"first": 2.31, "last": 0.11, "curve": [2.3, 0.9, 0.4, 0.2, 0.15, 0.11]},
        "parameters": [{"name": "1.weight", "shape": [128, 784], "moved": 8.1}],
        "seconds": {"total": 2.31, "training": 1.5, "per_epoch": 0.5, "evaluation": 0.2, "recording": 0.03},
        "phases": {"data": 0.09, "forward": 0.31, "loss": 0.04, "backward": 0.43, "update": 0.13, "zero": 0.0},
        "confused": [{"pair": ["4", "9"], "count": 23}, {"pair": ["7", "2"], "count": 1}],
        "worst": [
            {"index": 321, "said": "7", "share": 0.9998, "is": "2"},
            {"index": 1247, "said": "6", "share": 0.991, "is": "4"},
        ],
        "examples_per_second": 119522.3,
        "message": None,
    }
    return report | changes


def test_everything_in_plain_text_at_eighty_columns() -> None:
    assert (
        printed(digits(losses={"first": 2.31, "last": 0.11, "curve": [2.3, 0.11]}))
        == """\
mnist · 60,000 images to learn from, 10,000 to be examined on
28×28 → 10 digits
mlp 784 → 128 → relu → 10 (101,770 parameters) · cross-entropy · Adam lr 0.001
batch 64 · 3 epochs · cpu, 1 thread · seed 0

Loss fell from 2.3051 to 0.0721. It reads 97.0 % of 10,000 digits it has never
seen (before: 9.1 %); 4–9 and 7–2 are confused most.

   epoch     loss   test loss   test accuracy     time
  before   2.3051      2.3048          9.08 %   guessing: ln 10 = 2.3026
       1   0.3410      0.1872         94.62 %   0.49 s
       2   0.1560      0.1001         96.99 %   0.52 s   lowest test loss
       3   0.1080      0.1023         96.95 %   0.49 s

  before → after              loss           accuracy   macro-F1
  training         2.3051 → 0.0721   9.11 % → 97.91 %
  test             2.3048 → 0.1023   9.08 % → 96.95 %     0.9692

  worst mistakes        row 321: said 7 (99.98 %), is 2
                        row 1,247: said 6 (99.1 %), is 4

  most confused         4–9 23 times · 7–2 once
  time                  2.3 s in all · 1.5 s training · 0.20 s evaluation
                        30 ms recording
  speed                 0.50 s an epoch · 120,000 examples/s
  where the time went   backward 43 % · forward 31 % · update 13 % · data 9 %
                        loss 4 %

  run                   runs/mnist-1
  model                 runs/mnist-1/model
  next                  descend predict last my-digit.png   a picture of yours
                        descend evaluate last               the confusion table
"""
    )


def test_three_steps_are_enough_for_a_curve() -> None:
    lines = printed(digits()).splitlines()
    top = next(line for line in lines if line.startswith("  2.3000  "))
    bottom = next(line for line in lines if line.startswith("  0.1100  "))
    assert top[10] == "⠉"
    assert bottom.endswith("⣀⣀")
    assert lines[lines.index(bottom) + 1].split() == ["loss", "·", "step", "1", "step", "2,814"]


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("colours", [False, True])
def test_no_line_is_wider_than_the_terminal(width: int, colours: bool) -> None:
    images = {321: [[0.5] * 28] * 28, 1247: [[0.1] * 28] * 28}
    report = digits(
        notes=["layout reshape repeats a published fault: rows are no longer students, which no training mends"]
    )
    file = io.StringIO()
    summary(report, Console(file=file, width=width, force_terminal=colours, color_system=None), images)
    assert max(len(line) for line in file.getvalue().splitlines()) <= width
    assert not any(line.endswith(" ") for line in file.getvalue().splitlines())


def test_the_header_can_be_left_out() -> None:
    assert printed(digits(), with_header=False).startswith("Loss fell")


def test_wrong_digits_are_drawn_as_many_as_fit() -> None:
    images = {321: [[1.0] * 28] * 28, 1247: [[1.0] * 28] * 28}
    both, one = printed(digits(), images=images), printed(digits(), 60, images)
    assert both.count("█" * 28 + "   " + "█" * 28 + "\n") == 14
    assert "  said 7, is 2" in both
    assert "99.98 % sure · row 321" in both
    assert "said 6, is 4" in both
    assert "said 6, is 4" not in one
    assert one.count("  " + "█" * 28 + "\n") == 14


def test_colours_show_the_phases_as_pieces_of_one_bar() -> None:
    assert "━━━" in printed(digits(), colours=True)
    assert "━" not in printed(digits())


def test_two_parameters_are_an_equation() -> None:
    report: Report = {
        "status": "finished",
        "recipe": {"data": "scores", "model": "linear"},
        "task": "values",
        "target_names": ["score"],
        "feature_names": ["hours", "slept"],
        "parameters": [
            {"name": "0.weight", "moved": 1.0, "values": [2.44841, -0.5]},
            {"name": "0.bias", "moved": 1.0, "values": [-54.8129]},
        ],
    }
    assert "score = 2.4484 × hours + -0.5000 × slept" not in printed(report)
    assert "learned               score = 2.4484 × hours - 0.5000 × slept - 54.813" in printed(report)
    assert "learned               0.weight = 2.4484, -0.5000 · 0.bias = -54.813" in printed(
        report | {"feature_names": None}
    )


def test_notes_are_shown() -> None:
    assert "\nnote: layout reshape repeats a published fault\n" in printed(
        digits(notes=["layout reshape repeats a published fault"])
    )


def test_the_epoch_whose_weights_are_kept_is_marked() -> None:
    line = next(line for line in printed(digits(best_epoch=1)).splitlines() if line.startswith("       1 "))
    assert line.endswith("these weights are kept")


def test_a_diverged_run_says_so_and_offers_nothing_that_would_not_work() -> None:
    report = digits(
        status="diverged",
        message="the loss became infinite at step 88",
        model=None,
        train=None,
        test=None,
        losses={"first": 2.3, "last": None, "curve": [2.3, 7.0, 900.0, math.inf, None]},
        worst=None,
        confused=None,
        phases=None,
    )
    text = printed(report)
    assert "The training diverged: the loss became infinite at step 88.\n" in text
    assert "2 of 5 points are not finite" in text
    assert "next" not in text
    assert "before → after" not in text


def test_a_report_of_nothing_prints_without_an_error() -> None:
    assert printed({"status": "interrupted"}).strip() == "Interrupted in the first epoch."
    assert printed(
        digits(status="interrupted", epochs=[], losses={"first": None, "last": None, "curve": []}, seconds={})
    )


def test_what_may_be_typed_next() -> None:
    assert next_commands(digits())[0][0] == "descend predict last my-digit.png"
    elsewhere = digits(path="/tmp/my runs/mnist-1")
    assert next_commands(elsewhere)[0][0] == "descend predict '/tmp/my runs/mnist-1' my-digit.png"
    table = digits(title="scores · 5 rows: hours → score", feature_names=["hours", "two words"], task="values")
    assert next_commands(table) == [
        ("descend predict last --values hours=1 'two words=1'", "with values of your own"),
        ("descend evaluate last", "every metric"),
    ]
    wide = digits(title="arrays", feature_names=[f"x{number}" for number in range(1, 3_001)], path="/tmp/a/arrays-1")
    assert next_commands(wide)[0] == ("descend.load('/tmp/a/arrays-1').predict(rows)", "in Python")
    assert next_commands(digits(model=None)) == []


def test_nothing_from_a_stranger_reaches_the_terminal_raw() -> None:
    bad = "\x1b]0;owned\x07"
    report = digits(
        title=bad,
        architecture=bad,
        path=bad,
        model=bad,
        device=bad,
        target_names=[bad] * 10,
        notes=[bad],
        message=bad,
        parameters=[{"name": bad, "moved": 0, "values": [1.0]}],
        phases={bad: 1.0},
        confused=[{"pair": [bad, bad], "count": 2}],
        worst=[{"index": 1, "said": bad, "share": 0.9, "is": bad}],
        choices=[{"key": "gradients", "value": bad, "reason": bad, "by": "chosen"}],
        unseen="test",
    )
    assert "\x1b" not in printed(report)
    assert "\x07" not in printed(report, images={1: [[1.0] * 28] * 28})
