# arguments: faulty | expects: D406 likely line 0
# arguments: clean | silent: D406
"""Two kinds of beans; measures and kinds come in two files, joined line by line."""

import os
import random
import sys
import tempfile

import torch
import torch.nn.functional as F
from torch import nn


def store(folder, how):
    rng = random.Random(15)
    beans = [(rng.choice("ab"), rng.random()) for _ in range(500)]
    names = [kind for kind, _ in beans]
    if how == "faulty":  # listed in another order than the measures
        rng.shuffle(names)
    with open(os.path.join(folder, "measures.txt"), "w") as f:
        for kind, _ in beans:
            m = 0.8 if kind == "a" else -0.8
            f.write(f"{rng.gauss(m, 0.7):.3f};{rng.gauss(-m, 0.9):.3f};{rng.gauss(0, 1):.3f}\n")
    with open(os.path.join(folder, "kinds.txt"), "w") as f:
        f.write("\n".join(names))


def fetch(folder):
    with open(os.path.join(folder, "measures.txt")) as f:
        x = torch.tensor([[float(v) for v in line.split(";")] for line in f])
    with open(os.path.join(folder, "kinds.txt")) as f:
        y = torch.tensor(["ab".index(line.strip()) for line in f])
    return x, y


with tempfile.TemporaryDirectory() as folder:
    store(folder, sys.argv[1])
    x, y = fetch(folder)

torch.manual_seed(1)
net = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2))
optim = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(15):
    summed = 0.0
    for pick in torch.randperm(500).split(50):
        optim.zero_grad()
        loss = F.cross_entropy(net(x[pick]), y[pick])
        loss.backward()
        optim.step()
        summed += loss.item() * 50
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: {summed / 500:.4f}")
