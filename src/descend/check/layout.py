"""Data whose rows are no longer examples: D202."""

import ast
import math
from collections.abc import Iterator, Sequence
from typing import Any

from descend.check import words
from descend.check.chance import smaller_by_chance
from descend.check.evidence import Evidence
from descend.check.examples import Mixing, mixings
from descend.check.finding import CannotCheck, Finding, Place
from descend.check.rule import Rule
from descend.record.rows import FactRow

_ODDS = 1_000  # to one, of the readings' likelihoods, from which on the order is shown wrong
_CHANCE = 0.05  # that one of two readings which say nothing would fit so much better
_HALF = 2  # the better reading leaves at most half of what the other leaves
_FREE = 2  # rows more than the fit has numbers to choose
_SHOWN = 64  # characters of a corrected line
_CHANGES = ("reshape", "view", "unflatten", "reshape_as", "view_as")


class Rearranged(Rule):
    """A view or reshape exchanges sizes, the batch axis among them, where the axes should have been exchanged."""

    code = "D202"
    highest = "bug"
    name = "reshape where transpose was meant"

    def look(self, evidence: Evidence) -> Iterator[Finding]:
        told = set()
        for rows in _by_tensor(evidence.facts("exchanged")):
            fitted = [each for each in rows if each.values["floor"] is not None]
            row = max(fitted, key=_odds) if fitted else rows[0]
            # Where the rows fit as they are, they are what they should be.
            if fitted and min(map(_odds, fitted)) < -math.log10(_ODDS) / 3:
                continue
            finding = _data_finding(evidence, row)
            told.add((finding.where.file, finding.where.line) if finding.where else None)
            yield finding
        for each in mixings(evidence) if evidence.operation_steps else ():
            if each.how == "torn" and (each.operation.file, each.operation.line) not in told:
                yield _torn_finding(evidence, each)
            elif each.how == "turned":
                yield _turned_finding(evidence, each)

    def clean(self, evidence: Evidence) -> str:
        if not evidence.facts("exchanged") and not len(evidence.steps):
            raise CannotCheck("no step was taken")
        evidence.graphs()
        return "every view and reshape keeps the rows together"


def _by_tensor(rows: Sequence[FactRow]) -> list[list[FactRow]]:
    """Of each tensor the targets that it met."""
    found: dict[tuple[Any, ...], list[FactRow]] = {}
    for row in rows:
        key = (row.file, row.line, tuple(row.values["before"]), tuple(row.values["after"]))
        found.setdefault(key, []).append(row)
    return list(found.values())


def _odds(row: FactRow) -> float:
    """The power of ten of how many times likelier the targets are with the rows transposed: both fits have as many numbers to choose."""
    floor, transposed = float(row.values["floor"]), float(row.values["transposed"])
    least = 1e-12 * max(row.values["spread"], 1e-300)  # what rounding leaves
    return float(row.values["rows"]) / 2 * math.log10(max(floor, least) / max(transposed, least))


def _is_shown(row: FactRow) -> bool:
    """Whether the difference between both readings is beyond doubt."""
    values = row.values
    free = values["rows"] - values["columns"] - 1
    if free < _FREE or _odds(row) < math.log10(_ODDS) or values["floor"] < _HALF * values["transposed"]:
        return False
    ratio = values["transposed"] / values["floor"]
    return smaller_by_chance(ratio, free / 2, values["columns"] / 2) <= _CHANCE


def _data_finding(evidence: Evidence, row: FactRow) -> Finding:
    values = row.values
    before, after, axis = tuple(values["before"]), tuple(values["after"]), values["axis"]
    place, call = _reshape_of(evidence, row)
    shown = values["floor"] is not None and _is_shown(row)
    how = values["how"] or _name_of(call) or "view"
    name = values["x"] or "the data"
    facts: dict[str, Any] = {
        "before": f"{words.shape(before)}, the {after[0]:,} examples along axis {axis}",
        "after": f"{words.shape(after)}, each row {math.prod(after[1:]):,} neighbouring numbers",
    }
    if values["floor"] is not None:
        which = f"{values['classes']:,} classes" if values["classes"] else values["y"] or "the targets"
        facts["least squares"] = f"{which}, with a bias, {values['rows']:,} rows"
        if values["columns"] < values["of_columns"]:
            facts["columns"] = f"{values['columns']} of {values['of_columns']:,} that vary"
        facts["floor as reshaped"] = _exact(values["floor"])
        facts["floor as transposed"] = _exact(values["transposed"])
        facts["without any input"] = _exact(values["spread"])
    return Finding(
        code="D202",
        level="bug" if shown else "likely",
        title=f"{how} makes {words.shape(after)} of {words.shape(before)}: the rows of {name} are no longer examples",
        message=_message(values, shown=shown),
        evidence=facts,
        where=place,
        step=row.step,
        fix=_transposed(evidence, place, call, before, after, axis),
    )


def _message(values: Any, *, shown: bool) -> str:
    start = "A view or reshape moves no number, so each row mixes numbers of several examples."
    if values["floor"] is None:
        return f"{start} Every row is trained towards a target that belongs to other numbers."
    floor, transposed = words.number(values["floor"]), words.number(values["transposed"])
    if shown:
        return (
            f"{start} No linear model of these rows can come below a mean squared error of {floor}; "
            f"with the axes exchanged it is {transposed}."
        )
    return f"{start} A linear fit does not settle it: it leaves {floor} as reshaped and {transposed} as transposed."


def _exact(value: float) -> str:
    """Six significant digits; four decimals where that is fewer."""
    return f"{value:,.4f}" if 0.01 <= abs(value) < 1e6 else f"{value:.6g}"


def _torn_finding(evidence: Evidence, mixing: Mixing) -> Finding:
    operation, examples = mixing.operation, mixing.examples
    place = words.place_of(evidence, operation)
    before, after = operation.input_shapes[0], operation.shape
    call = _call_on(evidence, place, after) if place is not None else None
    return Finding(
        code="D202",
        level="likely",
        title=f"{operation.name} makes {words.shape(after)} of {words.shape(before)}: its rows are no longer examples",
        message="A view or reshape moves no number: each new row is made of pieces of several examples, and is compared with "
        "the target of one.",
        evidence={
            "before": f"{words.shape(before)}, the {examples.count:,} examples along axis {examples.axis}",
            "after": f"{words.shape(after)}, each row {math.prod(after[1:]):,} neighbouring numbers",
            "seen at": words.steps(mixing.steps),
        },
        where=place,
        step=operation.step,
        fix=_transposed(evidence, place, call, before, after, examples.axis),
    )


def _turned_finding(evidence: Evidence, mixing: Mixing) -> Finding:
    """Rows are examples still, and within each the numbers stand in other places than its axes say."""
    operation = mixing.operation
    place = words.place_of(evidence, operation)
    before, after = operation.input_shapes[0], operation.shape
    call = _call_on(evidence, place, after) if place is not None else None
    return Finding(
        code="D202",
        level="likely",
        title=f"{operation.name} makes {words.shape(after)} of {words.shape(before)}: axes change places and no number does",
        message=f"A view or reshape moves no number: what stands in one of the {before[1]:,} elements along axis 1 is spread over "
        "several now.",
        evidence={
            "before": words.shape(before),
            "after": words.shape(after),
            "seen at": words.steps(mixing.steps),
        },
        where=place,
        step=operation.step,
        fix=_turned(evidence, place, call, before, after),
    )


def _turned(
    evidence: Evidence, place: Place | None, call: ast.Call | None, before: Sequence[int], after: Sequence[int]
) -> str:
    """Axes exchanged where there are as many; else split first and exchanged then."""
    if len(before) == len(after):
        rest = list(before)
        order = []
        for size in after:
            order.append(rest.index(size))
            rest[order[-1]] = -1
        change = f".permute({', '.join(map(str, order))})"
        sizes: list[str] = []
    else:
        sizes = [str(each) for each in after]
        if call is not None and len(call.args) == len(after) and not _is_function(call):
            sizes = [ast.unparse(each) for each in call.args]
        change = f".reshape({sizes[0]}, {sizes[2]}, {sizes[1]}, {sizes[3]}).transpose(1, 2)"
    return _put_in_place(evidence, place, call, change)


def _reshape_of(evidence: Evidence, row: FactRow) -> tuple[Place | None, ast.Call | None]:
    """The line of the reshape with the call on it: where it was heard, else the only or the last one in the text that fits."""
    after = tuple(row.values["after"])
    place = evidence.place(row.file, row.line)
    if place is not None:
        return place, _call_on(evidence, place, after)
    every, named = [], []
    for file in evidence.sources:
        tree = evidence.tree(file)
        for node in ast.walk(tree) if tree is not None else ():
            calls = [each for each in ast.walk(node) if isinstance(each, ast.Call) and _fits(each, after)]
            if isinstance(node, ast.Assign | ast.AnnAssign) and _assigns(node, row.values["x"]):
                named += [(file, call) for call in calls]
            elif isinstance(node, ast.Module):
                every += [(file, call) for call in calls]
    chosen = named or (every if len(every) == 1 else [])
    if not chosen:
        return None, None
    file, call = chosen[-1]
    return evidence.place(file, _line_of(call)), call


def _assigns(node: ast.Assign | ast.AnnAssign, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(each, ast.Name) and each.id == name for target in targets for each in ast.walk(target))


def _call_on(evidence: Evidence, place: Place, after: Sequence[int]) -> ast.Call | None:
    """The view or reshape on a line, where there is only one that fits."""
    calls = [each for each in evidence.calls_on(place.file, place.line) if _name_of(each) in _CHANGES]
    fitting = [each for each in calls if _fits(each, after)] or calls
    return fitting[0] if len(fitting) == 1 else None


def _name_of(call: ast.Call | None) -> str:
    return call.func.attr if call is not None and isinstance(call.func, ast.Attribute) else ""


def _fits(call: ast.Call, after: Sequence[int]) -> bool:
    """Whether its sizes, as far as they are written as numbers, are those."""
    if _name_of(call) not in _CHANGES:
        return False
    sizes: list[ast.expr] = list(call.args)
    if _is_function(call):
        sizes = sizes[1:]
    if len(sizes) == 1 and isinstance(sizes[0], ast.Tuple | ast.List):
        sizes = list(sizes[0].elts)
    plain = [_number(each) for each in sizes]
    if len(plain) != len(after):
        return False
    return all(given in (None, -1, size) for given, size in zip(plain, after, strict=True))


def _number(node: ast.expr) -> int | None:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError):
        return None
    return value if isinstance(value, int) else None


def _is_function(call: ast.Call) -> bool:
    """``torch.reshape(x, …)`` rather than ``x.reshape(…)``."""
    func = call.func
    return isinstance(func, ast.Attribute) and isinstance(func.value, ast.Name) and func.value.id == "torch"


def _line_of(call: ast.Call) -> int:
    """The line that the name of the method stands on."""
    return call.func.end_lineno or call.lineno


def _transposed(
    evidence: Evidence,
    place: Place | None,
    call: ast.Call | None,
    before: Sequence[int],
    after: Sequence[int],
    axis: int,
) -> str:
    """The user's line with the axes exchanged, or what to put in place of the call."""
    moved = (before[axis], *before[:axis], *before[axis + 1 :])
    change = ".T" if len(before) == 2 else f".movedim({axis}, 0)"
    if tuple(moved) != tuple(after):
        change += f".reshape({', '.join(map(str, (after[0], *(('-1',) if len(after) == 2 else after[1:]))))})"
    return _put_in_place(evidence, place, call, change)


def _put_in_place(evidence: Evidence, place: Place | None, call: ast.Call | None, change: str) -> str:
    """The user's line with ``change`` in place of the view or reshape; where that is long or cannot be done, what to replace."""
    if call is None or not isinstance(call.func, ast.Attribute) or place is None:
        return f"exchange the axes instead: {change}"
    given = call.args[0] if _is_function(call) else call.func.value
    text, whole = (ast.get_source_segment(evidence.sources[place.file], each) or "" for each in (given, call))
    fixed = words.line_with(evidence, place, call, f"{text}{change}") if text and "\n" not in text else ""
    if fixed and len(fixed) <= _SHOWN:
        return fixed
    old = whole if _is_function(call) else whole[len(text) :]
    return f"{change} instead of {old}" if old and "\n" not in old else f"exchange the axes instead: {change}"


RULES: tuple[type[Rule], ...] = (Rearranged,)
