"""A model from the user's own file: ``"path/to/file.py:Name"``.

The file is executed, as ``import`` would; so this happens only where the person names the file in the call itself.
"""

import contextlib
import importlib.util
import inspect
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, ModuleType

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from descend.errors import ModelError, did_you_mean
from descend.models.output import forward
from descend.models.places import is_own, place_of_definition, place_of_error, said
from descend.models.state import state_of

# Names under which people write the arguments of a model's constructor.
# fmt: off
_INPUTS = {
    "in_features", "inputs", "num_features", "n_features", "input_features", "features", "input_size", "input_dim", "in_size",
    "in_dim", "num_inputs", "n_inputs", "n_in", "d_in",
}
_OUTPUTS = {
    "out_features", "outputs", "output_features", "output_size", "output_dim", "out_size", "out_dim", "num_outputs", "n_outputs",
    "n_out", "d_out", "num_classes", "n_classes", "classes",
}
_CHANNELS = {"in_channels", "channels", "num_channels", "n_channels"}
_SHAPE = {"feature_shape", "input_shape", "in_shape", "image_shape"}
# fmt: on

_brought: set[str] = set()  # modules that a user's file imported from its own folder


def load_class(reference: str, *, feature_shape: tuple[int, ...], outputs: int) -> nn.Module:
    """The module that ``"path/to/file.py:Name"`` names, made for (B, *feature_shape) → (B, outputs).

    ``Name`` is a subclass of ``nn.Module``, a function that returns a module, or a module. Arguments that the constructor
    requires are filled by name (``in_features``, ``num_classes``, …). While the file is executed its own folder can be imported
    from. Random numbers drawn by the file itself do not count: the constructor finds the global generator as the caller left it.

    Raises :class:`~descend.errors.ModelError` with the file and line for everything that can be wrong with it.
    """
    path, name = _split(reference)
    state = torch.get_rng_state()
    loaded = _execute(path)
    torch.set_rng_state(state)
    found = _find(loaded, path, name)
    if isinstance(found, nn.Module):
        module = found
    else:
        module = _make(found, path, name, _arguments(found, path, name, feature_shape, outputs))
    _materialise(module, feature_shape)
    _check_trainable(module, path, name)
    state_of(module)  # now, and not when it is trained and cannot be kept
    return module


def _split(reference: str) -> tuple[Path, str]:
    text, colon, name = reference.rpartition(":")
    if not colon or name.endswith(".py") or "/" in name or "\\" in name:
        text, name = reference, ""
    path = Path(text)
    if path.is_dir():
        raise ModelError(
            f"{text} is a folder, not a Python file", where=text, help="name the file in it: folder/file.py:ClassName"
        )
    if not path.is_file():
        near = [file.name for file in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise ModelError(
            f"there is no file {text}{did_you_mean(path.name, near)}",
            where=f"in {path.parent.resolve()}",
            help="give the path from the folder you are in: path/to/file.py:ClassName",
        )
    if not name:
        raise ModelError(
            f"{text} does not say which class is the model", where=text, help=f"add its name: --model {text}:ClassName"
        )
    return path, name


def _execute(path: Path) -> ModuleType:
    """A module of the file's own, made anew at every call: what was edited since the last call counts."""
    for brought in _brought:
        sys.modules.pop(brought, None)
    _brought.clear()
    full = path.resolve()
    code = _compile(path, full)
    specification = importlib.util.spec_from_file_location(f"descend_user_{full.stem}", full)
    if specification is None:
        raise ModelError(f"{path} is not a Python file", where=str(path), help="the file's name has to end in .py")
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module  # dataclasses and inspect look a class's module up there
    with _importable(full.parent):
        try:
            exec(code, module.__dict__)  # noqa: S102 - the person named this file as the model to run
        except SystemExit as error:
            raise ModelError(
                f"{path} ends the program while it is loaded",
                where=place_of_error(error, full.parent) or str(path),
                help='put what the script does itself behind: if __name__ == "__main__":',
            ) from error
        except Exception as error:
            raise ModelError(
                f"{path} cannot be loaded: {said(error)}",
                where=place_of_error(error, full.parent) or str(path),
                help='correct that line; what is not needed for the model can go behind: if __name__ == "__main__":',
            ) from error
    return module


def _compile(path: Path, full: Path) -> CodeType:
    try:
        return compile(full.read_bytes(), str(full), "exec", dont_inherit=True)
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read: {error.strerror}", where=str(path), help="check the file's permissions"
        ) from error
    except (SyntaxError, ValueError) as error:  # ValueError: null bytes, before Python 3.12
        raise ModelError(
            f"{path} is not valid Python: {said(error)}",
            where=place_of_error(error, full.parent) or str(path),
            help="correct that line and try again",
        ) from error


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """``folder`` first on the import path inside; what comes from it is remembered, to be read anew by the next load."""
    entry, before = str(folder), set(sys.modules)
    sys.path.insert(0, entry)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # the file itself may have taken it out
            sys.path.remove(entry)
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if isinstance(file, str) and is_own(Path(file), folder):
                _brought.add(name)


def _find(loaded: ModuleType, path: Path, name: str) -> Callable[..., object] | nn.Module:
    where = str(path)
    if not hasattr(loaded, name):
        models = _models_in(loaded)
        offered = f"the file has: {', '.join(models)}" if models else "write class ClassName(nn.Module) in it"
        raise ModelError(f"{path} has no class {name!r}{did_you_mean(name, models)}", where=where, help=offered)
    found = getattr(loaded, name)
    if isinstance(found, nn.Module):
        return found
    if inspect.isclass(found) and not issubclass(found, nn.Module):
        raise ModelError(
            f"{name} in {path} is a class, but not a torch.nn.Module",
            where=place_of_definition(found, path),
            help=f"begin it with class {name}(nn.Module): and define forward",
        )
    if not callable(found):
        raise ModelError(
            f"{name} in {path} is of the type {type(found).__name__}, not a torch.nn.Module",
            where=where,
            help="name a class that inherits from nn.Module, or a function that returns one",
        )
    made_by: Callable[..., object] = found
    return made_by


def _models_in(loaded: ModuleType) -> list[str]:
    own = [(name, value) for name, value in vars(loaded).items() if not name.startswith("_")]
    return [
        name
        for name, value in own
        if isinstance(value, nn.Module)
        or (inspect.isclass(value) and issubclass(value, nn.Module) and value.__module__ == loaded.__name__)
        or (inspect.isfunction(value) and value.__module__ == loaded.__name__)
    ]


def _arguments(
    made_by: Callable[..., object], path: Path, name: str, feature_shape: tuple[int, ...], outputs: int
) -> tuple[list[object], dict[str, object]]:
    """Values for the arguments that have no default, found by their names."""
    try:
        parameters = inspect.signature(made_by).parameters.values()
    except (TypeError, ValueError):  # some callables written in C do not tell
        return [], {}
    positional: list[object] = []
    by_name: dict[str, object] = {}
    unknown: list[str] = []
    for parameter in parameters:
        if parameter.default is not parameter.empty or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            continue
        value = value_for(parameter.name, feature_shape, outputs)
        if value is None:
            unknown.append(parameter.name)
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(value)
        else:
            by_name[parameter.name] = value
    if unknown:
        raise ModelError(
            f"{name} in {path} needs {' and '.join(unknown)}, and there is no value for "
            f"{'it' if len(unknown) == 1 else 'them'}",
            where=place_of_definition(made_by, path),
            help=f"give a default: {unknown[0]}=128; filled by name are in_features, out_features, num_classes, in_channels",
        )
    return positional, by_name


def value_for(name: str, feature_shape: tuple[int, ...], outputs: int) -> int | tuple[int, ...] | None:
    """What an argument of this name stands for in people's models; None where the name does not tell."""
    name = name.lower()
    if name in _INPUTS:
        return math.prod(feature_shape)
    if name in _OUTPUTS:
        return outputs
    if name in _CHANNELS and len(feature_shape) > 1:
        return feature_shape[0]
    if name in _SHAPE:
        return feature_shape
    return None


def _make(
    made_by: Callable[..., object], path: Path, name: str, arguments: tuple[list[object], dict[str, object]]
) -> nn.Module:
    positional, by_name = arguments
    folder = path.resolve().parent
    try:
        with _importable(folder):
            module = made_by(*positional, **by_name)
    except SystemExit as error:
        raise ModelError(
            f"{name} in {path} ends the program while it is made",
            where=place_of_error(error, folder) or place_of_definition(made_by, path),
            help="take the call that exits out of it",
        ) from error
    except Exception as error:
        raise ModelError(
            f"{name} in {path} cannot be made: {said(error)}",
            where=place_of_error(error, folder) or place_of_definition(made_by, path),
            help="correct that line and try again",
        ) from error
    if not isinstance(module, nn.Module):
        raise ModelError(
            f"{name} in {path} returns a value of the type {type(module).__name__}, not a torch.nn.Module",
            where=place_of_definition(made_by, path),
            help="return the module that is to be trained",
        )
    return module


def _materialise(module: nn.Module, feature_shape: tuple[int, ...]) -> None:
    """Let layers such as ``LazyLinear`` take their sizes from one example."""
    if any(is_lazy(parameter) for parameter in module.parameters()):
        forward(module, torch.zeros(1, *feature_shape))


def _check_trainable(module: nn.Module, path: Path, name: str) -> None:
    parameters = list(module.parameters())
    if not parameters:
        raise ModelError(
            f"{name} in {path} has no parameters: there is nothing to train",
            where=place_of_definition(type(module), path),
            help="make its layers attributes of self; a list of layers has to be an nn.ModuleList or nn.Sequential",
        )
    if not any(parameter.requires_grad for parameter in parameters):
        raise ModelError(
            f"every parameter of {name} in {path} is frozen: there is nothing to train",
            where=place_of_definition(type(module), path),
            help="leave requires_grad at True for what is to be learned",
        )
