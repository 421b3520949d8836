"""A guess beside what came out."""

import math
import re
from dataclasses import dataclass

from descend.errors import did_you_mean
from descend.learn.lesson import Question


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a guess and the answer stand to each other, in a sentence."""

    right: bool
    words: str


def not_a_guess(question: Question, guess: str) -> str:
    """Why this cannot be an answer to the question; empty where it can."""
    if question.choices:
        if _choice(question, guess) is None:
            return f"'{guess}' is none of {', '.join(question.choices)}{did_you_mean(guess, question.choices)}"
    elif question.tolerance is not None and _number(guess) is None:
        return f"'{guess}' is not a number"
    return ""


def compare(question: Question, guess: str, answer: str) -> Comparison:
    """Compare a guess that ``not_a_guess`` has let through; an empty one is no guess, and the answer alone is said."""
    shown = answer.replace("-", "−")
    if not guess:
        return Comparison(right=False, words=f"It is {shown}.")
    if question.choices:
        said = _choice(question, guess)
        if said == answer:
            return Comparison(right=True, words=f"Right: {answer}.")
        return Comparison(right=False, words=f"You said {said}; it is {answer}.")
    if question.tolerance is None:
        if _bare(guess) == _bare(answer):
            return Comparison(right=True, words=f"Right: {shown}.")
        return Comparison(right=False, words=f"You said {guess}; it is {shown}.")
    return _compare_numbers(question, guess, float(answer), shown)


def _compare_numbers(question: Question, guess: str, answer: float, shown: str) -> Comparison:
    said = _number(guess)
    assert said is not None, "not_a_guess lets numbers through only"
    assert question.tolerance is not None, "a question without a tolerance is compared as text"
    if said == answer:
        return Comparison(right=True, words=f"Right: {shown}.")
    allowed = question.tolerance * (abs(answer) if question.relative else 1.0)
    off = abs(said - answer)
    if off <= allowed * (1 + 1e-9):
        return Comparison(right=True, words=f"Close enough: you said {guess}, it is {shown}.")
    if not math.isfinite(off):
        return Comparison(right=False, words=f"You said {guess}; it is {shown}.")
    side = "low" if said < answer else "high"
    return Comparison(right=False, words=f"You said {guess}; it is {shown}. That is {off:,.4g} too {side}.")


def _choice(question: Question, guess: str) -> str | None:
    """The choice that is meant: the word, or a beginning of it that no other has."""
    near = [choice for choice in question.choices if choice.lower().startswith(guess.lower())]
    exact = [choice for choice in near if choice.lower() == guess.lower()]
    return (exact or near)[0] if exact or len(near) == 1 else None


def _number(guess: str) -> float | None:
    """The number typed, with a comma between thousands, a true minus or a percent sign allowed."""
    plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", guess.replace("−", "-")).removesuffix("%").strip()
    try:
        return float(plain)
    except ValueError:
        return None


def _bare(text: str) -> str:
    """Text without what people write differently: spaces, brackets, a last comma."""
    return re.sub(r"[\s()\[\]]", "", text.replace("−", "-")).rstrip(",").lower()
