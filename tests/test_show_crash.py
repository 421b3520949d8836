import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from descend.show.crash import crash_panel

Crash = dict[str, Any]


def variable(name: str, shape: list[int] | None = None, **changes: Any) -> Crash:
    tensor = shape is not None
    return {
        "name": name,
        "shape": shape,
        "dtype": "float32" if tensor else None,
        "device": "cpu" if tensor else None,
        "requires_grad": False if tensor else None,
        "note": "",
        "came_from_line": None,
    } | changes


def crash(**changes: Any) -> Crash:
    return {
        "kind": "shapes",
        "title": "self.fc2 takes rows of 64 numbers and was given rows of 128",
        "file": "/home/u/train.py",
        "line": 13,
        "source": "return self.fc2(x)",
        "function": "forward",
        "variables": [
            variable("self.fc2", note="Linear, in_features 64, out_features 10", came_from_line=9),
            variable("x", [5, 128], requires_grad=True, note="computed", came_from_line=12),
        ],
        "expected": "an input of shape (…, 64)",
        "because": "x has 128 in its last axis, self.fc2 was made for 64",
        "fix": ["        self.fc2 = nn.Linear(128, 10)"],
        "fix_at": {"file": "/home/u/train.py", "first": 9, "last": 9},
        "url": "https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html",
    } | changes


def shown(crash: Crash, width: int = 80, **settings: Any) -> list[str]:
    page = io.StringIO()
    console = Console(file=page, width=width, highlight=False, markup=False, emoji=False, **settings)
    crash_panel(crash, console)
    return page.getvalue().splitlines()


def test_the_whole_panel() -> None:
    assert shown(crash()) == [
        "",
        "self.fc2 takes rows of 64 numbers and was given rows of 128",
        "",
        "  line       return self.fc2(x)",
        "             train.py:13 in forward",
        "",
        "  variable   shape      dtype     gradient   line",
        "  x          (5, 128)   float32        yes     12   computed",
        "  self.fc2   Linear, in_features 64, out_features 10 (line 9)",
        "",
        "  expected   an input of shape (…, 64)",
        "  here       x has 128 in its last axis, self.fc2 was made for 64",
        "  fix        self.fc2 = nn.Linear(128, 10)",
        "             in the place of line 9",
        "  more       https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html",
    ]


def test_an_error_that_is_not_known_is_shown_without_a_guess() -> None:
    lines = shown(
        crash(kind="unknown", title="RuntimeError: odd", expected="", because="", fix=[], fix_at=None, url=None)
    )
    assert lines[1] == "RuntimeError: odd"
    assert not [line for line in lines if line.startswith(("  expected", "  here", "  fix", "  more"))]
    assert "  x          (5, 128)   float32        yes     12   computed" in lines


def test_a_fix_of_the_line_itself_does_not_name_it() -> None:
    lines = shown(crash(fix=["    return self.fc2(x.T)"], fix_at={"file": "/home/u/train.py", "first": 13, "last": 13}))
    assert "  fix        return self.fc2(x.T)" in lines
    assert not [line for line in lines if "in the place" in line]


def test_a_fix_in_another_file_names_it() -> None:
    lines = shown(crash(fix_at={"file": "/home/u/model.py", "first": 3, "last": 5}))
    assert "             in the place of lines 3–5 of model.py" in lines


def test_lines_of_a_fix_keep_their_indentation_to_each_other() -> None:
    lines = shown(crash(fix=["    with torch.no_grad():", "        w -= 1"]))
    at = lines.index("  fix        with torch.no_grad():")
    assert lines[at + 1] == "                 w -= 1"


def test_devices_are_shown_where_they_differ_or_are_no_processor() -> None:
    two = [variable("x", [3]), variable("w", [3], device="cuda:0")]
    assert "  variable   shape   dtype     device" in shown(crash(variables=two))
    assert "  w          (3,)    float32   cuda:0" in shown(crash(variables=two))
    assert "  variable   shape   dtype" in shown(crash(variables=[variable("x", [3])]))


def test_more_variables_than_there_is_room_for_are_counted() -> None:
    many = [variable(f"x{number}", [number]) for number in range(12)]
    lines = shown(crash(variables=many))
    assert "  and 5 more" in lines
    assert len(lines) <= 25


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_panel_fits_its_width(width: int) -> None:
    several = [
        variable(
            "what reached model.layers[2]", [64, 128, 28, 28], requires_grad=True, note="computed", device="cuda:0"
        ),
        variable("a_rather_long_name_of_a_variable.attribute", [64, 1], came_from_line=1234),
        variable("model", note="a rather long note on something that stands in a variable of the line"),
    ]
    lines = shown(crash(variables=several, title="long words " * 20, because="why " * 200), width)
    assert len(lines) <= 25
    assert all(len(line) <= width for line in lines if not line.startswith("  fix"))


def test_text_of_the_program_is_no_markup_and_moves_no_cursor() -> None:
    lines = shown(
        crash(source="print('[bold]\x1b[2J')", title="[red]\x07", fix=["x = '\x1b[31m'"]), force_terminal=False
    )
    text = "\n".join(lines)
    assert "[bold]" in text
    assert "[red]" in text
    assert "\x1b" not in text
    assert "\x07" not in text


def test_only_ascii_where_that_is_all_there_is() -> None:
    class Ascii(io.TextIOWrapper):
        pass

    page = Ascii(io.BytesIO(), encoding="ascii")
    console = Console(file=page, width=80, highlight=False, markup=False, emoji=False)
    crash_panel(crash(expected="(n, k) @ (k, m) – yes", title="plain", url=None), console)
    page.seek(0)
    assert "(n, k) @ (k, m) - yes" in page.read()


@given(st.text(max_size=80), st.lists(st.text(max_size=40), max_size=8), st.integers(20, 120))
def test_any_text_is_shown(text: str, fix: list[str], width: int) -> None:
    lines = shown(crash(title=text, source=text, because=text, expected=text, fix=fix), width)
    assert len(lines) < 40
