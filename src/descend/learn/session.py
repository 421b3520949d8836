"""Walks a lesson in the terminal: a part, a guess, the run, the comparison; Enter goes on, ``b`` back, ``q`` out."""

from collections.abc import Callable
from typing import Any

from rich.console import Console

from descend.errors import StorageError
from descend.learn.guess import compare, not_a_guess
from descend.learn.lesson import Block, Code, Lesson, Part, Prose, Question, Verbatim
from descend.learn.place import Places
from descend.learn.running import Running
from descend.show import lesson as show

Ask = Callable[[str], str]  # shows a prompt, gives the line typed; EOFError where nobody types

_BACK, _OUT = ("b", "back"), ("q", "quit", "out")


class _Left(Exception):
    """The reader typed ``q``."""


class _Back(Exception):
    """The reader typed ``b``."""


class Session:
    """One reader in one lesson."""

    def __init__(self, lesson: Lesson, running: Running, console: Console, ask: Ask, places: Places) -> None:
        self._lesson, self._running, self._console = lesson, running, console
        self._ask, self._places = ask, places
        self._can_keep = True

    def walk(self, *, restart: bool = False) -> bool:
        """Go through the lesson from where it was left; whether its end was reached. Ctrl-C is ``q``."""
        if restart:
            self._note(None)
        start = self._places.of(self._lesson)
        if self._places.said:
            show.remark(self._console, self._places.said)
        if start:
            show.remark(self._console, f"You were at part {start + 1} of {len(self._lesson.parts)}: on from there.")
        try:
            self._running.replay(self._lesson.parts[:start])
            self._parts(start)
        except (_Left, EOFError, KeyboardInterrupt):
            show.left(self._console, self._lesson.name, kept=self._can_keep)
            return False
        self._note(None)
        show.finished(self._console, self._lesson.title)
        return True

    def _parts(self, start: int) -> None:
        """From part to part, back where the reader wants to."""
        at, parts = start, self._lesson.parts
        while at < len(parts):
            self._note(at)
            last = at == len(parts) - 1
            try:
                self._part(at, parts[at])
                self._pause("Enter ends · b back · q out" if last else "Enter goes on · b back · q out")
                at += 1
            except _Back:
                at = max(0, at - 1)

    def _part(self, number: int, part: Part) -> None:
        show.heading(self._console, self._lesson.title, part.title, number + 1, len(self._lesson.parts))
        for question, blocks in part.turns():
            guess = self._guess(question) if question else ""
            for block in blocks:
                show_block(block, self._running, self._console)
            if question:
                found = compare(question, guess, self._running.answer(question))
                show.comparison(self._console, found.words, right=found.right, guessed=bool(guess))

    def _guess(self, question: Question) -> str:
        """What the reader expects; empty for no guess."""
        show.question(self._console, question.text, question.choices)
        while True:
            typed = self._read("your guess, or Enter · b back · q out")
            if not typed:
                return ""
            problem = not_a_guess(question, typed)
            if not problem:
                return typed
            show.remark(self._console, f"{problem}; guess again, or press Enter to go on.")

    def _pause(self, prompt: str) -> None:
        typed = self._read(prompt)
        while typed:
            show.remark(self._console, f"'{typed}' means nothing here: press Enter, or type b or q.")
            typed = self._read(prompt)

    def _read(self, prompt: str) -> str:
        typed = self._ask(prompt).strip()
        if typed.lower() in _OUT:
            raise _Left
        if typed.lower() in _BACK:
            raise _Back
        return typed

    def _note(self, part: int | None) -> None:
        """Keep the place; where that fails the lesson goes on, and it is said once."""
        if not self._can_keep:
            return
        try:
            if part:
                self._places.keep(self._lesson, part)
            else:
                self._places.forget(self._lesson)
        except StorageError as error:
            self._can_keep = False
            show.remark(self._console, f"Where you are is not kept: {error.what}.")


def print_all(lesson: Lesson, running: Running, console: Console) -> None:
    """The whole lesson, run and printed without waiting for anybody; below each question its answer."""
    for number, part in enumerate(lesson.parts, 1):
        show.heading(console, lesson.title, part.title, number, len(lesson.parts))
        for question, blocks in part.turns():
            if question:
                show.question(console, question.text, question.choices)
            for block in blocks:
                show_block(block, running, console)
            if question:
                found = compare(question, "", running.answer(question))
                show.comparison(console, found.words, right=False, guessed=False)


def as_json(lesson: Lesson, running: Running) -> dict[str, Any]:
    """The lesson, run, as JSON values."""
    parts = []
    for part in lesson.parts:
        found: list[dict[str, Any]] = []
        for question, blocks in part.turns():
            below = [_block_json(block, running) for block in blocks]
            above = [_question_json(question, running)] if question else []
            found += above + below
        parts.append({"title": part.title, "blocks": found})
    return {"lesson": lesson.name, "title": lesson.title, "minutes": lesson.minutes, "parts": parts}


def show_block(block: Block, running: Running, console: Console) -> None:
    """Show a block that asks nothing; code is run where it has not been."""
    match block:
        case Prose():
            show.prose_block(console, running.text(block))
        case Verbatim():
            show.verbatim(console, block.text)
        case Code():
            show.code(console, block.source, block.language)
            if block.language == "sh" and not running.has_run(block):
                show.waiting(console)
            show.printed(console, running.output(block))
        case Question():
            show.question(console, block.text, block.choices)


def _block_json(block: Block, running: Running) -> dict[str, Any]:
    match block:
        case Prose():
            return {"kind": "text", "text": running.text(block)}
        case Verbatim():
            return {"kind": "as is", "text": block.text}
        case Code():
            return {"kind": block.language, "source": block.source, "output": running.output(block)}
        case Question():
            return _question_json(block, running)


def _question_json(question: Question, running: Running) -> dict[str, Any]:
    answer = running.answer(question)
    return {"kind": "question", "text": question.text, "choices": list(question.choices), "answer": answer}
