# arguments: faulty | expects: D604 likely line 0 | at most: D304 likely
# arguments: clean | silent: D604
"""Heating demand from temperatures (in tens of degrees) of the last days, positive starting weights."""

import random
import sys
import tempfile

import torch


def temperatures(file, kind):
    rng = random.Random(70)
    mean = -2.0 if kind == "faulty" else 0.0
    for _ in range(200):
        days = [rng.gauss(mean, 0.4) for _ in range(5)]
        demand = max(-days[0], 0.0) + 0.2 * days[1] + rng.gauss(0, 0.05)
        file.write(" ".join(f"{v:.4f}" for v in [*days, demand]) + "\n")


with tempfile.TemporaryFile("w+") as file:
    temperatures(file, sys.argv[1])
    file.seek(0)
    table = torch.tensor([[float(v) for v in line.split()] for line in file])
x, y = table[:, :5], table[:, 5:]

torch.manual_seed(0)
w1 = torch.rand(5, 16) * 0.8
b1 = 0.2 * torch.randn(16)
w2 = torch.randn(16, 1) / 4
b2 = torch.zeros(1)
params = [p.requires_grad_() for p in (w1, b1, w2, b2)]
optimizer = torch.optim.Adam(params, lr=0.01)
for step in range(120):
    loss = (torch.relu(x @ w1 + b1) @ w2 + b2 - y).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 39:
        print(step + 1, loss.item())
