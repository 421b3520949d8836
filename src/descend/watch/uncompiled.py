"""The observer's own functions under ``torch.compile``: it is to compile what the script calls, as if nobody watched."""

import functools
import inspect
import sys
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

_ROOMS = ("descend.watch", "descend.record")
_PASS_ON = {
    f"descend.watch.{name}"
    for name in ("aside", "fast", "fast_datasets", "function_mode", "hooks", "quick", "reads", "wrappers", "written")
}


def something_is_compiled() -> bool:
    """Whether a function that PyTorch compiles has been called in this process."""
    compiler = sys.modules.get("torch._dynamo.eval_frame")
    return compiler is not None and any(backend is not None for backend in compiler.cached_backends.values())


@functools.cache
def leave_uncompiled() -> None:
    """Let PyTorch's compiler go past every function of ours; in files that stand between the script and PyTorch, to what they call.

    Otherwise it would take them for the script's: compile them one by one, for seconds, and put our state into its guards. Nothing
    that is public does this without importing the compiler; where PyTorch has no such switch, nothing happens.
    """
    from torch._C._dynamo import eval_frame

    if not hasattr(eval_frame, "set_code_exec_strategy"):
        return
    action, strategy = eval_frame._FrameAction, eval_frame._FrameExecStrategy  # noqa: SLF001 - there are no public names
    past_it, past_all = strategy(action.SKIP, action.DEFAULT), strategy(action.SKIP, action.SKIP)
    for name, module in tuple(sys.modules.items()):
        if name.startswith(_ROOMS):
            for code in _codes_in(vars(module), name):
                eval_frame.set_code_exec_strategy(code, past_it if name in _PASS_ON else past_all)


def _codes_in(members: Mapping[str, Any], module: str) -> Iterator[CodeType]:
    for member in tuple(members.values()):
        if isinstance(member, type) and member.__module__ == module:
            yield from _codes_in(vars(member), module)
            continue
        if isinstance(member, property):
            given = [member.fget, member.fset]
        elif isinstance(member, (staticmethod, classmethod)):
            given = [member.__func__]
        else:
            given = [member]
        for each in given:
            function = inspect.unwrap(each) if each is not None else None
            if isinstance(function, FunctionType) and function.__module__ == module:
                yield from _nested(function.__code__)


def _nested(code: CodeType) -> Iterator[CodeType]:
    """A function's code, and that of the functions inside it."""
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _nested(each)
