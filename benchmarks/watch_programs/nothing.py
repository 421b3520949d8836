"""Imports PyTorch and trains nothing: what a watched program's start and end take."""

import json
import time

import torch

assert torch.__version__
print(json.dumps({"started": time.process_time()}))
