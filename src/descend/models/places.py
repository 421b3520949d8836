"""Where in the user's own code something is, as ``file:line``, for messages."""

import inspect
import traceback
from pathlib import Path
from types import CodeType

from torch import nn


def said(error: BaseException) -> str:
    """Class and first line of ``error``: ``"ValueError: odd sizes"``."""
    text = str(error.msg if isinstance(error, SyntaxError) else error).strip()
    first = text.splitlines()[0] if text else ""
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def place_of_error(error: BaseException, folder: Path | None) -> str:
    """``"net.py:12 in forward"``: the innermost line of the user's own code that ``error`` passed through."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno and Path(error.filename).is_file():
        return f"{_shown(Path(error.filename))}:{error.lineno}"
    if folder is None:
        return ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.lineno and is_own(Path(frame.filename), folder):
            inside = "" if frame.name == "<module>" else f" in {frame.name}"
            return f"{_shown(Path(frame.filename))}:{frame.lineno}{inside}"
    return ""


def is_own(file: Path, folder: Path) -> bool:
    """Whether ``file`` is the user's own in ``folder``, and not a library installed somewhere below it."""
    return file.is_relative_to(folder) and "site-packages" not in file.relative_to(folder).parts


def place_of_definition(value: object, path: Path) -> str:
    """``"net.py:7"``, where the function or the constructor of the class ``value`` begins; the file alone where it is not there."""
    code = getattr(getattr(value, "__init__", None) if inspect.isclass(value) else value, "__code__", None)
    if isinstance(code, CodeType) and Path(code.co_filename) == path.resolve():
        return f"{path}:{code.co_firstlineno}"
    return str(path)


def folder_of_forward(module: nn.Module) -> Path | None:
    """Folder of the file that defines the module's ``forward``; None for PyTorch's own classes."""
    code = _code_of_forward(module)
    return Path(code.co_filename).parent if code else None


def place_of_forward(module: nn.Module) -> str:
    """``"net.py:12 in forward"``, or ``""`` for PyTorch's own classes."""
    code = _code_of_forward(module)
    return f"{_shown(Path(code.co_filename))}:{code.co_firstlineno} in forward" if code else ""


def _shown(path: Path) -> str:
    """Relative to the current folder where it lies in it: as a person would type it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _code_of_forward(module: nn.Module) -> CodeType | None:
    code = getattr(type(module).forward, "__code__", None)
    is_torch = type(module).__module__.split(".")[0] == "torch"
    return code if isinstance(code, CodeType) and not is_torch else None
