import io
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from descend.record.rows import RunInfo
from descend.show.runs import compare_runs, runs_table

TITLE = "mnist · 60,000 images to learn from, 10,000 to be examined on · 28×28 → 10 digits"


def run(name: str, *, accuracy: float = 0.9771, lr: float = 0.001, status: str = "finished", **changes: Any) -> RunInfo:
    recipe = {"model": "mlp", "lr": lr, "epochs": 10}
    report: dict[str, Any] = {
        "run": name,
        "title": TITLE,
        "architecture": "mlp 784 → 128 → relu → 10 (101,770 parameters)",
        "unseen": "test",
        "steps": 9380,
        "train": {"loss": 0.0219},
        "test": {"loss": 0.079, "accuracy": accuracy},
        "epochs": [{}] * 10,
        "losses": {"curve": [2.3, 0.3, 0.1, 0.02]},
        "seconds": {"total": 6.31},
    }
    started = datetime(2025, 11, 21, 14, 3, tzinfo=UTC)
    return RunInfo(
        name,
        Path("runs", name),
        "train",
        TITLE,
        recipe,
        epochs=10,
        started=started,
        status=status,
        report=report | changes,
    )


def listed(runs: list[RunInfo], width: int) -> str:
    file = io.StringIO()
    runs_table(runs, Console(file=file, width=width))
    return file.getvalue()


def compared(first: RunInfo, second: RunInfo, width: int = 100, **settings: Any) -> str:
    file = io.StringIO()
    compare_runs(first, second, Console(file=file, width=width), **settings)
    return file.getvalue()


def test_a_line_a_run() -> None:
    scores = run("scores-1", unseen=None, test=None, train={"loss": 2.2405, "rmse": 1.49683}, epochs=[{}] * 3)
    going = RunInfo("mnist-9", Path("runs/mnist-9"), status="running")
    assert listed([run("mnist-1"), scores, going], 80) == (
        "  run        status      epochs     loss                 result    time\n"
        "  mnist-1    finished        10   0.0219           97.71 % test   6.3 s\n"
        "  scores-1   finished   3 of 10   2.2405   RMSE 1.4968 training   6.3 s\n"
        "  mnist-9    running\n"
    )


def test_a_wide_terminal_shows_when_and_what() -> None:
    when = datetime(2025, 11, 21, 14, 3, tzinfo=UTC).astimezone()
    text = listed([run("mnist-1")], 160)
    assert f"{when:%Y-%m-%d %H:%M}" in text
    assert "mlp 784 → 128 → relu → 10  " in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_list_fits(width: int) -> None:
    text = listed([run("a-run-with-a-name-that-is-much-too-long-for-a-table"), run("mnist-1")], width)
    assert max(map(len, text.splitlines())) <= width
    assert "97.71 % test" in text


def test_a_damaged_run_is_listed_with_the_reason() -> None:
    text = listed([RunInfo("x", Path("runs/x"), status="damaged", damage="record.sqlite is cut off\x1b[2J")], 80)
    assert text == "  run   status\n  x     damaged\n  x: record.sqlite is cut off\N{REPLACEMENT CHARACTER}[2J\n"


def test_no_run_says_how_to_make_one() -> None:
    assert listed([], 80) == "There is no run in runs yet. One is made by: descend train mnist\n"


def test_two_runs_side_by_side() -> None:
    text = compared(
        run("mnist-1"), run("mnist-2", accuracy=0.9631, lr=0.01, steps=4690, losses={"curve": [2.3, 1.0, 0.5]})
    )
    assert text.startswith(
        "mnist-1 has the higher accuracy on the test rows: 97.71 %, and mnist-2 96.31 %.\n"
        "\n"
        "  setting   mnist-1   mnist-2\n"
        "  lr          0.001      0.01\n"
        "  2 further settings are the same\n"
        "\n"
        "  result          mnist-1   mnist-2\n"
        "  training loss    0.0219    0.0219\n"
        "  test loss        0.0790    0.0790\n"
        "  test accuracy   97.71 %   96.31 %\n"
        "  epochs               10        10\n"
        "  time in all       6.3 s     6.3 s\n"
        "\n"
        "  2.3000  "
    )
    assert "mnist-1 · loss · log scale" in text
    assert "mnist-2 · loss · log scale" in text
    wide, narrow = (
        max(len(line) for line in part.splitlines() if "\u2800" < line[-1:] < "\u28ff")
        for part in text.split("mnist-1 · loss")
    )
    assert (narrow - 10) / (wide - 10) == pytest.approx(0.5, abs=0.03)  # half the steps take half the width


def test_lower_is_better_for_errors() -> None:
    first = run("a", unseen=None, test=None, train={"loss": 4.0, "rmse": 2.0})
    second = run("b", unseen=None, test=None, train={"loss": 1.0, "rmse": 1.0})
    assert compared(first, second).startswith("b has the lower RMSE on the training rows: 1.0000, and a 2.0000. Their")


def test_the_same_twice() -> None:
    text = compared(run("a"), run("b"))
    assert text.startswith(
        "a and b have the same accuracy on the test rows: 97.71 %. Their loss curves are identical.\n"
    )
    assert "  the recipes are the same, setting for setting\n" in text
    assert text.count("· loss") == 1
    assert "a and b · loss" in text


def test_runs_on_other_data_are_not_compared() -> None:
    other = run("b", title="line · 10 rows: x → y", losses={"curve": [2000.0, 1000.0]})
    text = compared(run("a"), other)
    assert text.startswith("a and b were not measured on the same examples: their results cannot be compared.\n")
    assert "  2.3000  " in text
    assert "  2,000.0  " in text


def test_a_run_without_a_report_can_be_compared_by_its_steps() -> None:
    died = RunInfo("b", Path("runs/b"), recipe={"lr": 0.1}, status="died")
    text = compared(run("a"), died, curves=([2.0, 1.0], [2.0, math.nan, 3.0]))
    assert text.startswith("There is no result to compare of b (died).\n")
    assert "1 of 3 losses is not finite" in text
    assert "a · loss" in text
    assert "b · loss" in text
    assert text.split("status")[1].split()[:2] == ["finished", "died"]
    assert compared(died, died)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_comparison_fits(width: int) -> None:
    text = compared(run("a-run-with-a-name-that-is-much-too-long"), run("mnist-2", lr=0.1), width)
    assert max(map(len, text.splitlines())) <= width


def test_one_lucky_batch_does_not_set_the_scale() -> None:
    losses = [2.3, *[0.5] * 5000, 1e-9, *[0.5] * 5000, 0.4]
    text = compared(run("a"), run("b", lr=0.1), curves=(losses, losses[:-1]))
    assert "  2.3000  " in text
    assert "  0.4000  " in text
    assert "log scale" not in text


def watched(name: str, end: float | None = 0.5, *, title: str = "train.py", **changes: Any) -> RunInfo:
    report: dict[str, Any] = {
        "run": name,
        "kind": "run",
        "title": title,
        "script": ["train.py", "--epochs", "3"],
        "steps": 1876,
        "epochs": None,
        "loss": {"first": 2.3, "last": end, "lowest": 0.25, "curve": [2.3, 1.0, end]},
        "trainings": [{}],
        "lr": {"first": 0.5, "last": 0.5, "changes": 0},
        "batches": [{"name": "xb", "shape": [64, 784]}],
        "parameters": [{"name": "weights", "shape": [784, 10]}, {"name": "bias", "shape": [10]}],
        "seconds": {"total": 3.1},
    }
    return RunInfo(name, Path("runs", name), "run", title, status="finished", report=report | changes)


def test_watched_scripts_are_listed_beside_trainings() -> None:
    epochs = watched("train-2", epochs=3, loss={"last": 0.5, "end": {"loss": 0.41}})
    several = watched("train-3", trainings=[{}, {}])
    trained = replace(run("mnist-1"), started=None)
    assert listed([watched("train-1"), epochs, several, trained], 120) == (
        "  run       status     model                       epochs     loss         result    time\n"
        "  train-1   finished   train.py                             0.5000                  3.1 s\n"
        "  train-2   finished   train.py                         3   0.4100                  3.1 s\n"
        "  train-3   finished   train.py                                                     3.1 s\n"
        "  mnist-1   finished   mlp 784 → 128 → relu → 10       10   0.0219   97.71 % test   6.3 s\n"
    )


@pytest.mark.parametrize("report", [None, {"kind": "run", "status": "failed", "title": "train.py"}])
def test_a_watched_script_without_results_is_listed(report: Any) -> None:
    going = RunInfo("train-1", Path("runs/train-1"), "run", "train.py", status="running", report=report)
    assert listed([going], 120) == "  run       status    model\n  train-1   running   train.py\n"
    assert "train-1 (running)" in compared(going, watched("train-2"))


def test_two_watched_runs_of_one_script() -> None:
    second = watched("b", 0.75, lr={"first": 0.1}, script=["train.py", "--epochs", "5"], epochs=5)
    assert compared(watched("a"), second).startswith(
        "a ended with the lower loss: 0.5000, and b 0.7500.\n"
        "\n"
        "  setting                     a                     b\n"
        "  command   train.py --epochs 3   train.py --epochs 5\n"
        "  lr                        0.5                   0.1\n"
        "  2 further settings are the same\n"
        "\n"
        "  result                 a        b\n"
        "  loss at the end   0.5000   0.7500\n"
        "  lowest loss       0.2500   0.2500\n"
        "  steps              1,876    1,876\n"
        "  epochs                 –        5\n"
        "  time in all        3.1 s    3.1 s\n"
        "\n"
        "  2.3000  "
    )
    assert compared(watched("b", 0.75), watched("a")).startswith("a ended with the lower loss: 0.5000, and b 0.7500.")


def test_the_same_watched_run_twice() -> None:
    text = compared(watched("a"), watched("b"))
    assert text.startswith("a and b ended with the same loss: 0.5000. Their loss curves are identical.\n")
    assert "  what was seen of them is the same, setting for setting\n" in text


def test_a_watched_script_and_a_training() -> None:
    text = compared(run("mnist-1"), watched("train-1"))
    assert text.startswith("There is no result to compare of train-1 (finished).\n")
    assert "  train-1 is a watched script: it has no recipe to compare\n" in text
    assert text.split("loss at the end")[1].split()[:2] == ["–", "0.5000"]
    assert "train-1 · loss" in text


def test_other_scripts_and_several_trainings_are_not_compared_by_their_loss() -> None:
    for other in (watched("b", title="other.py"), watched("b", trainings=[{}, {}]), watched("b", None)):
        assert compared(watched("a"), other).startswith("There is no result to compare of a (finished) and b")
