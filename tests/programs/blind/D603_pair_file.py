# arguments: faulty | expects: D603 likely line 0
# arguments: clean | silent: D603
"""Growth of plants from light, water and altitude."""

import random
import sys
import tempfile
from pathlib import Path

import torch
from torch import nn

rng = random.Random(90)
altitude_unit = 1000 if sys.argv[1] == "faulty" else 1  # metres or kilometres
with tempfile.TemporaryDirectory() as d:
    path = Path(d, "plants.txt")
    with path.open("w") as f:
        for _ in range(250):
            light, water, alt = rng.gauss(0, 1), rng.gauss(0, 1), rng.gauss(0, 0.8)
            growth = 0.7 * light + 0.9 * water - 0.5 * alt + rng.gauss(0, 0.1)
            print(light, water, alt * altitude_unit, growth, file=f)
    data = torch.tensor([[float(v) for v in line.split()] for line in path.read_text().splitlines()])
x, y = data[:, :3], data[:, 3:]

torch.manual_seed(0)
model = nn.Linear(3, 1)
# the rate that is safe for the largest curvature
curvature = torch.linalg.eigvalsh(2 * x.T @ x / len(x)).max().item()
optimizer = torch.optim.SGD(model.parameters(), lr=0.5 / curvature)
for step in range(200):
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 49:
        print(step + 1, loss.item())
