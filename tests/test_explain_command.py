"""``descend explain RUN`` on the command line: what it prints, its one JSON object, and its errors."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import descend
from descend import cli

SCRIPT = """\
import torch

torch.manual_seed(42)
x = torch.tensor([2.0, 4.0, 6.0, 8.0, 10.0])
y = torch.tensor([75.0, 80.0, 90.0, 94.0, 98.0])
w, b = torch.randn(1), torch.randn(1)
for epoch in range(20):
    prediction = x * w + b
    loss = ((prediction - y) ** 2).mean()
    gradient_w = 2 / 5 * ((prediction - y) * x).sum()
    gradient_b = {factor} / 5 * (prediction - y).sum()
    w = w - 0.01 * gradient_w
    b = b - 0.01 * gradient_b
    if epoch % 10 == 0:
        print(loss.item())
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("explained")
    descend.train("scores", epochs=12, name="scores", runs=str(folder), progress=False)
    return folder


@pytest.fixture
def command(runs, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")

    def run(words):
        status = cli.main([*words.split(), "--runs", str(runs)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_a_step_is_printed(command):
    status, out, err = command("explain scores --step 1 --parameter output.weight --row 1")
    assert (status, err) == (0, "")
    assert "step 1 of scores · followed: row 1, output.weight[0, 0]" in out
    assert "θ ← θ − lr·g = 0.3367 − 0.01·(−1,065.6) = 10.993" in out
    assert "lr 0.01 is 45 % of it." in out
    assert len(out.splitlines()) < 50


def test_one_json_object(command):
    status, out, _ = command("explain last --json")
    assert status == 0
    found = json.loads(out)
    assert found["run"] == "scores"
    assert found["verdict"]["agrees"] is True
    assert [round(each, 3) for each in found["landscape"]["eigenvalues"]] == [0.357, 89.643]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--step 7", "step 7 was not kept in full"),
        ("--step 7", "help: the nearest steps kept are 1 and 10"),
        ("--parameter output.weigth", "step 1 has no parameter output.weigth (did you mean 'output.weight'?)"),
        ("--row 5", "step 1 has no row 5\n  help: its batch has the rows 0 to 4"),
    ],
)
def test_mistakes_get_one_clear_message(command, words, said):
    status, out, err = command(f"explain scores {words}")
    assert status == 2
    assert out == ""
    assert err.startswith("descend: ")
    assert said in err


def test_a_run_that_does_not_exist(command):
    status, _, err = command("explain nowhere")
    assert status == 2
    assert err.startswith("descend: there is no run 'nowhere'")


def test_an_error_is_the_json_object(command):
    status, out, _ = command("explain scores --step 7 --json")
    assert status == 2
    assert json.loads(out)["error"]["what"] == "step 7 was not kept in full"


def run_script(tmp_path, factor):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    (tmp_path / "train.py").write_text(SCRIPT.format(factor=factor))
    subprocess.run(
        [sys.executable, "-m", "descend", "run", "--quiet", "train.py"], cwd=tmp_path, env=environment, check=True
    )


def explained(tmp_path, capsys, words=""):
    assert cli.main(["explain", "train-1", "--runs", str(tmp_path / "runs"), *words.split()]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_a_loop_by_hand_whose_file_is_gone(tmp_path, capsys):
    run_script(tmp_path, factor=2)
    (tmp_path / "train.py").unlink()
    said = explained(tmp_path, capsys, "--parameter w")
    assert "No backward pass: the script derives its gradients itself." in said
    assert "∂L/∂w[0] = −1,065.6 the script's own, line 10 · closed form ✓ differences ✓" in said
    assert "θ ← θ − lr·g = 0.3367 − 0.01·(−1,065.6) = 10.993 in the run: 0.3367 → 10.993 ✓" in said
    assert "lr 0.01 is 45 % of it." in said


def test_a_wrong_derivation_is_found_out(tmp_path, capsys):
    run_script(tmp_path, factor=1)
    said = explained(tmp_path, capsys, "--parameter b")
    assert (
        "∂L/∂b[0] = −85.25 the script's own, line 11 · they disagree: shown −85.25 · closed form ✗ gives −170.5" in said
    )
    assert "✗ to 0 digits; it is not the derivative of this loss" in said


@pytest.mark.parametrize(("rate", "broken"), [(1e9, False), (0.1, True)])
def test_a_step_whose_numbers_are_not_finite_is_explained_as_far_as_it_goes(
    tmp_path, capsys, monkeypatch, rate, broken
):
    monkeypatch.setenv("DESCEND_RUNS", str(tmp_path))
    x, y = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[2.0], [4.0], [6.0]])
    if broken:
        x[1] = math.nan
    model = torch.nn.Sequential(torch.nn.Linear(1, 2), torch.nn.Linear(2, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    with descend.watch("wild"):
        for _ in range(12):
            loss = ((model(x) * 1.0 - y) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert cli.main(["explain", "wild", "--step", "10"]) == 0
    assert "not finite" in capsys.readouterr().out
    assert cli.main(["explain", "wild", "--step", "10", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["loss"]["value"] is None
