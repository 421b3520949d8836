"""Operations outside of modules, at sampled steps: they show where a loop without modules computes, updates and zeroes."""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from descend.watch.batches import tensors_in
from descend.watch.graph import has_graph, is_leaf, plain
from descend.watch.identity import Memory, memory_of
from descend.watch.quiet import hidden, torchs_own

if TYPE_CHECKING:
    from descend.watch.detail import Detail
    from descend.watch.steps import Steps

_clock = time.perf_counter
# What only reads a tensor, or builds none: never the first operation of a step.
_READING = frozenset(
    [
        "__get__",
        "__format__",
        "__repr__",
        "__str__",
        "__len__",
        "__iter__",
        "__float__",
        "__int__",
        "__bool__",
        "__index__",
        "__hash__",
        "__contains__",
        "__array__",
        "item",
        "tolist",
        "numpy",
        "detach",
        "cpu",
        "size",
        "dim",
        "numel",
        "stride",
        "backward",
        "grad",
        "is_floating_point",
        "is_complex",
        "is_contiguous",
        "element_size",
        "data_ptr",
        "untyped_storage",
        "storage_offset",
        "get_device",
        "register_hook",
        "retain_grad",
        "nelement",
        "ndimension",
        "apply_",
    ]
)
_IN_PLACE = frozenset(["__iadd__", "__isub__", "__imul__", "__itruediv__", "__idiv__", "__ipow__", "__setitem__"])
_PREPARES = "prepares an update"  # what works on gradients, after a backward pass
_OVERHEAD = 2e-6  # seconds that a mode costs an operation even when it does nothing


class Marks(TorchFunctionMode):
    """Is on only at sampled steps, and leaves only while it is the innermost of its thread's modes."""

    def __init__(self, steps: "Steps") -> None:
        super().__init__()
        self.steps = steps
        self.wanted = False
        self.entered = False
        self.inside = False
        self.update_seen = False
        self._of_gradients: dict[int, Memory] = {}  # of this step, and of what was computed from them

    def step_begins(self, *, wanted: bool) -> None:
        """The step before is over."""
        self.wanted = wanted
        self.update_seen = False
        self._of_gradients.clear()

    def gradients_came(self, gradients: Iterable[Tensor | None]) -> None:
        """A backward pass whose update may come by hand has made these. With a graph of their own they may be part of a loss."""
        made = [plain(each) for each in gradients if each is not None and not each.requires_grad]
        self._follow(made)

    def _follow(self, tensors: Any) -> None:
        self._of_gradients.update((each.cdata, each) for each in memory_of(tensors))

    def follow(self) -> None:
        """Be on when wanted, if now is a time for it."""
        if self.wanted != self.entered and not self.inside:
            if self.wanted:
                if not self.steps.observer.compiles:
                    self.__enter__()  # type: ignore[no-untyped-call]
                    self.entered = True
            else:
                self.leave()

    def leave(self) -> None:
        """Be off, unless another mode was put on top."""
        core = torch._C
        height = core._len_torch_function_stack()  # noqa: SLF001 - no public name
        if self.entered and not self.inside and height and core._get_function_stack_at(height - 1) is self:  # noqa: SLF001
            self.__exit__(None, None, None)
            self.entered = False
            self.steps.observer.look_closely()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run ``func``; outside of modules, loaders, backward passes and optimizers note what it was."""
        steps = self.steps
        kwargs = kwargs or {}
        func = torchs_own(func)
        name = getattr(func, "__name__", "")
        idle = steps.depth or steps.optimizing or not (self.wanted and steps.observer.active)
        if idle or name in _READING or name.startswith("_record_function"):
            return func(*args, **kwargs)
        outer, self.inside = self.inside, True
        try:
            if steps.pending and not torch._C._functorch.peek_interpreter_stack():  # type: ignore[attr-defined,unused-ignore] # noqa: SLF001
                return self._after_backward(func, name, args, kwargs)
            return self._before_backward(func, args, kwargs)
        finally:
            self.inside = outer

    def _before_backward(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A part of the data, forward or loss phase."""
        started = _clock()
        detail = self.steps.detail
        result = func(*args, **kwargs)
        if detail is not None and detail is self.steps.detail and self.steps.depth == 0:
            self.steps.observer.safely(lambda: self._note(detail, started, result, args, kwargs))
        return result

    @hidden
    def _note(
        self, detail: "Detail", started: float, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        ended = _clock()
        steps = self.steps
        gradient = has_graph(result)
        if not gradient and steps.waiting:
            steps.passes.joined([args, kwargs], result)
        if gradient or not steps.pending:  # after a backward pass, what builds no graph may prepare its update
            if gradient and steps.started is None:
                steps.started = started
            place = steps.observer.place_of_caller()
            detail.timeline.operation(started, ended, place, id(result), gradient=gradient)
            if gradient:
                detail.batch.guess(tensors_in([args, kwargs]))
            detail.timeline.resume()
        detail.cost += _clock() - ended + _OVERHEAD

    def _after_backward(
        self, func: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """An update by hand, a zeroing, or the first operation of the next step."""
        steps = self.steps
        try:
            phase = self._phase(func, name, args, kwargs)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not be the program's
            steps.observer.give_up(error)
            return func(*args, **kwargs)
        if not phase and self._of_gradients and self._uses_gradients(args, kwargs):
            phase = _PREPARES
        if not phase:
            if (self.update_seen or steps.updated) and steps.plain and torch.is_grad_enabled():
                steps.observer.safely(steps.boundary)
            return self._before_backward(func, args, kwargs)
        started = _clock()
        result = func(*args, **kwargs)
        if phase == _PREPARES:
            steps.observer.safely(lambda: self._follow(result))
        self.update_seen |= phase == "update"
        if steps.detail is not None:
            steps.observer.safely(lambda: self._note_update(phase, started))
        return result

    @hidden
    def _uses_gradients(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Whether an operation is given gradients of this step, or what was computed from them: it prepares an update.

        A parameter that was made so is one: what uses it is the next step's.
        """
        try:
            given = [each for each in tensors_in([args, kwargs]) if not (each.requires_grad and is_leaf(each))]
            return any(each.cdata in self._of_gradients for each in memory_of(given))
        except Exception as error:  # noqa: BLE001 - a fault of ours must not be the program's
            self.steps.observer.give_up(error)
            return False

    def _note_update(self, phase: str, started: float) -> None:
        ended = _clock()
        detail = self.steps.detail
        assert detail is not None
        place = self.steps.observer.place_of_caller()
        if phase == _PREPARES:
            detail.timeline.prepares_update(started, ended, place)
        else:
            detail.timeline.begins(started, phase)
            detail.timeline.ends(ended, phase, place, "update")
        detail.timeline.resume()
        detail.cost += _clock() - ended + _OVERHEAD

    @hidden
    def _phase(self, func: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """What changes parameters is "update", what throws gradients away "zero", all else ""."""
        if name == "zero_":
            return "zero"
        if name == "__set__":
            attribute = getattr(getattr(func, "__self__", None), "__name__", "")
            gone = attribute == "grad" and len(args) > 1 and args[1] is None
            return "zero" if gone else ("update" if attribute == "data" else "")
        if name == "requires_grad_":
            return "update"  # a new leaf takes the place of the old one
        target = kwargs.get("out")
        if target is None and args and (name in _IN_PLACE or (name.endswith("_") and not name.endswith("__"))):
            target = args[0]
        return "update" if isinstance(target, Tensor) and self._is_parameter(target) else ""

    def _is_parameter(self, target: Tensor) -> bool:
        known = [leaf for one in self.steps.pending for leaf in one.leaves]
        if target.requires_grad and is_leaf(target):
            return True
        return any(leaf.data_ptr() == target.data_ptr() for leaf in known if leaf.layout == torch.strided)
