"""Run the lessons and write what they print, and the numbers in their sentences, into their files.

Usage: python scripts/lessons.py [NAME…]   (all lessons where no name is given)
"""

import sys
from itertools import pairwise

from descend.learn.lesson import FOLDER, Block, Code, Lesson, Prose, find, lessons
from descend.learn.running import Running, without_times


def written(lesson: Lesson) -> str:
    """The file with the outputs and numbers of a run. An output that differs in its times alone stays."""
    lines = lesson.text.splitlines()
    blocks = list(lesson.blocks())
    starts = [block.line - 1 for block in blocks]
    new = lines[: starts[0]]
    with Running(lesson) as running:
        for block, (start, end) in zip(blocks, pairwise([*starts, len(lines)]), strict=True):
            new += _written(block, lines[start:end], running)
    return "\n".join(new) + "\n"


def _written(block: Block, lines: list[str], running: Running) -> list[str]:
    """The lines of a block and what follows it up to the next, brought up to date."""
    if isinstance(block, Prose):
        length = len(block.text.splitlines())
        return [*running.with_numbers(block).splitlines(), *lines[length:]]
    if not isinstance(block, Code):
        return lines
    output = running.output(block)
    if without_times(output) == without_times(block.output):
        output = block.output
    source = lines[: lines.index("```") + 1]
    rest = lines[len(source) :]
    if block.output:
        first = rest.index("```text")
        rest = rest[rest.index("```", first) + 1 :]
    return [*source, *(["", "```text", *output.rstrip("\n").splitlines(), "```"] if output else []), *rest]


def main(names: list[str]) -> int:
    """Write the lessons; return the exit status."""
    for lesson in [find(name) for name in names] if names else lessons():
        text = written(lesson)
        changed = text != lesson.text
        if changed:
            (FOLDER / lesson.file).write_text(text, encoding="utf-8")
        print(f"{lesson.name}: {'written' if changed else 'as it was'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
