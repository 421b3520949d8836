"""`descend eject`: where the script and its rows lie, what a record can put into it, and what is said when there is no script."""

import ast
import io
import json
import shutil
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

import descend
from descend import run as door
from descend.cli import main
from descend.data import kept
from descend.data.arrays import from_arrays
from descend.data.kept import KEPT_ROWS, keep, read_kept, starts
from descend.errors import DataError, ModelError, RecordError, StorageError, UsageError
from descend.train.eject.facts import quoted
from descend.train.eject.rows import shortest

X = np.random.default_rng(0).normal(size=(90, 3)).astype(np.float32)
CLASSES = (X[:, 0] > 0).astype(int)
NET = """
from torch import nn
class Net(nn.Module):
    def __init__(self, in_features, width=4):
        super().__init__()
        self.a = nn.Linear(in_features, 2)
    def forward(self, x):
        return self.a(x)
"""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def train(data="scores", **options):
    return descend.train(data, progress=False, **{"epochs": 2, "threads": 1, **options})


def losses_of(script, folder="."):
    """What the script's last line prints when it is asked for its losses, in a process that knows nothing of descend."""
    code = f"import runpy; print(runpy.run_path({str(script)!r})['losses'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder)
    return json.loads(done.stdout.splitlines()[-1])


def change(run, **columns):
    """Write other values into the record, as a stranger could."""
    database = sqlite3.connect(run.path / "record.sqlite")
    for column, value in columns.items():
        database.execute(f"UPDATE run SET {column} = ?", (value,))
    database.commit()
    database.close()


# The command


def test_the_script_goes_to_stdout_as_utf_8_whatever_the_terminal_takes(capfdbinary):
    run = train()
    assert main(["eject", "last"]) == 0
    printed = capfdbinary.readouterr()
    assert printed.out.decode() == run.script()
    assert printed.err == b""


def test_a_closed_stdout_takes_nothing(monkeypatch, capfd):
    train()
    monkeypatch.setattr("sys.stdout", None)
    assert main(["eject", "last"]) == 0
    assert capfd.readouterr().err == ""


def test_a_file_is_written_once_and_said(capsys):
    run = train()
    assert main(["eject", "last", "--output", "plain.py"]) == 0
    assert capsys.readouterr().out == "plain.py does the training of scores-1: python plain.py\n"
    assert Path("plain.py").read_text(encoding="utf-8") == run.script()
    assert main(["eject", "last", "--output", "plain.py"]) == 2
    assert capsys.readouterr().err == (
        "descend: there is a file plain.py already\n  where: plain.py\n  help: choose another name, or move that file away\n"
    )


def test_the_answer_as_an_object(capsys):
    run = train()
    assert main(["eject", "last", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"run": "scores-1", "output": None, "script": run.script()}
    assert main(["eject", "scores-1", "--json", "--output", "a.py"]) == 0
    assert json.loads(capsys.readouterr().out)["output"] == "a.py"


def test_a_run_that_is_not_there(capsys):
    train()
    assert main(["eject", "scoers-1"]) == 2
    assert "there is no run 'scoers-1' (did you mean 'scores-1'?)" in capsys.readouterr().err


def test_a_watched_run_is_its_own_script(capfd):
    Path("mine.py").write_text(
        "import torch\nw = torch.zeros(1, requires_grad=True)\n(w - 1).square().sum().backward()\n"
    )
    subprocess.run([sys.executable, "-m", "descend", "run", "--quiet", "mine.py"], check=True)
    assert main(["eject", "last"]) == 2
    assert capfd.readouterr().err == (
        "descend: 'mine-1' is a run of a script of your own, so that script is it already\n"
        "  where: mine.py\n"
        "  help: eject writes the script of a run that descend train has made\n"
    )


def test_a_run_that_never_began():
    folder = Path("runs/nothing")
    folder.mkdir(parents=True)
    door.Writer(folder).close()
    with pytest.raises(RecordError, match="the run 'nothing' ended before it said what it trains"):
        descend.Run(folder).script()


# Rows of arrays


def test_rows_are_written_beside_the_script_and_move_with_it(tmp_path):
    run = train((X, CLASSES))
    run.script("script.py")
    away = tmp_path / "a folder with 'quotes'"
    away.mkdir()
    for name in ("script.py", "script.safetensors"):
        shutil.move(name, away / name)
    shutil.rmtree("runs/arrays-1/tensors")
    assert losses_of(away / "script.py", folder="/") == run.losses


def test_rows_are_not_written_over_those_of_another_script():
    run = train((X, CLASSES))
    Path("script.safetensors").touch()
    with pytest.raises(UsageError, match=r"there is a file script\.safetensors already"):
        run.script("script.py")
    assert not Path("script.py").exists()


def test_a_built_in_set_needs_no_rows_and_arrays_keep_theirs():
    assert not (train().path / KEPT_ROWS).exists()
    assert (train((X, CLASSES)).path / KEPT_ROWS).is_file()


def test_a_set_of_somebodys_own_with_the_name_of_a_built_in_one_is_not_taken_for_it():
    run = train(from_arrays(X, CLASSES, name="scores"))
    assert run.recipe.data == "scores"
    run.script("script.py")
    assert losses_of("script.py") == run.losses


def test_rows_that_are_too_many_are_not_kept(monkeypatch):
    monkeypatch.setattr(kept, "LARGEST_KEPT", 1000)
    run = train((X, CLASSES))
    with pytest.raises(DataError) as caught:
        run.script()
    assert caught.value.what == "the rows that 'arrays-1' learned from, 'arrays', are not in the run folder"
    assert caught.value.help == "rows of at most 64 MB are kept: train again with fewer of them"


def test_a_disk_that_refuses_the_rows_does_not_stop_the_training(monkeypatch):
    def refuse(dataset, folder):
        raise StorageError("cannot write data.safetensors: no space left on device")

    monkeypatch.setattr(door, "keep", refuse)
    console = Console(file=io.StringIO(), width=120)
    run = descend.train((X, CLASSES), epochs=2, progress=console)
    assert run.report["status"] == "finished"
    said = "the rows are not kept for descend eject: cannot write data.safetensors: no space left on device"
    with run.record() as record:
        assert [each.text for each in record.messages()] == [said]


@pytest.mark.parametrize("with_test", [False, True])
@pytest.mark.parametrize("targets", [CLASSES, X[:, :2], X[:, 0]], ids=["classes", "table", "column"])
def test_kept_rows_are_read_as_they_were(tmp_path, targets, with_test):
    dataset = from_arrays(X[::2], targets[::2], test=(X[1::2], targets[1::2]) if with_test else None)
    keep(dataset, tmp_path)
    found = read_kept(tmp_path)
    for part in ("train", "test") if with_test else ("train",):
        one, other = getattr(dataset, part), getattr(found, part)
        assert torch.equal(one.features, other.features)
        assert torch.equal(one.targets, other.targets)
    assert (found.name, found.title, found.task) == (dataset.name, dataset.title, dataset.task)
    assert (found.feature_names, found.target_names) == (dataset.feature_names, dataset.target_names)
    assert (found.test is not None) == with_test
    content = (tmp_path / KEPT_ROWS).read_bytes()
    begins = starts(tmp_path)["x_train"]
    assert struct.unpack("<f", content[begins : begins + 4])[0] == X[0, 0]


def test_no_rows_are_none(tmp_path):
    assert read_kept(tmp_path) is None


@pytest.mark.parametrize("damage", ["empty", "cut", "no facts", "other facts", "other tensors"])
def test_damaged_rows_are_refused(tmp_path, damage):
    from safetensors.torch import save

    path = tmp_path / KEPT_ROWS
    keep(from_arrays(X, CLASSES), tmp_path)
    tensors = {"x_train": torch.from_numpy(X), "y_train": torch.from_numpy(CLASSES)}
    path.write_bytes(
        {
            "empty": b"",
            "cut": path.read_bytes()[:-9],
            "no facts": save(tensors),
            "other facts": save(tensors, {"facts": '{"task": ["classes"], "name": 3}'}),
            "other tensors": save(
                {"x_train": torch.zeros(3), "y_train": torch.zeros(4)}, {"facts": '{"task": "classes"}'}
            ),
        }[damage]
    )
    with pytest.raises(DataError) as caught:
        read_kept(tmp_path)
    assert caught.value.what == "the rows of the run are damaged, or were not written by descend"
    assert caught.value.help == "copy the whole run folder again, or train again"


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@example(999999986991104.0)  # 1000000000000000.0 has fewer digits, and a longer text
def test_the_shortest_text_of_a_number_is_read_back_as_the_same_number(number):
    tensor = torch.tensor(number, dtype=torch.float32)
    text = shortest(tensor)
    assert torch.equal(torch.tensor(float(text), dtype=torch.float32), tensor)
    assert len(text) <= len(repr(number))


@given(st.text(max_size=30))
def test_a_path_is_written_as_python_reads_it(text):
    assert ast.literal_eval(quoted(text)) == text


# Records from strangers


def test_the_text_of_a_record_cannot_become_code():
    run = train()
    code = '"""\nimport os; os.system("echo")  # \\"""\n\\'
    honest = ast.dump(ast.parse(run.script()).body[1])
    with run.record() as record:
        environment = record.info.environment
    change(run, title=code, environment=json.dumps(environment | {"architecture": code, "torch": code}))
    text = run.script()
    tree = ast.parse(text)
    assert ast.dump(tree.body[1]) == honest
    assert "os.system('echo')" in ast.get_docstring(tree)
    assert not any("os.system" in ast.dump(node) for node in tree.body[1:])


def test_a_recipe_of_a_stranger_is_checked():
    run = train()
    recipe = run.recipe.as_json()
    change(run, recipe=json.dumps(recipe | {"lr": "0.1); import os", "momentum": "x"}))
    with pytest.raises(UsageError, match="2 settings are wrong"):
        run.script()
    change(run, recipe=json.dumps(recipe | {"model": "x.py:Net\nimport os"}))
    Path("x.py").write_text(NET)
    with pytest.raises(ModelError, match="a script cannot import"):
        run.script()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("interrupted", "The run was interrupted after step 2; the script goes on to the end."),
        ("diverged", "The loss of the run stopped being a finite number at step 2; so does that of the script."),
        ("finished", ""),
    ],
)
def test_how_the_run_ended_is_said(status, said):
    run = train()
    change(run, status=status)
    docstring = " ".join(ast.get_docstring(ast.parse(run.script())).split())
    assert docstring.endswith(said or "every loss is the run's, bit for bit.")


def test_a_diverged_training_diverges_again():
    with pytest.raises(descend.Diverged):
        train((X * 100, X[:, 0]), model="linear", optimizer="sgd", lr=1.0, epochs=20, name="bad")
    run = descend.Run("runs/bad")
    run.script("script.py")
    found = [float(loss) for loss in losses_of_text("script.py")]
    assert found[: len(run.losses) - 1] == run.losses[:-1]
    assert not np.isfinite(found[len(run.losses) - 1])


def losses_of_text(script):
    code = f"import runpy; print(*runpy.run_path({script!r})['losses'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()


# Models from files


def test_the_file_of_the_model_is_found_from_anywhere(tmp_path, monkeypatch):
    Path("step.py").write_text(NET)  # the name of a file of ours that every record keeps
    run = train((X, CLASSES), model="step.py:Net", runs=str(tmp_path / "runs"))
    run.script("script.py")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert f'sys.path.insert(0, "{tmp_path}")  # where step.py lies' in run.script().splitlines()
    assert losses_of(tmp_path / "script.py") == run.losses


def test_a_file_that_was_changed_is_said():
    Path("net.py").write_text(NET)
    run = train((X, CLASSES), model="net.py:Net")
    assert "has been changed" not in run.script()
    Path("net.py").write_text(NET + "\n# later")
    assert "net.py has been changed since the run" in " ".join(run.script().split())


def test_a_file_that_is_gone():
    Path("net.py").write_text(NET)
    run = train((X, CLASSES), model="net.py:Net")
    Path("net.py").unlink()
    with pytest.raises(ModelError) as caught:
        run.script()
    assert caught.value.what == "the file of the model, net.py, is not there any more"
    assert caught.value.help == "put it back; run.record().sources() in Python has its text"
    with run.record() as record:
        assert NET in record.sources().values()


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("my-net.py", NET, "a script cannot import Net from my-net.py: that is no name of a module"),
        ("random.py", NET, "a script cannot import Net from random.py: Python has a module of that name"),
        (
            "net.py",
            "from torch import nn\nclass Net(nn.Linear):\n    __init__ = lambda self: nn.Linear.__init__(self, 3, 2)\n",
            "the text of net.py does not tell which arguments Net takes, and it is not run to find out",
        ),
    ],
)
def test_models_that_a_script_cannot_make(file, text, said):
    Path(file).write_text(text)
    run = train((X, CLASSES), model=f"{file}:Net")
    with pytest.raises(ModelError) as caught:
        run.script()
    assert caught.value.what == said
    assert caught.value.help


def test_a_file_that_is_no_python_any_more():
    Path("net.py").write_text(NET)
    run = train((X, CLASSES), model="net.py:Net")
    Path("net.py").write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match=r"net\.py cannot be read as Python"):
        run.script()


# The page


def test_the_excerpt_on_the_page_is_the_programs():
    page = (Path(__file__).parent.parent / "docs" / "eject.md").read_text(encoding="utf-8")
    (excerpt,) = [part.split("```")[0] for part in page.split("```python\n")[1:]]
    script = descend.train("scores", progress=False, epochs=1).script()
    assert [line for line in excerpt.splitlines() if line not in ("", "…") and line not in script.splitlines()] == []
