"""What the facts about optimizers and their tensors say, as several rules ask it."""

from collections.abc import Mapping
from typing import Any

from descend.check import words
from descend.check.evidence import Evidence
from descend.check.finding import CannotCheck, Place
from descend.check.graph_cuts import Cut, cut_of_loss, cut_of_parameters
from descend.record.rows import FactRow

Values = Mapping[str, Any]

STEPS = 3  # that show a fault: one may be an accident


def stepping(evidence: Evidence) -> list[FactRow]:
    """The optimizers that were stepped in steps that were looked at. Raises CannotCheck where no optimizer was stepped."""
    rows = [row for row in evidence.facts("optimizer") if row.values["steps"] and row.values.get("held")]
    if not rows:
        raise CannotCheck("no optimizer was stepped")
    return rows


def left_alone_by(evidence: Evidence, row: FactRow) -> tuple[list[Values], list[Values]]:
    """What an optimizer holds and nothing uses, and what is used and nobody holds."""
    unused: list[Values] = [each for each in row.values["unreached"] if not each["in_model"] and not each["moved"]]
    shapes = [each["shape"] for each in unused]
    leaves: list[Values] = [leaf.values for leaf in evidence.facts("leaf")]
    alone = [
        leaf
        for leaf in leaves
        if leaf["steps"] >= STEPS
        and not leaf["moved"]
        and not leaf["loss"]
        and (leaf["parameter"] or leaf["shape"] in shapes)
    ]
    return unused, alone


def left_alone(evidence: Evidence, row: FactRow) -> bool:
    """Whether D106 explains that nothing reaches an optimizer."""
    unused, alone = left_alone_by(evidence, row)
    return bool(unused and alone)


def why_nothing_reached(evidence: Evidence, row: FactRow) -> tuple[str, Cut | None]:
    """Why no backward pass ends in anything that an optimizer holds: "frozen", "other tensors", "cut" or "not used"; with the cut, where it is known."""
    if row.values["frozen"] == row.values["held"]:
        return "frozen", None
    if left_alone(evidence, row):
        return "other tensors", None
    step, backward = backward_of(evidence, row.values["number"])
    cut = cut_of_parameters(evidence, row.values["parameters"])
    if backward is not None and (cut is None or backward["graph"] < 0):
        cut = cut_of_loss(evidence, step, backward["loss"], (backward["file"], backward["line"])) or cut
    if cut is not None or (backward is not None and backward["graph"] < 0):
        return "cut", cut
    called = any(part["called"] for module in evidence.facts("module") for part in module.values["unreached"])
    return ("cut" if called and not evidence.operation_steps else "not used"), None


def made_at(evidence: Evidence) -> Place | None:
    """Where the first optimizer was made."""
    row = stepping(evidence)[0]
    return evidence.place(row.file, row.line)


def backward_of(evidence: Evidence, optimizer: int) -> tuple[int, Values | None]:
    """The last backward pass before an update of an optimizer, in the first step that has both."""
    for row in evidence.facts("order"):
        backward = None
        for each in row.values["happened"]:
            if each["what"] == "backward":
                backward = each
            elif each["what"] == "update" and each["optimizer"] == optimizer and backward is not None:
                return row.step, backward
    return 0, None


def described(values: Values) -> str:
    """Name and shape, the name left out where it was made up."""
    shape = words.shape(values["shape"])
    name = values["name"]
    return shape if not name or name.startswith("unnamed") else f"{name} {shape}"


def moves(evidence: Evidence, name: str) -> bool:
    """Whether a step that was looked at changed a parameter."""
    return any(row.change > 0 for row in evidence.norms_by_parameter.get(name, ()))
