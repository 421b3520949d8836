"""Runs the programs of tests/programs under watch and compares what is found with what their first lines say.

A header line is one of
    # expects: D101 bug line 23        this code, at this level or a graver one, at this line (line 0: no line is asked for)
    # at most: D101 note               this code at no graver level, or not at all
    # silent: D101 D203                none of these codes
    # exits: 1                         the exit status, where it is not 0
    # arguments: faulty                run once with these arguments; what follows " | ", and the lines below, belong to that run
PyTorch is imported once: each program runs in a process forked from one that has it.
"""

import contextlib
import json
import os
import re
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).resolve().parent.parent / "programs"
LEVELS = ("note", "likely", "bug")
_SECONDS = 120

_EXPECTS = re.compile(r"(D\d{3}) (bug|likely|note)(?: line (\d+))?")


@dataclass(frozen=True)
class Expected:
    """A finding that a program has."""

    code: str
    level: str  # the least
    line: int  # 0 where none is asked for


@dataclass
class Case:
    """One run of one program, with what must come out."""

    program: Path
    arguments: tuple[str, ...] = ()
    expects: list[Expected] = field(default_factory=list)
    at_most: dict[str, str] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    exit_status: int = 0

    @property
    def name(self) -> str:
        return " ".join([self.program.stem, *self.arguments])

    @property
    def codes(self) -> set[str]:
        """Every code that the header speaks of."""
        return {each.code for each in self.expects} | set(self.at_most) | self.silent


def cases(folder: Path) -> list[Case]:
    """Every run of every program in a folder."""
    return [case for program in sorted(folder.glob("D*.py")) for case in cases_of(program)]


def cases_of(program: Path) -> list[Case]:
    """The runs that the header of one program asks for."""
    found = [Case(program)]
    for line in program.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            break
        said = line.removeprefix("#").strip()
        if said.startswith("arguments:"):
            words, _, said = said.removeprefix("arguments:").partition("|")
            if found[0].arguments or found[0].codes:
                found.append(Case(program))
            found[-1].arguments = tuple(words.split())
        for part in said.split("|"):
            _read(part.strip(), found[-1])
    return found


def _read(said: str, case: Case) -> None:
    kind, _, rest = said.partition(":")
    if kind == "expects":
        code, level, line = _EXPECTS.findall(rest)[0]
        case.expects.append(Expected(code, level, int(line or 0)))
    elif kind == "at most":
        code, level = rest.split()
        case.at_most[code] = level
    elif kind == "silent":
        case.silent |= set(rest.replace(",", " ").split())
    elif kind == "exits":
        case.exit_status = int(rest)


def faults_of(case: Case, found: Sequence[dict[str, Any]]) -> list[str]:
    """What is wrong with the findings of a run, in words; empty where all is as the header says."""
    wrong = []
    for expected in case.expects:
        of_code = [each for each in found if each["code"] == expected.code]
        grave = [each for each in of_code if LEVELS.index(each["level"]) >= LEVELS.index(expected.level)]
        lines = {(each["where"] or {}).get("line") for each in grave}
        if not of_code:
            wrong.append(f"{expected.code} is not found")
        elif not grave:
            wrong.append(f"{expected.code} is only {of_code[0]['level']}, not {expected.level}")
        elif expected.line and expected.line not in lines:
            wrong.append(f"{expected.code} is at line {lines}, not {expected.line}")
    for each in found:
        code, level = each["code"], each["level"]
        most = case.at_most.get(code, "note" if code in case.silent else "bug")
        if code in case.silent or LEVELS.index(level) > LEVELS.index(most):
            wrong.append(f"{code} is claimed as {level}: {each['title']}")
    return wrong


def false_alarms(case: Case, found: Sequence[dict[str, Any]]) -> list[str]:
    """Findings above a note that the header does not know of."""
    known = {each.code for each in case.expects} | set(case.at_most)
    return [
        f"{each['code']} {each['level']}: {each['title']}"
        for each in found
        if each["level"] != "note" and each["code"] not in known
    ]


def examine_program(program: Path, arguments: Sequence[str] = ()) -> dict[str, Any]:
    """Run a program under ``descend run`` in a forked process: its report, with ``printed_by_us`` (stderr) and ``status``."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        status = run_watched(program, arguments, here)
        told = here / "report.json"
        report: dict[str, Any] = json.loads(told.read_text()) if told.exists() else {"findings": []}
        return report | {"printed_by_us": (here / "stderr").read_text(), "status": status}


def run_watched(program: Path, arguments: Sequence[str], here: Path) -> int:
    """Run a program under ``descend run`` in a forked process and in the folder ``here``, where its record stays: its status."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads that began before would be missing in the child, and waited for without end
    child = os.fork()
    if child == 0:
        _run(program, arguments, here)
    torch.set_num_threads(threads)
    return _wait(child)


def _run(program: Path, arguments: Sequence[str], here: Path) -> None:
    """In the child: never returns."""
    status = 70
    try:
        os.chdir(here)
        for number, name in ((1, "stdout"), (2, "stderr")):
            file = os.open(here / name, os.O_WRONLY | os.O_CREAT)
            os.dup2(file, number)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = sys.__stderr__ = os.fdopen(2, "w", closefd=False)
        status = _watched(program, arguments, here)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _watched(program: Path, arguments: Sequence[str], here: Path) -> int:
    import atexit
    import warnings

    from descend.cli import main

    warnings.resetwarnings()
    atexit._clear()
    status = 0
    try:
        words = ["run", "--runs", "runs", "--json", str(here / "report.json"), str(program), *arguments]
        status = main(words) or 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - as Python shows what ends a program
        sys.excepthook(*sys.exc_info())
        status = 1
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    return status


def _wait(child: int) -> int:
    def give_up(*_: object) -> None:
        os.kill(child, signal.SIGKILL)

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(_SECONDS)
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def examine_all(folder: Path) -> Iterator[tuple[Case, dict[str, Any]]]:
    """Every case of a folder with its report."""
    for case in cases(folder):
        yield case, examine_program(case.program, case.arguments)


if (
    __name__ == "__main__"
):  # python tests/check/harness.py PROGRAM [ARGUMENT…]: what is printed, and what is wrong with it
    chosen = Path(sys.argv[1]).resolve()
    if chosen.is_dir():
        for each, found in examine_all(chosen):
            problems = [*faults_of(each, found["findings"]), *false_alarms(each, found["findings"])]
            print(
                "ok  " if not problems else "WRONG",
                each.name,
                *problems,
                sep="\n     " if problems else " ",
                flush=True,
            )
    else:
        for each in cases_of(chosen):
            if len(sys.argv) > 2 and each.arguments != tuple(sys.argv[2:]):
                continue
            found = examine_program(chosen, each.arguments)
            print(found["printed_by_us"])
            print("exit status", found["status"])
            print(each.name, faults_of(each, found["findings"]) + false_alarms(each, found["findings"]) or "ok")
