"""Runs a Python script or module as ``python SCRIPT …`` and ``python -m MODULE …`` would, with its code compiled by a watcher.

A folder or a zip archive with a ``__main__`` in it is run as ``python FOLDER`` would. What cannot be run (missing, no Python) is
handed to Python itself, which then says what it says.
"""

import builtins
import os
import runpy
import stat
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import find_spec
from pkgutil import get_importer
from types import CodeType, ModuleType

from descend.watch.imports import import_as_others, modules_hidden_by
from descend.watch.tracebacks import show_without_our_frames

Instrument = Callable[[bytes, str], CodeType]

_WITH_A_VALUE = ("-W", "-X", "--check-hash-based-pycs")


def run_script(
    path: str, arguments: Sequence[str], *, instrument: Instrument, ready: Callable[[], None] = lambda: None
) -> int:
    """Run the script as ``python path arguments…``; gives its exit status.

    ``ready`` is called once it is sure that the script can be run, before its first line. An error or ``sys.exit`` of the script
    comes out, ready for Python to end the process by it, with a traceback that begins in the script.
    """
    if _holds_a_program(path):
        return _run_folder(path, arguments, instrument=instrument, ready=ready)
    filename = _absolute(path)
    code = _compiled_file(path, filename, instrument)
    if code is None:
        return run_python([path, *arguments])
    ready()
    main = _new_main()
    main.__file__, main.__loader__ = filename, SourceFileLoader("__main__", filename)
    main.__dict__["__cached__"] = None
    folder = os.path.dirname(os.path.realpath(path))  # noqa: PTH120 - as Python does it
    _set_arguments([path], [path, *arguments], folder)
    with modules_hidden_by(folder), _as_main(main):
        try:
            exec(code, main.__dict__)  # noqa: S102 - this is the program we were asked to run
        except SystemExit:
            raise
        except BaseException as error:
            show_without_our_frames(error, run_script.__code__)
            raise
    return 0


def run_module(
    name: str, arguments: Sequence[str], *, instrument: Instrument, ready: Callable[[], None] = lambda: None
) -> int:
    """Run the module as ``python -m name arguments…``; as :func:`run_script` otherwise."""
    # Python calls this one too; its frames are a part of what it shows when the module fails.
    run_as_main: Callable[[str], object] = vars(runpy)["_run_module_as_main"]
    folder = _absolute("").rstrip(os.sep) or os.sep
    with _module_path(folder):
        if not _can_be_found(name.partition(".")[0]):
            return run_python(["-m", name, *arguments])
    ready()
    _set_arguments(["-m", name], ["-m", *arguments], folder)
    finder = _InstrumentingFinder(name, instrument)
    with modules_hidden_by(folder), _as_main(_new_main()), _first_to_find(finder):
        try:
            run_as_main(name)
        except SystemExit:
            raise
        except BaseException as error:
            show_without_our_frames(error, run_module.__code__)
            raise
    return 0


def _run_folder(path: str, arguments: Sequence[str], *, instrument: Instrument, ready: Callable[[], None]) -> int:
    """Run the ``__main__`` of a folder or a zip archive, as Python does: with it as the first place that modules come from."""
    run_as_main: Callable[..., object] = vars(runpy)["_run_module_as_main"]
    ready()
    place = _absolute(path)
    _set_arguments([path], [path, *arguments], place)
    if sys.flags.safe_path:
        sys.path.insert(0, place)
    finder = _InstrumentingFinder("__main__", instrument)
    with modules_hidden_by(place), _as_main(_new_main()), _first_to_find(finder):
        try:
            run_as_main("__main__", alter_argv=False)
        except SystemExit:
            raise
        except BaseException as error:
            show_without_our_frames(error, run_script.__code__)
            raise
    return 0


@contextmanager
def _first_to_find(finder: MetaPathFinder) -> Iterator[None]:
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        with suppress(ValueError):
            sys.meta_path.remove(finder)


def _holds_a_program(path: str) -> bool:
    """Whether it is a folder or a zip archive with a ``__main__`` in it."""
    with suppress(ImportError, OSError, ValueError):
        importer = get_importer(path)
        return importer is not None and importer.find_spec("__main__") is not None
    return False


def run_python(arguments: Sequence[str]) -> int:
    """Become ``python arguments…``, with the flags that this Python was started with."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    command = [sys.orig_argv[0], *_interpreter_flags(), *arguments]
    if os.name == "nt":  # Windows cannot replace a process: the caller would see ours end at once
        status = subprocess.call(command, executable=sys.executable)  # noqa: S603
    else:
        os.execv(sys.executable, command)  # noqa: S606
    return status


def _compiled_file(path: str, filename: str, instrument: Instrument) -> CodeType | None:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - a pipe can be read once only: it is Python's
            return None
        with open(path, "rb") as file:
            source = file.read()
    except (OSError, ValueError):
        return None
    with warnings.catch_warnings(record=True) as said:
        code = _compiled(source, filename, instrument)
    if code is not None:
        for warning in said:
            warnings.showwarning(warning.message, warning.category, warning.filename, warning.lineno)
    return code


def _compiled(source: bytes, filename: str, instrument: Instrument) -> CodeType | None:
    """The code with the watcher's probes, without them where it cannot place them, None where it is no Python."""
    for compiled in (instrument, _plainly):
        with suppress(Exception):
            return compiled(source, filename)
    return None


def _plainly(source: bytes, filename: str) -> CodeType:
    return compile(source, filename, "exec", dont_inherit=True)


def _new_main() -> ModuleType:
    """A module as Python makes it for the program it starts: the same names in the same order."""
    main = ModuleType("__main__")
    for name in ("__doc__", "__package__", "__loader__", "__spec__"):
        main.__dict__[name] = None
    if sys.version_info < (3, 14):
        main.__annotations__ = {}
    main.__dict__["__builtins__"] = builtins
    return main


@contextmanager
def _as_main(main: ModuleType) -> Iterator[None]:
    """``main`` is the program from now on, also while Python ends; our own module is only kept from being torn down."""
    ours = sys.modules["__main__"]
    sys.modules["__main__"] = main
    _KEPT.append(ours)
    yield


_KEPT: list[ModuleType] = []


def _set_arguments(program: list[str], arguments: list[str], folder: str) -> None:
    sys.orig_argv[1:] = [*_interpreter_flags(), *program, *arguments[1:]]
    sys.argv = arguments
    if not sys.flags.safe_path:
        sys.path[0] = folder


@contextmanager
def _module_path(folder: str) -> Iterator[None]:
    before = sys.path[:]
    if not sys.flags.safe_path:
        sys.path[0] = folder
    try:
        yield
    finally:
        sys.path[:] = before


def _can_be_found(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def _absolute(path: str) -> str:
    """As Python names the file of a program: joined, not tidied."""
    try:
        return os.path.join(os.getcwd(), path)  # noqa: PTH109, PTH118 - Path would tidy it
    except OSError:  # the current folder has been deleted
        return path


def _interpreter_flags() -> list[str]:
    """What stood between ``python`` and the program: ``-O``, ``-W error``, ``-X dev`` …"""
    flags: list[str] = []
    words = iter(sys.orig_argv[1:])
    for word in words:
        if not word.startswith("-") or word in ("-", "--") or word.startswith(("-m", "-c")):
            break
        if word in _WITH_A_VALUE:
            flags += [word, next(words, "")]
        elif not word.startswith(("-W", "-X", "--")) and word[-1] in "mc":  # -Im
            flags.append(word[:-1])
            break
        else:
            flags.append(word)
    return flags


class _InstrumentingFinder(MetaPathFinder):
    """Finds the one module that is the program, and has its code compiled by the watcher."""

    def __init__(self, name: str, instrument: Instrument) -> None:
        self._names, self._instrument = (name, f"{name}.__main__"), instrument

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._names:
            return None
        spec = import_as_others(self, fullname, path, target)
        if spec is not None and spec.submodule_search_locations is None and isinstance(spec.loader, SourceFileLoader):
            self._wrap(spec.loader)
        return spec

    def _wrap(self, loader: SourceFileLoader) -> None:
        def get_code(fullname: str) -> CodeType | None:
            del loader.__dict__["get_code"]
            code = loader.get_code(fullname)  # says what the compiler says, and keeps the byte code beside the source
            if code is None:
                return None
            with suppress(Exception), warnings.catch_warnings(record=True):
                return self._instrument(loader.get_data(loader.path), code.co_filename)
            return code

        loader.__dict__["get_code"] = get_code
