"""``descend annotate RUN`` on the command line: pages of several widths, scripts that changed, and what cannot be annotated."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import descend
from check.harness import run_watched
from descend import cli
from descend.show.annotated import _code
from explain.annotated_runs import Runs, run_programs
from test_tutorials import as_notebook

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    yield from run_programs(tmp_path_factory.mktemp("annotated"))


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)

    def command(*words: object, columns: int = 80) -> tuple[int, str, str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        status = cli.main(["annotate", *map(str, words)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return command


@pytest.fixture
def line(runs: Runs, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the run of a line, with its program beside the folder of runs as it was."""

    def line(*, notebook: bool = False) -> Path:
        run = runs.record("line_by_autograd", notebook=notebook)
        shutil.copytree(run.parent.parent, tmp_path / "copy")
        return tmp_path / "copy" / "runs" / run.name

    return line


def words_of(text: str) -> str:
    return " ".join(text.split())


# The page


def test_the_page_at_80_columns(runs: Runs, command: Command) -> None:
    status, out, err = command(runs.record("line_by_autograd"))
    assert (status, err) == (0, "")
    assert out.splitlines()[0].startswith("×: how often a line ran; of a loop, how often it went round.")
    at = out.index("27 ×150 │ for epoch in range(150):")
    assert "works out the prediction: multiplies rows by columns, then adds" in words_of(out[at:])
    assert "│     learns: takes a step against the slope, which is downhill\n" in out[at:]
    assert "41   ×6 │ " in out


@pytest.mark.parametrize("columns", [60, 80, 100, 120, 200])
@pytest.mark.parametrize("name", ["line_by_autograd", "softmax_from_tensors"])
@pytest.mark.parametrize("words", ["plain", "usual", "terse"])
def test_no_line_is_wider_than_the_page_and_no_code_is_lost(
    name: str, words: str, columns: int, runs: Runs, command: Command
) -> None:
    run = runs.record(name)
    status, out, _ = command(run, "--words", words, columns=columns)
    assert status == 0
    assert max(len(line) for line in out.split(f"{name}.py\n", 1)[1].splitlines()) <= columns
    shown = "".join(out.replace("│", " ").split())
    source = (run.parent.parent / f"{name}.py").read_text()
    for text in source.splitlines():
        if columns < 110:  # else the notes stand between the pieces of a broken line
            assert "".join(text.split()) in shown


def test_notes_stand_beside_the_lines_of_a_wide_page(runs: Runs, command: Command) -> None:
    _, out, _ = command(runs.record("line_by_autograd"), columns=120)
    assert any(
        line.startswith("31 ×150 │     loss.backward()   ") and "goes back from the loss" in line
        for line in out.splitlines()
    )


def test_a_notebook_is_shown_cell_by_cell(runs: Runs, command: Command) -> None:
    status, out, err = command(runs.record("line_by_autograd", notebook=True), "--words", "terse", columns=60)
    assert (status, err) == (0, "")
    heads = [line for line in out.splitlines() if line.startswith("line_by_autograd.ipynb")]
    assert heads == [f"line_by_autograd.ipynb cell {number}" for number in range(1, 6)]
    assert " 5 ×150 │ for epoch in range(150):\n" in out
    assert max(map(len, out.splitlines())) <= 60


def test_without_a_terminal_no_colour_and_ascii_where_that_is_all(
    runs: Runs, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, out, _ = command(runs.record("line_by_autograd"))
    assert "\x1b" not in out
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    monkeypatch.setattr("rich.console.ConsoleOptions.ascii_only", property(lambda _: True))
    _, out, _ = command(runs.record("line_by_autograd"))
    assert out.isascii()
    assert "27 x150 | for epoch in range(150):" in out


def test_json(runs: Runs, command: Command) -> None:
    status, out, _ = command(runs.record("line_by_autograd"), "--json")
    found = json.loads(out)
    assert status == 0
    assert [line["number"] for line in found["files"][0]["lines"]] == list(range(1, 45))


# Scripts and notebooks that are not what they were


def test_a_script_that_changed_is_shown_as_it_was_run(line: Callable[..., Path], command: Command, runs: Runs) -> None:
    run = line()
    script = runs.record("line_by_autograd").parent.parent / "line_by_autograd.py"
    before = script.read_text()
    try:
        script.write_text(before.replace("range(150)", "range(7)"))
        status, out, _ = command(run, columns=300)
        found = json.loads(command(run, "--json")[1])
        script.unlink()
        _, gone, _ = command(run, columns=300)
    finally:
        script.write_text(before)
    said = "this is the text that was run, from the record"
    assert status == 0
    assert f"{script} has changed since it was run: {said}" in words_of(out)
    assert "for epoch in range(150):" in out
    assert "range(7)" not in out
    assert found["files"][0]["changed"]
    assert f"{script} is no longer there: {said}" in words_of(gone)
    assert "has changed" not in command(run)[1]


@pytest.mark.parametrize(
    ("now", "what"),
    [
        ("changed", "has changed since it was run (cell 4)"),
        ("without cells", "has no code any more"),
        ("no notebook", "has no code any more"),
        ("moved", "is not found from here"),
        ("the same", None),
    ],
)
def test_a_notebook_that_is_not_what_it_was(
    now: str, what: str | None, line: Callable[..., Path], command: Command
) -> None:
    run = line(notebook=True)
    path = run.parent.parent / "line_by_autograd.ipynb"
    content = path.read_text()
    path.unlink()
    if now == "changed":
        path.write_text(content.replace("range(150)", "range(7)"))
    elif now == "without cells":
        path.write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    elif now == "no notebook":
        path.write_text("print(1)")
    elif now == "the same":
        path.write_text(content)
    recorded = json.loads(command(run, "--json")[1])
    status, out, _ = command(run, columns=200)
    assert status == 0
    assert "for epoch in range(150):" in out
    expected = f"line_by_autograd.ipynb {what}: this is the text that was run, from the record"
    assert recorded["notes"] == ([] if what is None else [expected])
    assert (what is not None) == all(each["changed"] for each in recorded["files"])


# Programs that tell little


def watched(folder: Path, text: str, name: str = "script.py") -> Path:
    program = folder / name
    program.write_text(text)
    run_watched(program, (), folder)
    (run,) = (each for each in (folder / "runs").iterdir() if each.is_dir() and not each.is_symlink())
    return run


def test_a_script_that_trains_nothing(tmp_path: Path, command: Command) -> None:
    run = watched(tmp_path, "import torch\n\nx = torch.ones(2, 3)\nprint(x.shape)\n")
    status, out, err = command(run)
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == "nothing was trained in this run: no line has a share of a step"
    assert "makes a tensor in which every number is 1" in out


def test_a_run_that_failed_says_nothing_of_how_often(tmp_path: Path, command: Command) -> None:
    run = watched(tmp_path, "import torch\n\nx = torch.ones(2)\nx.backward()\nprint(x)\n")
    status, out, _ = command(run, columns=100)
    assert status == 0
    assert "the run did not come to its end (failed): how often its lines ran is not known" in words_of(out)
    assert "×1" not in out
    assert "makes a tensor in which every number is 1" in out


def test_a_cell_that_is_no_python_keeps_its_lines(tmp_path: Path, command: Command) -> None:
    text = "# %%\nimport torch\n\n# %%\n%time x = torch.ones(3)\ny = !echo 1\n\n# %%\nx = torch.zeros(2)\n"
    run = watched(tmp_path, as_notebook(text), "strange.ipynb")
    status, out, _ = command(run, columns=100)
    assert status == 0
    assert "strange.ipynb cell 2 is not Python throughout: its lines have no notes" in words_of(out)
    assert "y = !echo 1" in out
    assert "makes a tensor filled with 0" in out


# What cannot be annotated


def test_a_run_of_train(tmp_path: Path, command: Command) -> None:
    descend.train("scores", epochs=2, name="scores", runs=str(tmp_path / "runs"), progress=False)
    status, out, err = command("scores", columns=200)
    assert (status, out) == (2, "")
    assert err == (
        "descend: scores was trained by descend: there is no script of yours to annotate\n"
        "  where: runs/scores\n"
        "  help: descend eject scores > train.py writes its script; descend run train.py, and annotate that\n"
    )


def test_a_run_that_is_not_there(tmp_path: Path, command: Command) -> None:
    (tmp_path / "runs").mkdir()
    status, out, err = command("nothing")
    assert (status, out) == (2, "")
    assert err.startswith("descend: there is no run 'nothing'\n  where: runs\n  help: ")


def test_a_record_without_code(tmp_path: Path, command: Command) -> None:
    empty = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    run = watched(tmp_path, empty, "empty.ipynb")
    status, out, err = command(run, columns=200)
    assert (status, out) == (2, "")
    assert err == (
        f"descend: the record of {run.name} holds no code: nothing was run, or a notebook without code\n"
        f"  where: {run}\n"
        "  help: descend run SCRIPT makes a record that can be annotated\n"
    )


def test_a_wording_that_does_not_exist(command: Command) -> None:
    status, out, err = command("last", "--words", "long")
    assert (status, out) == (2, "")
    assert err.startswith("descend: --words long")
    assert "[choices: plain, usual, terse]" in words_of(command("--help", columns=100)[1].replace("│", " "))


# The page in docs/


def comparable(text: str) -> list[str]:
    """Lines without the shares of time, which differ from run to run."""
    return [re.sub(r"\d+ %", "N %", line) for line in text.splitlines()]


def test_what_the_page_in_docs_shows_is_what_is_printed(tmp_path: Path, command: Command) -> None:
    page = (Path(__file__).parents[2] / "docs" / "annotate.md").read_text(encoding="utf-8")
    ((script),) = re.findall(r"^```python\n(.+?)^```$", page, re.MULTILINE | re.DOTALL)
    excerpts = dict(re.findall(r"^<!-- (\w+) -->\n```text\n(.+?)^```$", page, re.MULTILINE | re.DOTALL))
    assert set(excerpts) == {"plain", "terse", "changed"}
    assert page.count("```text") == len(excerpts)
    run = watched(tmp_path, script, "line.py")
    for words in ("plain", "terse"):
        shown = comparable(command(run, "--words", words)[1])
        wanted = comparable(excerpts[words])
        at = shown.index(wanted[0])
        assert shown[at : at + len(wanted)] == wanted
    (tmp_path / "line.py").write_text(script + "\n")
    assert excerpts["changed"].strip() in words_of(command(run, columns=300)[1])


@pytest.mark.parametrize("sign", ["1,", "漢", "e\u0301", "(" * 7])
def test_a_line_of_any_length_is_broken_into_rows_that_fit(sign):
    code = f"x = [{sign * 3_000}]"
    rows = _code(code, 40)
    assert "".join(row.plain.strip() for row in rows).replace("x =[", "x = [") == code
    assert all(row.cell_len <= 40 for row in rows)
