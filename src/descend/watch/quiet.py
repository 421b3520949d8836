"""Looking at the user's tensors without anything of theirs noticing: no graph, no modes, no autocast, no random numbers."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def quiet() -> Iterator[None]:
    """Inside it, operations reach no function mode, dispatch mode, subclass, functorch level or autocast cache, and build no graph."""
    gradients = torch.is_grad_enabled()
    core = torch._C
    # The guards PyTorch itself uses for this have no public names.
    with core.DisableTorchFunction(), core._DisableTorchDispatch(), core._DisableFuncTorch(), core._DisableAutocast():  # type: ignore[attr-defined,no-untyped-call,unused-ignore] # noqa: SLF001
        core._set_grad_enabled(False)  # noqa: SLF001 - torch.no_grad would be seen by a function mode
        try:
            yield
        finally:
            core._set_grad_enabled(gradients)  # noqa: SLF001


def modes_are_on() -> bool:
    """Whether somebody's function or dispatch mode would see an operation run now."""
    core = torch._C
    return bool(core._len_torch_function_stack() or core._len_torch_dispatch_stack())  # noqa: SLF001
