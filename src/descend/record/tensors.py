"""Tensors of one step as the bytes of a safetensors file, and back."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

SNAPSHOT_LIMIT = 16_000_000  # bytes of tensors in one snapshot

# From what cannot be worked out again to what can: with the batch, the parameters and the optimizer's state the whole step can
# be repeated, so they come first, and the outputs of the layers come last. Gradients stand high because they are looked at most.
KEPT_FIRST = (
    "loss",
    "batch",
    "before",
    "gradient",
    "outside",
    "mask",
    "drawn",
    "state_before",
    "after",
    "state_after",
    "output",
)

_NAMED_IN_A_NOTE = 6

# What safetensors calls the types that NumPy has, little-endian as the file is.
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1", "U8": "<u1",
    "U16": "<u2", "U32": "<u4", "U64": "<u8", "BOOL": "?",
}  # fmt: skip


def pack(tensors: Mapping[str, "Tensor"], limit: int = SNAPSHOT_LIMIT) -> tuple[bytes, str]:
    """The bytes of a safetensors file with ``tensors``, and a note on what had to be left out (``""`` when nothing was).

    Whole tensors are kept as long as they fit into ``limit`` bytes: by the part before the first dot of their name in the order
    of ``KEPT_FIRST`` (unknown parts come last), within a part the smallest first. Sparse, quantized and complex tensors, which
    a safetensors file cannot hold everywhere, are left out.
    """
    from safetensors.torch import save

    plain = {name: tensor for name, tensor in tensors.items() if _is_plain(tensor)}
    kept: dict[str, Tensor] = {}
    room = limit
    for name in sorted(plain, key=lambda name: (_rank(name), plain[name].nbytes, name)):
        if plain[name].nbytes <= room:
            room -= plain[name].nbytes
            # A copy, since safetensors refuses tensors that share memory, as all views of one flat parameter do.
            kept[name] = _copy(plain[name])
    too_large = {name: tensor.nbytes for name, tensor in plain.items() if name not in kept}
    notes = []
    if too_large:
        total = _megabytes(sum(too_large.values()))
        notes.append(f"left out to stay under {_megabytes(limit)}: {_listed(too_large)} ({total})")
    if unplain := [name for name in tensors if name not in plain]:
        notes.append(f"left out because it is sparse, quantized or complex: {_listed(unplain)}")
    return save(kept), "; ".join(notes)


def unpack(data: bytes) -> dict[str, "Tensor"]:
    """The tensors of a safetensors file. Raises ``ValueError`` when ``data`` is not one."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(data)
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def unpack_arrays(data: bytes) -> dict[str, "NDArray[Any]"]:
    """The same as NumPy arrays, without importing PyTorch; bfloat16, which NumPy lacks, as float32."""
    import numpy as np
    from safetensors import SafetensorError, deserialize

    try:
        found = deserialize(data)  # type: ignore[no-untyped-call]
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    arrays: dict[str, NDArray[Any]] = {}
    for name, info in found:
        if info["dtype"] == "BF16":
            words = np.frombuffer(info["data"], dtype=np.uint16).astype(np.uint32) << 16
            arrays[name] = words.view(np.float32).reshape(info["shape"])
        elif info["dtype"] in _DTYPES:
            arrays[name] = np.frombuffer(info["data"], dtype=_DTYPES[info["dtype"]]).reshape(info["shape"])
    return arrays


def check_fit(shapes: Mapping[str, tuple[int, ...]]) -> None:
    """What is laid beside each other of a step has to have one shape; a stranger's file may hold anything. Raises ``ValueError``."""
    if shapes.get("loss", ()) not in ((), (1,)):
        raise ValueError(f"the loss is no single number, but of the shape {shapes['loss']}")
    for name, shape in shapes.items():
        kind, _, parameter = name.partition(".")
        before = shapes.get(f"before.{parameter}", shape)
        if kind == "gradient" and shape != before:
            raise ValueError(f"{name} has the shape {shape}, and the parameter {before}")


def _copy(tensor: "Tensor") -> "Tensor":
    """In row order, made by NumPy.

    PyTorch would start threads to help the one that writes. With more of them than cores, OpenMP lets those of the program sleep
    between any two operations instead of waiting for the next, and each step of a small model takes up to twice as long.
    """
    import torch

    plain = tensor.detach().cpu().resolve_neg()
    try:
        return torch.from_numpy(plain.numpy().copy())
    except TypeError:  # a type that NumPy lacks, as bfloat16
        words = plain.view({1: torch.uint8, 2: torch.int16}[plain.element_size()])
        return torch.from_numpy(words.numpy().copy()).view(plain.dtype)


def _rank(name: str) -> int:
    part = name.partition(".")[0]
    return KEPT_FIRST.index(part) if part in KEPT_FIRST else len(KEPT_FIRST)


def _is_plain(tensor: "Tensor") -> bool:
    import torch

    return tensor.layout == torch.strided and not tensor.is_quantized and not tensor.is_complex()


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    shown = ", ".join(every[:_NAMED_IN_A_NOTE])
    more = len(every) - _NAMED_IN_A_NOTE
    return f"{shown} and {more} more" if more > 0 else shown


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB".replace(".0 MB", " MB") if size >= 100_000 else f"{size:,} bytes"
