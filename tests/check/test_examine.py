"""Rules look at a record: what they find, what is well, what nobody could see, and what the user says to ignore."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from descend.check import catalogue
from descend.check.catalogue import codes_from, page, rules
from descend.check.evidence import Evidence
from descend.check.examine import Examination, examine, examine_evidence
from descend.check.finding import CannotCheck, Finding, Place
from descend.check.rule import Rule
from descend.check.sarif import sarif
from descend.errors import RecordError, UsageError
from descend.record.events import Operations, RunEnded, RunStarted, StepsDone
from descend.record.reader import Reader
from descend.record.writer import Writer

SCRIPT = """import torch
loss = ((pred - y) ** 2).mean()
total = (
    one
    + two  # descend: ignore[D2]
)
for i in range(3):
    step()  # descend: ignore
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A record with two steps and no operations."""
    with Writer(tmp_path) as writer:
        writer(RunStarted("train-1", "run", "train.py", {}, (), {}, None, (), None, None, {"train.py": SCRIPT}))
        writer(StepsDone(1, 1, [2.0, 1.0], [0.1, 0.1], [0.01, 0.01], [64, 64]))
        writer(RunEnded("finished", {}))
    return tmp_path


def finding(line: int = 2, **others: Any) -> Finding:
    values: dict[str, Any] = {"code": "D201", "level": "bug", "title": "too many", "message": "It costs."}
    return Finding(**(values | {"where": Place("train.py", line)} | others))


def rule_that(*findings: Finding, says: Exception | None = None, highest: Any = "bug", **members: Any) -> Rule:
    class Made(Rule):
        code = "D201"
        name = "too many"

        def look(self, evidence: Evidence) -> Iterator[Finding]:
            yield from findings
            if says is not None:
                raise says

        def clean(self, evidence: Evidence) -> str:
            return f"all is well in {len(evidence.steps)} steps"

    Made.highest = highest
    for name, value in members.items():
        setattr(Made, name, value)
    return Made()


def look(folder: Path, *chosen: Rule) -> Examination:
    with Reader(folder) as reader:
        return examine_evidence(Evidence(reader), chosen)


def test_what_is_not_found_is_said_to_be_well(folder: Path) -> None:
    found = look(folder, rule_that())
    assert found.as_json() == {
        "findings": [],
        "checked": [{"code": "D201", "name": "too many", "text": "all is well in 2 steps"}],
        "unchecked": [],
    }
    assert not found.has_bug


def test_a_finding_has_every_key_that_the_json_promises(folder: Path) -> None:
    found = look(folder, rule_that(finding(evidence={"prediction": "(64, 1)"}, step=3, fix="squeeze it")))
    assert found.as_json()["findings"] == [
        {
            "code": "D201",
            "level": "bug",
            "title": "too many",
            "message": "It costs.",
            "evidence": {"prediction": "(64, 1)"},
            "where": {"file": "train.py", "line": 2, "source": ""},
            "step": 3,
            "fix": "squeeze it",
            "url": "docs/findings/D201.md",
        }
    ]
    assert found.has_bug


def test_no_rule_claims_more_than_its_highest_level(folder: Path) -> None:
    found = look(folder, rule_that(finding(), highest="note"))
    assert [each.level for each in found.findings] == ["note"]


def test_the_gravest_come_first(folder: Path) -> None:
    levels = ["note", "bug", "likely"]
    found = look(folder, rule_that(*(finding(level=level) for level in levels)))
    assert [each.level for each in found.findings] == ["bug", "likely", "note"]


def test_a_rule_that_cannot_look_says_why(folder: Path) -> None:
    found = look(folder, rule_that(says=CannotCheck("the model is compiled")))
    assert [(each.code, each.why) for each in found.unchecked] == [("D201", "the model is compiled")]
    assert not found.checked


def test_a_rule_that_fails_is_unable_to_check_and_stops_no_other(folder: Path) -> None:
    broken = rule_that(finding(), says=ZeroDivisionError("division by zero"))
    found = look(folder, broken, rule_that())
    assert [each.why for each in found.unchecked] == ["the rule failed: ZeroDivisionError: division by zero"]
    assert len(found.checked) == 1


@pytest.mark.parametrize(
    ("line", "code", "ignored"),
    [(2, "D201", False), (3, "D201", True), (3, "D101", False), (7, "D201", False), (8, "D101", True)],
)
def test_a_line_may_say_that_its_findings_are_to_be_ignored(folder: Path, line: int, code: str, ignored: bool) -> None:
    found = look(folder, rule_that(finding(line, code=code)))
    assert (found.ignored, len(found.findings)) == ((1, 0) if ignored else (0, 1))
    assert not found.checked  # it is not said to be well either


def test_rules_for_other_kinds_of_run_are_not_asked(folder: Path) -> None:
    assert look(folder, rule_that(finding(), kinds=("train",))).as_json() == {
        "findings": [],
        "checked": [],
        "unchecked": [],
    }


def test_a_run_without_operations_says_so_for_each_rule_that_needs_them(folder: Path) -> None:
    whys = {each.code: each.why for each in examine(folder, select=["D201"]).unchecked}
    assert whys == {"D201": "the operations of its steps were not recorded"}


def test_a_damaged_operation_is_unable_to_check(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        writer(RunStarted("train-1", "run", "train.py", {}, (), {}, None, (), None, None))
        writer(Operations(1, ({"index": 0},)))
    [why] = [each.why for each in examine(tmp_path, select=["D201"]).unchecked]
    assert why.startswith("the rule failed: KeyError")


def test_no_record_is_one_clear_message(tmp_path: Path) -> None:
    with pytest.raises(RecordError):
        examine(tmp_path / "nowhere")


def test_select_and_ignore_take_beginnings_of_codes() -> None:
    every = [rule.code for rule in rules()]
    assert [rule.code for rule in rules(select=["D2"])] == [code for code in every if code.startswith("D2")]
    assert "D201" not in [rule.code for rule in rules(ignore=["D201"])]
    assert codes_from("d1, D203,") == ["D1", "D203"]
    assert codes_from(None) == []


def test_a_code_that_does_not_exist_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        rules(select=["D8021"])
    assert caught.value.what == "no finding has a code that begins with D8021 (did you mean 'D802'?)"
    assert "D201" in caught.value.help
    with pytest.raises(UsageError) as caught:
        page("D999")
    assert caught.value.what.startswith("there is no finding D999")


def test_every_rule_has_its_own_code_a_name_and_a_page() -> None:
    every = catalogue.RULES
    assert len({rule.code for rule in every}) == len(every)
    for rule in every:
        text = page(rule.code)
        assert text.startswith(f"# {rule.code} · ")
        [level] = re.findall(r"^\*\*Level:\*\* (.*)$", text, re.MULTILINE)
        assert rule.highest in level, rule.code
        for heading in ("What it is", "How it looks", "What is innocent", "How to mend it", "More"):
            assert f"\n## {heading}\n" in text, (rule.code, heading)
        assert re.search(r"^## How it is (proven|shown|found)$", text, re.MULTILINE), rule.code


def test_sarif_is_what_the_standard_says(folder: Path) -> None:
    found = [
        finding(evidence={"prediction": "(64, 1)"}, step=1, fix="squeeze it"),
        finding(level="note", where=None),
        finding(level="likely", where=Place("/home/me/a b.py", 3, "x = 1")),
        finding(where=Place("cell 3", 1)),
    ]
    log = sarif(look(folder, rule_that(*found)), "0.1.0", root=Path("/home/me"))
    # In a process of its own: its library, once imported, would change how the command line reads numbers.
    reading = "import sys; from sarif_pydantic import Sarif; Sarif.model_validate_json(sys.stdin.read())"
    subprocess.run([sys.executable, "-c", reading], input=json.dumps(log, allow_nan=False), text=True, check=True)
    [run] = log["runs"]
    assert [(each["ruleId"], each["level"]) for each in run["results"]] == [
        ("D201", "error"),
        ("D201", "error"),
        ("D201", "warning"),
        ("D201", "note"),
    ]
    assert [each["id"] for each in run["tool"]["driver"]["rules"]] == ["D201"]
    assert run["results"][0]["message"]["text"] == "too many. It costs. Fix: squeeze it"
    addresses = [
        place["physicalLocation"]["artifactLocation"]["uri"]
        for result in run["results"]
        for place in result.get("locations", ())
    ]
    assert addresses == ["train.py", "cell%203", "a%20b.py"]


def test_the_same_of_the_same_line_is_said_once(folder: Path) -> None:
    found = look(folder, rule_that(finding(step=1), finding(1), finding(step=9), finding(title="other"))).findings
    assert [(each.title, each.where and each.where.line, each.step) for each in found] == [
        ("too many", 2, 1),
        ("too many", 1, None),
        ("other", 2, None),
    ]
