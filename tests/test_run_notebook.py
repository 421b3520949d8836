"""Notebooks under ``descend run``; ``descend.watch`` and ``%%watch`` from inside a program."""

import json
import os
import re
import subprocess
import sys

import pytest

from descend.errors import UsageError
from descend.record.reader import Reader
from descend.watch.notebook import read_notebook

LOOP = """
for epoch in range(5):
    loss = ((x * w - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.05 * w.grad
    w.grad = None
"""
BY_HAND = """
for epoch in range(5):
    loss = ((x * v - y) ** 2).mean()
    v = v - 0.05 * (2 * (x * v - y) * x).mean()
"""
SET_UP = "import torch\nx = torch.tensor([1.0, 2.0, 3.0])\ny = 2 * x\nw = torch.zeros(1, requires_grad=True)\nv = torch.zeros(1)"


def notebook(*cells):
    """The text of a notebook of code cells, with a cell of words and an empty one first."""
    code = [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in ("  \n", *cells)]
    words = {"cell_type": "markdown", "source": ["# A title\n", "and words"]}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [words, *code]})


@pytest.fixture
def ended(tmp_path):
    """Runs Python in an empty folder that is also the home folder; gives how it ended."""

    def ended(*words, **files):
        (tmp_path / "home").mkdir(exist_ok=True)
        for name, text in files.items():
            (tmp_path / name.replace("_", ".")).write_text(text)
        environment = {**os.environ, "HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1", "DESCEND_RUNS": "kept"}
        return subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=environment,
            timeout=120,
            check=False,
        )

    return ended


def test_cells_run_in_order_with_magics_and_results_as_text(ended, tmp_path):
    cells = (
        "%time a = 1\nimport sys; print(sys.argv[1:], __name__, sys.path[0])",
        ["from IPython.display import display, HTML\n", "display(HTML('<b>x</b>'))\n", "a + 1"],
        "!echo from the shell",
        "class Thing: pass\nimport pickle; type(pickle.loads(pickle.dumps(Thing()))) is Thing",
    )
    done = ended("-m", "descend", "run", "--quiet", "n.ipynb", "--lr", "3", n_ipynb=notebook(*cells))
    assert done.stderr == ""
    assert done.returncode == 0
    assert "CPU times" in done.stdout
    assert f"['--lr', '3'] __main__ {tmp_path}\n" in done.stdout
    assert "<IPython.core.display.HTML object>\nOut[2]: 2\n" in done.stdout
    assert "from the shell" in done.stdout
    assert "Out[4]: True" in done.stdout
    assert list((tmp_path / "home").iterdir()) == []  # no profile, no history


@pytest.mark.parametrize("loop", [LOOP, BY_HAND], ids=["autograd", "by hand"])
def test_steps_are_recorded_with_cell_and_line(loop, ended, tmp_path):
    cells = (SET_UP, f"def train():\n    pass\n{loop}\nprint(loss.item())")
    done = ended("-m", "descend", "run", "train.ipynb", train_ipynb=notebook(*cells))
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    with Reader(tmp_path / "kept" / "train-1") as record:
        assert len(record.steps().step) == 5
        assert record.info.title == "train.ipynb"
        assert record.sources() == {"train.ipynb cell 1": cells[0], "train.ipynb cell 2": cells[1]}
        places = {phase.file for phase in record.phases() if phase.file}
        assert places == {"train.ipynb cell 2"}


@pytest.mark.parametrize(
    ("cell", "status", "words"),
    [
        ("def f():\n    return 1 / 0\nf()", 1, ["ZeroDivisionError", "Cell In[2], line 2"]),
        ("x = = 1", 1, ["SyntaxError"]),
        ("import sys; sys.exit(3)", 3, []),
        (SET_UP + "\n(w * x).sum().backward(torch.ones(2))", 1, ["RuntimeError"]),
    ],
)
def test_an_error_stops_it_with_the_traceback_of_ipython(cell, status, words, ended):
    done = ended("-m", "descend", "run", "--quiet", "n.ipynb", n_ipynb=notebook("a = 1", cell, "print('after')"))
    assert done.returncode == status
    assert done.stdout == ""
    for word in words:
        assert word in done.stderr
    assert "descend" not in done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "the notebook cannot be read: no such file or directory"),
        ("", "this is not a notebook: it holds no JSON"),
        ("print(1)", "this is not a notebook: it holds no JSON"),
        ("[1, 2]", "this is not a notebook: its JSON has no cells"),
        ('{"cells": []}', "this is not a notebook: its JSON has no cells"),
        ('{"nbformat": 4, "cells": 5}', "this is not a notebook: its JSON has no cells"),
        ('{"nbformat": 4, "cells": [5]}', "this is not a notebook: its cell 1 is no object"),
        ("[" * 100_000, "this is not a notebook: it holds no JSON"),
    ],
)
def test_what_is_no_notebook_gets_one_clear_message(content, message, ended, tmp_path):
    path = tmp_path / "n.ipynb"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError) as caught:
        read_notebook(str(path))
    assert caught.value.what == message
    if content in (None, "[1, 2]"):
        done = ended("-m", "descend", "run", "n.ipynb")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"descend: {message}\n")
        assert not (tmp_path / "kept").exists()


def test_watch_keeps_a_record_of_a_block(ended, tmp_path):
    script = f"""
import descend
{SET_UP}
with descend.watch("mine") as run:
    assert descend.watch.__name__ == "watch"
    try:
        run.report
    except descend.DescendError as error:
        print(error.what)
{LOOP.replace(chr(10), chr(10) + "    ")}
print(run.path.name, run.report["steps"], run.report["status"], str(run) != "")
try:
    with descend.watch(runs="elsewhere"):
        raise KeyError("inside")
except KeyError:
    print("came out")
"""
    done = ended("train.py", train_py=script)
    assert done.stderr == ""
    assert done.stdout == "there is no report yet\nmine 5 finished True\ncame out\n"
    with Reader(tmp_path / "elsewhere" / "train-1") as record:
        assert record.status == "failed"


def test_watch_inside_a_watched_script_is_that_watch(ended, tmp_path):
    script = f"import descend\n{SET_UP}\nwith descend.watch('inner') as run:\n    pass\nprint(run.path.name)\n{LOOP}"
    done = ended("-m", "descend", "run", "--quiet", "train.py", train_py=script)
    assert (done.stderr, done.stdout) == ("", "train-1\n")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["train-1"]


LIVE = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="nocolor")
for cell in {cells!r}:
    print("cell", shell.run_cell(cell, store_history=True).success)
"""
FUNCTION = f"def train():{LOOP.replace(chr(10), chr(10) + '    ')}return loss.item()".replace("w -=", "w.data -=")


@pytest.fixture
def live(ended):
    """Runs cells in an IPython session, as a live notebook does; gives how it ended."""
    return lambda *cells: ended("session.py", session_py=LIVE.format(cells=cells))


def test_the_magic_watches_one_cell(live, tmp_path):
    done = live(SET_UP + "\n%load_ext descend", f"%%watch mine\n{LOOP}\nloss.item() < 20")
    assert "Out[2]: True" in done.stdout
    assert done.stdout.index("Out[2]: True") < done.stdout.index("mine")
    with Reader(tmp_path / "kept" / "mine") as record:
        assert len(record.steps().step) == 5
        assert record.sources() == {"cell 2": f"# %%watch mine\n{LOOP}\nloss.item() < 20\n"}
        lines = {phase.phase: phase.line for phase in record.phases() if phase.file}
    # In the person's cell: the magic is the first line, and LOOP begins with an empty one.
    assert (lines["forward"], lines["backward"], lines["update"]) == (4, 5, 7)


def test_a_cell_whose_magic_is_not_understood_says_so_in_one_line(live):
    done = live("%load_ext descend", "%%watch a b\n1", "%%watch ../a\n1")
    said = [line for line in (done.stdout + done.stderr).splitlines() if "UsageError" in line]
    assert said[0] == "UsageError: %%watch does not know what to do with 'a b'"
    assert len(said) == 2
    assert "Traceback" not in done.stdout + done.stderr


def test_what_other_cells_define_is_named_by_its_cell(live, tmp_path):
    in_block = "import descend\nwith descend.watch('block'):\n    train()"
    live(SET_UP + "\n%load_ext descend", "\n" + FUNCTION, "%%watch mine\ntrain()", in_block)
    for run in ("mine", "block"):
        with Reader(tmp_path / "kept" / run) as record:
            assert {(each.file, each.line) for each in record.phases() if each.phase == "backward"} == {("cell 2", 4)}
            assert record.sources()["cell 2"].splitlines()[3].strip() == "loss.backward()"


def test_an_error_in_a_watched_cell_is_shown_once_without_our_frames_and_ends_the_cell(live, tmp_path):
    cells = (f"%%watch mine\n{LOOP}\nx @ torch.ones(4)", "print('the next')", "1 / 0")
    done = live(SET_UP + "\n%load_ext descend", *cells)
    assert done.stdout.count("Traceback (most recent call last)") == 2  # of the watched cell, and of 1 / 0
    assert "Cell In[2], line 10" in done.stdout
    assert "---> 10 x @ torch.ones(4)" in done.stdout
    assert "descend/watch" not in done.stdout
    assert "The cell failed after 5 steps: RuntimeError" in done.stdout
    assert re.findall(r"^cell (True|False)$", done.stdout, re.MULTILINE) == ["True", "False", "True", "False"]
    assert "ZeroDivisionError" in done.stdout
    with Reader(tmp_path / "kept" / "mine") as record:
        assert record.status == "failed"


def test_a_watch_shows_itself_in_a_notebook(ended):
    script = f"""
import descend
{SET_UP}
with descend.watch("mine") as run:
    print(run._repr_html_())
    {LOOP.strip().replace(chr(10), chr(10) + "    ")}
print("Loss fell" in run._repr_html_(), "<pre" in run._repr_html_())
"""
    assert ended("train.py", train_py=script).stdout == "None\nTrue True\n"
