"""Where a lesson was left is kept in one file, and a file that cannot be read is no harm."""

import json
from pathlib import Path

import pytest

from descend.errors import StorageError
from descend.learn import place
from descend.learn.lesson import Lesson, find, parse
from descend.learn.place import Places


@pytest.fixture
def lesson() -> Lesson:
    return find("tensors")


def test_a_place_is_found_again_and_forgotten(tmp_path: Path, lesson: Lesson) -> None:
    file = tmp_path / "not" / "there" / "lessons.json"
    places = Places(file)
    assert (places.of(lesson), places.said) == (0, "")
    places.forget(lesson)
    assert not file.exists()
    places.keep(lesson, 3)
    places.keep(find("line"), 1)
    assert (Places(file).of(lesson), Places(file).of(find("line"))) == (3, 1)
    Places(file).forget(lesson)
    assert (Places(file).of(lesson), Places(file).of(find("line"))) == (0, 1)
    assert [each.name for each in file.parent.iterdir()] == ["lessons.json"]


def test_a_lesson_with_another_text_begins_anew(tmp_path: Path, lesson: Lesson) -> None:
    Places(tmp_path / "lessons.json").keep(lesson, 3)
    changed = parse(lesson.name, lesson.text.replace("box", "crate"))
    assert Places(tmp_path / "lessons.json").of(changed) == 0


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe", b""])
def test_a_file_that_cannot_be_read(content: bytes, tmp_path: Path, lesson: Lesson) -> None:
    file = tmp_path / "lessons.json"
    file.write_bytes(content)
    places = Places(file)
    assert places.of(lesson) == 0
    assert places.said == f"where you left the lessons cannot be read ({file}): they begin anew"
    places.keep(lesson, 2)
    assert Places(file).of(lesson) == 2


@pytest.mark.parametrize("entry", [7, {"part": 2}, {"part": "2"}, {"part": 99}, {"part": -1}, None])
def test_an_entry_that_makes_no_sense(entry: object, tmp_path: Path, lesson: Lesson) -> None:
    file = tmp_path / "lessons.json"
    Places(file).keep(lesson, 2)
    good = json.loads(file.read_text())[lesson.name]
    strange = {**good, **entry} if isinstance(entry, dict) and entry["part"] != 2 else entry
    file.write_text(json.dumps({lesson.name: strange}))
    assert Places(file).of(lesson) == 0


def test_a_place_that_cannot_be_written(tmp_path: Path, lesson: Lesson) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as caught:
        Places(tmp_path / "file" / "lessons.json").keep(lesson, 1)
    assert caught.value.what.startswith("cannot write lessons.json: ")


def test_the_file_is_where_the_system_keeps_such_things(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place.sys, "platform", "linux")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert place.default_file() == tmp_path / "descend" / "lessons.json"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert place.default_file() == tmp_path / ".local" / "state" / "descend" / "lessons.json"
    monkeypatch.setattr(place.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert place.default_file() == tmp_path / "local" / "descend" / "lessons.json"
