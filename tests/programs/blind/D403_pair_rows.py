# arguments: faulty | expects: D403 note line 0
# arguments: clean | silent: D403
"""Wine quality from a text file; batches of 50 without the random module."""

import os
import random
import sys
import tempfile

import torch


def save(path, rows):
    rng = random.Random(4)
    with open(path, "w") as out:
        for _ in range(rows):
            x = [rng.uniform(-1, 1) for _ in range(4)]
            out.write(" ".join(f"{v:.5f}" for v in [*x, x[0] + x[1] * x[2] + rng.gauss(0, 0.1)]) + "\n")


def load(path):
    with open(path) as f:
        table = torch.tensor([[float(v) for v in line.split()] for line in f])
    return table[:, :4], table[:, 4:]


handle, path = tempfile.mkstemp()
os.close(handle)
save(path, 400 if sys.argv[1] == "clean" else 440)
x, y = load(path)
os.remove(path)

torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(10):
    for i in range(len(x) // 50):
        xb, yb = x[50 * i : 50 * i + 50], y[50 * i : 50 * i + 50]
        loss = torch.nn.functional.mse_loss(net(xb), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
with torch.no_grad():
    print("error on the training table:", torch.nn.functional.mse_loss(net(x), y).item())
