"""A lesson's file is read as its rules say, and broken rules are told with their line."""

import pytest

from descend.errors import UsageError
from descend.learn.lesson import Code, Prose, Question, Verbatim, find, lessons, parse

SMALL = """---
order: 3
line: a small lesson
minutes: 5
---
# Small

## First

Two words and `code`.
They go on.

```
L = x²
```

> ? How many
> are there? <!--answer {count:d} within 5 %-->

<!-- keep: one; two -->
```python
count = 2
print("one\\ntwo")
```

```text
one
two
```

## Second

- It is 1<!--{count:d}-->.
- Done.

> ? Up or down? <!--answer {'up':s} of up, down-->
"""


def test_each_kind_of_block_is_read() -> None:
    lesson = parse("small", SMALL)
    assert (lesson.name, lesson.order, lesson.line, lesson.minutes) == ("small", 3, "a small lesson", 5)
    assert (lesson.title, lesson.file) == ("Small", "small.md")
    first, second = lesson.parts
    assert (first.title, second.title) == ("First", "Second")
    assert first.blocks == (
        Prose(10, "Two words and `code`.\nThey go on."),
        Verbatim(13, "L = x²"),
        Question(17, "How many are there?", "count:d", tolerance=0.05, relative=True),
        Code(21, "python", 'count = 2\nprint("one\\ntwo")', "one\ntwo\n", ("one", "two")),
    )
    assert second.blocks == (
        Prose(33, "- It is 1<!--{count:d}-->.\n- Done."),
        Question(36, "Up or down?", "'up':s", choices=("up", "down")),
    )


def test_a_question_goes_with_the_code_below_it() -> None:
    first, second = parse("small", SMALL).parts
    turns = [
        (question.text if question else None, [type(block) for block in blocks]) for question, blocks in first.turns()
    ]
    assert turns == [(None, [Prose]), (None, [Verbatim]), ("How many are there?", [Code])]
    assert [len(blocks) for _, blocks in second.turns()] == [1, 0]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("---\norder", "order", "small.md: line 1: its settings stand between two lines of ---"),
        ("minutes: 5\n", "", "small.md: a lesson needs a title, an order, a line and its minutes"),
        ("# Small\n", "", "small.md: a lesson needs a title, an order, a line and its minutes"),
        (" <!--answer {count:d} within 5 %-->", "", "small.md: line 17: a question needs its <!--answer {…} …-->"),
        ("within 5 %", "about 5", "small.md: line 17: an answer is within, of or exactly, not 'about'"),
    ],
)
def test_a_broken_rule_is_told(old: str, new: str, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse("small", SMALL.replace(old, new, 1))
    assert str(caught.value) == words


def test_the_lessons_come_in_the_order_in_which_they_are_best_read() -> None:
    names = ["tensors", "autograd", "line", "scores", "scores-two", "layers", "softmax", "mnist"]
    assert [lesson.name for lesson in lessons()] == names
    assert find("scores").title == "Scores from hours studied"


def test_a_lesson_that_does_not_exist() -> None:
    with pytest.raises(UsageError) as caught:
        find("score")
    assert caught.value.what == "there is no lesson 'score' (did you mean 'scores'?)"
    assert caught.value.help == (
        "the lessons are tensors, autograd, line, scores, scores-two, layers, softmax, mnist; "
        "descend learn says what each is about"
    )
