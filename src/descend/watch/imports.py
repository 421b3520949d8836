"""What the import system does while a program is watched: torch is noticed when it comes, and our own imports hide nothing."""

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# In every Python from its first moment, so that no program can bring its own. `descend` is ours to the end.
_ALWAYS_THERE = frozenset(
    "os site io abc codecs encodings stat posixpath ntpath genericpath importlib zipimport".split()  # noqa: SIM905
) | {"_collections_abc", "_sitebuiltins", "sitecustomize", "usercustomize", "__main__", "descend"}


def after_import(name: str, then: Callable[[], None]) -> Callable[[], None]:
    """Call ``then`` once the module has been imported, at once when it is there; gives a function that gives up waiting.

    The module is not imported from here: a program may set things up before it does so, as ``OMP_NUM_THREADS`` before torch.
    """
    if name in sys.modules:
        then()
        return lambda: None
    finder = _Waiting(name, then)
    sys.meta_path.insert(0, finder)
    return finder.give_up


def import_as_others(
    ours: MetaPathFinder, fullname: str, path: Sequence[str] | None, target: ModuleType | None
) -> ModuleSpec | None:
    """The spec that the other finders give."""
    for finder in sys.meta_path:
        if finder is not ours:
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                return spec
    return None


@contextmanager
def modules_hidden_by(folder: str) -> Iterator[None]:
    """Inside, modules that we have imported and of which the program has its own in ``folder`` are not there yet.

    A program beside a file ``queue.py`` gets that one from ``import queue``, as it would without us.
    """
    names = _names_in(folder) & {name for name in sys.modules if "." not in name}
    names -= _ALWAYS_THERE.union(sys.builtin_module_names)
    hidden = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in names}
    for name in hidden:
        del sys.modules[name]
    if hidden:
        importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.modules.update(hidden)


def _names_in(folder: str) -> set[str]:
    """What ``import`` would find there."""
    names: set[str] = set()
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            package = os.path.join(entry.path, "__init__.py")  # noqa: PTH118
            if entry.name.endswith((".py", ".so", ".pyd")) or os.path.isfile(package):  # noqa: PTH113
                names.add(entry.name.partition(".")[0])
    return names


class _Waiting(MetaPathFinder):
    """Finds one module as the others do, and notices when it has been executed."""

    def __init__(self, name: str, then: Callable[[], None]) -> None:
        self._name, self._then = name, then

    def give_up(self) -> None:
        with suppress(ValueError):
            sys.meta_path.remove(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        spec = import_as_others(self, fullname, path, target)
        loader = spec.loader if spec is not None else None
        if loader is None or not hasattr(loader, "__dict__"):
            return None
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            loader.__dict__.pop("exec_module", None)
            execute(module)
            self.give_up()
            self._then()

        loader.__dict__["exec_module"] = exec_module
        return spec
