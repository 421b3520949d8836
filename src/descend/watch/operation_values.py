"""What is kept of the numbers that an operation is given and gives: constants, small outputs whole, large ones summed up."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch._C import _functorch

_SMALL = 16  # numbers of an output that are kept one by one
_FEW = 1_000  # numbers whose deviation PyTorch finds fastest with its one function for it
_SUMMED_UP = 1_000_000  # numbers of an output that its summary is made from: beyond that, evenly spaced ones


def dtype_of(tensor: Tensor) -> str:
    """As PyTorch calls it: ``float32``."""
    return str(tensor.dtype).removeprefix("torch.")


def constants_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The plain numbers, words and shapes among the arguments, by position or name."""
    found = {str(position): plain for position, value in enumerate(args) if (plain := _plain(value)) is not None}
    return found | {name: plain for name, value in kwargs.items() if (plain := _plain(value)) is not None}


def index_text(args: tuple[Any, ...]) -> str:
    """The index of ``x[:, 0]`` as text: ``:, 0``; empty for a single number or list, and for what is none of these."""
    index = args[1] if len(args) > 1 else None
    parts = index if isinstance(index, tuple) else (index,)
    if not any(isinstance(part, slice | range) or part is None or part is Ellipsis for part in parts):
        return ""
    return ", ".join(words) if all(words := [_part_text(part) for part in parts]) else ""


def _part_text(part: Any) -> str:
    if isinstance(part, slice):
        ends = (part.start, part.stop, part.step)
        texts = ["" if end is None else str(int(end)) for end in (ends if part.step is not None else ends[:2])]
        return ":".join(texts)
    if isinstance(part, range):
        return f"range {part.start} {part.stop} {part.step}"
    if isinstance(part, Tensor):
        return "tensor"
    if part is None or part is Ellipsis:
        return "None" if part is None else "..."
    return str(part) if isinstance(part, int) and not isinstance(part, bool) else ""


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list) and value and all(isinstance(each, int | float) for each in value):
        return list(value) if len(value) <= _SMALL else None
    return None


def numbers_of(tensor: Tensor) -> tuple[Tensor | None, bool]:
    """What is kept of an output's values: a copy where it is small, else least, mean, most and standard deviation."""
    if not has_plain_values(tensor):
        return None, False
    if tensor.numel() <= _SMALL:
        return tensor.clone(), True
    values = tensor.detach()
    if values.numel() > _SUMMED_UP:
        values = values.flatten()[:: values.numel() // _SUMMED_UP]
    if values.dtype != torch.float64:
        values = values.float()
    least, most = torch.aminmax(values)
    if values.numel() <= _FEW or values.device.type == "mps":
        deviation, mean = torch.std_mean(values)
    else:  # std_mean goes through them one by one: for a million it takes ten times as long
        exact = values.double()  # sums and squares of large numbers leave the range of single ones
        mean = exact.mean()
        deviation = torch.linalg.vector_norm(exact - mean) / math.sqrt(values.numel() - 1) * (most != least)
    return torch.stack((least, mean.to(least.dtype), most, deviation.to(least.dtype))), False


def lies_in_rows(tensor: Tensor) -> bool:
    """Whether its numbers can be taken row by row: not of a sparse tensor, nor of one whose rows have different lengths."""
    return tensor.layout is torch.strided and not tensor.is_nested


def has_plain_values(tensor: Tensor) -> bool:
    """Whether its numbers lie in memory one by one, and can be copied and read."""
    return (
        lies_in_rows(tensor)
        and tensor.device.type != "meta"
        and not tensor.is_complex()
        and not tensor.is_quantized
        and type(tensor) in (Tensor, nn.Parameter)
        and not _functorch.is_functorch_wrapped_tensor(tensor)
    )
