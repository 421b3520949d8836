"""A lesson is walked with what a reader types: Enter, guesses, b, q; and goes on where it was left."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from descend.errors import DescendError
from descend.learn.lesson import Lesson, parse
from descend.learn.place import Places
from descend.learn.running import Running, kept, without_times
from descend.learn.session import Session, as_json, print_all

TEXT = """---
order: 1
line: counting
minutes: 5
---
# Counting

## One

We begin with **one**, in `count`.

> ? What is next? <!--answer {count:d} within 0-->

```python
count = count + 1 if "count" in globals() else 2
print("count is", count)
```

It is 9<!--{count:d}-->.

## Two

> ? More or less? <!--answer {'more' if after > before else 'less':s} of more, less-->

```python
before, after = count, count * 10
```

```python
count = after
print("now", count)
```

## Three

The end, at −1<!--{-count:d}-->.
"""


@pytest.fixture
def lesson() -> Lesson:
    return parse("counting", TEXT)


@pytest.fixture
def places(tmp_path: Path) -> Callable[[], Places]:
    return lambda: Places(tmp_path / "lessons.json")


def walk(
    lesson: Lesson, typed: list[str], places: Places, *, restart: bool = False, width: int = 80
) -> tuple[str, bool]:
    """What stands on the screen after these lines were typed, and whether the end was reached; then nobody types."""
    lines: Iterator[str] = iter(typed)
    console = Console(file=io.StringIO(), width=width, color_system=None)

    def ask(prompt: str) -> str:
        line = next(lines, None)
        if line is None:
            raise EOFError
        console.print(f"[{prompt}]{line}", markup=False)
        return line

    with Running(lesson) as running:
        ended = Session(lesson, running, console, ask, places).walk(restart=restart)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue(), ended


def one_line(said: str) -> str:
    """The screen without its line breaks."""
    return " ".join(said.split())


def test_enter_goes_to_the_end(lesson: Lesson, places: Callable[[], Places]) -> None:
    said, ended = walk(lesson, ["2", "", "less", "", ""], places())
    assert ended
    assert (
        said
        == """
Counting · 1 of 3
One

We begin with one, in count.

? What is next?
[your guess, or Enter · b back · q out]2

│ count = count + 1 if "count" in globals() else 2
│ print("count is", count)
  count is 2
→ Right: 2.

It is 2.
[Enter goes on · b back · q out]

Counting · 2 of 3
Two

? More or less? (more / less)
[your guess, or Enter · b back · q out]less

│ before, after = count, count * 10

│ count = after
│ print("now", count)
  now 20
→ You said less; it is more.
[Enter goes on · b back · q out]

Counting · 3 of 3
Three

The end, at −20.
[Enter ends · b back · q out]

That was Counting. descend learn lists the other lessons.
"""
    )
    assert places().of(lesson) == 0


def test_back_shows_what_came_out_then(lesson: Lesson, places: Callable[[], Places]) -> None:
    said, ended = walk(lesson, ["", "", "", "b", "b", "b", "2", "", "more", "", ""], places())
    assert ended
    assert said.count("Counting · 1 of 3") == 4
    assert said.count("  count is 2") == 2
    assert "count is 3" not in said
    assert "count is 20" not in said
    assert "It is 20." not in said
    assert said.index("Right: 2.") < said.index("Right: more.")


def test_out_and_on_from_there(lesson: Lesson, places: Callable[[], Places]) -> None:
    said, ended = walk(lesson, ["", "", "q"], places())
    assert not ended
    assert one_line(said).endswith(
        " descend learn counting goes on from here; descend learn counting --restart begins anew."
    )
    said, ended = walk(lesson, ["more", "b", "b", "2", "", "", "", ""], places())
    assert ended
    assert said.startswith("You were at part 2 of 3: on from there.\n\nCounting · 2 of 3\n")
    # Part one was not shown, but it ran, and its answer is of that time.
    assert "→ Right: more." in said
    assert "→ Right: 2." in said
    assert "The end, at −20." in said


def test_restart_begins_anew(lesson: Lesson, places: Callable[[], Places]) -> None:
    walk(lesson, ["", "", "q"], places())
    said, _ = walk(lesson, ["q"], places(), restart=True)
    assert said.startswith("\nCounting · 1 of 3\n")
    assert places().of(lesson) == 0


def test_nobody_types_any_more(lesson: Lesson, places: Callable[[], Places]) -> None:
    _, ended = walk(lesson, ["", ""], places())
    assert not ended
    assert places().of(lesson) == 1


def test_ctrl_c_keeps_the_place(lesson: Lesson, places: Callable[[], Places]) -> None:
    console = Console(file=io.StringIO(), width=80)
    typed = iter(["", ""])

    def ask(prompt: str) -> str:
        try:
            return next(typed)
        except StopIteration:
            raise KeyboardInterrupt from None

    with Running(lesson) as running:
        assert not Session(lesson, running, console, ask, places()).walk()
    assert places().of(lesson) == 1


def test_what_means_nothing_is_asked_again(lesson: Lesson, places: Callable[[], Places]) -> None:
    said, _ = walk(lesson, ["many", "2", "next", "", "mor e", "more", "q"], places())
    assert "'many' is not a number; guess again, or press Enter to go on. " in one_line(said)
    assert "'next' means nothing here: press Enter, or type b or q.\n" in said
    assert "'mor e' is none of more, less (did you mean 'more'?); guess again, or press Enter to go on. " in one_line(
        said
    )


def test_a_place_that_cannot_be_kept_is_said_once(lesson: Lesson, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said, ended = walk(lesson, ["", "", "", "", "q"], Places(tmp_path / "file" / "lessons.json"))
    assert not ended
    assert said.count("Where you are is not kept: cannot write lessons.json") == 1
    assert said.endswith("descend learn counting begins anew.\n")


def test_a_place_that_cannot_be_read_is_said(lesson: Lesson, tmp_path: Path) -> None:
    (tmp_path / "lessons.json").write_text("{")
    said, _ = walk(lesson, ["q"], Places(tmp_path / "lessons.json"), width=300)
    assert one_line(said).startswith(f"where you left the lessons cannot be read ({tmp_path / 'lessons.json'}): they")


def test_printed_whole(lesson: Lesson) -> None:
    console = Console(file=io.StringIO(), width=60, color_system=None)
    with Running(lesson) as running:
        print_all(lesson, running, console)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert "? What is next?\n\n│ count" in said
    assert "  now 20\n→ It is more.\n" in said
    assert "your guess" not in said


def test_as_json(lesson: Lesson) -> None:
    with Running(lesson) as running:
        found = as_json(lesson, running)
    assert (found["lesson"], found["title"], found["minutes"], len(found["parts"])) == ("counting", "Counting", 5, 3)
    assert found["parts"][0] == {
        "title": "One",
        "blocks": [
            {"kind": "text", "text": "We begin with **one**, in `count`."},
            {"kind": "question", "text": "What is next?", "choices": [], "answer": "2"},
            {
                "kind": "python",
                "source": 'count = count + 1 if "count" in globals() else 2\nprint("count is", count)',
                "output": "count is 2\n",
            },
            {"kind": "text", "text": "It is 2."},
        ],
    }
    assert found["parts"][1]["blocks"][0]["answer"] == "more"


@pytest.mark.parametrize(
    ("code", "what", "line"),
    [
        ("```python\n\n1 / 0\n```", "ZeroDivisionError: division by zero", 8),
        ("It is 1<!--{nothing:d}-->.", "NameError: name 'nothing' is not defined", 8),
        ("```sh\nrm -r x\n```", "ValueError: 'rm' is not a command of descend", 8),
        ("```sh\ndescend nothing\n```", "RuntimeError: descend: there is no command 'nothing'", 8),
    ],
)
def test_a_lesson_that_fails_says_where(code: str, what: str, line: int) -> None:
    broken = parse("broken", f"---\norder: 1\nline: l\nminutes: 1\n---\n# Broken\n\n{code}\n")
    with Running(broken) as running, pytest.raises(DescendError) as caught:
        print_all(broken, running, Console(file=io.StringIO(), width=80))
    assert caught.value.what.startswith(f"the lesson 'broken' cannot go on: {what}")
    assert caught.value.where == f"broken.md:{line}"
    assert "pip install -c constraints.txt" in caught.value.help


def test_code_runs_in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = "---\norder: 1\nline: l\nminutes: 1\n---\n# T\n\n```python\nopen('x', 'w').close()\nimport os\nprint(os.getcwd())\n```\n"
    lesson = parse("t", text)
    (code,) = lesson.blocks()
    with Running(lesson) as running:
        where = Path(running.output(code).strip())  # type: ignore[arg-type]
        assert (where / "x").exists()
    assert not where.exists()
    assert list(tmp_path.iterdir()) == []
    assert Path.cwd() == tmp_path


def test_lines_that_are_kept() -> None:
    assert kept("a 1\nb\nc\nd 2\na 3\n", ("a ", "d ")) == "a 1\n…\nd 2\na 3\n"
    assert kept("a\nb\n", ()) == "a\nb\n"


def test_times_and_spacing_do_not_count() -> None:
    assert without_times("epoch 1   loss 0.3   1.2 s\n") == without_times("epoch 1  loss 0.3   240 ms")
    assert without_times("epoch 1   loss 0.3   1.2 s\n") != without_times("epoch 1   loss 0.4   1.2 s\n")
