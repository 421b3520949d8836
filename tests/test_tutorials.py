"""``descend run`` on the five kinds of programs that people learn training with, as scripts and as notebooks, in fresh processes.

Each prints, ends and computes what it does under Python alone, to the last bit; and the record holds how it went.
"""

import gzip
import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from descend.record.reader import Reader

TUTORIALS = Path(__file__).parent / "tutorials"
MNIST = Path(__file__).parent.parent / "src" / "descend" / "data" / "mnist"
SHIM = """
import torch

plain = torch.library.register_fake


def register(name, *given, **named):
    return (lambda function: function) if str(name).startswith("torchvision::") else plain(name, *given, **named)


torch.library.register_fake = register
"""
ALL = ("data", "forward", "loss", "backward", "update", "zero")


@dataclass(frozen=True)
class Tutorial:
    """A program, and what its record must hold."""

    name: str
    final: tuple[str, ...]  # what is computed, as Python expressions for tensors
    steps: int
    parameters: tuple[tuple[int, str, tuple[int, ...], str], ...]  # step, name, shape, found through
    phases: dict[str, int]  # phase → line, of a later step
    timed: int  # that step
    sentence: str  # the beginning of what is said
    looks: int = 0
    evaluations: int = 0


def line_of(name, text, number=1):
    lines = (TUTORIALS / f"{name}.py").read_text().splitlines()
    return [place for place, line in enumerate(lines, 1) if line.strip().startswith(text)][number - 1]


def lines_of(name, number=1, **texts):
    return {phase: line_of(name, text, number) for phase, text in texts.items()}


PROGRAMS = [
    Tutorial(
        "softmax_from_tensors",
        ("W", "b"),
        240,
        ((1, "W", (784, 10), "variable"), (1, "b", (10,), "variable")),
        lines_of(
            "softmax_from_tensors",
            data="rows = pixels",
            forward="scores = rows @ W",
            loss="return -log_chances",
            backward="loss.backward()",
            update="W -= step_size",
            zero="W.grad.zero_()",
        ),
        100,
        "Loss fell from ",
    ),
    Tutorial(
        "line_by_autograd",
        ("slope", "offset"),
        150,
        ((1, "slope", (1, 1), "variable"), (1, "offset", (1,), "variable")),
        lines_of("line_by_autograd", 2, forward="guess =", loss="loss =", backward="loss.backward()")
        | lines_of("line_by_autograd", update="slope -=", zero="slope.grad.zero_()"),
        20,
        "Loss fell from ",
        looks=1,
    ),
    Tutorial(
        "digits_with_adam",
        ("network.hidden.weight", "network.out.bias"),
        100,
        (
            (1, "hidden.weight", (32, 784), "module"),
            (1, "hidden.bias", (32,), "module"),
            (1, "out.weight", (10, 32), "module"),
            (1, "out.bias", (10,), "module"),
        ),
        lines_of(
            "digits_with_adam",
            data="for pictures, targets in train_loader",
            forward="outputs = network(pictures)",
            loss="loss = criterion",
            backward="loss.backward()",
            update="optimizer.step()",
            zero="optimizer.zero_grad()",
        ),
        20,
        "Loss fell from ",
        evaluations=1,
    ),
    Tutorial(
        "scores_by_hand",
        ("slope", "base", "slope_grad", "base_grad"),
        2100,
        (
            (1, "slope", (1,), "loop"),
            (1, "base", (1,), "loop"),
            (601, "slope_grad", (1,), "variable"),
            (601, "base_grad", (1,), "variable"),
            (1201, "slope_grad", (2, 1), "variable"),
        ),
        lines_of(
            "scores_by_hand",
            forward="predicted = slope * hours",
            loss="loss = torch.mean",
            backward="difference =",
            update="slope = slope - lr",
        ),
        20,
        "3 trainings, one after the other, 2,100 steps in all: loss fell in each, to ",
    ),
    Tutorial(
        "first_steps", ("first.weight.grad", "table.grad"), 0, (), {}, 0, "Nothing was trained.", looks=2, evaluations=1
    ),
]


@pytest.fixture(scope="module")
def vision(tmp_path_factory, torchvision_folder):
    """The folder that torchvision reads its MNIST from, and what Python needs in order to import it beside a CPU build of torch."""
    folder = tmp_path_factory.mktemp("vision")
    (folder / "sitecustomize.py").write_text(SHIM)
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for packed in MNIST.glob("*.gz"):
        (raw / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    return folder


@pytest.fixture
def run(tmp_path, request):
    """Runs a program in an empty folder, under Python or, with words of ours, under watch."""

    def run(tutorial, *own, watched=True, notebook=False):
        source = (TUTORIALS / f"{tutorial.name}.py").read_text()
        source += "".join(f"print({each}.detach().numpy().tobytes().hex())\n" for each in tutorial.final)
        folder = tmp_path / "here"
        folder.mkdir(exist_ok=True)
        program = folder / f"{tutorial.name}.{'ipynb' if notebook else 'py'}"
        program.write_text(as_notebook(source) if notebook else source)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "DESCEND_RUNS": str(tmp_path / "runs")}
        arguments = []
        if tutorial.name == "softmax_from_tensors":
            arguments = [str(MNIST)]
        if tutorial.name == "digits_with_adam":
            root, installed = str(request.getfixturevalue("vision")), str(request.getfixturevalue("torchvision_folder"))
            environment["PYTHONPATH"], arguments = os.pathsep.join([root, installed]), [root]
        ours = ("-m", "descend", "run", *own) if watched else ()
        return subprocess.run(
            [sys.executable, *ours, program.name, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            env=environment,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture
def plainly(run, finished):
    """How a program ends under Python alone, which is always the same."""

    def plainly(tutorial):
        if tutorial.name not in finished:
            finished[tutorial.name] = run(tutorial, watched=False)
        assert finished[tutorial.name].returncode == 0
        return finished[tutorial.name]

    return plainly


@pytest.fixture(scope="module")
def finished():
    return {}


def as_notebook(source):
    cells = [
        {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": cell.strip()}
        for cell in source.split("# %%\n")[1:]  # the first piece says what the program is
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def cell_and_line(source, line):
    """Where a line of the script stands in the notebook: the cell's number and the line in it."""
    before = "".join(source.splitlines(keepends=True)[:line])
    cells = before.split("# %%\n")
    skipped = len(cells[-1]) - len(cells[-1].lstrip("\n"))
    return len(cells) - 1, cells[-1].count("\n") - skipped


@pytest.mark.parametrize("notebook", [False, True], ids=["script", "notebook"])
@pytest.mark.parametrize("tutorial", PROGRAMS, ids=[each.name for each in PROGRAMS])
def test_it_is_run_to_the_same_bits_and_recorded(tutorial, notebook, run, plainly, tmp_path):
    plain = plainly(tutorial)
    watched = run(tutorial, "--json", "report.json", notebook=notebook)
    assert watched.stdout == plain.stdout
    assert watched.returncode == 0
    assert watched.stderr.startswith(plain.stderr)
    report = json.loads((tmp_path / "here" / "report.json").read_text())
    with Reader(tmp_path / "runs" / f"{report['run']}") as record:
        check_record(tutorial, record, report, notebook=notebook)
    assert tutorial.sentence in " ".join(watched.stderr.split())
    check_report(tutorial, report)


def check_record(tutorial, record, report, *, notebook):
    assert record.status == "finished"
    steps = record.steps()
    assert steps.step == list(range(1, tutorial.steps + 1))
    assert all(math.isfinite(loss) for loss in steps.loss)
    told = [(row.step, row.name, row.shape, row.how) for row in record.parameters()]
    assert told == list(tutorial.parameters)
    check_places(tutorial, record, notebook=notebook)
    norms = [row for row in record.norms() if row.step == 2]
    assert {row.parameter for row in norms} == {name for step, name, *_ in tutorial.parameters if step == 1}
    assert all(row.change > 0 for row in norms)
    if tutorial.steps:
        assert {"loss", "batch.x", *(f"before.{row.parameter}" for row in norms)} <= set(record.tensors(10))
        assert record.operations(20)
    looks = [message for message in record.messages() if message.kind == "look"]
    assert len(looks) == tutorial.looks
    assert len(record.evaluations()) == tutorial.evaluations
    assert record.printed()
    assert not report["unseen"]


def check_places(tutorial, record, *, notebook):
    source = (TUTORIALS / f"{tutorial.name}.py").read_text()
    sources = record.sources()
    phases = {row.phase: row for row in record.phases() if row.step == tutorial.timed}
    assert set(tutorial.phases) <= set(phases)
    assert all(row.seconds > 0 for row in phases.values())
    for phase, line in tutorial.phases.items():
        row = phases[phase]
        if notebook:
            cell, line = cell_and_line(source, line)  # noqa: PLW2901 - the same line, where it stands now
            assert row.file == f"{tutorial.name}.ipynb cell {cell}"
        else:
            assert row.file.endswith(f"{os.sep}{tutorial.name}.py")
        assert row.line == line
        assert (
            sources[row.file].splitlines()[line - 1].strip() == source.splitlines()[tutorial.phases[phase] - 1].strip()
        )


def check_report(tutorial, report):
    assert report["steps"] == tutorial.steps
    last = [row["phase"] for row in report["phases"]]  # of the training that took the longest
    assert [phase for phase in last if phase != "data"] == (list(ALL[1:]) if tutorial.steps else [])
    for row in report["parameters"]:
        assert row["moved"] > 0
        assert row["until"] is None  # known to the end
    if tutorial.steps:
        assert report["loss"]["first"] > report["loss"]["end"]["loss"]
        assert sum(row["share"] for row in report["phases"]) == pytest.approx(1)


def test_fast_loading_gives_the_same_bits_and_says_what_it_replaced(run, plainly, tmp_path):
    tutorial = PROGRAMS[2]
    plain = plainly(tutorial)
    fast = run(tutorial, "--fast", "--json", "report.json")
    assert (fast.stdout, fast.returncode) == (plain.stdout, 0)
    said = " ".join(fast.stderr.split())
    assert "--fast replaced: train_loader (Subset), test_loader (Subset)" in said
    report = json.loads((tmp_path / "here" / "report.json").read_text())
    assert report["fast"] == {"replaced": ["train_loader (Subset)", "test_loader (Subset)"], "kept": []}
    assert report["steps"] == 100
