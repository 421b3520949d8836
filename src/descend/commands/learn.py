"""``descend learn``."""

import sys
from typing import Annotated

from cyclopts import Parameter

from descend.commands.flags import JsonFlag
from descend.show.output import Output, open_output


def learn(
    lesson: Annotated[
        str | None, Parameter(name="LESSON", help="The lesson to walk through; without it all are listed.")
    ] = None,
    /,
    *,
    no_input: Annotated[bool, Parameter(help="Run and print all of it without waiting for anybody.")] = False,
    restart: Annotated[bool, Parameter(help="Begin anew, not where the lesson was left.")] = False,
    json: JsonFlag = False,
) -> int:
    """Learn training from scratch in short lessons: predict, run, compare."""
    from descend.learn.lesson import find
    from descend.learn.place import Places
    from descend.learn.running import WIDTH, Running
    from descend.learn.session import Session, as_json, print_all

    with open_output(as_json=json) as output:
        if lesson is None:
            return _list(output)
        found = find(lesson)
        with Running(found, width=min(WIDTH, output.console.width - 2)) as running:
            if output.as_json:
                output.answer(as_json(found, running))
            elif no_input or not (sys.stdin and sys.stdin.isatty() and output.console.is_terminal):
                print_all(found, running, output.console)
            else:
                Session(found, running, output.console, _ask, Places()).walk(restart=restart)
        return 0


def _list(output: Output) -> int:
    from descend.learn.lesson import lessons
    from descend.learn.place import Places
    from descend.show.lesson import lesson_list, remark

    places = Places()
    every = [(each, places.of(each)) for each in lessons()]
    if output.as_json:
        listed = [
            {
                "name": each.name,
                "line": each.line,
                "minutes": each.minutes,
                "parts": len(each.parts),
                "left_at": at + 1 if at else None,
            }
            for each, at in every
        ]
        output.answer({"lessons": listed})
        return 0
    lesson_list(
        output.console,
        [(each.name, each.line, each.minutes, f"at {at + 1} of {len(each.parts)}" if at else "") for each, at in every],
    )
    if places.said:
        remark(output.console, places.said)
    return 0


def _ask(prompt: str) -> str:
    return input(f"\n{prompt} > ")
