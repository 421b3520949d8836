"""Layers that work differently while a model is trained, as one forward pass without a backward found them: dropout, batch norm."""

import weakref
from collections.abc import Iterable, Mapping
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from descend.watch.function_mode import tap
from descend.watch.places import Places
from descend.watch.quiet import quiet

Active = dict[str, Any]
"""One layer at work: ``what``, ``class``, ``p``, ``module`` (its path), ``file`` and ``line``, ``moved``."""

_MOST = 8  # layers of one pass that are told
_MOST_NORMS = 4  # whose running statistics are compared
_DROPOUTS = frozenset(
    ["dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout", "feature_dropout"]
)
_RECURRENT = frozenset(["lstm", "gru", "rnn_tanh", "rnn_relu"])


class Look:
    """What one forward pass shows of such layers: by their flags before it, and by the operations it ran where those were heard."""

    __slots__ = ("_before", "_module", "_places", "heard", "heard_all", "recalibrates", "root_training", "standing")

    def __init__(self, module: nn.Module, places: Places) -> None:
        self._module = weakref.ref(module)
        self._places = places
        self.root_training = module.training
        self.standing = _standing(module)
        self.recalibrates = _recalibrates(module)
        self.heard: list[Active] = []
        self.heard_all = False  # its operations were listened to from the first to the last
        self._before: list[tuple[str, weakref.ref[nn.Module], Tensor]] = []

    def begins(self) -> None:
        """The pass begins: listen, where nobody of the user's does."""
        self._before = _running_means(self._module())
        self.heard_all = not tap().listen(self._hear)

    def ends(self) -> None:
        """It is over."""
        if self.heard_all and tap().leave(self._hear) is not None:
            self.heard_all = False
        if self._before:
            with quiet():
                moved = {path: _moved(reference(), before) for path, reference, before in self._before}
            for each in self.standing:
                if moved.get(each["module"]):
                    each["moved"] = moved[each["module"]]
            self._before = []

    def as_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "training": self.root_training,
            "standing": self.standing,
            "heard": self.heard,
            "listened": self.heard_all,
            "recalibrates": self.recalibrates,
        }

    def _hear(
        self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], _output: Any, frame: FrameType
    ) -> None:
        found = _at_work(name, args, kwargs)
        if found is not None and len(self.heard) < _MOST:
            file, line = self._places.place(frame)
            self.heard.append(found | {"file": file, "line": line})


def _at_work(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Active | None:
    """Whether an operation drops numbers, or takes the statistics of its own batch and keeps them."""

    def given(position: int, word: str, default: Any) -> Any:
        return kwargs.get(word, args[position] if len(args) > position else default)

    if name in _DROPOUTS:
        is_training = given(2, "training", kwargs.get("train", name not in ("alpha_dropout", "feature_alpha_dropout")))
        share = given(1, "p", 0.5)
    elif name in _RECURRENT:  # (input, hidden, weights, biases, layers, dropout, training, …)
        is_training, share = given(6, "train", False), given(5, "dropout", 0.0)
        if given(4, "num_layers", 1) == 1:
            return None
    elif name == "multi_head_attention_forward":
        is_training, share = kwargs.get("training", True), given(9, "dropout_p", 0.0)
    elif name == "scaled_dot_product_attention":
        is_training, share = True, given(4, "dropout_p", 0.0)
    elif name == "batch_norm":
        keeps = isinstance(given(1, "running_mean", None), Tensor)
        return {"what": "batch norm"} if keeps and given(5, "training", False) is True else None
    else:
        return None
    return {"what": "dropout", "p": float(share)} if is_training is True and _is_share(share) else None


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and 0 < value <= 1


def _parts(module: nn.Module) -> Iterable[tuple[str, nn.Module]]:
    """A module and all inside it by path, without a call of the user's."""
    waiting: list[tuple[str, nn.Module]] = [("", module)]
    seen: set[int] = set()
    while waiting:
        path, part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield path, part
        inside = part.__dict__.get("_modules") or {}
        waiting += [(f"{path}.{name}".strip("."), each) for name, each in reversed(inside.items()) if each is not None]


def _standing(module: nn.Module) -> list[Active]:
    """The layers inside that stand in training mode and do something else in it."""
    found: list[Active] = []
    for path, part in _parts(module):
        values = part.__dict__
        if not values.get("training") or len(found) >= _MOST:
            continue
        share = _share_of(part, values)
        if share:
            found.append({"what": "dropout", "class": type(part).__name__, "module": path, "p": share})
        elif _keeps_statistics(part):
            found.append({"what": "batch norm", "class": type(part).__name__, "module": path})
    return found


def _share_of(part: nn.Module, values: Mapping[str, Any]) -> float:
    """Which share of its numbers a layer drops in training mode; 0 for others."""
    if isinstance(part, nn.modules.dropout._DropoutNd):  # noqa: SLF001 - the class that all of PyTorch's come from
        share = values.get("p")
    elif isinstance(part, nn.MultiheadAttention) or (isinstance(part, nn.RNNBase) and values.get("num_layers", 1) > 1):
        share = values.get("dropout")
    else:
        return 0.0
    return float(share) if _is_share(share) and share is not None else 0.0


def _keeps_statistics(part: nn.Module) -> bool:
    is_norm = isinstance(part, nn.modules.batchnorm._BatchNorm)  # noqa: SLF001 - as above
    return is_norm and isinstance(part.__dict__.get("_buffers", {}).get("running_mean"), Tensor)


def _recalibrates(module: nn.Module) -> bool:
    """Whether running statistics are being worked out anew on purpose: averages without an end, or counted from zero."""
    for _, part in _parts(module):
        if _keeps_statistics(part) and part.__dict__.get("training"):
            counted = part.__dict__["_buffers"].get("num_batches_tracked")
            with quiet():
                anew = isinstance(counted, Tensor) and counted.device.type == "cpu" and int(counted) == 0
            if part.__dict__.get("momentum") is None or anew:
                return True
    return False


def _running_means(module: nn.Module | None) -> list[tuple[str, weakref.ref[nn.Module], Tensor]]:
    """Copies of the running means of the first norms that stand in training mode."""
    found: list[tuple[str, weakref.ref[nn.Module], Tensor]] = []
    for path, part in _parts(module) if module is not None else ():
        if len(found) < _MOST_NORMS and part.__dict__.get("training") and _keeps_statistics(part):
            with quiet():
                found.append((path, weakref.ref(part), part.__dict__["_buffers"]["running_mean"].detach().clone()))
    return found


def _moved(part: nn.Module | None, before: Tensor) -> float | None:
    """How far a running mean moved, measured by its own length before."""
    now = None if part is None else part.__dict__["_buffers"].get("running_mean")
    if not isinstance(now, Tensor) or now.shape != before.shape:
        return None
    length = float(torch.linalg.vector_norm(before.float()))
    change = float(torch.linalg.vector_norm(now.float() - before.float()))
    return change / length if length > 0 else None
