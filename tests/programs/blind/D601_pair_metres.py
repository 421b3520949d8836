# arguments: faulty | expects: D601 bug line 36 | at most: D701 bug
# arguments: clean | silent: D601
"""Volume of trees from their diameter and height (metres or centimetres, as the foresters wrote them)."""

import os
import random
import sys
import tempfile

import torch
from torch import nn


def note_down(path, unit):
    r = random.Random(55)
    with open(path, "w") as f:
        for _ in range(150):
            d, h = r.gauss(0, 0.6), r.gauss(0, 0.8)  # differences to the mean tree
            f.write(f"{d * unit:.3f}\t{h * unit:.3f}\t{1.5 * d + 0.8 * h + r.gauss(0, 0.1):.3f}\n")


def read(path):
    with open(path) as f:
        t = torch.tensor([list(map(float, line.split("\t"))) for line in f])
    return t[:, :2], t[:, 2:]


fd, path = tempfile.mkstemp(suffix=".tsv")
os.close(fd)
note_down(path, 10 if sys.argv[1] == "faulty" else 1)
x, y = read(path)
os.unlink(path)

torch.manual_seed(0)
model = nn.Linear(2, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(60):
    loss = nn.functional.mse_loss(model(x), y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 20 == 19:
        print(step + 1, loss.item())
