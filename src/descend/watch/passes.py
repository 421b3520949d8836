"""Forward passes that no backward follows: evaluations."""

import weakref
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from torch import Tensor, nn

from descend.record.events import Evaluation, Event, Fact
from descend.watch.batches import Batch, tensors_in
from descend.watch.identity import Memory, memory_of
from descend.watch.layers import Look
from descend.watch.names import Names
from descend.watch.places import NOWHERE, Place, Places

_HASHED = 3  # batches of one evaluation that are fingerprinted
_FOLLOWED = 8  # passes before a step whose outputs are followed to later ones
_LOOKS = 30  # at the layers of passes that start at one line
# Evaluations at one line that are looked at closely whatever it costs; later ones while there is time for it.
_CLOSELY = 20


class Pass:
    """One call of a module of the user's, outside of any other."""

    __slots__ = (
        "closely",
        "ended",
        "feeds",
        "first",
        "gradients",
        "identity",
        "inputs",
        "look",
        "made",
        "module",
        "noted",
        "output",
        "parameters",
        "place",
        "started",
        "training",
    )

    def __init__(self, module: nn.Module, gradients: bool, place: Place, started: float) -> None:
        self.module = weakref.ref(module)  # the program may let go of its model, and it should be gone then
        self.identity = id(module)
        self.gradients = gradients
        self.place = place
        self.started = self.ended = started
        self.inputs: tuple[object, ...] = ()
        self.parameters: frozenset[int] = frozenset()  # identities of those it may train, where a step is looked at
        self.output: object = None  # of one of the first passes, where it has no graph
        self.training = module.training  # its mode when it was called
        self.noted = False  # in passing: where it was called is not known
        self.look: Look | None = None  # at its layers, where it may be an evaluation
        self.closely = True  # its batch is fingerprinted, should it be an evaluation's
        self.made: list[Memory] = []  # the memory of what it returned
        self.feeds: list[Pass] = []  # later ones that were given that memory
        self.first: weakref.ref[Tensor] | None = None  # of the tensors that it was given

    def is_beside(self, others: Iterable["Pass"]) -> bool:
        """Whether another module, and not this one, is trained with the very same tensor, as a student is beside its teacher."""
        first = self.first() if self.first is not None else None
        trained = [each for each in others if each.gradients]
        return (
            first is not None
            and all(each.identity != self.identity for each in trained)
            and any(each.first is not None and each.first() is first for each in trained)
        )


@dataclass(slots=True)
class _Open:
    passes: int = 0
    started: float = 0.0
    ended: float = 0.0
    gradients: bool = False
    training: dict[str, None] = field(default_factory=dict)
    place: Place = NOWHERE
    noted: bool = False  # all its passes so far were
    batch: Batch = field(default_factory=Batch)
    look: Look | None = None
    trained: bool = False  # parameters of the model are known from a step
    same: int = 0  # of the first passes, how many were given the very same tensor as the first
    apart: bool = False  # a batch, a loader or the end followed, and not the backward pass of a step

    def events(self, number: int, step: int) -> list[Event]:
        seconds = max(0.0, self.ended - self.started)
        training = tuple(self.training)
        told = Evaluation(number, step, self.passes, seconds, self.gradients, training, self.place)
        seen = {"number": number, "trained": self.trained, "same": self.same, "apart": self.apart}
        if self.look is not None:
            seen |= self.look.as_json()
        return [told, *self.batch.events(step, number), Fact(step, "evaluation", seen, self.place)]


class Passes:
    """Decides which passes belong to a step and which are an evaluation, and tells evaluations when they are over.

    A pass is an evaluation's when the next batch is asked for without a backward, or when it built no graph and is of a module
    that is trained in the same place otherwise: a teacher's pass without a graph is part of the step. So is one that made what a pass
    of the step was given: a generator's, for the step of a critic.
    """

    def __init__(
        self,
        names: Names,
        evaluated: Callable[[nn.Module, list[Tensor], object, Place], None],
        has_time: Callable[[], bool],
    ) -> None:
        self._evaluated = evaluated
        self._has_time = has_time  # for another close look at an evaluation
        self.waiting: list[Pass] = []  # passes since the last step or batch
        self._names = names
        self._open: _Open | None = None
        self._trained: set[int] = set()
        self._within_steps: set[Place] = set()  # passes without a graph that stood in the step before
        self._noted_after = 0  # so many steps
        self._listening: Look | None = None
        self._looks: dict[Place, tuple[int, int]] = {}  # of each place how many, and after which step the last
        # Of each place how many evaluations of this training, after which step the last, and whether it is looked at closely.
        self._seen: dict[Place, tuple[int, int, bool]] = {}

    @property
    def is_open(self) -> bool:
        return self._open is not None

    def all_to_evaluation(self, frame: FrameType | None) -> None:
        """No backward followed what was waiting."""
        for one in self.waiting:
            self._add(one, frame, apart=True)
        self.waiting.clear()

    def begins(self, one: Pass, inputs: Any) -> None:
        """A pass is about to begin: those that made what it is given feed it."""
        given = inputs[0] if isinstance(inputs, tuple) and inputs else None
        one.first = weakref.ref(given) if isinstance(given, Tensor) else None
        sources = [each for each in self.waiting[:_FOLLOWED] if each.made]
        if sources:
            lies_in = {each.cdata for each in memory_of(inputs)}
            for each in sources:
                if any(memory.cdata in lies_in for memory in each.made):
                    each.feeds.append(one)

    def joined(self, given: Any, made: Any) -> None:
        """Between two passes something was made of ``given``: real and generated rows were put together, say."""
        sources = [each for each in self.waiting[:_FOLLOWED] if each.made]
        if sources:
            lies_in = {each.cdata for each in memory_of(given)}
            for each in sources:
                if any(memory.cdata in lies_in for memory in each.made):
                    each.made += memory_of(made)

    def ends(self, one: Pass, output: Any) -> None:
        """It has ended and waits for what follows."""
        if len(self.waiting) < _FOLLOWED:
            one.made = memory_of(output)
        self.waiting.append(one)

    def step_begins(
        self, frame: FrameType | None, done: int, leaves: Collection[Tensor] | None
    ) -> tuple[list[Pass], list[Pass]]:
        """A backward begins after ``done`` steps; it reaches ``leaves``, where they are known.

        Returns the passes that were an evaluation's after all, and those that are the step's.
        """
        reached = None if leaves is None else {id(leaf) for leaf in leaves}
        if done > self._noted_after + 1:  # steps without such passes lie between: they belong to no step
            self._within_steps = set()
        self._noted_after = done
        self._trained.update(one.identity for one in self.waiting if one.gradients)
        examined: list[Pass] = []
        own: list[Pass] = []
        own_ones = set[Pass]()
        for one in reversed(self.waiting):
            if one.gradients:
                known = reached is None or not one.parameters or not one.parameters.isdisjoint(reached)
            else:
                known = one.identity not in self._trained or one.place in self._within_steps
            known = known or not own_ones.isdisjoint(one.feeds) or (not one.gradients and one.is_beside(own_ones))
            (own if known else examined).append(one)
            if known:
                own_ones.add(one)
        own.reverse()
        examined.reverse()
        self._within_steps = {one.place for one in self.waiting if not one.gradients}
        for one in examined:
            self._add(one, frame)
        self.waiting.clear()
        return examined, own

    @property
    def last_ended(self) -> float:
        """When the last pass of the open evaluation was over."""
        return self._open.ended if self._open is not None else 0.0

    def take(self) -> Callable[[int, int], list[Event]] | None:
        """Close the open evaluation, if any: what makes its events from its number and the step before it."""
        done, self._open = self._open, None
        return None if done is None else done.events

    def closely(self, place: Place, step: int) -> bool:
        """Whether an evaluation after ``step`` whose first pass stands at ``place`` is looked at closely."""
        self.heard()  # a pass before it that ended in an error
        times, last, found = self._seen.get(place, (0, -1, True))
        if last != step:
            found = times < _CLOSELY or self._has_time()
            self._seen[place] = (times + 1, step, found)
        return found

    def begin_anew(self) -> None:
        """Another training begins: its evaluations may be of other rows."""
        self._seen.clear()

    def look(self, module: nn.Module, place: Place, step: int, places: Places) -> Look | None:
        """A look at a pass that may be the first of an evaluation after ``step``; None where enough is known of its line."""
        times, last = self._looks.get(place, (0, -1))
        if last == step or times >= _LOOKS:
            return None
        self._looks[place] = (times + 1, step)
        return Look(module, places)

    def listen(self, look: Look) -> None:
        """The pass begins."""
        self._listening = look
        look.begins()

    def heard(self) -> None:
        """It is over."""
        if self._listening is not None:
            self._listening.ends()
            self._listening = None

    def _add(self, one: Pass, frame: FrameType | None, *, apart: bool = False) -> None:
        if self._open is None:
            self._open = _Open(started=one.started, place=one.place, noted=one.noted)
        current = self._open
        if current.noted and not one.noted:
            current.noted, current.place = False, one.place
        current.passes += 1
        current.ended = one.ended
        current.gradients |= one.gradients
        current.apart |= apart
        current.look = current.look or one.look
        closely = one.closely and current.passes <= _HASHED
        if closely:
            given = tensors_in(one.inputs)
            current.same += bool(given) and given[0] is next(iter(current.batch.tensors), given[0])
            current.batch.see(given)
            current.batch.name(self._names, frame)
        module = one.module()
        if module is not None and current.passes <= _HASHED:
            if closely:
                self._evaluated(module, tensors_in(one.inputs), one.output, one.place)
            current.trained |= any(self._names.name_of(each) for each in module.parameters())
        if module is not None and one.training and not current.training:
            modules = self._names.modules_of(module, frame)
            current.training.update((modules[id(part)], None) for part in module.modules() if part.training)
