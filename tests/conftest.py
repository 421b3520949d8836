"""What holds for every test."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

# Time limits on single examples would fail on a busy machine, not on a fault.
settings.register_profile("descend", deadline=None)
settings.load_profile("descend")

# A person's own setting must not move the runs that tests make.
os.environ.pop("DESCEND_RUNS", None)


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    """A test that leaves a mode of PyTorch's on would fail others, far from it."""
    yield
    torch = sys.modules.get("torch")
    if torch is not None:
        left = torch._C._len_torch_function_stack()
        for _ in range(left):
            torch.overrides._pop_mode()
        assert left == 0, f"{left} function modes were left on"


@pytest.fixture(scope="session")
def torchvision_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that torchvision was put into for the tests; an empty one where Python has it already."""
    folder = tmp_path_factory.mktemp("torchvision")
    if find_spec("torchvision") is None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        done = subprocess.run([*pip, "torchvision==0.28.0"], capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            pytest.skip(f"torchvision is not installed, and pip cannot install it here: {done.stderr.strip()[-200:]}")
    return folder
