"""What a rule says: a fault with its evidence, or why it could not look."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Level = Literal["bug", "likely", "note"]
LEVELS: tuple[Level, ...] = ("bug", "likely", "note")
"""From proven over a strong symptom to worth knowing."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the user's, as it was when the run started."""

    file: str
    line: int
    source: str = ""  # its text without the indent, where it is known


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of one run. Sentences are plain and end without a full stop where they are titles."""

    code: str  # "D201"
    level: Level
    title: str  # what is the case here, with this run's numbers: "prediction (64, 1) and target (64,) broadcast to (64, 64)"
    message: str  # why it matters here and what it cost: one or two sentences
    evidence: Mapping[str, Any] = field(
        default_factory=dict
    )  # words → a number, text or list, in the order to be shown
    where: Place | None = None
    step: int | None = None  # at which it was first seen
    fix: str = ""  # code for this script, where that is possible; else what to do

    @property
    def url(self) -> str:
        """The page of the documentation that explains it."""
        return f"docs/findings/{self.code}.md"

    def at_most(self, level: Level) -> "Finding":
        """The same with its level lowered to ``level`` where it is higher."""
        return self if LEVELS.index(self.level) >= LEVELS.index(level) else replace(self, level=level)

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        where = self.where
        return {
            "code": self.code,
            "level": self.level,
            "title": self.title,
            "message": self.message,
            "evidence": dict(self.evidence),
            "where": None if where is None else {"file": where.file, "line": where.line, "source": where.source},
            "step": self.step,
            "fix": self.fix,
            "url": self.url,
        }


class CannotCheck(Exception):
    """Raised by a rule that lacks what it would need; the text says what and why, as the end of "could not be checked: …"."""
