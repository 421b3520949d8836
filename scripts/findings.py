"""Runs every program of tests/programs/known and tests/programs/blind under watch, and writes how often each rule is right.

python scripts/findings.py            writes the table into docs/precision.md
python scripts/findings.py D2 D501    runs these codes only, and prints what is wrong
"""

import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from pages import DOCS, replaced, table

sys.path.insert(0, str(DOCS.parent / "tests"))

from check.harness import PROGRAMS, Case, cases, examine_program, false_alarms, faults_of

PAGE = DOCS / "precision.md"
HEADER = ("rule", "found (known)", "false claims (known)", "found (blind)", "false claims (blind)")


@dataclass
class Count:
    """Of one rule over one set of programs."""

    faults: int = 0  # that the programs have
    found: int = 0  # of those, at the right level and line
    innocent: int = 0  # runs in which it must stay silent
    false: int = 0  # of those, in which it did not


def main(wanted: list[str]) -> None:
    """Run the programs and write or print what came out."""
    counts, said = {}, []
    with ProcessPoolExecutor() as pool:
        for folder in ("known", "blind"):
            counts[folder], runs, others = count(folder, wanted, pool)
            said.append(f"{others} in {runs} runs of {folder} programs")
    text = table(HEADER, rows(counts), numbers=True)
    text += f"\n\nFindings above a note that a program's first lines neither ask for nor allow: {', '.join(said)}."
    if not wanted:
        PAGE.write_text(replaced(PAGE.read_text(), "rules", text))
    print(text)


def count(folder: str, wanted: list[str], pool: ProcessPoolExecutor) -> tuple[dict[str, Count], int, int]:
    """Run one set of programs; what is wrong is printed. Counts of each rule, the runs, and findings that nobody asked for."""
    found: dict[str, Count] = defaultdict(Count)
    chosen = [case for case in cases(PROGRAMS / folder) if not wanted or case.program.name.startswith(tuple(wanted))]
    others = 0
    for case, findings in zip(chosen, pool.map(findings_of, chosen), strict=True):
        unasked = false_alarms(case, findings)
        wrong = [*faults_of(case, findings), *unasked]
        others += len(unasked)
        add(case, findings, found)
        if wrong:
            print(f"{folder}/{case.name}", *wrong, sep="\n    ", flush=True)
    return found, len(chosen), others


def findings_of(case: Case) -> list[dict]:
    """Run one program; in a process of its own, forked from one that has PyTorch."""
    return examine_program(case.program, case.arguments)["findings"]


def add(case: Case, findings: list[dict], found: dict[str, Count]) -> None:
    """Count one run in: its faults for their rules, and every rule that its header says should be silent."""
    for expected in case.expects:
        alone = Case(case.program, expects=[expected])
        found[expected.code].faults += 1
        found[expected.code].found += not faults_of(alone, findings)
    for code in {*case.silent, *case.at_most}:
        alone = Case(
            case.program,
            silent=case.silent & {code},
            at_most={each: level for each, level in case.at_most.items() if each == code},
        )
        found[code].innocent += 1
        found[code].false += bool(faults_of(alone, findings))


def rows(counts: dict[str, dict[str, Count]]) -> list[list[str]]:
    """One row for each rule: faults found of all, and false claims of all innocent runs, for both sets."""
    found, total = [], {name: Count() for name in counts}
    for code in sorted({code for of_rules in counts.values() for code in of_rules}):
        for name, whole in total.items():
            one = counts[name][code]
            whole.faults, whole.found = whole.faults + one.faults, whole.found + one.found
            whole.innocent, whole.false = whole.innocent + one.innocent, whole.false + one.false
        cells = [cell for name in counts for cell in _cells(counts[name][code])]
        found.append([f"[{code}](findings/{code}.md)", *cells])
    return [*found, ["**all**", *(cell for whole in total.values() for cell in _cells(whole))]]


def _cells(one: Count) -> tuple[str, str]:
    found = f"{one.found} of {one.faults}" if one.faults else "–"
    false = f"{one.false} of {one.innocent}" if one.innocent else "–"
    return found, false


if __name__ == "__main__":
    main([word.upper() for word in sys.argv[1:]])
