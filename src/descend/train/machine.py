"""What this machine can compute on."""

import os

import torch

from descend.train.choices import Machine


def this_machine() -> Machine:
    """GPUs that this build of PyTorch can use, and the processor cores that this process may use."""
    return Machine(cuda=torch.cuda.is_available(), mps=torch.backends.mps.is_available(), cores=usable_cores())


def usable_cores() -> int:
    """Processor cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
