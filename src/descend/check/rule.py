"""What every rule is: a code, the highest level it may claim, and a look at the evidence of one run."""

from collections.abc import Iterator
from typing import ClassVar

from descend.check.evidence import Evidence
from descend.check.finding import Finding, Level


class Rule:
    """One kind of fault. A subclass says what it is called and looks for it; it holds no state from one run to the next."""

    code: ClassVar[str]
    highest: ClassVar[Level]  # that it may claim
    name: ClassVar[str]  # of the fault: "gradients are never cleared"
    kinds: ClassVar[tuple[str, ...]] = ("run",)  # of runs that it looks at: "run" for watched scripts, "train"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        """Every such fault of this run, the first first. Raises CannotCheck where the evidence does not allow an answer."""
        raise NotImplementedError

    def clean(self, evidence: Evidence) -> str:
        """What is well where nothing was found, with numbers where there are any: "gradients cleared (938 of 938 steps)"."""
        raise NotImplementedError
