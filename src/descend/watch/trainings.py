"""Parameters as they come and go in a watched script, and the trainings that this makes of its steps.

A script may train several things one after the other: a look first and then the real loop, the same by hand and by autograd,
one model a fold. Their losses have nothing to do with one another, so each training is told apart by its parameters: where
none of the earlier parameters is used again, another training begins.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(slots=True)
class SeenParameter:
    """A parameter from its first step on; one that is made anew under the same name is another."""

    name: str
    shape: tuple[int, ...]
    how: str  # found through: "module", "variable" or "loop"
    step: int  # that first used it
    last_step: int  # of the sampled steps that used it
    made_anew: bool = False  # under a name that had been trained before
    start_norm: float | None = None
    changed: bool | None = None  # in any sampled step; None while there was none


class Turn(NamedTuple):
    """One of several sets of parameters that steps update in turn, as those of a GAN's two halves."""

    names: tuple[str, ...]
    first_step: int
    last_step: int


class Parameters:
    """Keeps the parameters that were seen, and which steps used them.

    ``named_in`` answers whether a tensor was given a name right before a step: then it may be a new one that is told of under an
    old name. (An update may put a new tensor into a variable as well, so that this alone makes nothing new.)
    """

    def __init__(self, named_in: Callable[[str, int], bool] = lambda _name, _step: False) -> None:
        self.seen: list[SeenParameter] = []
        self._named_in = named_in
        self._latest: dict[str, SeenParameter] = {}
        self._successors: dict[int, SeenParameter] = {}  # by the identity of the one before
        self._sets: dict[tuple[str, ...], tuple[int, int]] = {}
        self._moved: dict[tuple[str, ...], tuple[int, int]] = {}

    def appear(self, step: int, rows: Iterable[tuple[str, tuple[int, ...], str]]) -> None:
        """Parameters of these names, shapes and ways of finding them are used from this step on."""
        for name, shape, how in rows:
            earlier = self._latest.get(name)
            anew = earlier is not None and min(earlier.last_step, step - 1) > earlier.step
            if earlier is not None:
                # What was told of this step under this name was the new one's. One that was used once and has lost its name may
                # be used again: models of one name that take turns are no training each.
                earlier.last_step = min(earlier.last_step, step - 1) if anew else step
            parameter = self._latest[name] = SeenParameter(name, tuple(shape), how, step, step, anew)
            self.seen.append(parameter)
            if earlier is not None:
                self._successors[id(earlier)] = parameter

    def step(self, step: int, rows: Sequence[tuple[str, float, float, float]]) -> None:
        """A sampled step: name, norm of the value before, of the gradient and of the change of each parameter it used."""
        used = [self._latest[name] for name, *_ in rows if name in self._latest]
        if any(each.made_anew and each.step == step for each in used):
            old = [each for each in used if each.step < step and self._named_in(each.name, step)]
            self.appear(step, [(each.name, each.shape, each.how) for each in old])
        for name, value, _, change in rows:
            parameter = self._latest.get(name)
            if parameter is None:
                continue
            parameter.last_step = max(step, parameter.last_step)
            parameter.changed = bool(parameter.changed) or change != 0  # NaN is a change
            if parameter.start_norm is None and step <= parameter.step + 1:
                parameter.start_norm = value
        names = tuple(row[0] for row in rows)
        _stretch(self._sets, names, step)
        # The backward pass of a GAN's one half goes through the other: what a step moves is what it trains.
        _stretch(self._moved, tuple(name for name, *_, change in rows if change != 0) or names, step)

    def is_first(self, name: str, step: int) -> bool:
        """Whether this is the first step that used the parameter of this name, as far as it is known yet."""
        parameter = self._latest.get(name)
        return step == (parameter.step if parameter else 1)

    def successor(self, parameter: SeenParameter) -> SeenParameter | None:
        """The next parameter that took the name of this one."""
        return self._successors.get(id(parameter))

    def beginnings(self, steps: int) -> list[int]:
        """The first step of each training among the steps 1 … ``steps``.

        It is where no earlier parameter is used any more, and where one is made anew that had been trained for some steps.
        """
        if not steps:
            return []
        if not self._sets:  # no step was sampled, so nothing is known of which parameters it used
            return [1]
        found = [1]
        for step in sorted({parameter.step for parameter in self.seen if 1 < parameter.step <= steps}):
            earlier = [parameter for parameter in self.seen if parameter.step < step]
            anew = any(parameter.made_anew for parameter in self.seen if parameter.step == step)
            if anew or (earlier and all(parameter.last_step < step for parameter in earlier)):
                found.append(step)
        return found

    def names_in(self, first: int, last: int) -> list[str]:
        """The names of the parameters that came in these steps, and of those that were used in them."""
        names = [parameter.name for parameter in self.seen if first <= max(parameter.step, 1) <= last]
        for used, (start, end) in self._sets.items():
            names += used if start <= last and end >= first else ()
        return list(dict.fromkeys(names))

    def by_hand(self, first: int, last: int) -> bool:
        """Whether the parameters that came in these steps were found in a loop without autograd."""
        came = [parameter.how for parameter in self.seen if first <= max(parameter.step, 1) <= last]
        return bool(came) and all(how == "loop" for how in came)

    def turns(self, first: int, last: int) -> list[Turn]:
        """Sets without a common parameter that the steps between update in turn; none where all steps update the same."""
        joined: list[Turn] = []
        for names, (start, end) in self._moved.items():
            if not names or start < first or end > last:
                continue
            one = Turn(names, start, end)
            for other in [each for each in joined if set(each.names) & set(names)]:  # not all move in each step
                joined.remove(other)
                every = tuple(dict.fromkeys((*other.names, *one.names)))
                one = Turn(every, min(one.first_step, other.first_step), max(one.last_step, other.last_step))
            joined.append(one)
        joined.sort(key=lambda each: each.first_step)
        at_once = all(a.first_step < b.last_step and b.first_step < a.last_step for a in joined for b in joined)
        return joined if len(joined) > 1 and at_once else []


def _stretch(sets: dict[tuple[str, ...], tuple[int, int]], names: tuple[str, ...], step: int) -> None:
    first, last = sets.get(names, (step, step))
    sets[names] = (min(first, step), max(last, step))
