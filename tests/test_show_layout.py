import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from descend.show.layout import columns, facts, labelled, look_of, open_console, prose, put, safe, shorten
from descend.show.shown import as_plain_text


def console(**settings: object) -> Console:
    return Console(file=io.StringIO(), width=80, **settings)  # type: ignore[arg-type]


def printed(to: Console) -> str:
    assert isinstance(to.file, io.StringIO)
    return to.file.getvalue()


def test_a_number_is_never_torn_from_its_unit() -> None:
    lines = prose("It reads 97.7\N{NO-BREAK SPACE}% of 10,000\N{NO-BREAK SPACE}digits", 20)
    assert [line.plain.replace("\N{NO-BREAK SPACE}", " ") for line in lines] == ["It reads 97.7 % of", "10,000 digits"]


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=12), max_size=12), st.integers(20, 60))
def test_facts_fit_and_none_is_lost(words: list[str], width: int) -> None:
    lines = facts(words, width)
    assert all(line.cell_len <= width for line in lines)
    assert " · ".join(line.plain for line in lines).split(" · ") == (words or [""])


def test_a_fact_longer_than_a_line_is_wrapped() -> None:
    lines = facts(["a", "one two three four five six seven", "b"], 20)
    assert [line.plain for line in lines] == ["a", "one two three four", "five six seven · b"]


def test_columns_are_aligned_and_no_line_ends_in_spaces() -> None:
    lines = columns([["a", "1", ""], ["bb", "22", "note"]], "lrl", gap=2, indent="")
    assert [line.plain for line in lines] == ["a    1", "bb  22  note"]


def test_labels_stand_once() -> None:
    lines = labelled([("time", [Text("a"), Text("b")]), ("next", [Text("c")])])
    assert [line.plain for line in lines] == ["  time   a", "         b", "  next   c"]


def test_nothing_is_read_as_markup_and_spaces_are_plain() -> None:
    to = console()
    put(to, "[bold]x[/bold] :smile: 1\N{NO-BREAK SPACE}%   ", Text("y "))
    assert printed(to) == "[bold]x[/bold] :smile: 1 %\ny\n"


def test_long_lines_are_left_whole() -> None:
    to = console()
    put(to, "x" * 200)
    assert printed(to) == "x" * 200 + "\n"


def test_control_characters_are_made_visible() -> None:
    assert (
        safe("a\x1b[31mb\x07\u202ec\nd")
        == "a\N{REPLACEMENT CHARACTER}[31mb\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}c d"
    )


@given(st.text())
def test_safe_text_has_no_escape(text: str) -> None:
    assert safe(text).isprintable() or set(safe(text)) - {
        character for character in safe(text) if character.isprintable()
    } <= set("\N{NO-BREAK SPACE}\u3000" + "".join(character for character in text if not character.isascii()))
    assert "\x1b" not in safe(text)
    assert "\n" not in safe(text)


def test_an_ascii_stream_gets_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    put(Console(file=stream, width=80), "28×28 → 10 digits · 4–9 R² …")
    assert raw.getvalue() == b"28x28 > 10 digits - 4-9 R2 ~\n"


def test_what_a_stream_cannot_write_is_replaced_and_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    put(open_console(), "ŷ")
    assert raw.getvalue() == b"?\n"


def test_how_pictures_are_drawn() -> None:
    assert look_of(console(force_terminal=True, color_system="truecolor", legacy_windows=False)) == "grey"
    assert (
        look_of(console(force_terminal=True, color_system="truecolor", no_color=True, legacy_windows=False)) == "blocks"
    )
    assert look_of(console(force_terminal=True, color_system="standard", legacy_windows=False)) == "blocks"
    assert look_of(console()) == "blocks"
    assert look_of(Console(file=io.TextIOWrapper(io.BytesIO(), encoding="ascii"))) == "ascii"


def test_both_ends_of_a_long_name_stay() -> None:
    assert shorten("abcdefghij", 10) == "abcdefghij"
    assert shorten("abcdefghij", 7) == "abc…hij"


class _KernelStream(io.StringIO):
    """As a notebook's kernel has it: it says that it is a terminal, and is none."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_in_a_notebook_it_is_text_in_colours_and_nothing_moves(monkeypatch):
    monkeypatch.setattr(_KernelStream, "__module__", "ipykernel.iostream")
    stream = _KernelStream()
    monkeypatch.setattr(sys, "stdout", stream)
    console = open_console()
    console.print("x" * 99, style="#2f81c7")
    assert stream.getvalue() == f"\x1b[38;2;47;129;199m{'x' * 99}\x1b[0m\n"
    assert not console.is_terminal
    assert not console.is_jupyter


def test_plain_text_has_no_codes_even_where_colours_are_asked_for(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert as_plain_text(lambda console: console.print("loud", style="bold red")) == "loud"
