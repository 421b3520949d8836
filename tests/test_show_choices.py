import io
from typing import Any

import pytest
from rich.console import Console

from descend.show.choices import dry_run, written

RECIPE = {"data": "mnist", "lr": 0.5, "sizes": [128], "clip": None, "shuffle": True, "epsilon": 1e-8}
CHOICES: list[dict[str, Any]] = [
    {"key": "data", "value": "mnist", "reason": "you said so", "by": "you"},
    {"key": "lr", "value": 0.5, "reason": "published for mnist", "by": "published"},
    {
        "key": "sizes",
        "value": [128],
        "reason": "one hidden layer is enough to bend the line between two classes",
        "by": "chosen",
    },
    {"key": "clip", "value": None, "reason": "gradients are used as they are", "by": "chosen"},
]


def printed(width: int = 80, title: str = "") -> str:
    file = io.StringIO()
    dry_run(RECIPE, CHOICES, Console(file=file, width=width), title=title)
    return file.getvalue()


def test_every_setting_its_value_and_the_reason_of_every_choice() -> None:
    assert (
        printed(title="mnist · 60,000 images")
        == """\
mnist · 60,000 images
Nothing is trained. These are the settings that would be:

  as you said
    data      mnist

  as published for this set
    lr        0.5

  chosen for you
    sizes     [128]   one hidden layer is enough to bend the line between two
                      classes
    clip      none    gradients are used as they are

  further settings
    shuffle   true
    epsilon   1e-08

To change one: --set key=value. To keep them: write them to a TOML file, for
--recipe FILE.
"""
    )


def test_in_a_narrow_terminal_reasons_stand_below() -> None:
    lines = printed(40).splitlines()
    at = lines.index("    sizes     [128]")
    assert lines[at + 1 : at + 4] == [
        "              one hidden layer is enough",
        "              to bend the line between",
        "              two classes",
    ]
    assert all(len(line) <= 60 for line in lines)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "true"),
        (False, "false"),
        (0.001, "0.001"),
        (64, "64"),
        ([256, 64], "[256, 64]"),
        ((), "[]"),
        ("a\x1b", "a\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_values_are_written_as_in_a_recipe(value: object, text: str) -> None:
    assert written(value) == text


def test_a_recipe_of_nothing() -> None:
    file = io.StringIO()
    dry_run({}, [], Console(file=file, width=80))
    assert "Nothing is trained" in file.getvalue()
