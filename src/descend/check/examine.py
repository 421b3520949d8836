"""Lets every rule look at one run, and puts together what they say."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from descend.check.catalogue import rules
from descend.check.evidence import Evidence
from descend.check.finding import LEVELS, CannotCheck, Finding
from descend.check.rule import Rule
from descend.errors import DescendError
from descend.record.reader import Reader

_IGNORE = re.compile(r"#\s*descend:\s*ignore(?:\[([\w\s,]*)\])?", re.IGNORECASE)
_MOST = 5  # findings of one code; more are counted


@dataclass(frozen=True, slots=True)
class Checked:
    """A kind of fault that was looked for and not found."""

    code: str
    name: str
    text: str  # what is well

    def as_json(self) -> dict[str, str]:
        """As JSON values."""
        return {"code": self.code, "name": self.name, "text": self.text}


@dataclass(frozen=True, slots=True)
class Unchecked:
    """A kind of fault that could not be looked for."""

    code: str
    name: str
    why: str

    def as_json(self) -> dict[str, str]:
        """As JSON values."""
        return {"code": self.code, "name": self.name, "why": self.why}


@dataclass(frozen=True, slots=True)
class Examination:
    """What all rules say of one run: findings with the gravest first, what is well, what could not be looked at."""

    findings: Sequence[Finding]
    checked: Sequence[Checked]
    unchecked: Sequence[Unchecked]
    ignored: int = 0  # findings on lines that say so

    @property
    def has_bug(self) -> bool:
        """Whether a fault is proven."""
        return any(each.level == "bug" for each in self.findings)

    def as_json(self) -> dict[str, Any]:
        """The keys ``findings``, ``checked`` and ``unchecked``, as in every JSON output."""
        return {
            "findings": [each.as_json() for each in self.findings],
            "checked": [each.as_json() for each in self.checked],
            "unchecked": [each.as_json() for each in self.unchecked],
        }


def examine(
    folder: Path,
    *,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    report: Mapping[str, Any] | None = None,
) -> Examination:
    """Check the record in a run folder, also while it is being written; ``report`` where the record does not hold it yet.

    Raises UsageError for codes that do not exist, RecordError for a record that cannot be read.
    """
    chosen = rules(select, ignore)
    with Reader(folder) as reader:
        return examine_evidence(Evidence(reader, report), chosen)


def examine_evidence(evidence: Evidence, chosen: Sequence[Rule]) -> Examination:
    """Let each of the chosen rules look. One that fails is reported as unable to check, and stops nobody."""
    findings: list[Finding] = []
    checked: list[Checked] = []
    unchecked: list[Unchecked] = []
    ignored = 0
    for rule in chosen:
        if evidence.info.kind not in rule.kinds:
            continue
        try:
            found = _once([each.at_most(rule.highest) for each in rule.look(evidence)])
            kept = [each for each in found if not _is_ignored(each, evidence)]
            ignored += len(found) - len(kept)
            findings += kept[:_MOST]
            if not found:
                checked.append(Checked(rule.code, rule.name, rule.clean(evidence)))
        except CannotCheck as error:
            unchecked.append(Unchecked(rule.code, rule.name, str(error)))
        except DescendError as error:
            unchecked.append(Unchecked(rule.code, rule.name, error.what))
        except Exception as error:  # noqa: BLE001 - a fault of ours must not hide the other rules' findings
            unchecked.append(Unchecked(rule.code, rule.name, f"the rule failed: {type(error).__name__}: {error}"))
    findings.sort(key=lambda each: (LEVELS.index(each.level), each.code))
    return Examination(findings, checked, unchecked, ignored)


def _once(findings: Sequence[Finding]) -> list[Finding]:
    """The same of the same line is said once, as of a loader that is made anew for each epoch."""
    found: dict[tuple[object, ...], Finding] = {}
    for each in findings:
        at = (each.where.file, each.where.line) if each.where is not None else None
        found.setdefault((each.level, each.title, at), each)
    return list(found.values())


def _is_ignored(finding: Finding, evidence: Evidence) -> bool:
    """Whether the user's statement says ``# descend: ignore[D101]``, or ``# descend: ignore`` for all codes."""
    if finding.where is None:
        return False
    file, line = finding.where.file, finding.where.line
    statement = evidence.statement(file, line)
    last = getattr(statement, "end_lineno", None) or line
    # The first line of a loop or a function stands for itself, not for all that is inside it.
    lines = range(line, (last if last - line < 20 and not hasattr(statement, "body") else line) + 1)
    for number in lines:
        said = _IGNORE.search(evidence.line_of(file, number))
        if said:
            listed = [each.strip().upper() for each in (said[1] or "").split(",") if each.strip()]
            return not listed or any(finding.code.startswith(each) for each in listed)
    return False
