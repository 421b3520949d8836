"""A guess beside the answer: what is right, what is near, what is no guess at all."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descend.learn.guess import compare, not_a_guess
from descend.learn.lesson import Question

NUMBER = Question(1, "how much?", "x:g", tolerance=0.5)
SHARE = Question(1, "how much?", "x:g", tolerance=0.1, relative=True)
WORD = Question(1, "which way?", "x:s", choices=("up", "down", "upside"))
TEXT = Question(1, "which shape?", "x:s")


@pytest.mark.parametrize(
    ("question", "guess", "answer", "right", "words"),
    [
        (NUMBER, "2", "2", True, "Right: 2."),
        (NUMBER, "2.5", "2", True, "Close enough: you said 2.5, it is 2."),
        (NUMBER, "2.51", "2", False, "You said 2.51; it is 2. That is 0.51 too high."),
        (NUMBER, "-3", "-1065.6", False, "You said -3; it is −1065.6. That is 1,063 too high."),
        (NUMBER, "−1065.6", "-1065.6", True, "Right: −1065.6."),
        (NUMBER, "1,000", "1000", True, "Right: 1000."),
        (NUMBER, "27 %", "27", True, "Right: 27."),
        (NUMBER, "7", "inf", False, "You said 7; it is inf."),
        (NUMBER, "inf", "inf", True, "Right: inf."),
        (NUMBER, "", "2", False, "It is 2."),
        (SHARE, "109", "100", True, "Close enough: you said 109, it is 100."),
        (SHARE, "89", "100", False, "You said 89; it is 100. That is 11 too low."),
        (WORD, "UP", "up", True, "Right: up."),
        (WORD, "d", "down", True, "Right: down."),
        (WORD, "ups", "down", False, "You said upside; it is down."),
        (TEXT, "4,2", "(4, 2)", True, "Right: (4, 2)."),
        (TEXT, "(2, 4)", "(4, 2)", False, "You said (2, 4); it is (4, 2)."),
    ],
)
def test_a_comparison(question: Question, guess: str, answer: str, right: bool, words: str) -> None:
    assert not_a_guess(question, guess or "0" if question.tolerance else guess) == ""
    found = compare(question, guess, answer)
    assert (found.right, found.words) == (right, words)


def test_what_is_no_guess() -> None:
    assert not_a_guess(NUMBER, "many") == "'many' is not a number"
    assert not_a_guess(WORD, "dwon") == "'dwon' is none of up, down, upside (did you mean 'down'?)"
    assert not_a_guess(Question(1, "?", "x:s", choices=("rises", "rests")), "r") == "'r' is none of rises, rests"
    assert not_a_guess(TEXT, "anything") == ""


@given(
    guess=st.floats(-1e6, 1e6, allow_nan=False),
    answer=st.floats(-1e6, 1e6, allow_nan=False),
    tolerance=st.floats(0.001, 100),
)
def test_right_means_within_the_tolerance(guess: float, answer: float, tolerance: float) -> None:
    question = Question(1, "?", "x:g", tolerance=tolerance)
    off = abs(guess - answer)
    found = compare(question, repr(guess), repr(answer))
    if not math.isclose(off, tolerance, rel_tol=1e-6):
        assert found.right == (off < tolerance)
    if not found.right:
        assert ("too low" in found.words) == (guess < answer)
