"""Where a benchmark was run."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """Where this was measured."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": version("torch"),
    }


def machine_text(found: dict[str, Any]) -> str:
    """``Xeon, 2 cores · Linux · Python 3.11.7 · torch 2.13.0``"""
    cores = f"{found['cores']} core{'' if found['cores'] == 1 else 's'}"
    return f"{found['processor']}, {cores} · {found['system']} · Python {found['python']} · torch {found['torch']}"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
