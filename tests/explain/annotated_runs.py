"""Runs the five kinds of programs once each, as scripts and as notebooks, in forked processes; tests annotate their records."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from check.harness import run_watched
from descend.annotating import Words, annotate_run
from test_tutorials import MNIST, TUTORIALS, as_notebook, cell_and_line

_register = torch.library.register_fake


def _without_torchvision(name: Any, *given: Any, **named: Any) -> Any:
    """Lets torchvision be imported beside a torch without CUDA, as tests/test_tutorials.py does for fresh processes."""
    if str(name).startswith("torchvision::"):
        return lambda function: function
    return _register(name, *given, **named)


@dataclass(frozen=True)
class Runs:
    """Records of the programs, made when they are first asked for."""

    folder: Path

    def record(self, name: str, *, notebook: bool = False) -> Path:
        """The run's folder; the program lies beside the folder of runs."""
        here = self.folder / (f"{name}-notebook" if notebook else name)
        if not here.exists():
            here.mkdir()
            source = (TUTORIALS / f"{name}.py").read_text()
            program = here / f"{name}.{'ipynb' if notebook else 'py'}"
            program.write_text(as_notebook(source) if notebook else source)
            assert run_watched(program, self._arguments(name), here) == 0, (here / "stderr").read_text()[-2000:]
        (run,) = (each for each in (here / "runs").iterdir() if each.is_dir() and not each.is_symlink())
        return run

    def lines(self, name: str, words: Words = "plain", *, notebook: bool = False) -> dict[int, dict[str, Any]]:
        """The annotated lines that have text, by their number in the script, also where they are those of its notebook."""
        files = annotate_run(self.record(name, notebook=notebook), words)["files"]
        if not notebook:
            return {line["number"]: line for line in files[0]["lines"]}
        source = (TUTORIALS / f"{name}.py").read_text()
        cells = {int(each["file"].rpartition(" ")[2]): each["lines"] for each in files}
        first = source.splitlines().index("# %%") + 1
        found = {}
        for number, text in enumerate(source.splitlines(), 1):
            cell, line = cell_and_line(source, number)
            if number > first and text.strip() not in ("", "# %%"):
                found[number] = cells[cell][line - 1]
                assert found[number]["text"] == text
        return found

    def _arguments(self, name: str) -> list[str]:
        if name == "softmax_from_tensors":
            return [str(MNIST)]
        if name != "digits_with_adam":
            return []
        raw = self.folder / "vision" / "MNIST" / "raw"
        if not raw.exists():
            raw.mkdir(parents=True)
            for packed in MNIST.glob("*.gz"):
                (raw / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
        return [str(self.folder / "vision")]


def run_programs(folder: Path) -> Iterator[Runs]:
    """For a fixture of a module."""
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        torch.set_num_threads(1)
        patch.setattr(torch.library, "register_fake", _without_torchvision)
        yield Runs(folder)
    torch.set_num_threads(threads)
