"""Hears the operations of chosen steps, one by one, and tells them when the step ends."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from descend.record.events import Listener, Operations, Unseen
from descend.watch.budget import is_snapshot
from descend.watch.function_mode import tap
from descend.watch.places import Places
from descend.watch.quiet import quiet
from descend.watch.recording import MOST, Measure, Recording


class OperationRecorder:
    """Records the operations of chosen steps, thread by thread, and tells them when the step ends.

    It listens between ``begin_step`` and ``end_step`` only. Where it cannot (a mode of the script's own is on, ``torch.compile``
    is in use), the reason is told once. No tensor of the user's is kept, and none is changed.
    """

    def __init__(
        self,
        emit: Listener,
        name_of: Callable[[Tensor], str],
        own: Callable[[str], bool],
        measure: Measure | None = None,
    ) -> None:
        self._emit, self._name_of, self._places = emit, name_of, Places(own)
        self._measure = measure
        self._steps: dict[int, Recording] = {}  # by thread
        self._heard: dict[int, list[Recording]] = {}  # all recordings of a thread
        self._told: set[str] = set()
        self._modules = _ModuleHooks(self._heard)

    def begin_step(self, step: int) -> None:
        """Listen to this thread from now on."""
        thread = threading.get_ident()
        if thread in self._steps:
            self._stop(thread, self._steps.pop(thread))
        recording = self.begin_aside(step)
        if recording is not None:
            recording.whole = is_snapshot(step)
            self._steps[thread] = recording

    def mute(self, muted: bool) -> None:
        """Hear nothing of this thread's step while an optimizer of PyTorch's is at work."""
        recording = self._steps.get(threading.get_ident())
        if recording is not None:
            recording.muted = muted

    def outside(self) -> dict[str, Tensor]:
        """Of this thread's step, where it is kept in full: the nameless tensors that were there before it, as it found them; and
        what chance made in it, by the number of the operation: masks of dropouts (``mask.<number>``), and ``drawn.<number>``."""
        recording = self._steps.get(threading.get_ident())
        return recording.outside() if recording is not None and recording.whole else {}

    def end_step(self, step: int) -> None:
        """Stop listening to this thread and tell what was heard; nothing, if nobody listened."""
        recording = self._steps.pop(threading.get_ident(), None)
        if recording is None:
            tap().settle()
            return
        self.end_aside(recording, step)

    def begin_aside(self, step: int, name_of: Callable[[Tensor], str] | None = None) -> Recording | None:
        """A recording of its own beside the one that ``begin_step`` began, with names of its own. None where nobody can listen."""
        tap().settle()
        recording = Recording(self._places, name_of or self._name_of, self._measure)
        why = tap().listen(recording.heard)
        if why:
            self._tell_unseen(step, why)
            return None
        self._heard.setdefault(threading.get_ident(), []).append(recording)
        self._modules.set_up()
        return recording

    def end_aside(self, recording: Recording, step: int) -> None:
        """It was step number ``step``: tell it."""
        fault = self._stop(threading.get_ident(), recording)
        with quiet():
            rows = recording.rows()
        if rows:
            self._emit(Operations(step, rows))
        if fault is not None:
            self._tell_unseen(step, f"recording them failed: {type(fault).__name__}: {fault}")
        if recording.full:
            self._tell_unseen(step, f"a step has more than {MOST:,} of them")

    def drop_aside(self, recording: Recording) -> None:
        """It was no step: tell nothing."""
        self._stop(threading.get_ident(), recording)

    def drop_step(self) -> None:
        """Stop listening to this thread and tell nothing: it was no step."""
        recording = self._steps.pop(threading.get_ident(), None)
        if recording is not None:
            self._stop(threading.get_ident(), recording)

    def close(self) -> None:
        """Stop listening for good."""
        for thread, recordings in tuple(self._heard.items()):
            for recording in tuple(recordings):
                self._stop(thread, recording)
        self._steps.clear()
        tap().settle()

    def _stop(self, thread: int, recording: Recording) -> Exception | None:
        recordings = self._heard.get(thread, [])
        if recording in recordings:
            recordings.remove(recording)
        if not recordings:
            self._heard.pop(thread, None)
        if not self._heard:
            self._modules.take_down()
        return recording.leave()

    def _tell_unseen(self, step: int, why: str) -> None:
        if why not in self._told:
            self._told.add(why)
            self._emit(Unseen("operations", f"from step {step}: {why}"))


class _ModuleHooks:
    """Tells each thread's recording which module is being called."""

    def __init__(self, heard: Mapping[int, list[Recording]]) -> None:
        self._heard = heard
        self._handles: list[Any] = []

    def set_up(self) -> None:
        if not self._handles:
            self._handles = [
                register_module_forward_pre_hook(self._entered),
                register_module_forward_hook(self._left, always_call=True),
            ]

    def take_down(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _entered(self, module: nn.Module, args: Any) -> None:  # noqa: ARG002 - as PyTorch calls it
        for recording in self._heard.get(threading.get_ident(), ()):
            recording.entered(module)

    def _left(self, module: nn.Module, args: Any, output: Any) -> None:  # noqa: ARG002 - as PyTorch calls it
        for recording in self._heard.get(threading.get_ident(), ()):
            recording.left(module)
