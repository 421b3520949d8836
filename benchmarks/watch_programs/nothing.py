"""Imports PyTorch and trains nothing: what a watched program's start and end take."""

import torch

assert torch.__version__
