"""Findings as SARIF 2.1.0, which editors and code hosts read (OASIS, Static Analysis Results Interchange Format)."""

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from descend.check.catalogue import RULES, page
from descend.check.examine import Examination
from descend.check.finding import Finding, Level

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: dict[Level, str] = {"bug": "error", "likely": "warning", "note": "note"}


def sarif(examination: Examination, version: str, *, root: Path) -> dict[str, Any]:
    """The log of one run of all rules; files are named relative to ``root`` where they lie in it. ``version``: of descend."""
    found = [rule for rule in RULES if any(each.code == rule.code for each in examination.findings)]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "descend",
                        "version": version,
                        "rules": [
                            {
                                "id": rule.code,
                                "name": "".join(word.capitalize() for word in rule.name.split() if word.isalnum()),
                                "shortDescription": {"text": rule.name},
                                "help": {"text": page(rule.code), "markdown": page(rule.code)},
                                "defaultConfiguration": {"level": _LEVELS[rule.highest]},
                            }
                            for rule in found
                        ],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(each, [rule.code for rule in found], root) for each in examination.findings],
            }
        ],
    }


def _result(finding: Finding, codes: Sequence[str], root: Path) -> dict[str, Any]:
    text = ". ".join(part.rstrip(".") for part in (finding.title, finding.message) if part) + "."
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": codes.index(finding.code),
        "level": _LEVELS[finding.level],
        "message": {"text": f"{text} Fix: {finding.fix}" if finding.fix else text},
        "properties": {"step": finding.step, "evidence": dict(finding.evidence)},
    }
    if finding.where is not None:
        region: dict[str, Any] = {"startLine": finding.where.line}
        if finding.where.source:
            region["snippet"] = {"text": finding.where.source}
        location = {"artifactLocation": {"uri": _uri(finding.where.file, root)}, "region": region}
        result["locations"] = [{"physicalLocation": location}]
    return result


def _uri(file: str, root: Path) -> str:
    """A file relative to ``root`` where it lies there, a file:// address elsewhere; a notebook's cell by its name."""
    path = Path(file)
    if not path.is_absolute():
        return PurePath(file).as_posix().replace(" ", "%20")
    if path.is_relative_to(root):
        return path.relative_to(root).as_posix().replace(" ", "%20")
    return path.as_uri()
