"""The rows of a training that are no built-in set, kept in its run folder: a safetensors file, readable without descend.

Without them a run could be looked at later, but neither repeated nor turned into a script.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from descend.data.dataset import Dataset, Examples
from descend.errors import DataError
from descend.record.files import write_atomically
from descend.record.tensors import unpack

KEPT_ROWS = "data.safetensors"
LARGEST_KEPT = 64_000_000  # bytes: what a disk takes in a fraction of a second
_FACTS = "facts"
_DAMAGED = "copy the whole run folder again, or train again"


def keep(dataset: Dataset, run_folder: Path) -> None:
    """Write the rows of ``dataset`` to ``run_folder``, unless they take more than ``LARGEST_KEPT`` bytes.

    Tensors: ``x_train`` (N, *shape) float32, ``y_train`` (N,) int64 or (N, T) float32, and ``x_test``, ``y_test`` where there are
    rows to be examined on. Raises StorageError when the disk refuses.
    """
    from safetensors.torch import save

    tensors = {"x_train": dataset.train.features, "y_train": dataset.train.targets}
    if dataset.test is not None:
        tensors |= {"x_test": dataset.test.features, "y_test": dataset.test.targets}
    if sum(tensor.nbytes for tensor in tensors.values()) > LARGEST_KEPT:
        return
    # A clone where memory is shared or not in order: safetensors takes neither.
    plain = {name: tensor.cpu().clone(memory_format=torch.contiguous_format) for name, tensor in tensors.items()}
    facts = {
        "name": dataset.name,
        "title": dataset.title,
        "task": dataset.task,
        "feature_names": dataset.feature_names,
        "target_names": dataset.target_names,
        "preparation": dict(dataset.preparation),
    }
    write_atomically(run_folder / KEPT_ROWS, save(plain, {_FACTS: json.dumps(facts)}))


def read_kept(run_folder: Path) -> Dataset | None:
    """The rows that ``keep`` wrote to ``run_folder``; None where it wrote none. The file may come from a stranger.

    Raises DataError where it is not what was written.
    """
    path = run_folder / KEPT_ROWS
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(
            f"the rows of the run cannot be read: {error.strerror}", where=str(path), help=_DAMAGED
        ) from None
    try:
        tensors = unpack(content)
        facts = _facts(content)
        train = _examples(tensors["x_train"], tensors["y_train"], facts["task"])
        test = _examples(tensors["x_test"], tensors["y_test"], facts["task"]) if "x_test" in tensors else None
        return Dataset(
            name=str(facts["name"]),
            title=str(facts["title"]),
            task=facts["task"],
            train=train,
            test=test,
            feature_names=tuple(map(str, facts["feature_names"])),
            target_names=tuple(map(str, facts["target_names"])),
            preparation=dict(facts["preparation"]),
        )
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DataError(
            "the rows of the run are damaged, or were not written by descend", where=str(path), help=_DAMAGED
        ) from error


def starts(run_folder: Path) -> dict[str, int]:
    """The byte at which each tensor begins in the file that ``keep`` wrote, and ``read_kept`` has read."""
    with (run_folder / KEPT_ROWS).open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
    return {
        name: 8 + length + int(entry["data_offsets"][0]) for name, entry in header.items() if "data_offsets" in entry
    }


def _facts(content: bytes) -> dict[str, Any]:
    """What stands in the header beside the tensors; ``unpack`` has found the header to be one."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    facts: dict[str, Any] = json.loads(header["__metadata__"][_FACTS])
    return facts


def _examples(features: Tensor, targets: Tensor, task: object) -> Examples:
    kinds = {"classes": (torch.int64, 1), "values": (torch.float32, 2)}
    if (
        not isinstance(task, str)
        or (targets.dtype, targets.ndim) != kinds.get(task)
        or features.dtype != torch.float32
        or features.ndim < 2
        or len(features) != len(targets)
        or not len(features)
    ):
        raise ValueError("not the form of examples")
    return Examples(features, targets)
