"""``descend learn`` as it is typed."""

import json
import sys
from pathlib import Path

import pytest

from descend import cli
from descend.learn import place
from descend.learn.lesson import find, lessons
from descend.learn.place import Places
from descend.show.layout import open_console
from descend.show.lesson import code, lesson_list, printed, prose_block


@pytest.fixture(autouse=True)
def _a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "platform", "linux")


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    Places().keep(find("scores"), 2)
    assert cli.main(["learn"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].split("  ")[0] == "tensors"
    assert said[3] == "scores       gradients by hand, and the learning rate      10 min   at 3 of 7"
    assert said[-1] == "descend learn NAME begins one"
    assert len(said) == len(lessons()) + 2


@pytest.mark.parametrize("columns", [60, 40])
def test_the_list_where_there_is_little_room(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert cli.main(["learn"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "scores · 10 min" in said
    assert max(len(line) for line in said) <= columns


def test_the_list_says_when_places_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "descend").mkdir()
    (tmp_path / "descend" / "lessons.json").write_text("{")
    assert cli.main(["learn"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.endswith(f"where you left the lessons cannot be read ({place.default_file()}): they begin anew")


def test_the_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    Places().keep(find("scores"), 2)
    assert cli.main(["learn", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["lessons"]
    assert [each["name"] for each in listed] == [lesson.name for lesson in lessons()]
    assert listed[3] == {
        "name": "scores",
        "line": "gradients by hand, and the learning rate",
        "minutes": 10,
        "parts": 7,
        "left_at": 3,
    }
    assert listed[0]["left_at"] is None


def test_without_a_terminal_all_of_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["learn", "layers"]) == 0
    plain = capsys.readouterr().out
    assert cli.main(["learn", "layers", "--no-input"]) == 0
    assert capsys.readouterr().out == plain
    assert plain.startswith("\nLayers · 1 of 6\nLinear\n\nA layer turns")
    assert "prediction -0.2039   loss 104.11864" in plain


def test_a_lesson_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["learn", "layers", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["lesson"], len(found["parts"])) == ("layers", 6)


def test_a_lesson_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["learn", "softmaxx"]) == 2
    assert capsys.readouterr().err.startswith(
        "descend: there is no lesson 'softmaxx' (did you mean 'softmax'?)\n  help: "
    )


def test_long_lines_of_code_are_broken_at_spaces(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    console = open_console()
    code(console, "    total = first + second + third", "python")
    printed(console, "unbrokenunbrokenunbrokenunbroken\n\x1b[31mred")
    assert capsys.readouterr().out == (
        "\n│     total = first +\n│         second + third\n  unbrokenunbrokenunbrokenunbroken\n  \N{REPLACEMENT CHARACTER}[31mred\n"
    )


def test_marks_of_markdown_are_not_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    prose_block(open_console(), "- A **word** and `code` that go\n  on for a while.\n- [red]Last.")
    assert capsys.readouterr().out == "\n· A word and code that go on\n  for a while.\n· [red]Last.\n"


def test_a_name_in_the_list_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    lesson_list(open_console(), [("[bold]", "about", 5, "")])
    assert capsys.readouterr().out.startswith("[bold]   about   5 min\n")


def test_a_line_of_a_paragraph_that_begins_with_a_number_is_no_item(capsys: pytest.CaptureFixture[str]) -> None:
    prose_block(open_console(), "The first counts the rows:\n2. The second counts columns.")
    prose_block(open_console(), "1. One\n2. Two\n   and more")
    assert (
        capsys.readouterr().out
        == "\nThe first counts the rows: 2. The second counts columns.\n\n1. One\n2. Two and more\n"
    )
