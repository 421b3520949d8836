"""The phases of a step whose gradients are derived by hand: what each of its operations was for, and how long they took."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

from descend.watch.dependence import Flow
from descend.watch.function_mode import tap
from descend.watch.identity import changed_in_place, tensors_in
from descend.watch.places import Place, Places
from descend.watch.recording import ABOUT_TENSORS

Key = tuple[Place, int]  # a line, and which operation of that line
_clock = time.perf_counter


class Stopwatch:
    """Times the operations of one iteration. Its first listener comes before those of others, its second after them, so that the
    time they take is nobody's."""

    def __init__(self, places: Places, flow: Flow | None = None) -> None:
        self.spent: list[tuple[Key, float]] = []
        self.nodes: list[tuple[Key, int]] = []  # what each operation made, where there is a flow to say so
        self._places, self._flow = places, flow
        self._count: Counter[Place] = Counter()
        self._last = self._heard = 0.0
        self.cost = 0.0  # seconds that listening took

    def start(self) -> bool:
        """Listen from now on, where that is possible; others may begin to listen until :meth:`ready`."""
        return not tap().listen(self._ended)

    def ready(self) -> None:
        """All others listen: the time runs."""
        tap().listen(self._resume)
        self._last = _clock()

    def leave_out(self, seconds: float) -> None:
        """So much of the time that runs is not the program's."""
        self._last += seconds

    def stop(self) -> None:
        """Listen no more."""
        for listener in (self._ended, self._resume):
            tap().leave(listener)

    def _ended(self, _name: str, _args: Any, _kwargs: Any, _output: Any, frame: FrameType) -> None:
        self._heard = _clock()
        place = self._places.place(frame)
        self.spent.append(((place, self._count[place]), self._heard - self._last))
        self._count[place] += 1

    def _resume(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any, _frame: FrameType) -> None:
        flow = self._flow
        if flow is not None and not flow.too_long and name not in ABOUT_TENSORS:
            made = changed_in_place(name, args, kwargs, output) or list(tensors_in(output))
            self.nodes += [(self.spent[-1][0], flow.node(tensor)) for tensor in made[:1]]
        self._last = _clock()
        self.cost += self._last - self._heard


@dataclass(frozen=True, slots=True)
class HandPhases:
    """What the operations of a loop are for, as far as one iteration has shown it."""

    phase_of: Mapping[Key, str]
    batch: tuple[str, ...]  # the variables that hold the data, in the order of their use

    def times(self, spent: Iterable[tuple[Key, float]]) -> tuple[dict[str, float], dict[str, Place]]:
        """Seconds of each phase, and the first line that did something of it. What has no part in the training is left out."""
        seconds: dict[str, float] = {}
        places: dict[str, Place] = {}
        for key, time_spent in spent:
            phase = self.phase_of.get(key)
            if phase:
                seconds[phase] = seconds.get(phase, 0.0) + time_spent
                places.setdefault(phase, key[0])
        return seconds, places


def hand_phases(
    flow: Flow,
    operations: Iterable[tuple[Key, int]],
    starts: Mapping[str, int],
    ends: Mapping[str, int],
    parameters: Iterable[str],
    loss: int,
) -> HandPhases:
    """What one iteration has shown. ``operations``: what each of them made, in order; ``starts`` and ``ends``: what made each
    variable at the beginning and at the end; ``loss``: what made the loss."""
    begun = sum(1 << node for node in {starts[path] for path in parameters if path in starts})
    made = {ends[path] for path in parameters if path in ends}
    return HandPhases(_phase_of_each(flow, list(operations), begun, made, loss), _batch(flow, ends, begun, loss))


def _phase_of_each(
    flow: Flow, operations: list[tuple[Key, int]], begun: int, made: set[int], loss: int
) -> dict[Key, str]:
    ancestors, leading = flow.ancestors, 0
    for end in made:
        leading |= ancestors[end]
    loss_line = next((key[0] for key, node in operations if node == loss), None)
    update_lines = {key[0] for key, node in operations if node in made}
    phases: dict[Key, str] = {}
    loss_is_made = False
    for key, node in operations:
        leads = leading >> node & 1
        if node in made or (key[0] in update_lines and leads):
            phases[key] = "update"
        elif ancestors[loss] >> node & 1 and not loss_is_made:
            phases[key] = "loss" if key[0] == loss_line else "forward" if ancestors[node] & begun else "data"
        elif leads:
            phases[key] = "backward"
        loss_is_made = loss_is_made or node == loss
    if "forward" not in phases.values():  # all on one line: the last operation is the loss
        for key, node in operations:
            if phases.get(key) == "loss" and node != loss:
                phases[key] = "forward" if ancestors[node] & begun else "data"
    return phases


def _batch(flow: Flow, variables: Mapping[str, int], begun: int, loss: int) -> tuple[str, ...]:
    """The variables that hold what met a parameter on the way to the loss."""
    met: dict[int, None] = {}
    for number in _bits(flow.ancestors[loss]):
        inputs = flow.operations[number].inputs
        if any(flow.ancestors[each] & begun for each in inputs):
            met.update(dict.fromkeys(each for each in inputs if not flow.ancestors[each] & begun))
    by_node = {node: path for path, node in variables.items()}
    return tuple(by_node[node] for node in met if node in by_node)


def _bits(number: int) -> Iterator[int]:
    """The places of the bits that are set, the lowest first."""
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest
