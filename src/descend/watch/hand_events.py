"""What is told of a sampled step whose gradients are derived by hand, beside its loss and the norms of its parameters."""

from collections.abc import Iterator

import torch
from torch import Tensor

from descend.record.events import BatchSeen, Event, PhaseTimes, Snapshot
from descend.watch.fingerprint import fingerprints
from descend.watch.iterations import Step
from descend.watch.quiet import quiet

_EPOCH = 0  # not known
_WHOLE = 16 * 2**20  # bytes of a batch that a snapshot keeps
_KEYS = ("x", "y")  # of the batch's tensors, as in every snapshot; those after them are numbered


def events_of(number: int, step: Step, *, snapshot: bool) -> Iterator[Event]:
    """Phases, batch and, where it is to be kept in full, the values of step ``number``."""
    if step.spent:
        yield PhaseTimes(number, step.spent, step.places)
    for name, tensor in step.batch.items():
        dtype = str(tensor.dtype).removeprefix("torch.")
        yield BatchSeen(number, name, tuple(tensor.shape), dtype, str(tensor.device), fingerprints(tensor))
    if snapshot and step.before:
        yield _snapshot(number, step)


def _snapshot(number: int, step: Step) -> Snapshot:
    tensors: dict[str, Tensor] = {}
    notes = []
    with quiet():
        room = _WHOLE
        for position, (name, tensor) in enumerate(step.batch.items()):
            room -= tensor.nbytes
            if room >= 0:
                key = _KEYS[position] if position < len(_KEYS) else str(position)
                tensors[f"batch.{key}"] = _copy(tensor)
            else:
                notes.append(f"left out, because it is larger than {_WHOLE >> 20} MB: {name}")
        if step.loss is not None:
            tensors["loss"] = torch.as_tensor(step.loss, device="cpu").detach().clone().reshape(())
        tensors |= {f"before.{name}": _copy(value) for name, value in step.before.items()}
        tensors |= {f"after.{name}": _copy(value) for name, value in step.parameters.items() if name in step.before}
    return Snapshot(number, _EPOCH, tensors, "; ".join(notes))


def _copy(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True)
