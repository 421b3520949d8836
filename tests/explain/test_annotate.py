"""Annotated scripts: which lines have a note, how often they ran, and that the words agree with the record."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from descend.annotating import annotate_run
from descend.record.reader import Reader
from explain.annotated_runs import Runs, run_programs
from test_tutorials import PROGRAMS

# The lines that must have a note, by their numbers in tests/tutorials/*.py.
NOTED = {
    "softmax_from_tensors": "4-6 8 9 11 12 16-18 21-23 26 27 30-32 35 36 41 44-57 60-62",
    "line_by_autograd": "4 6-8 11 12 16-20 23-25 27-29 31 33-35 37 38 40 41 44",
    "digits_with_adam": "4 6-9 11 12 15-18 22-26 28-30 33-35 38-41 43-45 47 50-54 56",
    "scores_by_hand": "4 6 7 10-15 18 20 23 24 27-29 32 33 35 36 38 41 44-46 48-58 61-64 67-77",
    "first_steps": "4 5 7-9 12-15 18-21 24-27 30 31 34-38 41-44",
}
# How often they ran: every other line with a note ran once.
TIMES = {
    "softmax_from_tensors": {
        "17 18": 2,  # pictures and labels
        "31 32": 242,  # 240 steps, a look before and an evaluation after them
        "36": 241,
        "46 57": 2,
        "47-56": 240,
    },
    "line_by_autograd": {"27-29 31 33-35 37 38 40": 150, "41": 6},
    "digits_with_adam": {"29 30": 110, "38 47": 2, "39-41 43-45": 100, "52-54": 10},
    "scores_by_hand": {"18 20 23 24 27-29 32 33 35": 600, "36 58 77": 3, "48-57": 600, "67-76": 900},
    "first_steps": {},
}
PHASES = {
    "softmax_from_tensors": {
        "data": "48 49",
        "forward": "31 32",
        "loss": "36",
        "backward": "51",
        "update": "53 54",
        "zero": "55 56",
    },
    "line_by_autograd": {
        "forward": "28",
        "loss": "29",
        "backward": "18 31",
        "update": "34 35",
        "zero": "37 38",
    },
    "digits_with_adam": {
        "data": "39",
        "forward": "29 30 40",
        "loss": "41",
        "backward": "44",
        "update": "45",
        "zero": "43",
    },
    "scores_by_hand": {
        "forward": "20 49 68",
        "loss": "23 50 69",
        "backward": "27-29 51 70",
        "update": "32 33 53 54 72 73",
        "zero": "55 56 74 75",
    },
    "first_steps": {"forward": "27 31 35 36", "loss": "37", "backward": "14 43", "zero": "41 42"},
}
LEVELS = ("plain", "usual", "terse")
both = pytest.mark.parametrize("notebook", [False, True], ids=["script", "notebook"])
each_kind = pytest.mark.parametrize("name", NOTED)


def numbers(text: str) -> set[int]:
    found: set[int] = set()
    for part in text.split():
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    yield from run_programs(tmp_path_factory.mktemp("annotated"))


@pytest.fixture
def lines(runs: Runs) -> Any:
    def lines(name: str, words: Any = "plain", *, notebook: bool = False) -> dict[int, dict[str, Any]]:
        if name == "digits_with_adam" and find_spec("torchvision") is None:
            pytest.skip("torchvision is not installed")
        return runs.lines(name, words, notebook=notebook)

    return lines


def test_every_kind_of_training_is_here() -> None:
    assert set(NOTED) == set(TIMES) == set(PHASES) == {each.name for each in PROGRAMS}


@both
@each_kind
def test_every_line_that_does_something_has_a_note(name: str, notebook: bool, lines: Any) -> None:
    for words in LEVELS:
        found = {number for number, line in lines(name, words, notebook=notebook).items() if line["meaning"]}
        assert found == numbers(NOTED[name]), words


@both
@each_kind
def test_how_often_lines_ran(name: str, notebook: bool, lines: Any) -> None:
    expected = dict.fromkeys(numbers(NOTED[name]), 1)
    for which, times in TIMES[name].items():
        expected |= dict.fromkeys(numbers(which), times)
    found = {number: line["times"] for number, line in lines(name, notebook=notebook).items() if line["meaning"]}
    assert found == expected


@both
@each_kind
def test_phases(name: str, notebook: bool, lines: Any) -> None:
    found = {number: line["phase"] for number, line in lines(name, notebook=notebook).items() if line["phase"]}
    assert found == {number: phase for phase, which in PHASES[name].items() for number in numbers(which)}


@both
@each_kind
def test_shares_are_those_of_the_record(name: str, notebook: bool, runs: Runs, lines: Any) -> None:
    shown = [line for line in lines(name, notebook=notebook).values() if line["share"] is not None]
    assert sum(line["share"] for line in shown) <= 1 + 1e-9
    if name == "first_steps":
        assert not shown
        return
    assert {line["phase"] for line in shown} >= {"forward", "loss", "backward", "update"}
    with Reader(runs.record(name, notebook=notebook)) as reader:
        timed = {(row.phase, row.line) for row in reader.phases()}
    assert {(line["phase"], line["number"]) for line in shown} <= timed


@both
def test_shapes_and_first_values(notebook: bool, lines: Any) -> None:
    steps = lines("first_steps", notebook=notebook)
    assert (steps[7]["shapes"], steps[7]["values"]) == (["(2, 2)"], "4, 3, 2, 1")
    assert (steps[13]["shapes"], steps[13]["values"]) == (["()"], "25")
    assert (steps[30]["shapes"], steps[30]["values"]) == (["(2, 3)", "(2,)", "(1, 2)", "(1,)"], "")
    line = lines("line_by_autograd", notebook=notebook)
    assert (line[28]["shapes"], line[28]["step"]) == (["(12, 1)"], 1)
    assert line[37]["values"] == "0"
    digits = lines("softmax_from_tensors", notebook=notebook)
    assert digits[48]["shapes"] == ["(50, 784)"]
    assert digits[55]["values"] == "all 0"
    assert digits[50]["shapes"] == []  # those of what it calls stand there


def test_first_values_are_those_of_the_record(runs: Runs, lines: Any) -> None:
    shown = lines("scores_by_hand")
    with Reader(runs.record("scores_by_hand")) as reader:
        losses = reader.steps().loss
    assert shown[23]["step"] == 1
    assert float(shown[23]["values"]) == pytest.approx(losses[0], rel=1e-3)
    later = shown[50]["step"]  # the first steps of the second training are no longer looked at
    assert 601 <= later <= 1200
    assert float(shown[50]["values"]) == pytest.approx(losses[later - 1], rel=1e-3)


@pytest.mark.parametrize(
    ("name", "number", "plain", "usual", "terse"),
    [
        (
            "line_by_autograd",
            34,
            "learns: takes a step against the slope, which is downhill",
            "a step of gradient descent by hand",
            "p -= lr·grad",
        ),
        (
            "line_by_autograd",
            28,
            "works out the prediction: multiplies rows by columns, then adds",
            "matrix product, then sum",
            "matrix product, then sum",
        ),
        (
            "scores_by_hand",
            29,
            "works out by hand how the loss changes: quotient, then total, then product",
            "quotient, then total, then product",
            "quotient, then total, then product",
        ),
        (
            "first_steps",
            26,
            "inputs: 3, outputs: 1; every output is a weighted sum of all inputs",
            "xWᵀ + b: every output is a weighted sum of all inputs plus an offset",
            "xWᵀ + b",
        ),
        ("line_by_autograd", 25, "sets how big a step each update takes", "the learning rate", "learning rate"),
        (
            "softmax_from_tensors",
            50,
            "calls mean_surprise: see line 35",
            "calls mean_surprise, line 35",
            "mean_surprise, line 35",
        ),
    ],
)
def test_the_three_wordings(name: str, number: int, plain: str, usual: str, terse: str, lines: Any) -> None:
    assert [lines(name, words)[number]["meaning"] for words in LEVELS] == [plain, usual, terse]


@each_kind
def test_plain_words_are_the_longest_and_terse_ones_few(name: str, lines: Any) -> None:
    length = {words: sum(len(line["meaning"]) for line in lines(name, words).values()) for words in LEVELS}
    assert length["terse"] < length["usual"] < length["plain"]
    for line in lines(name, "terse").values():
        assert len(line["meaning"]) <= 80


@each_kind
def test_notes_are_single_phrases(name: str, lines: Any) -> None:
    for words in LEVELS:
        for number, line in lines(name, words).items():
            assert not re.search(r"[{}]|: :|  ", line["meaning"]), number
            assert not line["meaning"].endswith((".", ":", ";"))


def test_a_notebook_names_cells_where_a_script_names_lines(lines: Any) -> None:
    assert lines("softmax_from_tensors", notebook=True)[50]["meaning"] == "calls mean_surprise: see line 10 of cell 3"
    assert (
        lines("digits_with_adam", notebook=True)[33]["meaning"] == "makes a TwoLayers, as line 1 of cell 3 describes it"
    )


def test_names_are_known_in_later_cells(lines: Any) -> None:
    assert "network" in lines("digits_with_adam", notebook=True)[40]["meaning"]
    script, notebook = (lines("digits_with_adam", notebook=each) for each in (False, True))
    other = {number for number in notebook if script[number]["meaning"] != notebook[number]["meaning"]}
    assert other == {33}  # which names the line of a class


def test_arguments_are_explained_once(lines: Any) -> None:
    shown = lines("scores_by_hand")
    assert shown[45]["meaning"].endswith("requires_grad=True: keep track of this, so that it can be learned")
    assert "requires_grad" not in shown[46]["meaning"]


def test_trainings_without_enough_timed_steps_have_no_shares(runs: Runs, lines: Any) -> None:
    found = annotate_run(runs.record("scores_by_hand"), "plain")
    assert found["notes"] == ["too few steps of trainings 2 and 3 were timed to tell shares of the time"]
    shown = lines("scores_by_hand")
    assert shown[27]["share"] > 0
    assert [shown[number]["share"] for number in (49, 51, 53, 68, 70, 72)] == [None] * 6


def test_the_values_are_json(runs: Runs) -> None:
    found = annotate_run(runs.record("line_by_autograd"), "terse")
    assert set(found) == {"run", "notes", "files"}
    (file,) = found["files"]
    assert (found["run"], found["notes"], file["changed"]) == (runs.record("line_by_autograd").name, [], False)
    assert file["lines"][26] == {
        "number": 27,
        "text": "for epoch in range(150):",
        "times": 150,
        "seconds": None,
        "share": None,
        "phase": "",
        "shapes": [],
        "values": "",
        "step": None,
        "meaning": "loop",
        "name": "For",
    }
