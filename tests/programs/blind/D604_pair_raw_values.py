# arguments: faulty | expects: D604 likely line 0
# arguments: clean | silent: D604
"""Kind of rock from five readings; a tanh network."""

import sys

import numpy as np
import torch
from torch import nn


def readings(kind, rng):
    y = rng.integers(0, 3, 360)
    x = rng.normal(size=(360, 5))
    x[np.arange(360), y] += 1.8
    if kind == "faulty":
        x = 400 * x  # as the device counts
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


torch.manual_seed(0)
x, y = readings(sys.argv[1], np.random.default_rng(30))
model = nn.Sequential(nn.Linear(5, 24), nn.Tanh(), nn.Linear(24, 3))
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(10):
    total = 0.0
    for rows in torch.randperm(360).split(36):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() / 10
    if epoch % 3 == 0:
        print(epoch, round(total, 4))
with torch.no_grad():
    print("share of |h| > 0.99:", (model[:2](x).abs() > 0.99).float().mean().item())
