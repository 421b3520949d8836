import io
from typing import Any

import pytest
from rich.console import Console

from descend.show.predictions import class_prediction, confusion_table, evaluation, table_prediction

DIGITS = list("0123456789")
SEVEN = [0.0, 0.0, 0.003, 0.0, 0.0, 0.0, 0.0, 0.996, 0.0, 0.001]
IMAGE = [[1.0 if 4 <= row < 24 and 12 <= column < 16 else 0.0 for column in range(28)] for row in range(28)]


def printed(show: Any, *arguments: Any, width: int = 80, **settings: Any) -> str:
    file = io.StringIO()
    show(Console(file=file, width=width), *arguments, **settings)
    return file.getvalue()


def test_the_digit_stands_beside_its_bars() -> None:
    said = ("dark on light: inverted", "640×480 → 28×28")
    text = printed(class_prediction, "my-digit.png", DIGITS, SEVEN, [1.0] * 10, pixels=IMAGE, said=said)
    lines = text.splitlines()
    assert lines[0] == "my-digit.png: 7 (99.6 %)"
    assert lines[1] == "  dark on light: inverted · 640×480 → 28×28"
    bar = next(line for line in lines if "99.6 %   " in line)
    assert bar.startswith("              ████                7  ████████")
    assert bar.endswith("99.6 %   1.00")
    assert len(lines) == 3 + 14
    assert max(map(len, lines)) <= 80


def test_in_a_narrow_terminal_the_bars_stand_below() -> None:
    lines = printed(class_prediction, "a.png", DIGITS, SEVEN, [1.0] * 10, pixels=IMAGE, width=60).splitlines()
    assert lines[4] == "              ████"
    assert next(line for line in lines if "99.6 %   " in line).startswith("  7  ███")
    assert max(map(len, lines)) <= 60


def test_a_close_call_is_called_one() -> None:
    text = printed(class_prediction, "row 1", ["fail", "pass"], [0.45, 0.55])
    assert text.startswith("row 1: hard to tell, pass (55.0 %) or fail (45.0 %)\n")
    assert "logit" not in text


def test_text_of_strangers_is_made_harmless() -> None:
    text = printed(class_prediction, "\x1b[2J", ["\x1b[1m", "b"], [0.9, 0.1], said=["\x07"])
    assert "\x1b" not in text
    assert "\x07" not in text


def test_values_to_the_printed_digits() -> None:
    assert printed(table_prediction, ["hours"], [[5], [7], [9.5]], ["score"], [[84.38328], [90.3978], [96.4123]]) == (
        "  hours     score\n      5   84.3833\n      7   90.3978\n    9.5   96.4123\n"
    )


def test_classes_of_a_table() -> None:
    assert printed(table_prediction, ["x"], [[1.0]], ["species"], [["setosa"]]) == "  x   species\n  1    setosa\n"


METRICS = {"loss": 0.079, "accuracy": 0.75, "log_loss": 0.079, "macro_f1": 0.7333, "confusion": [[2, 0], [1, 1]]}


def test_every_metric_and_what_was_taken_for_what() -> None:
    assert printed(evaluation, "runs/a-1/model", 4, "test", METRICS, ["cat", "dog"]) == (
        "runs/a-1/model on 4 test rows\n"
        "\n"
        "  loss        0.0790\n"
        "  accuracy   75.00 %\n"
        "  macro-F1    0.7333\n"
        "\n"
        "  rows: what it is · columns: what was said\n"
        "   is  cat  dog    found\n"
        "  cat    2    ·  100.0 %\n"
        "  dog    1    1   50.0 %\n"
    )


def test_values_have_no_confusion() -> None:
    assert printed(evaluation, "m", 1, "training", {"loss": 2.2405, "rmse": 1.4968, "r2": None}, ["score"]) == (
        "m on 1 training row\n\n  loss   2.2405\n  RMSE   1.4968\n"
    )


def confusion(classes: int) -> list[list[int]]:
    return [[900 if said == row else (row + said) % 5 for said in range(classes)] for row in range(classes)]


def plain(lines: list) -> list[str]:  # type: ignore[type-arg]
    return [line.plain.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


@pytest.mark.parametrize("width", [50, 60, 80, 120])
def test_ten_classes_fit(width: int) -> None:
    lines = plain(confusion_table(confusion(10), DIGITS, width))
    assert max(map(len, lines)) <= width
    assert ("found" in lines[1]) == (width >= 60)


def test_what_is_too_wide_becomes_a_list_of_pairs() -> None:
    matrix = confusion(30)
    matrix[3][7] = 99
    lines = plain(confusion_table(matrix, [f"class {index}" for index in range(30)], 80))
    assert lines[0].split() == ["is", "said", "rows"]
    assert lines[1].split() == ["class", "3", "class", "7", "99"]
    assert len(lines) == 12
    wrong = sum(count for row, counts in enumerate(matrix) for said, count in enumerate(counts) if row != said)
    shown = sum(int(line.split()[-1]) for line in lines[1:11])
    assert lines[-1] == f"  {wrong - shown:,} further mistakes"


def test_no_mistake_and_a_class_that_never_occurs() -> None:
    perfect = [[1 if row == said else 0 for said in range(40)] for row in range(40)]
    assert plain(confusion_table(perfect, ["long name"] * 40, 80)) == ["  every row was recognised"]
    assert plain(confusion_table([[0, 0], [0, 3]], ["a", "b"], 80))[2].endswith("–")
