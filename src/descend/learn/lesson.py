"""A lesson as it stands in its file: Markdown that reads well as it is, with the little that running it needs.

The file begins with three settings between lines of ``---``: ``order``, ``line`` (for the list) and ``minutes``; then a title, and
parts that begin with ``## ``. In a part:

- A ``python`` block is run, in one namespace for the whole lesson; an ``sh`` block holds commands that begin with ``descend``. What it
  prints stands in the ``text`` block right below. ``<!-- keep: WORDS; WORDS -->`` above a block keeps only the lines that hold
  one of the words; ``…`` stands for the others. Its output is the variable ``_output`` for what follows.
- A number in a sentence comes from the run: ``0.25<!--{loss:.2f}-->`` is the value as it was, then where it comes from.
- ``> ? What will the loss be? <!--answer {loss:.4f} within 10 %-->`` asks. The answer is taken after the code that follows, if any
  does. Instead of ``within`` there may be ``of up, down`` (words to choose from) or ``exactly`` (text, as of a shape).
- Any other block is shown as it is.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from descend.errors import UsageError, did_you_mean

FOLDER = Path(__file__).parent / "lessons"
VALUE = re.compile(r"(?P<old>[^\s<>(){}\[\]\"'`*]+)<!--\{(?P<template>.+?)\}-->")
_ANSWER = re.compile(r"\s*<!--answer \{(?P<template>.+?)\} (?P<how>.+?)-->\s*")
_KEEP = re.compile(r"<!-- keep: (.+?) -->")
_SETTING = re.compile(r"(\w+): (.+)")


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph or a list; its numbers as ``old<!--{template}-->``."""

    line: int  # in the file, from 1
    text: str


@dataclass(frozen=True, slots=True)
class Verbatim:
    """A formula or another block to be shown as it is."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """Something to predict, and how a guess is compared."""

    line: int
    text: str
    template: str  # of the answer: ``expression:format``
    choices: tuple[str, ...] = ()
    tolerance: float | None = None  # None: compared as text
    relative: bool = False  # the tolerance is a share of the answer


@dataclass(frozen=True, slots=True)
class Code:
    """What is run, and what it printed when the lesson was written."""

    line: int
    language: str  # "python" or "sh"
    source: str
    output: str
    keep: tuple[str, ...] = ()


Block = Prose | Verbatim | Question | Code


@dataclass(frozen=True, slots=True)
class Part:
    """What is shown before the reader presses Enter."""

    title: str
    blocks: tuple[Block, ...]

    def turns(self) -> Iterator[tuple[Question | None, Sequence[Block]]]:
        """The blocks in their order; a question together with the code right below it, which has its answer."""
        at = 0
        while at < len(self.blocks):
            block = self.blocks[at]
            at += 1
            if not isinstance(block, Question):
                yield None, (block,)
                continue
            end = at
            while end < len(self.blocks) and isinstance(self.blocks[end], Code):
                end += 1
            yield block, self.blocks[at:end]
            at = end


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson, read."""

    name: str
    order: int
    line: str
    minutes: int
    title: str
    parts: tuple[Part, ...]
    text: str  # the file as it is

    @property
    def file(self) -> str:
        """The file's name, for messages."""
        return f"{self.name}.md"

    def blocks(self) -> Iterator[Block]:
        """Every block, in the order of the file."""
        for part in self.parts:
            yield from part.blocks


def lessons() -> list[Lesson]:
    """All lessons, in the order in which they are best read."""
    found = [parse(path.stem, path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.md")]
    return sorted(found, key=lambda lesson: lesson.order)


def find(name: str) -> Lesson:
    """The lesson of that name.

    Raises:
        UsageError: there is none; the message offers the nearest name and lists all of them.
    """
    every = {lesson.name: lesson for lesson in lessons()}
    if name in every:
        return every[name]
    raise UsageError(
        f"there is no lesson '{name}'{did_you_mean(name, every)}",
        help=f"the lessons are {', '.join(every)}; descend learn says what each is about",
    )


def parse(name: str, text: str) -> Lesson:
    """Read a lesson. Raises ``ValueError`` with the line where the file breaks the rules above."""
    lines = text.splitlines()
    settings, at = _settings(name, lines)
    title = ""
    parts: list[Part] = []
    blocks: list[Block] = []
    heading = ""
    for kind, line, chunk in _chunks(lines, at):
        if kind == "heading" and chunk[0].startswith("# "):
            title = chunk[0][2:]
        elif kind == "heading":
            parts.append(Part(heading or title, tuple(blocks)))
            heading, blocks = chunk[0].removeprefix("## "), []
        else:
            _add(blocks, kind, line, chunk, name)
    parts.append(Part(heading or title, tuple(blocks)))
    if not title or {"order", "line", "minutes"} - settings.keys():
        raise ValueError(f"{name}.md: a lesson needs a title, an order, a line and its minutes")
    return Lesson(
        name=name,
        order=int(settings["order"]),
        line=settings["line"],
        minutes=int(settings["minutes"]),
        title=title,
        parts=tuple(part for part in parts if part.blocks),
        text=text,
    )


def _settings(name: str, lines: list[str]) -> tuple[dict[str, str], int]:
    """The settings at the top, and the index of the line after them."""
    if not lines or lines[0] != "---" or "---" not in lines[1:]:
        raise ValueError(f"{name}.md: line 1: its settings stand between two lines of ---")
    end = lines.index("---", 1)
    found = [_SETTING.fullmatch(line) for line in lines[1:end]]
    return {each[1]: each[2] for each in found if each}, end + 1


def _chunks(lines: list[str], start: int) -> Iterator[tuple[str, int, list[str]]]:
    """Headings, fenced blocks and what else stands between empty lines: its kind, its first line from 1, its lines."""
    index = start
    while index < len(lines):
        line, first = lines[index], index
        index += 1
        if not line.strip():
            continue
        if line.startswith("```"):
            while lines[index] != "```":
                index += 1
            yield "fence", first + 1, lines[first:index]
            index += 1
            continue
        if line.startswith("#"):
            yield "heading", first + 1, [line]
            continue
        while index < len(lines) and lines[index].strip() and not lines[index].startswith(("```", "#")):
            index += 1
        yield "prose", first + 1, lines[first:index]


def _add(blocks: list[Block], kind: str, line: int, chunk: list[str], name: str) -> None:
    """The chunk as a block; an output joins the code above it, and what is kept of it the code below."""
    if kind == "fence":
        language, body = chunk[0].removeprefix("```"), "\n".join(chunk[1:])
        above = blocks[-1] if blocks else None
        if language in ("python", "sh"):
            keep: tuple[str, ...] = ()
            if isinstance(above, Prose) and (found := _KEEP.fullmatch(above.text)):
                keep = tuple(found[1].split("; "))
                blocks.pop()
            blocks.append(Code(line, language, body, "", keep))
        elif language == "text" and isinstance(above, Code) and not above.output:
            blocks[-1] = Code(above.line, above.language, above.source, body + "\n", above.keep)
        else:
            blocks.append(Verbatim(line, body))
    elif chunk[0].startswith("> ?"):
        blocks.append(_question(" ".join(each.removeprefix(">").strip() for each in chunk), line, name))
    else:
        blocks.append(Prose(line, "\n".join(chunk)))


def _question(text: str, line: int, name: str) -> Question:
    found = _ANSWER.search(text)
    if found is None:
        raise ValueError(f"{name}.md: line {line}: a question needs its <!--answer {{…}} …-->")
    asked = " ".join((text[: found.start()] + text[found.end() :]).removeprefix("?").split())
    template, how = found["template"], found["how"]
    if how == "exactly":
        return Question(line, asked, template)
    word, _, rest = how.partition(" ")
    if word == "of":
        return Question(line, asked, template, choices=tuple(rest.split(", ")))
    if word != "within":
        raise ValueError(f"{name}.md: line {line}: an answer is within, of or exactly, not '{word}'")
    relative = rest.endswith("%")
    tolerance = float(rest.removesuffix("%")) / (100 if relative else 1)
    return Question(line, asked, template, tolerance=tolerance, relative=relative)
