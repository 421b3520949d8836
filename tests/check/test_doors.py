"""The ways to findings: after a run, while it runs, from the command line, as JSON and as SARIF."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from check.harness import PROGRAMS
from descend.cli import main
from descend.show.findings import one_line

FAULTY = """import torch

torch.manual_seed(0)
x = torch.randn(64, 3)
y = x.sum(1)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(30):
    optimizer.zero_grad()
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    optimizer.step()
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a script that has a fault, and the record of its run."""
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "train.py").write_text(FAULTY)
    done = descend(folder, "run", "--json", "report.json", "train.py")
    assert done.returncode == 0
    (folder / "stderr").write_text(done.stderr)
    return folder


def descend(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "descend", *words], cwd=folder, capture_output=True, text=True, check=False
    )


def answer(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_run_ends_with_its_findings_and_its_json_holds_them(here: Path) -> None:
    report = json.loads((here / "report.json").read_text())
    [finding] = [each for each in report["findings"] if each["code"] == "D201"]
    assert finding["level"] == "bug"
    assert finding["title"] == "prediction (64, 1) and target (64,) broadcast to (64, 64)"
    assert (finding["where"]["line"], finding["where"]["source"]) == (10, "loss = ((model(x) - y) ** 2).mean()")
    assert finding["fix"] == "loss = ((model(x).squeeze(-1) - y) ** 2).mean()"
    assert finding["evidence"]["compared"] == "4,096 pairs instead of 64"
    assert "D101" in {each["code"] for each in report["checked"]}
    shown = (here / "stderr").read_text()
    assert "BUG    D201" in shown
    assert "       10 │ loss = ((model(x) - y) ** 2).mean()" in shown
    assert "fix: loss = ((model(x).squeeze(-1) - y) ** 2).mean()" in shown
    assert "descend explain D201" in shown


def test_check_finds_the_same_in_the_record(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(here)
    assert main(["check", "--json"]) == 0
    found = answer(capsys)
    report = json.loads((here / "report.json").read_text())
    assert found == {key: report[key] for key in ("findings", "checked", "unchecked")}


def test_check_needs_no_pytorch(here: Path) -> None:
    code = "import sys; from descend.cli import main; main(['check']); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "train-1: 1 bug" in done.stdout


def test_strict_ends_with_1_only_where_there_is_a_bug(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here)
    assert main(["check", "last", "--strict"]) == 1
    assert main(["check", "last", "--strict", "--ignore", "D201"]) == 0
    assert main(["check", "last", "--strict", "--select", "D101"]) == 0


def test_select_and_ignore_choose_by_the_beginnings_of_codes(here: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(here)
    assert main(["check", "--json", "--select", "D1"]) == 0
    found = answer(capsys)
    assert not found["findings"]
    assert {each["code"][:2] for each in [*found["checked"], *found["unchecked"]]} == {"D1"}
    assert main(["check", "--select", "D8021"]) == 2
    assert "no finding has a code that begins with D8021 (did you mean 'D802'?)" in capsys.readouterr().err


def test_sarif_is_written_to_a_file(here: Path, monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.chdir(here)
    assert main(["check", "--sarif", str(tmp_path / "found.sarif")]) == 0
    [run] = json.loads((tmp_path / "found.sarif").read_text())["runs"]
    place = next(each for each in run["results"] if each["ruleId"] == "D201")["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "train.py"
    assert place["region"]["startLine"] == 10


def test_a_run_that_is_not_there_is_one_clear_message(here: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(here)
    assert main(["check", "trian-1"]) == 2
    assert "did you mean 'train-1'" in capsys.readouterr().err


def test_explain_prints_the_page_of_a_finding(capsys: Any) -> None:
    assert main(["explain", "d201"]) == 0
    page = capsys.readouterr().out
    assert "prediction and target broadcast" in page
    assert "What is innocent" in page
    assert main(["explain", "D999"]) == 2
    assert "there is no finding D999" in capsys.readouterr().err


def test_live_tells_a_bug_at_once_in_one_line(tmp_path: Path) -> None:
    program = PROGRAMS / "blind" / "D101_faulty_trainer.py"
    done = descend(tmp_path, "run", "--live", str(program))
    [line] = [line for line in done.stderr.splitlines() if line.startswith("descend: bug D101")]
    assert "gradients are never cleared" in line
    assert line.endswith(f"({program}:41)")
    assert done.stderr.index(line) < done.stderr.index("D101_faulty_trainer.py · 4 parameters")


def test_one_line_says_where_and_when() -> None:
    finding = {
        "code": "D101",
        "level": "bug",
        "title": "never\ncleared",
        "step": 1200,
        "where": {"file": "a.py", "line": 3},
    }
    assert one_line(finding) == "descend: bug D101 at step 1,200: never cleared (a.py:3)"
    assert one_line(finding | {"step": None, "where": None}) == "descend: bug D101: never cleared"


def test_a_line_can_say_that_a_finding_is_to_be_ignored(tmp_path: Path) -> None:
    text = FAULTY.replace("** 2).mean()", "** 2).mean()  # descend: ignore[D201]")
    (tmp_path / "train.py").write_text(text)
    done = descend(tmp_path, "run", "--json", "report.json", "train.py")
    assert "D201" not in done.stderr
    assert not [
        each for each in json.loads((tmp_path / "report.json").read_text())["findings"] if each["code"] == "D201"
    ]
    assert "1 more on lines that say to ignore them" in " ".join(descend(tmp_path, "check").stdout.split())


def test_a_training_is_checked_too(tmp_path: Path) -> None:
    done = descend(tmp_path, "train", "scores", "--epochs", "20", "--json")
    report = json.loads(done.stdout)
    assert {"findings", "checked", "unchecked"} <= set(report)
    assert not [each for each in report["findings"] if each["level"] == "bug"]
