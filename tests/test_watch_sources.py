"""The texts of the files that events refer to: each once, when it first comes up."""

import linecache

import pytest

from descend.record.events import (
    Evaluation,
    Event,
    Fact,
    Message,
    Operations,
    PhaseTimes,
    Printed,
    SourcesSeen,
    Unseen,
    ValueRead,
)
from descend.watch.sources import SourceTexts, text_of

TEXT = "x = 1  # ×\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "steps.py"
    path.write_text(TEXT, encoding="utf-8")
    return str(path)


def events_at(file: str) -> list[Event]:
    place = (file, 1)
    return [
        PhaseTimes(1, {"update": 1.0}, {"update": place}),
        Evaluation(1, 1, 1, 0.1, False, (), place),
        Printed(1, "text", place),
        ValueRead(1, "item", 1.0, "loss", place),
        Operations(1, ({"file": file, "line": 1}, {"file": file, "line": 1})),
        Fact(1, "a kind", {}, place),
        Unseen("something", "a reason", place),
    ]


@pytest.mark.parametrize("number", range(7))
def test_each_file_is_told_once_with_its_text(file, number):
    texts = SourceTexts({})
    event = events_at(file)[number]
    assert list(texts.seen_with(event)) == [SourcesSeen({file: TEXT})]
    assert list(texts.seen_with(event)) == []
    assert list(SourceTexts({file: "known"}).seen_with(event)) == []


def test_events_without_a_place_and_files_without_a_text_tell_nothing(tmp_path):
    texts = SourceTexts({})
    quiet = [Message(1, "look", "train.py:3: a look"), Unseen("a", "b"), Fact(1, "kind", {}), Printed(1, "", ("", 0))]
    for event in [*quiet, *events_at(str(tmp_path / "gone.py")), *events_at("<string>")]:
        assert list(texts.seen_with(event)) == []


def test_cells_of_a_session_are_found_where_python_keeps_them(monkeypatch):
    name = "/tmp/ipykernel_1/234.py"
    monkeypatch.setitem(linecache.cache, name, (len(TEXT), None, [TEXT], name))
    assert text_of(name) == TEXT


def test_the_encoding_is_the_files_own(tmp_path):
    path = tmp_path / "latin.py"
    path.write_bytes(b"# coding: latin-1\nx = '\xd7'\n")
    assert text_of(str(path)) == "# coding: latin-1\nx = '×'\n"
    path.write_bytes(b"# coding: nonsense\nx = 1\n")
    assert text_of(str(path)) is None
