"""What the observer puts in place of PyTorch's own functions, when, and how it is all taken away again.

At sampled steps everything is wrapped that tells the phases of a step. At all other steps only what a step cannot be counted
without: the backward pass, the optimizer's end, loaders, and calls of those classes of modules that are called as a whole.
"""

import builtins
import logging
import os
import weakref
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter

from descend.watch import aside, quick, reads, threads, wrappers, written
from descend.watch.detail import optimizer_parameters
from descend.watch.hooked import Replacement
from descend.watch.uncompiled import something_is_compiled

if TYPE_CHECKING:
    from descend.watch.observer import Observer


class Hooks:
    """Everything that the observer puts in place, and takes away."""

    def __init__(self, observer: "Observer") -> None:
        self.observer = observer
        self.close = False  # whether everything is wrapped
        self._always: list[Replacement] = []
        self._at_samples: list[Replacement] = []
        self._readers: list[Replacement] = []
        self._reading = False  # whether numbers that leave tensors are seen though not everything is wrapped
        self._roots: dict[type, Replacement] = {}
        self._output = written.Output(observer)
        self._post: Any = None
        self._pre: Any = None

    def install(self) -> None:
        """Wrap what is always wrapped."""
        observer = self.observer
        assert observer.local is not None
        if something_is_compiled():
            observer.compiler_used()
        os.register_at_fork(after_in_child=_switch_off(weakref.ref(observer)))
        quick.tell_calls(observer, wanted=True)
        graph = wrappers.gradient_call
        self._always = [
            self._wrapped(torch.autograd, "backward", quick.backward),
            self._wrapped(torch.autograd, "grad", graph(wrappers.of_grad, returned=True)),
            self._wrapped(_BaseDataLoaderIter, "__next__", quick.next),
            self._wrapped(DataLoader, "__iter__", wrappers.iter),
            self._wrapped(torch, "compile", wrappers.compile),
            self._wrapped(builtins, "print", written.printing),
            self._wrapped(logging.Logger, "callHandlers", written.logging_to),
            self._wrapped(BaseProcess, "start", reads.starting),
            self._wrapped(torch.amp.GradScaler, "scale", wrappers.scale),
            *aside.replacements(observer),
            *threads.replacements(observer),
        ]
        self._at_samples = [
            # Around the method too: a function mode of ours can be left in it, and not below it.
            self._wrapped(torch.Tensor, "backward", graph(wrappers.of_method, returned=False)),
            self._wrapped(nn.Module, "zero_grad", wrappers.zero_grad(wrappers.module_parameters)),
            self._wrapped(Optimizer, "zero_grad", wrappers.zero_grad(optimizer_parameters)),
            Replacement(nn.Module, "__call__", quick.call),
        ]
        self._readers = [self._wrapped(owner, name, reads.reading(how)) for owner, name, how in reads.READERS]
        for replacement in self._always:
            replacement.put()
        self._output.start()
        self._post = register_optimizer_step_post_hook(quick.update_ends(observer))
        self.look_closely(True)

    def look_closely(self, close: bool) -> None:
        """Wrap what tells the phases of a step, or take it away."""
        if close == self.close or not self._at_samples:
            return
        self.close = close
        if not self._reading:
            self._put(self._readers, close)
        for replacement in self._at_samples:
            if close:
                replacement.put()
            else:
                replacement.take_away()
        if close:
            self._pre = register_optimizer_step_pre_hook(wrappers.update_begins(self.observer))
        else:
            self._pre.remove()

    def read(self, reading: bool) -> None:
        """See numbers that leave tensors in any case, or only where everything is wrapped."""
        if reading != self._reading:
            self._reading = reading
            if not self.close:
                self._put(self._readers, reading)

    @staticmethod
    def _put(replacements: list[Replacement], there: bool) -> None:
        for replacement in replacements:
            if there:
                replacement.put()
            else:
                replacement.take_away()

    @property
    def has_roots(self) -> bool:
        """Whether calls of modules are seen at every step."""
        return bool(self._roots)

    def watch_root(self, kind: type[nn.Module]) -> None:
        """Calls of this class of modules are seen at every step."""
        if kind not in self._roots and kind.__call__ in (quick.call, quick._plain_call):  # noqa: SLF001
            replacement = self._roots[kind] = Replacement(kind, "__call__", quick.call)
            replacement.was_own = False
            setattr(kind, "__call__", quick.call)  # noqa: B010 - a method cannot be assigned to, mypy says

    def remove(self) -> None:
        """Put everything back, except where the program has put something of its own over ours."""
        self.read(False)
        self.look_closely(False)
        self.observer.safely(self._output.stop)
        for replacement in [*self._always, *self._roots.values()]:
            replacement.take_away()
        self._always, self._at_samples, self._readers, self._roots = [], [], [], {}
        if self._post is not None:
            self._post.remove()
        quick.tell_calls(self.observer, wanted=False)

    def _wrapped(self, owner: Any, name: str, make: Callable[["Observer", Any], Any]) -> Replacement:
        return Replacement(owner, name, make(self.observer, getattr(owner, name)))


def _switch_off(reference: "weakref.ref[Observer]") -> Callable[[], None]:
    """A process that the program forks is not followed: the listener's thread is not there."""

    def switch_off() -> None:
        observer = reference()
        if observer is not None:
            observer.be_blind()

    return switch_off
