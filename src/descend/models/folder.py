"""The model folder: a trained model to keep, as ``model.safetensors`` and ``model.json``. No pickle, and no code is run.

A folder from a stranger is safe to open: weights are only numbers, the description is only JSON, checksums are compared before
anything is built, and a class of somebody's own is never executed because a folder names it.
"""

import hashlib
import importlib.metadata
import json
import secrets
import shlex
import shutil
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from descend.errors import ModelError
from descend.models.architecture import Architecture
from descend.models.build import skeleton
from descend.models.description import FORMAT, ModelDescription, damaged, read_description
from descend.models.model import Model
from descend.models.output import check_output
from descend.models.state import state_of
from descend.models.user_file import load_class
from descend.record.files import storage_error, sync_folder, write_atomically

WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"


def save(folder: str | Path, module: nn.Module, description: ModelDescription) -> None:
    """Write ``module`` and ``description`` to ``folder``, whole or not at all; a model that stands there is replaced.

    Both files are written to a new folder beside it, which then takes its name. Buffers are kept too (the running means of a
    batch norm); a tensor that two layers share is written for both.

    Raises :class:`~descend.errors.ModelError` where ``folder`` holds other things or the module keeps what is not a tensor,
    :class:`~descend.errors.StorageError` where the disk refuses.
    """
    folder = Path(folder).resolve()  # where it is a link, the folder behind it is replaced
    weights = _weights(module)
    text = json.dumps(
        {
            "format": FORMAT,
            **description.to_json(),
            "sha256": hashlib.sha256(weights).hexdigest(),
            "versions": {"descend": _version(), "torch": torch.__version__},
        },
        indent=2,
        ensure_ascii=False,
        allow_nan=False,
    )
    partial = folder.with_name(f".model-{secrets.token_hex(4)}.partial")
    try:
        _check_replaceable(folder)
        partial.mkdir(parents=True)
        write_atomically(partial / WEIGHTS, weights)
        write_atomically(partial / DESCRIPTION, text.encode())
        _put_in_place(partial, folder)
    except OSError as error:
        raise storage_error(folder, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    sync_folder(folder.parent)


def load(folder: str | Path, *, code: str | None = None) -> Model:
    """The model that :func:`save` wrote to ``folder``, on the CPU and in evaluation mode.

    code: ``"path/to/file.py:ClassName"`` for a model of that class. It has to be given here: what the folder says is never run.

    Raises :class:`~descend.errors.ModelError` for everything that can be wrong with the folder. The global random generator is
    left as it was.
    """
    folder = Path(folder)
    description, digest = read_description(_read(folder, DESCRIPTION), where=str(folder / DESCRIPTION))
    weights = _read(folder, WEIGHTS)
    where = str(folder / WEIGHTS)
    if hashlib.sha256(weights).hexdigest() != digest:
        raise damaged(f"{WEIGHTS} is not the file that {DESCRIPTION} describes: its SHA-256 differs", where=where)
    try:
        tensors = safetensors.torch.load(weights)
    except (safetensors.SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise damaged(f"{WEIGHTS} is not a safetensors file: {error}", where=where) from error
    module = _empty_module(description.architecture, code)
    _check_tensors(tensors, module.state_dict(), where)
    # A skeleton has no memory to copy values into; a module of the user's may have tied some of its tensors, so it is copied into.
    module.load_state_dict(tensors, assign=not description.architecture.is_user_code)
    if description.architecture.is_user_code:
        examples = torch.zeros(4, *description.architecture.feature_shape)
        check_output(module, examples, description.architecture.outputs, description.loss, description.task)
    return Model(module.eval(), description)


def _check_replaceable(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ModelError(f"{folder.name} is a file, not a folder", where=str(folder), help="choose another name")
    others = sorted(one.name for one in folder.iterdir() if one.name not in (WEIGHTS, DESCRIPTION))
    if others:
        shown = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
        raise ModelError(
            f"{folder.name} holds other things than a model ({shown}), so it is not replaced",
            where=str(folder),
            help=f"choose a new folder, such as {folder / 'model'}",
        )


def _put_in_place(partial: Path, folder: Path) -> None:
    previous = partial.with_suffix(".previous")
    try:
        if folder.exists():
            folder.rename(previous)  # a folder with files in it cannot be renamed over
        partial.rename(folder)
    except BaseException:
        if previous.exists() and not folder.exists():
            previous.rename(folder)
        raise
    shutil.rmtree(previous, ignore_errors=True)


def _weights(module: nn.Module) -> bytes:
    # Copies of their own: safetensors refuses tensors that share memory, as tied weights do.
    contiguous = torch.contiguous_format
    tensors = {name: value.detach().cpu().clone(memory_format=contiguous) for name, value in state_of(module).items()}
    return safetensors.torch.save(tensors)


def _version() -> str:
    try:
        return importlib.metadata.version("descend")
    except importlib.metadata.PackageNotFoundError:  # used from its source, without being installed
        return "unknown"


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError as error:
        raise _nothing_there(folder, name) from error
    except OSError as error:
        raise ModelError(
            f"{name} cannot be read: {error.strerror}",
            where=str(folder / name),
            help="check the path and its permissions",
        ) from error


def _nothing_there(folder: Path, name: str) -> ModelError:
    if not folder.is_dir():
        return ModelError(
            f"there is no model folder {folder}",
            where=f"in {Path.cwd()}",
            help="'descend runs' lists the runs; a run's model is in its folder 'model'",
        )
    inside = folder / "model"
    if (inside / name).is_file():
        return ModelError(f"{folder} has no {name}", where=str(folder), help=f"its model is in {inside}")
    return ModelError(
        f"{folder} has no {name}, so it is not a model folder",
        where=str(folder),
        help=f"a model folder holds {WEIGHTS} and {DESCRIPTION}; train a model again, or restore the file from a copy",
    )


def _empty_module(architecture: Architecture, code: str | None) -> nn.Module:
    """A module whose values are still to be set; runs the file that ``code`` names and no other."""
    if not architecture.is_user_code:
        if code is not None:
            raise ModelError(
                f"the model is a built-in {architecture.kind}, and code was given for it: {code}",
                where="--model",
                help="leave out --model",
            )
        return skeleton(architecture)
    if code is None:
        raise ModelError(
            f"the model is of a class of its author's ({architecture.kind}), and code that a folder names is never run",
            where="architecture",
            help=f"read that file; if you trust it, add --model {shlex.quote(architecture.kind)} "
            f"(in Python: code={architecture.kind!r})",
        )
    with torch.random.fork_rng(devices=[]):
        return load_class(code, feature_shape=architecture.feature_shape, outputs=architecture.outputs)


def _check_tensors(found: dict[str, Tensor], expected: dict[str, Any], where: str) -> None:
    """Every tensor of the model is in the file, and no other, each of its shape and type."""
    problems = [f"{name!r} is missing" for name in expected if name not in found]
    problems += [f"{name!r} is not part of the model" for name in found if name not in expected]
    for name in expected.keys() & found.keys():
        one, other = _kind(found[name]), _kind(expected[name])
        if one != other:
            problems.append(f"{name!r} is {one}, the model has {other}")
    if problems:
        listed = "; ".join(sorted(problems)[:3]) + ("; …" if len(problems) > 3 else "")
        raise ModelError(
            f"the weights do not fit the model: {listed}",
            where=where,
            help="use the architecture, or the version of the class, that the model was trained with",
        )


def _kind(tensor: object) -> str:
    if not isinstance(tensor, Tensor):
        return f"a {type(tensor).__name__}"
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
