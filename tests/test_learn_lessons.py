"""The lessons themselves: what stands in them is what running them gives, and they read as they should."""

import importlib
import io
import re
import statistics
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from rich.console import Console

from descend.learn.guess import not_a_guess
from descend.learn.lesson import VALUE, Code, Lesson, Prose, Question, Verbatim, find, lessons
from descend.learn.running import Running, without_times
from descend.learn.session import print_all

ROOT = Path(__file__).parent.parent
LESSONS = lessons()
NAMES = [lesson.name for lesson in LESSONS]
WIDEST = 74  # of code and its output, which then stand unbroken in 80 columns


@pytest.fixture(autouse=True)
def _own_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@cache
def ran(name: str) -> tuple[dict[int, str], dict[int, str], dict[int, str], str]:
    """Outputs, texts and answers of a lesson by their lines, and the lesson printed; it is run once."""
    lesson = find(name)
    console = Console(file=io.StringIO(), width=60, color_system=None)
    with Running(lesson) as running:
        print_all(lesson, running, console)
        outputs = {block.line: running.output(block) for block in lesson.blocks() if isinstance(block, Code)}
        texts = {block.line: running.with_numbers(block) for block in lesson.blocks() if isinstance(block, Prose)}
        answers = {block.line: running.answer(block) for block in lesson.blocks() if isinstance(block, Question)}
    assert isinstance(console.file, io.StringIO)
    return outputs, texts, answers, console.file.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_outputs_and_numbers_are_those_of_a_run(name: str) -> None:
    outputs, texts, _, _ = ran(name)
    for block in find(name).blocks():
        if isinstance(block, Code):
            printed = outputs[block.line]
            assert without_times(printed) == without_times(block.output), (
                f"line {block.line}: run scripts/lessons.py {name}"
            )
        if isinstance(block, Prose):
            assert texts[block.line] == block.text, f"line {block.line}: run scripts/lessons.py {name}"


@pytest.mark.parametrize("name", NAMES)
def test_every_question_can_be_answered(name: str) -> None:
    answers = ran(name)[2]
    for question in find(name).blocks():
        if isinstance(question, Question):
            answer = answers[question.line]
            assert not_a_guess(question, answer) == "", f"line {question.line}"
            assert not question.choices or answer in question.choices
            assert not {"b", "q"} & {choice.lower() for choice in question.choices}


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_fits_into_60_columns(name: str) -> None:
    assert [line for line in ran(name)[3].splitlines() if len(line) > 60] == []


def test_the_published_figures_come_out() -> None:
    """Those of the trainings that everybody begins with."""
    shown = {
        "scores": ["84.3833", "90.3978", "96.4123", "412.0172", "2.2405", "limit 0.0223"],
        "scores-two": ["27.4162", "1.3084", "23,021", "2.4484 2.4516 54.8129"],
        "layers": ["-0.2039", "104.11864"],
        "softmax": ["'0.003', '0.036', '0.888', '0.073'"],
        "autograd": ["[[0.5000, 1.0000],", "[1.5000, 2.0000]]"],
    }
    for name, figures in shown.items():
        said = "".join(ran(name)[0].values())
        assert [figure for figure in figures if figure not in said] == []


def test_what_the_first_words_of_the_mission_say_of_a_line_is_so() -> None:
    """More than two thirds of 2,000 seeds have not arrived after 200 epochs."""
    (share,) = re.findall(r"(\d+) % of 2,000 runs end within 0.05 of both", "".join(ran("line")[0].values()))
    assert 24 <= int(share) <= 31


def sentences(lesson: Lesson) -> list[str]:
    """The sentences of a lesson's prose and questions, its code left out."""
    found = []
    for block in lesson.blocks():
        if isinstance(block, Prose | Question):
            text = VALUE.sub("1", block.text).replace("\n- ", ". ").replace("\n", " ")
            found += [each for each in re.split(r"(?<=[.?!:])\s+", text) if each.strip()]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_sentences_are_short(name: str) -> None:
    lengths = [len(each.split()) for each in sentences(find(name))]
    assert statistics.median(lengths) < 16
    assert max(lengths) <= 30


def loose_digits(lesson: Lesson) -> list[str]:
    """Numbers in sentences that come neither from the run nor from the code that stands there to be read."""
    source = "\n".join(block.source for block in lesson.blocks() if isinstance(block, Code))
    loose = []
    for block in lesson.blocks():
        if isinstance(block, Prose | Question):
            text = VALUE.sub("", block.text)
            codes = re.findall(r"`([^`]+)`", text)
            loose += [code for code in codes if re.fullmatch(r"[\d.,]+", code) and code not in source]
            loose += re.findall(r"\S*\d\S*", re.sub(r"`[^`]+`|\bD\d{3}\b", "", text))
    return loose


@pytest.mark.parametrize("name", NAMES)
def test_every_number_in_a_sentence_comes_from_the_run(name: str) -> None:
    assert loose_digits(find(name)) == []


def test_the_search_for_loose_digits_finds_them() -> None:
    from descend.learn.lesson import parse

    head = "---\norder: 1\nline: l\nminutes: 1\n---\n# T\n\n"
    text = head + "It is 5. It is 6<!--{x:d}-->, `0.7` or `0.8`, see D101 and `x[1]`.\n\n```python\nlr = 0.7\n```\n"
    assert loose_digits(parse("t", text)) == ["0.8", "5."]


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_is_made_as_all_are(name: str) -> None:
    lesson = find(name)
    assert 5 <= lesson.minutes <= 10
    assert len(lesson.line) <= 45
    last = lesson.parts[-1]
    assert last.title == "Three questions"
    assert [type(block) for block in last.blocks] == [Question, Prose] * 3
    for block in lesson.blocks():
        lines = {Code: "source", Verbatim: "text"}.get(type(block))
        shown = str(getattr(block, lines)) if lines else ""
        if isinstance(block, Code) and block.language == "python":
            shown += "\n" + block.output
        assert [line for line in shown.splitlines() if len(line) > WIDEST] == []


def test_the_script_leaves_a_lesson_that_is_up_to_date_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    script = importlib.import_module("lessons")
    lesson = find("layers")
    assert script.written(lesson) == lesson.text


def test_the_script_puts_in_what_a_run_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    from descend.learn.lesson import parse

    monkeypatch.syspath_prepend(ROOT / "scripts")
    script = importlib.import_module("lessons")
    head = "---\norder: 1\nline: l\nminutes: 1\n---\n# T\n\n"
    code = '```python\nx = 6 * 7\nprint("x is", x)\n```\n'
    old = f"{head}{code}\n```text\nx is 41\n```\n\nSo it is −1<!--{{x:,d}}-->.\n\n{code}"
    new = f"{head}{code}\n```text\nx is 42\n```\n\nSo it is 42<!--{{x:,d}}-->.\n\n{code}\n```text\nx is 42\n```\n"
    assert script.written(parse("t", old)) == new


def test_the_lessons_are_pages_too() -> None:
    pages = ROOT / "docs" / "learn"
    assert pages.is_symlink()
    assert pages.resolve() == (ROOT / "src" / "descend" / "learn" / "lessons").resolve()
    listed = re.findall(r"learn/([\w-]+)\.md$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == NAMES
