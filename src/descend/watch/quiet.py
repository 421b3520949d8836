"""Looking at the user's tensors without anything of theirs noticing: no graph, no modes, no autocast, no random numbers."""

import functools
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")
_BACKWARD = torch.Tensor.backward  # before a program can replace it
# The guards that PyTorch itself uses have no public names.
_function_modes = torch._C._len_torch_function_stack  # noqa: SLF001
_NoFunction: Any = torch._C.DisableTorchFunction
_NoDispatch: Any = torch._C._DisableTorchDispatch  # type: ignore[attr-defined,unused-ignore] # noqa: SLF001
_NoTransforms: Any = torch._C._DisableFuncTorch  # noqa: SLF001
_NoAutocast: Any = torch._C._DisableAutocast  # noqa: SLF001
_functorch = torch._C._functorch  # noqa: SLF001
_set_gradients = torch._C._set_grad_enabled  # noqa: SLF001
_gradients_on = torch.is_grad_enabled


class quiet:  # noqa: N801 - used as contextlib's functions are
    """Inside it, operations reach no function mode, dispatch mode, subclass, functorch level or autocast cache, and build no graph.

    Inside of another it does nothing, in a sixth of the time. Each is entered once.
    """

    __slots__ = ("_entered", "_gradients")

    def __enter__(self) -> None:
        gradients = _gradients_on()
        if _THREAD.inside and not gradients:
            self._entered: tuple[Any, ...] = ()
            return
        self._gradients = gradients
        self._entered = function, dispatch, transforms, autocast = (
            _NoFunction(),
            _NoDispatch(),
            _NoTransforms(),
            _NoAutocast(),
        )
        function.__enter__()
        dispatch.__enter__()
        transforms.__enter__()
        autocast.__enter__()
        _set_gradients(False)  # torch.no_grad would be seen by a function mode
        _THREAD.inside += 1

    def __exit__(self, *error: object) -> None:
        if self._entered:
            _THREAD.inside -= 1
            _set_gradients(self._gradients)
            function, dispatch, transforms, autocast = self._entered
            autocast.__exit__(None, None, None)
            transforms.__exit__(None, None, None)
            dispatch.__exit__(None, None, None)
            function.__exit__(None, None, None)
            self._entered = ()


class _Thread(threading.local):
    """How many of them a thread is in that have done something."""

    inside = 0


_THREAD = _Thread()


def torchs_own(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, or PyTorch's ``Tensor.backward`` where the program has put its own in that place.

    PyTorch looks the method up once more for every function mode; the program's, which has been called already, must not run again.
    """
    return _BACKWARD if function is torch.Tensor.backward else function


def inside_vmap() -> bool:
    """Whether ``torch.func.vmap`` runs: its tensors stand for several, and have no numbers that could be looked at."""
    levels = _functorch.get_interpreter_stack()
    return levels is not None and any(each.key() == _functorch.TransformType.Vmap for each in levels)


def modes_are_on() -> bool:
    """Whether somebody's function or dispatch mode would see an operation run now."""
    core = torch._C
    return bool(core._len_torch_function_stack() or core._len_torch_dispatch_stack())  # noqa: SLF001


def hidden(action: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """``action``, such that no function mode sees which attributes of tensors it reads."""

    @functools.wraps(action)
    def run(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        if not _function_modes():
            return action(*args, **kwargs)
        with torch._C.DisableTorchFunction():
            return action(*args, **kwargs)

    return run
