"""What a model is, in words and numbers: enough to build it again, to store it, and to say it in one line."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from descend.errors import ModelError, did_you_mean

KINDS = ("linear", "softmax", "mlp", "cnn")
ACTIVATIONS = ("relu", "tanh", "sigmoid")
CNN_CHANNELS = (16, 32)  # of its two convolutions

_LARGEST = 2**31 - 1  # so that the product of two sizes still counts elements in 64 bits
_MOST_LAYERS = 1000


@dataclass(frozen=True, slots=True)
class Architecture:
    """A model to be built for examples of ``feature_shape``.

    kind: one of ``KINDS``, or ``"path/to/file.py:Name"`` for a class, a function or a module in a file of the user's.
    feature_shape: shape of one example, such as (1, 28, 28) or (2,). outputs: numbers the model gives for one example.
    sizes: units of each hidden layer of an mlp. activation: between the layers of an mlp. Other kinds read neither.

    Raises :class:`~descend.errors.ModelError` where these cannot describe a model.
    """

    kind: str
    feature_shape: tuple[int, ...]
    outputs: int
    sizes: tuple[int, ...] = ()
    activation: str = "relu"

    def __post_init__(self) -> None:
        _check_kind(self.kind)
        if not self.feature_shape or not all(_is_size(size) for size in self.feature_shape):
            raise ModelError(
                f"features of the shape {self.feature_shape} cannot be learned from",
                where="feature_shape",
                help="give every example the same shape of at least one axis and one number, such as (2,) or (1, 28, 28)",
            )
        if not _is_size(self.outputs):
            raise ModelError(
                f"a model cannot have {self.outputs} outputs", where="outputs", help="give a whole number from 1"
            )
        if self.kind == "mlp":
            _check_hidden_layers(self.sizes, self.activation)

    @property
    def is_user_code(self) -> bool:
        """Whether the model comes from a file of the user's."""
        return self.kind not in KINDS

    @property
    def inputs(self) -> int:
        """Numbers in one example: 784 for (1, 28, 28)."""
        return math.prod(self.feature_shape)

    def describe(self, n_parameters: int) -> str:
        """One line: ``"mlp 784 → 128 → relu → 10 (101,770 parameters)"``."""
        parameters = f"({n_parameters:,} parameter{'' if n_parameters == 1 else 's'})"
        return f"{_name(self.kind)} {' → '.join(self._stations())} {parameters}"

    def _stations(self) -> list[str]:
        image = "×".join(str(size) for size in self.feature_shape)
        if self.kind == "mlp":
            hidden = [part for size in self.sizes for part in (str(size), self.activation)]
            return [str(self.inputs), *hidden, str(self.outputs)]
        if self.kind == "cnn":
            blocks = [part for channels in CNN_CHANNELS for part in (f"conv {channels}", "relu", "pool")]
            return [image, *blocks, str(self.outputs)]
        if self.is_user_code:
            return [image, str(self.outputs)]
        return [str(self.inputs), str(self.outputs)]

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values; :meth:`from_json` reads them back."""
        return {
            "kind": self.kind,
            "feature_shape": list(self.feature_shape),
            "outputs": self.outputs,
            "sizes": list(self.sizes),
            "activation": self.activation,
        }

    @classmethod
    def from_json(cls, value: object) -> "Architecture":
        """The architecture that :meth:`to_json` wrote; ``ModelError`` names the first key that does not fit."""
        if not isinstance(value, Mapping):
            raise _unreadable("", "an object", value)
        for key in ("kind", "activation"):
            if not isinstance(value.get(key), str):
                raise _unreadable(key, "text", value.get(key))
        for key in ("feature_shape", "sizes"):
            if not isinstance(value.get(key), list) or not all(_is_size(size) for size in value[key]):
                raise _unreadable(key, "a list of whole numbers from 1", value.get(key))
        if not _is_size(value.get("outputs")):
            raise _unreadable("outputs", "a whole number from 1", value.get("outputs"))
        return cls(
            kind=value["kind"],
            feature_shape=tuple(value["feature_shape"]),
            outputs=value["outputs"],
            sizes=tuple(value["sizes"]),
            activation=value["activation"],
        )


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _LARGEST


def _check_kind(kind: str) -> None:
    looks_like_a_file = ":" in kind or kind.endswith(".py")
    if kind in KINDS or (looks_like_a_file and kind.isprintable()):
        return
    raise ModelError(
        f"unknown model {kind!r}{did_you_mean(kind, KINDS)}",
        where="model",
        help=f"choose one of {', '.join(KINDS)}, or your own class: path/to/file.py:ClassName",
    )


def _check_hidden_layers(sizes: tuple[int, ...], activation: str) -> None:
    if not sizes:
        raise ModelError(
            "an mlp needs at least one hidden layer, and no sizes are given",
            where="sizes",
            help="give the units of each hidden layer, such as 128; without a hidden layer the model is 'linear'",
        )
    for size in sizes:
        if not _is_size(size):
            raise ModelError(
                f"a hidden layer cannot have {size!r} units",
                where="sizes",
                help=f"give a whole number from 1 to {_LARGEST:,}, such as 128",
            )
    if len(sizes) > _MOST_LAYERS:
        raise ModelError(
            f"{len(sizes):,} hidden layers are more than an mlp can be trained with",
            where="sizes",
            help=f"give at most {_MOST_LAYERS:,}; two or three are usual",
        )
    if activation not in ACTIVATIONS:
        raise ModelError(
            f"unknown activation {activation!r}{did_you_mean(activation, ACTIVATIONS)}",
            where="activation",
            help=f"choose one of {', '.join(ACTIVATIONS)}",
        )


def _name(kind: str) -> str:
    """``"Net (net.py)"`` for ``"models/net.py:Net"``."""
    if kind in KINDS:
        return kind
    path, _, name = kind.rpartition(":")
    return f"{name} ({path.replace(chr(92), '/').rpartition('/')[2]})"


def _unreadable(key: str, expected: str, found: object) -> ModelError:
    possessive = f"'s '{key}'" if key else ""
    shown = repr(found)
    if len(shown) > 60:
        shown = f"{shown[:60]}…"
    return ModelError(
        f"the architecture{possessive} has to be {expected}, not {shown}",
        where=key or "architecture",
        help="train the model again, or restore model.json from a copy",
    )
