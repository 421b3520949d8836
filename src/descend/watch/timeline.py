"""The six phases of one step: how long each took and which line of the user's did it.

A step has one segment for each backward pass (several, when gradients accumulate) and one tail: what follows the backward, the
update and the zeroing. Time between two events belongs to the phase that the gap's ``label`` names.
"""

import time
from dataclasses import dataclass, field

from descend.watch.places import NOWHERE, Place


@dataclass(slots=True)
class Operation:
    """One operation of a loop without modules, before its backward pass."""

    started: float
    ended: float
    place: Place
    result: int  # identity of what it returned


@dataclass(slots=True)
class Segment:
    """Seconds and places of the phases of one backward pass, or of the tail of a step."""

    seconds: dict[str, float] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    likely: dict[str, Place] = field(default_factory=dict)  # where nothing surer is known
    started: float | None = None
    operations: list[Operation] = field(default_factory=list)
    passes: int = 0  # calls of modules that have parameters

    def add(self, phase: str, seconds: float, place: Place = NOWHERE) -> None:
        if phase:
            self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds
            if place is not NOWHERE and place[1]:
                self.places.setdefault(phase, place)


class Timeline:
    """Told when something begins and ends, it keeps the account. Time of our own between an end and ``resume`` is not counted."""

    def __init__(self, started: float | None) -> None:
        self.segments: list[Segment] = []
        self.now = Segment(started=started)
        self.tail = Segment()
        self.last = started
        self.label = "data"
        self.in_tail = False

    def begins(self, at: float, phase: str, *, fresh: bool = False) -> None:
        """Something of ``phase`` begins: the time since the last event belongs to the gap's label."""
        if self.in_tail and phase not in ("update", "zero"):
            self._next_segment()
        if self.last is None or (fresh and self.now.started is None):
            self.now.started = at
        else:
            self._part().add(self.label, max(0.0, at - self.last))
        if phase == "forward" and "loss" in self.now.seconds and not self.in_tail:
            self.now.add(
                "forward", self.now.seconds.pop("loss")
            )  # what seemed the loss was a piece between two modules
            self.now.places.pop("loss", None)
        self.last = at

    def prepares_update(self, began: float, ended: float, place: Place) -> None:
        """An operation after the backward pass worked on gradients: for the update, or for a person to see."""
        self.begins(began, "update")
        self.ends(ended, "update", NOWHERE, "update")
        self._part().likely.setdefault("update", place)

    def ends(self, at: float, phase: str, place: Place, label: str | None = None) -> None:
        """What began is over and took its time as ``phase``; ``label`` names the gap that follows."""
        if self.last is not None:
            self._part().add(phase, max(0.0, at - self.last), place)
        if label is not None:
            self.label = label
        self.last = at

    def resume(self) -> None:
        """Our own work is done; the user's time goes on."""
        if self.last is not None:
            self.last = time.perf_counter()

    def operation(self, started: float, ended: float, place: Place, result: int, *, gradient: bool) -> None:
        """An operation outside of modules and before the backward pass; ``gradient``: its result has a graph."""
        if not gradient and self.last is None:
            return  # of what comes before the first step nobody knows what it is for
        segment = self.now
        self.begins(started, "", fresh=gradient)
        if not gradient:
            self.ends(ended, self.label, place)
        elif segment.passes:
            segment.places.pop("loss", None)  # the last line before the backward pass is the loss's
            self.ends(ended, "loss", place, "loss")
        else:
            self.now.operations.append(Operation(started, ended, place, result))
            self.ends(ended, "forward", place, "forward")

    def backward_begins(self, at: float, losses: set[int]) -> None:
        """All that came before is split: the operations of the line that made the loss are the phase "loss"."""
        self.begins(at, "backward")
        operations = self.now.operations
        if operations and "forward" in self.now.seconds and not self.now.passes:
            last = len(operations) - 1
            # The last one: an identity may have belonged to a tensor before that is gone.
            maker = next((index for index in range(last, -1, -1) if operations[index].result in losses), last)
            first = maker
            while first > 1 and operations[first - 1].place == operations[maker].place:
                first -= 1
            if operations[0].place == operations[maker].place:
                first = maker  # all on one line: only the last operation is the loss
            spent = min(at - operations[first].started, self.now.seconds["forward"])
            if first > 0 or len(operations) == 1:
                self.now.add("loss", spent, operations[maker].place)
                self.now.seconds["forward"] -= spent

    def backward_ends(self, at: float, place: Place) -> None:
        self.ends(at, "backward", place, "update")
        self.segments.append(self.now)
        self.in_tail = True

    def leave_out(self, seconds: float, place: Place) -> None:
        """So many seconds of the forward phase were an evaluation's; the step's own forward pass stands at ``place``."""
        self.now.seconds["forward"] = max(0.0, self.now.seconds.get("forward", 0.0) - seconds)
        self.now.places["forward"] = place

    def totals(self, counted: set[int]) -> tuple[dict[str, float], dict[str, Place]]:
        """Seconds and places of the step, from the segments that ``counted`` numbers, and the tail."""
        whole = Segment()
        for segment in [*(self.segments[index] for index in sorted(counted) if index < len(self.segments)), self.tail]:
            for phase, seconds in segment.seconds.items():
                whole.add(phase, seconds, segment.places.get(phase) or segment.likely.get(phase, NOWHERE))
        return whole.seconds, whole.places

    def continued(self) -> "Timeline":
        """A timeline of the next step, whose first segment is already running in this one."""
        following = Timeline(None)
        following.now, following.last, following.label = self.now, self.last, self.label
        return following

    def _part(self) -> Segment:
        return self.tail if self.in_tail else self.now

    def _next_segment(self) -> None:
        self.now = Segment()
        self.in_tail = False
        self.label = "data"
        self.last = None  # what lies between an update that did not come and the next pass belongs to nobody
