"""Training loops with gradients by hand: no ``backward`` to see, only variables that an iteration changes.

The script's loops have a probe (``probes``). The first iterations of a loop are looked at closely, operation by operation, until
it is clear what they are (``dependence``). A loop that trains is then told step by step; all others are never looked at again.
"""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from types import FrameType

from torch import Tensor

from descend.record.events import Unseen
from descend.watch import probes
from descend.watch.budget import is_sampled, is_snapshot, next_candidate
from descend.watch.dependence import Flow, Verdict, judge
from descend.watch.function_mode import tap
from descend.watch.hand_events import events_of
from descend.watch.hand_phases import Stopwatch, hand_phases
from descend.watch.hand_steps import Ends, Observer, Recordings
from descend.watch.iterations import (
    Iteration,
    Site,
    Step,
    have_moved,
    let_go,
    loss_falls,
    loss_of_step,
    value_at,
    version_of,
)
from descend.watch.probes import LOOPS, instrument
from descend.watch.quiet import modes_are_on, quiet
from descend.watch.variables import numbers_of, tensors_of, value_of, variables_of

__all__ = ["LoopWatcher", "instrument"]

_LOOKS = frozenset({1, 2, 3, 4, 8, 16, 32, 64})  # iterations of a loop that are looked at closely
_LAST_LOOK = max(_LOOKS)
_SMALL = 2 * 2**20  # bytes of a tensor that is copied before it is known to be a parameter
_COPIED = 32 * 2**20  # bytes of parameters that are copied before a sampled step
_FALLS = 5  # steps in a row that a number has to fall in to be taken for the loss, if its name does not say so

_NOTHING: Mapping[str, Tensor] = {}


class _Local(threading.local):
    def __init__(self) -> None:
        self.open: list[Iteration] = []
        self.busy = False


class LoopWatcher:
    """Tells ``observer`` the steps of loops whose gradients are derived by hand.

    Loops in which a backward pass runs are the observer's own. A fault in here ends the watching of a loop, never the script.
    """

    def __init__(self, observer: Observer, ends: Ends | None = None) -> None:
        self._observer, self._ends = observer, ends
        self._recordings = Recordings(observer)
        self._sites: dict[int, Site] = {}
        self._local = _Local()

    def start(self) -> None:
        """Listen to the probes."""
        self._observer.timed_beside.append(self._leave_out)
        probes.listen(self._heard)

    def stop(self) -> None:
        """Tell the last step, and listen no more."""
        for iteration in reversed(self._local.open):
            self._let_go(iteration)
        self._local.open.clear()
        probes.listen_no_more()
        tap().settle()

    def _leave_out(self, seconds: float) -> None:
        """So much of the iterations that are open in this thread is none of their time."""
        for iteration in self._local.open:
            iteration.leave_out(seconds)

    def _heard(self, number: int, frame: FrameType, left: bool) -> None:
        local = self._local
        if local.busy:
            return
        at = time.perf_counter()
        local.busy = True
        try:
            if left:
                self._end(number, frame, at)
                self._left(number, frame)
            elif not self._went_on(number, frame, at):
                self._end(number, frame, at)
                self._begin(number, frame)
        except Exception as error:  # noqa: BLE001 - the script goes on, whatever we could not make of it
            self._give_up(number, error)
        finally:
            local.busy = False
            self._observer.spent += time.perf_counter() - at

    def _went_on(self, number: int, frame: FrameType, at: float) -> bool:
        """From one step that was not looked at to the next: the way that nearly all iterations take. False where it is not one."""
        stack, observer = self._local.open, self._observer
        if not stack:
            return False
        iteration = stack[-1]
        site = iteration.site
        step = observer.step
        if (
            site.number != number
            or iteration.frame != id(frame)
            or not iteration.plain
            or iteration.steps != step
            or iteration.backward_calls != observer.backward_calls
        ):
            return False
        if step + 2 >= site.candidate:
            site.candidate = observer.heeded(site.candidate, at)
            if step + 2 >= site.candidate:
                return False
        stack.pop()  # so that only the loops around it are forgotten
        self._told_quickly(site, frame, at - iteration.began)
        stack.append(iteration)
        iteration.steps = observer.step
        iteration.began = time.perf_counter()
        return True

    def _begin(self, number: int, frame: FrameType) -> None:
        site = self._sites.get(number)
        if site is None:
            site = self._sites[number] = Site(number, (LOOPS[number].file, LOOPS[number].line))
        site.begun += 1
        if site.verdict is None and site.begun > _LAST_LOOK:
            self._forget(site)
            return
        observer, stack = self._observer, self._local.open
        if stack and stack[-1].frame != id(frame):
            self._drop_dead(frame)
        iteration = Iteration(site, id(frame), frame.f_code, observer.backward_calls, observer.step)
        if site.verdict is not None:
            self._prepare(iteration, frame)
        elif site.begun in _LOOKS:
            self._look(iteration, frame)
        stack.append(iteration)
        iteration.began = time.perf_counter()

    def _end(self, number: int, frame: FrameType, at: float) -> None:
        stack = self._local.open
        position = len(stack) - 1
        while position >= 0 and not (stack[position].site.number == number and stack[position].frame == id(frame)):
            position -= 1
        if position < 0:
            return
        for inner in reversed(stack[position + 1 :]):
            self._let_go(inner)
        iteration = stack[position]
        del stack[position:]
        iteration.hear_no_more()
        others = iteration.steps != self._observer.step  # the steps of a loop inside it
        if (
            others
            or iteration.backward_calls != self._observer.backward_calls
            or (iteration.flow and iteration.flow.autograd)
        ):
            self._recordings.drop(iteration)
            if iteration.site.verdict is None:
                self._forget(iteration.site)
        elif iteration.site.verdict is not None:
            self._told(iteration, frame, at - iteration.began)
        elif iteration.flow is not None:
            self._judge(iteration, frame, at - iteration.began)

    def _left(self, number: int, frame: FrameType) -> None:
        """The loop is over: its parameters are what they will be, unless something else trains them."""
        site = self._sites.get(number)
        if site is None or site.verdict is None or not site.told or self._ends is None:
            return
        variables, module = frame.f_locals, frame.f_globals
        for path in site.verdict.parameters:
            value = value_at(variables, module, path)
            if isinstance(value, Tensor):
                self._ends.ends(path, value)
        if variables is not module:
            let_go(variables)

    def _look(self, iteration: Iteration, frame: FrameType) -> None:
        flow = Flow()
        stopwatch = Stopwatch(self._observer.places, flow)
        if not stopwatch.start():
            return  # it cannot be looked at now; perhaps the next time
        tap().listen(flow.heard)
        iteration.flow, iteration.stopwatch = flow, stopwatch
        loop = LOOPS[iteration.site.number]
        variables, copied = variables_of(frame), 0
        with quiet():
            for path, tensor in tensors_of(variables, loop.temporary).items():
                iteration.starts[path] = flow.node(tensor)
                if tensor.nbytes <= _SMALL and copied + tensor.nbytes <= _COPIED:
                    copied += tensor.nbytes
                    iteration.before[path] = tensor.detach().clone()
        self._recordings.begin(iteration, variables)
        stopwatch.ready()

    def _judge(self, iteration: Iteration, frame: FrameType, seconds: float) -> None:
        site, flow = iteration.site, iteration.flow
        assert flow is not None
        if flow.too_long:
            self._recordings.drop(iteration)
            self._forget(site)
            return
        loop, variables = LOOPS[site.number], variables_of(frame)
        with quiet():
            ends = {path: flow.node(tensor) for path, tensor in tensors_of(variables, loop.temporary).items()}
            for path in iteration.starts:
                value = value_of(variables, path)
                if isinstance(value, Tensor):
                    ends[path] = flow.node(value)
            numbers = {
                path: flow.node(value) if isinstance(value, Tensor) else flow.node_of_number(value)
                for path, value in numbers_of(variables, loop.stored).items()
            }
        verdict = judge(flow, iteration.starts, ends, numbers)
        if not verdict.loss:
            self._recordings.drop(iteration)
            if verdict.parameters:
                self._ambiguous(site, verdict)
            return
        site.verdict = verdict
        loss = numbers.get(verdict.loss)
        if loss is None:  # it became a plain number on the way
            loss = max(flow.read_as_numbers, default=None)
        if loss is not None and iteration.stopwatch is not None:
            operations = iteration.stopwatch.nodes
            site.phases = hand_phases(flow, operations, iteration.starts, ends, verdict.parameters, loss)
        self._told(iteration, frame, seconds)

    def _ambiguous(self, site: Site, verdict: Verdict) -> None:
        loop = LOOPS[site.number]
        names, candidates = ", ".join(verdict.parameters), ", ".join(verdict.candidates)
        self._observer.emit(
            Unseen(
                "the steps of a loop without backward",
                f"{names} may be parameters, but which number is the loss could not be told: {candidates}",
                (loop.file, loop.line),
            )
        )
        self._forget(site)

    def _prepare(self, iteration: Iteration, frame: FrameType) -> None:
        """Before a step: at sampled ones, what the parameters are."""
        site, observer = iteration.site, self._observer
        coming = observer.step + 1
        assert site.verdict is not None
        iteration.sampled = bool(site.waiting) or not site.verdict.sure or is_sampled(coming, observer.share)
        if not iteration.sampled:
            iteration.plain, site.candidate = True, next_candidate(coming)
            return
        variables, copied = variables_of(frame), 0
        with quiet():
            for path in site.verdict.parameters:
                tensor = value_of(variables, path)
                if isinstance(tensor, Tensor):
                    copied += tensor.nbytes
                    if copied <= _COPIED:
                        iteration.before[path] = tensor.detach().clone()
        stopwatch = Stopwatch(observer.places) if site.phases is not None else None
        if stopwatch is not None and stopwatch.start():
            iteration.stopwatch = stopwatch
        self._recordings.begin(iteration, variables)
        if iteration.stopwatch is not None:
            iteration.stopwatch.ready()

    def _told(self, iteration: Iteration, frame: FrameType, seconds: float) -> None:
        """After an iteration: a step, if the parameters moved."""
        site = iteration.site
        verdict = site.verdict
        assert verdict is not None
        if not (iteration.sampled or iteration.flow is not None or site.waiting):
            self._told_quickly(site, frame, seconds)
            return
        variables = variables_of(frame)
        parameters = {path: value_of(variables, path) for path in verdict.parameters}
        if not all(isinstance(each, Tensor) for each in parameters.values()):
            self._recordings.drop(iteration)
            return
        with quiet():
            moved = have_moved(iteration, parameters)
            loss = loss_of_step(site, value_of(variables, verdict.loss))
        if not moved:
            self._recordings.drop(iteration)
            return
        if iteration.stopwatch is not None:
            seconds = max(0.0, seconds - iteration.stopwatch.cost)
            self._observer.spent += iteration.stopwatch.cost
        detailed = iteration.sampled or iteration.flow is not None
        before = {path: iteration.before[path] for path in verdict.parameters if path in iteration.before}
        site.waiting.append(Step(loss, parameters, seconds, before) if detailed else Step(loss, {}, seconds, {}))
        if iteration.stopwatch is not None and site.phases is not None:
            step, batch = site.waiting[-1], {path: value_of(variables, path) for path in site.phases.batch}
            step.spent, step.places = site.phases.times(iteration.stopwatch.spent)
            step.batch = {path: value for path, value in batch.items() if isinstance(value, Tensor)}
        if verdict.sure:
            self._tell(site)
        elif not loss_falls(site):
            self._recordings.drop(iteration)
            self._ambiguous(site, verdict)
            return
        elif len(site.waiting) >= _FALLS:
            site.verdict = Verdict(verdict.parameters, verdict.loss, sure=True, candidates=verdict.candidates)
            self._tell(site)
        else:
            with quiet():
                site.waiting[-1].parameters = {path: tensor.detach().clone() for path, tensor in parameters.items()}
            self._recordings.drop(iteration)
            return
        self._recordings.end(iteration)

    def _told_quickly(self, site: Site, frame: FrameType, seconds: float) -> None:
        """After an iteration that was not looked at: whether something moved, and the loss."""
        variables, module = frame.f_locals, frame.f_globals
        assert site.verdict is not None
        first = value_at(variables, module, site.verdict.parameters[0])
        value = value_at(variables, module, site.verdict.loss)
        if variables is not module:
            let_go(variables)
        if not isinstance(first, Tensor):
            return
        if modes_are_on():
            with quiet():
                version, loss = version_of(first), loss_of_step(site, value)
        else:
            version, loss = version_of(first), loss_of_step(site, value)
        if version == site.version and not site.silent:
            return
        site.version = version
        self._observer.hand_step(loss, _NOTHING, seconds, _NOTHING)
        if len(self._local.open) > 0:
            self._forget_around()

    def _forget_around(self) -> None:
        """The loops around one that trains are no trainings of their own."""
        for around in self._local.open:
            self._let_go(around)
            self._forget(around.site)
        self._local.open.clear()

    def _tell(self, site: Site) -> None:
        with quiet():  # what is computed to tell it is none of the step's operations
            for step in site.waiting:
                self._tell_step(site, step)
        site.waiting.clear()
        self._forget_around()

    def _tell_step(self, site: Site, step: Step) -> None:
        observer = self._observer
        if site.told == 0 and self._ends is not None:
            for path, before in step.before.items():
                self._ends.begins(path, before, moving=True)
        site.told += 1
        observer.hand_step(step.loss, step.parameters, step.seconds, step.before)
        number = observer.step
        for event in events_of(number, step, snapshot=site.told == 1 or is_snapshot(number)):
            observer.emit(event)
        if step.batch:
            observer.tell("hand_step", step.batch, number, site.place)

    def _drop_dead(self, frame: FrameType) -> None:
        """Forget iterations whose frame has ended without a word: an exception went through it."""
        alive = set()
        caller: FrameType | None = frame
        while caller is not None:
            alive.add((id(caller), caller.f_code))
            caller = caller.f_back
        for iteration in self._local.open:
            if (iteration.frame, iteration.code) not in alive:
                self._let_go(iteration)
        self._local.open = [each for each in self._local.open if (each.frame, each.code) in alive]

    def _let_go(self, iteration: Iteration) -> None:
        iteration.hear_no_more()
        self._recordings.drop(iteration)

    def _forget(self, site: Site) -> None:
        probes.ignore(site.number)
        self._sites.pop(site.number, None)

    def _give_up(self, number: int, error: Exception) -> None:
        probes.ignore(number)
        loop = LOOPS[number]
        with suppress(Exception):
            for iteration in self._local.open:
                self._let_go(iteration)
            self._local.open.clear()
        why = f"watching it failed: {type(error).__name__}: {error}"
        self._observer.emit(Unseen("the steps of a loop without backward", why, (loop.file, loop.line)))
